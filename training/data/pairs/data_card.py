"""The data card of ArtiCaps: what is in it, where it comes from, what was left out, and what it is not."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from a2m_edge.errors import DataError, MissingExtraError
from a2m_edge.output import written_aside
from training.data.recordings.arrangement_recipes import LICENCE, arranged_files
from training.data.tables.feelings import SPLITS

PICTURE = "similarity.png"
CARD = "data-card.md"

_LICENCES = (
    ("artemis", "ArtEmis: utterances and emotions", "Achlioptas et al., CVPR 2021", "non-commercial research, by form"),
    ("wikiart", "WikiArt: pictures", "wikiart.org, by cs-chan/ArtGAN", "non-commercial research; the painters' rights"),
    ("musiccaps", "MusicCaps: captions", "Agostinelli et al. 2023, arXiv 2301.11325", "CC BY-SA 4.0"),
    ("lexicon", "norms of English words", "Warriner, Kuperman & Brysbaert 2013", "CC BY-NC-ND 3.0"),
)
_LIMITS = """\
Nobody annotated a pair: a painting's utterance and a music's caption stand together because their texts are alike and
their emotions agree. Both were written in English by paid annotators; what is called calm or joyful is theirs to say.
Emotions are what the annotators of ArtEmis felt, not what the painters meant. Arousal and valence of an utterance come
from its emotion and the norms of its words, and irony escapes both. Paintings are told apart by artist and title: the
same picture under two titles may be in two splits."""


def write_data_card(
    out: Path,
    *,
    labeller_figures: Mapping[str, float] | None = None,
    realisations: Mapping[str, object] | None = None,
) -> None:
    """Writes ``data-card.md`` and ``similarity.png`` beside ``articaps.json``, which holds all that they tell.

    Args:
        out: folder of ``a2m-edge data build``.
        labeller_figures: how well the music labeller does, by name; None where the set has none.
        realisations: facts about the realisations and recordings, by name.

    Raises:
        DataError: ``articaps.json`` is missing or damaged.
        MissingExtraError: matplotlib is not installed.
        OutputError: a file cannot be written.
    """
    facts = out / "articaps.json"
    try:
        document = json.loads(facts.read_bytes())
        picture = similarity_picture(document)
        card = data_card(document, labeller_figures=labeller_figures, realisations=realisations)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{facts} does not hold the facts of a data build ({error!r}): build it again") from error
    for name, content in ((PICTURE, picture), (CARD, card.encode())):
        with written_aside(out / name) as stream:
            stream.write(content)


def data_card(
    document: Mapping[str, Any],
    *,
    labeller_figures: Mapping[str, float] | None = None,
    realisations: Mapping[str, object] | None = None,
) -> str:
    """The card as Markdown.

    Args:
        document: what ``build_articaps`` returns.
        labeller_figures, realisations: see ``write_data_card``.
    """
    options, similarity, feeling = document["options"], document["similarity"], document["feeling"]
    served = {int(number): count for number, count in document["captions_by_utterances_served"].items()}
    parts = [
        "# ArtiCaps data card",
        f"{document['pairs']:,} pairs of an utterance about a painting and a caption of music: "
        f"{document['paintings']:,} paintings, {document['clips']:,} clips. "
        f"Of {document['utterances']:,} utterances {document['dropped']:,} are left out; below is why. "
        "Written by `a2m-edge data build`; every number is in `articaps.json` too.",
        "## Sources",
        _table(("what", "from", "licence", "file", "SHA-256"), _sources(document["sources"])),
        "The pairs hold text of ArtEmis and point to pictures of WikiArt: they are for non-commercial research, and "
        "must not be passed on. Sentence embeddings: all-MiniLM-L6-v2 (Apache-2.0), fingerprint "
        f"`{options['sentence_encoder'][:16] or 'not stated'}`.",
        "## How a pair is made",
        f"The merit of a pair is the cosine of the two sentence embeddings less {options['feeling_weight']} times the "
        "distance of their feelings (valence, arousal): of the utterance by its emotion and the norms of its words, of "
        "the caption by its words of mood and tempo. Pairs are made best first over all utterances of a split "
        f"together, so their order in the table decides nothing; a caption serves at most {options['most']} "
        f"utterances, and an utterance asks its best {options['candidates']} captions. "
        + (
            "There is no least similarity."
            if options["least_similarity"] is None
            else f"A pair has a cosine of at least {options['least_similarity']}."
        ),
        _table(("option", "value"), [(name.replace("_", " "), _shown(value)) for name, value in options.items()]),
        "## Splits",
        "No painting and no clip is in two splits. A painting is artist and title without the year.",
        _table(
            ("split", "utterances", "captions", "pairs", "paintings", "clips"),
            [(split, *facts.values()) for split, facts in document["splits"].items()],
        ),
        "## Similarity and emotions",
        f"![Histogram of the similarity of matched and of random pairs, and how often each emotion occurs]({PICTURE})",
        _table(
            ("quantile of the cosine", *similarity["quantiles"]), [("matched pairs", *similarity["quantiles"].values())]
        ),
        f"The mean is {similarity['mean']:.3f}; of random pairs of the same splits it is "
        f"{similarity['mean_of_random_pairs']:.3f}.",
        _table(
            ("emotion", "utterances", "pairs", "share of pairs"),
            [
                (emotion, facts["utterances"], facts["pairs"], f"{facts['pairs'] / document['pairs']:.1%}")
                for emotion, facts in document["emotions"].items()
            ],
        ),
        "## How far the feelings agree",
        _table(
            ("measure", "matched pairs", "random pairs"),
            [
                (name.replace("_", " "), feeling["pairs"][name], feeling["random_pairs"][name])
                for name in feeling["pairs"]
            ],
        ),
        "Distances are on a scale from -1 to 1; signs are compared where both sides are more than 0.1 from the middle.",
        "## How much a caption serves",
        _table(("utterances served", "captions"), _served(served)),
        "## What was dropped and why",
        _dropped(document),
        "## Music",
        _table(("fact", "value"), [(name, _shown(value)) for name, value in realisations.items()])
        if realisations
        else "No realisations were made.",
        "## Music labeller",
        _table(("figure", "value"), [(name, f"{value:.4g}") for name, value in labeller_figures.items()])
        if labeller_figures
        else "No music labeller was fitted for this set.",
        "## What it is not",
        _LIMITS,
    ]
    return "\n\n".join(parts) + "\n"


def music_facts(out: Path) -> dict[str, object]:
    """What there is to hear in a folder of ``a2m-edge data build``: realisations, and recordings of MusicCaps.

    Raises:
        DataError: ``realisations/realisations.json`` or the table of arrangements is damaged.
    """
    facts = out / "realisations" / "realisations.json"
    found: dict[str, object] = {}
    if facts.exists():
        try:
            found |= {f"realisations: {name}": value for name, value in json.loads(facts.read_bytes()).items()}
        except (OSError, ValueError, AttributeError) as error:
            raise DataError(f"{facts} is damaged ({error}): delete it and build the data again") from error
    for kind in ("realisations", "recordings"):
        for split in SPLITS:
            if count := sum(1 for _ in (out / kind / split).glob("*.npz")):
                found[f"{kind} in {split}"] = count
    if count := sum(1 for file in arranged_files(out / "realisations") if (out / "realisations" / file).exists()):
        found[f"of the realisations, arrangements of scores ({LICENCE})"] = count
    return found


def similarity_picture(document: Mapping[str, Any]) -> bytes:
    """A PNG: similarity of matched and of random pairs as shares of each, and the pairs of each emotion.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtraError("matplotlib", "train") from error

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    similarity = document["similarity"]
    matched, random = (np.array(similarity[name], float) for name in ("bins_from_-1_to_1", "bins_of_random_pairs"))
    edges = np.linspace(-1, 1, len(matched) + 1)
    left.stairs(random / random.sum(), edges, fill=True, color="#b8b8b8", alpha=0.8, label="random pairs")
    left.stairs(matched / matched.sum(), edges, fill=True, color="#2f6f9f", alpha=0.75, label="matched pairs")
    seen = np.flatnonzero(matched + random)
    left.set_xlim(edges[max(seen[0] - 2, 0)], edges[min(seen[-1] + 3, len(matched))])
    left.set_xlabel("cosine of the sentence embeddings")
    left.set_ylabel("share of pairs in a bin of 0.02")
    left.set_title("Similarity of utterance and caption")
    left.legend(frameon=False)
    emotions = sorted(document["emotions"].items(), key=lambda item: item[1]["pairs"])
    names = [name for name, _ in emotions]
    pairs = [facts["pairs"] for _, facts in emotions]
    bars = right.barh(names, [facts["utterances"] for _, facts in emotions], color="#b8b8b8", label="utterances")
    right.bar_label(bars, [f"{count:,}" for count in pairs], padding=4, fontsize=8)
    right.barh(names, pairs, color="#2f6f9f", label="of them in pairs (the number)")
    right.margins(x=0.16)
    right.set_title("Emotions")
    right.legend(frameon=False, loc="lower right")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    right.ticklabel_format(axis="x", style="plain")
    right.tick_params(axis="x", labelsize=8)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110, metadata={"Software": None})
    return stream.getvalue()


def _sources(sources: Mapping[str, Mapping[str, Any]]) -> list[Sequence[object]]:
    found: list[Sequence[object]] = []
    for name, what, origin, licence in _LICENCES:
        facts = sources.get(name)
        if facts is None:
            found.append((what, origin, licence, "as the table names them", ""))
        elif "file" in facts:
            found.append((what, origin, licence, f"`{facts['file']}`", f"`{facts['sha256'][:16]}`"))
        else:
            found.append(
                (what, origin, licence, f"{facts['pictures']:,} files", f"names: `{facts['sha256_of_names'][:16]}`")
            )
    return found


def _served(served: Mapping[int, int]) -> list[tuple[str, int]]:
    """Captions by how many utterances they serve: none, up to five ranges between, and the most."""
    most = max(served)
    edges = sorted({1, *(round(most * share / 5) for share in range(1, 5)), most} - {0})
    found = [("none", served.get(0, 0))]
    for first, after in itertools.pairwise(edges):
        name = f"{first:,}" if after - first == 1 else f"{first:,} to {after - 1:,}"
        found.append((name, sum(count for number, count in served.items() if first <= number < after)))
    return [*found, (f"{most:,}", served[most])]


def _dropped(document: Mapping[str, Any]) -> str:
    reasons = document["dropped_by_reason"]
    parts = ["Every utterance is in a pair."]
    if reasons:
        total = document["utterances"]
        rows = [(reason, count, f"{count / total:.1%}") for reason, count in reasons.items()]
        parts = [_table(("reason", "utterances", "share of all"), rows)]
    least = document["most_to_leave_none_out"]
    if least > document["options"]["most"]:
        parts.append(
            f"There are more utterances than the captions may serve: with `--most {least}` there would be room for all."
        )
    if document["captions_dropped_by_reason"]:
        rows_of_captions = list(document["captions_dropped_by_reason"].items())
        parts.append(_table(("reason", "captions"), rows_of_captions))
    return "\n\n".join(parts)


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *([_shown(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value).replace("|", "\\|").replace("\n", " ")

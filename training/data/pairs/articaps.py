"""ArtiCaps: utterances about paintings matched to captions of music (ArtEmis x MusicCaps, arXiv 2512.00120).

Two texts match when their sentence embeddings are similar and they feel alike (``training.data.pairs.matching``). Both
sides keep to their split, so that no painting and no clip is in two splits.

The tables are read row by row and matched in blocks. What is kept of an utterance is its feeling, its painting and its
32 best captions, some 230 bytes; what is kept of its text is nothing.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import OutputError, encodable
from a2m_edge.impression.feeling import EMOTIONS
from a2m_edge.output import make_folder, written_aside
from training.data.pairs.matching import CANDIDATES, FEELING_WEIGHT
from training.data.pairs.pairing import Pairing
from training.data.tables.captions import Caption
from training.data.tables.feelings import SPLITS as SPLITS
from training.data.tables.feelings import WordNorms
from training.data.tables.official import UtteranceTable
from training.data.tables.table_files import table_sha256, write_facts
from training.data.tables.utterance_rows import BLOCK, UsableUtterances, blocks_of
from training.data.tables.wikiart import PictureFolder

COLUMNS = ("painting", "picture", "emotion", "utterance", "valence", "arousal", "clip", "similarity", "split")
FORM = 2
"""Goes up when the same options are to give other pairs."""

TextBlocks = Callable[[], Iterator[tuple[str, ...]]]
"""Begins a set of texts anew, in blocks of at most ``BLOCK``."""

Embed = Callable[[TextBlocks, int], Iterable[NDArray[np.float32]]]
"""Texts, and the number of their blocks, to the embeddings of each block, float32 [N, D], each of length 1."""

Show = Callable[[Iterable[NDArray[np.float32]], str, int], Iterable[NDArray[np.float32]]]
"""Passes blocks on, and shows how many of so many there are under a title."""


@dataclass(frozen=True)
class Sources:
    """Where ArtiCaps is made from.

    Attributes:
        artemis: table of utterances, official or a mirror's; see ``UtteranceTable``.
        musiccaps: table of captions.
        lexicon: folder with ``lexicon_warriner.csv``.
        wikiart: folder of the style folders; without it the pictures are those that the table names.
    """

    artemis: Path
    musiccaps: Path
    lexicon: Path
    wikiart: Path | None = None

    @classmethod
    def of(cls, data: Path) -> Sources:
        """Those of a folder like ``shared/data``."""
        return cls(data / "artemis.csv", data / "musiccaps.csv", data)

    def facts(self) -> dict[str, object]:
        """Name and SHA-256 of each; of the pictures their number, and SHA-256 of their names.

        Raises:
            DataError: one is not there.
        """
        tables = (self.artemis, self.musiccaps, self.lexicon / "lexicon_warriner.csv")
        names = ("artemis", "musiccaps", "lexicon")
        found: dict[str, object] = {
            name: {"file": encodable(table.name), "sha256": table_sha256(table)}
            for name, table in zip(names, tables, strict=True)
        }
        if self.wikiart:
            pictures = PictureFolder(self.wikiart)
            found["wikiart"] = {"pictures": len(pictures), "sha256_of_names": pictures.digest()}
        return found


@dataclass(frozen=True)
class Options:
    """How ArtiCaps is made.

    Attributes:
        most: utterances that one caption may serve.
        pictured_only: leave out utterances whose painting has no picture.
        least_similarity: cosine of the embeddings below which two texts are no pair; None for any.
        seed: of the random pairs that the matched ones are measured against.
    """

    most: int = 40
    pictured_only: bool = False
    least_similarity: float | None = None
    seed: int = 0


def build_articaps(
    sources: Sources,
    captions: Sequence[Caption],
    out: Path,
    embed: Embed,
    *,
    encoder: str = "",
    options: Options = Options(),
    show: Show = lambda blocks, title, total: blocks,
) -> dict[str, Any]:
    """Matches every utterance and writes ``out/articaps.csv`` with ``COLUMNS`` and ``out/articaps.json``.

    What the same options made of the same sources is kept as it is. The pairs stand in the order of the table.

    Args:
        sources: tables and pictures.
        captions: from ``training.data.tables.captions.read_captions``.
        out: folder to write.
        embed: sentence embeddings; called once where anything is to be done.
        encoder: what ``embed`` embeds with, to be told from another.
        options: how.
        show: shows how the matching goes on.

    Returns:
        what is written to ``articaps.json``: options, sources and statistics.

    Raises:
        DataError: a table is missing or damaged, or nothing can be matched.
        OutputError: the files cannot be written, or the folder holds pairs that were made otherwise.
    """
    plan = _plan(sources, captions, encoder, options)
    table_file, facts_file = out / "articaps.csv", out / "articaps.json"
    if table_file.exists():
        return _kept(table_file, facts_file, plan)
    table = UtteranceTable(sources.artemis, PictureFolder(sources.wikiart) if sources.wikiart else None)
    usable = UsableUtterances(table, options.pictured_only)
    rows = usable.scan(WordNorms(sources.lexicon, "valence"), WordNorms(sources.lexicon, "arousal"))
    dropped = Counter(usable.dropped)
    captions, captions_dropped = _usable_captions(captions)
    pairing = Pairing(rows, captions, options.most, options.least_similarity, options.seed)
    texts = [caption.text for caption in captions]
    caption_blocks = [tuple(texts[first : first + BLOCK]) for first in range(0, len(texts), BLOCK)]
    blocks = len(caption_blocks) + len(blocks_of(rows.split))
    embedded = iter(show(embed(lambda: chain(caption_blocks, usable.text_blocks()), blocks), "blocks matched", blocks))
    pairing.run(np.concatenate(list(islice(embedded, len(caption_blocks)))), embedded)
    dropped.update(pairing.dropped)
    document = plan | pairing.statistics()
    document |= {
        "utterances": len(rows) + sum(usable.dropped.values()),
        "dropped": sum(dropped.values()),
        "dropped_by_reason": dict(dropped.most_common()),
        "captions_dropped_by_reason": dict(captions_dropped),
    }
    make_folder(out)
    write_facts(facts_file, document)
    # The pairs come last: where they are, everything is.
    with written_aside(table_file) as stream:
        writer = csv.writer(codecs.getwriter("utf-8")(stream))
        writer.writerow(COLUMNS)
        for row, one in enumerate(usable):
            choice = pairing.caption[row]
            if choice < 0:
                continue
            valence, arousal = (round(float(value), 4) for value in rows.feeling[row])
            similarity = round(float(pairing.similarity[row]), 4)
            clip = captions[choice].clip
            emotion = EMOTIONS[one.emotion]
            writer.writerow(
                (one.painting, one.picture, emotion, one.text, valence, arousal, clip, similarity, one.split)
            )
    return document


def _usable_captions(captions: Sequence[Caption]) -> tuple[list[Caption], Counter[str]]:
    """Captions with words, each clip once; and the reasons why others are dropped."""
    found: dict[str, Caption] = {}
    dropped: Counter[str] = Counter()
    for caption in captions:
        if caption.clip in found:
            dropped["the clip has a caption already"] += 1
        elif not any(character.isalnum() for character in caption.text):
            dropped["no words"] += 1
        else:
            found[caption.clip] = caption
    return list(found.values()), dropped


def _plan(sources: Sources, captions: Sequence[Caption], encoder: str, options: Options) -> dict[str, Any]:
    """All that the pairs depend on."""
    chosen = hashlib.sha256("\n".join(caption.clip for caption in captions).encode()).hexdigest()
    return {
        "form": FORM,
        "options": asdict(options)
        | {
            "captions": len(captions),
            "sha256_of_clips": chosen,
            "block": BLOCK,
            "candidates": CANDIDATES,
            "feeling_weight": FEELING_WEIGHT,
            "sentence_encoder": encoder,
        },
        "sources": sources.facts(),
    }


def _kept(table: Path, facts: Path, plan: dict[str, Any]) -> dict[str, Any]:
    """The facts about a table that is there already; OutputError where it was not made as planned."""
    way_out = f"choose another folder, or delete {table.name} to have it made again"
    try:
        kept: dict[str, Any] = json.loads(facts.read_bytes())
        form, options, sources = kept["form"], kept["options"], kept["sources"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{table} is there, but {facts.name} does not say how it was made: {way_out}") from error
    if (form, options, sources) == (plan["form"], plan["options"], plan["sources"]):
        return kept
    wanted = plan["options"] | plan["sources"]
    there = options | sources
    other = [name for name in wanted | there if wanted.get(name) != there.get(name)]
    named = ", ".join(name.replace("_", " ") for name in other) or "another form"
    raise OutputError(f"{table} was made otherwise ({named}): {way_out}")

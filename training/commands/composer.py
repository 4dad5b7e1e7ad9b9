"""``a2m-edge evaluate composer``: what is composed, held against the scores that the composer's tables come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from a2m_edge.ledger import claim
from a2m_edge.options import Force
from training.commands.options import Shared

if TYPE_CHECKING:
    from a2m_edge.bundle import Bundle
    from a2m_edge.composer import ComposerTables
    from training.evaluation.composer.music_statistics import Comparison, Excerpt

CORPORA = ("lieder", "quartets")


def composer(
    bundle: Annotated[Path | None, typer.Argument(help="Folder of a bundle; the built-in one when left out.")] = None,
    shared: Shared = Path("../shared"),
    pieces: Annotated[int, typer.Option(min=4, help="Pieces to compose, over all feelings.")] = 100,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Table (Markdown) to write; else it is shown.")
    ] = None,
    force: Force = False,
) -> None:
    """Compare what is composed with CC0 scores: intervals, chords, rests, how much returns."""
    from a2m_edge.bundle import open_bundle
    from a2m_edge.composer import ComposerTables
    from a2m_edge.errors import DataError
    from a2m_edge.output import written_aside
    from a2m_edge.terminal import print_markdown
    from training.data.scores.midi import read_midi_archive
    from training.evaluation.composer.music_statistics import compare, excerpt_of_midi

    if out is not None:
        claim(out, force=force)
    tables = ComposerTables.read(_composer_of(open_bundle(bundle)))
    corpus = []
    for name in CORPORA:
        archive = shared / "data" / "scores" / f"{name}.zip"
        scores = [score for _, score in read_midi_archive(archive) if score.parts]
        corpus += [excerpt for score in scores if (excerpt := excerpt_of_midi(score)) is not None]
    if len(corpus) < 2:
        raise DataError(f"the scores in {shared / 'data' / 'scores'} are all too short: fetch them again")
    composed = compose_pieces(tables, pieces)
    text = markdown(compare(composed, corpus), len(composed), len(corpus))
    if out is None:
        print_markdown(text)
    else:
        with written_aside(out) as stream:
            stream.write(text.encode("utf-8"))


def _composer_of(bundle: Bundle) -> Path:
    from a2m_edge.bundle.manifest import COMPOSER
    from a2m_edge.errors import OptionError

    if COMPOSER not in bundle.manifest.files:
        raise OptionError(f"the bundle {bundle.manifest.name} plays clips and composes nothing: name one with a score")
    return bundle.file(COMPOSER)


def compose_pieces(tables: ComposerTables, count: int) -> list[Excerpt]:
    """Pieces of as many artworks, their feelings spread evenly over the plane of valence and arousal."""
    import numpy as np
    from scipy.stats import qmc

    from a2m_edge.composer import Composer
    from a2m_edge.impression.feeling import ROLES, Feeling
    from a2m_edge.score import Score
    from training.evaluation.composer.music_statistics import BARS, excerpt_of_score

    found = []
    for number, point in enumerate(qmc.Halton(2, seed=0).random(count)):
        embedding = np.random.default_rng([8, number]).standard_normal(384).astype(np.float32)
        valence, arousal = (2 * point - 1).tolist()
        player, score = Composer(tables, embedding, number, Feeling.of(valence, arousal)), Score()
        while len(score.beats) < 4 * (BARS + 9):
            score.beats.append(player.next_beat())
        found.append(excerpt_of_score(score, ROLES.index("melody")))
    return found


def markdown(rows: Sequence[Comparison], pieces: int, corpus: int) -> str:
    """A table for people, with what is outside of the corpus' spread in bold."""
    lines = [
        f"{pieces} pieces composed, {corpus} scores of the corpora; medians, and in brackets from 5 % to 95 %.",
        "",
        "| statistic | composed | corpora | composed within the corpora's spread |",
        "| --- | --- | --- | --- |",
    ]
    for row in rows:
        ours, known = (f"{side[1]:.3g} ({side[0]:.3g} to {side[2]:.3g})" for side in (row.ours, row.corpus))
        name = row.name if row.inside else f"**{row.name}**"
        lines.append(f"| {name} | {ours} | {known} | {100 * row.within:.0f} % |")
    return "\n".join([*lines, ""])

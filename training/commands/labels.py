"""The researcher's command ``a2m-edge data label``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from a2m_edge.errors import OptionError
from a2m_edge.ledger import claim_below
from a2m_edge.options import Force
from training.commands.options import Shared, need_torch


def label(
    music: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of  a2m-edge data build , or folders or .zip archives of MIDI files: each a corpus."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    shared: Shared = Path("../shared"),
    labeller: Annotated[
        Path | None, typer.Option(help="labeller.json of an earlier run; without it one is fitted on --shared.")
    ] = None,
    force: Force = False,
) -> None:
    """Label music with the valence and arousal that its notes suggest.

    Writes music-feelings.csv (file, valence, arousal, corpus) and labeller.json, which holds the labeller and its
    cross-validated figures. Arousal is a rank within each corpus. Realisations are compared with what they were meant
    to be.
    """
    need_torch()
    from training.data.labels.music_feeling import MusicLabeller
    from training.data.labels.music_labels import corpus_name, label_corpus, write_labels

    claim_below(out, "music-feelings.csv", "labeller.json", force=force)
    names = [corpus_name(place) for place in music]
    if len(set(names)) < len(names):
        raise OptionError("two corpora have the same name: rename one, or label them in two runs")
    judge = MusicLabeller.fit(shared / "data" / "scores") if labeller is None else MusicLabeller.read(labeller)
    corpora = [label_corpus(place, judge) for place in music]
    write_labels(corpora, judge, out)
    for name, figures in judge.figures.items():
        typer.echo(f"{name}: " + ", ".join(f"{figure} {value:.4g}" for figure, value in figures.items()))
    for corpus in corpora:
        agreement = corpus.agreement()
        typer.echo(
            f"{corpus.corpus}: {len(corpus.files)} pieces, valence {corpus.valence.mean():.2f} on average"
            + (
                f"; Spearman with what was meant: valence {agreement[0]:.3f}, arousal {agreement[1]:.3f}"
                if agreement
                else ""
            )
        )
    typer.echo(f"{out}: music-feelings.csv and labeller.json")

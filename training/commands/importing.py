"""The researcher's command ``a2m-edge data import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from a2m_edge.ledger import claim_below
from a2m_edge.options import Force
from training.commands.options import Shared, Workers, job_runner, need_torch


def import_data(
    artemis: Annotated[
        Path, typer.Option(metavar="FILE.csv", help="ArtEmis: artemis_dataset_release_v0.csv, or a table with splits.")
    ],
    wikiart: Annotated[Path, typer.Option(metavar="DIR", help="WikiArt's pictures, <art_style>/<painting>.jpg.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write; then give it as --shared.")],
    musiccaps: Annotated[Path | None, typer.Option(metavar="FILE.csv", help="MusicCaps; else --shared.")] = None,
    shared: Shared = Path("../shared"),
    side: Annotated[int, typer.Option(min=64, max=2048, help="Pixels of the pictures' shorter sides.")] = 256,
    workers: Workers = None,
    force: Force = False,
) -> None:
    """Bring ArtEmis, WikiArt and MusicCaps as published into the form that every command reads by --shared.

    Writes data/artemis.csv, data/paintings.csv and data/paintings.zip, split 80/10/10 by painting; data/import.json
    says what was left out. Copies from --shared what else the commands need. After a stop the same command goes on.

    The shipped encoder and fusion were trained with another split: train both on this folder first, for the shipped
    weights must not be evaluated on these paintings.
    """
    need_torch()
    from training.data.tables.importing import OTHER_SPLIT, Official, import_official

    claim_below(out, force=force)
    runner = job_runner(workers)
    facts, missing = import_official(Official(artemis, wikiart, musiccaps), shared, out, side, runner)
    pictures, dropped, unreadable = facts["pictures"], facts["dropped"], facts["unreadable"]
    typer.echo(
        f"{out}: {facts['utterances']:,} utterances about {facts['paintings']:,} paintings; {sum(pictures.values()):,} "
        f"pictures ({', '.join(f'{pictures.get(split, 0):,} {split}' for split in ('train', 'val', 'test'))})"
    )
    if facts["paintings_without_picture"]:
        typer.echo(f"{facts['paintings_without_picture']:,} paintings have no picture: their utterances stay")
    if dropped:
        reasons = ", ".join(f"{reason}: {number:,}" for reason, number in dropped.items())
        typer.echo(f"{sum(dropped.values()):,} rows of {artemis} are left out ({reasons})")
    if unreadable:
        first, why = next(iter(unreadable.items()))
        typer.echo(
            f"{len(unreadable):,} pictures of {wikiart} cannot be read and are left out, such as {first} ({why}): "
            f"{out / 'data' / 'import.json'} names all"
        )
    for sentence in missing:
        typer.echo(sentence)
    typer.echo(OTHER_SPLIT)

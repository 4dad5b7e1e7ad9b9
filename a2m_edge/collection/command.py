"""The command ``render-collection``; like all commands it is light, and what takes time to import waits inside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from a2m_edge.errors import printable
from a2m_edge.options import Force

if TYPE_CHECKING:
    from collections.abc import Sequence

    from a2m_edge.collection.index import Record
    from a2m_edge.collection.run import Summary

_SHOWN = 20
"""Failures, and remarks, that are told at the end; the index tells all."""


def render_collection(
    source: Annotated[
        str,
        typer.Argument(
            help="A folder of pictures; a table (CSV, TSV, JSON Lines, Parquet) with the columns image, comment, "
            "seconds, seed, id, of which image or comment is needed; or a IIIF manifest or collection of Presentation "
            "2 or 3, as a .json file or its address."
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", help="Folder for sounds and index, made where missing; or an address such as s3://…"
        ),
    ],
    sound_format: Annotated[str, typer.Option("--format", help="flac, wav, opus or mp3.")] = "flac",
    seconds: Annotated[float, typer.Option(help="How long a sound lasts where the table does not say.")] = 30.0,
    seed: Annotated[int, typer.Option(help="Another seed gives other pieces; where the table does not say.")] = 0,
    comment: Annotated[str | None, typer.Option(help="Words about every work; where the table does not say.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes, each on one core; as many as there are cores when left out.")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Render on a Ray cluster: its address, or auto for the one on this host."),
    ] = None,
    contact_sheet: Annotated[
        bool, typer.Option("--contact-sheet", help="Write a page with all pictures and players too.")
    ] = False,
    iiif_annotations: Annotated[
        str | None,
        typer.Option(metavar="BASE_URL", help="Write IIIF annotations too, for sounds served at this address."),
    ] = None,
    compare: Annotated[
        str,
        typer.Option(
            help="How a changed picture file is told: hash reads its content; time looks at size and time alone."
        ),
    ] = "hash",
    contrast: Annotated[
        str,
        typer.Option(
            help="What each picture is compared with: paintings, all that the bundle knows; or within, the works of "
            "this collection among themselves, so that a room of portraits still differs."
        ),
    ] = "paintings",
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="End at the first work that fails.")] = False,
    bundle: Annotated[Path | None, typer.Option(help="Folder of a bundle; the built-in one when left out.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, tensorrt or auto.")] = "cpu",
    force: Force = False,
) -> None:
    """Turn a whole collection into music: a sound for each work, and an index of all.

    Run it again after any interruption: only what is missing or has changed is rendered. The status is 0 when every
    work has its sound, 1 when some failed, and 2 when nothing more can be done.
    """
    from a2m_edge.collection.iiif.fetching import is_address
    from a2m_edge.collection.progress import shown_progress
    from a2m_edge.collection.run import RunSettings
    from a2m_edge.collection.run import render_collection as render_all
    from a2m_edge.collection.sources import Defaults, open_collection
    from a2m_edge.collection.storage.places import is_remote, local_path
    from a2m_edge.jobs.runners import choose_runner
    from a2m_edge.rendering.render import Request

    Request(None, "", seconds, seed).check()
    runner = choose_runner(workers, ray)
    works = open_collection(source, Defaults(seconds, seed, comment), None if is_remote(output) else local_path(output))
    settings = RunSettings(
        output,
        runner,
        sound_format,
        bundle,
        device,
        fail_fast,
        contact_sheet,
        iiif_annotations,
        works.title,
        None if is_address(source) else Path(source),
        force,
        compare,
        contrast,
    )
    with shown_progress() as watcher:
        if works.passed_over:
            watcher.says(f"{works.passed_over:,} files of {works.title} are no pictures and were passed over")
        for remark in works.remarks:
            watcher.says(remark)
        summary = render_all(works.items, settings, watcher)
    _conclude(summary, output)


def _conclude(summary: Summary, output: str) -> None:
    """Says what was done, and ends with the status that tells it."""
    from a2m_edge.addresses import shown_place

    output = shown_place(output)
    table = f"{output.rstrip('/')}/{summary.table}"
    _list("failed", "error", summary.failed, table)
    _list("remark", "notice", summary.remarked, table)
    parts = [f"{summary.rendered:,} rendered", f"{summary.kept:,} as before", f"{len(summary.failed):,} failed"]
    if summary.left:
        parts.append(f"{summary.left:,} left: the same command goes on from here")
    rate = summary.sound_seconds / max(summary.elapsed, 1e-9)
    pace = f"; {rate:.2f} s of sound a second" if summary.rendered else ""
    _say(f"{output}: {summary.works:,} works: {', '.join(parts)}{pace}")
    if summary.signal is not None:
        raise typer.Exit(128 + summary.signal)
    if summary.failed:
        raise typer.Exit(1)


def _list(kind: str, column: str, records: Sequence[Record], table: str) -> None:
    """Says of the first works what a column of the index says of all."""
    for record in records[:_SHOWN]:
        _say(f"{kind}: {record.image or record.id}: {getattr(record, column)}")
    if len(records) > _SHOWN:
        _say(f"... and {len(records) - _SHOWN:,} more: see the column {column} of {table}")


def _say(message: str) -> None:
    typer.echo(printable(message), err=True)

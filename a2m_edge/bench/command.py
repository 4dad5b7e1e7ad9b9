"""``a2m-edge bench``."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from a2m_edge.options import Force

if TYPE_CHECKING:
    from a2m_edge.bundle import Bundle
    from a2m_edge.terminal import Table

PEERS = "a2m_edge.bench_peers"
"""Group of entry points: each measures something that a bundle is compared with, see ``Measure``."""


class Compared(Protocol):
    """What a peer came to.

    Attributes:
        document: for JSON.
        table: for people.
    """

    document: dict[str, Any]
    table: Table


Measure = Callable[["Bundle", int, Callable[[str], None]], Compared]
"""Of a bundle, threads, and what is told how far it is."""


def bench(
    bundle: Annotated[Path | None, typer.Argument(help="Folder of a bundle; the built-in one when left out.")] = None,
    threads: Annotated[list[int] | None, typer.Option(help="May be repeated.", show_default="1 and 2", min=1)] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSON file to write.")] = None,
    compare: Annotated[Path | None, typer.Option(help="JSON file of an earlier bench, to stand beside.")] = None,
    peer: Annotated[
        bool, typer.Option("--peer", help="Measure PyTorch and the published configuration in the same run.")
    ] = False,
    force: Force = False,
) -> None:
    """Measure how fast this machine plays a bundle: every stage, what somebody waits for, and what it takes.

    Close other programs first: on a machine that is busy, the figures say how busy it is.
    """
    import json
    import os

    from rich.console import Console

    from a2m_edge.bench.latency import measure_latency
    from a2m_edge.bench.peaks import measure_peaks
    from a2m_edge.bench.report import (
        Bench,
        comparison_table,
        document,
        latency_table,
        read_document,
        stage_table,
    )
    from a2m_edge.bench.stages import measure_stages
    from a2m_edge.bundle import open_bundle
    from a2m_edge.errors import OptionError
    from a2m_edge.ledger import claim
    from a2m_edge.output import written_aside
    from a2m_edge.terminal import print_tables

    counts = threads or [1, 2]
    cores = len(os.sched_getaffinity(0))
    if max(counts) > cores:
        raise OptionError(f"--threads {max(counts)} is more than the {cores} cores of this machine")
    if out is not None:
        claim(out, force=force, sources=[compare])
    earlier = None if compare is None else read_document(compare)
    opened = open_bundle(bundle)
    measures = _peers() if peer else {}
    watched = Console(stderr=True)
    benches = []
    with watched.status("measuring the machine") as status:
        for count in counts:
            peaks = measure_peaks(count)
            stages = []
            for stage in measure_stages(opened, count):
                status.update(f"{count} thread(s): {stage.name} done")
                stages.append(stage)
            status.update(f"{count} thread(s): what somebody waits for")
            benches.append(Bench(count, peaks, stages, measure_latency(opened, count)))
        compared = {name: measure(opened, max(counts), status.update) for name, measure in measures.items()}
    found = document(opened, benches, {name: peer.document for name, peer in compared.items()})
    if out is not None:
        with written_aside(out) as stream:
            stream.write((json.dumps(found, indent=1) + "\n").encode())
    tables = [table for one in found["benches"] for table in (stage_table(one), latency_table(one))]
    tables += [measured.table for measured in compared.values()]
    if earlier is not None:
        tables.append(comparison_table(found, earlier))
    print_tables(*tables)


def _peers() -> dict[str, Measure]:
    """What the rooms above offer to be compared with."""
    from a2m_edge.errors import MissingExtraError

    try:
        return {entry.name: entry.load() for entry in entry_points(group=PEERS)}
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", "train") from error

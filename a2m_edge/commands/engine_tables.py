"""Engines on the screen: a bar while they are built, and a table of what was built."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from a2m_edge.bundle import Bundle
from a2m_edge.inference.sessions import build_engines
from a2m_edge.inference.tensorrt.build import Progress as Told
from a2m_edge.inference.tensorrt.cache import EngineRecord, cache_folder
from a2m_edge.terminal import Figures, Table, print_tables


def prepare_engines(bundle: Bundle) -> dict[str, EngineRecord]:
    """Builds the engines of a bundle that this machine does not have yet, with a bar for each on standard error.

    Returns, raises:
        as ``a2m_edge.inference.sessions.build_engines``.
    """
    with _bars() as progress:
        return build_engines(bundle, progress)


def print_engines(records: Mapping[str, EngineRecord]) -> None:
    """What each engine is and how it compares with its graph, on standard output."""
    if not records:
        return
    key = next(iter(records.values())).key
    columns = ("graph", "precision", "parity", Figures("limit"), Figures("built in"))
    table = Table(f"engines for {key.gpu.name}, {key.builder}", columns)
    for graph, record in records.items():
        measure = next(name for name in record.parity if name not in ("limit", "cases"))
        parity = f"{measure.replace('_', ' ')} {record.parity[measure]:.6g} in {record.parity['cases']:g} shapes"
        limit = f"{record.parity['limit']:g}"
        table.add(graph, record.key.precision, parity, limit, f"{record.seconds:.0f} s")
    print_tables(table)
    typer.echo(f"They are kept in {cache_folder()} for this user, this GPU and this version alone.")


@contextlib.contextmanager
def _bars() -> Iterator[Told | None]:
    """Shows builds as they are reported; nothing where nobody watches, or where nothing is built."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bars:

        def progress(graph: str, share: float) -> None:
            if graph not in tasks:
                tasks[graph] = bars.add_task(f"building the engine of {graph}", total=1.0)
            bars.update(tasks[graph], completed=share)

        yield progress

"""How a run goes on, on standard error: a bar where somebody watches, and nothing but what matters elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from a2m_edge.collection.index import Record
from a2m_edge.collection.items import Item
from a2m_edge.collection.run import Watcher
from a2m_edge.errors import printable


@contextlib.contextmanager
def shown_progress() -> Iterator[Watcher]:
    """A watcher that shows what it is told; the bar is gone when the block ends."""
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)
    if not sys.stderr.isatty():
        yield _Bar(None, console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[works]}"),
        TextColumn("{task.fields[pace]}"),
        TextColumn("{task.fields[failures]}", style="red"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    # The time left is reckoned from some minutes of sound, since single works come in fits.
    with Progress(*columns, console=console, transient=True, speed_estimate_period=300.0) as progress:
        yield _Bar(progress, console)


class _Bar:
    """A watcher; its bar advances by seconds of sound, which is what takes time."""

    def __init__(self, progress: Progress | None, console: Console) -> None:
        self._progress, self._console = progress, console
        self._works = self._done = self._failed = 0
        self._sound = 0.0

    def planned(self, kept: int, items: Sequence[Item]) -> None:
        self._works = len(items)
        if kept:
            self.says(f"{kept:,} works have their sound already; {len(items):,} are to be rendered")
        if self._progress is not None:
            total = sum(item.seconds for item in items)
            self._task = self._progress.add_task("rendering", total=total, works="", pace="", failures="")

    def done(self, record: Record) -> None:
        self._done += 1
        self._failed += record.error is not None
        self._sound += record.seconds if record.error is None else 0.0
        if self._progress is None:
            return
        elapsed = self._progress.tasks[0].elapsed or 0.0
        self._progress.update(
            self._task,
            advance=record.seconds,
            works=f"{self._done:,}/{self._works:,} works",
            pace=f"{self._sound / elapsed:.1f} s/s" if elapsed > 0 else "",
            failures=f"{self._failed:,} failed" if self._failed else "",
        )

    def says(self, message: str) -> None:
        self._console.print(printable(message))

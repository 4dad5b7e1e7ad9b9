"""What a training tells: lines or a bar for the terminal, TensorBoard, and the curve of its losses."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

from a2m_edge.bundle.plain_files import utf8_path
from a2m_edge.errors import OutputError
from a2m_edge.output import make_folder
from training import parallel

REPORT_SECONDS = 60.0
"""How often a line is printed where there is no terminal to draw a bar on."""

_CURVE = re.compile(rb'\{"step": \d+, "rate": |$')
"""How a curve begins; it may be empty."""

console = Console(stderr=True)


def announce(line: str) -> None:
    """Prints a line for whoever watches the training, above the progress bar if there is one."""
    if parallel.first():
        console.print(line, highlight=False, markup=False, soft_wrap=True)


class Run(Protocol):
    """What is told about a run."""

    step: int

    @property
    def seconds(self) -> float: ...

    def progress(self) -> float: ...


class Report:
    """Tells the first process's progress; in the others it is silent.

    ``log/`` has the events of TensorBoard and ``losses.jsonl``: for every step, from 1, a line with ``step``, ``rate``
    (of learning) and the losses. A resumed run takes back what was told after the state it resumes from.

    Args:
        folder: of the run.
        steps: of the whole run.
        run: read at each telling.
    """

    def __init__(self, folder: Path, steps: int, run: Run) -> None:
        self._run, self._total = run, steps
        self._bar: Progress | None = None
        self._named = ExitStack()
        self._speaks = parallel.first()
        self._printed = time.monotonic()
        self._sums: dict[str, float] = {}
        self._count = 0
        if not self._speaks:
            return
        make_folder(folder)
        self._writer = SummaryWriter(self._named.enter_context(utf8_path(folder / "log")), purge_step=run.step)
        self._curve = _curve_until(folder / "log" / "losses.jsonl", run.step).open("a", encoding="utf-8")
        if console.is_terminal:
            columns = (BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
            self._bar = Progress(TextColumn("{task.description}"), *columns, console=console)
            self._task = self._bar.add_task("starting", total=1.0)

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()
        if self._speaks:
            self._writer.close()
            self._curve.close()
            self._named.close()

    def step(self, scalars: Mapping[str, float], rate: float) -> None:
        """Told after each step its losses and its learning rate."""
        if not self._speaks:
            return
        print(json.dumps({"step": self._run.step, "rate": rate, **scalars}), file=self._curve, flush=True)
        for name, value in scalars.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1
        if self._bar:
            self._bar.update(self._task, completed=min(1.0, self._run.progress()), description=self._words(scalars))
        if self._run.step % 20 == 0:
            for name, value in scalars.items():
                self._writer.add_scalar(f"train/{name}", value, self._run.step)
            self._writer.add_scalar("train/learning_rate", rate, self._run.step)
        if time.monotonic() - self._printed > REPORT_SECONDS:
            means = {name: total / self._count for name, total in self._sums.items()}
            if not self._bar:
                self._print(f"{self._words(means)} rate {rate:.2e}")
            self._printed, self._sums, self._count = time.monotonic(), {}, 0

    def validation(self, scalars: Mapping[str, float]) -> None:
        """Told what a validation found."""
        for name, value in scalars.items():
            self._writer.add_scalar(f"validation/{name}", value, self._run.step)
        self._writer.flush()
        self._print(f"validation: {self._words(scalars)}")

    def _words(self, scalars: Mapping[str, float]) -> str:
        numbers = " ".join(f"{name} {value:.4f}" for name, value in scalars.items())
        return f"step {self._run.step}/{self._total} {numbers}"

    def _print(self, line: str) -> None:
        announce(f"{self._run.seconds / 60:7.1f} min  {line}")


def _curve_until(file: Path, step: int) -> Path:
    """A curve without the lines that were told after the step; OutputError where the file is none."""
    if file.exists():
        # Each step has one line; the last one may be half written.
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()[:step]
        with file.open("rb") as stream:
            if not _CURVE.match(stream.readline()):
                raise OutputError(f"{file} is no curve of a training: move it away, or train into another folder")
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file

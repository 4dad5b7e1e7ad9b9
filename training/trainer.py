"""The loop that every trainer shares: progress, schedule, validation, checkpoints, and an exact resume."""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import nn
from torch.optim import Optimizer
from torch.utils.tensorboard import SummaryWriter

from a2m_edge.errors import CheckpointError, DeviceError, OptionError

logger = logging.getLogger(__name__)

REPORT_SECONDS = 60.0
"""How often a line is printed where there is no terminal to draw a bar on."""


console = Console(stderr=True)


def announce(line: str) -> None:
    """Prints a line for whoever watches the training, above the progress bar if there is one."""
    console.print(line, highlight=False, markup=False, soft_wrap=True)


@dataclass(frozen=True)
class RunOptions:
    """What every training run can be told.

    Attributes:
        out: folder of the run: ``state.pt`` (for resuming), ``log/`` (TensorBoard), and what the trainer saves.
        steps: optimiser steps of the whole run.
        resume: continue the run in ``out``.
        seed: of the weights and of the order of the data.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, or another name that torch knows.
        checkpoint_minutes: how often the state and the checkpoint are written.
        minutes: end, learning rate annealed, when this much time has been spent if ``steps`` come later.
        validate_every: steps between validations.
    """

    out: Path
    steps: int
    resume: bool = False
    seed: int = 0
    device: str = "auto"
    checkpoint_minutes: float = 5.0
    minutes: float | None = None
    validate_every: int = 500

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise OptionError(f"a training run needs at least 1 step, not {self.steps}")
        if self.minutes is not None and not (0 < self.minutes < math.inf):
            raise OptionError(f"the minutes of a training run must be above 0, not {self.minutes}")


def choose_device(name: str) -> torch.device:
    """The torch device of a name; ``"auto"`` is CUDA where there is one, else the CPU.

    Raises:
        DeviceError: torch does not know the device or this machine has none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise DeviceError(f"the device {name!r} cannot be used: take cpu, or auto to let it be chosen") from error
    return device


def warm_cosine(warm_up: float = 0.02, floor: float = 0.0) -> Callable[[float], float]:
    """A schedule: linear from 0 to 1 over the first ``warm_up`` of the run, then a half cosine to ``floor``."""

    def multiplier(progress: float) -> float:
        if progress < warm_up:
            return progress / warm_up
        angle = math.pi * min(1.0, (progress - warm_up) / (1.0 - warm_up))
        return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(angle))

    return multiplier


def run_training(
    options: RunOptions,
    *,
    models: Mapping[str, nn.Module],
    optimisers: Mapping[str, Optimizer],
    schedule: Callable[[float], float] | None,
    step: Callable[[int], dict[str, float]],
    validate: Callable[[], dict[str, float]] | None,
    save: Callable[[Path], None],
) -> None:
    """Runs the steps of a training, or what is left of them.

    A resumed run continues bit for bit on the CPU, provided that ``step`` draws from torch's or Python's own
    generator, or from one seeded by ``(options.seed, step)``. An interrupt (Ctrl-C) writes the state first.

    Args:
        options: see ``RunOptions``; with ``minutes`` the progress of the schedule is the larger of the share of
            steps and the share of time.
        models: everything with weights or buffers that a resume needs, by name.
        optimisers: by name; their learning rates at the start of the run are what ``schedule`` multiplies.
        schedule: progress of the run in [0, 1] to a multiplier of the learning rate.
        step: given the step's number from 0, goes forward and back, steps the optimisers, returns scalars.
        validate: returns scalars; models are in eval mode and gradients off while it runs.
        save: writes the product's checkpoint into the folder given (``options.out``).

    Raises:
        OptionError: ``out`` holds another run and ``resume`` is not set.
        CheckpointError: there is nothing to resume, or it does not fit.
    """
    options.out.mkdir(parents=True, exist_ok=True)
    run = _Run(options, models, optimisers)
    if options.resume:
        run.load()
    elif run.file.exists():
        raise OptionError(f"{options.out} holds an earlier run: add --resume to continue it, or give another folder")
    report = _Report(options, run)

    def check() -> None:
        if validate is None:
            return
        modes = {name: model.training for name, model in models.items()}
        for model in models.values():
            model.eval()
        with torch.no_grad():
            report.validation(validate())
        for name, model in models.items():
            model.train(modes[name])

    def keep() -> None:
        run.save()
        save(options.out)

    checked = -1
    kept = time.monotonic()
    with report:
        if run.step == 0:
            check()
        try:
            while (progress := run.progress()) < 1.0:
                rate = run.set_rates(schedule(progress) if schedule else 1.0)
                scalars = step(run.step)
                run.step += 1
                report.step(scalars, rate)
                if run.step % options.validate_every == 0:
                    check()
                    checked = run.step
                if time.monotonic() - kept > 60 * options.checkpoint_minutes:
                    keep()
                    kept = time.monotonic()
        except KeyboardInterrupt:
            run.save()
            logger.warning("interrupted at step %d: the state is in %s, continue with --resume", run.step, run.file)
            raise
        if checked != run.step:
            check()
        keep()


class _Run:
    """What has to survive an interruption."""

    def __init__(
        self, options: RunOptions, models: Mapping[str, nn.Module], optimisers: Mapping[str, Optimizer]
    ) -> None:
        self.file = options.out / "state.pt"
        self.step = 0
        self._options, self._models, self._optimisers = options, models, optimisers
        self._spent = 0.0
        self._started = time.monotonic()
        self._rates = {
            name: [group["lr"] for group in optimiser.param_groups] for name, optimiser in optimisers.items()
        }

    @property
    def seconds(self) -> float:
        """Time spent on this run, interruptions not counted."""
        return self._spent + time.monotonic() - self._started

    def progress(self) -> float:
        share = self.step / self._options.steps
        if self._options.minutes is not None:
            share = max(share, self.seconds / (60 * self._options.minutes))
        return share

    def set_rates(self, multiplier: float) -> float:
        """Multiplies the learning rates of the start; returns the largest."""
        largest = 0.0
        for name, optimiser in self._optimisers.items():
            for group, rate in zip(optimiser.param_groups, self._rates[name], strict=True):
                group["lr"] = rate * multiplier
                largest = max(largest, group["lr"])
        return largest

    def save(self) -> None:
        state: dict[str, Any] = {
            "step": self.step,
            "seconds": self.seconds,
            "models": {name: model.state_dict() for name, model in self._models.items()},
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self._optimisers.items()},
            "rates": self._rates,
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "python": random.getstate(),
        }
        aside = self.file.with_suffix(".part")
        torch.save(state, aside)
        aside.replace(self.file)

    def load(self) -> None:
        if not self.file.is_file():
            raise CheckpointError(f"there is no run to resume in {self.file.parent}: leave --resume out to begin one")
        try:
            state = torch.load(self.file, map_location="cpu", weights_only=True)
            for name, model in self._models.items():
                model.load_state_dict(state["models"][name])
            for name, optimiser in self._optimisers.items():
                optimiser.load_state_dict(state["optimisers"][name])
            self.step, self._spent, self._rates = state["step"], state["seconds"], state["rates"]
            torch.set_rng_state(state["torch"])
            if state["cuda"] and torch.cuda.is_available():
                torch.cuda.set_rng_state_all(state["cuda"])
            random.setstate(state["python"])
        except Exception as error:  # torch.load raises many kinds, all of which mean the same to a user
            raise CheckpointError(
                f"the run in {self.file.parent} cannot be resumed ({error}): begin a new one in another folder"
            ) from error
        self._started = time.monotonic()


class _Report:
    """Progress for the terminal, or plain lines elsewhere, and TensorBoard."""

    def __init__(self, options: RunOptions, run: _Run) -> None:
        self._run = run
        self._total = options.steps
        self._writer = SummaryWriter(str(options.out / "log"), purge_step=run.step)
        self._bar: Progress | None = None
        if console.is_terminal:
            columns = (BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
            self._bar = Progress(TextColumn("{task.description}"), *columns, console=console)
            self._task = self._bar.add_task("starting", total=1.0)
        self._printed = time.monotonic()
        self._sums: dict[str, float] = {}
        self._count = 0

    def __enter__(self) -> None:
        if self._bar:
            self._bar.start()

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()
        self._writer.close()

    def step(self, scalars: Mapping[str, float], rate: float) -> None:
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
        for name, value in scalars.items():
            self._writer.add_scalar(f"validation/{name}", value, self._run.step)
        self._writer.flush()
        self._print(f"validation: {self._words(scalars)}")

    def _words(self, scalars: Mapping[str, float]) -> str:
        numbers = " ".join(f"{name} {value:.4f}" for name, value in scalars.items())
        return f"step {self._run.step}/{self._total} {numbers}"

    def _print(self, line: str) -> None:
        announce(f"{self._run.seconds / 60:7.1f} min  {line}")

"""The loop that every trainer shares: progress, schedule, averaging, validation, checkpoints, and an exact resume.

It runs in one process, or in several that ``torchrun`` started: see ``training.parallel``.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from a2m_edge.errors import CheckpointError, DeviceError, OptionError
from a2m_edge.output import written_aside
from training import parallel
from training.averaging import Average
from training.progress import Report
from training.stopping import stop_signals

logger = logging.getLogger(__name__)


RESULTS = ("model.safetensors", "config.json", "state.pt")
"""Files that every training writes into the folder of its run."""


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
        average: decay of the moving average of the weights (see ``training.averaging``) that is validated and
            saved in their place; 0 takes the weights themselves.
        clip: largest norm of a step's gradients, 0 for any; None takes what the trainer's recipe says.
    """

    out: Path
    steps: int
    resume: bool = False
    seed: int = 0
    device: str = "auto"
    checkpoint_minutes: float = 5.0
    minutes: float | None = None
    validate_every: int = 500
    average: float = 0.0
    clip: float | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise OptionError(f"a training run needs at least 1 step, not {self.steps}")
        if self.minutes is not None and not (0 < self.minutes < math.inf):
            raise OptionError(f"the minutes of a training run must be above 0, not {self.minutes}")
        if not 0 <= self.average < 1:
            raise OptionError(f"the decay of averaged weights must be from 0 to below 1, not {self.average}")
        if self.clip is not None and not (0 <= self.clip < math.inf):
            raise OptionError(f"the largest norm of gradients must be 0 or above, not {self.clip}")

    def clip_or(self, recipe: float) -> float:
        """The largest norm of gradients: what was asked for, or what the recipe says."""
        return recipe if self.clip is None else self.clip


def choose_device(name: str) -> torch.device:
    """The torch device of a name; ``"auto"`` is CUDA where there is one, else the CPU.

    Of several processes each takes the GPU of its own number.

    Raises:
        DeviceError: torch does not know the device or this machine has none, or fewer than it has processes.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and parallel.count() > 1:
        own, all_of_them = parallel.local_rank(), torch.cuda.device_count()
        if own >= all_of_them:
            raise DeviceError(
                f"there is no GPU for process {own + 1}: this machine has {all_of_them}, "
                "start as many processes, or train with --device cpu"
            )
        name = f"cuda:{own}"
        torch.cuda.set_device(own)
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


def optimise(loss: Tensor, optimiser: Optimizer, clip: float) -> None:
    """One step: backward, the mean of all processes' gradients, their norm held to ``clip`` (0: any), forward.

    Args:
        loss: a scalar, of the whole batch or weighted; see ``training.parallel``.
        optimiser: its parameters are those that are clipped together and moved.
        clip: largest norm.
    """
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    parallel.average_gradients(parameters)
    if clip:
        nn.utils.clip_grad_norm_(parameters, clip)
    optimiser.step()


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

    Before each step torch's generators are seeded from ``(options.seed, step)``, in every process alike. A resumed
    run therefore continues bit for bit on the CPU, provided that ``step`` draws from them or from a generator of its
    own seeded so. Asked to stop (Ctrl-C, SIGTERM), all processes finish the same step and the state is written.

    At the end the models have the weights that were saved: the averages where ``options.average`` is set.

    Args:
        options: see ``RunOptions``; with ``minutes`` the progress of the schedule is the larger of the share of
            steps and the share of time.
        models: everything with weights or buffers that a resume needs, by name.
        optimisers: by name; their learning rates at the start of the run are what ``schedule`` multiplies.
        schedule: progress of the run in [0, 1] to a multiplier of the learning rate.
        step: given the step's number from 0, goes forward and back, steps the optimisers (``optimise``), returns
            scalars, whose means over the processes are told.
        validate: returns scalars; models are in eval mode and gradients off while the first process runs it.
        save: writes the product's checkpoint into the folder given (``options.out``); the first process runs it.

    Raises:
        OptionError: ``out`` holds another run and ``resume`` is not set.
        CheckpointError: there is nothing to resume, or it does not fit.
        KeyboardInterrupt: the run was asked to stop, and did.
    """
    if parallel.first():
        options.out.mkdir(parents=True, exist_ok=True)
    parallel.equalise(models.values())
    run = _Run(options, models, optimisers)
    if options.resume:
        run.load()
    elif run.file.exists():
        raise OptionError(f"{options.out} holds an earlier run: add --resume to continue it, or give another folder")

    def check() -> None:
        if validate is None or not parallel.first():
            return
        modes = {name: model.training for name, model in models.items()}
        for model in models.values():
            model.eval()
        with torch.no_grad(), run.average.in_use():
            report.validation(validate())
        for name, model in models.items():
            model.train(modes[name])

    def keep() -> None:
        if parallel.first():
            run.save()
            with run.average.in_use():
                save(options.out)

    checked = -1
    kept = time.monotonic()
    with Report(options.out, options.steps, run) as report, stop_signals() as stop:
        if run.step == 0:
            check()
        while True:
            progress, stopped = parallel.agree(run.progress(), stop.asked)
            if stopped:
                break
            if progress >= 1.0:
                if checked != run.step:
                    check()
                keep()
                run.average.swap()
                return
            rate = run.set_rates(schedule(progress) if schedule else 1.0)
            torch.manual_seed(_seed(options.seed, run.step))
            scalars = parallel.mean(step(run.step))
            run.average.follow(run.step)
            run.step += 1
            report.step(scalars, rate)
            if run.step % options.validate_every == 0:
                check()
                checked = run.step
            if time.monotonic() - kept > 60 * options.checkpoint_minutes:
                keep()
                kept = time.monotonic()
        if parallel.first():
            run.save()
            logger.warning("stopped at step %d: the state is in %s, continue with --resume", run.step, run.file)
    raise KeyboardInterrupt


def _seed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence((seed, step)).generate_state(1, np.uint64)[0])


class _Run:
    """What has to survive an interruption."""

    def __init__(
        self, options: RunOptions, models: Mapping[str, nn.Module], optimisers: Mapping[str, Optimizer]
    ) -> None:
        self.file = options.out / "state.pt"
        self.step = 0
        self.average = Average(models.values(), options.average)
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
            "average": self._options.average,
            "averages": self.average.averages,
        }
        with written_aside(self.file) as stream:
            torch.save(state, stream)

    def load(self) -> None:
        if not self.file.is_file():
            raise CheckpointError(f"there is no run to resume in {self.file.parent}: leave --resume out to begin one")
        try:
            state = torch.load(self.file, map_location="cpu", weights_only=True)
            if state["average"] != self._options.average:
                raise ValueError(f"it was begun with --average {state['average']:g}")
            for name, model in self._models.items():
                model.load_state_dict(state["models"][name])
            for name, optimiser in self._optimisers.items():
                optimiser.load_state_dict(state["optimisers"][name])
            self.step, self._spent, self._rates = state["step"], state["seconds"], state["rates"]
            self.average.load(state["averages"])
        except Exception as error:  # torch.load raises many kinds, all of which mean the same to a user
            raise CheckpointError(
                f"the run in {self.file.parent} cannot be resumed ({error}): begin a new one in another folder"
            ) from error
        self._started = time.monotonic()

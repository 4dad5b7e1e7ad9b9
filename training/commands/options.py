"""What the researcher's commands share: their options, and what they need to be installed."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

from a2m_edge.errors import MissingExtraError
from a2m_edge.ledger import claim_below
from a2m_edge.options import Force

if TYPE_CHECKING:
    from rich.console import Console

    from training.jobs import JobRunner
    from training.trainer import RunOptions

Item = TypeVar("Item")

CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints"
"""The checkpoints behind the default bundle, committed beside the code."""
TABLES = CHECKPOINTS / "composer.json"
PICTURES = CHECKPOINTS / "pictures.json"
SUBJECTS = CHECKPOINTS / "subjects"

LARGEST_SEED = 2**63 - 1
"""Of PyTorch's generators."""


def number(value: float | None) -> float | None:
    """Passes on what an option was given, but for NaN and the infinities, which lie in every range that has no end.

    Raises:
        typer.BadParameter: it is one of these.
    """
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no number that can be used")
    return value


Out = Annotated[Path, typer.Option("--out", "-o", help="Folder of the run.")]
Steps = Annotated[int, typer.Option(min=1, help="Optimiser steps of the whole run.")]
Minutes = Annotated[float | None, typer.Option(help="End after this long, the learning rate annealed.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")]
Seed = Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of weights and order of the data.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Average = Annotated[float, typer.Option(help="Decay of the averaged weights that are kept, such as 0.999; 0: none.")]
Clip = Annotated[
    float | None,
    typer.Option(
        help="Largest norm of a step's gradients; 0: any.",
        show_default="1; 5 for a vocoder's reconstruction; any where the published recipe has none",
    ),
]
CheckpointMinutes = Annotated[float, typer.Option(min=0.1, callback=number, help="Minutes between checkpoints.")]
ValidateEvery = Annotated[int, typer.Option(min=1)]
Start = Annotated[Path | None, typer.Option(help="Checkpoint or weights to begin with.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes, each on one core; as many as there are cores when left out.")
]
Shared = Annotated[Path, typer.Option(envvar="A2M_SHARED", help="Folder with data/ and weights/.")]
EncoderCheckpoint = Annotated[Path, typer.Option("--encoder", help="Encoder checkpoint.")]


@dataclasses.dataclass(frozen=True)
class Run:
    """The options that all trainers share, by the names that ``training.trainer.RunOptions`` gives them."""

    out: Out
    steps: Steps
    minutes: Minutes = None
    resume: Resume = False
    seed: Seed = 0
    device: Device = "auto"
    checkpoint_minutes: CheckpointMinutes = 5.0
    validate_every: ValidateEvery = 500
    average: Average = 0.0
    clip: Clip = None
    force: Force = False

    def options(self) -> RunOptions:
        """What a trainer is given, once it is sure that its results may be written.

        Raises:
            MissingExtraError: torch cannot be imported.
            OptionError: a value is out of its range.
            OutputError: the folder of the run holds a file of theirs that was not written there.
        """
        need_torch()
        from training.trainer import RESULTS, RunOptions

        given = dict(vars(self))
        claim_below(self.out, *RESULTS, force=given.pop("force"))
        return RunOptions(**given)


def trainer_command(**defaults: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Makes a command of a function of a ``Run`` and of the trainer's own options.

    The command's help begins with what must be given, and ends with the options that all trainers share.

    Args:
        defaults: of the shared options, where the trainer has its own.
    """
    types = get_type_hints(Run, include_extras=True)
    shared = []
    for field in dataclasses.fields(Run):
        default = defaults.get(field.name, field.default)
        empty = inspect.Parameter.empty if default is dataclasses.MISSING else default
        kind = inspect.Parameter.KEYWORD_ONLY
        shared.append(inspect.Parameter(field.name, kind, default=empty, annotation=types[field.name]))

    def decorate(train: Callable[..., None]) -> Callable[..., None]:
        own = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for name, parameter in inspect.signature(train, eval_str=True).parameters.items()
            if name != "run"
        ]
        needed = [parameter for parameter in own if parameter.default is inspect.Parameter.empty]
        others = [parameter for parameter in own if parameter not in needed]

        def command(**values: Any) -> None:
            run = Run(**{parameter.name: values.pop(parameter.name) for parameter in shared})
            train(run, **values)

        command.__doc__ = train.__doc__
        setattr(command, "__signature__", inspect.Signature([*needed, *shared[:2], *others, *shared[2:]]))  # noqa: B010
        return command

    return decorate


def need_torch() -> None:
    """Refuses to go on where the training extra is not installed.

    Raises:
        MissingExtraError: torch cannot be imported.
    """
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError("torch", "train") from error


def job_runner(workers: int | None, ray: str | None = None) -> JobRunner:
    """What does the jobs of a command, with a bar on standard error."""
    from a2m_edge.jobs.runners import choose_runner
    from training.jobs import JobRunner

    return JobRunner(choose_runner(workers, ray), shown_on_a_bar, _console().print)


def shown_on_a_bar(items: Iterable[Item], title: str, total: int) -> Iterable[Item]:
    """Passes items on and shows a bar on standard error."""
    from rich.progress import track

    return track(items, title, total, console=_console())


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)

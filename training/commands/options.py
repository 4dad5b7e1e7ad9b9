"""What the researcher's commands share: their options, and what they need to be installed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from a2m_edge.errors import MissingExtraError

if TYPE_CHECKING:
    from rich.console import Console

    from training.jobs import JobRunner

Item = TypeVar("Item")

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"
TABLES = CHECKPOINTS / "composer.json"

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder of the run.")]
Steps = Annotated[int, typer.Option(min=1, help="Optimiser steps of the whole run.")]
Minutes = Annotated[float | None, typer.Option(help="End after this long, the learning rate annealed.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")]
Seed = Annotated[int, typer.Option(min=0, help="Of weights and order of the data.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Average = Annotated[float, typer.Option(help="Decay of the averaged weights that are kept, such as 0.999; 0: none.")]
Clip = Annotated[
    float | None,
    typer.Option(
        help="Largest norm of a step's gradients; 0: any.",
        show_default="1; 5 for a vocoder's reconstruction; any where the published recipe has none",
    ),
]
CheckpointMinutes = Annotated[float, typer.Option(min=0.1, help="Minutes between checkpoints.")]
Start = Annotated[Path | None, typer.Option(help="Checkpoint or weights to begin with.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes, each on one core; as many as there are cores when left out.")
]
Shared = Annotated[Path, typer.Option(envvar="A2M_SHARED", help="Folder with data/ and weights/.")]


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

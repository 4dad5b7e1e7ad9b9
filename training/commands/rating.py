"""The researcher's command ``a2m-edge evaluate rate``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from a2m_edge.errors import OptionError
from a2m_edge.ledger import claim
from a2m_edge.options import Force
from training.commands.options import LARGEST_SEED, number

if TYPE_CHECKING:
    from training.evaluation.rating.items import Question

SUMMARY = "summary.json"


def rate(
    items: Annotated[Path, typer.Argument(help="Folder of items that  a2m-edge evaluate  wrote.")],
    endpoint: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Base of an OpenAI-compatible API, such as http://127.0.0.1:8000/v1."),
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the model there.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for ratings.jsonl and summary.json; that of the items.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="How often each question is asked.")] = 1,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of control, order and intervals.")] = 0,
    no_pictures: Annotated[bool, typer.Option("--no-pictures", help="The model cannot see: send words alone.")] = False,
    temperature: Annotated[
        float | None,
        typer.Option(min=0.0, max=2.0, callback=number, help="Of the answers; the endpoint's own when left out."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=1e6, callback=number, help="Seconds that an answer may take.")
    ] = 120.0,
    force: Force = False,
) -> None:
    """Have a language model rate how well music, painting and comment agree in feeling.

    Each item is asked about blinded, in a shuffled order, with its own music and, as a control, with another work's.
    A key, where the endpoint wants one, is read from the environment variable A2M_RATING_KEY.

    Interrupted or cut off, the same command goes on from there.
    """
    if not endpoint:
        raise OptionError(
            "no endpoint is given: name an OpenAI-compatible one with --endpoint, such as http://127.0.0.1:8000/v1"
        )
    if not model:
        raise OptionError("no model is given: name one that the endpoint serves with --model")
    import json
    import os

    from rich.console import Console
    from rich.progress import Progress

    from a2m_edge.output import written_aside
    from training.evaluation.rating.endpoint import KEY, Endpoint, EndpointError, Patience
    from training.evaluation.rating.items import read_items
    from training.evaluation.rating.run import RATINGS
    from training.evaluation.rating.run import rate as run
    from training.evaluation.rating.summary import summarise

    asked = Endpoint(endpoint, model, os.environ.get(KEY, ""), temperature, Patience(answer=timeout))
    folder = out or items
    claim(folder / SUMMARY, force=force)
    found = read_items(items)
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)

    try:
        # Closed here, whatever happens: a bar that waits for the garbage collector may be collected by its own thread.
        with Progress(console=console) as progress:

            def show(questions: Iterable[Question], total: int) -> Iterable[Question]:
                task = progress.add_task("rating", total=total)
                for question in questions:
                    yield question
                    progress.advance(task)

            answers = run(
                found,
                asked,
                folder,
                repeats=repeats,
                seed=seed,
                pictures=not no_pictures,
                temperature=temperature,
                show=show,
            )
    except EndpointError as error:
        if (folder / RATINGS).exists() and (folder / RATINGS).stat().st_size:
            raise EndpointError(
                f"{error}; what was answered is kept, and the same command goes on from there"
            ) from None
        raise
    figures = {
        "model": model,
        "endpoint": asked.shown,
        "repeats": repeats,
        "seed": seed,
        "pictures": not no_pictures,
        "temperature": temperature,
        **summarise(answers, seed),
    }
    with written_aside(folder / SUMMARY) as stream:
        stream.write((json.dumps(figures, indent=1, allow_nan=False) + "\n").encode())
    _print(figures)
    typer.echo(f"{folder / SUMMARY}: {len(answers)} answers, {figures['unusable']:.1%} of them unusable")


def _print(figures: dict[str, Any]) -> None:
    from a2m_edge.terminal import Figures, Table, print_tables

    headings = ("image", "comment", "overall", "control", "above\ncontrol", "p", "unusable\n%")
    table = Table("How well music, painting and comment agree (1 to 5)", ("row", *map(Figures, headings)))
    for row in figures["rows"]:
        own, control = row["own"], row["control"]
        asked = own["answers"] + control["answers"]
        unusable = sum((side["unusable"] or 0.0) * side["answers"] for side in (own, control)) / asked
        table.add(
            row["name"],
            *(_told(own[score]) for score in ("image", "comment", "overall")),
            _told(control["overall"]),
            _told(row["above_control"]),
            "—" if row["p"] is None else f"{row['p']:.4f}",
            f"{100.0 * unusable:.1f}",
        )
    print_tables(table)


def _told(mean: dict[str, Any] | None) -> str:
    if mean is None:
        return "—"
    interval = "" if mean["low"] is None else f" ({mean['low']:.2f} to {mean['high']:.2f})"
    return f"{mean['value']:.2f}{interval}"

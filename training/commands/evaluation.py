"""The researcher's commands ``a2m-edge evaluate ...``: a bundle is measured where no other is named."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from a2m_edge.ledger import claim_below
from a2m_edge.options import Force
from training.commands.composer import composer
from training.commands.options import CHECKPOINTS, LARGEST_SEED, Shared, need_torch, number
from training.commands.rating import rate

if TYPE_CHECKING:
    from training.evaluation.evaluate import Steps
    from training.evaluation.report.model import Table

_DEFAULT = "bundle"
_PRINTED = ("FAD", "KAD", "Note F1", "Feeling agreement, comment", "× real time")


class _Group(TyperGroup):
    """Takes the default command unless the first argument names another one.

    The default's own name does not count: ``evaluate bundle`` measures the folder of that name.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = bool(args) and args[0] in self.commands and args[0] != _DEFAULT
        return super().parse_args(ctx, args if named else [_DEFAULT, *args])


class _DefaultCommand(TyperCommand):
    """Stands in for its group: usage and help name the group, as nobody types the default's name."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        if parent is not None:
            info_name, parent = parent.info_name, parent.parent
        return super().make_context(info_name, args, parent=parent, **extra)


def register_evaluation(app: typer.Typer) -> None:
    """Adds ``evaluate`` to the command line: ``evaluate [BUNDLE] ...``, ``evaluate composer`` and ``evaluate rate``."""
    group = typer.Typer(
        cls=_Group,
        rich_markup_mode=None,
        help="Measure weights and bundle on material they never saw;  evaluate rate  asks a language model.",
    )
    group.command(
        _DEFAULT,
        cls=_DefaultCommand,
        epilog="a2m-edge evaluate composer  holds what is composed against scores, and  a2m-edge evaluate rate ITEMS  "
        "has a language model rate what was made: see their  --help.  A bundle in a folder of such a name is given as  "
        "./rate",
    )(evaluate)
    group.command("rate")(rate)
    group.command("composer")(composer)
    app.add_typer(group, name="evaluate")


def evaluate(
    data: Annotated[Path, typer.Option(help="Folder of  a2m-edge data build.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Page (HTML) to write; its numbers go beside it, .json.")],
    bundle: Annotated[Path | None, typer.Argument(help="Folder of a bundle; the built-in one when left out.")] = None,
    shared: Shared = Path("../shared"),
    clips: Annotated[int, typer.Option(min=3, help="Held-out pairs that every row sounds.")] = 200,
    seconds: Annotated[float, typer.Option(min=1.0, max=600.0, callback=number, help="Length of each sound.")] = 12.0,
    seeds: Annotated[int, typer.Option(min=1, help="Soundscapes of each work, for the diversity.")] = 3,
    identity: Annotated[
        int,
        typer.Option(min=0, help="Test paintings, each played twice, to be known again by the music; 0: none."),
    ] = 50,
    identity_seconds: Annotated[
        float, typer.Option(min=1.0, max=600.0, callback=number, help="Length of each of these pieces.")
    ] = 20.0,
    embedding: Annotated[
        str, typer.Option(metavar="NAME|ONNX", help="efficientat, clap, or an ONNX file with its entry beside it.")
    ] = "efficientat",
    paper: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Checkpoint of the published decoder, trained on the same pairs.")
    ] = None,
    encoder: Annotated[Path, typer.Option(help="Encoder whose embeddings it was trained on.")] = CHECKPOINTS
    / "encoder",
    fusion: Annotated[Path, typer.Option(help="Fusion whose embeddings it was trained on.")] = CHECKPOINTS / "fusion",
    plain_vocoder: Annotated[
        Path | None,
        typer.Option(help="HiFi-GAN of mels alone, for rows without notes.", show_default="that of --shared"),
    ] = None,
    examples: Annotated[int, typer.Option(min=0, help="Works to see and hear in the page.")] = 8,
    items: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write what  a2m-edge evaluate rate  asks about.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option(help="Write the figures that  a2m-edge export --measured  takes (JSON).")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="File (.npz) that keeps the training pairs' embeddings.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the pairs, the music and all draws.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto, for the bundle.")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads of one model.")] = None,
    force: Force = False,
) -> None:
    """Measure a bundle on material that training never saw, and write one page with tables, pictures and sounds.

    Rows: real music, copy-synthesis, ours, the published configuration, mean mel, random and nearest training clip,
    and ours with shuffled conditions.
    """
    need_torch()
    import json

    from a2m_edge.bundle import open_bundle
    from a2m_edge.output import make_folder, written_aside
    from training.evaluation.evaluate import evaluate as run
    from training.evaluation.inputs import Settings, check_output
    from training.evaluation.rating.items import ITEMS, write_items
    from training.evaluation.report.writing import write_report

    check_output(out, *[file for file in (figures, cache) if file is not None], force=force)
    if items is not None:
        claim_below(items, ITEMS, force=force)
        make_folder(items)
    settings = Settings(
        data=data,
        shared=shared,
        clips=clips,
        seconds=seconds,
        seeds=seeds,
        identity=identity,
        identity_seconds=identity_seconds,
        embedding=embedding,
        paper=paper,
        encoder=encoder,
        fusion=fusion,
        plain_vocoder=plain_vocoder,
        examples=examples,
        items=items is not None,
        cache=cache,
        seed=seed,
        device=device,
        threads=threads,
    )
    with _bars() as steps:
        found = run(open_bundle(bundle), settings, steps)
    write_report(found.report, out)
    if items is not None:
        write_items(items, found.items)
    if figures is not None:
        with written_aside(figures) as stream:
            stream.write((json.dumps(found.numbers, indent=1, sort_keys=True, allow_nan=False) + "\n").encode())
    print_rows(found.report.tables[0])
    typer.echo(
        f"{out}: {len(found.report.tables)} tables, {len(found.report.examples)} examples; {out.stem}.json: numbers"
    )


@contextlib.contextmanager
def _bars() -> Iterator[Steps]:
    """Progress bars on the error stream, one for each step of the work."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:

        @contextlib.contextmanager
        def steps(name: str, total: int | None) -> Iterator[Callable[[int, int], None]]:
            if not console.is_terminal:
                console.print(name)  # a log shows no bar before the end
            task = progress.add_task(name, total=total)
            yield lambda done, of: progress.update(task, completed=done, total=of)
            progress.stop_task(task)

        yield steps


def print_rows(table: Table) -> None:
    """Some columns of the table of all rows: the others are in the page."""
    from a2m_edge.terminal import Figures, print_tables
    from a2m_edge.terminal import Table as Drawn
    from training.evaluation.report.model import number

    places = [place for place, column in enumerate(table.columns) if column.name in _PRINTED]
    headings = (table.columns[place].name.replace(", ", ",\n") for place in places)
    drawn = Drawn(table.title, ("row", *map(Figures, headings)))
    for row in table.rows:
        values = (number(row.values[place]) for place in places)
        drawn.add(row.name, *("—" if value is None else f"{value:.4g}" for value in values))
    print_tables(drawn)

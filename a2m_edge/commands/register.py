"""The commands of the runtime: ``render``, ``render-collection``, ``bench`` and ``bundle``."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from a2m_edge.bench.command import bench
from a2m_edge.collection.command import render_collection
from a2m_edge.errors import OptionError, printable
from a2m_edge.options import Force

if TYPE_CHECKING:
    from a2m_edge.bundle import Bundle

# The signatures below are what --help needs; everything that takes time to import waits inside the functions.

Device = Annotated[
    str,
    typer.Option(
        help="cpu; cuda for an NVIDIA GPU; tensorrt for engines built on it, which takes minutes the first time; or "
        "auto for cuda where onnxruntime-gpu is installed, else cpu."
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command("render")(render)
    app.command("render-collection")(render_collection)
    app.command("bench")(bench)
    bundle = typer.Typer(
        no_args_is_help=True, rich_markup_mode=None, help="Look into a bundle, check it, and give it words."
    )
    bundle.command("info")(bundle_info)
    bundle.command("verify")(bundle_verify)
    bundle.command("words")(bundle_words)
    app.add_typer(bundle, name="bundle")


def render(
    image: Annotated[
        Path | None, typer.Argument(help="Picture of the artwork; may be left out when there is a --comment.")
    ] = None,
    comment: Annotated[str | None, typer.Option(help="What a visitor says about it.")] = None,
    seconds: Annotated[float, typer.Option(help="How long the sound lasts, 0.1 to 600.")] = 30.0,
    seed: Annotated[int, typer.Option(help="Another seed gives another piece of the same feeling.")] = 0,
    bundle: Annotated[Path | None, typer.Option(help="Folder of a bundle; the built-in one when left out.")] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="WAV file to write, or - for standard output.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="PNG file to write: the painting, its feeling, the score, the sound.")
    ] = None,
    device: Device = "auto",
    force: Force = False,
) -> None:
    """Turn a picture, a comment, or both into music: a WAV file, and a JSON file that tells what was felt."""
    from a2m_edge.output import terminable

    with terminable():
        from a2m_edge.rendering.render import Request, check_outputs, write_render
        from a2m_edge.rendering.render import render as render_request

        request = Request(image, comment, seconds, seed)
        request.check()
        name = image.stem.strip(".") if image else ""
        sound = None if output == "-" else Path(output or f"{name or 'soundscape'}.wav")
        check_outputs(sound, picture, image, force)
        if sound is None:
            _refuse_terminal()
        from a2m_edge.bundle import open_bundle

        opened = open_bundle(bundle)
        _prepare(opened, device)
        with _progress(seconds) as advance:
            result = render_request(request, opened, device=device, progress=advance)
        if result.notice is not None:
            _say(result.notice)
        write_render(result, sys.stdout.buffer if sound is None else sound, picture)
        feeling = result.feeling
        where = "" if sound is None else f"{sound}: "
        _say(f"{where}{feeling.word}, valence {feeling.valence:+.2f}, arousal {feeling.arousal:+.2f}")


def bundle_info(
    folder: Annotated[Path | None, typer.Argument(help="Folder of a bundle; the built-in one when left out.")] = None,
) -> None:
    """Show what a bundle is, what it needs and how well it was measured to do."""
    from a2m_edge.bundle import open_bundle
    from a2m_edge.commands.bundle_tables import print_info

    print_info(open_bundle(folder))


def bundle_verify(
    folder: Annotated[Path | None, typer.Argument(help="Folder of a bundle; the built-in one when left out.")] = None,
    device: Device = "auto",
) -> None:
    """Check every file of a bundle against its hash, and load and run every graph."""
    from a2m_edge.bundle import open_bundle
    from a2m_edge.commands.bundle_tables import print_verification

    opened = open_bundle(folder)
    _prepare(opened, device)
    print_verification(opened, device)


def bundle_words(
    folder: Annotated[Path | None, typer.Argument(help="Folder of a bundle; the built-in one when left out.")] = None,
    add: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORD=SENTENCE",
            help="A word that is told of pictures like the sentence, as  lighthouse='a lighthouse on a rock'  ; may be "
            "repeated.",
        ),
    ] = None,
    sounds: Annotated[
        list[str] | None,
        typer.Option(metavar="WORD=SUBJECT", help="The subject by whose music a word is heard; may be repeated."),
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option(metavar="WORD", help="A word to take away; may be repeated.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Folder of the bundle with these words; it may be the same.", show_default="none"
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Show the words by which a bundle tells what pictures show, or write one with other words, without training."""
    from a2m_edge.bundle import open_bundle
    from a2m_edge.commands.words import changed, print_words, read_words, write_words
    from a2m_edge.output import terminable

    opened = open_bundle(folder)
    tables = read_words(opened)
    if not (add or sounds or remove):
        print_words(tables)
        return
    if out is None:
        raise OptionError("a bundle is sealed: name the folder of the one with these words by  --output")
    with terminable():
        tables = changed(tables, add or (), sounds or (), remove or ())
        written = write_words(opened, tables, out, force)
    if tables.words and tables.likeness.threshold is None:
        _say("this bundle's embeddings tell too little of what is shown: no word will be told until it has better ones")
    typer.echo(f"{out}: {written.manifest.name}, {len(tables.words)} words, {written.hash[:12]}")


def _prepare(bundle: Bundle, device: str) -> None:
    """Builds what engines are missing where they are asked for, so that it can be watched."""
    if device == "tensorrt":
        from a2m_edge.commands.engine_tables import prepare_engines

        prepare_engines(bundle)


@contextlib.contextmanager
def _progress(seconds: float) -> Iterator[Callable[[float], None] | None]:
    """A bar on standard error while a render lasts; none where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"rendering {seconds:g} s", total=1.0)
        yield lambda share: bar.update(task, completed=share)


def _refuse_terminal() -> None:
    if os.isatty(sys.stdout.fileno()):
        raise OptionError("a WAV file would upset the terminal: send standard output to a file or a program")


def _say(message: str) -> None:
    typer.echo(printable(message), err=True)

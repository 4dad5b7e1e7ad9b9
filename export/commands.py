"""The command that makes bundles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from export.parity import Check

CHECKPOINTS = Path(__file__).parents[1] / "training" / "checkpoints"
"""The checkpoints behind the default bundle, committed beside the code."""


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("export")(export)


def _checkpoint(kind: str) -> Any:
    return typer.Option(help=f"Checkpoint folder of the {kind}.", show_default=f"training/checkpoints/{kind}")


def export(
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder of the bundle; a bundle there is replaced.")],
    encoder: Annotated[Path, _checkpoint("encoder")] = CHECKPOINTS / "encoder",
    fusion: Annotated[Path, _checkpoint("fusion")] = CHECKPOINTS / "fusion",
    decoder: Annotated[Path, _checkpoint("decoder")] = CHECKPOINTS / "decoder",
    vocoder: Annotated[Path, _checkpoint("vocoder")] = CHECKPOINTS / "vocoder",
    composer: Annotated[
        Path, typer.Option(help="The composer's tables.", show_default="training/checkpoints/composer.json")
    ] = CHECKPOINTS / "composer.json",
    model_card: Annotated[
        Path, typer.Option(help="Markdown file.", show_default="training/checkpoints/MODEL_CARD.md")
    ] = CHECKPOINTS / "MODEL_CARD.md",
    measured: Annotated[Path | None, typer.Option(help="JSON file of the weights' quality figures.")] = None,
    bed: Annotated[
        Path | None, typer.Option(help="WAV file of the safe loop.", show_default="played by the bundle")
    ] = None,
    name: Annotated[str, typer.Option(help="What the bundle is called.")] = "a2m-s",
    version: Annotated[str, typer.Option(help="Version of the bundle.")] = "1",
    licence: Annotated[str, typer.Option(help="Licence of the weights.")] = "CC-BY-NC-4.0",
    validate: Annotated[
        bool, typer.Option("--validate/--no-validate", help="Compare every graph with its model.")
    ] = True,
) -> None:
    """Makes a bundle from checkpoints: ONNX graphs that are compared with their models before anything is kept."""
    _require("onnx", "onnxscript", "torch")
    from export.bundle_writer import Label, export_bundle

    bundle, checks = export_bundle(
        encoder=encoder,
        fusion=fusion,
        decoder=decoder,
        vocoder=vocoder,
        composer=composer,
        out=out,
        label=Label(name, version, licence, _read(model_card, "model card")),
        bed=bed,
        measured=_read_measured(measured),
        validate=validate,
    )
    _print_table(checks)
    size = sum(record.size for record in bundle.manifest.files.values())
    typer.echo(f"{out}: {bundle.manifest.name} {bundle.manifest.version}, {size / 1e6:.1f} MB, {bundle.hash[:12]}")


def _require(*modules: str) -> None:
    from importlib.util import find_spec

    from a2m_edge.errors import MissingExtraError

    for module in modules:
        if find_spec(module) is None:
            raise MissingExtraError(module, "train")
    if find_spec("onnxruntime") is None:
        raise MissingExtraError("onnxruntime", "cpu")


def _read(path: Path, what: str) -> str:
    from a2m_edge.errors import ExportError

    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"the {what} {path} cannot be read ({error}): name another file") from error


def _read_measured(path: Path | None) -> dict[str, object]:
    from a2m_edge.errors import ExportError
    from a2m_edge.strict_json import StrictJsonError, parse

    if path is None:
        return {}
    try:
        figures = parse(_read(path, "file of figures"))
        if not isinstance(figures, dict):
            raise StrictJsonError("it is no object")
    except StrictJsonError as error:
        raise ExportError(f"the file of figures {path} is not valid: {error}") from error
    return figures


def _print_table(checks: Iterable[Check]) -> None:
    from rich.console import Console
    from rich.table import Table

    from export.parity import summary

    table = Table("graph", "measured in ONNX Runtime against torch", "worst", "limit", "cases")
    for graph, properties in summary(checks).items():
        for what, numbers in properties.items():
            table.add_row(graph, what, str(numbers["worst"]), str(numbers["limit"]), str(numbers["cases"]))
    if table.row_count:
        Console().print(table)

"""The commands that make bundles and compare them with their models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from a2m_edge.options import Force
from training.commands.options import CHECKPOINTS, PICTURES, SUBJECTS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from a2m_edge.bundle import Bundle
    from a2m_edge.inference.tensorrt.cache import EngineRecord
    from export.bundle_writer import Label
    from export.graphs.files import Precisions
    from export.proof.parity import Check

Format = Literal["onnx", "tensorrt"]


def register(app: typer.Typer) -> None:
    """Adds the commands to the program."""
    app.command("export")(export)
    app.command("export-table")(export_table)


def _checkpoint(kind: str, more: str = "") -> Any:
    return typer.Option(help=f"Checkpoint folder of the {kind}{more}.", show_default=f"training/checkpoints/{kind}")


def export(
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder of the bundle; a bundle there is replaced.")],
    encoder: Annotated[str, _checkpoint("encoder", ", or an OpenCLIP model as NAME:PRETRAINED")] = str(
        CHECKPOINTS / "encoder"
    ),
    fusion: Annotated[Path, _checkpoint("fusion")] = CHECKPOINTS / "fusion",
    decoder: Annotated[Path, _checkpoint("decoder")] = CHECKPOINTS / "decoder",
    vocoder: Annotated[Path, _checkpoint("vocoder", ", or a public HiFi-GAN checkpoint")] = CHECKPOINTS / "vocoder",
    precision: Annotated[
        list[str] | None,
        typer.Option(
            help="fp32, fp16 (for GPUs) or int8 (where it suits), of all graphs or, as GRAPH=PRECISION, of one; may "
            "be repeated, and a later one wins.",
            show_default="text_encoder=int8; fp32 for tensorrt",
        ),
    ] = None,
    format: Annotated[
        Format, typer.Option(help="tensorrt also builds the engines of this machine's GPU into the user's cache.")
    ] = "onnx",
    opset: Annotated[int, typer.Option(help="Version of the ONNX operators.")] = 18,
    composer: Annotated[
        Path, typer.Option(help="The composer's tables.", show_default="training/checkpoints/composer.json")
    ] = CHECKPOINTS / "composer.json",
    pictures: Annotated[
        Path | None,
        typer.Option(
            help="What is known of paintings, from  a2m-edge data pictures  with these checkpoints.",
            show_default="training/checkpoints/pictures.json, for the default encoder and fusion",
        ),
    ] = None,
    subjects: Annotated[
        Path | None,
        typer.Option(
            help="Checkpoint folder of what pictures show, from  a2m-edge train subjects  with this encoder.",
            show_default="training/checkpoints/subjects, for the default encoder",
        ),
    ] = None,
    model_card: Annotated[
        Path | None,
        typer.Option(help="Markdown file.", show_default="that of the default bundle, or a list of the sources"),
    ] = None,
    measured: Annotated[Path | None, typer.Option(help="JSON file of the weights' quality figures.")] = None,
    bed: Annotated[
        Path | None, typer.Option(help="WAV file of the safe loop.", show_default="played by the bundle")
    ] = None,
    feelings: Annotated[
        Path | None,
        typer.Option(help="ArtEmis file (CSV): the accuracy that reduced encoders lose is measured on it."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What the bundle is called.", show_default="a2m-s, or the folder's name")
    ] = None,
    version: Annotated[str, typer.Option(help="Version of the bundle.")] = "1",
    licence: Annotated[
        str | None, typer.Option(help="Licence of the weights.", show_default="CC-BY-NC-4.0 for a2m-s")
    ] = None,
    validate: Annotated[
        bool, typer.Option("--validate/--no-validate", help="Compare every graph with its model.")
    ] = True,
    force: Force = False,
) -> None:
    """Makes a bundle from checkpoints: ONNX graphs that are compared with their models before anything is kept."""
    require("onnx", "onnxscript", "torch")
    from a2m_edge.bundle.placement import refuse
    from a2m_edge.commands.engine_tables import prepare_engines, print_engines
    from a2m_edge.inference.sessions import require_engines
    from a2m_edge.output import terminable
    from export.bundle_writer import Companions, Label, export_bundle
    from export.graphs.export import require_opset
    from export.models import load_models

    require_opset(opset)
    if format == "tensorrt":
        require_engines()
    # Engines hold no int8 weights.
    precisions = read_precisions(precision or (["fp32"] if format == "tensorrt" else ["text_encoder=int8"]))
    card = None if model_card is None else _read(model_card, "model card")
    known = _known_label(out, (Path(encoder), fusion, decoder, vocoder))
    label = Label(name or known.name, version, licence or known.licence, card or known.model_card)
    figures = _read_measured(measured)
    if pictures is None and Path(encoder) == CHECKPOINTS / "encoder" and fusion == CHECKPOINTS / "fusion":
        pictures = PICTURES if PICTURES.is_file() else None
    if subjects is None and Path(encoder) == CHECKPOINTS / "encoder":
        subjects = SUBJECTS if SUBJECTS.is_dir() else None
    refuse(out, bed, feelings, pictures, force=force)  # before minutes of work
    engines: dict[str, EngineRecord] = {}

    def build_engines(bundle: Bundle) -> None:
        engines.update(prepare_engines(bundle))

    with terminable():
        models = load_models(encoder, fusion, decoder, vocoder, subjects)
        if not models.fusion.config.encoder:
            typer.echo(
                "the fusion does not say which encoder it was trained with: it is taken to be this one", err=True
            )
        bundle, checks = export_bundle(
            models,
            out,
            label,
            Companions(composer, bed, pictures),
            measured=figures,
            precisions=precisions,
            opset=opset,
            feelings=feelings,
            validate=validate,
            prepare=build_engines if format == "tensorrt" else None,
        )
    print_checks(checks)
    print_engines(engines)
    size = sum(record.size for record in bundle.manifest.files.values())
    typer.echo(f"{out}: {bundle.manifest.name} {bundle.manifest.version}, {size / 1e6:.1f} MB, {bundle.hash[:12]}")


def export_table(
    out: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Markdown file whose table is replaced.", show_default="shown"),
    ] = None,
    threads: Annotated[int, typer.Option(help="CPU threads of each run.")] = 2,
) -> None:
    """Measures every model in every precision, with PyTorch in the same run: size, parity, speed. Takes minutes."""
    require("onnx", "onnxscript", "torch")
    from rich.console import Console

    from a2m_edge.output import terminable
    from a2m_edge.terminal import print_markdown
    from export.models import load_models
    from export.timing.table import around_table, markdown, measure, replace_table, subjects

    if out is not None:
        around_table(out)  # refused now rather than after minutes
    models = load_models(*(CHECKPOINTS / kind for kind in ("encoder", "fusion", "decoder", "vocoder")))
    with terminable(), Console(stderr=True).status("measuring") as status:
        found = []
        for row in measure(subjects(models), threads):
            found.append(row)
            status.update(f"measured {row.model} {row.graph} {row.precision}")
    table = markdown(found, threads)
    if out is None:
        print_markdown(table)
    else:
        replace_table(out, table)


def require(*modules: str) -> None:
    """Refuses to begin without the parts that an export needs.

    Raises:
        MissingExtraError: naming the extra that installs them.
    """
    from importlib.util import find_spec

    from a2m_edge.errors import MissingExtraError

    for module in modules:
        if find_spec(module) is None:
            raise MissingExtraError(module, "train")
    if find_spec("onnxruntime") is None:
        raise MissingExtraError("onnxruntime", "cpu")


def read_precisions(values: Iterable[str]) -> Precisions:
    """What the user says of precisions: ``fp32``, ``fp16`` or ``int8``, or one of these for one graph.

    Raises:
        OptionError: a value is neither.
        ExportError: there is no such graph.
    """
    from typing import get_args

    from a2m_edge.bundle.manifest import Precision
    from a2m_edge.errors import OptionError
    from export.graphs.files import Precisions

    precisions = Precisions()
    kinds: dict[str, Precision] = {kind: kind for kind in get_args(Precision)}
    for value in values:
        graph, _, word = value.rpartition("=")
        if word not in kinds:
            raise OptionError(
                f"--precision is {value!r}: give fp32, fp16 or int8, or one of these for one graph, as vocoder=fp16"
            )
        kind = kinds[word]
        precisions = Precisions(precisions.everywhere, {**precisions.named, graph: kind}) if graph else Precisions(kind)
    return precisions


def _known_label(out: Path, sources: Collection[Path]) -> Label:
    """What can be said of a bundle unasked: all of the default one, and of others where the weights came from."""
    from a2m_edge.errors import encodable
    from export.bundle_writer import Label

    if all(source.resolve().parent == CHECKPOINTS for source in sources):
        return Label("a2m-s", "1", "CC-BY-NC-4.0", _read(CHECKPOINTS / "MODEL_CARD.md", "model card"))
    rows = "\n".join(f"- {encodable(source.name)}" for source in sources)
    card = f"# Model card\n\nNobody has described these weights yet. They were exported from\n\n{rows}\n"
    return Label(encodable(out.resolve().name), "1", "not stated", card)


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


def print_checks(checks: Iterable[Check]) -> None:
    """What was measured of each graph, at its worst, on standard output; nothing where nothing was measured."""
    from a2m_edge.terminal import Figures, Table, print_tables
    from export.proof.parity import summary

    columns = ("graph", "measured in ONNX Runtime against torch", Figures("worst"), Figures("limit"), Figures("cases"))
    table = Table("", columns)
    for graph, properties in summary(checks).items():
        for what, numbers in properties.items():
            table.add(graph, what, str(numbers["worst"]), str(numbers["limit"]), str(numbers["cases"]))
    if table.rows:
        print_tables(table)

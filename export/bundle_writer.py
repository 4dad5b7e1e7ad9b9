"""Checkpoints in, bundle out: whole, proven and in its place, or not at all."""

from __future__ import annotations

import importlib.metadata
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx
from tokenizers import Tokenizer

import a2m_edge
from a2m_edge.bundle import (
    COMPOSER,
    MANIFEST,
    SCHEMA,
    Bundle,
    Graph,
    Manifest,
    VocoderContext,
    open_bundle,
    seal_bundle,
)
from a2m_edge.errors import ExportError, OutputError
from export.bed import render_bed, write_silence
from export.graphs import OPSET, GraphPlan, export_graph, graph_bytes
from export.models import Models, load_models
from export.parity import Check, check_graph, check_quantised, check_tokens, require, summary
from export.plans import graph_plans
from export.quantisation import quantise_text_encoder
from export.utterances import difficult_texts, utterances
from training.models.hifigan import receptive_field_frames

_PROGRAMS = ("onnx", "onnxruntime", "onnxscript", "open_clip_torch", "tokenizers", "torch", "transformers")


@dataclass(frozen=True)
class Label:
    """What a bundle is called.

    Attributes:
        name, version: of the bundle.
        licence: of its weights.
        model_card: its text, Markdown.
    """

    name: str
    version: str
    licence: str
    model_card: str


@dataclass(frozen=True)
class Graphs:
    """The graphs of a bundle.

    Attributes:
        plans: what they were to be.
        full: as exported, fp32.
        shipped: as the bundle holds them; the text encoder is int8.
    """

    plans: tuple[GraphPlan, ...]
    full: dict[str, onnx.ModelProto]
    shipped: dict[str, onnx.ModelProto]


def export_bundle(
    *,
    encoder: Path,
    fusion: Path,
    decoder: Path,
    vocoder: Path,
    composer: Path,
    out: Path,
    label: Label,
    bed: Path | None = None,
    measured: dict[str, object] | None = None,
    validate: bool = True,
) -> tuple[Bundle, list[Check]]:
    """Exports four checkpoints as a bundle.

    Args:
        encoder, fusion, decoder, vocoder: checkpoint folders.
        composer: the composer's tables, ``composer.json``.
        out: the bundle's folder; a bundle that is already there is replaced.
        label: name, version, licence and model card.
        bed: the safe loop as a WAV file; None lets the bundle play it.
        measured: quality figures of the weights, for the manifest.
        validate: compare every graph with its model before anything is written.

    Returns:
        The bundle as it was opened, and what was checked.

    Raises:
        CheckpointError: a checkpoint is missing, damaged or of another kind.
        ExportError: the models do not fit together, or an exported graph differs from its model.
        OutputError: ``out`` cannot be written, or is something else than a bundle.
    """
    _refuse(out, composer, bed)  # before minutes of work
    models = load_models(encoder, fusion, decoder, vocoder)
    graphs = export_graphs(models)
    return write_bundle(models, graphs, composer, out, label, bed=bed, measured=measured, validate=validate)


def write_bundle(
    models: Models,
    graphs: Graphs,
    composer: Path,
    out: Path,
    label: Label,
    *,
    bed: Path | None = None,
    measured: dict[str, object] | None = None,
    validate: bool = True,
) -> tuple[Bundle, list[Check]]:
    """Compares graphs with the models they were exported from, and makes the bundle of them.

    Args, returns and raises are those of ``export_bundle``.
    """
    _refuse(out, composer, bed)
    checks = validate_graphs(models, graphs) if validate else []
    require(checks)
    manifest = _manifest(models, graphs, label, {**summary(checks)}, measured or {})
    with _placed_when_whole(out) as folder:
        for plan in graphs.plans:
            (folder / plan.file).write_bytes(graph_bytes(graphs.shipped[plan.name]))
        (folder / "tokenizer.json").write_text(bundle_tokenizer(models).to_str(), encoding="utf-8")
        if models.score is not None:
            shutil.copyfile(composer, folder / COMPOSER)
        (folder / "MODEL_CARD.md").write_text(label.model_card, encoding="utf-8")
        if bed is not None:
            shutil.copyfile(bed, folder / "bed.wav")
        else:
            write_silence(folder / "bed.wav", models.audio)  # the bundle has to be whole before it can play
            render_bed(seal_bundle(folder, manifest), folder / "bed.wav")
        seal_bundle(folder, manifest)
    return open_bundle(out), checks


def export_graphs(models: Models) -> Graphs:
    """Exports every model; nothing is compared yet.

    Raises:
        ExportError: a model cannot be exported.
    """
    plans = graph_plans(models)
    full = {plan.name: export_graph(plan) for plan in plans}
    return Graphs(plans, full, {**full, "text_encoder": quantise_text_encoder(full["text_encoder"])})


def validate_graphs(models: Models, graphs: Graphs) -> list[Check]:
    """Compares every exported graph, the int8 text encoder and the tokenizer with what was trained."""
    checks = [check for plan in graphs.plans for check in check_graph(plan, graph_bytes(graphs.full[plan.name]))]
    tokenizer = bundle_tokenizer(models)
    checks.append(check_tokens(lambda text: models.encoder.tokens([text])[0].tolist(), tokenizer, difficult_texts()))
    full, shipped = (graph_bytes(version["text_encoder"]) for version in (graphs.full, graphs.shipped))
    return [*checks, *check_quantised(full, shipped, tokenizer, utterances())]


def bundle_tokenizer(models: Models) -> Tokenizer:
    """The tokenizer of a bundle: cuts at the context length, special tokens included, and never pads."""
    tokenizer = Tokenizer.from_str(models.encoder.tokenizer.to_str())  # a copy
    tokenizer.enable_truncation(models.encoder.context_length)
    tokenizer.no_padding()
    return tokenizer


def _manifest(
    models: Models,
    graphs: Graphs,
    label: Label,
    parity: dict[str, object],
    measured: dict[str, object],
) -> Manifest:
    reach = receptive_field_frames(models.vocoder)
    return Manifest(
        schema=SCHEMA,
        name=label.name,
        version=label.version,
        licence=label.licence,
        audio=models.audio,
        embedding_size=models.embedding_size,
        fused_size=models.fused_size,
        emotions=models.emotions,
        roles=models.roles,
        instruments=models.instruments,
        image=models.encoder.image_preprocessing,
        text=models.text,
        score=models.score,
        decoder=models.decoding,
        vocoder=VocoderContext(reach, reach),
        graphs={plan.name: Graph(plan.file, OPSET, plan.inputs, plan.outputs) for plan in graphs.plans},
        versions=_versions(),
        parity=parity,
        measured=measured,
    )


def _versions() -> dict[str, str]:
    """Versions of the programs that exported; without the build of torch (``+cpu``), which changes no weight."""
    versions = {name: importlib.metadata.version(name).split("+")[0] for name in _PROGRAMS}
    return {"a2m-edge": a2m_edge.__version__, **versions}


def _refuse(out: Path, *sources: Path | None) -> None:
    """Refuses a place that holds something else than a bundle, and sources that are not there."""
    for source in sources:
        if source is not None and not source.is_file():
            raise ExportError(f"there is no file {source}, which the bundle needs: name another")
    if not out.parent.is_dir():
        raise OutputError(f"cannot write the bundle {out}: there is no folder {out.parent}; create it first")
    if out.is_symlink() or (out.exists() and not (out / MANIFEST).is_file() and not _is_empty(out)):
        raise OutputError(f"{out} exists and is no bundle: name another folder, or remove it")


def _is_empty(out: Path) -> bool:
    return out.is_dir() and not any(out.iterdir())


@contextmanager
def _placed_when_whole(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that takes its place when the block ends well, and vanishes when it does not."""
    mark = secrets.token_hex(8)
    aside, old = (out.parent / f".{out.name}.{mark}.{part}" for part in ("part", "old"))
    try:
        aside.mkdir()
        yield aside
        if out.exists():
            out.rename(old)
        try:
            aside.rename(out)
        except OSError:
            if old.exists():
                old.rename(out)
            raise
    except OSError as error:
        raise OutputError(f"cannot write the bundle {out}: {error.strerror or error}") from error
    finally:
        for left in (aside, old):
            if left.exists():
                shutil.rmtree(left)

"""Trained models in, bundle out: whole, proven and in its place, or not at all."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import a2m_edge
from a2m_edge.bundle import Bundle, open_bundle, seal_bundle
from a2m_edge.bundle.manifest import BED, COMPOSER, PICTURES, SCHEMA, SUBJECTS, Graph, Manifest, VocoderContext
from a2m_edge.bundle.placement import folder_beside, placed_when_whole, refuse
from a2m_edge.composer import ComposerTables
from a2m_edge.errors import ExportError
from a2m_edge.perception.picture_tables import PictureTables
from a2m_edge.sound.bed import read_bed
from export.bed import render_bed, write_silence
from export.graphs.export import OPSET
from export.graphs.files import FP32, GraphFile, Precisions, export_graphs, place
from export.models import Models
from export.proof.parity import Check, require, summary
from export.proof.validation import validate_graphs

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
class Companions:
    """The files of a bundle that are no graphs.

    Attributes:
        composer: the composer's tables; None for a decoder that takes no score.
        bed: the safe loop as a WAV file; None lets the bundle play it.
        pictures: what is known of paintings as a whole; None for a bundle that knows nothing of them.
    """

    composer: Path | None
    bed: Path | None = None
    pictures: Path | None = None

    def check(self, models: Models) -> None:
        """Refuses files with which a bundle of these models could not play.

        Raises:
            ExportError: the models need tables of a composer and none are named.
            BundleError: the bed cannot be played.
            BundleError: the tables of the composer, or of pictures, cannot be used.
        """
        if self.pictures is not None:
            PictureTables.read(self.pictures)
        if models.score is not None:
            if self.composer is None:
                raise ExportError("the decoder plays a score, and no composer's tables are named: name a composer.json")
            ComposerTables.read(self.composer)
        if self.bed is not None:
            read_bed(self.bed, models.audio)


def export_bundle(
    models: Models,
    out: Path,
    label: Label,
    companions: Companions,
    *,
    precisions: Precisions = FP32,
    opset: int = OPSET,
    validate: bool = True,
    feelings: Path | None = None,
    measured: dict[str, object] | None = None,
    prepare: Callable[[Bundle], None] | None = None,
) -> tuple[Bundle, list[Check]]:
    """Exports trained models, compares the graphs with them, and makes a bundle of them.

    Args:
        models: what becomes graphs.
        out, label, companions, measured, prepare: as in ``write_bundle``.
        precisions, opset: as in ``export_graphs``.
        validate: whether everything is compared with the models before anything is kept.
        feelings: as in ``validate_graphs``.

    Returns:
        The bundle as it was opened, and what was checked.

    Raises:
        ExportError: a model cannot be exported, an exported graph differs from its model, or a file is missing or
            not what it has to be.
        BundleError: the composer's tables cannot be used.
        DataError: ``feelings`` cannot be used.
        OutputError: ``out`` cannot be written, or is something else than a bundle.
    """
    refuse(out, companions.bed, feelings)
    companions.check(models)
    with folder_beside(out) as aside:
        shipped, full = aside / "shipped", aside / "full"
        shipped.mkdir()
        full.mkdir()
        graphs = export_graphs(models, shipped, full, precisions, opset)
        checks = validate_graphs(models, graphs, feelings) if validate else []
        require(checks)
        bundle = write_bundle(models, graphs, out, label, companions, checks=checks, measured=measured, prepare=prepare)
    return bundle, checks


def write_bundle(
    models: Models,
    graphs: Mapping[str, GraphFile],
    out: Path,
    label: Label,
    companions: Companions,
    *,
    checks: Iterable[Check] = (),
    measured: dict[str, object] | None = None,
    prepare: Callable[[Bundle], None] | None = None,
) -> Bundle:
    """Makes a bundle of graphs that were exported before.

    Args:
        models: what they were exported from.
        graphs: of ``export_graphs``.
        out: the bundle's folder; a bundle that is already there is replaced.
        label: name, version, licence and model card.
        companions: its further files.
        checks: how the graphs compare with the models, for the manifest.
        measured: quality figures of the weights, for the manifest.
        prepare: is given the whole bundle before it takes its place, and may still refuse it.

    Raises:
        ExportError: a file is missing or not what it has to be.
        BundleError: the composer's tables cannot be used.
        OutputError: ``out`` cannot be written, or is something else than a bundle.
    """
    refuse(out, companions.bed)
    companions.check(models)
    manifest = _manifest(models, label, {name: graph.description for name, graph in graphs.items()})
    with placed_when_whole(out) as folder:
        for graph in graphs.values():
            place(graph.shipped, graph.description, folder)
        (folder / "tokenizer.json").write_text(models.bundle_tokenizer.to_str(), encoding="utf-8")
        (folder / "MODEL_CARD.md").write_text(label.model_card, encoding="utf-8")
        if models.score is not None and companions.composer is not None:
            shutil.copyfile(companions.composer, folder / COMPOSER)
        if companions.pictures is not None:
            shutil.copyfile(companions.pictures, folder / PICTURES)
        if models.subjects is not None:
            (folder / SUBJECTS).write_text(models.subjects.config.tables.to_json(), encoding="utf-8")
        if companions.bed is not None:
            shutil.copyfile(companions.bed, folder / BED)
        else:
            _play_bed(graphs, manifest, folder)
        bundle = seal_bundle(folder, replace(manifest, parity={**summary(checks)}, measured=measured or {}))
        if prepare is not None:
            prepare(bundle)
    return open_bundle(out)


def _play_bed(graphs: Mapping[str, GraphFile], manifest: Manifest, folder: Path) -> None:
    """Writes the safe loop into a folder that has all else.

    The fp32 graphs play it: every machine runs these, whatever the bundle is for.
    """
    with folder_beside(folder) as whole:
        for graph in graphs.values():
            place(graph.full, graph.full_description, whole)
        for name in (*manifest.companions, SUBJECTS):
            if name != BED and (folder / name).is_file():
                shutil.copyfile(folder / name, whole / name)
        write_silence(whole / BED, manifest.audio)  # a bundle has to be whole before it can play
        descriptions = {name: graph.full_description for name, graph in graphs.items()}
        render_bed(seal_bundle(whole, replace(manifest, graphs=descriptions)), folder / BED)


def _manifest(models: Models, label: Label, graphs: dict[str, Graph]) -> Manifest:
    reach = models.cropped_vocoder.context
    return Manifest(
        schema=SCHEMA,
        name=label.name,
        version=label.version,
        licence=label.licence,
        audio=models.audio,
        embedding_size=models.embedding_size,
        fused_size=models.fused_size,
        encoder=models.fusion.config.encoder,
        emotions=models.emotions,
        roles=models.roles,
        instruments=models.instruments,
        image=models.encoder.image_preprocessing,
        text=models.text,
        score=models.score,
        decoder=models.decoding,
        vocoder=VocoderContext(reach, reach),
        graphs=graphs,
        versions=_versions(),
        parity={},
        measured={},
    )


def _versions() -> dict[str, str]:
    """Versions of the programs that exported; without the build of torch (``+cpu``), which changes no weight."""
    versions = {name: importlib.metadata.version(name).split("+")[0] for name in _PROGRAMS}
    return {"a2m-edge": a2m_edge.__version__, **versions}

"""Labels of pictures are a second output of the image encoder: exported, proven, named in the bundle, and played."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from a2m_edge.bundle.manifest import SUBJECTS, Graph
from a2m_edge.errors import CheckpointError
from a2m_edge.perception.encoders import Encoders
from a2m_edge.perception.subject_tables import SCHEMA, Kind, Label, Likeness, SubjectTables
from a2m_edge.rendering.render import Request, render
from export.bundle_writer import Companions, write_bundle
from export.graphs.export import OPSET, GraphPlan, export_graph, write_graph
from export.graphs.files import GraphFile
from export.graphs.plans import image_encoder_plan
from export.graphs.precision import reduce
from export.models import Models
from export.proof.parity import check_graph, require
from export.proof.reduction import check_reductions
from tests.fixtures.tiny_bundle.make import COMPOSER, LABEL
from training.models.fingerprint import weights_hash
from training.models.subjects import SubjectConfig, SubjectHead

NAMES: tuple[tuple[str, Kind], ...] = (
    ("sea", "subject"),
    ("church", "subject"),
    ("Baroque", "style"),
    ("Symbolism", "style"),
    ("17th century", "period"),
    ("18th century", "period"),
)
PICTURE = np.random.default_rng(1).integers(0, 256, (90, 120, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def labelled(tiny: Models) -> Models:
    """The tiny models with a trunk, a head, and labels of which the first is always told."""
    clip = deepcopy(tiny.encoder.clip)
    tower: Any = clip.visual
    tower.trunk, tower.head = nn.Sequential(tower.convolutions, nn.Flatten()), tower.out
    encoder = replace(tiny.encoder, clip=clip)
    labels = tuple(Label(name, kind, 1e-4 if name == "sea" else 0.4) for name, kind in NAMES)
    tables = SubjectTables(SCHEMA, labels, Likeness((0.0,) * tiny.embedding_size, 1.0, 1.0, 0.0, 0.5))
    torch.manual_seed(3)
    return replace(
        tiny, encoder=encoder, subjects=SubjectHead(SubjectConfig(4 * 7 * 7, tables, weights_hash(encoder))).eval()
    )


@pytest.fixture(scope="module")
def plan(labelled: Models) -> GraphPlan:
    return image_encoder_plan(labelled)


@pytest.fixture(scope="module")
def graph(plan: GraphPlan) -> onnx.ModelProto:
    return export_graph(plan)


def test_embeddings_and_labels_equal_those_of_the_models(plan: GraphPlan, graph: onnx.ModelProto) -> None:
    checks = check_graph(plan, graph.SerializeToString())
    require(checks)
    assert {check.what for check in checks} >= {"cosine of image_embedding", "difference of labels"}


def test_labels_that_differ_are_found(plan: GraphPlan, graph: onnx.ModelProto) -> None:
    other: Any = deepcopy(plan.module)
    with torch.no_grad():
        other.subjects.linear.bias += 0.1
    checks = check_graph(replace(plan, module=other), graph.SerializeToString())
    assert {check.what for check in checks if not check.holds} == {"difference of labels"}


def test_a_bundle_tells_what_the_models_tell(
    labelled: Models, plan: GraphPlan, graph: onnx.ModelProto, graphs: dict[str, GraphFile], tmp_path: Path
) -> None:
    file = tmp_path / plan.file
    write_graph(graph, file)
    described = Graph(plan.file, OPSET, plan.inputs, plan.outputs)
    whole = graphs | {"image_encoder": GraphFile(plan, file, file, described, described)}
    # Without a bed of its own it plays one, as the labelled bundle that it is.
    bundle = write_bundle(
        labelled, whole, tmp_path / "bundle", LABEL, Companions(COMPOSER), checks=check_graph(plan, file)
    )
    assert bundle.file("bed.wav").stat().st_size > 1000
    tables = SubjectTables.read(bundle.file(SUBJECTS))
    assert labelled.subjects is not None
    assert tables == labelled.subjects.config.tables
    assert "difference of labels" in str(bundle.manifest.parity["image_encoder"])
    sight = Encoders(bundle, device="cpu").see(PICTURE)
    assert "sea" in sight.subjects
    facts = render(Request(tmp_path / "x.png", None, 0.5), bundle, device="cpu", painting=PICTURE).facts
    assert facts["subjects"] == {name: round(sure, 4) for name, sure in sight.subjects.shown.items()}
    assert (facts["style"], facts["period"]) == (sight.subjects.style or None, sight.subjects.period or None)


def test_labels_in_half_precision_are_held_against_full(
    labelled: Models, plan: GraphPlan, graph: onnx.ModelProto, tmp_path: Path
) -> None:
    full, less = tmp_path / "full.onnx", tmp_path / "less.onnx"
    write_graph(graph, full)
    write_graph(reduce(graph, plan, "fp16"), less)
    described = Graph(plan.file, OPSET, plan.inputs, plan.outputs)
    found = GraphFile(plan, full, less, described, replace(described, precision="fp16"))
    checks = check_reductions({"image_encoder": found}, labelled)
    assert "difference of fp16 to fp32, labels" in {check.what for check in checks}
    require(checks)


def test_labels_of_another_encoder_are_refused(tiny: Models, labelled: Models) -> None:
    with pytest.raises(CheckpointError, match="has no trunk"):
        replace(tiny, subjects=labelled.subjects)
    other: Any = deepcopy(labelled.encoder.clip)
    with torch.no_grad():
        other.visual.out.bias += 1
    with pytest.raises(CheckpointError, match="features of another encoder"):
        replace(labelled, encoder=replace(labelled.encoder, clip=other))


def test_facts_of_a_bundle_without_labels_tell_nothing(tiny_bundle) -> None:
    facts = render(Request(Path("x.png"), None, 0.5), tiny_bundle, device="cpu", painting=PICTURE).facts
    assert (facts["subjects"], facts["style"], facts["period"]) == ({}, None, None)

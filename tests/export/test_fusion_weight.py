"""How much a comment says is a further output of the fusion: exported, proven, and heeded by the runtime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import nn

from a2m_edge.bundle.manifest import Graph
from a2m_edge.perception.encoders import Encoders
from a2m_edge.perception.picture_tables import PictureTables, Spread
from export.bundle_writer import Companions, write_bundle
from export.graphs.export import OPSET, export_graph, write_graph
from export.graphs.files import GraphFile
from export.graphs.plans import fusion_plan
from export.models import Models
from export.proof.parity import check_graph, require
from tests.fixtures.tiny_bundle.make import COMPOSER, LABEL
from training.models.fusion import Fusion

PICTURE = np.random.default_rng(1).integers(0, 256, (90, 120, 3), dtype=np.uint8)
SPREAD = Spread((-0.5, 0.0, 0.5), (-0.9, 0.1, 0.9))


def weighing(tiny: Models, says: float) -> Models:
    """The tiny models, whose fusion takes every comment to say so much."""
    torch.manual_seed(5)
    fusion = Fusion(replace(tiny.fusion.config, weighs=True))
    fusion.load_state_dict(fusion.state_dict() | tiny.fusion.state_dict())
    with torch.no_grad():
        last = cast(nn.Linear, fusion.weight_head[2])
        last.weight.zero_()
        last.bias.fill_(float(np.log(says / (1 - says))))
    return replace(tiny, fusion=fusion.eval())


def encoders(models: Models, graphs: dict[str, GraphFile], folder: Path) -> Encoders:
    """Of a bundle with this fusion, that spreads what is felt before pictures."""
    plan = fusion_plan(models)
    folder.mkdir()
    write_graph(export_graph(plan), folder / plan.file)
    described = Graph(plan.file, OPSET, plan.inputs, plan.outputs)
    whole = graphs | {"fusion": GraphFile(plan, folder / plan.file, folder / plan.file, described, described)}
    bundle = write_bundle(models, whole, folder / "bundle", LABEL, Companions(COMPOSER), checks=[])
    return Encoders(bundle, device="cpu", tables=PictureTables(valence=SPREAD, arousal=SPREAD))


def test_it_is_exported_and_equals_the_model(tiny: Models) -> None:
    plan = fusion_plan(weighing(tiny, 0.3))
    assert plan.outputs[-1].name == "weight"
    checks = check_graph(plan, export_graph(plan).SerializeToString())
    require(checks)
    assert "weight" in str([check.what for check in checks])


@pytest.mark.parametrize("says", [0.001, 0.999])
def test_a_comment_moves_what_is_felt_as_far_as_it_says_something(
    says: float, tiny: Models, graphs: dict[str, GraphFile], tmp_path: Path
) -> None:
    felt = encoders(weighing(tiny, says), graphs, tmp_path / "weighing")
    sight, words = felt.see(PICTURE), felt.comment("hello")
    alone, both = felt.feel(sight, None).feeling, felt.feel(sight, words).feeling
    moved = max(abs(both.valence - alone.valence), abs(both.arousal - alone.arousal))
    if says < 0.5:
        assert moved < 0.01
        np.testing.assert_allclose(both.emotions, alone.emotions, atol=0.01)
    else:
        assert moved > 0.02
        assert abs(float(both.emotions.sum()) - 1) < 1e-5

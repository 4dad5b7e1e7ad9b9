"""Engines: built here, proven, kept, and found out when they were altered. A build takes minutes."""

from __future__ import annotations

import logging
import sys

import numpy as np
import onnxruntime
import pytest

from a2m_edge.inference.providers import TENSORRT
from a2m_edge.inference.sessions import ENGINE, build_engines, open_session
from a2m_edge.inference.shapes import engine_profiles, input_shapes, vocoder_sizes
from a2m_edge.inference.tensorrt.cache import EngineCache
from a2m_edge.inference.tensorrt.opening import PLAN, find_tensorrt
from a2m_edge.inference.tensorrt.parity import Parity, measure_parity, parity_cases, require_parity
from a2m_edge.inference.tensorrt.provider import provider_offered
from a2m_edge.sound.format import FORMATS
from tests.fixtures.gpu_runs import Run

pytestmark = [pytest.mark.gpu, pytest.mark.slow]


@pytest.fixture
def tensorrt(gpu):
    found = find_tensorrt()
    if found is None:
        pytest.skip("TensorRT is not installed as a Python package")
    return found


def test_engines_are_built_proven_and_found_again(default_bundle, tensorrt):
    told = []
    built = build_engines(default_bundle, lambda graph, share: told.append((graph, share)))
    assert "vocoder" in built
    for graph, record in built.items():
        shares = [share for name, share in told if name == graph]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0
        measure = next(name for name in record.parity if name not in ("limit", "cases"))
        assert Parity(measure, record.parity[measure], 1).holds
    told.clear()
    assert build_engines(default_bundle, lambda graph, share: told.append((graph, share))) == built
    assert told == []  # nothing was built


def test_an_engine_runs_every_shape_of_a_stream_and_of_a_render(default_bundle, tensorrt):
    manifest = default_bundle.manifest
    engine, reference = (open_session(default_bundle, "vocoder", device) for device in ("tensorrt", "cpu"))
    assert (engine.device, engine.provider) == ("tensorrt", ENGINE)
    generator = np.random.default_rng(0)
    results = []
    for sizes in [vocoder_sizes(manifest, frames) for frames in (FORMATS["22k-mono"].chunk_frames, 1, 7, 300, 1)]:
        shapes = input_shapes(manifest.graphs["vocoder"].inputs, sizes)
        inputs = {name: generator.standard_normal(shape, np.float32) for name, shape in shapes.items()}
        results.append((engine.run(**inputs)["waveform"], reference.run(**inputs)["waveform"]))
    for found, expected in results:  # compared last: no later run may have written into an earlier result
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= 1e-3
    with pytest.raises(ValueError, match="not built for the shapes"):
        engine.warm_up([vocoder_sizes(manifest, 1, batch=2)])


@pytest.mark.parametrize("graph", ["image_encoder", "vocoder"])
def test_half_precision_stays_forty_decibels_above_its_noise(half_bundle, default_bundle, tensorrt, graph):
    engine = open_session(half_bundle, graph, "tensorrt")
    assert engine.device == "tensorrt"
    cases = parity_cases(half_bundle, graph, engine_profiles(half_bundle.manifest, graph))
    reference = Run(open_session(default_bundle, graph, "cpu"))  # in full precision
    require_parity(graph, measure_parity(half_bundle, graph, reference, Run(engine), cases))


def test_the_decoder_and_the_fusion_stay_on_onnx_runtime(default_bundle, tensorrt):
    for graph in ("mel_decoder", "fusion"):
        assert open_session(default_bundle, graph, "tensorrt").device == "cuda"


def test_an_altered_plan_is_built_again(tiny_bundle, tensorrt, caplog):
    open_session(tiny_bundle, "vocoder", "tensorrt")
    (plan,) = EngineCache().folder.glob(f"vocoder-*/{PLAN}")
    content = bytearray(plan.read_bytes())
    content[len(content) // 2] ^= 1
    plan.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert open_session(tiny_bundle, "vocoder", "tensorrt").device == "tensorrt"
    assert "not built here or was altered" in caplog.text
    assert plan.read_bytes() != bytes(content)


def test_onnx_runtimes_own_provider_is_the_second_way(tiny_bundle, monkeypatch):
    if not provider_offered(onnxruntime):
        pytest.skip("the libraries of TensorRT are not installed for the whole system")
    monkeypatch.setitem(sys.modules, "tensorrt", None)  # as where there is no Python package of it
    built = build_engines(tiny_bundle)
    assert all(record.key.builder.startswith("ONNX Runtime") for record in built.values())
    engines = {path: path.stat().st_mtime_ns for path in EngineCache().folder.glob("*/*.engine")}
    assert engines
    session = open_session(tiny_bundle, "vocoder", "tensorrt")
    assert (session.device, session.provider) == ("tensorrt", TENSORRT)
    assert {path: path.stat().st_mtime_ns for path in engines} == engines  # nothing was built
    cases = parity_cases(tiny_bundle, "vocoder", engine_profiles(tiny_bundle.manifest, "vocoder"))
    reference = Run(open_session(tiny_bundle, "vocoder", "cpu"))
    require_parity("vocoder", measure_parity(tiny_bundle, "vocoder", reference, Run(session), cases))

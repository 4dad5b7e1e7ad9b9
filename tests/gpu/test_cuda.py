"""ONNX Runtime on a GPU computes what it computes on the CPU."""

from __future__ import annotations

import numpy as np
import pytest

from a2m_edge.inference.sessions import open_session
from a2m_edge.inference.shapes import engine_profiles, input_shapes, usual_sizes, vocoder_sizes
from a2m_edge.inference.tensorrt.opening import ENGINE_GRAPHS
from a2m_edge.inference.tensorrt.parity import measure_parity, parity_cases, require_parity
from a2m_edge.sound.format import FORMATS
from tests.fixtures.gpu_runs import Run

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("graph", ENGINE_GRAPHS)
def test_encoders_and_vocoder_agree_with_the_cpu(default_bundle, graph):
    session = open_session(default_bundle, graph, "cuda")
    assert (session.device, session.provider) == ("cuda", "CUDAExecutionProvider")
    cases = parity_cases(default_bundle, graph, engine_profiles(default_bundle.manifest, graph))
    reference = Run(open_session(default_bundle, graph, "cpu"))
    require_parity(graph, measure_parity(default_bundle, graph, reference, Run(session), cases))


@pytest.mark.parametrize("graph", ["fusion", "mel_decoder"])
def test_fusion_and_decoder_agree_with_the_cpu(default_bundle, graph):
    on_gpu, on_cpu = (open_session(default_bundle, graph, device) for device in ("cuda", "cpu"))
    assert on_gpu.device == "cuda"
    generator = np.random.default_rng(0)
    inputs = default_bundle.manifest.graphs[graph].inputs
    for sizes in usual_sizes(default_bundle.manifest, graph):
        arrays = {
            name: generator.uniform(0, 1, shape).astype(np.float32)
            for name, shape in input_shapes(inputs, sizes).items()
        }
        found, expected = on_gpu.run(**arrays), on_cpu.run(**arrays)
        for name, array in expected.items():
            assert np.abs(found[name] - array).max() <= 1e-3


@pytest.mark.parametrize("graph", ["image_encoder", "vocoder"])
def test_half_precision_stays_forty_decibels_above_its_noise(half_bundle, default_bundle, graph):
    cases = parity_cases(half_bundle, graph, engine_profiles(half_bundle.manifest, graph))
    reference = Run(open_session(default_bundle, graph, "cpu"))  # in full precision
    session = open_session(half_bundle, graph, "cuda")
    assert session.device == "cuda"
    require_parity(graph, measure_parity(half_bundle, graph, reference, Run(session), cases))


def test_auto_takes_the_gpu(default_bundle, caplog):
    assert open_session(default_bundle, "vocoder", "auto").device == "cuda"
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_chunks_of_the_vocoder_join_without_a_seam(default_bundle):
    manifest = default_bundle.manifest
    left, right, hop = manifest.vocoder.left, manifest.vocoder.right, manifest.audio.hop
    session = open_session(default_bundle, "vocoder", "cuda")
    frames = 4 * FORMATS["22k-mono"].chunk_frames
    generator = np.random.default_rng(0)
    shapes = input_shapes(manifest.graphs["vocoder"].inputs, vocoder_sizes(manifest, frames))
    whole = {name: generator.standard_normal(shape, np.float32) for name, shape in shapes.items()}
    expected = session.run(**whole)["waveform"][0, 0]
    for begin in range(0, frames, FORMATS["22k-mono"].chunk_frames):  # in the frames that are heard
        end = begin + left + FORMATS["22k-mono"].chunk_frames + right
        part = {
            name: np.ascontiguousarray(array[..., begin:end] if name == "mel" else array[..., begin * hop : end * hop])
            for name, array in whole.items()
        }
        found = session.run(**part)["waveform"][0, 0]
        assert np.abs(found - expected[begin * hop : (begin + FORMATS["22k-mono"].chunk_frames) * hop]).max() <= 1e-3

"""Buffers that stay: the same results as without them, and never those of another run."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from a2m_edge.inference.executors import KEPT_SHAPES, BoundExecutor, PlainExecutor, ProfiledExecutor
from a2m_edge.inference.sessions import session_options
from a2m_edge.inference.shapes import Profile, input_shapes, vocoder_sizes


def session_on(bundle, graph):
    path = bundle.file(bundle.manifest.graphs[graph].file)
    return onnxruntime.InferenceSession(str(path), session_options(1), providers=["CPUExecutionProvider"])


def mel_of(bundle, frames, seed):
    generator = np.random.default_rng(seed)
    shapes = input_shapes(bundle.manifest.graphs["vocoder"].inputs, vocoder_sizes(bundle.manifest, frames))
    return {name: generator.standard_normal(shape, np.float32) for name, shape in shapes.items()}


@given(lengths=st.lists(st.integers(1, 2 * KEPT_SHAPES), min_size=1, max_size=30))
@settings(max_examples=20, deadline=None)
def test_kept_buffers_change_no_result(tiny_bundle, lengths):
    session = session_on(tiny_bundle, "vocoder")
    plain, bound = PlainExecutor(session), BoundExecutor(onnxruntime, session, "cpu")
    cases = [mel_of(tiny_bundle, frames, seed) for seed, frames in enumerate(lengths)]
    found = [bound.run(case)["waveform"] for case in cases]
    for case, waveform in zip(cases, found, strict=True):  # compared last: no later run may have written into it
        np.testing.assert_array_equal(waveform, plain.run(case)["waveform"])


def test_views_and_orders_of_inputs_do_not_matter(tiny_bundle):
    session = session_on(tiny_bundle, "vocoder")
    case = mel_of(tiny_bundle, 9, 0)
    views = {name: np.repeat(array, 2, axis=-1)[..., ::2] for name, array in reversed(case.items())}
    found = BoundExecutor(onnxruntime, session, "cpu").run(views)["waveform"]
    np.testing.assert_array_equal(found, PlainExecutor(session).run(case)["waveform"])


def test_a_run_that_fails_leaves_the_others_as_they_are(tiny_bundle):
    bound = BoundExecutor(onnxruntime, session_on(tiny_bundle, "vocoder"), "cpu")
    case = mel_of(tiny_bundle, 9, 0)
    before = bound.run(case)["waveform"]
    for wrong in ({"mel": case["mel"]}, {**case, "more": case["mel"]}):
        with pytest.raises(ValueError, match="the graph takes excitation, mel"):
            bound.run(wrong)
    with pytest.raises(Exception, match="mel"):
        bound.run({**case, "mel": case["mel"][:, :7]})
    np.testing.assert_array_equal(bound.run(case)["waveform"], before)


def test_several_outputs_keep_their_names(tiny_bundle):
    session = session_on(tiny_bundle, "fusion")
    size = tiny_bundle.manifest.embedding_size
    inputs = {
        "image_embedding": np.ones((2, size), np.float32),
        "text_embedding": np.zeros((2, size), np.float32),
        "present": np.ones((2, 2), np.float32),
    }
    bound, plain = BoundExecutor(onnxruntime, session, "cpu").run(inputs), PlainExecutor(session).run(inputs)
    assert list(bound) == list(plain)
    for name, array in plain.items():
        np.testing.assert_array_equal(bound[name], array)


def test_shapes_outside_a_profile_do_not_come_through():
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "echo",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    executor = ProfiledExecutor(PlainExecutor(session), Profile({"x": (2,)}, {"x": (3,)}, {"x": (4,)}))
    for length in (2, 3, 4):
        assert executor.run({"x": np.zeros(length, np.float32)})["y"].shape == (length,)
    for length in (0, 1, 5):
        with pytest.raises(ValueError, match="not built for the shapes"):
            executor.run({"x": np.zeros(length, np.float32)})

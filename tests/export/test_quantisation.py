"""Graphs in int8: what is rounded, by how much, and which graphs are refused."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from a2m_edge.bundle.manifest import GRAPHS, Precision
from a2m_edge.errors import ExportError
from a2m_edge.inference.agreement import cosines
from export.graphs.export import graph_bytes
from export.graphs.plans import graph_plans
from export.graphs.precision import reduce, suits
from export.graphs.quantisation import product_share, quantise, to_int8
from export.proof.parity import open_graph
from tests.fixtures.places import ROOT, TINY_BUNDLE
from tests.fixtures.tiny_bundle.make import tiny_models

FLOAT, INT8, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT8, onnx.TensorProto.INT64
PLANS = {plan.name: plan for plan in graph_plans(tiny_models())}
FULL = tuple(name for name in GRAPHS if name != "text_encoder")
"""The graphs that the tiny bundle holds in fp32."""


def tiny(name: str) -> onnx.ModelProto:
    return onnx.load(TINY_BUNDLE / f"{name}.onnx")


def graph(
    nodes: list[onnx.NodeProto], weights: dict[str, NDArray[Any]], shape: list[str | int], kind: int = FLOAT
) -> onnx.ModelProto:
    """A graph from ``x`` to a matrix ``y``."""
    made = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", FLOAT, ["rows", "columns"])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model


def run(model: onnx.ModelProto, x: NDArray[Any]) -> NDArray[np.float32]:
    onnx.checker.check_model(model, full_check=True)
    return np.asarray(open_graph(graph_bytes(model)).run(None, {"x": x})[0])


def stored(model: onnx.ModelProto) -> dict[str, NDArray[Any]]:
    return {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}


@given(
    arrays(np.float32, array_shapes(min_dims=2, max_dims=3, max_side=6), elements=st.floats(-100, 100, width=16)),
    st.integers(-2, -1),
)
def test_rounding_moves_no_weight_by_more_than_half_a_step(weights: NDArray[np.float32], axis: int) -> None:
    integers, scales = quantise(weights, axis)
    assert integers.dtype == np.int8
    assert integers.min() >= -127
    assert scales.shape == tuple(1 if place == weights.ndim + axis else n for place, n in enumerate(weights.shape))
    assert np.all(np.abs(integers * scales - weights) <= scales * 0.5001)


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(["MatMul", "left MatMul", "Gemm"]), st.booleans(), st.booleans(), st.integers(0, 99))
def test_a_product_in_int8_errs_by_no_more_than_half_a_step_of_each_result(
    kind: str, turn: bool, turn_x: bool, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    weights = generator.standard_normal((5, 7), np.float32) * np.exp(generator.standard_normal((1, 7))).astype("f4")
    x = generator.standard_normal((3, 5), np.float32)
    if kind == "MatMul":
        node, fed, kept = helper.make_node("MatMul", ["x", "w"], ["y"]), x, weights
    elif kind == "left MatMul":
        node, fed, kept = helper.make_node("MatMul", ["w", "x"], ["y"]), x.T.copy(), weights.T.copy()
    else:
        node = helper.make_node("Gemm", ["x", "w"], ["y"], transA=int(turn_x), transB=int(turn))
        fed = x.T.copy() if turn_x else x
        kept = weights.T.copy() if turn else weights
    small = to_int8(graph([node], {"w": kept}, list(fed.shape)))
    assert stored(small)["w.int8"].shape == kept.shape
    assert stored(small)["w.scale"].size == 7
    found = run(small, fed)
    expected = x @ weights
    steps = np.abs(weights).max(0) / 127
    error = np.abs((found.T if kind == "left MatMul" else found) - expected)
    assert np.all(error <= 0.501 * steps * np.abs(x).sum(1, keepdims=True) + 1e-5)


def test_rows_of_a_table_are_restored_only_when_they_are_looked_up() -> None:
    table = np.random.default_rng(0).standard_normal((1000, 8), np.float32) * np.float32(3)
    model = graph([helper.make_node("Gather", ["table", "x"], ["y"])], {"table": table}, ["n"], INT64)
    small = to_int8(model)
    looked_up = [node.input[0] for node in small.graph.node if node.op_type == "Gather"]
    assert set(looked_up) == {"table.int8", "table.scale"}
    assert len(graph_bytes(small)) < 0.5 * len(graph_bytes(model))
    places = np.array([0, 999, 999, 3])
    np.testing.assert_allclose(run(small, places), table[places], atol=float(np.abs(table).max()) / 250)


def test_a_table_that_is_multiplied_too_serves_both() -> None:
    table = np.random.default_rng(0).standard_normal((20, 8), np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "x"], ["rows"]),
        helper.make_node("Transpose", ["table"], ["turned"]),
        helper.make_node("MatMul", ["rows", "turned"], ["scores"]),
        helper.make_node("MatMul", ["scores", "table"], ["y"]),
    ]
    small = to_int8(graph(nodes, {"table": table}, ["n"], INT64))
    assert set(stored(small)) == {"table.int8", "table.scale"}
    expected = (table[[4, 2]] @ table.T @ table).astype(np.float32)
    assert cosines(run(small, np.array([4, 2])), expected).min() > 0.999


def test_what_is_no_matrix_of_a_product_stays_as_it_is() -> None:
    generator = np.random.default_rng(0)
    kept = {
        "kernel": generator.standard_normal((4, 3, 3), np.float32),
        "bias": generator.standard_normal(4).astype(np.float32),
        "vector": generator.standard_normal(8).astype(np.float32),
        "shift": generator.standard_normal((1, 4, 1), np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "kernel", "bias"], ["heard"]),
        helper.make_node("Add", ["heard", "shift"], ["moved"]),
        helper.make_node("MatMul", ["moved", "vector"], ["y"]),
    ]
    model = graph(nodes, kept, [1, 3, 10])
    assert product_share(model) == 0
    small = to_int8(model)
    for name, array in kept.items():
        np.testing.assert_array_equal(stored(small)[name], array)


def test_an_lstm_in_int8() -> None:
    small = reduce(tiny("mel_decoder"), PLANS["mel_decoder"], "int8")
    made = {name: node for node in small.graph.node for name in node.output}
    layers = [node for node in small.graph.node if node.op_type == "LSTM"]
    assert len(layers) == 3
    for name in (name for layer in layers for name in layer.input[1:3]):
        assert made[name].op_type == "Mul"
        assert stored(small)[f"{name}.int8"].dtype == np.int8
    inputs = PLANS["mel_decoder"].sample(8, 64, np.random.default_rng(0))
    feeds = {tensor.name: array for tensor, array in zip(PLANS["mel_decoder"].inputs, inputs, strict=True)}
    full, session = open_graph(TINY_BUNDLE / "mel_decoder.onnx"), open_graph(graph_bytes(small))
    mel = session.run(None, feeds)[0]
    error = np.abs(mel - full.run(None, feeds)[0])
    assert 0 < error.mean() < 0.02
    # A window gives the same mel whether it is decoded alone or among others: a stream of chunks equals the whole.
    alone = [session.run(None, {name: array[row : row + 1] for name, array in feeds.items()})[0] for row in range(8)]
    np.testing.assert_allclose(np.concatenate(alone), mel, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("vocoder", r"int8 weights left its sound 32 dB above the error, .*; fp16 leaves 74 dB, choose fp16 or fp32"),
        ("image_encoder", r"only 65% of its weights are in matrix products and LSTMs, .* choose fp16 or fp32"),
        ("fusion", r"what is felt is read off it, .* leave it fp32"),
    ],
)
def test_int8_is_refused_where_it_harms_or_gains_nothing(name: str, reason: str) -> None:
    with pytest.raises(ExportError, match=rf"^{name} cannot be int8: {reason}$"):
        reduce(tiny(name), PLANS[name], "int8")


def test_a_fusion_keeps_its_precision() -> None:
    with pytest.raises(ExportError, match=r"^fusion cannot be fp16: what is felt is read off it"):
        reduce(tiny("fusion"), PLANS["fusion"], "fp16")


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("name", FULL)
def test_what_suits_is_what_is_not_refused_and_the_graph_stays_as_it_was(name: str, precision: Precision) -> None:
    model = tiny(name)
    before = graph_bytes(model)
    try:
        reduced = reduce(model, PLANS[name], precision)
    except ExportError:
        assert not suits(model, PLANS[name], precision)
    else:
        assert suits(model, PLANS[name], precision)
        assert (len(graph_bytes(reduced)) < len(before)) == (precision != "fp32")
        assert list(reduced.graph.input) == list(model.graph.input)
        assert list(reduced.graph.output) == list(model.graph.output)
        assert list(reduced.metadata_props) == list(model.metadata_props)
    assert graph_bytes(model) == before


@pytest.mark.slow
def test_two_processes_reduce_to_the_same_bytes() -> None:
    code = (
        "import hashlib; from tests.export.test_quantisation import *\n"
        "for name, precision in (('mel_decoder', 'int8'), ('mel_decoder', 'fp16'), ('image_encoder', 'fp16')):\n"
        "    print(hashlib.sha256(graph_bytes(reduce(tiny(name), PLANS[name], precision))).hexdigest())"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 3

"""Graphs in half precision: what is in fp16, what stays in fp32, and what a GPU would make of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from a2m_edge.errors import ExportError
from export.graphs.export import write_graph
from export.graphs.half import open_as_on_gpu, to_half
from export.graphs.plans import graph_plans
from export.graphs.precision import reduce
from export.proof.parity import open_graph
from tests.fixtures.places import ROOT, TINY_BUNDLE
from tests.fixtures.tiny_bundle.make import tiny_models

FLOAT, HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
PLANS = {plan.name: plan for plan in graph_plans(tiny_models())}
NAMES = ("image_encoder", "mel_decoder", "vocoder")
PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "LSTM", "MatMul")
DELICATE = ("LayerNormalization", "ReduceL2", "ReduceMean", "Softmax")


def graph(nodes: list[onnx.NodeProto], weights: dict[str, NDArray[Any]], *shape: int) -> onnx.ModelProto:
    """A graph from ``x`` [rows, *shape] to ``y`` of as many axes."""
    made = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("x", FLOAT, ["rows", *shape])],
        [helper.make_tensor_value_info("y", FLOAT, [None] * (1 + len(shape)))],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def run_on_gpu(model: onnx.ModelProto, x: NDArray[np.float32], folder: Path, inline_limit: int = 1 << 30) -> Any:
    write_graph(model, folder / "half.onnx", inline_limit)
    return open_as_on_gpu(folder / "half.onnx").run(None, {"x": x})[0]


def element_types(model: onnx.ModelProto) -> dict[str, int]:
    """The element type of every value of a graph."""
    inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True).graph
    values = (*inferred.value_info, *inferred.input, *inferred.output)
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    return types | {item.name: item.data_type for item in inferred.initializer}


@pytest.mark.parametrize("name", NAMES)
def test_products_are_in_fp16_and_delicate_sums_and_both_ends_in_fp32(name: str) -> None:
    model = onnx.load(TINY_BUNDLE / f"{name}.onnx")
    half = reduce(model, PLANS[name], "fp16")
    onnx.checker.check_model(half, full_check=True)
    types = element_types(half)
    assert {types[value.name] for value in (*half.graph.input, *half.graph.output)} == {FLOAT}
    given = {value.name for value in half.graph.input}
    for node in half.graph.node:
        floats = {types[value] for value in (*node.input, *node.output) if types.get(value) in (FLOAT, HALF)}
        if node.op_type in ("Slice", "Unsqueeze") and node.input[0] in given:
            given.update(node.output)
        if node.op_type in PRODUCTS:
            begins = node.op_type == "Conv" and node.input[0] in given
            assert floats == ({FLOAT} if begins else {HALF})
        elif node.op_type in DELICATE:
            assert floats == {FLOAT}
    last = max(place for place, node in enumerate(half.graph.node) if node.op_type in PRODUCTS)
    tail = [node for node in half.graph.node[last + 1 :] if node.op_type != "Cast"]
    assert tail
    assert not any(types.get(value) == HALF for node in tail for value in (*node.input, *node.output))


@pytest.mark.parametrize("name", NAMES)
def test_no_value_is_rounded_between_two_nodes_in_fp32(name: str) -> None:
    half = reduce(onnx.load(TINY_BUNDLE / f"{name}.onnx"), PLANS[name], "fp16")
    types = element_types(half)
    made = {value: node for node in half.graph.node for value in node.output}
    for node in half.graph.node:
        if node.op_type == "Cast" and types[node.output[0]] == FLOAT and types[node.input[0]] == HALF:
            before = made.get(node.input[0])
            assert before is None or before.op_type != "Cast"
    read = {value for node in half.graph.node for value in node.input} | {value.name for value in half.graph.output}
    assert all(set(node.output) & read for node in half.graph.node)


@pytest.mark.parametrize("name", NAMES)
def test_a_graph_in_fp16_does_nearly_what_it_did(name: str, tmp_path: Path) -> None:
    plan = PLANS[name]
    half = reduce(onnx.load(TINY_BUNDLE / f"{name}.onnx"), plan, "fp16")
    write_graph(half, tmp_path / plan.file)
    full, less = open_graph(TINY_BUNDLE / plan.file), open_as_on_gpu(tmp_path / plan.file)
    generator = np.random.default_rng(0)
    for batch, length in ((1, 1), (2, 33)):
        inputs = plan.sample(batch, length, generator)
        feeds = {tensor.name: array for tensor, array in zip(plan.inputs, inputs, strict=True)}
        expected, found = full.run(None, feeds)[0], less.run(None, feeds)[0]
        assert found.dtype == np.float32
        error = np.abs(found - expected)
        assert 0 < error.max() < 0.01 * np.abs(expected).max()


def test_masks_beyond_fp16_still_mask(tmp_path: Path) -> None:
    mask = np.array([0, np.finfo(np.float32).min, 0, -np.inf], np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "keys"], ["scores"]),
        helper.make_node("Add", ["scores", "mask"], ["masked"]),
        helper.make_node("Softmax", ["masked"], ["weights"], axis=-1),
        helper.make_node("MatMul", ["weights", "values"], ["y"]),
    ]
    generator = np.random.default_rng(0)
    keys, values = (10 * generator.standard_normal(shape, np.float32) for shape in ((8, 4), (4, 4)))
    x = generator.standard_normal((5, 8), np.float32)
    half = to_half(graph(nodes, {"keys": keys, "mask": mask, "values": values}, 8))
    found = run_on_gpu(half, x, tmp_path)
    scores = x @ keys + mask
    weights = np.exp(scores - scores.max(1, keepdims=True))
    expected = weights / weights.sum(1, keepdims=True) @ values
    assert np.abs(found - expected).max() < 0.02 * np.abs(values).max()


def test_a_weight_that_is_read_in_both_precisions(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["product"]),
        helper.make_node("ReduceSum", ["w"], ["sum"], keepdims=0),
        helper.make_node("Add", ["product", "sum"], ["moved"]),
        helper.make_node("MatMul", ["moved", "w"], ["y"]),
    ]
    w = np.random.default_rng(0).standard_normal((6, 6), np.float32)
    half = to_half(graph(nodes, {"w": w}, 6))
    onnx.checker.check_model(half, full_check=True)
    x = np.random.default_rng(1).standard_normal((3, 6), np.float32)
    np.testing.assert_allclose(run_on_gpu(half, x, tmp_path), (x @ w + w.sum()) @ w, rtol=0.01, atol=0.03)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 999))
def test_a_cpu_rounds_every_value_that_a_gpu_holds_in_fp16(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    generator = np.random.default_rng(seed)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Add", ["h", "b"], ["heard"]),
        helper.make_node("Relu", ["heard"], ["bright"]),
        helper.make_node("MatMul", ["bright", "v"], ["y"]),
    ]
    x, w, v = (generator.standard_normal(shape, np.float32) for shape in ((3, 4), (4, 6), (6, 2)))
    b = generator.standard_normal(6).astype(np.float32)
    half = to_half(graph(nodes, {"w": w, "b": b, "v": v}, 4))
    found = run_on_gpu(half, x, tmp_path_factory.mktemp("half"))

    def rounded(values: NDArray[Any]) -> NDArray[np.float32]:
        return values.astype(np.float16).astype(np.float32)

    bright = np.maximum(rounded(rounded(rounded(x) @ rounded(w)) + rounded(b)), 0)
    expected = rounded(bright @ rounded(v))
    # Sums in another order may round to the neighbour, and the next product spreads that.
    np.testing.assert_allclose(found, expected, atol=2**-8, rtol=2**-9)
    assert np.array_equal(found, rounded(found))


def test_an_overflow_on_a_gpu_is_seen_on_a_cpu(tmp_path: Path) -> None:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("MatMul", ["h", "w"], ["y"])]
    half = to_half(graph(nodes, {"w": np.full((1, 1), 300, np.float32)}, 1))
    found = run_on_gpu(half, np.array([[0.5], [1.0]], np.float32), tmp_path)
    assert found[0, 0] == pytest.approx(45000, rel=1e-3)
    assert np.isinf(found[1, 0])  # 90,000 is beyond 65,504


@pytest.mark.parametrize("lstm", [False, True])
def test_the_cpu_survives_a_transposition_before_a_product(tmp_path: Path, lstm: bool) -> None:
    weights: dict[str, NDArray[Any]] = {"w": np.eye(8, dtype=np.float32)}
    heard = []
    if lstm:
        weights |= {name: np.ones((1, 32, 8), np.float32) for name in ("W", "R")}
        weights["shape"] = np.array([0, 0, -1])
        heard = [
            helper.make_node("LSTM", ["x", "W", "R"], ["remembered"], hidden_size=8),
            helper.make_node("Transpose", ["remembered"], ["by_row"], perm=[0, 2, 1, 3]),
            helper.make_node("Reshape", ["by_row", "shape"], ["heard"]),
        ]
    nodes = [
        *heard,
        helper.make_node("Transpose", ["heard" if lstm else "x"], ["turned"], perm=[1, 0, 2]),
        helper.make_node("MatMul", ["turned", "w"], ["y"]),
    ]
    write_graph(to_half(graph(nodes, weights, 5, 8)), tmp_path / "half.onnx")
    code = "import pathlib, sys; from export.proof.parity import open_graph; open_graph(pathlib.Path(sys.argv[1]))"
    # A crash of ONNX Runtime would take the tests along.
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "half.onnx")], cwd=ROOT, check=True)


def test_weights_beside_the_graph(tmp_path: Path) -> None:
    w = np.random.default_rng(0).standard_normal((64, 64), np.float32)
    model = graph([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": w}, 64)
    x = np.random.default_rng(1).standard_normal((3, 64), np.float32)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one = run_on_gpu(to_half(model), x, tmp_path / "one")
    two = run_on_gpu(to_half(model), x, tmp_path / "two", inline_limit=100)
    assert (tmp_path / "two" / "half.onnx.data").stat().st_size >= 2 * 64 * 64
    np.testing.assert_array_equal(one, two)


def test_an_operator_that_takes_no_fp16_is_an_error_with_a_way_out() -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("QuantizeLinear", ["h", "step"], ["integers"]),
        helper.make_node("DequantizeLinear", ["integers", "step"], ["coarse"]),
        helper.make_node("MatMul", ["coarse", "w"], ["y"]),
    ]
    model = graph(nodes, {"w": np.eye(3, dtype=np.float32), "step": np.array(0.1, np.float32)}, 3)
    with pytest.raises(ExportError, match=r"^vocoder cannot be fp16: .*QuantizeLinear.*; choose fp32$"):
        reduce(model, PLANS["vocoder"], "fp16")


@pytest.mark.slow
def test_a_graph_over_two_gibibytes(tmp_path: Path) -> None:
    size = 14_000
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["h0"]),
        helper.make_node("MatMul", ["h0", "w1"], ["h1"]),
        helper.make_node("MatMul", ["h1", "w2"], ["y"]),
    ]
    weights = [np.eye(size, dtype=np.float32) * np.float32(1 + place / 4) for place in range(3)]
    made = helper.make_graph(
        nodes,
        "image_encoder",
        [helper.make_tensor_value_info("x", FLOAT, ["rows", size])],
        [helper.make_tensor_value_info("y", FLOAT, ["rows", size])],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    for place, array in enumerate(weights):
        model.graph.initializer.append(numpy_helper.from_array(array, f"w{place}"))
    del weights, array
    x = np.random.default_rng(0).standard_normal((2, size), np.float32)
    half = reduce(model, PLANS["image_encoder"], "fp16")
    np.testing.assert_allclose(run_on_gpu(half, x, tmp_path), x * (1.25 * 1.5), rtol=0.003)
    del half
    small = reduce(model, PLANS["image_encoder"], "int8")
    write_graph(small, tmp_path / "int8.onnx")
    found = open_graph(tmp_path / "int8.onnx").run(None, {"x": x})[0]
    np.testing.assert_allclose(found, x * (1.25 * 1.5), rtol=1e-5)

"""Transformers and LSTMs at a quarter of their size: int8 matrices and int8 tables of word embeddings.

Only what is stored is rounded; the products stay fp32. The integers pass a cast and a product with their scales,
which ONNX Runtime computes once, when it loads a graph: it is as fast as in fp32, takes as much memory (but for the
tables, which stay int8), and gives the same numbers in every version. Measured on two cores of an AMD EPYC without
VNNI against two other ways:

- ``DequantizeLinear`` is computed at each run by 1.20 (text encoder of a2m-s 25 ms instead of 5, image encoder of
  ViT-B-32 299 instead of 68). 1.32 multiplies by the integers in a quarter of the memory, as fast as fp32, but rounds
  the values too, and the loss depends on the version and the processor.
- Dynamic int8 rounds the values everywhere. It is faster (text encoder 5.0 ms instead of 6.7, ViT-B-32 41 instead of
  77, one window of the BiLSTM 5.6 instead of 14.4), but the text encoder's mean cosine to fp32 falls from 0.9996 to
  0.992 and that of ViT-B-32 with random weights from 0.99996 to 0.995; a window then depends on those decoded beside
  it, by up to 0.028 nat, so that chunks no longer equal the whole; and TensorRT reads none of its operators
  (https://github.com/onnx/onnx-tensorrt/blob/main/docs/operators.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from export.graphs.weights import copy_without_weights

_LARGEST = 127.0


def to_int8(model: onnx.ModelProto) -> onnx.ModelProto:
    """Stores the matrices of products and LSTMs and the tables that are looked up as int8.

    Args:
        model: fp32, its weights in memory; it is left as it is, and no weight is copied before it is rounded.
    """
    quantised = copy_without_weights(model)
    graph = quantised.graph
    matrices, tables = _matrices(model.graph), _tables(model.graph)
    restored: list[onnx.NodeProto] = []
    for item in model.graph.initializer:
        name = item.name
        if name not in matrices and name not in tables:
            graph.initializer.append(item)
            continue
        integers, scales = quantise(numpy_helper.to_array(item), matrices.get(name, -1))
        graph.initializer.append(numpy_helper.from_array(integers, f"{name}.int8"))
        graph.initializer.append(numpy_helper.from_array(scales, f"{name}.scale"))
        if name in matrices:
            restored += _product(f"{name}.int8", f"{name}.scale", name)
    nodes = [part for node in graph.node for part in (_rows(node) if set(node.input) & tables else [node])]
    del graph.node[:]
    graph.node.extend([*restored, *nodes])
    return quantised


def product_share(model: onnx.ModelProto) -> float:
    """The share of a graph's float weights that ``to_int8`` rounds, in [0, 1]."""
    sizes = {item.name: math.prod(item.dims) for item in model.graph.initializer if _is_float(item)}
    rounded = _matrices(model.graph).keys() | _tables(model.graph)
    return float(sum(sizes[name] for name in rounded) / max(1, sum(sizes.values())))


def quantise(weights: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Symmetric int8 with one scale for all entries along an axis.

    Args:
        weights: float32, of any shape.
        axis: the one that a product sums over, so that each of its results has a scale of its own.

    Returns:
        int8 in [-127, 127] of the same shape, and float32 scales of that shape with 1 in place of ``axis``; their
        product is within half a scale of the weights everywhere.
    """
    scales = np.abs(weights).max(axis=axis, keepdims=True) / np.float32(_LARGEST)
    scales[scales == 0] = 1.0
    return np.rint(weights / scales).astype(np.int8), scales.astype(np.float32)


def _matrices(graph: onnx.GraphProto) -> dict[str, int]:
    """The weights that are multiplied, and the axis of each that the product sums over."""
    weights = {item.name for item in graph.initializer if _is_float(item) and len(item.dims) > 1}
    found: dict[str, int] = {}
    for node in graph.node:
        for name, axis in _factors(node):
            if name in weights:
                found.setdefault(name, axis)
    return found


def _factors(node: onnx.NodeProto) -> Iterator[tuple[str, int]]:
    """What a node multiplies, and the axis of each that it sums over."""
    if node.op_type == "MatMul":
        yield node.input[0], -1
        yield node.input[1], -2
    elif node.op_type == "Gemm":
        turned = {attribute.name for attribute in node.attribute if attribute.i and attribute.name.startswith("trans")}
        yield node.input[0], -2 if "transA" in turned else -1
        yield node.input[1], -1 if "transB" in turned else -2
    elif node.op_type == "LSTM":
        yield node.input[1], -1
        yield node.input[2], -1


def _tables(graph: onnx.GraphProto) -> set[str]:
    """The matrices of which nothing but rows is looked up."""
    found = {item.name for item in graph.initializer if _is_float(item) and len(item.dims) == 2}
    looked_up = set()
    for node in graph.node:
        rows = node.op_type == "Gather" and all(attribute.i == 0 for attribute in node.attribute)
        if rows:
            looked_up.add(node.input[0])
        found.difference_update(node.input[1:] if rows else node.input)
    return found & looked_up


def _rows(gather: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Rows of an int8 table: looked up, then multiplied by their scales, so that the table stays int8 in memory."""
    (table, places), output = gather.input, gather.output[0]
    return [
        _node("Gather", [f"{table}.int8", places], f"{output}.int8"),
        _node("Gather", [f"{table}.scale", places], f"{output}.scale"),
        *_product(f"{output}.int8", f"{output}.scale", output),
    ]


def _product(integers: str, scales: str, output: str) -> list[onnx.NodeProto]:
    """Integers times scales, in fp32."""
    cast = _node("Cast", [integers], f"{output}.float")
    cast.attribute.append(onnx.helper.make_attribute("to", onnx.TensorProto.FLOAT))
    return [cast, _node("Mul", [f"{output}.float", scales], output)]


def _node(kind: str, inputs: list[str], output: str) -> onnx.NodeProto:
    return onnx.helper.make_node(kind, inputs, [output], name=f"{output}.{kind}")


def _is_float(item: onnx.TensorProto) -> bool:
    return bool(item.data_type == onnx.TensorProto.FLOAT)

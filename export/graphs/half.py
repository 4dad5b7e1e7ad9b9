"""Half precision for GPUs: weights and products in fp16, what fp16 would spoil in fp32, inputs and outputs unchanged.

Only GPUs gain by it. On two cores of an AMD EPYC, ONNX Runtime 1.32 needs 14.0 ms instead of 9.5 for a picture of
a2m-s, and 49.7 instead of 48.9 for 60 frames of HiFi-GAN V3.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import onnxruntime
from onnxruntime.transformers.float16 import (
    DEFAULT_OP_BLOCK_LIST,
    convert_float_to_float16,
    convert_tensor_float_to_float16,
)

from a2m_edge.inference.sessions import session_options
from export.graphs.export import graph_bytes
from export.graphs.weights import copy_without_weights

_DELICATE = (
    "Exp",
    "GlobalAveragePool",
    "LayerNormalization",
    "Log",
    "LogSoftmax",
    "Pow",
    "RMSNormalization",
    "ReduceL2",
    "ReduceMean",
    "ReduceSum",
    "Softmax",
    "Sqrt",
)
"""Operators that add up many values or leave the range of fp16; their cost is small beside that of the products."""

_FULL = frozenset((*_DELICATE, *DEFAULT_OP_BLOCK_LIST))
_PRODUCTS = frozenset(("Attention", "Conv", "ConvTranspose", "Gemm", "LSTM", "MatMul"))
_PARTS = frozenset(("Slice", "Unsqueeze"))
"""Operators that give a part of what they get, or the same in other dimensions."""

_FLOAT, _HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """A graph with the same inputs and outputs that holds its weights in fp16 and multiplies in it.

    What stays fp32: sums, logarithms and exponentials, and all that follows the last product, for example the L2 norm
    of an embedding or the scale of a mel. Constants beyond the range of fp16, as in attention masks, become its
    largest number.

    Args:
        model: fp32, its weights in memory; it is left as it is, and no weight is copied before it is halved.

    Raises:
        onnx.shape_inference.InferenceError: a node of the graph takes no fp16 where it would have to.
    """
    light = copy_without_weights(model)
    count = len(light.graph.node)
    light.graph.value_info.extend(_value_types(model))
    kept = _kept(light.graph)
    full = {name for node in light.graph.node if node.name in kept for name in node.input}
    apart = [item for item in model.graph.initializer if item.data_type == _FLOAT and item.name not in full]
    converted = {item.name for item in apart}
    light.graph.initializer.extend(item for item in model.graph.initializer if item.name not in converted)
    half: onnx.ModelProto = convert_float_to_float16(
        light,
        keep_io_types=True,
        disable_shape_infer=True,
        op_block_list=[],
        node_block_list=sorted(kept),
    )
    for item in apart:
        half.graph.initializer.append(item)
        convert_tensor_float_to_float16(half.graph.initializer[-1])
    half.graph.ClearField("value_info")
    _settle_casts(half.graph, count)
    _value_types(half)
    return half


def _value_types(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """The element types of all that is computed, each node's inputs being such as it may have.

    They are inferred with the weights as inputs, for a message with the weights may exceed protobuf's 2 GiB.
    """
    light = copy_without_weights(model)
    for item in model.graph.initializer:
        if item.data_type in (_FLOAT, _HALF):
            light.graph.input.append(onnx.helper.make_tensor_value_info(item.name, item.data_type, item.dims))
        else:
            light.graph.initializer.append(item)  # shapes follow from these
    return list(onnx.shape_inference.infer_shapes(light, check_type=True, strict_mode=True).graph.value_info)


def _kept(graph: onnx.GraphProto) -> set[str]:
    """Names of the nodes that stay fp32: delicate ones, those that no product follows, and some at the beginning.

    Convolutions of an input are small, and a log-mel of -11 would lose up to 0.004 nat in fp16: that alone held the
    public HiFi-GAN V3 at 31 dB, where it reaches 46 now. What is fp32, or is multiplied by a weight next, is
    transposed in fp32, since ONNX Runtime 1.23 to 1.32 crashes on the CPU where a cast to fp16 is transposed and
    then multiplied by a matrix.
    """
    kept = {node.name for node in graph.node if node.op_type in _FULL}
    read: set[str] = set()
    for node in reversed(graph.node):
        if node.op_type in _PRODUCTS or read.intersection(node.output):
            read.update(node.input)
        else:
            kept.add(node.name)
    inputs = {value.name for value in graph.input}
    for node in graph.node:
        if node.op_type in _PARTS and node.input[0] in inputs:
            inputs.update(node.output)
            kept.add(node.name)
    made = {name for node in graph.node for name in node.output}
    weighed = {node.input[0] for node in graph.node if node.op_type == "MatMul" and node.input[1] not in made}
    full = set(inputs)
    for node in graph.node:
        if node.op_type == "Conv" and node.input[0] in inputs:
            kept.add(node.name)
        if node.op_type == "Transpose" and (node.input[0] in full or node.output[0] in weighed):
            kept.add(node.name)
        if node.name in kept:
            full.update(node.output)
    return kept


def _settle_casts(graph: onnx.GraphProto, count: int) -> None:
    """Puts the library's casts before their readers, and takes out those from fp32 to fp16 and back.

    Args:
        graph: whose first ``count`` nodes are in order; the others are the casts.
    """
    casts = {node.output[0]: node for node in graph.node[count:]}
    sources = {}  # of what was fp32 before it was rounded for a reader in fp32
    for name, cast in casts.items():
        rounding = casts.get(cast.input[0])
        if rounding is not None and cast.attribute[0].i == _FLOAT and rounding.attribute[0].i == _HALF:
            sources[name] = rounding.input[0]
    outputs = {sources[output.name]: output.name for output in graph.output if output.name in sources}
    for name in sources:
        del casts[name]
    ordered: list[onnx.NodeProto] = []

    def place(node: onnx.NodeProto) -> None:
        settled = [sources.get(name, name) for name in node.input]
        node.input[:] = [outputs.get(name, name) for name in settled]
        node.output[:] = [outputs.get(name, name) for name in node.output]
        for name in settled:
            if name in casts:
                place(casts.pop(name))
        ordered.append(node)

    for node in graph.node[:count]:
        place(node)
    for output in graph.output:
        if output.name in casts:
            place(casts.pop(output.name))
    del graph.node[:]
    graph.node.extend(ordered)


def open_as_on_gpu(path: Path) -> onnxruntime.InferenceSession:
    """A session on the CPU that gives what a GPU gives for a graph in half precision.

    ONNX Runtime has no kernels in fp16 on the CPU: there it computes in fp32 and rounds none but the weights, which
    would flatter the graph. So it is given the same graph with every value rounded to fp16 that a GPU holds in fp16;
    a GPU too adds up products in fp32.

    Args:
        path: the graph's file; weights beside it stay there.
    """
    options = session_options(1)
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path.parent))
    model = _rounded(onnx.load(path, load_external_data=False))
    return onnxruntime.InferenceSession(graph_bytes(model), options, providers=["CPUExecutionProvider"])


def _rounded(model: onnx.ModelProto) -> onnx.ModelProto:
    """Every node reads fp32 and writes fp32, and what it wrote in fp16 before goes to fp16 and back."""
    halves = {item.name for item in model.graph.initializer if item.data_type == _HALF}
    halves |= {item.name for item in _value_types(model) if item.type.tensor_type.elem_type == _HALF}
    nodes = [_cast(item.name, f"{item.name}.full", _FLOAT) for item in model.graph.initializer if item.name in halves]
    for node in model.graph.node:
        written = [name for name in node.output if name in halves]
        nodes.append(node)
        if node.op_type != "Cast":
            node.input[:] = [f"{name}.full" if name in halves else name for name in node.input]
            node.output[:] = [f"{name}.exact" if name in halves else name for name in node.output]
            nodes += [_cast(f"{name}.exact", name, _HALF) for name in written]
        nodes += [_cast(name, f"{name}.full", _FLOAT) for name in written]
    rounded = onnx.ModelProto()
    rounded.CopyFrom(model)
    del rounded.graph.node[:]
    rounded.graph.node.extend(nodes)
    return rounded


def _cast(source: str, output: str, kind: int) -> onnx.NodeProto:
    return onnx.helper.make_node("Cast", [source], [output], name=output, to=kind)

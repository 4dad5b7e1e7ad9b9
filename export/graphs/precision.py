"""Which precision suits which graph, and how it gets there."""

from __future__ import annotations

import onnx

from a2m_edge.bundle.manifest import Precision
from a2m_edge.errors import ExportError
from export.graphs.export import GraphPlan
from export.graphs.half import to_half
from export.graphs.quantisation import product_share, to_int8
from export.graphs.weights import join_lstm_weights

INT8_SHARE = 2 / 3
"""Least share of the weights that int8 has to reach: with less the graph would be larger than in fp16, which loses
less. Measured: transformers 0.97 and above, the BiLSTM decoder 0.90, RN50 0.39, MobileNetV2 0.18."""


_UNSUITED: dict[tuple[str, Precision], str] = {
    ("fusion", "fp16"): "what is felt is read off it, and it is small; leave it fp32",
    ("fusion", "int8"): "what is felt is read off it, and it is small; leave it fp32",
    ("vocoder", "int8"): (
        "int8 weights left its sound 32 dB above the error, and int8 values as well 20 dB; fp16 leaves 74 dB, "
        "choose fp16 or fp32"
    ),
}


def require_suited(graph: str, precision: Precision) -> None:
    """Refuses a precision that suits a graph in no case, whatever its weights are.

    Raises:
        ExportError: saying why, and what to choose.
    """
    if (graph, precision) in _UNSUITED:
        raise ExportError(f"{graph} cannot be {precision}: {_UNSUITED[graph, precision]}")


def reduce(model: onnx.ModelProto, plan: GraphPlan, precision: Precision) -> onnx.ModelProto:
    """A graph in less precision, with the same inputs and outputs in fp32.

    Args:
        model: fp32, its weights in memory; it is left as it is.
        plan: the graph's.
        precision: ``"fp32"`` gives the graph back.

    Raises:
        ExportError: the precision does not suit the graph.
    """
    if precision == "fp32":
        return model
    require_suited(plan.name, precision)
    model = join_lstm_weights(model, plan)
    if precision == "int8" and product_share(model) < INT8_SHARE:
        raise ExportError(
            f"{plan.name} cannot be int8: only {product_share(model):.0%} of its weights are in matrix products and "
            f"LSTMs, so that it would stay larger than in fp16; choose fp16 or fp32"
        )
    if precision == "int8":
        return to_int8(model)
    try:
        return to_half(model)
    except onnx.shape_inference.InferenceError as error:
        raise ExportError(f"{plan.name} cannot be fp16: {error}; choose fp32") from error


def suits(model: onnx.ModelProto, plan: GraphPlan, precision: Precision) -> bool:
    """Whether ``reduce`` would take this graph to a precision."""
    if (plan.name, precision) in _UNSUITED:
        return False
    return precision != "int8" or product_share(join_lstm_weights(model, plan)) >= INT8_SHARE

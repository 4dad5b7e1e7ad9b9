"""Which precision suits which graph, and how it gets there."""

from __future__ import annotations

import onnx

from a2m_edge.bundle import Precision
from a2m_edge.errors import ExportError
from export.graphs import GraphPlan
from export.half import to_half
from export.quantisation import product_share, to_int8
from export.weights import join_lstm_weights

INT8_SHARE = 2 / 3
"""Least share of the weights that int8 has to reach: with less the graph would be larger than in fp16, which loses
less. Measured: transformers 0.97 and above, the BiLSTM decoder 0.90, RN50 0.39, MobileNetV2 0.18."""


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
    model = join_lstm_weights(model, plan)
    reason = _objection(model, plan, precision)
    if reason:
        raise ExportError(f"{plan.file} cannot be {precision}: {reason}")
    if precision == "int8":
        return to_int8(model)
    try:
        return to_half(model)
    except onnx.shape_inference.InferenceError as error:
        raise ExportError(f"{plan.file} cannot be fp16: {error}; choose fp32") from error


def suits(model: onnx.ModelProto, plan: GraphPlan, precision: Precision) -> bool:
    """Whether ``reduce`` would take this graph to a precision."""
    return precision == "fp32" or not _objection(join_lstm_weights(model, plan), plan, precision)


def _objection(model: onnx.ModelProto, plan: GraphPlan, precision: Precision) -> str:
    """What speaks against a precision, and the way out; nothing where it suits."""
    if plan.name == "fusion":
        return "what is felt is read off it, and it is small; leave it fp32"
    if precision == "fp16":
        return ""
    if plan.name == "vocoder":
        return (
            "int8 weights left its sound 32 dB above the error, and int8 values as well 20 dB; fp16 leaves 67 dB, "
            "choose fp16 or fp32"
        )
    share = product_share(model)
    if share < INT8_SHARE:
        return (
            f"only {share:.0%} of its weights are in matrix products and LSTMs, so that it would stay larger than in "
            f"fp16; choose fp16 or fp32"
        )
    return ""

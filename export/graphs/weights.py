"""Graphs and their weights, which may be too many to be in memory twice."""

from __future__ import annotations

import onnx
import onnx_ir
from onnxscript.optimizer import fold_constants

from export.graphs.export import GraphPlan, tidy

_ALL = 1 << 40
"""Bytes of a constant that is computed ahead: any."""


def copy_without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of a graph without its initializers; every node has a name."""
    graph = model.graph
    copy = onnx.helper.make_model(
        onnx.helper.make_graph(graph.node, graph.name, graph.input, graph.output),
        functions=model.functions,
        ir_version=model.ir_version,
        opset_imports=model.opset_import,
        producer_name=model.producer_name,
    )
    copy.metadata_props.extend(model.metadata_props)
    for number, node in enumerate(copy.graph.node):
        node.name = node.name or f"node_{number}"
    return copy


def join_lstm_weights(model: onnx.ModelProto, plan: GraphPlan) -> onnx.ModelProto:
    """A graph whose LSTMs take their weights as initializers.

    Torch writes them cut and joined from its own tensors, gates in another order, by some twenty nodes a layer. A
    graph without such an LSTM is returned as it is, any other is copied.
    """
    weights = {item.name for item in model.graph.initializer}
    if all(set(node.input[1:3]) <= weights for node in model.graph.node if node.op_type == "LSTM"):
        return model
    joined = onnx_ir.from_proto(model)
    fold_constants(joined, input_size_limit=_ALL, output_size_limit=_ALL)
    for name, value in list(joined.graph.initializers.items()):
        if not value.uses():
            del joined.graph.initializers[name]
    return tidy(onnx_ir.to_proto(joined), plan)

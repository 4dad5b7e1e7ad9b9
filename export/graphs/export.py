"""One model at a time: a torch module becomes an ONNX graph with the names and axes that the runtime expects.

Opset 18 is the one that torch's exporter writes natively; a later opset would only be a conversion of it.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import external_data_helper, numpy_helper
from torch import nn

from a2m_edge.bundle.manifest import Tensor
from a2m_edge.bundle.plain_files import utf8_path
from a2m_edge.errors import ExportError

OPSET = 18
"""The oldest opset that torch's exporter writes."""

NEWEST_OPSET = 23
"""The newest one that was tried here."""

INLINE_LIMIT = 1 << 30
"""Bytes of weights that a graph may hold in its own file; a protobuf message may not exceed 2 GiB."""

Arrays = tuple[NDArray[np.generic], ...]
Sample = Callable[[int, int, np.random.Generator], Arrays]
"""Makes inputs of a graph from a batch size, a length (text or time; 1 for graphs without one) and a generator."""

Agreement = Literal["cosine", "difference"]
"""``"cosine"`` for embeddings, whose direction is all that counts; ``"difference"``: largest absolute one."""

_ELEMENT_TYPES = {"float32": onnx.TensorProto.FLOAT, "int64": onnx.TensorProto.INT64}
TRACED = (2, 7)
"""Batch size and length of the traced example: neither 0 nor 1, which torch.export takes for constants."""


@dataclass(frozen=True)
class GraphPlan:
    """What a graph is to be, before it exists.

    Attributes:
        name: its file name in a bundle without the ending.
        module: gives the outputs, in order, from the inputs, in order; in evaluation mode.
        inputs, outputs: names, element types and shapes; an axis with a name is dynamic, one with a number fixed.
        sample: inputs to trace and to validate the graph with.
        cases: batch sizes and lengths at which the graph is validated; none is the one it is traced at.
        agreement: how close an output must come to the module's, by its name; ``"difference"`` where nothing is said.
        constants: further arguments of the module, which have the graph's own weights as their defaults: [length, ...]
            arrays that the traced example has at its own length. torch's exporter runs an LSTM of a fixed length step
            by step, and one of 862 frames for minutes; so the length is left open while it traces.
        facts: what somebody needs who has this graph alone, written into its ONNX metadata as JSON values.
    """

    name: str
    module: nn.Module
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    sample: Sample
    cases: tuple[tuple[int, int], ...]
    agreement: Mapping[str, Agreement] = field(default_factory=dict)
    constants: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The graph's file name in a bundle."""
        return f"{self.name}.onnx"


def require_opset(opset: int) -> None:
    """Refuses an opset that cannot be written.

    Raises:
        ExportError: naming those that can.
    """
    if not OPSET <= opset <= NEWEST_OPSET:
        raise ExportError(f"graphs are exported with opset {OPSET} to {NEWEST_OPSET}, not {opset}: choose one of these")


def export_graph(plan: GraphPlan, opset: int = OPSET) -> onnx.ModelProto:
    """Writes a plan's module as ONNX: fp32, self-contained, and the same bytes for the same weights.

    Args:
        plan: what is exported.
        opset: version of the operators, ``OPSET`` to ``NEWEST_OPSET``.

    Raises:
        ExportError: the opset is out of range, or torch cannot export the module.
    """
    require_opset(opset)
    inputs = plan.sample(*TRACED, np.random.default_rng(0))
    inputs += tuple(array[: TRACED[1]] for array in plan.constants.values())
    free = [[axis for axis, size in enumerate(tensor.shape) if isinstance(size, str)] for tensor in plan.inputs]
    axes = tuple(dict.fromkeys(each, torch.export.Dim.DYNAMIC) for each in [*free, *([0] for _ in plan.constants)])
    # torch 2.13 remembers from one export how it dispatched an LSTM, and would unroll it in the next one.
    torch.ops.aten.lstm.input._dispatch_cache.clear()
    try:
        with _quiet_exporter(), _eager_attention(plan.module), torch.no_grad():
            program = torch.onnx.export(
                plan.module.eval(),
                tuple(torch.from_numpy(array) for array in inputs),
                dynamo=True,
                opset_version=opset,
                input_names=[*(tensor.name for tensor in plan.inputs), *plan.constants],
                output_names=[tensor.name for tensor in plan.outputs],
                dynamic_shapes=axes,
                verbose=False,
            )
    except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
        raise ExportError(f"{plan.file}: torch cannot export this model: {error}") from error
    if program is None:  # the exporter returns nothing only when it was given a file
        raise ExportError(f"{plan.file}: torch's exporter returned no graph")
    graph: onnx.ModelProto = program.model_proto
    written = next(entry.version for entry in graph.opset_import if not entry.domain)
    if written != opset:  # torch's converter leaves a graph as it is where it meets an operator it cannot convert
        raise ExportError(f"{plan.file}: torch wrote opset {written} where {opset} was asked for: choose {written}")
    graph.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in plan.constants.items())
    return tidy(graph, plan)


def tidy(model: onnx.ModelProto, plan: GraphPlan) -> onnx.ModelProto:
    """Strips what is not the model and states what a user needs.

    Stack traces and paths of the machine that exported go (they would make the bytes differ from machine to
    machine); inferred shapes go too (torch may freeze a traced length in them); inputs and outputs get the shapes
    of the plan; the facts enter the metadata.
    """
    for node in model.graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    for initializer in model.graph.initializer:
        initializer.ClearField("doc_string")
        initializer.ClearField("metadata_props")
    graph = model.graph
    graph.ClearField("value_info")
    graph.ClearField("metadata_props")
    graph.ClearField("doc_string")
    graph.name = plan.name
    del graph.input[:], graph.output[:]
    graph.input.extend(_value_info(tensor) for tensor in plan.inputs)
    graph.output.extend(_value_info(tensor) for tensor in plan.outputs)
    model.ClearField("metadata_props")
    model.ClearField("doc_string")
    model.producer_name, model.producer_version = "a2m-edge", ""
    onnx.helper.set_model_props(
        model, {key: json.dumps(value, sort_keys=True) for key, value in sorted(plan.facts.items())}
    )
    return model


def graph_bytes(model: onnx.ModelProto) -> bytes:
    """The file's content; deterministic."""
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def write_graph(model: onnx.ModelProto, path: Path, inline_limit: int = INLINE_LIMIT) -> tuple[str, ...]:
    """Writes a graph, its weights beside it where they are too large for one file.

    Args:
        model: loses its large weights in the second case: they move to the disk, so that memory holds them once.
        path: the graph's file; ``<name>.data`` beside it takes the weights.
        inline_limit: bytes of weights up to which the graph stays one file.

    Returns:
        the names of the files beside it; mostly none.

    Raises:
        ExportError: what was written is no valid ONNX.
        OSError: the disk is full, or the folder may not be written.
    """
    data: tuple[str, ...] = ()
    if sum(len(item.raw_data) for item in model.graph.initializer) > inline_limit:
        data = (f"{path.name}.data",)
        external_data_helper.convert_model_to_external_data(model, location=data[0])
        external_data_helper.write_external_data_tensors(model, str(path.parent))
    path.write_bytes(graph_bytes(model))
    for name in data:  # onnx keeps them from other users, and a bundle may be played by another than who made it
        (path.parent / name).chmod(path.stat().st_mode)
    try:
        with utf8_path(path) as name:
            onnx.checker.check_model(name)  # by its path, since a message in memory may not exceed 2 GiB
    except onnx.checker.ValidationError as error:
        raise ExportError(f"{path.name} is no valid ONNX: {error}") from error
    return data


def _value_info(tensor: Tensor) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(tensor.name, _ELEMENT_TYPES[tensor.dtype], list(tensor.shape))


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keeps the exporter's notes on its own internals from the screen; its errors still reach the caller."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "torch.export")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _eager_attention(module: nn.Module) -> Iterator[None]:
    """Lets Hugging Face towers write attention as plain matrix products, which export to fewer, simpler nodes
    than the fused kernel (that one brings a test for NaN into every layer) and compute the same."""
    towers: list[Any] = [part for part in module.modules() if hasattr(part, "set_attn_implementation")]
    before = [tower.config._attn_implementation for tower in towers]
    try:
        for tower in towers:
            tower.set_attn_implementation("eager")
        yield
    finally:
        for tower, implementation in zip(towers, before, strict=True):
            tower.set_attn_implementation(implementation)

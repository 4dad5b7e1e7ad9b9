"""The work of a graph, counted in a profile that ONNX Runtime writes of one run: what was really computed.

Counted are the products (convolutions, matrices, recurrent layers), which are nearly all of it, after every fusion that
ONNX Runtime made; and the bytes that every node reads and writes, as if nothing stayed in a cache.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from a2m_edge.bundle import Bundle
from a2m_edge.bundle.plain_files import utf8_path
from a2m_edge.inference.sessions import session_options

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Work:
    """Of one run.

    Attributes:
        operations: multiplications and additions, each counted.
        bytes: read and written by the nodes, weights included.
    """

    operations: float
    bytes: float


def measure_work(bundle: Bundle, graph: str, inputs: Mapping[str, NDArray[Any]]) -> Work:
    """Runs a graph once on the CPU and counts."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        options = session_options(1)
        options.enable_profiling = True
        options.add_session_config_entry("session.disable_prepacking", "1")  # weights that are packed are not listed
        options.profile_file_prefix = str(Path(folder) / "profile")
        with utf8_path(bundle.file(bundle.manifest.graphs[graph].file)) as path:
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        session.run(None, dict(inputs))
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return work_of(events)


def work_of(events: Iterable[Mapping[str, Any]]) -> Work:
    """The work of the nodes in a profile."""
    operations = moved = 0.0
    for event in events:
        details = event.get("args", {})
        if event.get("cat") != "Node" or "input_type_shape" not in details:
            continue
        inputs, outputs = (_shapes(details[f"{side}_type_shape"]) for side in ("input", "output"))
        operations += _operations(str(details.get("op_name", "")), inputs, outputs)
        moved += sum(float(details.get(f"{part}_size", 0)) for part in ("parameter", "activation", "output"))
    return Work(operations, moved)


def _shapes(listed: Iterable[Mapping[str, Iterable[int]]]) -> list[Shape]:
    """One shape for each tensor; a scalar has none."""
    return [tuple(int(size) for size in shape) for tensor in listed for shape in tensor.values()]


def _operations(operator: str, inputs: list[Shape], outputs: list[Shape]) -> float:
    """Twice the multiplications of a node; 0 for a node without products."""
    if "ConvTranspose" in operator:
        weight = inputs[1]  # (channels, channels out / groups, *kernel): each value meets each place that comes in
        return 2.0 * math.prod(inputs[0]) * math.prod(weight[1:])
    if "Conv" in operator:
        return 2.0 * math.prod(outputs[0]) * math.prod(inputs[1][1:])
    if "LSTM" in operator:
        length, batch, _ = inputs[0]
        return 2.0 * length * batch * (math.prod(inputs[1]) + math.prod(inputs[2]))
    if "MatMul" in operator or "Gemm" in operator:
        (left, right), result = inputs[:2], outputs[0]
        # Transposed or not, the shared axis is what is left of the factors beside the result.
        shared = math.sqrt(math.prod(left[-2:]) * math.prod(right[-2:]) / math.prod(result[-2:]))
        return 2.0 * math.prod(result) * shared
    return 0.0

"""Does a graph do what its model does? Measured in ONNX Runtime, at shapes that were never traced."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from a2m_edge.errors import ExportError
from a2m_edge.inference.agreement import cosines
from a2m_edge.inference.sessions import session_options
from export.graphs.export import TRACED, Arrays, GraphPlan

LIMITS = {"cosine": 0.9999, "difference": 1e-4}
"""The lowest cosine between embeddings, and the largest difference of anything else, that pass."""


@dataclass(frozen=True)
class Check:
    """One comparison.

    Attributes:
        graph: what was looked at.
        what: the property, for example ``"cosine of text_embedding"``.
        case: the shape it was measured at.
        measured: the number, or what was found instead of it.
        limit: what it is held against: a number that it may not exceed, or words that it must equal.
        at_least: the limit is one that it may not fall below.
        remedy: what a user can do when it fails; empty where nothing can be done.
    """

    graph: str
    what: str
    case: str
    measured: float | str
    limit: float | str
    at_least: bool = False
    remedy: str = ""

    @property
    def holds(self) -> bool:
        """Whether it passes; a NaN does not."""
        if isinstance(self.measured, str) or isinstance(self.limit, str):
            return self.measured == self.limit
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    def __str__(self) -> str:
        told = f"{self.graph}: {self.what} at {self.case} is {number(self.measured)}, the limit is {self.limit}"
        return f"{told}: {self.remedy}" if self.remedy else told


def check_graph(plan: GraphPlan, graph: bytes | Path) -> list[Check]:
    """Compares a graph with the module of its plan: names, types, axes, and values at all cases of the plan."""
    session = open_graph(graph)
    checks = [
        _check_signature(plan.name, side, stated, real)
        for side, stated, real in (
            ("inputs", plan.inputs, session.get_inputs()),
            ("outputs", plan.outputs, session.get_outputs()),
        )
    ]
    if not all(check.holds for check in checks):
        return checks
    generator = np.random.default_rng(1)
    for batch, length in plan.cases:
        if (batch, length) == TRACED:
            raise ValueError(f"{plan.name} would be validated at the shape it was traced at")
        inputs = plan.sample(batch, length, generator)
        case = " ".join(f"{tensor.name}{list(x.shape)}" for tensor, x in zip(plan.inputs, inputs, strict=True))
        try:
            found = session.run(None, {t.name: x for t, x in zip(plan.inputs, inputs, strict=True)})
        except Exception as error:  # onnxruntime raises many types without a common base
            first = (str(error).splitlines() or [type(error).__name__])[0]
            checks.append(Check(plan.name, "a run", case, f"refused ({first})", "a result"))
            continue
        for tensor, expected, actual in zip(plan.outputs, run_module(plan, inputs), found, strict=True):
            checks.append(_check_values(plan, tensor.name, case, expected, actual))
    return checks


def check_tokens(reference: Callable[[str], Sequence[int]], tokenizer: Tokenizer, texts: Sequence[str]) -> Check:
    """Compares the tokens of a bundle's tokenizer with those of training, text by text."""
    different = [text for text in texts if list(reference(text)) != tokenizer.encode(text).ids]
    case = f"{len(texts)} texts" + (f", first {different[0][:40]!r}" if different else "")
    return Check("tokenizer", "texts with other tokens", case, float(len(different)), 0.0)


def require(checks: Iterable[Check]) -> None:
    """Refuses an export of which any check failed.

    Raises:
        ExportError: naming all failures with what was measured.
    """
    failures = [str(check) for check in checks if not check.holds]
    if failures:
        raise ExportError(
            f"the export differs from its models in {len(failures)} places and was not kept: " + "; ".join(failures)
        )


def summary(checks: Iterable[Check]) -> dict[str, dict[str, dict[str, float]]]:
    """For the manifest: for each graph and property the worst number, its limit, and how many cases were measured."""
    numbers: dict[str, dict[str, dict[str, float]]] = {}
    for check in checks:
        if isinstance(check.measured, str) or isinstance(check.limit, str):
            continue
        entry = numbers.setdefault(check.graph, {}).setdefault(
            check.what, {"worst": check.measured, "limit": check.limit, "cases": 0}
        )
        worst = np.minimum if check.at_least else np.maximum  # a NaN is the worst of all
        entry["worst"] = float(worst(entry["worst"], check.measured))
        entry["cases"] += 1
    for properties in numbers.values():
        for entry in properties.values():
            entry["worst"] = float(number(entry["worst"]))
    return numbers


def number(measured: float | str) -> str:
    """Seven decimals where it is near 1, as a cosine is; three digits elsewhere."""
    if isinstance(measured, str):
        return measured
    return f"{measured:.7f}" if 0.9 <= measured < 1.1 else f"{measured:.3g}"


def open_graph(graph: bytes | Path) -> Any:
    """An ONNX Runtime session on the CPU, on a graph in memory or in a file."""
    content = graph if isinstance(graph, bytes) else str(graph)
    return onnxruntime.InferenceSession(content, session_options(1), providers=["CPUExecutionProvider"])


def run_module(plan: GraphPlan, inputs: Arrays) -> list[NDArray[Any]]:
    """The outputs of a plan's module."""
    with torch.no_grad():
        outputs = plan.module.eval()(*(torch.from_numpy(array) for array in inputs))
    return [output.numpy() for output in (outputs if isinstance(outputs, tuple) else (outputs,))]


def _check_values(plan: GraphPlan, name: str, case: str, expected: NDArray[Any], actual: NDArray[Any]) -> Check:
    agreement = plan.agreement.get(name, "difference")
    limit = LIMITS[agreement]
    if expected.shape != actual.shape:
        return Check(plan.name, f"shape of {name}", case, str(actual.shape), str(expected.shape))
    if agreement == "cosine":
        lowest = float(cosines(expected, actual).min())
        return Check(plan.name, f"cosine of {name}", case, lowest, limit, at_least=True)
    difference = float(np.abs(expected - actual).max())
    return Check(plan.name, f"difference of {name}", case, difference, limit)


def _check_signature(graph: str, side: str, stated: Sequence[Any], real: Sequence[Any]) -> Check:
    types = {"float32": "tensor(float)", "int64": "tensor(int64)"}
    wanted = "; ".join(f"{t.name} {types[t.dtype]} {list(t.shape)}" for t in stated)
    found = "; ".join(f"{t.name} {t.type} {list(t.shape)}" for t in real)
    return Check(graph, side, "load", found, wanted)

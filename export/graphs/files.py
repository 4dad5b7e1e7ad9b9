"""All graphs of a bundle on the disk: exported in fp32, and in the precision in which they are shipped."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import onnx

from a2m_edge.bundle.manifest import GRAPHS, Graph, Precision
from a2m_edge.errors import ExportError
from export.graphs.export import INLINE_LIMIT, OPSET, GraphPlan, export_graph, write_graph
from export.graphs.plans import graph_plans
from export.graphs.precision import reduce, require_suited, suits
from export.models import Models


@dataclass(frozen=True)
class Precisions:
    """In which precision graphs are shipped.

    Attributes:
        everywhere: of every graph that it suits; the others stay fp32.
        named: of single graphs by name, whatever the rest is.
    """

    everywhere: Precision = "fp32"
    named: Mapping[str, Precision] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, precision in self.named.items():
            if name not in GRAPHS:
                raise ExportError(f"there is no graph {name!r} to give a precision: the graphs are {', '.join(GRAPHS)}")
            require_suited(name, precision)

    def of(self, plan: GraphPlan, model: onnx.ModelProto) -> Precision:
        """The precision of one graph."""
        if plan.name in self.named:
            return self.named[plan.name]
        return self.everywhere if suits(model, plan, self.everywhere) else "fp32"


@dataclass(frozen=True)
class GraphFile:
    """One graph, exported.

    Attributes:
        plan: what it was to be.
        full, shipped: the files of the fp32 graph and of the one that a bundle gets; the same content where that is
            fp32.
        full_description, description: what a manifest says of them.
    """

    plan: GraphPlan
    full: Path
    shipped: Path
    full_description: Graph
    description: Graph


FP32 = Precisions()


def export_graphs(
    models: Models,
    shipped: Path,
    full: Path,
    precisions: Precisions = FP32,
    opset: int = OPSET,
    only: Collection[str] = GRAPHS,
) -> dict[str, GraphFile]:
    """Exports every model, one after the other, so that memory holds one graph at a time; nothing is compared yet.

    Args:
        models: what is exported.
        shipped: the folder for the graphs of a bundle.
        full: another folder, for all of them in fp32.
        precisions: of the graphs that are shipped.
        opset: of the operators.
        only: names of the graphs that are exported.

    Returns:
        the graphs by name, in the order of the data.

    Raises:
        ExportError: a model cannot be exported, or not in the precision that was asked for.
        OSError: a folder is missing or full.
    """
    plans = [plan for plan in graph_plans(models) if plan.name in only]
    return {plan.name: _export(plan, shipped, full, precisions, opset) for plan in plans}


def _export(plan: GraphPlan, shipped: Path, full: Path, precisions: Precisions, opset: int) -> GraphFile:
    model = export_graph(plan, opset)
    precision = precisions.of(plan, model)
    reduced = None if precision == "fp32" else reduce(model, plan, precision)
    data = write_graph(model, full / plan.file, INLINE_LIMIT)
    complete = Graph(plan.file, opset, plan.inputs, plan.outputs, "fp32", data)
    if reduced is None:
        place(full / plan.file, complete, shipped)
        description = complete
    else:
        description = replace(
            complete, precision=precision, data=write_graph(reduced, shipped / plan.file, INLINE_LIMIT)
        )
    return GraphFile(plan, full / plan.file, shipped / plan.file, complete, description)


def place(file: Path, description: Graph, folder: Path) -> None:
    """Puts a graph and the files of its weights into another folder.

    They get a second name there; where the file system knows no such thing, they are copied.
    """
    for name in (description.file, *description.data):
        try:
            os.link(file.parent / name, folder / name)
        except OSError:
            shutil.copyfile(file.parent / name, folder / name)

"""What the tests of the export share: graphs that take seconds to export are exported once in a run."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from a2m_edge.bundle.manifest import Graph
from export.graphs.export import OPSET
from export.graphs.files import GraphFile, export_graphs
from export.graphs.plans import graph_plans
from export.models import Models
from tests.fixtures.tiny_bundle.make import PRECISIONS, tiny_models

Once = Callable[[str, Callable[[Path], object]], Path]
"""A name, and what fills a folder: the folder of that name, filled by whichever process of the run asks first."""


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """See ``Once``."""
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent  # of all processes

    def made(name: str, fill: Callable[[Path], object]) -> Path:
        folder, aside = place / name, place / f"{name}.part"
        with (place / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                shutil.rmtree(aside, ignore_errors=True)
                aside.mkdir()
                fill(aside)
                aside.rename(folder)
        return folder

    return made


@pytest.fixture(scope="session")
def tiny() -> Models:
    """Random models of the smallest sizes."""
    return tiny_models()


@pytest.fixture(scope="session")
def graphs(tiny: Models, once: Once) -> dict[str, GraphFile]:
    """The tiny models, exported as the tiny bundle is."""

    def export(folder: Path) -> None:
        for name in ("shipped", "full"):
            (folder / name).mkdir()
        export_graphs(tiny, folder / "shipped", folder / "full", PRECISIONS)

    folder = once("tiny graphs", export)
    found = {}
    for plan in graph_plans(tiny):
        full = Graph(plan.file, OPSET, plan.inputs, plan.outputs)
        shipped = replace(full, precision=PRECISIONS.named.get(plan.name, "fp32"))
        found[plan.name] = GraphFile(plan, folder / "full" / plan.file, folder / "shipped" / plan.file, full, shipped)
    return found

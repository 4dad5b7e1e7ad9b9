"""Tests of the GPU: without one, or without onnxruntime-gpu, they skip with the reason."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import onnx
import onnxruntime
import pytest

from a2m_edge.bundle import Bundle, open_bundle, seal_bundle
from a2m_edge.errors import DeviceError
from a2m_edge.inference.devices import Gpu, find_gpu
from a2m_edge.inference.providers import require_cuda


@pytest.fixture(autouse=True, scope="session")
def gpu() -> Gpu:
    """The GPU, with everything that ONNX Runtime needs to use it."""
    try:
        require_cuda(onnxruntime)
        return find_gpu()
    except DeviceError as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines are built anew, and the user's own stay as they are."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def default_bundle() -> Bundle:
    """The bundle that is installed."""
    return open_bundle()


@pytest.fixture(scope="session")
def half_bundle(default_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The installed bundle with its image encoder and its vocoder in half precision."""
    from export.graphs.half import to_half

    folder = tmp_path_factory.mktemp("half") / "bundle"
    shutil.copytree(default_bundle.path, folder)
    graphs = dict(default_bundle.manifest.graphs)
    for name in ("image_encoder", "vocoder"):
        graphs[name] = replace(graphs[name], precision="fp16")
        path = folder / graphs[name].file
        path.write_bytes(to_half(onnx.load(path)).SerializeToString())
    return seal_bundle(folder, replace(default_bundle.manifest, graphs=graphs))

"""Engines of TensorRT: built on the machine that runs them, proven against their graphs, kept for the next time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from a2m_edge.bundle import Bundle
from a2m_edge.errors import DeviceError
from a2m_edge.inference.devices import Gpu, find_gpu
from a2m_edge.inference.executors import Executor
from a2m_edge.inference.shapes import engine_profiles
from a2m_edge.inference.tensorrt.build import SETTINGS, Progress, build_plan
from a2m_edge.inference.tensorrt.cache import EngineCache, EngineKey, EngineRecord
from a2m_edge.inference.tensorrt.executor import EngineExecutor
from a2m_edge.inference.tensorrt.parity import measure_parity, parity_cases, require_parity

ENGINE_GRAPHS = ("image_encoder", "text_encoder", "vocoder")
"""The graphs that gain by an engine; the fusion is too small, and the decoder's LSTM stays on ONNX Runtime."""

PLAN = "engine.plan"
_OLDEST = 10
_TIMINGS, _TIMING_CACHE = "timings", "timing.cache"
_INSTALL = 'run  pip install --extra-index-url https://pypi.nvidia.com "a2m-edge[tensorrt]"'
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TensorRt:
    """TensorRT and a GPU to use it on.

    Attributes:
        module: the module ``tensorrt``.
        runtime: the module ``cuda.bindings.runtime``.
        version: of TensorRT.
        gpu: what engines are built for.
    """

    module: Any
    runtime: Any
    version: str
    gpu: Gpu


def find_tensorrt() -> TensorRt | None:
    """TensorRT as a Python package; None when it is not installed.

    Raises:
        DeviceError: it is installed and cannot be used here: a library, the driver or the GPU is missing.
    """
    try:
        import tensorrt
    except (ImportError, OSError) as error:  # an OSError comes from a library that was found and is broken
        if isinstance(error, ModuleNotFoundError) and error.name == "tensorrt":
            return None
        raise DeviceError(f"the installed TensorRT cannot be loaded ({error}): {_INSTALL}") from error
    version: str = tensorrt.__version__
    if int(version.split(".")[0]) < _OLDEST:
        raise DeviceError(f"TensorRT {version} is installed, and engines need {_OLDEST} or newer: {_INSTALL}")
    gpu = find_gpu()
    try:
        from cuda.bindings import runtime
    except ImportError as error:
        raise DeviceError(f"TensorRT is installed without cuda-bindings ({error}): {_INSTALL}") from error
    needed = _cuda_version(runtime)
    if int(gpu.cuda.split(".")[0]) < needed[0]:
        raise DeviceError(
            f"the NVIDIA driver can run CUDA {gpu.cuda}, and the installed cuda-bindings need "
            f'{needed[0]}.{needed[1]}: update the driver, or run  pip install "cuda-bindings<13" tensorrt-cu12'
        )
    return TensorRt(tensorrt, runtime, version, gpu)


def engine_key(bundle: Bundle, graph: str, builder: str, gpu: Gpu, settings: dict[str, str]) -> EngineKey:
    """What an engine of a graph depends on.

    Raises:
        ValueError: there is no engine of this graph.
    """
    description = bundle.manifest.graphs[graph]
    files = {name: bundle.manifest.files[name].sha256 for name in (description.file, *description.data)}
    profiles = engine_profiles(bundle.manifest, graph)
    return EngineKey(graph, files, description.precision, builder, gpu, profiles, settings)


def open_engine(
    bundle: Bundle,
    graph: str,
    tensorrt: TensorRt,
    reference: Callable[[], Executor],
    progress: Progress | None = None,
) -> tuple[EngineExecutor, EngineRecord]:
    """Loads the engine of a graph; builds it, proves it and keeps it when there is none that was built here.

    Args:
        bundle: a verified bundle.
        graph: one of ``ENGINE_GRAPHS``, not in int8.
        tensorrt: what ``find_tensorrt`` found.
        reference: opens the graph in ONNX Runtime, to compare a new engine with.
        progress: is told how far a build is.

    Raises:
        DeviceError: there can be no engine, or it differs from the graph.
        EngineCacheError: there is no place where it could be kept safely.
    """
    key = engine_key(bundle, graph, f"TensorRT {tensorrt.version}", tensorrt.gpu, SETTINGS)
    description, cache = bundle.manifest.graphs[graph], EngineCache()

    def load(plan: bytes) -> EngineExecutor:
        return EngineExecutor(tensorrt.module, tensorrt.runtime, plan, key.profiles, description)

    record = cache.find(key)
    if record is None:
        with cache.locked():
            record = cache.find(key)  # another process may have built it while this one waited
            if record is None:
                return _build(bundle, key, tensorrt, cache, load, reference, progress)
    return load(cache.read(record, PLAN)), record


def _build(
    bundle: Bundle,
    key: EngineKey,
    tensorrt: TensorRt,
    cache: EngineCache,
    load: Callable[[bytes], EngineExecutor],
    reference: Callable[[], Executor],
    progress: Progress | None,
) -> tuple[EngineExecutor, EngineRecord]:
    graph = key.graph
    exact = reference()  # first: ONNX Runtime refuses graphs that TensorRT would take, as with weights elsewhere
    cache.require_space(2 * sum(bundle.manifest.files[name].size for name in key.files))
    _log.info("building the engine of %s for %s with %s: this can take minutes", graph, key.gpu.name, key.builder)
    timings = EngineKey(_TIMINGS, {}, "", key.builder, key.gpu, (), {})
    known = cache.find(timings)
    plan = build_plan(
        tensorrt.module,
        bundle.file(bundle.manifest.graphs[graph].file),
        key.profiles,
        b"" if known is None else cache.read(known, _TIMING_CACHE),
        graph,
        progress,
    )
    executor = load(plan.content)
    parity = measure_parity(bundle, graph, exact, executor, parity_cases(bundle, graph, key.profiles))
    require_parity(graph, parity)
    cache.prepare(key)
    cache.write(key, PLAN, plan.content)
    record = cache.seal(key, parity.numbers, plan.seconds)
    cache.prepare(timings)
    cache.write(timings, _TIMING_CACHE, plan.timings)
    cache.seal(timings, {}, 0.0)
    _log.info("the engine of %s was built in %.0f s", graph, plan.seconds)
    return executor, record


def _cuda_version(runtime: Any) -> tuple[int, int]:
    """The version of CUDA that the bindings were made for."""
    _, number = runtime.cudaRuntimeGetVersion()
    return number // 1000, number % 1000 // 10

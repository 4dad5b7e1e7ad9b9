"""The second way to TensorRT: ONNX Runtime's own provider for it, with its engines in the same cache.

It serves where TensorRT was installed for the whole system, as on Jetson boards, and not as a Python package. The
provider reads and writes its files itself; they are checked before it may, and recorded after it built them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from a2m_edge.bundle import Bundle
from a2m_edge.errors import DeviceError
from a2m_edge.inference.devices import find_gpu
from a2m_edge.inference.executors import BoundExecutor, Executor, ProfiledExecutor
from a2m_edge.inference.providers import (
    CPU,
    CUDA,
    CUDA_OPTIONS,
    TENSORRT,
    require_cuda,
    tensorrt_options,
    tensorrt_version,
)
from a2m_edge.inference.tensorrt.cache import EngineCache, EngineRecord
from a2m_edge.inference.tensorrt.opening import engine_key
from a2m_edge.inference.tensorrt.parity import measure_parity, parity_cases, require_parity

Opener = Callable[[list[Any]], Any]
"""Makes an ONNX Runtime session on a graph, from a list of providers with their options."""

_log = logging.getLogger(__name__)


def provider_offered(runtime: Any) -> bool:
    """Whether the module onnxruntime has the provider and the libraries of TensorRT are there."""
    return TENSORRT in runtime.get_available_providers() and tensorrt_version() is not None


def open_provider_engine(
    bundle: Bundle, graph: str, runtime: Any, opened: Opener, reference: Callable[[], Executor]
) -> tuple[Executor, EngineRecord]:
    """Opens a graph on ONNX Runtime's TensorRT provider; it builds an engine when there is none that it built here.

    Args:
        bundle: a verified bundle.
        graph: one of ``ENGINE_GRAPHS``, not in int8.
        runtime: the module onnxruntime; ``provider_offered`` says yes to it.
        opened: opens the graph.
        reference: opens the graph on the CPU, to compare a new engine with.

    Raises:
        DeviceError: ONNX Runtime gives another provider, or the engine differs from the graph.
        EngineCacheError: there is no place where engines could be kept safely.
    """
    require_cuda(runtime)
    gpu, manifest = find_gpu(), bundle.manifest
    builder = f"ONNX Runtime {runtime.__version__} with TensorRT {tensorrt_version()}"
    key = engine_key(bundle, graph, builder, gpu, {})
    profile = key.profiles[-1]  # the widest; the provider would tune one engine for several no better
    cache = EngineCache()
    with cache.locked():
        started = time.monotonic()
        record = cache.find(key)
        if record is None:
            cache.require_space(2 * sum(manifest.files[name].size for name in key.files))
            folder = cache.prepare(key)
            _log.info("building the engine of %s for %s with %s: this can take minutes", graph, gpu.name, builder)
        else:
            folder = cache.path(key)
        options = tensorrt_options(folder, profile, key.precision)
        session = opened([(TENSORRT, options), (CUDA, CUDA_OPTIONS), CPU])
        if session.get_providers()[0] != TENSORRT or not _taken(session):
            raise DeviceError(
                f"tensorrt was asked for {graph}, but onnxruntime {runtime.__version__} runs none of it there: install "
                f"the version of TensorRT that it was built with, or use --device cuda"
            )
        executor = ProfiledExecutor(BoundExecutor(runtime, session, "cuda"), profile)
        cases = parity_cases(bundle, graph, (profile,))
        if record is None:  # the provider builds when it first runs
            parity = measure_parity(bundle, graph, reference(), executor, cases)
            require_parity(graph, parity)
            record = cache.seal(key, parity.numbers, time.monotonic() - started)
        else:
            executor.run(cases[0])  # it loads the engine now, while the lock keeps the proven files
    return executor, record


def _taken(session: Any) -> int:
    """How many of the graph's nodes TensorRT took."""
    subgraphs = session.get_provider_graph_assignment_info()
    return sum(len(subgraph.get_nodes()) for subgraph in subgraphs if subgraph.ep_name == TENSORRT)

"""Runs an engine of TensorRT: its inputs and outputs in buffers of the GPU that are allocated once."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a2m_edge.bundle.manifest import Graph
from a2m_edge.errors import DeviceError
from a2m_edge.inference.executors import Arrays
from a2m_edge.inference.shapes import Profile, Shape
from a2m_edge.inference.tensorrt.build import tensorrt_logger

_log = logging.getLogger(__name__)


class EngineExecutor:
    """An engine that is ready to run.

    Args:
        tensorrt: the module.
        runtime: the module ``cuda.bindings.runtime``.
        plan: a plan that was built here; it runs as a program.
        profiles: those it was built with, in order.
        graph: what the manifest states of its inputs and outputs.

    Raises:
        DeviceError: the engine cannot be loaded, or there is no memory for it on the GPU.
    """

    def __init__(self, tensorrt: Any, runtime: Any, plan: bytes, profiles: tuple[Profile, ...], graph: Graph) -> None:
        self._profiles = profiles
        self._graph = graph
        self._lock = threading.Lock()  # a context runs one thing at a time
        self._cuda = _Cuda(runtime)
        self._runtime = tensorrt.Runtime(tensorrt_logger(tensorrt))
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise DeviceError(f"TensorRT cannot load the engine of {graph.file}: use --device cuda")
        self._check()
        self._contexts = []
        for number in range(len(profiles)):
            context = self._engine.create_execution_context()
            if context is None or not context.set_optimization_profile_async(number, self._cuda.stream):
                raise DeviceError(f"the GPU has no memory for the engine of {graph.file}: use --device cpu")
            self._contexts.append(context)
        self._cuda.synchronise()

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        arrays = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
        taken = {tensor.name: tensor.dtype for tensor in self._graph.inputs}
        given = {name: array.dtype.name for name, array in arrays.items()}
        if given != taken:
            raise ValueError(f"{self._graph.file} takes {_listed(taken.items())}, not {_listed(given.items())}")
        shapes = {name: array.shape for name, array in arrays.items()}
        number = fitting_profile(self._profiles, shapes)
        if number is None:
            raise ValueError(f"the engine of {self._graph.file} was not built for the shapes {shapes}")
        with self._lock:
            return self._run(self._contexts[number], arrays)

    def _run(self, context: Any, arrays: Arrays) -> dict[str, NDArray[Any]]:
        for name, array in arrays.items():
            address = self._cuda.upload(name, array)
            if not (context.set_input_shape(name, array.shape) and context.set_tensor_address(name, address)):
                raise DeviceError(f"the engine of {self._graph.file} refuses {name} of the shape {array.shape}")
        missing = context.infer_shapes()
        if missing:
            raise DeviceError(f"the engine of {self._graph.file} cannot tell the shape of {', '.join(missing)}")
        results = {}
        for tensor in self._graph.outputs:
            results[tensor.name] = np.empty(tuple(context.get_tensor_shape(tensor.name)), tensor.dtype)
            context.set_tensor_address(tensor.name, self._cuda.room(tensor.name, results[tensor.name].nbytes))
        if not context.execute_async_v3(self._cuda.stream):
            raise DeviceError(f"the engine of {self._graph.file} failed on the GPU: use --device cuda")
        for name, array in results.items():
            self._cuda.download(name, array)
        self._cuda.synchronise()  # until here the GPU may read the inputs and write the results
        return results

    def _check(self) -> None:
        """The engine must take and give what the manifest states: arrays of another type would be misread."""
        engine = self._engine
        names = [engine.get_tensor_name(number) for number in range(engine.num_io_tensors)]
        found = {name: _numpy_name(engine.get_tensor_dtype(name)) for name in names}
        stated = {tensor.name: tensor.dtype for tensor in (*self._graph.inputs, *self._graph.outputs)}
        if found != stated:
            raise DeviceError(
                f"the engine of {self._graph.file} takes and gives {_listed(found.items())}, but the manifest states "
                f"{_listed(stated.items())}: export the bundle again"
            )


def fitting_profile(profiles: tuple[Profile, ...], shapes: dict[str, Shape]) -> int | None:
    """The number of the first profile that holds these shapes; None when none does."""
    return next((number for number, profile in enumerate(profiles) if profile.holds(shapes)), None)


class _Cuda:
    """A stream and named buffers on the GPU; they go when this object does."""

    def __init__(self, runtime: Any) -> None:
        self._runtime = runtime
        self._buffers: dict[str, tuple[int, int]] = {}  # address and size in bytes
        self.stream = int(self._ask("cudaStreamCreateWithFlags", runtime.cudaStreamNonBlocking))
        weakref.finalize(self, _release, runtime, self._buffers, self.stream).atexit = False  # the process frees all

    def room(self, name: str, size: int) -> int:
        """The address of a buffer of at least ``size`` bytes."""
        address, capacity = self._buffers.get(name, (0, 0))
        if size > capacity:
            if address:
                del self._buffers[name]
                self._ask("cudaFree", address)
            address = int(self._ask("cudaMalloc", size))
            self._buffers[name] = (address, size)
        return address

    def upload(self, name: str, array: NDArray[Any]) -> int:
        """Copies an array to the GPU; it must stay as it is until ``synchronise``."""
        address = self.room(name, array.nbytes)
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._ask("cudaMemcpyAsync", address, array.ctypes.data, array.nbytes, kind, self.stream)
        return address

    def download(self, name: str, array: NDArray[Any]) -> None:
        """Fills an array from the GPU; it is whole after ``synchronise``."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        address = self._buffers[name][0]
        self._ask("cudaMemcpyAsync", array.ctypes.data, address, array.nbytes, kind, self.stream)

    def synchronise(self) -> None:
        """Waits until everything that was asked for is done."""
        self._ask("cudaStreamSynchronize", self.stream)

    def _ask(self, function: str, *arguments: object) -> Any:
        status, *results = getattr(self._runtime, function)(*arguments)
        if status != self._runtime.cudaError_t.cudaSuccess:
            _, text = self._runtime.cudaGetErrorString(status)
            raise DeviceError(
                f"the GPU failed ({function}: {text.decode()}): close other programs on it, or use --device cpu"
            )
        return results[0] if results else None


def _release(runtime: Any, buffers: dict[str, tuple[int, int]], stream: int) -> None:
    runtime.cudaStreamSynchronize(stream)
    for address, _ in buffers.values():
        runtime.cudaFree(address)
    runtime.cudaStreamDestroy(stream)


def _numpy_name(dtype: Any) -> str:
    names: dict[str, str] = {"FLOAT": "float32", "HALF": "float16", "INT64": "int64", "INT32": "int32", "BOOL": "bool"}
    return names.get(dtype.name, str(dtype.name))


def _listed(pairs: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {dtype}" for name, dtype in sorted(pairs))

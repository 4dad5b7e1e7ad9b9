"""What runs a graph behind a session: plainly, or in buffers that stay on the GPU."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from a2m_edge.inference.shapes import Profile

if TYPE_CHECKING:
    import onnxruntime

Arrays = Mapping[str, NDArray[Any]]

KEPT_SHAPES = 8
"""Shapes whose buffers a bound executor keeps; a stream has two or three."""


class Executor(Protocol):
    """Runs one graph."""

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Arrays by name in, arrays by name out; the results are the caller's own."""


class PlainExecutor:
    """ONNX Runtime on arrays in the computer's memory."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._outputs = [output.name for output in session.get_outputs()]

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        results = self._session.run(self._outputs, inputs)
        return dict(zip(self._outputs, results, strict=True))


class BoundExecutor:
    """ONNX Runtime on buffers of a device that are allocated once for each shape.

    Nothing is allocated, and nothing but the inputs and outputs is moved, when a shape comes again; the shapes
    that came last are kept.

    Args:
        runtime: the module onnxruntime.
        session: a session on the device.
        device: its name in ONNX Runtime: ``"cuda"``, or ``"cpu"``.
    """

    def __init__(self, runtime: Any, session: onnxruntime.InferenceSession, device: str) -> None:
        self._runtime = runtime
        self._session = session
        self._device = device
        self._inputs = {each.name for each in session.get_inputs()}
        self._outputs = [each.name for each in session.get_outputs()]
        self._bound: OrderedDict[object, _Binding] = OrderedDict()
        self._lock = threading.Lock()  # two threads must not share the buffers

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        if inputs.keys() != self._inputs:
            raise ValueError(f"the graph takes {', '.join(sorted(self._inputs))}, not {', '.join(sorted(inputs))}")
        arrays = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
        shapes = tuple((name, array.shape, array.dtype.str) for name, array in sorted(arrays.items()))
        with self._lock:
            binding = self._bound.get(shapes)
            if binding is None:
                binding = _Binding(self._runtime, self._session, self._device, arrays, self._outputs)
            results = binding.run(self._session, arrays)
            self._bound[shapes] = binding  # only now: a shape that failed is not kept
            self._bound.move_to_end(shapes)
            if len(self._bound) > KEPT_SHAPES:
                self._bound.popitem(last=False)
            return dict(zip(self._outputs, results, strict=True))


class ProfiledExecutor:
    """Lets only the shapes of a profile through to an executor that would build a new engine for others."""

    def __init__(self, executor: Executor, profile: Profile) -> None:
        self._executor = executor
        self._profile = profile

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        shapes = {name: array.shape for name, array in inputs.items()}
        if not self._profile.holds(shapes):
            raise ValueError(f"the engine was not built for the shapes {shapes}")
        return self._executor.run(inputs)


class _Binding:
    """The buffers of one set of input shapes."""

    def __init__(self, runtime: Any, session: Any, device: str, arrays: Arrays, outputs: list[str]) -> None:
        self._binding = session.io_binding()
        self._names = outputs
        self._outputs: list[Any] = []
        self._inputs = {}
        for name, array in arrays.items():
            value = runtime.OrtValue.ortvalue_from_shape_and_type(array.shape, array.dtype.type, device, 0)
            self._inputs[name] = value
            self._binding.bind_ortvalue_input(name, value)
        for name in outputs:
            self._binding.bind_output(name, device, 0)  # the first run finds the shapes

    def run(self, session: Any, arrays: Arrays) -> list[NDArray[Any]]:
        for name, array in arrays.items():
            self._inputs[name].update_inplace(array)
        # The copies go through another stream than the graph: they must have arrived before it starts.
        self._binding.synchronize_inputs()
        session.run_with_iobinding(self._binding)
        self._binding.synchronize_outputs()
        if not self._outputs:
            self._outputs = self._binding.get_outputs()
            for name, value in zip(self._names, self._outputs, strict=True):
                self._binding.bind_ortvalue_output(name, value)
        return [np.array(value.numpy()) for value in self._outputs]  # copied: the next run overwrites the buffer

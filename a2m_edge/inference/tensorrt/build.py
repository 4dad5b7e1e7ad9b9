"""From an ONNX graph to a plan: the one place that calls TensorRT's builder.

Written for TensorRT 10.3 to 11. Networks are strongly typed: the graph's own types, fp32 or fp16, are what is
computed. TensorRT 11 knows nothing else and ignores the flag; version 10 has to be asked for it.
https://docs.nvidia.com/deeplearning/tensorrt/latest/api/migration/tensorrt-10x-to-11x-python-api-reference.html
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from a2m_edge.errors import DeviceError
from a2m_edge.inference.shapes import Profile

Progress = Callable[[str, float], None]
"""Called with the name of a graph and the share of its build that is done, 0 to 1."""

WORKSPACE = 1 << 30
"""Bytes of GPU memory that one layer of an engine may use beside its inputs and outputs."""

SETTINGS = {"strongly_typed": "1", "tf32": "0", "workspace": str(WORKSPACE)}
"""What is asked of the builder, as it enters an engine's key. TF32 is off: an fp32 graph is computed in fp32, and
its parity holds; fp16 is the fast choice."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BuiltEngine:
    """What a build gives.

    Attributes:
        content: the serialised engine.
        timings: TensorRT's timing cache, which makes the next build shorter.
        seconds: how long it took.
    """

    content: bytes
    timings: bytes
    seconds: float


class Phases:
    """The share of a build that is done, from the phases that TensorRT reports.

    Phases lie within each other: a step of an outer one may be a whole inner phase. Their names and numbers differ
    from version to version.
    """

    def __init__(self) -> None:
        self._parents: dict[str, str | None] = {}
        self._steps: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._share = 0.0

    def start(self, phase: str, parent: str | None, steps: int) -> None:
        """A phase of so many steps begins."""
        self._parents[phase], self._steps[phase], self._done[phase] = parent, max(1, steps), 0

    def step(self, phase: str, number: int) -> None:
        """A step, counted from 0, is done."""
        if phase in self._steps:
            self._done[phase] = min(number + 1, self._steps[phase])

    def finish(self, phase: str) -> None:
        """A phase is over, whether all its steps were reported or not."""
        if phase in self._steps:
            del self._parents[phase], self._steps[phase], self._done[phase]

    @property
    def share(self) -> float:
        """The share that is done, 0 to 1; it never falls."""
        roots = [phase for phase, parent in self._parents.items() if parent not in self._steps]
        if roots:
            self._share = max(self._share, self._of(roots[0]))
        return self._share

    def _of(self, phase: str) -> float:
        inner = [child for child, parent in self._parents.items() if parent == phase]
        within = max((self._of(child) for child in inner), default=0.0)
        return min(1.0, (self._done[phase] + within) / self._steps[phase])


def build_plan(
    tensorrt: Any, model: Path, profiles: tuple[Profile, ...], timings: bytes, graph: str, progress: Progress | None
) -> BuiltEngine:
    """Builds a plan for the GPU of this machine.

    Args:
        tensorrt: the module.
        model: the ONNX graph; its weights files lie beside it.
        profiles: the shapes to build for.
        timings: the timing cache of an earlier build; may be empty.
        graph: what to call it in messages.
        progress: is told how far it is, from threads of TensorRT's.

    Raises:
        DeviceError: TensorRT cannot start, cannot read the graph, or finds no engine for it.
    """
    started = time.monotonic()
    logger = tensorrt_logger(tensorrt)
    try:
        builder = tensorrt.Builder(logger)
    except TypeError as error:  # pybind11's word for a builder that TensorRT did not give
        raise DeviceError(_failed("TensorRT cannot use this GPU", logger)) from error
    network = builder.create_network(1 << int(tensorrt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = tensorrt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(model)):
        reasons = "; ".join(parser.get_error(number).desc() for number in range(parser.num_errors))
        raise DeviceError(f"TensorRT {tensorrt.__version__} cannot read {model.name} ({reasons}): use --device cuda")
    config = builder.create_builder_config()
    config.clear_flag(tensorrt.BuilderFlag.TF32)
    config.set_memory_pool_limit(tensorrt.MemoryPoolType.WORKSPACE, WORKSPACE)
    cache = config.create_timing_cache(timings)
    if cache is None or not config.set_timing_cache(cache, False):
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, False)
    for profile in profiles:
        shapes = builder.create_optimization_profile()
        for name, usual in profile.usual.items():
            shapes.set_shape(name, profile.least[name], usual, profile.most[name])
        if config.add_optimization_profile(shapes) < 0:
            raise DeviceError(_failed(f"TensorRT refuses the shapes of {graph}", logger))
    monitor = _monitor(tensorrt, graph, progress)
    config.progress_monitor = monitor
    plan = builder.build_serialized_network(network, config)
    if monitor.stopped is not None:
        raise monitor.stopped
    if plan is None:
        raise DeviceError(_failed(f"TensorRT {tensorrt.__version__} can build no engine of {graph}", logger))
    if progress is not None:
        progress(graph, 1.0)
    return BuiltEngine(bytes(plan), bytes(cache.serialize()), time.monotonic() - started)


def _failed(what: str, logger: Any) -> str:
    return f"{what} ({logger.last or 'it does not say why'}): use --device cuda"


def tensorrt_logger(tensorrt: Any) -> Any:
    """TensorRT's messages as those of this program; the last error is kept."""
    severity = tensorrt.ILogger.Severity
    levels = {severity.INTERNAL_ERROR: logging.ERROR, severity.ERROR: logging.ERROR}

    class Logger(tensorrt.ILogger):  # type: ignore[misc, name-defined, unused-ignore]
        def __init__(self) -> None:
            tensorrt.ILogger.__init__(self)  # pybind11 asks for the base by name
            self.last = ""

        def log(self, severity: Any, message: str) -> None:
            level = levels.get(severity, logging.DEBUG)
            if level == logging.ERROR:
                self.last = message
            _log.log(level, "TensorRT: %s", message)

    return Logger()


def _monitor(tensorrt: Any, graph: str, progress: Progress | None) -> Any:
    class Monitor(tensorrt.IProgressMonitor):  # type: ignore[misc, name-defined, unused-ignore]
        """Its methods are called from TensorRT's threads, through code that no exception may cross."""

        def __init__(self) -> None:
            tensorrt.IProgressMonitor.__init__(self)
            self.phases = Phases()
            self.lock = threading.Lock()
            self.stopped: BaseException | None = None

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._tell(lambda: self.phases.start(phase_name, parent_phase, num_steps))

        def step_complete(self, phase_name: str, step: int) -> bool:
            self._tell(lambda: self.phases.step(phase_name, step))
            return self.stopped is None  # False ends the build

        def phase_finish(self, phase_name: str) -> None:
            self._tell(lambda: self.phases.finish(phase_name))

        def _tell(self, change: Callable[[], None]) -> None:
            try:
                with self.lock:
                    change()
                    if progress is not None:
                        progress(graph, self.phases.share)
            except BaseException as error:  # Ctrl-C too: the build is ended, and the error raised after it
                self.stopped = self.stopped or error

    return Monitor()

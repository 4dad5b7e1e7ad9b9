"""Sessions on the graphs of a bundle: on ONNX Runtime or TensorRT, and honest about which they got.

What a device cannot do is an error that names the cause. Only ``auto`` goes on without a GPU, and says so. Single
nodes are watched too: ONNX Runtime may compute shapes on the CPU in a session on the GPU, but nothing with weights.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from a2m_edge.bundle import Bundle
from a2m_edge.bundle.manifest import Tensor
from a2m_edge.bundle.plain_files import utf8_path
from a2m_edge.errors import A2MError, BundleError, DeviceError, MissingExtraError, OptionError, first_line
from a2m_edge.inference.devices import DEVICES
from a2m_edge.inference.executors import BoundExecutor, Executor, PlainExecutor
from a2m_edge.inference.providers import CPU, CUDA, CUDA_OPTIONS, RECORD_NODES, TENSORRT, misplaced, require_cuda
from a2m_edge.inference.shapes import Sizes, input_shapes, usual_sizes
from a2m_edge.inference.tensorrt.build import Progress
from a2m_edge.inference.tensorrt.cache import EngineRecord
from a2m_edge.inference.tensorrt.opening import ENGINE_GRAPHS, find_tensorrt, open_engine
from a2m_edge.inference.tensorrt.provider import open_provider_engine, provider_offered

if TYPE_CHECKING:
    import onnxruntime

ENGINE = "TensorRT"
"""What a session on an engine calls its provider."""

_DEVICE_OF = {CPU: "cpu", CUDA: "cuda", TENSORRT: "tensorrt", ENGINE: "tensorrt"}
_DTYPES = {
    "float32": "tensor(float)",
    "float16": "tensor(float16)",
    "int64": "tensor(int64)",
    "int32": "tensor(int32)",
    "bool": "tensor(bool)",
}
_log = logging.getLogger(__name__)


class Session:
    """A graph that is ready to run.

    Attributes:
        graph: its name in the bundle.
        provider: the execution provider of ONNX Runtime that it really got, or ``"TensorRT"`` for an engine.
    """

    def __init__(self, graph: str, provider: str, executor: Executor, inputs: tuple[Tensor, ...]) -> None:
        self.graph = graph
        self.provider = provider
        self._executor = executor
        self._inputs = inputs

    @property
    def device(self) -> str:
        """Where it runs: ``"cpu"``, ``"cuda"`` or ``"tensorrt"``."""
        return _DEVICE_OF[self.provider]

    def run(self, **inputs: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Runs the graph once; arrays by name in, arrays by name out, shaped as the manifest states.

        Raises:
            DeviceError: the GPU failed, for example because its memory is full.
            ValueError: an engine was not built for these shapes (see ``a2m_edge.inference.shapes.engine_profiles``).
        """
        try:
            return self._executor.run(inputs)
        except Exception as error:  # the runtime raises many types without a common base
            if self.device == "cpu" or isinstance(error, (A2MError, TypeError, ValueError)):
                raise
            raise DeviceError(
                f"{self.graph} failed on {self.provider} ({first_line(error)}): close other programs that use the "
                f"GPU, or use --device cpu"
            ) from error

    def warm_up(self, sizes: Iterable[Sizes]) -> None:
        """Runs the graph on zeros, so that the first real run at these sizes finds everything in place.

        On a GPU the first run at a shape chooses algorithms and allocates memory; on a CPU it gains next to nothing.

        Args:
            sizes: for each run a size of every named axis of the inputs, as ``a2m_edge.inference.shapes`` lists them.
        """
        dtypes = {tensor.name: tensor.dtype for tensor in self._inputs}
        for each in sizes:
            shapes = input_shapes(self._inputs, each)
            self.run(**{name: np.zeros(shape, dtypes[name]) for name, shape in shapes.items()})


def open_session(bundle: Bundle, graph: str, device: str = "auto", threads: int | None = None) -> Session:
    """Makes a session on a graph, and checks that it is what the manifest describes.

    On a GPU it is warmed up for the shapes that a stream in chunks of the usual length has; for others call its
    ``warm_up``.

    Args:
        bundle: a verified bundle.
        graph: name of the graph, for example ``"vocoder"``.
        device: ``"cpu"``; ``"cuda"`` for ONNX Runtime on an NVIDIA GPU; ``"tensorrt"`` for an engine where there
            can be one (``ENGINE_GRAPHS`` in fp32 and fp16) and ``"cuda"`` elsewhere, the engine being built when
            there is none (see ``build_engines``); ``"auto"`` for ``"cuda"`` where onnxruntime was installed for
            GPUs, else ``"cpu"``.
        threads: CPU threads for one run; None takes the cores this process may use, four at most.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        DeviceError: the device was asked for and cannot be had, or the graph is in fp16 and would run on the CPU.
        EngineCacheError: there is no place where an engine could be kept safely.
        OptionError: the device is unknown, or ``threads`` is below 1.
        BundleError: the graph does not exist, cannot be loaded, or differs from the manifest.
    """
    return _Opening(bundle, graph, device, threads).session()


def require_engines() -> None:
    """Refuses a machine that can build no engine, before a long work that would end with one.

    Raises:
        DeviceError: TensorRT, its libraries, the driver or the GPU is missing.
        MissingExtraError: onnxruntime is not installed.
    """
    if find_tensorrt() is not None:
        return
    runtime = _onnxruntime()
    if not provider_offered(runtime):
        raise DeviceError(
            'TensorRT is not installed: run  pip install --extra-index-url https://pypi.nvidia.com "a2m-edge[tensorrt]"'
            "  or, for onnxruntime-gpu to use it, install its libraries for the whole system"
        )
    require_cuda(runtime)


def build_engines(bundle: Bundle, progress: Progress | None = None) -> dict[str, EngineRecord]:
    """Makes sure that this machine has the engines of a bundle, so that ``"tensorrt"`` starts at once later.

    Args:
        bundle: a verified bundle.
        progress: is told how far each build is.

    Returns:
        the record of each engine by the name of its graph: what it depends on, its parity and the time it took.
        Graphs in int8 have none.

    Raises:
        MissingExtraError, DeviceError, EngineCacheError: as ``open_session`` on ``"tensorrt"``.
    """
    records = {}
    for graph in ENGINE_GRAPHS:
        if bundle.manifest.graphs[graph].precision != "int8":
            _, _, records[graph] = _Opening(bundle, graph, "tensorrt").engine(progress)
    return records


def session_options(threads: int | None = None) -> onnxruntime.SessionOptions:
    """Options for a small computer: few threads that sleep between runs, and no memory kept for later.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        OptionError: ``threads`` is below 1.
    """
    if threads is not None and threads < 1:
        raise OptionError(f"threads must be at least 1, not {threads}")
    options = _onnxruntime().SessionOptions()
    options.intra_op_num_threads = threads or min(4, len(os.sched_getaffinity(0)))
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    # A spinning thread keeps a core busy while the graph is idle, which a stream is most of the time.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Windows of one size do not need them; without, 30 s in windows of 128 frames peak at 140 MB instead of 157.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    return options


class _Opening:
    """One graph on its way to a session."""

    def __init__(self, bundle: Bundle, graph: str, device: str, threads: int | None = None) -> None:
        if graph not in bundle.manifest.graphs:
            raise BundleError(f"the bundle {bundle.manifest.name} has no graph {graph!r}")
        if device not in DEVICES:
            raise OptionError(f"there is no device {device!r}: choose {', '.join(DEVICES[:-1])} or {DEVICES[-1]}")
        self.bundle, self.graph, self.device, self.threads = bundle, graph, device, threads
        self.description = bundle.manifest.graphs[graph]
        self.runtime = _onnxruntime()

    def session(self) -> Session:
        if self.device == "tensorrt":
            return self._on_tensorrt()
        if self.device == "cuda":
            return self._on_cuda()
        if self.device == "auto" and CUDA in self.runtime.get_available_providers():
            try:
                return self._on_cuda()
            except DeviceError as error:
                if self.description.precision == "fp16":
                    raise DeviceError(
                        f"{self.graph} is in fp16, which needs a GPU or an export with --precision fp32: {error}"
                    ) from error
                _log.warning("%s runs on the CPU: %s", self.graph, error)
        return self._on_cpu()

    def engine(self, progress: Progress | None = None) -> tuple[str, Executor, EngineRecord]:
        """Provider, executor and record of the graph's engine: by TensorRT itself, or by ONNX Runtime's provider."""
        require_engines()
        tensorrt = find_tensorrt()
        if tensorrt is not None:
            return ENGINE, *open_engine(self.bundle, self.graph, tensorrt, self._reference, progress)
        return TENSORRT, *open_provider_engine(
            self.bundle, self.graph, self.runtime, self._on_providers, self._reference
        )

    def _on_cpu(self) -> Session:
        if self.description.precision == "fp16":
            raise DeviceError(
                f"{self.graph} is in fp16, which only GPUs compute well: use --device cuda, or export the bundle "
                f"with --precision fp32"
            )
        return self._ready(CPU, PlainExecutor(self._made([CPU])))

    def _on_cuda(self) -> Session:
        require_cuda(self.runtime)
        session = self._on_providers([(CUDA, CUDA_OPTIONS), CPU])
        if session.get_providers()[0] != CUDA:
            raise DeviceError(
                f"cuda was asked for {self.graph}, but onnxruntime gave {session.get_providers()[0]}: see its message "
                f"above, or use --device cpu"
            )
        return self._ready(CUDA, BoundExecutor(self.runtime, session, "cuda"))

    def _on_tensorrt(self) -> Session:
        precision = self.description.precision
        if self.graph in ENGINE_GRAPHS and precision != "int8":
            provider, executor, _ = self.engine()
            return self._ready(provider, executor)
        if precision == "int8":
            _log.warning(
                "%s is in int8, of which no engine is built: it runs on cuda; export it with --precision fp32 or fp16",
                self.graph,
            )
        return self._on_cuda()

    def _ready(self, provider: str, executor: Executor) -> Session:
        session = Session(self.graph, provider, executor, self.description.inputs)
        if provider != CPU:
            session.warm_up(usual_sizes(self.bundle.manifest, self.graph))
            _log.info("%s runs on %s", self.graph, provider)
        return session

    def _reference(self) -> Executor:
        """The graph on the CPU, in whatever precision: what engines are compared with."""
        return PlainExecutor(self._made([CPU]))

    def _on_providers(self, providers: list[Any]) -> onnxruntime.InferenceSession:
        """A session on a GPU of whose work nothing was left to the CPU."""
        try:
            session = self._made(providers, RECORD_NODES)
        except BundleError as error:
            self._made([CPU])  # raises when the graph itself is at fault
            raise DeviceError(f"{self.graph} cannot run on {providers[0][0]}: {error}; use --device cpu") from error
        left = misplaced(session)
        if left and session.get_providers()[0] != CPU:
            listed = ", ".join(f"{count} x {operator}" for operator, count in sorted(left.items()))
            if self.description.precision != "int8":
                raise DeviceError(
                    f"onnxruntime would run parts of {self.graph} on the CPU ({listed}): install another version of "
                    f"onnxruntime-gpu, or use --device cpu"
                )
            _log.warning("%s is in int8: onnxruntime runs parts of it on the CPU (%s)", self.graph, listed)
        return session

    def _made(self, providers: list[Any], *entries: str) -> onnxruntime.InferenceSession:
        options = session_options(self.threads)
        for entry in entries:
            options.add_session_config_entry(entry, "1")
        path = self.bundle.file(self.description.file)
        try:
            # Without the fallback: it would go on with the CPU after any fault, and print to standard output.
            with utf8_path(path) as name:
                session = self.runtime.InferenceSession(name, options, providers=providers, enable_fallback=0)
        except Exception as error:  # the runtime raises many types without a common base
            message = f"{self.description.file} of the bundle cannot be loaded: {first_line(error)}"
            raise BundleError(message) from error
        _compare(self.graph, "inputs", self.description.inputs, session.get_inputs())
        _compare(self.graph, "outputs", self.description.outputs, session.get_outputs())
        return session


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingExtraError("onnxruntime", "cpu") from error
    return onnxruntime


def _compare(graph: str, side: str, stated: tuple[Tensor, ...], real: list[Any]) -> None:
    wanted: Mapping[str, Tensor] = {tensor.name: tensor for tensor in stated}
    found = {tensor.name: tensor for tensor in real}
    if wanted.keys() != found.keys() or len(wanted) != len(stated):
        raise BundleError(f"the {side} of {graph} are {', '.join(found)}, but the manifest states {', '.join(wanted)}")
    for name, tensor in wanted.items():
        shape = tuple(found[name].shape)
        same = len(shape) == len(tensor.shape) and all(
            size == stated_size if isinstance(stated_size, int) else not isinstance(size, int)
            for size, stated_size in zip(shape, tensor.shape, strict=True)
        )
        if not same or found[name].type != _DTYPES.get(tensor.dtype):
            raise BundleError(
                f"{name} of {graph} is {found[name].type} {list(shape)}, but the manifest states "
                f"{tensor.dtype} {list(tensor.shape)}"
            )

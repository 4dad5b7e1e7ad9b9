"""ONNX Runtime sessions on the graphs of a bundle."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from a2m_edge.bundle import Bundle, Tensor
from a2m_edge.errors import BundleError, DeviceError, MissingExtraError, OptionError

if TYPE_CHECKING:
    import onnxruntime

Device = Literal["auto", "cpu", "cuda"]
"""``"auto"`` takes a GPU when there is one and says what it took."""

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
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
        provider: the execution provider that it really got.
    """

    def __init__(self, graph: str, provider: str, session: onnxruntime.InferenceSession) -> None:
        self.graph = graph
        self.provider = provider
        self._session = session
        self._outputs = [output.name for output in session.get_outputs()]

    @property
    def device(self) -> str:
        """Where it runs: ``"cpu"`` or ``"cuda"``."""
        return next(device for device, provider in _PROVIDERS.items() if provider == self.provider)

    def run(self, **inputs: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Runs the graph once; arrays by name in, arrays by name out, shaped as the manifest states."""
        results = self._session.run(self._outputs, inputs)
        return dict(zip(self._outputs, results, strict=True))


def open_session(bundle: Bundle, graph: str, device: str = "auto", threads: int | None = None) -> Session:
    """Makes a session on a graph, and checks that it is what the manifest describes.

    Args:
        bundle: a verified bundle.
        graph: name of the graph, for example ``"vocoder"``.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        threads: CPU threads for one run; None takes the cores this process may use, four at most.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        DeviceError: the device was asked for and cannot be had.
        OptionError: the device is unknown, or ``threads`` is below 1.
        BundleError: the graph does not exist, cannot be loaded, or differs from the manifest.
    """
    if graph not in bundle.manifest.graphs:
        raise BundleError(f"the bundle {bundle.manifest.name} has no graph {graph!r}")
    runtime = _onnxruntime()
    providers, options = _providers(runtime, device), session_options(threads)
    description = bundle.manifest.graphs[graph]
    try:
        session = runtime.InferenceSession(str(bundle.file(description.file)), options, providers=providers)
    except Exception as error:  # the runtime raises many types without a common base
        raise BundleError(f"{description.file} of the bundle cannot be loaded: {_first_line(error)}") from error
    got: str = session.get_providers()[0]
    if got != providers[0]:
        if device != "auto":
            raise DeviceError(f"{device} was asked for, but onnxruntime gave {got}: see its message above")
        _log.warning("no session on %s could be made for %s: it runs on %s", providers[0], graph, got)
    _compare(graph, "inputs", description.inputs, session.get_inputs())
    _compare(graph, "outputs", description.outputs, session.get_outputs())
    return Session(graph, got, session)


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


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingExtraError("onnxruntime", "cpu") from error
    return onnxruntime


def _providers(runtime: Any, device: str) -> list[str]:
    if device not in ("auto", *_PROVIDERS):
        raise OptionError(f"there is no device {device!r}: choose auto, cpu or cuda")
    available = runtime.get_available_providers()
    cpu, cuda = _PROVIDERS["cpu"], _PROVIDERS["cuda"]
    if device == "cuda" and cuda not in available:
        raise DeviceError(
            "the installed onnxruntime cannot use an NVIDIA GPU: run  pip uninstall onnxruntime  and then"
            '  pip install "a2m-edge[gpu]"'
        )
    if device == "cpu" or cuda not in available:
        return [cpu]
    runtime.preload_dlls()  # finds the CUDA libraries that were installed as Python packages
    return [cuda, cpu]


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


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]

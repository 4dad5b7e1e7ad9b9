"""ONNX Runtime's providers for NVIDIA GPUs: their options, whether they can work here, and what they really took.

ONNX Runtime hands what a provider cannot do, or cannot load, to the CPU without an error. So the evidence is
gathered before a session is made, and its nodes are counted after.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from a2m_edge.errors import DeviceError
from a2m_edge.inference.devices import find_gpu
from a2m_edge.inference.shapes import Profile, Shape

if TYPE_CHECKING:
    import onnxruntime

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"

RECORD_NODES = "session.record_ep_graph_assignment_info"
"""The session option that lets ``misplaced`` see which provider took which node; ONNX Runtime has it since 1.24."""

CUDA_OPTIONS = {
    "device_id": "0",
    # The default (EXHAUSTIVE) times every algorithm at each new shape, in the middle of a stream.
    "cudnn_conv_algo_search": "HEURISTIC",
    "arena_extend_strategy": "kSameAsRequested",  # the shapes of a stream are few: no memory in reserve
    "use_tf32": "0",  # an fp32 graph is computed in fp32, and its parity holds; fp16 is the fast choice
}

# Parts of the names of operators that multiply by the weights, fused ones included (FusedConv, MatMulInteger,
# DynamicQuantizeLSTM); what else is left to the CPU is the arithmetic of shapes.
_COMPUTE = ("Attention", "Conv", "Einsum", "Gemm", "GRU", "LSTM", "MatMul", "RNN")

# What ONNX Runtime's CUDA provider loads, by the CUDA version it was built for; the same list as in its
# preload_dlls. Newer releases start without cuDNN, but have no convolutions and LSTMs then.
_LIBRARIES = ("libcudart.so.{cuda}", "libcublasLt.so.{cuda}", "libcublas.so.{cuda}", "libcurand.so.10", "libcudnn.so.9")
_TENSORRT_MAJORS = (11, 10)
_GPU_WHEEL = 'run  pip uninstall onnxruntime onnxruntime-gpu  and then  pip install "a2m-edge[gpu]"'
_log = logging.getLogger(__name__)


def require_cuda(runtime: Any) -> None:
    """Makes sure that the module onnxruntime can make sessions on the GPU.

    Raises:
        DeviceError: naming what is missing: the wheel for GPUs, the driver, the GPU, or a library of CUDA.
    """
    if CUDA not in runtime.get_available_providers():
        raise DeviceError(f"the installed onnxruntime is the one for CPUs and cannot use a GPU: {_GPU_WHEEL}")
    gpu = find_gpu()
    version: str = runtime.cuda_version  # empty in builds that do not say
    major = version.split(".")[0]
    if major.isdecimal() and int(gpu.cuda.split(".")[0]) < int(major):
        raise DeviceError(
            f"the NVIDIA driver can run CUDA {gpu.cuda}, and the installed onnxruntime needs {version}: update the "
            f'driver, or install a release for CUDA 12:  pip install "onnxruntime-gpu[cuda,cudnn]<1.27"'
        )
    preload(runtime)
    if not major.isdecimal():
        return
    for pattern in _LIBRARIES:
        fault = _load(pattern.format(cuda=major))
        if fault is not None:
            raise DeviceError(f'a library of CUDA {major} cannot be loaded ({fault}): run  pip install "a2m-edge[gpu]"')


def preload(runtime: Any) -> None:
    """Loads the CUDA libraries that were installed as Python packages; what is missing is found out later."""
    with contextlib.redirect_stdout(io.StringIO()) as said:  # it prints, and standard output may be a WAV file
        runtime.preload_dlls()
    for line in said.getvalue().splitlines():
        _log.debug("onnxruntime: %s", line)


def tensorrt_version() -> str | None:
    """The version of the TensorRT libraries that the system's loader finds, for example ``"10.9.0"``; None without."""
    for major in _TENSORRT_MAJORS:
        try:
            library = ctypes.CDLL(f"libnvinfer.so.{major}")
        except OSError:
            continue
        number: int = library.getInferLibVersion()  # since TensorRT 10: 10000 x major + 100 x minor + patch
        return f"{number // 10000}.{number // 100 % 100}.{number % 100}"
    return None


def tensorrt_options(folder: Path, profile: Profile, precision: str) -> dict[str, str]:
    """Options of ONNX Runtime's TensorRT provider.

    Args:
        folder: where it keeps its engines and the timing cache; nothing else is in it.
        profile: the shapes that it builds for.
        precision: that of the graph.
    """
    return {
        "device_id": "0",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder),
        "trt_profile_min_shapes": shapes_text(profile.least),
        "trt_profile_opt_shapes": shapes_text(profile.usual),
        "trt_profile_max_shapes": shapes_text(profile.most),
        # The graph's own types decide; the provider refuses half precision unless it is allowed here too.
        "trt_fp16_enable": "1" if precision == "fp16" else "0",
    }


def shapes_text(shapes: Mapping[str, Shape]) -> str:
    """Shapes as ONNX Runtime's TensorRT provider reads them: ``"mel:1x80x42,excitation:1x1x10752"``."""
    return ",".join(f"{name}:{'x'.join(map(str, shape))}" for name, shape in shapes.items())


def misplaced(session: onnxruntime.InferenceSession) -> Counter[str]:
    """The operators with weights that a session runs on the CPU, and how often; shapes may be computed there.

    The session must have been made with ``RECORD_NODES``. ONNX Runtime's own option for this,
    ``session.disable_cpu_ep_fallback``, is of no use here: it refuses any node on the CPU, and the sizes of free axes
    are computed there on purpose (https://github.com/microsoft/onnxruntime/issues/17930).
    """
    return Counter(
        node.op_type
        for subgraph in session.get_provider_graph_assignment_info()
        if subgraph.ep_name == CPU
        for node in subgraph.get_nodes()
        if any(part in node.op_type for part in _COMPUTE)
    )


def _load(library: str) -> str | None:
    """Loads a library by its name; None when it is there, else what the loader says."""
    try:
        ctypes.CDLL(library)
    except OSError as error:
        return str(error)
    return None

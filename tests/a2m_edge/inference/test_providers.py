"""What keeps ONNX Runtime from a GPU, told apart; and where it put the nodes of a graph."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnxruntime
import pytest
from onnx import TensorProto, helper

from a2m_edge.errors import DeviceError
from a2m_edge.inference import providers
from a2m_edge.inference.devices import Gpu
from a2m_edge.inference.providers import (
    RECORD_NODES,
    misplaced,
    require_cuda,
    shapes_text,
    tensorrt_options,
    tensorrt_version,
)
from a2m_edge.inference.sessions import session_options
from a2m_edge.inference.shapes import engine_profiles

CPU_ONLY = ["CPUExecutionProvider"]
FOR_GPUS = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]


def runtime(available: list[str], cuda: str = "13.0") -> Any:
    """As much of the module onnxruntime as is asked before a session is made."""
    said = "Failed to load libcublasLt.so.13"
    return SimpleNamespace(
        get_available_providers=lambda: available, cuda_version=cuda, preload_dlls=lambda: print(said)
    )


@pytest.fixture
def gpu(monkeypatch):
    """A driver that shows a GPU, which no library of CUDA goes with."""
    monkeypatch.setattr(providers, "find_gpu", lambda: Gpu("NVIDIA Test", "8.9", "ab" * 16, "12.8"))


def test_the_wheel_for_cpus():
    with pytest.raises(DeviceError, match=r"the one for CPUs.*a2m-edge\[gpu\]"):
        require_cuda(runtime(CPU_ONLY))


def test_no_driver(monkeypatch):
    def none() -> Gpu:
        raise DeviceError("there is no NVIDIA driver on this machine")

    monkeypatch.setattr(providers, "find_gpu", none)
    with pytest.raises(DeviceError, match="no NVIDIA driver"):
        require_cuda(runtime(FOR_GPUS))


def test_a_driver_older_than_the_wheel(gpu):
    with pytest.raises(DeviceError, match=r"can run CUDA 12\.8.*needs 13\.0: update the driver, or install a release"):
        require_cuda(runtime(FOR_GPUS, "13.0"))


def test_a_missing_library_is_named_and_nothing_goes_to_standard_output(gpu, capfd, caplog):
    with caplog.at_level(logging.DEBUG), pytest.raises(DeviceError) as refused:
        require_cuda(runtime(FOR_GPUS, "11.9"))  # whose libraries no machine of today has
    assert "library of CUDA 11 cannot be loaded (libcudart.so.11: cannot open shared object file" in str(refused.value)
    assert 'pip install "a2m-edge[gpu]"' in str(refused.value)
    assert capfd.readouterr().out == ""  # where a WAV file may go
    assert "Failed to load libcublasLt.so.13" in caplog.text


def graph_of(*operators: str) -> bytes:
    """x [batch, 4, 4] through operators of one kind each."""
    nodes, last = [], "x"
    for number, operator in enumerate(operators):
        inputs = [last, last] if operator in ("MatMul", "Add") else [last]
        nodes.append(helper.make_node(operator, inputs, [f"y{number}"]))
        last = f"y{number}"
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4, 4])],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, ["batch", 4, 4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def recorded(graph: bytes | Path) -> onnxruntime.InferenceSession:
    options = session_options(1)
    options.add_session_config_entry(RECORD_NODES, "1")
    content = graph if isinstance(graph, bytes) else str(graph)
    return onnxruntime.InferenceSession(content, options, providers=CPU_ONLY)


def test_operators_with_weights_on_the_cpu_are_counted_and_others_are_not():
    assert misplaced(recorded(graph_of("MatMul", "Relu", "MatMul"))) == Counter(MatMul=2)
    assert misplaced(recorded(graph_of("Relu", "Add", "Transpose"))) == Counter()


@pytest.mark.parametrize("graph", ["image_encoder", "text_encoder", "fusion", "mel_decoder", "vocoder"])
def test_every_graph_of_a_bundle_would_be_missed_on_a_gpu(tiny_bundle, graph):
    assert misplaced(recorded(tiny_bundle.file(tiny_bundle.manifest.graphs[graph].file)))


def test_the_tensorrt_provider_gets_its_own_folder_the_whole_range_and_the_graphs_precision(tiny_bundle):
    profile = engine_profiles(tiny_bundle.manifest, "vocoder")[-1]
    options = tensorrt_options(Path("/cache/vocoder"), profile, "fp16")
    assert options["trt_engine_cache_path"] == options["trt_timing_cache_path"] == "/cache/vocoder"
    assert options["trt_profile_min_shapes"] == "mel:1x80x11,excitation:1x1x2816"
    assert options["trt_profile_opt_shapes"] == shapes_text(profile.usual)
    assert options["trt_profile_max_shapes"] == shapes_text(profile.most)
    assert options["trt_fp16_enable"] == "1"
    assert tensorrt_options(Path("/cache"), profile, "fp32")["trt_fp16_enable"] == "0"


def test_the_version_of_tensorrt_is_that_of_its_library(monkeypatch, tmp_path):
    monkeypatch.setattr(providers, "_TENSORRT_MAJORS", (99,))
    assert tensorrt_version() is None

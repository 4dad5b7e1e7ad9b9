"""Sessions: real ONNX Runtime on small graphs."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from a2m_edge.bundle import Bundle, Graph, Tensor, seal_bundle
from a2m_edge.errors import BundleError, DeviceError, MissingExtraError, OptionError
from a2m_edge.sessions import open_session
from tests.test_bundle import MANIFEST

GPU = Path("/dev/nvidiactl").exists()
FIRST = Tensor("left", "float32", ("batch", 3))
SECOND = Tensor("right", "float32", ("batch", 3))
SUM = Tensor("sum", "float32", ("batch", 3))
COUNT = Tensor("count", "int64", (2,))


def adder() -> onnx.ModelProto:
    """sum = left + right, count = the shape of left."""
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["left", "right"], ["sum"]),
            helper.make_node("Shape", ["left"], ["count"]),
        ],
        "adder",
        [
            helper.make_tensor_value_info("left", TensorProto.FLOAT, ["batch", 3]),
            helper.make_tensor_value_info("right", TensorProto.FLOAT, ["batch", 3]),
        ],
        [
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["batch", 3]),
            helper.make_tensor_value_info("count", TensorProto.INT64, [2]),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def bundle_with(folder: Path, content: bytes, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Bundle:
    graphs = {name: Graph(f"{name}.onnx", 17, inputs, outputs) for name in MANIFEST.graphs}
    for name in replace(MANIFEST, graphs=graphs).needed_files:
        (folder / name).write_bytes(content)
    return seal_bundle(folder, replace(MANIFEST, graphs=graphs))


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return bundle_with(tmp_path, adder().SerializeToString(), (FIRST, SECOND), (SUM, COUNT))


@pytest.mark.parametrize("threads", [None, 1, 2])
def test_a_graph_runs_by_the_names_of_its_tensors(bundle, threads):
    session = open_session(bundle, "fusion", "cpu", threads)
    left, right = np.ones((2, 3), np.float32), np.full((2, 3), 2, np.float32)
    results = session.run(right=right, left=left)
    assert list(results) == ["sum", "count"]
    np.testing.assert_array_equal(results["sum"], left + right)
    np.testing.assert_array_equal(results["count"], [2, 3])


def test_a_session_says_what_it_really_got(bundle):
    session = open_session(bundle, "fusion", "cpu")
    assert (session.device, session.provider) == ("cpu", "CPUExecutionProvider")
    assert session.graph == "fusion"


@pytest.mark.skipif(GPU, reason="there is a GPU")
def test_auto_without_a_gpu_is_the_cpu(bundle):
    assert open_session(bundle, "fusion").device == "cpu"


@pytest.mark.skipif(GPU, reason="there is a GPU")
def test_asking_for_a_gpu_that_is_not_there_is_an_error(bundle):
    with pytest.raises(DeviceError, match=r"GPU|cuda"):
        open_session(bundle, "fusion", "cuda")


@pytest.mark.parametrize(("device", "threads"), [("tpu", None), ("", None), ("cpu", 0), ("cpu", -1)])
def test_options_out_of_range_are_refused(bundle, device, threads):
    with pytest.raises(OptionError):
        open_session(bundle, "fusion", device, threads)


def test_a_missing_runtime_names_the_command_that_installs_it(bundle, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r'pip install "a2m-edge\[cpu\]"'):
        open_session(bundle, "fusion")


def test_a_graph_that_does_not_exist(bundle):
    with pytest.raises(BundleError, match="no graph 'upsampler'"):
        open_session(bundle, "upsampler")


@pytest.mark.parametrize("content", [b"", b"no graph at all", adder().SerializeToString()[:100]])
def test_a_file_that_is_no_graph(tmp_path, content):
    bundle = bundle_with(tmp_path, content, (FIRST, SECOND), (SUM, COUNT))
    with pytest.raises(BundleError, match=r"fusion\.onnx of the bundle cannot be loaded"):
        open_session(bundle, "fusion", "cpu")


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ((FIRST,), (SUM, COUNT)),
        ((FIRST, replace(SECOND, name="wrong")), (SUM, COUNT)),
        ((FIRST, FIRST, SECOND), (SUM, COUNT)),
        ((FIRST, replace(SECOND, dtype="int64")), (SUM, COUNT)),
        ((FIRST, replace(SECOND, dtype="string")), (SUM, COUNT)),
        ((FIRST, replace(SECOND, shape=("batch", 4))), (SUM, COUNT)),
        ((FIRST, replace(SECOND, shape=(1, 3))), (SUM, COUNT)),
        ((FIRST, replace(SECOND, shape=("batch", "size"))), (SUM, COUNT)),
        ((FIRST, replace(SECOND, shape=("batch",))), (SUM, COUNT)),
        ((FIRST, SECOND), (SUM,)),
        ((FIRST, SECOND), (SUM, replace(COUNT, dtype="int32"))),
    ],
)
def test_a_graph_that_differs_from_the_manifest(tmp_path, inputs, outputs):
    bundle = bundle_with(tmp_path, adder().SerializeToString(), inputs, outputs)
    with pytest.raises(BundleError, match="but the manifest states"):
        open_session(bundle, "fusion", "cpu")


def test_making_a_session_is_quiet(bundle, caplog, capfd):
    with caplog.at_level(logging.DEBUG):
        open_session(bundle, "fusion", "cpu")
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")

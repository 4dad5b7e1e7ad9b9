"""Sessions: real ONNX Runtime on small graphs."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from a2m_edge.bundle import Bundle, seal_bundle
from a2m_edge.bundle.manifest import Graph, Precision, Tensor
from a2m_edge.errors import BundleError, DeviceError, MissingExtraError, OptionError
from a2m_edge.inference.sessions import Session, open_session
from tests.fixtures.hardware import has_gpu
from tests.fixtures.manifests import MANIFEST
from tests.fixtures.places import ROOT

GPU = has_gpu()
FOR_GPUS = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
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


def bundle_with(
    folder: Path,
    content: bytes,
    inputs: tuple[Tensor, ...],
    outputs: tuple[Tensor, ...],
    precision: Precision = "fp32",
) -> Bundle:
    graphs = {name: Graph(f"{name}.onnx", 17, inputs, outputs, precision) for name in MANIFEST.graphs}
    for name in replace(MANIFEST, graphs=graphs).needed_files:
        (folder / name).write_bytes(content)
    return seal_bundle(folder, replace(MANIFEST, graphs=graphs))


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    (tmp_path / "bundle").mkdir()
    return bundle_with(tmp_path / "bundle", adder().SerializeToString(), (FIRST, SECOND), (SUM, COUNT))


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


@pytest.mark.skipif(FOR_GPUS, reason="onnxruntime is the one for GPUs")
@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_asking_a_runtime_for_cpus_for_a_gpu_names_the_wheel(bundle, device):
    with pytest.raises(DeviceError, match=r"the one for CPUs.*pip uninstall onnxruntime.*a2m-edge\[gpu\]"):
        open_session(bundle, "fusion", device)


@pytest.mark.skipif(GPU or not FOR_GPUS, reason="needs onnxruntime-gpu and no GPU")
@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_asking_for_a_gpu_that_is_not_there_names_the_driver(bundle, device):
    with pytest.raises(DeviceError, match="NVIDIA driver"):
        open_session(bundle, "fusion", device)


@pytest.mark.skipif(GPU or not FOR_GPUS, reason="needs onnxruntime-gpu and no GPU")
def test_auto_with_a_runtime_for_gpus_says_that_it_got_none(bundle, caplog):
    assert open_session(bundle, "fusion", "auto").device == "cpu"
    assert "fusion runs on the CPU: " in caplog.text
    assert "NVIDIA driver" in caplog.text


@pytest.mark.parametrize("device", ["tpu", "", "CUDA"])
def test_an_unknown_device_is_refused_with_the_known_ones(bundle, device):
    with pytest.raises(OptionError, match="choose auto, cpu, cuda or tensorrt"):
        open_session(bundle, "fusion", device)


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_out_of_range_are_refused(bundle, threads):
    with pytest.raises(OptionError, match="threads"):
        open_session(bundle, "fusion", "cpu", threads)


@pytest.mark.parametrize(
    "device", ["cpu", pytest.param("auto", marks=pytest.mark.skipif(GPU, reason="there is a GPU"))]
)
def test_half_precision_is_not_run_on_a_cpu(tmp_path, device):
    bundle = bundle_with(tmp_path, adder().SerializeToString(), (FIRST, SECOND), (SUM, COUNT), "fp16")
    with pytest.raises(DeviceError, match=r"fusion is in fp16"):
        open_session(bundle, "fusion", device)


@pytest.mark.skipif(GPU, reason="there is a GPU")
def test_whole_numbers_have_no_engine_and_say_so(tmp_path, caplog):
    bundle = bundle_with(tmp_path, adder().SerializeToString(), (FIRST, SECOND), (SUM, COUNT), "int8")
    with pytest.raises(DeviceError):
        open_session(bundle, "text_encoder", "tensorrt")
    assert "text_encoder is in int8, of which no engine is built" in caplog.text


def test_warming_up_runs_zeros_of_every_size(bundle):
    real = open_session(bundle, "fusion", "cpu")
    seen = []

    class Noted:
        def run(self, inputs):
            seen.append({name: (array.shape, array.dtype.name, array.any()) for name, array in inputs.items()})
            return real.run(**inputs)

    Session("fusion", real.provider, Noted(), (FIRST, SECOND)).warm_up([{"batch": 2}, {"batch": 5, "frames": 1}])
    zeros = [((rows, 3), "float32", False) for rows in (2, 5)]
    assert seen == [{"left": each, "right": each} for each in zeros]
    with pytest.raises(BundleError, match="'batch'"):
        real.warm_up([{"frames": 1}])


@pytest.mark.parametrize("provider", ["CUDAExecutionProvider", "TensorrtExecutionProvider", "TensorRT"])
def test_a_gpu_that_fails_in_a_run_is_told_in_one_sentence(provider):
    class Full:
        def run(self, inputs):
            raise RuntimeError("CUDA failure 2: out of memory\nand a stack")

    with pytest.raises(DeviceError, match=r"^fusion failed on \w+ \(CUDA failure 2: out of memory\): .*--device cpu$"):
        Session("fusion", provider, Full(), (FIRST, SECOND)).run()


def test_the_runtime_keeps_and_sends_nothing(bundle, tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\nfrom a2m_edge.bundle import open_bundle\n"
        "from a2m_edge.inference.sessions import open_session\n"
        "open_session(open_bundle(Path(sys.argv[1])), 'fusion', 'cpu')\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ORT_", "XDG_"))}
    command = [sys.executable, "-c", code, str(bundle.path)]
    subprocess.run(command, check=True, env={**environment, "HOME": str(home)}, cwd=ROOT)
    assert list(home.iterdir()) == []


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


def shifter(location: str) -> onnx.ModelProto:
    """sum = left + 1, where the ones lie in a file of their own."""
    ones = onnx.TensorProto(name="right", data_type=TensorProto.FLOAT, dims=[3])
    ones.data_location = TensorProto.EXTERNAL
    ones.external_data.add(key="location", value=location)
    graph = helper.make_graph(
        [helper.make_node("Add", ["left", "right"], ["sum"])],
        "shifter",
        [helper.make_tensor_value_info("left", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["batch", 3])],
        [ones],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("location", ["weights.bin", "../weights.bin", "{folder}/weights.bin", "link/weights.bin"])
def test_weights_beside_a_graph_are_taken_and_weights_elsewhere_are_refused(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    beside = location == "weights.bin"
    ((folder if beside else tmp_path) / "weights.bin").write_bytes(np.ones(3, np.float32).tobytes())
    content = shifter(location.format(folder=tmp_path)).SerializeToString()
    opened = bundle_with(folder, content, (FIRST,), (SUM,))
    if location.startswith("link"):
        (folder / "link").symlink_to(tmp_path)  # set after every file was proven
    if not beside:
        with pytest.raises(BundleError, match=r"vocoder\.onnx of the bundle cannot be loaded: .*xternal data"):
            open_session(opened, "vocoder", "cpu")
        return
    found = open_session(opened, "vocoder", "cpu").run(left=np.zeros((2, 3), np.float32))["sum"]
    np.testing.assert_array_equal(found, np.ones((2, 3), np.float32))

"""Engines up to the builder's call and from the plan on; what stands in for TensorRT here always ends in a refusal."""

from __future__ import annotations

import logging
import math
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from a2m_edge.bundle import Bundle, open_bundle, seal_bundle
from a2m_edge.bundle.manifest import FileRecord
from a2m_edge.errors import BundleError, DeviceError, EngineCacheError
from a2m_edge.inference.devices import Gpu
from a2m_edge.inference.executors import PlainExecutor
from a2m_edge.inference.sessions import build_engines, open_session, session_options
from a2m_edge.inference.shapes import engine_profiles
from a2m_edge.inference.tensorrt.build import SETTINGS, Phases, build_plan
from a2m_edge.inference.tensorrt.cache import EngineCache
from a2m_edge.inference.tensorrt.opening import ENGINE_GRAPHS, PLAN, TensorRt, engine_key, find_tensorrt, open_engine
from a2m_edge.inference.tensorrt.parity import LIMITS, measure_parity, parity_cases, require_parity
from a2m_edge.inference.tensorrt.provider import open_provider_engine
from tests.fixtures.hardware import has_gpu

GPU = Gpu("NVIDIA Test", "8.9", "ab" * 16, "13.0")


def has_tensorrt() -> bool:
    try:
        import tensorrt  # noqa: F401
    except ModuleNotFoundError:
        return False
    except ImportError:
        return True
    return True


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "a2m-edge" / "engines"


# --- what is there ---


def test_without_tensorrt_both_ways_to_it_are_named(tiny_bundle, monkeypatch, own_cache):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert find_tensorrt() is None
    for refused in (lambda: build_engines(tiny_bundle), lambda: open_session(tiny_bundle, "vocoder", "tensorrt")):
        with pytest.raises(DeviceError, match=r"TensorRT is not installed: .*a2m-edge\[tensorrt\].*onnxruntime-gpu"):
            refused()
    assert not own_cache.exists()


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Installs a package of the name tensorrt with the given content."""

    def install(content: str) -> None:
        package = tmp_path / "site" / "tensorrt"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(content)
        monkeypatch.syspath_prepend(str(package.parent))
        monkeypatch.delitem(sys.modules, "tensorrt", raising=False)

    yield install
    sys.modules.pop("tensorrt", None)


@pytest.mark.parametrize(
    "content",
    [
        "raise ImportError('libnvinfer.so.11: cannot open shared object file')",
        "raise OSError('libnvinfer.so.11: invalid ELF header')",
        "import tensorrt_bindings_that_are_missing",
    ],
)
def test_a_tensorrt_that_cannot_be_loaded_is_an_error_and_no_reason_for_another_way(installed, content, tiny_bundle):
    installed(content)
    with pytest.raises(DeviceError, match=r"installed TensorRT cannot be loaded \(.*pypi\.nvidia\.com"):
        open_session(tiny_bundle, "vocoder", "tensorrt")


def test_a_tensorrt_that_is_too_old_is_named(installed):
    installed("__version__ = '8.6.1'")
    with pytest.raises(DeviceError, match=r"TensorRT 8\.6\.1 is installed, and engines need 10 or newer"):
        find_tensorrt()


@pytest.mark.skipif(has_gpu(), reason="there is a GPU")
def test_tensorrt_without_a_gpu_is_told_what_is_missing(installed, tiny_bundle, own_cache):
    installed("__version__ = '11.4.0'")
    with pytest.raises(DeviceError, match="NVIDIA driver"):
        build_engines(tiny_bundle)
    assert not own_cache.exists()


@pytest.mark.skipif(not has_tensorrt(), reason="TensorRT is not installed")
@pytest.mark.skipif(has_gpu(), reason="there is a GPU")
def test_the_real_tensorrt_without_a_gpu(tiny_bundle):
    with pytest.raises(DeviceError, match=r"NVIDIA driver|cannot be loaded"):
        open_session(tiny_bundle, "vocoder", "tensorrt")


@pytest.mark.skipif(has_gpu(), reason="there is a GPU")
def test_the_second_way_needs_a_gpu_too(tiny_bundle, own_cache):
    def never(*_: object) -> Any:
        raise AssertionError("nothing is opened")

    with pytest.raises(DeviceError, match=r"the one for CPUs|NVIDIA driver"):
        open_provider_engine(tiny_bundle, "vocoder", onnxruntime, never, never)
    assert not own_cache.exists()


# --- keys ---


def test_a_key_holds_the_hashes_of_the_graph_and_of_its_weights(tiny_bundle):
    key = engine_key(tiny_bundle, "vocoder", "TensorRT 11.4.0", GPU, SETTINGS)
    assert key.files == {"vocoder.onnx": tiny_bundle.manifest.files["vocoder.onnx"].sha256}
    assert key.profiles == engine_profiles(tiny_bundle.manifest, "vocoder")
    manifest = tiny_bundle.manifest
    graphs = {**manifest.graphs, "vocoder": replace(manifest.graphs["vocoder"], data=("weights.bin",))}
    files = {**manifest.files, "weights.bin": FileRecord("5" * 64, 7)}
    split = replace(tiny_bundle, manifest=replace(manifest, graphs=graphs, files=files))
    assert engine_key(split, "vocoder", "TensorRT 11.4.0", GPU, SETTINGS).files["weights.bin"] == "5" * 64


def test_the_same_bundle_elsewhere_has_the_same_engines_and_another_graph_has_others(tiny_bundle, tmp_path):
    copy = shutil.copytree(tiny_bundle.path, tmp_path / "copy")
    same = engine_key(open_bundle(copy), "vocoder", "TensorRT 11.4.0", GPU, SETTINGS)
    assert same == engine_key(tiny_bundle, "vocoder", "TensorRT 11.4.0", GPU, SETTINGS)
    changed = engine_key(altered(tiny_bundle, tmp_path / "changed", 1e-3), "vocoder", "TensorRT 11.4.0", GPU, SETTINGS)
    assert changed.name != same.name


# --- progress ---


def test_the_share_of_nested_phases():
    phases = Phases()
    shares = [phases.share]
    phases.start("building", None, 4)
    for step in range(4):
        phases.start("timing", "building", 2)
        for inner in range(2):
            phases.step("timing", inner)
            shares.append(phases.share)
        phases.finish("timing")
        phases.step("building", step)
    phases.finish("building")
    assert shares == [0, *(number / 8 for number in range(1, 9))]


NAMES = st.sampled_from(["a", "b", "c"])
EVENTS = st.one_of(
    st.tuples(st.just("start"), NAMES, st.none() | NAMES, st.integers(-1, 5)).filter(lambda each: each[1] != each[2]),
    st.tuples(st.just("step"), NAMES, st.integers(-1, 9)),
    st.tuples(st.just("finish"), NAMES),
)


@given(events=st.lists(EVENTS, max_size=40))
@settings(deadline=None)
def test_whatever_is_reported_the_share_stays_a_share_and_never_falls(events):
    phases, last = Phases(), 0.0
    for name, *arguments in events:
        getattr(phases, name)(*arguments)
        assert last <= phases.share <= 1
        last = phases.share


# --- the builder's call ---


class RefusingTensorRt(SimpleNamespace):
    """Takes every request as TensorRT's builder does, notes it, and builds nothing."""

    def __init__(self, *, starts: bool = True, reads: bool = True, report: Any = None) -> None:
        super().__init__(asked=[], deserialised=[], __version__="11.4.0")
        self.ILogger = type("ILogger", (), {"Severity": SimpleNamespace(INTERNAL_ERROR=0, ERROR=1, WARNING=2)})
        self.IProgressMonitor = type("IProgressMonitor", (), {})
        self.NetworkDefinitionCreationFlag = SimpleNamespace(STRONGLY_TYPED=0)
        self.BuilderFlag = SimpleNamespace(TF32="TF32")
        self.MemoryPoolType = SimpleNamespace(WORKSPACE="WORKSPACE")
        outer = self

        class Builder:
            def __init__(self, logger: Any) -> None:
                self.logger = logger
                if not starts:
                    logger.log(0, "CUDA initialization failure with error: 35")
                    raise TypeError("pybind11::init(): factory function returned nullptr")

            def create_network(self, flags: int) -> str:
                outer.asked.append(("network", flags))
                return "network"

            def create_builder_config(self) -> Any:
                return Config()

            def create_optimization_profile(self) -> Any:
                return SimpleNamespace(set_shape=lambda *shapes: outer.asked.append(("shape", *shapes)))

            def build_serialized_network(self, network: str, config: Any) -> None:
                if report is not None:
                    report(config.progress_monitor)
                self.logger.log(2, "only a warning")
                self.logger.log(1, "Could not find any implementation for node Conv")

        class Config:
            def clear_flag(self, flag: str) -> None:
                outer.asked.append(("cleared", flag))

            def set_memory_pool_limit(self, pool: str, size: int) -> None:
                outer.asked.append((pool, size))

            def create_timing_cache(self, content: bytes) -> bytes:
                return content

            def set_timing_cache(self, cache: bytes, ignore_mismatch: bool) -> bool:
                outer.asked.append(("timings", cache, ignore_mismatch))
                return cache != b"of another GPU"

            def add_optimization_profile(self, profile: Any) -> int:
                return 0

        class OnnxParser:
            num_errors = 1

            def __init__(self, network: str, logger: Any) -> None:
                pass

            def parse_from_file(self, path: str) -> bool:
                outer.asked.append(("parse", path))
                return reads

            def get_error(self, number: int) -> Any:
                return SimpleNamespace(desc=lambda: "unsupported operator Frobnicate")

        class Runtime:
            def __init__(self, logger: Any) -> None:
                pass

            def deserialize_cuda_engine(self, plan: bytes) -> None:
                outer.deserialised.append(plan)

        self.Builder, self.OnnxParser, self.Runtime = Builder, OnnxParser, Runtime


CUDA = SimpleNamespace(
    cudaStreamNonBlocking=1,
    cudaError_t=SimpleNamespace(cudaSuccess=0),
    cudaStreamCreateWithFlags=lambda flags: (0, 1),
    cudaStreamSynchronize=lambda stream: (0,),
    cudaStreamDestroy=lambda stream: (0,),
)


def plan_of(bundle: Bundle, tensorrt: Any, timings: bytes = b"", progress: Any = None) -> Any:
    profiles = engine_profiles(bundle.manifest, "vocoder")
    return build_plan(tensorrt, bundle.file("vocoder.onnx"), profiles, timings, "vocoder", progress)


def test_the_builder_is_asked_for_typed_networks_full_fp32_and_every_profile(tiny_bundle):
    tensorrt = RefusingTensorRt()
    with pytest.raises(DeviceError):
        plan_of(tiny_bundle, tensorrt, b"timings of before")
    assert ("network", 1) in tensorrt.asked
    assert ("cleared", "TF32") in tensorrt.asked
    assert ("parse", str(tiny_bundle.file("vocoder.onnx"))) in tensorrt.asked
    assert ("timings", b"timings of before", False) in tensorrt.asked
    shapes = [each[1:] for each in tensorrt.asked if each[0] == "shape"]
    assert shapes == [
        (name, profile.least[name], profile.usual[name], profile.most[name])
        for profile in engine_profiles(tiny_bundle.manifest, "vocoder")
        for name in ("mel", "excitation")
    ]


def test_timings_of_another_gpu_are_replaced_by_new_ones(tiny_bundle):
    tensorrt = RefusingTensorRt()
    with pytest.raises(DeviceError):
        plan_of(tiny_bundle, tensorrt, b"of another GPU")
    assert [each for each in tensorrt.asked if each[0] == "timings"][-1] == ("timings", b"", False)


@pytest.mark.parametrize(
    ("tensorrt", "words"),
    [
        (RefusingTensorRt(starts=False), r"cannot use this GPU \(CUDA initialization failure with error: 35\)"),
        (RefusingTensorRt(reads=False), r"11\.4\.0 cannot read vocoder\.onnx \(unsupported operator Frobnicate\)"),
        (RefusingTensorRt(), r"can build no engine of vocoder \(Could not find any implementation for node Conv\)"),
    ],
)
def test_what_tensorrt_refuses_is_told_in_its_own_words(tiny_bundle, tensorrt, words):
    with pytest.raises(DeviceError, match=words):
        plan_of(tiny_bundle, tensorrt)


def test_a_build_that_is_interrupted_ends_and_says_so(tiny_bundle):
    answers = []

    def report(monitor: Any) -> None:
        monitor.phase_start("building", None, 2)
        answers.append(monitor.step_complete("building", 0))
        monitor.phase_finish("building")

    def interrupted(graph: str, share: float) -> None:
        if share > 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plan_of(tiny_bundle, RefusingTensorRt(report=report), progress=interrupted)
    assert answers == [False]  # TensorRT is told to stop; no exception went through its threads


def test_progress_is_told_with_the_name_of_the_graph(tiny_bundle):
    told = []

    def report(monitor: Any) -> None:
        monitor.phase_start("building", None, 2)
        assert monitor.step_complete("building", 0)

    with pytest.raises(DeviceError):
        plan_of(tiny_bundle, RefusingTensorRt(report=report), progress=lambda *each: told.append(each))
    assert told == [("vocoder", 0.0), ("vocoder", 0.5)]


# --- from the cache ---


def kept(bundle: Bundle, plan: bytes) -> EngineCache:
    key = engine_key(bundle, "vocoder", "TensorRT 11.4.0", GPU, SETTINGS)
    cache = EngineCache()
    with cache.locked():
        cache.prepare(key)
        cache.write(key, PLAN, plan)
        cache.seal(key, {}, 1.0)
    return cache


def opened(bundle: Bundle, tensorrt: Any) -> Any:
    return open_engine(bundle, "vocoder", TensorRt(tensorrt, CUDA, "11.4.0", GPU), lambda: on_cpu(bundle))


def test_a_plan_that_was_built_here_is_handed_to_tensorrt_as_it_is(tiny_bundle):
    tensorrt = RefusingTensorRt()
    kept(tiny_bundle, b"a plan of ours")
    with pytest.raises(DeviceError, match="cannot load the engine"):
        opened(tiny_bundle, tensorrt)
    assert tensorrt.deserialised == [b"a plan of ours"]
    assert tensorrt.asked == []  # nothing was built


@pytest.mark.parametrize("spoiled", [PLAN, "record.json"])
def test_a_foreign_plan_is_built_again_and_never_deserialised(tiny_bundle, caplog, spoiled):
    tensorrt = RefusingTensorRt()
    cache = kept(tiny_bundle, b"a plan of ours")
    path = cache.path(engine_key(tiny_bundle, "vocoder", "TensorRT 11.4.0", GPU, SETTINGS)) / spoiled
    path.write_bytes(path.read_bytes().replace(b"a", b"4"))
    with caplog.at_level(logging.WARNING), pytest.raises(DeviceError, match="can build no engine"):
        opened(tiny_bundle, tensorrt)
    assert tensorrt.deserialised == []
    assert "not built here or was altered" in caplog.text


@pytest.mark.parametrize("change", ["version", "uuid"])
def test_an_engine_of_another_version_or_gpu_is_not_used(tiny_bundle, change):
    tensorrt = RefusingTensorRt()
    kept(tiny_bundle, b"a plan of ours")
    gpu, version = (GPU, "11.5.0") if change == "version" else (replace(GPU, uuid="cd" * 16), "11.4.0")
    with pytest.raises(DeviceError, match="can build no engine"):
        open_engine(tiny_bundle, "vocoder", TensorRt(tensorrt, CUDA, version, gpu), lambda: on_cpu(tiny_bundle))
    assert tensorrt.deserialised == []


def test_without_a_safe_place_nothing_is_built(tiny_bundle, own_cache):
    own_cache.mkdir(parents=True)
    own_cache.chmod(0o777)
    tensorrt = RefusingTensorRt()
    with pytest.raises(EngineCacheError, match="others may write"):
        opened(tiny_bundle, tensorrt)
    assert tensorrt.asked == []


def test_a_graph_that_onnx_runtime_refuses_is_not_built(tiny_bundle):
    def refuses() -> Any:
        raise BundleError("its weights lie elsewhere")

    tensorrt = RefusingTensorRt()
    with pytest.raises(BundleError, match="its weights lie elsewhere"):
        open_engine(tiny_bundle, "vocoder", TensorRt(tensorrt, CUDA, "11.4.0", GPU), refuses)
    assert tensorrt.asked == []


# --- parity, between real sessions ---


def on_cpu(bundle: Bundle, graph: str = "vocoder") -> PlainExecutor:
    session = onnxruntime.InferenceSession(
        str(bundle.file(bundle.manifest.graphs[graph].file)), session_options(1), providers=["CPUExecutionProvider"]
    )
    return PlainExecutor(session)


def altered(bundle: Bundle, folder: Path, step: float) -> Bundle:
    """The same bundle, every weight of its graphs moved by up to ``step`` of the largest of its tensor."""
    shutil.copytree(bundle.path, folder)
    generator = np.random.default_rng(3)
    for graph in ENGINE_GRAPHS:
        model = onnx.load(folder / f"{graph}.onnx")
        for tensor in model.graph.initializer:
            if tensor.data_type == onnx.TensorProto.FLOAT:
                array = onnx.numpy_helper.to_array(tensor)
                noise = generator.uniform(-step, step, array.shape).astype(np.float32) * np.abs(array).max(initial=0)
                tensor.CopyFrom(onnx.numpy_helper.from_array(array + noise, tensor.name))
        onnx.save(model, folder / f"{graph}.onnx")
    return seal_bundle(folder, bundle.manifest)


@pytest.mark.parametrize("graph", ENGINE_GRAPHS)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_an_engine_that_computes_the_same_passes(tiny_bundle, graph, precision):
    bundle = stated_as(tiny_bundle, graph, precision)
    cases = parity_cases(bundle, graph, engine_profiles(bundle.manifest, graph))
    parity = measure_parity(bundle, graph, on_cpu(bundle, graph), on_cpu(bundle, graph), cases)
    require_parity(graph, parity)
    expected = "signal_to_noise" if precision == "fp16" else "difference" if graph == "vocoder" else "cosine"
    assert (parity.measure, parity.cases) == (expected, len(cases))
    assert parity.numbers == {expected: parity.worst, "limit": LIMITS[expected], "cases": len(cases)}


def stated_as(bundle: Bundle, graph: str, precision: Any) -> Bundle:
    graphs = {**bundle.manifest.graphs, graph: replace(bundle.manifest.graphs[graph], precision=precision)}
    return replace(bundle, manifest=replace(bundle.manifest, graphs=graphs))


@pytest.mark.parametrize("graph", ENGINE_GRAPHS)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_an_engine_that_differs_is_refused_with_the_number(tiny_bundle, tmp_path, graph, precision):
    bundle, other = stated_as(tiny_bundle, graph, precision), altered(tiny_bundle, tmp_path / "altered", 0.2)
    cases = parity_cases(bundle, graph, engine_profiles(bundle.manifest, graph))
    parity = measure_parity(bundle, graph, on_cpu(bundle, graph), on_cpu(other, graph), cases)
    with pytest.raises(DeviceError, match=rf"engine of {graph} .*{parity.worst:.6g}, the limit is .*--device cuda"):
        require_parity(graph, parity)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_what_is_no_number_never_passes(tiny_bundle, precision, wrong):
    bundle = stated_as(tiny_bundle, "vocoder", precision)
    real = on_cpu(bundle)

    class Spoiled:
        def run(self, inputs):
            waveform = real.run(inputs)["waveform"].copy()
            waveform[0, 0, -1] = wrong
            return {"waveform": waveform}

    cases = parity_cases(bundle, "vocoder", engine_profiles(bundle.manifest, "vocoder"))
    with pytest.raises(DeviceError):
        require_parity("vocoder", measure_parity(bundle, "vocoder", real, Spoiled(), cases))


def test_another_shape_never_passes(tiny_bundle):
    real = on_cpu(tiny_bundle)

    class Shorter:
        def run(self, inputs):
            return {"waveform": real.run(inputs)["waveform"][..., :-1]}

    cases = parity_cases(tiny_bundle, "vocoder", engine_profiles(tiny_bundle.manifest, "vocoder"))
    with pytest.raises(DeviceError):
        require_parity("vocoder", measure_parity(tiny_bundle, "vocoder", real, Shorter(), cases))


@pytest.mark.parametrize("graph", ENGINE_GRAPHS)
def test_parity_is_measured_at_the_ends_and_the_middle_of_every_profile(tiny_bundle, graph):
    profiles = engine_profiles(tiny_bundle.manifest, graph)
    cases = [{name: array.shape for name, array in case.items()} for case in parity_cases(tiny_bundle, graph, profiles)]
    wanted = [shapes for profile in profiles for shapes in (profile.least, profile.usual, profile.most)]
    assert all(shapes in cases for shapes in wanted)
    assert all(shapes in wanted for shapes in cases)

"""What  a2m-edge bench  counts, times and writes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from a2m_edge.bench.children import run, seconds_to_first_byte
from a2m_edge.bench.graph_work import measure_work, work_of
from a2m_edge.bench.report import comparison_table, read_document
from a2m_edge.bench.stages import measure_stages, stage_inputs
from a2m_edge.bench.timing import Times, timed
from a2m_edge.bundle import Bundle, open_bundle
from a2m_edge.errors import DeviceError, OptionError
from export.timing import peers
from tests.fixtures.places import CLIP_BUNDLE
from tests.fixtures.programs import spoken

WINDOW = 32
"""Frames of a window of the tiny bundle."""


def test_products_are_counted_as_published() -> None:
    """EfficientNet-Lite2 at 260 pixels has 0.89 billion, as timm counts them with its normalisations and classes.

    Kernels that work on blocks of channels fill the last block up: up to a twentieth more, by the processor.
    """
    bundle = open_bundle(None)
    work = measure_work(bundle, "image_encoder", stage_inputs(bundle, "image_encoder"))
    assert 0.84e9 < work.operations / 2 < 0.94e9
    size = bundle.manifest.files[bundle.manifest.graphs["image_encoder"].file].size
    assert work.bytes > size


def test_work_grows_with_what_is_asked_for(tiny_bundle: Bundle) -> None:
    one = stage_inputs(tiny_bundle, "mel_decoder")
    two = {name: np.concatenate([array, array]) for name, array in one.items()}
    first, second = (measure_work(tiny_bundle, "mel_decoder", given).operations for given in (one, two))
    assert second == pytest.approx(2 * first, rel=0.01)


@pytest.mark.parametrize(
    ("operator", "inputs", "outputs", "operations"),
    [
        ("MatMul", [(3, 4, 5), (5, 6)], [(3, 4, 6)], 2 * 3 * 4 * 5 * 6),
        ("Gemm", [(4, 5), (6, 5), (6,)], [(4, 6)], 2 * 4 * 5 * 6),
        ("Conv", [(1, 8, 10), (4, 8, 3)], [(1, 4, 8)], 2 * 4 * 8 * 8 * 3),
        ("ConvTranspose", [(1, 8, 10), (8, 4, 16)], [(1, 4, 80)], 2 * 8 * 10 * 4 * 16),
        ("LSTM", [(7, 2, 5), (2, 12, 5), (2, 12, 3)], [(7, 2, 2, 3)], 2 * 7 * 2 * 2 * 12 * (5 + 3)),
        ("Add", [(4, 5), (4, 5)], [(4, 5)], 0),
    ],
)
def test_each_operator_is_counted(operator: str, inputs: list, outputs: list, operations: int) -> None:
    def listed(shapes: list) -> list:
        return [{"float": list(shape)} for shape in shapes]

    details = {"op_name": operator, "input_type_shape": listed(inputs), "output_type_shape": listed(outputs)}
    details |= {"parameter_size": "10", "activation_size": "20", "output_size": "30"}
    work = work_of([{"cat": "Node", "args": details}, {"cat": "Session", "args": {}}])
    assert work.operations == pytest.approx(operations)
    assert work.bytes == 60


def test_times_are_of_the_runs_that_count() -> None:
    runs: list[float] = []
    times = timed(lambda: runs.append(time.perf_counter()), 0.0)
    assert times.runs == len(runs) - 2 >= 5
    assert Times.of([0.001, 0.002, 0.003, 0.004, 0.1]) == Times(3.0, 22.0, 100.0, 5)


def test_every_stage_of_a_bundle_is_timed(tiny_bundle: Bundle) -> None:
    stages = {stage.name: stage for stage in measure_stages(tiny_bundle, 1, seconds=0.0)}
    between = ["composer, a bar", "partials", "stream in chunks", "offline"]
    assert [*tiny_bundle.manifest.graphs, *between] == list(stages)
    for stage in stages.values():
        assert 0 < stage.times.median <= stage.times.p95
    frames = tiny_bundle.manifest.audio.frame_rate * stages["mel_decoder"].sound
    assert frames == pytest.approx(len(stage_inputs(tiny_bundle, "mel_decoder")["score"]) * WINDOW)
    assert stages["image_encoder"].real_time is None
    assert stages["offline"].real_time is not None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"schema": 2}',
        '{"schema": 1, "benches": [{"threads": 1}]}',
        '{"schema": 1, "benches": [{"threads": 1, "stages": {}, "latency": {}}]}',
    ],
)
def test_what_is_no_bench_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(OptionError, match="is not what  a2m-edge bench -o  wrote"):
        read_document(tmp_path / "other.json")


@pytest.mark.slow
def test_the_command_measures_and_compares(
    tiny_bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = tmp_path / "first.json"
    status, said = spoken(capsys, "bench", tiny_bundle.path, "--threads", 1, "-o", first)
    assert status == 0, said
    assert "GEMM" in said
    assert "comment to first changed chunk" in said
    found = json.loads(first.read_text())
    (bench,) = found["benches"]
    assert bench["peaks"]["gemm"] > 1
    assert 0 < bench["stages"]["vocoder"]["gemm_share"] < 1
    assert 20 < bench["latency"]["peak_memory"] < 1000
    table = comparison_table(found, read_document(first))
    assert {row[-1] for row in table.rows} == {"1.00"}
    status, said = spoken(capsys, "bench", tiny_bundle.path, "--threads", 1, "--compare", first)
    assert status == 0
    assert "then / now" in said


def test_a_bundle_of_clips_is_timed_too() -> None:
    clips = open_bundle(CLIP_BUNDLE)
    stages = {stage.name: stage for stage in measure_stages(clips, 1, seconds=0.0)}
    assert "composer, a bar" not in stages
    assert stages["mel_decoder"].sound > 0


def test_more_threads_than_cores_are_refused(tiny_bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = spoken(capsys, "bench", tiny_bundle.path, "--threads", 4096)
    assert status == 2
    assert "is more than the" in said


def test_a_process_that_fails_is_told_in_a_sentence() -> None:
    with pytest.raises(DeviceError, match=r"that sings failed \(ValueError: no\): close other programs"):
        run("sings", "-c", "raise ValueError('no')")
    with pytest.raises(DeviceError, match="that plays failed"):
        seconds_to_first_byte("plays", "-c", "raise SystemExit(3)")
    assert run("sings", "-c", "print(1)", environment={"A": "1"}, cores=1) == "1\n"


def test_peers_play_the_same_weights_or_none(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sides of each pair are run, here once, on a bundle that was made from the checkpoints."""

    def once(one: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
        one()
        other()
        return 1.0, 2.0

    monkeypatch.setattr(peers, "interleaved", once)
    bundle = open_bundle(None)
    found = peers.eager(bundle, 1, lambda line: None)
    sounding = {
        f"{part}{which}" for part in ("mel_decoder", "vocoder", "a chunk of sound") for which in ("", ", as trained")
    }
    assert found.document.keys() == {*bundle.manifest.graphs, *sounding}
    assert len(found.table.rows) == len(found.document)
    assert set(peers.vocoders(bundle, 1, lambda line: None).document) == {"HiFi-GAN V1", "HiFi-GAN V2", "HiFi-GAN V3"}
    for peer in (peers.eager, peers.vocoders):
        with pytest.raises(OptionError, match="was not made from the checkpoints"):
            peer(tiny_bundle, 1, lambda line: None)

"""Two processes train as one does: ``torchrun`` on the CPU, with gloo."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import torch

from a2m_edge.errors import OptionError
from tests.fixtures.places import ROOT
from tests.fixtures.programs import finished, running
from tests.fixtures.training.parallel_trainings import STEPS, TRAININGS, prepare, train_all
from training import parallel
from training.trainer import RunOptions
from training.trainers.fusion import train_fusion

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See ``prepare``."""
    folder = tmp_path_factory.mktemp("inputs")
    prepare(folder)
    return folder


def curve(run: Path) -> list[dict[str, float]]:
    """The losses of every step of a run."""
    return [json.loads(line) for line in (run / "log" / "losses.jsonl").read_text(encoding="utf-8").splitlines()]


def difference(run: Path, other: Path) -> float:
    """The largest relative difference of two runs' losses."""
    pairs = list(zip(curve(run), curve(other), strict=True))
    assert pairs
    assert all(one.keys() == two.keys() for one, two in pairs)
    return max(abs(one[name] - two[name]) / max(abs(one[name]), 1e-3) for one, two in pairs for name in one)


def fusion(inputs: Path, out: Path, *more: str) -> list[str]:
    return [
        *("-m", "training", "fusion", "--shared", str(inputs), "--encoder", str(inputs / "tiny-encoder")),
        *("--dropout", "0", "--device", "cpu", "-o", str(out), *more),
    ]


def test_two_processes_have_the_losses_of_one(inputs: Path, tmp_path: Path) -> None:
    options = RunOptions(tmp_path / "one", 20, device="cpu", average=0.9)
    train_fusion(options, data=inputs / "data", encoder=inputs / "tiny-encoder", batch=9, dropout=0.0)
    arguments = fusion(inputs, tmp_path / "two", "--batch", "9", "--steps", "20", "--average", "0.9")
    done = finished([*TORCHRUN, "2", *arguments], cwd=ROOT)
    assert done.stderr.count("validation: step 20/20") == 1, "the first process alone speaks"
    assert difference(tmp_path / "one", tmp_path / "two") < 1e-5  # 5e-7 measured
    assert len(curve(tmp_path / "two")) == 20


def test_trainings_resume_bit_for_bit(inputs: Path, tmp_path: Path) -> None:
    quick = tuple(name for name in TRAININGS if name != "adversarial")
    threads = torch.get_num_threads()
    train_all(inputs, tmp_path, quick)
    torch.set_num_threads(threads)
    assert_resumed_alike(tmp_path, quick)


@pytest.mark.slow
def test_every_training_in_two_processes_is_that_of_one_and_resumes_bit_for_bit(inputs: Path, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    train_all(inputs, tmp_path)
    torch.set_num_threads(threads)
    assert_resumed_alike(tmp_path)
    finished([*TORCHRUN, "2", "-m", "tests.fixtures.training.parallel_trainings", str(inputs)], cwd=ROOT)
    assert_resumed_alike(inputs / "several")
    for name in TRAININGS:
        assert difference(tmp_path / "whole" / name, inputs / "several" / "whole" / name) < 1e-4, (
            name
        )  # 1.5e-5 measured (encoder), 8e-7 the others


def assert_resumed_alike(folder: Path, trainings: Sequence[str] = TRAININGS) -> None:
    for name in trainings:
        whole, stopped = folder / "whole" / name, folder / "stopped" / name
        assert len(curve(whole)) == STEPS
        for file in ("log/losses.jsonl", "model.safetensors"):
            assert (whole / file).read_bytes() == (stopped / file).read_bytes(), (name, file)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_torchrun_that_is_stopped_leaves_a_state_to_go_on_from(
    inputs: Path, tmp_path: Path, number: signal.Signals
) -> None:
    arguments = fusion(inputs, tmp_path / "run", "--batch", "8", "--steps", "1000000")
    losses = tmp_path / "run" / "log" / "losses.jsonl"
    with running([*TORCHRUN, "2", *arguments], cwd=ROOT) as process:
        while not (losses.exists() and losses.read_text(encoding="utf-8").count("\n") > 3):
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
        process.send_signal(number)
        process.communicate(timeout=120)
    step = torch.load(tmp_path / "run" / "state.pt", weights_only=True)["step"]
    assert step == len(curve(tmp_path / "run"))
    finished([*TORCHRUN, "2", *fusion(inputs, tmp_path / "run", "--batch", "8", "--steps", str(step + 2), "--resume")],
             cwd=ROOT)  # fmt: skip
    assert [line["step"] for line in curve(tmp_path / "run")] == list(range(1, step + 3))


@pytest.mark.slow
def test_a_batch_smaller_than_the_processes_is_refused_in_one_sentence(tmp_path: Path) -> None:
    arguments = ["-m", "training", "decoder", "--data", str(tmp_path), "-o", str(tmp_path / "run"), "--batch", "1"]
    # torchrun adds its own account of who failed, with its own traceback.
    done = subprocess.run([*TORCHRUN, "2", *arguments], check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    told = [line for line in done.stderr.splitlines() if line.startswith("a2m-edge: ")]
    assert told == ["a2m-edge: a batch of 1 cannot be shared by 2 processes: give a larger one, or start fewer of them"]
    assert "exitcode  : 2" in done.stderr
    assert not (tmp_path / "run").exists()


def test_the_module_speaks_as_the_command_line_does(tmp_path: Path) -> None:
    arguments = ["-m", "training", "decoder", "--data", str(tmp_path), "-o", str(tmp_path / "run"), "--layers", "2"]
    done = finished([sys.executable, *arguments], expected=2, cwd=ROOT)
    assert done.stderr == (
        "a2m-edge: --layers and --hidden are the paper's decoder's: add --architecture paper, or leave them out\n"
    )
    assert {"encoder", "fusion", "decoder", "vocoder"} <= set(
        finished([sys.executable, "-m", "training", "--help"], cwd=ROOT).stdout.split()
    )


def test_processes_that_have_not_joined_do_not_train(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(OptionError, match=r"torchrun -m training"):
        train_fusion(RunOptions(tmp_path / "run", 1), data=tmp_path, encoder=tmp_path)
    assert not (tmp_path / "run").exists()


def test_alone_a_share_is_all(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parallel.share(5) == slice(0, 5)
    part = torch.rand(5, 2, requires_grad=True)
    assert parallel.gather(part, 5) is part
    assert parallel.weigh(part.sum(), 5).item() == part.sum().item()
    monkeypatch.setattr(parallel, "count", lambda: 3)
    rows: list[int] = []
    sizes = set()
    for rank in range(3):
        monkeypatch.setattr(parallel, "rank", lambda rank=rank: rank)
        own = range(11)[parallel.share(11)]
        rows.extend(own)
        sizes.add(len(own))
        assert parallel.share(2) == slice(0, 2), "fewer rows than processes are everyone's"
    assert rows == list(range(11))
    assert sizes == {3, 4}

"""The loop that all trainers share."""

from __future__ import annotations

import json
import math
import signal
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import torch
from safetensors.torch import load_file
from torch import nn

from a2m_edge.errors import CheckpointError, DeviceError, OptionError
from training.averaging import Average
from training.checkpoint import save_checkpoint
from training.trainer import RunOptions, choose_device, optimise, run_training, warm_cosine


class Toy:
    """A small model whose data come from torch's generator and whose dropout needs its state."""

    def __init__(self) -> None:
        torch.manual_seed(11)
        self.model = nn.Sequential(nn.Linear(3, 16), nn.Dropout(0.3), nn.Linear(16, 1))
        self.optimiser = torch.optim.AdamW(self.model.parameters(), 0.01)
        self.rates: list[float] = []
        self.stop_in: int | None = None
        self.stop_by = signal.SIGINT

    def step(self, number: int) -> dict[str, float]:
        inputs = torch.randn(8, 3)
        loss = (self.model(inputs) - inputs.sum(1, keepdim=True)).square().mean()
        if number == self.stop_in:
            signal.raise_signal(self.stop_by)
        optimise(loss, self.optimiser, 1.0)
        self.rates.append(self.optimiser.param_groups[0]["lr"])
        return {"loss": loss.item()}

    def train(self, options: RunOptions) -> None:
        run_training(
            options,
            models={"toy": self.model},
            optimisers={"toy": self.optimiser},
            schedule=warm_cosine(0.1),
            step=self.step,
            validate=lambda: {"weight": next(self.model.parameters()).mean().item()},
            save=lambda folder: save_checkpoint(folder, self.model, {"kind": "fusion"}),
        )


@pytest.mark.parametrize("average", [0.0, 0.9])
@pytest.mark.parametrize("stop_by", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_and_resumed_run_equals_an_unbroken_one_bit_for_bit(
    tmp_path: Path, average: float, stop_by: signal.Signals
) -> None:
    unbroken = Toy()
    unbroken.train(RunOptions(tmp_path / "one", 40, validate_every=7, average=average))
    stopped = Toy()
    stopped.stop_in, stopped.stop_by = 22, stop_by
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(KeyboardInterrupt):
        stopped.train(RunOptions(tmp_path / "two", 40, validate_every=7, average=average))
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert len(stopped.rates) == 23, "the step that was begun is finished"
    resumed = Toy()
    torch.manual_seed(999)
    resumed.train(RunOptions(tmp_path / "two", 40, validate_every=7, resume=True, average=average))
    assert stopped.rates + resumed.rates == unbroken.rates
    for file in ("model.safetensors", "log/losses.jsonl"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_the_curve_has_a_line_for_each_step_and_forgets_what_a_resumed_run_does_again(tmp_path: Path) -> None:
    toy = Toy()
    toy.stop_in = 4
    with pytest.raises(KeyboardInterrupt):
        toy.train(RunOptions(tmp_path, 9))
    curve = tmp_path / "log" / "losses.jsonl"
    with curve.open("a", encoding="utf-8") as file:
        file.write('{"step": 6, "loss": 1.0}\n{"step": 7, "lo')  # it went on, and was killed
    Toy().train(RunOptions(tmp_path, 9, resume=True))
    lines = [json.loads(line) for line in curve.read_text(encoding="utf-8").splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 10))
    assert {frozenset(line) for line in lines} == {frozenset({"step", "rate", "loss"})}


def test_averages_follow_the_formula_and_are_what_is_validated_and_saved(tmp_path: Path) -> None:
    model = nn.Linear(1, 1, bias=False)
    frozen = nn.Linear(1, 1).requires_grad_(False)
    model.weight.data.fill_(0.0)
    seen: list[float] = []

    def step(number: int) -> dict[str, float]:
        with torch.no_grad():
            model.weight.fill_(number + 1.0)
        return {}

    def validate() -> dict[str, float]:
        seen.append(model.weight.item())
        return {}

    run_training(
        RunOptions(tmp_path, 20, average=0.5, validate_every=5),
        models={"model": model, "frozen": frozen},
        optimisers={},
        schedule=None,
        step=step,
        validate=validate,
        save=lambda folder: save_checkpoint(folder, model, {"kind": "fusion"}),
    )
    averages = [0.0]
    for number in range(20):
        decay = min(0.5, (1 + number) / (10 + number))
        averages.append(decay * averages[-1] + (1 - decay) * (number + 1))
    assert seen == pytest.approx([averages[place] for place in (0, 5, 10, 15, 20)], rel=1e-6)
    assert load_file(tmp_path / "model.safetensors")["weight"].item() == model.weight.item() == seen[-1]
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert state["models"]["model"]["weight"].item() == 20.0, "the weights themselves go on"
    assert len(state["averages"]) == 1, "what is frozen needs no average"


def test_averages_in_use_give_the_weights_back_exactly() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    average = Average([model, model[0]], 0.9)
    assert len(average.averages) == 4, "a model within another is followed once"
    before = [weight.clone() for weight in model.parameters()]
    places = [weight.data_ptr() for weight in model.parameters()]
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(math.pi)
    moved = [weight.clone() for weight in model.parameters()]
    with pytest.raises(ZeroDivisionError), average.in_use():
        assert all(map(torch.equal, before, model.parameters()))
        raise ZeroDivisionError
    assert all(map(torch.equal, moved, model.parameters()))
    assert places == [weight.data_ptr() for weight in model.parameters()]


@pytest.mark.parametrize(("clip", "length"), [(0.0, 50.0), (2.0, 2.0), (80.0, 50.0)])
def test_gradients_are_clipped_together_to_a_norm(clip: float, length: float) -> None:
    weights = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))]
    optimiser = torch.optim.SGD([{"params": weights[:1]}, {"params": weights[1:]}], lr=1.0)
    goals = torch.tensor([30.0, 0.0]), torch.tensor([0.0, 40.0])
    optimise(
        sum((-(weight @ goal) for weight, goal in zip(weights, goals, strict=True)), torch.zeros(())), optimiser, clip
    )
    moved = torch.cat([weight.detach() for weight in weights])
    assert moved.norm().item() == pytest.approx(length, rel=1e-5)
    np.testing.assert_allclose(moved / moved.norm(), [0.6, 0, 0, 0.8], atol=1e-6)


def test_a_run_ends_when_its_minutes_are_spent_with_the_rate_annealed(tmp_path: Path) -> None:
    toy = Toy()
    toy.train(RunOptions(tmp_path / "run", 10**9, minutes=0.02))
    assert 0 < len(toy.rates) < 10**6
    assert toy.rates[-1] < 0.1 * max(toy.rates)


def test_runs_that_cannot_begin_say_why(tmp_path: Path) -> None:
    toy = Toy()
    with pytest.raises(CheckpointError, match="leave --resume out"):
        toy.train(RunOptions(tmp_path / "none", 5, resume=True))
    toy.train(RunOptions(tmp_path / "run", 5))
    with pytest.raises(OptionError, match="--resume"):
        toy.train(RunOptions(tmp_path / "run", 5))
    with pytest.raises(CheckpointError, match="begun with --average 0"):
        toy.train(RunOptions(tmp_path / "run", 5, resume=True, average=0.9))
    (tmp_path / "run/state.pt").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="cannot be resumed"):
        toy.train(RunOptions(tmp_path / "run", 5, resume=True))
    for steps, minutes in ((0, None), (5, 0.0), (5, float("nan"))):
        with pytest.raises(OptionError):
            RunOptions(tmp_path, steps, minutes=minutes)
    for average in (-0.1, 1.0, float("nan")):
        with pytest.raises(OptionError, match="decay"):
            RunOptions(tmp_path, 5, average=average)
    for clip in (-1.0, float("nan"), float("inf")):
        with pytest.raises(OptionError, match="norm"):
            RunOptions(tmp_path, 5, clip=clip)
    for name in ("cuda:99", "potato"):
        with pytest.raises(DeviceError, match="cpu"):
            choose_device(name)

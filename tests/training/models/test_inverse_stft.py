"""A generator whose last stage is an inverse short-time Fourier transform."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from a2m_edge.errors import CheckpointError
from a2m_edge.sound.format import FORMATS
from tests.fixtures.programs import spoken
from training.checkpoint import save_checkpoint
from training.models.hifigan import CONFIGS, Generator, GeneratorConfig, load_generator

TINY = GeneratorConfig("2", (8, 8, 4), (16, 16, 8), 16, (3, 5), ((1, 2), (2, 6)), excitation=True)
AUDIO = FORMATS["22k-mono"]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


class Spectrum(nn.Module):
    """In the place of the last convolution: says the same log-magnitudes and phases whatever it hears."""

    def __init__(self, columns: torch.Tensor) -> None:
        super().__init__()
        self.columns = columns

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.columns


@pytest.mark.parametrize("size", [8, 16, 32])
@pytest.mark.parametrize("cycles", [1, 2, 3])
@torch.no_grad()
def test_the_spectrum_of_a_sinusoid_gives_the_sinusoid(size: int, cycles: int) -> None:
    hop, count = size // 4, 12
    generator = Generator(GeneratorConfig("2", (8,), (16,), 8, (3,), ((1,),), inverse_stft=size))
    time = torch.arange(8 * count * hop)
    expected = 0.5 * torch.cos(2 * math.pi * cycles * time / size + 0.3)
    columns = torch.full((1, size + 2, 8 * count), -20.0)
    columns[:, size // 2 + 1 :] = 0.0
    columns[:, cycles] = math.log(0.5 * size / 2)
    begins = torch.arange(8 * count) * hop - 3 * size // 8  # the first sample of each window
    columns[:, size // 2 + 1 + cycles] = 2 * math.pi * cycles * begins / size + 0.3
    generator.conv_post = Spectrum(columns)  # type: ignore[assignment]
    waveform = generator(torch.zeros(1, 80, count))
    assert waveform.shape == (1, 1, len(time))
    whole = slice(size, -size)  # where all four windows overlap
    assert (torch.atanh(waveform[0, 0]) - expected)[whole].abs().max() < 1e-4  # phases of up to 200 in float32


@torch.no_grad()
def test_the_fast_way_computes_the_same() -> None:
    torch.manual_seed(1)
    generator = Generator(TINY).with_inverse_stft()
    nn.init.normal_(generator.conv_post.weight, std=0.3)
    mel, source = torch.randn(2, 80, 6), torch.randn(2, 1, 6 * 256)
    fast = generator.forward_fast(mel, source, torch.float32, torch.float32)
    assert fast.shape == (2, 1, 6 * 256)
    assert (fast - generator(mel, source)).abs().max() < 1e-5


def test_it_keeps_what_the_other_stages_learned() -> None:
    plain = Generator(TINY)
    shorter = plain.with_inverse_stft()
    assert (shorter.config.hop, shorter.config.upsample_rates) == (256, (8, 8))
    state, known = shorter.state_dict(), plain.state_dict()
    assert "waves" not in state, "what no training changes stands in no checkpoint"
    assert all(torch.equal(state[name], known[name]) for name in state if not name.startswith("conv_post"))
    with torch.no_grad():
        assert shorter(torch.zeros(1, 80, 9), torch.zeros(1, 1, 9 * 256)).abs().max() < 0.2, "it begins quietly"


@pytest.mark.parametrize("size", ["v1", "v2"])
def test_a_last_stage_of_another_rate_is_refused(size: str) -> None:
    with pytest.raises(CheckpointError, match="has no last stage of 4"):
        Generator(CONFIGS[size]).with_inverse_stft()


def test_there_is_one_inverse_transform_alone() -> None:
    shorter = Generator(TINY).with_inverse_stft()
    assert shorter.with_inverse_stft() is shorter


@torch.no_grad()
def test_a_checkpoint_brings_it_back(tmp_path: Path) -> None:
    generator = Generator(TINY).with_inverse_stft()
    save_checkpoint(tmp_path / "v", generator, {"kind": "vocoder", "generator": generator.config.to_json()})
    loaded = load_generator(tmp_path / "v")
    assert loaded.config == generator.config
    mel, source = torch.randn(1, 80, 5), torch.randn(1, 1, 5 * 256)
    assert torch.equal(loaded(mel, source), generator(mel, source))


def test_the_command_trains_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setitem(CONFIGS, "v3", TINY)
    time = np.arange(AUDIO.sample_rate) / AUDIO.sample_rate
    soundfile.write(tmp_path / "a.wav", 0.2 * np.sin(2 * np.pi * 220 * time), AUDIO.sample_rate)
    options = (
        "--format",
        "22k-mono",
        "--data",
        tmp_path / "a.wav",
        "--held-out",
        tmp_path / "a.wav",
        "--out",
        tmp_path / "run",
    )
    steps = ("--steps", 2, "--batch", 1, "--frames", 16, "--device", "cpu")
    status, said = spoken(capsys, "train", "vocoder", *options, *steps, "--inverse-stft")
    assert status == 0, said
    assert load_generator(tmp_path / "run").config.inverse_stft == 16

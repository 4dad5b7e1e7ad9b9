"""The architectures of vocoders: HiFi-GAN, and another one that is added by its registration alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from torch import Tensor, nn

from a2m_edge.errors import CheckpointError, OptionError
from tests.fixtures.training.vocoder_tones import AUDIO, TINY, tones
from training.checkpoint import load_checkpoint, load_weights, save_checkpoint
from training.data.recordings.formats import state_format
from training.models.hifigan import Generator
from training.models.vocoders.architectures import ARCHITECTURES, VocoderArchitecture, cropped_vocoder, load_vocoder
from training.models.vocoders.interface import CroppedVocoder, Vocoder
from training.trainer import RunOptions
from training.trainers.vocoder import train_vocoder


class Linear(Vocoder):
    """Each frame of the sound as one product of the mel's frame."""

    architecture = "linear"
    hop = AUDIO.hop
    mel_bands = AUDIO.mel_bands
    channels = AUDIO.channels
    excitation = False

    def __init__(self) -> None:
        super().__init__()
        self.frame = nn.Conv1d(self.mel_bands, self.hop, 1)

    def document(self) -> dict[str, Any]:
        return {"architecture": self.architecture}

    def forward(self, mel: Tensor, excitation: Tensor | None = None) -> Tensor:
        waveform: Tensor = self.frame(mel).transpose(1, 2).flatten(1)[:, None].tanh()
        return waveform


class CroppedLinear(CroppedVocoder):
    """The same: it needs no context."""

    def __init__(self, whole: Linear) -> None:
        super().__init__()
        self.context, self.hop, self.whole = 0, whole.hop, whole

    def forward(self, mel: Tensor) -> Tensor:
        waveform: Tensor = self.whole(mel)
        return waveform


def load_linear(folder: Path) -> Linear:
    state, _ = load_checkpoint(folder, "vocoder")
    linear = Linear()
    load_weights(linear, state, folder)
    return linear.eval()


@pytest.fixture
def _linear(monkeypatch: pytest.MonkeyPatch) -> None:
    architecture = VocoderArchitecture(
        ["linear"], lambda size, audio: Linear(), load_linear, lambda whole, audio: CroppedLinear(whole)
    )
    monkeypatch.setitem(ARCHITECTURES, "linear", architecture)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    state_format(tmp_path, AUDIO)
    soundfile.write(tmp_path / "a.wav", tones(1.5), AUDIO.sample_rate)
    return tmp_path / "a.wav"


def test_a_checkpoint_without_an_architecture_is_a_hifigan(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, Generator(TINY), {"kind": "vocoder", "generator": TINY.to_json()})
    loaded = load_vocoder(tmp_path)
    assert isinstance(loaded, Generator)
    assert loaded.config == TINY


def test_an_architecture_that_is_not_known_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, Generator(TINY), {"kind": "vocoder", "architecture": "linear"})
    with pytest.raises(CheckpointError, match="architecture 'linear', which is not known here: give one of hifigan"):
        load_vocoder(tmp_path)


@pytest.mark.usefixtures("_linear")
def test_another_architecture_is_trained_loaded_and_cropped(tmp_path: Path, sound: Path) -> None:
    out = tmp_path / "run"
    found = train_vocoder(
        RunOptions(out, 2, device="cpu"), data=sound, held_out=sound, config="linear", batch=2, frames=16
    )
    assert found["log_mel_l1"] > 0
    assert json.loads((out / "config.json").read_text())["architecture"] == "linear"
    loaded = load_vocoder(out)
    mel = torch.randn(1, AUDIO.mel_bands, 5)
    assert isinstance(loaded, Linear)
    assert torch.equal(cropped_vocoder(loaded, AUDIO)(mel), loaded(mel))


@pytest.mark.usefixtures("_linear")
def test_what_an_architecture_has_not_is_refused(tmp_path: Path, sound: Path) -> None:
    options = RunOptions(tmp_path / "run", 1, device="cpu")
    with pytest.raises(CheckpointError, match="of the architecture linear takes no excitation"):
        train_vocoder(options, data=sound, held_out=sound, config="linear", excitation=True)
    with pytest.raises(CheckpointError, match="of the architecture linear cannot be given an inverse transform"):
        train_vocoder(options, data=sound, held_out=sound, config="linear", inverse_stft=True)
    with pytest.raises(OptionError, match="is one of v1, v2, v3, linear, not 'v4'"):
        train_vocoder(options, data=sound, held_out=sound, config="v4")

"""The vocoder's room of training: public checkpoints, losses, and copy synthesis."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from a2m_edge.errors import CheckpointError, DataError, OptionError
from a2m_edge.sound.format import FORMATS
from a2m_edge.sound.mel import log_mel
from tests.fixtures.training.vocoder_tones import AUDIO, TINY, tones, with_old_weight_norm
from training.checkpoint import checkpoint_format, load_checkpoint, save_checkpoint
from training.data.recordings.clips import Clips, clip_files
from training.data.recordings.formats import state_format
from training.data.recordings.orchestration import build_orchestrations, read_notes
from training.losses import (
    LogMelSpectrogram,
    MultiResolutionSTFT,
    adversarial_loss,
    discriminator_loss,
    feature_matching_loss,
    frequency_weighted_l1,
)
from training.models.cropped_generator import CroppedGenerator
from training.models.discriminators import MultiPeriodDiscriminator, MultiScaleDiscriminator
from training.models.hifigan import (
    CONFIGS,
    Generator,
    fold_weight_norm,
    load_generator,
)
from training.trainer import RunOptions
from training.trainers.vocoder import train_vocoder
from training.trainers.vocoder_error import copy_synthesis

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
SPEECH = Path(os.environ.get("A2M_SHARED", "../shared")) / "weights" / "hifigan_v3_ljspeech.safetensors"


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    state_format(folder, AUDIO)
    for number in range(2):
        soundfile.write(folder / f"{number}.wav", tones(1.5, number), AUDIO.sample_rate)
    return folder


# --- the generator and its checkpoints


@pytest.mark.parametrize("size", sorted(CONFIGS))
def test_public_checkpoints_load_by_their_names_and_shapes(size: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    original = Generator(CONFIGS[size]).eval()
    place = tmp_path / "generator"
    torch.save({"generator": with_old_weight_norm(original)}, place)
    loaded = load_generator(place)
    assert loaded.config == CONFIGS[size]
    mel = torch.randn(1, 80, 5)
    assert (loaded(mel) - original(mel)).abs().max() < 1e-5
    assert loaded(mel).shape == (1, 1, 5 * 256)


def test_names_are_those_of_the_public_checkpoints() -> None:
    names = set(Generator(CONFIGS["v3"]).state_dict())
    assert {"conv_pre.weight", "ups.2.bias", "resblocks.8.convs.1.weight", "conv_post.weight"} <= names
    assert {"resblocks.11.convs1.2.weight", "resblocks.11.convs2.2.bias"} <= set(Generator(CONFIGS["v1"]).state_dict())


@pytest.mark.skipif(not SPEECH.is_file(), reason="the public speech vocoder is not on this machine")
def test_the_speech_vocoder_loads_and_sounds() -> None:
    generator = load_generator(SPEECH)
    assert generator.config == CONFIGS["v3"]
    assert set(generator.state_dict()) == set(load_file(SPEECH))
    samples = torch.from_numpy(tones(1.0))
    mel = LogMelSpectrogram(AUDIO)(samples[None])[0]
    result = copy_synthesis(generator, [(mel, samples, samples[None, : mel.shape[-1] * AUDIO.hop])], AUDIO)
    assert result["log_mel_l1"] < 1.5
    assert abs(result["level_db"]) < 12


def test_weight_norm_in_the_newer_spelling_is_folded() -> None:
    torch.manual_seed(2)
    normed, folded = Generator(CONFIGS["v3"]), Generator(CONFIGS["v3"])
    mel = torch.randn(1, 80, 8)
    before = normed(mel)
    for module in list(normed.modules()):
        if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
            parametrizations.weight_norm(module)
    folded.load_state_dict(fold_weight_norm(normed.state_dict()))
    assert "conv_pre.parametrizations.weight.original0" in normed.state_dict()
    assert (folded(mel) - before).abs().max() < 1e-5


def test_the_fast_way_computes_the_same() -> None:
    for size in ("v2", "v3"):
        torch.manual_seed(3)
        generator = Generator(CONFIGS[size])
        mel = torch.randn(2, 80, 6)
        fast = generator.forward_fast(mel, None, torch.float32, torch.float32)
        assert (fast - generator(mel)).abs().max() < 1e-5


@pytest.mark.parametrize("size", ["v2", "v3"])
def test_context_of_the_receptive_field_makes_chunks_exact(size: str) -> None:
    torch.manual_seed(4)
    generator = Generator(CONFIGS[size]).eval()
    for parameter in generator.parameters():
        if parameter.dim() > 1:
            nn.init.kaiming_uniform_(parameter, a=1.0)
    reach = CroppedGenerator(generator, AUDIO.edge).context
    frames, hop = 40, CONFIGS[size].hop
    mel = torch.randn(1, 80, frames)

    def chunked(context: int) -> Tensor:
        pieces = []
        for first in range(0, frames, 20):
            begin, end = max(0, first - context), min(frames, first + 20 + context)
            samples = generator(mel[..., begin:end])
            pieces.append(samples[..., (first - begin) * hop : (first - begin + 20) * hop])
        return torch.cat(pieces, -1)

    with torch.no_grad():
        whole = generator(mel)
        assert (chunked(reach) - whole).abs().max() < 1e-4
        assert (chunked(reach - 2) - whole).abs().max() > 1e-7
    assert {"v2": 13, "v3": 10}[size] <= reach <= {"v2": 14, "v3": 11}[size]


def test_a_checkpoint_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    torch.manual_seed(5)
    generator = Generator(TINY).eval()
    config = {"kind": "vocoder", "generator": TINY.to_json()}
    save_checkpoint(tmp_path / "exact", generator, config)
    loaded = load_generator(tmp_path / "exact")
    assert loaded.config == TINY
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in generator.state_dict().items())
    save_checkpoint(tmp_path / "half", generator, config, half=True)
    assert (tmp_path / "half/model.safetensors").stat().st_size < 0.6 * (
        tmp_path / "exact/model.safetensors"
    ).stat().st_size
    state, _ = load_checkpoint(tmp_path / "half", "vocoder")
    assert all(value.dtype is torch.float32 for value in state.values())
    assert not list(tmp_path.rglob("*.part"))


class _Evil:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, ("evil",)


def test_what_is_no_checkpoint_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    good = tmp_path / "good"
    save_checkpoint(good, Generator(TINY), {"kind": "vocoder", "generator": TINY.to_json()})
    with pytest.raises(CheckpointError, match="kind 'vocoder'"):
        load_checkpoint(good, "decoder")
    weights = (good / "model.safetensors").read_bytes()
    (good / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(CheckpointError, match="damaged"):
        load_generator(good)
    (good / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="no weights"):
        load_generator(good)
    (good / "model.safetensors").write_bytes(weights)
    settings = json.loads((good / "config.json").read_text())
    settings["generator"]["upsample_initial_channel"] = 32
    (good / "config.json").write_text(json.dumps(settings))
    with pytest.raises(CheckpointError, match="do not fit"):
        load_generator(good)
    (good / "config.json").write_text("[]")
    with pytest.raises(CheckpointError):
        load_generator(good)
    (good / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match="damaged"):
        load_generator(good)
    torch.save({"generator": _Evil()}, "evil.pt")
    with pytest.raises(CheckpointError, match="not loaded"):
        load_generator(Path("evil.pt"))
    assert not Path("evil").exists()
    torch.save({"generator": [1, 2]}, "list.pt")
    with pytest.raises(CheckpointError, match="generator"):
        load_generator(Path("list.pt"))
    save_file({"conv_pre.weight": torch.zeros(3)}, "other.safetensors")
    with pytest.raises(CheckpointError, match="v1, v2, v3"):
        load_generator(Path("other.safetensors"))
    Path("empty.pt").touch()
    for name in ("empty.pt", "absent.pt", "absent.safetensors", "absent"):
        with pytest.raises(CheckpointError):
            load_generator(Path(name))


# --- losses and discriminators


def test_the_mel_that_training_hears_is_the_runtime_s() -> None:
    samples = tones(1.0)[: 80 * AUDIO.hop]
    ours = LogMelSpectrogram(AUDIO)(torch.from_numpy(samples)[None])[0].numpy()
    theirs = log_mel(samples[:, None], AUDIO)
    assert ours.shape == theirs.shape == (80, 80)
    assert np.abs(ours - theirs).max() < 1e-3  # float32 against the runtime's FFT; 2e-4 measured


def test_losses_are_zero_for_the_same_and_finite_with_gradients_for_silence() -> None:
    spectra, mel = MultiResolutionSTFT(), LogMelSpectrogram(AUDIO)
    real = torch.from_numpy(tones(0.5))[None, : 40 * AUDIO.hop]
    assert spectra(real, real).item() == pytest.approx(0.0, abs=1e-6)
    silent = torch.zeros_like(real, requires_grad=True)
    loss = spectra(silent, real) + (mel(silent) - mel(real)).abs().mean()
    loss.backward()
    assert loss.item() > 1
    assert silent.grad is not None
    assert torch.isfinite(silent.grad).all()


def test_frequency_weighted_l1_weighs_the_top_band_half_as_much_again() -> None:
    target = torch.zeros(1, 80, 3)
    low, high = target.clone(), target.clone()
    low[:, 0], high[:, -1] = 1.0, 1.0
    ratio = frequency_weighted_l1(high, target) / frequency_weighted_l1(low, target)
    assert ratio.item() == pytest.approx(1.5)
    assert frequency_weighted_l1(low, target).item() == pytest.approx(1 / 80)


def test_discriminators_judge_every_part_and_match_features() -> None:
    torch.manual_seed(6)
    real, fake = torch.randn(2, 1, 4097), torch.randn(2, 1, 4097)
    for judge, parts, depth in (
        (MultiPeriodDiscriminator(channels=(4, 8, 8, 8)), 5, 6),
        (MultiScaleDiscriminator(channels=16), 3, 8),
    ):
        scores, features = judge(real)
        others, inner = judge(fake)
        assert len(scores) == len(features) == parts
        assert all(score.dim() == 2 and score.shape[0] == 2 for score in scores)
        assert {len(part) for part in features} == {depth}
        assert feature_matching_loss(features, inner).item() > 0
        assert feature_matching_loss(features, features).item() == 0
        discriminator_loss(scores, others).backward()
        assert all(parameter.grad is not None for parameter in judge.parameters())
    perfect = [torch.ones(2, 3)]
    assert adversarial_loss(perfect).item() == 0
    assert discriminator_loss(perfect, [torch.zeros(2, 3)]).item() == 0


def test_published_discriminators_have_the_published_size() -> None:
    with torch.device("meta"):
        period, scale = MultiPeriodDiscriminator(), MultiScaleDiscriminator()
    kernels = sum(value.numel() for name, value in period.state_dict().items() if "original1" in name)
    assert kernels == 5 * (32 * 5 + 128 * 32 * 5 + 512 * 128 * 5 + 1024 * 512 * 5 + 1024 * 1024 * 5 + 1024 * 3)
    assert len(list(scale.discriminators)) == 3


# --- recordings and the whole training


NOTES = np.array([[0.1, 0.3, 69, 0.8, 1]], np.float32)


def test_recordings_come_as_audio_alone_or_with_their_notes_and_the_mel_of_a_decoder(recordings: Path) -> None:
    samples = tones(1.0, 5)
    mel = np.full((80, 70), -3.0, np.float32)
    np.savez(recordings / "own.npz", mel=mel, notes=NOTES, audio=samples[:, None])
    np.savez(recordings / "pair.npz", mel=mel, notes=NOTES)
    soundfile.write(recordings / "pair.flac", samples, AUDIO.sample_rate)
    clips = Clips(clip_files(recordings), AUDIO)
    assert [clip[0].shape[-1] for clip in clips.clips] == [129, 129, 70, 70]
    silent, played = clips.clips[0][1], clips.clips[2][1]
    assert played.shape == (70 * AUDIO.hop,) and clips.clips[2][2].shape == (1, 70 * AUDIO.hop)
    assert not silent.any() and not played[:1000].any() and played[2400:6000].std() > 0.01
    assert torch.equal(clips.clips[2][0], torch.from_numpy(mel)) and torch.equal(clips.clips[3][1], played)
    mels, sources, waveforms = clips.batch(6, 16, np.random.default_rng(0))
    assert mels.shape == (6, 80, 16)
    assert sources.shape == (6, 16 * AUDIO.hop) and waveforms.shape == (6, 1, 16 * AUDIO.hop)
    again, *_ = clips.batch(6, 16, np.random.default_rng(0))
    assert torch.equal(mels, again)
    with pytest.raises(DataError, match="130 frames"):
        clips.batch(1, 130, np.random.default_rng(0))


def test_an_excited_generator_begins_as_the_one_it_was_made_of() -> None:
    plain = Generator(TINY).eval()
    excited = plain.with_excitation()
    mel, source = torch.randn(2, 80, 12) - 4, 0.3 * torch.randn(2, 1, 12 * AUDIO.hop)
    with torch.no_grad():
        assert torch.allclose(excited(mel, source).atanh(), plain(mel).atanh() + source, atol=1e-3)
        for weight in excited.sources.parameters():
            torch.nn.init.normal_(weight, std=0.1)
        assert not torch.allclose(excited(mel, source).atanh(), plain(mel).atanh() + source, atol=1e-2)
        fast = excited.forward_fast(mel, source, torch.float32, torch.float32)
        assert torch.allclose(fast, excited(mel, source), atol=1e-5)


def corpus(folder: Path, name: str, count: int) -> None:
    """A corpus of ``count`` scores of two parts, in the form of the public ones."""
    with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
        for number in range(count):
            file = mido.MidiFile(ticks_per_beat=480)
            for channel in range(2):
                track = mido.MidiTrack()
                for beat in range(24):
                    pitch = 48 + 12 * channel + (7 * beat + number) % 12
                    track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=70))
                    track.append(mido.Message("note_off", channel=channel, note=pitch, time=480))
                file.tracks.append(track)
            content = io.BytesIO()
            file.save(file=content)
            archive.writestr(f"{number}.mid", content.getvalue())
    rows = [f"{number}.mid,{name}{number}" for number in range(count)]
    (folder / f"{name}.csv").write_text("\n".join(["file,source_id", *rows]))


@pytest.mark.skipif(
    not (shutil.which("fluidsynth") and SOUNDFONT.is_file()), reason="FluidSynth or its soundfont is not installed"
)
def test_scores_become_recordings_to_learn_from_and_others_to_be_measured_on(tmp_path: Path) -> None:
    for name in ("lieder", "quartets"):
        corpus(tmp_path, name, 30)
    for out in ("one", "two"):
        build_orchestrations(
            tmp_path, tmp_path / out, audio=AUDIO, soundfont=SOUNDFONT, train_minutes=1.0, held_out_minutes=0.4, seed=3
        )
    files = clip_files(tmp_path / "one")
    assert {file.parent.name for file in files} == {"train", "held_out"}
    assert 50 < Clips(clip_files(tmp_path / "one" / "train"), AUDIO).seconds < 95
    for file in files:
        samples, rate = soundfile.read(file)
        assert rate == AUDIO.sample_rate
        assert samples.ndim == 1
        assert 0.1 < np.abs(samples).max() < 0.95
        again, _ = soundfile.read(tmp_path / "two" / file.relative_to(tmp_path / "one"))
        assert np.array_equal(samples, again)


def test_scores_that_cannot_be_used_say_why(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="fetch the corpora"):
        build_orchestrations(tmp_path, tmp_path / "out", audio=AUDIO)
    with pytest.raises(DataError, match="score cannot be read"):
        read_notes(b"MThd but no more")
    for name in ("lieder", "quartets"):
        corpus(tmp_path, name, 3)
    if shutil.which("fluidsynth"):
        with pytest.raises(DataError, match="soundfont"):
            build_orchestrations(
                tmp_path, tmp_path / "out", audio=AUDIO, soundfont=tmp_path / "none.sf2", train_minutes=0.1
            )


def test_recordings_that_cannot_be_used_say_why(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no recordings"):
        clip_files(tmp_path / "absent")
    with pytest.raises(DataError, match="was found"):
        clip_files(tmp_path)
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(DataError, match="cannot be read"):
        Clips([tmp_path / "text.wav"], AUDIO)
    soundfile.write(tmp_path / "fast.wav", tones(0.2), 48_000)
    with pytest.raises(DataError, match="48000 Hz"):
        Clips([tmp_path / "fast.wav"], AUDIO)
    np.savez(tmp_path / "wrong.npz", mel=np.zeros((40, 9)), notes=NOTES, audio=np.zeros((9, 1)))
    with pytest.raises(DataError, match="80, T"):
        Clips([tmp_path / "wrong.npz"], AUDIO)
    soundfile.write(tmp_path / "wide.wav", np.zeros((9000, 2)), AUDIO.sample_rate)
    np.savez(tmp_path / "wide.npz", mel=np.zeros((80, 9)), notes=NOTES, audio=np.zeros((9, 2)))
    for name in ("wide.wav", "wide.npz"):
        with pytest.raises(DataError, match="has not the 1 channels"):
            Clips([tmp_path / name], AUDIO)
    np.savez(tmp_path / "half.npz", mel=np.zeros((80, 9)))
    with pytest.raises(DataError, match="cannot be read"):
        Clips([tmp_path / "half.npz"], AUDIO)


@pytest.mark.parametrize("stage", ["reconstruction", "adversarial"])
def test_training_lowers_the_error_and_leaves_a_checkpoint(
    stage: str, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONFIGS, "tiny", TINY)
    if stage == "adversarial":
        monkeypatch.setattr(
            "training.trainers.vocoder.MultiPeriodDiscriminator",
            lambda: MultiPeriodDiscriminator((2, 3), (4, 8, 8, 8)),
        )
        monkeypatch.setattr("training.trainers.vocoder.MultiScaleDiscriminator", lambda: MultiScaleDiscriminator(16))
    clip = recordings / "0.wav"
    torch.manual_seed(0)
    samples = Clips([clip], AUDIO)
    untrained = copy_synthesis(Generator(TINY), samples.clips, AUDIO)
    steps = 25 if stage == "reconstruction" else 8
    final = train_vocoder(
        RunOptions(tmp_path / "run", steps, device="cpu"),
        data=clip,
        held_out=[clip],
        config="tiny",
        stage=stage,
        batch=2,
        frames=16,
        learning_rate=0.01,
    )
    assert final["log_mel_l1"] < 0.9 * untrained["log_mel_l1"]
    generator = load_generator(tmp_path / "run")
    assert copy_synthesis(generator, samples.clips, AUDIO) == pytest.approx(final)
    assert load_checkpoint(tmp_path / "run", "vocoder")[1]["audio"]["sample_rate"] == AUDIO.sample_rate


def test_a_stereo_vocoder_learns_from_stereo_and_states_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stereo = replace(FORMATS["48k-stereo"], sample_rate=16000, mel_high=8000.0)
    monkeypatch.setitem(CONFIGS, "tiny", TINY)
    folder = tmp_path / "clips"
    state_format(folder, stereo)
    sides = np.stack([tones(1.5), 0.3 * tones(1.5, 1)], 1)
    soundfile.write(folder / "0.wav", sides, stereo.sample_rate)
    options = RunOptions(tmp_path / "run", 40, device="cpu")
    train_vocoder(
        options, data=folder, held_out=folder, config="tiny", batch=2, frames=16, learning_rate=0.01, excitation=True
    )
    trained = load_generator(tmp_path / "run")
    assert (trained.hop, trained.mel_bands, trained.channels) == (512, 128, 2)
    assert checkpoint_format(tmp_path / "run", "vocoder") == stereo
    mel, source, _ = Clips([folder / "0.wav"], stereo).clips[0]
    left, right = trained(mel[None], source[None, None])[0]
    assert left.std() > 1.5 * right.std(), "the left side is the louder one"
    state_format(tmp_path / "mono", AUDIO)
    soundfile.write(tmp_path / "mono" / "0.wav", tones(1.5), AUDIO.sample_rate)
    with pytest.raises(OptionError, match=r"was trained on 16000 Hz stereo.*or leave --start out"):
        train_vocoder(options, data=tmp_path / "mono", held_out=tmp_path / "mono", start=tmp_path / "run")


def test_recordings_without_a_stated_format_are_asked_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONFIGS, "tiny", TINY)
    soundfile.write(tmp_path / "0.wav", tones(1.5), AUDIO.sample_rate)
    options = RunOptions(tmp_path / "run", 1, device="cpu")
    with pytest.raises(DataError, match="name it with --format"):
        train_vocoder(options, data=tmp_path, held_out=tmp_path, config="tiny", batch=2, frames=16)
    train_vocoder(options, data=tmp_path, held_out=tmp_path, config="tiny", batch=2, frames=16, audio=AUDIO)
    assert checkpoint_format(tmp_path / "run", "vocoder") == AUDIO


def test_training_refuses_unknown_stages_and_sizes(recordings: Path, tmp_path: Path) -> None:
    options = RunOptions(tmp_path / "run", 1)
    with pytest.raises(OptionError, match="reconstruction, adversarial"):
        train_vocoder(options, data=recordings, held_out=recordings, stage="magic")
    with pytest.raises(OptionError, match="v1, v2, v3"):
        train_vocoder(options, data=recordings, held_out=recordings, config="v4")
    assert not (tmp_path / "run").exists()

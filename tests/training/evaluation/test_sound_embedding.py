"""Networks that hear: their entries, the features they are given, and what is refused."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from a2m_edge.errors import A2MError, DataError
from a2m_edge.sound.format import FORMATS
from a2m_edge.sound.mel import mel_filterbank
from tests.fixtures.training.sound_entries import waveform_entry
from training.evaluation.listening.sound_embedding import ClapEmbedding, load_sound_embedding
from training.evaluation.listening.sound_entry import EFFICIENTAT, JAMENDO, Entry, Waveform, read_entry
from training.evaluation.listening.sound_front_end import features, log_mel, windows

WAVEFORM = waveform_entry("energy", "energy", 1.0)


def noise(seconds: float, rate: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).normal(size=round(seconds * rate))).astype(np.float32)


def save_network(path: Path, inputs: str = "samples", output: str = "energy", keep: int = 1) -> Path:
    """A network that sums the squares of a second at 8 kHz: [N, 8000] in, [N, 1] out."""
    graph = helper.make_graph(
        [helper.make_node("ReduceSumSquare", [inputs], [output], axes=[1], keepdims=keep)],
        "energy",
        [helper.make_tensor_value_info(inputs, TensorProto.FLOAT, ["N", 8000])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", 1] if keep else ["N"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def save_entry(path: Path, **changes: Any) -> Path:
    path.write_text(json.dumps({**WAVEFORM, **changes}))
    return path


def front_end(weights: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, weights / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Features


@pytest.mark.parametrize("seconds", [0.02, 1.0, 3.337])
def test_efficientat_hears_what_its_own_front_end_makes(shared: Path, seconds: float) -> None:
    samples = noise(seconds, 32_000) * np.linspace(1, 1e-4, round(seconds * 32_000), dtype=np.float32)
    theirs = front_end(shared / "weights", "efficientat_mn04_preprocess").batch(samples)
    ours = features(samples, EFFICIENTAT)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 2e-5  # measured 2.4e-7


def test_jamendo_hears_what_its_own_front_end_makes(shared: Path) -> None:
    samples = noise(10, 12_000)
    theirs = front_end(shared / "weights", "jamendo_moodtheme_preprocess").batch(samples)
    (window,) = windows(samples[:, None], 12_000, JAMENDO)
    ours = features(window, JAMENDO)
    assert ours.shape == theirs.shape == (1, 96, 1366)
    assert np.abs(ours - theirs).max() < 1e-3  # dB; measured 8e-6


def test_the_slaney_filters_are_those_of_the_decoders_mels() -> None:
    audio = FORMATS["22k-mono"]
    assert not isinstance(JAMENDO.features, Waveform)
    kind = dataclasses.replace(JAMENDO.features, n_fft=1024, window=1024, bands=80, high=8000.0, logarithm="ln")
    samples = noise(0.5, audio.sample_rate)
    padded = np.pad(samples, 512, mode="reflect")
    spectrum = np.fft.rfft(
        padded[256:][:1024] * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024))
    )  # the second frame
    wanted = np.log(np.maximum(1e-9, mel_filterbank(audio) @ np.abs(spectrum) ** 2))
    assert np.abs(log_mel(samples, kind, audio.sample_rate)[:, 1] - wanted).max() < 1e-3


@pytest.mark.parametrize(("scale", "hertz"), [("htk", 1000.0), ("kaldi", 440.0), ("slaney", 3000.0)])
def test_a_tone_is_loudest_in_the_band_that_its_scale_gives_it(scale: Any, hertz: float) -> None:
    assert not isinstance(EFFICIENTAT.features, Waveform)
    kind = dataclasses.replace(EFFICIENTAT.features, mel_scale=scale, bands=40, pre_emphasis=0.0)
    tone = np.sin(2 * np.pi * hertz * np.arange(16_000) / 32_000).astype(np.float32)

    def mel(frequency: float) -> float:
        if scale == "slaney":
            return frequency / (200 / 3) if frequency < 1000 else 15 + 27 * np.log(frequency / 1000) / np.log(6.4)
        return float(np.log1p(frequency / 700))  # htk and kaldi differ by a factor alone

    wanted = mel(hertz) / mel(15_000) * 41 - 1
    assert abs(int(log_mel(tone, kind, 32_000).mean(1).argmax()) - wanted) <= 0.75  # half a band, and a bin's width


# Windows


@pytest.mark.parametrize(("seconds", "lengths"), [(0.6, [0.6]), (10, [10]), (14, [10]), (16, [10, 6]), (31, [10] * 3)])
def test_windows_keep_the_last_one_when_half_of_it_sounds(seconds: float, lengths: list[float]) -> None:
    found = windows(noise(seconds, 32_000)[:, None], 32_000, EFFICIENTAT)
    assert [len(window) / 32_000 for window in found] == lengths


def test_short_sounds_are_repeated_or_followed_by_silence() -> None:
    samples = noise(5, 12_000)
    (window,) = windows(samples[:, None], 12_000, JAMENDO)
    assert len(window) == 349_440
    assert np.array_equal(window[60_000:120_000], samples)
    (window,) = windows(samples[:, None], 12_000, dataclasses.replace(JAMENDO, fill="silence"))
    assert len(window) == 349_440
    assert not window[60_000:].any()


def test_a_sound_at_another_rate_is_converted() -> None:
    time = np.arange(22_050) / 22_050
    (window,) = windows(np.sin(2 * np.pi * 440 * time).astype(np.float32)[:, None], 22_050, EFFICIENTAT)
    assert len(window) == 32_000
    spectrum = np.abs(np.fft.rfft(window))
    assert int(spectrum.argmax()) == 440  # bins of 1 Hz


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.full((32_000, 1), np.nan, np.float32), "no numbers"),
        (np.zeros(32_000, np.float32), "no channels"),
        (np.zeros((0, 1), np.float32), "half a second"),
        (np.zeros((10_000, 2), np.float32), "half a second"),
    ],
)
def test_sounds_that_cannot_be_heard_are_refused(samples: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        windows(samples, 32_000, EFFICIENTAT)


# Networks


def test_efficientat_gives_one_row_for_each_window(shared: Path) -> None:
    embedding = load_sound_embedding("efficientat", shared / "weights")
    assert (embedding.sample_rate, embedding.size, embedding.seconds) == (32_000, 384, 10)
    rows = embedding(noise(16, 22_050)[:, None], 22_050)
    assert rows.shape == (2, 384)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    assert np.array_equal(rows, embedding(noise(16, 22_050)[:, None], 22_050))


def test_any_network_is_heard_through_the_entry_beside_it(tmp_path: Path) -> None:
    network = save_network(tmp_path / "energy.onnx")
    save_entry(tmp_path / "energy.json")
    embedding = load_sound_embedding(network, tmp_path)
    assert (embedding.name, embedding.sample_rate, embedding.size) == ("energy", 8000, 1)
    samples = noise(2.75, 8000)
    wanted = [(samples[begin : begin + 8000] ** 2).sum() for begin in (0, 8000, 16_000)]
    assert embedding(samples[:, None], 8000)[:, 0] == pytest.approx(wanted, rel=1e-4)
    elsewhere = save_entry(tmp_path / "other.json", name="another", window_seconds=1.0, hop_seconds=0.5)
    assert load_sound_embedding(network, tmp_path, entry=elsewhere)(samples[:, None], 8000).shape == (5, 1)


def test_the_built_in_entries_survive_their_own_file(tmp_path: Path, shared: Path) -> None:
    for entry in (EFFICIENTAT, JAMENDO):
        (tmp_path / "entry.json").write_text(json.dumps(dataclasses.asdict(entry)))
        assert read_entry(tmp_path / "entry.json") == entry
    by_path = load_sound_embedding(
        shared / "weights" / "jamendo_moodtheme.onnx", tmp_path, entry=tmp_path / "entry.json"
    )
    assert by_path(noise(1, 22_050)[:, None], 22_050).shape == (1, 56)


def mutated(entry: Entry, path: tuple[str, ...], value: object) -> str:
    record = dataclasses.asdict(entry)
    place = record
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(record)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("sample_rate",), None, "sample_rate is missing"),
        (("features", "hop"), None, "features.hop is missing"),
        (("features", "hop"), "320", "hop must be a whole number"),
        (("features", "mel_scale"), "bark", "mel_scale must be"),
        (("features", "window"), 4096, "at most 65536|n_fft"),
        (("features", "hop"), 0, "hop"),
        (("features", "high"), 20_000.0, "half the sample rate"),
        (("features", "floor"), 0.0, "floor"),
        (("window_seconds",), 1e9, "window_seconds"),
        (("sample_rate",), -1, "sample_rate"),
        (("colour",), "blue", "colour is unknown"),
    ],
)
def test_entries_that_cannot_be_are_refused_by_name(
    tmp_path: Path, path: tuple[str, ...], value: object, message: str
) -> None:
    file = tmp_path / "entry.json"
    file.write_text(mutated(EFFICIENTAT, path, value))
    with pytest.raises(DataError, match=message):
        read_entry(file)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"a": NaN}', b"[" * 100_000])
def test_files_that_are_no_entries_are_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "entry.json"
    file.write_bytes(content)
    with pytest.raises(DataError, match="does not describe"):
        read_entry(file)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input": "mel"}, "the inputs samples, and its entry names mel"),
        ({"output": "logits"}, "the outputs energy, and its entry names logits"),
        ({"window_seconds": 2.0}, "does not take what its entry describes"),
        ({"features": {"kind": "waveform", "layout": "channel time"}}, "does not take what its entry describes"),
    ],
)
def test_a_network_that_differs_from_its_entry_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    network = save_network(tmp_path / "energy.onnx")
    save_entry(tmp_path / "energy.json", **changes)
    with pytest.raises(DataError, match=message):
        load_sound_embedding(network, tmp_path)
    assert capfd.readouterr().err == ""  # the sentence is all that is said


def test_networks_that_are_none_are_refused(tmp_path: Path) -> None:
    network = tmp_path / "energy.onnx"
    with pytest.raises(DataError, match="cannot be read"):
        load_sound_embedding(network, tmp_path)
    save_entry(tmp_path / "energy.json")
    with pytest.raises(DataError, match="there is no network"):
        load_sound_embedding(network, tmp_path)
    network.write_bytes(b"not a network")
    with pytest.raises(DataError, match="cannot be loaded"):
        load_sound_embedding(network, tmp_path)
    save_network(network, keep=0)
    with pytest.raises(DataError, match=r"not \[1, size\]"):
        load_sound_embedding(network, tmp_path)
    with pytest.raises(DataError, match="name efficientat, clap, or the path"):
        load_sound_embedding("vggish", tmp_path)
    assert onnx.__version__


@pytest.mark.slow
def test_clap_that_cannot_be_had_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(A2MError) as caught:
        ClapEmbedding(tmp_path / "nothing")
    assert "choose efficientat" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_clap_embeds_ten_seconds_at_a_time(tmp_path: Path) -> None:
    from training.torchvision_guard import import_open_clip

    import_open_clip()
    from transformers import ClapAudioConfig, ClapConfig, ClapFeatureExtractor, ClapModel, ClapTextConfig

    audio = ClapAudioConfig(
        depths=[1, 1],
        num_attention_heads=[1, 2],
        patch_embeds_hidden_size=8,
        hidden_size=16,
        num_hidden_layers=2,
        projection_dim=12,
    )
    text = ClapTextConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, projection_dim=12
    )
    ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=12)).save_pretrained(tmp_path)
    ClapFeatureExtractor(feature_size=64, truncation="rand_trunc").save_pretrained(tmp_path)
    embedding = ClapEmbedding(tmp_path)
    rows = embedding(noise(16, 22_050)[:, None], 22_050)
    assert rows.shape == (2, embedding.size) == (2, 12)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)

"""Sound: its mel-spectrogram, its loudness, and the WAV files it is written to."""

from __future__ import annotations

import io
import math
import os
import resource
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly
from transformers.audio_utils import mel_filter_bank

from a2m_edge.errors import OutputError
from a2m_edge.output import written_aside
from a2m_edge.sound.format import FORMATS, AudioChunk, AudioFormat
from a2m_edge.sound.loudness import integrated_loudness, normalise_loudness, true_peak
from a2m_edge.sound.mel import log_mel, mel_filterbank
from a2m_edge.sound.wav import write_wav

FORMAT = FORMATS["22k-mono"]
RATE = FORMAT.sample_rate
OTHER = AudioFormat(sample_rate=48000, channels=2, hop=480, window=2048, mel_bands=100, mel_low=20.0, mel_high=20000.0)


def noise(length: int, seed: int = 0, level: float = 0.1, channels: int = 1) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal((length, channels))).astype(np.float32)


def signals(rate: int) -> dict[str, np.ndarray]:
    time = np.arange(int(rate * 9.3)) / rate
    random = np.random.default_rng(1)
    shapes = {
        "noise": 0.1 * random.standard_normal(len(time)),
        "middle": 0.3 * np.sin(2 * np.pi * 997 * time),
        "bass": 0.5 * np.sin(2 * np.pi * 55 * time),
        "treble": 0.2 * np.sin(2 * np.pi * 7000 * time),
        "bursts": np.where(time % 4 < 1, 0.4, 0.001) * np.sin(2 * np.pi * 440 * time),
        "plucked": np.exp(-8 * (time % 0.5)) * np.sin(2 * np.pi * 220 * time) * 0.9,
    }
    return {name: shape.astype(np.float32)[:, None] for name, shape in shapes.items()}


class TestFormat:
    @given(st.integers(0, 10**9))
    def test_seconds_and_frames_agree(self, frames):
        for audio in (FORMAT, OTHER):
            assert audio.frames(audio.seconds(frames)) == frames

    def test_a_chunk_knows_how_long_it_lasts(self):
        assert AudioChunk(noise(RATE // 2), RATE, 0, 43).seconds == pytest.approx(0.5)

    @pytest.mark.parametrize("name", FORMATS)
    def test_the_named_formats_make_sense_and_say_what_they_are(self, name):
        assert FORMATS[name].faults() == []
        assert str(FORMATS[name].sample_rate) in str(FORMATS[name])
        assert name.split("-")[1] in str(FORMATS[name])

    def test_what_makes_no_sense_is_said(self):
        bad = AudioFormat(sample_rate=1000, channels=3, hop=0, window=7, mel_bands=0, mel_low=5.0, mel_high=4.0)
        assert len(bad.faults()) == 6

    def test_chunks_last_as_long_in_every_format(self):
        # 32 frames of 256 samples, as streams of the format 22k-mono have always had
        assert FORMAT.chunk_frames == 32
        for audio in (*FORMATS.values(), OTHER):
            assert audio.seconds(audio.chunk_frames) == pytest.approx(0.37, abs=0.5 / audio.frame_rate)


class TestMel:
    @pytest.mark.parametrize("audio", [FORMAT, OTHER])
    def test_filters_equal_slaney_filters_of_another_library(self, audio):
        other = mel_filter_bank(
            audio.window // 2 + 1,
            audio.mel_bands,
            audio.mel_low,
            audio.mel_high,
            audio.sample_rate,
            norm="slaney",
            mel_scale="slaney",
        )
        np.testing.assert_allclose(mel_filterbank(audio), other.T, atol=1e-7)  # measured: 3e-9

    @pytest.mark.parametrize("audio", [FORMAT, OTHER])
    def test_equals_a_direct_computation_in_torch(self, audio):
        samples = signals(audio.sample_rate)["plucked"] + noise(int(audio.sample_rate * 9.3), level=1e-3)
        side = (audio.window - audio.hop) // 2
        padded = torch.nn.functional.pad(torch.from_numpy(samples.T), (side, side), mode="reflect")[0]
        spectrum = torch.stft(
            padded,
            audio.window,
            audio.hop,
            window=torch.hann_window(audio.window),
            center=False,
            return_complex=True,
        )
        magnitude = torch.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-9)
        expected = torch.log(torch.clamp(torch.from_numpy(mel_filterbank(audio).copy()) @ magnitude, min=1e-5))
        mel = log_mel(samples, audio)
        assert mel.dtype == np.float32
        np.testing.assert_allclose(mel, expected.numpy(), atol=1e-3)

    @given(st.integers(0, 5000))
    @settings(max_examples=50, deadline=None)
    def test_has_one_frame_for_each_whole_hop(self, length):
        mel = log_mel(noise(length), FORMAT)
        assert mel.shape == (80, length // 256)
        assert np.isfinite(mel).all()

    def test_does_not_depend_on_the_blocks_it_is_computed_in(self):
        samples = noise(256 * 2100)
        whole = log_mel(samples, FORMAT)
        part = log_mel(samples[256 * 1000 :], FORMAT)
        np.testing.assert_allclose(whole[:, 1002:2098], part[:, 2:1098], atol=1e-5)

    def test_silence_is_the_floor(self):
        # sqrt(1e-9) through filters of unit area stays above the floor only where a filter is wide
        assert log_mel(np.zeros((2560, 1), np.float32), FORMAT).max() < -7

    def test_is_that_of_the_mean_of_the_channels(self):
        stereo = noise(48000, channels=2)
        np.testing.assert_array_equal(log_mel(stereo, OTHER), log_mel(stereo.mean(1, keepdims=True), OTHER))


class TestLoudness:
    @pytest.mark.parametrize("rate", [22050, 44100, 48000])
    @pytest.mark.parametrize("name", list(signals(8000)))
    def test_equals_pyloudnorm(self, rate, name):
        samples = signals(rate)[name]
        exact = pyloudnorm.Meter(rate, "DeMan").integrated_loudness(samples.astype(np.float64))
        usual = pyloudnorm.Meter(rate).integrated_loudness(samples.astype(np.float64))
        loudness = integrated_loudness(samples, rate)
        assert loudness == pytest.approx(exact, abs=0.01)  # measured: 2e-5
        assert loudness == pytest.approx(usual, abs=0.1)  # measured: 0.094 at 22,050 Hz

    def test_a_full_scale_sine_of_997_hz_has_the_loudness_of_the_standard(self):
        sine = np.sin(2 * np.pi * 997 * np.arange(48000 * 5) / 48000).astype(np.float32)[:, None]
        assert integrated_loudness(sine, 48000) == pytest.approx(-3.01, abs=0.02)
        # ITU-R BS.2217: the same tone on both sides is 3 dB louder, on one side as loud as alone.
        assert integrated_loudness(np.repeat(sine, 2, 1), 48000) == pytest.approx(0.0, abs=0.02)
        assert integrated_loudness(np.pad(sine, ((0, 0), (0, 1))), 48000) == pytest.approx(-3.01, abs=0.02)

    @pytest.mark.parametrize("rate", [22050, 48000])
    def test_stereo_equals_pyloudnorm(self, rate):
        sides = np.concatenate([signals(rate)["bursts"], signals(rate)["plucked"]], 1)
        exact = pyloudnorm.Meter(rate, "DeMan").integrated_loudness(sides.astype(np.float64))
        assert integrated_loudness(sides, rate) == pytest.approx(exact, abs=0.01)
        assert true_peak(sides, rate) == max(true_peak(side[:, None], rate) for side in sides.T)

    def test_long_sound_is_measured_in_pieces_without_a_seam(self):
        second = signals(RATE)["plucked"][:RATE]
        assert integrated_loudness(np.tile(second, (30, 1)), RATE) == pytest.approx(
            pyloudnorm.Meter(RATE, "DeMan").integrated_loudness(np.tile(second, (30, 1)).astype(np.float64)), abs=0.01
        )

    @pytest.mark.parametrize("length", [0, 1, 1000, 50000])
    def test_silence_has_none(self, length):
        silence = np.zeros((length, 2), np.float32)
        assert integrated_loudness(silence, RATE) == -math.inf
        assert true_peak(silence, RATE) == -math.inf
        np.testing.assert_array_equal(normalise_loudness(silence, RATE), silence)

    def test_a_sound_shorter_than_a_block_is_measured_as_a_whole(self):
        sine = np.sin(2 * np.pi * 997 * np.arange(RATE) / RATE).astype(np.float32)[:, None]
        assert integrated_loudness(sine[: RATE // 4], RATE) == pytest.approx(integrated_loudness(sine, RATE), abs=0.3)


class TestTruePeak:
    def test_finds_the_peak_between_samples(self):
        # a quarter of the rate, 45 degrees off: the samples reach 0.707 of the wave
        sine = np.sin(2 * np.pi * 0.25 * np.arange(4000) + np.pi / 4).astype(np.float32) * 0.5
        fade = np.minimum(1, np.minimum(np.arange(4000), np.arange(4000)[::-1]) / 500).astype(np.float32)
        assert true_peak((sine * fade)[:, None], RATE) == pytest.approx(20 * math.log10(0.5), abs=0.05)

    @given(st.integers(0, 1000))
    @settings(max_examples=20, deadline=None)
    def test_is_never_below_the_samples(self, seed):
        samples = noise(3000, seed)
        assert true_peak(samples, RATE) >= 20 * math.log10(np.abs(samples).max()) - 1e-4


class TestNormalising:
    @pytest.mark.parametrize("name", list(signals(8000)))
    def test_meets_loudness_and_peak(self, name):
        result = normalise_loudness(signals(RATE)[name], RATE)
        meter = pyloudnorm.Meter(RATE)
        assert meter.integrated_loudness(result.astype(np.float64)) == pytest.approx(-23, abs=0.15)  # 0.09
        assert 20 * math.log10(np.abs(resample_poly(result[:, 0].astype(np.float64), 16, 1)).max()) <= -1

    def test_a_peaky_sound_is_limited_and_still_as_loud(self):
        time = np.arange(RATE * 10) / RATE
        samples = (0.05 * np.sin(2 * np.pi * 330 * time)).astype(np.float32)[:, None]
        samples[:: RATE // 2] += 0.9
        result = normalise_loudness(samples, RATE, target=-18)
        assert integrated_loudness(result, RATE) == pytest.approx(-18, abs=0.1)
        assert true_peak(result, RATE) <= -1
        assert np.abs(samples * 10 ** ((-18 - integrated_loudness(samples, RATE)) / 20)).max() > 1

    def test_the_peak_holds_where_both_cannot(self):
        click = np.zeros((RATE * 3, 1), np.float32)
        click[RATE] = 1
        assert true_peak(normalise_loudness(click, RATE, target=-10), RATE) <= -1

    def test_a_sound_without_high_peaks_only_changes_its_gain(self):
        samples = signals(RATE)["middle"]
        ratio = normalise_loudness(samples, RATE)[1:100] / samples[1:100]
        np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-5)

    def test_all_channels_are_turned_down_alike(self):
        sides = np.repeat(noise(RATE * 3, level=0.05), 2, 1) * np.array([1.0, 0.5], np.float32)
        sides[RATE] = (1.0, 0.01)
        result = normalise_loudness(sides, RATE, target=-14)
        np.testing.assert_allclose(result[:, 0] * sides[:, 1], result[:, 1] * sides[:, 0], atol=1e-6)
        assert true_peak(result, RATE) <= -1

    @given(st.integers(1, 3000), st.floats(1e-4, 1.0), st.integers(0, 100), st.sampled_from([1, 2]))
    @settings(max_examples=30, deadline=None)
    def test_keeps_length_and_peak_for_any_sound(self, length, level, seed, channels):
        result = normalise_loudness(noise(length, seed, level, channels), RATE, target=-6)
        assert result.shape == (length, channels)
        assert result.dtype == np.float32
        assert true_peak(result, RATE) <= -1


class TestWav:
    @given(st.lists(st.floats(-1, 1, width=32), max_size=300), st.sampled_from([1, 2]))
    @settings(max_examples=30, deadline=None)
    def test_a_file_holds_the_samples_within_rounding_dither_and_scale(self, values, channels):
        samples = np.array(values[: len(values) // channels * channels], np.float32).reshape(-1, channels)
        stream = io.BytesIO()
        write_wav(stream, samples, RATE)
        stream.seek(0)
        back, rate = soundfile.read(stream, dtype="float32", always_2d=True)
        assert rate == RATE
        assert back.shape == samples.shape
        # Half a step, one, and one again where +1 is 32767.
        np.testing.assert_allclose(back, samples, atol=2.51 / 32768)

    def test_has_16_bits_and_the_channels_and_is_the_same_every_time(self, tmp_path):
        samples = noise(100_000)
        write_wav(tmp_path / "a.wav", samples, RATE)
        write_wav(tmp_path / "b.wav", samples, RATE)
        assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
        with wave.open(str(tmp_path / "a.wav")) as reader:
            assert reader.getparams()[:4] == (1, 2, RATE, 100_000)
        write_wav(tmp_path / "c.wav", noise(1000, channels=2), 48000)
        with wave.open(str(tmp_path / "c.wav")) as reader:
            assert reader.getparams()[:4] == (2, 2, 48000, 1000)

    def test_dither_keeps_the_mean_of_what_is_below_a_step(self):
        stream = io.BytesIO()
        write_wav(stream, np.full((200_000, 1), 0.3 / 32767, np.float32), RATE)
        pcm = np.frombuffer(stream.getvalue()[44:], "<i2")
        assert pcm.mean() == pytest.approx(0.3, abs=0.01)
        assert set(np.unique(pcm)) <= {-1, 0, 1}

    def test_beyond_full_scale_is_clipped_and_never_wraps(self):
        stream = io.BytesIO()
        write_wav(stream, np.array([1.5, -1.5, 1.0, -1.0] * 100, np.float32)[:, None], RATE)
        pcm = np.frombuffer(stream.getvalue()[44:], "<i2").reshape(-1, 4)
        assert pcm[:, [0, 2]].min() > 32760
        assert pcm[:, [1, 3]].max() < -32760

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_what_is_not_finite_is_refused(self, value, tmp_path):
        with pytest.raises(ValueError, match="finite"):
            write_wav(tmp_path / "x.wav", np.array([[0], [value]], np.float32), RATE)
        assert list(tmp_path.iterdir()) == []

    def test_a_pipe_needs_no_seek(self):
        code = (
            "import sys, numpy\nfrom a2m_edge.sound.wav import write_wav\n"
            "write_wav(sys.stdout.buffer, numpy.zeros((100000, 1), numpy.float32), 22050)"
        )
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        samples, rate = soundfile.read(io.BytesIO(done.stdout))
        assert (len(samples), rate) == (100_000, 22050)


class TestWritingAside:
    def test_a_folder_that_does_not_exist_is_named(self, tmp_path):
        with pytest.raises(OutputError, match=r"there is no folder .*missing"):
            write_wav(tmp_path / "missing" / "x.wav", noise(10), RATE)

    def test_a_folder_is_no_file(self, tmp_path):
        with pytest.raises(OutputError, match="it is a folder"):
            write_wav(tmp_path, noise(10), RATE)

    def test_a_file_is_no_folder(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(OutputError):
            write_wav(tmp_path / "file" / "x.wav", noise(10), RATE)

    def test_a_name_too_long_is_refused(self, tmp_path):
        with pytest.raises(OutputError, match="too long"):
            write_wav(tmp_path / ("x" * 300), noise(10), RATE)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_folder_without_permission_is_refused(self, tmp_path):
        tmp_path.chmod(0o500)
        with pytest.raises(OutputError, match="Permission"):
            write_wav(tmp_path / "x.wav", noise(10), RATE)

    def test_no_space_leaves_the_old_file_and_nothing_else(self, tmp_path):
        target = tmp_path / "x.wav"
        with written_aside(target) as stream:
            stream.write(b"old")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
        try:
            with pytest.raises(OutputError, match="too large"):
                write_wav(target, noise(100_000), RATE)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x.wav", b"old")]

    def test_a_full_device_is_an_error_and_stays_a_device(self):
        device = Path("/dev/full")
        with pytest.raises(OutputError, match="No space left"):
            write_wav(device, noise(100_000), RATE)
        with pytest.raises(OutputError, match="No space left"):
            write_wav(device, noise(1), RATE)
        assert device.is_char_device()

    def test_an_interruption_leaves_nothing(self, tmp_path):
        with pytest.raises(KeyboardInterrupt), written_aside(tmp_path / "x") as stream:
            stream.write(b"half")
            raise KeyboardInterrupt
        assert list(tmp_path.iterdir()) == []

    def test_a_link_stays_and_its_target_changes(self, tmp_path):
        (tmp_path / "link").symlink_to(tmp_path / "real")
        with written_aside(tmp_path / "link") as stream:
            stream.write(b"new")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real").read_bytes() == b"new"

    def test_a_new_file_has_usual_permissions(self, tmp_path):
        (tmp_path / "usual").touch()
        with written_aside(tmp_path / "x") as stream:
            stream.write(b"")
        assert (tmp_path / "x").stat().st_mode == (tmp_path / "usual").stat().st_mode

"""Sound files: each format keeps the sound, its length and its loudness, and the same sound gives the same bytes."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from a2m_edge.errors import OptionError
from a2m_edge.sound.files import SOUND_FORMATS, encode_sound, sound_format
from a2m_edge.sound.loudness import integrated_loudness, normalise_loudness, true_peak

RATE = 22050


@pytest.fixture(scope="module", params=[1, 2], ids=["mono", "stereo"])
def music(request):
    """Three seconds of a chord that swells and, in stereo, leans to the left: at -23 LUFS."""
    seconds = np.arange(3 * RATE) / RATE
    chord = sum(np.sin(2 * np.pi * pitch * seconds) / number for number, pitch in enumerate((220, 277, 330, 2200), 1))
    sides = np.array([1.0, 0.3])[: request.param]
    return normalise_loudness(((chord * np.hanning(len(seconds)))[:, None] * sides).astype(np.float32), RATE)


@pytest.mark.parametrize("name", SOUND_FORMATS)
def test_the_sound_stays_the_same(name, music):
    kind = sound_format(name)
    content = encode_sound(music, RATE, kind)
    assert content == encode_sound(music, RATE, kind)
    info = soundfile.info(io.BytesIO(content))
    assert (info.format, info.subtype, info.channels) == (kind.container, kind.subtype, music.shape[1])
    heard, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    # Measured: Opus is kept at 24 kHz and played at 48 kHz; MP3 has no padding left at either end.
    assert len(heard) / rate == pytest.approx(3.0, abs=1e-4)
    assert integrated_loudness(heard, rate) == pytest.approx(-23, abs=0.1)
    assert true_peak(heard, rate) < -1
    levels = np.sqrt(np.mean(heard**2, axis=0)) / np.sqrt(np.mean(music**2, axis=0))
    np.testing.assert_allclose(levels, 1.0, atol=0.02)  # each channel stays where it is; measured: 0.006


def test_flac_and_wav_hold_the_same_samples(music):
    flac, wav = (
        soundfile.read(io.BytesIO(encode_sound(music, RATE, sound_format(name))), dtype="int16")[0]
        for name in ("flac", "wav")
    )
    assert np.array_equal(flac, wav)
    assert len(encode_sound(music, RATE, sound_format("flac"))) < 0.8 * 2 * wav.size


@pytest.mark.parametrize(
    ("name", "rate", "kept"),
    [
        ("opus", 22050, 24000),
        ("opus", 44100, 48000),
        ("opus", 48000, 48000),
        ("opus", 96000, 48000),
        ("mp3", 22050, 22050),
        ("mp3", 40000, 44100),
        ("flac", 22050, 22050),
        ("wav", 11111, 11111),
    ],
)
def test_rates_that_a_format_does_not_know_become_the_next_higher_one(name, rate, kept):
    kind = sound_format(name)
    assert kind.sample_rate(rate) == kept
    tone = (0.1 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.float32)[:, None]
    heard, heard_rate = soundfile.read(io.BytesIO(encode_sound(tone, rate, kind)), dtype="float32")
    assert len(heard) / heard_rate == pytest.approx(1.0, abs=1e-4)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert np.argmax(spectrum) * heard_rate / len(heard) == pytest.approx(440, abs=2)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 5000), st.sampled_from(sorted(SOUND_FORMATS)))
def test_any_length_can_be_kept(length, name):
    noise = np.random.default_rng(length).normal(0, 0.1, (length, 1 + length % 2)).astype(np.float32)
    heard, rate = soundfile.read(io.BytesIO(encode_sound(noise, RATE, sound_format(name))))
    assert abs(len(heard) / rate - length / RATE) <= 1 / RATE


def test_another_process_at_another_time_writes_the_same_opus_file():
    # libsndfile draws the stream's serial number from the clock.
    code = (
        "import hashlib, numpy as np\n"
        "from a2m_edge.sound.files import encode_sound, sound_format\n"
        "sound = encode_sound(np.zeros((9000, 2), np.float32), 22050, sound_format('opus'))\n"
        "print(hashlib.sha256(sound).hexdigest())\n"
    )
    other = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    own = encode_sound(np.zeros((9000, 2), np.float32), RATE, sound_format("opus"))
    assert hashlib.sha256(own).hexdigest() == other


def test_what_makes_no_sense_is_refused():
    with pytest.raises(OptionError, match="choose flac, wav, opus, mp3"):
        sound_format("aiff")
    for name in SOUND_FORMATS:
        with pytest.raises(ValueError, match="not finite"):
            encode_sound(np.array([[np.nan]], np.float32), RATE, sound_format(name))

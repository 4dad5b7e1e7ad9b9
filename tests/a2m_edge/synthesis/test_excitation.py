"""The excitation: true pitches, whatever piece of the stream is asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from a2m_edge.score import Note
from a2m_edge.sound.format import FORMATS, AudioFormat
from a2m_edge.sound.mel import log_mel, mel_filterbank, mel_magnitudes
from a2m_edge.synthesis.excitation import TAIL, excitation, hearing_bands, partials, shaped
from tests.fixtures.notes import any_notes

RATE = 22_050
notes_strategy = any_notes(2, 1, 8)


@settings(deadline=None, max_examples=30)
@given(notes_strategy, st.integers(0, 40_000), st.integers(1, 9_000))
def test_pieces_joined_together_equal_the_whole(notes: list[Note], first: int, size: int) -> None:
    whole = partials(notes, first, 3 * size, RATE)
    pieces = [partials(notes, first + number * size, size, RATE) for number in range(3)]
    np.testing.assert_allclose(whole, np.concatenate(pieces), atol=1e-5)
    assert np.isfinite(whole).all()


@pytest.mark.parametrize("pitch", [28, 45, 60, 69, 81, 100])
def test_the_pitch_is_true_and_the_partials_are_its_own(pitch: int) -> None:
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    sound = partials([Note(0.0, 2.0, pitch, 1.0, 3)], 0, 2 * RATE, RATE)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
    assert abs(hertz[np.argmax(spectrum)] - frequency) < 1.0
    number = hertz / frequency
    foreign = np.abs(number - np.round(number)) * frequency > 5.0
    assert spectrum[foreign].max() < 0.02 * spectrum.max()
    assert spectrum[hertz > 10_050].max() < 0.01 * spectrum.max()


def test_a_note_rises_fades_and_ends() -> None:
    note = Note(0.5, 1.0, 60, 0.5, 0)
    sound = partials([note], 0, 4 * RATE, RATE)
    assert not sound[: int(0.5 * RATE)].any()
    level = [float(np.sqrt(np.mean(sound[int(t * RATE) : int((t + 0.1) * RATE)] ** 2))) for t in (0.52, 1.3, 1.6, 2.2)]
    assert level[0] == pytest.approx(0.5, rel=0.1)
    assert level[0] > level[1] > level[2] > level[3] > 0
    assert not sound[int((note.end + TAIL) * RATE) + 1 :].any()


@pytest.mark.parametrize(
    "audio",
    [
        *FORMATS.values(),
        replace(FORMATS["22k-mono"], mel_bands=1),
        replace(FORMATS["22k-mono"], mel_bands=200),
        replace(FORMATS["22k-mono"], window=512),
    ],
)
def test_the_filters_without_their_zeros_are_the_filters(audio: AudioFormat) -> None:
    filters = mel_filterbank(audio)
    bands, parts = hearing_bands(audio)
    magnitude = np.random.default_rng(0).random((3, filters.shape[1]), np.float32)
    np.testing.assert_allclose(mel_magnitudes(magnitude, audio), magnitude @ filters.T, rtol=1e-4, atol=1e-9)
    dense = np.zeros_like(filters)
    np.add.at(dense, (bands, np.arange(filters.shape[1])), parts)
    np.testing.assert_allclose(dense, filters / np.maximum(filters.sum(0), 1e-9), atol=1e-7)
    sound = shaped(np.ones(5 * audio.hop, np.float32), np.zeros((audio.mel_bands, 5), np.float32), audio)
    assert sound.shape == (5 * audio.hop,) and np.isfinite(sound).all()


def test_silence_has_no_excitation() -> None:
    assert not partials([], 0, 1000, RATE).any()
    assert len(partials([Note(0.0, 1.0, 60, 1.0, 0)], 0, 0, RATE)) == 0


def test_the_excitation_has_the_wanted_mel_and_its_pieces_agree() -> None:
    audio = FORMATS["22k-mono"]
    notes = [Note(0.2 * n, 0.9, 48 + 5 * n, 0.7, n % 4) for n in range(8)]
    other = [Note(note.start, note.seconds, note.pitch, 1.0 - 0.1 * n, 0) for n, note in enumerate(notes)]
    frames = audio.frames(2.0)
    wanted = log_mel(0.1 * partials(other, 0, frames * audio.hop, RATE)[:, None], audio)
    whole = excitation(notes, wanted, 0, audio)
    assert len(whole) == frames * audio.hop
    heard = wanted > -6
    assert np.abs(log_mel(whole[:, None], audio) - wanted)[heard].mean() < 0.3
    piece = excitation(notes, wanted[:, 40:90], 40, audio)
    inside = slice(audio.edge * audio.hop, -audio.edge * audio.hop)
    np.testing.assert_allclose(piece[inside], whole[40 * audio.hop : 90 * audio.hop][inside], atol=1e-4)
    assert excitation(notes, wanted[:, :0], 0, audio).shape == (0,)

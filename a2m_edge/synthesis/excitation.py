"""What a vocoder cannot guess: the phase of every note.

A convolutional vocoder that hears only mel frames repeats itself from frame to frame while they stay the same, so a
steady note comes out at multiples of the frame rate. The score knows the true pitch. So the partials of all notes are
filtered until their mel is the one that is wanted, and the vocoder hears that beside the mel, as in neural
source-filter models (Wang, Takaki & Yamagishi 2019, arXiv 1904.12088).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from a2m_edge.score import Note
from a2m_edge.sound.format import AudioFormat
from a2m_edge.sound.mel import hann_window, mel_filterbank, mel_magnitudes

FAINTEST = 1e-3
"""Mel magnitude below which a band of the source counts as empty."""

TABLE_BITS = 12
TABLE = 1 << TABLE_BITS
TUNING = 440.0
HIGHEST = 10_000.0
ATTACK, FADING, RELEASE, TAIL = 0.003, 4.0, 0.3, 1.5
"""Seconds: the rise of a note, the time constants of its fading while held and when released, and how long after its
release it is still given."""


def excitation(notes: Iterable[Note], mel: NDArray[np.float32], first: int, audio: AudioFormat) -> NDArray[np.float32]:
    """The notes' partials, filtered to a wanted mel.

    Args:
        notes: every note that sounds or fades in these frames.
        mel: natural-log mel, float32 [bands, T].
        first: number of the first frame of ``mel``, counted from the beginning of the stream.
        audio: the format of both.

    Returns:
        float32 [T * hop]. All but the ``audio.edge`` frames at either end are the same whatever piece is asked for.
    """
    count = mel.shape[1] * audio.hop
    return shaped(partials(notes, first * audio.hop, count, audio.sample_rate), mel, audio)


def shaped(source: NDArray[np.float32], mel: NDArray[np.float32], audio: AudioFormat) -> NDArray[np.float32]:
    """Filters a source [T * hop] frame by frame so that its mel becomes ``mel`` [bands, T].

    Each band is multiplied by the quotient of wanted and present magnitude, interpolated over the bins by the mel
    filters themselves; bands in which the source has nothing stay silent. Windowed overlap and add (Griffin & Lim
    1984, IEEE Trans. ASSP 32:236).
    """
    frames = mel.shape[1]
    if frames == 0:
        return np.zeros(0, np.float32)
    side = (audio.window - audio.hop) // 2
    hann = hann_window(audio)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(source, side), audio.window)[:: audio.hop]
    spectrum = np.fft.rfft(windows * hann)
    present = mel_magnitudes(np.abs(spectrum).astype(np.float32), audio)  # (T, bands)
    gain = np.where(present > FAINTEST, np.exp(mel.T) / np.maximum(present, FAINTEST), np.float32(0))
    spectrum *= sum(np.take(gain, band, 1) * part for band, part in zip(*hearing_bands(audio), strict=True))
    filtered = np.fft.irfft(spectrum, audio.window).astype(np.float32) * hann
    overlap = -(-audio.window // audio.hop)
    missing = overlap * audio.hop - audio.window
    sound = np.zeros((frames + overlap - 1, audio.hop), np.float32)
    weight = np.zeros_like(sound)
    blocks = np.pad(filtered, ((0, 0), (0, missing))).reshape(frames, overlap, audio.hop)
    squares = np.pad(hann * hann, (0, missing)).reshape(overlap, audio.hop)
    for number in range(overlap):
        sound[number : number + frames] += blocks[:, number]
        weight[number : number + frames] += squares[number]
    sound /= np.maximum(weight, 1e-2)
    return sound.reshape(-1)[side : side + frames * audio.hop]


@lru_cache(maxsize=8)
def hearing_bands(audio: AudioFormat) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The two mel bands that hear each bin, and their shares in it: [2, bins] both. No more than two do."""
    filters = mel_filterbank(audio)
    bands = np.argsort(-filters, axis=0, kind="stable")[:2]
    return bands, np.take_along_axis(filters, bands, 0) / np.maximum(filters.sum(0), 1e-9)


def partials(notes: Iterable[Note], first: int, count: int, sample_rate: int) -> NDArray[np.float32]:
    """The partials of notes, samples ``first`` to ``first + count``.

    Each sample depends on the notes alone, never on where a piece begins: pieces joined together equal the whole.

    Args:
        notes: every note that sounds or fades in these samples, in any order; others are passed over.
        first: number of the first sample, counted from the beginning of the stream; before it all is silent.
        count: number of samples.
        sample_rate: Hz.

    Returns:
        float32 [count]; a note of velocity 1 has an RMS of 1 at its attack.
    """
    sound = np.zeros(count, np.float32)
    for note in sorted(notes):
        begin = max(first, int(np.ceil(note.start * sample_rate)))
        end = min(first + count, int((note.end + TAIL) * sample_rate))
        if begin >= end:
            continue
        age = begin / sample_rate - note.start
        tone = _tone(note.pitch, age, end - begin, sample_rate)
        tone *= _fading(FADING, sample_rate, end - begin) * np.float32(note.velocity * np.exp(-age / FADING))
        rising = max(0, min(len(tone), int(np.ceil((ATTACK - age) * sample_rate))))
        tone[:rising] *= ((np.arange(rising) / sample_rate + age) / ATTACK).astype(np.float32)
        held = max(0, int(np.ceil((note.seconds - age) * sample_rate)))
        released = tone[held:]
        since = age + held / sample_rate - note.seconds
        released *= _fading(RELEASE, sample_rate, len(released)) * np.float32(np.exp(-since / RELEASE))
        sound[begin - first : end - first] += tone
    return sound


def _tone(pitch: int, age: float, count: int, sample_rate: int) -> NDArray[np.float32]:
    """A pitch that never rises nor fades, from ``age`` seconds after its beginning on: float32 [count]."""
    frequency = TUNING * 2.0 ** ((pitch - 69) / 12)
    # Periods in units of 2 ** -64: a whole number that runs over loses whole periods alone.
    phase = np.arange(count, dtype=np.uint64)
    phase *= np.uint64(int(frequency / sample_rate * 2.0**64) % 2**64)
    phase += np.uint64(int(age * frequency % 1.0 * 2.0**64) % 2**64)
    place = (phase >> np.uint64(64 - TABLE_BITS)).view(np.int64)
    share = ((phase << np.uint64(TABLE_BITS)) >> np.uint64(40)).astype(np.float32)
    share *= np.float32(2.0**-24)
    found = np.take(_lines(pitch, min(HIGHEST, 0.45 * sample_rate)), place)
    tone: NDArray[np.float32] = share * found.imag
    tone += found.real
    return tone


@lru_cache(maxsize=256)
def _lines(pitch: int, highest: float) -> NDArray[np.complex64]:
    """A period's samples and, as the imaginary part, how much the next one differs: complex64 [TABLE]."""
    wave = period(pitch, highest)
    return (wave[:-1] + 1j * np.diff(wave)).astype(np.complex64)


@lru_cache(maxsize=32)
def _whole_fading(seconds: float, sample_rate: int, count: int) -> NDArray[np.float32]:
    return np.exp(np.arange(count) / (-seconds * sample_rate)).astype(np.float32)


def _fading(seconds: float, sample_rate: int, count: int) -> NDArray[np.float32]:
    """A fall by e in so many seconds, float32 [count]; do not change it."""
    return _whole_fading(seconds, sample_rate, 1 << max(12, (count - 1).bit_length()))[:count]


@lru_cache(maxsize=256)
def period(pitch: int, highest: float) -> NDArray[np.float32]:
    """One period of a pitch, and its first sample again: float32 [TABLE + 1], RMS 1; do not change it.

    Its partials reach up to ``highest`` Hz and fall by 3 dB an octave; Schroeder's phases (1970, IEEE Trans. Inf.
    Theory 16:85) keep it from peaking.
    """
    frequency = TUNING * 2.0 ** ((pitch - 69) / 12)
    count = max(1, int(highest / frequency))
    spectrum = np.zeros(TABLE // 2 + 1, np.complex128)
    number = np.arange(1, min(count, TABLE // 2 - 1) + 1)
    spectrum[number] = number**-0.5 * np.exp(-1j * np.pi * number * number / count)
    wave = np.fft.irfft(spectrum, TABLE)
    wave /= np.sqrt(np.mean(wave**2))
    result = np.append(wave, wave[0]).astype(np.float32)
    result.setflags(write=False)
    return result

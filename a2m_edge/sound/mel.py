"""The mel-spectrogram of a sound."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from a2m_edge.sound.format import AudioFormat

_BLOCK_FRAMES = 1024
"""Frames analysed at once: bounds the memory whatever the length of the sound."""

FAINTEST_MEL = 1e-5
"""Mel magnitudes below this one count as it."""

SILENCE = float(np.log(FAINTEST_MEL))
"""What a log-mel holds where nothing sounds."""


_LINEAR, _CORNER, _STEP = 200.0 / 3.0, 1000.0, np.log(6.4) / 27.0


def hertz_to_mel(hertz: float) -> float:
    """The mel scale of Slaney's Auditory Toolbox (1998).

    It is linear below 1 kHz (200/3 Hz a mel) and logarithmic above (27 mels a factor of 6.4).
    """
    if hertz < _CORNER:
        return hertz / _LINEAR
    return float(_CORNER / _LINEAR + np.log(hertz / _CORNER) / _STEP)


@lru_cache(maxsize=8)
def mel_filterbank(audio: AudioFormat) -> NDArray[np.float32]:
    """Triangular filters on the mel scale of Slaney's Auditory Toolbox (1998), each of unit area.

    Returns:
        float32 [mel_bands, window // 2 + 1]; the array is shared, do not change it.
    """
    mels = np.linspace(hertz_to_mel(audio.mel_low), hertz_to_mel(audio.mel_high), audio.mel_bands + 2)
    edges = np.where(mels < _CORNER / _LINEAR, mels * _LINEAR, _CORNER * np.exp(_STEP * (mels - _CORNER / _LINEAR)))
    bins = np.linspace(0.0, audio.sample_rate / 2, audio.window // 2 + 1)
    low, peak, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - low) / (peak - low), (high - bins) / (high - peak)
    filters = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (high - low))
    result: NDArray[np.float32] = filters.astype(np.float32)
    result.setflags(write=False)
    return result


@lru_cache(maxsize=8)
def hann_window(audio: AudioFormat) -> NDArray[np.float32]:
    """The periodic Hann window of the format, float32 [window]; the array is shared, do not change it."""
    phase = np.arange(audio.window) * (2.0 * np.pi / audio.window)
    result: NDArray[np.float32] = (0.5 - 0.5 * np.cos(phase)).astype(np.float32)
    result.setflags(write=False)
    return result


def downmix(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """One channel of all: the mean of the channels of a sound [N, C], float32 [N]."""
    return samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)


def log_mel(samples: NDArray[np.float32], audio: AudioFormat) -> NDArray[np.float32]:
    """The mel-spectrogram that HiFi-GAN is trained on (Kong et al. 2020, arXiv 2010.05646).

    Reflection by half of (window - hop) on both sides, periodic Hann window, magnitude
    ``sqrt(re^2 + im^2 + 1e-9)``, mel filters, natural logarithm of at least ``FAINTEST_MEL``.

    Args:
        samples: float32 [N, C]; what is analysed is the mean of the channels.
        audio: the format of ``samples``.

    Returns:
        float32 [mel_bands, T] with T = N // hop.
    """
    frames = len(samples) // audio.hop
    mel = np.empty((audio.mel_bands, frames), np.float32)
    if frames == 0:
        return mel
    side = (audio.window - audio.hop) // 2
    padded = np.pad(np.asarray(downmix(samples), np.float32), side, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, audio.window)[:: audio.hop]
    hann = hann_window(audio)
    for begin in range(0, frames, _BLOCK_FRAMES):
        end = min(begin + _BLOCK_FRAMES, frames)
        spectrum = np.fft.rfft(windows[begin:end] * hann)
        magnitude = np.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-9).astype(np.float32)
        mel[:, begin:end] = np.log(np.maximum(mel_magnitudes(magnitude, audio), FAINTEST_MEL)).T
    return mel


def mel_magnitudes(magnitude: NDArray[np.float32], audio: AudioFormat) -> NDArray[np.float32]:
    """What the mel filters hear of magnitudes [T, window // 2 + 1]: float32 [T, mel_bands].

    A product of matrices would be shared out among threads: on a busy computer they wait for each other (54 frames took
    30 ms and more instead of 1), and its last bits depend on their number.
    """
    bins, shares, begins = _sparse_filters(audio)
    return np.add.reduceat(magnitude[:, bins] * shares, begins, axis=1)


@lru_cache(maxsize=8)
def _sparse_filters(audio: AudioFormat) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """The mel filters without their zeros.

    Returns:
        of all bands, one after the other, the bins that they hear and how much of each [n]; where in these each band
        begins [bands].
    """
    filters = mel_filterbank(audio)
    heard = filters > 0
    heard[:, 0] |= ~heard.any(1)  # a band between two bins hears nothing of the first
    band, bins = np.nonzero(heard)
    return bins, filters[band, bins], np.searchsorted(band, np.arange(len(filters)))

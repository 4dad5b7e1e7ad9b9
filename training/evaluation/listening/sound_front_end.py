"""The input of a network, made as its entry states: windows of sound, and their logarithmic mels."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from a2m_edge.errors import DataError
from a2m_edge.sound.mel import downmix
from training.evaluation.listening.sound_entry import Entry, LogMelFeatures, Waveform

_BLOCK = 1024
"""Frames analysed at once: bounds the memory."""


def windows(samples: NDArray[np.float32], rate: int, entry: Entry) -> list[NDArray[np.float32]]:
    """A sound cut into what a network hears at once, at the network's rate: each float32 [n].

    The last window is kept when the sound fills at least half of it, or when it is the only one.

    Args:
        samples: float32 [N, C], in [-1, 1]; the network hears the mean of the channels.
        rate: their sample rate in Hz.

    Raises:
        DataError: the sound is too short, or holds a sample that is no number.
    """
    if samples.ndim != 2 or not np.isfinite(samples).all():
        raise DataError("the sound has no channels or holds samples that are no numbers: make it again")
    samples = downmix(samples)
    if len(samples) < rate / 2:
        raise DataError(f"the sound lasts {len(samples) / rate:.2f} s: {entry.name} needs at least half a second")
    divisor = math.gcd(rate, entry.sample_rate)
    if rate != entry.sample_rate:
        samples = resample_poly(samples.astype(np.float32), entry.sample_rate // divisor, rate // divisor)
    length, hop = (round(seconds * entry.sample_rate) for seconds in (entry.window_seconds, entry.hop_seconds))
    result: list[NDArray[np.float32]] = []
    for start in range(0, len(samples), hop):
        piece = np.asarray(samples[start : start + length], np.float32)
        # Half a sample a second is rounding of the rates, no missing sound.
        if result and len(piece) < length / 2 - 1:
            break
        if len(piece) < length and entry.fill == "repeat":
            piece = np.resize(piece, length)
        elif len(piece) < length and entry.fill == "silence":
            piece = np.pad(piece, (0, length - len(piece)))
        result.append(piece)
        if start + length >= len(samples):
            break
    return result


def features(samples: NDArray[np.float32], entry: Entry) -> NDArray[np.float32]:
    """The input tensor for one window of sound at the entry's rate, batch of one, axes as the entry's layout says."""
    kind = entry.features
    if isinstance(kind, Waveform):
        return samples[None] if kind.layout == "time" else samples[None, None]
    mel = log_mel(samples, kind, entry.sample_rate)
    if kind.layout in ("time band", "channel time band"):
        mel = mel.T
    return np.ascontiguousarray(mel[None, None] if kind.layout.startswith("channel") else mel[None])


def log_mel(samples: NDArray[np.float32], kind: LogMelFeatures, rate: int) -> NDArray[np.float32]:
    """Logarithmic mels as ``LogMelFeatures`` states: float32 [bands, T].

    A sound shorter than one frame ends in silence.
    """
    if kind.pre_emphasis:
        samples = samples[1:] - np.float32(kind.pre_emphasis) * samples[:-1]
    padded = np.pad(samples, (0, max(0, kind.n_fft - len(samples))))
    padded = np.pad(padded, kind.n_fft // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, kind.n_fft)[:: kind.hop]
    taper, filters = _taper(kind), _filters(kind, rate)
    mel = np.empty((kind.bands, len(frames)), np.float32)
    for begin in range(0, len(frames), _BLOCK):
        spectrum = np.fft.rfft(frames[begin : begin + _BLOCK] * taper)
        energy = (spectrum.real**2 + spectrum.imag**2) ** (kind.power / 2)
        mel[:, begin : begin + _BLOCK] = filters @ energy.T.astype(np.float32)
    mel = mel + np.float32(kind.floor) if kind.floor_kind == "add" else np.maximum(mel, np.float32(kind.floor))
    logarithm = np.log(mel) if kind.logarithm == "ln" else 10.0 * np.log10(mel)
    return np.asarray((logarithm + kind.offset) * kind.scale, np.float32)


@lru_cache(maxsize=8)
def _taper(kind: LogMelFeatures) -> NDArray[np.float32]:
    """The Hann window in the middle of a frame: float32 [n_fft]."""
    period = kind.window - 1 if kind.window_kind == "hann symmetric" else kind.window
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(kind.window) / period)
    before = (kind.n_fft - kind.window) // 2
    return np.asarray(np.pad(hann, (before, kind.n_fft - kind.window - before)), np.float32)


@lru_cache(maxsize=8)
def _filters(kind: LogMelFeatures, rate: int) -> NDArray[np.float32]:
    """Triangular filters, float32 [bands, n_fft // 2 + 1]."""
    low, high = _to_mel(np.array([kind.low, kind.high]), kind.mel_scale)
    edges = np.linspace(float(low), float(high), kind.bands + 2)
    bins = np.linspace(0.0, rate / 2, kind.n_fft // 2 + 1)
    hertz = _to_hertz(edges, kind.mel_scale)
    if kind.triangles == "mel":
        corners, places = edges, _to_mel(bins, kind.mel_scale)
    else:
        corners, places = hertz, bins
    left, peak, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    filters = np.maximum(0.0, np.minimum((places - left) / (peak - left), (right - places) / (right - peak)))
    if kind.area:
        filters *= 2.0 / (hertz[2:] - hertz[:-2])[:, None]
    return np.asarray(filters, np.float32)


_KNEE, _LINEAR, _STEP = 1000.0, 200.0 / 3.0, math.log(6.4) / 27.0
"""Of Slaney's scale: linear below 1 kHz (200/3 Hz a mel), 27 steps a factor of 6.4 above (Auditory Toolbox, 1998)."""


def _to_mel(hertz: NDArray[np.float64], scale: str) -> NDArray[np.float64]:
    if scale == "slaney":
        above = _KNEE / _LINEAR + np.log(np.maximum(hertz, _KNEE) / _KNEE) / _STEP
        return np.asarray(np.where(hertz < _KNEE, hertz / _LINEAR, above))
    return np.asarray((2595.0 / math.log(10.0) if scale == "htk" else 1127.0) * np.log1p(hertz / 700.0))


def _to_hertz(mel: NDArray[np.float64], scale: str) -> NDArray[np.float64]:
    if scale == "slaney":
        return np.asarray(
            np.where(mel < _KNEE / _LINEAR, mel * _LINEAR, _KNEE * np.exp(_STEP * (mel - _KNEE / _LINEAR)))
        )
    return np.asarray(700.0 * np.expm1(mel / (2595.0 / math.log(10.0) if scale == "htk" else 1127.0)))

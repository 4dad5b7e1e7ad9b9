"""How far one mel-spectrogram lies from another, frame by frame: the columns that judge a reconstruction.

All three compare natural-log mels of magnitude (not power), as ``a2m_edge.sound.mel.log_mel`` makes them, frame ``t``
with frame ``t``. They say how well the same music was made again. New music for the same feeling is not the same
music, and these figures say nothing about it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

from a2m_edge.sound.mel import SILENCE

CEPSTRA = 13
"""Cepstral coefficients compared: d = 1 ... 13; the level (d = 0) is left out."""

MCD_CONSTANT = 10.0 * math.sqrt(2.0) / math.log(10.0)
"""dB for a difference of one nat in one coefficient: 6.1419."""

DB_PER_NAT = 20.0 / math.log(10.0)
"""dB in one nat of magnitude: 8.6859."""

MCD_DEFINITION = (
    f"MCD: natural-log mels of both sounds, orthonormal DCT-II over the bands, d = 1…{CEPSTRA} (the level, d = 0, is "
    f"left out), frames paired in order and cut to the shorter (no DTW); 10·√2/ln 10 = {MCD_CONSTANT:.4f} times the "
    "Euclidean distance of the coefficients, mean over frames, in dB."
)
LSD_DEFINITION = (
    "LSD: difference of both natural-log mels in dB (20/ln 10 times), root of the mean square over the bands, mean "
    "over frames, in dB; frames paired in order and cut to the shorter."
)
COSINE_DEFINITION = (
    "Mel cosine: cosine of both natural-log mels as one long vector each, counted from the floor ln 1e-5 so that "
    "silence is zero; frames paired in order and cut to the shorter."
)


def mel_cepstral_distortion(real: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Mel-cepstral distortion in dB, 0 for equal timbre at any level; see ``MCD_DEFINITION``.

    Kubichek 1993, IEEE PacRim: 125, on cepstra of the mels that the models themselves speak.

    Args:
        real, other: natural-log mels [bands, T] with the same bands, more than 13; T may differ.

    Raises:
        ValueError: the bands differ, are too few, there is no frame, or a value is not finite.
    """
    one, two = _paired(real, other)
    if len(one) <= CEPSTRA:
        raise ValueError(f"mels of {len(one)} bands have no {CEPSTRA} cepstral coefficients above the level")
    difference = dct(one - two, type=2, axis=0, norm="ortho")[1 : CEPSTRA + 1]
    return float(MCD_CONSTANT * np.sqrt((difference**2).sum(0)).mean())


def log_spectral_distance(real: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Log-spectral distance on mels in dB; see ``LSD_DEFINITION``.

    Gray & Markel 1976, IEEE Trans. ASSP 24:380, with mel bands in place of frequencies.

    Args:
        real, other: natural-log mels [bands, T] with the same bands; T may differ.

    Raises:
        ValueError: the bands differ, there is no frame, or a value is not finite.
    """
    one, two = _paired(real, other)
    return float(DB_PER_NAT * np.sqrt(((one - two) ** 2).mean(0)).mean())


def mel_cosine(real: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Cosine of two mel-spectrograms, in [-1, 1]; see ``COSINE_DEFINITION``. 0 where one of them is silent.

    Args:
        real, other: natural-log mels [bands, T] with the same bands; T may differ.

    Raises:
        ValueError: the bands differ, there is no frame, or a value is not finite.
    """
    one, two = (mel - SILENCE for mel in _paired(real, other))
    if min(np.abs(one).max(), np.abs(two).max()) < 1e-4:  # the floor in float32 lies 1e-7 beside the constant
        return 0.0
    return float((one * two).sum() / (np.linalg.norm(one) * np.linalg.norm(two)))


def _paired(real: NDArray[np.floating], other: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both mels in double precision, cut to the shorter."""
    if real.ndim != 2 or other.ndim != 2 or len(real) != len(other):
        raise ValueError(f"mels must be [bands, T] of the same bands, not {real.shape} and {other.shape}")
    frames = min(real.shape[1], other.shape[1])
    if frames == 0:
        raise ValueError("a mel-spectrogram without frames cannot be compared")
    one, two = real[:, :frames].astype(np.float64), other[:, :frames].astype(np.float64)
    if not (np.isfinite(one).all() and np.isfinite(two).all()):
        raise ValueError("a value of a mel-spectrogram is not finite")
    return one, two

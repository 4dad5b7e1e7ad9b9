"""How close two ways to compute the same thing come: the measures that exports and engines are judged by."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

CLEAN = 200.0
"""dB; stands for no error at all."""


def cosines(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.float64]:
    """Cosine between the rows of two matrices [rows, D]: float64 [rows]."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.asarray((a * b).sum(-1) / np.maximum(norms, 1e-30))


def signal_to_noise(signal: NDArray[np.floating], found: NDArray[np.floating]) -> float:
    """The energy of a signal over that of the difference, both of one shape, in dB.

    200 at most, as where there is no difference; -200 at least, as where a sample is infinite or no number.
    """
    energy = float(np.square(signal, dtype=np.float64).sum())
    noise = float(np.square(signal.astype(np.float64) - found).sum())
    if noise == 0:
        return CLEAN
    ratio = energy / noise
    return max(-CLEAN, min(CLEAN, 10 * math.log10(ratio))) if ratio > 0 else -CLEAN

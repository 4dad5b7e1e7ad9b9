"""Whether a long sound returns to itself: each passage held against every other place of the same sound."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve


def returns(mel: NDArray[np.float32], window: int, hop: int) -> NDArray[np.float64]:
    """How like each passage is the place of the same sound that is most like it.

    The likeness is the correlation of two passages, each band's mean over the whole sound taken away, at every offset
    of one frame: a repetition is found wherever it begins, and an exact one has likeness 1.

    Args:
        mel: natural log-mel (bands, T).
        window: frames of a passage.
        hop: frames from the beginning of a passage to that of the next.

    Returns:
        for each passage, float64 in [-1, 1]; places that overlap it are left out.

    Raises:
        ValueError: the sound is shorter than two passages.
    """
    frames = mel.shape[1]
    if frames < 2 * window:
        raise ValueError(f"{frames} frames hold no two passages of {window}")
    apart = np.asarray(mel, np.float64)
    apart = apart - apart.mean(1, keepdims=True)
    sums = np.concatenate([[0.0], np.cumsum(np.square(apart).sum(0))])
    norms = np.sqrt(np.maximum(sums[window:] - sums[:-window], 1e-9))
    found = []
    for first in range(0, frames - window + 1, hop):
        passage = apart[:, first : first + window]
        likeness = fftconvolve(apart, passage[:, ::-1], mode="valid", axes=1).sum(0) / (norms * norms[first])
        likeness[max(0, first - window + 1) : first + window] = -1.0
        found.append(min(1.0, likeness.max()))
    return np.array(found)

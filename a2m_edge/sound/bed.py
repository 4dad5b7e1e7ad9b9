"""The bed of a bundle: its safe loop, which plays whenever live sound is late."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from a2m_edge.errors import BundleError


def read_bed(path: Path, sample_rate: int) -> NDArray[np.float32]:
    """Reads a bed, and refuses what is no safe loop: when it is needed nothing else plays.

    Args:
        path: a mono WAV file.
        sample_rate: of the bundle's sound (Hz).

    Returns:
        float32 [N], N > 0, not silent.

    Raises:
        BundleError: it cannot be read, has another sample rate or several channels, or is silent.
    """
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise BundleError(f"the bed {path} cannot be read ({error}): it must be a WAV file") from error
    if (rate, samples.shape[1]) != (sample_rate, 1):
        raise BundleError(
            f"the bed {path} has {rate} Hz and {samples.shape[1]} channels, the bundle's sound {sample_rate} Hz and "
            f"one: convert it, and export the bundle with it"
        )
    if not np.isfinite(samples).all() or not samples.any():
        raise BundleError(f"the bed {path} is silent or holds what is no number: export the bundle with another one")
    return np.ascontiguousarray(samples[:, 0])

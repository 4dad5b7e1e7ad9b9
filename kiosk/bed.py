"""The bed: the safe loop of a bundle, which plays whenever live sound is late."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from a2m_edge.errors import BundleError


class Bed:
    """A loop without a seam that goes on where it stopped.

    Args:
        samples: float32 [N], N > 0; its end runs on into its beginning.
    """

    def __init__(self, samples: NDArray[np.float32]) -> None:
        self._samples = samples
        self._position = 0

    def play(self, count: int) -> NDArray[np.float32]:
        """The next samples: float32 [count]."""
        places = np.arange(self._position, self._position + count) % len(self._samples)
        self._position = (self._position + count) % len(self._samples)
        return self._samples[places]


def open_bed(path: Path, sample_rate: int) -> Bed:
    """Reads the bed of a verified bundle.

    Args:
        path: a mono WAV file.
        sample_rate: of the bundle's sound (Hz).

    Raises:
        BundleError: it cannot be read, has another sample rate or several channels, or is silent.
    """
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise BundleError(f"the bed {path} cannot be read ({error}): copy the bundle again") from error
    if rate != sample_rate or samples.shape[1] != 1:
        raise BundleError(
            f"the bed {path} has {rate} Hz and {samples.shape[1]} channels, but the bundle plays {sample_rate} Hz and"
            " one: export the bundle again"
        )
    if not np.isfinite(samples).all() or not samples.any():
        raise BundleError(f"the bed {path} is silent: export the bundle again with one that can be heard")
    return Bed(np.ascontiguousarray(samples[:, 0]))

"""The bed as it plays: a loop that goes on where it stopped."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Bed:
    """A loop without a seam that goes on where it stopped.

    Args:
        samples: float32 [N, C], N > 0; its end runs on into its beginning.
    """

    def __init__(self, samples: NDArray[np.float32]) -> None:
        self._samples = samples
        self._position = 0

    def play(self, count: int) -> NDArray[np.float32]:
        """The next samples: float32 [count, C]."""
        places = np.arange(self._position, self._position + count) % len(self._samples)
        self._position = (self._position + count) % len(self._samples)
        return self._samples[places]

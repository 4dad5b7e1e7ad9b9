"""Sound at another sample rate, for sound cards and file formats that know only their own: by libsoxr."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import soxr
from numpy.typing import NDArray

_QUALITY = "HQ"
"""libsoxr's: images and what folds back lie 100 dB below the sound, 91 % of the narrower band passes."""

_STEP_SECONDS = 0.005
"""Sound of the source that is taken at once; what is taken ahead of its time can no longer be changed."""


class Resampler:
    """A stream from one rate to another.

    The result does not depend on the portions in which it is asked for. It is late by some 10 to 45 ms: libsoxr works
    in blocks.

    Args:
        source_rate, target_rate: Hz.
        channels: of the sound.
        source: gives the next samples of the source, float32 [n, channels]; None while there are none.
    """

    def __init__(
        self,
        source_rate: int,
        target_rate: int,
        channels: int,
        source: Callable[[int], NDArray[np.float32] | None],
    ) -> None:
        self._stream = soxr.ResampleStream(source_rate, target_rate, channels, dtype="float32", quality=_QUALITY)
        self._source = source
        self._step = max(1, round(_STEP_SECONDS * source_rate))
        self._ready = np.zeros((0, channels), np.float32)

    def take(self, count: int) -> NDArray[np.float32] | None:
        """The next samples of the result: float32 [count, channels]; None if the source has none for them."""
        while len(self._ready) < count:
            samples = self._source(self._step)
            if samples is None:
                return None
            made = self._stream.resample_chunk(np.ascontiguousarray(samples))
            self._ready = np.concatenate([self._ready, made])
        taken, self._ready = self._ready[:count], self._ready[count:]
        return taken


def resample(samples: NDArray[np.float32], source_rate: int, target_rate: int) -> NDArray[np.float32]:
    """A whole sound at another rate, in its place.

    Args:
        samples: float32 [N, C].
        source_rate, target_rate: Hz.

    Returns:
        float32 [M, C] with M = N x ``target_rate`` / ``source_rate`` rounded.
    """
    if source_rate == target_rate:
        return samples
    length = round(len(samples) * target_rate / source_rate)
    made = soxr.resample(np.asarray(samples, np.float32), source_rate, target_rate, _QUALITY)[:length]
    return np.pad(made, ((0, length - len(made)), (0, 0)))

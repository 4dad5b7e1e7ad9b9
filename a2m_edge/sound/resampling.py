"""Sound at another sample rate, for sound cards and file formats that know only their own."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_TAPS = 48
"""Samples of the source that one sample of the result is made of, where the rate rises."""

_BETA = 9.0
"""Of the Kaiser window: its side lobes lie 90 dB down."""

_PASSED = 0.94
"""Share of the narrower band that passes; the rest is the slope of the filter."""

_MOST_PHASES = 1 << 11
"""Between rates with no small common multiple the nearest of so many phases is taken: 68 dB below the sound."""

_BLOCK = 1 << 14
"""Samples of a whole sound made at once: bounds the memory whatever its length."""


class Resampler:
    """A stream from one rate to another by a windowed sinc (Smith, Digital Audio Resampling, 2002).

    The result does not depend on the blocks in which it is made. It is late by half of the filter, half a millisecond
    to some milliseconds.

    Args:
        source_rate, target_rate: Hz.
    """

    def __init__(self, source_rate: int, target_rate: int) -> None:
        self._up, self._down, self._phases, self._filters = _plan(source_rate, target_rate)
        self._taps = self._filters.shape[1]
        self._history = np.zeros(self._taps, np.float32)
        self._time = 0  # of the next result after that which the history alone gives, in steps of 1 / up

    def needed(self, count: int) -> int:
        """How many samples of the source the next ``count`` samples of the result need."""
        return 0 if count == 0 else (self._time + (count - 1) * self._down) // self._up

    def convert(self, samples: NDArray[np.float32], count: int) -> NDArray[np.float32]:
        """The next samples of the result: float32 [count].

        Args:
            samples: float32 [N], the next samples of the source; N = ``needed(count)``.
        """
        times = self._time + np.arange(count) * self._down
        source = np.concatenate([self._history, samples])
        passages = np.lib.stride_tricks.sliding_window_view(source, self._taps)[times // self._up]
        filters = self._filters[(times % self._up) * self._phases // self._up]
        self._history = source[len(samples) :]
        self._time += count * self._down - len(samples) * self._up
        return np.asarray(np.einsum("ij,ij->i", passages, filters), np.float32)


def resample(samples: NDArray[np.float32], source_rate: int, target_rate: int) -> NDArray[np.float32]:
    """A whole sound at another rate, by the same filter as ``Resampler`` but without its delay.

    Args:
        samples: float32 [N].
        source_rate, target_rate: Hz.

    Returns:
        float32 [M] with M = N x ``target_rate`` / ``source_rate`` rounded.
    """
    if source_rate == target_rate:
        return samples
    up, down, phases, filters = _plan(source_rate, target_rate)
    taps = filters.shape[1]
    result = np.empty(round(len(samples) * target_rate / source_rate), np.float32)
    padded = np.pad(np.asarray(samples, np.float32), (taps // 2 - 1, taps))
    passages = np.lib.stride_tricks.sliding_window_view(padded, taps)
    for begin in range(0, len(result), _BLOCK):
        times = np.arange(begin, min(begin + _BLOCK, len(result))) * down
        result[begin : begin + _BLOCK] = np.einsum(
            "ij,ij->i", passages[times // up], filters[(times % up) * phases // up]
        )
    return result


def _plan(source_rate: int, target_rate: int) -> tuple[int, int, int, NDArray[np.float32]]:
    """Samples out for how many in, how many phases are told apart, and their filters, float32 [phases, taps]."""
    divisor = math.gcd(source_rate, target_rate)
    up = target_rate // divisor
    phases = min(up, _MOST_PHASES)
    stretch = max(1.0, source_rate / target_rate)  # a lower rate needs a lower and so a longer filter
    return up, source_rate // divisor, phases, _filters(phases, 2 * math.ceil(_TAPS / 2 * stretch), _PASSED / stretch)


def _filters(phases: int, taps: int, band: float) -> NDArray[np.float32]:
    """A low-pass filter for each place between two samples: float32 [phases, taps], each of sum 1.

    Args:
        band: upper edge as a share of half the source's rate.
    """
    offsets = taps // 2 - 1 - np.arange(taps) + np.arange(phases)[:, None] / phases
    window = np.i0(_BETA * np.sqrt(np.maximum(0.0, 1.0 - (2.0 * offsets / taps) ** 2))) / np.i0(_BETA)
    kernels = np.sinc(band * offsets) * window
    return np.asarray(kernels / kernels.sum(1, keepdims=True), np.float32)

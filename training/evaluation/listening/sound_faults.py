"""Faults that a vocoder can put into a sound, in numbers: clicks, holes, buzz, noise; and how bright it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import welch

from a2m_edge.sound.mel import downmix

CLICK = 12.0
"""How far a jump of the slope must stand out of its 20 ms around: music's sharpest attacks stay below."""

SILENCE = -50.0
"""Decibels below the sound's own level under which it counts as silent."""

BUZZ_BAND = (1000.0, 8000.0)
"""Hz in which multiples of the frame rate are looked at: below, notes lie on them."""


@dataclass(frozen=True)
class Faults:
    """Of one sound.

    Attributes:
        clicks: jumps of the slope, per minute.
        longest_silence: seconds.
        buzz: decibels by which the multiples of the frame rate stand out of their neighbours, the median over them.
        noise_floor: decibels below its level that the quietest twentieth of the sound stays under.
        roll_off: Hz below which 95 % of the energy lies.
        level: decibels below full scale, root mean square.
    """

    clicks: float
    longest_silence: float
    buzz: float
    noise_floor: float
    roll_off: float
    level: float


def find_faults(samples: NDArray[np.float32], rate: int, frame_rate: float) -> Faults:
    """Measures a sound.

    Args:
        samples: float32 [N, C], two seconds at least, not silent.
        rate: samples per second.
        frame_rate: mel frames per second of the vocoder.

    Raises:
        ValueError: the sound is too short or silent.
    """
    sound = np.asarray(downmix(samples), np.float64)
    if len(sound) < 2 * rate or not np.any(sound):
        raise ValueError("a sound of two seconds at least is needed, and no silence")
    level = _decibels(float(np.sqrt(np.mean(sound**2))))
    block = rate // 50
    quiet = np.array([_decibels(float(np.sqrt(np.mean(part**2)))) for part in _blocks(sound, block)]) - level
    frequencies, power = welch(sound, rate, nperseg=min(len(sound), 16384))
    return Faults(
        clicks=_clicks(sound, block) * 60.0 * rate / len(sound),
        longest_silence=_longest(quiet < SILENCE) * block / rate,
        buzz=_buzz(frequencies, 10 * np.log10(power + 1e-20), frame_rate),
        noise_floor=float(np.quantile(quiet, 0.05)),
        roll_off=float(frequencies[np.searchsorted(np.cumsum(power), 0.95 * power.sum())]),
        level=level,
    )


def _clicks(sound: NDArray[np.float64], width: int) -> int:
    """How many single places have a slope that jumps."""
    jumps = np.abs(np.diff(sound, 2))
    usual = np.sqrt(np.maximum(uniform_filter1d(jumps**2, width), 0.0)) + 1e-6  # rounding may leave less than 0
    loud = np.flatnonzero(jumps > CLICK * usual)
    return int(len(loud) and 1 + np.count_nonzero(np.diff(loud) > width))


def _longest(silent: NDArray[np.bool_]) -> int:
    """Length of the longest run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], silent, [False]]).astype(int)))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _buzz(frequencies: NDArray[np.float64], decibels: NDArray[np.float64], frame_rate: float) -> float:
    step = frequencies[1]
    low, high = BUZZ_BAND
    found = []
    for multiple in np.arange(np.ceil(low / frame_rate), min(high, frequencies[-1]) // frame_rate):
        place = round(multiple * frame_rate / step)
        here = decibels[place - 1 : place + 2].max()
        around = np.concatenate([decibels[place - 15 : place - 3], decibels[place + 4 : place + 16]])
        # The largest of three is held against the largest of others taken by three.
        found.append(here - float(np.median(around.reshape(-1, 3).max(1))))
    return float(np.median(found)) if found else 0.0


def _blocks(sound: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    return sound[: len(sound) // length * length].reshape(-1, length)


def _decibels(amplitude: float) -> float:
    return float(20 * np.log10(max(amplitude, 1e-9)))

"""Loudness and true peak after ITU-R BS.1770-4, and bringing a sound to both."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

TARGET_LOUDNESS = -23.0
"""LUFS (EBU R 128)."""

TRUE_PEAK_LIMIT = -1.0
"""dBFS (EBU R 128)."""

_STEP_SECONDS, _STEPS_PER_BLOCK = 0.1, 4
_GATE, _RELATIVE_GATE = -70.0, -10.0
_FILTER_BLOCK = 1 << 17
_SETTLE_SECONDS = 0.5
"""After this time nothing is left of the K-weighting's response: its double pole lies at 38 Hz."""

_TAPS = 32
_PEAK_MARGIN = 0.1
"""dB kept below the limit, since meters differ a little in how they oversample."""

_LOOK_AHEAD_SECONDS = 0.05
_LOUDNESS_TOLERANCE = 0.02
_MOST_DRIVE = 20.0
"""dB above the plain gain to which the limiter is driven at most: beyond, it would be an effect."""


def integrated_loudness(samples: NDArray[np.float32], sample_rate: int) -> float:
    """The gated loudness of a sound (BS.1770-4, annex 1), whose channels' powers are added up.

    K-weighted blocks of 400 ms every 100 ms; those below -70 LUFS, and then those 10 LU below the mean of the
    rest, are left out. A signal shorter than one block is measured as a whole.

    Args:
        samples: float32 [N, C].
        sample_rate: Hz.

    Returns:
        LUFS; minus infinity for silence.
    """
    power = np.sum([_block_power(channel, sample_rate) for channel in samples.T], axis=0)
    power = power[power > 10.0 ** ((_GATE + 0.691) / 10.0)]
    if not len(power):
        return -math.inf
    power = power[power > power.mean() * 10.0 ** (_RELATIVE_GATE / 10.0)]
    return 10.0 * math.log10(power.mean()) - 0.691


def true_peak(samples: NDArray[np.float32], sample_rate: int) -> float:
    """The highest level at and between the samples, found by oversampling (BS.1770-4, annex 2).

    Fourfold below 96 kHz, twofold below 192 kHz.

    Args:
        samples: float32 [N, C].
        sample_rate: Hz.

    Returns:
        dBFS; minus infinity for silence.
    """
    peak = float(_highest(samples, sample_rate).max(initial=0.0))
    return 20.0 * math.log10(peak) if peak > 0 else -math.inf


def normalise_loudness(
    samples: NDArray[np.float32],
    sample_rate: int,
    target: float = TARGET_LOUDNESS,
    peak: float = TRUE_PEAK_LIMIT,
) -> NDArray[np.float32]:
    """Brings a sound to a loudness without passing a true peak.

    One gain does it for most sounds. Where peaks would pass the limit, a look-ahead limiter turns down the
    50 ms around them smoothly, and the gain rises until the loudness is met. The peak always holds; a sound
    that is hardly more than peaks stays quieter than the target. Silence stays silence.

    Args:
        samples: float32 [N, C].
        sample_rate: Hz.
        target: LUFS.
        peak: dBFS.

    Returns:
        float32 [N, C].
    """
    measured = integrated_loudness(samples, sample_rate)
    if measured == -math.inf:
        return samples.copy()
    gain = low = target - measured
    high = low + _MOST_DRIVE
    while True:
        result = _limit(samples * np.float32(_amplitude(gain)), sample_rate, _amplitude(peak - _PEAK_MARGIN))
        lacking = target - integrated_loudness(result, sample_rate)
        if abs(lacking) < _LOUDNESS_TOLERANCE or high - low < _LOUDNESS_TOLERANCE:
            return result
        # The loudness rises with the gain, ever less as the limiter works: bisection cannot miss.
        low, high = (gain, high) if lacking > 0 else (low, gain)
        gain = (low + high) / 2


def _amplitude(decibels: float) -> float:
    return float(10.0 ** (decibels / 20.0))


def _k_weighting(sample_rate: int) -> NDArray[np.complex128]:
    """Frequency response of the K-weighting on the grid of ``_FILTER_BLOCK``.

    Analogue prototypes behind the standard's 48 kHz coefficients, for any rate by the bilinear transform
    (as in libebur128).
    """
    unit: NDArray[np.complex128] = np.exp(-2j * np.pi * np.arange(_FILTER_BLOCK // 2 + 1) / _FILTER_BLOCK)  # 1/z

    def biquad(b: tuple[float, float, float], a: tuple[float, float, float]) -> NDArray[np.complex128]:
        response: NDArray[np.complex128] = (b[0] + unit * (b[1] + unit * b[2])) / (a[0] + unit * (a[1] + unit * a[2]))
        return response

    k, q = math.tan(math.pi * 1681.974450955533 / sample_rate), 0.7071752369554196
    high = 10.0 ** (3.999843853973347 / 20.0)
    band = high**0.4996667741545416
    shelf = biquad(
        (high + band * k / q + k * k, 2.0 * (k * k - high), high - band * k / q + k * k),
        (1.0 + k / q + k * k, 2.0 * (k * k - 1.0), 1.0 - k / q + k * k),
    )
    k, q = math.tan(math.pi * 38.13547087602444 / sample_rate), 0.5003270373238773
    scale = 1.0 + k / q + k * k
    high_pass = biquad((scale, -2.0 * scale, scale), (scale, 2.0 * (k * k - 1.0), 1.0 - k / q + k * k))
    return shelf * high_pass


def _block_power(samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """Mean square of a K-weighted channel [N] in each block, filtered by overlap-save in bounded memory."""
    step = round(_STEP_SECONDS * sample_rate)
    energy: NDArray[np.float64] = np.zeros(max(1, -(-len(samples) // step)))
    response = _k_weighting(sample_rate)
    settle = math.ceil(_SETTLE_SECONDS * sample_rate)
    fresh = _FILTER_BLOCK - settle
    for begin in range(0, len(samples), fresh):
        end = min(begin + fresh, len(samples))
        history = samples[max(0, begin - settle) : begin]
        block = np.zeros(_FILTER_BLOCK)
        block[settle - len(history) : settle] = history
        block[settle : settle + end - begin] = samples[begin:end]
        weighted = np.fft.irfft(np.fft.rfft(block) * response)[settle : settle + end - begin]
        energy += np.bincount(np.arange(begin, end) // step, weights=weighted**2, minlength=len(energy))
    blocks = len(samples) // step - _STEPS_PER_BLOCK + 1
    if blocks < 1:
        return np.atleast_1d(energy.sum() / max(1, len(samples)))
    steps = np.lib.stride_tricks.sliding_window_view(energy, _STEPS_PER_BLOCK)[:blocks]
    power: NDArray[np.float64] = steps.mean(1) / step
    return power


def _highest(samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """For each sample of a sound [N, C] the highest magnitude up to the next one, of all channels: float32 [N]."""
    peaks = _peaks(np.ascontiguousarray(samples[:, 0]), sample_rate)
    for channel in samples.T[1:]:
        np.maximum(peaks, _peaks(np.ascontiguousarray(channel), sample_rate), out=peaks)
    return peaks


def _peaks(samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """For each sample of a channel [N] the highest magnitude from it up to the next one: float32 [N]."""
    factor = 4 if sample_rate < 96000 else 2 if sample_rate < 192000 else 1
    peaks = np.abs(samples)
    if not len(samples):
        return peaks
    padded = np.pad(samples, (_TAPS // 2 - 1, _TAPS // 2))
    offsets = np.arange(_TAPS // 2, -_TAPS // 2, -1)
    for phase in range(1, factor):
        distance = offsets - 1 + phase / factor
        kernel = (np.sinc(distance) * np.kaiser(_TAPS, 8.0)).astype(np.float32)
        np.maximum(peaks, np.abs(np.convolve(padded, kernel, "valid")), out=peaks)
    return peaks


def _limit(samples: NDArray[np.float32], sample_rate: int, ceiling: float) -> NDArray[np.float32]:
    """Turns peaks down to the ceiling, all channels alike; a sound without such peaks comes back as it is."""
    peaks = _highest(samples, sample_rate)
    if peaks.max(initial=0.0) <= ceiling:
        return samples
    needed = (ceiling / np.maximum(peaks, ceiling)).astype(np.float32)
    reach = round(_LOOK_AHEAD_SECONDS * sample_rate)
    result = samples * _smooth(_sliding_minimum(needed, reach), reach)[:, None]
    # A changing gain moves the level between samples a little; this closes what remains.
    over = float(_highest(result, sample_rate).max()) / ceiling
    return result / np.float32(over) if over > 1.0 else result


def _sliding_minimum(values: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """The least of the values within ``reach`` on both sides (van Herk 1992, PRL 13:517).

    The result, float32 [N + 2 reach], runs from ``reach`` before the first value to ``reach`` after the last.
    """
    width = 2 * reach + 1
    length = len(values) + 2 * reach
    blocks = -(-(length + width - 1) // width)
    padded = np.ones(blocks * width, np.float32)
    padded[2 * reach : 2 * reach + len(values)] = values
    grid = padded.reshape(blocks, width)
    from_left = np.minimum.accumulate(grid, axis=1).ravel()
    from_right = np.minimum.accumulate(grid[:, ::-1], axis=1)[:, ::-1].ravel()
    return np.minimum(from_right[:length], from_left[width - 1 : width - 1 + length])


def _smooth(values: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """Means under a triangle that reaches ``reach`` to both sides; shorter than the input by twice that."""
    smoothed = values.astype(np.float64)
    for _ in range(2):
        total = np.concatenate(([0.0], np.cumsum(smoothed)))
        smoothed = (total[reach + 1 :] - total[: -reach - 1]) / (reach + 1)
    return smoothed.astype(np.float32)

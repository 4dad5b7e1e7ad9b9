"""What no score determines: how tones beat, breathe and rustle from one frame to the next.

A decoder that is trained for the least error gives the middle of what may happen, which is smooth. It also tells how
far the real mel moves about that middle. What is drawn here within that measure makes a tone live again; the draw
depends on the seed and on the number of the frame alone, so that pieces joined together equal the whole.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.random import Philox
from numpy.typing import NDArray

IN_TIME = (1.0, 1.6, 1.0)
"""Weights of three successive draws in one frame: windows of four hops share most of their samples."""

ACROSS_BANDS = (0.22, 1.0, 0.22)
"""Weights of three neighbouring draws in one band, which give neighbours the correlation of 0.4 that was measured."""

LARGEST = 2.5
"""Standard deviations beyond which nothing is drawn."""


def shimmering(mel: NDArray[np.float32], shimmer: NDArray[np.float32], first: int, seed: int) -> NDArray[np.float32]:
    """A mel that moves as far as its shimmer says.

    Args:
        mel: natural-log mel, float32 [bands, T].
        shimmer: standard deviation of the movement in nat, float32 [bands, T].
        first: number of the first frame, counted from the beginning of the stream.
        seed: of the stream.

    Returns:
        natural-log mel, float32 [bands, T].
    """
    bands, frames = mel.shape
    drawn = normal_frames(seed, first, frames + len(IN_TIME) - 1, bands + len(ACROSS_BANDS) - 1)
    for axis, weights in enumerate((IN_TIME, ACROSS_BANDS)):
        unit = np.array(weights, np.float32) / np.float32(np.linalg.norm(weights))
        drawn = sliding_window_view(drawn, len(unit), axis) @ unit
    return mel + shimmer * np.clip(drawn.T, -LARGEST, LARGEST)


def normal_frames(seed: int, first: int, count: int, bands: int) -> NDArray[np.float32]:
    """Independent numbers of the standard normal distribution, the same for a frame whatever else is asked for.

    By a counter (Salmon et al. 2011, Philox) and the transform of Box & Muller (1958).

    Args:
        seed: 0 or above.
        first: number of the first frame, 0 or above.
        count: T.
        bands: numbers in each frame.

    Returns:
        float32 [T, bands].
    """
    blocks = -(-bands // 4)  # the counter gives four numbers of 64 bits at once
    generator = Philox(np.random.SeedSequence([5, seed]))
    generator.advance(int(first) * blocks)
    raw = generator.random_raw(count * blocks * 4).reshape(count, blocks * 4)[:, :bands]
    radius = (np.float32(1) + (raw >> np.uint64(32)).astype(np.float32)) * np.float32(2.0**-32)
    angle = (raw & np.uint64(0xFFFFFFFF)).astype(np.float32) * np.float32(2.0**-32 * 2 * np.pi)
    return np.asarray(np.sqrt(-2 * np.log(radius)) * np.cos(angle), np.float32)

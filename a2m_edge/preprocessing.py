"""A picture as an image encoder wants it: the same pixels that OpenCLIP's transform gives.

OpenCLIP resizes with Pillow, whose antialiased kernels widen with the reduction; OpenCV's do not, and its area
average differs as well. Pillow's arithmetic is short enough to be repeated exactly.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from a2m_edge.bundle import ImagePreprocessing

_PRECISION = 22
"""Bits after the point of Pillow's integer weights (Resample.c: 32 - 8 - 2)."""


def preprocess(rgb: NDArray[np.uint8], settings: ImagePreprocessing) -> NDArray[np.float32]:
    """Resizes, crops the centre, scales to [0, 1] and standardises.

    Args:
        rgb: uint8 [H, W, 3].
        settings: of the bundle; size S.

    Returns:
        float32 [3, S, S].

    Raises:
        ValueError: ``rgb`` is not uint8 [H, W, 3] with at least one pixel.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or not rgb.size:
        raise ValueError(f"a picture is uint8 [H, W, 3], not {rgb.dtype} {list(rgb.shape)}")
    size = settings.size
    height, width = rgb.shape[:2]
    if settings.resize == "squash":
        tall, wide = size, size
    elif height < width:
        tall, wide = size, int(size * width / height)
    else:
        tall, wide = int(size * height / width), size
    # The crop is taken while resizing: rows and columns outside it are never computed.
    top, left = round((tall - size) / 2.0), round((wide - size) / 2.0)
    across = _resample(rgb.transpose(1, 0, 2), wide, left, size, settings.interpolation)
    cropped = _resample(across.transpose(1, 0, 2), tall, top, size, settings.interpolation)
    mean, std = np.array(settings.mean, np.float32), np.array(settings.std, np.float32)
    standard = (cropped.astype(np.float32) / np.float32(255) - mean) / std
    return np.ascontiguousarray(standard.transpose(2, 0, 1))


def _resample(pixels: NDArray[np.uint8], full: int, first: int, count: int, interpolation: str) -> NDArray[np.uint8]:
    """One pass along axis 0: entries ``first`` to ``first + count`` of what would be ``full`` entries.

    Weights and rounding follow Pillow's Resample.c: the kernel is stretched by the reduction, cut at the border
    and normalised, rounded to integers; the sum is rounded to 8 bits after each pass.
    """
    length = len(pixels)
    if full == length:
        return pixels[first : first + count]
    kernel, radius = _KERNELS[interpolation]
    scale = length / full
    stretch = max(1.0, scale)
    support = radius * stretch
    result = np.empty((count, *pixels.shape[1:]), np.uint8)
    for row in range(count):
        centre = (first + row + 0.5) * scale
        begin = max(0, int(centre - support + 0.5))
        end = min(length, int(centre + support + 0.5))
        weights = np.array([kernel((at - centre + 0.5) / stretch) for at in range(begin, end)])
        weights /= weights.sum()
        whole = np.trunc(weights * (1 << _PRECISION) + np.copysign(0.5, weights))
        total = np.tensordot(whole, pixels[begin:end].astype(np.float64), axes=1) + (1 << (_PRECISION - 1))
        result[row] = np.clip(np.floor(total / (1 << _PRECISION)), 0, 255)
    return result


def _bilinear(distance: float) -> float:
    return max(0.0, 1.0 - abs(distance))


def _bicubic(distance: float) -> float:
    """Keys' cubic convolution (1981, IEEE TASSP 29:1153) with a = -0.5."""
    x, a = abs(distance), -0.5
    if x < 1.0:
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    if x < 2.0:
        return (((x - 5.0) * x + 8.0) * x - 4.0) * a
    return 0.0


_KERNELS: dict[str, tuple[Callable[[float], float], float]] = {
    "bilinear": (_bilinear, 1.0),
    "bicubic": (_bicubic, 2.0),
}

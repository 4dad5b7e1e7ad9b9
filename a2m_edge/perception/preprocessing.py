"""A picture and a comment as the encoders want them: the same pixels and tokens that OpenCLIP gives.

OpenCLIP resizes with Pillow, whose antialiased kernels widen with the reduction; OpenCV's do not, and its area
average differs as well. Pillow reads the pictures, and yet its resizing is repeated here, for two reasons
(``python -m tools.measure_pictures``). A bundle must sound the same whichever Pillow is installed: 200 of 200 random
pictures are resized as here by Pillow 13, and 165 by Pillow 12, the others up to 22 levels away, since Pillow 13 begins
with the height where that shrinks by more than twice as many pixels as the width
(https://github.com/python-pillow/Pillow/pull/9549); so does this. And Pillow resizes a whole picture before it can be
cropped, which for a panorama of 60,000 x 2 pixels takes 6 GB; its ``box`` is another arithmetic (6 of 200 alike, 24
levels). It costs 40 ms more for a picture.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from a2m_edge.bundle.manifest import ImagePreprocessing, TextPreprocessing

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
    full = _full_size(rgb.shape[0], rgb.shape[1], settings)
    lower, narrower = rgb.shape[0] - full[0], rgb.shape[1] - full[1]
    resized = rgb
    for axis in (0, 1) if lower > max(0, 2 * narrower) else (1, 0):
        # The crop is taken while resizing: rows and columns outside it are never computed.
        first = max(0, round((full[axis] - size) / 2.0))
        resized = _resample(resized, axis, full[axis], first, min(full[axis], size), settings.interpolation)
    pixels = np.full((size, size, 3), settings.fill, np.uint8)
    top, left = (size - resized.shape[0]) // 2, (size - resized.shape[1]) // 2
    pixels[top : top + resized.shape[0], left : left + resized.shape[1]] = resized
    mean, std = np.array(settings.mean, np.float32), np.array(settings.std, np.float32)
    standard = (pixels.astype(np.float32) / np.float32(255) - mean) / std
    return np.ascontiguousarray(standard.transpose(2, 0, 1))


def fit_tokenizer(tokenizer: Tokenizer, settings: TextPreprocessing) -> None:
    """Makes a tokenizer cut at the context length (special tokens stay), and pad only where padding is heard."""
    tokenizer.enable_truncation(settings.context_length)
    if settings.padded:
        tokenizer.enable_padding(
            length=settings.context_length,
            pad_id=settings.pad_id,
            pad_token=tokenizer.id_to_token(settings.pad_id) or "",
        )
    else:
        tokenizer.no_padding()


def _full_size(height: int, width: int, settings: ImagePreprocessing) -> tuple[int, int]:
    """Height and width of the whole picture after resizing, before the crop; rounded as OpenCLIP rounds them."""
    size = settings.size
    if settings.resize == "squash":
        return size, size
    if settings.resize == "longest":
        ratio = max(height / size, width / size)
        return max(1, round(height / ratio)), max(1, round(width / ratio))  # a thread is still one pixel wide
    if height < width:
        return size, int(size * width / height)
    return int(size * height / width), size


def _resample(
    picture: NDArray[np.uint8], axis: int, full: int, first: int, count: int, interpolation: str
) -> NDArray[np.uint8]:
    """One pass along an axis: entries ``first`` to ``first + count`` of what would be ``full`` entries.

    Weights and rounding follow Pillow's Resample.c: the kernel is stretched by the reduction, cut at the border
    and normalised, rounded to integers; the sum is rounded to 8 bits after each pass.
    """
    turned = picture.swapaxes(0, axis)
    length = len(turned)
    if full == length:
        return turned[first : first + count].swapaxes(0, axis)
    lines = np.ascontiguousarray(turned).reshape(length, -1)
    kernel, radius = _KERNELS[interpolation]
    scale = length / full
    stretch = max(1.0, scale)
    support, narrowed = radius * stretch, 1.0 / stretch
    result = np.empty((count, lines.shape[1]), np.uint8)
    for row in range(count):
        centre = (first + row + 0.5) * scale
        begin = max(0, int(centre - support + 0.5))
        end = min(length, int(centre + support + 0.5))
        weights = np.array([kernel((at - centre + 0.5) * narrowed) for at in range(begin, end)])
        weights /= weights.sum()
        whole = np.trunc(weights * (1 << _PRECISION) + np.copysign(0.5, weights))
        total = whole @ lines[begin:end].astype(np.float64) + (1 << (_PRECISION - 1))
        result[row] = np.clip(np.floor(total / (1 << _PRECISION)), 0, 255)
    return result.reshape(count, *turned.shape[1:]).swapaxes(0, axis)


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

"""How a picture is painted, measured on its pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from a2m_edge.impression.cues import Cues

_AREA = 192 * 192
"""Pixels on which all is measured: a picture of any size and shape is scaled to as many, and never enlarged."""

_COLOUR_BINS = 16
_COLOUR_LIMIT = 96.0
"""Chroma in CIELab at which the histogram of colours ends, each way."""

_ORANGE = np.radians(65.0)
"""Hue of the warmest colour in CIELab (Ou et al. 2004, Color Research and Application 29:232, place it at 50 to 70)."""

_EDGE = 6.0
"""Steepness (units of lightness a pixel) from which an edge is one, and no grain of the canvas."""

_NOTHING = 2.5
"""Mean steepness below which nothing is painted."""

_SHADING = 4
"""Terms of a polynomial, each way: as even as the light on a wall."""

_STANDS_OUT, _PART = 8.0, 0.99
"""There is little to see where at most a hundredth of a picture departs from its shading by as much as this (CIE76).
Of 9,836 paintings 13 are so, pale studies and mountains in mist; of the photographs of OASIS two of five walls."""

_PATTERN = 10.0
"""Root mean square of the departure (CIE76) from which a picture has a pattern, however fine, and no sensor's noise."""


def shows_little(picture: NDArray[np.uint8]) -> bool:
    """Whether there is little to see in an upright RGB picture, uint8 [H, W, 3]: evenness, shading, and noise."""
    return _is_even(_lab(as_measured(picture)))


def measure(picture: NDArray[np.uint8]) -> Cues:
    """The cues of an upright RGB picture, uint8 [H, W, 3], in its own units.

    How its strokes lie is not a number where it ``shows_little``: there are none but those of the noise.
    """
    lab = _lab(as_measured(picture))
    lightness = np.ascontiguousarray(lab[..., 0])
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    hue = np.arctan2(lab[..., 2], lab[..., 1])
    steepness, unrest = _edges(lightness)
    strokes = float("nan") if _is_even(lab) else 1.0
    return Cues(
        brightness=float(lightness.mean()),
        contrast=float(lightness.std()),
        saturation=float(chroma.mean()),
        warmth=float((chroma * np.cos(hue - _ORANGE)).sum() / max(float(chroma.sum()), 1e-6)),
        colours=_perplexity(lab[..., 1], lab[..., 2]),
        edges=float((steepness > _EDGE).mean()),
        unrest=unrest * strokes,
        symmetry=_symmetry(lightness) * strokes,
        emptiness=float((cv2.blur(steepness, (9, 9)) < _NOTHING).mean()),
        brushwork=_brushwork(lightness) * strokes,
    )


def as_measured(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture, RGB uint8 [H, W, 3], at the scale at which it is measured.

    A part of it is measured at the scale of the whole: nearer, the same strokes would be broader and fewer.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, (_AREA / (height * width)) ** 0.5)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8) if scale < 1 else picture


def _lab(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(picture.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB), np.float32)


def _is_even(lab: NDArray[np.float32]) -> bool:
    rows, columns = (np.linalg.qr(np.vander(np.linspace(-1, 1, size), _SHADING))[0] for size in lab.shape[:2])
    shading = np.einsum("hi,gi,gwc,wj,vj->hvc", rows, rows, lab, columns, columns, optimize=True)
    apart = np.asarray(lab - shading, np.float32)
    if float((apart**2).sum(2).mean()) >= _PATTERN**2:
        return False
    coarse = np.asarray(cv2.GaussianBlur(apart, (0, 0), 2.0), np.float32)
    return float(np.quantile(np.linalg.norm(coarse, axis=2), _PART)) < _STANDS_OUT


def _edges(lightness: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """How steep the lightness is at each pixel, and the share of the energy that leans."""
    across = cv2.Scharr(lightness, cv2.CV_32F, 1, 0) / 32.0
    down = cv2.Scharr(lightness, cv2.CV_32F, 0, 1) / 32.0
    energy = across**2 + down**2
    whole = float(energy.sum())
    if whole < 1e-3:
        return np.sqrt(energy), 0.5
    # The square of the sine of twice the angle: 0 for level and upright edges, 1 for those between.
    leaning = (2.0 * across * down) ** 2 / np.maximum(energy, 1e-9)
    return np.sqrt(energy), float(leaning.sum()) / whole


def _perplexity(green_red: NDArray[np.float32], blue_yellow: NDArray[np.float32]) -> float:
    edges = np.linspace(-_COLOUR_LIMIT, _COLOUR_LIMIT, _COLOUR_BINS + 1)
    rows, columns = (
        np.clip(np.digitize(each, edges) - 1, 0, _COLOUR_BINS - 1).ravel() for each in (green_red, blue_yellow)
    )
    counts = np.bincount(rows * _COLOUR_BINS + columns)
    shares = counts[counts > 0] / counts.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _symmetry(lightness: NDArray[np.float32]) -> float:
    apart = lightness - lightness.mean()
    power = float((apart**2).mean())
    return 1.0 if power < 1e-6 else float(np.clip((apart * apart[:, ::-1]).mean() / power, -1.0, 1.0))


def _brushwork(lightness: NDArray[np.float32]) -> float:
    octaves, coarse = [], lightness
    for radius in (1.0, 2.0, 4.0):
        smooth = np.asarray(cv2.GaussianBlur(lightness, (0, 0), radius), np.float32)
        octaves.append(float(((coarse - smooth) ** 2).mean()))
        coarse = smooth
    return octaves[0] / sum(octaves) if sum(octaves) > 1e-6 else 0.0

"""What a picture's numbers mean: from any colour profile, CMYK, CIELab and PNG's gAMA and cHRM to sRGB.

Profiles are LittleCMS's work, by Pillow's ImageCms. gAMA and cHRM (PNG specification, 11.3.2.1-2) are computed here,
because Pillow only reads them, and because a linear PNG needs its 16 bits, of which ImageCms takes eight.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from a2m_edge.errors import Remark

SAME = 3
"""Levels of 255 by which a profile may move a colour and still be sRGB under another name: the makers of sRGB profiles
round its numbers each in their way. Display P3, the nearest of the others, moves one by 96."""

_SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
_GAMMA, _GAMMA_TOLERANCE = 1 / 2.2, 0.05  # what libpng takes for sRGB's own curve (png_set_gamma)
_SRGB_CORNERS = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
"""White, red, green and blue, x and y each, as cHRM gives them (IEC 61966-2-1)."""
_CORNER_TOLERANCE = 0.005
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
"""Cone responses for adaptation to another white (ICC.1:2022, annex E)."""


def to_srgb(mode: str, profile: bytes | None, remark: Remark) -> Callable[[Image.Image], Image.Image]:
    """How opaque pictures of a mode become sRGB of mode RGB, by relative colorimetry with black point compensation.

    Without a profile, grey and RGB are sRGB as they are, CIELab is of white D50, and CMYK goes Pillow's plain way, as
    if inks were pure. A profile that moves no colour by more than ``SAME`` levels is sRGB: the numbers stay.

    Args:
        mode: RGB, L, CMYK or LAB.
        profile: an ICC profile, or None.
        remark: is told why a profile is not followed.
    """
    if mode == "LAB":  # its numbers are colours already
        return _transform(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), mode)
    if profile is None:
        return _plain
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = opened.profile.xcolor_space.strip()
        if mode == "L" and space == "RGB":
            convert = _transform(opened, "RGB")
            return _plain if _is_srgb(convert) else lambda image: convert(image.convert("RGB"))
        if space != _SPACES[mode]:
            remark(f"its colour profile is for {space}, and it is {_SPACES[mode]}: the profile was not used")
            return _plain
        convert = _transform(opened, mode)
        return _plain if mode == "RGB" and _is_srgb(convert) else convert
    except (ImageCms.PyCMSError, OSError, ValueError):
        remark("its colour profile is damaged and was not used: its colours may be seen a little differently")
        return _plain


def png_to_srgb(info: Mapping[Any, Any], levels: int) -> Callable[[NDArray[Any]], NDArray[np.uint8]] | None:
    """How the numbers of a PNG with gAMA, and cHRM perhaps, become sRGB; None where they are sRGB already.

    A profile, or the word that it is sRGB, rules them out. cHRM without gAMA says nothing of use, and a gAMA within 5 %
    of 1/2.2 is what encoders write for sRGB.

    Args:
        info: what Pillow found in the file.
        levels: numbers that a sample may have, 256 or 65536.

    Returns:
        from whole numbers [H, W, 3] to uint8 [H, W, 3], or None.
    """
    gamma = info.get("gamma")
    if not gamma or info.get("icc_profile") or "srgb" in info:
        return None
    corners = info.get("chromaticity", _SRGB_CORNERS)
    matrix = None
    if max(abs(one - other) for one, other in zip(corners, _SRGB_CORNERS, strict=True)) > _CORNER_TOLERANCE:
        matrix = _matrix(corners)
    if matrix is None and abs(gamma / _GAMMA - 1) <= _GAMMA_TOLERANCE:
        return None
    linear = ((np.arange(levels) / (levels - 1)) ** (1 / gamma)).astype(np.float32)
    if matrix is None:
        table = _encoded(linear)
        return lambda numbers: np.asarray(table[numbers], np.uint8)
    turned = matrix.T.astype(np.float32)
    return lambda numbers: _encoded(linear[numbers] @ turned)


def _plain(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGB" else image.convert("RGB")


def _transform(profile: ImageCms.ImageCmsProfile, mode: str) -> Callable[[Image.Image], Image.Image]:
    transform = ImageCms.buildTransform(
        profile,
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )

    def convert(image: Image.Image) -> Image.Image:
        return cast(Image.Image, ImageCms.applyTransform(image, transform))  # None for a change in place alone

    return convert


def _is_srgb(convert: Callable[[Image.Image], Image.Image]) -> bool:
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(27, 27, 3)
    moved = np.asarray(convert(Image.fromarray(grid))).astype(int) - grid
    return bool(np.abs(moved).max() <= SAME)


def _matrix(corners: tuple[float, ...]) -> NDArray[np.float64] | None:
    """From linear RGB of these corners to linear sRGB; None where they enclose no colours."""
    with np.errstate(all="ignore"):
        own, srgb = _to_xyz(corners), _to_xyz(_SRGB_CORNERS)
        if not np.isfinite(own).all() or abs(np.linalg.det(own)) < 1e-6:
            return None
        white, goal = _BRADFORD @ own.sum(axis=1), _BRADFORD @ srgb.sum(axis=1)
        adapted = np.linalg.inv(_BRADFORD) @ np.diag(goal / white) @ _BRADFORD
        matrix: NDArray[np.float64] = np.linalg.inv(srgb) @ adapted @ own
        return matrix if np.isfinite(matrix).all() else None


def _to_xyz(corners: tuple[float, ...]) -> NDArray[np.float64]:
    """From linear RGB to CIE XYZ with a white of luminance 1 (IEC 61966-2-1, annex F, for any corners)."""
    xy = np.array(corners, np.float64).reshape(4, 2)
    columns = np.column_stack([xy, 1 - xy.sum(axis=1)])
    primaries = columns[1:].T
    if abs(np.linalg.det(primaries)) < 1e-9:
        return np.full((3, 3), np.nan)
    return primaries * np.linalg.solve(primaries, columns[0] / columns[0, 1])


def _encoded(linear: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Linear sRGB to its 8 bits (IEC 61966-2-1, 5.2)."""
    clipped = np.clip(linear, 0, 1)
    curve = np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** np.float32(1 / 2.4) - 0.055)
    return np.asarray(np.rint(curve * 255), np.uint8)

"""Pictures that Pillow holds no mode for: more than eight bits of a colour, floating point, opacity beside CMYK.

OpenCV decodes 16-bit and floating-point RGB. A TIFF with other samples than both know (CMYK with opacity, grey with
opacity in 16 bits, spot colours) is handed to Pillow as a grey picture that is as many times as wide as a pixel has
samples, which any lossless compression allows; the samples are then told apart here.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin, TiffTags

from a2m_edge.perception.picture_formats import PictureHeader, whole_numbers

COLOURS = {"grey": 1, "RGB": 3, "CMYK": 4, "CIELab": 3, "ICCLab": 3}
"""Samples of a pixel by what they stand for, its opacity aside."""

_OPACITY = {1: "premultiplied", 2: "straight"}  # TIFF 6.0, section 18
_LOSSLESS = frozenset((1, 5, 8, 32773, 32946, 34925, 50000))  # none, LZW, deflate, PackBits, LZMA, Zstandard
_WIDTH, _BITS, _COMPRESSION, _PHOTOMETRIC, _OFFSETS, _SAMPLES = 256, 258, 259, 262, 273, 277
_PLANAR, _PREDICTOR, _TILE_WIDTH, _KIND = 284, 317, 322, 339
_KEPT = (256, 257, 258, 259, 262, 273, 277, 278, 279)


class UnreadFormError(ValueError):
    """A whole picture of a form that is not read; the message names it."""


def deep_pixels(stream: BinaryIO, header: PictureHeader, remark: Callable[[str], None]) -> NDArray[Any] | None:
    """The pixels of a picture that fits no mode of Pillow's.

    Args:
        stream: of the file, from which ``header`` was read.
        header: of the picture.
        remark: is told how numbers of 32 bits were scaled.

    Returns:
        uint8 or uint16 [H, W, C] or, with opacity, [H, W, C + 1]: grey, RGB, CMYK or L*a*b*, of which a* and b* are 0
        in the middle of the numbers; None where OpenCV gives up.

    Raises:
        UnreadFormError: nobody reads this form.
        OSError and others, from Pillow: it is damaged.
    """
    image = header.image
    stream.seek(0)
    if image is not None and image.mode.startswith("I;16"):
        pixels = np.asarray(image).astype(np.uint16)[..., None]
        if header.bits == 12:
            pixels *= np.uint16(16)
        key = image.info.get("transparency")
        if isinstance(key, int):
            pixels = np.concatenate([pixels, np.where(pixels == key, 0, 65535).astype(np.uint16)], axis=2)
    elif image is not None and image.mode in ("I", "F"):
        pixels = scaled(np.asarray(image)[..., None], remark)
    elif header.format == "PNG" or (
        header.space in ("grey", "RGB") and header.bits >= 16 and header.samples in (1, 3, 4)
    ):
        decoded = _by_opencv(np.frombuffer(stream.read(), np.uint8), header)
        if decoded is None:
            return None
        pixels = decoded if decoded.dtype in (np.uint8, np.uint16) else scaled(decoded, remark)
    else:
        pixels = _by_samples(stream.read(), header)
        return _centred(pixels, header, remark) if header.space.endswith("Lab") else pixels
    if header.tags and pixels.shape[2] == 1 and whole_numbers(header.tags, _PHOTOMETRIC, 1)[0] == 0:
        pixels = (np.iinfo(pixels.dtype).max - pixels).astype(
            pixels.dtype
        )  # white is zero, which neither library minds in 16 bits
    return pixels


def _fits_opencv(header: PictureHeader) -> bool:
    if header.format == "PNG":
        return True
    return header.space in ("grey", "RGB") and header.bits >= 16 and header.samples in (1, 3, 4)


def _centred(lab: NDArray[Any], header: PictureHeader, remark: Callable[[str], None]) -> NDArray[Any]:
    """L*a*b* as ICCLab stores it: a* and b* with 0 in the middle.

    CIELab stores them with a sign (TIFF 6.0, section 23), which some programs forget. Colours of pictures are nearer to
    grey than to the strongest that there are, so the reading with the weaker ones is the true one.
    """
    half = 128 if lab.dtype == np.uint8 else 32768
    centred = lab.copy()
    centred[..., 1:3] ^= half
    if header.space == "ICCLab":
        return lab
    strength = [float(np.abs(each[..., 1:3].astype(np.float32) - half).mean()) for each in (centred, lab)]
    if strength[0] <= strength[1]:
        return centred
    remark("its CIELab numbers have no sign: they were read as those of ICCLab")
    return lab


def _by_opencv(content: NDArray[np.uint8], header: PictureHeader) -> NDArray[Any] | None:
    """[H, W, 1], [H, W, 3] RGB or [H, W, 4] RGB and opacity, of the numbers that are stored; None if it gives up."""
    pixels = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
    if pixels is None:
        return None
    if pixels.ndim == 2:
        return np.asarray(pixels[..., None])
    clear = not header.extra_samples or header.extra_samples[0] in _OPACITY
    return np.asarray(pixels[..., [2, 1, 0, 3][: pixels.shape[2] if clear else 3]])


def _by_samples(content: bytes, header: PictureHeader) -> NDArray[Any]:
    """The samples of a TIFF in strips, told apart by hand.

    Returns:
        uint8 or uint16 [H, W, C] or [H, W, C + 1]: grey, RGB or CMYK, and opacity where there is one.

    Raises:
        UnreadFormError: it is in tiles, planes, a lossy compression, or of samples that are not known.
        OSError and others, from Pillow: it is damaged.
    """
    tags, space = header.tags, header.space
    bits, kinds = set(whole_numbers(tags, _BITS, 1)), set(whole_numbers(tags, _KIND, 1))
    compression = whole_numbers(tags, _COMPRESSION, 1)[0]
    predictor = whole_numbers(tags, _PREDICTOR, 1)[0]
    colours = COLOURS.get(space, 0)
    if not colours or header.samples < colours or len(bits) != 1 or not bits <= {8, 16} or kinds != {1}:
        raise UnreadFormError(_described(header))
    if _TILE_WIDTH in tags or _OFFSETS not in tags:
        raise UnreadFormError(f"{_described(header)} in tiles")
    if whole_numbers(tags, _PLANAR, 1)[0] != 1:
        raise UnreadFormError(f"{_described(header)} in separate planes")
    if compression not in _LOSSLESS or predictor not in (1, 2):
        raise UnreadFormError(f"{_described(header)} with compression {compression}")
    samples = _as_grey(content, header).reshape(header.height, header.width, header.samples)
    if predictor == 2:  # differences between neighbours of one sample (TIFF 6.0, section 14)
        samples = np.cumsum(samples, axis=1, dtype=samples.dtype)
    if space == "grey" and whole_numbers(tags, _PHOTOMETRIC, 1)[0] == 0:
        samples[..., 0] = np.iinfo(samples.dtype).max - samples[..., 0]
    opacity = [colours + at for at, kind in enumerate(header.extra_samples) if kind in _OPACITY][:1]
    return np.asarray(samples[..., [*range(colours), *opacity]])


def premultiplied(header: PictureHeader) -> bool:
    """The stored colours are already multiplied by their opacity."""
    known = [_OPACITY[kind] for kind in header.extra_samples if kind in _OPACITY]
    return known[:1] == ["premultiplied"]


def lay_on_paper(pixels: NDArray[Any], mode: str, premultiplied: bool) -> NDArray[Any]:
    """Colour and opacity [H, W, C + 1] of a mode (L, RGB, CMYK, LAB) over white: [H, W, C] of the same type."""
    most = np.iinfo(pixels.dtype).max
    no_colour = most // 2 + 1
    paper = np.array({"CMYK": [0] * 4, "LAB": [most, no_colour, no_colour]}.get(mode, [most]), np.float32)
    opacity = pixels[..., -1:].astype(np.float32) / most
    colour = pixels[..., :-1].astype(np.float32) * (np.float32(1) if premultiplied else opacity)
    return np.minimum(np.rint(colour + paper * (1 - opacity)), most).astype(pixels.dtype)


def scaled(numbers: NDArray[Any], remark: Callable[[str], None]) -> NDArray[np.uint16]:
    """Numbers of 32 bits or more as uint16: 0 to 1 in floating point as they are, others from 0, or the least one
    below, to the greatest.

    Args:
        numbers: any shape; what is not finite is black, or white for infinity.
        remark: is told what was taken for black and for white.
    """
    floating = np.issubdtype(numbers.dtype, np.floating)
    finite = numbers[np.isfinite(numbers)] if floating else numbers
    low, high = (min(0.0, float(finite.min())), float(finite.max())) if finite.size else (0.0, 1.0)
    if floating and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    words = "in floating point" if floating else f"of {8 * numbers.dtype.itemsize} bits"
    remark(f"its numbers are {words}: {low:.6g} was taken for black and {high:.6g} for white")
    share = (np.asarray(numbers, np.float64) - low) / ((high - low) or 1.0)
    share = np.nan_to_num(share, nan=0.0, posinf=1.0, neginf=0.0)
    return np.rint(np.clip(share, 0, 1) * 65535).astype(np.uint16)


def _described(header: PictureHeader) -> str:
    bits = "+".join(str(each) for each in sorted(set(whole_numbers(header.tags, _BITS, 1))))
    numbers = " floating-point" if header.floating else ""
    return f"{header.space} with {header.samples} samples of {bits} bits{numbers}"


def _as_grey(content: bytes, header: PictureHeader) -> NDArray[Any]:
    """All samples side by side [H, W x samples], by a directory that calls them the pixels of a grey picture."""
    start = content[:8]
    found = TiffImagePlugin.ImageFileDirectory_v2(start)
    stream = io.BytesIO(content)
    stream.seek(found.next or 0)
    found.load(stream)
    grey = TiffImagePlugin.ImageFileDirectory_v2(start)
    told = {_WIDTH: header.width * header.samples, _BITS: whole_numbers(header.tags, _BITS, 1)[0]}
    told |= {_PHOTOMETRIC: 1, _SAMPLES: 1}
    for tag in _KEPT:
        if tag in found or tag in told:
            grey.tagtype[tag] = TiffTags.LONG if tag == _WIDTH else found.tagtype.get(tag, TiffTags.SHORT)
            grey[tag] = told.get(tag, found.get(tag))
    # Pillow moves the strips by the length of what it writes, and so does the content that follows it.
    order = ">" if start[:2] == b"MM" else "<"
    whole = io.BytesIO(start[:4] + struct.pack(order + "I", 8) + grey.tobytes(8) + content)
    with TiffImagePlugin.TiffImageFile(whole, "") as image:
        image.load()
        return np.asarray(image).astype(np.uint16 if told[_BITS] == 16 else np.uint8)

"""Reading a picture from a file: any common format in, upright 8-bit RGB of a modest size out."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import PictureError
from a2m_edge.perception.picture_header import HeaderError, PictureHeader, read_header

MAXIMUM_PIXELS = 100_000_000
"""Pictures above this size are refused from their header."""

MAXIMUM_BYTES = 512 * 2**20
"""Files above this size are refused unread."""

LONGEST_SIDE = 1600
"""Pixels: what the encoders and the page of a render need, and no more."""

SHORTEST_SIDE = 256
"""Pixels that a panorama keeps on its short side; encoders see a square of some 224 from its middle."""

_MOST_PIXELS = 4_000_000
_REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
_BAND = 256  # rows flattened at a time, so that wide numbers never hold a whole large picture
_EXIF_ORIENTATION = 0x0112
_stderr_lock = threading.Lock()


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Reads the first picture of a JPEG, PNG, GIF, WebP, BMP or TIFF file.

    Grey, palette, CMYK and 16-bit pictures become 8-bit RGB. Transparent parts become white, the paper or
    page on which a cut-out is usually seen. The picture stands upright as its EXIF orientation tells, and is
    shrunk (area average) to at most ``LONGEST_SIDE`` pixels; a panorama may be longer, to keep
    ``SHORTEST_SIDE``.

    Returns:
        RGB uint8 [H, W, 3].

    Raises:
        PictureError: the file is missing, unreadable, empty, cut off, damaged, no picture of a known format,
            or has more than ``MAXIMUM_PIXELS`` (known from its header, before any pixel is decoded).
    """
    header = _check(path)
    try:
        with _quiet_libraries():
            pixels = _decode(path, header)
    except (cv2.error, MemoryError):
        pixels = None
    if pixels is None:
        raise PictureError(
            f"cannot read {path}: this {header.format} of {header.width} x {header.height} pixels is cut off "
            "or damaged; copy or export it again"
        )
    return pixels


def _shrunk(pixels: NDArray[Any]) -> NDArray[Any]:
    """A large picture [H, W] or [H, W, C] made modest by area averaging; a small one as it is."""
    height, width = pixels.shape[:2]
    scale = max(LONGEST_SIDE / max(height, width), min(1.0, SHORTEST_SIDE / min(height, width)))
    scale = min(scale, (_MOST_PIXELS / (height * width)) ** 0.5)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _check(path: Path) -> PictureHeader:
    """The header of a file that may be decoded."""
    try:
        status = path.stat()  # before opening: a pipe would keep its reader waiting
        if stat.S_ISDIR(status.st_mode):
            raise PictureError(f"cannot read {path}: it is a folder; name a picture file")
        if not stat.S_ISREG(status.st_mode):
            raise PictureError(f"cannot read {path}: it is not a file; name a picture file")
        if status.st_size == 0:
            raise PictureError(f"cannot read {path}: the file is empty; copy or export it again")
        with path.open("rb") as stream:
            header = read_header(stream)
            if header.pixels > MAXIMUM_PIXELS:
                raise PictureError(
                    f"{path} has {header.width} x {header.height} pixels, and at most "
                    f"{MAXIMUM_PIXELS // 10**6} megapixels are read; save a smaller copy"
                )
            if status.st_size > MAXIMUM_BYTES:
                raise PictureError(f"{path} is larger than {MAXIMUM_BYTES // 2**20} MiB; save it as JPEG")
            return header
    except HeaderError as error:
        raise PictureError(f"cannot read {path}: {error}; save it as JPEG or PNG") from None
    except FileNotFoundError:
        raise PictureError(f"cannot read {path}: there is no such file; check its name") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or error
        raise PictureError(f"cannot read {path}: {reason}; check the file and its permissions") from None


def _decode(path: Path, header: PictureHeader) -> NDArray[np.uint8] | None:
    """Upright RGB of a modest size, or None where a decoder gives up."""
    if not header.alpha:
        flags = _REDUCED[_reduction(header)]
        # From a file, OpenCV fills a JPEG's missing end with grey and turns a TIFF twice; from memory it does
        # neither. The other formats are well read from a file, which needs half the memory; but OpenCV (5.0) ends the
        # whole process where the file's name is not UTF-8.
        if header.format in ("JPEG", "TIFF") or not _is_utf8(path):
            pixels = cv2.imdecode(np.fromfile(path, np.uint8), flags)
        else:
            pixels = cv2.imread(str(path), flags)
        return None if pixels is None else np.ascontiguousarray(_shrunk(pixels)[..., ::-1])
    data = np.fromfile(path, np.uint8)
    pixels, kinds, blobs = cv2.imdecodeWithMetadata(data, flags=cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        return None
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        # libtiff hands out 8-bit colours multiplied by their opacity, whatever the file holds.
        _lay_on_white(pixels, header.premultiplied or (header.format == "TIFF" and pixels.dtype == np.uint8))
    small = _shrunk(pixels)
    if small.dtype == np.uint16:
        small = (small >> 8).astype(np.uint8)
    if small.ndim == 2:
        small = np.repeat(small[..., None], 3, axis=2)
    exif = next((bytes(blob) for kind, blob in zip(kinds, blobs, strict=True) if kind == cv2.IMAGE_METADATA_EXIF), b"")
    return np.ascontiguousarray(_upright(small[..., 2::-1], _orientation(exif)))


def _is_utf8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _reduction(header: PictureHeader) -> int:
    """By how much a picture can be reduced while it is decoded, which keeps a large one small in memory.

    JPEG leaves out pixels exactly; other formats are decoded whole and averaged, which OpenCV does well by two.
    """
    long, short = max(header.width, header.height), min(header.width, header.height)
    most = min(long // LONGEST_SIDE, short // SHORTEST_SIDE, 8 if header.format == "JPEG" else 2)
    return max(factor for factor in _REDUCED if factor <= max(most, 1))


def _lay_on_white(pixels: NDArray[Any], premultiplied: bool) -> None:
    """Composes colour and opacity [H, W, 4] over white, in place, a band of rows at a time."""
    white = np.iinfo(pixels.dtype).max
    for top in range(0, len(pixels), _BAND):
        band = pixels[top : top + _BAND]
        opacity = band[..., 3:].astype(np.float32) / white
        colour = band[..., :3] * (np.float32(1) if premultiplied else opacity)
        band[..., :3] = np.minimum(np.rint(colour + white * (1 - opacity)), white).astype(pixels.dtype)


def _orientation(exif: bytes) -> int:
    """The orientation 1-8 of an EXIF block; 1 where it says nothing sensible (Exif 2.32, 4.6.4)."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "little", b"MM": "big"}.get(exif[:2])
    if order not in ("little", "big"):
        return 1

    def number(at: int, size: int) -> int:
        return int.from_bytes(exif[at : at + size], "little" if order == "little" else "big")

    directory = number(4, 4)
    for entry in range(directory + 2, directory + 2 + 12 * number(directory, 2), 12):
        if number(entry, 2) == _EXIF_ORIENTATION:
            value = number(entry + 8, 2)
            return value if 1 <= value <= 8 else 1
    return 1


def _upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undoes an EXIF orientation of a picture [H, W, 3]."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


@contextlib.contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Keeps OpenCV's, libpng's, libjpeg's and libtiff's own remarks off the terminal.

    They write to file descriptor 2 themselves, some past OpenCV's log level, so it points nowhere while a
    picture is decoded; the error that follows says what matters.
    """
    with _stderr_lock, contextlib.ExitStack() as stack:
        try:
            kept = os.dup(2)
        except OSError:  # there is no standard error to keep clean
            yield
            return
        stack.callback(os.close, kept)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        stack.callback(os.close, nowhere)
        os.dup2(nowhere, 2)
        stack.callback(os.dup2, kept, 2)
        yield

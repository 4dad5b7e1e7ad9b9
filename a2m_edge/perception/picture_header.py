"""What a picture's header says: format, size and transparency, read without decoding a pixel."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

PictureFormat = Literal["JPEG", "PNG", "GIF", "WebP", "BMP", "TIFF"]

_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers that start a frame (SOF0-SOF15); the three left out are tables (ITU-T T.81, table B.1)."""

_TIFF_VALUES = {1: "B", 3: "H", 4: "I", 16: "Q"}
"""Field types of whole numbers (TIFF 6.0, section 2; 16 is BigTIFF's)."""

_WIDTH, _HEIGHT, _PHOTOMETRIC, _SAMPLES_PER_PIXEL, _EXTRA_SAMPLES = 256, 257, 262, 277, 338
_RGB, _ASSOCIATED_ALPHA = 2, 1

_DAMAGED = "its header is damaged"


class HeaderError(ValueError):
    """These bytes do not begin a picture of a known format; the message says what is wrong."""


@dataclass(frozen=True)
class PictureHeader:
    """What is known before decoding.

    Attributes:
        format: how the picture is stored.
        width, height: pixels as stored, before any rotation, > 0.
        alpha: some pixels may be transparent.
        premultiplied: the stored colours of such pixels are already multiplied by their opacity.
    """

    format: PictureFormat
    width: int
    height: int
    alpha: bool = False
    premultiplied: bool = False

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height


def read_header(stream: BinaryIO) -> PictureHeader:
    """Reads as much of a seekable stream as it takes to know the picture's format and size.

    Raises:
        HeaderError: no picture of a known format begins here, or its header is cut off or makes no sense.
    """
    start = stream.read(32)
    try:
        if start[:2] == b"\xff\xd8":
            header = _jpeg(stream)
        elif start[:8] == b"\x89PNG\r\n\x1a\n":
            header = _png(stream)
        elif start[:6] in (b"GIF87a", b"GIF89a"):
            width, height = struct.unpack("<HH", start[6:10])
            header = PictureHeader("GIF", width, height, alpha=True)
        elif start[:4] == b"RIFF" and start[8:12] == b"WEBP":
            header = _webp(start)
        elif start[:2] == b"BM":
            header = _bmp(start)
        elif start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            header = _tiff(stream, "<" if start[:2] == b"II" else ">", big=b"+" in start[:4])
        else:
            raise HeaderError("it is not a JPEG, PNG, GIF, WebP, BMP or TIFF picture")
    except (struct.error, OverflowError):
        raise HeaderError("it ends within its header") from None
    if header.width <= 0 or header.height <= 0:
        raise HeaderError(f"it says that it is {header.width} x {header.height} pixels large")
    return header


def _unpack(stream: BinaryIO, layout: str) -> tuple[Any, ...]:
    return struct.unpack(layout, stream.read(struct.calcsize(layout)))


def _jpeg(stream: BinaryIO) -> PictureHeader:
    """Walks the segments up to the frame header (ITU-T T.81, B.2.2)."""
    stream.seek(2)
    while True:
        fill, marker = _unpack(stream, "BB")
        while marker == 0xFF:
            (marker,) = _unpack(stream, "B")
        if fill != 0xFF:
            raise HeaderError(_DAMAGED)
        (length,) = _unpack(stream, ">H")
        if marker in _JPEG_FRAMES:
            _, height, width = _unpack(stream, ">BHH")
            return PictureHeader("JPEG", width, height)
        if marker == 0xDA or length < 2:
            raise HeaderError(_DAMAGED)
        stream.seek(length - 2, 1)


def _png(stream: BinaryIO) -> PictureHeader:
    """IHDR, then the chunks before the pixels for transparency (PNG specification, 11.2.2 and 11.3.2)."""
    stream.seek(8)
    length, name = _unpack(stream, ">I4s")
    if name != b"IHDR" or length != 13:
        raise HeaderError(_DAMAGED)
    width, height, _, colour, *_ = _unpack(stream, ">IIBBBBB")
    alpha, length = bool(colour & 4), 0
    while name != b"IDAT" and not alpha:
        stream.seek(length + 4, 1)
        length, name = _unpack(stream, ">I4s")
        alpha = name == b"tRNS"
    return PictureHeader("PNG", width, height, alpha)


def _webp(start: bytes) -> PictureHeader:
    """The first chunk: lossy, lossless or extended (RFC 9649, 2.5-2.7)."""
    chunk, body = start[12:16], start[20:32]
    if chunk == b"VP8X":
        flags, width, height = struct.unpack("<B3x3s3s", body[:10])
        wide, tall = (1 + int.from_bytes(side, "little") for side in (width, height))
        return PictureHeader("WebP", wide, tall, alpha=bool(flags & 0x10))
    if chunk == b"VP8L":
        _, bits = struct.unpack("<BI", body[:5])
        return PictureHeader("WebP", 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), alpha=bool(bits >> 28 & 1))
    if chunk == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", body[6:10])
        return PictureHeader("WebP", width & 0x3FFF, height & 0x3FFF)
    raise HeaderError(_DAMAGED)


def _bmp(start: bytes) -> PictureHeader:
    """The old core header has 16-bit sizes; all others 32-bit ones, a negative height for top-down rows."""
    (size,) = struct.unpack("<I", start[14:18])
    width, height = struct.unpack("<HH", start[18:22]) if size == 12 else struct.unpack("<ii", start[18:26])
    return PictureHeader("BMP", width, abs(height))


def _tiff(stream: BinaryIO, order: str, *, big: bool) -> PictureHeader:
    """The first directory's size and samples (TIFF 6.0, sections 2, 8 and 18; BigTIFF has wider fields)."""
    stream.seek(8 if big else 4)
    (directory,) = _unpack(stream, order + ("Q" if big else "I"))
    stream.seek(directory)
    (count,) = _unpack(stream, order + ("Q" if big else "H"))
    if count > 4096:
        raise HeaderError(_DAMAGED)
    fields: dict[int, int] = {}
    for _ in range(count):
        tag, kind, _, value = _unpack(stream, order + ("HHQ8s" if big else "HHI4s"))
        letter = _TIFF_VALUES.get(kind)
        if letter and struct.calcsize(letter) <= len(value):
            (fields[tag],) = struct.unpack_from(order + letter, value)
    samples = fields.get(_SAMPLES_PER_PIXEL, 1)
    if samples == 2:
        raise HeaderError("it is a grey TIFF with transparency, which is not read")
    alpha = samples >= 4 and fields.get(_PHOTOMETRIC) == _RGB
    premultiplied = alpha and fields.get(_EXTRA_SAMPLES) == _ASSOCIATED_ALPHA
    return PictureHeader("TIFF", fields.get(_WIDTH, 0), fields.get(_HEIGHT, 0), alpha, premultiplied)

"""What a picture's header says: format, size, depth and colours. Pillow reads it, and no pixel is decoded.

By hand are three things that Pillow leaves open: the name of a format is looked up before a library for it is loaded,
so that one that is not installed can be named; of a TIFF in a form that Pillow refuses, the directory is read by
Pillow's own reader of directories; and the size of a JPEG XL is read first, because its plugin decodes the whole
picture when it opens it.
"""

from __future__ import annotations

import importlib
import io
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal

from PIL import ExifTags, Image, ImageFile, PngImagePlugin, TiffImagePlugin

PictureFormat = Literal["JPEG", "PNG", "GIF", "WebP", "BMP", "TIFF", "AVIF", "HEIC", "JPEG XL"]

ENDINGS = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".avif")
) | {".heic", ".heif", ".hif", ".jxl"}
"""Of the names of files that hold such pictures, in small letters."""

_SYSTEMS_OWN = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information", "__macosx", "@eadir"}
    | {"#recycle", "@recycle", "lost+found", "recycler"}
)
"""Files and folders that Windows, macOS, Linux and network storage leave in every folder, in small letters."""

_PLUGINS: dict[PictureFormat, tuple[str, str]] = {
    "JPEG": ("JPEG", "PIL.JpegImagePlugin"),
    "PNG": ("PNG", "PIL.PngImagePlugin"),
    "GIF": ("GIF", "PIL.GifImagePlugin"),
    "WebP": ("WEBP", "PIL.WebPImagePlugin"),
    "BMP": ("BMP", "PIL.BmpImagePlugin"),
    "TIFF": ("TIFF", "PIL.TiffImagePlugin"),
    "AVIF": ("AVIF", "PIL.AvifImagePlugin"),
    "HEIC": ("HEIF", "pillow_heif"),
    "JPEG XL": ("JXL", "pillow_jxl"),
}
"""Pillow's name of a format, and the module that teaches Pillow to read it."""

MAXIMUM_PIXELS = 100_000_000
"""Pictures above this size are refused from their header."""

_HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"))
_JPEG_XL_BOX = b"\0\0\0\x0cJXL \r\n\x87\n"

_PHOTOMETRIC, _BITS, _SAMPLES, _EXTRA, _KIND = 262, 258, 277, 338, 339
_WIDTH, _HEIGHT, _STRIPS, _TILES, _PROFILE = 256, 257, 273, 324, 34675
_PHOTOMETRIC_NAMES = {
    0: "grey", 1: "grey", 2: "RGB", 3: "palette", 4: "mask", 5: "CMYK", 6: "YCbCr", 8: "CIELab", 9: "ICCLab",
    10: "ITULab", 32803: "raw camera", 32844: "LogL", 32845: "LogLuv", 34892: "raw camera",
}  # fmt: skip
"""TIFF 6.0, section 3, its supplements, and libtiff's own."""

_NOT_READ = ("cannot handle", "unsupported", "not supported", "unknown", "unrecognized")
"""Words of Pillow's for what is whole and of a kind that it does not read."""

PngImagePlugin.MAX_TEXT_CHUNK = 16 * 2**20  # profiles of printers have more than the 1 MiB that Pillow allows a chunk


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is none that a person put there: systems and programs leave such behind.

    It begins with a dot (``._a.png`` of macOS, ``.thumbs``) or with ``~$`` (the lock of an open document), or it is one
    of those that a system makes.
    """
    return name.startswith((".", "~$")) or name.lower() in _SYSTEMS_OWN


class HeaderError(ValueError):
    """These bytes do not begin a picture that is read; the message says what is wrong, and the way out."""


@dataclass(frozen=True)
class PictureHeader:
    """What is known before decoding.

    Attributes:
        format: how the picture is stored.
        width, height: pixels as stored, before any rotation, > 0.
        image: Pillow's view of it; None for a TIFF in a form that Pillow does not read.
        tags: the first directory of a TIFF, by the numbers of TIFF 6.0; empty for other formats.
        stored: Pillow's name of how the pixels of a PNG are stored; it is lost when they are decoded.
    """

    format: PictureFormat
    width: int
    height: int
    image: ImageFile.ImageFile | None = None
    tags: Mapping[int, Any] = field(default_factory=dict)
    stored: str = ""

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height

    @property
    def bits(self) -> int:
        """Bits of a sample, where the pixels must not be cut to eight while they are read; otherwise 8."""
        if self.tags:
            return max(whole_numbers(self.tags, _BITS, 1))
        return 16 if self.format == "PNG" and ";16" in self.stored else 8

    @property
    def grey_bits(self) -> int:
        """Bits of a sample of a grey PNG."""
        return {"1": 1, "L;2": 2, "L;4": 4, "L": 8, "I;16B": 16}.get(self.stored, 0)

    @property
    def floating(self) -> bool:
        """The samples are floating-point numbers (TIFF 6.0, section 19)."""
        return 3 in whole_numbers(self.tags, _KIND, 1)

    @property
    def space(self) -> str:
        """What the samples of a TIFF stand for, in a word."""
        (number,) = whole_numbers(self.tags, _PHOTOMETRIC, 1)[:1]
        return _PHOTOMETRIC_NAMES.get(number, f"photometric interpretation {number}")

    @property
    def samples(self) -> int:
        """Samples of a pixel of a TIFF."""
        return whole_numbers(self.tags, _SAMPLES, 1)[0]

    @property
    def extra_samples(self) -> tuple[int, ...]:
        """What the samples of a TIFF beyond its colours are: 1 and 2 are opacity (TIFF 6.0, section 18)."""
        return whole_numbers(self.tags, _EXTRA) if _EXTRA in self.tags else ()

    @property
    def profile(self) -> bytes | None:
        """The ICC colour profile, or None."""
        found = self.tags.get(_PROFILE) if self.image is None else self.image.info.get("icc_profile")
        return found if isinstance(found, bytes) and found else None

    @property
    def orientation(self) -> int:
        """1-8 (Exif 2.32, 4.6.4); 1 where nothing sensible is said, or where the decoder turns the picture itself."""
        if self.format == "JPEG XL" and not getattr(self.image, "jpeg", False):
            return 1  # its own header rules, not what its Exif says (ISO/IEC 18181-2); a packed JPEG keeps JPEG's way
        if self.tags:
            found: object = self.tags.get(ExifTags.Base.Orientation, 1)
        else:
            try:
                found = 1 if self.image is None else self.image.getexif().get(ExifTags.Base.Orientation, 1)
            except Exception:  # damaged Exif ends in many ways, and the picture is whole
                found = 1
        return found if isinstance(found, int) and 1 <= found <= 8 else 1


def whole_numbers(tags: Mapping[int, Any], tag: int, absent: int = 0) -> tuple[int, ...]:
    """The whole numbers of a TIFF field; ``(absent,)`` where it is missing or holds others."""
    value = tags.get(tag, absent)
    values = value if isinstance(value, tuple) else (value,)
    return values if values and all(isinstance(each, int) for each in values) else (absent,)


def read_header(stream: BinaryIO) -> PictureHeader:
    """Reads as much of a seekable stream as it takes to know the picture's format and size.

    The stream stays open, and in the header's use, until the pixels are decoded.

    Raises:
        HeaderError: no picture of a known format begins here, its header is cut off or makes no sense, its kind is
            not read, or what reads it is not installed.
    """
    start = stream.read(64)
    stream.seek(0)
    kind = _format(start)
    if kind is None:
        raise HeaderError(
            "it is not a JPEG, PNG, GIF, WebP, BMP or TIFF picture, nor HEIC, AVIF or JPEG XL; save it as JPEG or PNG"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what matters of Pillow's remarks comes back as an error
        if kind == "TIFF":
            return _sensible(_tiff(stream, start))
        opener = _opener(kind)
        if kind == "JPEG XL":
            width, height = _jpeg_xl_size(stream)
            known = _sensible(PictureHeader(kind, width, height))
            if known.pixels > MAXIMUM_PIXELS:
                return known  # and is refused by who asked
            stream.seek(0)
        try:
            image = opener(stream, "")
        except Image.DecompressionBombError:  # of those whose decoder takes its memory when it is opened
            most = MAXIMUM_PIXELS // 10**6
            raise HeaderError(
                f"it has far more than {most} megapixels, and at most {most} megapixels are read; save a smaller copy"
            ) from None
        except Exception as error:  # plugins stumble over damaged headers in many ways
            raise _refusal(kind, error) from None
    stored = str(image.tile[0][3]) if kind == "PNG" and image.tile else ""
    return _sensible(PictureHeader(kind, image.width, image.height, image, stored=stored))


def _format(start: bytes) -> PictureFormat | None:
    """The format whose mark these first bytes bear."""
    if start[:2] == b"\xff\xd8":
        return "JPEG"
    if start[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if start[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WebP"
    if start[:2] == b"BM":
        return "BMP"
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if start[:2] == b"\xff\x0a" or start[:12] == _JPEG_XL_BOX:
        return "JPEG XL"
    if start[4:8] == b"ftyp":
        brands = {start[at : at + 4] for at in range(8, min(len(start), int.from_bytes(start[:4], "big")), 4)}
        if brands & {b"avif", b"avis"} and start[8:12] not in (_HEIC_BRANDS - {b"mif1", b"msf1"}):
            return "AVIF"
        if brands & _HEIC_BRANDS:
            return "HEIC"
    return None


def _opener(kind: PictureFormat) -> Any:
    """What opens a stream as a picture of this format."""
    name, module = _PLUGINS[kind]
    try:
        plugin = importlib.import_module(module)
        if kind == "HEIC":
            plugin.register_heif_opener()
    except ImportError:
        raise HeaderError(
            f'it is a {kind} picture; run  pip install "a2m-edge[phones]"  or save it as JPEG or PNG'
        ) from None
    if kind == "AVIF" and not plugin.SUPPORTED:
        raise HeaderError("it is an AVIF picture, and this Pillow was built without AVIF; save it as JPEG or PNG")
    return Image.OPEN[name][0]


def _sensible(header: PictureHeader) -> PictureHeader:
    if header.width <= 0 or header.height <= 0:
        raise HeaderError(
            f"it says that it is {header.width} x {header.height} pixels large; copy it again, or save it as JPEG"
        )
    return header


def _refusal(kind: PictureFormat, error: Exception) -> HeaderError:
    name = f"{'an' if kind == 'AVIF' else 'a'} {kind}"
    said = " ".join(str(error).split())[:120]
    if any(word in said.casefold() for word in _NOT_READ):
        return HeaderError(f"it is {name} of a kind that is not read ({said}); save it as an ordinary JPEG or PNG")
    return HeaderError(f"it is {name} whose header is cut off or damaged; copy or export it again")


def _tiff(stream: BinaryIO, start: bytes) -> PictureHeader:
    """The first directory (TIFF 6.0, section 2), and Pillow's view where it has one."""
    damaged = HeaderError("it is a TIFF whose header is cut off or damaged; copy or export it again")
    try:
        stream.seek(0)
        # Of BigTIFF (43) Pillow wants the whole header, which says where the directory stands.
        directory = TiffImagePlugin.ImageFileDirectory_v2(start[: 16 if 43 in (start[2], start[3]) else 8])
        if directory.next is None:
            raise damaged
        place = directory.next
        stream.seek(place)
        directory.load(stream)
        tags = dict(directory)
    except Exception:  # damaged fields end in many ways
        raise damaged from None
    cut_off = directory.next == place  # where the next one stands is read last
    if cut_off or not {_WIDTH, _HEIGHT, _PHOTOMETRIC} <= tags.keys() or not {_STRIPS, _TILES} & tags.keys():
        raise damaged
    header = PictureHeader("TIFF", whole_numbers(tags, _WIDTH)[0], whole_numbers(tags, _HEIGHT)[0], None, tags)
    stream.seek(0)
    try:
        image = TiffImagePlugin.TiffImageFile(stream, "")
    except Exception:  # a form that Pillow does not read; others may
        return header
    return PictureHeader("TIFF", header.width, header.height, image, tags)


def _jpeg_xl_size(stream: BinaryIO) -> tuple[int, int]:
    """Width and height from the size header of a JPEG XL codestream (ISO/IEC 18181-1, D.2)."""
    try:
        start = stream.read(2)
        if start != b"\xff\x0a":  # boxes of ISO/IEC 18181-2, of which one holds the codestream or its first part
            stream.seek(0)
            while True:
                length, name = struct.unpack(">I4s", stream.read(8))
                if name in (b"jxlc", b"jxlp"):
                    stream.seek(4 if name == b"jxlp" else 0, io.SEEK_CUR)
                    stream.seek(2, io.SEEK_CUR)
                    break
                if length < 8:
                    raise ValueError
                stream.seek(length - 8, io.SEEK_CUR)
        bits = int.from_bytes(stream.read(12).ljust(12, b"\0"), "little")
    except (struct.error, ValueError, OverflowError):
        raise HeaderError("it is a JPEG XL whose header is cut off or damaged; copy or export it again") from None

    def take(count: int) -> int:
        nonlocal bits
        value, bits = bits & ((1 << count) - 1), bits >> count
        return value

    small = take(1)

    def side() -> int:
        return 8 * (take(5) + 1) if small else take((9, 13, 18, 30)[take(2)]) + 1

    height = side()
    ratio = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[take(3)]
    return (height * ratio[0] // ratio[1] if ratio[0] else side()), height

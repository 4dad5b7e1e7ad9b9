"""Reading a picture from a file: any common format in, upright 8-bit sRGB of a modest size out.

Pillow reads, and knows what the file says of itself; OpenCV shrinks, because the bits of its area average are those
that the bundle was measured with. ``docs/pictures.md`` says for each kind of picture who does what, and why.
"""

from __future__ import annotations

import contextlib
import io
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFile, JpegImagePlugin, PngImagePlugin

from a2m_edge.errors import PictureError, Remark
from a2m_edge.perception.colours import png_to_srgb, to_srgb
from a2m_edge.perception.deep_pictures import COLOURS, UnreadFormError, deep_pixels, lay_on_paper, premultiplied
from a2m_edge.perception.parts import Part, PartError, counted, cut, turned
from a2m_edge.perception.picture_formats import MAXIMUM_PIXELS, HeaderError, PictureHeader, read_header
from a2m_edge.perception.quiet_libraries import quiet_libraries

MAXIMUM_BYTES = 512 * 2**20
"""Files above this size are refused unread."""

LONGEST_SIDE = 1600
"""Pixels: what the encoders and the page of a render need, and no more."""

SHORTEST_SIDE = 256
"""Pixels that a panorama keeps on its short side; encoders see a square of some 224 from its middle."""

_MOST_PIXELS = 4_000_000
_BAND = 256  # even: rows whose colours are made at a time, so that a large picture is held whole but once
_OPAQUE = {"1": "L", "L": "L", "LA": "L", "La": "L", "CMYK": "CMYK"}
"""Modes by those of Pillow whose colours they are; all others are RGB."""
_END = b"\xff\xd9"

Strip = Callable[[int, int], NDArray[np.uint8]]
"""From the first row and the one after the last to sRGB uint8 [H, W, 3]."""


def read_picture(path: Path, remark: Remark | None = None, parts: Sequence[Part] = ()) -> NDArray[np.uint8]:
    """Reads the first picture of a JPEG, PNG, GIF, WebP, BMP, TIFF or AVIF file; HEIC and JPEG XL with ``phones``.

    Pictures of every depth and colour space become 8-bit sRGB, as their colour profile tells, or a PNG's gAMA and cHRM.
    Transparent parts become white, the paper or page on which a cut-out is usually seen. The picture stands upright
    as its EXIF orientation tells, and is shrunk (area average) to at most ``LONGEST_SIDE`` pixels; a panorama may be
    longer, to keep ``SHORTEST_SIDE``. A JPEG whose last bytes are missing, and no pixel with them, is read.

    Args:
        path: of the file.
        remark: is told, in a sentence for the user, what was taken on trust: a missing end, a scale, a profile.
        parts: what is shown of the upright picture, one after another; it is cut out before it is shrunk.

    Returns:
        RGB uint8 [H, W, 3].

    Raises:
        PictureError: the file is missing, unreadable, empty, cut off, damaged, no picture of a known format, of a
            kind that is not read, or has more than ``MAXIMUM_PIXELS`` (known before any pixel is decoded); or a part
            lies outside of it.
    """

    # Quiet before the file is opened: where there is no standard error, the file itself gets its number.
    with quiet_libraries(), _opened(path) as (stream, header):
        say = _silent if remark is None else lambda sentence: remark(f"{path}: {sentence}")
        try:
            fixed, shown = counted(parts, *_upright_size(header))
        except PartError as error:
            raise PictureError(f"cannot read {path}: {error}") from None
        enough = _reduction(header, LONGEST_SIDE, SHORTEST_SIDE, shown)
        return _shown(_decoded(stream, header, path, enough, say), fixed)


def read_content(
    content: bytes, name: str, side: int, most_pixels: int = MAXIMUM_PIXELS
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """The same from a file's content, for a picture that is needed in another size.

    Args:
        content: of the file.
        name: of the picture, for errors.
        side: pixels that are enough for its shorter side; it is not shrunk, but where that costs nothing.
        most_pixels: above which it is refused.

    Returns:
        RGB uint8 [H, W, 3], and the width and height that the upright picture has in its file.

    Raises:
        PictureError: as ``read_picture``.
    """
    with quiet_libraries():
        stream = io.BytesIO(content)
        try:
            header = read_header(stream)
        except HeaderError as error:
            raise PictureError(f"cannot read {name}: {error}") from None
        _check_size(header, name, most_pixels)
        size = _upright_size(header)
        return _decoded(stream, header, name, _reduction(header, side, side, size), _silent), size


def _silent(sentence: str) -> None:
    """A remark that nobody asked for."""


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, PictureHeader]]:
    """A file that may be decoded, and its header."""
    with contextlib.ExitStack() as stack:
        try:
            status = path.stat()  # before opening: a pipe would keep its reader waiting
            if stat.S_ISDIR(status.st_mode):
                raise PictureError(f"cannot read {path}: it is a folder; name a picture file")
            if not stat.S_ISREG(status.st_mode):
                raise PictureError(f"cannot read {path}: it is not a file; name a picture file")
            if status.st_size == 0:
                raise PictureError(f"cannot read {path}: the file is empty; copy or export it again")
            if status.st_size > MAXIMUM_BYTES:
                raise PictureError(f"{path} is larger than {MAXIMUM_BYTES // 2**20} MiB; save it as JPEG")
            stream = stack.enter_context(path.open("rb"))
            header = read_header(stream)
        except HeaderError as error:
            raise PictureError(f"cannot read {path}: {error}") from None
        except FileNotFoundError:
            raise PictureError(f"cannot read {path}: there is no such file; check its name") from None
        except (OSError, ValueError) as error:  # ValueError: a null byte in the path
            reason = getattr(error, "strerror", None) or error
            raise PictureError(f"cannot read {path}: {reason}; check the file and its permissions") from None
        _check_size(header, path, MAXIMUM_PIXELS)
        yield stream, header


def _check_size(header: PictureHeader, name: Path | str, most_pixels: int) -> None:
    if header.pixels > most_pixels:
        raise PictureError(
            f"{name} has {header.width} x {header.height} pixels, and at most "
            f"{most_pixels // 10**6} megapixels are read; save a smaller copy"
        )


def _decoded(
    stream: BinaryIO, header: PictureHeader, name: Path | str, reduction: int, remark: Remark
) -> NDArray[np.uint8]:
    """Upright sRGB, reduced in decoding."""
    try:
        pixels = _decode(stream, header, reduction, remark)
    except UnreadFormError as error:
        raise PictureError(
            f"cannot read {name}: it is a {header.format} of a kind that is not read ({error}); save it as an "
            "ordinary JPEG or PNG"
        ) from None
    except Exception:  # decoders fail in many ways on what is no whole picture
        pixels = None
    if pixels is None:
        raise PictureError(
            f"cannot read {name}: this {header.format} of {header.width} x {header.height} pixels is cut off "
            "or damaged; copy or export it again"
        )
    return pixels


def _decode(stream: BinaryIO, header: PictureHeader, reduction: int, remark: Remark) -> NDArray[np.uint8] | None:
    """Upright sRGB, or None where a decoder gives up."""
    if header.format == "PNG":
        _verify_png(stream, remark)
    orientation = header.orientation
    if _is_deep(header):
        strip = _deep_strips(stream, header, remark)
        if strip is None:
            return None
        rows = _rows(strip, header.width, header.height, reduction)
    else:
        image = _loaded(stream, header, reduction, remark)
        if header.format == "JPEG":
            reduction = 1  # it was done while decoding
        elif header.format == "TIFF":
            orientation = 1  # Pillow itself turned it
        rows = _rows(_strips(image, header, remark), *image.size, reduction)
        image.close()
    return np.ascontiguousarray(_upright(rows, orientation))


def _shrunk(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A large picture [H, W, C] made modest by area averaging; a small one as it is."""
    height, width = pixels.shape[:2]
    scale = max(LONGEST_SIDE / max(height, width), min(1.0, SHORTEST_SIDE / min(height, width)))
    scale = min(scale, (_MOST_PIXELS / (height * width)) ** 0.5)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _shown(pixels: NDArray[np.uint8], parts: Sequence[Part]) -> NDArray[np.uint8]:
    """The last of the parts, made modest."""
    for part in parts[:-1]:
        pixels = turned(cut(pixels, part), part)
    for part in parts[-1:]:
        pixels = turned(_shrunk(cut(pixels, part)), part)
    return _shrunk(pixels)


def _upright_size(header: PictureHeader) -> tuple[int, int]:
    size = header.width, header.height
    return size[::-1] if header.orientation >= 5 else size


def _reduction(header: PictureHeader, longer: int, shorter: int, shown: tuple[float, float]) -> int:
    """By how much a picture can be reduced while it is decoded, which keeps a large one small in memory.

    The sides of what is ``shown`` of it stay as long as they should. JPEG leaves out pixels exactly; other formats are
    decoded whole and averaged by two.
    """
    most = min(int(max(shown)) // longer, int(min(shown)) // shorter, 8 if header.format == "JPEG" else 2)
    return max(factor for factor in (1, 2, 4, 8) if factor <= max(most, 1))


def _rows(strip: Strip, width: int, height: int, reduction: int) -> NDArray[np.uint8]:
    """All rows of a picture uint8 [H, W, 3], made a band at a time and averaged by two where ``reduction`` says so."""
    even = reduction == 2 and width % 2 == height % 2 == 0  # else pairs would reach across the bands
    rows = np.empty((height // 2, width // 2, 3) if even else (height, width, 3), np.uint8)
    for top in range(0, height, _BAND):
        bottom = min(height, top + _BAND)
        if even:
            rows[top // 2 : bottom // 2] = _halved(strip(top, bottom))
        else:
            rows[top:bottom] = strip(top, bottom)
    return rows if even or reduction == 1 else _halved(rows)


def _halved(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    size = (rows.shape[1] // 2, rows.shape[0] // 2)
    return np.asarray(cv2.resize(rows, size, interpolation=cv2.INTER_LINEAR_EXACT), np.uint8)


def _loaded(stream: BinaryIO, header: PictureHeader, reduction: int, remark: Remark) -> Image.Image:
    """Decoded by Pillow, which has a view of all that is not deep."""
    image = cast(ImageFile.ImageFile, header.image)
    if header.format == "JPEG":
        image.draft(None, (header.width // reduction, header.height // reduction))
    try:
        image.load()
    except OSError:
        whole = _without_end(stream, header, reduction) if header.format == "JPEG" else None
        if whole is None:
            raise
        remark("the end of this JPEG is missing, but no pixel; copy it again if you can")
        return whole
    return image


def _verify_png(stream: BinaryIO, remark: Remark) -> None:
    """Sums up the chunks, which Pillow does not while it decodes.

    Raises:
        SyntaxError: a sum is wrong, and so are the pixels perhaps.
    """
    place = stream.tell()
    stream.seek(0)
    try:
        PngImagePlugin.PngImageFile(stream, "").verify()
    except OSError:  # it ends too early; if pixels are missing, decoding says so
        remark("the end of this PNG is missing; copy it again if you can")
    stream.seek(place)


def _without_end(stream: BinaryIO, header: PictureHeader, reduction: int) -> Image.Image | None:
    """A JPEG to which nothing but its end is missing: what is put there changes no pixel. None for any other."""
    stream.seek(0)
    content = stream.read().removesuffix(_END[:1])
    decoded = []
    for filling in (b"", b"\xa5\x5a" * 64):
        image = JpegImagePlugin.JpegImageFile(io.BytesIO(content + filling + _END), "")
        image.draft(None, (header.width // reduction, header.height // reduction))
        image.load()
        decoded.append(image)
    same = all(not band.getbbox() for band in ImageChops.difference(*decoded).split())
    return decoded[0] if same else None


def _strips(image: Image.Image, header: PictureHeader, remark: Remark) -> Strip:
    """The rows of a decoded picture as sRGB."""
    mode = _OPAQUE.get(image.mode, "RGB")
    if header.format == "PNG" and header.grey_bits in (2, 4) and "transparency" in image.info:
        # Pillow spreads the samples over 8 bits, and leaves the transparent one as it is stored.
        image.info["transparency"] = image.info["transparency"] * 255 // (2**header.grey_bits - 1)
    convert = to_srgb(mode, header.profile, remark)
    numbers = png_to_srgb(image.info, 256) if header.format == "PNG" else None

    def strip(top: int, bottom: int) -> NDArray[np.uint8]:
        rows = np.asarray(convert(_on_white(image.crop((0, top, image.width, bottom)), mode)))
        return rows if numbers is None else numbers(rows)

    return strip


def _on_white(image: Image.Image, mode: str) -> Image.Image:
    """An opaque picture of this mode, L, RGB or CMYK."""
    if not image.has_transparency_data:
        return image if image.mode == mode else image.convert(mode)
    clear = image.convert("LA" if mode == "L" else "RGBA")
    paper = Image.new(mode, image.size, "white")
    paper.paste(clear.convert(mode), mask=clear.getchannel("A"))
    return paper


def _is_deep(header: PictureHeader) -> bool:
    """Pillow has no mode that holds it."""
    image = header.image
    if image is None or image.mode in ("I", "F", "LAB") or image.mode.startswith("I;16"):
        return True
    return header.bits > 8 and image.mode != "CMYK"


def _deep_strips(stream: BinaryIO, header: PictureHeader, remark: Remark) -> Strip | None:
    """The rows of a picture of more than 8 bits, or of samples that Pillow has no mode for, as sRGB."""
    pixels = deep_pixels(stream, header, remark)
    if pixels is None:
        return None
    space = header.space if header.tags else "grey" if pixels.shape[2] < 3 else "RGB"
    mode = {"grey": "L", "CMYK": "CMYK", "CIELab": "LAB", "ICCLab": "LAB"}.get(space, "RGB")
    clear = pixels.shape[2] > COLOURS[space]
    convert = to_srgb(mode, header.profile, remark)
    info = header.image.info if header.image is not None else {}
    numbers = png_to_srgb(info, 65536) if header.format == "PNG" else None

    def strip(top: int, bottom: int) -> NDArray[np.uint8]:
        rows = pixels[top:bottom]
        if clear:
            rows = lay_on_paper(rows, mode, premultiplied(header))
        if numbers is not None:
            return numbers(rows if mode == "RGB" else np.repeat(rows, 3, axis=2))
        eight = rows if rows.dtype == np.uint8 else (rows >> 8).astype(np.uint8)
        if mode == "LAB":
            eight = eight ^ np.array([0, 128, 128], np.uint8)  # Pillow takes a* and b* with a sign
        image = Image.frombytes(mode, (rows.shape[1], rows.shape[0]), eight.tobytes())
        return np.asarray(convert(image))

    return strip


def _upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undoes an EXIF orientation of a picture [H, W, 3]."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels

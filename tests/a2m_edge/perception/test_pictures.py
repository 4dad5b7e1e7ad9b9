"""Every picture a technician may hand in: read upright and in its colours, or refused in one sentence."""

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from a2m_edge.errors import PictureError
from a2m_edge.perception.picture_formats import HeaderError, read_header
from a2m_edge.perception.pictures import LONGEST_SIDE, SHORTEST_SIDE, read_picture


def painting(width=96, height=64):
    """Four quarters of different colours: every flip, turn and swap of channels shows."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (200, 30, 40)
    pixels[: height // 2, width // 2 :] = (30, 160, 60)
    pixels[height // 2 :, : width // 2] = (20, 60, 180)
    pixels[height // 2 :, width // 2 :] = (240, 230, 220)
    return pixels


def encoded(picture, kind, **options):
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def read_bytes(folder, data, name="picture"):
    path = folder / name
    path.write_bytes(data)
    return read_picture(path)


def assert_alike(pixels, reference, mean=4.0):
    expected = np.asarray(reference.convert("RGB"))
    assert pixels.shape == expected.shape
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - expected).mean() <= mean


def refusal(folder, data):
    with pytest.raises(PictureError) as caught:
        read_bytes(folder, data)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    return message


WAYS_TO_STORE: dict[str, tuple[str, str, dict[str, Any]]] = {
    "jpeg": ("RGB", "JPEG", {"quality": 95}),
    "progressive jpeg": ("RGB", "JPEG", {"quality": 95, "progressive": True}),
    "grey jpeg": ("L", "JPEG", {"quality": 95}),
    "cmyk jpeg": ("CMYK", "JPEG", {"quality": 95}),
    "png": ("RGB", "PNG", {}),
    "grey png": ("L", "PNG", {}),
    "palette png": ("P", "PNG", {}),
    "black and white png": ("1", "PNG", {}),
    "gif": ("P", "GIF", {}),
    "lossy webp": ("RGB", "WEBP", {"quality": 95}),
    "lossless webp": ("RGB", "WEBP", {"lossless": True}),
    "bmp": ("RGB", "BMP", {}),
    "grey bmp": ("L", "BMP", {}),
    "tiff": ("RGB", "TIFF", {}),
    "compressed tiff": ("RGB", "TIFF", {"compression": "tiff_lzw"}),
    "cmyk tiff": ("CMYK", "TIFF", {}),
    "grey tiff": ("L", "TIFF", {}),
}


@pytest.mark.parametrize("way", WAYS_TO_STORE)
def test_colours_are_those_that_pillow_sees(tmp_path, way):
    mode, kind, options = WAYS_TO_STORE[way]
    data = encoded(Image.fromarray(painting()).convert(mode), kind, **options)
    assert_alike(read_bytes(tmp_path, data), Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("grey", [False, True])
def test_sixteen_bits_become_eight(tmp_path, suffix, grey):
    pixels = painting()[..., 0] if grey else painting()
    stored = pixels if grey else pixels[..., ::-1]
    data = cv2.imencode(suffix, stored.astype(np.uint16) * 257)[1].tobytes()
    expected = np.repeat(pixels[..., None], 3, axis=2) if grey else pixels
    assert np.abs(read_bytes(tmp_path, data).astype(int) - expected).max() <= 1


def half_transparent():
    alpha = np.full((64, 96, 1), 255, np.uint8)
    alpha[:20], alpha[20:40] = 0, 128
    return Image.fromarray(np.concatenate([painting(), alpha], axis=2))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_transparent_parts_are_white(tmp_path, kind):
    picture = half_transparent()
    options = {"lossless": True} if kind == "WEBP" else {}
    paper = Image.new("RGBA", picture.size, "white")
    pixels = read_bytes(tmp_path, encoded(picture, kind, **options))
    assert_alike(pixels, Image.alpha_composite(paper, picture), mean=1.0)
    assert (pixels[:20] == 255).all()


def test_sixteen_bits_and_transparency_go_together(tmp_path):
    deep = np.asarray(half_transparent()).astype(np.uint16)[..., [2, 1, 0, 3]] * 257
    paper = Image.new("RGBA", (96, 64), "white")
    for suffix in (".png", ".tiff"):
        pixels = read_bytes(tmp_path, cv2.imencode(suffix, deep)[1].tobytes())
        assert_alike(pixels, Image.alpha_composite(paper, half_transparent()), mean=1.0)


def test_a_transparent_colour_of_a_palette_is_white(tmp_path):
    indexed = Image.fromarray(painting()).quantize(4)
    for kind in ("PNG", "GIF"):
        data = encoded(indexed, kind, transparency=indexed.getpixel((0, 0)))
        pixels = read_bytes(tmp_path, data)
        assert (pixels[:30, :40] == 255).all()
        assert not (pixels[34:, :40] == 255).all()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_an_animation_is_read(tmp_path, kind):
    first = Image.fromarray(painting())
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(first, kind, save_all=True, append_images=[ImageOps.invert(first)], **options)
    assert_alike(read_bytes(tmp_path, data), first)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "transparent PNG", "transparent WEBP"])
def test_pictures_stand_upright(tmp_path, orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = half_transparent() if "transparent" in kind else Image.fromarray(painting())
    data = encoded(picture, kind.split()[-1], exif=exif, **({"lossless": True} if "WEBP" in kind else {}))
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGBA")
    paper = Image.new("RGBA", upright.size, "white")
    assert_alike(read_bytes(tmp_path, data), Image.alpha_composite(paper, upright))


def test_a_name_says_nothing_about_the_content(tmp_path):
    data = encoded(Image.fromarray(painting()), "PNG")
    assert_alike(read_bytes(tmp_path, data, "Gemälde №1.jpg"), Image.fromarray(painting()))


@pytest.mark.parametrize("way", WAYS_TO_STORE)
@pytest.mark.parametrize("share", [0.97, 0.5, 0.1])
def test_a_picture_that_was_cut_off_is_refused(tmp_path, capfd, way, share):
    mode, kind, options = WAYS_TO_STORE[way]
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise).convert(mode), kind, **options)
    refusal(tmp_path, data[: int(len(data) * share)])
    assert capfd.readouterr() == ("", "")


def test_what_is_no_picture_is_refused_in_a_sentence(tmp_path):
    for data in (b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7\n", b"\0" * 1000):
        assert "not a JPEG, PNG, GIF, WebP, BMP or TIFF picture" in refusal(tmp_path, data)
    assert "empty" in refusal(tmp_path, b"")


def test_no_file_a_folder_and_a_pipe_are_refused(tmp_path):
    with pytest.raises(PictureError, match="no such file"):
        read_picture(tmp_path / "missing.jpg")
    with pytest.raises(PictureError, match="folder"):
        read_picture(tmp_path)
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(PictureError, match="not a file"):
        read_picture(tmp_path / "pipe.jpg")
    with pytest.raises(PictureError):
        read_picture(tmp_path / "null\0byte.jpg")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_picture_without_permission_is_refused(tmp_path):
    path = tmp_path / "secret.png"
    path.write_bytes(encoded(Image.fromarray(painting()), "PNG"))
    path.chmod(0)
    with pytest.raises(PictureError, match="permissions"):
        read_picture(path)


def png_header(width, height):
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"")
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    pixels = b"IDAT" + data
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", len(data)) + pixels + b"\0" * 4


TOO_LARGE = {
    "JPEG": b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x0b\x08"
    + struct.pack(">HH", 50_000, 50_000)
    + b"\1\1\x11\0\xff\xda\0\x08\1\1\0\0\x3f\0",
    "PNG": png_header(2**31 - 1, 2**31 - 1),
    "GIF": b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + b"\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\0;",
    "WebP": b"RIFF\x16\0\0\0WEBPVP8L\x0a\0\0\0\x2f" + struct.pack("<I", 0x0FFF_BFFE) + b"\0" * 5,
    "BMP": b"BM" + b"\0" * 8 + struct.pack("<IIiiHHIIiiII", 54, 40, 30_000, -30_000, 1, 24, 0, 0, 0, 0, 0, 0),
    "TIFF": b"II*\0\x08\0\0\0\x04\0"
    + struct.pack("<HHII", 256, 4, 1, 40_000)
    + struct.pack("<HHII", 257, 4, 1, 40_000)
    + struct.pack("<HHII", 262, 3, 1, 1)
    + struct.pack("<HHII", 273, 4, 1, 8)
    + b"\0" * 4,
}


@pytest.mark.parametrize("kind", TOO_LARGE)
def test_more_than_a_hundred_megapixels_are_refused_from_the_header(tmp_path, kind):
    assert "at most 100 megapixels" in refusal(tmp_path, TOO_LARGE[kind])


@pytest.mark.parametrize("way", WAYS_TO_STORE)
def test_what_lacks_its_last_bytes_is_refused_or_whole(tmp_path, way):
    mode, kind, options = WAYS_TO_STORE[way]
    noise = np.random.default_rng(0).integers(0, 256, (48, 32, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise).convert(mode), kind, **options)
    whole = read_bytes(tmp_path, data)
    for missing in range(1, 40):
        try:
            pixels = read_bytes(tmp_path, data[:-missing])
        except PictureError as error:
            assert "cut off or damaged" in str(error)
        else:
            assert np.array_equal(pixels, whole), missing


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 30, "subsampling": 0}])
@pytest.mark.parametrize("missing", [1, 2])
def test_a_jpeg_without_its_end_is_read_with_a_remark(tmp_path, options, missing):
    data = encoded(Image.fromarray(painting(1000, 800)), "JPEG", **options)
    remarks: list[str] = []
    (tmp_path / "whole").write_bytes(data)
    (tmp_path / "cut").write_bytes(data[:-missing])
    assert np.array_equal(read_picture(tmp_path / "cut", remarks.append), read_picture(tmp_path / "whole"))
    assert len(remarks) == 1
    assert "end of this JPEG is missing" in remarks[0]
    assert str(tmp_path / "cut") in remarks[0]


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_png_with_a_wrong_sum_is_damaged(tmp_path, depth):
    noise = np.random.default_rng(0).integers(0, np.iinfo(depth).max, (60, 80, 3), depth)  # stored, not compressed
    data = bytearray(cv2.imencode(".png", noise)[1].tobytes())
    data[500] ^= 1
    assert "damaged" in refusal(tmp_path, bytes(data))


def test_headers_tell_the_size_that_pillow_sees():
    for mode, kind, options in WAYS_TO_STORE.values():
        for size in ((1, 1), (3, 700), (300, 5)):
            data = encoded(Image.new(mode, size), kind, **options)
            header = read_header(io.BytesIO(data))
            assert (header.width, header.height) == size
            assert header.format.upper() == kind


@settings(max_examples=300, deadline=None)
@given(
    start=st.sampled_from([data[:length] for data in TOO_LARGE.values() for length in (2, 4, 8, 12, 16, 30)]),
    rest=st.binary(max_size=200),
)
def test_no_header_makes_the_reader_stumble(start, rest):
    try:
        header = read_header(io.BytesIO(start + rest))
    except HeaderError as error:
        assert str(error)
    else:
        assert header.pixels > 0


@settings(max_examples=200, deadline=None)
@given(way=st.sampled_from(sorted(WAYS_TO_STORE)), at=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_a_damaged_byte_gives_a_picture_or_a_refusal(tmp_path_factory, way, at, byte):
    mode, kind, options = WAYS_TO_STORE[way]
    data = bytearray(encoded(Image.fromarray(painting()).convert(mode), kind, **options))
    data[int(at * len(data))] = byte
    try:
        pixels = read_bytes(tmp_path_factory.getbasetemp(), bytes(data))
    except PictureError:
        return
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large_pictures_shrink_and_keep_their_shape(tmp_path, kind):
    pixels = read_bytes(tmp_path, encoded(Image.fromarray(painting(6000, 4000)), kind))
    assert max(pixels.shape) == LONGEST_SIDE
    expected = Image.fromarray(painting(6000, 4000)).resize(pixels.shape[1::-1], Image.Resampling.BOX)
    assert_alike(pixels, expected, mean=1.0)


def test_a_panorama_keeps_its_short_side_and_a_thread_stays_a_thread(tmp_path):
    panorama = read_bytes(tmp_path, encoded(Image.fromarray(painting(8000, 500)), "JPEG"))
    assert panorama.shape == (SHORTEST_SIDE, 8000 * SHORTEST_SIDE // 500, 3)
    thread = read_bytes(tmp_path, encoded(Image.fromarray(painting(60_000, 2)), "PNG"))
    assert thread.shape[:2] == (2, 60_000)
    assert read_bytes(tmp_path, encoded(Image.new("RGB", (1, 1), "red"), "PNG")).tolist() == [[[255, 0, 0]]]


def test_reading_works_without_a_standard_error(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(Image.fromarray(painting()), "PNG"))
    kept = os.dup(2)
    os.close(2)
    try:
        pixels = read_picture(path)
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    assert_alike(pixels, Image.fromarray(painting()))


@pytest.mark.parametrize("ending", [b".png", b".bmp", b".jpg", b".webp", b".tif"])
def test_a_name_that_is_no_utf8_is_read_like_any_other(tmp_path, ending):
    done, data = cv2.imencode(ending.decode(), np.full((20, 30, 3), 90, np.uint8))
    assert done
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\xff" + ending))
    path.write_bytes(data.tobytes())
    assert read_picture(path).shape == (20, 30, 3)

"""The numbers of a picture are read for what they mean: profiles, depths, inks, transparency."""

import io
import struct
import sys
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from a2m_edge.errors import PictureError
from a2m_edge.perception.picture_formats import read_header
from a2m_edge.perception.pictures import read_picture
from tools.colour_profiles import SPACES, cmyk_profile, grey_profile, rgb_profile

WHITE = [255, 255, 255]


def patches():
    """64 flat squares of 8 x 8 pixels, of moderate colours that every space holds: uint8 [64, 64, 3]."""
    colours = np.random.default_rng(4).integers(40, 216, (8, 8, 3))
    return np.repeat(np.repeat(colours, 8, axis=0), 8, axis=1).astype(np.uint8)


def read(folder, data):
    """The pixels, and what was remarked."""
    path = folder / "picture"
    remarks: list[str] = []
    path.write_bytes(data)
    return read_picture(path, remarks.append), remarks


def stored(picture, kind, **options):
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def in_space(profile, mode="RGB"):
    """The patches as numbers of a profile."""
    target = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    transform = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), target, "RGB", mode, ImageCms.Intent(1))
    return ImageCms.applyTransform(Image.fromarray(patches()), transform)


def png(colour, bits, rows, *chunks):
    """A PNG of raw rows, uint8 [H, bytes], of this colour type and depth, with chunks before the pixels."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    samples = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    width = rows.shape[1] * 8 // (bits * samples)
    head = struct.pack(">IIBBBBB", width, len(rows), bits, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    parts = [(b"IHDR", head), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def tiff(samples, photometric, *, extra=(), kind=1, order="<", compression=1, predictor=1, tags=()):
    """A TIFF of one strip of samples [H, W, S]."""
    height, width, count = samples.shape
    pixels = samples.astype(samples.dtype.newbyteorder(order))
    if predictor == 2:
        pixels = np.diff(samples, axis=1, prepend=np.zeros_like(samples[:, :1])).astype(pixels.dtype)
    data = pixels.tobytes() if compression == 1 else zlib.compress(pixels.tobytes())
    bits = samples.dtype.itemsize * 8
    fields = {
        256: (3, [width]), 257: (3, [height]), 258: (3, [bits] * count), 259: (3, [compression]),
        262: (3, [photometric]), 273: (4, [8]), 277: (3, [count]), 278: (3, [height]), 279: (4, [len(data)]),
        317: (3, [predictor]), 339: (3, [kind] * count), **({338: (3, list(extra))} if extra else {}), **dict(tags),
    }  # fmt: skip
    data += bytes(len(data) % 2)
    place = 8 + len(data)
    far = place + 2 + 12 * len(fields) + 4
    entries, beyond = b"", b""
    for tag, (form, values) in sorted(fields.items()):
        body = struct.pack(f"{order}{len(values)}{'HI'[form == 4] if form != 7 else 'B'}", *values)
        if len(body) > 4:
            body, beyond = struct.pack(order + "I", far + len(beyond)), beyond + body + bytes(len(body) % 2)
        entries += struct.pack(order + "HHI", tag, form, len(values)) + body.ljust(4, b"\0")
    start = b"II*\0" if order == "<" else b"MM\0*"
    return (
        start
        + struct.pack(order + "I", place)
        + data
        + struct.pack(order + "H", len(fields))
        + entries
        + b"\0" * 4
        + beyond
    )


@pytest.mark.parametrize("space", [name for name in SPACES if name != "sRGB"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {"quality": 100, "subsampling": 0}), ("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})],
)
def test_a_profile_is_followed(tmp_path, space, kind, options):
    profile = rgb_profile(space)
    numbers = in_space(profile)
    assert np.abs(np.asarray(numbers).astype(int) - patches()).max() > 12, "else there is nothing to follow"
    pixels, remarks = read(tmp_path, stored(numbers, kind, icc_profile=profile, **options))
    assert np.abs(pixels.astype(int) - patches()).max() <= (10 if kind == "JPEG" else 5)
    assert np.abs(pixels.astype(int) - patches()).mean() <= 1.5
    assert remarks == []


def test_srgb_by_any_name_keeps_its_numbers(tmp_path):
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    for profile in (rgb_profile("sRGB"), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()):
        pixels, _ = read(tmp_path, stored(Image.fromarray(noise), "PNG", icc_profile=profile))
        assert np.array_equal(pixels, noise)


def test_a_grey_profile_and_one_for_colours_in_a_grey_picture_are_followed(tmp_path):
    grey = Image.fromarray(np.full((8, 8), 128, np.uint8))
    linear, _ = read(tmp_path, stored(grey, "PNG", icc_profile=grey_profile(1.0)))
    assert linear[0, 0].tolist() == pytest.approx([188] * 3, abs=2)
    prophoto, _ = read(tmp_path, stored(grey, "JPEG", icc_profile=rgb_profile("ProPhoto RGB")))
    assert prophoto[0, 0].tolist() == pytest.approx([144] * 3, abs=3)


def test_a_profile_that_does_not_fit_or_is_damaged_is_told(tmp_path):
    for profile, word in ((grey_profile(1.0), "for GRAY"), (b"no profile", "damaged"), (rgb_profile("sRGB")[:200], "")):
        pixels, remarks = read(tmp_path, stored(Image.fromarray(patches()), "PNG", icc_profile=profile))
        assert np.array_equal(pixels, patches())
        assert len(remarks) == 1
        assert word in remarks[0]
        assert "not used" in remarks[0]


def inks():
    """A profile whose paper is white, whose black is black, and whose cyan is a red: nobody's guess."""
    table = np.full((2, 2, 2, 2, 3), (0, 128, 128), np.uint8)
    table[0, 0, 0, 0], table[1, 0, 0, 0] = (255, 128, 128), (136, 208, 195)
    return cmyk_profile(table)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
def test_inks_are_those_of_the_profile(tmp_path, kind, depth):
    cyan = np.zeros((16, 16, 4), np.uint8)
    cyan[:, 8:, 0] = 255
    if kind == "JPEG":
        data = stored(Image.frombytes("CMYK", (16, 16), cyan.tobytes()), "JPEG", quality=100, icc_profile=inks())
    else:
        data = tiff(cyan.astype(depth) * depth(np.iinfo(depth).max // 255), 5, tags=[(34675, (7, list(inks())))])
    pixels, remarks = read(tmp_path, data)
    assert remarks == []
    assert pixels[8, 2].tolist() == WHITE
    red, green, blue = pixels[8, 13].tolist()
    assert red > 200 and green < 60 and blue < 60


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("compression", "predictor"), [(1, 1), (8, 1), (8, 2)])
def test_cmyk_with_opacity(tmp_path, depth, order, compression, predictor):
    most = np.iinfo(depth).max
    samples = np.zeros((16, 16, 5), depth)
    samples[..., 3], samples[..., 4] = most, most
    samples[:, 4:8, 3] = 0
    samples[:, 8:12, 4] = 0
    samples[:, 12:, 4] = most // 2
    data = tiff(samples, 5, extra=(2,), order=order, compression=compression, predictor=predictor)
    pixels, _ = read(tmp_path, data)
    assert [pixels[5, at].tolist() for at in (1, 5, 9)] == [[0, 0, 0], WHITE, WHITE]
    assert pixels[5, 13].tolist() == pytest.approx([128] * 3, abs=1)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("photometric", "extra"), [(1, (2,)), (1, (1,)), (0, ()), (1, ()), (2, (2,)), (2, (0,)), (2, ())]
)
def test_grey_and_rgb_tiffs_of_every_kind(tmp_path, depth, order, photometric, extra):
    most, colours = np.iinfo(depth).max, 3 if photometric == 2 else 1
    samples = np.full((16, 16, colours + len(extra)), most // 4, depth)
    if extra:
        samples[:8, :, -1], samples[8:, :, -1] = most, 0
        if extra == (1,):
            samples[8:] = 0
    pixels, _ = read(tmp_path, tiff(samples, photometric, extra=extra, order=order))
    assert pixels[2, 2].tolist() == pytest.approx([191 if photometric == 0 else 63] * 3, abs=1)
    clear = extra[:1] in ((1,), (2,))
    assert pixels[12, 2].tolist() == (WHITE if clear else pixels[2, 2].tolist())


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_cielab_becomes_its_colours(tmp_path, signed, depth):
    lab = Image.fromarray(patches())
    transform = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    numbers = np.asarray(ImageCms.applyTransform(lab, transform)).copy()  # Pillow hands a* and b* out with a sign
    if not signed:
        numbers[..., 1:] ^= 128
    samples = numbers if depth == np.uint8 else numbers.astype(np.uint16) << 8
    pixels, remarks = read(tmp_path, tiff(samples, 8))
    assert np.abs(pixels.astype(int) - patches()).mean() < 2
    assert [("no sign" in remark) for remark in remarks] == ([] if signed else [True])


@pytest.mark.parametrize("size", ["f4", "f8"])
@pytest.mark.parametrize("grey", [False, True])
def test_floating_point_is_scaled_with_a_remark(tmp_path, size, grey):
    numbers = (patches()[..., :1] if grey else patches()).astype(size)
    expected = np.broadcast_to(numbers, patches().shape)
    for scale, low, high in ((1 / 255, 0, 1), (3.0, 0, float(numbers.max()) * 3)):
        pixels, remarks = read(tmp_path, tiff(numbers * numbers.dtype.type(scale), 1 if grey else 2, kind=3))
        goal = expected if high == 1 else expected * 255 / numbers.max()
        assert np.abs(pixels - goal).max() <= 1
        assert len(remarks) == 1
        assert f"{low} was taken for black and {high:.6g} for white" in remarks[0]


def test_what_is_no_number_is_black_and_infinity_white(tmp_path):
    numbers = np.full((8, 8, 3), 0.5, np.float32)
    numbers[0], numbers[1] = np.nan, np.inf
    pixels, _ = read(tmp_path, tiff(numbers, 2, kind=3))
    assert [pixels[row, 0, 0] for row in range(3)] == [0, 255, 128]


@pytest.mark.parametrize("kind", [1, 2])
def test_whole_numbers_of_32_bits_are_scaled_with_a_remark(tmp_path, kind):
    numbers = np.linspace(0, 70_000, 64).reshape(8, 8, 1).astype(np.uint32 if kind == 1 else np.int32)
    pixels, remarks = read(tmp_path, tiff(numbers, 1, kind=kind))
    assert np.abs(pixels[..., :1] - numbers * (255 / 70_000)).max() <= 1
    assert "70000 for white" in remarks[0]


@pytest.mark.parametrize(("bits", "key"), [(1, 0), (1, 1), (2, 0), (2, 2), (2, 3), (4, 0), (4, 6), (4, 15), (8, 7)])
def test_a_transparent_grey_is_white_at_every_depth(tmp_path, bits, key):
    most = 2**bits - 1
    other = 1 if key == 0 else 0  # the right half, which stays
    filled = {grey: sum(grey << at for at in range(0, 8, bits)) for grey in (key, other)}
    rows = np.full((8, 8), filled[key], np.uint8)
    rows[:, 4:] = filled[other]
    pixels, _ = read(tmp_path, png(0, bits, rows, (b"tRNS", struct.pack(">H", key))))
    half = pixels.shape[1] // 2
    assert (pixels[:, :half] == 255).all()
    assert (pixels[:, half:] == other * 255 // most).all()


@pytest.mark.parametrize("colour", [0, 2])
def test_a_transparent_colour_of_16_bits_is_white(tmp_path, colour):
    samples = 1 if colour == 0 else 3
    rows = np.full((8, 8, samples), 0x1234, ">u2")
    rows[:, 4:] = 0x1235  # the same in eight bits
    data = png(colour, 16, rows.reshape(8, -1).view(np.uint8), (b"tRNS", struct.pack(">H", 0x1234) * samples))
    pixels, _ = read(tmp_path, data)
    assert pixels[0, 0].tolist() == WHITE
    assert pixels[0, 7].tolist() == [0x12] * 3


@pytest.mark.parametrize("gamma", [1.0, 0.7, 0.3])
@pytest.mark.parametrize("bits", [8, 16])
def test_the_gamma_of_a_png_is_followed(tmp_path, gamma, bits):
    shown = patches() / 255
    linear = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    most = 2**bits - 1
    numbers = np.rint(linear**gamma * most).astype(">u2" if bits == 16 else np.uint8)
    rows = numbers.reshape(64, -1).view(np.uint8)
    told = (b"gAMA", struct.pack(">I", round(gamma * 100_000)))
    pixels, _ = read(tmp_path, png(2, bits, rows, told))
    assert np.abs(pixels.astype(int) - patches()).max() <= (1 if bits == 16 else 6)
    pixels, _ = read(tmp_path, png(2, bits, rows, (b"sRGB", b"\0"), told))
    assert np.array_equal(pixels, numbers if bits == 8 else numbers >> 8)


def test_what_encoders_write_for_srgb_changes_nothing_and_other_corners_do(tmp_path):
    told = (b"gAMA", struct.pack(">I", 45_455))
    rows = patches().reshape(64, -1)

    def corners(space):
        return (b"cHRM", struct.pack(">8I", *(round(each * 100_000) for each in SPACES[space][0])))

    for chunks in ([told], [told, corners("sRGB")], [corners("Adobe RGB")]):
        assert np.array_equal(read(tmp_path, png(2, 8, rows, *chunks))[0], patches())
    numbers = np.asarray(in_space(rgb_profile("Adobe RGB")))
    pixels, _ = read(tmp_path, png(2, 8, numbers.reshape(64, -1), told, corners("Adobe RGB")))
    assert np.abs(pixels.astype(int) - patches()).max() <= 4
    nonsense = (b"cHRM", bytes(32))
    assert np.array_equal(read(tmp_path, png(2, 8, rows, told, nonsense))[0], patches())


def test_a_large_picture_is_converted_in_its_bands_as_a_small_one(tmp_path):
    profile = rgb_profile("Adobe RGB")
    numbers = in_space(profile).resize((64, 700), Image.Resampling.NEAREST)
    pixels, _ = read(tmp_path, stored(numbers, "PNG", icc_profile=profile))
    expected = Image.fromarray(patches()).resize((64, 700), Image.Resampling.NEAREST)
    assert np.abs(pixels.astype(int) - np.asarray(expected)).max() <= 5


@pytest.mark.parametrize("size", [(3400, 1100), (3401, 1101)])
def test_a_large_picture_is_shrunk_as_opencv_does(tmp_path, size):
    noise = np.random.default_rng(2).integers(0, 256, (size[1] // 20, size[0] // 20, 3), np.uint8)
    large = cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)
    pixels, _ = read(tmp_path, stored(Image.fromarray(large), "PNG", compress_level=1))
    halved = cv2.resize(large, (size[0] // 2, size[1] // 2), interpolation=cv2.INTER_LINEAR_EXACT)
    height = round(halved.shape[0] * 1600 / halved.shape[1])
    assert np.array_equal(pixels, cv2.resize(halved, (1600, height), interpolation=cv2.INTER_AREA))


def test_what_is_whole_and_not_read_is_named(tmp_path):
    for data, name in (
        (tiff(np.zeros((8, 8, 3), np.uint8), 10), "ITULab with 3 samples of 8 bits"),
        (tiff(np.zeros((8, 8, 1), np.uint16), 32803), "raw camera"),
        (tiff(np.zeros((8, 8, 2), np.float32), 1, kind=3, extra=(2,)), "grey with 2 samples of 32 bits floating-point"),
        (tiff(np.zeros((8, 8, 5), np.uint8), 5, extra=(2,), tags=[(284, (3, [2]))]), "separate planes"),
        (tiff(np.zeros((8, 8, 5), np.uint8), 5, extra=(2,), compression=34712), "compression 34712"),
    ):
        with pytest.raises(PictureError, match="of a kind that is not read") as caught:
            read(tmp_path, data)
        assert name in str(caught.value)
        assert "damaged" not in str(caught.value)


def test_a_photograph_in_avif_is_read(tmp_path):
    pytest.importorskip("PIL._avif")
    pixels, _ = read(tmp_path, stored(Image.fromarray(patches()), "AVIF", quality=100, subsampling="4:4:4"))
    assert np.abs(pixels.astype(int) - patches()).mean() < 2


def phone_picture(kind, **options):
    module = pytest.importorskip({"HEIF": "pillow_heif", "JXL": "pillow_jxl"}[kind])
    if kind == "HEIF":
        module.register_heif_opener()
    return stored(Image.fromarray(patches()), kind, **options)


@pytest.mark.parametrize(("kind", "options"), [("HEIF", {"quality": 100}), ("JXL", {"lossless": True})])
def test_photographs_of_phones_are_read(tmp_path, kind, options):
    pixels, _ = read(tmp_path, phone_picture(kind, **options))
    assert np.abs(pixels.astype(int) - patches()).mean() < 3


@pytest.mark.parametrize("kind", ["HEIF", "JXL"])
def test_photographs_of_phones_are_read_in_their_colours_and_upright(tmp_path, kind):
    phone_picture(kind)
    profile, exif = rgb_profile("Display P3"), Image.Exif()
    exif[0x0112] = 6
    shot = in_space(profile).crop((0, 0, 64, 40))
    if kind == "HEIF":
        data = stored(shot, kind, icc_profile=profile, quality=100)
        expected = patches()[:40]
    else:  # a JPEG, packed
        shot.save(tmp_path / "shot.jpg", quality=100, subsampling=0, icc_profile=profile, exif=exif)
        with Image.open(tmp_path / "shot.jpg") as opened:
            data = stored(opened, kind, lossless_jpeg=True)
        expected = np.rot90(patches()[:40], -1)
    pixels, _ = read(tmp_path, data)
    assert np.abs(pixels.astype(int) - expected).mean() < 4


@pytest.mark.parametrize(
    ("start", "name", "module"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC", "pillow_heif"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "a HEIC", "pillow_heif"),
        (b"\xff\x0a\x00\x00", "a JPEG XL", "pillow_jxl"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL", "pillow_jxl"),
    ],
)
def test_without_the_extra_its_name_is_told(tmp_path, monkeypatch, start, name, module):
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    with pytest.raises(PictureError, match=f"it is {name} picture") as caught:
        read(tmp_path, start + bytes(64))
    assert 'pip install "a2m-edge[phones]"' in str(caught.value)


def test_the_size_of_a_jpeg_xl_is_known_before_it_is_decoded(tmp_path):
    for width, height in ((1, 1), (64, 64), (511, 513), (640, 480), (30, 2000), (256, 128)):
        pytest.importorskip("pillow_jxl")
        for options in ({}, {"lossless": True}):
            data = stored(Image.new("RGB", (width, height), "red"), "JXL", **options)
            header = read_header(io.BytesIO(data))
            assert (header.width, header.height) == (width, height)
    # A bare codestream: no small size, height and width of 30 bits each, no ratio.
    side = 50_000 - 1
    bits = 0 | 3 << 1 | side << 3 | 0 << 33 | 3 << 36 | side << 38
    with pytest.raises(PictureError, match="50000 x 50000 pixels, and at most 100 megapixels"):
        read(tmp_path, b"\xff\x0a" + bits.to_bytes(12, "little"))

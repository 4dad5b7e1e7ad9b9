"""Parts of pictures: cut, mirrored, turned, and in greys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from a2m_edge.errors import PictureError
from a2m_edge.perception.parts import Part, PartError, Region, counted, cut, turned
from a2m_edge.perception.pictures import read_picture
from tests.fixtures.collection.quarters import corners, quarters

sides = st.integers(1, 60)
regions = st.builds(
    Region,
    st.floats(-20, 60),
    st.floats(-20, 60),
    st.floats(0.01, 80),
    st.floats(0.01, 80),
    st.none() | st.just((100.0, 100.0)),
)
parts = st.builds(
    Part,
    st.none() | st.just("square") | regions,
    st.booleans(),
    st.sampled_from([0.0, 90.0, 180.0, 270.0, 22.5, 359.0]),
    st.sampled_from(["default", "gray", "bitonal"]),
)


@settings(max_examples=200, deadline=None)
@given(width=sides, height=sides, chain=st.lists(parts, max_size=3))
def test_what_is_shown_has_the_size_that_was_counted(width, height, chain):
    try:
        fixed, (wide, tall) = counted(chain, width, height)
    except PartError as error:
        assert "outside of the picture" in str(error) and "\n" not in str(error)
        return
    pixels = np.zeros((height, width, 3), np.uint8)
    for part in fixed:
        assert not isinstance(part.region, Region) or part.region.of is not None
        pixels = turned(cut(pixels, part), part)
    assert pixels.dtype == np.uint8 and pixels.flags.c_contiguous
    # Each step rounds to whole pixels, and shows at least one.
    assert abs(pixels.shape[1] - wide) <= 5 * len(chain)
    assert abs(pixels.shape[0] - tall) <= 5 * len(chain)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_part_is_one_of_the_upright_picture(tmp_path, orientation):
    picture = quarters(400, 300)
    if orientation >= 5:
        picture = picture.transpose(1, 0, 2)
    across = -1 if orientation in (2, 3, 7, 8) else 1
    down = -1 if orientation in (3, 4, 6, 7) else 1
    stored = np.ascontiguousarray(picture[::down, ::across])
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    picture = read_picture(tmp_path / "a.png", parts=[Part(Region(200, 0, 200, 300), degrees=180.0)])
    assert corners(picture) == "YY/GG"
    assert picture.shape == (300, 200, 3)


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_a_small_part_is_cut_before_anything_is_shrunk(tmp_path, ending):
    Image.fromarray(quarters(3400, 2200)).save(tmp_path / f"a.{ending}", compress_level=1)
    picture = read_picture(tmp_path / f"a.{ending}", parts=[Part(Region(1600, 1000, 200, 200))])
    assert picture.shape == (200, 200, 3)
    assert corners(picture) == "RG/BY"
    whole = read_picture(tmp_path / f"a.{ending}", parts=[Part(degrees=30.0)])
    assert max(whole.shape) <= 1600
    assert corners(whole) == "WW/WW"


def test_black_and_white_are_all_that_is_left(tmp_path):
    Image.fromarray(quarters()).save(tmp_path / "a.png")
    assert np.unique(read_picture(tmp_path / "a.png", parts=[Part(quality="bitonal")])).tolist() == [0, 255]


def test_a_part_that_is_not_there_is_told_by_the_name_of_the_file(tmp_path):
    Image.fromarray(quarters()).save(tmp_path / "a.png")
    with pytest.raises(PictureError, match=r"a\.png: the part 900,0,9,9 lies outside"):
        read_picture(tmp_path / "a.png", parts=[Part(Region(900, 0, 9, 9))])

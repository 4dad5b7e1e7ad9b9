"""Where one looks in a picture: what stands out, each place once, the same whenever and however large it is seen."""

from __future__ import annotations

from itertools import combinations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from a2m_edge.impression.gaze import Region
from a2m_edge.perception.gaze import MOST, OVERLAP, USUAL, crop, find_regions
from a2m_edge.perception.pictures import read_picture
from tests.fixtures.exhibit.rooms import Paintings
from tests.fixtures.places import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.jpg"))
PIXEL = 1e-3
"""Regions are rounded to four digits."""


def covered(one: Region, other: Region) -> float:
    """Share of the smaller one that both have in common."""
    across = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    down = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    smaller = min(one.width * one.height, other.width * other.height)
    return max(across, 0.0) * max(down, 0.0) / smaller


def check(regions: tuple[Region, ...]) -> None:
    for region in regions:
        assert 0 <= region.left <= region.left + region.width <= 1 + PIXEL and region.width > 0
        assert 0 <= region.top <= region.top + region.height <= 1 + PIXEL and region.height > 0
    for one, other in combinations(regions, 2):
        assert covered(one, other) <= OVERLAP + 0.01


def meadow(height: int = 300, width: int = 400) -> NDArray[np.uint8]:
    """A bright picture: sky above, grass below, both with a little grain."""
    rows = np.linspace(0, 1, height)[:, None, None]
    ground = np.where(rows < 0.5, (190, 215, 240), (170, 205, 120)) + np.zeros((height, width, 3))
    return np.clip(ground + np.random.default_rng(0).normal(0, 4, ground.shape), 0, 255).astype(np.uint8)


def test_a_dark_corner_of_a_bright_picture_is_found():
    picture = meadow()
    picture[210:, 300:] = (25, 20, 30)
    (first, *_) = find_regions(picture)
    assert covered(first, Region(0.75, 0.7, 0.25, 0.3)) > 0.5
    assert crop(picture, first).mean() < 0.6 * picture.mean()


def test_a_lit_window_in_the_dark_is_found():
    picture = (meadow() * 0.12).astype(np.uint8)
    picture[60:130, 80:150] = (250, 220, 120)
    assert covered(find_regions(picture)[0], Region(0.2, 0.2, 0.175, 0.233)) > 0.8


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_painting_has_six_to_nine_regions(path):
    regions = find_regions(read_picture(path))
    assert USUAL <= len(regions) <= MOST
    check(regions)


def test_paintings_have_six_to_nine_regions(shared):
    paintings = Paintings(shared / "data")
    chance = np.random.default_rng(5)
    found = [find_regions(paintings.pick(chance)) for _ in range(60)]
    for regions in found:
        check(regions)
    assert np.mean([USUAL <= len(regions) <= MOST for regions in found]) >= 0.95  # measured: 1.0


@pytest.mark.parametrize("path", EXAMPLES[:3], ids=lambda path: path.stem)
def test_the_size_of_the_photograph_does_not_matter(path):
    picture = read_picture(path)
    half = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    pairs = zip(find_regions(picture), find_regions(np.asarray(half, np.uint8)), strict=True)
    assert all(covered(one, other) > 0.9 for one, other in pairs)


def test_the_same_pixels_give_the_same_regions():
    picture = read_picture(EXAMPLES[0])
    assert find_regions(picture) == find_regions(picture.copy())


def test_what_differs_is_found_wherever_it_is():
    """Four spots of four colours."""
    picture = meadow()
    spots = [(40, 40, (200, 30, 30)), (300, 40, (30, 30, 160)), (40, 220, (240, 200, 20)), (300, 220, (20, 20, 20))]
    for left, top, colour in spots:
        picture[top : top + 60, left : left + 60] = colour
    regions = find_regions(picture)
    for left, top, _ in spots:
        assert any(covered(region, Region(left / 400, top / 300, 0.15, 0.2)) > 0.5 for region in regions)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((200, 300, 3), np.uint8),
        np.full((200, 300, 3), 255, np.uint8),
        np.full((1, 1, 3), 90, np.uint8),
        np.random.default_rng(0).integers(88, 92, (240, 320, 3), dtype=np.uint8),  # a grey wall through a camera
        np.random.default_rng(0).integers(0, 256, (2, 900, 3), dtype=np.uint8),  # a thread
    ],
    ids=["black", "white", "a pixel", "a wall", "a thread"],
)
def test_where_nothing_is_to_be_seen_there_are_no_regions(picture):
    assert find_regions(picture) == ()


@settings(max_examples=60, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))))
def test_any_picture_has_regions_within_it_or_none(picture):
    regions = find_regions(picture)
    assert len(regions) <= MOST
    check(regions)
    for region in regions:
        assert crop(picture, region).size > 0


SHARES = st.floats(0, 0.99)


@given(st.integers(1, 30), st.integers(1, 30), SHARES, SHARES, SHARES, SHARES)
def test_a_crop_is_never_empty(height, width, left, top, wide, tall):
    region = Region(left, top, min(wide + 0.01, 1 - left), min(tall + 0.01, 1 - top))
    assert crop(np.zeros((height, width, 3), np.uint8), region).size > 0

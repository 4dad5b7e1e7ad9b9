"""How a picture is painted, in numbers: pictures whose answer is known."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from a2m_edge.impression.cues import MIDDLE, Cues
from a2m_edge.impression.gaze import Region
from a2m_edge.perception.gaze import crop
from a2m_edge.perception.painting import as_measured, measure, shows_little
from training.data.tables.feelings import PictureArchive, read_paintings

GREY = np.full((200, 300, 3), 119, np.uint8)
"""L* = 50."""


def of(*colour: int) -> Cues:
    return measure(np.full((60, 80, 3), colour, np.uint8))


def stripes(angle: float, width: float = 8.0) -> np.ndarray:
    """Sine stripes of a width (pixels), in grey, turned by an angle in degrees."""
    y, x = np.mgrid[0:200, 0:200]
    wave = np.sin(2 * np.pi * (x * np.cos(np.radians(angle)) + y * np.sin(np.radians(angle))) / width)
    return np.repeat((128 + 60 * wave)[..., None], 3, axis=2).astype(np.uint8)


def test_an_even_grey_has_nothing_painted():
    cues = measure(GREY)
    assert cues.brightness == pytest.approx(50, abs=0.5)
    assert (cues.contrast, cues.edges, cues.emptiness) == (0, 0, 1)
    assert cues.saturation < 0.1
    assert cues.colours == pytest.approx(1)


def test_light_and_dark():
    assert of(255, 255, 255).brightness == pytest.approx(100, abs=0.1)
    assert of(0, 0, 0).brightness == pytest.approx(0, abs=0.1)
    halves = np.concatenate([np.zeros((100, 100, 3), np.uint8), np.full((100, 100, 3), 255, np.uint8)], axis=1)
    assert measure(halves).contrast == pytest.approx(50, abs=0.5)


def test_warm_and_cold():
    assert of(255, 140, 0).warmth > 0.95
    assert of(0, 130, 200).warmth < -0.9
    assert of(255, 140, 0).saturation > 60 > 10 > of(130, 120, 115).saturation


def test_many_colours_and_few():
    generator = np.random.default_rng(0)
    hues = np.zeros((100, 100, 3), np.uint8)
    hues[..., 0], hues[..., 1:] = generator.integers(0, 180, (100, 100)), 220
    assert measure(np.asarray(cv2.cvtColor(hues, cv2.COLOR_HSV2RGB), np.uint8)).colours > 20
    two = np.concatenate([np.full((50, 50, 3), (200, 30, 30), np.uint8), np.full((50, 50, 3), (30, 30, 200), np.uint8)])
    assert measure(two).colours == pytest.approx(2, abs=0.3)


@pytest.mark.parametrize(("angle", "unrest"), [(0, 0.0), (90, 0.0), (45, 1.0), (135, 1.0), (22.5, 0.5)])
def test_leaning_edges_are_unrest(angle, unrest):
    assert measure(stripes(angle)).unrest == pytest.approx(unrest, abs=0.05)


def test_fine_and_broad_strokes():
    assert measure(stripes(30, 3)).brushwork > measure(stripes(30, 8)).brushwork > measure(stripes(30, 24)).brushwork


def test_a_face_to_face_picture_is_symmetric():
    half = np.random.default_rng(1).integers(0, 256, (80, 60, 3), dtype=np.uint8)
    assert measure(np.concatenate([half, half[:, ::-1]], axis=1)).symmetry == pytest.approx(1, abs=0.01)
    assert abs(measure(np.random.default_rng(2).integers(0, 256, (80, 120, 3), dtype=np.uint8)).symmetry) < 0.1


def test_the_size_of_the_photograph_hardly_matters():
    grain = np.random.default_rng(3).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    picture = np.asarray(cv2.resize(grain, (1600, 1200), interpolation=cv2.INTER_CUBIC), np.uint8)
    small = np.asarray(cv2.resize(picture, (400, 300), interpolation=cv2.INTER_AREA), np.uint8)
    for one, other in zip(dataclasses.astuple(measure(picture)), dataclasses.astuple(measure(small)), strict=True):
        assert one == pytest.approx(other, rel=0.05, abs=0.02)


def test_a_part_is_measured_at_the_scale_of_the_whole():
    """A picture of one texture everywhere has the same strokes in each part of it; seen from near it has fewer."""
    grain = np.random.default_rng(3).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    picture = np.asarray(cv2.resize(grain, (1280, 960), interpolation=cv2.INTER_CUBIC), np.uint8)
    corner = Region(0.25, 0.25, 0.3, 0.3)
    whole, part, near = (measure(each) for each in (picture, crop(as_measured(picture), corner), crop(picture, corner)))
    for name in ("edges", "brushwork", "emptiness"):
        assert getattr(part, name) == pytest.approx(getattr(whole, name), abs=0.06)
    assert near.brushwork < 0.5 * whole.brushwork


@settings(max_examples=100, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))))
def test_any_picture_has_finite_cues_within_their_ranges(picture):
    cues = measure(picture)
    strokes = [cues.unrest, cues.brushwork, cues.symmetry]
    assert np.isnan(strokes).all() if shows_little(picture) else np.isfinite(strokes).all()
    for share in (cues.edges, cues.emptiness, *np.nan_to_num(strokes[:2])):
        assert -1e-6 <= share <= 1 + 1e-6
    assert -1.001 <= cues.warmth <= 1.001 and not abs(cues.symmetry) > 1 and cues.colours >= 1 - 1e-6
    assert 0 <= cues.contrast <= 60 and 0 <= cues.saturation < 150
    assert all(
        0 <= rank <= 1 for rank in dataclasses.astuple(cues.ranks(dict.fromkeys(Cues.names(), (-1.0, 0.0, 2.0))))
    )


# --- little to see ----------------------------------------------------------------------------------------------------


def wall(noise: float, *, grain: float = 0.0, light: int = 180, size: tuple[int, int] = (480, 640)) -> np.ndarray:
    """A photograph of a wall: light that falls off to its corners, noise of a sensor, grain of its plaster (levels)."""
    generator = np.random.default_rng(7)
    y, x = np.mgrid[0 : 1 : size[0] * 1j, 0 : 1 : size[1] * 1j]
    plaster = cv2.GaussianBlur(generator.normal(size=size), (0, 0), 3)
    shade = light * (1 - 0.5 * ((x - 0.3) ** 2 + (y - 0.4) ** 2)) + grain * plaster / plaster.std()
    coloured = shade[..., None] * np.array([1.0, 0.96, 0.9]) + noise * generator.normal(size=(*size, 3))
    return np.asarray(np.clip(coloured, 0, 255), np.uint8)


def between(one: tuple[int, int, int], other: tuple[int, int, int]) -> np.ndarray:
    """A gradient from one colour to another."""
    share = np.linspace(0, 1, 300)[None, :, None] * np.ones((200, 1, 1))
    return np.asarray(np.array(one) * (1 - share) + np.array(other) * share, np.uint8)


def with_a_disc(radius: int) -> np.ndarray:
    picture = np.full((600, 600, 3), 235, np.uint8)
    return np.asarray(cv2.circle(picture, (250, 330), radius, (40, 40, 60), -1), np.uint8)


@pytest.mark.parametrize(
    "picture",
    [
        *(np.full((200, 300, 3), colour, np.uint8) for colour in ((255, 255, 255), (0, 0, 0), (180, 20, 30))),
        np.zeros((1, 1, 3), np.uint8),
        np.full((1, 400, 3), 9, np.uint8),
        between((0, 0, 0), (255, 255, 255)),
        between((255, 140, 0), (20, 20, 90)),
        between((255, 0, 0), (0, 0, 255)),
        *(wall(noise) for noise in (0, 3, 8, 15)),
        wall(8, light=40),
        *(wall(5, grain=grain) for grain in (2, 5)),
        with_a_disc(6),  # a nail in the wall
    ],
)
def test_evenness_shading_and_noise_are_little_to_see(picture):
    assert shows_little(picture)


@pytest.mark.parametrize(
    "picture",
    [
        with_a_disc(40),
        stripes(30, 3),  # fine, but a pattern
        stripes(90, 30),
        np.random.default_rng(3).integers(0, 256, (300, 300, 3), dtype=np.uint8),
    ],
)
def test_a_thing_and_a_pattern_are_more(picture):
    assert not shows_little(picture)


def test_noise_has_no_strokes():
    quantiles = dict.fromkeys(Cues.names(), (0.0, 0.1, 0.2, 0.3))
    for picture in (wall(0), wall(8), GREY):
        ranks = measure(picture).ranks(quantiles)
        assert (ranks.unrest, ranks.symmetry, ranks.brushwork) == (0.5, 0.5, 0.5)
    assert measure(wall(8)).brightness > 1.5 * measure(wall(8, light=90)).brightness


def test_hardly_a_painting_shows_little(shared):
    archive = PictureArchive(shared / "data" / "paintings.zip", 1)
    paintings = read_paintings(shared / "data")[::80]
    assert sum(shows_little(np.asarray(archive.whole(each))) for each in paintings) <= 1


# --- ranks ------------------------------------------------------------------------------------------------------------


def test_ranks():
    quantiles = {"brightness": (0.0, 10.0, 20.0, 100.0), "emptiness": (0.0, 0.0, 0.0, 1.0)}
    one = dataclasses.replace(MIDDLE, brightness=15.0, emptiness=0.0).ranks(quantiles)
    assert one.brightness == pytest.approx(0.5)
    assert one.emptiness == pytest.approx(1 / 3)  # the middle of the three that are alike
    assert one.contrast == 0.5  # nothing is known of it
    ends = dataclasses.replace(MIDDLE, brightness=-5.0, emptiness=7.0).ranks(quantiles)
    assert (ends.brightness, ends.emptiness) == (0, 1)


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=20).map(sorted), st.floats(-200, 200), st.floats(-200, 200))
def test_ranks_keep_the_order(quantiles, one, other):
    cues = [dataclasses.replace(MIDDLE, contrast=value) for value in (one, other)]
    ranks = [each.ranks({"contrast": quantiles}).contrast for each in cues]
    assert all(0 <= rank <= 1 for rank in ranks)
    assert one > other or ranks[0] <= ranks[1]

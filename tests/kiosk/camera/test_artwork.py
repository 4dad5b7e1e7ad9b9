"""The artwork's outline in real paintings' synthetic rooms, straightening, and the fingerprint of a picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.camera.artwork import CENTRE, CONVINCING, LONGEST_PICTURE, aspect_of, find_artwork, overlap, straighten
from kiosk.camera.fingerprint import likeness, take_fingerprint
from kiosk.camera.watching import LARGEST_GAP, LEAST_DETAIL
from tests.fixtures.exhibit.pinhole import Camera, corners
from tests.fixtures.exhibit.rooms import CONDITIONS, View, hang_another, make_room, make_view, outline_of
from tests.fixtures.exhibit.rooms import overlap as overlap_in_pixels

SMALL, FULL = (640, 360), (1280, 720)


def agreement(view: View, frame) -> tuple[float, bool]:
    """Overlap of what is found with the hung object or its canvas, whichever is nearer, and whether it convinces."""
    found = find_artwork(frame)
    if found is None:
        return 0.0, False
    corners_found = np.array(found.outline) * (view.room.camera.width, view.room.camera.height)
    nearest = max(overlap_in_pixels(corners_found, truth) for truth in (view.frame_outline, view.canvas_outline))
    return nearest, found.convincing


def survey(pictures, condition, count, size, seed):
    """Share of views with a right and convincing outline, and share with a wrong one."""
    results = []
    for number in range(count):
        rng = np.random.default_rng([seed, CONDITIONS.index(condition), number])
        view = make_view(pictures, rng, condition, size)
        results.append(agreement(view, view.shot(rng)))
    right = sum(nearest >= 0.85 and convincing for nearest, convincing in results)
    wrong = sum(nearest < 0.85 and convincing for nearest, convincing in results)
    median = float(np.median([nearest for nearest, _ in results]))
    print(f"{condition}: {right}/{count} right, {wrong}/{count} wrong, median overlap {median:.3f}")
    return right / count, wrong / count


def test_outlines_of_real_paintings_are_found_in_clean_views(paintings):
    right, wrong = survey(paintings, "clean", 30, SMALL, seed=100)
    assert right >= 0.9
    assert wrong <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize(("condition", "count", "least"), [
    ("clean", 200, 0.9), ("dim", 100, 0.85), ("glare", 100, 0.85), ("blur", 100, 0.85), ("hard", 100, 0.8),
])  # fmt: skip
def test_outlines_of_many_real_paintings_are_found(paintings, condition, count, least):
    right, wrong = survey(paintings, condition, count, FULL, seed=101)
    assert right >= least
    assert wrong <= 0.05


def test_outlines_are_found_in_rooms_with_the_example_pictures(examples):
    right, _ = survey(examples, "clean", 10, SMALL, seed=102)
    assert right >= 0.8


def test_bare_rooms_convince_of_nothing_that_holds_anything():
    """A door or a patch of sun may have an outline, but it is empty."""
    for number in range(15):
        rng = np.random.default_rng([103, number])
        frame = make_room(None, rng, 1.3, size=SMALL).empty().shot(rng)
        found = find_artwork(frame)
        if found is not None and found.convincing:
            assert take_fingerprint(frame, found.outline).detail < LEAST_DETAIL, f"room {number}"


@pytest.mark.parametrize("picture", [
    np.zeros((1, 1, 3), np.uint8), np.zeros((2, 3, 3), np.uint8), np.zeros((1, 500, 3), np.uint8),
    np.zeros((360, 640, 3), np.uint8), np.full((360, 640, 3), 255, np.uint8),
    np.random.default_rng(0).integers(0, 256, (360, 640, 3), np.uint8),
    np.tile((np.arange(640) // 20 % 2 * 255).astype(np.uint8)[None, :, None], (360, 1, 3)),
], ids=["dot", "crumb", "line", "dark", "white", "noise", "stripes"])  # fmt: skip
def test_frames_without_anything_give_nothing_convincing(picture):
    found = find_artwork(picture)
    assert found is None or not found.convincing
    assert 0 <= take_fingerprint(picture).detail <= 1
    assert straighten(picture, CENTRE).size > 0


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_any_frame_gives_an_outline_within_it_or_none(data):
    height, width = data.draw(st.integers(1, 200)), data.draw(st.integers(1, 200))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    picture = rng.integers(0, 256, (height, width, 3), np.uint8)
    for _ in range(data.draw(st.integers(0, 6))):
        x, y = np.sort(rng.integers(0, width, 2)), np.sort(rng.integers(0, height, 2))
        picture[y[0] : y[1] + 1, x[0] : x[1] + 1] = rng.integers(0, 256, 3)
    found = find_artwork(picture, smallest=0.01)
    if found is not None:
        assert all(0 <= value <= 1 for corner in found.outline for value in corner)
        assert 0 <= found.conviction <= 1
        assert 0 <= found.gap <= 1
        assert straighten(picture, found.outline).dtype == np.uint8


def test_whoever_stands_before_a_work_leaves_a_gap_in_its_outline(examples):
    gaps = []
    for number in range(6):
        rng = np.random.default_rng([104, number])
        view = make_view(examples, rng, size=SMALL)
        frame = view.shot(rng)
        whole = find_artwork(frame)
        assert whole is not None
        low, high = np.array(whole.outline).min(axis=0) * SMALL, np.array(whole.outline).max(axis=0) * SMALL
        middle, wide = (low[0] + high[0]) / 2, (high[0] - low[0]) / 5
        left, top = round(middle - wide), round((low[1] + high[1]) / 2)
        cv2.ellipse(frame, (round(middle), top), (round(wide), round(wide)), 0, 0, 360, (90, 60, 50), -1)
        frame[top:, left : round(middle + wide)] = (40, 50, 90)
        hidden = find_artwork(frame)
        gaps.append((whole.gap, 1.0 if hidden is None or hidden.conviction < CONVINCING else hidden.gap))
    assert all(before <= LARGEST_GAP for before, _ in gaps)
    assert all(after > LARGEST_GAP for _, after in gaps)


def test_a_region_says_which_of_two_works_is_meant():
    frame = np.full((360, 640, 3), 180, np.uint8)
    rng = np.random.default_rng(0)
    for left, right in ((60, 360), (430, 590)):
        frame[100:260, left:right] = 20
        frame[106:254, left + 6 : right - 6] = cv2.resize(
            rng.integers(0, 256, (5, 8, 3), np.uint8), (right - left - 12, 148)
        )
    larger, smaller = (((x0 / 640, 100 / 360), (x1 / 640, 100 / 360), (x1 / 640, 260 / 360), (x0 / 640, 260 / 360))
                       for x0, x1 in ((60, 360), (430, 590)))  # fmt: skip
    free = find_artwork(frame)
    bound = find_artwork(frame, region=smaller)
    assert free is not None
    assert bound is not None
    assert overlap(free.outline, larger) > 0.9
    assert overlap(bound.outline, smaller) > 0.9
    elsewhere = find_artwork(frame, region=((0, 0), (0.08, 0), (0.08, 0.2), (0, 0.2)))
    assert elsewhere is None


@given(
    aspect=st.floats(0.4, 2.5),
    yaw=st.floats(-35, 35),
    pitch=st.floats(-15, 15),
    roll=st.floats(-5, 5),
    field=st.floats(45, 80),
)
@settings(max_examples=200, deadline=None)
def test_the_shape_of_a_rectangle_is_known_from_any_side(aspect, yaw, pitch, roll, field):
    wide, tall = (1.6, 1.6 / aspect) if aspect > 1 else (1.6 * aspect, 1.6)
    reach = 4.0
    place = reach * np.array([np.sin(np.radians(yaw)), np.sin(np.radians(pitch)), np.cos(np.radians(yaw))])
    turn = [-yaw, np.degrees(np.arctan2(place[1], np.hypot(place[0], place[2]))), roll]
    camera = Camera(1280, 720, place, turn, field)
    seen = camera.project(corners((-wide / 2, tall / 2, wide / 2, -tall / 2)))
    # Where the perspective is too weak to tell the focal length, the sides are foreshortened by at most 1 / cos(35°).
    strong = abs(yaw) > 15 and abs(pitch) > 8
    assert aspect_of(seen, (640, 360)) == pytest.approx(aspect, rel=0.03 if strong else 0.25)


def test_straightening_shows_a_work_from_straight_ahead(examples):
    """The four quarters of a picture come out in their places and colours, however it was seen."""
    colours = [(200, 40, 40), (40, 180, 60), (40, 60, 200), (220, 210, 60)]
    picture = np.zeros((200, 300, 3), np.uint8)
    for quarter, colour in enumerate(colours):
        picture[100 * (quarter // 2) : 100 * (quarter // 2) + 100, 150 * (quarter % 2) : 150 * (quarter % 2) + 150] = (
            colour
        )
    for number in range(5):
        rng = np.random.default_rng([105, number])
        view = make_room(examples, rng, 1.5, size=FULL).hang(picture, rng)
        straight = straighten(view.shot(rng), outline_of(view, view.canvas_outline))
        height, width = straight.shape[:2]
        assert max(height, width) <= LONGEST_PICTURE
        assert width / height == pytest.approx(1.5, rel=0.1)
        light = straight[height // 8 :: height // 2, width // 8 :: width // 2].astype(float)  # a point in each quarter
        for seen, colour in zip(light[:2, :2].reshape(4, 3), colours, strict=True):
            direction = np.array(colour, float) / np.linalg.norm(colour)
            assert seen @ direction / np.linalg.norm(seen) > 0.9


def test_a_fingerprint_knows_a_picture_again_and_tells_what_is_hidden(examples):
    pairs: dict[str, list] = {"again": [], "brighter": [], "hidden": [], "other": []}
    for number in range(12):
        rng = np.random.default_rng([106, number])
        view = make_view(examples, rng, size=SMALL)
        outline = outline_of(view, view.frame_outline)
        first = take_fingerprint(view.shot(rng), outline)
        pairs["again"].append(likeness(first, take_fingerprint(view.shot(rng), outline)))
        pairs["brighter"].append(likeness(first, take_fingerprint(view.shot(rng, gain=rng.uniform(0.4, 1.3)), outline)))
        frame = view.shot(rng)
        low, high = np.array(outline).min(axis=0) * SMALL, np.array(outline).max(axis=0) * SMALL
        frame[:, round(low[0]) : round((low[0] + high[0]) / 2)] = rng.integers(0, 255, 3)
        pairs["hidden"].append(likeness(first, take_fingerprint(frame, outline)))
        other = hang_another(view, examples, rng).shot(rng)
        pairs["other"].append(likeness(first, take_fingerprint(other, outline)))
    assert min(pairs["again"]) > 0.9
    assert min(pairs["brighter"]) > 0.6
    assert 0.25 < np.median(pairs["hidden"]) < 0.7
    assert max(pairs["other"]) <= 0.3

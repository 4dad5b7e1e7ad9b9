"""Finding an artwork in a camera's frame, and straightening it.

A framed work or a canvas is a quadrilateral with an edge under all four sides that ends at its corners, with a wall
around it that looks much the same on every side. Candidates are all quadrilaterals between two upright and two level
lines of the frame; each is judged by a logistic function of what lies along its sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.camera.straight_edges import Frame, Lines, edge_along, find_segments, reduce_frame, upright_lines
from kiosk.shared.messages import Outline

CENTRE: Outline = ((0.15, 0.1), (0.85, 0.1), (0.85, 0.9), (0.15, 0.9))
"""What is taken for the artwork where nothing is found and no region is known."""

CONVINCING = 0.5
"""Conviction from which on a quadrilateral is taken for an artwork."""

LONGEST_PICTURE = 640
"""Pixels: the longest side of a straightened picture."""

FEATURES = (
    "edge", "weakest edge", "overshoot", "worst overshoot", "unrest", "worst unrest", "change", "difference", "size",
)  # fmt: skip
"""What a quadrilateral is judged by; see ``_features``."""

_WEIGHTS = np.array([28.185, -4.128, 0.658, -1.639, 0.019, -0.035, -0.032, -0.010, 1.246])
_BIAS = -19.9
_LARGEST = 0.97  # share of the frame
_TRIED = 100  # of the most convincing quadrilaterals, where one of a certain place is wanted
_IN_REGION, _AGAIN = 0.5, 0.9  # overlaps
_MUCH_LESS = 0.6  # times the conviction of the best
_WEAKEST_EDGE, _WEAKEST_EDGES = 0.35, 0.6


@dataclass(frozen=True)
class Finding:
    """A quadrilateral that may be an artwork.

    Attributes:
        outline: its corners.
        conviction: how surely it is an artwork, 0 to 1.
        gap: the longest stretch without an edge on any of its sides, as a share of that side. Whoever stands in front
            of a work hides a part of its lower edge at least.
    """

    outline: Outline
    conviction: float
    gap: float

    @property
    def convincing(self) -> bool:
        """Whether it is taken for an artwork."""
        return self.conviction >= CONVINCING


def find_artwork(
    picture: NDArray[np.uint8],
    smallest: float = 0.05,
    region: Outline | None = None,
    last: Outline | None = None,
) -> Finding | None:
    """The most convincing quadrilateral of a frame.

    Args:
        picture: RGB uint8 [H, W, 3].
        smallest: share of the frame that it fills at least.
        region: where the artwork is known to hang: quadrilaterals that overlap it by less than a half do not count.
        last: what was found before: it is found again unless another quadrilateral is much more convincing. So a
            frame and the canvas in it do not take turns.

    Returns:
        None where there is no such quadrilateral at all.
    """
    frame = reduce_frame(picture)
    found, features = candidates(frame, smallest)
    conviction = judge(features)
    choice: Finding | None = None
    for number in np.argsort(-conviction, kind="stable")[:_TRIED]:
        if choice is not None and (last is None or conviction[number] < _MUCH_LESS * choice.conviction):
            break
        x, y = np.clip(found[number] / frame.size[::-1], 0.0, 1.0).T.tolist()
        outline = ((x[0], y[0]), (x[1], y[1]), (x[2], y[2]), (x[3], y[3]))
        if region is not None and overlap(outline, region) < _IN_REGION:
            continue
        again = last is not None and overlap(outline, last) >= _AGAIN
        if choice is None or again:
            choice = Finding(outline, float(conviction[number]), _longest_gap(frame, found[number]))
        if again:
            break
    return choice


def overlap(first: Outline, second: Outline) -> float:
    """Intersection over union of two outlines, 0 to 1."""
    one, other = np.array(first, np.float32), np.array(second, np.float32)
    common, _ = cv2.intersectConvexConvex(one, other)
    both = cv2.contourArea(one) + cv2.contourArea(other) - common
    return float(common / both) if both > 0 else 0.0


def judge(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Conviction 0 to 1 of quadrilaterals with these features [N, F].

    The weights are those of a logistic regression on synthetic rooms (``tools/fit_finder.py``).
    """
    return np.asarray(1 / (1 + np.exp(-(features @ _WEIGHTS + _BIAS))))


def candidates(frame: Frame, smallest: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Quadrilaterals whose sides have edges under them.

    Returns:
        corners [N, 4, 2] in pixels of the reduced frame, clockwise from the upper left one; features [N, F].
    """
    none = np.zeros((0, 4, 2)), np.zeros((0, len(FEATURES)))
    segments = find_segments(frame)
    if not len(segments):
        return none
    upright = upright_lines(frame, segments)
    level = upright_lines(frame.transposed, segments[:, [1, 0, 3, 2]])
    height, width = frame.size
    # Where upright line i meets level line j: y = start + slope * x and x = start + slope * y.
    y = (level.start + level.slope * upright.start[:, None]) / (1 - level.slope * upright.slope[:, None])
    x = upright.start[:, None] + upright.slope[:, None] * y
    left, right = _pairs(upright, height, 0.06 * width)
    top, bottom = _pairs(level, width, 0.08 * height)
    if not len(left) or not len(top):
        return none
    beside = _Sides.along(upright, y[:, top], y[:, bottom])  # [uprights, level pairs]
    above = _Sides.along(level, x[left].T, x[right].T)  # [levels, upright pairs]

    edges = np.stack([above.edge[top].T, beside.edge[right], above.edge[bottom].T, beside.edge[left]])
    of_sides, of_levels = np.nonzero((edges.min(axis=0) > _WEAKEST_EDGE) & (edges.mean(axis=0) > _WEAKEST_EDGES))
    left, right, top, bottom = left[of_sides], right[of_sides], top[of_levels], bottom[of_levels]
    meetings = ((left, top), (right, top), (right, bottom), (left, bottom))
    corners = np.stack([np.stack([x[each], y[each]], axis=1) for each in meetings], axis=1)
    sound = np.flatnonzero(_plausible(corners, frame.size, smallest))
    if not len(sound):
        return none
    corners, of_sides, of_levels = corners[sound], of_sides[sound], of_levels[sound]
    sides = _Sides.stack(
        [
            above.pick(top[sound], of_sides, outside=0),
            beside.pick(right[sound], of_levels, outside=1),
            above.pick(bottom[sound], of_sides, outside=1),
            beside.pick(left[sound], of_levels, outside=0),
        ]
    )
    return corners, _features(sides, _areas(corners) / (height * width))


@dataclass(frozen=True)
class _Sides:
    """What lies along pieces of lines.

    Attributes:
        edge: share of the piece with an edge under it.
        overshoot: share with an edge in the stretch beyond each of its ends, the mean of both.
        worst: the larger of both.
        colour: mean colour on its two sides, [2, ..., 3].
        unrest: standard deviation of the colour along its two sides, [2, ...].
        change: mean difference between the colour near the piece and further away, [2, ...].
    """

    edge: NDArray[np.float64]
    overshoot: NDArray[np.float64]
    worst: NDArray[np.float64]
    colour: NDArray[np.float64]
    unrest: NDArray[np.float64]
    change: NDArray[np.float64]

    @staticmethod
    def along(lines: Lines, first: NDArray[np.float64], last: NDArray[np.float64]) -> _Sides:
        """The pieces of each line from ``first`` to ``last`` [N, P] along it, in pixels."""
        end = lines.edge.shape[1] - 1
        row = np.arange(len(lines))[:, None]
        low = np.clip(np.rint(first), 0, end).astype(np.intp)
        high = np.clip(np.rint(last), 0, end).astype(np.intp)
        length = np.maximum(high - low, 1)
        beyond = np.maximum(8, (0.15 * length).astype(np.intp))

        def edges(begin: NDArray[np.intp], stop: NDArray[np.intp]) -> NDArray[np.float64]:
            return lines.edge[row, np.clip(stop, 0, end)] - lines.edge[row, np.clip(begin, 0, end)]

        before, after = edges(low - 4 - beyond, low - 4) / beyond, edges(high + 4, high + 4 + beyond) / beyond
        colour = (lines.colour[:, row, high] - lines.colour[:, row, low]) / length[..., None]
        square = (lines.square[:, row, high] - lines.square[:, row, low]) / length
        return _Sides(
            edge=edges(low, high) / length,
            overshoot=(before + after) / 2,
            worst=np.maximum(before, after),
            colour=colour,
            unrest=np.sqrt(np.maximum(square - (colour**2).sum(axis=-1), 0)),
            change=(lines.change[:, row, high] - lines.change[:, row, low]) / length,
        )

    def pick(self, line: NDArray[np.intp], pair: NDArray[np.intp], outside: int) -> _Sides:
        """The pieces ``pair`` of the lines ``line``, with what lies on one of their sides alone."""
        return _Sides(
            self.edge[line, pair],
            self.overshoot[line, pair],
            self.worst[line, pair],
            self.colour[outside, line, pair],
            self.unrest[outside, line, pair],
            self.change[outside, line, pair],
        )

    @staticmethod
    def stack(sides: list[_Sides]) -> _Sides:
        """The four sides of quadrilaterals together: ``edge`` becomes [4, N], ``colour`` [4, N, 3]."""
        return _Sides(
            np.stack([side.edge for side in sides]),
            np.stack([side.overshoot for side in sides]),
            np.stack([side.worst for side in sides]),
            np.stack([side.colour for side in sides]),
            np.stack([side.unrest for side in sides]),
            np.stack([side.change for side in sides]),
        )


def _features(sides: _Sides, area: NDArray[np.float64]) -> NDArray[np.float64]:
    """What quadrilaterals are judged by, [N, F] in the order of ``FEATURES``.

    Edges are shares of a side. Unrest is how much the surroundings vary along a side, change how much they vary away
    from it, difference how much the surroundings of one side differ from those of the others (all in grey values);
    size is the logarithm of ten times the share of the frame.
    """
    usual = np.median(sides.colour, axis=0)
    columns = (
        sides.edge.mean(axis=0),
        sides.edge.min(axis=0),
        sides.overshoot.mean(axis=0),
        sides.worst.max(axis=0),
        np.minimum(sides.unrest.mean(axis=0), 40),
        np.minimum(sides.unrest.max(axis=0), 80),
        np.minimum(sides.change.mean(axis=0), 30),
        np.minimum(np.abs(sides.colour - usual).sum(axis=2).max(axis=0), 80),
        np.log(10 * area),
    )
    return np.stack(columns, axis=1)


def _pairs(lines: Lines, length: int, apart: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of lines at least ``apart`` pixels from each other half way down, the left one first."""
    middle = lines.start + lines.slope * length / 2
    first, second = np.triu_indices(len(lines), 1)
    swap = middle[first] > middle[second]
    first, second = np.where(swap, second, first), np.where(swap, first, second)
    wide = middle[second] - middle[first] > apart
    return first[wide], second[wide]


def _plausible(corners: NDArray[np.float64], size: tuple[int, int], smallest: float) -> NDArray[np.bool_]:
    """Whether quadrilaterals [..., 4, 2] lie in the frame, are large enough, and look like seen rectangles."""
    height, width = size
    x, y = corners[..., 0], corners[..., 1]
    inside = (x.min(axis=-1) > -1) & (x.max(axis=-1) < width) & (y.min(axis=-1) > -1) & (y.max(axis=-1) < height)
    share = _areas(corners) / (height * width)
    top, bottom = x[..., 1] - x[..., 0], x[..., 2] - x[..., 3]
    left, right = y[..., 3] - y[..., 0], y[..., 2] - y[..., 1]
    even = (np.minimum(top, bottom) > 0.55 * np.maximum(top, bottom)) & (
        np.minimum(left, right) > 0.55 * np.maximum(left, right)
    )
    return np.asarray(inside & even & (share > smallest) & (share < _LARGEST))


def _areas(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Areas of quadrilaterals [..., 4, 2], by the shoelace formula."""
    x, y = corners[..., 0], corners[..., 1]
    return np.asarray(np.abs((x * np.roll(y, -1, axis=-1) - y * np.roll(x, -1, axis=-1)).sum(axis=-1)) / 2)


def _longest_gap(frame: Frame, corners: NDArray[np.float64]) -> float:
    """See ``Finding.gap``."""
    longest = 0.0
    for first, last in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        edge = edge_along(frame, first, last)
        ends = np.flatnonzero(np.concatenate([[True], edge, [True]]))
        longest = max(longest, float(np.diff(ends).max() - 1) / len(edge))
    return longest


def straighten(picture: NDArray[np.uint8], outline: Outline) -> NDArray[np.uint8]:
    """The inside of an outline as it looks from straight ahead.

    Args:
        picture: RGB uint8 [H, W, 3].
        outline: in it.

    Returns:
        RGB uint8, at most ``LONGEST_PICTURE`` pixels long, and not longer than it is in the frame.
    """
    height, width = picture.shape[:2]
    corners = np.array(outline) * (width, height)
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    aspect = aspect_of(corners, (width / 2, height / 2))
    long = float(min(LONGEST_PICTURE, max(sides)))
    size = (long, long / aspect) if aspect > 1 else (long * aspect, long)
    wide, tall = (max(1, round(side)) for side in size)
    target = np.array([(0, 0), (wide, 0), (wide, tall), (0, tall)], np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform((corners - 0.5).astype(np.float32), target)
    shrink = max(sides) / long
    if shrink > 1.5:  # fewer pixels than there are: an average first, so that fine detail does not flicker
        picture = cv2.GaussianBlur(picture, (0, 0), 0.4 * shrink).astype(np.uint8)
    straight = cv2.warpPerspective(picture, matrix, (wide, tall), borderMode=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(straight, np.uint8)


def aspect_of(corners: NDArray[np.float64], middle: tuple[float, float]) -> float:
    """Width by height of the rectangle that a camera with square pixels sees as a quadrilateral.

    Zhang and He (2007, Digital Signal Processing 17:414, "Whiteboard scanning and image enhancement"), equations 11
    to 20. Where two sides are so parallel that the focal length cannot be told, the ratio of the mean sides is taken.

    Args:
        corners: [4, 2] in pixels, clockwise from the upper left one.
        middle: the point on the optical axis, in pixels.

    Returns:
        within [0.2, 5].
    """
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    plain = float((sides[0] + sides[2]) / max(sides[1] + sides[3], 1e-9))
    m1, m2, m4, m3 = np.column_stack([corners - middle, np.ones(4)])  # upper left, upper right, lower right, lower left
    k2 = np.dot(np.cross(m1, m4), m3) / np.dot(np.cross(m2, m4), m3)
    k3 = np.dot(np.cross(m1, m4), m2) / np.dot(np.cross(m3, m4), m2)
    n2, n3 = k2 * m2 - m1, k3 * m3 - m1
    aspect = plain
    if abs(n2[2]) > 0.02 and abs(n3[2]) > 0.02:
        focal = -(n2[0] * n3[0] + n2[1] * n3[1]) / (n2[2] * n3[2])  # squared
        longest = float(np.max(np.abs(corners - middle)))
        if 0.3 * longest**2 < focal < 100 * longest**2:
            scale = np.array([1 / focal, 1 / focal, 1.0])
            aspect = float(np.sqrt((n2**2 * scale).sum() / (n3**2 * scale).sum()))
    return float(np.clip(aspect, 0.2, 5.0))

"""Straight edges of a camera's frame, and what lies along them.

Edges are searched as line segments (von Gioi et al. 2012, LSD, IPOL 2:35, as OpenCV has it) in lightness and in
colour, joined into lines that run through the whole frame, and measured again along each line: where it has an edge
under it, and what the frame looks like on its two sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

LONGEST_SIDE = 480
"""Pixels of the reduced frame. More costs more time and finds no more (the tests' synthetic rooms)."""

LINES = 20
"""Lines kept in each direction, those with most edge under them."""

_STEEPEST = 0.7  # tangent of the angle to the upright or level direction
_SHORTEST = 10  # pixels of a segment
_SEEDS = 32
_SEGMENTS = 200
_NEAR = 2.0  # pixels within which segments lie on one line
_SIDE_STEPS = (4.0, 8.0)  # pixels from a line at which its sides are looked at
_CHROMA = 2.0  # weight of colour beside lightness: it differs less between things
_WEIGHTED = np.array([[1, 0, 0, 0], [0, _CHROMA, 0, -128 * _CHROMA], [0, 0, _CHROMA, -128 * _CHROMA]], np.float32)


@dataclass(frozen=True)
class Frame:
    """A reduced frame, evenly lit and without the worst noise.

    Attributes:
        lab: lightness and colour, float32 [H, W, 3]: CIELAB in OpenCV's 8-bit scale, the colours around 0 and weighted.
        tensor: products of the gradient's components (xx, xy, yy) summed over lightness and colour, float32
            [H, W, 3], grey values squared per pixel squared.
        weakest: gradient (grey values per pixel) from which on something is an edge.
    """

    lab: NDArray[np.float32]
    tensor: NDArray[np.float32]
    weakest: float

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.lab.shape[0], self.lab.shape[1]

    @cached_property
    def transposed(self) -> Frame:
        """The frame with rows and columns exchanged."""
        across, both, down = cv2.split(cv2.transpose(self.tensor))
        tensor = cv2.merge([down, both, across]).astype(np.float32, copy=False)
        return Frame(cv2.transpose(self.lab).astype(np.float32, copy=False), tensor, self.weakest)


@dataclass(frozen=True)
class Lines:
    """Upright lines x = start + slope * y of a frame [H, W], each with sums along y from 0 to H.

    Attributes:
        start, slope: float64 [N].
        edge: how many rows above y have an edge under the line, [N, H + 1].
        colour: sums of the colour on the left and the right side, [2, N, H + 1, 3].
        square: sums of its squared length, [2, N, H + 1].
        change: sums of the difference between colours near the line and further away, [2, N, H + 1].
    """

    start: NDArray[np.float64]
    slope: NDArray[np.float64]
    edge: NDArray[np.float64]
    colour: NDArray[np.float64]
    square: NDArray[np.float64]
    change: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.start)


def reduce_frame(picture: NDArray[np.uint8]) -> Frame:
    """Prepares a frame, RGB uint8 [H, W, 3], for the search."""
    picture = _shrunk(picture)
    bright = float(np.percentile(picture[::4, ::4], 99))
    gain = float(np.clip(235 / max(bright, 1), 1, 8))
    if gain > 1:
        picture = cv2.convertScaleAbs(picture, alpha=gain).astype(np.uint8, copy=False)
    noise = _noise(picture[..., 1])
    blur = float(np.clip(0.8 + 0.3 * (noise - 2), 0.8, 2.2))
    lab = cv2.transform(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.float32), _WEIGHTED)
    lab = cv2.GaussianBlur(lab, (0, 0), blur)
    across = cv2.Sobel(lab, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(lab, cv2.CV_32F, 0, 1, scale=1 / 8)
    total = np.ones((1, 3), np.float32)
    products = (cv2.multiply(across, across), cv2.multiply(across, down), cv2.multiply(down, down))
    tensor = cv2.merge([cv2.transform(product, total) for product in products])
    usual = float(np.sqrt(np.median(tensor[::3, ::3, 0] + tensor[::3, ::3, 2])))
    weakest = float(np.clip(2.2 * usual, 1.2, 3.5))
    return Frame(lab.astype(np.float32, copy=False), tensor.astype(np.float32, copy=False), weakest)


def upright_lines(frame: Frame, segments: NDArray[np.float64]) -> Lines:
    """The best upright lines of a frame.

    Args:
        frame: to be searched; transposed for level lines.
        segments: x0, y0, x1, y1 of segments in any direction, [N, 4].
    """
    start, slope = _joined(segments)
    y = np.arange(frame.size[0], dtype=np.float32)
    x = (start[:, None] + slope[:, None] * y).astype(np.float32)
    y = np.broadcast_to(y, x.shape)
    edge = _edge(frame, x, y, slope.astype(np.float32)[:, None])
    best = np.argsort(-edge.sum(axis=1), kind="stable")[:LINES]
    best = best[edge[best].sum(axis=1) >= 2 * _SHORTEST]
    start, slope, x, y = start[best], slope[best], x[best], y[best]
    normal = 1 / np.sqrt(1 + slope.astype(np.float32)[:, None] ** 2)
    colours, squares, changes = [], [], []
    for side in (-1, 1):
        near, far = (
            _sampled(frame.lab, x + side * step * normal, y - side * step * normal * slope.astype(np.float32)[:, None])
            for step in _SIDE_STEPS
        )
        colour = (near + far) / 2
        colours.append(_sums(colour))
        squares.append(_sums((colour**2).sum(axis=2)))
        changes.append(_sums(np.abs(near - far).sum(axis=2)))
    return Lines(start, slope, _sums(edge[best]), np.stack(colours), np.stack(squares), np.stack(changes))


def find_segments(frame: Frame) -> NDArray[np.float64]:
    """Line segments in lightness and in the colour that varies most: x0, y0, x1, y1 in pixels, [N, 4]."""
    light, *chroma = cv2.split(frame.lab)
    # The direction in which colours differ most, from their covariance.
    a, b = (plane[::4, ::4] - plane[::4, ::4].mean() for plane in chroma)
    angle = 0.5 * np.arctan2(2 * float((a * b).mean()), float((a * a).mean() - (b * b).mean()))
    colour = chroma[0] * np.float32(np.cos(angle)) + chroma[1] * np.float32(np.sin(angle))
    detector = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD)
    found = []
    for plane in (light, colour + np.float32(128)):
        segments = detector.detect(np.clip(plane, 0, 255).astype(np.uint8))[0]
        if segments is not None:
            found.append(segments.reshape(-1, 4))
    return np.concatenate(found).astype(np.float64) if found else np.zeros((0, 4))


def edge_along(frame: Frame, first: NDArray[np.float64], last: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where the straight way between two points (x, y in pixels) of a frame has an edge under it, one entry a pixel."""
    way = last - first
    if abs(way[0]) > abs(way[1]):
        return edge_along(frame.transposed, first[::-1], last[::-1])
    count = max(2, round(abs(way[1])))
    points = first + (way * np.linspace(0, 1, count)[:, None])
    slope = np.float32(way[0] / way[1]) if way[1] else np.float32(0)
    x, y = points.T.astype(np.float32)
    return np.asarray(_edge(frame, x[None], y[None], np.full((1, 1), slope))[0])


def _noise(grey: NDArray[np.uint8]) -> float:
    """Standard deviation of the noise of a picture [H, W], in grey values.

    After Immerkaer (1996, CVIU 64:300), with the median in place of the mean.
    """
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    answer = cv2.filter2D(np.ascontiguousarray(grey), cv2.CV_32F, kernel)
    return float(np.median(np.abs(answer[::2, ::2]))) / 0.6745 / 6


def _shrunk(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture with its longest side at ``LONGEST_SIDE`` pixels at most."""
    factor = max(picture.shape[:2]) // LONGEST_SIDE
    if factor > 1:  # a whole number first: OpenCV averages such areas twenty times as fast as others
        size = (picture.shape[1] // factor, picture.shape[0] // factor)
        cut = picture[: size[1] * factor, : size[0] * factor]
        picture = cv2.resize(cut, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    scale = LONGEST_SIDE / max(picture.shape[:2])
    if scale < 1:
        size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    return picture


def _joined(segments: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Starts and slopes of upright lines through segments that lie on one line, the longest first."""
    across, down = segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1]
    length = np.abs(down)
    upright = np.flatnonzero((np.abs(across) <= _STEEPEST * length) & (length >= _SHORTEST))
    upright = upright[np.argsort(-length[upright], kind="stable")][:_SEGMENTS]
    x0, y0, x1, y1 = segments[upright].T
    length = length[upright]
    slopes = (x1 - x0) / (y1 - y0)
    x, y, weight = np.stack([x0, x1]), np.stack([y0, y1]), length
    free = np.ones(len(upright), bool)
    lines: list[tuple[float, float]] = []
    while len(lines) < _SEEDS and free.any():
        seed = int(np.argmax(free))
        slope, start = slopes[seed], x0[seed] - slopes[seed] * y0[seed]
        for _ in range(2):
            near = free & (np.abs(x - start - slope * y).max(axis=0) < _NEAR) & (np.abs(slopes - slope) < 0.12)
            near[seed] = True
            part, at, to = weight[near], y[:, near], x[:, near]
            middle, place = (part * at).sum() / (2 * part.sum()), (part * to).sum() / (2 * part.sum())
            slope = (part * (at - middle) * (to - place)).sum() / (part * (at - middle) ** 2).sum()
            start = place - slope * middle
        free &= ~near
        lines.append((float(start), float(slope)))
    starts, tangents = np.array(lines, np.float64).reshape(-1, 2).T
    return starts, tangents


def _edge(
    frame: Frame, x: NDArray[np.float32], y: NDArray[np.float32], slope: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Whether the points x, y [N, M] of upright lines have an edge along the line within 1.5 pixels."""
    cosine = (1 / np.sqrt(1 + slope**2)).astype(np.float32, copy=False)
    sine = -slope * cosine
    found = np.zeros(x.shape, bool)
    for step in np.array((-1.5, -0.5, 0.5, 1.5), np.float32):
        tensor = _sampled(frame.tensor, x + step * cosine, y + step * sine)
        across = tensor[..., 0] * cosine**2 + 2 * tensor[..., 1] * cosine * sine + tensor[..., 2] * sine**2
        along = tensor[..., 0] + tensor[..., 2] - across
        found |= (across > frame.weakest**2) & (across > 3 * along)
    return np.asarray(found & (x >= 0) & (x <= frame.size[1] - 1))


def _sampled(plane: NDArray[np.float32], x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values of a plane [H, W, 3] at the points x, y [N, M]: [N, M, 3]; beyond its border those at the border."""
    if not x.size:
        return np.zeros((*x.shape, plane.shape[2]), np.float32)
    values = cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return values.astype(np.float32, copy=False)


def _sums(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Running sums along axis 1 with a 0 before: [N, M + 1, ...]."""
    sums = np.zeros((values.shape[0], values.shape[1] + 1, *values.shape[2:]))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums

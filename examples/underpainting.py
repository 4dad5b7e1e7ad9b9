"""Tools for an underpainting: gradients, clouds of noise, silhouettes and light on one board.

Coordinates are in units of the picture's height: x runs from 0 to the aspect ratio, y from 0 (top) to 1.
The same scene therefore comes out at any size. Colours are "#rrggbb" or arrays of RGB in [0, 1].
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating[Any]]
Colour = str | Array
Points = Sequence[tuple[float, float] | Array] | Array

_SUBPIXEL = 4  # fractional bits of the coordinates given to OpenCV


@dataclass(frozen=True)
class Touch:
    """One deliberate stroke on top of the rendering: a path [N, 2] and a radius in picture heights."""

    path: Array
    radius: float
    colour: Array


def rgb(colour: Colour) -> Array:
    """The colour as float32 RGB in [0, 1]."""
    if isinstance(colour, str):
        return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)], np.float32)
    return colour


def mix(a: Colour, b: Colour, share: float) -> Array:
    """`share` of b in a."""
    return ((1 - share) * rgb(a) + share * rgb(b)).astype(np.float32)


def ramp(values: Array | float, stops: Sequence[tuple[float, str]]) -> Array:
    """A gradient: the scalar field [...] looked up in (position, colour) stops, giving [..., 3]."""
    places = [place for place, _ in stops]
    colours = np.stack([rgb(colour) for _, colour in stops])
    return np.stack([np.interp(values, places, colours[:, c]) for c in range(3)], axis=-1).astype(np.float32)


def step(low: float, high: float, values: ArrayLike) -> Array:
    """Smooth step from 0 at `low` to 1 at `high`."""
    t = np.clip((np.asarray(values, np.float32) - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def curve(points: Points, closed: bool = False, per_span: int = 8) -> Array:
    """A Catmull-Rom spline through the points, as a dense path [M, 2]."""
    p = np.asarray(points, np.float32)
    p = np.vstack([p[-1:], p, p[:2]]) if closed else np.vstack([p[:1], p, p[-1:]])
    t = np.linspace(0, 1, per_span, endpoint=False, dtype=np.float32)[None, :, None]
    a, b, c, d = (p[i : len(p) - 3 + i, None, :] for i in range(4))
    dense = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    dense = dense.reshape(-1, 2)
    return np.asarray(dense if closed else np.vstack([dense, p[-1:]]), np.float32)


@dataclass
class Board:
    """The picture in the making [H, W, 3], the flow its strokes should follow and how much detail it wants."""

    width: int
    height: int
    seed: int
    touches: list[Touch] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        shape = (self.height, self.width)
        rows, columns = np.mgrid[: self.height, : self.width].astype(np.float32)
        self.x: Array = (columns + 0.5) / self.height
        self.y: Array = (rows + 0.5) / self.height
        self.aspect = self.width / self.height
        self.picture: Array = np.zeros((*shape, 3), np.float32)
        self.flow_angle: Array = np.zeros(shape, np.float32)
        self.flow_weight: Array = np.zeros(shape, np.float32)
        self.detail: Array = np.full(shape, 0.3, np.float32)

    def noise(self, scale_x: float, scale_y: float | None = None, octaves: int = 4) -> Array:
        """Fractal noise [H, W], about [-1, 1]; the scales are the sizes of its largest forms."""
        total = np.zeros((self.height, self.width), np.float32)
        for octave in range(octaves):
            rows = int(np.ceil(2**octave / (scale_y or scale_x))) + 3
            columns = int(np.ceil(self.aspect * 2**octave / scale_x)) + 3
            lattice = self.rng.standard_normal((rows, columns)).astype(np.float32)
            smooth = cv2.resize(lattice, (self.width, self.height), interpolation=cv2.INTER_CUBIC)
            total += smooth * 0.5 ** (octave + 0.8)
        return total

    def line_noise(self, scale: float, octaves: int = 4) -> Array:
        """Fractal noise [W] along x, for ridges and crests."""
        columns = np.arange(self.width) / self.height
        total = np.zeros(self.width)
        for octave in range(octaves):
            size = scale / 2**octave
            knots = self.rng.standard_normal(int(self.aspect / size) + 4)
            place = columns / size
            base = place.astype(int)
            t = place - base
            t = t * t * (3 - 2 * t)
            total += (knots[base] * (1 - t) + knots[base + 1] * t) * 0.5 ** (octave + 0.8)
        return total.astype(np.float32)

    def lay(self, mask: Array | float, colour: Colour) -> None:
        """Glaze a colour (or a picture [H, W, 3]) over the board through the mask [H, W] in [0, 1]."""
        cover = np.asarray(mask, np.float32)[..., None]
        self.picture += (rgb(colour) - self.picture) * cover

    def light(self, mask: Array, colour: Colour, strength: float = 1.0) -> None:
        """Add light as a screen: bright stays below white."""
        added = np.clip(np.asarray(mask, np.float32)[..., None] * strength, 0, 1) * rgb(colour)
        self.picture = (1 - (1 - self.picture) * (1 - added)).astype(np.float32)

    def glow(self, x: float, y: float, radius: float, colour: Colour, strength: float = 1.0, tall: float = 1.0) -> None:
        """A halo that falls off like a Gaussian; `tall` stretches it upright."""
        away = ((self.x - x) ** 2 + ((self.y - y) / tall) ** 2) / radius**2
        self.light(np.exp(-away), colour, strength)

    def shape(
        self,
        points: Points,
        colour: Colour,
        below: Colour | None = None,
        opacity: float = 1.0,
        soft: float = 0.0,
        smooth: bool = False,
        detail: float | None = None,
    ) -> None:
        """Fill an outline; `below` is the colour at its foot, `soft` its blur, `smooth` rounds the corners."""
        path = (curve(points, closed=True) if smooth else np.asarray(points, np.float32)) * self.height
        blur = soft * self.height
        margin = int(3 * blur) + 2
        left, top = np.maximum(np.floor(path.min(0)).astype(int) - margin, 0)
        right, bottom = np.minimum(np.ceil(path.max(0)).astype(int) + margin, (self.width, self.height))
        if right <= left or bottom <= top:
            return
        stencil = np.zeros((bottom - top, right - left), np.uint8)
        fixed = np.round((path - (left, top)) * 2**_SUBPIXEL).astype(np.int32)
        cv2.fillPoly(stencil, [fixed], 255, cv2.LINE_AA, _SUBPIXEL)
        mask = stencil.astype(np.float32) * (opacity / 255)
        if blur > 0.3:
            mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), blur), np.float32)
        paint: Array = rgb(colour)
        if below is not None:
            share = step(float(path[:, 1].min()), float(path[:, 1].max()) + 1e-3, np.arange(top, bottom))
            paint = paint + (rgb(below) - paint) * share[:, None, None]
        area = self.picture[top:bottom, left:right]
        area += (paint - area) * mask[..., None]
        if detail is not None:
            wanted = self.detail[top:bottom, left:right]
            np.maximum(wanted, mask * detail, out=wanted)

    def orient(self, mask: ArrayLike, angle: ArrayLike, weight: float) -> None:
        """Let strokes follow `angle` (radians, y down) where the mask is, against the picture's own edges."""
        where = np.asarray(mask, np.float32) > 0.5
        self.flow_angle = np.where(where, np.asarray(angle, np.float32), self.flow_angle)
        self.flow_weight = np.where(where, np.float32(weight), self.flow_weight)

    def touch(self, path: Points, radius: float, colour: Colour) -> None:
        """Keep one deliberate stroke for the end."""
        self.touches.append(Touch(np.asarray(path, np.float32), radius, rgb(colour)))

"""Synthetic rooms: real paintings hung on walls and looked at through a camera, with the true outlines known.

A room is a wall with a floor in metres, a painting with or without frame and mount, and a pinhole camera with a
little lens distortion, noise and JPEG artefacts. What else is in the room (labels, doors, windows, rails, panels,
benches, other works), the light and the camera's place are drawn from a seed.

    python -m tests.kiosk.rooms OUT --condition glare --count 12

writes such views with their true outlines drawn in, to be looked at.
"""

from __future__ import annotations

import argparse
import csv
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from a2m_edge.pictures import read_picture
from tests.kiosk.furnishing import (
    WALL_HEIGHT,
    WALL_WIDTH,
    bare_wall,
    colour_between,
    foreground,
    framed,
    furnish,
    lamps,
    reflections,
)
from tests.kiosk.pinhole import Camera, corners

CONDITIONS = ("clean", "dim", "glare", "blur", "hard")
"""Ways to look at a room; ``hard`` is dim, glaring and blurred at once."""


EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
"""Pictures that are always there."""


class Examples:
    """The pictures of ``examples/``."""

    def __init__(self) -> None:
        self._pictures = [read_picture(path) for path in sorted(EXAMPLES.glob("*.jpg"))]

    def pick(self, rng: np.random.Generator) -> np.ndarray:
        """One at random, RGB uint8 [H, W, 3]."""
        picture = self._pictures[int(rng.integers(len(self._pictures)))]
        scale = 300 / max(picture.shape[:2])
        size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
        return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


class Paintings:
    """The pictures of ``paintings.zip`` without their black padding.

    Args:
        data: folder that holds ``paintings.zip`` and ``paintings.csv``.
    """

    def __init__(self, data: Path) -> None:
        with (data / "paintings.csv").open(newline="", encoding="utf-8") as table:
            rows = [row for row in csv.DictReader(table) if row["crop_note"] == "ok"]
        self._rows = [(row["file"], tuple(int(number) for number in row["crop"].split(","))) for row in rows]
        self._archive = zipfile.ZipFile(data / "paintings.zip")

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int):
        """RGB uint8 [H, W, 3], its longest side some 222 pixels."""
        name, (left, top, right, bottom) = self._rows[number]
        pixels = cv2.imdecode(np.frombuffer(self._archive.read(name), np.uint8), cv2.IMREAD_COLOR_RGB)
        assert pixels is not None, name
        return np.ascontiguousarray(pixels[top + 1 : bottom - 1, left + 1 : right - 1])

    def pick(self, rng: np.random.Generator):
        """One that is not too narrow, at random."""
        while True:
            picture = self[int(rng.integers(len(self)))]
            if 0.4 < picture.shape[1] / picture.shape[0] < 2.5:
                return picture


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two convex quadrilaterals [4, 2] in the same units."""
    first, second = np.asarray(first, np.float32), np.asarray(second, np.float32)
    common, _ = cv2.intersectConvexConvex(first, second)
    return float(common / max(cv2.contourArea(first) + cv2.contourArea(second) - common, 1e-9))


@dataclass(frozen=True)
class Room:
    """A wall and what looks at it, without a work.

    Attributes:
        camera: that looks at it.
        wall: the undistorted frame before any light, float32 [H, W, 3] in display values 0 to 1.
        lamps: factor on ``wall``, float32 [H, W, 1].
        box: left, top, right and bottom in metres of the place for a work.
        glare: whether the work hangs behind glass that reflects.
        light: factor on all light, 1 in daylight.
        blur: of the lens, standard deviation in pixels.
    """

    camera: Camera
    wall: np.ndarray
    lamps: np.ndarray
    box: tuple[float, float, float, float]
    glare: bool
    light: float
    blur: float

    def empty(self) -> View:
        """The room with nothing at the work's place."""
        place = self.camera.bent(self.camera.project(corners(self.box)))
        return View(self, self.camera.bend((self.wall * self.lamps).astype(np.float32)), place, place, None)

    def hang(self, painting: np.ndarray, rng: np.random.Generator) -> View:
        """The room with a painting (RGB uint8), fitted into the work's place; its frame is drawn from ``rng``."""
        left, top, right, bottom = self.box
        centre, middle = (left + right) / 2, (top + bottom) / 2
        sides = self.camera.project(corners(self.box))
        texture, border = framed(painting, rng, round(np.linalg.norm(np.roll(sides, 1, axis=0) - sides, axis=1).max()))
        tall, wide = texture.shape[:2]
        scale = min((right - left) / wide, (top - bottom) / tall)
        tall, wide, border = tall * scale / 2, wide * scale / 2, border * scale
        box = (centre - wide, middle + tall, centre + wide, middle - tall)
        inner = (box[0] + border, box[1] - border, box[2] - border, box[3] + border)
        seen = self.wall
        if rng.random() < 0.8:
            seen = self._shaded(seen, box, rng)
        seen = self.camera.lay(seen, texture, box) * self.lamps
        straight = self.camera.project(corners(box))
        if self.glare:
            seen = seen + reflections(straight, seen.shape[:2], rng)
        frame, canvas = (self.camera.bent(self.camera.project(corners(place))) for place in (box, inner))
        return View(self, self.camera.bend(seen.astype(np.float32)), frame, canvas, painting)

    def _shaded(self, seen, box, rng):
        """The wall with the shadow of a work at ``box``."""
        grow = 0.15
        drop, aside = rng.uniform(0.005, 0.04), rng.choice([-1, 1]) * rng.uniform(0.0, 0.03)
        mask: Any = np.zeros((160, 160), np.float32)
        left, top, right, bottom = box
        border = [round(160 * grow / (2 * grow + side)) for side in (right - left, top - bottom)]
        mask[border[1] : 160 - border[1], border[0] : 160 - border[0]] = rng.uniform(0.1, 0.5)
        mask = cv2.GaussianBlur(mask, (0, 0), rng.uniform(1, 5))
        place = (left - grow + aside, top + grow - drop, right + grow + aside, bottom - grow - drop)
        return self.camera.lay(seen, np.zeros((160, 160, 3), np.float32), place, mask)


@dataclass(frozen=True)
class View:
    """A room as its camera sees it, without people.

    Attributes:
        room: that is seen.
        radiance: what an ideal camera sees, float32 [H, W, 3] in display values 0 to 1.
        frame_outline, canvas_outline: true corners of the hung object and of its painted part, pixels [4, 2],
            clockwise from the upper left one.
        painting: what hangs, RGB uint8; None in an empty room.
    """

    room: Room
    radiance: np.ndarray
    frame_outline: np.ndarray
    canvas_outline: np.ndarray
    painting: np.ndarray | None

    def shot(self, rng: np.random.Generator, radiance: np.ndarray | None = None, gain: float = 1.0):
        """What the camera delivers: RGB uint8 [H, W, 3] with blur, noise and JPEG artefacts.

        Args:
            rng: draws the noise.
            radiance: another one than the empty room's, for example with people in it.
            gain: of the automatic exposure, around 1.
        """
        light: Any = self.radiance if radiance is None else radiance
        if self.room.blur > 0:
            light = cv2.GaussianBlur(light, (0, 0), self.room.blur)
        light = light * np.float32(self.room.light * gain)
        # Shot noise grows with the light, read noise does not; in the dark the sensor's gain lifts both.
        lift = min(1 / self.room.light, 6.0)
        spread = np.sqrt((2.5e-5 + 1.2e-4 * np.maximum(light, 0)) * lift)
        noisy = light + spread * rng.standard_normal(light.shape, np.float32)
        pixels = np.clip(noisy * 255, 0, 255).astype(np.uint8)
        _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 80])
        return cv2.imdecode(data, cv2.IMREAD_COLOR)


def make_view(
    paintings: Paintings | Examples,
    rng: np.random.Generator,
    condition: str = "clean",
    size: tuple[int, int] = (1280, 720),
) -> View:
    """A painting in a room; it fills at least 7 % of the frame and lies wholly in it.

    Args:
        paintings: where the work, and now and then another one beside it, is taken from.
        rng: everything that is not given is drawn from it.
        condition: one of ``CONDITIONS``.
        size: width and height of the camera's frame.
    """
    while True:
        painting = paintings.pick(rng)
        view = make_room(paintings, rng, painting.shape[1] / painting.shape[0], condition, size).hang(painting, rng)
        low, high = view.frame_outline.min(axis=0), view.frame_outline.max(axis=0)
        margin = 0.012 * size[0]
        inside = low.min() > margin and (high < np.array(size) - margin).all()
        if inside and cv2.contourArea(view.frame_outline.astype(np.float32)) > 0.07 * size[0] * size[1]:
            return view


def hang_another(view: View, paintings: Paintings | Examples, rng: np.random.Generator) -> View:
    """The same room with another picture in the same place."""
    while True:
        painting = paintings.pick(rng)
        if view.painting is None or painting.shape != view.painting.shape or (painting != view.painting).any():
            return view.room.hang(painting, rng)


def make_room(paintings, rng, aspect, condition="clean", size=(1280, 720)) -> Room:
    """A room with a place for a work of this aspect (width by height), and without other works where none are given."""
    width, height = size
    tall = rng.uniform(0.6, 1.5)
    tall = min(tall, 2.4 / aspect)
    wide = tall * aspect
    middle = max(rng.uniform(1.45, 1.65), tall / 2 + 0.4)
    box = (-wide / 2, middle + tall / 2, wide / 2, middle - tall / 2)

    # The camera is set up so that the work fills a good part of the frame, not always in its middle.
    field = rng.uniform(48, 78)
    share = rng.uniform(0.4, 0.85)
    reach = max(wide, tall * width / height) / share / (2 * np.tan(np.radians(field) / 2))
    yaw = rng.uniform(-30, 30)
    place = [np.sin(np.radians(yaw)) * reach, rng.uniform(1.1, 2.3), np.cos(np.radians(yaw)) * reach]
    pitch = np.degrees(np.arctan2(place[1] - middle, reach))
    turn = [-yaw + rng.uniform(-4, 4), pitch + rng.uniform(-4, 4), rng.uniform(-3, 3)]
    camera = Camera(width, height, place, turn, field, rng.choice([0.0, rng.uniform(-0.02, 0.05)]))

    seen = np.ones((height, width, 1), np.float32) * colour_between(rng, 0.7, 1.0, 0.03)  # a bright ceiling
    edge = camera.project([(-8, 0, 0), (8, 0, 0)])
    slope = (edge[1, 1] - edge[0, 1]) / (edge[1, 0] - edge[0, 0])
    horizon = edge[0, 1] + slope * (np.arange(width) - edge[0, 0])
    below = np.clip(np.arange(height)[:, None] - horizon[None], 0, 1).astype(np.float32)[..., None]
    seen = seen * (1 - below) + colour_between(rng, 0.15, 0.6, 0.2) * below
    wall = bare_wall(rng)
    furnish(wall, box, rng)
    seen = camera.lay(seen, wall, (-WALL_WIDTH / 2, WALL_HEIGHT, WALL_WIDTH / 2, 0))
    if paintings is not None and rng.random() < 0.25:  # a smaller work beside it
        texture, _ = framed(paintings.pick(rng), rng, 250)
        scale = rng.uniform(0.3, 0.6) * max(tall, wide) / 250
        high, long = texture.shape[0] * scale, texture.shape[1] * scale
        left = wide / 2 + rng.uniform(0.3, 0.7)
        left = left if rng.random() < 0.5 else -left - long
        seen = camera.lay(seen, texture, (left, middle + high / 2, left + long, middle - high / 2))
    seen = foreground(seen, camera, box, rng)

    light, blur = rng.uniform(0.8, 1.1), rng.uniform(0.5, 1.0)
    if condition in ("dim", "hard"):
        light = rng.uniform(0.08, 0.25)
    if condition == "blur":
        blur = rng.uniform(2.5, 5.0)
    elif condition == "hard":
        blur = rng.uniform(1.5, 2.5)
    glare = condition in ("glare", "hard")
    return Room(camera, seen, lamps(camera, middle, rng), box, glare, light, blur * width / 1280)


def main() -> None:
    """Writes views with their true outlines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--condition", choices=CONDITIONS, default="clean")
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    paintings = Paintings(options.data)
    for number in range(options.count):
        rng = np.random.default_rng([options.seed, number])
        view = make_view(paintings, rng, options.condition)
        frame = view.shot(rng)
        for outline, colour in ((view.frame_outline, (0, 255, 0)), (view.canvas_outline, (255, 255, 0))):
            cv2.polylines(frame, [np.round(outline).astype(np.int32)], True, colour, 1, cv2.LINE_AA)
        cv2.imwrite(str(options.out / f"{options.condition}_{number:03d}.png"), frame[..., ::-1])


if __name__ == "__main__":
    main()

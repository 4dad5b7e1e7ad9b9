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

CONDITIONS = ("clean", "dim", "glare", "blur", "hard")
"""Ways to look at a room; ``hard`` is dim, glaring and blurred at once."""

WALL_SCALE = 200  # pixels of the wall's texture to a metre
WALL_WIDTH, WALL_HEIGHT = 9.0, 3.4  # metres; x = 0 is the wall's middle, y = 0 the floor


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


class Camera:
    """A pinhole with radial distortion in a room whose wall is the plane z = 0; the camera stands at z > 0.

    Args:
        width, height: of the frame in pixels.
        place: x, y, z in metres.
        turn: yaw, pitch and roll in degrees; yaw 0 looks straight at the wall.
        field: horizontal field of view in degrees.
        distortion: a point at the squared distance r2 (in units of half the width) from the middle of the frame
            belongs to (1 + distortion * r2) times its place in an undistorted frame, which is then scaled to fill
            the frame's corners.
    """

    def __init__(self, width, height, place, turn, field, distortion=0.0) -> None:
        self.width, self.height, self.distortion = width, height, distortion
        yaw, pitch, roll = np.radians(turn)
        focal = width / 2 / np.tan(np.radians(field) / 2)
        self._inner = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
        look = np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]])  # image axes: right, down, forward
        about_y = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
        about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
        about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
        self._turned = about_z @ about_x @ about_y @ look
        self.place = np.array(place, float)
        self._scale = 1 / max(1.0, 1 + distortion * (1 + (height / width) ** 2))

    def project(self, points):
        """Places in the undistorted frame of points [N, 3] in metres: pixels [N, 2]."""
        seen = (np.asarray(points, float) - self.place) @ self._turned.T @ self._inner.T
        return seen[:, :2] / np.maximum(seen[:, 2:], 1e-3)

    @property
    def forward(self):
        """The direction in which it looks, a unit vector."""
        return self._turned[2]

    def bend(self, frame):
        """An undistorted frame as the lens shows it."""
        if not self.distortion:
            return frame
        half = self.width / 2
        x, y = np.meshgrid(np.arange(self.width) + 0.5 - half, np.arange(self.height) + 0.5 - self.height / 2)
        stretch = (1 + self.distortion * (x * x + y * y) / half**2) * self._scale
        across, down = x * stretch + half - 0.5, y * stretch + self.height / 2 - 0.5
        return cv2.remap(frame, across.astype(np.float32), down.astype(np.float32), cv2.INTER_LINEAR)

    def bent(self, points):
        """Where the lens shows points [N, 2] of the undistorted frame."""
        half = self.width / 2
        middle = np.array([half, self.height / 2])
        straight = (np.asarray(points) - middle) / half / self._scale
        bent = straight.copy()
        for _ in range(20):
            bent = straight / (1 + self.distortion * (bent**2).sum(axis=1, keepdims=True))
        return bent * half + middle

    def lay(self, seen, texture, box, opacity=None):
        """Lays a texture on the wall into an undistorted frame.

        Args:
            seen: float32 [H, W, 3].
            texture: float32 [h, w, 3].
            box: left, top, right and bottom on the wall in metres.
            opacity: float32 [h, w]; solid when None.
        """
        height, width = texture.shape[:2]
        source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) - 0.5
        matrix = cv2.getPerspectiveTransform(source, self.project(corners(box)).astype(np.float32) - 0.5)
        size = (self.width, self.height)
        mask = np.ones((height, width), np.float32) if opacity is None else opacity
        mask = cv2.warpPerspective(mask, matrix, size)[..., None]
        return seen * (1 - mask) + cv2.warpPerspective(texture, matrix, size, borderMode=cv2.BORDER_REPLICATE) * mask


def corners(box):
    """The corners [4, 3] of left, top, right and bottom on the wall, clockwise from the upper left one."""
    left, top, right, bottom = box
    return np.array([(left, top, 0), (right, top, 0), (right, bottom, 0), (left, bottom, 0)], float)


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
        return View(self, self.camera.bend((self.wall * self.lamps).astype(np.float32)), place, place)

    def hang(self, painting: np.ndarray, rng: np.random.Generator) -> View:
        """The room with a painting (RGB uint8), fitted into the work's place; its frame is drawn from ``rng``."""
        left, top, right, bottom = self.box
        centre, middle = (left + right) / 2, (top + bottom) / 2
        sides = self.camera.project(corners(self.box))
        texture, border = _framed(painting, rng, round(np.linalg.norm(np.roll(sides, 1, axis=0) - sides, axis=1).max()))
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
            seen = seen + _reflections(straight, seen.shape[:2], rng)
        outlines = [self.camera.bent(self.camera.project(corners(place))) for place in (box, inner)]
        return View(self, self.camera.bend(seen.astype(np.float32)), *outlines)

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
    """

    room: Room
    radiance: np.ndarray
    frame_outline: np.ndarray
    canvas_outline: np.ndarray

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
    paintings: Paintings,
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


def make_room(paintings, rng, aspect, condition="clean", size=(1280, 720)) -> Room:
    """A room with a place for a work of this aspect (width by height); see ``make_view``."""
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

    seen = np.ones((height, width, 1), np.float32) * _colour(rng, 0.7, 1.0, 0.03)  # a bright ceiling
    edge = camera.project([(-8, 0, 0), (8, 0, 0)])
    slope = (edge[1, 1] - edge[0, 1]) / (edge[1, 0] - edge[0, 0])
    horizon = edge[0, 1] + slope * (np.arange(width) - edge[0, 0])
    below = np.clip(np.arange(height)[:, None] - horizon[None], 0, 1).astype(np.float32)[..., None]
    seen = seen * (1 - below) + _colour(rng, 0.15, 0.6, 0.2) * below
    wall = _bare_wall(rng)
    _furnish(wall, box, rng)
    seen = camera.lay(seen, wall, (-WALL_WIDTH / 2, WALL_HEIGHT, WALL_WIDTH / 2, 0))
    if rng.random() < 0.25:  # a smaller work beside it
        texture, _ = _framed(paintings.pick(rng), rng, 250)
        scale = rng.uniform(0.3, 0.6) * max(tall, wide) / 250
        high, long = texture.shape[0] * scale, texture.shape[1] * scale
        left = wide / 2 + rng.uniform(0.3, 0.7)
        left = left if rng.random() < 0.5 else -left - long
        seen = camera.lay(seen, texture, (left, middle + high / 2, left + long, middle - high / 2))
    seen = _foreground(seen, camera, box, rng)

    light, blur = rng.uniform(0.8, 1.1), rng.uniform(0.5, 1.0)
    if condition in ("dim", "hard"):
        light = rng.uniform(0.08, 0.25)
    if condition == "blur":
        blur = rng.uniform(2.5, 5.0)
    elif condition == "hard":
        blur = rng.uniform(1.5, 2.5)
    glare = condition in ("glare", "hard")
    return Room(camera, seen, _lamps(camera, middle, rng), box, glare, light, blur * width / 1280)


def _colour(rng, low, high, tint=0.08):
    return np.clip(rng.uniform(low, high) * (1 + rng.uniform(-tint, tint, 3)), 0, 1).astype(np.float32)


def _cloud(rng, height, width, cell):
    """Smooth noise around 0, float32 [height, width, 1], with features of ``cell`` pixels."""
    coarse = rng.standard_normal((max(2, height // cell + 2), max(2, width // cell + 2))).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]


def _bare_wall(rng):
    """The texture of a wall from end to end, float32 [H, W, 3]."""
    height, width = round(WALL_HEIGHT * WALL_SCALE), round(WALL_WIDTH * WALL_SCALE)
    kinds = [(0.75, 0.95, 0.05), (0.35, 0.7, 0.05), (0.3, 0.6, 0.4), (0.08, 0.25, 0.3)]  # white, grey, coloured, dark
    colour = _colour(rng, *kinds[rng.choice(4, p=[0.45, 0.2, 0.25, 0.1])])
    rough = rng.uniform(0.002, 0.02)
    wall = colour * (1 + rough * _cloud(rng, height, width, 3) + 0.5 * rough * _cloud(rng, height, width, 40))
    pattern = rng.choice(["plain", "bricks", "stripes", "panels", "rail"], p=[0.5, 0.12, 0.08, 0.15, 0.15])
    darker = (colour * rng.uniform(0.75, 0.93)).tolist()
    if pattern == "bricks":
        step = round(0.08 * WALL_SCALE)
        for row in range(0, height, step):
            cv2.line(wall, (0, row), (width, row), darker, 1)
            for column in range((row // step % 2) * 2 * step, width, 4 * step):
                cv2.line(wall, (column, row), (column, row + step), darker, 1)
    elif pattern == "stripes":
        step = round(rng.uniform(0.06, 0.25) * WALL_SCALE)
        for column in range(0, width, 2 * step):
            wall[:, column : column + step] *= np.float32(rng.uniform(0.93, 0.97))
    elif pattern == "panels":
        for column in range(0, width, round(rng.uniform(1.2, 2.4) * WALL_SCALE)):
            cv2.line(wall, (column, 0), (column, height), darker, 2)
    elif pattern == "rail":
        row = height - round(rng.uniform(0.8, 1.0) * WALL_SCALE)
        cv2.rectangle(wall, (0, row), (width, row + 8), darker, -1)
    wall[-round(rng.uniform(0.06, 0.15) * WALL_SCALE) :] = _colour(rng, 0.2, 0.95)  # skirting
    return np.ascontiguousarray(wall, np.float32)


def _furnish(wall, box, rng) -> None:
    """Labels, doors, windows and sockets on the wall's texture, beside a work at ``box``."""

    def piece(left, top, right, bottom, colour):
        ends = np.array([(left, top), (right, bottom)]) * (1, -1) + (WALL_WIDTH / 2, WALL_HEIGHT)
        ends = np.round(ends * WALL_SCALE).astype(int)
        cv2.rectangle(wall, ends[0].tolist(), ends[1].tolist(), colour.tolist(), -1)
        cv2.rectangle(wall, ends[0].tolist(), ends[1].tolist(), (colour * rng.uniform(0.5, 0.9)).tolist(), 2)

    _, top, side, bottom = box
    if rng.random() < 0.6:  # the label
        left, high = side + rng.uniform(0.1, 0.3), rng.uniform(bottom, top)
        piece(left, high, left + rng.uniform(0.1, 0.2), high - rng.uniform(0.08, 0.14), _colour(rng, 0.85, 1.0))
    if rng.random() < 0.12:  # a door
        left = rng.choice([-1, 1]) * (side + rng.uniform(0.8, 1.6)) - 0.45
        piece(left, 2.05, left + 0.9, 0, _colour(rng, 0.2, 0.9, 0.2))
    elif rng.random() < 0.06:  # a window
        left = rng.choice([-1, 1]) * (side + rng.uniform(0.9, 1.6)) - 0.5
        for across in (0, 0.52):
            for down in (0, 0.62):
                piece(left + across, 2.3 - down, left + across + 0.48, 1.72 - down, _colour(rng, 0.9, 1.3, 0.05))
    if rng.random() < 0.3:  # a socket
        left = rng.uniform(-2, 2)
        piece(left, 0.35, left + 0.08, 0.27, _colour(rng, 0.85, 1.0))


def _foreground(seen, camera, box, rng):
    """A bench or a barrier in front of the wall, where it hides nothing of a work at ``box``."""
    lowest = camera.project(corners(box))[:, 1].max()
    kind = rng.random()
    if kind < 0.15:
        x, z = rng.uniform(-1.5, 0.5), rng.uniform(0.5, 1.0)
        bench = camera.project([(x, 0.45, z), (x + 1.2, 0.45, z), (x + 1.2, 0, z), (x, 0, z)])
        if bench[:2, 1].min() > lowest + 4:
            cv2.fillConvexPoly(seen, np.round(bench).astype(np.int32), _colour(rng, 0.05, 0.4).tolist(), cv2.LINE_AA)
    elif kind < 0.27:
        colour = _colour(rng, 0.1, 0.7, 0.4).tolist()
        step = rng.uniform(0.8, 1.6)
        posts = np.array([(x, 0.9, 0.5) for x in np.arange(-3, 3, step)])
        tops, feet = camera.project(posts), camera.project(posts * (1, 0, 1))
        if tops[:, 1].min() > lowest + 4:
            sag = camera.project([(x + share * step, 0.9 - 0.6 * share * (1 - share), 0.5)
                                  for x in posts[:, 0] for share in np.linspace(0, 1, 12)])  # fmt: skip
            cv2.polylines(seen, [np.round(sag).astype(np.int32)], False, colour, 3, cv2.LINE_AA)
            for top, foot in zip(np.round(tops).astype(int), np.round(feet).astype(int), strict=True):
                cv2.line(seen, top.tolist(), foot.tolist(), (0.5, 0.5, 0.5), 5, cv2.LINE_AA)
    return seen


def _lamps(camera, middle, rng):
    """The room's light: a lamp on the work, a fall-off, now and then a shaft of sunlight; float32 [H, W, 1]."""
    down, across = np.mgrid[: camera.height, : camera.width].astype(np.float32)
    x, y = camera.project([(0, middle, 0)])[0]
    spread = rng.uniform(0.3, 1.2) * camera.width
    depth = rng.uniform(0.1, 0.4)
    lamp = np.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * spread**2))
    tilt = rng.uniform(-0.25, 0.25, 2)
    tilt = 1 + tilt[0] * (across / camera.width - 0.5) + tilt[1] * (down / camera.height - 0.5)
    lamps = rng.uniform(0.75, 1.0) * tilt * (1 - depth + depth * lamp)
    if rng.random() < 0.1:
        left, high = rng.uniform(-2, 1.5), rng.uniform(0.5, 2.5)
        shaft = camera.project([(left, high, 0), (left + 0.7, high + 0.2, 0), (left + 0.9, high - 1.2, 0),
                                (left + 0.2, high - 1.4, 0)])  # fmt: skip
        bright = np.zeros(lamps.shape, np.float32)
        cv2.fillConvexPoly(bright, np.round(shaft).astype(np.int32), 1.0, cv2.LINE_AA)
        lamps = lamps * (1 + rng.uniform(0.1, 0.35) * cv2.GaussianBlur(bright, (0, 0), rng.uniform(2, 8)))
    return lamps[..., None].astype(np.float32)


def _framed(painting, rng, pixels) -> tuple[np.ndarray, int]:
    """A painting with the texture of its paint, and mostly with a mount or a frame.

    Args:
        painting: RGB uint8.
        rng: draws the texture, the mount and the frame.
        pixels: length of the result's longest side.

    Returns:
        float32 [H, W, 3], and the width of mount and frame together in pixels.
    """
    mount = round(rng.uniform(0.03, 0.1) * pixels) if rng.random() < 0.25 else 0
    bar = round(rng.uniform(0.01, 0.07) * pixels) if rng.random() < 0.8 else 0
    height, width = painting.shape[:2]
    scale = (pixels - 2 * (mount + bar)) / max(height, width)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    canvas = cv2.resize(painting, size, interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
    strokes = _cloud(rng, size[1], size[0], 2) + _cloud(rng, size[1], size[0], 4)
    detail = np.abs(cv2.Laplacian(cv2.GaussianBlur(canvas.mean(axis=2), (0, 0), 2), cv2.CV_32F))[..., None]
    canvas = canvas * (1 + (rng.uniform(0.01, 0.05) + np.minimum(detail * 4, 0.1)) * strokes)
    if mount:
        paper = _colour(rng, 0.8, 0.97, 0.04).tolist()
        canvas = cv2.copyMakeBorder(canvas, mount, mount, mount, mount, cv2.BORDER_CONSTANT, value=paper)
    if bar:
        gold, wood = np.array((0.72, 0.56, 0.28), np.float32), np.array((0.42, 0.27, 0.16), np.float32)
        colours = (_colour(rng, 0.05, 0.2), gold * np.float32(rng.uniform(0.5, 1.2)),
                   wood * np.float32(rng.uniform(0.5, 1.3)), _colour(rng, 0.8, 0.95))  # fmt: skip
        colour = colours[rng.choice(4, p=[0.3, 0.35, 0.25, 0.1])]
        canvas = cv2.copyMakeBorder(canvas, bar, bar, bar, bar, cv2.BORDER_CONSTANT, value=(0, 0, 0))
        rows, columns = canvas.shape[:2]
        down, across = np.mgrid[:rows, :columns]
        depth = np.stack([down, columns - 1 - across, rows - 1 - down, across])
        side, depth = depth.argmin(axis=0), depth.min(axis=0)
        profile = 1 + rng.uniform(0.0, 0.35) * np.sin(np.linspace(0, rng.uniform(2, 9), bar))
        lit = rng.uniform(0.75, 1.25, 4)[side] * profile[np.minimum(depth, bar - 1)]
        canvas = np.where((depth < bar)[..., None], colour * lit[..., None], canvas)
    return np.clip(canvas, 0, 1).astype(np.float32), mount + bar


def _reflections(outline, shape, rng):
    """Reflections on a work's glass: lamps, windows, or a veil; float32 [H, W, 1] to be added."""
    low = outline.min(axis=0)
    size = outline.max(axis=0) - low
    down, across = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    shine = np.zeros(shape, np.float32)
    for _ in range(rng.integers(1, 4)):
        x, y = low + size * rng.uniform(-0.05, 1.05, 2)
        kind = rng.choice(["lamp", "window", "veil"])
        if kind == "lamp":
            a, b = size * rng.uniform(0.04, 0.14, 2)
            shine += rng.uniform(0.6, 1.5) * np.exp(-(((across - x) / a) ** 2 + ((down - y) / b) ** 2))
        elif kind == "window":
            a, b = size * rng.uniform(0.08, 0.22, 2)
            lean = rng.uniform(-0.3, 0.3) * a
            pane = np.array(
                [(x - a + lean, y - b), (x + a + lean, y - b), (x + a - lean, y + b), (x - a - lean, y + b)]
            )
            mask = np.zeros(shape, np.float32)
            cv2.fillConvexPoly(mask, np.round(pane).astype(np.int32), 1.0, cv2.LINE_AA)
            bar = np.round((pane[[0, 2]] + pane[[1, 3]]) / 2).astype(int)
            cv2.line(mask, bar[0].tolist(), bar[1].tolist(), 0.0, 4)
            shine += rng.uniform(0.2, 0.6) * cv2.GaussianBlur(mask, (0, 0), rng.uniform(1.5, 6))
        else:
            slant = (across - x) / shape[1] * rng.uniform(-1, 1) + (down - y) / shape[0] * rng.uniform(-1, 1)
            shine += rng.uniform(0.1, 0.3) * np.clip(0.5 + slant, 0, 1)
    glass = np.zeros(shape, np.float32)
    cv2.fillConvexPoly(glass, np.round(outline).astype(np.int32), 1.0, cv2.LINE_AA)
    around = rng.choice([0.0, 0.25])  # a polished wall shines as well
    return (shine * np.maximum(glass, around))[..., None]


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

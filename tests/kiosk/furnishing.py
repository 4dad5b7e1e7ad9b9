"""What synthetic rooms are made of: walls, things on and before them, light, frames, and reflections."""

from __future__ import annotations

import cv2
import numpy as np

from tests.kiosk.pinhole import corners

WALL_SCALE = 200  # pixels of the wall's texture to a metre
WALL_WIDTH, WALL_HEIGHT = 9.0, 3.4  # metres; x = 0 is the wall's middle, y = 0 the floor


def colour_between(rng, low, high, tint=0.08):
    return np.clip(rng.uniform(low, high) * (1 + rng.uniform(-tint, tint, 3)), 0, 1).astype(np.float32)


def _cloud(rng, height, width, cell):
    """Smooth noise around 0, float32 [height, width, 1], with features of ``cell`` pixels."""
    coarse = rng.standard_normal((max(2, height // cell + 2), max(2, width // cell + 2))).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]


def bare_wall(rng):
    """The texture of a wall from end to end, float32 [H, W, 3]."""
    height, width = round(WALL_HEIGHT * WALL_SCALE), round(WALL_WIDTH * WALL_SCALE)
    kinds = [(0.75, 0.95, 0.05), (0.35, 0.7, 0.05), (0.3, 0.6, 0.4), (0.08, 0.25, 0.3)]  # white, grey, coloured, dark
    colour = colour_between(rng, *kinds[rng.choice(4, p=[0.45, 0.2, 0.25, 0.1])])
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
    wall[-round(rng.uniform(0.06, 0.15) * WALL_SCALE) :] = colour_between(rng, 0.2, 0.95)  # skirting
    return np.ascontiguousarray(wall, np.float32)


def furnish(wall, box, rng) -> None:
    """Labels, doors, windows and sockets on the wall's texture, beside a work at ``box``."""

    def piece(left, top, right, bottom, colour):
        ends = np.array([(left, top), (right, bottom)]) * (1, -1) + (WALL_WIDTH / 2, WALL_HEIGHT)
        ends = np.round(ends * WALL_SCALE).astype(int)
        cv2.rectangle(wall, ends[0].tolist(), ends[1].tolist(), colour.tolist(), -1)
        cv2.rectangle(wall, ends[0].tolist(), ends[1].tolist(), (colour * rng.uniform(0.5, 0.9)).tolist(), 2)

    _, top, side, bottom = box
    if rng.random() < 0.6:  # the label
        left, high = side + rng.uniform(0.1, 0.3), rng.uniform(bottom, top)
        piece(left, high, left + rng.uniform(0.1, 0.2), high - rng.uniform(0.08, 0.14), colour_between(rng, 0.85, 1.0))
    if rng.random() < 0.12:  # a door
        left = rng.choice([-1, 1]) * (side + rng.uniform(0.8, 1.6)) - 0.45
        piece(left, 2.05, left + 0.9, 0, colour_between(rng, 0.2, 0.9, 0.2))
    elif rng.random() < 0.06:  # a window
        left = rng.choice([-1, 1]) * (side + rng.uniform(0.9, 1.6)) - 0.5
        for across in (0, 0.52):
            for down in (0, 0.62):
                piece(left + across, 2.3 - down, left + across + 0.48, 1.72 - down, colour_between(rng, 0.9, 1.3, 0.05))
    if rng.random() < 0.3:  # a socket
        left = rng.uniform(-2, 2)
        piece(left, 0.35, left + 0.08, 0.27, colour_between(rng, 0.85, 1.0))


def foreground(seen, camera, box, rng):
    """A bench or a barrier in front of the wall, where it hides nothing of a work at ``box``."""
    lowest = camera.project(corners(box))[:, 1].max()
    kind = rng.random()
    if kind < 0.15:
        x, z = rng.uniform(-1.5, 0.5), rng.uniform(0.5, 1.0)
        bench = camera.project([(x, 0.45, z), (x + 1.2, 0.45, z), (x + 1.2, 0, z), (x, 0, z)])
        if bench[:2, 1].min() > lowest + 4:
            cv2.fillConvexPoly(
                seen, np.round(bench).astype(np.int32), colour_between(rng, 0.05, 0.4).tolist(), cv2.LINE_AA
            )
    elif kind < 0.27:
        colour = colour_between(rng, 0.1, 0.7, 0.4).tolist()
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


def lamps(camera, middle, rng):
    """The room's light: a lamp on the work, a fall-off, now and then a shaft of sunlight; float32 [H, W, 1]."""
    down, across = np.mgrid[: camera.height, : camera.width].astype(np.float32)
    x, y = camera.project([(0, middle, 0)])[0]
    spread = rng.uniform(0.3, 1.2) * camera.width
    depth = rng.uniform(0.1, 0.4)
    lamp = np.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * spread**2))
    tilt = rng.uniform(-0.25, 0.25, 2)
    tilt = 1 + tilt[0] * (across / camera.width - 0.5) + tilt[1] * (down / camera.height - 0.5)
    light = rng.uniform(0.75, 1.0) * tilt * (1 - depth + depth * lamp)
    if rng.random() < 0.1:
        left, high = rng.uniform(-2, 1.5), rng.uniform(0.5, 2.5)
        shaft = camera.project([(left, high, 0), (left + 0.7, high + 0.2, 0), (left + 0.9, high - 1.2, 0),
                                (left + 0.2, high - 1.4, 0)])  # fmt: skip
        bright = np.zeros(light.shape, np.float32)
        cv2.fillConvexPoly(bright, np.round(shaft).astype(np.int32), 1.0, cv2.LINE_AA)
        light = light * (1 + rng.uniform(0.1, 0.35) * cv2.GaussianBlur(bright, (0, 0), rng.uniform(2, 8)))
    return light[..., None].astype(np.float32)


def framed(painting, rng, pixels) -> tuple[np.ndarray, int]:
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
        paper = colour_between(rng, 0.8, 0.97, 0.04).tolist()
        canvas = cv2.copyMakeBorder(canvas, mount, mount, mount, mount, cv2.BORDER_CONSTANT, value=paper)
    if bar:
        gold, wood = np.array((0.72, 0.56, 0.28), np.float32), np.array((0.42, 0.27, 0.16), np.float32)
        colours = (colour_between(rng, 0.05, 0.2), gold * np.float32(rng.uniform(0.5, 1.2)),
                   wood * np.float32(rng.uniform(0.5, 1.3)), colour_between(rng, 0.8, 0.95))  # fmt: skip
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


def reflections(outline, shape, rng):
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

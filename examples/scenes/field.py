"""A field in summer."""

import cv2
import numpy as np
from brush import Brushwork
from underpainting import Board, curve, mix, ramp, step

FIELD = Brushwork(ground="#c08a3e", longest=9, jitter=0.06, tint=0.04)


def field(board: Board) -> None:
    """A wheat field under a high summer sky, poppies, a path home."""
    x, y, rng = board.x, board.y, board.rng
    horizon = 0.50
    board.lay(1.0, ramp(y, [(0, "#1f6fd0"), (0.2, "#4a9ae6"), (0.4, "#9fd2f4"), (0.5, "#dff1f2")]))
    board.orient(y < horizon, 0.25 * np.sin(5 * x) + 0.3 * np.sin(7 * y + 2 * x), 0.7)
    heap = np.full_like(x, -1)
    for cx, cy, wide, tall in (
        (0.26, 0.235, 0.30, 0.20),
        (0.98, 0.17, 0.26, 0.13),
        (0.66, 0.37, 0.22, 0.07),
        (1.24, 0.36, 0.20, 0.08),
        (0.02, 0.41, 0.20, 0.05),
    ):
        rise = np.where(y < cy, (cy - y) / tall, (y - cy) / (0.16 * tall))
        heap = np.maximum(heap, 1 - np.hypot((x - cx) / wide, rise))
    billow = heap + 0.36 * board.noise(0.16, 0.11, 5)
    bulk = cv2.GaussianBlur(billow, (0, 0), 0.008 * board.height)
    reach = round(0.03 * board.height)
    lit = 0.70 + 0.8 * (bulk - np.roll(bulk, (reach, reach // 2), (0, 1))) - 0.32 * np.clip(heap, 0, 1)
    white = ramp(lit, [(0.1, "#8fa3d2"), (0.4, "#c3cbe8"), (0.62, "#f4ecea"), (0.85, "#fffdf2")])
    board.lay(step(0.16, 0.34, billow) * step(-0.02, 0.12, heap + 0.1), white)
    board.lay(0.35 * step(0.2, 1.0, board.noise(0.9, 0.05, 4)) * step(0.5, 0.1, y), "#e9f3fb")
    for base, rough, colour, foot in (
        (0.085, 0.03, "#7fa3d6", "#b4cbe0"),
        (0.05, 0.025, "#5f93b4", "#8fbfa8"),
        (0.022, 0.016, "#5c9a5a", "#8cba55"),
    ):
        crest = horizon - base - rough * board.line_noise(0.5)
        share = np.clip((y - crest) / 0.09, 0, 1)
        board.lay(step(-0.002, 0.002, y - crest), ramp(share, [(0, colour), (1, foot)]))
    near = np.clip((y - horizon) / (1 - horizon), 0, 1)
    vanish = 0.80
    across = (x - vanish) / (0.10 + near)
    ground = y > horizon + 0.012 * np.sin(3 * x + 0.5)
    wave = board.noise(0.35, 0.05, 4)
    wheat = ramp(near + 0.06 * wave, [(0, "#f4dd7c"), (0.25, "#f6c93e"), (0.6, "#eaa826"), (1, "#b97716")])
    rows = 0.5 + 0.5 * np.sin(34 * across + 1.5 * wave)
    board.lay(ground * 1.0, wheat * (0.86 + 0.2 * rows[..., None]))
    meadow = step(0.015, -0.015, near - 0.16 - 0.05 * np.sin(4 * x + 1)) * ground
    board.lay(meadow, ramp(board.noise(0.2, 0.03), [(-1, "#6fa83a"), (0, "#9cc84b"), (1, "#d0d95c")]))
    shadow = step(0.2, 0.9, board.noise(0.8, 0.12, 2)) * ground
    board.lay(0.28 * shadow, "#7d6a2c")
    middle = 0.70 - 0.16 * np.sin(3.0 * near**0.8 + 0.4) * near**0.4 - 0.12 * near
    road = step(1.15, 0.9, np.abs(x - middle) / (0.006 + 0.135 * near**1.35))
    rut = 0.5 + 0.5 * np.cos(2 * np.pi * (x - middle) / (0.006 + 0.135 * near**1.35))
    board.lay(
        ground * road, ramp(near, [(0, "#f7e3bb"), (0.5, "#e8bf8e"), (1, "#c08d64")]) * (0.90 + 0.12 * rut[..., None])
    )
    verge = (
        ground
        * road
        * step(0.55, 1.0, 1 - np.abs(rut - 1))
        * step(0.35, 0.8, rut)
        * step(0.0, 0.7, board.noise(0.06, 0.03))
    )
    board.lay(0.5 * verge, "#8f9a44")
    board.orient(ground, np.arctan2(0.10 + near, across * 1.0 + 1e-6), 1.3)
    board.orient(meadow > 0.5, 0.1 * np.sin(5 * x), 1.5)
    _trees_and_house(board, horizon)
    for _ in range(2300):
        depth = rng.random() ** 0.55
        px, py = rng.uniform(-0.02, board.aspect + 0.02), horizon + (0.22 + 0.80 * depth) * (1 - horizon)
        scale = (py - horizon) / (1 - horizon)
        centre = float(np.interp(scale, near[:, 0], middle[:, 0]))
        if abs(px - centre) < 0.02 + 0.135 * scale**1.35:
            continue
        tall, bend = 0.012 + 0.052 * scale * rng.random(), rng.normal(0.012, 0.012) * scale
        straw = mix(("#8f5f12", "#ffe27a", "#f2b62c", "#7e8a2a")[int(rng.integers(4))], "#f4c540", 0.35 * rng.random())
        board.touch(
            curve([(px, py), (px + 0.3 * bend, py - 0.6 * tall), (px + bend, py - tall)]),
            0.0009 + 0.0022 * scale,
            straw,
        )
    for _ in range(900):
        patch = int(rng.integers(4))
        px, py = (
            rng.normal((0.16, 1.16, 0.42, 0.98)[patch], (0.13, 0.10, 0.13, 0.2)[patch]),
            0.64 + 0.38 * rng.random() ** 0.8,
        )
        scale = (py - horizon) / (1 - horizon)
        centre = float(np.interp(scale, near[:, 0], middle[:, 0]))
        if abs(px - centre) < 0.15 * scale**1.35:
            continue
        size = 0.0015 + 0.0078 * scale**1.5 * rng.uniform(0.4, 1.2)
        bloom = ("#d81e1e", "#ee3a26", "#a80f1c", "#ff6a3c", "#e32a2a", "#f6f1e2", "#3f63c4")[
            int(rng.choice(7, p=(0.25, 0.25, 0.15, 0.13, 0.12, 0.05, 0.05)))
        ]
        for _ in range(2):
            tilt = rng.normal(0, 0.6)
            turn = size * np.array([np.cos(tilt), np.sin(tilt)])
            petal = np.array([px, py]) + rng.normal(0, 0.3 * size, 2)
            board.touch(
                np.stack([petal - turn, petal - np.array([0, 0.3 * size]), petal + turn]),
                0.6 * size,
                mix(bloom, "#ff7a4a", 0.35 * rng.random()),
            )
        if scale > 0.7 and rng.random() < 0.5:
            board.touch([(px - 0.1 * size, py), (px + 0.2 * size, py + 0.1 * size)], 0.16 * size, "#3a0d12")


def _trees_and_house(board: Board, horizon: float) -> None:
    """A white cottage under a red roof, round trees behind it, cypresses beside the path."""
    rng = board.rng

    def shadow(px: float, foot: float, wide: float, long: float) -> None:
        cast = [
            (px - wide, foot - 0.004),
            (px + wide, foot - 0.002),
            (px - 0.6 * long, foot + 0.032),
            (px - long, foot + 0.026),
        ]
        board.shape(cast, "#5d6a25", soft=0.004, opacity=0.65)

    def crown(px: float, foot: float, wide: float, tall: float) -> None:
        shadow(px, foot, 0.7 * wide, 2.2 * wide)
        board.shape([(px - 0.08 * wide, foot), (px, foot - 0.4 * tall), (px + 0.08 * wide, foot)], "#4a3a26")
        for _ in range(150):
            turn, out = rng.uniform(0, 2 * np.pi), rng.random() ** 0.5 * (1 + 0.12 * rng.normal())
            bx, by = wide * out * np.cos(turn), 0.42 * tall * out * np.sin(turn)
            shine = float(np.clip(0.42 + 0.35 * bx / wide - 0.75 * by / tall + rng.normal(0, 0.16), 0, 1))
            colour = ramp(shine, [(0, "#123f2c"), (0.4, "#2f7433"), (0.75, "#7db340"), (1, "#d3df6c")])
            at = np.array([px + bx, foot - 0.58 * tall + by])
            dab = at + 0.16 * wide * np.array([(-1, 0.4), (0, -0.2), (1, 0.3)]) * rng.uniform(0.6, 1.2)
            board.shape(at + 0.2 * wide * np.array([(-1, 0), (0, -1), (1, 0), (0, 1)]), "#1f5530")
            board.touch(dab, 0.07 * wide + 0.001, colour)

    def cypress(px: float, foot: float, wide: float, tall: float) -> None:
        shadow(px, foot, wide, 0.9 * tall)
        level = np.linspace(0, 1, 12)
        girth = wide * np.sin(np.pi * (0.1 + 0.9 * level) ** 0.75) ** 0.9
        sway = 0.25 * wide * np.sin(5 * level)
        side = np.vstack(
            [
                np.stack([px + sway + girth, foot - tall * level], 1),
                np.stack([px + sway - girth, foot - tall * level], 1)[::-1],
            ]
        )
        board.shape(side, "#14402c", detail=0.6)
        for _ in range(170):
            at, across = rng.random() ** 1.2, rng.uniform(-1, 1)
            w = float(np.interp(at, level, girth)) * (1.1 if rng.random() < 0.3 else 0.9)
            bx, by, long = (
                px + 0.25 * wide * np.sin(5 * at) + across * w,
                foot - tall * at,
                0.10 * tall * rng.uniform(0.5, 1.1),
            )
            shine = float(np.clip(0.35 + 0.4 * across + rng.normal(0, 0.18), 0, 1))
            colour = ramp(shine, [(0, "#0d2f2b"), (0.45, "#1f5a35"), (0.8, "#5f9440"), (1, "#b9c95e")])
            board.touch(
                curve(
                    [(bx, by), (bx + 0.10 * wide * rng.normal(), by - 0.5 * long), (bx - 0.35 * across * w, by - long)]
                ),
                0.0012 + 0.06 * wide,
                colour,
            )

    for px, wide, tall in (
        (0.03, 0.06, 0.11),
        (0.115, 0.075, 0.15),
        (0.20, 0.05, 0.09),
        (0.27, 0.04, 0.07),
        (0.33, 0.03, 0.05),
        (0.48, 0.045, 0.08),
        (0.555, 0.065, 0.125),
        (0.78, 0.035, 0.06),
        (0.92, 0.05, 0.08),
        (1.0, 0.04, 0.06),
    ):
        crown(px, horizon + 0.028, wide, tall)
    wall = [(0.60, 0.545), (0.60, 0.485), (0.69, 0.485), (0.69, 0.545)]
    board.shape(wall, "#fff6e2", below="#f0d9b8", detail=1.0)
    board.shape([(0.69, 0.485), (0.735, 0.49), (0.735, 0.540), (0.69, 0.545)], "#a9aec9", detail=1.0)
    board.shape([(0.69, 0.486), (0.712, 0.445), (0.735, 0.491)], "#b3b6cc", detail=1.0)
    board.shape(
        [(0.588, 0.488), (0.618, 0.443), (0.712, 0.443), (0.692, 0.488)], "#dd5a35", below="#b23a24", detail=1.0
    )
    board.shape([(0.645, 0.545), (0.645, 0.508), (0.66, 0.508), (0.66, 0.545)], "#3f6a8e", detail=1.0)
    board.shape([(0.615, 0.52), (0.615, 0.503), (0.63, 0.503), (0.63, 0.52)], "#44698a", detail=1.0)
    board.shape([(0.64, 0.45), (0.64, 0.42), (0.653, 0.42), (0.653, 0.45)], "#c2613e", detail=1.0)
    for px, foot, wide, tall in ((0.845, 0.565, 0.019, 0.20), (1.205, 0.60, 0.03, 0.33), (1.10, 0.615, 0.038, 0.42)):
        cypress(px, foot, wide, tall)

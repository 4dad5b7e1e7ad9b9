"""A calm sea at dusk."""

import cv2
import numpy as np
from brush import Brushwork
from underpainting import Board, curve, mix, ramp, rgb, step

CALM_SEA = Brushwork(ground="#a86f5c", longest=14, jitter=0.035, tint=0.022)


def calm_sea(board: Board) -> None:
    """The sun touches a still sea; a sailing boat drifts home, a rowing boat rests near the shore."""
    x, y, rng = board.x, board.y, board.rng
    horizon, sun = 0.52, (0.93, 0.478)
    away = np.hypot(x - sun[0], 1.6 * (y - sun[1]))
    sky = ramp(
        y + 0.10 * step(0.0, 0.9, away) * (y - 0.55) + 0.012 * board.noise(0.6, 0.12),
        [(0, "#34477f"), (0.14, "#5a6199"), (0.27, "#9678a4"), (0.37, "#dd8f93"), (0.45, "#f8b37c"), (0.53, "#ffe0a0")],
    )
    board.lay(1.0, sky)
    for scale, place, depth in ((0.55, 0.16, 0.10), (0.7, 0.31, 0.07), (0.5, 0.42, 0.03)):
        band = np.exp(-(((y - place - 0.03 * np.sin(2.2 * x + 9 * place)) / depth) ** 2))
        cloud = step(0.05, 0.75, board.noise(scale, 0.05, 5) + 0.9 * band - 0.55) * band
        lit = step(0.75, 0.1, away)[..., None]
        board.lay(0.85 * cloud, mix("#6b6296", "#8d6f9d", place) * (1 - lit) + rgb("#ff9a78") * lit)
        under = np.roll(cloud, round(0.011 * board.height), axis=0) * (1 - cloud)
        board.light(under * step(0.9, 0.1, away), "#ffce8f", 0.6)
    board.glow(*sun, 0.34, "#ffb25e", 0.42)
    board.glow(*sun, 0.10, "#ffcf7e", 0.45)
    disc = step(0.037, 0.033, np.hypot(x - sun[0], y - sun[1]))
    board.light(step(0.1, 0.03, np.hypot(x - sun[0], y - sun[1])), "#ffd98a", 0.5)
    board.lay(disc, "#fffbe6")
    board.detail = np.maximum(board.detail, step(0.06, 0.05, np.hypot(x - sun[0], y - sun[1])))

    for base, rough, left, right, colour in (
        (0.026, 0.016, -0.2, 0.62, "#8b7aa8"),
        (0.052, 0.03, -0.3, 0.36, "#5f5a8c"),
        (0.02, 0.012, 1.2, 1.9, "#a87f9c"),
    ):
        columns = x[0]
        hump = step(left, left + 0.25, columns) * step(right, right - 0.3, columns)
        crest = horizon - (base + rough * board.line_noise(0.22)) * hump
        board.lay(step(-0.002, 0.002, y - crest) * (hump > 0.02) * (y < horizon), mix(colour, "#f3a57f", 0.12))

    water = y > horizon
    near = np.clip((y - horizon) / (1 - horizon), 1e-3, 1)
    swell = board.noise(0.5, 0.022, 3) * (0.35 + 0.65 * near) + 0.5 * board.noise(0.16, 0.009, 3) * (1 - near)
    mirror_row = np.clip(horizon - (y - horizon) * 0.93 + 0.022 * swell * near, 0, 1) * board.height
    mirror = cv2.remap(
        board.picture, x * board.height - 0.5, mirror_row.astype(np.float32), cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT
    )
    deep = ramp(near, [(0, "#e7a983"), (0.25, "#7f7fa6"), (0.6, "#3f5a8c"), (1, "#223a66")])
    share = (0.30 + 0.32 * near + 0.13 * swell)[..., None]
    board.lay(water * 1.0, np.clip(mirror * (1 - share) + deep * share, 0, 1))
    path = np.exp(-(((x - sun[0]) / (0.035 + 0.16 * near)) ** 2))
    sparkle = step(-0.15, 0.5, swell + 0.25 * board.noise(0.09, 0.012, 2))
    board.light(water * path * sparkle, "#ffc27a", 0.85)
    board.lay(np.exp(-(((y - horizon - 0.003) / 0.003) ** 2)) * 0.45 * step(0.9, 0.1, away), "#fff0c4")
    board.orient(water, 0.05 * np.sin(9 * x), 3.0)
    board.orient(~water, -0.12 + 0.18 * np.sin(2.2 * x + 3 * y), 0.35)

    def sail_boat(at_x: float, at_y: float, size: float, lean: float, colour: str, up: int) -> None:
        def place(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
            wave = 0.0 if up > 0 else 0.05
            return [
                (
                    at_x + size * (px + lean * py + wave * np.sin(40 * py)),
                    at_y - up * size * py * (1 if up > 0 else 0.8),
                )
                for px, py in points
            ]

        fade = 1.0 if up > 0 else 0.5
        board.shape(place([(-0.06, 0.13), (-0.02, 1.1), (0.42, 0.2)]), colour, opacity=fade, detail=1.0)
        board.shape(place([(-0.10, 0.16), (-0.06, 0.95), (-0.36, 0.2)]), mix(colour, "#ffd9a8", 0.35), opacity=fade)
        hull = [(-0.46, 0.15), (-0.34, 0.0), (0.36, 0.0), (0.52, 0.17), (0.1, 0.11)]
        board.shape(place(hull), "#2c2740", opacity=0.9 * fade, detail=1.0)

    for up in (-1, 1):
        sail_boat(0.47, 0.585, 0.20, 0.03, "#54385a", up)
        sail_boat(1.18, 0.535, 0.055, -0.05, "#6d4a63", up)
    for _ in range(330):
        depth = rng.uniform(0.01, 1) ** 1.4
        gx = sun[0] + rng.normal(0, 0.03 + 0.10 * depth)
        gy = horizon + 0.006 + depth * (0.97 - horizon)
        length = 0.007 + 0.034 * depth * rng.random()
        gold = mix("#ffa860", "#fff3cf", rng.random() * (1 - 0.4 * depth))
        glint = [(gx - length, gy), (gx, gy + 0.002 * rng.normal()), (gx + length, gy)]
        board.touch(glint, 0.0011 + 0.002 * depth * rng.random(), gold)
    for bx, by in ((0.28, 0.2), (0.33, 0.225), (0.36, 0.19)):
        board.touch(
            curve(
                [
                    (bx - 0.018, by - 0.006),
                    (bx - 0.006, by - 0.007),
                    (bx, by),
                    (bx + 0.007, by - 0.008),
                    (bx + 0.018, by - 0.005),
                ]
            ),
            0.0014,
            "#3a3357",
        )

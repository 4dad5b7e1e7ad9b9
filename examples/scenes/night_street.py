"""A street at night, in the rain."""

from itertools import pairwise

import cv2
import numpy as np
from brush import Brushwork
from figures import walker
from underpainting import Board, mix, ramp, step

NIGHT_STREET = Brushwork(ground="#2a2238", jitter=0.05, tint=0.03, longest=10)

_VANISHING = (0.43, 0.47)
_EYE = 0.72  # height of the eye in half-widths of the street
_LENS = 0.62


def _street_point(side: float, height: float, depth: float) -> tuple[float, float]:
    """Where a point of the street is seen: side and height in half-widths, depth in eye distances."""
    return _VANISHING[0] + _LENS * side / depth, _VANISHING[1] + _LENS * (_EYE - height) / depth


def _facade(board: Board, side: int, near: float, far: float, tall: float, colour: str) -> None:
    """One house of the street: wall, roof line, shop, windows lit and dark."""
    rng, x = board.rng, float(side)

    def quad(a: float, b: float, low: float, high: float) -> list[tuple[float, float]]:
        return [
            _street_point(x, low, a),
            _street_point(x, high, a),
            _street_point(x, high, b),
            _street_point(x, low, b),
        ]

    haze = min(1.0, (near - 0.7) / 7)
    board.shape(
        quad(near, far, 0, tall), mix(colour, "#3a3a63", 0.25 + 0.4 * haze), below=mix("#c98745", "#8d6a70", haze)
    )
    board.shape(
        quad(near, far, 0.55, tall), mix(colour, "#23264a", 0.35), below=mix(colour, "#a8703c", 0.28), opacity=0.85
    )
    board.shape(quad(near, far, tall - 0.05, tall + 0.02), "#15162c", detail=0.6)
    for chimney in rng.uniform(near + 0.05, far - 0.1, 2):
        board.shape(quad(chimney, chimney + 0.07, tall, tall + 0.14), "#171730")
    board.shape(
        quad(near + 0.05 * (far - near), far - 0.06 * (far - near), 0.07, 0.46),
        ("#ffc65e", "#ffdf96", "#ff9a44", "#e98a3c")[int(rng.integers(4))],
        below="#d9772e",
        detail=0.8,
    )
    for bar in np.linspace(near, far, 4)[1:-1]:
        board.shape(quad(bar - 0.016, bar + 0.016, 0.07, 0.46), "#4a2822", detail=0.8)
    awning = ("#8c1f2c", "#1f5a50", "#274a86", "#a8552a")[int(rng.integers(4))]
    low = [
        _street_point(0.84 * x, 0.44, near + 0.04),
        _street_point(x, 0.55, near + 0.04),
        _street_point(x, 0.55, far - 0.04),
        _street_point(0.84 * x, 0.44, far - 0.04),
    ]
    board.shape(low, mix(awning, "#ffb35c", 0.15), below=awning, detail=0.8)
    columns = max(2, round((far - near) / (0.16 + 0.03 * near)))
    edges = np.linspace(near, far, columns + 1)
    for floor in np.arange(0.70, tall - 0.28, 0.40):
        for a, b in pairwise(edges):
            pane = quad(a + 0.25 * (b - a), b - 0.25 * (b - a), floor, floor + 0.25)
            if rng.random() < 0.42:
                board.shape(
                    pane,
                    ("#ffd67a", "#ffb84e", "#fff0bf", "#f79a3c")[int(rng.integers(4))],
                    below="#f08a34",
                    detail=1.0,
                )
            else:
                board.shape(pane, "#1a1d3c", below="#3c4673", detail=0.7)


def night_street(board: Board) -> None:
    """Lamps and lit windows shine twice in the rain: in the air and on the wet street."""
    x, y, rng = board.x, board.y, board.rng
    vx, vy = _VANISHING
    clouds = board.noise(0.4, 0.16, 4)
    board.lay(1.0, ramp(y + 0.05 * clouds, [(0, "#0b1233"), (0.2, "#18265c"), (0.36, "#3a4284"), (0.47, "#a8708a")]))
    board.lay(0.5 * step(0.1, 0.9, clouds) * step(0.5, 0.1, y), "#3f5590")
    board.glow(vx, vy - 0.02, 0.15, "#ffb060", 0.85)
    board.orient(y < 0.5, 0.7 + 0.5 * clouds, 0.9)
    tower = [
        (vx - 0.034, vy),
        (vx - 0.03, 0.30),
        (vx - 0.034, 0.297),
        (vx - 0.004, 0.19),
        (vx + 0.026, 0.297),
        (vx + 0.022, 0.30),
        (vx + 0.026, vy),
    ]
    board.shape(tower, "#333763", below="#b0746a", detail=0.6)
    board.shape(
        [(vx - 0.012, 0.335), (vx - 0.004, 0.322), (vx + 0.004, 0.335), (vx + 0.004, 0.352), (vx - 0.012, 0.352)],
        "#ffd98a",
        detail=1.0,
    )
    walls = ("#4a3050", "#2f3e6c", "#5c3a3c", "#3b3560", "#64463c", "#2b4a60")
    for hand in (-1, 1):
        cuts = np.array([0.62, 0.95, 1.35, 1.85, 2.5, 3.3, 4.4, 6.0, 8.5]) + 0.12 * (hand > 0)
        for number in range(len(cuts) - 2, -1, -1):
            tall = 1.75 + 0.55 * rng.random() + (0.25 if number % 3 == 0 else 0)
            _facade(board, hand, cuts[number], cuts[number + 1], tall, walls[int(rng.integers(6))])

    lamps = [(side, depth) for depth in (6.2, 4.2, 2.9, 2.0, 1.38) for side in (-0.62, 0.62)]
    for side, depth in lamps:
        px, head = _street_point(side, 0.98, depth)
        board.glow(px, head, 0.16 / depth, "#ff9f3f", 0.50)
        board.glow(px, head, 0.05 / depth, "#ffe9b0", 0.85)

    kerb = vy + _EYE * np.abs(x - vx)
    street = y > kerb
    near = np.clip((y - vy) / (1 - vy), 0, 1)
    ripple = board.noise(0.10, 0.012, 3) * (0.2 + near) + 0.6 * board.noise(0.3, 0.05, 3)
    rows = np.clip((2 * kerb - y) + 0.012 * ripple, 0, 1) * board.height
    columns = (x + 0.010 * ripple) * board.height
    mirror = cv2.remap(
        board.picture, columns.astype(np.float32), rows.astype(np.float32), cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT
    )
    mirror = cv2.GaussianBlur(mirror, (0, 0), 0.0035 * board.height, None, 0.022 * board.height)
    wet = ramp(near, [(0, "#8a6070"), (0.3, "#33386b"), (1, "#141a3c")])
    share = np.clip(0.50 + 0.10 * ripple, 0, 1)[..., None]
    board.lay(street * 1.0, np.clip(mirror * 1.08 * (1 - share) + wet * share, 0, 1))
    for side, depth in lamps:
        px, foot = _street_point(side, 0, depth)
        length = 0.42 / depth
        shine = np.exp(-(((x - px + 0.006 * ripple) / (0.026 / depth + 0.004)) ** 2)) * step(-0.02, 0.03, y - foot)
        broken = step(-0.5, 0.5, ripple + 0.3)
        board.light(
            shine * street * np.exp(-(((y - foot - 0.4 * length) / length) ** 2)) * (0.35 + 0.65 * broken),
            "#ffb04a",
            0.95,
        )
    board.light(
        street * np.exp(-(((x - vx) / 0.06) ** 2)) * step(-0.2, 0.6, ripple) * step(0.75, 0.0, near), "#ffa45c", 0.6
    )
    for side in (-0.72, 0.72):
        for depth in np.geomspace(0.5, 7, 16):
            edge = [_street_point(side + 0.008 * rng.normal(), 0, part * depth) for part in (1.0, 1.09, 1.17)]
            board.touch(edge, 0.0012 / depth + 0.0004, mix("#3d3c66", "#a58a9a", rng.random()))
    board.orient(street, np.where(near > 0.05, np.pi / 2 + 0.12 * ripple, 0), 0.9)

    for side, depth in lamps:
        size = 1 / depth
        px, foot = _street_point(side, 0, depth)
        head = _street_point(side, 0.98, depth)[1]
        board.shape(
            [
                (px - 0.009 * size, foot),
                (px - 0.005 * size, head),
                (px + 0.005 * size, head),
                (px + 0.009 * size, foot),
            ],
            "#14142a",
            detail=1.0,
        )
        board.shape(
            [
                (px - 0.018 * size, head + 0.012 * size),
                (px - 0.026 * size, head - 0.036 * size),
                (px + 0.026 * size, head - 0.036 * size),
                (px + 0.018 * size, head + 0.012 * size),
            ],
            "#fff6cf",
            detail=1.0,
        )
        board.shape(
            [
                (px - 0.034 * size, head - 0.034 * size),
                (px, head - 0.062 * size),
                (px + 0.034 * size, head - 0.034 * size),
            ],
            "#1a1526",
            detail=1.0,
        )
    for side, depth, coat, dome in (
        (0.25, 4.6, "#1a1a33", "#2c3b66"),
        (-0.22, 3.7, "#1b1730", "#22304f"),
        (0.42, 2.75, "#241c33", "#1f5f66"),
        (-0.36, 2.3, "#191a2e", "#6a4a1f"),
    ):
        px, foot = _street_point(side, 0, depth)
        walker(board, px, foot, 0.25 / depth, coat, dome)
    walker(board, *_street_point(-0.105, 0, 1.42), 0.178, "#2b1f35", None)
    walker(board, *_street_point(0.02, 0, 1.42), 0.168, "#5c2530", "#c8202f")
    for _ in range(420):
        px, py, long = rng.uniform(0, board.aspect + 0.1), rng.uniform(-0.05, 1), rng.uniform(0.015, 0.05)
        board.touch([(px, py), (px - 0.16 * long, py + long)], 0.0004, mix("#4e5a94", "#cdb9b4", rng.random() ** 2))
    for _ in range(170):
        py = vy + 0.06 + (0.95 - vy) * rng.random()
        px, size = rng.uniform(0, board.aspect), 0.012 * (py - vy)
        if py > vy + _EYE * abs(px - vx):
            board.touch(
                [(px - size, py), (px + size, py)], 0.0008 + 0.06 * size, mix("#6f79b0", "#ffd08a", rng.random())
            )

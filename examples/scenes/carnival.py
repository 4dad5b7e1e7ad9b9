"""A carnival by night."""

from itertools import pairwise

import numpy as np
from brush import Brushwork
from figures import reveller
from underpainting import Board, mix, ramp, rgb, step

CARNIVAL = Brushwork(ground="#4a2048", jitter=0.06, tint=0.045, longest=8)

_COSTUMES = ("#e0202e", "#f4b51e", "#1f8fd0", "#8a2fb8", "#18a070", "#f0662a", "#e83f8c", "#f3ead2", "#2a3fb0")
_LANTERNS = ("#ff5a3c", "#ffc23c", "#ff7fb0", "#6fe0c0", "#ffe58a", "#ff8c2e", "#9fb8ff")


def _wheel(board: Board, cx: float, cy: float, radius: float) -> None:
    """A big wheel in lights, with its legs and gondolas."""
    board.glow(cx, cy, 1.15 * radius, "#b04a9a", 0.35)
    for foot in (-0.6, 0.6):
        board.shape(
            [
                (cx - 0.008, cy),
                (cx + 0.008, cy),
                (cx + foot * radius + 0.012, cy + 1.35 * radius),
                (cx + foot * radius - 0.012, cy + 1.35 * radius),
            ],
            "#2c1848",
        )
    turn = np.linspace(0, 2 * np.pi, 17)
    for size, colour in ((1.0, "#ffcf7a"), (0.9, "#f08ac0"), (0.35, "#ffdf9a")):
        for a, b in pairwise(turn):
            t = np.linspace(a, b, 5)
            board.touch(np.stack([cx + size * radius * np.cos(t), cy + size * radius * np.sin(t)], 1), 0.0020, colour)
    for number, a in enumerate(turn[:-1]):
        way = np.array([np.cos(a), np.sin(a)])
        board.touch([(cx, cy) + 0.08 * radius * way, (cx, cy) + radius * way], 0.0011, "#d98ab8")
        px, py = (cx, cy) + 1.0 * radius * way
        colour = _LANTERNS[number % len(_LANTERNS)]
        board.glow(px, py, 0.028, colour, 0.6)
        board.touch(
            [(px - 0.012, py + 0.012), (px, py + 0.018), (px + 0.012, py + 0.012)], 0.009, mix(colour, "#7a2058", 0.25)
        )
        board.touch([(px - 0.003, py), (px + 0.003, py)], 0.006, mix(colour, "#ffffff", 0.5))


def _tent(board: Board, cx: float, foot: float, wide: float, tall: float, colours: tuple[str, str]) -> None:
    """A striped tent, lit from inside, with a scalloped eave and a flag."""
    eave = foot - 0.45 * tall
    board.shape(
        [(cx - 0.88 * wide, foot), (cx - 0.92 * wide, eave), (cx + 0.92 * wide, eave), (cx + 0.88 * wide, foot)],
        "#f7a64a",
        below="#c9562e",
    )
    stripes = np.linspace(-1, 1, 13)
    for number, (a, b) in enumerate(pairwise(stripes)):
        a2, b2 = np.sin(0.5 * np.pi * a), np.sin(0.5 * np.pi * b)
        shade = 0.55 * abs(a + b) / 2
        colour = mix(colours[number % 2], "#3a1450", shade)
        board.shape(
            [
                (cx, foot - tall),
                (cx + 0.45 * a2 * wide, foot - 0.68 * tall),
                (cx + a2 * wide, eave),
                (cx + b2 * wide, eave),
                (cx + 0.45 * b2 * wide, foot - 0.68 * tall),
            ],
            colour,
            detail=0.8,
        )
        board.shape(
            [
                (cx + 0.92 * a2 * wide, eave),
                (cx + 0.92 * b2 * wide, eave),
                (cx + 0.89 * b2 * wide, foot),
                (cx + 0.89 * a2 * wide, foot),
            ],
            mix(mix(colours[number % 2], "#ffae4a", 0.4), "#3a1450", shade),
            opacity=0.8,
        )
        board.shape(
            [
                (cx + a2 * wide, eave - 0.004),
                (cx + b2 * wide, eave - 0.004),
                (cx + (a2 + b2) / 2 * wide, eave + 0.07 * tall),
            ],
            mix(colours[(number + 1) % 2], "#5a1a4a", 0.3 * shade),
            detail=0.8,
        )
    board.shape(
        [(cx - 0.2 * wide, foot), (cx - 0.03 * wide, eave), (cx + 0.03 * wide, eave), (cx + 0.2 * wide, foot)],
        "#fff0b0",
        below="#ffb24a",
    )
    board.touch([(cx, foot - tall), (cx, foot - 1.16 * tall)], 0.0016, "#f3d9a8")
    flag = foot - 1.16 * tall
    board.shape(
        [(cx, flag), (cx + 0.2 * wide, flag + 0.035 * tall), (cx, flag + 0.07 * tall)], "#ffd23c", "#f08a2c", detail=1.0
    )


def carnival(board: Board) -> None:
    """Lanterns, a big wheel, striped tents and a masked crowd that dances beneath the fireworks."""
    x, y, rng = board.x, board.y, board.rng
    haze = board.noise(0.5, 0.2, 4)
    board.lay(
        1.0,
        ramp(
            y + 0.05 * haze,
            [(0, "#141a5c"), (0.2, "#3a2388"), (0.38, "#7d2f98"), (0.52, "#d9568a"), (0.62, "#ff9a5a"), (1, "#a83a3a")],
        ),
    )
    board.orient(y < 0.6, 0.5 * haze + 0.3 * np.sin(4 * x), 0.8)
    for cx, cy, reach, colours in (
        (0.70, 0.15, 0.13, ("#ffd76a", "#fff3c0")),
        (0.93, 0.10, 0.085, ("#ff7fb8", "#ffd0e4")),
        (0.545, 0.075, 0.06, ("#7fe6e0", "#e0fffa")),
    ):
        board.glow(cx, cy, 1.1 * reach, colours[0], 0.35)
        for _ in range(90):
            angle, start = rng.uniform(0, 2 * np.pi), rng.uniform(0.15, 0.75)
            t = np.array([start, start + 0.13, start + 0.26]) * rng.uniform(0.8, 1.1)
            way = np.stack([cx + reach * t * np.cos(angle), cy + reach * (t * np.sin(angle) + 0.25 * t**2)], 1)
            board.touch(way, 0.0007 + 0.0013 * rng.random(), mix(*colours, rng.random()))
    _wheel(board, 0.30, 0.33, 0.225)
    _tent(board, 0.66, 0.66, 0.13, 0.25, ("#2a6fc0", "#f7e8c0"))
    _tent(board, 1.02, 0.69, 0.24, 0.44, ("#d81f34", "#fbeccb"))
    _tent(board, 0.04, 0.68, 0.13, 0.27, ("#f2a51e", "#7a2aa0"))
    ground = y > 0.655
    board.lay(
        ground * step(0.655, 0.70, y), ramp(y + 0.05 * haze, [(0.64, "#ffb45c"), (0.78, "#d9643c"), (1, "#6a1f48")])
    )
    board.orient(ground, 0.2 * haze, 0.8)
    for sag, left, right in (
        (0.10, (-0.02, 0.10), (0.66, 0.372)),
        (0.12, (0.40, 0.02), (1.28, 0.22)),
        (0.13, (-0.02, 0.36), (1.28, 0.40)),
    ):
        t = np.linspace(0, 1, 22)
        line = np.stack(
            [left[0] + t * (right[0] - left[0]), left[1] + t * (right[1] - left[1]) + 4 * sag * t * (1 - t)], 1
        )
        for a, b in pairwise(line):
            board.touch([a, b], 0.0009, "#f0c890")
        for number, (px, py) in enumerate(line[1:-1]):
            size, colour = rng.uniform(0.010, 0.016), _LANTERNS[int(rng.integers(len(_LANTERNS)))]
            if number % 2 == 0:
                board.glow(px, py + size, 3.2 * size, colour, 0.7)
                board.touch([(px, py + 0.3 * size), (px, py + 1.7 * size)], size, colour)
                board.touch(
                    [(px - 0.25 * size, py + 0.7 * size), (px - 0.2 * size, py + 1.2 * size)],
                    0.4 * size,
                    mix(colour, "#fffbe0", 0.75),
                )
    for row in np.linspace(0, 1, 7):
        foot, tall = 0.715 + 0.27 * row**1.2, 0.085 + 0.115 * row**1.2
        for px in np.arange(-0.02, board.aspect + 0.05, 0.42 * tall) + rng.uniform(0, 0.2 * tall):
            costume = mix(_COSTUMES[int(rng.integers(9))], "#ffa050", 0.25 * (1 - row))
            reveller(
                board,
                px + rng.normal(0, 0.06 * tall),
                foot + 0.05 * tall * rng.normal(),
                tall * rng.uniform(0.88, 1.08),
                costume,
                row,
            )
    leads = (
        (0.20, 1.13, 0.50, "#d4152a", 1, True, 3),
        (0.50, 1.17, 0.47, "#1d62c4", -1, False, 1),
        (0.78, 1.15, 0.49, "#f2b21c", 1, True, 2),
        (1.09, 1.13, 0.50, "#7c26a8", -1, False, 0),
    )
    for px, foot, tall, colour, facing, gown, hat in leads:
        reveller(board, px, foot, tall, rgb(colour), 1.0, facing, gown, hat)
    for _ in range(520):
        px, py, size = rng.uniform(0, board.aspect), rng.uniform(0, 1) ** 0.8, rng.uniform(0.0010, 0.0030)
        turn = rng.uniform(0, np.pi)
        way = 1.3 * size * np.array([np.cos(turn), np.sin(turn)])
        board.touch(
            np.stack([np.array([px, py]) - way, np.array([px, py]) + way]),
            size,
            mix(_LANTERNS[int(rng.integers(7))], _COSTUMES[int(rng.integers(9))], rng.random()),
        )

"""People, drawn from a few outlines: walkers in the rain, one who grieves, revellers in costume."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from underpainting import Array, Board, Colour, curve, mix

Outline = Sequence[tuple[float, float]]


def _placed(outline: Outline, x: float, foot: float, tall: float, mirror: int = 1, up: float = 1.0) -> Array:
    """An outline in figure coordinates (feet at 0, crown at 1, y up) put on the board."""
    points = np.asarray(outline, np.float32)
    return np.asarray(np.stack([x + mirror * tall * points[:, 0], foot - up * tall * points[:, 1]], 1), np.float32)


def _limb(path: Outline, start: float, end: float) -> list[tuple[float, float]]:
    """The outline of a limb along a path, from one half-width to another."""
    way = curve(path)
    wide = np.linspace(start, end, len(way))[:, None]
    along = np.gradient(way, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], 1) / (np.linalg.norm(along, axis=1, keepdims=True) + 1e-6)
    outline = np.vstack([way + across * wide, (way - across * wide)[::-1]])
    return [(float(px), float(py)) for px, py in outline]


def _oval(x: float, y: float, wide: float, tall: float) -> list[tuple[float, float]]:
    turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    return [(x + wide * float(np.cos(t)), y + tall * float(np.sin(t))) for t in turn]


def _put_walker(
    board: Board,
    x: float,
    foot: float,
    tall: float,
    up: float,
    outline: Outline,
    colour: Colour,
    below: Colour | None = None,
    opacity: float = 1.0,
) -> None:
    """One outline of a walker, or of the reflection when `up` is negative."""
    points = _placed(outline, x, foot, tall, 1, up)
    if up > 0:
        board.shape(points, colour, below, opacity, detail=1.0)
    else:
        board.shape(points, colour, below, 0.55 * opacity, soft=0.03 * tall, detail=0.4)


def walker(board: Board, x: float, foot: float, tall: float, coat: str, umbrella: str | None) -> None:
    """Someone seen from behind in the rain, and the reflection at their feet."""
    dome = [
        (-0.46, 1.02),
        (-0.40, 1.20),
        (-0.22, 1.34),
        (0.0, 1.39),
        (0.22, 1.34),
        (0.40, 1.20),
        (0.46, 1.02),
        (0.30, 1.07),
        (0.15, 1.02),
        (0, 1.07),
        (-0.15, 1.02),
        (-0.30, 1.07),
    ]
    for up in (-0.8, 1.0):
        put = partial(_put_walker, board, x, foot, tall, up)
        for side in (-1, 1):
            put(_limb([(0.06 * side, 0.42), (0.08 * side, 0.2), (0.075 * side, 0.0)], 0.055, 0.04), "#12101f")
        put(
            [(-0.13, 0.80), (0.13, 0.80), (0.17, 0.62), (0.20, 0.25), (-0.20, 0.25), (-0.17, 0.62)],
            coat,
            mix(coat, "#0c0b18", 0.6),
        )
        put(
            [(0.05, 0.80), (0.13, 0.80), (0.17, 0.62), (0.20, 0.25), (0.14, 0.25)],
            mix(coat, "#ffb35c", 0.45),
            coat,
            0.8,
        )
        put(_oval(0, 0.90, 0.075, 0.09), "#241a22")
        if umbrella:
            put(dome, mix(umbrella, "#ffc07a", 0.25), mix(umbrella, "#120c1c", 0.35))
            put(
                [(0.0, 1.39), (0.22, 1.34), (0.40, 1.20), (0.46, 1.02), (0.30, 1.07), (0.2, 1.2)],
                mix(umbrella, "#ffd08a", 0.55),
                umbrella,
                0.8,
            )
        else:
            put([(-0.14, 0.95), (-0.07, 0.97), (-0.06, 1.04), (0.06, 1.04), (0.07, 0.97), (0.14, 0.95)], "#15121f")


def bowed_figure(board: Board, x: float, foot: float, tall: float) -> None:
    """Someone on a bench, bent over, with their face in their hands."""

    def put(outline: Outline, colour: str, below: str | None = None, smooth: bool = False) -> None:
        board.shape(_placed(outline, x, foot, tall), colour, below, smooth=smooth, detail=1.0)

    def line(points: Outline, radius: float, colour: str) -> None:
        board.touch(curve(_placed(points, x, foot, tall)), radius * tall, colour)

    for level, shade in ((0.80, "#5f6264"), (0.66, "#505355"), (0.52, "#46494b")):
        put(
            [(-0.12, level + 0.035), (0.86, level + 0.035), (0.86, level - 0.045), (-0.12, level - 0.045)],
            shade,
            "#2e3032",
        )
    for leg in (-0.06, 0.78):
        put([(leg - 0.02, 0.84), (leg + 0.03, 0.84), (leg + 0.035, 0.0), (leg - 0.025, 0.0)], "#232527")
    put([(-0.18, 0.40), (0.92, 0.40), (0.90, 0.33), (-0.20, 0.33)], "#6a6d6f", "#35383a")
    put(
        [
            (0.38, 0.36),
            (0.41, 0.52),
            (0.36, 0.70),
            (0.24, 0.83),
            (0.08, 0.88),
            (-0.03, 0.82),
            (-0.08, 0.70),
            (-0.16, 0.58),
            (-0.30, 0.50),
            (-0.35, 0.43),
            (-0.33, 0.25),
            (-0.34, 0.10),
            (-0.14, 0.10),
            (-0.12, 0.28),
            (0.0, 0.30),
            (0.14, 0.22),
            (0.34, 0.25),
        ],
        "#3a3d41",
        "#1d1f22",
        True,
    )
    put(_limb([(-0.23, 0.16), (-0.245, 0.02)], 0.05, 0.04), "#17181a")
    put([(-0.17, 0.055), (-0.28, 0.06), (-0.40, 0.03), (-0.42, 0.0), (-0.17, 0.0)], "#131416")
    put(_oval(-0.075, 0.875, 0.105, 0.10), "#2a2724", "#1b1917")
    put(
        [(0.02, 0.93), (0.05, 0.86), (0.02, 0.76), (-0.05, 0.70), (-0.08, 0.80), (-0.04, 0.90)],
        "#211f1d",
        "#191817",
        True,
    )
    put([(-0.16, 0.86), (-0.19, 0.80), (-0.15, 0.74), (-0.09, 0.76), (-0.08, 0.84)], "#b3aba4", "#8c8580", True)
    put(_limb([(0.06, 0.74), (-0.08, 0.60), (-0.22, 0.50)], 0.07, 0.055), "#45484c", "#2c2f32")
    put(_limb([(-0.23, 0.50), (-0.20, 0.62), (-0.17, 0.73)], 0.058, 0.042), "#4d5155", "#33363a")
    put(
        [(-0.215, 0.72), (-0.20, 0.80), (-0.165, 0.86), (-0.13, 0.84), (-0.125, 0.74), (-0.15, 0.70)],
        "#c9c1b9",
        "#9a928b",
        True,
    )
    line([(0.41, 0.50), (0.37, 0.69), (0.25, 0.83), (0.10, 0.885)], 0.008, "#a3a8ab")
    line([(-0.17, 0.93), (-0.10, 0.975), (-0.02, 0.97), (0.03, 0.93)], 0.006, "#5f5b57")
    line([(0.30, 0.62), (0.20, 0.50), (0.16, 0.34)], 0.009, "#23252a")
    line([(0.18, 0.74), (0.06, 0.62), (0.0, 0.44)], 0.009, "#5c6064")
    line([(-0.30, 0.46), (-0.27, 0.30), (-0.28, 0.14)], 0.010, "#55595d")
    line([(0.02, 0.36), (0.07, 0.26)], 0.009, "#4b4f53")


_HATS = ("#d81f34", "#f7c12a", "#1f9ad0", "#8c2fc0", "#20b07a", "#1d1838", "#f7f0da")
_MASKS = ("#fdf3dc", "#f2c21e", "#1a1430", "#d81f4a", "#1fae9a")


def reveller(
    board: Board,
    x: float,
    foot: float,
    tall: float,
    costume: Colour,
    near: float,
    facing: int = 0,
    gown: bool | None = None,
    hat: int | None = None,
) -> None:
    """A guest of the carnival with a mask and a hat, in a gown or a coat; those who face somewhere (-1 left,
    1 right) lift a lantern. What is not asked for is left to chance."""
    rng = board.rng
    mirror = facing or int(rng.choice((-1, 1)))
    dusk = mix(costume, "#2a0d3c", 0.55)
    rim, skin = mix(costume, "#ffd28a", 0.5), mix("#ffd0a4", "#a8664e", float(rng.random()) * 0.7)

    def put(outline: Outline, colour: Colour, below: Colour | None = None, opacity: float = 1.0) -> None:
        board.shape(_placed(outline, x, foot, tall, mirror), colour, below, opacity, detail=0.4 + 0.6 * near)

    if gown if gown is not None else rng.random() < 0.5:
        put(
            [
                (-0.11, 0.80),
                (0.11, 0.80),
                (0.075, 0.58),
                (0.20, 0.28),
                (0.28, 0.0),
                (-0.28, 0.0),
                (-0.20, 0.28),
                (-0.075, 0.58),
            ],
            costume,
            dusk,
        )
        put(
            [(0.03, 0.80), (0.11, 0.80), (0.075, 0.58), (0.20, 0.28), (0.28, 0.0), (0.16, 0.0), (0.05, 0.5)],
            rim,
            costume,
            0.75,
        )
        for fold in (-0.12, -0.03, 0.07):
            put(_limb([(0.4 * fold, 0.55), (fold, 0.3), (1.5 * fold, 0.0)], 0.008, 0.02), dusk, opacity=0.7)
        put([(-0.11, 0.80), (0.11, 0.80), (0.06, 0.70), (0.0, 0.66), (-0.06, 0.70)], skin, mix(skin, "#6a2a3a", 0.4))
    else:
        for side in (-1, 1):
            put(_limb([(0.06 * side, 0.46), (0.085 * side, 0.0)], 0.06, 0.045), mix(dusk, "#1a0f2a", 0.5))
        put([(-0.15, 0.81), (0.15, 0.81), (0.13, 0.56), (0.18, 0.34), (-0.18, 0.34), (-0.13, 0.56)], costume, dusk)
        put([(0.06, 0.81), (0.15, 0.81), (0.13, 0.56), (0.18, 0.34), (0.09, 0.34)], rim, costume, 0.75)
        put([(-0.04, 0.81), (0.04, 0.81), (0.0, 0.58)], "#fbeed2")
        for button in (0.70, 0.62, 0.54):
            put(_oval(0.06, button, 0.011, 0.011), "#ffd76a")
    raised = bool(facing) or rng.random() < 0.4
    elbow, hand = ((0.27, 0.80), (0.30, 1.0)) if raised else ((0.21, 0.62), (0.19, 0.48))
    put(_limb([(0.12, 0.76), elbow, hand], 0.046, 0.032), mix(costume, "#ffd28a", 0.35), costume)
    put(_limb([(-0.12, 0.76), (-0.21, 0.62), (-0.16, 0.46)], 0.046, 0.032), dusk)
    put(_oval(*hand, 0.034, 0.036), skin)
    put(_limb([(0, 0.78), (0, 0.86)], 0.034, 0.032), mix(skin, "#6a2a3a", 0.35))
    put(_oval(0, 0.905, 0.070, 0.085), skin, mix(skin, "#6a2a3a", 0.3))
    mask = _MASKS[int(rng.integers(len(_MASKS)))]
    put(
        [(-0.085, 0.955), (-0.02, 0.935), (0.02, 0.935), (0.085, 0.955), (0.055, 0.885), (0.0, 0.912), (-0.055, 0.885)],
        mask,
    )
    for eye in (-0.032, 0.032):
        put(_oval(eye, 0.922, 0.012, 0.007), "#fdf3dc" if mask == "#1a1430" else "#150a18")
    put(_limb([(-0.03, 0.868), (0, 0.852), (0.03, 0.868)], 0.007, 0.007), "#8c1f2c")
    _hat(
        put,
        rng,
        hat if hat is not None else int(rng.integers(4)),
        mix(costume, _HATS[int(rng.integers(len(_HATS)))], 0.8),
    )
    if facing:
        lamp = _placed([hand], x, foot, tall, mirror)[0]
        at_x, at_y = float(lamp[0]), float(lamp[1]) - 0.11 * tall
        board.glow(at_x, at_y, 0.22 * tall, "#ffc25a", 0.65)
        put(_oval(hand[0], hand[1] + 0.11, 0.05, 0.06), "#ffd04a", "#ff7a2c")
        put(_oval(hand[0], hand[1] + 0.115, 0.024, 0.034), "#fffbe0")


def _hat(put: Callable[..., None], rng: np.random.Generator, kind: int, colour: Array) -> None:
    """A top hat, a jester's cap with bells, a cone, or a fan of feathers."""
    dark = mix(colour, "#1a0a2a", 0.5)
    if kind == 0:
        put([(-0.075, 0.97), (-0.085, 1.14), (0.085, 1.14), (0.075, 0.97)], mix(colour, "#191430", 0.5), dark)
        put([(-0.075, 1.01), (-0.073, 0.98), (0.073, 0.98), (0.075, 1.01)], colour)
        put([(-0.13, 0.985), (0.13, 0.985), (0.12, 0.955), (-0.12, 0.955)], dark)
    elif kind == 1:
        gold = mix(colour, "#ffd23c", 0.55)
        for paint, top, tip in (
            (gold, (-0.12, 1.10), (-0.21, 0.98)),
            (colour, (0.12, 1.10), (0.21, 0.98)),
            (mix(colour, "#ffffff", 0.3), (0.02, 1.10), (0.03, 1.22)),
        ):
            put(_limb([(0.0, 0.96), top, tip], 0.07, 0.012), paint)
            put(_oval(*tip, 0.022, 0.022), "#ffdf7a")
    elif kind == 2:
        put([(-0.085, 0.955), (0.01, 1.27), (0.085, 0.955)], colour, dark)
        put([(-0.056, 1.05), (-0.04, 1.10), (0.052, 1.11), (0.068, 1.05)], "#fff0c0")
        put(_oval(0.01, 1.27, 0.028, 0.028), "#fff0c0")
    else:
        for angle in np.linspace(-0.8, 0.8, 7):
            long, lean = 0.22 * rng.uniform(0.85, 1.1), float(np.sin(angle))
            plume = [
                (0.04 * lean, 0.97),
                (0.55 * long * lean, 0.97 + 0.6 * long),
                (1.15 * long * lean, 0.97 + long * float(np.cos(angle))),
            ]
            put(
                _limb(plume, 0.012, 0.022),
                mix(colour, ("#ffffff", "#ffd23c", "#2a0d3c")[int(rng.integers(3))], 0.4 * rng.random()),
            )
        put([(-0.075, 0.985), (0.075, 0.985), (0.07, 0.955), (-0.07, 0.955)], "#ffd76a")

"""A storm on a headland."""

import cv2
import numpy as np
from brush import Brushwork
from underpainting import Array, Board, mix, ramp, step

STORM = Brushwork(ground="#3a3630", longest=14, jitter=0.06, bristle=0.07)


def _wave_crest(columns: Array, length: float, height: float, phase: float, rough: Array) -> Array:
    """A steep-crested (trochoid-like) sea: sharp tops, long hollows; heights in [0, height] about."""
    turn = 2 * np.pi * (columns / length) + phase + 0.8 * rough
    lean = turn + 0.75 * np.cos(turn)
    crest = np.exp(1.5 * (np.cos(lean) - 1)) * (0.8 + 0.3 * np.sin(0.37 * turn + phase))
    chop = np.exp(1.2 * (np.cos(3.3 * lean + phase) - 1))
    return np.asarray(height * (0.9 * crest + 0.22 * chop + 0.10 * rough), np.float32)


def storm(board: Board) -> None:
    """A gale drives the sea on to a headland; the lighthouse stands, a ship fights for sea room."""
    x, y, rng = board.x, board.y, board.rng
    eye = (0.50, 0.20)
    dx, dy = x - eye[0], 1.55 * (y - eye[1])
    away, around = np.hypot(dx, dy), np.arctan2(dy, dx)
    twist = around + 2.6 * np.log(away + 0.16)
    swirl = 0.55 * np.sin(3 * twist) + 0.8 * board.noise(0.3, 0.16, 5) + 0.3 * np.sin(7 * twist + 2)
    tone = 0.5 + 0.17 * swirl + 0.62 * np.exp(-((away / 0.24) ** 2)) - 0.30 * step(0.25, 0.85, away)
    board.lay(
        1.0,
        ramp(
            tone,
            [
                (0.05, "#10161d"),
                (0.35, "#2a363d"),
                (0.55, "#4d5c60"),
                (0.75, "#8b958c"),
                (0.95, "#d8cfa8"),
                (1.15, "#f6eccb"),
            ],
        ),
    )
    board.orient(y < 0.62, around + np.pi / 2 + 0.35, 1.2)
    rain = step(0.1, 0.9, board.noise(0.25, 0.6, 2)) * step(0.3, 0.55, y) * step(0.75, 0.2, x)
    board.lay(0.35 * rain, "#59666a")
    cliff = [
        (1.4, 0.26),
        (1.2, 0.285),
        (1.1, 0.29),
        (1.045, 0.325),
        (1.03, 0.40),
        (0.985, 0.47),
        (0.96, 0.56),
        (0.90, 0.64),
        (0.88, 0.75),
        (1.4, 0.8),
    ]
    board.shape(cliff, "#2b2a29", below="#0f1416", detail=0.7)
    rock = board.noise(0.10, 0.2, 5)
    inside = (x > 0.92) & (y > 0.285 + 0.002 * rock) & (board.picture.mean(2) < 0.19)
    board.lay(inside * step(0.2, 1.0, rock) * 0.55, "#6a6455")
    board.lay(inside * step(0.0, 0.05, 0.33 - y) * 0.7, "#4c5240")
    board.orient(inside, 1.25 + 0.3 * rock, 1.0)
    board.light(
        np.exp(-(((y - 0.123 - 0.16 * (1.17 - x)) / (0.006 + 0.10 * np.clip(1.17 - x, 0, 2))) ** 2))
        * (x < 1.17)
        * step(0.35, 1.17, x),
        "#f5e3a4",
        0.55,
    )
    board.shape([(1.145, 0.29), (1.154, 0.145), (1.186, 0.145), (1.195, 0.29)], "#d5cfc0", below="#8b8a82", detail=1.0)
    board.shape([(1.15, 0.215), (1.152, 0.18), (1.188, 0.18), (1.19, 0.215)], "#8c3b30", detail=1.0)
    board.shape([(1.15, 0.146), (1.158, 0.118), (1.17, 0.102), (1.182, 0.118), (1.19, 0.146)], "#23211f", detail=1.0)
    board.glow(1.17, 0.128, 0.035, "#fff0b0", 1.0)

    columns = x[0]
    rows = (
        (0.553, 0.17, 0.022, "#5d6b69", "#34474b"),
        (0.585, 0.27, 0.036, "#57706e", "#283f45"),
        (0.625, 0.38, 0.052, "#557370", "#20383e"),
        (0.68, 0.50, 0.072, "#5e8c84", "#16303a"),
        (0.75, 0.66, 0.092, "#5f968b", "#112a35"),
        (0.845, 0.80, 0.118, "#5f968b", "#0d2430"),
        (0.975, 1.0, 0.15, "#5b968c", "#0a1c28"),
    )
    for number, (base, length, height, top, body) in enumerate(rows):
        rough = board.line_noise(length * 0.5, 5)
        crest = base - _wave_crest(columns, length, height, 1.9 * number + 0.6, rough)
        if number == 2:
            _surge(board)
        if number == 3:
            _ship(board, 0.40, float(np.interp(0.40, columns, crest)) - 0.016)
        below = (y - crest[None, :]) / height
        inside = below > 0
        slope = np.gradient(crest) * board.height
        along = np.clip((y - crest + 0.3 * (1 - y)) * board.height, 0, board.height - 1).astype(np.float32)
        marble = board.noise(0.5 * length, 0.5 * height, 4)
        streak = cv2.remap(marble, x * board.height, along, cv2.INTER_LINEAR)
        glass = np.exp(-np.clip(below, 0, 9) / 0.35) * step(0.15, 0.7, (base - crest) / height)[None, :]
        water = ramp(np.clip(glass + 0.12 * streak, 0, 1), [(0, body), (0.5, "#2c5a5e"), (1, top)])
        board.lay(np.clip(below * height * board.height, 0, 1), water)
        veins = step(0.17, 0.02, np.abs(streak)) * np.exp(-np.clip(below, 0, 9) / 1.3)
        board.lay(inside * veins * (0.30 + 0.05 * number), "#a9bdb5")
        lift = step(0.3, 0.85, (base - crest) / height)[None, :]
        cap = step(1.0, 0.4, below / np.clip(0.13 + 0.13 * streak, 0.02, 1)) * lift
        board.lay(inside * cap * 0.9, mix("#b3c1bb", "#f3f2e4", number / 6))
        spray = np.exp(-(np.clip(-below, 0, 9) / 0.16)) * lift
        board.lay(~inside * spray * step(-0.2, 0.9, board.noise(0.06)) * 0.55, "#d5dcd5")
        lean = np.arctan(np.clip(slope, -2, 2))[None, :] * np.exp(-np.clip(below, 0, 3))
        board.orient(inside & (below < 3), lean + 0.12 * streak, 1.6)
        for _ in range(90 + 50 * number):
            px, drop = rng.uniform(0, board.aspect), abs(rng.normal(0, 0.16))
            rise = (base - float(np.interp(px, columns, crest))) / height
            behind_ship = number < 3 and abs(px - 0.40) < 0.16
            if behind_ship or rise < 0.35 + 0.5 * rng.random() + 0.5 * drop:
                continue
            places = px + height * rng.uniform(0.06, 0.26) * np.linspace(-0.5, 0.5, 5)
            fleck = np.stack([places, np.interp(places, columns, crest) + height * drop], 1)
            tone = rng.random() * (1 - 1.5 * min(drop, 0.5))
            board.touch(fleck, 0.0008 + 0.016 * height * rng.random(), mix("#8fa8a3", "#fbf9ee", tone))
    for _ in range(130):
        px, py = rng.uniform(-0.1, board.aspect), rng.uniform(-0.05, 0.9)
        long = rng.uniform(0.03, 0.07)
        board.touch([(px, py), (px + 0.42 * long, py + long)], 0.0004, mix("#46545a", "#87949a", rng.random()))


def _surge(board: Board) -> None:
    """The sea bursts on the foot of the headland."""
    x, y, rng = board.x, board.y, board.rng
    mist = board.noise(0.09, 0.11, 5)
    for px, py, wide, tall in ((0.93, 0.63, 0.11, 0.19), (1.05, 0.62, 0.10, 0.12), (1.21, 0.63, 0.13, 0.10)):
        plume = (
            1
            - np.hypot((x - px + 0.45 * (py - y)) / wide, np.where(y < py, (py - y) / tall, (y - py) / 0.05))
            + 0.5 * mist
        )
        spray = ramp(plume + 0.3 * mist, [(0, "#8fa19f"), (0.5, "#ccd5d0"), (1, "#f8f6ea")])
        board.lay(0.85 * step(0.0, 0.8, plume), spray)
        for _ in range(60):
            angle, power = rng.normal(-np.pi / 2 - 0.4, 0.5), rng.uniform(0.6, 1.15)
            drop = np.array([px + wide * power * np.cos(angle) * 0.9, py + tall * power * np.sin(angle)])
            fall = np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(0.002, 0.007)
            board.touch([drop, drop + fall], rng.uniform(0.0004, 0.0009), mix("#a9b8b4", "#fdfbf0", rng.random()))


def _ship(board: Board, at_x: float, at_y: float) -> None:
    """A brig, heeling hard, with torn topsails."""
    lean, size = np.radians(15), 0.19

    def place(points: list[tuple[float, float]]) -> Array:
        p = np.asarray(points) * size
        return np.asarray(
            np.stack(
                [
                    at_x + p[:, 0] * np.cos(lean) + p[:, 1] * np.sin(lean),
                    at_y + p[:, 0] * np.sin(lean) - p[:, 1] * np.cos(lean),
                ],
                1,
            ),
            np.float32,
        )

    board.shape(
        place([(-0.62, 0.3), (-0.5, -0.12), (0.45, -0.12), (0.72, 0.34), (0.5, 0.2), (-0.45, 0.16)]),
        "#17130f",
        detail=1.0,
    )
    for mast, tall in ((-0.28, 1.05), (0.1, 1.2), (0.4, 0.95)):
        board.shape(
            place([(mast - 0.014, 0.1), (mast - 0.006, tall), (mast + 0.006, tall), (mast + 0.014, 0.1)]),
            "#2a221a",
            detail=1.0,
        )
        for low, wide in ((0.38, 0.17), (0.7, 0.13)):
            top = low + 0.26
            sail = [
                (mast - wide, low),
                (mast - wide * 0.8, top),
                (mast + wide * 0.8, top),
                (mast + wide * 1.15, low + 0.02),
                (mast + 0.04, low + 0.05),
            ]
            board.shape(place(sail), "#cfc4a4", below="#8f8a78", detail=1.0)
    board.shape(place([(0.58, 0.25), (1.0, 0.47), (0.6, 0.31)]), "#1c1712", detail=1.0)

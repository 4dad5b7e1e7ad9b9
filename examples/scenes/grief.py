"""Grief beneath a bare tree."""

import numpy as np
from brush import Brushwork
from figures import bowed_figure
from underpainting import Array, Board, curve, mix, ramp, step

GRIEF = Brushwork(ground="#7d7b78", jitter=0.03, tint=0.008, bristle=0.045, longest=13)


def _branch(board: Board, foot: Array, angle: float, length: float, radius: float, tone: float) -> None:
    """A bare branch and, from it, the smaller ones; thin wood pales into the fog."""
    rng = board.rng
    bend = rng.normal(0, 0.18)
    middle = foot + 0.5 * length * np.array([np.cos(angle + bend), np.sin(angle + bend)])
    tip = middle + 0.5 * length * np.array([np.cos(angle - bend), np.sin(angle - bend)])
    way = curve([foot, middle, tip])
    thick = np.linspace(radius, 0.66 * radius, len(way))
    across = np.gradient(way, axis=0)
    across = np.stack([-across[:, 1], across[:, 0]], 1) / (np.linalg.norm(across, axis=1, keepdims=True) + 1e-6)
    colour = mix("#26282a", "#8f9496", tone)
    if radius > 0.004 or tone > 0.6:
        board.shape(
            np.vstack([way + across * thick[:, None], (way - across * thick[:, None])[::-1]]), colour, detail=0.9
        )
    if radius > 0.004:
        board.touch(way - across * 0.45 * thick[:, None], 0.22 * radius, mix("#5a5d60", "#a5a9aa", tone))
        board.touch(way + across * 0.3 * thick[:, None], 0.35 * radius, mix("#17191b", "#8f9496", tone))
    elif tone < 0.6:
        board.touch(way, 0.8 * radius, colour)
    if radius < 0.0007:
        return
    for side in (-1, 1):
        board_angle = angle + side * rng.uniform(0.22, 0.62) + 0.05 * np.cos(angle)
        _branch(
            board,
            tip,
            board_angle,
            length * rng.uniform(0.70, 0.88),
            radius * rng.uniform(0.56, 0.72),
            min(0.55, tone + 0.06) if tone < 0.6 else tone,
        )
    if rng.random() < 0.4:
        _branch(
            board,
            middle,
            angle + rng.choice((-1, 1)) * rng.uniform(0.5, 0.9),
            0.6 * length,
            0.4 * radius,
            min(0.55, tone + 0.12) if tone < 0.6 else tone,
        )


def grief(board: Board) -> None:
    """Fog, a bare tree, and someone alone on a bench with their face in their hands."""
    x, y, rng = board.x, board.y, board.rng
    drift = board.noise(0.7, 0.16, 4)
    board.lay(
        1.0,
        ramp(
            y + 0.04 * drift, [(0, "#74797d"), (0.25, "#979b9d"), (0.5, "#c2c4c4"), (0.62, "#b4b6b6"), (1, "#6b6d6e")]
        ),
    )
    board.glow(0.50, 0.46, 0.33, "#e4e4e0", 0.45)
    for base, scale, colour, cover in ((0.60, 0.10, "#a6aaac", 0.8), (0.635, 0.13, "#8f9496", 0.75)):
        crest = base - 0.03 - 0.05 * np.abs(board.line_noise(scale, 5)) * step(0.15, 0.5, np.abs(x[0] - 0.45))
        board.lay(cover * step(-0.004, 0.006, y - crest) * step(base + 0.09, base, y), colour)
    for px, tall in ((0.36, 0.17), (0.66, 0.32), (0.765, 0.27), (0.04, 0.25)):
        _branch(board, np.array([px, 0.635]), -np.pi / 2, 0.28 * tall, 0.0042, 0.68)
    board.orient(y < 0.62, 0.10 * drift, 0.8)
    ground = y > 0.64 + 0.006 * drift
    near = np.clip((y - 0.64) / 0.36, 0, 1)
    board.lay(
        ground * 1.0,
        ramp(
            near + 0.10 * board.noise(0.3, 0.03), [(0, "#b0b2b1"), (0.3, "#8f9190"), (0.7, "#666866"), (1, "#434546")]
        ),
    )
    path = step(1.0, 0.75, np.abs(x - 0.34 - 0.35 * (1 - near) ** 2 + 0.08 * near) / (0.03 + 0.30 * near))
    board.lay(
        ground * path * 0.65,
        ramp(near + 0.08 * board.noise(0.2, 0.02), [(0, "#cccdcb"), (0.5, "#a9abaa"), (1, "#7d8081")]),
    )
    board.orient(ground, 0.08 * board.noise(0.2, 0.05), 1.4)
    board.lay(np.exp(-(((x - 0.55) / 0.24) ** 2) - ((y - 0.872) / 0.022) ** 2) * 0.75, "#313436")
    board.lay(np.exp(-(((x - 0.10) / 0.17) ** 2) - ((y - 0.86) / 0.03) ** 2) * 0.7, "#303234")
    trunk = [
        (0.0, 0.885),
        (0.055, 0.855),
        (0.075, 0.74),
        (0.07, 0.60),
        (0.09, 0.47),
        (0.165, 0.455),
        (0.155, 0.60),
        (0.165, 0.74),
        (0.19, 0.85),
        (0.255, 0.89),
        (0.13, 0.87),
    ]
    board.shape(trunk, "#2b2d2f", below="#1c1e20", smooth=True, detail=0.9)
    for _ in range(90):
        py = rng.uniform(0.48, 0.86)
        px = 0.12 + rng.uniform(-0.042, 0.042)
        tone = mix("#121415", "#74787a", np.clip((0.125 - px) / 0.08 + 0.4 + 0.2 * rng.normal(), 0, 1) * 0.8)
        board.touch(
            curve([(px, py), (px + 0.004 * rng.normal(), py + 0.02), (px + 0.006 * rng.normal(), py + 0.045)]),
            0.0018,
            tone,
        )
    for angle, length, radius in (
        (-2.15, 0.17, 0.022),
        (-1.55, 0.19, 0.028),
        (-0.85, 0.20, 0.026),
        (-0.62, 0.16, 0.014),
    ):
        _branch(board, np.array([0.127, 0.475]), angle, length, radius, 0.0)
    bowed_figure(board, 0.57, 0.865, 0.30)
    for _ in range(150):
        px, py = rng.uniform(0, board.aspect), 0.70 + 0.30 * rng.random() ** 0.7
        size = 0.004 + 0.010 * (py - 0.66)
        if px > 0.45 and py < 0.87:
            continue
        leaf = curve([(px - size, py), (px, py - 0.4 * size), (px + size, py + 0.2 * size * rng.normal())])
        board.touch(leaf, 0.3 * size, mix("#3a3b3b", "#9c9a94", rng.random()))
    for _ in range(170):
        px, py, long = rng.uniform(0, board.aspect), rng.uniform(-0.05, 1), rng.uniform(0.02, 0.06)
        board.touch([(px, py), (px - 0.05 * long, py + long)], 0.0004, mix("#8d9294", "#d9dbdb", rng.random()))
    board.touch(curve([(0.395, 0.905), (0.425, 0.898), (0.455, 0.900)]), 0.0012, "#3c4240")
    for dx, dy in ((0, 0), (-0.006, -0.004), (-0.004, 0.004), (-0.010, 0.001)):
        board.touch(
            [(0.392 + dx, 0.904 + dy), (0.399 + dx, 0.902 + dy)], 0.004, mix("#6e2f35", "#8d4448", rng.random())
        )

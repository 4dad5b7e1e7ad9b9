"""People who walk past a synthetic room's wall, stop in front of it, point, take pictures and carry things.

    python -m tests.kiosk.visitors OUT --count 4

writes frames of such clips, to be looked at.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from tests.kiosk.rooms import CONDITIONS, Examples, Paintings, View, make_view

BEHAVIOURS = ("pass", "stop", "close", "group", "point", "photograph", "carry", "child")
"""What visitors do: walk past, stop and look, come so close that little else is seen, come as a group, point at the
work, hold up a tablet, carry a picture under the arm, or be a child."""

SPRITE = 480
"""Pixels: height of a person's drawing."""

HEAD, TORSO, LEGS, ARMS, HAIR, THING = range(1, 7)


class Visitor:
    """Somebody in a room.

    Args:
        rng: draws looks and way.
        behaviour: one of ``BEHAVIOURS`` but ``group``.
        reach: distance in metres from the camera to the wall.
        stay: seconds for which the visitor stops in front of the work.
        arrive: second in which the visitor gets there.
        paintings: what a carried picture shows.
    """

    def __init__(self, rng, behaviour, reach, stay, arrive, paintings) -> None:
        self.behaviour = behaviour
        self._height = rng.uniform(0.95, 1.4) if behaviour == "child" else rng.uniform(1.55, 1.95)
        near, far = (0.25, 0.45) if behaviour == "close" else (0.45, 0.92)
        self._distance = reach * rng.uniform(near, far)  # from the camera
        self._speed = rng.uniform(0.7, 1.8) * rng.choice([-1, 1])  # metres a second
        self._halt = rng.uniform(-0.5, 0.5) * self._distance / reach
        self._stay, self._arrive = stay, arrive
        self._sway = rng.uniform(0.004, 0.012), rng.uniform(0, 6, 3), rng.uniform(0.15, 0.7, 3)
        self._stride = rng.uniform(1.5, 2.0)
        self._build = rng.uniform(0.85, 1.25)
        self._dress = rng.random() < 0.3
        self._textures = _looks(rng, paintings)
        self._thing = {"photograph": "tablet", "carry": "picture"}.get(behaviour)
        self._thing_size = rng.uniform(0.8, 1.3)
        self._raised = behaviour == "point"

    def at(self, time: float) -> tuple[float, float, bool]:
        """Place along the wall (m), distance from the camera (m), and whether the visitor stands.

        Args:
            time: seconds since the clip's start.
        """
        leave = self._arrive + self._stay
        walked = min(time, self._arrive) - self._arrive + max(time, leave) - leave
        return self._halt + walked * self._speed, self._distance, self._arrive <= time < leave

    def paint(self, seen, view: View, time: float, exposure: float = 1 / 40) -> bool:
        """Draws the visitor into a bent frame of radiance, in place; returns whether anything was drawn."""
        camera = view.room.camera
        x, distance, stands = self.at(time)
        forward = camera.forward
        # The visitor walks along the wall, at this distance from the camera.
        z = max(camera.place[2] - distance * abs(forward[2]), 0.15)
        x += camera.place[0] + distance * forward[0]
        depth = float((np.array([x, 1.0, z]) - camera.place) @ forward)
        if depth < 0.3:
            return False
        foot, head = camera.bent(camera.project([(x, 0, z), (x, self._height, z)]))
        tall = foot[1] - head[1]
        amount, shift, pace = self._sway
        lean = amount * np.sin(2 * np.pi * pace * time + shift).sum() / self._height * tall if stands else 0.0
        smear = 0 if stands else abs(self._speed) * exposure * tall / self._height
        drawn = self._drawing(time, stands)
        return _blend(seen, drawn, foot, tall, lean, smear, float(view.room.lamps.mean()))

    def _drawing(self, time: float, stands: bool):
        """RGBA float32 [2 x SPRITE / 2, SPRITE, 4]; the feet are at the middle of the lower edge."""
        width, s = SPRITE, SPRITE / 2.0
        label = np.zeros((SPRITE, width), np.uint8)
        swing = 0.0 if stands else np.sin(2 * np.pi * self._stride / 2 * time)
        build = self._build

        def point(x, y):
            return round(s + x * SPRITE * build), round(SPRITE - 1 - y * SPRITE)

        def limb(kind, joints, thick):
            for first, second in pairwise(joints):
                cv2.line(label, point(*first), point(*second), kind, max(2, round(thick * SPRITE * build)), cv2.LINE_8)

        for side in (-1, 1):
            step = 0.13 * swing * side
            limb(LEGS, [(0.045 * side, 0.5), (0.05 * side + 0.6 * step, 0.27), (0.055 * side + step, 0.03)], 0.075)
            limb(HAIR, [(0.055 * side + step, 0.012), (0.08 * side + step, 0.012)], 0.03)
        torso = [(-0.11, 0.82), (0.11, 0.82), (0.085, 0.62), (0.1, 0.48), (-0.1, 0.48), (-0.085, 0.62)]
        if self._dress:
            torso[3:5] = [(0.15, 0.28), (-0.15, 0.28)]
        cv2.fillPoly(label, [np.array([point(*each) for each in torso], np.int32)], TORSO)
        cv2.ellipse(label, point(0, 0.815), (round(0.11 * SPRITE * build), round(0.03 * SPRITE)), 0, 0, 360, TORSO, -1)
        for side in (-1, 1):
            swung = -0.1 * swing * side
            hand = (0.13 * side + swung, 0.47)
            elbow = (0.14 * side + swung / 2, 0.63)
            if self._thing == "tablet" and stands:
                elbow, hand = (0.14 * side, 0.72), (0.07 * side, 0.84)
            if self._raised and stands and side == 1:
                elbow, hand = (0.2, 0.84), (0.3, 0.93)
            limb(ARMS, [(0.1 * side, 0.8), elbow, hand], 0.045)
            cv2.circle(label, point(*hand), round(0.022 * SPRITE), HEAD, -1)
        limb(HEAD, [(0, 0.8), (0, 0.88)], 0.05)
        cv2.ellipse(label, point(0, 0.92), (round(0.05 * SPRITE), round(0.07 * SPRITE)), 0, 0, 360, HEAD, -1)
        cv2.ellipse(label, point(0, 0.935), (round(0.054 * SPRITE), round(0.066 * SPRITE)), 0, 170, 370, HAIR, -1)
        if self._thing:
            middle = (0.0, 0.9) if self._thing == "tablet" else (0.2, 0.55)
            if self._thing == "tablet" and not stands:
                middle = (0.1, 0.5)
            wide, high = (0.075, 0.05) if self._thing == "tablet" else (0.17, 0.13)
            wide, high = wide * self._thing_size, high * self._thing_size
            low, top = point(middle[0] - wide, middle[1] - high), point(middle[0] + wide, middle[1] + high)
            cv2.rectangle(label, low, top, THING, -1)
            size = abs(top[0] - low[0]) + 1, abs(top[1] - low[1]) + 1
            picture = cv2.resize(self._textures["picture"], size, interpolation=cv2.INTER_AREA)
            picture = cv2.copyMakeBorder(picture[4:-4, 4:-4], 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=(0.1, 0.1, 0.1))
        colour = np.zeros((SPRITE, width, 3), np.float32)
        for kind in (HEAD, TORSO, LEGS, ARMS, HAIR):
            texture = self._textures[kind]
            colour[label == kind] = texture[label == kind]
        if self._thing:
            left, up = min(low[0], top[0]), min(low[1], top[1])
            rows, columns = slice(max(up, 0), up + size[1]), slice(max(left, 0), left + size[0])
            colour[rows, columns] = picture[max(-up, 0) :, max(-left, 0) :][
                : SPRITE - max(up, 0), : width - max(left, 0)
            ]
        return np.dstack([colour, (label > 0).astype(np.float32)])


def _blend(seen, drawn, foot, tall, lean, smear, light) -> bool:
    """Scales a drawing to ``tall`` pixels, leans it by ``lean`` pixels at the head, and lays it over ``seen``."""
    scale = tall / SPRITE
    if scale < 0.02:
        return False
    x, y = foot[0] - drawn.shape[1] / 2 * scale, foot[1] - tall
    matrix = np.array([[scale, -lean / SPRITE, x + lean], [0, scale, y]])
    left, top = int(max(0, np.floor(x - abs(lean)))), int(max(0, np.floor(y)))
    right = int(min(seen.shape[1], np.ceil(x + drawn.shape[1] * scale + abs(lean))))
    bottom = int(min(seen.shape[0], np.ceil(foot[1]) + 1))
    if right <= left or bottom <= top:
        return False
    matrix[:, 2] -= (left, top)
    # Drawn large and shown small: an area average first keeps the edges smooth.
    shrink = max(1, int(1 / max(scale, 1e-6)))
    if shrink > 1:
        drawn = cv2.resize(drawn, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
        matrix[:, :2] *= shrink
    drawn[..., :3] *= drawn[..., 3:]
    laid = cv2.warpAffine(drawn, matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR)
    if smear > 1:
        laid = cv2.blur(laid, (min(int(smear) * 2 + 1, 41), 1))
    if not laid[..., 3].any():
        return False
    window = seen[top:bottom, left:right]
    window[:] = window * (1 - laid[..., 3:]) + laid[..., :3] * np.float32(light)
    return True


def _looks(rng, paintings) -> dict:
    """Textures by part, float32 [SPRITE, SPRITE, 3]."""

    def cloth():
        colour = np.clip(rng.uniform(0.03, 0.9) * (1 + rng.uniform(-0.6, 0.6, 3)), 0, 1)
        fold = cv2.resize(
            rng.standard_normal((12, 24)).astype(np.float32), (SPRITE, SPRITE), interpolation=cv2.INTER_CUBIC
        )
        texture = np.ones((SPRITE, SPRITE, 3), np.float32) * colour * (1 + 0.12 * fold[..., None])
        pattern = rng.choice(["plain", "stripes", "checks", "print"], p=[0.5, 0.2, 0.15, 0.15])
        step = int(rng.integers(8, 24))
        other = np.clip(rng.uniform(0, 1, 3), 0, 1)
        rows = (np.arange(SPRITE) // step % 2).astype(bool)
        if pattern in ("stripes", "checks"):
            texture[rows] = texture[rows] * 0.3 + other * 0.7
        if pattern == "checks":
            texture[:, rows] = texture[:, rows] * 0.5 + other * 0.5
        if pattern == "print":
            picture = cv2.resize(paintings.pick(rng), (70, 60)).astype(np.float32) / 255
            texture[110:170, SPRITE // 2 - 35 : SPRITE // 2 + 35] = picture
        return np.clip(texture, 0, 1).astype(np.float32)

    def plain(colour):
        return np.ones((SPRITE, SPRITE, 3), np.float32) * np.float32(colour)

    skin = np.array([0.95, 0.75, 0.62]) * rng.uniform(0.3, 1.0)
    top = cloth()
    return {
        HEAD: plain(skin),
        HAIR: plain(np.array([0.5, 0.35, 0.25]) * rng.uniform(0.1, 1.6)),
        TORSO: top,
        ARMS: top if rng.random() < 0.7 else plain(skin),
        LEGS: cloth(),
        "picture": paintings.pick(rng).astype(np.float32) / 255,
    }


@dataclass(frozen=True)
class Clip:
    """A room that people visit.

    Attributes:
        view: the room.
        visitors: who comes.
        rate: frames a second.
        seconds: its length.
        quiet: seconds at its start in which nobody is before the work.
        seed: of the noise, and of the exposure.
        flicker: how strongly the automatic exposure answers, 0 to 1.
    """

    view: View
    visitors: tuple[Visitor, ...]
    rate: float
    seconds: float
    quiet: float
    seed: int
    flicker: float

    def frames(self) -> Iterator[tuple[float, np.ndarray]]:
        """Times in seconds and frames, RGB uint8 [H, W, 3]."""
        rng = np.random.default_rng(self.seed)
        usual = float(self.view.radiance.mean())
        gain = 1.0
        for number in range(round(self.seconds * self.rate)):
            time = number / self.rate
            seen = self.view.radiance.copy()
            for visitor in self.visitors:
                visitor.paint(seen, self.view, time)
            wanted = np.clip(usual / max(float(seen.mean()), 1e-3), 0.6, 1.6) ** self.flicker
            gain += 0.3 * (wanted - gain)
            yield time, self.view.shot(rng, seen, float(gain))


def make_clip(
    paintings: Paintings | Examples,
    rng: np.random.Generator,
    behaviour: str,
    condition: str = "clean",
    size: tuple[int, int] = (1280, 720),
    rate: float = 8.0,
    quiet: float = 3.0,
    seconds: float = 14.0,
) -> Clip:
    """A room, hardly anybody in it for ``quiet`` seconds, then visitors."""
    view = make_view(paintings, rng, condition, size)
    reach = float(np.linalg.norm(view.room.camera.place - (0, 1.5, 0)))
    count = int(rng.integers(2, 5)) if behaviour == "group" else 1
    visitors = []
    for _ in range(count):
        kind = str(rng.choice(["pass", "stop", "close", "point", "child"])) if behaviour == "group" else behaviour
        stay = 0.0 if kind == "pass" else rng.uniform(2.0, 7.0)
        visitors.append(Visitor(rng, kind, reach, stay, quiet + rng.uniform(1.0, 4.0), paintings))
    visitors.sort(key=lambda visitor: -visitor.at(0)[1])  # the nearest is painted last
    return Clip(view, tuple(visitors), rate, seconds, quiet, int(rng.integers(1 << 31)), rng.uniform(0, 0.7))


def main() -> None:
    """Writes frames of clips."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--condition", choices=CONDITIONS, default="clean")
    parser.add_argument("--count", type=int, default=len(BEHAVIOURS))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    paintings = Paintings(options.data)
    for number in range(options.count):
        rng = np.random.default_rng([options.seed, number])
        behaviour = BEHAVIOURS[number % len(BEHAVIOURS)]
        clip = make_clip(paintings, rng, behaviour, options.condition, rate=1.0)
        for time, frame in clip.frames():
            cv2.imwrite(str(options.out / f"{number:03d}_{behaviour}_{time:04.1f}.png"), frame[..., ::-1])


if __name__ == "__main__":
    main()

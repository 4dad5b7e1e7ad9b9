"""A sheet to draw on: shapes and Unicode text, smooth at every edge."""

from __future__ import annotations

import bisect
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from a2m_edge.rendering.lettering import drawable, in_visual_order

Colour = tuple[int, int, int]
"""Red, green, blue, 0-255."""

Face = Literal["sans", "italic"]
"""The two built-in typefaces of OpenCV (Rubik, upright and italic), with a wide fallback for other scripts."""

_OVERSAMPLING = 2
_MOST_CHARACTERS = 1000


def mix(colour: Colour, other: Colour, share: float) -> Colour:
    """``share`` (0 to 1) of ``other`` in ``colour``."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


class Canvas:
    """Everything is given in pixels of the finished picture, fractions included; it is drawn twice as large.

    Args:
        width, height: pixels.
        ground: colour of the empty sheet.
    """

    def __init__(self, width: int, height: int, ground: Colour) -> None:
        self.width, self.height = width, height
        size = (height * _OVERSAMPLING, width * _OVERSAMPLING, 3)
        self._pixels: NDArray[np.uint8] = np.empty(size, np.uint8)
        self._faces: dict[str, cv2.FontFace] = {}
        self.rectangle(0, 0, width, height, ground)

    def finish(self) -> NDArray[np.uint8]:
        """The picture, RGB uint8 [height, width, 3]."""
        small = cv2.resize(self._pixels, (self.width, self.height), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8)

    def rectangle(self, x: float, y: float, width: float, height: float, colour: Colour, radius: float = 0) -> None:
        """A filled rectangle with its upper left corner at (x, y), its corners rounded."""
        left, top, right, bottom = self._at(x, y) + self._at(x + width, y + height)
        right, bottom = max(right - 1, left), max(bottom - 1, top)
        r = min(round(radius * _OVERSAMPLING), (right - left) // 2, (bottom - top) // 2)
        if r < 1:
            cv2.rectangle(self._pixels, (left, top), (right, bottom), colour, cv2.FILLED)
            return
        cv2.rectangle(self._pixels, (left + r, top), (right - r, bottom), colour, cv2.FILLED)
        cv2.rectangle(self._pixels, (left, top + r), (right, bottom - r), colour, cv2.FILLED)
        for centre in ((left + r, top + r), (right - r, top + r), (left + r, bottom - r), (right - r, bottom - r)):
            cv2.circle(self._pixels, centre, r, colour, cv2.FILLED, cv2.LINE_AA)

    def frame(self, x: float, y: float, width: float, height: float, colour: Colour, thickness: float = 1.5) -> None:
        """The four sides of a rectangle, on a dark line twice as broad, so that they show on every ground."""
        corners = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
        for broad, each in ((2 * thickness, (0, 0, 0)), (thickness, colour)):
            for (x1, y1), (x2, y2) in zip(corners, (*corners[1:], corners[0]), strict=True):
                self.line(x1, y1, x2, y2, each, broad)

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: Colour, thickness: float = 1) -> None:
        """A straight line."""
        width = max(1, round(thickness * _OVERSAMPLING))
        cv2.line(self._pixels, self._at(x1, y1), self._at(x2, y2), colour, width, cv2.LINE_AA)

    def circle(self, x: float, y: float, radius: float, colour: Colour, thickness: float | None = None) -> None:
        """A disc, or a ring of a thickness."""
        width = cv2.FILLED if thickness is None else max(1, round(thickness * _OVERSAMPLING))
        cv2.circle(self._pixels, self._at(x, y), round(radius * _OVERSAMPLING), colour, width, cv2.LINE_AA)

    def glow(self, x: float, y: float, radius: float, colour: Colour, strength: float = 0.5) -> None:
        """A light that fades from (x, y) outward."""
        centre_x, centre_y = self._at(x, y)
        reach = round(radius * _OVERSAMPLING)
        top, left = max(0, centre_y - reach), max(0, centre_x - reach)
        patch = self._pixels[top : centre_y + reach, left : centre_x + reach]
        rows, columns = np.ogrid[: patch.shape[0], : patch.shape[1]]
        distance = np.hypot(rows + top - centre_y, columns + left - centre_x) / reach
        share = (strength * np.clip(1 - distance, 0, 1) ** 2)[..., None]
        patch[:] = np.rint(patch + (np.array(colour) - patch) * share)

    def paste(self, x: float, y: float, width: float, height: float, rgb: NDArray[np.uint8]) -> None:
        """A picture uint8 [H, W, 3], resized to fill a rectangle."""
        left, top, right, bottom = self._at(x, y) + self._at(x + width, y + height)
        shrinking = rgb.shape[0] > bottom - top
        kind = cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC
        self._pixels[top:bottom, left:right] = cv2.resize(rgb, (right - left, bottom - top), interpolation=kind)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        colour: Colour,
        *,
        face: Face = "sans",
        weight: int = 400,
        align: Literal["left", "centre", "right"] = "left",
    ) -> float:
        """One line of text with its baseline at y; returns its width in pixels."""
        shown = in_visual_order(drawable(text))
        width = self.text_width(shown, size, face=face, weight=weight)
        start = x - {"left": 0.0, "centre": width / 2, "right": width}[align]
        face_size = round(size * _OVERSAMPLING)
        cv2.putText(self._pixels, shown, self._at(start, y), colour, self._face(face), face_size, weight)
        return width

    def text_width(self, text: str, size: float, *, face: Face = "sans", weight: int = 400) -> float:
        """Pixels from the beginning of a line of text to its end."""
        face_size = round(size * _OVERSAMPLING)
        box = cv2.getTextSize((1 << 15, 1 << 10), drawable(text), (0, 512), self._face(face), face_size, weight)
        return float(box[2]) / _OVERSAMPLING

    def wrapped(
        self, text: str, size: float, width: float, lines: int, *, face: Face = "sans", weight: int = 400
    ) -> list[str]:
        """Breaks text between words into lines that fit a width; what is too long for them ends in an ellipsis."""

        def fits(line: str) -> bool:
            return self.text_width(line, size, face=face, weight=weight) <= width

        broken: list[str] = []
        words = drawable(text[:_MOST_CHARACTERS]).split()
        while words and len(broken) < lines:
            count = 1
            while count < len(words) and fits(" ".join(words[: count + 1])):
                count += 1
            line = " ".join(words[:count])
            if not fits(line):  # one word wider than the line: a script without spaces, or a prank
                longest = bisect.bisect_left(range(2, len(line)), True, key=lambda n: not fits(line[:n])) + 1
                words[:1] = [line[:longest], line[longest:]]
                line = words[0]
            broken.append(line)
            words = words[count:]
        if words:
            line = broken[-1]
            while line and not fits(line + " …"):
                line = line[:-1]
            broken[-1] = line.rstrip() + " …"
        return broken

    def _at(self, x: float, y: float) -> tuple[int, int]:
        return round(x * _OVERSAMPLING), round(y * _OVERSAMPLING)

    def _face(self, name: Face) -> cv2.FontFace:
        # A face keeps the weight that was last asked of it, so that each canvas has its own.
        if name not in self._faces:
            self._faces[name] = cv2.FontFace(name)
        return self._faces[name]

"""Which characters OpenCV can draw, and in which order it must be given them."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from itertools import groupby

import cv2
import numpy as np
from numpy.typing import NDArray

_PROBE = 24  # pixels: large enough to tell one glyph from another
_BRACKETS = str.maketrans("()[]{}<>«»", ")(][}{><»«")


def drawable(text: str) -> str:
    """Text without the characters that OpenCV's typefaces lack, such as emoji, and without invisible ones."""
    kept = (character for character in text if character.isspace() or _has_glyph(character))
    return " ".join("".join(kept).split())


def in_visual_order(text: str) -> str:
    """A line of text with its letters in the order in which they stand from left to right.

    OpenCV draws the characters of a string from left to right, whatever their script. This is the core of the
    Unicode bidirectional algorithm (UAX #9) for one line: runs of either direction, and neutral characters that
    follow their neighbours. Letters are not joined, which Arabic would need to look its best.
    """
    directions = [_direction(character) for character in text]
    if "R" not in directions:
        return text
    base = next(direction for direction in directions if direction)
    runs = [(direction, len(list(group))) for direction, group in groupby(directions)]
    resolved: list[str] = []
    for place, (direction, length) in enumerate(runs):
        before = runs[place - 1][0] if place else base
        after = runs[place + 1][0] if place + 1 < len(runs) else base
        resolved += [direction or (before if before == after else base)] * length
    pieces: list[str] = []
    begin = 0
    for direction, group in groupby(resolved):
        end = begin + len(list(group))
        pieces.append(text[begin:end] if direction == "L" else _reversed(text[begin:end]))
        begin = end
    return "".join(pieces if base == "L" else reversed(pieces))


def _direction(character: str) -> str:
    """``"L"``, ``"R"``, or nothing for a neutral character; numbers run from left to right in every script."""
    kind = unicodedata.bidirectional(character)
    return {"L": "L", "EN": "L", "AN": "L", "R": "R", "AL": "R"}.get(kind, "")


def _reversed(text: str) -> str:
    """Backwards, with combining marks still after their letters and brackets still facing their content."""
    letters: list[str] = []
    for character in text.translate(_BRACKETS):
        if unicodedata.combining(character) and letters:
            letters[-1] += character
        else:
            letters.append(character)
    return "".join(reversed(letters))


@lru_cache(maxsize=4096)
def _has_glyph(character: str) -> bool:
    """OpenCV draws a question mark for what a typeface lacks."""
    if unicodedata.category(character) == "Cf":
        return False
    return character == "?" or not np.array_equal(_probe(character), _probe("?"))


def _probe(character: str) -> NDArray[np.uint8]:
    pixels = np.zeros((2 * _PROBE, 2 * _PROBE, 3), np.uint8)
    cv2.putText(pixels, character, (0, _PROBE), (255, 255, 255), cv2.FontFace("sans"), _PROBE, 400)
    return pixels

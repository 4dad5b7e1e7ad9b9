"""Stretches of a sound in which the music dwells on a region of the picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Dwelling:
    """One stretch.

    Attributes:
        start, end: seconds of the sound.
        region: left, top, width and height, in shares of the picture's width and height.
        feeling: the word for what is felt before that region alone.
    """

    start: float
    end: float
    region: tuple[float, float, float, float]
    feeling: str


def dwellings_of(gaze: Mapping[str, Any] | None) -> tuple[Dwelling, ...]:
    """The stretches that the facts of a render tell under ``gaze``, in order; none where they tell None."""
    if gaze is None:
        return ()
    found = []
    for each in gaze["stretches"]:
        if each["region"] is not None:
            region = gaze["regions"][each["region"]]
            left, top, width, height = region["region"]
            found.append(Dwelling(each["start"], each["end"], (left, top, width, height), region["feeling"]))
    return tuple(found)

"""How a picture is painted (``Cues``): in the picture's own units, or as ranks among many paintings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Cues:
    """How a picture is painted.

    Attributes:
        brightness: mean lightness L* of CIELab, 0 to 100.
        contrast: standard deviation of the lightness, 0 to 50.
        saturation: mean chroma of CIELab, from 0.
        warmth: mean of the colours' leaning to orange (65 degrees in CIELab) less blue, weighted by chroma, -1 to 1.
        colours: how many colours there are: the perplexity of their histogram in a* and b*, from 1.
        edges: share of the picture that edges cover, 0 to 1.
        unrest: share of the edges' energy that is neither level nor upright, 0 to 1; 0.5 where all ways are alike.
        symmetry: correlation of the lightness with its mirror image, -1 to 1.
        emptiness: share of the picture in which nothing is painted, 0 to 1.
        brushwork: share of the detail that is fine: energy of the finest octave over that of the three finest, 0 to 1.

    What cannot be measured, as the way of strokes where there are none, is not a number, and its rank is the middle.
    """

    brightness: float
    contrast: float
    saturation: float
    warmth: float
    colours: float
    edges: float
    unrest: float
    symmetry: float
    emptiness: float
    brushwork: float

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of all cues, in order."""
        return tuple(each.name for each in fields(cls))

    def ranks(self, quantiles: Mapping[str, Sequence[float]]) -> Cues:
        """Where each cue stands among paintings: 0 (the least) to 1, and 0.5 where nothing is known of it.

        Args:
            quantiles: of each cue over many paintings, evenly spaced from the least to the greatest.
        """
        return Cues(**{name: _rank(value, quantiles.get(name, ())) for name, value in asdict(self).items()})


MIDDLE = Cues(*(0.5 for _ in fields(Cues)))
"""The ranks of a picture of which nothing is known."""


def _rank(value: float, quantiles: Sequence[float]) -> float:
    """The middle of the places that a value has among equal ones, or the place between its neighbours."""
    if len(quantiles) < 2 or math.isnan(value):
        return 0.5
    first, after = np.searchsorted(quantiles, value, "left"), np.searchsorted(quantiles, value, "right")
    if after > first:
        return float((first + after - 1) / 2 / (len(quantiles) - 1))
    return float(np.interp(value, quantiles, np.linspace(0.0, 1.0, len(quantiles))))

"""Whether a frame holds anything to be seen: a cap, a shutter, a dark room or a wrong exposure leave one even tone."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Blindness = Literal["black", "white", "even"]

SPREAD = 4.0
"""Grey values of 255 between the darker and the brighter parts of a frame below which there is no structure in it.

A part is the mean of a 16th by a 12th of the frame. In 160 x 120 pixels, the smallest frame, it averages 100 of them:
of noise with a deviation of 10, as of a webcam at its highest gain, 1.0 remains, and 2.6 between the 10th and the 90th
percentile. A lens that is covered leaves 1 to 2 by the sensor's own pattern: measured, 3.8 at most in 6,000 frames that
were made so. What differs by less cannot be told from that, however long it is looked at; a black painting that is lit
differs by more, in its edge, its wall, its own blacks.
"""

DARK, BRIGHT = 20.0, 235.0
"""Median grey values below and above which the even tone is called black or white. A covered lens is at 0 to 8, and at
16 where a camera keeps to video levels (ITU-R BT.709) and its decoder does not."""

_PARTS = (16, 12)
_LEFT_OUT = 10.0
"""Percent of the parts, at either end, that do not count: a lamp that is reflected, or the hour that a camera writes
into its frames."""


def blindness(frame: NDArray[np.uint8]) -> Blindness | None:
    """What a frame shows that shows nothing; None for any other.

    Args:
        frame: RGB uint8 [H, W, 3].
    """
    parts = cv2.resize(frame.astype(np.float32), _PARTS, interpolation=cv2.INTER_AREA).reshape(-1, 3)
    low, middle, high = np.percentile(parts, (_LEFT_OUT, 50.0, 100.0 - _LEFT_OUT), axis=0)
    if float((high - low).max()) >= SPREAD:
        return None
    tone = float(middle.mean())
    return "black" if tone < DARK else "white" if tone > BRIGHT else "even"


SENTENCES: dict[Blindness, str] = {
    "black": "sees nothing but black: take the cap off its lens, open its shutter, or switch on the light",
    "white": "sees nothing but white: its exposure is too long, or a light shines into it",
    "even": "sees one even tone and no picture: open its shutter, or point it at the artwork",
}
"""What is said of a camera, and what to do."""

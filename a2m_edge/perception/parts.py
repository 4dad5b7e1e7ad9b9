"""Which part of a picture is shown, and which way up: what the address or the description of a picture asks for.

In the order of the IIIF Image API (https://iiif.io/api/image/3.0/#4-image-requests): cut, mirrored, turned, and then
its colours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Quality = Literal["default", "gray", "bitonal"]

_WHITE = (255, 255, 255)


class PartError(ValueError):
    """The part lies outside of the picture; the message is a clause that says so."""


@dataclass(frozen=True)
class Region:
    """A rectangle of a picture.

    Attributes:
        left, top, width, height: finite; width and height > 0.
        of: width and height of the whole picture in the same unit, such as (100, 100) where they are percent; None
            where they are pixels of the very picture that is cut.
    """

    left: float
    top: float
    width: float
    height: float
    of: tuple[float, float] | None = None

    def box(self, width: float, height: float) -> tuple[float, float, float, float]:
        """Left, top, right and bottom within a picture of that size (pixels), as far as the picture reaches.

        Raises:
            PartError: it lies outside.
        """
        across, down = (1.0, 1.0) if self.of is None else (width / self.of[0], height / self.of[1])
        left, right = max(0.0, self.left * across), min(width, (self.left + self.width) * across)
        top, bottom = max(0.0, self.top * down), min(height, (self.top + self.height) * down)
        if not (left < right and top < bottom):
            raise PartError(
                f"the part {self.left:g},{self.top:g},{self.width:g},{self.height:g} lies outside of the picture; ask "
                "its owner to correct it"
            )
        return left, top, right, bottom


@dataclass(frozen=True)
class Part:
    """A part of a picture, and how it is shown.

    Attributes:
        region: what is cut out; ``"square"`` is the largest one, from the middle; None is all.
        mirrored: left and right are exchanged, before it is turned.
        degrees: by which it is turned clockwise, 0 to 360; corners that this leaves bare are white.
        quality: ``"gray"``, or ``"bitonal"`` for black and white alone.
    """

    region: Region | Literal["square"] | None = None
    mirrored: bool = False
    degrees: float = 0.0
    quality: Quality = "default"

    def box(self, width: float, height: float) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the region in a picture of that size (pixels).

        Raises:
            PartError: it lies outside.
        """
        if self.region is None:
            return 0.0, 0.0, width, height
        if self.region == "square":
            side = min(width, height)
            left, top = (width - side) / 2, (height - side) / 2
            return left, top, left + side, top + side
        return self.region.box(width, height)

    def turned_size(self, width: float, height: float) -> tuple[float, float]:
        """Width and height that a region of that size (pixels) has when it is turned."""
        if self.degrees % 180 == 0:
            return width, height
        if self.degrees % 180 == 90:
            return height, width
        across, down = abs(math.cos(math.radians(self.degrees))), abs(math.sin(math.radians(self.degrees)))
        return width * across + height * down, width * down + height * across


def counted(parts: Sequence[Part], width: float, height: float) -> tuple[tuple[Part, ...], tuple[float, float]]:
    """The same parts, such that they can be taken from a smaller copy of the picture.

    Args:
        parts: one after another: each is a part of the one before.
        width, height: of the whole picture, pixels.

    Returns:
        The parts, none of which counts pixels of an unknown whole, and the width and height of what is shown.

    Raises:
        PartError: one lies outside.
    """
    fixed = []
    for part in parts:
        if isinstance(part.region, Region) and part.region.of is None:
            part = replace(part, region=replace(part.region, of=(width, height)))
        fixed.append(part)
        left, top, right, bottom = part.box(width, height)
        width, height = part.turned_size(right - left, bottom - top)
    return tuple(fixed), (width, height)


def cut(pixels: NDArray[np.uint8], part: Part) -> NDArray[np.uint8]:
    """The region of a picture [H, W, 3], at least a pixel of it.

    Raises:
        PartError: it lies outside.
    """
    height, width = pixels.shape[:2]
    box = part.box(width, height)
    left, top = min(round(box[0]), width - 1), min(round(box[1]), height - 1)
    return pixels[top : max(round(box[3]), top + 1), left : max(round(box[2]), left + 1)]


def turned(pixels: NDArray[np.uint8], part: Part) -> NDArray[np.uint8]:
    """A picture that is cut already, RGB uint8 [H, W, 3], mirrored, turned, and in the colours of the part."""
    if part.mirrored:
        pixels = pixels[:, ::-1]
    if part.degrees % 90 == 0:
        pixels = np.rot90(pixels, -round(part.degrees / 90))
    else:
        image = Image.fromarray(np.ascontiguousarray(pixels))
        image = image.rotate(-part.degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=_WHITE)
        pixels = np.asarray(image, np.uint8)
    if part.quality != "default":
        grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)[..., None]
        levels = grey if part.quality == "gray" else np.where(grey < 128, 0, 255)
        pixels = np.broadcast_to(levels, pixels.shape).astype(np.uint8)
    return np.ascontiguousarray(pixels)

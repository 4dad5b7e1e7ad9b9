"""Pictures as worse cameras and files show them: what is felt before a painting does not depend on them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data.tables.feelings import Picture, PictureArchive

GRAIN = (2.0, 9.0)
"""Least and greatest deviation of the grain, of 255."""

COLOURS = (24, 96)
"""Fewest and most colours of a palette."""

Disturbance = Literal["grain", "palette"]


@dataclass(frozen=True)
class DisturbedPictures:
    """Takes the place of a ``PictureArchive``; hues stay as they are, and a picture is always disturbed in one way.

    Args:
        archive: of the pictures.
        disturbance: ``"grain"``, as of a sensor in little light, or ``"palette"``, few colours without dithering.
    """

    archive: PictureArchive
    disturbance: Disturbance

    def checksum(self, picture: Picture) -> int:
        """A number that changes with the picture and with the way in which it is disturbed."""
        return zlib.crc32(f"{self.disturbance} {GRAIN} {COLOURS}".encode(), self.archive.checksum(picture))

    def square(self, picture: Picture) -> NDArray[np.uint8]:
        """uint8 [size, size, 3]."""
        generator = np.random.default_rng([9, zlib.crc32(picture.file.encode())])
        whole = self.archive.whole(picture)
        if self.disturbance == "palette":
            return self.archive.fitted(whole.quantize(int(generator.integers(*COLOURS))).convert("RGB"))
        grain = generator.normal(0.0, generator.uniform(*GRAIN), (whole.height, whole.width, 3))
        return self.archive.fitted(Image.fromarray(np.clip(np.asarray(whole) + grain, 0, 255).astype(np.uint8)))

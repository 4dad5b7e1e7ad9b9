"""Pictures of nothing: blank ones, walls, grain. What is learned of subjects must know that they show none.

Made by chance from their numbers, and all of them different: what is told of others of their kind is a test.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.tables.feelings import Picture


@dataclass(frozen=True)
class PlainPictures:
    """Takes the place of a ``PictureArchive``.

    Args:
        size: of the squares.
        count: how many there are.
    """

    size: int
    count: int = 160

    @property
    def pictures(self) -> list[Picture]:
        """All of them."""
        return [Picture(str(number), None, "nothing", "train") for number in range(self.count)]

    def checksum(self, picture: Picture) -> int:
        """A number that changes with the picture."""
        return int(picture.file)

    def square(self, picture: Picture) -> NDArray[np.uint8]:
        """uint8 [size, size, 3]."""
        return plain_picture(int(picture.file), self.size)


def plain_picture(number: int, size: int) -> NDArray[np.uint8]:
    """A picture of nothing, uint8 [size, size, 3]: the first are black, white and grey, then their kinds alternate."""
    generator = np.random.default_rng([8, number])
    if number < 3:
        return np.full((size, size, 3), (0, 255, 128)[number], np.uint8)
    make = (_blank, _shaded, _plaster, _bricks, _boards, _grain)[number % 6]
    return np.clip(np.rint(make(generator, size)), 0, 255).astype(np.uint8)


def _colour(generator: np.random.Generator) -> NDArray[np.float64]:
    """Of walls and papers: mostly of little chroma."""
    return np.clip(generator.uniform(0, 255) + generator.normal(0, generator.choice([4, 60]), 3), 0, 255)


def _blank(generator: np.random.Generator, size: int) -> NDArray[np.float64]:
    return np.broadcast_to(_colour(generator), (size, size, 3))


def _shaded(generator: np.random.Generator, size: int) -> NDArray[np.float64]:
    """A wall in uneven light: one colour goes over into another of about its own kind."""
    angle = generator.uniform(0, 2 * np.pi)
    across, down = np.meshgrid(*[np.linspace(-0.5, 0.5, size)] * 2)
    share = 0.5 + 0.7 * (np.cos(angle) * across + np.sin(angle) * down)
    return np.asarray(_colour(generator) + share[..., None] * generator.normal(0, 40, 3))


def _plaster(generator: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Stains and roughness of many sizes."""
    stains = sum(
        width
        * cv2.resize(generator.standard_normal((size // width + 2,) * 2), (size, size), interpolation=cv2.INTER_CUBIC)
        for width in (2, 8, 40)
    )
    rough = np.asarray(stains) / np.std(stains) * generator.uniform(3, 25)
    return np.asarray(_shaded(generator, size) + rough[..., None])


def _bricks(generator: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Rows of bricks, every other one shifted by half, and mortar between them."""
    height = int(generator.integers(max(3, size // 24), max(4, size // 8)))
    width = round(height * generator.uniform(2, 3.2))
    rows, columns = np.indices((size, size))
    row = rows // height
    shifted = columns + row % 2 * (width // 2)
    brick = row * 1009 + shifted // width
    tint = generator.normal(0, 14, 1 << 16)[brick % (1 << 16)]
    seam = (rows % height < max(1, height // 10)) | (shifted % width < max(1, height // 10))
    wall = _colour(generator) + tint[..., None]
    wall[seam] = _colour(generator)
    return np.asarray(wall + generator.normal(0, 6, (size, size, 1)))


def _boards(generator: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Boards side by side, with a grain along them."""
    width = int(generator.integers(max(3, size // 14), max(4, size // 4)))
    place = np.arange(size)
    board = generator.normal(0, 12, size // width + 1)[place // width]
    grain = cv2.blur(generator.normal(0, 40, (size, size)), (1, max(3, size // 6)))
    wall = _colour(generator) + (board[None, :] + grain)[..., None]
    wall[:, place % width < 2] *= 0.5
    return np.asarray(wall if generator.random() < 0.5 else wall.transpose(1, 0, 2))


def _grain(generator: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Noise of a sensor or a canvas, about one colour."""
    noise = generator.normal(0, generator.uniform(4, 60), (size, size, 3))
    return np.asarray(_colour(generator) + cv2.GaussianBlur(noise, (0, 0), float(generator.uniform(0.3, 3))))

"""What a picture looks like in short: a perceptual hash with a place for every part, so that a hidden part shows.

As in a difference hash, the changes from one cell to the next are kept, which neither exposure nor white balance
alters much. Here they are kept with their strength, for lightness and both colours, and two pictures are compared part
by part: a visitor in front of a work changes some parts, another work changes all.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.shared.messages import Outline

CELLS = 32
"""Cells in each direction."""

PARTS = 8
"""Parts in each direction that are compared one by one."""

_BRIGHT = 200.0  # to which the bright parts of a dim picture are lifted
_PLAINEST = 1.5  # root mean square change (8-bit CIELAB) below which a part is plain, and its colour is compared
_NOISE = 1.0  # the same for a dim picture, before it is lifted
_ALIKE = 0.5  # correlation from which on two parts look the same
_SAME_LIGHT, _SAME_COLOUR = 22.0, 8.0  # differences of plain parts that look the same, the light's after matching
_PLAIN_WEIGHT = 0.3  # of a plain part beside one with something in it: many things are plain


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """A picture in short.

    Attributes:
        changes: signed square roots of the changes to the right and down in the three channels of each part, scaled
            to length 1, float32 [PARTS, PARTS, C]; square roots, so that one strong edge does not outweigh the rest.
        plain: parts that hold nothing, bool [PARTS, PARTS].
        colour: mean of each part, float32 [PARTS, PARTS, 3] in 8-bit CIELAB.
    """

    changes: NDArray[np.float32]
    plain: NDArray[np.bool_]
    colour: NDArray[np.float32]

    @property
    def detail(self) -> float:
        """Share of the parts that hold something: 0 for a bare wall or a covered lens."""
        return 1 - float(self.plain.mean())


def take_fingerprint(picture: NDArray[np.uint8], outline: Outline | None = None) -> Fingerprint:
    """The fingerprint of a picture, RGB uint8 [H, W, 3], or of what an outline in it encloses."""
    cells = _cells(picture, outline)
    lift = _BRIGHT / float(np.clip(np.percentile(cells, 95), _BRIGHT / 8, _BRIGHT))
    cells = np.minimum(cells * np.float32(lift / 255), 1)
    lab = cv2.cvtColor(cells, cv2.COLOR_RGB2LAB) * np.array([2.55, 1, 1], np.float32)
    right, down = lab[:-1, 1:] - lab[:-1, :-1], lab[1:, :-1] - lab[:-1, :-1]
    step = CELLS // PARTS
    changes = np.concatenate([right, down], axis=2).reshape(PARTS, step, PARTS, step, 6)
    changes = changes.transpose(0, 2, 1, 3, 4).reshape(PARTS, PARTS, -1)
    plain = np.sqrt((changes**2).mean(axis=2)) < max(_PLAINEST, _NOISE * lift)
    roots = np.sign(changes) * np.sqrt(np.abs(changes))
    roots /= np.maximum(np.linalg.norm(roots, axis=2, keepdims=True), 1e-6)
    colour = cv2.resize(lab[:-1, :-1], (PARTS, PARTS), interpolation=cv2.INTER_AREA)
    return Fingerprint(roots.astype(np.float32), plain, colour.astype(np.float32))


def likeness(first: Fingerprint, second: Fingerprint) -> float:
    """The share of their parts in which two pictures look the same, 0 to 1, plain parts counting less."""
    plain = first.plain & second.plain
    shift = np.median(first.colour[..., 0] - second.colour[..., 0])
    apart = np.abs(first.colour - second.colour - np.array([shift, 0, 0], np.float32))
    same = (apart[..., 0] < _SAME_LIGHT) & (apart[..., 1:].max(axis=2) < _SAME_COLOUR)
    alike = np.where(plain, same, (first.changes * second.changes).sum(axis=2) >= _ALIKE)
    weight = np.where(plain, _PLAIN_WEIGHT, 1.0)
    return float((alike * weight).sum() / weight.sum())


def _cells(picture: NDArray[np.uint8], outline: Outline | None) -> NDArray[np.float32]:
    """Mean colours of the cells, RGB [CELLS + 1, CELLS + 1, 3]: one more each way, so that all have neighbours."""
    height, width = picture.shape[:2]
    corners = np.array(outline or ((0, 0), (1, 0), (1, 1), (0, 1))) * (width, height)
    side = float(np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1).max())
    fine = 4 * CELLS
    if side > 2 * fine:  # a smaller picture first: averages then miss no pixel
        factor = int(side // fine)
        size = (max(1, width // factor), max(1, height // factor))
        cut = picture[: size[1] * factor, : size[0] * factor]
        picture = cv2.resize(cut, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        corners = corners / factor
    target = np.array([(0, 0), (fine, 0), (fine, fine), (0, fine)], np.float32)
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), target)
    square = cv2.warpPerspective(picture, matrix, (fine, fine), borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    return cv2.resize(square, (CELLS + 1, CELLS + 1), interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)

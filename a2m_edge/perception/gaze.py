"""Where one looks in a picture: regions that stand out, and differ from one another and from the whole.

Saliency is the picture's own, of colour alone: how far each place differs from what surrounds it, at several scales
(centre-surround: Itti, Koch & Niebur 1998, IEEE PAMI 20:1254), and from the picture's mean colour (frequency-tuned:
Achanta et al. 2009, CVPR, 1597). Nothing is learned and nothing drawn by chance: the same pixels give the same regions.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from a2m_edge.impression.gaze import Region

MOST, USUAL = 9, 6
"""Regions of a picture at most; beyond the usual number only those that stand out nearly as far."""

OVERLAP = 0.2
"""Share of the smaller of two regions that the other may cover."""

_SIDE = 128
"""Pixels of the longer side on which all is measured."""

_NARROWEST = 16
"""Pixels of the shorter side, of those 128, below which a picture is a line."""

_SIDES = (0.22, 0.3, 0.4)
"""Sides of regions, in shares of the square root of the picture's area."""

_ASPECTS = (2 / 3, 1.0, 3 / 2)
_STEP = 4  # pixels from one candidate to the next
_CENTRES = (1.0, 2.0, 4.0)
_SURROUND = 4.0  # times as wide as the centre

_FLAT = 4.0
"""Difference of colour (CIELab) that must be reached somewhere: below, nothing is painted."""

_EVEN = 0.15
"""Saliency of a region, in shares of the first one's, below which nothing is there to look at; and beyond the usual
number of regions the share is ``_NEARLY``."""

_NEARLY = 0.5

_LARGER = 0.5
"""Power of the side by which of two equally salient regions the larger one is taken."""

_DIFFERENCE = 12.0
"""Difference (units of CIELab) that counts as much as half of what a region can stand out."""

_NEAR = 1.0
"""How much a difference weighs against the way to it, in shares of the diagonal."""


def find_regions(picture: NDArray[np.uint8]) -> tuple[Region, ...]:
    """Regions of an upright RGB picture, uint8 [H, W, 3], in the order of looking.

    The first one stands out most; each next one is near to the one before and unlike it. Regions are nearly square, as
    image encoders see, and hardly overlap.

    Returns:
        six to nine of a painting, fewer where less is to be seen, none where nothing is painted.
    """
    lab = _small_lab(picture)
    height, width = lab.shape[:2]
    saliency = None if min(height, width) < _NARROWEST else _saliency(lab)
    if saliency is None:
        return ()
    candidates = _candidates(lab, saliency)
    chosen = _chosen(candidates)
    boxes = candidates.boxes[_walked(candidates, chosen, (height, width))] / np.array([width, height, width, height])
    return tuple(Region(*(round(float(share), 4) for share in box)) for box in boxes)


def crop(picture: NDArray[np.uint8], region: Region) -> NDArray[np.uint8]:
    """The pixels of a region of a picture, uint8 [H, W, 3]: at least one."""
    height, width = picture.shape[:2]
    left, top = min(round(region.left * width), width - 1), min(round(region.top * height), height - 1)
    right, bottom = round((region.left + region.width) * width), round((region.top + region.height) * height)
    return np.ascontiguousarray(picture[top : max(bottom, top + 1), left : max(right, left + 1)])


@dataclass(frozen=True)
class _Candidates:
    """Rectangles that may become regions.

    Attributes:
        boxes: left, top, width, height in pixels, float64 [N, 4].
        saliency: how far each stands out, float64 [N].
        looks: how each looks: its mean colour in CIELab, the spread of its lightness, its detail; float64 [N, 5].
        whole: how the whole picture looks, float64 [5].
    """

    boxes: NDArray[np.float64]
    saliency: NDArray[np.float64]
    looks: NDArray[np.float64]
    whole: NDArray[np.float64]


def _small_lab(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    height, width = picture.shape[:2]
    scale = _SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return np.asarray(cv2.cvtColor(small.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB), np.float32)


def _saliency(lab: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """How far each pixel stands out, in units of CIELab, float32 [H, W]; None where nothing is painted."""
    smooth = {scale: _smoothed(lab, scale) for scale in _CENTRES}
    apart = [np.linalg.norm(smooth[scale] - _smoothed(lab, scale * _SURROUND), axis=2) for scale in _CENTRES]
    apart.append(np.linalg.norm(smooth[_CENTRES[-1]] - lab.mean(axis=(0, 1)), axis=2))
    if max(float(each.max()) for each in apart) < _FLAT:
        return None
    return np.asarray(sum(apart) / len(apart), np.float32)


def _smoothed(lab: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(lab, (0, 0), scale, borderType=cv2.BORDER_REFLECT), np.float32)


def _candidates(lab: NDArray[np.float32], saliency: NDArray[np.float32]) -> _Candidates:
    height, width = lab.shape[:2]
    boxes = []
    for side in _SIDES:
        for aspect in _ASPECTS:
            wide = min(round(side * (width * height * aspect) ** 0.5), width)
            tall = min(round(side * (width * height / aspect) ** 0.5), height)
            # Evenly from one edge to the other, so that corners are among them.
            lefts = np.unique(np.linspace(0, width - wide, (width - wide) // _STEP + 1).round())
            tops = np.unique(np.linspace(0, height - tall, (height - tall) // _STEP + 1).round())
            places = np.array(np.meshgrid(lefts, tops)).reshape(2, -1).T
            boxes.append(np.concatenate([places, np.broadcast_to([wide, tall], places.shape)], axis=1))
    rectangles = np.concatenate(boxes).astype(np.int64)
    lightness = lab[..., :1]
    detail = np.abs(lightness - _smoothed(lab, _CENTRES[1])[..., :1])
    means = _means(np.concatenate([lab, lightness**2, detail, saliency[..., None]], axis=2), rectangles)
    whole = np.array([[0, 0, width, height]])
    sides = (rectangles[:, 2] * rectangles[:, 3] / (width * height)) ** 0.5
    own, of_all = (_looks(each) for each in (means, _means(np.dstack([lab, lightness**2, detail]), whole)))
    return _Candidates(rectangles.astype(np.float64), means[:, 5] * sides**_LARGER, own, of_all[0])


def _means(values: NDArray[np.float32], boxes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean over each rectangle [N, 4] of values [H, W, C]: float64 [N, C], by a table of sums."""
    sums = np.zeros((values.shape[0] + 1, values.shape[1] + 1, values.shape[2]))
    sums[1:, 1:] = values.astype(np.float64).cumsum(axis=0).cumsum(axis=1)
    left, top, wide, tall = boxes.T
    right, bottom = left + wide, top + tall
    total = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    return np.asarray(total / (wide * tall)[:, None])


def _looks(means: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = np.sqrt(np.maximum(means[:, 3] - means[:, 0] ** 2, 0.0))
    return np.concatenate([means[:, :3], spread[:, None], means[:, 4:5]], axis=1)


def _chosen(candidates: _Candidates) -> list[int]:
    """The candidates that become regions, greedily: the first is the most salient one."""
    salient = candidates.saliency / candidates.saliency.max()
    free = salient >= _EVEN
    unlike = np.linalg.norm(candidates.looks - candidates.whole, axis=1)
    chosen: list[int] = []
    while len(chosen) < MOST and free.any():
        worth = salient * (1.0 + _strength(unlike)) if chosen else salient
        best = int(np.argmax(np.where(free, worth, -1.0)))
        if len(chosen) >= USUAL and salient[best] < _NEARLY:
            break
        chosen.append(best)
        free &= _covered(candidates.boxes, candidates.boxes[best]) <= OVERLAP
        unlike = np.minimum(unlike, np.linalg.norm(candidates.looks - candidates.looks[best], axis=1))
    return chosen


def _covered(boxes: NDArray[np.float64], box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the smaller one that each of the boxes [N, 4] has in common with a box [4]."""
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, :2] + boxes[:, 2:], box[:2] + box[2:])
    common = np.maximum(high - low, 0.0).prod(axis=1)
    return np.asarray(common / np.minimum(boxes[:, 2:].prod(axis=1), box[2:].prod()))


def _walked(candidates: _Candidates, chosen: list[int], size: tuple[int, int]) -> list[int]:
    """The chosen ones in the order of looking."""
    centres = candidates.boxes[:, :2] + candidates.boxes[:, 2:] / 2
    diagonal = float(np.hypot(*size))
    order, left = chosen[:1], chosen[1:]
    while left:
        here = order[-1]

        def cost(there: int, here: int = here) -> float:
            way = float(np.linalg.norm(centres[there] - centres[here])) / diagonal
            unlike = np.linalg.norm(candidates.looks[there] - candidates.looks[here])
            return way - _NEAR * float(_strength(unlike))

        order.append(min(left, key=cost))
        left.remove(order[-1])
    return order


def _strength(difference: NDArray[np.float64] | np.floating) -> NDArray[np.float64]:
    """0 where there is no difference, towards 1 for great ones."""
    return np.asarray(difference / (difference + _DIFFERENCE))

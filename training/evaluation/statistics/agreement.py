"""Does what is heard agree with what was meant? Valence and arousal of two sources, and how far chance would get."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

PERMUTATIONS = 4000

_MOST_NUMBERS = 1 << 22
"""Of one block of permutations: bounds the memory."""


class Plane(NamedTuple):
    """One figure for valence and one for arousal."""

    valence: float
    arousal: float


@dataclass(frozen=True)
class Agreement:
    """How what is heard follows what was meant, over ``n`` sounds.

    Every ``p`` is the share of ``permutations`` random pairings of sounds with meanings (and the true one) that agree
    at least as well: one-sided, (1 + k) / (1 + permutations).

    Attributes:
        n: sounds.
        spearman: rank correlation.
        ccc: Lin's concordance of the z-scored series (see ``agreement``).
        quadrant: share of sounds heard in the quadrant that was meant.
        chance: the share that pairing at random gives, from how often each quadrant is heard and meant.
        p_spearman, p_ccc, p_quadrant: of the permutation tests.
        permutations: how many.
    """

    n: int
    spearman: Plane
    ccc: Plane
    quadrant: float
    chance: float
    p_spearman: Plane
    p_ccc: Plane
    p_quadrant: float
    permutations: int


def agreement(
    heard_valence: NDArray[np.floating],
    heard_arousal: NDArray[np.floating],
    meant_valence: NDArray[np.floating],
    meant_arousal: NDArray[np.floating],
    *,
    heard_centre: tuple[float, float] = (0.0, 0.0),
    meant_centre: tuple[float, float] = (0.0, 0.0),
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Agreement:
    """Compares two feelings of each sound.

    What is heard are sums of z-scores and what is meant lies in [-1, 1]: no unit is common. So each series is z-scored
    over the sounds before the concordance, which then equals Pearson's correlation; offset and scale are not judged. A
    series without variation follows nothing: its correlations are 0.

    Args:
        heard_valence, heard_arousal, meant_valence, meant_arousal: [n] each, three sounds at least.
        heard_centre, meant_centre: valence and arousal where the quadrants meet. What is heard has its zero at the mean
            of the reference of ``heard_feeling.FeelingReference``. A value on the line counts as below it.
        permutations: random pairings.
        seed: of the pairings.

    Raises:
        ValueError: the series differ in length, are shorter than three, or hold a value that is not finite.
    """
    heard = np.stack([np.asarray(heard_valence, np.float64), np.asarray(heard_arousal, np.float64)])
    meant = np.stack([np.asarray(meant_valence, np.float64), np.asarray(meant_arousal, np.float64)])
    if heard.shape != meant.shape or heard.ndim != 2 or heard.shape[1] < 3:
        raise ValueError(f"what is heard {heard.shape} and meant {meant.shape} must be as many sounds, three at least")
    if not (np.isfinite(heard).all() and np.isfinite(meant).all()):
        raise ValueError("a feeling is not finite")
    count = heard.shape[1]
    heard_places, meant_places = _quadrant(heard, heard_centre), _quadrant(meant, meant_centre)
    # On standardised rows of norm 1 both correlations are dot products, so that permuting costs next to nothing.
    pairs = [(_unit(rankdata(heard, axis=1)), _unit(rankdata(meant, axis=1))), (_unit(heard), _unit(meant))]
    found = np.array([(a * b).sum(1) for a, b in pairs])
    right = int((heard_places == meant_places).sum())

    generator = np.random.default_rng(seed)
    exceeded, quadrants = np.zeros((2, 2), int), 0
    block = max(1, _MOST_NUMBERS // count)
    for begin in range(0, permutations, block):
        rows = min(block, permutations - begin)
        order = generator.permuted(np.tile(np.arange(count), (rows, 1)), axis=1)
        for which, (a, b) in enumerate(pairs):
            for side in range(2):
                chance = b[side][order] @ a[side]
                exceeded[which, side] += int((chance >= found[which, side] - 1e-12).sum())  # equal but for rounding
        quadrants += int(((meant_places[order] == heard_places).sum(1) >= right).sum())
    p_values = (1 + exceeded) / (1 + permutations)
    shares = [np.bincount(places, minlength=4) / count for places in (heard_places, meant_places)]
    return Agreement(
        n=count,
        spearman=Plane(*found[0].tolist()),
        ccc=Plane(*found[1].tolist()),
        quadrant=right / count,
        chance=float(shares[0] @ shares[1]),
        p_spearman=Plane(*p_values[0].tolist()),
        p_ccc=Plane(*p_values[1].tolist()),
        p_quadrant=(1 + quadrants) / (1 + permutations),
        permutations=permutations,
    )


def concordance(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Lin's concordance correlation coefficient (1989, Biometrics 45:255), in [-1, 1], of series in the same unit.

    ``2 cov / (var1 + var2 + (mean1 - mean2)^2)``; 0 where neither series varies.
    """
    a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
    spread = float(a.var() + b.var() + (a.mean() - b.mean()) ** 2)
    return float(2.0 * ((a - a.mean()) * (b - b.mean())).mean() / spread) if spread > 0 else 0.0


def _quadrant(feelings: NDArray[np.float64], centre: tuple[float, float]) -> NDArray[np.int64]:
    """0 to 3 by the signs of valence and arousal about a centre: int64 [n]."""
    return np.asarray((feelings[0] > centre[0]) * 2 + (feelings[1] > centre[1]), np.int64)


def _unit(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rows [2, n] about their mean and of norm 1; zero where a row does not vary."""
    centred = np.asarray(rows - rows.mean(1, keepdims=True), np.float64)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    varies = norms > 1e-12 * np.maximum(np.abs(rows).max(1, keepdims=True), 1e-300)
    return np.asarray(np.where(varies, centred / np.where(varies, norms, 1.0), 0.0))

"""How far one collection of sounds lies from another, as clouds of embeddings: FAD and KAD, with their uncertainty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import DataError

Vectors = NDArray[np.floating]
Distance = Callable[[Vectors, Vectors], float]

KAD_SCALE = 100.0
"""KAD is the squared maximum mean discrepancy times this, as its authors report it."""

_LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval.

    Attributes:
        value: measured on everything.
        low, high: ends of the interval.
    """

    value: float
    low: float
    high: float


def frechet_distance(real: Vectors, other: Vectors) -> float:
    """Fréchet distance of two Gaussians fitted to embeddings: FAD (Kilgour et al. 2019, arXiv 1812.08466).

    ``|m1 - m2|^2 + tr(S1) + tr(S2) - 2 tr((S1 S2)^(1/2))`` with unbiased covariances. With centred rows ``A`` such that
    ``S = A^T A``, the last trace is the sum of the singular values of ``A1 A2^T``. No root of a matrix is taken,
    nothing is added to a diagonal, and the result is exact with fewer samples than dimensions too. It is then still
    biased upwards: the fewer samples, the larger the distance (Gui et al. 2024, arXiv 2311.01616). Compare only figures
    of equal N, and print N.

    Args:
        real, other: [n, D] and [m, D], two rows at least.

    Raises:
        DataError: there are fewer than two rows.
        ValueError: the dimensions differ, or a value is not finite.
    """
    one, two = _checked(real, other)
    step = one.mean(0) - two.mean(0)
    a, b = _factor(one), _factor(two)
    common = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return max(0.0, float(step @ step + (a * a).sum() + (b * b).sum() - 2.0 * common))


def kernel_distance(real: Vectors, other: Vectors) -> float:
    """Kernel audio distance: KAD (Chung et al. 2025, arXiv 2502.15602).

    100 times the unbiased estimate of the squared maximum mean discrepancy (Gretton et al. 2012, JMLR 13:723) with a
    Gaussian kernel ``exp(-|x - y|^2 / (2 s^2))``; ``s`` is the median distance between rows of ``real``. Being
    unbiased, it needs no equal N, and is below 0 half of the time where both come from one source.

    Args:
        real: the reference, [n, D].
        other: what is judged, [m, D]; two rows at least each.

    Raises:
        DataError: there are fewer than two rows, or the rows of the reference are all the same.
        ValueError: the dimensions differ, or a value is not finite.
    """
    one, two = _checked(real, other)
    two = two - one.mean(0)
    one = one - one.mean(0)  # what lies far from zero would lose digits below
    within = _pairs(one)
    # Between repeated rows, of which a resampled reference has some, there is no distance to learn from.
    apart = within[within > 1e-9 * (one * one).sum() / len(one)]
    if not len(apart):
        raise DataError("all sounds of the reference are the same: KAD needs a reference that varies")
    width = 2.0 * float(np.median(np.sqrt(apart))) ** 2
    same = np.exp(-within / width).mean() + np.exp(-_pairs(two) / width).mean()
    return float(KAD_SCALE * (same - 2.0 * np.exp(-_squared_distances(one, two) / width).mean()))


def with_interval(
    distance: Distance,
    real_groups: Sequence[Vectors],
    other_groups: Sequence[Vectors],
    draws: int = 200,
    seed: int = 0,
) -> Estimate:
    """A distance with its 95 % interval by bootstrap over clips, not over windows, which resemble each other in a clip.

    A resampled collection repeats some clips, which moves every draw the same way (its covariance is smaller, its
    repeats lie at no distance from themselves). So only the spread of the draws is used: their quantiles, counted from
    their median, are laid about the value. An interval of a Fréchet distance says how much the figure varies with the
    choice of clips; it does not undo the bias of a small N.

    Args:
        distance: ``frechet_distance`` or ``kernel_distance``.
        real_groups, other_groups: the embeddings of each clip, [windows, D]; two clips at least.
        draws: how often both collections are drawn anew.
        seed: of the draws.

    Raises:
        DataError: there are fewer than two clips on a side.
    """
    if min(len(real_groups), len(other_groups)) < 2:
        raise DataError("an interval needs two clips at least on each side: take more clips")
    value = distance(np.concatenate(real_groups), np.concatenate(other_groups))
    generator = np.random.default_rng(seed)
    drawn = [distance(_redrawn(real_groups, generator), _redrawn(other_groups, generator)) for _ in range(draws)]
    return _about(value, np.array(drawn))


def mean_with_interval(values: Sequence[float] | NDArray[np.floating], draws: int = 2000, seed: int = 0) -> Estimate:
    """The mean of one figure for each clip, with its 95 % interval by bootstrap over clips.

    Raises:
        DataError: there is no value.
    """
    numbers = np.asarray(values, np.float64)
    if not len(numbers):
        raise DataError("there is no clip to take a mean over: take more clips")
    picks = np.random.default_rng(seed).integers(0, len(numbers), (draws, len(numbers)))
    return _about(float(numbers.mean()), numbers[picks].mean(1))


def _about(value: float, drawn: NDArray[np.float64]) -> Estimate:
    low, middle, high = np.quantile(drawn, [(1 - _LEVEL) / 2, 0.5, (1 + _LEVEL) / 2])
    return Estimate(value, float(value + low - middle), float(value + high - middle))


def _redrawn(groups: Sequence[Vectors], generator: np.random.Generator) -> Vectors:
    while True:
        picks = generator.integers(0, len(groups), len(groups))
        if len(set(picks.tolist())) > 1:  # of two clips, one drawn twice has no spread to measure
            return np.concatenate([groups[pick] for pick in picks])


def _checked(real: Vectors, other: Vectors) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if real.ndim != 2 or other.ndim != 2 or real.shape[1] != other.shape[1]:
        raise ValueError(f"embeddings must be [n, D] of the same D, not {real.shape} and {other.shape}")
    if min(len(real), len(other)) < 2:
        raise DataError(f"a distance between {len(real)} and {len(other)} sounds cannot be measured: take two at least")
    one, two = real.astype(np.float64), other.astype(np.float64)
    if not (np.isfinite(one).all() and np.isfinite(two).all()):
        raise ValueError("an embedding is not finite")
    return one, two


def _squared_distances(one: NDArray[np.float64], two: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of all rows to all rows, [n, m], by one matrix product."""
    lengths = (one * one).sum(1)[:, None] + (two * two).sum(1)
    return np.asarray(np.maximum(0.0, lengths - 2.0 * (one @ two.T)))


def _pairs(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances of all pairs of different rows, each pair once."""
    return _squared_distances(rows, rows)[np.triu_indices(len(rows), 1)]


def _factor(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """A matrix of at most D rows whose product with itself is the covariance of the rows."""
    centred = (rows - rows.mean(0)) / np.sqrt(len(rows) - 1)
    return centred if len(rows) <= rows.shape[1] else np.asarray(np.linalg.qr(centred, mode="r"))

"""What a bundle knows of paintings as a whole (``pictures.json``): how they are painted, and how they are felt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from a2m_edge.bundle.tables import read_tables, tables_from_json
from a2m_edge.impression.cues import Cues
from a2m_edge.impression.feeling import EMOTION_SIGNS, EMOTIONS, Feeling
from a2m_edge.strict_json import encode

SCHEMA = 1

HALF_THEIRS = 5
"""Works of a collection whose own distribution counts as much as that of all paintings."""

_STEPS = 40
_STIFFNESS = 0.05
"""How far emotions resist: beyond, a valence of 1 would make all but the positive ones impossible."""


@dataclass(frozen=True)
class Spread:
    """A monotone map from what a fusion tells of pictures alone to values that are distributed as people's means are.

    A regression to a mean tells too little of what differs: its values are the right ones in their order, and too near
    to each other. Quantiles are mapped to quantiles, so that the order stays, and the ends to the edges.

    Attributes:
        told, felt: values of the same quantiles, rising; in [-1, 1].
    """

    told: tuple[float, ...]
    felt: tuple[float, ...]

    def __call__(self, value: float) -> float:
        """The value that people's mean would have, in [-1, 1]."""
        if len(self.told) < 2:
            return value
        if self.told[0] <= value <= self.told[-1]:
            return float(np.interp(value, self.told, self.felt))
        end, edge = (0, -1.0) if value < self.told[0] else (-1, 1.0)
        # From the last quantile to the edge, so that no two different values become one.
        share = (value - self.told[end]) / (edge - self.told[end]) if edge != self.told[end] else 1.0
        return float(self.felt[end] + share * (edge - self.felt[end]))


@dataclass(frozen=True)
class PictureTables:
    """What is known of paintings as a whole.

    Attributes:
        schema: version of this structure.
        cues: quantiles of each of ``Cues`` over paintings, evenly spaced from the least to the greatest.
        valence, arousal: how those of a picture alone are spread.
        word_shift: of each emotion, what is taken from its logit for a picture alone: a share of the logarithm of how
            common it is (logit adjustment, Menon et al. 2021, arXiv 2007.07314).
    """

    schema: int = SCHEMA
    cues: dict[str, tuple[float, ...]] = field(default_factory=dict)
    valence: Spread = Spread((), ())
    arousal: Spread = Spread((), ())
    word_shift: tuple[float, ...] = ()

    def to_json(self) -> str:
        """The text of the file: the same tables give the same bytes."""
        return encode(self)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads the tables.

        Raises:
            BundleError: the file is missing, damaged, or of another kind.
        """
        return read_tables(cls, path, "tables of pictures")

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The tables of a text as ``to_json`` gives it.

        Raises:
            ValueError: it is damaged, or of another kind.
        """
        return tables_from_json(cls, text)

    def check(self) -> None:
        """Refuses what makes no sense.

        Raises:
            ValueError: naming the first fault.
        """
        if self.schema != SCHEMA:
            raise ValueError(f"its schema is {self.schema}, not {SCHEMA}")
        if self.word_shift and len(self.word_shift) != len(EMOTIONS):
            raise ValueError(f"it shifts {len(self.word_shift)} words, and there are {len(EMOTIONS)}")
        if not set(self.cues) <= set(Cues.names()):
            raise ValueError(f"it names a cue that is none of {', '.join(Cues.names())}")
        for spread in (self.valence, self.arousal):
            if len(spread.told) != len(spread.felt) or not all(
                -1 <= each <= 1 for each in (*spread.told, *spread.felt)
            ):
                raise ValueError("a spread is no map of [-1, 1]")
        for values in (*self.cues.values(), self.valence.told, self.valence.felt, self.arousal.told, self.arousal.felt):
            if any(second < first for first, second in pairwise(values)):
                raise ValueError("quantiles do not rise")

    def within(self, cues: Sequence[Cues], valence: Sequence[float], arousal: Sequence[float]) -> Self:
        """The tables by which the works of one collection differ among themselves.

        A quantile is a mean of that of paintings and that of the works, which weighs n / (n + ``HALF_THEIRS``) for n
        works: the fewer there are, the less is known of how they differ, and one alone, or many that are equal, stay
        what they are among all paintings. What people's means are stays too. The order of the works is kept.

        Args:
            cues: of each work, in their own units.
            valence, arousal: what the fusion tells of each work's picture alone.
        """
        measured = {name: [getattr(each, name) for each in cues] for name in self.cues}
        return replace(
            self,
            cues={name: _mixed(quantiles, measured[name]) for name, quantiles in self.cues.items()},
            valence=Spread(_mixed(self.valence.told, valence), self.valence.felt),
            arousal=Spread(_mixed(self.arousal.told, arousal), self.arousal.felt),
        )

    def seen(self, feeling: Feeling) -> Feeling:
        """What is felt before a picture alone, as people's means over paintings are distributed.

        The emotions follow the valence, so that no word contradicts it.
        """
        valence, arousal = self.valence(feeling.valence), self.arousal(feeling.arousal)
        if not self.word_shift:
            return Feeling(feeling.emotions, valence, arousal)
        weights = feeling.emotions.astype(np.float64) * np.exp(-np.array(self.word_shift))
        return Feeling(leaning(weights / weights.sum(), valence), valence, arousal)


def _mixed(quantiles: tuple[float, ...], values: Sequence[float]) -> tuple[float, ...]:
    """Quantiles of many, drawn to those of some values; what is not a number does not count."""
    known = np.array([value for value in values if not np.isnan(value)])
    if not len(known) or len(quantiles) < 2:
        return quantiles
    theirs = np.quantile(known, np.linspace(0.0, 1.0, len(quantiles)))
    weight = len(known) / (len(known) + HALF_THEIRS)
    return tuple(round(float(each), 5) for each in (1 - weight) * np.array(quantiles) + weight * theirs)


def leaning(emotions: NDArray[np.float64], valence: float) -> NDArray[np.float32]:
    """The probabilities nearest to those of emotions whose mean sign is (nearly) a valence.

    Nearest by Kullback-Leibler divergence: each is multiplied by an exponential of its sign (Kullback & Khairat 1966,
    Annals of Mathematical Statistics 37:279), found by Newton's method.

    Args:
        emotions: probabilities of ``EMOTIONS``, float64 [9].
        valence: in [-1, 1].

    Returns:
        float32 [9], sum 1.
    """
    signs, lean = EMOTION_SIGNS.astype(np.float64), 0.0
    tilted = emotions
    for _ in range(_STEPS):
        tilted = emotions * np.exp(lean * signs)
        tilted /= tilted.sum()
        mean = float(signs @ tilted)
        slope = float(signs**2 @ tilted) - mean**2 + _STIFFNESS
        step = (valence - mean - _STIFFNESS * lean) / slope
        lean += min(2.0, max(-2.0, step))
        if abs(step) < 1e-9:
            break
    return tilted.astype(np.float32)

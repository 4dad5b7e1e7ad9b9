"""What is felt (``Feeling``) and who plays it (``Palette``, ``Casting``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

EMOTIONS: tuple[str, ...] = (
    "amusement",
    "awe",
    "contentment",
    "excitement",
    "anger",
    "disgust",
    "fear",
    "sadness",
    "something else",
)
"""The nine words of ArtEmis (Achlioptas et al. 2021, arXiv 2101.07396): four positive, four negative, other."""

POSITIVE_EMOTIONS: tuple[str, ...] = EMOTIONS[:4]
NEGATIVE_EMOTIONS: tuple[str, ...] = EMOTIONS[4:8]

EMOTION_SIGNS: NDArray[np.float32] = np.array(
    [(word in POSITIVE_EMOTIONS) - (word in NEGATIVE_EMOTIONS) for word in EMOTIONS], np.float32
)
"""Valence of each of ``EMOTIONS``: +1, -1, and 0 for "something else"."""

ROLES: tuple[str, ...] = ("bass", "harmony", "figure", "melody")
"""The four parts of the music, lowest first."""

INSTRUMENTS: dict[str, int] = {
    "piano": 0,
    "electric piano": 4,
    "celesta": 8,
    "vibraphone": 11,
    "marimba": 12,
    "organ": 19,
    "guitar": 24,
    "acoustic bass": 32,
    "cello": 42,
    "harp": 46,
    "strings": 48,
    "choir": 52,
    "horn": 60,
    "clarinet": 71,
    "flute": 73,
    "pad": 89,
}
"""Instrument names in the order of every palette, with their General MIDI programs (0-127)."""


@dataclass(frozen=True)
class Feeling:
    """What a picture and a comment are felt to express.

    Attributes:
        emotions: probabilities of ``EMOTIONS``, float32 [9], sum 1.
        valence: displeasure to pleasure, in [-1, 1].
        arousal: calm to excited, in [-1, 1].
    """

    emotions: NDArray[np.float32]
    valence: float
    arousal: float

    @property
    def word(self) -> str:
        """The likeliest of ``EMOTIONS``."""
        return EMOTIONS[int(np.argmax(self.emotions))]

    @classmethod
    def of(cls, valence: float, arousal: float, word: str = "something else") -> Self:
        """A feeling at a point of the plane (each clipped to [-1, 1]), all its weight on one of ``EMOTIONS``."""
        emotions = np.zeros(len(EMOTIONS), np.float32)
        emotions[EMOTIONS.index(word)] = 1.0
        return cls(emotions, float(np.clip(valence, -1, 1)), float(np.clip(arousal, -1, 1)))


@dataclass(frozen=True)
class Casting:
    """One instrument for each role, and the room they play in: what a decoder is told.

    Attributes:
        instruments: an index into the bundle's instruments for each role, in the order of ``ROLES``.
        room: size of the room (reverberation), in [0, 1].
    """

    instruments: tuple[int, ...]
    room: float

    def vector(self, instruments: int) -> NDArray[np.float32]:
        """One-hot instruments for each role, then the room: float32 [roles * instruments + 1]."""
        chosen = np.zeros((len(self.instruments), instruments), np.float32)
        chosen[np.arange(len(self.instruments)), list(self.instruments)] = 1.0
        return np.append(chosen.ravel(), np.float32(self.room))


@dataclass(frozen=True)
class Palette:
    """How well each instrument suits each role.

    Attributes:
        weights: probabilities, float32 [roles, instruments], each row sums to 1.
        room: size of the room, in [0, 1].
    """

    weights: NDArray[np.float32]
    room: float

    def cast(self, generator: np.random.Generator) -> Casting:
        """Draws an instrument for each role; no two roles share one while another is likely enough.

        The draw takes only instruments with at least a third of their role's highest weight, so that a rare
        choice of the palette head never decides the whole sound.
        """
        taken: list[int] = []
        for role_weights in self.weights.astype(np.float64):
            likely = np.where(role_weights >= role_weights.max() / 3, role_weights, 0.0)
            fresh = likely.copy()
            fresh[taken] = 0.0
            choice = fresh if fresh.sum() > 0 else likely
            taken.append(int(generator.choice(len(choice), p=choice / choice.sum())))
        return Casting(tuple(taken), self.room)

"""What makes an artwork's music recognisable when a visitor returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from a2m_edge.composer.tables import ComposerTables

SIGNATURE_BITS = 16
MOTIF_STEPS = 8
NEIGHBOURS = {"A": 0, "B": 7, "C": 5}
"""Semitones from the artwork's tonic to that of each section: the keys that share all but one of its notes."""


@dataclass(frozen=True)
class Theme:
    """The musical identity of an artwork (or of a comment, where there is no picture).

    Attributes:
        signature: a number in [0, 2^16) that identifies it and seeds everything below.
        tonic: pitch class, 0-11.
        beats_in_bar: 3 or 4.
        motifs: two lists of melodic steps in scale steps; the first step of each is 0.
    """

    signature: int
    tonic: int
    beats_in_bar: int
    motifs: tuple[tuple[int, ...], tuple[int, ...]]

    def tonic_of(self, section: str) -> int:
        """The pitch class on which a section rests: B and C go to the neighbouring keys, and A comes home."""
        return (self.tonic + NEIGHBOURS[section]) % 12

    @classmethod
    def of(cls, embedding: NDArray[np.float32], tables: ComposerTables) -> Theme:
        """The theme of an embedding [D].

        The signature is the signs of 16 fixed random projections (locality-sensitive hashing, Charikar 2002), so
        that a slightly different photograph of the same work keeps most of it.
        """
        planes = np.random.default_rng(0).standard_normal((SIGNATURE_BITS, len(embedding)))
        signature = int(np.dot(planes @ embedding > 0, 1 << np.arange(SIGNATURE_BITS)))
        generator = np.random.default_rng([7, signature])
        tonic = int(generator.integers(12))
        beats = int(generator.choice([4, 3], p=[0.7, 0.3]))
        motifs = (motif(tables, generator), motif(tables, generator))
        return cls(signature, tonic, beats, motifs)


def motif(tables: ComposerTables, generator: np.random.Generator) -> tuple[int, ...]:
    """Melodic steps drawn from the tables' steps; it neither stays on one pitch nor leaves a sixth's compass."""
    largest, table = tables.largest_step, tables.steps["major"]
    while True:
        steps, last = [0], 0
        while len(steps) < MOTIF_STEPS:
            last = int(generator.choice(len(table), p=table[last + largest])) - largest
            steps.append(last)
        places = np.cumsum(steps)
        if 2 <= np.ptp(places) <= 6 and len(set(places[:4].tolist())) >= 3:
            return tuple(steps)

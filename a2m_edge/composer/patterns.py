"""What a part plays over and over where a picture shows something: figures above the harmony, and basses.

A pattern is data: a new one is an entry of ``FIGURES`` or ``BASSES``, and an entry of ``DEPICTIONS`` in
``a2m_edge/composer/depiction.py`` that uses it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pattern:
    """Strokes that begin again and again.

    Attributes:
        strokes: onset in beats from the beginning of a round, rising, and which tone is played: 0 is the lowest of the
            chord's (of a bass the root, then its fifth), and each octave of them follows on the one below; or a step
            of the scale above it.
        beats: length of a round, > 0; the end of a bar cuts the last one.
        steps: tones are steps of the scale.
        octaves: by which it lies above its part's usual place.
        ring: length of a note as a multiple of the time to the next one, before the articulation.
        rests: probability that a round is left out.
        loudness: as a multiple of its part's.
    """

    strokes: tuple[tuple[float, int], ...]
    beats: float
    steps: bool = False
    octaves: int = 0
    ring: float = 1.2
    rests: float = 0.0
    loudness: float = 1.0

    def line(self, beats: float, generator: np.random.Generator) -> Iterator[tuple[float, int]]:
        """Onsets, in beats, and tones in so many beats."""
        rounds = int(np.ceil(beats / self.beats))
        for begin in self.beats * np.arange(rounds):
            if generator.random() < self.rests:
                continue
            for onset, tone in self.strokes:
                if begin + onset < beats:
                    yield float(begin + onset), tone


def _even(each: float, *tones: int) -> tuple[tuple[float, int], ...]:
    """One tone after another, ``each`` so many beats long."""
    return tuple((number * each, tone) for number, tone in enumerate(tones))


FIGURES: dict[str, Pattern] = {
    "waves": Pattern(_even(0.5, 0, 1, 2, 3, 4, 3, 2, 1), 4.0, ring=1.8),
    "ripples": Pattern(_even(0.25, 0, 1, 2, 1, 3, 2, 1, 2), 2.0, ring=1.3),
    "mirror": Pattern(((0.0, 0), (1.5, 3), (2.0, 2)), 3.0, ring=2.2, loudness=0.9),
    "barcarole": Pattern(((0.0, 0), (0.5, 2), (1.0, 3), (1.5, 2)), 2.0, ring=1.5),
    "drops": Pattern(_even(0.25, 3, 3, 4, 3, 3, 2, 3, 3), 2.0, octaves=1, ring=0.4, rests=0.1, loudness=0.85),
    "lashing": Pattern(_even(0.25, 0, 0, 0, 0, 3, 3, 2, 2), 2.0, octaves=-1, ring=0.9, loudness=1.25),
    "gusts": Pattern(_even(0.25, 0, 1, 2, 3, 4, 5, 6, 7, 6, 5, 4, 3, 2, 1), 4.0, steps=True, ring=1.1),
    "flakes": Pattern(((0.0, 4), (1.5, 3), (2.5, 2)), 3.0, octaves=1, ring=1.0, rests=0.15, loudness=0.75),
    "drift": Pattern(((0.0, 2), (2.0, 4)), 4.0, ring=2.0, loudness=0.85),
    "rustle": Pattern(_even(0.5, 1, 2, 1, 3, 2, 3, 1, 2), 4.0, ring=0.8, rests=0.1, loudness=0.85),
    "turns": Pattern(((0.0, 4), (0.25, 5), (0.5, 4), (0.75, 3), (1.0, 4)), 2.0, steps=True, ring=1.2),
    "petals": Pattern(((0.0, 7), (0.25, 6), (0.5, 4), (1.0, 2)), 2.0, steps=True, octaves=1, rests=0.25, loudness=0.8),
    "pastorale": Pattern(((0.0, 2), (0.75, 3), (1.0, 2)), 1.5, ring=1.2),
    "echo": Pattern(((0.0, 0), (0.5, 2), (1.0, 3), (2.5, 3)), 4.0, ring=1.8, loudness=1.1),
    "budding": Pattern(((0.0, 1), (0.25, 2), (0.5, 3), (1.0, 4)), 2.0, ring=1.0, rests=0.1),
    "shimmer": Pattern(_even(0.25, 3, 4), 0.5, octaves=1, ring=1.0, rests=0.2, loudness=0.6),
    "falling leaves": Pattern(((0.0, 4), (0.75, 3), (1.5, 2), (2.25, 1)), 3.0, ring=1.4),
    "shiver": Pattern(_even(0.25, 2, 2, 2, 2), 1.0, ring=0.35, rests=0.15, loudness=0.8),
    "stars": Pattern(((0.0, 4), (2.0, 5)), 4.0, octaves=1, ring=2.0, rests=0.2, loudness=0.7),
    "glow": Pattern(_even(1.0, 0, 1, 2, 3), 4.0, ring=2.4),
    "birdsong": Pattern(((0.0, 4), (0.17, 5), (0.33, 4), (0.5, 5), (0.67, 4), (1.0, 7)), 2.0, True, 1, 0.9, rests=0.35),
    "gallop": Pattern(((0.0, 1), (0.5, 2), (0.75, 2)), 1.0, ring=0.7),
    "flames": Pattern(((0.0, 1), (0.25, 4), (0.5, 2), (1.0, 3), (1.25, 5), (1.75, 2)), 2.0, ring=0.8, rests=0.1),
    "traffic": Pattern(((0.0, 0), (0.5, 2), (0.75, 1), (1.25, 3), (1.5, 2)), 2.0, ring=0.7),
    "cries": Pattern(((0.0, 3), (0.5, 3), (0.75, 1)), 1.5, ring=0.8, rests=0.2),
    "murmur": Pattern(_even(0.33, 0, 1, 0, 2, 1, 0), 2.0, steps=True, ring=1.0, rests=0.1, loudness=0.8),
    "toast": Pattern(((0.0, 0), (0.5, 1), (0.75, 2), (1.0, 3), (1.5, 3)), 2.0, ring=0.8, loudness=1.1),
    "dotted": Pattern(((0.0, 1), (0.75, 2), (1.0, 3), (1.75, 2)), 2.0, ring=0.7, loudness=1.1),
    "virtuoso": Pattern(_even(0.25, 0, 1, 2, 3, 4, 3, 2, 3), 2.0, ring=0.9, loudness=1.1),
    "fanfare": Pattern(((0.0, 2), (0.5, 2), (0.67, 2), (0.83, 2), (1.0, 3)), 2.0, ring=0.8, loudness=1.2),
    "music box": Pattern(_even(0.5, 3, 4, 5, 4), 2.0, octaves=1, ring=0.8, loudness=0.8),
    "cradle": Pattern(((0.0, 1), (1.0, 2)), 2.0, ring=1.6, loudness=0.9),
    "sighs": Pattern(((0.0, 3), (0.5, 2)), 2.0, steps=True, ring=1.3),
    "nothing": Pattern((), 4.0),
    "spinning": Pattern(_even(0.5, 0, 2, 1, 2), 2.0, ring=0.7),
    "halo": Pattern(((0.0, 3), (1.0, 4), (2.0, 5)), 4.0, octaves=1, ring=2.2, loudness=0.75),
    "bells": Pattern(((0.0, 3),), 4.0, octaves=1, ring=1.0, loudness=1.2),
    "fragments": Pattern(((0.0, 3), (0.5, 1)), 4.0, ring=1.0, rests=0.4, loudness=0.9),
    "tidbits": Pattern(((0.0, 2), (0.5, 1), (1.0, 0)), 2.0, ring=0.5, rests=0.15, loudness=0.9),
    "motor": Pattern(_even(0.25, 0, 2, 1, 2), 1.0, ring=0.5),
    "haze": Pattern(((0.0, 0), (0.33, 2), (0.67, 4), (1.0, 5)), 4.0, ring=2.6, loudness=0.8),
    "knell": Pattern(((2.0, 0),), 4.0, octaves=-1, ring=1.0, loudness=0.8),
}
"""Figures above the harmony, by what they are like."""

BASSES: dict[str, Pattern] = {
    "swell": Pattern(((0.0, 0), (1.0, 1), (2.0, 2)), 4.0, ring=1.4),
    "drone": Pattern(((0.0, 0), (0.0, 1)), 4.0, ring=1.0, loudness=0.85),
    "rumble": Pattern(_even(0.25, 0, 0, 0, 0), 1.0, ring=0.9, loudness=1.05),
    "march": Pattern(((0.0, 0), (1.0, 1)), 2.0, ring=0.6, loudness=1.1),
    "rocking": Pattern(((0.0, 0), (1.0, 2)), 2.0, ring=1.2, loudness=0.9),
    "toll": Pattern(((0.0, 0),), 4.0, octaves=-1, ring=1.0, loudness=1.2),
    "leaps": Pattern(((0.0, 0), (0.5, 2)), 1.0, ring=0.6),
    "pulse": Pattern(_even(0.5, 0, 0), 1.0, ring=0.6),
    "stamping": Pattern(((0.0, 0), (0.75, 1), (1.0, 0)), 2.0, ring=0.7, loudness=1.1),
}
"""Basses, by what they are like."""

"""Chords: which follow which, how a phrase cadences, and how voices move between them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from a2m_edge.composer.plan import Plan
from a2m_edge.composer.tables import ComposerTables

NUMERALS = ("I", "II", "III", "IV", "V", "VI", "VII")
TONIC, SUBDOMINANT, DOMINANT, SUBTONIC = 0, 3, 4, 6


@dataclass(frozen=True)
class Chord:
    """A chord of a mode.

    Attributes:
        degree: scale degree of its root, 0-6.
        seventh: whether the seventh is added.
    """

    degree: int
    seventh: bool = False

    def intervals(self, scale: tuple[int, ...]) -> tuple[int, ...]:
        """Semitones above the tonic, root first, each in [0, 12).

        The dominant triad of a minor mode takes the leading tone, as common practice does in cadences.
        """
        thirds = (0, 2, 4, 6) if self.seventh else (0, 2, 4)
        tones = [scale[(self.degree + third) % 7] for third in thirds]
        if self.degree == DOMINANT and scale[2] == 3 and scale[1] == 2:
            tones[1] = 11
        return tuple(tones)

    def pitch_classes(self, tonic: int, scale: tuple[int, ...]) -> tuple[int, ...]:
        """Pitch classes, root first."""
        return tuple((tonic + tone) % 12 for tone in self.intervals(scale))

    def diminished(self, scale: tuple[int, ...]) -> bool:
        """Whether its fifth is diminished in this mode."""
        root, _, fifth = self.intervals(scale)[:3]
        return (fifth - root) % 12 == 6

    def name(self, scale: tuple[int, ...]) -> str:
        """Its Roman numeral: lower case for a minor third, with 7 for a seventh and ° for a diminished fifth."""
        root, third = self.intervals(scale)[:2]
        numeral = NUMERALS[self.degree]
        numeral = numeral if (third - root) % 12 == 4 else numeral.lower()
        return numeral + ("°" if self.diminished(scale) else "") + ("7" if self.seventh else "")


def phrase_chords(
    bars: int, closed: bool, plan: Plan, tables: ComposerTables, generator: np.random.Generator
) -> tuple[Chord, ...]:
    """One chord for each bar of a phrase.

    The phrase begins on the tonic and ends with a half cadence (on the dominant) when it is open, or with a
    full one (dominant or subdominant, then tonic) when it is closed. Between them the chords follow the tables;
    diminished triads are left out, and where the dominant is one (in Phrygian) the subtonic takes its place. Every
    other mode shares its notes with some major key and is told from it by where it rests alone: there every second
    bar returns to the tonic. The tonic never carries a seventh, for ``i7`` holds the major triad a third above.
    """
    dominant = SUBTONIC if Chord(DOMINANT).diminished(plan.scale) else DOMINANT
    plagal = 0.0 if Chord(SUBDOMINANT).diminished(plan.scale) else 0.25
    approach = int(generator.choice([dominant, SUBDOMINANT], p=[1.0 - plagal, plagal]))
    ending = [approach, TONIC] if closed else [dominant]
    degrees = [TONIC]
    while len(degrees) < bars - len(ending):
        if plan.mode != "ionian" and len(degrees) % 2 == 0:
            degrees.append(TONIC)
            continue
        wanted = tables.chords[plan.family][degrees[-1]].copy()
        for degree in range(len(wanted)):
            if Chord(degree).diminished(plan.scale):
                wanted[degree] = 0.0
        if len(degrees) == bars - len(ending) - 1:
            wanted[ending[0]] *= 0.1
        degrees.append(int(generator.choice(len(wanted), p=wanted / wanted.sum())))
    degrees += ending
    return tuple(Chord(degree, degree != TONIC and bool(generator.random() < plan.colour)) for degree in degrees)


def voicing(pitch_classes: tuple[int, ...], centre: float, before: tuple[int, ...] | None) -> tuple[int, ...]:
    """Pitches for a chord, lowest first: near ``centre``, with the least movement from the voicing before.

    Every tone is placed in the octaves around the centre; a voicing spans at most an octave and a fifth and has
    no interval narrower than a minor third at its bottom. Parallel fifths and octaves with the voicing before
    are avoided where another voicing is as near.
    """
    low, high = round(centre) - 10, round(centre) + 10
    choices = [[pitch for pitch in range(low, high + 1) if pitch % 12 == tone] for tone in pitch_classes]
    best, best_cost = tuple(sorted(choice[0] for choice in choices)), float("inf")
    for candidate in product(*choices):
        pitches = tuple(sorted(candidate))
        if pitches[-1] - pitches[0] > 19 or pitches[1] - pitches[0] < 3:
            continue
        cost = 0.5 * abs(sum(pitches) / len(pitches) - centre)
        if before is not None:
            cost += sum(min(abs(pitch - old) for old in before) for pitch in pitches)
            cost += sum(min(abs(pitch - old) for pitch in pitches) for old in before)
            cost += 4.0 * parallels(before, pitches)
        if cost < best_cost:
            best, best_cost = pitches, cost
    return best


def opened(pitches: tuple[int, ...]) -> tuple[int, ...]:
    """A close voicing in open position: the second voice from above an octave lower ("drop 2"), lowest first."""
    if len(pitches) < 3:
        return pitches
    return tuple(sorted((*pitches[:-2], pitches[-2] - 12, pitches[-1])))


def parallels(before: tuple[int, ...], after: tuple[int, ...]) -> int:
    """Pairs of voices that move from a fifth or octave into another one of the same size."""
    voices = list(zip(before, after, strict=False))
    found = 0
    for index, (low_before, low_after) in enumerate(voices):
        for high_before, high_after in voices[index + 1 :]:
            interval = (high_before - low_before) % 12
            moved = low_before != low_after
            if moved and interval in (0, 7) and interval == (high_after - low_after) % 12:
                found += 1
    return found

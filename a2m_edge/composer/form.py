"""The plan of the whole: sections, phrases, and where each bar stands in them."""

from __future__ import annotations

from dataclasses import dataclass

SECTIONS = "AABACABA"
"""Order of the sections, repeated without end; A carries the theme, B answers it, C leaves the melody out at first."""

PHRASES = {"A": (4, 4), "B": (8,), "C": (4, 4)}
"""Bars of the phrases of each section; the last phrase of a section closes, the others stay open."""


@dataclass(frozen=True)
class Place:
    """Where a bar stands.

    Attributes:
        section: letter of the section.
        section_number: number of the section from the beginning, 0-based.
        phrase: number of the phrase in its section, 0-based.
        phrase_bars: bars in the phrase.
        bar: number of the bar in its phrase, 0-based.
        closed: whether the phrase ends with a full cadence.
        dwelling: number, among the phrases that dwell on a part of the picture, from the beginning, 0-based; None for
            the statement of the theme, which belongs to the whole.
    """

    section: str
    section_number: int
    phrase: int
    phrase_bars: int
    bar: int
    closed: bool
    dwelling: int | None

    @property
    def last(self) -> bool:
        """Whether this is the phrase's last bar."""
        return self.bar == self.phrase_bars - 1

    @property
    def melody_rests(self) -> bool:
        """Whether the melody is silent throughout this phrase."""
        return self.section == "C" and self.phrase == 0

    @property
    def arch(self) -> float:
        """Rise and fall of a phrase's loudness: 0 at its ends, 1 at its middle."""
        position = (self.bar + 0.5) / self.phrase_bars
        return 1.0 - abs(2.0 * position - 1.0)


def states_theme(section: str, phrase: int) -> bool:
    """Whether a phrase of a section is the statement of the theme."""
    return section == "A" and phrase == 0


def place_of(bar: int) -> Place:
    """The place of a bar counted from the beginning, for any bar >= 0."""
    cycle_bars = sum(sum(PHRASES[letter]) for letter in SECTIONS)
    cycle, rest = divmod(bar, cycle_bars)
    dwelling = cycle * DWELLINGS
    for number, letter in enumerate(SECTIONS):
        phrases = PHRASES[letter]
        for phrase, bars in enumerate(phrases):
            stated = states_theme(letter, phrase)
            if rest < bars:
                closed, section = phrase == len(phrases) - 1, cycle * len(SECTIONS) + number
                return Place(letter, section, phrase, bars, rest, closed, None if stated else dwelling)
            rest -= bars
            dwelling += not stated
    raise AssertionError("a cycle holds every remainder of its own length")


DWELLINGS = sum(not states_theme(letter, phrase) for letter in SECTIONS for phrase in range(len(PHRASES[letter])))
"""Phrases of a cycle that dwell on a part of the picture: as many as a picture has regions at most."""

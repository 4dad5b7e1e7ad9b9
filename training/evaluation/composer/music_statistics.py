"""What music is made of, in numbers: melody, harmony and form of pieces, beside those of a corpus.

A composer that plays scales, wanders at random or turns in a loop shows here before anybody has to listen. Every piece
is cut to the same number of bars, since histograms of short pieces scatter more. A histogram of a piece is told by its
Jensen-Shannon distance (Lin 1991; the root, in [0, 1]) from the corpus' mean histogram, so that every statistic is one
number of a piece, and a corpus has a spread of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon

from a2m_edge.score import Score
from training.data.scores.midi import MidiScore
from training.data.scores.score_tables import KEY_WINDOW, local_key, pitch_class_time, triad

BARS = 32
"""Length of an excerpt."""

WINDOW_BARS = 8
"""Length of the passages whose likeness is the self-similarity."""

LARGEST_INTERVAL = 12
"""Semitones; wider leaps count as this one."""

DURATIONS = (0.2, 0.3, 0.45, 0.6, 0.9, 1.2, 1.8, 2.5, 4.5)
"""Quarter notes between the classes of note lengths: sixteenths, triplets, eighths, ... and longer than a whole."""

SPREAD = (0.05, 0.95)
"""Quantiles between which a corpus' pieces are said to lie."""

Notes = NDArray[np.float64]


@dataclass(frozen=True)
class Excerpt:
    """Bars of a piece.

    Attributes:
        notes: float64 [N, 4]: start and end in quarter notes from the first bar line, MIDI pitch, velocity; by start.
        melody: those of the melody.
        bar: quarter notes in a bar.
    """

    notes: Notes
    melody: Notes
    bar: float

    @cached_property
    def keys(self) -> list[tuple[int, str]]:
        """Tonic and mode of every ``KEY_WINDOW`` quarter notes."""
        starts = np.arange(0.0, BARS * self.bar, KEY_WINDOW)
        return [local_key(pitch_class_time(self.notes, start, start + KEY_WINDOW)) for start in starts]

    def key_at(self, quarter: float) -> tuple[int, str]:
        """Tonic and mode at a place."""
        return self.keys[min(int(quarter // KEY_WINDOW), len(self.keys) - 1)]

    @cached_property
    def phrases(self) -> list[Notes]:
        """The melody, parted by every rest of a quarter note and more."""
        rests = np.flatnonzero(self.melody[1:, 0] - self.melody[:-1, 1] >= 1.0 - 1e-3) + 1
        return np.split(self.melody, rests)

    @cached_property
    def steps(self) -> list[NDArray[np.int64]]:
        """Of each phrase the semitones from each note to the next, clipped."""
        intervals = (np.diff(phrase[:, 2]).astype(np.int64) for phrase in self.phrases)
        return [np.clip(steps, -LARGEST_INTERVAL, LARGEST_INTERVAL) for steps in intervals]


def excerpt_of_score(score: Score, melody_role: int, skip: int = 8) -> Excerpt:
    """``BARS`` bars of what was composed, after the first ``skip``.

    Raises:
        ValueError: there are not so many.
    """
    bars = list(score.bars())[skip : skip + BARS]
    if len(bars) < BARS:
        raise ValueError(f"a score of {len(bars)} bars is too short: {skip + BARS} are needed")
    rows, melody, quarter = [], [], 0
    for bar in bars:
        for beat in bar.beats:
            for note in beat.notes:
                start = quarter + (note.start - beat.start) / beat.seconds
                row = (start, start + note.seconds / beat.seconds, float(note.pitch), note.velocity)
                rows.append(row)
                if note.role == melody_role:
                    melody.append(row)
            quarter += 1
    return Excerpt(_sorted(rows), _sorted(melody), quarter / BARS)


def excerpt_of_midi(score: MidiScore, skip: int = 8) -> Excerpt | None:
    """``BARS`` bars of a file after the first ``skip``; its first part is the melody. None where there are too few."""
    bar = score.beats_in_bar * 4.0 / score.beat_unit
    first, last = skip * bar, (skip + BARS) * bar
    found = []
    for part in (np.concatenate([part.notes for part in score.parts]), score.parts[0].notes):
        here = part[(part[:, 0] >= first) & (part[:, 0] < last)] - np.array([first, first, 0.0, 0.0])
        found.append(here[np.argsort(here[:, 0], kind="stable")])
    notes, melody = found
    if len(melody) < BARS or notes[:, 1].max() < (BARS - 2) * bar:
        return None
    return Excerpt(notes, _highest(melody), bar)


# --- statistics of one excerpt ---------------------------------------------------------------------------------


def interval_histogram(excerpt: Excerpt) -> NDArray[np.float64]:
    """Share of each melodic interval from an octave down to an octave up: [25]."""
    return _shares(np.concatenate(excerpt.steps) + LARGEST_INTERVAL, 2 * LARGEST_INTERVAL + 1)


def transition_histogram(excerpt: Excerpt) -> NDArray[np.float64]:
    """Share of each pair of melodic pitch classes above the tonic, one after the other: [144]."""
    pairs: list[NDArray[np.int64]] = []
    for phrase in excerpt.phrases:
        above = np.array([(note[2] - excerpt.key_at(note[0])[0]) % 12 for note in phrase], np.int64)
        pairs.append(above[:-1] * 12 + above[1:])
    return _shares(np.concatenate(pairs), 144)


def duration_histogram(excerpt: Excerpt) -> NDArray[np.float64]:
    """Share of each class of time from one melodic attack to the next: [10]."""
    between = np.diff(excerpt.melody[:, 0])
    return _shares(np.searchsorted(DURATIONS, between[between > 0]), len(DURATIONS) + 1)


def chord_changes(excerpt: Excerpt) -> float:
    """How many half bars of a hundred have another chord than the half bar before, where both are clear."""
    changed = []
    before = None
    for half in np.arange(0.0, BARS * excerpt.bar, excerpt.bar / 2):
        profile = pitch_class_time(excerpt.notes, half, half + excerpt.bar / 2)
        chord = triad(profile, *excerpt.key_at(half))
        if chord is not None and before is not None:
            changed.append(chord != before)
        before = chord
    return 100.0 * float(np.mean(changed)) if changed else 0.0


def self_similarity(excerpt: Excerpt) -> float:
    """Mean over passages of ``WINDOW_BARS`` bars of their likeness to the passage that is most like them, in [0, 1].

    Passages begin at every second bar and are compared where they do not overlap; their likeness is the cosine of
    their pitch classes by quarter note, less what all of the piece has in common.
    """
    quarters = round(BARS * excerpt.bar)
    sounding = np.stack([pitch_class_time(excerpt.notes, quarter, quarter + 1.0) for quarter in range(quarters)])
    sounding /= np.maximum(np.linalg.norm(sounding, axis=1, keepdims=True), 1e-9)
    sounding -= sounding.mean(0)
    length = round(WINDOW_BARS * excerpt.bar)
    starts = range(0, quarters - length + 1, max(1, round(2 * excerpt.bar)))
    passages = np.stack([sounding[start : start + length].ravel() for start in starts])
    passages /= np.maximum(np.linalg.norm(passages, axis=1, keepdims=True), 1e-9)
    likeness = passages @ passages.T
    places = np.array(starts)
    likeness[np.abs(places[:, None] - places) < length] = -1.0
    return float(np.maximum(likeness.max(1), 0.0).mean())


def melodic_rest(excerpt: Excerpt) -> float:
    """Percentage of the time in which the melody is silent."""
    ends = np.maximum.accumulate(excerpt.melody[:, 1])
    gaps = np.maximum(excerpt.melody[1:, 0] - ends[:-1], 0.0).sum()
    outer = excerpt.melody[0, 0] + max(0.0, BARS * excerpt.bar - ends[-1])
    return float(100.0 * (gaps + outer) / (BARS * excerpt.bar))


def scale_runs(excerpt: Excerpt) -> float:
    """Percentage of the melodic intervals that lie in a run of four or more steps one way: the scale exercise."""
    in_runs = count = 0
    for steps in excerpt.steps:
        ways = np.where((np.abs(steps) >= 1) & (np.abs(steps) <= 2), np.sign(steps), 0)
        length = 0
        for place, way in enumerate(ways):
            length = length + 1 if way and place and way == ways[place - 1] else int(way != 0)
            in_runs += 4 if length == 4 else int(length > 4)
        count += len(steps)
    return 100.0 * in_runs / max(1, count)


def turning(excerpt: Excerpt) -> float:
    """Correlation of one melodic interval with the next: a random walk has 0, tunes turn back."""
    before = np.concatenate([steps[:-1] for steps in excerpt.steps]).astype(float)
    after = np.concatenate([steps[1:] for steps in excerpt.steps]).astype(float)
    if len(before) < 2 or before.std() == 0 or after.std() == 0:
        return 0.0
    return float(np.corrcoef(before, after)[0, 1])


HISTOGRAMS: Mapping[str, Callable[[Excerpt], NDArray[np.float64]]] = {
    "melodic intervals": interval_histogram,
    "pitch-class transitions": transition_histogram,
    "melodic durations": duration_histogram,
}
SCALARS: Mapping[str, Callable[[Excerpt], float]] = {
    "chord changes, of 100 half bars": chord_changes,
    "self-similarity of 8 bars": self_similarity,
    "melody silent, % of the time": melodic_rest,
    "in scale runs, % of the intervals": scale_runs,
    "correlation of successive intervals": turning,
}


# --- a corpus and what is held against it ----------------------------------------------------------------------


@dataclass(frozen=True)
class Comparison:
    """One statistic of pieces and of a corpus.

    Attributes:
        name: of the statistic.
        ours: its 5 %, 50 % and 95 % quantiles over the pieces.
        corpus: the same over the corpus.
        within: share of the pieces that lie within the corpus' spread.
        small: whether less is always within, as a distance is.
    """

    name: str
    ours: tuple[float, float, float]
    corpus: tuple[float, float, float]
    within: float
    small: bool

    @property
    def inside(self) -> bool:
        """Whether the pieces' median lies within the corpus' own spread."""
        return (self.small or self.corpus[0] <= self.ours[1]) and self.ours[1] <= self.corpus[2]


def compare(pieces: Sequence[Excerpt], corpus: Sequence[Excerpt]) -> list[Comparison]:
    """Holds pieces against a corpus, statistic by statistic; a distance that is small lies within its spread.

    Raises:
        ValueError: there is no piece, or the corpus has fewer than two.
    """
    if not pieces or len(corpus) < 2:
        raise ValueError("there is nothing to compare")
    found = []
    for name, histogram in HISTOGRAMS.items():
        shapes = np.stack([histogram(excerpt) for excerpt in corpus])
        total = shapes.sum(0)
        # A piece of the corpus is held against the others.
        known = [_distance(shape, (total - shape) / (len(shapes) - 1)) for shape in shapes]
        ours = [_distance(histogram(excerpt), total / len(shapes)) for excerpt in pieces]
        found.append(_comparison(f"{name}, distance from the mean", ours, known, small=True))
    for name, scalar in SCALARS.items():
        found.append(_comparison(name, [scalar(one) for one in pieces], [scalar(one) for one in corpus]))
    return found


def _comparison(name: str, ours: Iterable[float], corpus: Iterable[float], small: bool = False) -> Comparison:
    pieces, known = np.array(list(ours)), np.array(list(corpus))
    mine, theirs = (
        tuple(float(value) for value in np.quantile(side, (SPREAD[0], 0.5, SPREAD[1]))) for side in (pieces, known)
    )
    within = float(np.mean((small | (pieces >= theirs[0])) & (pieces <= theirs[2])))
    return Comparison(name, (mine[0], mine[1], mine[2]), (theirs[0], theirs[1], theirs[2]), within, small)


def _distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(jensenshannon(one + 1e-12, other + 1e-12, base=2))


def _shares(values: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    counts = np.bincount(values, minlength=count).astype(np.float64)
    return np.asarray(counts / max(1.0, counts.sum()))


def _sorted(rows: list[tuple[float, float, float, float]]) -> Notes:
    notes = np.array(rows, np.float64).reshape(-1, 4)
    return notes[np.lexsort((notes[:, 2], notes[:, 0]))]


def _highest(melody: Notes) -> Notes:
    """One note of each chord of a part, the highest: a melody is one voice."""
    order = np.lexsort((-melody[:, 2], melody[:, 0]))
    ordered = melody[order]
    return np.asarray(ordered[np.concatenate([[True], np.diff(ordered[:, 0]) > 1e-6])])

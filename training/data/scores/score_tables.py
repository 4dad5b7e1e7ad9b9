"""The composer's tables, estimated from CC0 scores.

From the OpenScore Lieder and string quartets: how chords follow one another, how long they last, how melodies
step, and which rhythms fill a bar. Keys are found with the profiles of Krumhansl & Kessler (1982) over windows of
32 quarter notes; the chord of a half bar is the diatonic triad that covers most of its sounding time.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from a2m_edge.output import written_aside
from training.data.scores.midi import MidiScore, read_midi_archive

SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
KEY_PROFILES = {
    "major": np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88]),
    "minor": np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17]),
}
KEY_WINDOW = 32.0
LARGEST_STEP = 7
RHYTHM_GRID = 4  # slots in a quarter note
RHYTHMS_KEPT = 48


def local_key(profile: NDArray[np.float64]) -> tuple[int, str]:
    """Tonic pitch class and mode whose profile correlates best with time per pitch class, [12]."""
    candidates = {
        (tonic, mode): np.corrcoef(np.roll(weights, tonic), profile)[0, 1]
        for mode, weights in KEY_PROFILES.items()
        for tonic in range(12)
    }
    return max(candidates, key=lambda key: candidates[key])


def pitch_class_time(notes: NDArray[np.float64], begin: float, end: float) -> NDArray[np.float64]:
    """Sounding quarter notes of each pitch class between two times, [12]."""
    shared = np.minimum(notes[:, 1], end) - np.maximum(notes[:, 0], begin)
    heard = shared > 0
    return np.bincount(notes[heard, 2].astype(int) % 12, shared[heard], minlength=12).astype(np.float64)


def triad(profile: NDArray[np.float64], tonic: int, mode: str) -> int | None:
    """Scale degree 0-6 of the triad that covers most of the profile, or None where none is clear."""
    if profile.sum() <= 0:
        return None
    scale = SCALES[mode]
    covered = []
    for degree in range(7):
        tones = [scale[(degree + third) % 7] for third in (0, 2, 4)]
        if mode == "minor" and degree == 4:
            tones[1] = 11  # the dominant of a minor key borrows the leading tone
        weights = (1.1, 1.0, 1.0)
        covered.append(sum(w * profile[(tonic + tone) % 12] for w, tone in zip(weights, tones, strict=True)))
    best = int(np.argmax(covered))
    return best if covered[best] >= 0.6 * profile.sum() else None


def scale_position(pitch: float, tonic: int, mode: str) -> int | None:
    """Steps of the scale above pitch 0 in the tonic's octave count, or None for a foreign tone."""
    octave, above = divmod(int(pitch) - tonic, 12)
    return octave * 7 + SCALES[mode].index(above) if above in SCALES[mode] else None


class TableCounts:
    """Counts over any number of scores; ``tables()`` turns them into probabilities."""

    def __init__(self) -> None:
        self.chords = {mode: np.ones((7, 7)) * 0.05 for mode in SCALES}
        self.steps = {mode: np.ones((2 * LARGEST_STEP + 1,) * 2) * 0.05 for mode in SCALES}
        self.rhythms: dict[int, Counter[tuple[int, ...]]] = {3: Counter(), 4: Counter()}
        self.scores = 0

    def add(self, score: MidiScore) -> None:
        """Counts one score's chords, melodic steps and rhythms."""
        self.scores += 1
        everything = np.concatenate([part.notes for part in score.parts])
        melody = score.parts[0].notes
        for begin in np.arange(0.0, everything[:, 1].max(), KEY_WINDOW):
            profile = pitch_class_time(everything, begin, begin + KEY_WINDOW)
            if np.count_nonzero(profile) < 3:
                continue
            tonic, mode = local_key(profile)
            self._count_chords(everything, begin, tonic, mode)
            self._count_steps(melody, begin, tonic, mode)
        if score.beat_unit == 4 and score.beats_in_bar in self.rhythms:
            self._count_rhythms(melody, score.beats_in_bar)

    def _count_chords(self, notes: NDArray[np.float64], begin: float, tonic: int, mode: str) -> None:
        previous = None
        for half in np.arange(begin, begin + KEY_WINDOW, 2.0):
            chord = triad(pitch_class_time(notes, half, half + 2.0), tonic, mode)
            if chord is not None and previous is not None and chord != previous:
                self.chords[mode][previous, chord] += 1
            previous = chord if chord is not None else previous

    def _count_steps(self, melody: NDArray[np.float64], begin: float, tonic: int, mode: str) -> None:
        here = melody[(melody[:, 0] >= begin) & (melody[:, 0] < begin + KEY_WINDOW)]
        before: int | None = None
        for first, second in pairwise(here):
            places = [scale_position(note[2], tonic, mode) for note in (first, second)]
            if second[0] - first[1] > 1.0 or places[0] is None or places[1] is None:
                before = None
                continue
            step = places[1] - places[0]
            if abs(step) <= LARGEST_STEP:
                if before is not None:
                    self.steps[mode][before + LARGEST_STEP, step + LARGEST_STEP] += 1
                before = step
            else:
                before = None

    def _count_rhythms(self, melody: NDArray[np.float64], beats: int) -> None:
        slots = np.round(melody[:, 0] * RHYTHM_GRID, 3)
        exact = slots[slots == np.round(slots)].astype(int)
        bars = exact // (beats * RHYTHM_GRID)
        for bar in np.unique(bars):
            pattern = tuple(int(slot) for slot in np.unique(exact[bars == bar] % (beats * RHYTHM_GRID)))
            self.rhythms[beats][pattern] += 1

    def tables(self, source: str, licence: str) -> dict[str, object]:
        """The tables as the runtime reads them: see ``a2m_edge.composer.tables``."""
        return {
            "schema": 1,
            "source": source,
            "licence": licence,
            "scores": self.scores,
            "rhythm_grid": RHYTHM_GRID,
            "chords": {mode: rows(counts) for mode, counts in self.chords.items()},
            "steps": {mode: rows(counts) for mode, counts in self.steps.items()},
            "rhythms": {
                str(beats): [
                    {"onsets": list(pattern), "count": count}
                    for pattern, count in sorted(counts.most_common(RHYTHMS_KEPT), key=lambda item: item[0])
                ]
                for beats, counts in self.rhythms.items()
            },
        }


def rows(counts: NDArray[np.float64]) -> list[list[float]]:
    """Each row divided by its sum, to five decimals."""
    return [[round(float(value), 5) for value in row / row.sum()] for row in counts]


def build_score_tables(archives: Iterable[Path], out: Path) -> dict[str, object]:
    """Counts every score of the archives and writes the composer's tables to ``out`` as JSON.

    Raises:
        DataError: an archive is missing or damaged.
        OutputError: the file cannot be written.
    """
    counts = TableCounts()
    for archive in archives:
        for _, score in read_midi_archive(archive):
            if score.parts:
                counts.add(score)
    tables = counts.tables("OpenScore Lieder and OpenScore String Quartets", "CC0-1.0")
    with written_aside(out) as stream:
        stream.write((json.dumps(tables, indent=1) + "\n").encode())
    return tables

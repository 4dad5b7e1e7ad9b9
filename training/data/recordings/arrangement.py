"""Arrangements: excerpts of CC0 scores, re-orchestrated over the four roles and recorded together with their notes.

They lie among the realisations and are read like them, so that a decoder hears polyphony that people wrote beside
what the composer writes. ``arrangements.csv`` holds the recipe of each: with the corpus it makes sound and mel again.
"""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from a2m_edge.composer.parts import BASS, FIGURE, HARMONY, MELODY
from a2m_edge.errors import DataError
from a2m_edge.impression.feeling import ROLES
from a2m_edge.jobs.work import Work
from a2m_edge.score import Note
from a2m_edge.sound.format import AudioFormat
from training.data.recordings.arrangement_recipes import TABLE, Arrangement, read_rows, recipes, write_table
from training.data.recordings.fluidsynth import SOUNDFONT
from training.data.recordings.formats import state_format
from training.data.recordings.orchestration import HIGHEST, LOWEST
from training.data.recordings.realisation import record
from training.data.scores.midi import MidiScore, read_midi
from training.jobs import JobRunner, Lost

MIDDLE_C = 60
CELLO, VIOLA, VIOLIN = 42, 41, 40
KEYBOARDS = (*range(8), 24, 46)
"""Programs of what accompanies a song: pianos, and the guitar or harp that stands for one."""

BASS_REACH = 0.5
"""Seconds: a lower note of the keyboard that begins so near makes a note none of the bass, but of a broken chord."""

SAME_ATTACK = 0.03
"""Seconds: attacks of one key so near to each other are one note, which two parts have in unison."""


def assign_roles(score: MidiScore) -> list[Note]:
    """All notes of a score with the roles that they play, in seconds from its beginning, by start.

    A string quartet's cello is the bass, its viola the harmony, the second violin the figure, the first the melody. In
    a song the highest voice is the melody, other voices are harmony, and the keyboard gives bass (its lowest notes
    below middle C), harmony (the rest of the left hand, and chords) and figure (single notes of the right hand). The
    parts of other scores stand in the order of their mean pitch, the highest the melody and the lowest the bass.
    """
    parts = [(part.program, _notes(score, number)) for number, part in enumerate(score.parts)]
    programs = [program for program, _ in parts]
    if {CELLO, VIOLA, VIOLIN} == set(programs) and programs.count(VIOLIN) == 2:
        roles = {CELLO: BASS, VIOLA: HARMONY, VIOLIN: FIGURE}
        first = programs.index(VIOLIN)
        given = [
            _playing(MELODY if number == first else roles[program], notes)
            for number, (program, notes) in enumerate(parts)
        ]
        return sorted(itertools.chain(*given))
    keyboard = sorted(note for program, notes in parts if program in KEYBOARDS for note in notes)
    voices = [notes for program, notes in parts if program not in KEYBOARDS]
    voices.sort(key=lambda notes: float(np.mean([note.pitch for note in notes])))
    if keyboard:
        sung = [_playing(HARMONY, notes) for notes in voices[:-1]] + [_playing(MELODY, notes) for notes in voices[-1:]]
        return sorted(itertools.chain(_keyboard_roles(keyboard), *sung))
    # One part is the melody, two are bass and melody; where there are more than roles, neighbours share one.
    count = len(voices)
    places = [MELODY] if count == 1 else [round(number * MELODY / (count - 1)) for number in range(count)]
    return sorted(itertools.chain(*(_playing(role, notes) for role, notes in zip(places, voices, strict=True))))


def _notes(score: MidiScore, part: int) -> list[Note]:
    rows = score.parts[part].notes
    starts, ends = score.seconds(rows[:, 0]), score.seconds(rows[:, 1])
    return [
        Note(float(start), float(end - start), int(pitch), float(velocity) / 127, MELODY)
        for start, end, (pitch, velocity) in zip(starts, ends, rows[:, 2:], strict=True)
    ]


def _playing(role: int, notes: Iterable[Note]) -> list[Note]:
    return [replace(note, role=role) for note in notes]


def _keyboard_roles(notes: Sequence[Note]) -> Iterator[Note]:
    """Divides a keyboard's notes, given by start, into bass, harmony and figure: see ``assign_roles``."""
    starts = np.array([note.start for note in notes])
    pitches = np.array([note.pitch for note in notes])
    for note in notes:
        near = slice(*np.searchsorted(starts, (note.start - BASS_REACH, note.start + BASS_REACH)))
        together = np.abs(starts[near] - note.start) < SAME_ATTACK
        if note.pitch < MIDDLE_C:
            role = BASS if note.pitch <= pitches[near].min() else HARMONY
        else:
            role = FIGURE if (together & (pitches[near] >= MIDDLE_C)).sum() == 1 else HARMONY
        yield replace(note, role=role)


def arrange(recipe: Arrangement, notes: Iterable[Note]) -> list[Note]:
    """The recipe's excerpt of a score.

    Args:
        recipe: what to take and what to do with it.
        notes: the whole score, see ``assign_roles``.

    Returns:
        notes in seconds of the clip, by start: pitches in ``LOWEST`` to ``HIGHEST``, and in a role no key that is
        struck before it has been released. Those that sound before the excerpt begins are left out.
    """
    last = recipe.place + (recipe.seconds - recipe.lead) / recipe.stretch
    excerpt = [note for note in notes if recipe.place <= note.start < last]
    if not excerpt:
        return []
    loudness = recipe.level / float(np.mean([note.velocity for note in excerpt]))
    hand = np.random.default_rng(recipe.number).normal(1.0, 0.03, len(excerpt))
    shifts = [_shift(recipe, [note.pitch for note in excerpt if note.role == role], role) for role in range(len(ROLES))]
    return _released(
        Note(
            recipe.lead + (note.start - recipe.place) * recipe.stretch,
            note.seconds * recipe.stretch,
            _folded(note.pitch + shifts[note.role]),
            float(np.clip(note.velocity * loudness * recipe.shares[note.role] * touch, 0.06, 1.0)),
            note.role,
        )
        for note, touch in zip(excerpt, hand, strict=True)
    )


def _shift(recipe: Arrangement, pitches: Sequence[int], role: int) -> int:
    """Semitones that a role moves: without its octaves where these would take a note out of the register."""
    moved = recipe.transposition + 12 * recipe.octaves[role]
    fits = not pitches or (min(pitches) + moved >= LOWEST and max(pitches) + moved <= HIGHEST)
    return moved if fits else recipe.transposition


def _folded(pitch: int) -> int:
    """The same note in the nearest octave of the register."""
    return pitch + 12 * max(0, -(-(LOWEST - pitch) // 12)) - 12 * max(0, -(-(pitch - HIGHEST) // 12))


def _released(notes: Iterable[Note]) -> list[Note]:
    """The notes by start; one whose key is struck again in its role ends there, and unisons become their louder note.

    A key has one string, and the decoder's layout one value for each key of a role.
    """
    kept: dict[tuple[int, int], list[Note]] = {}
    for note in sorted(notes):
        line = kept.setdefault((note.role, note.pitch), [])
        if line and note.start - line[-1].start < SAME_ATTACK:
            first = line.pop()
            longer = max(first.end, note.end) - first.start
            note = replace(first, seconds=longer, velocity=max(first.velocity, note.velocity))
        elif line and line[-1].end > note.start:
            line[-1] = replace(line[-1], seconds=note.start - line[-1].start)
        line.append(note)
    return sorted(itertools.chain(*kept.values()))


def feeling_of(recipe: Arrangement, notes: Sequence[Note]) -> tuple[float, float]:
    """Valence and arousal, each in [-1, 1], by the cues that listeners agree on; nobody has rated these excerpts.

    Arousal is 0.4 x density (octaves above 3.5 attacks a second, notes of a chord being one) + 0.4 x loudness (mean
    velocity from 0.25 to 0.65) + 0.2 x tempo (octaves above 75 a minute), each in [-1, 1] and the sum times 1.5, since
    the mean of three seldom goes far. Valence is twice the key finder's margin of major over minor, plus a fifth
    of the arousal.
    """
    attacks = np.array([note.start for note in notes])
    struck = 1 + int((np.diff(attacks) >= SAME_ATTACK).sum()) if len(notes) else 0
    density = np.log2(max(struck, 1) / recipe.seconds / 3.5)
    loudness = (float(np.mean([note.velocity for note in notes] or [0.0])) - 0.45) / 0.2
    tempo = np.log2(recipe.score.tempo / recipe.stretch / 75.0)
    arousal = 1.5 * float(np.dot(np.clip((density, loudness, tempo), -1, 1), (0.4, 0.4, 0.2)))
    arousal = float(np.clip(arousal, -1, 1))
    return float(np.clip(2.0 * recipe.score.margin + 0.2 * arousal, -1, 1)), arousal


@dataclass(frozen=True)
class ArrangementWork(Work[Arrangement, Path | Lost]):
    """Arranges and records a recipe: ``scores`` (the folder of the corpora) and ``out`` are absolute paths."""

    scores: Path
    out: Path
    audio: AudioFormat
    soundfont: Path

    def perform(self, prepared: Arrangement) -> Path:
        """See ``record``; raises ``DataError`` where the score cannot be read."""
        archive = self.scores / f"{prepared.score.corpus}.zip"
        try:
            with zipfile.ZipFile(archive) as members:
                score = read_midi(members.read(prepared.score.member))
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise DataError(
                f"{prepared.score.member} in {archive} cannot be read ({error}): fetch the corpus again"
            ) from error
        notes = arrange(prepared, assign_roles(score))
        feeling = feeling_of(prepared, notes)
        place = self.out / prepared.file
        return record(place, notes, prepared.casting, feeling, prepared.seconds, self.audio, self.soundfont)

    def lost(self, job: Arrangement, ending: str) -> Lost:
        """Names the score."""
        return Lost(f"score {job.score.member}", ending)


def build_arrangements(
    scores: Path,
    out: Path,
    *,
    audio: AudioFormat,
    runner: JobRunner,
    hours: float,
    seconds: float = 30.0,
    seed: int = 0,
    soundfont: Path = SOUNDFONT,
) -> Iterator[Path]:
    """Arranges ``hours`` of music and yields each file that is made; those that exist are passed over.

    The first of more hours are the same files. The table is written first: with it a file can be made again.

    Args:
        scores: folder with ``lieder.zip``, ``lieder.csv``, ``quartets.zip`` and ``quartets.csv``.
        out: folder of realisations, made where it is missing.
        audio: the format of the recordings.
        runner: does the jobs.
        hours: of music, one file at least.
        seconds: length of an excerpt.
        seed: the same seed gives the same files.
        soundfont: a General MIDI soundfont.

    Raises:
        DataError: FluidSynth, the soundfont or a corpus is missing or damaged; or excerpts were lost, and all others
            are done.
        OutputError: a file cannot be written.
        SystemExit, KeyboardInterrupt: stopped by a signal; see ``JobRunner.run``.
    """
    place = out.absolute()
    count = max(1, round(3600 * hours / seconds))
    chosen = list(itertools.islice(recipes(read_rows(scores), seconds, seed), count))
    state_format(place, audio)
    write_table(place / TABLE, chosen)
    jobs = [recipe for recipe in chosen if not (place / recipe.file).exists()]
    if jobs:
        yield from runner.run(jobs, ArrangementWork(scores.absolute(), place, audio, soundfont), "arrangements")

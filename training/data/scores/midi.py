"""Standard MIDI files in, notes out."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import mido
import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import DataError, first_line

PERCUSSION_CHANNEL = 9  # counted from 0


@dataclass(frozen=True)
class MidiPart:
    """One track's notes.

    Attributes:
        name: the track's name.
        program: General MIDI program, 0-127.
        notes: float64 [N, 4] with columns start and end in quarter notes, MIDI pitch, velocity (0-127), by start.
    """

    name: str
    program: int
    notes: NDArray[np.float64]


@dataclass(frozen=True)
class MidiScore:
    """A file's parts, its first time signature and its tempi.

    Attributes:
        beats_in_bar: numerator of the first time signature.
        beat_unit: denominator of the first time signature.
        tempo: quarter notes per minute at the start.
        tempo_changes: those after the start as (place in quarter notes, quarter notes per minute), by place.
    """

    parts: tuple[MidiPart, ...]
    beats_in_bar: int
    beat_unit: int
    tempo: float
    tempo_changes: tuple[tuple[float, float], ...] = ()

    def seconds(self, quarters: NDArray[np.float64]) -> NDArray[np.float64]:
        """Seconds from the beginning at which places in quarter notes are reached, in the shape given."""
        places = np.array([0.0, *(place for place, _ in self.tempo_changes)])
        pace = 60.0 / np.array([self.tempo, *(tempo for _, tempo in self.tempo_changes)])
        reached = np.concatenate([[0.0], np.cumsum(np.diff(places) * pace[:-1])])
        segment = np.searchsorted(places, quarters, side="right") - 1
        return np.asarray(reached[segment] + (quarters - places[segment]) * pace[segment], np.float64)

    def notes(self) -> NDArray[np.float64]:
        """The notes of all parts, float64 [N, 4]: start and length in seconds, MIDI pitch, velocity in (0, 1]."""
        rows = np.concatenate([np.zeros((0, 4)), *(part.notes for part in self.parts)])
        start, end = self.seconds(rows[:, 0]), self.seconds(rows[:, 1])
        notes = np.stack([start, end - start, rows[:, 2], rows[:, 3] / 127.0], axis=1)
        return notes[np.lexsort((notes[:, 2], notes[:, 0]))]


def read_midi(content: bytes, *, percussion: bool = True) -> MidiScore:
    """Reads a Standard MIDI file.

    Args:
        content: the file's bytes.
        percussion: keep the notes of channel 10, whose pitch numbers mean drums in General MIDI.

    Raises:
        ValueError, OSError, EOFError: the bytes are no such file.
    """
    file = mido.MidiFile(file=io.BytesIO(content))
    parts, signature, tempo = [], (4, 4), 120.0
    changes: dict[float, float] = {}
    for track in file.tracks:
        now, program, name = 0, 0, ""
        held: dict[tuple[int, int], tuple[int, int]] = {}
        rows: list[tuple[float, float, int, int]] = []
        for message in track:
            now += message.time
            if message.type == "time_signature" and now == 0:
                signature = (message.numerator, message.denominator)
            elif message.type == "set_tempo" and now == 0:
                tempo = mido.tempo2bpm(message.tempo)
            elif message.type == "set_tempo":
                changes[now / file.ticks_per_beat] = mido.tempo2bpm(message.tempo)
            elif message.type == "track_name":
                name = message.name
            elif message.type == "program_change":
                program = message.program
            elif message.type in ("note_on", "note_off") and (percussion or message.channel != PERCUSSION_CHANNEL):
                key = (message.channel, message.note)
                if key in held:
                    start, velocity = held.pop(key)
                    if now > start:
                        quarter = file.ticks_per_beat
                        rows.append((start / quarter, now / quarter, message.note, velocity))
                if message.type == "note_on" and message.velocity > 0:
                    held[key] = (now, message.velocity)
        if rows:
            parts.append(MidiPart(name, program, np.array(sorted(rows), np.float64)))
    return MidiScore(tuple(parts), *signature, tempo, tuple(sorted(changes.items())))


def read_midi_archive(archive: Path) -> Iterator[tuple[str, MidiScore]]:
    """Every MIDI file of a zip archive with its member name, in the archive's order.

    Raises:
        DataError: the archive is missing or damaged.
    """
    try:
        with ZipFile(archive) as members:
            for name in members.namelist():
                if name.endswith(".mid"):
                    yield name, read_midi(members.read(name))
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise DataError(f"the scores {archive} cannot be read ({first_line(error)}): fetch them again") from error

"""Standard MIDI files in, notes out."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import mido
import numpy as np
from numpy.typing import NDArray


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
    """A file's parts and its first time signature and tempo.

    Attributes:
        beats_in_bar: numerator of the first time signature.
        beat_unit: denominator of the first time signature.
        tempo: quarter notes per minute at the start.
    """

    parts: tuple[MidiPart, ...]
    beats_in_bar: int
    beat_unit: int
    tempo: float


def read_midi(content: bytes) -> MidiScore:
    """Reads a Standard MIDI file.

    Raises:
        ValueError, OSError, EOFError: the bytes are no such file.
    """
    file = mido.MidiFile(file=io.BytesIO(content))
    parts, signature, tempo = [], (4, 4), 120.0
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
            elif message.type == "track_name":
                name = message.name
            elif message.type == "program_change":
                program = message.program
            elif message.type in ("note_on", "note_off"):
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
    return MidiScore(tuple(parts), *signature, tempo)


def read_midi_archive(archive: Path) -> Iterator[tuple[str, MidiScore]]:
    """Every MIDI file of a zip archive with its member name, in the archive's order."""
    with ZipFile(archive) as members:
        for name in members.namelist():
            if name.endswith(".mid"):
                yield name, read_midi(members.read(name))

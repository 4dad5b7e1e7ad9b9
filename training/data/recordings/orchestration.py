"""Audio to train a vocoder on: CC0 scores, re-orchestrated over the palette's instruments and rendered.

A vocoder has to sound whatever a mel decoder may ask of it: each instrument of the palette, alone and among others,
in every register, loud and almost silent. So excerpts of OpenScore's Lieder and StringQuartets are played by
instruments drawn evenly from the palette, in other keys, tempos, octaves, dynamics and rooms than they were
written in.
"""

from __future__ import annotations

import csv
import hashlib
import zipfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import mido
import numpy as np
import soundfile

from a2m_edge.errors import DataError
from a2m_edge.impression.feeling import INSTRUMENTS
from a2m_edge.output import make_folder, written_aside
from a2m_edge.sound.format import AudioFormat
from training.data.recordings.fluidsynth import SOUNDFONT, as_midi_file, render
from training.data.recordings.formats import state_format
from training.data.scores.midi import read_midi

CORPORA = ("lieder", "quartets")
KINDS = {"ensemble": 0.45, "solo": 0.30, "low": 0.10, "sparse": 0.15}
"""What an excerpt is made into, and how often: all parts as written, one part alone in any register, a part below
the others moved to the bottom of the keyboard, and few, long and quiet notes."""

LOWEST, HIGHEST = 24, 103
"""MIDI pitches between which every part is folded by octaves."""


@dataclass(frozen=True)
class PlayedNote:
    """A note of a score: start and end in seconds, MIDI pitch, velocity 1-127, number of its part."""

    start: float
    end: float
    pitch: int
    velocity: int
    part: int


def read_notes(midi: bytes) -> list[PlayedNote]:
    """The notes of a MIDI file at its first tempo, by start; a wide keyboard part counts as two (left, right).

    Raises:
        DataError: the file cannot be read.
    """
    try:
        score = read_midi(midi)
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise DataError(f"a score cannot be read ({error}): fetch the corpus again") from error
    quarter = 60.0 / score.tempo
    notes = [
        PlayedNote(start * quarter, end * quarter, int(pitch), int(velocity), number)
        for number, part in enumerate(score.parts)
        for start, end, pitch, velocity in part.notes
    ]
    return sorted(_split_keyboards(notes), key=lambda note: note.start)


def _split_keyboards(notes: list[PlayedNote]) -> Iterator[PlayedNote]:
    """Gives the notes below middle C of a part that spans more than three octaves a part of their own."""
    pitches: dict[int, list[int]] = {}
    for note in notes:
        pitches.setdefault(note.part, []).append(note.pitch)
    wide = {part for part, values in pitches.items() if max(values) - min(values) > 42}
    for note in notes:
        yield replace(note, part=note.part + 100) if note.part in wide and note.pitch < 60 else note


def _held_out(source_id: str) -> bool:
    """One source in ten, the same on every machine."""
    return hashlib.sha1(source_id.encode(), usedforsecurity=False).digest()[0] < 26


class Deck:
    """Deals the numbers below ``size`` evenly and in random order."""

    def __init__(self, size: int, generator: np.random.Generator) -> None:
        self._size, self._generator, self._rest = size, generator, list[int]()

    def deal(self, count: int) -> list[int]:
        """``count`` numbers, different from each other when ``count`` <= ``size``."""
        hand: list[int] = []
        while len(hand) < count:
            if not self._rest:
                self._rest = [int(number) for number in self._generator.permutation(self._size)]
            fresh = [number for number in self._rest if number not in hand]
            hand.append(fresh[0] if fresh else self._rest[0])
            self._rest.remove(hand[-1])
        return hand


def orchestrate(
    notes: list[PlayedNote], kind: str, seconds: float, deck: Deck, generator: np.random.Generator
) -> mido.MidiFile:
    """An excerpt of ``notes`` as a MIDI file of ``seconds`` (the last notes may ring on), one of ``KINDS``."""
    stretch = generator.uniform(0.7, 1.6)
    start = generator.uniform(0.0, max(0.0, notes[-1].end - seconds / stretch))
    excerpt = [
        replace(note, start=(note.start - start) * stretch, end=(note.end - start) * stretch)
        for note in notes
        if start <= note.start < start + seconds / stretch
    ]
    parts = sorted({note.part for note in excerpt})
    if kind in ("solo", "sparse") and parts:
        keep = {int(part) for part in generator.permutation(parts)[: 1 if kind == "solo" else 2]}
        excerpt = [note for note in excerpt if note.part in keep]
        parts = sorted(keep)
    if kind == "sparse":
        excerpt = [
            replace(note, end=max(note.end, note.start + generator.uniform(1.0, 5.0)))
            for note in excerpt
            if generator.random() < 0.3
        ]
    octaves = generator.integers(-2, 3, len(parts)) if kind == "solo" else generator.integers(-1, 2, len(parts))
    if kind == "low":
        octaves[:] = -2
    shifts = dict(zip(parts, generator.integers(-5, 7) + 12 * octaves, strict=True))
    softest = generator.uniform(20, 60) if kind == "sparse" else generator.uniform(40, 100)
    gains = dict(zip(parts, softest + generator.uniform(0, 27, len(parts)), strict=True))
    channels = [channel for channel in range(16) if channel != 9]
    programs = list(INSTRUMENTS.values())
    timed: list[tuple[float, mido.Message]] = []
    room = int(generator.integers(0, 128))
    for channel, part, dealt in zip(channels, parts, deck.deal(min(len(parts), 15)), strict=False):
        timed += [
            (0.0, mido.Message("program_change", channel=channel, program=programs[dealt])),
            (0.0, mido.Message("control_change", channel=channel, control=91, value=room)),
        ]
        mean = np.mean([note.velocity for note in excerpt if note.part == part] or [64])
        for note in excerpt:
            if note.part != part:
                continue
            pitch = _folded(note.pitch + int(shifts[part]))
            velocity = gains[part] + (note.velocity - mean) * 0.8 + generator.normal(0, 6)
            velocity = int(np.clip(velocity, 8, 127))
            timed.append((note.start, mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)))
            timed.append((note.end, mido.Message("note_off", channel=channel, note=pitch)))
    return as_midi_file(timed)


def _folded(pitch: int) -> int:
    while pitch < LOWEST:
        pitch += 12
    while pitch > HIGHEST:
        pitch -= 12
    return pitch


def build_orchestrations(
    scores: Path,
    out: Path,
    *,
    audio: AudioFormat,
    soundfont: Path = SOUNDFONT,
    train_minutes: float = 110.0,
    held_out_minutes: float = 6.0,
    seed: int = 0,
) -> None:
    """Writes ``out/train/*.wav`` and ``out/held_out/*.wav``, 20-30 s each; no score gives to both.

    Args:
        scores: folder with ``lieder.zip``, ``lieder.csv``, ``quartets.zip`` and ``quartets.csv``.
        out: folder to write, made if it is missing.
        audio: the format of the recordings.
        soundfont: a General MIDI soundfont.
        train_minutes, held_out_minutes: how much of each.
        seed: the same seed gives the same files.

    Raises:
        DataError: a corpus, FluidSynth or the soundfont is missing, or a score is damaged.
        OutputError: ``out`` cannot be written.
    """
    archives: dict[str, zipfile.ZipFile] = {}
    sources: dict[bool, list[tuple[str, str]]] = {False: [], True: []}
    try:
        for corpus in CORPORA:
            archives[corpus] = zipfile.ZipFile(scores / f"{corpus}.zip")
            with (scores / f"{corpus}.csv").open(encoding="utf-8", newline="") as table:
                for row in csv.DictReader(table):
                    sources[_held_out(corpus + row["source_id"])].append((corpus, row["file"]))
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise DataError(f"the scores in {scores} cannot be read ({error}): fetch the corpora again") from error
    state_format(out, audio)
    for held_out, minutes in ((False, train_minutes), (True, held_out_minutes)):
        folder = out / ("held_out" if held_out else "train")
        make_folder(folder)
        generator = np.random.default_rng([seed, held_out])
        deck = Deck(len(INSTRUMENTS), generator)
        with ThreadPoolExecutor(2) as workers:
            jobs: list[Future[None]] = []
            written = 0.0
            while written < 60 * minutes:
                corpus, member = sources[held_out][generator.integers(len(sources[held_out]))]
                notes = read_notes(archives[corpus].read(member))
                if len(notes) < 20:
                    continue
                kind = str(generator.choice(list(KINDS), p=list(KINDS.values())))
                seconds = float(generator.uniform(20, 30))
                score = orchestrate(notes, kind, seconds, deck, generator)
                level = float(generator.uniform(0.15, 0.5) if kind == "sparse" else generator.uniform(0.3, 0.9))
                place = folder / f"{len(jobs):04d}_{kind}.wav"
                room = float(generator.uniform(0.1, 0.9))
                jobs.append(workers.submit(_write, score, soundfont, audio, room, seconds, level, place))
                written += seconds
            for job in jobs:
                job.result()


def _write(
    score: mido.MidiFile,
    soundfont: Path,
    audio: AudioFormat,
    room_size: float,
    seconds: float,
    level: float,
    place: Path,
) -> None:
    length = round(seconds * audio.sample_rate)
    samples = render(score, soundfont, audio.sample_rate, audio.channels, room_size)[:length]
    peak = float(np.abs(samples).max(initial=0.0))
    if peak < 1e-4:
        return
    with written_aside(place) as stream:
        soundfile.write(stream, samples * (level / peak), audio.sample_rate, subtype="PCM_16", format="WAV")

"""Realisations in memory, and windows of them to train on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from a2m_edge.errors import DataError
from a2m_edge.output import written_aside
from a2m_edge.score import Note, ScoreLayout
from a2m_edge.sound.format import AudioFormat
from a2m_edge.sound.mel import SILENCE
from training.data.tables.stored_arrays import stored_arrays

BEGINNINGS = 1 / 16
"""Share of the windows of a batch that begin before a clip, where nothing sounds: a stream begins so, and silence
between two phrases is like it."""

CLOSEST = 64
"""Pairs at most that condition a clip."""

Clip = tuple[Tensor, Tensor, Tensor, Tensor]
"""fused (T, H), palette (T, P), score (T, F), mel (bands, T)."""


@dataclass(frozen=True)
class Realisation:
    """One clip in memory: mel float16 [bands, T], its notes, casting float32 [P], arousal, and its clip's name."""

    clip: str
    mel: NDArray[np.float16]
    notes: tuple[Note, ...]
    casting: NDArray[np.float32]
    arousal: float


class Realisations:
    """The realisations of one split, and windows of them.

    Args:
        folder: written by ``training.data.recordings.realisation``.
        split: ``"train"``, ``"val"`` or ``"test"``.
        fused: written by ``training.data.embeddings.conditions``, any number of rows for each clip. Without it the
            fused embedding is zero.
        fused_size: H.
        lent: whether a clip that it does not name takes others' rows that are felt as it sounds; else it has none.

    Raises:
        DataError: there is nothing to read.
    """

    def __init__(self, folder: Path, split: str, fused: Path | None, fused_size: int, lent: bool = True) -> None:
        self.files = sorted((folder / split).glob("*.npz"))
        self.items = [read_realisation(path) for path in self.files]
        if not self.items:
            raise DataError(f"There are no realisations in {folder / split}: run  a2m-edge data build")
        self.fused_size = fused_size
        self.pairs: list[NDArray[np.float32]] = [np.zeros((0, fused_size), np.float32)] * len(self.items)
        if fused is not None:
            with stored_arrays(fused, "run  a2m-edge data condition  again") as stored:
                clips, vectors, arousals = stored["clips"], stored["fused"], stored["feelings"][:, 1]
            rows = {str(clip): np.flatnonzero(clips == clip) for clip in np.unique(clips)}
            others = np.arange(len(clips) if lent else 0)
            for number, item in enumerate(self.items):
                own = rows.get(item.clip, others)
                self.pairs[number] = vectors[_nearest(own, arousals, item.arousal)]

    def take_evenly(self, most: int) -> None:
        """Keeps at most so many clips, from all places of their order alike."""
        kept = np.linspace(0, len(self.items) - 1, min(most, len(self.items))).round().astype(int)
        self.files, self.items, self.pairs = (
            [many[number] for number in kept] for many in (self.files, self.items, self.pairs)
        )

    def window(
        self, number: int, first: int, count: int, layout: ScoreLayout, audio: AudioFormat, choice: int
    ) -> tuple[NDArray[np.float32], ...]:
        """fused [T, H], palette [T, P], score [T, F] and mel [bands, T] of a window; ``choice`` picks the pairing.

        Before frame 0 it is silent.
        """
        item = self.items[number]
        pairs = self.pairs[number]
        vector = pairs[choice % len(pairs)] if len(pairs) else np.zeros(self.fused_size, np.float32)
        score = layout.frames(item.notes, first, count, audio.frame_rate)
        ones = np.ones((count, 1), np.float32)
        mel = item.mel[:, max(0, first) : first + count].astype(np.float32)
        before = ((0, 0), (max(0, -first), 0))
        return ones * vector, ones * item.casting, score, np.pad(mel, before, constant_values=SILENCE)

    def clips(self, layout: ScoreLayout, audio: AudioFormat) -> Iterator[Clip]:
        """Every clip whole, with the first of its pairs: see ``training.trainers.decoder_error``."""
        for number, item in enumerate(self.items):
            fused, palette, score, mel = self.window(number, 0, item.mel.shape[1], layout, audio, 0)
            yield torch.from_numpy(fused), torch.from_numpy(palette), torch.from_numpy(score), torch.from_numpy(mel)

    def batch(
        self, size: int, frames: int, layout: ScoreLayout, audio: AudioFormat, generator: np.random.Generator
    ) -> tuple[Tensor, ...]:
        """A batch of random windows: (B, T, H), (B, T, P), (B, T, F), (B, bands, T).

        ``BEGINNINGS`` of them hold a clip's first frame and up to ``frames`` - 1 of the silence before it.
        """
        windows = []
        for _ in range(size):
            number = int(generator.integers(len(self.items)))
            if generator.random() < BEGINNINGS:
                first = int(generator.integers(1 - frames, 1))
            else:
                first = int(generator.integers(self.items[number].mel.shape[1] - frames + 1))
            windows.append(self.window(number, first, frames, layout, audio, int(generator.integers(1 << 30))))
        return tuple(torch.from_numpy(np.stack(parts)) for parts in zip(*windows, strict=True))


def _nearest(rows: NDArray[np.int64], arousals: NDArray[np.float32], arousal: float) -> NDArray[np.int64]:
    """The third of some pairs, one at least and ``CLOSEST`` at most, that is felt most like a clip sounds, in order.

    How bright a clip sounds follows its arousal, which no note tells: only the fused embedding can.
    """
    order = np.argsort(np.abs(arousals[rows] - arousal), kind="stable")
    return rows[order[: min(CLOSEST, -(-len(rows) // 3))]]


def notes_of(rows: NDArray[np.floating]) -> tuple[Note, ...]:
    """Notes from their stored form [N, 5]: start, seconds, pitch, velocity, role."""
    return tuple(
        Note(float(start), float(seconds), int(pitch), float(velocity), int(role))
        for start, seconds, pitch, velocity, role in rows
    )


def write_realisation(
    place: Path,
    *,
    mel: NDArray[np.float32],
    notes: Iterable[Note],
    casting: NDArray[np.float32],
    feeling: tuple[float, float],
) -> None:
    """Writes one realisation, whole or not at all; raises ``OutputError`` where that cannot be done."""
    rows = [(note.start, note.seconds, note.pitch, note.velocity, note.role) for note in notes]
    with written_aside(place) as stream:
        np.savez(
            stream,
            mel=mel.astype(np.float16),
            notes=np.array(rows, np.float32).reshape(-1, 5),
            casting=casting,
            feeling=np.array(feeling, np.float32),
        )


def read_realisation(path: Path) -> Realisation:
    """Reads one realisation.

    Raises:
        DataError: the file is damaged.
    """
    with stored_arrays(path, "delete it and run  a2m-edge data build  again") as stored:
        clip = path.stem.rsplit("_", 1)[0]
        notes, arousal = notes_of(stored["notes"]), float(stored["feeling"][1])
        return Realisation(clip, stored["mel"], notes, stored["casting"], arousal)

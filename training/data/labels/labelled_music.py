"""Music whose feeling people labelled: EMOPIA and VGMIDI; and the notes of any MIDI file, archive or folder."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import mido
import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import DataError, first_line
from training.data.labels.music_features import FEATURES, music_features
from training.data.scores.midi import read_midi
from training.data.tables.feelings import read_table
from training.data.tables.stored_arrays import ARCHIVE_FAULTS

MIDI_SUFFIXES = (".mid", ".midi")
LARGEST_FILE = 16 << 20  # bytes; the largest score of the corpora has 0.2 MB
FEWEST_GROUPS = 10  # songs or series of a source: cross-validation has ten folds

_NO_MIDI = (
    ValueError,
    OSError,
    EOFError,
    LookupError,
    ArithmeticError,
    AttributeError,
    struct.error,
    mido.KeySignatureError,
)


@dataclass(frozen=True)
class LabelledMusic:
    """The labelled pieces of one source.

    Attributes:
        name: of the source.
        features: float64 [N, len(FEATURES)].
        feelings: valence and arousal in [-1, 1], float64 [N, 2].
        groups: the song or series of each piece: what must not be in both halves of a split, [N].
    """

    name: str
    features: NDArray[np.float64]
    feelings: NDArray[np.float64]
    groups: NDArray[np.str_]


def read_labelled_music(scores: Path) -> list[LabelledMusic]:
    """EMOPIA's clips, VGMIDI's phrases and VGMIDI's whole pieces.

    Args:
        scores: folder with ``emopia.zip``, ``emopia.csv``, ``vgmidi.zip`` and ``vgmidi.csv``.

    Raises:
        DataError: one of them is missing, damaged, or not in the form that is documented.
    """
    table = scores / "vgmidi.csv"
    video_games = read_table(table)
    kinds = _texts(video_games, "kind", table)
    phrases = [row for row, kind in zip(video_games, kinds, strict=True) if kind == "phrase"]
    pieces = [row for row, kind in zip(video_games, kinds, strict=True) if kind == "piece"]
    clips = read_table(scores / "emopia.csv")
    medians = ("piece_valence_median", "piece_arousal_median")
    return [
        _read("emopia", clips, scores / "emopia.csv", "song", ("valence", "arousal")),
        _read("vgmidi_phrases", phrases, table, "series", ("valence", "arousal")),
        _read("vgmidi_pieces", pieces, table, "series", medians),
    ]


def _read(name: str, rows: list[dict[str, str]], table: Path, group: str, feelings: tuple[str, str]) -> LabelledMusic:
    """Labels from the rows of a table, and features from the archive beside it."""
    if not rows:
        raise DataError(f"the table {table} has no rows for {name}: fetch it again")
    files, groups = _texts(rows, "file", table), _texts(rows, group, table)
    values = [_texts(rows, column, table) for column in feelings]
    try:
        labels = np.array(values, np.float64).T
    except ValueError as error:
        raise DataError(f"the table {table} has a feeling that is no number ({error}): fetch it again") from error
    if not (np.abs(labels) <= 1).all():
        raise DataError(f"the table {table} has a feeling outside -1 to 1: fetch it again")
    high = labels > 0
    if len(set(groups)) < FEWEST_GROUPS or (high.all(axis=0) | ~high.any(axis=0)).any():
        raise DataError(f"the table {table} is too short to learn from for {name}: fetch it again")
    notes = archive_notes(table.with_suffix(".zip"), files)
    features = np.array([piece_features(piece, file) for file, piece in notes]).reshape(-1, len(FEATURES))
    return LabelledMusic(name, features, labels, np.array(groups))


def _texts(rows: list[dict[str, str]], column: str, table: Path) -> list[str]:
    """One column of a table."""
    values = [row.get(column) for row in rows]
    texts = [value for value in values if value]
    if len(texts) < len(values):
        raise DataError(f"the table {table} lacks the column {column}, or a row has nothing there: fetch it again")
    return texts


def piece_features(notes: NDArray[np.floating], name: str) -> NDArray[np.float64]:
    """``music_features`` of a piece that a user named; DataError where it has none."""
    try:
        return music_features(notes)
    except ValueError as error:
        raise DataError(f"{name} cannot be labelled ({error}): take it out") from error


def midi_notes(content: bytes, name: str) -> NDArray[np.float64]:
    """The pitched notes of a MIDI file, [N, 4]: start and length in seconds, pitch, velocity in (0, 1].

    Raises:
        DataError: the bytes are no MIDI file.
    """
    try:
        return read_midi(content, percussion=False).notes()
    except _NO_MIDI as error:
        raise DataError(f"{name} is no readable MIDI file ({first_line(error)}): take it out") from error


def archive_notes(archive: Path, files: Iterable[str] | None = None) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Names and notes of an archive's MIDI files: those given, else all, by name.

    Raises:
        DataError: the archive is missing or damaged, or lacks a file.
    """
    try:
        with ZipFile(archive) as members:
            for name in _midi_files(members.namelist()) if files is None else files:
                if members.getinfo(name).file_size > LARGEST_FILE:
                    raise DataError(f"{name} in {archive} is larger than {LARGEST_FILE >> 20} MB: take it out")
                yield name, midi_notes(members.read(name), f"{name} in {archive}")
    except ARCHIVE_FAULTS as error:
        raise DataError(f"the archive {archive} cannot be read ({first_line(error)}): fetch it again") from error


def folder_notes(folder: Path) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Names below a folder, in depth, and notes of its MIDI files, by name.

    Raises:
        DataError: a file cannot be read.
    """
    for name in _midi_files(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()):
        path = folder / name
        try:
            if path.stat().st_size > LARGEST_FILE:
                raise DataError(f"{path} is larger than {LARGEST_FILE >> 20} MB: take it out")
            content = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}") from error
        yield name, midi_notes(content, str(path))


def _midi_files(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.lower().endswith(MIDI_SUFFIXES))

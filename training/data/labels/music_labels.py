"""Labelling corpora of music by what their notes say: archives and folders of MIDI files, and realisations."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import DataError, encodable
from a2m_edge.output import make_folder, written_aside
from training.data.labels.labelled_music import archive_notes, folder_notes, piece_features
from training.data.labels.music_features import FEATURES
from training.data.labels.music_feeling import MusicLabeller
from training.data.recordings.arrangement_recipes import arranged_files
from training.data.tables.stored_arrays import stored_arrays

COLUMNS = ("file", "valence", "arousal", "corpus")
"""Of ``music-feelings.csv``."""

_REBUILD = "delete it and run  a2m-edge data build  again"


@dataclass(frozen=True)
class CorpusFeelings:
    """What the labeller says of the pieces of one corpus.

    Attributes:
        corpus: its name.
        files: name of each piece in it, with / between folders.
        valence, arousal: in [-1, 1], float64 [N]; the arousal is a rank within the corpus.
        meant: valence and arousal that the pieces were composed for, float64 [N, 2]; None where nobody knows.
    """

    corpus: str
    files: tuple[str, ...]
    valence: NDArray[np.float64]
    arousal: NDArray[np.float64]
    meant: NDArray[np.float64] | None = None

    def agreement(self) -> tuple[float, float] | None:
        """Spearman correlation of valence and of arousal with what was meant.

        None where that is unknown, or where there are fewer than three pieces or a column that does not vary.
        """
        from scipy.stats import spearmanr

        if self.meant is None or len(self.files) < 3:
            return None
        pairs = ((self.valence, self.meant[:, 0]), (self.arousal, self.meant[:, 1]))
        if any(np.ptp(values) == 0 for pair in pairs for values in pair):
            return None
        valence, arousal = (float(spearmanr(said, meant).statistic) for said, meant in pairs)
        return valence, arousal


def label_corpus(place: Path, labeller: MusicLabeller) -> CorpusFeelings:
    """Labels a corpus: a zip archive of MIDI files, a folder of them, or a folder of realisations.

    Raises:
        DataError: it is none of these, or a piece in it is damaged or has no notes.
    """
    if place.is_dir():
        if realisation_files(place):
            return label_realisations(place, labeller)
        pieces = folder_notes(place)
    elif place.suffix.lower() == ".zip":
        pieces = archive_notes(place)
    else:
        raise DataError(f"{place} is no folder and no .zip archive: name one with music in it")
    files, features = [], []
    for name, notes in pieces:
        files.append(name)
        features.append(piece_features(notes, f"{name} in {place}"))
    if not files:
        raise DataError(f"there is no MIDI file and no realisation in {place}: name a folder or archive with some")
    return _labelled(corpus_name(place), files, features, labeller)


def label_realisations(folder: Path, labeller: MusicLabeller) -> CorpusFeelings:
    """Labels the realisations of  a2m-edge data build , all splits as one corpus, beside what they were meant to be.

    Those without notes are left out.

    Args:
        folder: that ``data build`` wrote, or its ``realisations``.
        labeller: fitted or read.

    Raises:
        DataError: there are none, or one is damaged.
    """
    paths = realisation_files(folder)
    if not paths:
        raise DataError(f"there are no realisations in {folder}: run  a2m-edge data build")
    files, features, meant = [], [], []
    for path in paths:
        with stored_arrays(path, _REBUILD) as stored:
            notes, feeling = np.asarray(stored["notes"], np.float64), np.asarray(stored["feeling"], np.float64)
            if feeling.shape != (2,) or not np.isfinite(feeling).all():
                raise ValueError("its feeling is not two numbers")
        if not len(notes):
            continue  # a very short one may end before its first beat
        files.append(path.relative_to(folder).as_posix())
        features.append(piece_features(notes, str(path)))
        meant.append(feeling)
    return _labelled(corpus_name(folder), files, features, labeller, np.array(meant))


def realisation_files(folder: Path) -> list[Path]:
    """The realisations in a folder that ``data build`` wrote, or in its ``realisations``, by name.

    Arrangements of scores are left out: what they are said to express was read from their notes, not meant by them.

    Raises:
        DataError: the table of arrangements is damaged.
    """
    inner = folder / "realisations"
    place = inner if inner.is_dir() else folder
    arranged = {place / file for file in arranged_files(place)}
    return sorted(set(place.rglob("*.npz")) - arranged)


def corpus_name(place: Path) -> str:
    """Name of a corpus: that of its folder, or of its archive without the suffix."""
    place = place.absolute()
    return place.name if place.is_dir() else place.stem


def label_data(out: Path, scores: Path) -> dict[str, float]:
    """Labels the realisations of a data folder that the caller holds; a labeller that is there is not fitted again.

    Args:
        out: folder of  a2m-edge data build.
        scores: folder of the labelled MIDI, for ``MusicLabeller.fit``.

    Returns:
        how well the labeller does, and how far its labels agree with what the realisations were meant to be, by name.

    Raises:
        DataError: the labelled MIDI, the labeller or a realisation is missing or damaged.
        OutputError: a file cannot be written.
    """
    kept = out / "labeller.json"
    labeller = MusicLabeller.read(kept) if kept.exists() else MusicLabeller.fit(scores)
    corpus = label_realisations(out, labeller)
    write_labels([corpus], labeller, out)
    figures = {f"{part}: {name}": value for part, named in labeller.figures.items() for name, value in named.items()}
    if (agreement := corpus.agreement()) is not None:
        figures |= {"realisations: valence_spearman": agreement[0], "realisations: arousal_spearman": agreement[1]}
    return figures


def write_labels(corpora: Sequence[CorpusFeelings], labeller: MusicLabeller, out: Path) -> None:
    """Writes ``music-feelings.csv`` with ``COLUMNS`` and ``labeller.json`` to a folder: both, or none.

    Raises:
        OutputError: that cannot be done.
    """
    document = json.dumps(labeller.document(), indent=1) + "\n"
    make_folder(out)
    with written_aside(out / "music-feelings.csv") as table, written_aside(out / "labeller.json") as stream:
        stream.write(document.encode())
        writer = csv.writer(codecs.getwriter("utf-8")(table))
        writer.writerow(COLUMNS)
        for corpus in corpora:
            for file, valence, arousal in zip(corpus.files, corpus.valence, corpus.arousal, strict=True):
                writer.writerow((encodable(file), f"{valence:.4f}", f"{arousal:.4f}", encodable(corpus.corpus)))


def _labelled(
    name: str,
    files: Sequence[str],
    features: Sequence[NDArray[np.float64]],
    labeller: MusicLabeller,
    meant: NDArray[np.float64] | None = None,
) -> CorpusFeelings:
    table = np.array(features).reshape(-1, len(FEATURES))
    return CorpusFeelings(name, tuple(files), labeller.valence(table), labeller.arousal(table), meant)

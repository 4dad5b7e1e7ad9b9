"""Utterances and pictures with the emotion that somebody felt, from a table in the form of ArtEmis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import DataError
from training.data.tables.feelings import PictureArchive, read_paintings, read_table

UTTERANCES, PICTURES = 1000, 100
"""How many of a table are taken at most."""


@dataclass(frozen=True)
class LabelledUtterance:
    """One row of a table.

    Attributes:
        text: the utterance.
        emotion: its word.
        picture: file of the picture it is about; empty where there is none.
    """

    text: str
    emotion: str
    picture: str


def read_labelled_utterances(path: Path, emotions: Sequence[str]) -> list[LabelledUtterance]:
    """The rows of a table in a random order that is the same in every run.

    Args:
        path: a CSV file with the columns ``utterance`` and ``emotion``; where it has a column ``split`` too, its
            rows marked ``test`` are taken alone, and ``image_file`` names pictures of ``paintings.zip`` beside it.
        emotions: the words that may be felt.

    Raises:
        DataError: the file cannot be read, lacks a column, holds no row, or names another emotion.
    """
    rows = read_table(path)
    for column in ("utterance", "emotion"):
        if rows and column not in rows[0]:
            raise DataError(f"{path} has no column {column}: name a table of utterances and their emotions")
    if rows and "split" in rows[0]:
        rows = [row for row in rows if row["split"] == "test"]
    if not rows:
        raise DataError(f"{path} holds no utterance (of the split test, if it has splits): name another table")
    for row in rows:
        if row["emotion"] not in emotions:
            raise DataError(
                f"{path} names the emotion {row['emotion']!r}, which the fusion does not tell: it tells "
                f"{', '.join(emotions)}"
            )
    order = np.random.default_rng(0).permutation(len(rows))
    felt = (rows[index] for index in order)
    return [LabelledUtterance(row["utterance"] or "", row["emotion"], row.get("image_file") or "") for row in felt]


def read_pictures(path: Path, felt: Sequence[LabelledUtterance]) -> dict[str, NDArray[np.uint8]]:
    """The first ``PICTURES`` pictures that rows name, uint8 [H, W, 3], by their files; none without an archive.

    Raises:
        DataError: the archive or its list cannot be read.
    """
    archive = path.parent / "paintings.zip"
    if not archive.is_file():
        return {}
    wanted = list(dict.fromkeys(row.picture for row in felt if row.picture))[:PICTURES]
    paintings = {painting.file: painting for painting in read_paintings(path.parent)}
    pictures = PictureArchive(archive, 0)
    return {file: np.asarray(pictures.whole(paintings[file]), np.uint8) for file in wanted if file in paintings}

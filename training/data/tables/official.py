"""ArtEmis as its authors publish it, and as mirrors do, read row by row: 450,000 utterances are never held at once.

The official table (``artemis_dataset_release_v0.csv``; Achlioptas et al., CVPR 2021, arXiv 2101.07396) has no split
and names no file: paintings are split here, and pictures come from WikiArt's folders.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from a2m_edge.errors import DataError
from a2m_edge.impression.feeling import EMOTIONS
from training.data.tables.captions import split_of
from training.data.tables.feelings import SPLITS, Utterance
from training.data.tables.wikiart import PictureFolder

NEEDED = ("art_style", "painting", "emotion", "utterance")
LONGEST = 2000
"""Characters of an utterance. The longest that is known has 991; a quotation mark left open makes longer ones."""

_YEAR_AND_COPY = re.compile(r"(-\d{4}(-\d{1,2})?)?(\(\d+\))?$")

_LONGEST_FIELD = 1 << 17
"""Characters; a quotation mark that is never closed would swallow the whole table."""


@dataclass(frozen=True)
class Unusable:
    """Stands for a row that is dropped, and why, in a few words."""

    reason: str


def painting_identity(painting: str) -> str:
    """What identifies a painting, whatever folder it lies in: artist and title, without year and number of a copy.

    Args:
        painting: ``artist_title-year``, with or without ``style/`` before it.
    """
    return _YEAR_AND_COPY.sub("", painting.rpartition("/")[2])


class UtteranceTable:
    """A table of ArtEmis that can be read as often as wanted.

    Two forms are told apart by their header: the official one (art_style, painting, emotion, utterance, repetition),
    and that of a mirror which also has ``split`` and ``image_file``. The official one is split 80/10/10 by SHA-1 of
    ``painting_identity``.

    Args:
        path: of the csv file (RFC 4180, UTF-8 with or without a byte-order mark).
        pictures: where the pictures lie; without it, ``image_file`` names them, and the official form has none.

    Raises:
        DataError: it cannot be read, is empty, or lacks a column.
    """

    def __init__(self, path: Path, pictures: PictureFolder | None = None) -> None:
        self.path, self._pictures = path, pictures
        header = next(self._records(), None)
        if header is None:
            raise DataError(f"the table {path} is empty: fetch ArtEmis again")
        self._header = [name.strip() for name in header]
        missing = [name for name in NEEDED if name not in self._header]
        if missing:
            raise DataError(f"the table {path} is not ArtEmis: it has no column {', '.join(missing)}")
        self.has_splits = "split" in self._header

    def __iter__(self) -> Iterator[Utterance | Unusable]:
        """Each row below the header.

        Raises:
            DataError: the file cannot be read to its end.
        """
        records = self._records()
        next(records, None)
        for record in records:
            if record:  # an empty line is no row
                yield self._utterance(record)

    def _utterance(self, record: list[str]) -> Utterance | Unusable:
        if len(record) != len(self._header):
            return Unusable("more or fewer columns than the header")
        row = dict(zip(self._header, record, strict=True))
        style, painting, text = row["art_style"], row["painting"], row["utterance"]
        if not (style and painting):
            return Unusable("no style or no painting")
        if row["emotion"] not in EMOTIONS:
            return Unusable("unknown emotion")
        if not any(character.isalnum() for character in text):
            return Unusable("no words")
        if len(text) > LONGEST:
            return Unusable(f"more than {LONGEST:,} characters")
        split = row["split"] if self.has_splits else split_of(painting_identity(painting))
        if split not in SPLITS:
            return Unusable("unknown split")
        picture = self._pictures.find(style, painting) if self._pictures else row.get("image_file", "")
        return Utterance(f"{style}/{painting}", text, EMOTIONS.index(row["emotion"]), picture, split)

    def _records(self) -> Iterator[list[str]]:
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                csv.field_size_limit(_LONGEST_FIELD)  # of this process: others may have set their own
                yield from csv.reader(file)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"the table {self.path} cannot be read: {error}") from error

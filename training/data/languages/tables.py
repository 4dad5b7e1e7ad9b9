"""Readers of texts in many languages: translations and texts with emotions as ``shared/data/languages`` keeps them, and
visitors' comments as ``comments/`` here does."""

from __future__ import annotations

import csv
import hashlib
import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from a2m_edge.errors import DataError
from a2m_edge.impression.feeling import EMOTIONS
from training.data.tables.feelings import read_table

COMMENTS = Path(__file__).parent / "comments"
"""Comments as visitors write them, with what is felt in them: a table of each language, written for this project."""

CONNECTIVE = "connective"
"""The kind of a row that holds no comment, but how two are joined: ``"{a}, but {b}"``."""

NEUTRAL = "neutral"
"""The kind of a comment without feeling."""

_PLUTCHIK = ("anger", "anticipation", "disgust", "fear", "joy", "sadness", "surprise", "trust")
_SIX = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
_GOEMOTIONS = (
    *("admiration", "amusement", "anger", "annoyance", "approval", "caring", "confusion", "curiosity", "desire"),
    *("disappointment", "disapproval", "disgust", "embarrassment", "excitement", "fear", "gratitude", "grief", "joy"),
    *("love", "nervousness", "optimism", "pride", "realization", "relief", "remorse", "sadness", "surprise", "neutral"),
)

SCHEMES: dict[str, tuple[str, ...]] = {
    "xed": _PLUTCHIK,
    "brighter": _SIX,
    "emoevent": _SIX,
    "goemotions": _GOEMOTIONS,
    "clue": ("anger", "disgust", "fear", "joy", "love", "sadness", "surprise"),
}
"""The labels of each source, by the first word of its name: what a text does not carry of them it does not have, and of
others nothing is known."""

LABELS: tuple[str, ...] = tuple(sorted({label for scheme in SCHEMES.values() for label in scheme}))
"""All labels, in the order of their numbers."""

_HELD = 40  # one of so many is for validation, and one for the test


@dataclass(frozen=True)
class Translation:
    """A sentence in English and in another language (ISO 639-1)."""

    language: str
    english: str
    text: str
    split: str


@dataclass(frozen=True)
class EmotionText:
    """A text with emotions.

    Attributes:
        labels: numbers in ``LABELS``.
        scheme: name in ``SCHEMES``.
    """

    language: str
    text: str
    labels: tuple[int, ...]
    scheme: str
    split: str


@dataclass(frozen=True)
class Comment:
    """What a visitor might write, or how two comments are joined.

    Attributes:
        language: BCP 47 tag, the name of the table.
        kind: such as ``"negation"``.
        valence, arousal: in [-1, 1].
        emotion: index into ``EMOTIONS``.
    """

    language: str
    kind: str
    text: str
    valence: float
    arousal: float
    emotion: int


def read_translations(data: Path) -> list[Translation]:
    """The pairs of ``languages/parallel.tsv.xz``; all pairs of one English sentence are in one split.

    Raises:
        DataError: the table is missing or damaged.
    """
    return [
        Translation(row["language"], row["english"], row["text"], _split(row["english"]))
        for row in _rows(data / "languages" / "parallel.tsv.xz", ("language", "english", "text"))
    ]


def read_emotion_texts(data: Path) -> list[EmotionText]:
    """The texts of ``languages/emotions.tsv.xz``, in the splits of their sources where these have any.

    Raises:
        DataError: the table is missing or damaged, or names a source or label that ``SCHEMES`` does not.
    """
    table = data / "languages" / "emotions.tsv.xz"
    number = {label: place for place, label in enumerate(LABELS)}
    texts = []
    for row in _rows(table, ("language", "text", "emotions", "source")):
        source = row["source"].partition("_")[0]
        part = row["source"].rpartition("_")[2]
        labels = row["emotions"].split()
        if source not in SCHEMES or not number.keys() >= set(labels):
            raise DataError(f"the table {table} has the unknown source or label {row['source']!r}: {labels}")
        split = {"train": "train", "dev": "val", "test": "test"}.get(part, "")
        # The texts of some sources are translations of what is in the training part of others.
        split = split if source in ("brighter", "emoevent") else _split(row["text"])
        texts.append(EmotionText(row["language"], row["text"], tuple(number[each] for each in labels), source, split))
    return texts


def read_comments(folder: Path = COMMENTS) -> list[Comment]:
    """The comments of all tables of a folder.

    Raises:
        DataError: there is none, or one is damaged.
    """
    comments = []
    for table in sorted(folder.glob("*.csv")):
        try:
            comments += [
                Comment(
                    table.stem,
                    row["kind"],
                    row["comment"],
                    float(row["valence"]),
                    float(row["arousal"]),
                    EMOTIONS.index(row["emotion"]),
                )
                for row in read_table(table)
            ]
        except (KeyError, ValueError) as error:
            raise DataError(f"{table} is no table of comments ({error}): fetch it again") from error
    if not comments:
        raise DataError(f"there are no comments in {folder}: fetch the repository again")
    return comments


def _rows(table: Path, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    try:
        with lzma.open(table, "rt", encoding="utf-8", newline="") as stream:
            rows = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
            if not set(columns) <= set(rows.fieldnames or ()):
                raise ValueError(f"it lacks a column of {', '.join(columns)}")
            yield from rows
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError, ValueError) as error:
        raise DataError(f"the table {table} cannot be read ({error}): fetch it again") from error


def _split(text: str) -> str:
    place = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % _HELD
    return {0: "val", 1: "test"}.get(place, "train")

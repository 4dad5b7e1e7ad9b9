"""What paintings show, by what people call them: labels of subjects, styles and periods."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import DataError
from training.data.labels.subject_words import SUBJECT_WORDS, expression, plain
from training.data.tables.feelings import Picture, read_paintings, read_table, read_utterances

SUBJECTS = tuple(SUBJECT_WORDS)

PERIODS: dict[str, tuple[int, int]] = {
    "17th century": (1600, 1699),
    "18th century": (1700, 1799),
    "early 19th century": (1800, 1849),
    "late 19th century": (1850, 1899),
    "20th century": (1900, 1999),
}
"""First and last year of each period. A century with few paintings is one period, one with many is halved."""

AGREEING = 2
"""Utterances that must name a subject for the painting to show it."""

SILENT = 5
"""Utterances of which none names a subject, from which on the painting does not show it."""

UNKNOWN, ABSENT, UNNAMED, NAMED = -1, 0, 1, 2
"""What is known of a subject: nothing; several people saw none of it; the title does not name it, which says little;
the title, or several people, name it."""

_NAMELESS = re.compile(r"\b(not detected|untitled|unknown|title|unidentified)\b")
"""Titles that say nothing of what is shown."""


@dataclass(frozen=True)
class PictureLabels:
    """What is known of paintings.

    Attributes:
        pictures: their pictures.
        subjects: ``NAMED``, ``UNNAMED``, ``ABSENT`` or ``UNKNOWN`` for each of ``SUBJECTS``, int8 [n, subjects].
        spoken: whether ``SILENT`` people or more spoke of each, bool [n].
        styles: names of the styles, sorted.
        style: an index into ``styles`` or -1, int64 [n].
        period: an index into ``PERIODS`` or -1, int64 [n].
    """

    pictures: tuple[Picture, ...]
    subjects: NDArray[np.int8]
    spoken: NDArray[np.bool_]
    styles: tuple[str, ...]
    style: NDArray[np.int64]
    period: NDArray[np.int64]

    def of(self, split: str) -> NDArray[np.int64]:
        """Rows of the paintings of a split."""
        return np.array([row for row, picture in enumerate(self.pictures) if picture.split == split], np.int64)


def read_picture_labels(data: Path) -> PictureLabels:
    """The labels of all paintings, in the order of their table.

    A painting shows a subject where its title names it, or ``AGREEING`` of its utterances do. It does not where its
    title is silent and so are ``SILENT`` utterances or more. Where one utterance alone names it, it is unknown; where
    there is a title without it and nothing else is known, the subject is unnamed: mostly absent.

    Raises:
        DataError: a table is missing or not what it should be.
    """
    pictures = read_paintings(data)
    said: dict[str, list[str]] = defaultdict(list)
    for utterance in read_utterances(data):
        if utterance.picture:
            said[utterance.picture].append(plain(utterance.text))
    try:
        rows = [(row["title"], row["style"], row["year"]) for row in read_table(data / "paintings.csv")]
    except KeyError as error:
        raise DataError(f"{data / 'paintings.csv'} has no column {error}: fetch the table again") from error
    titles = [_title(title) for title, _, _ in rows]
    spoken = [said.get(picture.file, []) for picture in pictures]
    styles = tuple(sorted({_named_style(style) for _, style, _ in rows if style}))
    return PictureLabels(
        tuple(pictures),
        np.stack([_known(subject, titles, spoken) for subject in SUBJECTS], 1),
        np.array([len(texts) >= SILENT for texts in spoken]),
        styles,
        np.array([styles.index(_named_style(style)) if style else -1 for _, style, _ in rows], np.int64),
        np.array([_period(year) for _, _, year in rows], np.int64),
    )


def _known(subject: str, titles: Sequence[str], spoken: Sequence[Sequence[str]]) -> NDArray[np.int8]:
    words = SUBJECT_WORDS[subject]
    titled, saying = expression(f"{words.said} {words.titled}"), expression(words.said)
    found = np.full(len(titles), UNKNOWN, np.int8)
    for row, (title, texts) in enumerate(zip(titles, spoken, strict=True)):
        naming = sum(saying.search(text) is not None for text in texts)
        if (title and titled.search(title)) or naming >= AGREEING:
            found[row] = NAMED
        elif naming:
            continue
        elif len(texts) >= SILENT:
            found[row] = ABSENT
        elif title:
            found[row] = UNNAMED
    return found


def _title(slug: str) -> str:
    """A title in plain words; empty where it says nothing of what is shown."""
    title = plain(slug)
    return "" if _NAMELESS.search(title) else title.strip()


def _named_style(style: str) -> str:
    return style.replace("_", " ")


def _period(year: str) -> int:
    if not year.isdigit():
        return -1
    return next((row for row, (first, last) in enumerate(PERIODS.values()) if first <= int(year) <= last), -1)

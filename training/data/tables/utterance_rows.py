"""Utterances of a table as arrays and as blocks of texts, read as often as wanted and never held at once."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import DataError
from training.data.tables.feelings import (
    SPLITS,
    Utterance,
    WordNorms,
    standardised,
    utterance_arousal,
    utterance_valence,
)
from training.data.tables.official import Unusable, UtteranceTable, painting_identity

BLOCK = 2048
"""Texts of a block."""


@dataclass(frozen=True)
class UtteranceRows:
    """What is known of each usable utterance but its text, in the order of the table.

    Attributes:
        emotion: int8 [n], index into ``EMOTIONS``.
        split: int8 [n], index into ``SPLITS``.
        painting: int32 [n], a number for each ``painting_identity``.
        feeling: float32 [n, 2], valence and arousal in [-1, 1].
    """

    emotion: NDArray[np.int8]
    split: NDArray[np.int8]
    painting: NDArray[np.int32]
    feeling: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.emotion)


_PICTURELESS = "the painting has no picture"


class UsableUtterances:
    """The utterances of a table that can be matched, in its order.

    Attributes:
        dropped: how many rows of the last reading were dropped, by reason.

    Args:
        table: to read.
        pictured_only: drop utterances whose painting has no picture.
    """

    def __init__(self, table: UtteranceTable, pictured_only: bool = False) -> None:
        self.table, self._pictured_only = table, pictured_only
        self.dropped: Counter[str] = Counter()
        self._count: int | None = None

    def __iter__(self) -> Iterator[Utterance]:
        """Reads the table.

        Raises:
            DataError: it cannot be read to its end, or has another number of rows than before.
        """
        self.dropped.clear()
        found = 0
        for one in self.table:
            if isinstance(one, Unusable):
                self.dropped[one.reason] += 1
            elif self._pictured_only and not one.picture:
                self.dropped[_PICTURELESS] += 1
            else:
                found += 1
                if self._count is not None and found > self._count:
                    break
                yield one
        if self._count is not None and found != self._count:
            raise DataError(f"{self.table.path} was changed while it was read: run the same command again")
        self._count = found

    def scan(self, valence: WordNorms, arousal: WordNorms) -> UtteranceRows:
        """Reads the table once and keeps all but the texts.

        Raises:
            DataError: it cannot be read, nothing of a split is usable, or a painting is in two splits.
        """
        emotions, splits, paintings = array("b"), array("b"), array("i")
        valences, arousals = array("d"), array("d")
        numbers: dict[str, int] = {}
        homes = array("b")
        for one in self:
            split = SPLITS.index(one.split)
            identity = painting_identity(one.painting)
            number = numbers.setdefault(identity, len(numbers))
            if number == len(homes):
                homes.append(split)
            elif homes[number] != split:
                raise DataError(
                    f"{self.table.path} has the painting {identity} in two splits, {SPLITS[homes[number]]} and "
                    f"{one.split}: mend its column split, or take it out"
                )
            emotions.append(one.emotion)
            splits.append(split)
            paintings.append(number)
            valences.append(valence.mean(one.text))
            arousals.append(arousal.mean(one.text))
        self._require_every_split(splits)
        emotion = np.array(emotions, np.int8)
        feeling = np.stack(
            [
                utterance_valence(emotion.astype(np.int64), standardised(np.array(valences))),
                utterance_arousal(emotion.astype(np.int64), standardised(np.array(arousals))),
            ],
            axis=1,
        )
        return UtteranceRows(emotion, np.array(splits, np.int8), np.array(paintings, np.int32), feeling)

    def _require_every_split(self, splits: array[int]) -> None:
        for number, split in enumerate(SPLITS):
            if number in splits:
                continue
            of = f" of the split {split}" if splits else ""
            dropped = ", ".join(f"{reason}: {count:,}" for reason, count in self.dropped.most_common(3))
            way_out = (
                "leave --pictured-only out, or name the pictures with --wikiart"
                if self.dropped[_PICTURELESS]
                else "every split needs one; give a whole ArtEmis"
            )
            why = dropped or ("no row is" if splits else "it has no rows")
            raise DataError(f"{self.table.path} holds no usable utterance{of} ({why}): {way_out}")

    def text_blocks(self) -> Iterator[tuple[str, ...]]:
        """The texts in blocks of one split each, a block when it is full and the rest at the end; see ``blocks_of``."""
        waiting: dict[str, list[str]] = {split: [] for split in SPLITS}
        for one in self:
            texts = waiting[one.split]
            texts.append(one.text)
            if len(texts) == BLOCK:
                yield tuple(texts)
                texts.clear()
        yield from (tuple(texts) for texts in waiting.values() if texts)


def blocks_of(split: NDArray[np.int8]) -> list[tuple[int, int, int]]:
    """The blocks that ``text_blocks`` gives, in its order.

    Returns:
        the split of each, the place of its first utterance among those of the split, and how many it has.
    """
    found = []
    for number in range(len(SPLITS)):
        rows = np.flatnonzero(split == number)
        for first in range(0, len(rows), BLOCK):
            size = min(BLOCK, len(rows) - first)
            ends = int(rows[first + size - 1]) if size == BLOCK else len(split) + number
            found.append((ends, number, first, size))
    return [(number, first, size) for _, number, first, size in sorted(found)]

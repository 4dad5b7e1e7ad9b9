"""Pairs utterances with captions, split by split, from their embeddings in blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import DataError
from training.data.pairs.matching import FEELING_WEIGHT, Candidates, assign
from training.data.pairs.statistics import BINS, pair_statistics, similarity_counts
from training.data.tables.caption_palette import caption_feeling
from training.data.tables.captions import Caption
from training.data.tables.feelings import SPLITS
from training.data.tables.utterance_rows import UtteranceRows, blocks_of


class Pairing:
    """A caption for each utterance.

    Args:
        rows: the utterances, some of every split.
        captions: each clip once.
        most: utterances that one caption may serve.
        least_similarity: cosine of the embeddings below which two texts are no pair; None for any.
        seed: of the random pairs that the matched ones are measured against.

    Raises:
        DataError: a split has no captions.

    Attributes:
        caption: of each utterance, int32 [n]; -1 where it has none.
        similarity: cosine of each pair, float32 [n].
        dropped: utterances without a caption, by reason.
    """

    def __init__(
        self, rows: UtteranceRows, captions: Sequence[Caption], most: int, least_similarity: float | None, seed: int
    ) -> None:
        self._rows, self._captions = rows, captions
        self._most, self._least = most, least_similarity
        self._clips = [
            np.array([row for row, one in enumerate(captions) if one.split == split], np.int64) for split in SPLITS
        ]
        for clips, split in zip(self._clips, SPLITS, strict=True):
            if not len(clips):
                raise DataError(f"no caption with words is of the split {split}, and every split needs one: give more")
        self._feelings = np.array([caption_feeling(one.aspects, one.text) for one in captions], np.float32)
        generator = np.random.default_rng(seed)
        self._random = np.empty(len(rows), np.int32)
        for number, clips in enumerate(self._clips):
            here = rows.split == number
            self._random[here] = generator.choice(clips, here.sum())
        self._random_counts = np.zeros(BINS, np.int64)
        self.caption = np.full(len(rows), -1, np.int32)
        self.similarity = np.zeros(len(rows), np.float32)
        self.dropped: Counter[str] = Counter()

    def run(self, captions: NDArray[np.float32], blocks: Iterator[NDArray[np.float32]]) -> None:
        """Matches.

        Args:
            captions: their embeddings, float32 [captions, D].
            blocks: the embeddings of each block of ``blocks_of``, float32 [N, D].

        Raises:
            DataError: nothing of a split can be matched.
        """
        rows_of = [np.flatnonzero(self._rows.split == number) for number in range(len(SPLITS))]
        found = [Candidates.empty(len(rows), len(clips)) for rows, clips in zip(rows_of, self._clips, strict=True)]
        embeddings_of = [captions[clips] for clips in self._clips]
        for (split, first, size), embeddings in zip(blocks_of(self._rows.split), blocks, strict=True):
            rows, clips = rows_of[split][first : first + size], self._clips[split]
            feelings = self._rows.feeling[rows]
            found[split].fill(first, embeddings, feelings, embeddings_of[split], self._feelings[clips], self._least)
            random = np.einsum("nd,nd->n", embeddings, captions[self._random[rows]])
            self._random_counts += similarity_counts(random)
        while found:  # each split's candidates are let go when they are assigned
            self._assign(rows_of.pop(), self._clips[len(found) - 1], found.pop())
        for number, name in enumerate(SPLITS):
            if (self.caption[self._rows.split == number] < 0).all():
                raise DataError(f"no utterance of the split {name} found a caption: choose a lower --least-similarity")

    def _assign(self, rows: NDArray[np.int64], clips: NDArray[np.int64], candidates: Candidates) -> None:
        place = assign(candidates, len(clips), self._most)
        paired = np.flatnonzero(place >= 0)
        chosen = clips[candidates.captions[paired, place[paired]]]
        self.caption[rows[paired]] = chosen
        apart = np.linalg.norm(self._rows.feeling[rows[paired]] - self._feelings[chosen], axis=1)
        self.similarity[rows[paired]] = candidates.merit[paired, place[paired]] + FEELING_WEIGHT * apart
        asked_none = int((candidates.merit[:, 0] == -np.inf).sum())
        for reason, number in (
            (f"less similar than {self._least} to every caption", asked_none),
            ("every caption it asked serves better matches", len(rows) - len(paired) - asked_none),
        ):
            if number:
                self.dropped[reason] += number

    def statistics(self) -> dict[str, Any]:
        """See ``pair_statistics``."""
        return pair_statistics(
            self._rows,
            self._captions,
            self._feelings,
            self.caption,
            self.similarity,
            self._random,
            self._random_counts,
        )

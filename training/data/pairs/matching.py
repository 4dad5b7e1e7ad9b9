"""Which caption of music serves which utterance: the best matches for all, whatever order they come in.

The merit of a pair is the cosine of the two sentence embeddings less a quarter of the distance between their feelings
(valence and arousal). A caption serves a limited number of utterances. Pairs are made best first over all utterances of
a split together: no utterance and caption stay apart that would both gain from each other. Blocks bound the memory, and
change nothing: neither the order of the table nor the size of a block decides who is served, save among equals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEELING_WEIGHT = 0.25
CANDIDATES = 32
"""Captions that an utterance asks, best first, before it is dropped."""

_ROWS = 512
"""Utterances whose similarity to every caption is held at once: with 4,400 captions 9 MB for each table."""


@dataclass(frozen=True)
class Candidates:
    """The best captions of utterances, best first.

    Attributes:
        captions: unsigned integers [utterances, places], rows of the captions.
        merit: float32 [utterances, places]; minus infinity where there is no further caption.
    """

    captions: NDArray[np.unsignedinteger]
    merit: NDArray[np.float32]

    @classmethod
    def empty(cls, utterances: int, captions: int) -> Candidates:
        """For so many utterances, none of which ``fill`` was called for yet."""
        places = min(CANDIDATES, captions)
        kind = np.min_scalar_type(max(captions - 1, 0))
        return cls(np.zeros((utterances, places), kind), np.full((utterances, places), -np.inf, np.float32))

    def fill(
        self,
        first: int,
        embeddings: NDArray[np.float32],
        feelings: NDArray[np.float32],
        caption_embeddings: NDArray[np.float32],
        caption_feelings: NDArray[np.float32],
        least: float | None = None,
    ) -> None:
        """Finds the candidates of some utterances.

        Args:
            first: row of the first of them.
            embeddings, caption_embeddings: float32 [N, D] and [captions, D], each of length 1.
            feelings, caption_feelings: valence and arousal, float32 [N, 2] and [captions, 2].
            least: cosine below which a caption is no candidate.
        """
        places = self.captions.shape[1]
        for begin in range(0, len(embeddings), _ROWS):
            some = slice(begin, begin + _ROWS)
            similarity = embeddings[some] @ caption_embeddings.T
            merit = similarity - np.float32(FEELING_WEIGHT) * distances(feelings[some], caption_feelings)
            if least is not None:
                merit[similarity < least] = -np.inf
            best = np.sort(np.argpartition(-merit, places - 1, axis=1)[:, :places], axis=1)
            order = np.argsort(-np.take_along_axis(merit, best, 1), axis=1, kind="stable")
            best = np.take_along_axis(best, order, 1)
            rows = slice(first + begin, first + begin + len(similarity))
            self.captions[rows] = best
            self.merit[rows] = np.take_along_axis(merit, best, 1)


def distances(feelings: NDArray[np.float32], caption_feelings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of the feelings of utterances [N, 2] to those of captions [captions, 2], float32 [N, captions]."""
    valence = feelings[:, :1] - caption_feelings[None, :, 0]
    arousal = feelings[:, 1:] - caption_feelings[None, :, 1]
    found: NDArray[np.float32] = np.sqrt(valence * valence + arousal * arousal)  # a quarter of the time of hypot
    return found


def assign(candidates: Candidates, captions: int, most: int) -> NDArray[np.int64]:
    """The place of the caption that serves each utterance, among its candidates.

    Every utterance asks its best caption; a caption keeps the best ``most`` of those that asked and sends the others
    on to their next (deferred acceptance: Gale & Shapley 1962). As both sides order pairs by the same merit, this is
    what taking all pairs best first gives. Of equal merits the earlier row goes first.

    Args:
        candidates: of all utterances.
        captions: how many there are.
        most: utterances that one caption may serve.

    Returns:
        int64 [utterances]; -1 where all candidates serve better matches, or there are none.
    """
    count, places = candidates.captions.shape
    place = np.zeros(count, np.int64)
    serves = np.full(count, -1, np.int64)  # the caption that keeps an utterance for now
    asking = np.arange(count)
    while True:
        asking = asking[place[asking] < places]
        asking = asking[candidates.merit[asking, place[asking]] > -np.inf]
        if not len(asking):
            return np.where(serves >= 0, place, -1)
        serves[asking] = candidates.captions[asking, place[asking]]
        asked = np.zeros(captions + 1, bool)  # the last stands for none
        asked[serves[asking]] = True
        rows = np.flatnonzero(asked[serves])
        rows = rows[np.lexsort((rows, -candidates.merit[rows, place[rows]], serves[rows]))]
        starts = np.flatnonzero(np.diff(serves[rows], prepend=-1))
        rank = np.arange(len(rows)) - np.repeat(starts, np.diff(starts, append=len(rows)))
        asking = rows[rank >= most]
        serves[asking] = -1
        place[asking] += 1

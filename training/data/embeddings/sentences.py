"""Sentence embeddings of texts that are never all held at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from training.data.embeddings.shards import EmbeddingShards, TextBlock

PORTION = 64
"""Blocks whose texts are held at once, 131,072 utterances: 30 MB."""


class SentenceShards:
    """Embeds blocks of texts portion by portion with any runner, and reads them back one by one.

    Args:
        shards: that make and keep the embeddings.
        portion: blocks whose texts are held at once.
    """

    def __init__(self, shards: EmbeddingShards, portion: int = PORTION) -> None:
        self._shards, self._portion = shards, portion

    def __call__(self, texts: Callable[[], Iterator[tuple[str, ...]]], blocks: int) -> Iterator[NDArray[np.float32]]:
        """The embeddings of each block in order, when all that were missing are made.

        Args:
            texts: begins the blocks anew; they are read twice.
            blocks: how many there are.

        Raises:
            DataError, CheckpointError, OutputError, SystemExit, KeyboardInterrupt: see ``EmbeddingShards.make``.
        """
        waiting = texts()
        portions = -(-blocks // self._portion)
        for number in range(1, portions + 1):
            some = [TextBlock(block) for block in islice(waiting, self._portion)]
            part = f", part {number} of {portions}" if portions > 1 else ""
            self._shards.make(some, f"blocks of texts{part}")
        return (self._shards.read(TextBlock(block)) for block in texts())

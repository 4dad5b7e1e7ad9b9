"""Everything that an encoder is tuned on, read and at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from a2m_edge.bundle.manifest import ImagePreprocessing
from a2m_edge.impression.feeling import EMOTIONS
from training.data.tables.feelings import (
    ArousalLexicon,
    LabelledText,
    Picture,
    PictureArchive,
    Utterance,
    read_goemotions,
    read_oasis,
    read_paintings,
    read_utterances,
    utterance_arousal,
)


@dataclass
class EncoderData:
    """What an encoder is tuned on; ``photographs`` may be empty.

    Attributes:
        utterances: of paintings, all splits.
        texts: with several labels each, all splits; ``labels`` is how many labels there are.
        paintings: all splits; their files are members of ``painting_archive``.
        photographs: members of ``photograph_archive``; ``norms`` float32 [n, 2] are their valence and arousal.
        arousal: float32, of each utterance, in [-1, 1].
    """

    utterances: Sequence[Utterance]
    arousal: NDArray[np.float32]
    texts: Sequence[LabelledText]
    labels: int
    paintings: Sequence[Picture]
    painting_archive: PictureArchive
    photographs: Sequence[Picture]
    norms: NDArray[np.float32]
    photograph_archive: PictureArchive

    @classmethod
    def read(cls, data: Path, square: ImagePreprocessing) -> EncoderData:
        """Reads ArtEmis, GoEmotions, the paintings and OASIS from the shared data folder.

        Raises:
            DataError: a table or an archive is missing or damaged.
        """
        utterances = read_utterances(data)
        emotions = np.array([utterance.emotion for utterance in utterances])
        lexical = ArousalLexicon(data)([utterance.text for utterance in utterances])
        texts, labels = read_goemotions(data)
        photographs, norms = read_oasis(data)
        return cls(
            utterances=utterances,
            arousal=utterance_arousal(emotions, lexical),
            texts=texts,
            labels=labels,
            paintings=read_paintings(data),
            painting_archive=PictureArchive.of(data / "paintings.zip", square),
            photographs=photographs,
            norms=norms,
            photograph_archive=PictureArchive.of(data / "oasis.zip", square),
        )

    @cached_property
    def painting_emotions(self) -> dict[str, NDArray[np.float32]]:
        """The share of each emotion among the annotators of a picture, float32 [9], by file."""
        counts: dict[str, NDArray[np.float32]] = {}
        for utterance in self.utterances:
            if utterance.picture:
                counts.setdefault(utterance.picture, np.zeros(len(EMOTIONS), np.float32))[utterance.emotion] += 1
        return {file: count / count.sum() for file, count in counts.items()}

    @cached_property
    def painting_utterances(self) -> dict[str, list[str]]:
        """The utterances of a picture by its file."""
        found: dict[str, list[str]] = {}
        for utterance in self.utterances:
            if utterance.picture:
                found.setdefault(utterance.picture, []).append(utterance.text)
        return found

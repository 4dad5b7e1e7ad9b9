"""A bundle's encoders and fusion on many pictures and texts: what ships is what is measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from a2m_edge.bundle import Bundle
from a2m_edge.impression.feeling import Feeling
from a2m_edge.inference.sessions import open_session
from a2m_edge.perception.comments import clean_comment
from a2m_edge.perception.encoders import WEIGHT, Encoders, Perception, Sight, open_picture_tables
from a2m_edge.perception.subject_tables import SubjectTables
from training.data.embeddings.feeling_set import PAINTINGS, FeelingSet, FeelingTable
from training.data.tables.feelings import Picture, PictureArchive

Progress = Callable[[int, int], None]
"""Is told how many are done, of how many."""

BATCH = 256
"""Rows fused at once."""


@dataclass(frozen=True)
class FusionOutput:
    """What a bundle's fusion makes of n rows.

    Attributes:
        fused: float32 [n, H].
        emotions: probabilities of ``EMOTIONS``, float32 [n, 9].
        feeling: valence and arousal in [-1, 1], float32 [n, 2].
        weight: how much each comment says, float32 [n] in [0, 1], 0 where there is none; None where the fusion does not
            weigh.
    """

    fused: NDArray[np.float32]
    emotions: NDArray[np.float32]
    feeling: NDArray[np.float32]
    weight: NDArray[np.float32] | None


def _feeling(told: FusionOutput, row: int) -> Feeling:
    return Feeling(told.emotions[row], float(told.feeling[row, 0]), float(told.feeling[row, 1]))


class BundlePerception:
    """Sees, embeds and fuses as ``a2m_edge.soundscape.Soundscape`` does, by the same graphs in ONNX Runtime.

    Args:
        bundle: a verified bundle.
        device, threads: as in ``a2m_edge.inference.sessions.open_session``, whose errors are raised.
    """

    def __init__(self, bundle: Bundle, device: str = "cpu", threads: int | None = None) -> None:
        self.bundle = bundle
        self._encoders = Encoders(bundle, device, threads)
        self._fusion = open_session(bundle, "fusion", device, threads)
        self._tables = open_picture_tables(bundle)

    def texts(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        """Embeddings of comments, cleaned as a visitor's are: float32 [len(texts), D].

        Raises:
            CommentError: a text holds nothing that can be understood.
        """
        found = np.zeros((len(texts), self.bundle.manifest.embedding_size), np.float32)
        for row, text in enumerate(texts):
            found[row] = self._encoders.comment(clean_comment(text))
            if progress is not None:
                progress(row + 1, len(texts))
        return found

    @property
    def tables(self) -> SubjectTables | None:
        """What the bundle can tell of what a picture shows; None where it tells nothing of it."""
        return self._encoders.subjects

    def pictures(
        self, pictures: Sequence[Picture], archive: PictureArchive, progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """Embeddings of an archive's pictures: float32 [len(pictures), D].

        Raises:
            DataError: a picture is missing or cannot be read.
        """
        return self.looks(pictures, archive, progress)[0]

    def looks(
        self, pictures: Sequence[Picture], archive: PictureArchive, progress: Progress | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Embeddings of an archive's pictures and the probabilities of their labels.

        Returns:
            float32 [len(pictures), D] and float32 [len(pictures), labels].

        Raises:
            DataError: a picture is missing or cannot be read.
        """
        found = np.zeros((len(pictures), self.bundle.manifest.embedding_size), np.float32)
        chances = np.zeros((len(pictures), 0 if self.tables is None else len(self.tables.labels)), np.float32)
        for row, picture in enumerate(pictures):
            found[row], chances[row] = self._encoders.look(np.asarray(archive.whole(picture)))
            if progress is not None:
                progress(row + 1, len(pictures))
        return found, chances

    def sights(
        self, pictures: Sequence[Picture], archive: PictureArchive, progress: Progress | None = None
    ) -> list[Sight]:
        """What is seen of an archive's pictures.

        Raises:
            DataError: a picture is missing or cannot be read.
        """
        found = []
        for picture in pictures:
            found.append(self._encoders.see(np.asarray(archive.whole(picture))))
            if progress is not None:
                progress(len(found), len(pictures))
        return found

    def perceive(self, sight: Sight | None, text: NDArray[np.float32] | None) -> Perception:
        """What a soundscape feels before a picture, an embedding float32 [D] of a comment, or both."""
        return self._encoders.feel(sight, text)

    def fuse(
        self, images: NDArray[np.float32], texts: NDArray[np.float32], present: NDArray[np.float32]
    ) -> FusionOutput:
        """Fuses rows, before what is told of pictures alone is spread.

        Args:
            images, texts: embeddings, float32 [n, D]; ignored where they are not present.
            present: float32 [n, 2]: 1 where there is a picture, a comment; else 0.
        """
        manifest = self.bundle.manifest
        sizes = {"fused": manifest.fused_size, "emotions": len(manifest.emotions), "valence_arousal": 2}
        if self._encoders.weighs:
            sizes[WEIGHT] = 1
        parts = {name: [np.zeros((0, size), np.float32)] for name, size in sizes.items()}
        for first in range(0, len(present), BATCH):
            rows = slice(first, first + BATCH)
            told = self._fusion.run(image_embedding=images[rows], text_embedding=texts[rows], present=present[rows])
            for name, some in parts.items():
                some.append(told[name])
        whole = {name: np.concatenate(some) for name, some in parts.items()}
        weight = whole[WEIGHT][:, 0] if WEIGHT in whole else None
        return FusionOutput(whole["fused"], whole["emotions"], whole["valence_arousal"], weight)

    def predict(
        self, images: NDArray[np.float32], texts: NDArray[np.float32], present: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What a soundscape feels, as ``training.trainers.feeling.Predict``: probabilities [n, 9], feelings [n, 2].

        Before a picture alone it is spread as the bundle's tables say, and so it is as far as a comment says nothing.
        """
        told = self.fuse(images, texts, present)
        emotions, feeling = told.emotions.copy(), told.feeling.copy()
        says = present[:, 1] if told.weight is None else told.weight
        rows = np.flatnonzero((present[:, 0] > 0) & (says < 1.0))
        if not len(rows):
            return emotions, feeling
        alone = self.fuse(images[rows], texts[rows], np.tile(np.array([1, 0], np.float32), (len(rows), 1)))
        for place, row in enumerate(rows):
            felt = self._tables.beside(_feeling(told, int(row)), _feeling(alone, place), float(says[row]))
            emotions[row], feeling[row] = felt.emotions, (felt.valence, felt.arousal)
        return emotions, feeling

    def predict_before_spread(
        self, images: NDArray[np.float32], texts: NDArray[np.float32], present: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """``fuse`` as ``training.trainers.feeling.Predict``: what the fusion itself tells of every row."""
        told = self.fuse(images, texts, present)
        return told.emotions, told.feeling

    def feelings(
        self, data: Path, split: str = "test", *, pictured: bool = False, progress: Progress | None = None
    ) -> FeelingSet:
        """What ArtEmis holds for a split, embedded by the bundle.

        Args:
            data: folder of ``artemis.csv``, ``paintings.zip`` and their tables.
            split: ``"val"`` or ``"test"``.
            pictured: leave out the utterances whose painting has no picture.
            progress: of the utterances, which take most of the time.

        Raises:
            DataError: a table or an archive is missing or damaged.
        """
        table = FeelingTable.read(data, split)
        if pictured:
            table = FeelingTable.read(data, split, int((table.picture >= 0).sum()))
        archive = PictureArchive(data / PAINTINGS, 1)
        return table.embedded(
            self.texts(table.words, progress),
            self.pictures(table.paintings, archive),
            np.zeros((0, self.bundle.manifest.embedding_size), np.float32),
        )

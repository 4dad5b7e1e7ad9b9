"""The training clip that would be played if a soundscape were looked up instead of made."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import DataError
from a2m_edge.output import written_aside
from training.data.tables.feelings import PictureArchive
from training.data.tables.stored_arrays import stored_arrays
from training.evaluation.rows.materials import Pair
from training.evaluation.rows.perceiving import BundlePerception, Progress


class NearestTraining:
    """Finds for a pair the training pair of the likest picture and utterance.

    Likeness is the cosine of the pictures' embeddings plus that of the utterances', both by the bundle's encoders.

    Args:
        perception: a bundle's encoders.
        archive: the paintings.
        training: the training pairs.
        cache: an ``.npz`` that keeps the embeddings for the next call; it is made again for other pairs or another
            bundle.
        progress: of embedding the utterances, which takes most of the time.

    Raises:
        DataError: a picture or the cache cannot be read.
        OutputError: the cache cannot be written.
    """

    def __init__(
        self,
        perception: BundlePerception,
        archive: PictureArchive,
        training: Sequence[Pair],
        cache: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._perception, self._archive, self._training = perception, archive, training
        pictures = list({pair.picture.file: pair.picture for pair in training}.values())
        place = {picture.file: row for row, picture in enumerate(pictures)}
        self._picture = np.array([place[pair.picture.file] for pair in training])
        known = self._known()
        kept = None if cache is None or not cache.exists() else _read(cache, known)
        if kept is None:
            utterances = perception.texts([pair.utterance for pair in training], progress)
            kept = perception.pictures(pictures, archive), utterances
            if cache is not None:
                with written_aside(cache) as stream:
                    np.savez(stream, known=np.array(known), images=kept[0], texts=kept[1])
        self._images, self._texts = kept
        if len(self._texts) != len(training) or len(self._images) != len(pictures):
            raise DataError(f"{cache} holds embeddings of other pairs: delete it, and let it be made again")

    def __call__(self, pair: Pair) -> Pair:
        """The nearest training pair; the earlier one of two that are equally near."""
        image = self._perception.pictures([pair.picture], self._archive)[0]
        text = self._perception.texts([pair.utterance])[0]
        likeness: NDArray[np.float32] = (self._images @ image)[self._picture] + self._texts @ text
        return self._training[int(likeness.argmax())]

    def _known(self) -> str:
        """What the embeddings depend on, as a hash."""
        rows = "\n".join(f"{pair.picture.file}\t{pair.utterance}" for pair in self._training)
        return hashlib.sha256(f"{self._perception.bundle.hash}\n{rows}".encode()).hexdigest()


def _read(cache: Path, known: str) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """The embeddings that a file keeps, or None where they are of another bundle or other pairs."""
    with stored_arrays(cache, "delete it, and let it be made again") as arrays:
        return (arrays["images"], arrays["texts"]) if str(arrays["known"]) == known else None

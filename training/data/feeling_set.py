"""Utterances and pictures as embeddings of an encoder, with what people felt: what fusion learns and is judged on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from a2m_edge.errors import DataError
from training.data.embeddings import embed_pictures, embed_texts
from training.data.feelings import (
    EMOTION_SIGNS,
    ArousalLexicon,
    PictureArchive,
    read_oasis,
    read_paintings,
    read_utterances,
    utterance_arousal,
)
from training.models.encoder_model import EncoderModel


@dataclass(frozen=True)
class FeelingSet:
    """Rows are utterances; a row may point to a picture.

    Attributes:
        words: the utterances, strings [rows].
        text: float32 [rows, D], their embeddings.
        emotion: int64 [rows], index into ``EMOTIONS``.
        feeling: float32 [rows, 2], valence and arousal in [-1, 1].
        picture: int64 [rows], row of ``image``; -1 where there is no picture.
        image: float32 [pictures, D], embeddings of the paintings that have utterances.
        photograph: float32 [photographs, D], embeddings of pictures with norms alone; may be empty.
        norms: float32 [photographs, 2], valence and arousal in [-1, 1].
    """

    words: NDArray[np.str_]
    text: NDArray[np.float32]
    emotion: NDArray[np.int64]
    feeling: NDArray[np.float32]
    picture: NDArray[np.int64]
    image: NDArray[np.float32]
    photograph: NDArray[np.float32]
    norms: NDArray[np.float32]

    def painting_valence(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The pictures with utterances, and the mean valence that their annotators felt."""
        seen = np.unique(self.picture[self.picture >= 0])
        signs = EMOTION_SIGNS[self.emotion]
        return seen, np.array([float(signs[self.picture == row].mean()) for row in seen])


def embed_feelings(
    encoder: EncoderModel,
    data: Path,
    splits: Sequence[str],
    *,
    most: int | None = None,
    device: torch.device | None = None,
    cache: Path | None = None,
) -> dict[str, FeelingSet]:
    """Embeds what ArtEmis (and for training OASIS) holds for each of ``splits``.

    Args:
        encoder: in eval mode.
        data: folder of ``artemis.csv``, ``paintings.zip``, ``oasis.zip`` and their tables.
        splits: of train, val, test.
        most: utterances to take of each split at most; those of paintings with a picture come first.
        device: where to compute.
        cache: folder that keeps the embeddings for the next call; it must serve one encoder alone.

    Raises:
        DataError: a table or an archive is missing or damaged.
    """
    found = {}
    for split in splits:
        file = cache / f"feelings-{split}.npz" if cache else None
        if file is not None and file.exists():
            with np.load(file, allow_pickle=False) as kept:
                found[split] = FeelingSet(**dict(kept))
            continue
        found[split] = _embed_split(encoder, data, split, most, device or torch.device("cpu"))
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            arrays: Mapping[str, Any] = vars(found[split])
            np.savez(file, **arrays)
    return found


def _embed_split(encoder: EncoderModel, data: Path, split: str, most: int | None, device: torch.device) -> FeelingSet:
    utterances = [utterance for utterance in read_utterances(data) if utterance.split == split]
    if not utterances:
        raise DataError(f"{data / 'artemis.csv'} holds no utterance of the split {split!r}")
    utterances = sorted(utterances, key=lambda utterance: not utterance.picture)[:most]
    shown = {utterance.picture for utterance in utterances}
    size = encoder.image_preprocessing.size
    paintings = [painting for painting in read_paintings(data) if painting.file in shown]
    row = {painting.file: index for index, painting in enumerate(paintings)}
    emotion = np.array([utterance.emotion for utterance in utterances])
    lexical = ArousalLexicon(data)([utterance.text for utterance in utterances])
    photographs, norms = read_oasis(data)
    if split != "train":
        photographs, norms = [], norms[:0]
    return FeelingSet(
        words=np.array([utterance.text for utterance in utterances]),
        text=embed_texts(encoder, [utterance.text for utterance in utterances], device),
        emotion=emotion,
        feeling=np.stack([EMOTION_SIGNS[emotion], utterance_arousal(emotion, lexical)], 1),
        picture=np.array([row.get(utterance.picture, -1) for utterance in utterances]),
        image=embed_pictures(encoder, PictureArchive(data / "paintings.zip", size), paintings, device),
        photograph=embed_pictures(encoder, PictureArchive(data / "oasis.zip", size), photographs, device),
        norms=norms,
    )

"""Utterances and pictures as embeddings of an encoder, with what people felt: what fusion learns and is judged on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from a2m_edge.errors import DataError
from a2m_edge.impression.feeling import EMOTION_SIGNS
from a2m_edge.output import make_folder, written_aside
from training.data.embeddings.embed import embed_pictures, embed_texts
from training.data.tables.feelings import (
    ArousalLexicon,
    Picture,
    PictureArchive,
    read_oasis,
    read_paintings,
    read_utterances,
    utterance_arousal,
)
from training.data.tables.stored_arrays import stored_arrays
from training.models.encoder_model import EncoderModel
from training.models.fingerprint import fingerprint

PAINTINGS = "paintings.zip"
PHOTOGRAPHS = "oasis.zip"


@dataclass(frozen=True)
class FeelingSet:
    """Rows are utterances; a row may point to a picture.

    Attributes:
        words: the utterances, [rows].
        text: float32 [rows, D], their embeddings.
        emotion: int64 [rows], index into ``EMOTIONS``.
        feeling: float32 [rows, 2], valence and arousal in [-1, 1].
        picture: int64 [rows], row of ``image``; -1 where there is no picture.
        image: float32 [pictures, D], embeddings of the paintings that have utterances.
        photograph: float32 [photographs, D], embeddings of pictures with norms alone; may be empty.
        norms: float32 [photographs, 2], valence and arousal in [-1, 1].
    """

    words: tuple[str, ...]
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


@dataclass(frozen=True)
class FeelingTable:
    """The rows of a ``FeelingSet`` before anything is embedded.

    Attributes:
        words, emotion, feeling, picture, norms: as there.
        paintings, photographs: the pictures whose embeddings are ``image`` and ``photograph`` there.
    """

    words: tuple[str, ...]
    emotion: NDArray[np.int64]
    feeling: NDArray[np.float32]
    picture: NDArray[np.int64]
    paintings: tuple[Picture, ...]
    photographs: tuple[Picture, ...]
    norms: NDArray[np.float32]

    @classmethod
    def read(cls, data: Path, split: str, most: int | None = None) -> FeelingTable:
        """What ArtEmis (and for training OASIS) holds for a split; see ``embed_feelings``.

        Raises:
            DataError: a table is missing or damaged, or holds nothing of the split.
        """
        utterances = [utterance for utterance in read_utterances(data) if utterance.split == split]
        if not utterances:
            raise DataError(f"{data / 'artemis.csv'} holds no utterance of the split {split!r}")
        utterances = sorted(utterances, key=lambda utterance: not utterance.picture)[:most]
        words = tuple(utterance.text for utterance in utterances)
        shown = {utterance.picture for utterance in utterances}
        paintings = tuple(painting for painting in read_paintings(data) if painting.file in shown)
        row = {painting.file: index for index, painting in enumerate(paintings)}
        emotion = np.array([utterance.emotion for utterance in utterances])
        lexical = ArousalLexicon(data)(words)
        photographs, norms = read_oasis(data)
        if split != "train":
            photographs, norms = [], norms[:0]
        return cls(
            words=words,
            emotion=emotion,
            feeling=np.stack([EMOTION_SIGNS[emotion], utterance_arousal(emotion, lexical)], 1),
            picture=np.array([row.get(utterance.picture, -1) for utterance in utterances]),
            paintings=paintings,
            photographs=tuple(photographs),
            norms=norms,
        )

    def embedded(
        self,
        text: NDArray[np.float32],
        image: NDArray[np.float32],
        photograph: NDArray[np.float32],
        picture: NDArray[np.int64] | None = None,
    ) -> FeelingSet:
        """The rows with their embeddings; ``picture`` where ``image`` has other rows than ``paintings``."""
        return FeelingSet(
            words=self.words,
            text=text,
            emotion=self.emotion,
            feeling=self.feeling,
            picture=self.picture if picture is None else picture,
            image=image,
            photograph=photograph,
            norms=self.norms,
        )


def embed_feelings(
    encoder: EncoderModel,
    data: Path,
    splits: Sequence[str],
    *,
    most: int | None = None,
    device: torch.device | None = None,
    cache: Path | None = None,
    embeddings: Path | None = None,
) -> dict[str, FeelingSet]:
    """Embeds what ArtEmis (and for training OASIS) holds for each of ``splits``.

    Args:
        encoder: in eval mode.
        data: folder of ``artemis.csv``, ``paintings.zip``, ``oasis.zip`` and their tables.
        splits: of train, val, test.
        most: utterances to take of each split at most; those of paintings with a picture come first.
        device: where to compute.
        cache: folder that keeps the embeddings for the next call.
        embeddings: folder that ``a2m-edge data embed`` wrote; nothing is computed then.

    Raises:
        DataError: a table or an archive is missing or damaged; or kept embeddings are, or are not those of this encoder
            and these data.
        OutputError: ``cache`` cannot be written.
    """
    known = fingerprint(encoder).whole if cache or embeddings else ""
    found = {}
    for split in splits:
        table = FeelingTable.read(data, split, most)
        if embeddings is not None:
            found[split] = read_feelings(feelings_file(embeddings, split), table, known)
            continue
        file = feelings_file(cache, split) if cache else None
        if file is not None and file.exists():
            found[split] = read_feelings(file, table, known)
            continue
        found[split] = _embed_table(encoder, data, table, device or torch.device("cpu"))
        if file is not None:
            make_folder(file.parent)
            write_feelings(file, found[split], known)
    return found


def feelings_file(folder: Path, split: str) -> Path:
    """Where the embeddings of a split are kept in a folder."""
    return folder / f"feelings-{split}.npz"


def write_feelings(file: Path, feelings: FeelingSet, encoder: str) -> None:
    """Keeps embeddings, whole or not at all.

    Args:
        file: to write.
        feelings: whose embeddings are kept, and a hash of each utterance: the rest is in the tables.
        encoder: ``Fingerprint.whole`` of what made them.

    Raises:
        OutputError: the file cannot be written.
    """
    with written_aside(file) as stream:
        np.savez(
            stream,
            encoder=np.array(encoder),
            words=_hashes(feelings.words),
            text=feelings.text,
            picture=feelings.picture,
            image=feelings.image,
            photograph=feelings.photograph,
        )


def read_feelings(file: Path, table: FeelingTable, encoder: str) -> FeelingSet:
    """The embeddings of a table from a file, which may have further rows behind it.

    Args:
        file: that ``write_feelings`` wrote.
        table: of the same split.
        encoder: ``Fingerprint.whole`` that the file must have.

    Raises:
        DataError: the file is missing or damaged, or has been made by another encoder or from other data.
    """
    again = "delete it, and let it be made again (a2m-edge data embed)"
    if not file.exists():
        raise DataError(f"there are no embeddings {file}: run  a2m-edge data embed -o {file.parent}")
    with stored_arrays(file, again) as kept:
        if "encoder" not in kept:
            raise DataError(f"{file} does not say whose embeddings it holds: {again}")
        if str(kept["encoder"]) != encoder:
            raise DataError(f"{file} holds the embeddings of another encoder: give the one that made them, or {again}")
        rows = len(table.words)
        if not np.array_equal(kept["words"][:rows], _hashes(table.words)):
            raise DataError(f"{file} holds embeddings of other utterances than the tables: {again}")
        photograph = kept["photograph"]
        if len(photograph) != len(table.photographs):
            raise DataError(f"{file} holds embeddings of other photographs than the tables: {again}")
        return table.embedded(kept["text"][:rows], kept["image"], photograph, kept["picture"][:rows])


def _hashes(texts: Sequence[str]) -> NDArray[np.uint64]:
    """A number for each text that no other one is likely to have, uint64 [n]."""
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts)
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def _embed_table(encoder: EncoderModel, data: Path, table: FeelingTable, device: torch.device) -> FeelingSet:
    square = encoder.image_preprocessing
    return table.embedded(
        embed_texts(encoder, table.words, device),
        embed_pictures(encoder, PictureArchive.of(data / PAINTINGS, square), table.paintings, device),
        embed_pictures(encoder, PictureArchive.of(data / PHOTOGRAPHS, square), table.photographs, device),
    )

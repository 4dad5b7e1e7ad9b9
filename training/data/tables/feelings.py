"""Readers of the feelings that people wrote about pictures and texts, as ``shared/data`` keeps them."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from a2m_edge.bundle.manifest import ImagePreprocessing, Resize
from a2m_edge.errors import DataError
from a2m_edge.impression.feeling import EMOTION_SIGNS, EMOTIONS
from training.data.tables.wikiart import PictureFolder

SPLITS = ("train", "val", "test")

EMOTION_AROUSAL: NDArray[np.float32] = np.array([0.5, 0.2, -0.6, 0.85, 0.75, 0.25, 0.6, -0.55, 0.0], np.float32)
"""Arousal of each of ``EMOTIONS``: where the circumplex of affect places the word (Russell 1980)."""


@dataclass(frozen=True)
class Utterance:
    """What one annotator felt and wrote.

    Attributes:
        painting: key of the painting.
        text: the utterance.
        emotion: index into ``EMOTIONS``.
        picture: file of the painting's picture; empty where there is none.
        split: train, val or test, disjoint by painting.
    """

    painting: str
    text: str
    emotion: int
    picture: str
    split: str


@dataclass(frozen=True)
class Picture:
    """A picture of a collection.

    Attributes:
        file: its name in the archive.
        box: the picture's place inside black padding: left, upper, right, lower; None where there is none.
        caption: artist, title and style in words.
        split: train, val or test.
    """

    file: str
    box: tuple[int, int, int, int] | None
    caption: str
    split: str


@dataclass(frozen=True)
class LabelledText:
    """A text and the numbers of the labels it carries."""

    text: str
    labels: tuple[int, ...]
    split: str


def read_utterances(data: Path) -> list[Utterance]:
    """All utterances of ArtEmis in ``artemis.csv``; DataError if it cannot be read."""
    table = data / "artemis.csv"
    try:
        return [
            Utterance(
                f"{row['art_style']}/{row['painting']}",
                row["utterance"],
                EMOTIONS.index(row["emotion"]),
                row["image_file"],
                row["split"],
            )
            for row in read_table(table)
        ]
    except (KeyError, ValueError) as error:
        raise DataError(f"the table {table} is not ArtEmis with splits and files ({error}): fetch it again") from error


def read_paintings(data: Path) -> list[Picture]:
    """All pictures of ``paintings.zip`` as ``paintings.csv`` describes them."""
    found = []
    for row in read_table(data / "paintings.csv"):
        left, upper, right, lower = (int(edge) for edge in row["crop"].split(","))
        words = [row["title"], f"by {row['artist']}" if row["artist"] else "", row["style"]]
        caption = ", ".join(re.sub(r"[-_]+", " ", word).strip() for word in words if word)
        found.append(Picture(row["file"], (left, upper, right, lower), f"a painting: {caption}", row["split"]))
    return found


def read_oasis(data: Path) -> tuple[list[Picture], NDArray[np.float32]]:
    """The photographs of OASIS (Kurdi, Lozano & Banaji 2017) and their norms.

    Returns:
        The pictures (all in the train split), and float32 [n, 2]: valence and arousal in [-1, 1].
    """
    rows = read_table(data / "oasis.csv")
    pictures = [
        Picture(row["file"], None, f"a photograph: {re.sub(r'[ _]*[0-9]+$', '', row['theme'])}", "train")
        for row in rows
    ]
    norms = [[(float(row["valence_mean"]) - 4) / 3, (float(row["arousal_mean"]) - 4) / 3] for row in rows]
    return pictures, np.array(norms, np.float32)


def read_goemotions(data: Path) -> tuple[list[LabelledText], int]:
    """The texts of GoEmotions (Demszky et al. 2020) and the number of its labels."""
    texts = [
        LabelledText(row["text"], tuple(int(label) for label in row["label_ids"].split(",")), row["split"])
        for row in read_table(data / "goemotions.tsv", separator="\t")
    ]
    return texts, 1 + max(label for text in texts for label in text.labels)


class WordNorms:
    """A norm of a text by its words (Warriner, Kuperman & Brysbaert 2013).

    Args:
        data: folder with ``lexicon_warriner.csv``.
        norm: its column, valence or arousal.
    """

    def __init__(self, data: Path, norm: str) -> None:
        self._words = {row["word"].lower(): float(row[norm]) for row in read_table(data / "lexicon_warriner.csv")}

    def mean(self, text: str) -> float:
        """The mean over the words of a text, 1 to 9; not a number where no word is known."""
        known = [self._words[word] for word in re.findall(r"[a-z']+", text.lower()) if word in self._words]
        return float(np.mean(known)) if known else float("nan")

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32 [len(texts)], standardised over the texts; 0 where no word is known."""
        return standardised(np.array([self.mean(text) for text in texts]))


class ArousalLexicon(WordNorms):
    """Arousal of a text by its words."""

    def __init__(self, data: Path) -> None:
        super().__init__(data, "arousal")


def standardised(means: NDArray[np.float64]) -> NDArray[np.float32]:
    """Numbers less their mean, by their standard deviation, float32; 0 for what is not a number."""
    found = means[~np.isnan(means)]
    if not len(found):
        return np.zeros(len(means), np.float32)
    return np.asarray(np.nan_to_num((means - found.mean()) / (found.std() or 1.0)), np.float32)


def utterance_arousal(emotions: NDArray[np.int64], lexical: NDArray[np.float32]) -> NDArray[np.float32]:
    """Arousal in [-1, 1] of utterances: mostly the emotion's own, moved by the words chosen for it."""
    arousal = 0.75 * EMOTION_AROUSAL[emotions] + np.float32(0.2) * lexical
    return np.asarray(arousal.clip(-1, 1), np.float32)


def utterance_valence(emotions: NDArray[np.int64], lexical: NDArray[np.float32]) -> NDArray[np.float32]:
    """Valence in [-1, 1] of utterances: mostly the sign of the emotion, moved by the words chosen for it."""
    valence = np.float32(0.7) * EMOTION_SIGNS[emotions] + np.float32(0.15) * lexical
    return np.asarray(valence.clip(-1, 1), np.float32)


class Squares(Protocol):
    """Gives pictures as squares, as ``PictureArchive`` does."""

    def checksum(self, picture: Picture) -> int:
        """A number that changes with the picture, without reading it."""

    def square(self, picture: Picture) -> NDArray[np.uint8]:
        """uint8 [size, size, 3]."""


class PictureArchive:
    """Reads pictures, each free of its padding, as squares.

    Args:
        path: a zip file, or a folder as ``PictureFolder`` takes it.
        size: of the squares.
        resize, fill: how a picture becomes a square, as in ``a2m_edge.bundle.manifest.ImagePreprocessing``.
    """

    def __init__(self, path: Path, size: int, resize: Resize = "shortest", fill: int = 0) -> None:
        self._path, self._size, self._resize, self._fill = path, size, resize, fill

    @classmethod
    def of(cls, path: Path, settings: ImagePreprocessing) -> PictureArchive:
        """The archive whose squares are what an encoder was trained on, before its colours are scaled."""
        return cls(path, settings.size, settings.resize, settings.fill)

    @cached_property
    def _folder(self) -> PictureFolder | None:
        return PictureFolder(self._path) if self._path.is_dir() else None

    @cached_property
    def _zip(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self._path)
        except (OSError, zipfile.BadZipFile) as error:
            raise DataError(f"the pictures {self._path} cannot be read: {error}") from error

    def checksum(self, picture: Picture) -> int:
        """A number that changes with the picture, without reading it; DataError if it is not there.

        It is the CRC-32 that a zip file states, or ``PictureFolder.checksum``.
        """
        if self._folder:
            return self._folder.checksum(picture.file)
        try:
            return self._zip.getinfo(picture.file).CRC
        except KeyError as error:
            raise DataError(f"{self._path} holds no {picture.file}: fetch the archive and its table again") from error

    def whole(self, picture: Picture) -> Image.Image:
        """The picture as it is, RGB."""
        return self._opened(picture)

    def square(self, picture: Picture) -> NDArray[np.uint8]:
        """uint8 [size, size, 3]: scaled (bicubic) and cropped or filled up as the archive was told."""
        return self.fitted(self._opened(picture, 2 * self._size))

    def fitted(self, image: Image.Image) -> NDArray[np.uint8]:
        """A picture of any size as such a square."""
        size = self._size
        if self._resize == "squash":
            return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC), np.uint8)
        whole = self._resize == "longest"
        scale = size / (max if whole else min)(image.size)
        width, height = (max(1, round(side * scale)) for side in image.size)
        left, upper = ((size - side) // 2 if whole else -((side - size) // 2) for side in (width, height))
        square = Image.new("RGB", (size, size), (self._fill,) * 3)
        square.paste(image.resize((width, height), Image.Resampling.BICUBIC), (left, upper))
        return np.asarray(square, np.uint8)

    def _opened(self, picture: Picture, enough: int | None = None) -> Image.Image:
        """The picture; one of a folder, which may have a hundred megapixels, no larger than is enough for a side."""
        try:
            if self._folder is None:
                image = Image.open(io.BytesIO(self._zip.read(picture.file))).convert("RGB")
            else:
                image = Image.open(io.BytesIO(self._folder.read(picture.file)))
                if enough and picture.box is None:
                    image.draft("RGB", (enough, enough))
                image = image.convert("RGB")
        except (KeyError, OSError, Image.DecompressionBombError) as error:
            raise DataError(f"{self._path} holds no readable {picture.file}: {error}") from error
        return image.crop(picture.box) if picture.box else image


def read_table(path: Path, separator: str = ",") -> list[dict[str, str]]:
    """All rows of a table with a header; no quoting where the separator is a tab."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            if separator == "\t":
                return list(csv.DictReader(file, delimiter=separator, quoting=csv.QUOTE_NONE))
            return list(csv.DictReader(file, delimiter=separator))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"the table {path} cannot be read: {error}") from error

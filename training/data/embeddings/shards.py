"""Embeddings of very many texts and pictures, made in blocks by any runner and kept in a file for each block.

Texts of a block are embedded together, so the block, and not who does the work, decides the last digits. A file is
named by all that it depends on: an encoder or an input that has changed finds no file of its own, and what is the same
is never made again. A folder may hold files that nothing asks for any more; they can be deleted.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from a2m_edge.bundle.manifest import ImagePreprocessing
from a2m_edge.errors import CheckpointError, DataError
from a2m_edge.jobs.work import Work
from a2m_edge.output import make_folder, written_aside
from training.data.tables.feelings import Picture, PictureArchive
from training.data.tables.stored_arrays import stored_arrays
from training.jobs import JobRunner, Lost

if TYPE_CHECKING:
    from training.models.encoder_model import EncoderModel

TEXTS = 2048
"""Texts of a block."""

PICTURES = 64
"""Pictures of a block."""

_FORM = 1
"""Goes up when the same block is to give other numbers."""


@dataclass(frozen=True)
class TextBlock:
    """Texts that are embedded together."""

    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class PictureBlock:
    """Pictures that are embedded together.

    Attributes:
        archive: the file that holds them.
        pictures: of it.
        checksums: CRC-32 of each picture's file.
    """

    archive: Path
    pictures: tuple[Picture, ...]
    checksums: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.pictures)


Block = TextBlock | PictureBlock


def text_blocks(texts: Sequence[str]) -> list[TextBlock]:
    """Texts in their order, in blocks of ``TEXTS``."""
    return [TextBlock(tuple(texts[first : first + TEXTS])) for first in range(0, len(texts), TEXTS)]


def picture_blocks(archive: Path, pictures: Sequence[Picture]) -> list[PictureBlock]:
    """Pictures in their order, in blocks of ``PICTURES``.

    Raises:
        DataError: the archive cannot be read or lacks a picture.
    """
    reader = PictureArchive(archive.absolute(), 1)
    found = []
    for first in range(0, len(pictures), PICTURES):
        some = tuple(pictures[first : first + PICTURES])
        found.append(PictureBlock(archive.absolute(), some, tuple(reader.checksum(picture) for picture in some)))
    return found


@dataclass(frozen=True)
class ShardJob:
    """A block to embed, and the name of the file for its embeddings."""

    name: str
    block: Block


@dataclass(frozen=True)
class _Prepared:
    """A block at hand: its texts, or its pictures as uint8 [n, size, size, 3]."""

    name: str
    content: tuple[str, ...] | NDArray[np.uint8]


@dataclass(frozen=True)
class EmbeddingWork(Work[ShardJob, Path | Lost]):
    """Embeds a block and writes its file, an ``.npz`` with ``embeddings`` float32 [n, D], whole or not at all.

    Attributes:
        encoder: what ``load_encoder`` takes; a folder by its absolute path.
        text, image: fingerprint that each side of it must have; empty for a side that is not asked for.
        square: how a picture becomes what its image tower takes.
        folder: to write, by its absolute path; it is there.
    """

    encoder: str
    text: str
    image: str
    square: ImagePreprocessing
    folder: Path

    def start(self) -> None:
        """Loads the encoder; raises ``CheckpointError`` where it is not the one that the run began with."""
        _loaded(self.encoder, self.text, self.image)

    def prepare(self, job: ShardJob) -> _Prepared:
        """Reads the pictures; raises ``DataError`` where one is damaged."""
        if isinstance(job.block, TextBlock):
            return _Prepared(job.name, job.block.texts)
        archive = _archive(job.block.archive, self.square)
        return _Prepared(job.name, np.stack([archive.square(picture) for picture in job.block.pictures]))

    def perform(self, prepared: _Prepared) -> tuple[str, NDArray[np.float32]]:
        """Embeds the block."""
        from training.data.embeddings.embed import embed_squares, embed_texts

        encoder = _loaded(self.encoder, self.text, self.image)
        if isinstance(prepared.content, tuple):
            return prepared.name, embed_texts(encoder, prepared.content)
        return prepared.name, embed_squares(encoder, prepared.content)

    def finish(self, performed: tuple[str, NDArray[np.float32]]) -> Path:
        """Writes the file; raises ``OutputError`` where that cannot be done."""
        name, embeddings = performed
        path = self.folder / name
        with written_aside(path) as stream:
            np.savez(stream, embeddings=embeddings)
        return path

    def lost(self, job: ShardJob, ending: str) -> Lost:
        """Names the block by what it begins with."""
        block = job.block
        first = repr(block.texts[0][:40]) if isinstance(block, TextBlock) else block.pictures[0].file
        return Lost(f"the {len(block)} from {first}", ending)


class EmbeddingShards:
    """The embeddings of one encoder in a folder.

    Args:
        encoder: what ``load_encoder`` takes.
        folder: of the files; made where it is missing.
        runner: does what is not there yet.

    Raises:
        CheckpointError, MissingExtraError: the encoder cannot be loaded.
        OutputError: the folder cannot be made.
    """

    def __init__(self, encoder: str | Path, folder: Path, runner: JobRunner) -> None:
        from training.models.encoders import load_encoder
        from training.models.fingerprint import fingerprint

        self._encoder = str(Path(encoder).absolute() if Path(encoder).is_dir() else encoder)
        self._folder, self._runner = folder.absolute(), runner
        model = load_encoder(self._encoder)
        self.fingerprint = fingerprint(model)
        self.embedding_size = model.embedding_size
        self._square = model.image_preprocessing
        make_folder(self._folder)

    def make(self, blocks: Sequence[Block], title: str) -> None:
        """Embeds the blocks whose files are missing or damaged.

        Args:
            blocks: begun in this order.
            title: what they are, in a word or two, for the user.

        Raises:
            DataError: blocks were lost, or a picture cannot be read.
            CheckpointError, OutputError: see ``EmbeddingWork``; and what else ``JobRunner.run`` raises.
        """
        missing: dict[str, Block] = {}
        for block in blocks:
            name = self._name(block)
            if name not in missing and not self._is_whole(name, block):
                missing[name] = block
        kinds = {type(block) for block in missing.values()}
        work = EmbeddingWork(
            self._encoder,
            self.fingerprint.text if TextBlock in kinds else "",
            self.fingerprint.image if PictureBlock in kinds else "",
            self._square,
            self._folder,
        )
        if missing:
            for _ in self._runner.run([ShardJob(name, block) for name, block in missing.items()], work, title):
                pass

    def read(self, block: Block) -> NDArray[np.float32]:
        """The embeddings of a block that was made, float32 [n, D]; raises ``DataError`` where they are damaged."""
        return self._read(self._name(block), block)

    def joined(self, blocks: Sequence[Block]) -> NDArray[np.float32]:
        """Those of blocks one below the other, float32 [rows, D], without a second copy of all of them.

        Raises:
            DataError: one is damaged.
        """
        found = np.empty((sum(map(len, blocks)), self.embedding_size), np.float32)
        first = 0
        for block in blocks:
            found[first : first + len(block)] = self.read(block)
            first += len(block)
        return found

    def _name(self, block: Block) -> str:
        if isinstance(block, TextBlock):
            return f"texts-{_hash(self.fingerprint.text, block.texts)}.npz"
        pictures = [(picture.file, picture.box) for picture in block.pictures]  # nothing else changes an embedding
        return f"pictures-{_hash(self.fingerprint.image, pictures, block.checksums)}.npz"

    def _is_whole(self, name: str, block: Block) -> bool:
        if not (self._folder / name).exists():
            return False
        try:
            self._read(name, block)
        except DataError:
            return False
        return True

    def _read(self, name: str, block: Block) -> NDArray[np.float32]:
        path = self._folder / name
        with stored_arrays(path, "run the same command again") as kept:
            found: NDArray[np.float32] = kept["embeddings"]
        if found.shape != (len(block), self.embedding_size) or found.dtype != np.float32:
            raise DataError(f"{path} does not hold what its name says: run the same command again")
        return found


def _hash(*facts: Any) -> str:
    return hashlib.sha256(json.dumps([_FORM, *facts]).encode()).hexdigest()[:32]


@functools.lru_cache(maxsize=1)
def _loaded(encoder: str, text: str, image: str) -> EncoderModel:
    """The encoder, kept for the life of this process, which it leaves one thread: there is a process for each core."""
    import torch

    from training.models.encoders import load_encoder
    from training.models.fingerprint import fingerprint

    torch.set_num_threads(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    model = load_encoder(encoder)
    found = fingerprint(model)
    if (text or found.text, image or found.image) != (found.text, found.image):
        raise CheckpointError(
            f"the encoder {encoder} is not the one that the run began with: start the run again, and see that every "
            f"computer has the same, with trained weights"
        )
    return model


@functools.lru_cache(maxsize=4)
def _archive(path: Path, square: ImagePreprocessing) -> PictureArchive:
    return PictureArchive.of(path, square)

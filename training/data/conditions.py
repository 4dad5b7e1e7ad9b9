"""Fused embeddings of ArtiCaps' pairs: what conditions the decoder on the feeling of a painting and a comment."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from a2m_edge.errors import DataError
from training.data.feelings import PictureArchive, read_paintings
from training.models.encoders import EncoderModel
from training.models.fusion import Fusion

BATCH = 32


@torch.inference_mode()
def embed_texts(encoder: EncoderModel, texts: list[str]) -> NDArray[np.float32]:
    """Text embeddings float32 [N, D], computed in order of length so that little is padded."""
    tower = encoder.text.eval()
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    result = np.zeros((len(texts), encoder.embedding_size), np.float32)
    for begin in range(0, len(order), BATCH):
        chosen = order[begin : begin + BATCH]
        result[chosen] = tower(encoder.tokens([texts[index] for index in chosen])).numpy()
    return result


@torch.inference_mode()
def embed_pictures(encoder: EncoderModel, files: list[str], data: Path) -> NDArray[np.float32]:
    """Image embeddings float32 [N, D] of members of ``paintings.zip``; DataError where one is missing."""
    tower = encoder.image.eval()
    preprocessing = encoder.image_preprocessing
    archive = PictureArchive(data / "paintings.zip", preprocessing.size)
    paintings = {picture.file: picture for picture in read_paintings(data)}
    mean, std = (torch.tensor(values)[:, None, None] for values in (preprocessing.mean, preprocessing.std))
    result = np.zeros((len(files), encoder.embedding_size), np.float32)
    for begin in range(0, len(files), BATCH):
        squares = [archive.square(paintings[file]) for file in files[begin : begin + BATCH]]
        pixels = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2) / 255  # (B, 3, size, size)
        result[begin : begin + BATCH] = tower((pixels - mean) / std).numpy()
    return result


@torch.inference_mode()
def build_conditions(pairs: Path, data: Path, encoder: EncoderModel, fusion: Fusion, out: Path) -> int:
    """Writes an ``.npz`` with ``clips`` (names) and ``fused`` float32 [N, H], one row for each pair.

    Args:
        pairs: ``articaps.csv``.
        data: folder with ``paintings.zip`` and ``paintings.csv``; needed where a pair has a picture.
        encoder, fusion: trained models.
        out: the file to write.

    Returns:
        the number of pairs.

    Raises:
        DataError: the table is missing or lacks a column.
    """
    try:
        with pairs.open(encoding="utf-8", newline="") as rows:
            table = [(row["clip"], row["utterance"], row["picture"]) for row in csv.DictReader(rows)]
    except (OSError, KeyError) as error:
        raise DataError(f"{pairs} is not a table of pairs ({error}): run  a2m-edge data build") from error
    text = torch.from_numpy(embed_texts(encoder, [utterance for _, utterance, _ in table]))
    files = sorted({picture for _, _, picture in table if picture})
    embedded = embed_pictures(encoder, files, data)
    place = {file: row for row, file in enumerate(files)}
    image = torch.zeros_like(text)
    present = torch.zeros(len(table), 2)
    present[:, 1] = 1.0
    for row, (_, _, picture) in enumerate(table):
        if picture:
            image[row] = torch.from_numpy(embedded[place[picture]])
            present[row, 0] = 1.0
    fused = fusion.eval()(image, text, present)[0].numpy()
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(out, clips=np.array([clip for clip, _, _ in table]), fused=fused)
    return len(table)

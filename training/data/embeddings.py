"""Embeddings of many texts and pictures by an encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.data.feelings import PictureArchive, read_paintings
from training.models.encoders import EncoderModel

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

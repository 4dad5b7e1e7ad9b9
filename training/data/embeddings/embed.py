"""Embeddings of many texts and pictures by an encoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from training.data.tables.feelings import Picture, PictureArchive
from training.models.encoder_model import EncoderModel
from training.precision import half_precision

CPU = torch.device("cpu")


@torch.inference_mode()
def embed_texts(
    encoder: EncoderModel, texts: Sequence[str], device: torch.device = CPU, batch: int = 128
) -> NDArray[np.float32]:
    """float32 [len(texts), D]; texts of a length are embedded together."""
    tower = encoder.text.to(device)
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    found = np.zeros((len(texts), encoder.embedding_size), np.float32)
    for first in range(0, len(texts), batch):
        rows = order[first : first + batch]
        with half_precision(device):
            embeddings = tower(encoder.tokens([texts[row] for row in rows]).to(device))
        found[rows] = embeddings.float().cpu().numpy()
    return found


def embed_pictures(
    encoder: EncoderModel,
    archive: PictureArchive,
    pictures: Sequence[Picture],
    device: torch.device = CPU,
    batch: int = 32,
) -> NDArray[np.float32]:
    """float32 [len(pictures), D]."""
    found = [np.zeros((0, encoder.embedding_size), np.float32)]
    for first in range(0, len(pictures), batch):
        squares = np.stack([archive.square(picture) for picture in pictures[first : first + batch]])
        found.append(embed_squares(encoder, squares, device, batch))
    return np.concatenate(found)


@torch.inference_mode()
def embed_squares(
    encoder: EncoderModel, squares: NDArray[np.uint8], device: torch.device = CPU, batch: int = 32
) -> NDArray[np.float32]:
    """Pictures as ``PictureArchive.square`` gives them, uint8 [n, size, size, 3], as float32 [n, D]."""
    tower = encoder.image.to(device)
    facts = encoder.image_preprocessing
    mean, std = np.array(facts.mean, np.float32), np.array(facts.std, np.float32)
    found = np.zeros((len(squares), encoder.embedding_size), np.float32)
    for first in range(0, len(squares), batch):
        some = squares[first : first + batch]
        pixels = torch.from_numpy((some.astype(np.float32) / 255 - mean) / std).permute(0, 3, 1, 2)
        with half_precision(device):
            embeddings = tower(pixels.to(device, memory_format=torch.channels_last))
        found[first : first + len(some)] = embeddings.float().cpu().numpy()
    return found

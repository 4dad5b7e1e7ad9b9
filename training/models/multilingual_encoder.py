"""An encoder whose text tower is to learn many languages, beside the image tower of one that knows English."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any, cast

from a2m_edge.bundle.manifest import MANY_LANGUAGES
from a2m_edge.errors import CheckpointError
from training.checkpoint import load_weights
from training.models.encoder_model import EncoderModel
from training.models.encoders import build_encoder
from training.models.texts.multilingual import (
    CONTEXT,
    LAYERS,
    SPECIAL,
    packed_file,
    small_vocabulary,
    tower_config,
    tower_state,
)
from training.models.texts.packed_e5 import PackedE5

A2M_M = "a2m-m"
"""The name of our own small configuration for many languages."""


def multilingual_encoder(
    teacher: EncoderModel, packed: PackedE5, kept: Iterable[int], layers: Sequence[int] = LAYERS
) -> EncoderModel:
    """An encoder with the image tower of the teacher, and a text tower that begins as a part of multilingual-e5-small.

    Args:
        teacher: its embeddings are as long as the vectors of the packed model.
        packed: the whole model.
        kept: ids of its pieces that are kept.
        layers: of its twelve, those that are kept.

    Raises:
        CheckpointError: the teacher's embeddings are of another length.
    """
    if teacher.embedding_size != packed.width:
        raise CheckpointError(
            f"the teacher's embeddings have {teacher.embedding_size} numbers, and the vectors of multilingual-e5-small "
            f"{packed.width}: name a teacher of the same size"
        )
    tokenizer, vectors = small_vocabulary(packed, kept)
    architecture = deepcopy(teacher.config["architecture"])
    architecture["text_cfg"] = {
        "context_length": CONTEXT,
        "vocab_size": len(vectors),
        "hf_pooler_type": "mean_pooler",
        "hf_proj_type": None,
    }
    model = build_encoder(
        A2M_M,
        architecture,
        tokenizer,
        text_transformer=tower_config(packed, len(vectors), layers),
        preprocessing=teacher.config["preprocessing"],
        pad_id=SPECIAL.index("<pad>"),
        language=MANY_LANGUAGES,
    )
    clip = cast(Any, model.clip)
    load_weights(clip.text.transformer, tower_state(packed, vectors, layers), packed_file())
    clip.visual.load_state_dict(cast(Any, teacher.clip).visual.state_dict())
    return model

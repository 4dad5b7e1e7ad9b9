"""Visitors' comments in many languages as embeddings, with what is felt in them and whether anything is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.data.embeddings.embed import embed_texts
from training.data.languages.composed import ComposedComments
from training.data.languages.language_data import all_emotion_texts, learned_and_held
from training.data.languages.tables import LABELS, NEUTRAL, Comment, EmotionText
from training.models.encoder_model import EncoderModel

COMPOSED = 60_000
"""Comments that are drawn, as written and made of others."""

OTHERS = 12_000
"""Texts of other people, half of them without feeling, by which it is learned whether a text says anything."""


@dataclass(frozen=True)
class CommentSet:
    """Comments to learn from, and texts of which it is only known whether anything is felt in them.

    Attributes:
        text: float32 [rows, D], embeddings.
        emotion: int64 [rows], index into ``EMOTIONS``; -1 where it is not known.
        feeling: float32 [rows, 2], valence and arousal in [-1, 1]; 0 where they are not known.
        says: float32 [rows], 1 where something is felt, else 0.
    """

    text: NDArray[np.float32]
    emotion: NDArray[np.int64]
    feeling: NDArray[np.float32]
    says: NDArray[np.float32]


def embed_comments(encoder: EncoderModel, data: Path, device: torch.device, seed: int = 0) -> CommentSet:
    """Draws comments, and texts of others from ``languages/emotions.tsv.xz``, and embeds them.

    Raises:
        DataError: a table is missing or damaged.
    """
    random = np.random.default_rng((seed, 7))
    composed = ComposedComments(learned_and_held()[0])
    return embedded_comments(
        encoder,
        [composed.draw(random) for _ in range(COMPOSED)],
        others_with_and_without(all_emotion_texts(data), OTHERS, random),
        device,
    )


def embedded_comments(
    encoder: EncoderModel,
    comments: Sequence[Comment],
    others: Sequence[tuple[str, bool]] = (),
    device: torch.device | None = None,
) -> CommentSet:
    """Comments, then other texts with whether anything is felt in them, as embeddings."""
    texts = [*(one.text for one in comments), *(text for text, _ in others)]
    none = len(others)
    return CommentSet(
        embed_texts(encoder, texts, device or torch.device("cpu")),
        np.array([*(one.emotion for one in comments), *([-1] * none)], np.int64),
        np.array([*((one.valence, one.arousal) for one in comments), *([(0.0, 0.0)] * none)], np.float32).reshape(
            -1, 2
        ),
        np.array([*(one.kind != NEUTRAL for one in comments), *(says for _, says in others)], np.float32),
    )


def others_with_and_without(
    texts: Sequence[EmotionText], count: int, random: np.random.Generator
) -> list[tuple[str, bool]]:
    """Training texts that carry the label *neutral* alone, and as many that carry another one; each with the latter."""
    neutral = LABELS.index("neutral")
    groups: dict[bool, list[str]] = {False: [], True: []}
    for text in texts:
        if text.split == "train" and text.labels and text.scheme != "xed":  # subtitles: hardly any is called neutral
            groups[text.labels != (neutral,)].append(text.text)
    return [
        (some[place], says)
        for says, some in groups.items()
        for place in random.choice(len(some), min(count // 2, len(some)), replace=False).tolist()
    ]

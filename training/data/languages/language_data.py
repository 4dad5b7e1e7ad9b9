"""Everything that a text tower for many languages learns from, read and at hand."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.languages.tables import (
    CONNECTIVE,
    LABELS,
    SCHEMES,
    Comment,
    EmotionText,
    Translation,
    read_comments,
    read_emotion_texts,
    read_translations,
)
from training.data.tables.feelings import (
    ArousalLexicon,
    Utterance,
    read_goemotions,
    read_utterances,
    utterance_arousal,
)

_HELD_COMMENTS = 10  # one of so many validates


@dataclass
class LanguageData:
    """What a text tower learns from.

    Attributes:
        translations: all splits.
        emotion_texts: all splits, GoEmotions in English among them.
        utterances: of ArtEmis, all splits; ``arousal`` is theirs, float32, in [-1, 1].
        comments: to learn from; connectives are among them.
        held_comments: to validate with.
    """

    translations: Sequence[Translation]
    emotion_texts: Sequence[EmotionText]
    utterances: Sequence[Utterance]
    arousal: NDArray[np.float32]
    comments: Sequence[Comment]
    held_comments: Sequence[Comment]

    @classmethod
    def read(cls, data: Path) -> LanguageData:
        """Reads all but the comments from the shared data folder, and these from the repository.

        Raises:
            DataError: a table is missing or damaged.
        """
        utterances = read_utterances(data)
        lexical = ArousalLexicon(data)([utterance.text for utterance in utterances])
        return cls(
            read_translations(data),
            all_emotion_texts(data),
            utterances,
            utterance_arousal(np.array([utterance.emotion for utterance in utterances]), lexical),
            *learned_and_held(),
        )

    @property
    def texts(self) -> dict[str, list[str]]:
        """What is written in each language, of all splits: what decides which pieces it needs."""
        found: dict[str, list[str]] = defaultdict(list)
        for pair in self.translations:
            found[pair.language].append(pair.text)
            found["en"].append(pair.english)
        for text in self.emotion_texts:
            found[text.language].append(text.text)
        found["en"] += [utterance.text for utterance in self.utterances]
        return dict(found)


def all_emotion_texts(data: Path) -> list[EmotionText]:
    """Texts with emotions of all splits, GoEmotions in English first.

    Raises:
        DataError: a table is missing or damaged.
    """
    number = {label: place for place, label in enumerate(LABELS)}
    english = [
        EmotionText(
            "en",
            text.text,
            tuple(number[SCHEMES["goemotions"][label]] for label in text.labels),
            "goemotions",
            "val" if text.split == "dev" else text.split,
        )
        for text in read_goemotions(data)[0]
    ]
    return [*english, *read_emotion_texts(data)]


def learned_and_held() -> tuple[list[Comment], list[Comment]]:
    """Visitors' comments to learn from, connectives among them, and those to validate with."""
    comments = read_comments()
    return [one for one in comments if not _held(one)], [one for one in comments if _held(one)]


def _held(comment: Comment) -> bool:
    digest = hashlib.sha256(f"{comment.language} {comment.text}".encode()).digest()
    return comment.kind != CONNECTIVE and digest[0] % _HELD_COMMENTS == 0

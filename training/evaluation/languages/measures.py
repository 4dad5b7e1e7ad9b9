"""What a bundle feels in comments of many languages that nothing was trained on, beside what their writers felt.

The comments in ``comments/`` were written for this by others than wrote those that are learned from, without knowing
them: everyday ones, half of them from eight sentence frames of their own, contrasts (negation, *but*, idiom, emoji, one
word), and some without feeling.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from a2m_edge.impression.feeling import EMOTIONS
from training.data.languages.tables import (
    LABELS,
    NEUTRAL,
    Comment,
    EmotionText,
    Translation,
    read_comments,
    read_emotion_texts,
    read_translations,
)
from training.evaluation.report.model import Missing
from training.evaluation.rows.perceiving import BundlePerception, Progress

COMMENTS = Path(__file__).parent / "comments"

EVERYDAY = ("everyday", "frame")
CONTRASTS = ("negation", "but", "idiom", "emoji", "word")

SENTENCES = 1000
"""Sentences among which a translation is looked for."""

TEXTS = 600
"""Texts with emotions of a language at most."""

PICTURES = 20
"""Pictures under which each comment without feeling is put."""

Row = TypeVar("Row")

_JOY = ("amusement", "contentment", "excitement", "awe")
_LABEL_EMOTIONS = {
    "joy": _JOY,
    **{label: (label,) for label in ("anger", "disgust", "fear", "sadness")},
}
"""Emotions whose probabilities tell a label of other texts."""


@dataclass(frozen=True)
class Translated:
    """How alike a sentence and its translation are: shares, and medians of distances in [0, 2].

    Attributes:
        sentences: how many.
        found: how often the sentence is the nearest of all to its translation.
        valence, arousal: median distance of what is felt.
        word: how often both get the same word.
    """

    sentences: int
    found: float
    valence: float
    arousal: float
    word: float


@dataclass(frozen=True)
class LanguageMeasures:
    """How well comments are understood, by language (BCP 47).

    Attributes:
        signs: share of comments whose valence has the right sign, by kind; ``"everyday"`` holds the frames, too.
        translated: of sentences and translations.
        labels: mean area under the curve (AUC) of joy, anger, disgust, fear and sadness in texts of others.
        moved: how far a comment without feeling moves valence and arousal before a picture, medians.
        said: mean of how much the fusion takes comments to say: those with a feeling, and those without; None where it
            does not weigh.
    """

    signs: dict[str, dict[str, float]]
    translated: dict[str, Translated]
    labels: dict[str, float]
    moved: dict[str, tuple[float, float]]
    said: dict[str, tuple[float, float]] | None


def measure_languages(
    perception: BundlePerception, data: Path, pictures: NDArray[np.float32], seed: int, progress: Progress
) -> LanguageMeasures | Missing:
    """Measures a bundle on the comments here, and on the test splits of ``languages/`` of the shared data.

    Args:
        perception: of the bundle.
        data: the shared data folder.
        pictures: embeddings of pictures, float32 [n, D], under which comments without feeling are put.
        seed: of what is drawn.
        progress: of the texts.

    Raises:
        DataError: a table is damaged.
    """
    if not (data / "languages").is_dir():
        return Missing(f"there are no texts in many languages in {data}")
    comments = read_comments(COMMENTS)
    random = np.random.default_rng((seed, 11))
    embedded = perception.texts([one.text for one in comments], progress)
    pairs = _drawn_pairs(read_translations(data), random)
    texts = _drawn_texts(read_emotion_texts(data), random)
    return LanguageMeasures(
        _signs(comments, _felt(perception, embedded)[1][:, 0]),
        {language: _translated(perception, some) for language, some in sorted(pairs.items())},
        {language: _areas(perception, some) for language, some in sorted(texts.items())},
        _moved(perception, comments, embedded, pictures),
        _said(perception, comments, embedded),
    )


def _felt(perception: BundlePerception, texts: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    alone = np.tile(np.array([0, 1], np.float32), (len(texts), 1))
    return perception.predict(np.zeros_like(texts), texts, alone)


def _signs(comments: Sequence[Comment], valence: NDArray[np.float32]) -> dict[str, dict[str, float]]:
    right: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for one, told in zip(comments, valence, strict=True):
        if one.kind != NEUTRAL:
            kind = EVERYDAY[0] if one.kind in EVERYDAY else one.kind
            right[one.language][kind].append(bool(told * one.valence > 0))
    return {
        language: {kind: float(np.mean(values)) for kind, values in kinds.items()} for language, kinds in right.items()
    }


def _drawn_pairs(pairs: Sequence[Translation], random: np.random.Generator) -> dict[str, list[Translation]]:
    held: dict[str, dict[str, Translation]] = defaultdict(dict)
    for one in pairs:
        if one.split == "test":
            held[one.language].setdefault(one.english, one)  # a sentence twice could not be told apart
    return {language: _some(list(found.values()), SENTENCES, random) for language, found in held.items()}


def _drawn_texts(texts: Sequence[EmotionText], random: np.random.Generator) -> dict[str, list[EmotionText]]:
    held: dict[str, list[EmotionText]] = defaultdict(list)
    for one in texts:
        if one.split == "test" and one.labels:
            held[one.language].append(one)
    return {language: _some(found, TEXTS, random) for language, found in held.items()}


def _some(rows: list[Row], most: int, random: np.random.Generator) -> list[Row]:
    return [rows[at] for at in np.sort(random.permutation(len(rows))[:most])]


def _translated(perception: BundlePerception, pairs: Sequence[Translation]) -> Translated:
    english = perception.texts([one.english for one in pairs])
    others = perception.texts([one.text for one in pairs])
    (words, ours), (their_words, theirs) = _felt(perception, english), _felt(perception, others)
    apart = np.median(np.abs(ours - theirs), axis=0)
    return Translated(
        len(pairs),
        float(((others @ english.T).argmax(1) == np.arange(len(pairs))).mean()),
        float(apart[0]),
        float(apart[1]),
        float((words.argmax(1) == their_words.argmax(1)).mean()),
    )


def _areas(perception: BundlePerception, texts: Sequence[EmotionText]) -> float:
    emotions = _felt(perception, perception.texts([one.text for one in texts]))[0]
    areas = []
    for label, words in _LABEL_EMOTIONS.items():
        carries = np.array([LABELS.index(label) in one.labels for one in texts])
        if 0 < carries.sum() < len(carries):
            told = emotions[:, [EMOTIONS.index(word) for word in words]].sum(1)
            areas.append(float(roc_auc_score(carries, told)))
    return float(np.mean(areas)) if areas else float("nan")


def _moved(
    perception: BundlePerception,
    comments: Sequence[Comment],
    embedded: NDArray[np.float32],
    pictures: NDArray[np.float32],
) -> dict[str, tuple[float, float]]:
    """By language, how far comments without feeling move what is felt before pictures."""
    count = len(pictures)
    alone = np.tile(np.array([1, 0], np.float32), (count, 1))
    before = perception.predict(pictures, np.zeros_like(pictures), alone)[1]
    apart: dict[str, list[NDArray[np.float32]]] = defaultdict(list)
    for one, text in zip(comments, embedded, strict=True):
        if one.kind == NEUTRAL:
            both = perception.predict(pictures, np.tile(text, (count, 1)), np.ones((count, 2), np.float32))[1]
            apart[one.language].append(np.abs(both - before))
    return {
        language: (float(np.median(np.concatenate(rows)[:, 0])), float(np.median(np.concatenate(rows)[:, 1])))
        for language, rows in apart.items()
    }


def _said(
    perception: BundlePerception, comments: Sequence[Comment], embedded: NDArray[np.float32]
) -> dict[str, tuple[float, float]] | None:
    alone = np.tile(np.array([0, 1], np.float32), (len(embedded), 1))
    weights = perception.fuse(np.zeros_like(embedded), embedded, alone).weight
    if weights is None:
        return None
    found: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for one, weight in zip(comments, weights, strict=True):
        found[one.language][one.kind == NEUTRAL].append(float(weight))
    return {language: (float(np.mean(some)), float(np.mean(none))) for language, (some, none) in found.items()}

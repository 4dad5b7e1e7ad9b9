"""Does what is felt follow the comment when only the comment changes, and the picture when only the picture does?"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import DataError
from a2m_edge.impression.feeling import EMOTIONS
from training.data.embeddings.feeling_set import FeelingSet
from training.trainers.feeling import Predict

Valence = Callable[[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]
"""Embeddings of pictures and of texts, float32 [n, D] each, and whether they are present, float32 [n, 2] of 0 and 1, to
predicted valence, float32 [n]."""

GRIEF = (
    "I feel a grief that will not end.",
    "She is mourning the child she lost.",
    "It reminds me of my mother's funeral, and I could weep.",
    "So much sorrow in this face, it breaks my heart.",
    "I miss him every day, and this brings back the tears.",
    "A widow left alone with her pain.",
    "Everything here speaks of loss and death.",
    "They are burying someone they loved.",
    "My heart aches; there is no comfort left.",
    "He is crying because she will never come back.",
)
"""Ten comments of grief, written for this test."""

JOY = (
    "It makes me laugh out loud, I love it!",
    "What a happy day, full of sunshine and dancing.",
    "I feel pure joy when I see this.",
    "The children are playing and everybody is cheerful.",
    "Such a delightful party, I want to join in.",
    "This makes me smile, it is so bright and full of life.",
    "They are in love and celebrating their wedding.",
    "It reminds me of the best summer of my childhood.",
    "I am thrilled, what wonderful, playful colours!",
    "Everyone looks so glad to be together.",
)
"""Ten comments of joy, written for this test."""

NEUTRAL = (
    "This is a painting.",
    "I am looking at a picture on a wall.",
    "There is a picture in a frame.",
    "This work hangs in a museum.",
    "It is painted on canvas.",
)
"""Comments that say nothing of a feeling, written for this test."""

_GRIEF_WORD = re.compile(
    r"\b(grie[fv]\w*|mourn\w*|weep\w*|wept|sob\w*|cry|cries|cried|crying|tears?|sorrow\w*|heartbr\w+|bereave\w*|"
    r"funeral\w*|widow\w*|loss|lost|death|died|dying|dead)\b"
)
_JOY_WORD = re.compile(
    r"\b(joy\w*|happ(?:y|ier|iest|ily|iness)|cheer\w*|laugh\w*|delight\w*|celebrat\w*|smil\w+|fun|glad\w*|playful\w*|"
    r"merry|gleeful\w*|glee|thrill\w*)\b"
)
_DENIAL = re.compile(
    r"\b(not|no|never|without|nor|none|lack\w*|isn't|doesn't|don't|can't|won't|hardly|un\w*happy)\b|n't"
)
_JOYFUL = [EMOTIONS.index(word) for word in ("amusement", "excitement", "contentment")]
_SAD = EMOTIONS.index("sadness")

FEWEST_UTTERANCES = 3
"""Utterances that a painting needs for its place among the saddest or the happiest to mean anything."""


@dataclass(frozen=True)
class Written:
    """Embeddings of ``GRIEF``, ``JOY`` and ``NEUTRAL``: float32 [10, D], [10, D], [5, D]."""

    grief: NDArray[np.float32]
    joy: NDArray[np.float32]
    neutral: NDArray[np.float32]

    @classmethod
    def embedded(cls, texts: Callable[[Sequence[str]], NDArray[np.float32]]) -> Written:
        """Embedded by a function of texts."""
        return cls(texts(GRIEF), texts(JOY), texts(NEUTRAL))


@dataclass(frozen=True)
class Swap:
    """What happens to predicted valence when one thing alone is exchanged for its opposite.

    Attributes:
        key: a name for code and JSON.
        title: what was exchanged, in words.
        shifts: valence after the exchange minus valence before, float64 [trials]; it should rise.
        deviation: the standard deviation that counts: that of predicted valence over all test utterances that have a
            picture, given picture and comment.
        deviation_alike: that of predicted valence over the same rows, each given only what the trials are given
            (picture and comment again, or the picture alone).
        choices: how many things were drawn from on either side.
    """

    key: str
    title: str
    shifts: NDArray[np.float64]
    deviation: float
    deviation_alike: float
    choices: tuple[int, int]

    @property
    def moved(self) -> float:
        """Share of trials in which valence rises by ``deviation`` or more."""
        return float((self.shifts >= self.deviation).mean())

    @property
    def moved_alike(self) -> float:
        """Share of trials in which valence rises by ``deviation_alike`` or more."""
        return float((self.shifts >= self.deviation_alike).mean())

    @property
    def rising(self) -> float:
        """Share of trials in which valence rises at all."""
        return float((self.shifts > 0).mean())

    @property
    def mean_shift(self) -> float:
        """Mean rise of valence, which lies in [-1, 1]."""
        return float(self.shifts.mean())

    def figures(self) -> dict[str, float]:
        """Everything as numbers."""
        return {
            "moved": self.moved,
            "moved_alike": self.moved_alike,
            "rising": self.rising,
            "mean_shift": self.mean_shift,
            "mean_shift_deviations": self.mean_shift / max(self.deviation, 1e-9),
            "deviation": self.deviation,
            "deviation_alike": self.deviation_alike,
            "trials": float(len(self.shifts)),
        }


def valence_of(predict: Predict) -> Valence:
    """The valence that a feeling head predicts; for ``fusion_predict`` or ``BundlePerception.predict``."""
    return lambda images, texts, present: predict(images, texts, present)[1][:, 0]


def measure_sensitivity(
    valence: Valence, feelings: FeelingSet, written: Written, trials: int = 200, seed: int = 0
) -> list[Swap]:
    """Exchanges only the comment, or only the picture.

    From grief to joy with a picture held: ``comment_written`` draws from ``GRIEF`` and ``JOY``;
    ``comment_expressed`` from held-out utterances of sadness that have a word of grief, and of amusement, excitement
    or contentment that have a word of joy, neither with a denial (``grief_and_joy``); ``comment_emotion`` from all
    utterances of these emotions, whatever they say. From a picture of the saddest tenth to one of the happiest tenth
    of paintings, by their annotators' mean valence, of those with 3 utterances or more: ``picture_alone`` without a
    comment, ``picture_neutral`` with one of ``NEUTRAL`` held.

    Args:
        valence: of an encoder and a fusion, or of a bundle.
        feelings: of the test split, embedded by the same.
        written: embedded by the same.
        trials: of each exchange, each with its own draw.
        seed: of the draws: models are compared on the same ones.

    Raises:
        DataError: the split has too few utterances of a kind, or too few paintings.
    """
    shown = np.flatnonzero(feelings.picture >= 0)
    sad, happy = saddest_and_happiest(feelings)
    grief, joy = grief_and_joy(feelings)
    sadness = np.flatnonzero(feelings.emotion == _SAD)
    joyful = np.flatnonzero(np.isin(feelings.emotion, _JOYFUL))
    if not min(len(grief), len(joy), len(shown)):
        raise DataError("the test split has no utterances of grief, of joy, or of paintings with a picture")
    images, text = feelings.image, feelings.text

    def told(image: NDArray[np.float32], comment: NDArray[np.float32] | None) -> NDArray[np.float64]:
        present = np.ones((len(image), 2), np.float32)
        present[:, 1] = comment is not None
        return valence(image, np.zeros_like(image) if comment is None else comment, present).astype(np.float64)

    held = images[feelings.picture[shown]]
    spread_both, spread_picture = float(told(held, text[shown]).std()), float(told(held, None).std())
    swaps = []
    for number, (key, title, low, high) in enumerate(
        (
            ("comment_written", "comment, ten written ones of grief for ten of joy", written.grief, written.joy),
            ("comment_expressed", "comment, held-out words of grief for words of joy", text[grief], text[joy]),
            ("comment_emotion", "comment, any of sadness for any of a joyful emotion", text[sadness], text[joyful]),
        )
    ):
        generator = np.random.default_rng([21, seed, number])
        picture = images[feelings.picture[generator.choice(shown, trials)]]
        before = told(picture, low[generator.integers(len(low), size=trials)])
        after = told(picture, high[generator.integers(len(high), size=trials)])
        swaps.append(Swap(key, title, after - before, spread_both, spread_both, (len(low), len(high))))
    generator = np.random.default_rng([22, seed])
    from_picture, to_picture = images[generator.choice(sad, trials)], images[generator.choice(happy, trials)]
    neutral = written.neutral[generator.integers(len(written.neutral), size=trials)]
    for key, title, comment, alike in (
        ("picture_alone", "picture, saddest tenth for happiest, no comment", None, spread_picture),
        ("picture_neutral", "picture, saddest tenth for happiest, a neutral comment held", neutral, spread_both),
    ):
        shifts = told(to_picture, comment) - told(from_picture, comment)
        swaps.append(Swap(key, title, shifts, spread_both, alike, (len(sad), len(happy))))
    return swaps


def grief_and_joy(feelings: FeelingSet) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows whose utterances express grief (sadness, with a word of it), and joy; none that denies anything."""
    plain = [None if _DENIAL.search(words.lower()) else words.lower() for words in feelings.words]
    grief = [words is not None and _GRIEF_WORD.search(words) is not None for words in plain]
    joy = [words is not None and _JOY_WORD.search(words) is not None for words in plain]
    return (
        np.flatnonzero(np.array(grief) & (feelings.emotion == _SAD)),
        np.flatnonzero(np.array(joy) & np.isin(feelings.emotion, _JOYFUL)),
    )


def saddest_and_happiest(feelings: FeelingSet) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of ``image`` in the lowest and the highest tenth of the annotators' mean valence.

    Raises:
        DataError: fewer than ten paintings have 3 utterances or more.
    """
    paintings, mean_valence = feelings.painting_valence()
    count = np.bincount(feelings.picture[feelings.picture >= 0], minlength=len(feelings.image))[paintings]
    enough = count >= FEWEST_UTTERANCES
    paintings, mean_valence = paintings[enough], mean_valence[enough]
    tenth = len(paintings) // 10
    if not tenth:
        raise DataError(f"only {len(paintings)} paintings have {FEWEST_UTTERANCES} utterances: at least 10 are needed")
    order = np.argsort(mean_valence, kind="stable")
    return paintings[order[:tenth]], paintings[order[-tenth:]]

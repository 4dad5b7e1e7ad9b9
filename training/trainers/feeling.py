"""How well an encoder and a fusion predict what people felt, on paintings that neither has seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from a2m_edge.impression.feeling import EMOTIONS, NEGATIVE_EMOTIONS, POSITIVE_EMOTIONS
from training.data.embeddings.feeling_set import FeelingSet
from training.models.fusion import Fusion

_POSITIVE = [EMOTIONS.index(word) for word in POSITIVE_EMOTIONS]
_NEGATIVE = [EMOTIONS.index(word) for word in NEGATIVE_EMOTIONS]


MANY_UTTERANCES = 30
"""Utterances from which on a painting's mean valence depends little on who happened to be asked."""

CALIBRATION_BINS = 15

Predict = Callable[
    [NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]
]
"""Embeddings of pictures and of texts, float32 [n, D] each, and whether they are present, float32 [n, 2] of 0 and 1, to
probabilities of ``EMOTIONS``, float32 [n, 9], and valence and arousal in [-1, 1], float32 [n, 2]."""


@dataclass(frozen=True)
class Reliability:
    """How sure a feeling head is and how often it is right, in bins of (nearly) equally many rows, by confidence.

    Attributes:
        confidence: mean probability of the likeliest emotion, float64 [bins].
        accuracy: share of rows in which that emotion was felt, float64 [bins].
        count: rows, int64 [bins].
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    count: NDArray[np.int64]

    @property
    def error(self) -> float:
        """Expected calibration error: the mean of |accuracy - confidence| over the bins, weighted by their rows."""
        return float(np.average(np.abs(self.accuracy - self.confidence), weights=self.count))


@dataclass(frozen=True)
class FeelingMeasures:
    """Everything that is measured of a feeling head; the mappings have the keys both, comment, picture and all.

    Attributes:
        scores: see ``score_feelings``.
        confusion: int64 [9, 9], rows what was felt, columns what was told.
        reliability: see ``Reliability``.
    """

    scores: dict[str, float]
    confusion: dict[str, NDArray[np.int64]]
    reliability: dict[str, Reliability]


def score_feelings(fusion: Fusion, feelings: FeelingSet) -> dict[str, float]:
    """Scores of a fusion in eval mode.

    Returns:
        For ``both`` (rows with a picture, picture and comment), ``comment`` (all rows, comment alone), ``picture``
        (rows with a picture, picture alone) and ``all`` (all rows, with the picture where there is one):
        ``<which>_accuracy`` of nine emotions, ``<which>_macro_f1`` (the mean of F1 over the emotions that were felt),
        ``<which>_sign_accuracy`` of positive against negative words ("something else" left out; a row is called
        positive if the four positive words together are likelier), ``<which>_calibration_error`` (see
        ``reliability``), ``<which>_n``; then ``commonest_accuracy`` of always telling the commonest emotion, and for
        painting alone ``painting_valence_r`` (correlation with the annotators' mean valence) over ``painting_n``
        paintings, and ``painting_valence_r_30`` over the ``painting_n_30`` with 30 or more utterances. What cannot be
        told from so few rows is left out.
    """
    return measure_feelings(fusion_predict(fusion), feelings).scores


def measure_feelings(predict: Predict, feelings: FeelingSet) -> FeelingMeasures:
    """What ``score_feelings`` measures, for any feeling head, with the tables behind it."""
    shown = feelings.picture >= 0
    images = np.zeros_like(feelings.text)
    images[shown] = feelings.image[feelings.picture[shown]]
    everything = np.ones(len(shown), bool)
    measures = FeelingMeasures({}, {}, {})
    scores = measures.scores
    for which, rows, present in (
        ("both", shown, np.stack([shown, everything], 1)),
        ("comment", everything, np.stack([~everything, everything], 1)),
        ("picture", shown, np.stack([shown, ~everything], 1)),
        ("all", everything, np.stack([shown, everything], 1)),
    ):
        scores[f"{which}_n"] = float(rows.sum())
        if not rows.any():
            continue
        chances = predict(images[rows], feelings.text[rows], present[rows].astype(np.float32))[0]
        truth = feelings.emotion[rows]
        scores[f"{which}_accuracy"] = float((chances.argmax(1) == truth).mean())
        signed = np.isin(truth, _POSITIVE + _NEGATIVE)
        positive = chances[:, _POSITIVE].sum(1) > chances[:, _NEGATIVE].sum(1)
        if signed.any():
            scores[f"{which}_sign_accuracy"] = float((positive == np.isin(truth, _POSITIVE))[signed].mean())
        measures.confusion[which] = confusion(truth, chances.argmax(1))
        scores[f"{which}_macro_f1"] = macro_f1(measures.confusion[which])
        measures.reliability[which] = reliability(truth, chances)
        scores[f"{which}_calibration_error"] = measures.reliability[which].error
    scores["commonest_accuracy"] = float(np.bincount(feelings.emotion).max() / len(feelings.emotion))
    paintings, mean_valence = feelings.painting_valence()
    valence = _picture_valence(predict, feelings.image[paintings])
    often = np.bincount(feelings.picture[shown], minlength=len(feelings.image))[paintings] >= MANY_UTTERANCES
    for ending, chosen in (("", np.ones(len(paintings), bool)), (f"_{MANY_UTTERANCES}", often)):
        scores[f"painting_n{ending}"] = float(chosen.sum())
        if chosen.sum() > 2 and valence[chosen].std() > 0 and mean_valence[chosen].std() > 0:
            correlation = np.corrcoef(valence[chosen], mean_valence[chosen])[0, 1]
            scores[f"painting_valence_r{ending}"] = float(correlation)
    return measures


def fusion_predict(fusion: Fusion) -> Predict:
    """The feeling head of a fusion in eval mode, on its device."""
    device = next(fusion.parameters()).device

    @torch.no_grad()
    def predict(
        images: NDArray[np.float32], texts: NDArray[np.float32], present: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        told = fusion(*(torch.from_numpy(part).to(device) for part in (images, texts, present)))
        return told[1].softmax(1).cpu().numpy(), told[2].cpu().numpy()

    return predict


def confusion(truth: NDArray[np.int64], told: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each emotion was felt (rows) and told (columns): int64 [9, 9]."""
    kinds = len(EMOTIONS)
    return np.bincount(truth * kinds + told, minlength=kinds * kinds).reshape(kinds, kinds)


def macro_f1(table: NDArray[np.int64]) -> float:
    """The mean of F1 = 2 hits / (felt + told) over the emotions that were felt, from a confusion table [k, k]."""
    felt, told = table.sum(1), table.sum(0)
    f1 = 2 * table.diagonal() / np.maximum(felt + told, 1)
    return float(f1[felt > 0].mean())


def reliability(truth: NDArray[np.int64], chances: NDArray[np.float32], bins: int = CALIBRATION_BINS) -> Reliability:
    """How far a feeling head's confidence can be believed.

    The expected calibration error of the likeliest class (Guo et al. 2017, arXiv 1706.04599), in bins of equally many
    rows (Nixon et al. 2019, arXiv 1904.01685) rather than of equal width, of which most would be nearly empty.

    Args:
        truth: what was felt, int64 [n], n > 0.
        chances: probabilities, float32 [n, emotions].
        bins: how many; each row has its own where there are fewer rows.
    """
    confidence = chances.max(1).astype(np.float64)
    hits = chances.argmax(1) == truth
    parts = np.array_split(np.argsort(confidence, kind="stable"), min(bins, len(truth)))
    return Reliability(
        np.array([confidence[part].mean() for part in parts]),
        np.array([hits[part].mean() for part in parts]),
        np.array([len(part) for part in parts]),
    )


def _picture_valence(predict: Predict, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Valence of pictures alone: float32 [n]."""
    alone = np.tile(np.array([1, 0], np.float32), (len(images), 1))
    return predict(images, np.zeros_like(images), alone)[1][:, 0]

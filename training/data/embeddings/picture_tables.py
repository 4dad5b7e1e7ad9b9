"""What the runtime knows of paintings as a whole, fitted: ``pictures.json`` of a bundle."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from a2m_edge.errors import DataError
from a2m_edge.impression.cues import Cues
from a2m_edge.impression.feeling import EMOTION_SIGNS, EMOTIONS, Feeling
from a2m_edge.perception.painting import measure
from a2m_edge.perception.picture_tables import PictureTables, Spread
from training.data.embeddings.embed import embed_pictures
from training.data.tables.feelings import (
    EMOTION_AROUSAL,
    Picture,
    PictureArchive,
    Utterance,
    read_paintings,
    read_utterances,
)
from training.models.encoder_model import EncoderModel
from training.models.fusion import Fusion

QUANTILES = 41
"""Values of each distribution; the tables stay small, and no step of a rank is above a fortieth."""

ENOUGH_UTTERANCES = 5
"""Utterances from which on a painting's mean counts as people's."""

_SHARES = np.linspace(0.0, 1.0, 11)
"""Shares of the logarithm of a word's frequency that are tried."""

_MOST_LOST = 0.02
"""Accuracy over utterances that a better balance may cost."""

Show = Callable[[Iterable[Picture], str, int], Iterable[Picture]]


@torch.inference_mode()
def fit_picture_tables(data: Path, encoder: EncoderModel, fusion: Fusion, show: Show) -> PictureTables:
    """Fits the tables to the training paintings; the shift of words is chosen on the validation paintings.

    What is told of pictures alone is taken over all training paintings, whether or not anybody spoke of them, and what
    is felt over all whose means are people's, whether or not there is a picture: each distribution by itself.

    Args:
        data: folder with ``paintings.zip``, ``paintings.csv`` and ``artemis.csv``.
        encoder, fusion: trained models.
        show: passes pictures on and shows the progress.

    Raises:
        DataError: the data are missing or not what they should be, or too few.
    """
    utterances = read_utterances(data)
    felt = _people(utterances)
    spoken = {each.picture for each in utterances if each.split == "val"}
    paintings = [each for each in read_paintings(data) if each.split == "train" or each.file in spoken]
    training = np.array([each.split == "train" for each in paintings], bool)
    if training.sum() < QUANTILES or len(felt) < QUANTILES or training.all():
        raise DataError(f"{data} holds too few paintings: {QUANTILES} are needed to fit, and some of val to choose by")
    archive = PictureArchive.of(data / "paintings.zip", encoder.image_preprocessing)
    cues = np.array(
        [
            dataclasses.astuple(measure(np.asarray(archive.whole(each))))
            for each in show([each for each in paintings if each.split == "train"], "paintings", int(training.sum()))
        ]
    )
    images = torch.from_numpy(embed_pictures(encoder, archive, paintings))
    _, logits, feelings, *_ = fusion.eval()(
        images, torch.zeros_like(images), torch.tensor([[1.0, 0.0]]).expand(len(images), 2)
    )
    told, chances = feelings.numpy(), logits.softmax(1).numpy()
    tables = PictureTables(
        cues={
            name: _quantiles(known)
            for name, values in zip(Cues.names(), cues.T, strict=True)
            if len(known := values[~np.isnan(values)])
        },
        valence=Spread(_quantiles(told[training, 0]), _quantiles(felt[:, 0])),
        arousal=Spread(_quantiles(told[training, 1]), _quantiles(felt[:, 1])),
    )
    places = {each.file: place for place, each in enumerate(paintings)}
    said = [
        (Feeling(chances[places[each.picture]], *map(float, told[places[each.picture]])), each.emotion)
        for each in utterances
        if each.split == "val" and each.picture in places
    ]
    return dataclasses.replace(tables, word_shift=_word_shift(tables, utterances, said))


def _people(utterances: Sequence[Utterance]) -> NDArray[np.float64]:
    """Mean valence and arousal of each training painting of which enough was said: float64 [n, 2].

    Of n utterances a mean has few values: each is moved within the step between two of them, so that the distribution
    is a smooth one.
    """
    by_painting: dict[str, list[int]] = defaultdict(list)
    for each in utterances:
        if each.split == "train":
            by_painting[each.painting].append(each.emotion)
    generator = np.random.default_rng(0)
    means = []
    for _, emotions in sorted(by_painting.items()):
        if len(emotions) >= ENOUGH_UTTERANCES:
            mean = np.array([EMOTION_SIGNS[emotions].mean(), EMOTION_AROUSAL[emotions].mean()], np.float64)
            means.append(np.clip(mean + generator.uniform(-0.5, 0.5, 2) / len(emotions), -1.0, 1.0))
    return np.array(means).reshape(-1, 2)


def _word_shift(
    tables: PictureTables, utterances: Sequence[Utterance], said: Sequence[tuple[Feeling, int]]
) -> tuple[float, ...]:
    """A share of the words' log frequencies: the one of the best balanced accuracy that costs little of the plain one.

    Args:
        tables: without a shift.
        utterances: their training split says how frequent the words are.
        said: what is told of a picture alone, and the emotion that somebody felt before it.
    """
    counts = np.bincount([each.emotion for each in utterances if each.split == "train"], minlength=len(EMOTIONS))
    frequency = np.log(np.maximum(counts, 1) / counts.sum())
    truth = np.array([emotion for _, emotion in said])
    found = []
    for share in _SHARES:
        shifted = dataclasses.replace(tables, word_shift=tuple(round(float(each), 4) for each in share * frequency))
        hits = np.array([EMOTIONS[emotion] == shifted.seen(feeling).word for feeling, emotion in said])
        balanced = float(np.mean([hits[truth == emotion].mean() for emotion in np.unique(truth)]))
        found.append((float(hits.mean()), balanced, shifted.word_shift))
    enough = found[0][0] - _MOST_LOST
    return max((each for each in found if each[0] >= enough), key=lambda each: each[1])[2]


def _quantiles(values: NDArray[np.floating]) -> tuple[float, ...]:
    """Evenly spaced from the least to the greatest."""
    return tuple(round(float(each), 5) for each in np.quantile(values, np.linspace(0.0, 1.0, QUANTILES)))

"""What the runtime knows of paintings as a whole, fitted: ``pictures.json`` of a bundle."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
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

_SHARES = np.linspace(0.0, 1.0, 21)
"""Shares of the logarithm of a word's frequency that are tried."""

MOST_OF_ONE_WORD = 0.38
"""Share of the validation paintings that may be called by one and the same word."""

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
    paintings = [each for each in read_paintings(data) if each.split in ("train", "val")]
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
    alone = [Feeling(chances[row], *map(float, told[row])) for row in np.flatnonzero(~training)]
    return dataclasses.replace(tables, word_shift=_word_shift(tables, utterances, alone))


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


def _word_shift(tables: PictureTables, utterances: Sequence[Utterance], told: Sequence[Feeling]) -> tuple[float, ...]:
    """A share of the words' log frequencies: the least by which no word is told of too many paintings.

    The larger the share, the better the balanced accuracy, and the seldomer the word that most people chose: it is the
    price of words that tell paintings apart, and no more is paid than is needed.

    Args:
        tables: without a shift.
        utterances: their training split says how frequent the words are.
        told: what is told of each validation painting alone.
    """
    counts = np.bincount([each.emotion for each in utterances if each.split == "train"], minlength=len(EMOTIONS))
    frequency = np.log(np.maximum(counts, 1) / counts.sum())
    shift: tuple[float, ...] = ()
    for share in _SHARES:
        shift = tuple(round(float(each), 4) for each in share * frequency)
        shifted = dataclasses.replace(tables, word_shift=shift)
        words = Counter(shifted.seen(feeling).word for feeling in told)
        if words.most_common(1)[0][1] <= MOST_OF_ONE_WORD * len(told):
            break
    return shift


def _quantiles(values: NDArray[np.floating]) -> tuple[float, ...]:
    """Evenly spaced from the least to the greatest."""
    return tuple(round(float(each), 5) for each in np.quantile(values, np.linspace(0.0, 1.0, QUANTILES)))

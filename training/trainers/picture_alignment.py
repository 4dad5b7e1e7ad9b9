"""Puts pictures beside what was said of them: which pictures, how often, and how much each counts.

How the projection is computed from that stands in ``training.trainers.picture_projection``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from a2m_edge.impression.feeling import EMOTION_SIGNS
from training.data.embeddings.embed import embed_texts
from training.data.embeddings.encoder_data import EncoderData
from training.data.tables.disturbed import Disturbance, DisturbedPictures
from training.models.encoder_model import EncoderModel
from training.trainers.picture_projection import Mood, PictureProjection

UTTERANCES_DOUBTED = 5.0
"""Utterances that a painting's mean doubts."""

PHOTOGRAPH_WEIGHT = 0.25
"""How much the norms of a photograph count beside a painting of which many spoke. They help to tell the valence of
paintings, and hinder to tell their arousal, so that they are learned for the one alone."""

DISTURBANCES: tuple[Disturbance, ...] = ("grain", "palette")
VIEWS = 1 + len(DISTURBANCES)
"""How often each picture with utterances is learned from: as it is, and as worse cameras and files show it."""


def look_at_pictures(
    pictures: PictureProjection, data: EncoderData, felt: Sequence[int], features: Path | None = None
) -> None:
    """Sees paintings and photographs, then the paintings of which something was said, disturbed in each way.

    Args:
        pictures: sees; its rows are the paintings of ``data``, the photographs, and the disturbed ones.
        data: with archives.
        felt: numbers of the paintings of the training split of which something was said.
        features: file that keeps what was seen; None sees anew each time.

    Raises:
        DataError: a picture or the file cannot be read.
    """
    shown = [data.paintings[row] for row in felt]
    disturbed = [(DisturbedPictures(data.painting_archive, how), shown) for how in DISTURBANCES]
    pictures.look(
        ((data.painting_archive, data.paintings), (data.photograph_archive, data.photographs), *disturbed), features
    )


@torch.no_grad()
def align_pictures(
    model: EncoderModel,
    pictures: PictureProjection,
    data: EncoderData,
    felt: Sequence[int],
    named: Sequence[int],
    device: torch.device,
) -> None:
    """Computes the projection of the pictures anew, from what was said of them (``PictureProjection.align``).

    Args:
        model: whose texts they are put beside.
        pictures: has looked (``look_at_pictures``); is changed in place.
        data: what was said, and felt.
        felt, named: numbers of the paintings of the training split with utterances, and of those without.
        device: where to compute.

    Raises:
        OptionError: no picture has utterances to learn from, or the projection is not one linear layer.
    """
    said = [data.painting_utterances[data.paintings[row].file] for row in felt]
    embeddings = torch.from_numpy(embed_texts(model, [text for texts in said for text in texts], device)).to(device)
    means = [some.mean(0) for some in embeddings.split([len(texts) for texts in said])]
    views = _felt_views(data, felt)
    pictures.align(
        views,
        torch.stack(means * VIEWS) if means else embeddings,
        embeddings,
        [*felt, *named],
        _moods(data, felt, views, device),
    )


def _felt_views(data: EncoderData, felt: Sequence[int]) -> list[int]:
    """The rows of pictures of which something was said, then of the same ones disturbed in each way."""
    first = len(data.paintings) + len(data.photographs)
    return [*felt, *range(first, first + len(DISTURBANCES) * len(felt))]


def _moods(data: EncoderData, felt: Sequence[int], views: Sequence[int], device: torch.device) -> tuple[Mood, Mood]:
    """Valence and arousal of the training pictures, as people felt them."""
    said: dict[str, list[int]] = {}
    for number, utterance in enumerate(data.utterances):
        said.setdefault(utterance.picture, []).append(number)
    spoken = [said[data.paintings[row].file] for row in felt]
    weight = [len(numbers) / (len(numbers) + UTTERANCES_DOUBTED) for numbers in spoken]
    valence = [float(EMOTION_SIGNS[[data.utterances[number].emotion for number in each]].mean()) for each in spoken]
    arousal = [float(data.arousal[each].mean()) for each in spoken]
    photographs = range(len(data.paintings), len(data.paintings) + len(data.norms))

    def mood(rows: Sequence[int], feeling: Sequence[float], weights: Sequence[float]) -> Mood:
        return Mood(rows, *(torch.tensor(each, dtype=torch.float32, device=device) for each in (feeling, weights)))

    return (
        mood(
            [*views, *photographs],
            [*(valence * VIEWS), *data.norms[:, 0]],
            [*(weight * VIEWS), *([PHOTOGRAPH_WEIGHT] * len(photographs))],
        ),
        mood(views, arousal * VIEWS, weight * VIEWS),
    )

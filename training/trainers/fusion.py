"""Trains the fusion on embeddings of a finished encoder: feelings from ArtEmis, palettes from matched captions.

Who plays a feeling is taken from the archetypes of ``training.data.caption_palette`` and, where an utterance was
matched with a caption of music (ArtiCaps), in part from that caption. Sides are dropped at random, so that a
picture alone and a comment alone are learned too.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import AdamW

from a2m_edge.errors import DataError
from training import parallel
from training.data.caption_palette import caption_palette, palette_prior
from training.data.feeling_set import FeelingSet, embed_feelings
from training.data.realisation import read_captions
from training.evaluation.feeling import score_feelings
from training.models.encoders import load_encoder
from training.models.fusion import Fusion, FusionConfig
from training.precision import half_precision
from training.trainer import RunOptions, choose_device, optimise, run_training, warm_cosine

EMOTION_POINTS: NDArray[np.float32] = np.array(
    [
        [0.7, 0.6],  # amusement
        [0.3, 0.35],  # awe
        [0.6, -0.5],  # contentment
        [0.7, 0.85],  # excitement
        [-0.6, 0.85],  # anger
        [-0.55, 0.4],  # disgust
        [-0.6, 0.2],  # fear
        [-0.75, -0.5],  # sadness
        [0.0, -0.1],  # something else
    ],
    np.float32,
)
"""Where the palette of each of ``EMOTIONS`` is looked up in the plane of valence and arousal."""

MATCHED_SHARE = 0.3
"""Share of a matched caption in a palette: captions know many guitars and basses, archetypes sound apart."""

PICTURE_NOISE = 3.0
"""Noise on the embeddings of pictures in training, as a multiple of the size of their components.

There are few pictures with feelings and many utterances: without it the pictures are learned by heart.
"""

DROPPED = (0.45, 0.2, 0.32, 0.03)
"""Share of rows with a picture that are shown both sides, the picture alone, the comment alone, and neither."""

LARGEST_GRADIENT = 1.0


class FusionTraining:
    """The step and the validation of a fusion's training.

    Args:
        fusion: trained in place.
        train: what it learns from.
        held: what it is validated on.
        palettes: for each utterance of ``train`` the weights float32 [rows, roles, instruments] of who plays it.
        rooms: for each utterance of ``train`` the size of the room, float32 [rows].
        seed: of the order of the data; every step draws from ``(seed, step)`` and torch's own generator.
        batch: utterances in a step.
        device: where to compute.
        clip: largest norm of a step's gradients, 0 for any.

    Raises:
        OptionError: the batch is smaller than the number of processes.
    """

    def __init__(
        self,
        fusion: Fusion,
        train: FeelingSet,
        held: FeelingSet,
        palettes: NDArray[np.float32],
        rooms: NDArray[np.float32],
        *,
        seed: int = 0,
        batch: int = 256,
        device: torch.device | None = None,
        clip: float = LARGEST_GRADIENT,
    ) -> None:
        parallel.need_rows(batch)
        self._clip = clip
        self._device = device or torch.device("cpu")
        self._fusion = fusion.to(self._device)
        self._train, self._held, self._seed, self._batch = train, held, seed, batch
        self._palettes, self._rooms = palettes, rooms
        self._shown = np.flatnonzero(train.picture >= 0)
        # A painting of which fifty people spoke is one picture to learn from, as is one of which five did.
        spoken = np.bincount(train.picture[self._shown], minlength=len(train.image))
        weights = 1 / spoken[train.picture[self._shown]]
        self._chances = weights / weights.sum()
        self.optimiser = AdamW(fusion.parameters(), lr=5e-4, weight_decay=0.05)

    def step(self, number: int) -> dict[str, float]:
        """One optimiser step."""
        self._fusion.train()
        random = np.random.default_rng((self._seed, number))
        losses = self._losses(random)
        if len(self._train.norms):
            losses |= self._photograph_losses(random)
        total = torch.stack(list(losses.values())).sum()
        optimise(total, self.optimiser, self._clip)
        return {"loss": total.item()} | {name: loss.item() for name, loss in losses.items()}

    def validate(self) -> dict[str, float]:
        """The scores of ``score_feelings`` that matter, on the held rows."""
        scores = score_feelings(self._fusion, self._held)
        kept = ("both_accuracy", "both_sign_accuracy", "all_accuracy", "picture_accuracy", "painting_valence_r")
        return {name: scores[name] for name in kept if name in scores}

    def _losses(self, random: np.random.Generator) -> dict[str, Tensor]:
        data = self._train
        rows = random.integers(0, len(data.text), self._batch)
        if len(self._shown):
            # Few utterances have a picture: they make up half of each batch.
            half = self._batch // 2
            rows[:half] = random.choice(self._shown, half, p=self._chances)
        shown = data.picture[rows] >= 0
        image = np.zeros((len(rows), data.text.shape[1]), np.float32)
        image[shown] = self._noisy(data.image[data.picture[rows][shown]], random)
        sides = np.array([[1, 1], [1, 0], [0, 1], [0, 0]])[random.choice(4, len(rows), p=DROPPED)]
        present = np.where(shown[:, None], sides, np.array([0, 1])).astype(np.float32)
        _, logits, feeling, palette, room = self._told(image, data.text[rows], present)
        targets = self._moved(self._palettes[rows])
        return {
            "emotion": F.cross_entropy(logits, self._moved(data.emotion[rows])),
            "feeling": F.mse_loss(feeling, self._moved(data.feeling[rows])),
            # The entropy of the targets is taken off, so that 0 is a perfect fit.
            "palette": (targets * (targets.log() - palette.log_softmax(-1))).sum(-1).mean(),
            "room": F.mse_loss(room[:, 0], self._moved(self._rooms[rows])),
        }

    def _photograph_losses(self, random: np.random.Generator) -> dict[str, Tensor]:
        data = self._train
        rows = random.integers(0, len(data.norms), self._batch // 8)
        image = self._noisy(data.photograph[rows], random)
        alone = np.tile(np.array([1, 0], np.float32), (len(rows), 1))
        feeling = self._told(image, np.zeros_like(image), alone)[2]
        return {"photograph": 0.25 * F.mse_loss(feeling, self._moved(data.norms[rows]))}

    def _told(self, *given: NDArray[np.float32]) -> tuple[Tensor, ...]:
        """What the fusion tells of a batch, each process having computed its share."""
        rows = len(given[0])
        own = parallel.share(rows)
        with half_precision(self._device):
            told = self._fusion(*(self._moved(side[own]) for side in given))
        return tuple(parallel.gather(part.float(), rows) for part in told)

    @staticmethod
    def _noisy(embeddings: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
        size = PICTURE_NOISE / embeddings.shape[1] ** 0.5
        return np.asarray(embeddings + size * random.standard_normal(embeddings.shape, np.float32), np.float32)

    def _moved(self, array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)


def palette_targets(
    feelings: FeelingSet, matched: Mapping[str, tuple[NDArray[np.float32], float]] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Who should play each utterance, and in how large a room.

    Args:
        feelings: of the utterances.
        matched: by utterance the palette and room of the caption it was matched with.

    Returns:
        float32 [rows, roles, instruments], every row of instruments sums to 1; float32 [rows].
    """
    # Words move the point about that of the emotion: the arousal of the utterance against its emotion's own.
    points = EMOTION_POINTS[feelings.emotion].copy()
    points[:, 1] = (0.7 * points[:, 1] + 0.3 * feelings.feeling[:, 1]).clip(-1, 1)
    prior = cache(palette_prior)
    palettes, rooms = [], []
    for (valence, arousal), words in zip(np.round(points.astype(float), 2).tolist(), feelings.words, strict=True):
        palette, room = prior(valence, arousal)
        if matched and words in matched:
            named, size = matched[words]
            palette = np.asarray((1 - MATCHED_SHARE) * palette + MATCHED_SHARE * named, np.float32)
            room = (1 - MATCHED_SHARE) * room + MATCHED_SHARE * size
        palettes.append(palette)
        rooms.append(room)
    return np.stack(palettes), np.array(rooms, np.float32)


def read_matches(articaps: Path, musiccaps: Path) -> dict[str, tuple[NDArray[np.float32], float]]:
    """Palette and room of the caption that each utterance of ``articaps.csv`` was matched with, by utterance.

    Raises:
        DataError: a table cannot be read.
    """
    captions = {caption.clip: caption_palette(caption.aspects, caption.text) for caption in read_captions(musiccaps)}
    try:
        with articaps.open(encoding="utf-8", newline="") as file:
            return {row["utterance"]: captions[row["clip"]] for row in csv.DictReader(file)}
    except (OSError, KeyError, csv.Error) as error:
        raise DataError(f"the pairs {articaps} cannot be read ({error!r}): run  a2m-edge data build") from error


def train_fusion(
    options: RunOptions,
    *,
    data: Path,
    encoder: str | Path,
    articaps: Path | None = None,
    embeddings: Path | None = None,
    most: int | None = None,
    batch: int = 256,
    dropout: float = FusionConfig.dropout,
) -> None:
    """Trains a fusion on a finished encoder and writes its checkpoint into ``options.out``.

    Args:
        options: of the run.
        data: folder of ``artemis.csv``, ``paintings.zip``, ``oasis.zip``, ``musiccaps.csv`` and their tables.
        encoder: what ``load_encoder`` takes.
        articaps: ``articaps.csv`` that ``a2m-edge data build`` wrote.
        embeddings: folder that ``a2m-edge data embed`` wrote with this encoder; without it the embeddings are
            computed, and kept in ``options.out``.
        most: utterances to learn from at most.
        batch: utterances in a step.
        dropout: share of the inner values dropped, in [0, 1).

    Raises:
        CheckpointError, DataError, DeviceError, OptionError: see ``load_encoder``, ``embed_feelings`` and
            ``run_training``.
    """
    parallel.need_rows(batch)
    torch.manual_seed(options.seed)
    device = choose_device(options.device)
    model = load_encoder(encoder)
    with parallel.first_before_others():
        sets = embed_feelings(
            model, data, ["train", "val"], most=most, device=device, cache=options.out, embeddings=embeddings
        )
    matched = read_matches(articaps, data / "musiccaps.csv") if articaps else None
    palettes, rooms = palette_targets(sets["train"], matched)
    fusion = Fusion(FusionConfig(embedding_size=model.embedding_size, dropout=dropout))
    training = FusionTraining(
        fusion,
        sets["train"],
        sets["val"],
        palettes,
        rooms,
        seed=options.seed,
        batch=batch,
        device=device,
        clip=options.clip_or(LARGEST_GRADIENT),
    )
    run_training(
        options,
        models={"fusion": fusion},
        optimisers={"adamw": training.optimiser},
        schedule=warm_cosine(),
        step=training.step,
        validate=training.validate,
        save=fusion.save,
    )

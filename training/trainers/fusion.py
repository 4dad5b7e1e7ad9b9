"""Trains the fusion on embeddings of a finished encoder: feelings from ArtEmis, palettes from matched captions.

Who plays is taken from what the fusion itself feels (``training.trainers.palette``). Sides are dropped at random, so
that a picture alone and a comment alone are learned too.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import AdamW

from a2m_edge.errors import CheckpointError, OptionError
from training import parallel
from training.data.embeddings.comment_set import CommentSet, embed_comments
from training.data.embeddings.embed import embed_texts
from training.data.embeddings.feeling_set import FeelingSet, embed_feelings
from training.losses import chosen_mean
from training.models.encoders import load_encoder, require_trained
from training.models.fingerprint import weights_hash
from training.models.fusion import Fusion, FusionConfig, load_fusion, require_encoder
from training.precision import half_precision
from training.trainer import RunOptions, choose_device, optimise, run_training, warm_cosine
from training.trainers.feeling import score_feelings
from training.trainers.palette import MatchedPalette, palette_targets, read_matches

PICTURE_NOISE = 3.0
"""Noise on the embeddings of pictures in training, as a multiple of the size of their components.

There are few pictures with feelings and many utterances: without it the pictures are learned by heart.
"""

DROPPED = (0.45, 0.2, 0.32, 0.03)
"""Share of rows with a picture that are shown both sides, the picture alone, the comment alone, and neither."""

LARGEST_GRADIENT = 1.0

KEPT = 4.0
"""Weight of holding comments in place; fused values are of the order of 1."""

COMMENTS = 0.5
"""Comments of visitors in a step, in shares of the utterances."""

OWN = 0.8
"""How much of what is felt before a picture and a comment is the comment's, where the two have nothing to do with each
other: the rest is of the picture."""


@dataclass(frozen=True)
class Former:
    """A finished fusion, and the utterances as the encoder that it was trained on embeds them.

    Attributes:
        fusion: in eval mode.
        text: float32 [utterances, D], of the utterances to learn from, in their order.
    """

    fusion: Fusion
    text: NDArray[np.float32]


class FusionTraining:
    """The step and the validation of a fusion's training.

    Args:
        fusion: trained in place.
        train: what it learns from.
        held: what it is validated on.
        matched: by utterance who plays it and in how large a room, as a matched caption says; see ``read_matches``.
        comments: of visitors, of which the fusion learns, too, and by which one that weighs learns how much each says.
        former: what it made of comments is held in place, so that a decoder that was trained with it still fits.
        palette_only: train only who plays and in how large a room; all else stays as it is.
        pictures_only: train only what is made of pictures: heads stay as they are, and what is made of comments alone
            is held in place, so that a decoder that was trained with this fusion still fits.
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
        matched: Mapping[str, MatchedPalette] | None = None,
        *,
        comments: CommentSet | None = None,
        former: Former | None = None,
        palette_only: bool = False,
        pictures_only: bool = False,
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
        self._matched = [(matched or {}).get(words) for words in train.words]
        self._shown = np.flatnonzero(train.picture >= 0)
        # A painting of which fifty people spoke is one picture to learn from, as is one of which five did.
        spoken = np.bincount(train.picture[self._shown], minlength=len(train.image))
        weights = 1 / spoken[train.picture[self._shown]]
        self._chances = weights / weights.sum()
        self._palette_only = palette_only
        self._visitors = comments
        if pictures_only:
            former = Former(deepcopy(fusion), train.text)
        self._former = former and Former(former.fusion.to(self._device).eval().requires_grad_(False), former.text)
        self._felt = _picture_feelings(train)
        if palette_only or pictures_only:
            deciding = {*fusion.palette_head.parameters(), *fusion.room_head.parameters()}
            mixing = {fusion.absent_text, *(p for part in _mixing(fusion) for p in part.parameters())}
            for parameter in fusion.parameters():
                parameter.requires_grad_(parameter in (deciding if palette_only else mixing))
        trained = [parameter for parameter in fusion.parameters() if parameter.requires_grad]
        self.optimiser = AdamW(trained, lr=5e-4, weight_decay=0.05)

    def step(self, number: int) -> dict[str, float]:
        """One optimiser step."""
        # Heads that are trained alone learn from the outputs of the finished fusion, nothing dropped.
        self._fusion.train(not self._palette_only)
        random = np.random.default_rng((self._seed, number))
        losses = self._losses(random)
        if len(self._train.norms) and not self._palette_only:
            losses |= self._photograph_losses(random)
        if self._former is not None:
            losses |= self._kept_losses(self._former, random)
        if self._visitors is not None and not self._palette_only:
            losses |= self._comment_losses(self._visitors, random)
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
        palettes, rooms = palette_targets(feeling.detach().cpu().numpy(), [self._matched[row] for row in rows])
        targets = self._moved(palettes)
        losses = {
            # The entropy of the targets is taken off, so that 0 is a perfect fit.
            "palette": (targets * (targets.log() - palette.log_softmax(-1))).sum(-1).mean(),
            "room": F.mse_loss(room[:, 0], self._moved(rooms)),
        }
        if self._palette_only:
            return losses
        return losses | {
            "emotion": F.cross_entropy(logits, self._moved(data.emotion[rows])),
            "feeling": F.mse_loss(feeling, self._moved(data.feeling[rows])),
        }

    def _photograph_losses(self, random: np.random.Generator) -> dict[str, Tensor]:
        data = self._train
        rows = random.integers(0, len(data.norms), self._batch // 8)
        image = self._noisy(data.photograph[rows], random)
        alone = np.tile(np.array([1, 0], np.float32), (len(rows), 1))
        feeling = self._told(image, np.zeros_like(image), alone)[2]
        return {"photograph": 0.25 * F.mse_loss(feeling, self._moved(data.norms[rows]))}

    def _kept_losses(self, former: Former, random: np.random.Generator) -> dict[str, Tensor]:
        """How far comments alone are from where they were."""
        rows = random.integers(0, len(self._train.text), self._batch)
        alone = torch.tensor([[0.0, 1.0]], device=self._device).expand(len(rows), 2)
        now, then = (
            fusion.eval().fuse(torch.zeros_like(text), text, alone)
            for fusion, text in (
                (self._fusion, self._moved(self._train.text[rows])),
                (former.fusion, self._moved(former.text[rows])),
            )
        )
        return {"kept": KEPT * F.mse_loss(now, then)}

    def _comment_losses(self, visitors: CommentSet, random: np.random.Generator) -> dict[str, Tensor]:
        """What is felt in comments, alone and before pictures that they were not written about."""
        data, count = self._train, round(COMMENTS * self._batch)
        rows = random.integers(0, len(visitors.text), count)
        text, says = visitors.text[rows], visitors.says[rows]
        losses: dict[str, Tensor] = {}
        if self._fusion.config.weighs:
            told = self._fusion.weigh(self._moved(text))[:, 0]
            losses["weight"] = F.binary_cross_entropy_with_logits(told, self._moved(says))
        known = np.flatnonzero(visitors.emotion[rows] >= 0)
        rows, text, says = rows[known], text[known], says[known]
        felt = visitors.feeling[rows].copy()
        image = np.zeros_like(text)
        present = np.tile(np.array([0, 1], np.float32), (len(rows), 1))
        if len(data.image):
            seen = random.integers(0, len(data.image), len(rows))
            beside = random.random(len(rows)) < 0.5
            image[beside] = self._noisy(data.image[seen[beside]], random)
            present[beside, 0] = 1.0
            own = np.where(beside, OWN * says, says)[:, None]
            # Where nothing is said and nothing shown, what would be felt is not known, and calm indifference as good.
            felt = np.asarray(own * felt + np.where(beside[:, None], 1 - own, 0.0) * self._felt[seen], np.float32)
        _, logits, feeling, _, _ = self._told(image, text, present)
        alone = self._moved(((present[:, 0] == 0) & (says > 0)).astype(np.float32))
        apart = F.cross_entropy(logits, self._moved(visitors.emotion[rows]), reduction="none")
        losses["comment"] = chosen_mean(apart, alone)
        losses["comment_feeling"] = 2.0 * (feeling - self._moved(felt)).square().sum() / max(1, feeling.numel())
        return losses

    def _told(self, *given: NDArray[np.float32]) -> tuple[Tensor, ...]:
        """The outputs of the fusion for a batch, each process having computed its share."""
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


def _picture_feelings(data: FeelingSet) -> NDArray[np.float32]:
    """The mean valence and arousal of what was felt before each picture, float32 [pictures, 2]."""
    felt = np.zeros((len(data.image), 2), np.float32)
    shown = data.picture >= 0
    np.add.at(felt, data.picture[shown], data.feeling[shown])
    often = np.maximum(1, np.bincount(data.picture[shown], minlength=len(felt)))
    return np.asarray(felt / often[:, None], np.float32)


def _mixing(fusion: Fusion) -> tuple[nn.Module, ...]:
    """The layers that a picture goes through."""
    return fusion.inner, fusion.outer, fusion.gate


def train_fusion(
    options: RunOptions,
    *,
    data: Path,
    encoder: str | Path,
    palette_of: Path | None = None,
    pictures_of: Path | None = None,
    words_of: Path | None = None,
    words_encoder: str | Path | None = None,
    comments: bool = False,
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
        palette_of: a finished fusion of which only who plays and in how large a room is trained.
        pictures_of: a finished fusion of which only what it makes of pictures is trained, on an encoder with another
            image tower and the same text tower.
        words_of: a finished fusion to begin with, of an encoder with another text tower: what it makes of utterances is
            held in place.
        words_encoder: the encoder that ``words_of`` was trained on.
        comments: learn from visitors' comments in many languages, too, and how much each says.
        articaps: ``articaps.csv`` that ``a2m-edge data build`` wrote.
        embeddings: folder that ``a2m-edge data embed`` wrote with this encoder; without it the embeddings are
            computed, and kept in ``options.out``.
        most: utterances to learn from at most.
        batch: utterances in a step.
        dropout: share of the inner values dropped, in [0, 1).

    Raises:
        CheckpointError: the encoder or the finished fusion cannot be read, or one is not made for the other.
        DataError, DeviceError, OptionError: see ``load_encoder``, ``embed_feelings`` and
            ``run_training``; or two of ``palette_of``, ``pictures_of`` and ``words_of`` are given, or ``words_of``
            without ``words_encoder``.
    """
    parallel.need_rows(batch)
    if sum(other is not None for other in (palette_of, pictures_of, words_of)) > 1:
        raise OptionError(
            "--palette-of, --pictures-of and --words-of train different parts of a fusion: do one after the other"
        )
    if (words_of is None) != (words_encoder is None):
        raise OptionError("--words-of needs the encoder that it was trained on, and nothing else does: --words-encoder")
    torch.manual_seed(options.seed)
    device = choose_device(options.device)
    require_trained(encoder)
    model = load_encoder(encoder)
    with parallel.first_before_others():
        sets = embed_feelings(
            model, data, ["train", "val"], most=most, device=device, cache=options.out, embeddings=embeddings
        )
        visitors = embed_comments(model, data, device, options.seed) if comments else None
        former = None
        if words_of is not None and words_encoder is not None:
            known = load_encoder(words_encoder)
            finished = load_fusion(words_of)
            require_encoder(finished, known)
            former = Former(finished, embed_texts(known, sets["train"].words, device))
    matched = read_matches(articaps, data / "musiccaps.csv") if articaps else None
    start = palette_of or pictures_of
    if start is None:
        config = FusionConfig(
            embedding_size=model.embedding_size, dropout=dropout, encoder=weights_hash(model), weighs=comments
        )
        fusion = Fusion(config)
        if former is not None:
            # Only what weighs is new.
            fusion.load_state_dict(fusion.state_dict() | former.fusion.state_dict())
    else:
        fusion = load_fusion(start)
        if fusion.config.embedding_size != model.embedding_size:
            raise CheckpointError(
                f"the fusion {start} takes embeddings of {fusion.config.embedding_size} values and the encoder "
                f"gives {model.embedding_size}: name the encoder that it was trained on"
            )
        if pictures_of is None:
            require_encoder(fusion, model)
        else:
            fusion.config = replace(fusion.config, encoder=weights_hash(model))
    training = FusionTraining(
        fusion,
        sets["train"],
        sets["val"],
        matched,
        comments=visitors,
        former=former,
        palette_only=palette_of is not None,
        pictures_only=pictures_of is not None,
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

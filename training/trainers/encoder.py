"""Tunes an encoder on what people felt: texts by their emotions, pictures by contrast with their texts.

The text tower learns the emotions of ArtEmis and GoEmotions while a frozen copy of its start holds the
similarities between sentences in place. The projection of the image tower learns to put a picture beside its
utterances and captions (contrastive, as CLIP: Radford et al. 2021) and to tell its emotions with the same heads as
the texts; the trunk below it stays as it is, so its features are computed once. The projection can be computed first:
see ``training.trainers.picture_projection``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.optim import AdamW

from a2m_edge.errors import CheckpointError, OptionError
from a2m_edge.impression.feeling import EMOTION_SIGNS, EMOTIONS
from a2m_edge.output import make_folder
from training import parallel
from training.checkpoint import load_weights
from training.data.embeddings.encoder_data import EncoderData
from training.data.tables.feelings import EMOTION_AROUSAL
from training.models.encoder_model import EncoderModel
from training.models.encoders import load_encoder
from training.precision import half_precision
from training.trainer import RunOptions, choose_device, optimise, run_training, warm_cosine
from training.trainers.picture_alignment import align_pictures, look_at_pictures
from training.trainers.picture_projection import PictureProjection

POOL = 8
"""Batches that are drawn together and sorted by length, so that little of a batch is padding."""

LARGEST_GRADIENT = 1.0

THINNED = 0.1
"""Share of a text's words that a step leaves out."""

PICTURE_RATE = 2e-6
"""Learning rate of the projection of the pictures."""


class EmotionHeads(nn.Module):
    """Linear readings of an embedding, for training alone: emotions, valence and arousal, other labels."""

    def __init__(self, embedding_size: int, labels: int) -> None:
        super().__init__()
        # Components of a normalised embedding are small: this makes them about 1.
        self.scale = embedding_size**0.5
        self.emotions = nn.Linear(embedding_size, len(EMOTIONS))
        self.feeling = nn.Linear(embedding_size, 2)
        self.labels = nn.Linear(embedding_size, labels)
        self.temperature = nn.Parameter(torch.tensor(14.0).log())

    def forward(self, embedding: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[batch, D] -> logits [batch, 9], valence and arousal [batch, 2], logits [batch, labels]."""
        scaled = embedding * self.scale
        return self.emotions(scaled), self.feeling(scaled), self.labels(scaled)


class EncoderTraining:
    """The step and the validation of a tuning.

    Of several processes each embeds its share of the texts; what follows is cheap, and all of them compute it.

    The image trunk is in eval mode throughout: a batch is too small for statistics of its own. The texts lose some of
    their words in each step, and their tower drops some of its values: there are few utterances, and many weights.

    Args:
        model: the encoder that is tuned, in place; its image tower is a trunk and a head (timm).
        data: what it learns from.
        seed: of the order of the data; every step draws from ``(seed, step)`` alone.
        batch: texts in a step.
        pictures: pictures in a step whose emotions are learned; 0 tunes the text tower alone.
        texts: tune the text tower; without, only the projection of the pictures.
        dropout: let the text tower drop values.
        anchor: weight of keeping the similarities between sentences.
        features: file that keeps the features of the pictures between runs; None computes them each time.
        device: where to compute.
        clip: largest norm of a step's gradients, 0 for any.

    Attributes:
        heads: readings of the embeddings, trained along.
        pictures: the projection of the pictures, where there are any.

    Raises:
        OptionError: the batch is smaller than the number of processes, nothing is to be tuned, or pictures are asked
            for and the image tower has no head of its own.
    """

    def __init__(
        self,
        model: EncoderModel,
        data: EncoderData,
        *,
        seed: int = 0,
        batch: int = 64,
        pictures: int = 48,
        texts: bool = True,
        dropout: bool = True,
        anchor: float = 20.0,
        features: Path | None = None,
        device: torch.device | None = None,
        clip: float = LARGEST_GRADIENT,
    ) -> None:
        parallel.need_rows(batch)
        if not pictures and not texts:
            raise OptionError("neither texts nor pictures are to be tuned: leave out --no-texts, or give --pictures")
        self._clip, self._tune_texts, self._dropout = clip, texts, dropout
        self._model, self._data, self._seed, self._anchor = model, data, seed, anchor
        self._batch, self._pictures = batch, pictures
        self._device = device or torch.device("cpu")
        towers = model.clip.to(self._device).eval().requires_grad_(False)
        self.heads = EmotionHeads(model.embedding_size, data.labels).to(self._device)
        self._start = deepcopy(model.text)
        self._text = model.text
        self._row = {picture.file: row for row, picture in enumerate(data.paintings)}
        train = [(row, p) for row, p in enumerate(data.paintings) if p.split == "train"]
        self._felt = [row for row, picture in train if picture.file in data.painting_emotions]
        self._named = [row for row, picture in train if picture.file not in data.painting_emotions]
        if pictures:
            self.pictures = PictureProjection(model, self._device)
            look_at_pictures(self.pictures, data, self._felt, features)
        layers = list(_text_layers(cast(Any, towers).text)) if texts else []
        # Few pictures have feelings to learn from: their projection is held small.
        groups: list[dict[str, Any]] = [
            {"params": _opened(*layers), "lr": 6e-5},
            {"params": _opened(self.pictures.head) if pictures else [], "lr": PICTURE_RATE, "weight_decay": 0.5},
            {"params": _opened(self.heads), "lr": 1e-3},
        ]
        self.optimiser = AdamW(groups, weight_decay=0.01)
        self._train = [i for i, utterance in enumerate(data.utterances) if utterance.split == "train"]
        self._texts = [i for i, text in enumerate(data.texts) if text.split == "train"]

    def align_pictures(self) -> None:
        """Computes the projection of the pictures anew, from what was said of them (see ``align_pictures``).

        Raises:
            OptionError: no picture has utterances to learn from, or the projection is not one linear layer.
        """
        align_pictures(self._model, self.pictures, self._data, self._felt, self._named, self._device)

    def step(self, number: int) -> dict[str, float]:
        """One optimiser step."""
        self._text.train(self._tune_texts and self._dropout)
        random = np.random.default_rng((self._seed, 1, number))
        chosen, others = self._texts_of(number)
        losses: dict[str, Tensor] = {}
        if self._tune_texts:
            losses, embeddings = self._text_losses(chosen, others, random)
        else:
            with torch.no_grad():
                embeddings = self._embed(self._text, [self._data.utterances[i].text for i in chosen])
        if self._pictures:
            losses |= self._picture_losses(chosen, embeddings, random)
        total = torch.stack(list(losses.values())).sum()
        optimise(total, self.optimiser, self._clip)
        return {"loss": total.item()} | {name: loss.item() for name, loss in losses.items()}

    @torch.no_grad()
    def validate(self, utterances: int = 300) -> dict[str, float]:
        """Accuracy on texts, correlation on pictures, and how well the similarities are kept."""
        data = self._data
        held = [utterance for utterance in data.utterances if utterance.split == "val"]
        held = held[:: max(1, len(held) // utterances)]
        texts = [utterance.text for utterance in held]
        self._text.eval()
        now, before = self._embed(self._text, texts), self._embed(self._start, texts)
        truth = torch.tensor([utterance.emotion for utterance in held])
        scalars = {
            "accuracy": (self.heads(now)[0].cpu().argmax(1) == truth).float().mean().item(),
            "similarity": similarity_kept(before.cpu(), now.cpu()),
        }
        rows = [r for r, p in enumerate(data.paintings) if p.split == "val" and p.file in data.painting_emotions]
        if self._pictures and len(rows) > 2:
            means = [float(data.painting_emotions[data.paintings[row].file] @ EMOTION_SIGNS) for row in rows]
            valence = self.heads(self.pictures(rows))[1][:, 0].cpu().numpy()
            scalars["picture_valence"] = float(np.corrcoef(valence, means)[0, 1])
        return scalars

    def _texts_of(self, number: int) -> tuple[list[int], list[int]]:
        """The utterances and the other texts of a step, short with short and long with long."""
        data, felt = self._data, self._batch * 7 // 8
        random = np.random.default_rng((self._seed, 0, number // POOL))
        chosen = _drawn(random, self._train, POOL * felt, lambda i: len(data.utterances[i].text))
        rest = self._batch - felt
        others = _drawn(random, self._texts, POOL * rest, lambda i: len(data.texts[i].text))
        turn = int(random.permutation(POOL)[number % POOL])
        return chosen[turn * felt : (turn + 1) * felt], others[turn * rest : (turn + 1) * rest]

    def _text_losses(
        self, chosen: list[int], others: list[int], random: np.random.Generator
    ) -> tuple[dict[str, Tensor], Tensor]:
        """The losses, and the embeddings of the chosen utterances without their gradient."""
        data, felt = self._data, len(chosen)
        texts = [data.utterances[i].text for i in chosen] + [data.texts[i].text for i in others]
        tokens = self._model.tokens([_thinned(text, random) for text in texts]).to(self._device)
        anchored = torch.from_numpy(random.permutation(len(texts))[: len(texts) // 4])
        now = self._shared(self._text, tokens)
        with torch.no_grad():
            before = self._shared(self._start, tokens[anchored])
        logits, feeling, labels = self.heads(now)
        emotions = np.array([data.utterances[i].emotion for i in chosen])
        target = torch.from_numpy(np.stack([EMOTION_SIGNS[emotions], data.arousal[chosen]], 1))
        several = torch.zeros(len(others), data.labels)
        for row, i in enumerate(others):
            several[row, list(data.texts[i].labels)] = 1.0
        kept = now[anchored]
        return {
            "emotion": F.cross_entropy(logits[:felt], torch.from_numpy(emotions).to(self._device)),
            "feeling": F.mse_loss(feeling[:felt], target.to(self._device)),
            "labels": 4 * F.binary_cross_entropy_with_logits(labels[felt:], several.to(self._device)),
            "anchor": self._anchor * F.mse_loss(kept @ kept.T, before @ before.T)
            + 0.5 * (1 - (kept * before).sum(1)).mean(),
        }, now[:felt].detach()

    def _shared(self, tower: nn.Module, tokens: Tensor) -> Tensor:
        """Embeddings of texts, each process having computed its share: float32 [len(tokens), D]."""
        with half_precision(self._device):
            embeddings = tower(tokens[parallel.share(len(tokens))])
        return parallel.gather(embeddings.float(), len(tokens))

    def _picture_losses(self, chosen: list[int], embeddings: Tensor, random: np.random.Generator) -> dict[str, Tensor]:
        """Contrast of the chosen utterances' paintings, and some with captions, with their texts; emotions."""
        data, pictures = self._data, self._pictures
        seen: dict[str, int] = {}
        for place, i in enumerate(chosen):
            seen.setdefault(data.utterances[i].picture, place)
        seen.pop("", None)
        named = random.choice(self._named, pictures // 6 if self._named else 0).tolist()
        photographs = random.integers(0, max(1, len(data.norms)), min(pictures // 4, len(data.norms)))
        captioned = [data.paintings[row].caption for row in named]
        captioned += [data.photographs[i].caption for i in photographs[: pictures // 12]]
        first = len(data.paintings)
        rows = [self._row[file] for file in seen] + named + [first + int(i) for i in photographs[: pictures // 12]]
        losses: dict[str, Tensor] = {}
        if len(rows) > 1:
            with torch.no_grad():
                captions = self._embed(self._text, captioned) if captioned else embeddings[:0]
            texts = torch.cat([embeddings[list(seen.values())], captions])
            likeness = self.heads.temperature.exp().clamp(max=100) * self.pictures(rows) @ texts.T
            pairs = torch.arange(len(rows), device=self._device)
            losses["contrast"] = 0.15 * (F.cross_entropy(likeness, pairs) + F.cross_entropy(likeness.T, pairs))
        if self._felt:
            felt = random.choice(self._felt, pictures).tolist()
            shares = torch.from_numpy(np.stack([data.painting_emotions[data.paintings[row].file] for row in felt]))
            signs = shares @ torch.from_numpy(np.stack([EMOTION_SIGNS, EMOTION_AROUSAL], 1))
            target = torch.cat([signs, torch.from_numpy(data.norms[photographs])]).to(self._device)
            logits, feeling, _ = self.heads(self.pictures(felt + [first + int(i) for i in photographs]))
            losses["picture_emotion"] = F.cross_entropy(logits[: len(felt)], shares.to(self._device))
            losses["picture_feeling"] = F.mse_loss(feeling, target)
        return losses

    def _embed(self, tower: nn.Module, texts: Sequence[str], batch: int = 100) -> Tensor:
        """Embeddings of texts: float32 [len(texts), D]."""
        parts = []
        for first in range(0, len(texts), batch):
            with half_precision(self._device):
                parts.append(tower(self._model.tokens(texts[first : first + batch]).to(self._device)).float())
        return torch.cat(parts)


def similarity_kept(before: Tensor, after: Tensor) -> float:
    """Spearman correlation between the cosine similarities of all pairs, before and after; [n, D] each."""
    upper = np.triu_indices(len(before), 1)
    pairs = [(part @ part.T).numpy()[upper] for part in (before, after)]
    return float(spearmanr(*pairs).statistic)


def train_encoder(
    options: RunOptions,
    *,
    data: Path,
    start: str | Path = "a2m-s",
    text_of: Path | None = None,
    batch: int = 64,
    pictures: int = 48,
    texts: bool = True,
    dropout: bool = True,
    align: bool | None = None,
) -> None:
    """Tunes an encoder and writes its checkpoint into ``options.out``.

    Args:
        options: of the run.
        data: folder of ``artemis.csv``, ``goemotions.tsv``, ``paintings.zip``, ``oasis.zip`` and their tables.
        start: what ``load_encoder`` takes.
        text_of: a finished encoder whose text tower takes the place of that of ``start``.
        batch: texts in a step.
        pictures, texts, dropout: see ``EncoderTraining``.
        align: start the projection of the pictures anew (see ``EncoderTraining.align_pictures``); None does so unless
            ``start`` is a checkpoint folder.

    Raises:
        CheckpointError, DataError, DeviceError, OptionError: see ``load_encoder``, ``EncoderData``, and
            ``run_training``.
    """
    parallel.need_rows(batch)
    torch.manual_seed(options.seed)
    make_folder(options.out)
    model = load_encoder(start)
    if text_of is not None:
        take_text_tower(model, text_of)
    with parallel.first_before_others():
        training = EncoderTraining(
            model,
            EncoderData.read(data, model.image_preprocessing),
            seed=options.seed,
            batch=batch,
            pictures=pictures,
            texts=texts,
            dropout=dropout,
            features=options.out / "features.npz",
            device=choose_device(options.device),
            clip=options.clip_or(LARGEST_GRADIENT),
        )
        if pictures and not options.resume and (align or (align is None and not Path(start).is_dir())):
            training.align_pictures()
    run_training(
        options,
        models={"clip": model.clip, "heads": training.heads},
        optimisers={"adamw": training.optimiser},
        schedule=warm_cosine(),
        step=training.step,
        validate=training.validate,
        save=model.save,
    )


def take_text_tower(model: EncoderModel, folder: Path) -> None:
    """Gives a model the text tower of a finished one, so that another image tower learns to meet its words.

    Raises:
        CheckpointError: the folder holds no encoder, or one whose text tower is of another make.
    """
    finished = load_encoder(folder)
    if model.tokenizer.to_str() != finished.tokenizer.to_str():
        raise CheckpointError(
            f"the encoder {folder} has another tokenizer than {model.config['name']}, whose text tower it should "
            f"replace: name an encoder of the same make"
        )
    load_weights(cast(Any, model.clip).text, cast(Any, finished.clip).text.state_dict(), folder)


def _drawn(random: np.random.Generator, indices: Sequence[int], count: int, length: Callable[[int], int]) -> list[int]:
    """So many of the indices, drawn without repetition while there are enough, in order of their length."""
    return sorted(random.choice(indices, count, replace=len(indices) < count).tolist(), key=length)


def _opened(*modules: nn.Module) -> list[nn.Parameter]:
    """The parameters of modules, made trainable."""
    return [parameter for module in modules for parameter in module.requires_grad_(True).parameters()]


def _thinned(text: str, random: np.random.Generator) -> str:
    """A text without ``THINNED`` of its words; never without all of them."""
    words = text.split()
    kept = random.random(len(words)) >= THINNED
    return " ".join(word for word, keep in zip(words, kept, strict=True) if keep) or text


def _text_layers(tower: Any) -> Iterable[nn.Module]:
    """The layers of a text tower from the lowest, of Hugging Face or of open_clip itself."""
    transformer = tower.transformer
    encoder = getattr(transformer, "encoder", transformer)
    yield from getattr(encoder, "layer", None) or getattr(encoder, "resblocks", None) or [transformer]

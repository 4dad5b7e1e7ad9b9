"""Teaches a text tower many languages and what is felt in them.

A teacher that knows English alone gives the place of each English sentence; the student learns to put the sentence and
its translation there (Reimers & Gurevych 2020, arXiv 2004.09813), and each nearer to the other than to the rest of the
step. Beside that it reads feelings: of what people said before paintings, of texts with emotions in many languages, and
of visitors' comments, in which *not*, *but* and a crying face mean what they mean to a reader. There the teacher, who
knows less, is not asked.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import AdamW

from a2m_edge.errors import OptionError
from a2m_edge.impression.feeling import EMOTION_SIGNS
from a2m_edge.output import make_folder
from training import parallel
from training.data.embeddings.embed import embed_texts
from training.data.languages.composed import ComposedComments
from training.data.languages.language_data import LanguageData
from training.data.languages.tables import LABELS, NEUTRAL, SCHEMES, Comment, EmotionText, Translation
from training.data.languages.vocabulary import needed_pieces
from training.losses import chosen_mean
from training.models.encoder_model import EncoderModel
from training.models.encoders import load_encoder
from training.models.multilingual_encoder import multilingual_encoder
from training.models.texts.multilingual import packed_file
from training.models.texts.packed_e5 import read_packed_e5
from training.precision import half_precision
from training.trainer import RunOptions, choose_device, optimise, run_training, warm_cosine
from training.trainers.encoder import EmotionHeads

POOL = 8
"""Steps that are drawn together and sorted by length, so that little of a step is padding."""

LARGEST_GRADIENT = 1.0

EVENNESS = 0.5
"""Power of the number of a language's texts by which it is drawn: 1 as there are, 0 all alike."""

LONGEST = 48
"""Tokens of a text that are learned from."""

APART = 4
"""Parts of a step that go through the tower one after the other, so that little of each is padding."""

BEYOND = re.compile(
    r"\b(no|not|never|nobody|nothing|nowhere|none|neither|nor|without|hardly|barely|cannot|but|although|though|yet)\b|n't\b",
    re.IGNORECASE,
)
"""What the teacher takes for the words around it: it feels "not sad" as sad. Of such sentences it is not asked."""

DROPOUT = 0.1
"""As BERT was trained (Devlin et al. 2019, arXiv 1810.04805)."""

SHARPNESS = 20.0
"""What cosines are multiplied by where a sentence is found among others."""


class LanguageTraining:
    """The step and the validation of a training; every step draws from ``(seed, step)`` alone.

    Args:
        model: the student, in place; its text tower alone is trained.
        teacher: an encoder of the same embedding size, for English.
        data: what is learned from.
        seed: of the order of the data.
        pairs: translations in a step, each with its English sentence.
        texts: texts with emotions in a step.
        comments: visitors' comments in a step, and half as many utterances of ArtEmis.
        rate: learning rate.
        device: where to compute.
        clip: largest norm of a step's gradients, 0 for any.
        half: compute in bfloat16 on a processor, too.
        dropout: share of its values that the tower drops in a step, in [0, 1): comments are few, and weights many.

    Attributes:
        heads: readings of the embeddings, trained along.

    Raises:
        OptionError: teacher and student have other embedding sizes, or a step is smaller than the number of processes.
    """

    def __init__(
        self,
        model: EncoderModel,
        teacher: EncoderModel,
        data: LanguageData,
        *,
        seed: int = 0,
        pairs: int = 32,
        texts: int = 32,
        comments: int = 32,
        rate: float = 5e-4,
        device: torch.device | None = None,
        clip: float = LARGEST_GRADIENT,
        half: bool | None = None,
        dropout: float = DROPOUT,
    ) -> None:
        parallel.need_rows(min(pairs, texts, comments))
        if model.embedding_size != teacher.embedding_size:
            raise OptionError(
                f"the teacher's embeddings have {teacher.embedding_size} numbers and the student's "
                f"{model.embedding_size}: name a teacher of the same size"
            )
        self._model, self._teacher, self._data, self._seed = model, teacher, data, seed
        self._pairs, self._texts, self._comments, self._clip = pairs, texts, comments, clip
        self._device, self._half = device or torch.device("cpu"), half
        model.clip.to(self._device).eval().requires_grad_(False)
        teacher.clip.to(self._device).eval().requires_grad_(False)
        self._tower, self._given = model.text, teacher.text
        self._tower.requires_grad_(True)
        for module in self._tower.modules():
            if isinstance(module, nn.Dropout):
                module.p = dropout
        torch.manual_seed(seed)
        self.heads = EmotionHeads(model.embedding_size, len(LABELS)).to(self._device)
        self._drawn_comments = ComposedComments(data.comments)
        self._translations = _by_language(data.translations)
        self._labelled = _by_language(data.emotion_texts)
        self._felt = [place for place, one in enumerate(data.utterances) if one.split == "train"]
        self._known = torch.tensor([[label in SCHEMES[name] for label in LABELS] for name in SCHEMES]).float()
        self._scheme = {name: place for place, name in enumerate(SCHEMES)}
        groups = [
            {"params": list(self._tower.parameters()), "lr": rate},
            {"params": list(self.heads.parameters()), "lr": 5 * rate},
        ]
        self.optimiser = AdamW(groups, weight_decay=0.01, fused=True)

    def step(self, number: int) -> dict[str, float]:
        """One optimiser step."""
        self._tower.train()
        random = np.random.default_rng((self._seed, 1, number))
        pairs = [self._data.translations[at] for at in self._places(number, 2, self._translations, self._pairs)]
        labelled = [self._data.emotion_texts[at] for at in self._places(number, 3, self._labelled, self._texts)]
        comments = [self._drawn_comments.draw(random) for _ in range(self._comments)]
        felt = random.choice(self._felt, self._comments // 2).tolist() if self._felt else []
        utterances = [self._data.utterances[at] for at in felt]
        english = [pair.english for pair in pairs]
        spoken = [one.text for one in utterances]
        texts = [
            *english,
            *(pair.text for pair in pairs),
            *(one.text for one in labelled),
            *(one.text for one in comments),
            *spoken,
        ]
        with torch.no_grad():
            taught = self._embed(self._given, self._teacher, [*english, *spoken])
        embeddings = self._embed(self._tower, self._model, texts)
        ours, theirs, read, written, said = embeddings.split(
            [len(pairs), len(pairs), len(labelled), len(comments), len(utterances)]
        )
        asked = torch.tensor([BEYOND.search(text) is None for text in [*english, *spoken]], device=self._device).float()
        losses = self._meeting(ours, theirs, taught[: len(pairs)], asked[: len(pairs)])
        losses["utterances"] = 2.0 * chosen_mean(1 - (said * taught[len(pairs) :]).sum(1), asked[len(pairs) :])
        losses["labels"] = self._label_loss(read, [(one.labels, one.scheme) for one in labelled])
        arousal = self._data.arousal[felt]
        losses |= self._feeling_losses(
            torch.cat([written, said]),
            [*(one.emotion for one in comments), *(one.emotion for one in utterances)],
            [
                *((one.valence, one.arousal) for one in comments),
                *(
                    (float(EMOTION_SIGNS[one.emotion]), float(much))
                    for one, much in zip(utterances, arousal, strict=True)
                ),
            ],
        )
        optimise(torch.stack(list(losses.values())).sum(), self.optimiser, self._clip)
        scalars = {name: loss.item() for name, loss in losses.items()}
        return {"loss": sum(scalars.values())} | scalars

    @torch.no_grad()
    def validate(self, each: int = 60) -> dict[str, float]:
        """How near translations are to the teacher and to each other, and how comments are read."""
        scalars: dict[str, float] = {}
        found, near = [], []
        held: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for one in self._data.translations:
            if one.split == "val" and len(held[one.language]) < each:
                held[one.language].append((one.english, one.text))
        for some in held.values():
            english, other = (self._embedded(self._model, [pair[side] for pair in some]) for side in (0, 1))
            taught = self._embedded(self._teacher, [pair[0] for pair in some])
            found.append(float(((other @ english.T).argmax(1) == torch.arange(len(some))).float().mean()))
            near.append(float((other * taught).sum(1).mean()))
        if found:
            scalars |= {"found": float(np.mean(found)), "near": float(np.mean(near))}
        comments = self._data.held_comments
        if comments:
            embedded = self._embedded(self._model, [one.text for one in comments]).to(self._device)
            emotions, feeling, _ = (part.cpu() for part in self.heads(embedded))
            valence = feeling[:, 0].numpy()
            scalars["emotion"] = float((emotions.argmax(1).numpy() == [one.emotion for one in comments]).mean())
            scalars |= _signs(comments, valence)
        return scalars

    def _places(self, number: int, stream: int, by_language: dict[str, list[int]], count: int) -> list[int]:
        """What a step learns from, of languages drawn by ``EVENNESS``, and of about one length."""
        random = np.random.default_rng((self._seed, stream, number // POOL))
        languages = sorted(by_language)
        weights = np.array([len(by_language[language]) for language in languages]) ** EVENNESS
        chosen = random.choice(len(languages), POOL * count, p=weights / weights.sum())
        some = [by_language[languages[language]] for language in chosen]
        places = [each[int(random.integers(len(each)))] for each in some]
        data = self._data.translations if stream == 2 else self._data.emotion_texts
        places.sort(key=lambda place: len(data[place].text.encode()))
        turn = int(random.permutation(POOL)[number % POOL])
        return places[turn * count : (turn + 1) * count]

    def _meeting(self, english: Tensor, others: Tensor, taught: Tensor, asked: Tensor) -> dict[str, Tensor]:
        """Sentences and their translations meet where the teacher puts them, and nearer than others of the step.

        Args:
            english, others, taught: of the student, of the student and of the teacher, float32 [pairs, D].
            asked: float32 [pairs], 1 where the teacher is asked, else 0: there the two meet wherever it may be.
        """
        likeness = SHARPNESS * others @ english.T
        same = torch.arange(len(english), device=self._device)
        similar, both = taught @ taught.T, asked[:, None] * asked
        apart = (others @ english.T - similar).square() + (others @ others.T - similar).square()
        nearness = 2.0 * (1 - (english * taught).sum(1)) + 4.0 * (1 - (others * taught).sum(1))
        return {
            "taught": chosen_mean(nearness, asked),
            "similar": 10.0 * chosen_mean(apart, both),
            "met": (1 - (english * others).sum(1)).mean(),
            "found": 0.1 * (F.cross_entropy(likeness, same) + F.cross_entropy(likeness.T, same)),
        }

    def _label_loss(self, embeddings: Tensor, labels: Sequence[tuple[Sequence[int], str]]) -> Tensor:
        """Of each text the labels that its source knows."""
        carried = torch.zeros(len(labels), len(LABELS))
        for row, (numbers, _) in enumerate(labels):
            carried[row, list(numbers)] = 1.0
        known = self._known[[self._scheme[scheme] for _, scheme in labels]].to(self._device)
        logits = self.heads(embeddings)[2]
        losses = F.binary_cross_entropy_with_logits(logits, carried.to(self._device), reduction="none")
        return 4.0 * (losses * known).sum() / known.sum()

    def _feeling_losses(
        self, embeddings: Tensor, emotions: Sequence[int], feelings: Sequence[tuple[float, float]]
    ) -> dict[str, Tensor]:
        logits, told, _ = self.heads(embeddings)
        return {
            "emotion": F.cross_entropy(logits, torch.tensor(emotions, device=self._device)),
            "feeling": 4.0 * F.mse_loss(told, torch.tensor(feelings, dtype=torch.float32, device=self._device)),
        }

    def _embed(self, tower: nn.Module, model: EncoderModel, texts: Sequence[str]) -> Tensor:
        """Embeddings of texts, each process having computed its share: float32 [len(texts), D]."""
        rows = [torch.tensor(encoding.ids[:LONGEST]) for encoding in model.tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
        shares = np.array_split(np.array(order), APART)
        parts = []
        for share in shares:
            tokens = nn.utils.rnn.pad_sequence(
                [rows[row] for row in share], batch_first=True, padding_value=model.pad_id
            ).to(self._device)
            with half_precision(self._device, self._half):
                parts.append(parallel.gather(tower(tokens[parallel.share(len(tokens))]).float(), len(tokens)))
        back = torch.argsort(torch.from_numpy(np.concatenate(shares)))
        return torch.cat(parts)[back]

    def _embedded(self, model: EncoderModel, texts: Sequence[str]) -> Tensor:
        return torch.from_numpy(embed_texts(model, texts, self._device))


def train_languages(
    options: RunOptions,
    *,
    data: Path,
    teacher: str | Path,
    start: Path | None = None,
    pairs: int = 32,
    texts: int = 32,
    comments: int = 32,
    rate: float = 5e-4,
    half: bool | None = None,
    dropout: float = DROPOUT,
) -> None:
    """Trains a text tower for many languages and writes an encoder with it and the teacher's image tower.

    What follows the text tower is trained after it: the projection of the pictures (``train encoder --start OUT
    --no-texts --align``), the fusion, the subjects.

    Args:
        options: of the run.
        data: folder of ``languages/``, ``artemis.csv`` and ``goemotions.tsv``.
        teacher: what ``load_encoder`` takes; its texts are English.
        start: an encoder of an earlier run to go on from; None begins with multilingual-e5-small.
        pairs, texts, comments, rate, half, dropout: see ``LanguageTraining``.

    Raises:
        CheckpointError, DataError, DeviceError, MissingExtraError, OptionError: see ``load_encoder``,
            ``LanguageData``, ``needed_pieces`` and ``run_training``.
    """
    parallel.need_rows(min(pairs, texts, comments))
    make_folder(options.out)
    known = load_encoder(teacher)
    read = LanguageData.read(data)
    if start is None and options.resume and (options.out / "model.safetensors").exists():
        start = options.out  # choosing the vocabulary takes minutes, and gives the same one
    if start is not None:
        model = load_encoder(start)
    else:
        packed = read_packed_e5(packed_file())
        model = multilingual_encoder(known, packed, needed_pieces(packed, read.texts))
    training = LanguageTraining(
        model,
        known,
        read,
        seed=options.seed,
        pairs=pairs,
        texts=texts,
        comments=comments,
        rate=rate,
        device=choose_device(options.device),
        clip=options.clip_or(LARGEST_GRADIENT),
        half=half,
        dropout=dropout,
    )
    run_training(
        options,
        models={"text": cast(Any, model.clip).text, "heads": training.heads},
        optimisers={"adamw": training.optimiser},
        schedule=warm_cosine(),
        step=training.step,
        validate=training.validate,
        save=model.save,
    )


def _signs(comments: Sequence[Comment], valence: NDArray[np.float32]) -> dict[str, float]:
    """The share of comments whose sign is told rightly, of all and of each kind; and what is told of those without."""
    right: dict[str, list[bool]] = defaultdict(list)
    for one, told in zip(comments, valence, strict=True):
        if one.kind != NEUTRAL and abs(one.valence) >= 0.2:
            right[one.kind].append(told * one.valence > 0)
            right[f"language_{one.language}"].append(told * one.valence > 0)
    kinds = {name: float(np.mean(values)) for name, values in right.items()}
    everything = [value for name, values in right.items() if not name.startswith("language_") for value in values]
    nothing = [abs(float(told)) for one, told in zip(comments, valence, strict=True) if one.kind == NEUTRAL]
    return {"sign": float(np.mean(everything)), "neutral": float(np.median(nothing))} | {
        f"sign_{name}": value for name, value in kinds.items()
    }


def _by_language(rows: Sequence[Translation | EmotionText]) -> dict[str, list[int]]:
    """The places of the training rows of each language."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        if row.split == "train":
            places[row.language].append(place)
    return places

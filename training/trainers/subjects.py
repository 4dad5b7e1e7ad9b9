"""Learns what pictures show: a logistic regression on the features of an image trunk, which stays as it is.

Labels come from titles and utterances (``training.data.labels.picture_labels``), which name little of what is shown:
what is unknown of a picture is not learned from, and a title's silence counts less than people's. Those that show a
subject weigh as much as those that do not while the layer is learned; afterwards its biases give back how rare they are
(King & Zeng 2001, Political Analysis 9:137). A title names what is shown in one case of four: so that a probability is
that of a subject being shown, and not of being named, all are moved by the line that fits best what five people or more
said of validation paintings (Platt 1999), the same for all subjects, since of one alone too little is known.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from a2m_edge.errors import DataError
from a2m_edge.output import make_folder
from a2m_edge.perception.subject_tables import SCHEMA, Kind, Label, Likeness, SubjectTables
from training.data.embeddings.embed import embed_texts
from training.data.embeddings.feeling_set import PAINTINGS
from training.data.labels.picture_labels import (
    ABSENT,
    NAMED,
    PERIODS,
    SUBJECTS,
    UNKNOWN,
    UNNAMED,
    PictureLabels,
    read_picture_labels,
)
from training.data.labels.plain_pictures import PlainPictures
from training.data.tables.feelings import PictureArchive
from training.models.encoder_model import EncoderModel
from training.models.fingerprint import weights_hash
from training.models.subjects import KINDS, SubjectConfig, SubjectHead, image_trunk
from training.trainers.picture_projection import PictureProjection

RIDGES = (0.3, 1.0, 3.0)
"""Weights of the squares that are tried, against a loss that is a mean over pictures."""

SILENCE = 0.5
"""What a title that does not name a subject weighs, beside several people who do not."""

PRECISION: dict[Kind, float] = {"subject": 0.5, "style": 0.7, "period": 0.7}
"""Share of those that are told which must be right, by the labels of the validation paintings."""

FEWEST = 4
"""Labels of validation paintings that must be told before their precision is believed."""

SENTENCE = "a painting of {}"
"""How a subject's name is put to the text encoder."""

_PLAIN_WEIGHT = 4.0
"""What a picture of nothing weighs: they are few, and an exhibit's camera sees many."""


@dataclass(frozen=True)
class Targets:
    """What is learned.

    Attributes:
        named: 1 where a picture shows a subject, else 0: float32 [n, subjects].
        weights: of each of them, 0 where it is unknown: float32 [n, subjects].
        classes: for each group of which one alone holds (styles, periods) an index or -1, int64 [n].
    """

    named: Tensor
    weights: Tensor
    classes: tuple[Tensor, ...]

    def __getitem__(self, rows: Sequence[int] | NDArray[np.int64]) -> Targets:
        """Those of some pictures."""
        taken = torch.as_tensor(np.asarray(rows))
        return Targets(self.named[taken], self.weights[taken], tuple(each[taken] for each in self.classes))


def targets_of(labels: PictureLabels, plain: int) -> Targets:
    """Targets of labelled pictures, then of pictures of nothing."""
    known = np.pad(labels.subjects, ((0, plain), (0, 0)), constant_values=ABSENT)
    weights = np.select([known == UNKNOWN, known == UNNAMED], [0.0, SILENCE], 1.0)
    weights[len(labels.pictures) :] = _PLAIN_WEIGHT
    classes = (np.pad(each, (0, plain), constant_values=-1) for each in (labels.style, labels.period))
    return Targets(
        torch.from_numpy((known == NAMED).astype(np.float32)),
        torch.from_numpy(weights.astype(np.float32)),
        tuple(map(torch.from_numpy, classes)),
    )


def fit(features: Tensor, targets: Targets, sizes: Sequence[int], ridge: float, start: Tensor | None = None) -> Tensor:
    """The weights and biases of least loss.

    Args:
        features: float32 [n, features], standardised.
        targets: of the same pictures.
        sizes: how many classes each group has.
        ridge: weight of half the sum of squares of a label's weights.
        start: where to begin; None at 0.

    Returns:
        float32 [features + 1, labels], the biases last.
    """
    positive = (targets.weights * targets.named).sum(0)
    negative = (targets.weights * (1 - targets.named)).sum(0)
    balance = negative / positive.clamp(min=1e-6)
    weights = targets.weights * (1 + targets.named * (balance - 1))
    weights = weights / weights.sum(0).clamp(min=1e-6)
    count = targets.named.shape[1]
    layer = torch.zeros(features.shape[1] + 1, count + sum(sizes), device=features.device) if start is None else start
    layer = layer.clone().requires_grad_(True)
    optimiser = torch.optim.LBFGS([layer], max_iter=60, tolerance_change=1e-7, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        logits = torch.addmm(layer[-1], features, layer[:-1])
        parts = logits.split([count, *sizes], 1)
        whole = (weights * F.binary_cross_entropy_with_logits(parts[0], targets.named, reduction="none")).sum()
        for part, wanted in zip(parts[1:], targets.classes, strict=True):
            if (wanted >= 0).any():
                whole = whole + F.cross_entropy(part, wanted, ignore_index=-1)
        whole = whole + ridge / 2 * layer[:-1].square().sum()
        whole.backward()
        return whole

    optimiser.step(loss)
    found = layer.detach()
    found[-1, :count] -= balance.log()
    return found


def average_precision(scores: NDArray[np.floating], truth: NDArray[np.bool_]) -> float:
    """Mean over the true ones of the share of true ones among those that score at least as much.

    Not a number where nothing is true.
    """
    order = np.argsort(-scores, kind="stable")
    hits = truth[order]
    if not hits.any():
        return float("nan")
    # Ties count as a whole, so that who tells nothing apart scores as chance does.
    last = np.searchsorted(-scores[order], -scores[order], "right")
    return float((hits.cumsum()[last - 1] / last)[hits].mean())


def threshold(chances: NDArray[np.floating], truth: NDArray[np.bool_], precision: float) -> float | None:
    """The least probability from which on those told are right in a share ``precision`` of the cases, or None.

    A threshold from which on fewer than ``FEWEST`` are told is not believed, and one more that is wrong is reckoned in.
    """
    order = np.argsort(-chances, kind="stable")
    falling = chances[order]
    told = np.searchsorted(-falling, -falling, "right")  # those that are as likely are told as well
    right = truth[order].cumsum()[told - 1]
    fine = (right / (told + 1) >= precision) & (told >= FEWEST)
    if not fine.any():
        return None
    return max(1e-4, math.floor(1e4 * float(falling[fine.nonzero()[0][-1]])) / 1e4)


def train_subjects(
    out: Path,
    *,
    data: Path,
    encoder: EncoderModel,
    features: Path | None,
    device: torch.device,
    say: Callable[[str], None],
) -> SubjectHead:
    """Learns a head on the training paintings and chooses by the validation paintings, and writes its checkpoint.

    Args:
        out: folder of the checkpoint.
        data: folder with ``paintings.zip`` and its table, and ``artemis.csv``.
        encoder: trained; its image tower has a trunk.
        features: keeps what the trunk saw, between runs; None sees anew each time.
        device: where to compute.
        say: is told what is going on.

    Raises:
        CheckpointError: the encoder's image tower has no trunk.
        DataError: the data are missing or not what they should be, or too few.
    """
    image_trunk(encoder)
    labels = read_picture_labels(data)
    square = encoder.image_preprocessing
    plain = PlainPictures(square.size)
    projection = PictureProjection(encoder, device)
    say(f"looking at {len(labels.pictures) + plain.count} pictures, unless they were seen before")
    projection.look(
        (
            (PictureArchive.of(data / PAINTINGS, square), labels.pictures),
            (plain, plain.pictures),
        ),
        features,
    )
    chosen = {split: labels.of(split) for split in ("train", "val")}
    if min(len(rows) for rows in chosen.values()) < FEWEST:
        raise DataError(f"{data} holds too few paintings to learn from: {FEWEST} of each split are needed")
    targets = targets_of(labels, plain.count)
    learned = np.concatenate([chosen["train"], len(labels.pictures) + np.arange(plain.count)])
    seen = projection.standardised(learned)
    middle, spread = seen.mean(0), seen.std(0).clamp(min=1e-6)
    held = (projection.standardised(chosen["val"]) - middle) / spread
    sizes = (len(labels.styles), len(PERIODS))
    known = labels.subjects[chosen["val"]]
    said = surest_known(known, labels.spoken[chosen["val"]])
    layer, best, ridge = None, (-1.0, torch.zeros(0)), 0.0
    for each in sorted(RIDGES, reverse=True):
        layer = fit((seen - middle) / spread, targets[learned], sizes, each, layer)
        told = torch.addmm(layer[-1], held, layer[:-1]).cpu().numpy()
        mean = float(np.nanmean([each.precision for each in scored(told[:, : len(SUBJECTS)], known)]))
        say(f"ridge {each:g}: mean average precision {mean:.3f} on {len(held)} validation paintings")
        if mean > best[0]:
            best, ridge = (mean, layer), each
    say(f"ridge {ridge:g} is taken")
    logits = torch.addmm(best[1][-1], held, best[1][:-1])[:, : len(SUBJECTS)].cpu().numpy()
    slope, offset = fitted_line(logits[said != UNKNOWN], said[said != UNKNOWN] == NAMED)
    if slope > 0:
        best[1][:, : len(SUBJECTS)] *= slope
        best[1][-1, : len(SUBJECTS)] += offset
    head = _head(best[1], middle, spread, encoder, labels)
    with torch.no_grad():
        chances = head.to(device)(projection.standardised(chosen["val"])).cpu().numpy()
    classes: dict[Kind, NDArray[np.int64]] = {
        "style": labels.style[chosen["val"]],
        "period": labels.period[chosen["val"]],
    }
    tables = head.config.tables
    tables = dataclasses.replace(tables, labels=_with_thresholds(tables.labels, chances, said, classes))
    likeness = measure_likeness(encoder, projection, chosen["train"], chosen["val"], said, device)
    head.config = dataclasses.replace(head.config, tables=dataclasses.replace(tables, likeness=likeness))
    make_folder(out)
    head.cpu().eval().save(out)
    return head


@dataclass(frozen=True)
class Score:
    """How well one subject is found among pictures of which it is known whether they show it.

    Attributes:
        precision: average precision; not a number where none shows it.
        chance: what a random order would have: the share that shows it.
        shown, known: how many show it, and of how many it is known.
    """

    precision: float
    chance: float
    shown: int
    known: int


def scored(told: NDArray[np.floating], known: NDArray[np.int8]) -> list[Score]:
    """The scores of all subjects.

    Args:
        told: how likely each is, in any monotone unit, [n, subjects].
        known: labels as in ``PictureLabels.subjects``.
    """
    found = []
    for column, state in zip(told.T, known.T, strict=True):
        some = state != UNKNOWN
        truth = state[some] == NAMED
        chance = float(truth.mean()) if len(truth) else 0.0
        found.append(Score(average_precision(column[some], truth), chance, int(truth.sum()), len(truth)))
    return found


def surest_known(known: NDArray[np.int8], spoken: NDArray[np.bool_]) -> NDArray[np.int8]:
    """What is known of paintings that many spoke of, and nothing of the others; all, where nobody spoke enough.

    Args:
        known, spoken: of some rows of ``PictureLabels``.
    """
    said = np.where(spoken[:, None], known, UNKNOWN).astype(np.int8)
    return said if (said == NAMED).any() and (said == ABSENT).any() else known


def fitted_line(inputs: NDArray[np.floating], truth: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset of the logistic regression on one input, [n]; of no inputs, those that change nothing."""
    if not truth.any() or truth.all():
        return 1.0, 0.0
    given, wanted = torch.from_numpy(inputs.astype(np.float64)), torch.from_numpy(truth.astype(np.float64))
    line = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([line], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        whole = F.binary_cross_entropy_with_logits(line[0] * given + line[1], wanted)
        whole.backward()
        return whole

    optimiser.step(loss)
    slope, offset = (float(each) for each in line.detach())
    return slope, offset


def sentences(names: Sequence[str]) -> list[str]:
    """How subjects are put to the text encoder."""
    return [SENTENCE.format(name) for name in names]


def measure_likeness(
    encoder: EncoderModel,
    projection: PictureProjection,
    train: NDArray[np.int64],
    val: NDArray[np.int64],
    known: NDArray[np.int8],
    device: torch.device,
) -> Likeness:
    """How words are compared with pictures: fitted to the names of the subjects, as if they were a curator's words."""
    with torch.no_grad():
        paintings, held = (projection(rows.tolist()).cpu().numpy() for rows in (train, val))
    texts = embed_texts(encoder, sentences(SUBJECTS), device)
    mean = paintings.mean(0)
    deviation = float(np.sqrt(((paintings - mean) @ texts.T).var(0).mean()))
    above = (held - mean) @ texts.T / deviation
    truth, some = known == NAMED, known != UNKNOWN
    slope, offset = (round(each, 5) for each in fitted_line(above[some], truth[some]))
    sure = 1 / (1 + np.exp(-(slope * above[some] + offset)))
    return Likeness(
        tuple(round(float(each), 6) for each in mean),
        round(deviation, 6),
        slope,
        offset,
        threshold(sure, truth[some], PRECISION["subject"]) if slope > 0 else None,
    )


def _head(layer: Tensor, middle: Tensor, spread: Tensor, encoder: EncoderModel, labels: PictureLabels) -> SubjectHead:
    """A head that takes features as the trunk gives them; no label is told yet."""
    names: list[tuple[str, Kind]] = [(name, "subject") for name in SUBJECTS]
    names += [(name, "style") for name in labels.styles]
    names += [(name, "period") for name in PERIODS]
    unmeasured = Likeness((0.0,), 1.0, 0.0, 0.0, None)
    tables = SubjectTables(SCHEMA, tuple(Label(name, kind, None) for name, kind in names), unmeasured)
    head = SubjectHead(SubjectConfig(len(layer) - 1, tables, weights_hash(encoder)))
    with torch.no_grad():
        weight = layer[:-1] / spread[:, None]
        head.linear.weight.copy_(weight.T)
        head.linear.bias.copy_(layer[-1] - middle @ weight)
    return head.eval()


def _with_thresholds(
    labels: Sequence[Label],
    chances: NDArray[np.floating],
    said: NDArray[np.int8],
    classes: dict[Kind, NDArray[np.int64]],
) -> tuple[Label, ...]:
    """The labels with the thresholds that validation paintings suggest, one for each kind.

    Args:
        labels: in the order of ``chances``.
        chances: probabilities [n, labels].
        said: what is known of the subjects, [n, subjects].
        classes: for styles and periods an index or -1, int64 [n]; of these the likeliest alone is told.
    """
    columns = {kind: [place for place, label in enumerate(labels) if label.kind == kind] for kind in KINDS}
    sure, truth = (
        {"subject": chances[:, columns["subject"]][said != UNKNOWN]},
        {"subject": said[said != UNKNOWN] == NAMED},
    )
    for kind, wanted in classes.items():
        own = chances[wanted >= 0][:, columns[kind]]
        sure[kind], truth[kind] = own.max(1), own.argmax(1) == wanted[wanted >= 0]
    least = {kind: threshold(sure[kind], truth[kind], PRECISION[kind]) for kind in KINDS}
    return tuple(dataclasses.replace(label, threshold=least[label.kind]) for label in labels)

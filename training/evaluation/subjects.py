"""How well a bundle tells what held-out paintings show: each of its labels, and the same words without training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from a2m_edge.perception.subject_tables import Kind
from training.data.embeddings.feeling_set import PAINTINGS
from training.data.labels.picture_labels import NAMED, PERIODS, SUBJECTS, UNKNOWN, PictureLabels, read_picture_labels
from training.data.tables.feelings import PictureArchive
from training.evaluation.report.model import Column, Missing, Row, Table, Value
from training.evaluation.rows.perceiving import BundlePerception, Progress
from training.trainers.subjects import Score, scored, sentences

_FEW = 3
"""Paintings that must show a subject before an average precision says anything of it alone."""


@dataclass(frozen=True)
class Found:
    """How well one label is told.

    Attributes:
        name: of the label.
        named: among all paintings of which it is known by their titles or by what people said.
        spoken: among those of which five people or more spoke: what they did not name is surely less there.
        zero_shot: as ``named``, by the cosine of the picture with a sentence that holds the name.
        told: of how many paintings it is told.
        judged: of how many of them five people or more spoke, so that it is known whether they show it.
        right: how many of these show it.
    """

    name: str
    named: Score
    spoken: Score
    zero_shot: Score
    told: int
    judged: int
    right: int


@dataclass(frozen=True)
class SubjectMeasures:
    """How well a bundle tells what pictures show.

    Attributes:
        subjects: a row for each that both the bundle and the labels know.
        classes: of styles and of periods, for each kind: names, and the score of each.
        accuracy: of each kind, the share in which the likeliest is right, and that of the commonest.
        paintings, spoken: test paintings, and those of which five people or more spoke.
    """

    subjects: tuple[Found, ...]
    classes: dict[str, dict[str, Score]]
    accuracy: dict[str, tuple[float, float]]
    paintings: int
    spoken: int


def measure_subjects(
    perception: BundlePerception, shared: Path, progress: Progress | None = None
) -> SubjectMeasures | Missing:
    """Measures a bundle's labels on the test paintings; says why where it has none.

    Args:
        perception: of the bundle.
        shared: folder with ``data``.
        progress: of the paintings.

    Raises:
        DataError: a table or an archive is missing or damaged.
    """
    tables = perception.tables
    if tables is None:
        return Missing("the bundle does not tell what pictures show")
    labels = read_picture_labels(shared / "data")
    rows = labels.of("test")
    if not len(rows):
        return Missing("there are no test paintings")
    pictures = [labels.pictures[row] for row in rows]
    archive = PictureArchive(shared / "data" / PAINTINGS, 1)
    images, chances = perception.looks(pictures, archive, progress)
    columns = {(label.kind, label.name): place for place, label in enumerate(tables.labels)}
    names = [name for name in SUBJECTS if ("subject", name) in columns]
    places = [columns["subject", name] for name in names]
    known = labels.subjects[rows][:, [SUBJECTS.index(name) for name in names]]
    spoken = np.where(labels.spoken[rows][:, None], known, UNKNOWN)
    cosines = images @ perception.texts(sentences(names)).T
    told = np.array([[tables.labels[place].told(float(row[place])) for place in places] for row in chances])
    scores = zip(
        names,
        scored(chances[:, places], known),
        scored(chances[:, places], spoken),
        scored(cosines, known),
        strict=True,
    )
    found = [
        Found(
            name,
            named,
            said,
            alike,
            int(told[:, column].sum()),
            int((told[:, column] & (spoken[:, column] != UNKNOWN)).sum()),
            int((told[:, column] & (spoken[:, column] == NAMED)).sum()),
        )
        for column, (name, named, said, alike) in enumerate(scores)
    ]
    classes: dict[str, dict[str, Score]] = {}
    accuracy: dict[str, tuple[float, float]] = {}
    for kind, truth, words in _classes(labels, rows):
        own = [columns[kind, word] for word in words if (kind, word) in columns]
        if len(own) == len(words) and (truth >= 0).any():
            state = np.where(truth[:, None] < 0, UNKNOWN, NAMED * (truth[:, None] == np.arange(len(words))))
            classes[kind] = dict(zip(words, scored(chances[:, own], state.astype(np.int8)), strict=True))
            dated = truth >= 0
            counts = np.bincount(truth[dated])
            right = chances[dated][:, own].argmax(1) == truth[dated]
            accuracy[kind] = (float(right.mean()), float(counts.max() / counts.sum()))
    return SubjectMeasures(tuple(found), classes, accuracy, len(rows), int(labels.spoken[rows].sum()))


def mean_precision(scores: list[Score]) -> tuple[float, float, int]:
    """Mean average precision, mean chance, and the number of labels, over those that some painting shows."""
    some = [score for score in scores if score.shown]
    if not some:
        return math.nan, math.nan, 0
    return (
        float(np.mean([score.precision for score in some])),
        float(np.mean([score.chance for score in some])),
        len(some),
    )


def subject_table(measures: SubjectMeasures | Missing) -> Table:
    """The mean over all subjects, then each of them."""
    columns = [
        Column("Show it"),
        Column(
            "Average precision", "", "higher", note="Chance is the share of known paintings that show it.", decimals=3
        ),
        Column("Chance", decimals=3),
        Column("Times chance", "", "higher", decimals=1),
        Column(
            "Spoken of: average precision",
            "",
            "higher",
            note="Paintings of which five people or more spoke.",
            decimals=3,
        ),
        Column("Spoken of: chance", decimals=3),
        Column(
            "Zero-shot: average precision",
            "",
            "higher",
            note="By the cosine with “a painting of” and the name: what a word of a curator gets, without training.",
            decimals=3,
        ),
        Column("Told"),
        Column("Judged", note="Those of the told of which five people or more spoke, and not one alone named it."),
        Column("Told rightly", "", "higher", note="Share of the judged that show it by what was said.", decimals=2),
    ]
    title = "What paintings show (test split, disjoint by painting)"
    if isinstance(measures, Missing):
        return Table(title, columns, [Row("subjects", [measures] * len(columns))])
    found = measures.subjects
    return Table(
        title,
        columns,
        [_mean_row(found), *(_row(each) for each in found)],
        f"{measures.paintings} paintings, {measures.spoken} spoken of. A painting shows a subject where its title or "
        "two utterances name it; where neither does it counts as not showing it, though it may, so that a precision is "
        "rather too low. What a single utterance names is left out.",
    )


def class_table(measures: SubjectMeasures | Missing) -> Table:
    """Style and period."""
    columns = [
        Column("Paintings"),
        Column("Average precision", "", "higher", decimals=3),
        Column("Chance", decimals=3),
        Column("Likeliest is right", "", "higher", note="Of all: share; chance is always the commonest.", decimals=3),
    ]
    title = "Style and period of paintings (test split, disjoint by painting)"
    if isinstance(measures, Missing):
        return Table(title, columns, [Row("style and period", [measures] * len(columns))])
    rows = []
    for kind, scores in measures.classes.items():
        precision, _, _ = mean_precision(list(scores.values()))
        right, commonest = measures.accuracy[kind]
        rows.append(Row(f"{kind}, mean", [sum(score.shown for score in scores.values()), precision, commonest, right]))
        none = Missing("of all together")
        rows += [Row(name, [score.shown, _precision(score), score.chance, none]) for name, score in scores.items()]
    return Table(title, columns, rows)


def subject_numbers(measures: SubjectMeasures | Missing) -> dict[str, dict[str, float]]:
    """The same for machines: the part ``subjects``."""
    if isinstance(measures, Missing):
        return {}
    numbers: dict[str, float] = {}
    for kind in ("named", "spoken", "zero_shot"):
        precision, chance, count = mean_precision([getattr(each, kind) for each in measures.subjects])
        numbers |= {f"{kind}_map": precision, f"{kind}_chance": chance, f"{kind}_subjects": float(count)}
        if chance > 0:
            numbers[f"{kind}_times_chance"] = precision / chance
    told, judged, right = (
        sum(getattr(each, name) for each in measures.subjects) for name in ("told", "judged", "right")
    )
    numbers |= {"told": float(told), "judged": float(judged), "told_rightly": right / judged if judged else math.nan}
    for kind, (right_share, commonest) in measures.accuracy.items():
        numbers |= {f"{kind}_accuracy": right_share, f"{kind}_commonest": commonest}
    numbers |= {f"ap_{each.name}": each.named.precision for each in measures.subjects}
    return {"subjects": {name: value for name, value in sorted(numbers.items()) if math.isfinite(value)}}


def _classes(
    labels: PictureLabels, rows: NDArray[np.int64]
) -> tuple[tuple[Kind, NDArray[np.int64], tuple[str, ...]], ...]:
    return ("style", labels.style[rows], labels.styles), ("period", labels.period[rows], tuple(PERIODS))


def _mean_row(found: tuple[Found, ...]) -> Row:
    named, spoken, alike = (
        mean_precision([getattr(each, kind) for each in found]) for kind in ("named", "spoken", "zero_shot")
    )
    told, judged, right = (sum(getattr(each, name) for each in found) for name in ("told", "judged", "right"))
    return Row(
        "mean",
        [
            sum(each.named.shown for each in found),
            *(_number(value) for value in (named[0], named[1], _ratio(named), spoken[0], spoken[1], alike[0])),
            told,
            judged,
            right / judged if judged else Missing("nothing that is told can be judged"),
        ],
        f"of the {named[2]} subjects that some painting shows, {spoken[2]} of those spoken of",
    )


def _row(each: Found) -> Row:
    named, spoken = each.named, each.spoken
    return Row(
        each.name,
        [
            named.shown,
            _precision(named),
            named.chance,
            _number(_ratio((named.precision, named.chance, named.shown))),
            _precision(spoken),
            spoken.chance,
            _precision(each.zero_shot),
            each.told,
            each.judged,
            each.right / each.judged if each.judged else Missing("nothing that is told can be judged"),
        ],
        f"{_FEW} paintings or fewer" if named.shown <= _FEW else "",
    )


def _ratio(mean: tuple[float, float, int]) -> float:
    return mean[0] / mean[1] if mean[1] > 0 else math.nan


def _precision(score: Score) -> Value:
    return _number(score.precision)


def _number(value: float) -> Value:
    return value if math.isfinite(value) else Missing("no painting is known to show it")

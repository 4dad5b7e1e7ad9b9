"""The tables and pictures of what a bundle feels: accuracy, calibration, what exchanges do, and retrieval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import A2MError, DataError
from a2m_edge.impression.feeling import EMOTIONS, NEGATIVE_EMOTIONS, POSITIVE_EMOTIONS
from training.data.embeddings.feeling_set import PAINTINGS, FeelingSet, FeelingTable
from training.data.tables.feelings import PictureArchive, read_paintings
from training.evaluation.feeling.pictures import confusion_picture, reliability_picture
from training.evaluation.feeling.pictures_alone import PicturesAlone, measure_pictures_alone, pictures_alone_figures
from training.evaluation.feeling.retrieval import Pictures, Recall, Retrieval, Texts, measure_retrieval
from training.evaluation.feeling.sensitivity import Swap, Written, measure_sensitivity, valence_of
from training.evaluation.feeling.steering import Steering, measure_steering
from training.evaluation.feeling.towers import untuned_towers
from training.evaluation.report.model import Column, Figure, Missing, Row, Table, Value
from training.evaluation.rows.perceiving import BundlePerception, Progress
from training.evaluation.statistics.distances import Estimate
from training.trainers.feeling import (
    MANY_UTTERANCES,
    FeelingMeasures,
    Reliability,
    confusion,
    macro_f1,
    measure_feelings,
)

BEFORE = "before the spread"
"""What the fusion tells of a picture alone before the runtime spreads it by the bundle's tables."""

MOST_PAINTINGS = 500
"""Test paintings among which a caption is looked for."""

_GIVEN = {
    "both": "painting and comment",
    "comment": "comment alone",
    "picture": "painting alone",
    "all": "comment, and painting where there is one",
}
_RECALLS = {
    "utterances": "its utterances, among those of all",
    "one_utterance": "one utterance of each painting",
    "captions": "the captions",
}
_POSITIVE = [EMOTIONS.index(word) for word in POSITIVE_EMOTIONS]
_NEGATIVE = [EMOTIONS.index(word) for word in NEGATIVE_EMOTIONS]


@dataclass(frozen=True)
class Perceived:
    """What a bundle feels, and how well its towers agree; or in one sentence why that could not be measured.

    Attributes:
        emotion: what was felt in each test utterance, int64 [rows].
        shown: whether its painting has a picture, bool [rows].
        measures: of what the runtime feels.
        fused: of the feeling head alone: it tells of pictures alone before they are spread.
        swaps: what exchanges do to what is felt.
        alone: how far apart pictures alone are felt and played.
        steered: what exchanges do to the music.
        retrieval: of the bundle's towers.
        untuned: of towers that saw no pair.
    """

    emotion: NDArray[np.int64]
    shown: NDArray[np.bool_]
    measures: FeelingMeasures
    fused: FeelingMeasures
    swaps: list[Swap] | Missing
    alone: PicturesAlone
    steered: list[Steering] | Missing
    retrieval: Retrieval
    untuned: Retrieval | Missing


def measure_perception(perception: BundlePerception, shared: Path, seed: int, progress: Progress) -> Perceived:
    """Everything that a bundle's encoders and fusion are measured on: the test split.

    Args:
        perception: of the bundle.
        shared: the folder with ``data`` and ``weights``.
        seed: of all draws.
        progress: of embedding the utterances.

    Raises:
        DataError: a table or an archive is missing or damaged.
    """
    data = shared / "data"
    feelings: FeelingSet = perception.feelings(data, "test", progress=progress)
    paintings = sum(painting.split == "test" for painting in read_paintings(data))
    archive = PictureArchive(data / PAINTINGS, 1)
    swaps: list[Swap] | Missing
    steered: list[Steering] | Missing
    written = Written.embedded(perception.texts)
    try:
        swaps = measure_sensitivity(valence_of(perception.predict), feelings, written, seed=seed)
    except DataError as error:
        swaps = Missing(str(error))
    try:
        sights = perception.sights(FeelingTable.read(data, "test").paintings, archive)
        steered = measure_steering(perception, feelings, sights, written, seed=seed)
    except DataError as error:
        steered = Missing(str(error))
    count = min(MOST_PAINTINGS, paintings)

    def recall(texts: Texts, pictures: Pictures) -> Retrieval:
        return measure_retrieval(texts, pictures, data, count=count, seed=seed)

    untuned: Retrieval | Missing
    try:
        untuned = recall(*untuned_towers(shared, seed))
    except A2MError as error:
        untuned = Missing(str(error))
    return Perceived(
        feelings.emotion,
        feelings.picture >= 0,
        measure_feelings(perception.predict, feelings),
        measure_feelings(perception.predict_before_spread, feelings),
        swaps,
        measure_pictures_alone(perception, data, seed, progress),
        steered,
        recall(perception.texts, lambda some: perception.pictures(some, archive)),
        untuned,
    )


def feeling_table(perceived: Perceived) -> Table:
    """How often the bundle tells what was felt, beside telling always the commonest emotion."""
    scores = perceived.measures.scores
    columns = [
        Column("Utterances"),
        Column("Nine emotions", "", "higher", note="Share in which the likeliest emotion was felt.", decimals=3),
        Column("Macro F1", "", "higher", note="Mean of F1 over the emotions that were felt.", decimals=3),
        Column("Sign", "", "higher", note="Positive against negative words; “something else” left out.", decimals=3),
        Column(
            "Calibration error",
            "",
            "lower",
            note="Expected calibration error of the likeliest emotion, in 15 bins of equally many utterances.",
            decimals=3,
        ),
    ]
    rows = []
    fused = perceived.fused.scores
    wanted = ("n", "accuracy", "macro_f1", "sign_accuracy", "calibration_error")
    for which, name in _GIVEN.items():
        rows.append(Row(name, [_of(scores, f"{which}_{score}") for score in wanted]))
        if which == "picture":
            rows.append(Row(f"{name}, {BEFORE}", [_of(fused, f"{which}_{score}") for score in wanted]))
    for name, emotion in (
        ("always the commonest emotion", perceived.emotion),
        ("always the commonest emotion, paintings with a picture", perceived.emotion[perceived.shown]),
    ):
        rows.append(Row(name, _commonest(emotion), "baseline", reference=True))
    return Table("What people felt, and what the bundle feels (test split, disjoint by painting)", columns, rows)


def painting_table(perceived: Perceived) -> Table:
    """Valence of paintings alone against what their annotators felt in the mean."""
    scores = perceived.measures.scores
    columns = [Column("Paintings"), Column("r", "", "higher", note="Pearson's correlation.", decimals=3)]
    often = int(scores[f"painting_n_{MANY_UTTERANCES}"])
    said = "1 test painting has" if often == 1 else f"{often} test paintings have"
    few = Missing(f"cannot be measured: {said} {MANY_UTTERANCES} or more utterances with a picture")
    rows = []
    for told, ending in ((scores, ""), (perceived.fused.scores, f", {BEFORE}")):
        rows += [
            Row(f"all test paintings{ending}", [int(told["painting_n"]), _of(told, "painting_valence_r")]),
            Row(
                f"those with {MANY_UTTERANCES} or more utterances{ending}",
                [often, told.get(f"painting_valence_r_{MANY_UTTERANCES}", few)],
            ),
        ]
    return Table("Valence of the painting alone against its annotators' mean", columns, rows)


def sensitivity_table(perceived: Perceived) -> Table:
    """What happens to felt valence when only the comment, or only the picture, is exchanged."""
    columns = [
        Column("Trials"),
        Column(
            "Moved",
            "",
            "higher",
            note="Share in which valence rises by one standard deviation of it or more.",
            decimals=3,
        ),
        Column(
            "Moved, alike",
            "",
            "higher",
            note="The same by the deviation over rows that are given only what the trials are.",
            decimals=3,
        ),
        Column("Rising", "", "higher", note="Share in which it rises at all; 0.5 by chance.", decimals=3),
        Column("Mean shift", "", "higher", note="Of valence, which lies in [-1, 1].", decimals=3),
        Column("Deviation", note="The standard deviation that counts.", decimals=3),
    ]
    rows = []
    if isinstance(perceived.swaps, Missing):
        rows.append(Row("exchanges", [perceived.swaps] * len(columns)))
    else:
        for swap in perceived.swaps:
            told = swap.figures()
            wanted = ("trials", "moved", "moved_alike", "rising", "mean_shift", "deviation")
            rows.append(Row(swap.title, [told[name] for name in wanted]))
    return Table("Does it follow when one thing alone is exchanged, grief for joy?", columns, rows)


def retrieval_table(perceived: Perceived) -> Table:
    """Image to words: recall@10 of ours, of untuned towers, and of chance."""
    columns = [
        Column(f"Recall@10: {name}", "", "higher", note="Share of paintings whose own text is among the ten nearest.")
        for name in _RECALLS.values()
    ]
    columns += [Column("Paintings, utterances"), Column("Texts"), Column("Paintings, captions")]
    rows = []
    towers: tuple[tuple[str, Retrieval | Missing], ...] = (
        ("ours", perceived.retrieval),
        ("untuned towers", perceived.untuned),
    )
    for title, found in towers:
        if isinstance(found, Missing):
            rows.append(Row(title, [found] * len(columns)))
            continue
        counts: list[Value] = [found.utterances.pictures, found.utterances.texts, found.captions.pictures]
        rows.append(Row(title, [*map(_estimate, _recalls(found).values()), *counts]))
    chance: list[Value] = [one.chance for one in _recalls(perceived.retrieval).values()]
    rows.append(Row("chance", [*chance, *[Missing("as ours")] * 3], "a random order", reference=True))
    return Table("Which words belong to the picture? (image to utterance)", columns, rows)


def feeling_figures(perceived: Perceived) -> list[Figure]:
    """Confusions of the nine emotions and the reliability diagram, as pictures."""
    measures = perceived.measures
    figures = [
        Figure(
            f"What was felt and what was told: {_GIVEN[which]}",
            confusion_picture(measures.confusion[which], _GIVEN[which].capitalize()),
            f"Confusion matrix of the nine emotions over {measures.confusion[which].sum()} test utterances.",
        )
        for which in ("both", "comment", "picture")
        if which in measures.confusion
    ]
    lines: Mapping[str, Reliability] = measures.reliability
    return [
        *figures,
        Figure(
            "How far the confidence can be believed",
            reliability_picture(lines, "Reliability of the feeling head"),
            "Accuracy over confidence; on the diagonal the head is as sure as it is right.",
        ),
    ]


def perception_numbers(perceived: Perceived) -> dict[str, dict[str, float]]:
    """The same for machines, of what could be measured.

    The parts are ``feeling``, ``pictures``, ``sensitivity``, ``steering`` and ``retrieval``.
    """
    numbers = {"feeling": dict(perceived.measures.scores)}
    numbers["feeling"] |= {
        f"fused_{name}": value
        for name, value in perceived.fused.scores.items()
        if name.startswith(("picture_", "painting_valence"))
    }
    numbers["pictures"] = pictures_alone_figures(perceived.alone)
    if not isinstance(perceived.steered, Missing):
        numbers["steering"] = {
            f"{each.key}_{name}": value for each in perceived.steered for name, value in each.figures().items()
        }
    if not isinstance(perceived.swaps, Missing):
        numbers["sensitivity"] = {
            f"{swap.key}_{name}": value for swap in perceived.swaps for name, value in swap.figures().items()
        }
    numbers["retrieval"] = _recall_numbers("", perceived.retrieval)
    if not isinstance(perceived.untuned, Missing):
        numbers["retrieval"] |= _recall_numbers("untuned_", perceived.untuned)
    return numbers


def _recall_numbers(prefix: str, found: Retrieval) -> dict[str, float]:
    return {
        f"{prefix}{name}_{key}": float(value)
        for name, one in _recalls(found).items()
        for key, value in asdict(one).items()
    }


def _recalls(found: Retrieval) -> dict[str, Recall]:
    return {"utterances": found.utterances, "one_utterance": found.one_utterance, "captions": found.captions}


def _estimate(recall: Recall) -> Value:
    return Estimate(recall.value, recall.low, recall.high)


def _of(scores: Mapping[str, float], name: str) -> Value:
    return scores.get(name, Missing("too few of these in the test split"))


def _commonest(emotion: NDArray[np.int64]) -> list[Value]:
    """What telling always the commonest emotion would score, in the order of ``feeling_table``."""
    if not len(emotion):
        return [0, *[Missing("there is none in the test split")] * 4]
    counts = np.bincount(emotion, minlength=len(EMOTIONS))
    always = np.full(len(emotion), counts.argmax())
    signs = np.array([counts[_POSITIVE].sum(), counts[_NEGATIVE].sum()])
    sign: Value = float(signs.max() / signs.sum()) if signs.sum() else Missing("none is positive or negative")
    score = macro_f1(confusion(emotion, always))
    return [len(emotion), float(counts.max() / len(emotion)), score, sign, Missing("tells no confidence")]

"""How far apart pictures alone are felt and played: by the runtime, by its fusion, and by people.

A regression to people's means is right in its order and too narrow in its values; the runtime spreads it by the tables
of its bundle (``pictures.json``). What plays is what counts, so both are shown, by their names.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from a2m_edge.bundle.manifest import ClipDecoder
from a2m_edge.composer.plan import MODES, Plan, plan
from a2m_edge.impression.feeling import EMOTION_SIGNS, EMOTIONS
from a2m_edge.perception.encoders import Perception
from training.data.embeddings.feeling_set import PAINTINGS
from training.data.embeddings.picture_tables import ENOUGH_UTTERANCES
from training.data.tables.feelings import EMOTION_AROUSAL, PictureArchive, read_paintings, read_utterances
from training.evaluation.report.model import Column, Missing, Row, Table, Value
from training.evaluation.rows.perceiving import BundlePerception, Progress

MOST_PLAYED = 500
"""Test paintings of which it is told how they would be played; those that enough was said of are among them."""

_FEWEST = 3
"""Paintings below which nothing can be said of how they differ."""

_PLAYED, _FUSED, _PEOPLE = "as the runtime plays them", "as the fusion tells them, before the spread", "people's means"


@dataclass(frozen=True)
class PicturesAlone:
    """What is felt before test paintings, by whom, and what would be played; n paintings that enough was said of.

    Attributes:
        people: mean valence and arousal of what was said, float64 [n, 2].
        majority: emotions that were said most often, of each; several where they are equal.
        played, fused: valence and arousal by the runtime, and by its fusion alone, float64 [n, 2].
        played_words, fused_words: the likeliest emotion by both, int64 [n].
        plans: of the runtime for all test paintings that were looked at; or why there is none.
    """

    people: NDArray[np.float64]
    majority: tuple[frozenset[int], ...]
    played: NDArray[np.float64]
    fused: NDArray[np.float64]
    played_words: NDArray[np.int64]
    fused_words: NDArray[np.int64]
    plans: tuple[Plan, ...] | Missing

    @property
    def commonest_share(self) -> float:
        """How often always telling one word, the best one for that, would be right."""
        counts = Counter(emotion for emotions in self.majority for emotion in emotions)
        return counts.most_common(1)[0][1] / len(self.majority)

    @property
    def enough(self) -> bool:
        """Whether there are enough paintings that people spoke of."""
        return len(self.people) >= _FEWEST


def measure_pictures_alone(
    perception: BundlePerception, data: Path, seed: int, progress: Progress | None = None
) -> PicturesAlone:
    """Looks at test paintings without a comment.

    Args:
        perception: of the bundle.
        data: folder of ``paintings.zip`` and the tables.
        seed: of the paintings that are drawn where there are more than ``MOST_PLAYED``.
        progress: of the paintings.

    Raises:
        DataError: a table or a picture is missing or damaged.
    """
    said: dict[str, list[int]] = defaultdict(list)
    for each in read_utterances(data):
        if each.split == "test" and each.picture:
            said[each.picture].append(each.emotion)
    paintings = [each for each in read_paintings(data) if each.split == "test"]
    spoken = [each for each in paintings if len(said[each.file]) >= ENOUGH_UTTERANCES]
    others = [each for each in paintings if len(said[each.file]) < ENOUGH_UTTERANCES]
    order = np.random.default_rng([41, seed]).permutation(len(others))[: max(0, MOST_PLAYED - len(spoken))]
    seen = [*spoken, *(others[place] for place in np.sort(order))]
    sights = perception.sights(seen, PictureArchive(data / PAINTINGS, 1), progress)
    felt = [perception.perceive(sight, None) for sight in sights]
    images = np.array([sight.embedding for sight in sights[: len(spoken)]], np.float32)
    images = images.reshape(len(spoken), perception.bundle.manifest.embedding_size)
    alone = np.tile(np.array([1, 0], np.float32), (len(spoken), 1))
    emotions, fused = perception.predict_before_spread(images, np.zeros_like(images), alone)
    means = [[EMOTION_SIGNS[said[each.file]].mean(), EMOTION_AROUSAL[said[each.file]].mean()] for each in spoken]
    return PicturesAlone(
        people=np.array(means, np.float64).reshape(-1, 2),
        majority=tuple(_majority(said[each.file]) for each in spoken),
        played=_feelings(felt[: len(spoken)]),
        fused=fused.astype(np.float64),
        played_words=np.array([int(each.feeling.emotions.argmax()) for each in felt[: len(spoken)]], np.int64),
        fused_words=emotions.argmax(1).astype(np.int64),
        plans=plans_of(perception, felt),
    )


def plans_of(perception: BundlePerception, felt: Sequence[Perception]) -> tuple[Plan, ...] | Missing:
    """How the runtime would play what is felt; or why it would not."""
    if isinstance(perception.bundle.manifest.decoder, ClipDecoder):
        return Missing("this bundle plays no score")
    return tuple(plan(each.feeling, each.cues, each.subjects) for each in felt)


def pictures_alone_table(alone: PicturesAlone) -> Table:
    """How far apart pictures alone are felt, and how like people."""
    columns = [
        Column("Paintings"),
        Column("Valence, deviation", note="Standard deviation over the paintings.", decimals=3),
        Column("Arousal, deviation", note="Likewise.", decimals=3),
        Column("Valence, rank correlation", "", "higher", note="Spearman's, with people's means.", decimals=3),
        Column("Arousal, rank correlation", "", "higher", note="Likewise.", decimals=3),
        Column("Commonest word", note="Largest share of the paintings that one word is told of.", decimals=3),
        Column("Majority", "", "higher", note="Share whose word is one that most people said.", decimals=3),
    ]
    figures = pictures_alone_figures(alone)
    names = ("valence_deviation", "arousal_deviation", "valence_rank_r", "arousal_rank_r", "commonest", "majority")
    few = Missing(f"fewer than {_FEWEST} test paintings have {ENOUGH_UTTERANCES} utterances and a picture")
    rows = []
    for key, name in (("played", _PLAYED), ("fused", _FUSED), ("people", _PEOPLE)):
        missing = Missing("is the reference") if alone.enough else few
        values: list[Value] = [figures.get(f"{key}_{each}", missing) for each in names]
        rows.append(Row(name, [len(alone.people), *values], reference=key == "people"))
    always: Value = figures.get("always_majority", few)
    rows.append(
        Row(
            "always the commonest emotion",
            [len(alone.people), *[Missing("tells one thing of all")] * 5, always],
            "baseline",
            reference=True,
        )
    )
    return Table(
        "How far apart are pictures alone?",
        columns,
        rows,
        f"Test paintings with {ENOUGH_UTTERANCES} utterances or more. A mean of so few varies by chance too, so that "
        "people's deviation is an upper bound.",
    )


def music_of_pictures_table(alone: PicturesAlone) -> Table:
    """In how many ways pictures alone are played."""
    columns = [
        Column("Paintings"),
        Column("Tempo, 5 %", "beats a minute", decimals=1),
        Column("Tempo, 95 %", "beats a minute", decimals=1),
        *(Column(mode.capitalize(), note="Share of the paintings.", decimals=3) for mode in MODES),
    ]
    if isinstance(alone.plans, Missing):
        values: list[Value] = [alone.plans] * len(columns)
    else:
        figures = _music(alone.plans)
        values = [
            len(alone.plans),
            figures["tempo_5"],
            figures["tempo_95"],
            *(figures[f"mode_{mode}"] for mode in MODES),
        ]
    return Table("How are pictures alone played?", columns, [Row(_PLAYED, values)])


def pictures_alone_figures(alone: PicturesAlone) -> dict[str, float]:
    """The same as numbers, of what could be measured."""
    figures = {"paintings": float(len(alone.people))}
    if alone.enough:
        for key, feelings, words in (
            ("played", alone.played, alone.played_words),
            ("fused", alone.fused, alone.fused_words),
            ("people", alone.people, None),
        ):
            for side, name in enumerate(("valence", "arousal")):
                figures[f"{key}_{name}_deviation"] = float(feelings[:, side].std())
                if words is not None:
                    figures[f"{key}_{name}_rank_r"] = rank_correlation(feelings[:, side], alone.people[:, side])
            if words is not None:
                figures[f"{key}_commonest"] = float(np.bincount(words, minlength=len(EMOTIONS)).max() / len(words))
                hits = [word in emotions for word, emotions in zip(words.tolist(), alone.majority, strict=True)]
                figures[f"{key}_majority"] = float(np.mean(hits))
        figures["always_majority"] = alone.commonest_share
    if not isinstance(alone.plans, Missing):
        figures |= {"played_paintings": float(len(alone.plans))} | _music(alone.plans)
    return figures


def rank_correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Spearman's, in [-1, 1]; 0 where one side does not vary."""
    ranks = np.stack([rankdata(one), rankdata(other)])
    return float(np.corrcoef(ranks)[0, 1]) if (ranks.std(1) > 0).all() else 0.0


def _music(plans: Sequence[Plan]) -> dict[str, float]:
    low, high = np.quantile([each.tempo for each in plans], [0.05, 0.95])
    shares = {f"mode_{mode}": float(np.mean([each.mode == mode for each in plans])) for mode in MODES}
    return {"tempo_5": float(low), "tempo_95": float(high), **shares}


def _majority(emotions: Sequence[int]) -> frozenset[int]:
    counts = np.bincount(emotions)
    return frozenset(np.flatnonzero(counts == counts.max()).tolist())


def _feelings(felt: Sequence[Perception]) -> NDArray[np.float64]:
    told = [(each.feeling.valence, each.feeling.arousal) for each in felt]
    return np.array(told, np.float64).reshape(-1, 2)

"""What happens to the plan of the music when the comment alone, or the picture alone, is exchanged.

The exchanges are those of ``training.evaluation.feeling.sensitivity``; what is compared is what the runtime would play,
with the picture's cues.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from a2m_edge.composer.plan import MODES, Plan
from a2m_edge.perception.encoders import Sight
from training.data.embeddings.feeling_set import FeelingSet
from training.evaluation.feeling.pictures_alone import plans_of
from training.evaluation.feeling.sensitivity import Written, saddest_and_happiest
from training.evaluation.report.model import Column, Missing, Row, Table, Value
from training.evaluation.rows.perceiving import BundlePerception

_MODES = list(MODES)  # the brightest first
_TITLES = {
    "comment_written": "comment, ten written ones of grief for ten of joy, a picture held",
    "picture_alone": "picture, saddest tenth for happiest, no comment",
    "picture_neutral": "picture, saddest tenth for happiest, a neutral comment held",
    "picture_any": "picture, any for any other, the utterance of one held",
}

Given = tuple[Sight, NDArray[np.float32] | None]
"""A picture, and the embedding of a comment or none."""


@dataclass(frozen=True)
class Steering:
    """What the plans of one exchange are before and after.

    Attributes:
        key: a name for code and JSON.
        before, after: of each trial.
    """

    key: str
    before: tuple[Plan, ...]
    after: tuple[Plan, ...]

    @property
    def title(self) -> str:
        """What was exchanged, in words."""
        return _TITLES[self.key]

    def figures(self) -> dict[str, float]:
        """Everything as numbers.

        How far tempo (beats a minute), register (semitones) and density ([0, 1]) move, whichever way, and which way
        (``shift``), in the mean; in what share of trials the mode is another one, and a brighter one.
        """
        moves = {
            name: np.array([getattr(new, name) - getattr(old, name) for old, new in self._pairs()], np.float64)
            for name in ("tempo", "register", "density")
        }
        brighter = np.array([_MODES.index(old.mode) - _MODES.index(new.mode) for old, new in self._pairs()])
        return {
            "trials": float(len(self.before)),
            **{f"{name}_moved": float(np.abs(values).mean()) for name, values in moves.items()},
            **{f"{name}_shift": float(values.mean()) for name, values in moves.items()},
            "mode_changed": float((brighter != 0).mean()),
            "mode_brighter": float((brighter > 0).mean()),
        }

    def _pairs(self) -> Iterator[tuple[Plan, Plan]]:
        return zip(self.before, self.after, strict=True)


def measure_steering(
    perception: BundlePerception,
    feelings: FeelingSet,
    sights: Sequence[Sight],
    written: Written,
    trials: int = 200,
    seed: int = 0,
) -> list[Steering] | Missing:
    """Exchanges only the comment, or only the picture, and plans the music before and after.

    Args:
        perception: of the bundle.
        feelings: of the test split, embedded by the same.
        sights: what is seen of its pictures, in the order of ``FeelingSet.image``.
        written: embedded by the same.
        trials: of each exchange.
        seed: of the draws.

    Raises:
        DataError: the split has too few paintings, or none with a picture.
    """
    sad, happy = saddest_and_happiest(feelings)
    shown = np.flatnonzero(feelings.picture >= 0)
    generator = np.random.default_rng([51, seed])

    def some(rows: NDArray[np.int64]) -> list[Sight]:
        return [sights[row] for row in generator.choice(rows, trials)]

    def drawn(texts: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        return [texts[row] for row in generator.integers(len(texts), size=trials)]

    held, neutral = some(feelings.picture[shown]), drawn(written.neutral)
    low, high = some(sad), some(happy)
    utterances = generator.choice(shown, trials)
    own = [sights[row] for row in feelings.picture[utterances]]
    exchanges: dict[str, tuple[list[Given], list[Given]]] = {
        "comment_written": (_given(held, drawn(written.grief)), _given(held, drawn(written.joy))),
        "picture_alone": (_given(low), _given(high)),
        "picture_neutral": (_given(low, neutral), _given(high, neutral)),
        "picture_any": (
            _given(own, list(feelings.text[utterances])),
            _given(some(np.unique(feelings.picture[shown])), list(feelings.text[utterances])),
        ),
    }
    found = []
    for key, both in exchanges.items():
        before, after = (plans_of(perception, [perception.perceive(*given) for given in each]) for each in both)
        if isinstance(before, Missing) or isinstance(after, Missing):
            return Missing("this bundle plays no score")
        found.append(Steering(key, before, after))
    return found


def steering_table(steered: list[Steering] | Missing) -> Table:
    """What happens to the plan of the music when one thing alone is exchanged."""
    columns = [
        Column("Trials"),
        Column("Tempo moves", "beats a minute", note="Mean distance, whichever way.", decimals=1),
        Column("Register moves", "semitones", note="Likewise.", decimals=1),
        Column("Density moves", note="Likewise; density lies in [0, 1].", decimals=3),
        Column("Tempo, shift", "beats a minute", note="Mean of after less before.", decimals=1),
        Column("Register, shift", "semitones", note="Likewise.", decimals=1),
        Column("Another mode", note="Share of the trials.", decimals=3),
        Column("A brighter mode", note="Share of the trials.", decimals=3),
    ]
    wanted = (
        "trials",
        "tempo_moved",
        "register_moved",
        "density_moved",
        "tempo_shift",
        "register_shift",
        "mode_changed",
        "mode_brighter",
    )
    if isinstance(steered, Missing):
        values: list[Value] = [steered] * len(columns)
        rows = [Row("exchanges", values)]
    else:
        rows = [Row(each.title, [each.figures()[name] for name in wanted]) for each in steered]
    return Table("Does the music follow when one thing alone is exchanged?", columns, rows)


def _given(sights: Sequence[Sight], texts: Sequence[NDArray[np.float32]] | None = None) -> list[Given]:
    return [(sight, None if texts is None else texts[place]) for place, sight in enumerate(sights)]

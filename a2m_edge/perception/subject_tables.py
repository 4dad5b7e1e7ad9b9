"""What a bundle can tell of what a picture shows (``subjects.json``): its labels, and the words of a curator."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from a2m_edge.bundle.tables import read_tables
from a2m_edge.impression.subjects import Subjects
from a2m_edge.strict_json import encode

SCHEMA = 1

Kind = Literal["subject", "style", "period"]

MOST_WORDS = 64
"""Words of a curator: each is compared with every picture."""


@dataclass(frozen=True)
class Label:
    """One output of the image encoder's labels.

    Attributes:
        name: what is told.
        kind: of a style and a period the likeliest alone is told.
        threshold: the probability from which on it is told, in (0, 1]; None where none was right often enough.
    """

    name: str
    kind: Kind
    threshold: float | None

    def told(self, chance: float) -> bool:
        """Whether a probability is sure enough."""
        return self.threshold is not None and chance >= self.threshold


@dataclass(frozen=True)
class Likeness:
    """How alike a picture and a sentence must be for the picture to show what the sentence says.

    The cosine of a sentence with a picture is compared with those that the same sentence has with paintings at large,
    in deviations above their mean (z). How often a picture at z shows what is said is a logistic function of z.

    Attributes:
        mean: mean embedding of paintings [D]; its product with a sentence's embedding is the mean cosine.
        deviation: of the cosines of a sentence with paintings, > 0.
        slope, offset: of the logistic function: its argument is slope * z + offset.
        threshold: the probability from which on a word is told, in (0, 1]; None where the embeddings tell too little.
    """

    mean: tuple[float, ...]
    deviation: float
    slope: float
    offset: float
    threshold: float | None

    def sureness(self, picture: NDArray[np.float32], sentence: NDArray[np.float32]) -> float:
        """How sure it is that a picture shows what a sentence says, in (0, 1); embeddings are float32 [D]."""
        above = float(picture @ sentence) - float(np.array(self.mean) @ sentence)
        argument = self.slope * above / self.deviation + self.offset
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, argument))))


@dataclass(frozen=True)
class Word:
    """A word that a curator added.

    Attributes:
        sentence: says what is shown, in the language of the text encoder.
        sounds: the subject by whose means it is heard, such as ``"sea"`` of a lighthouse; empty where it is told alone.
    """

    sentence: str
    sounds: str = ""


@dataclass(frozen=True)
class SubjectTables:
    """What can be told of a picture.

    Attributes:
        schema: version of this structure.
        labels: of the image encoder's output, in order.
        likeness: how words are compared with pictures.
        words: a curator's, by what is told.
    """

    schema: int
    labels: tuple[Label, ...]
    likeness: Likeness
    words: dict[str, Word] = field(default_factory=dict)

    def to_json(self) -> str:
        """The text of the file: the same tables give the same bytes."""
        return encode(self)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads the tables.

        Raises:
            BundleError: the file is missing, damaged, or of another kind.
        """
        return read_tables(cls, path, "subjects")

    def check(self) -> None:
        """Refuses what makes no sense.

        Raises:
            ValueError: naming the first fault.
        """
        if self.schema != SCHEMA:
            raise ValueError(f"its schema is {self.schema}, not {SCHEMA}")
        names = [(label.kind, label.name) for label in self.labels]
        if len(set(names)) < len(names) or not all(label.name.strip() for label in self.labels):
            raise ValueError("a label has no name, or that of another")
        thresholds = (*(label.threshold for label in self.labels), self.likeness.threshold)
        if not all(each is None or 0 < each <= 1 for each in thresholds):
            raise ValueError("a threshold is outside 0 to 1")
        if not self.likeness.mean or self.likeness.deviation <= 0:
            raise ValueError("its likeness compares nothing")
        if len(self.words) > MOST_WORDS:
            raise ValueError(f"it has {len(self.words)} words, and {MOST_WORDS} are the most")
        for name, word in self.words.items():
            if not name.strip() or not word.sentence.strip():
                raise ValueError(f"the word {name!r} says nothing")
            if name in self.subjects:
                raise ValueError(f"{name!r} is a subject already")
            if word.sounds and word.sounds not in self.subjects:
                raise ValueError(f"the word {name!r} sounds as {word.sounds!r}, which is none of its subjects")

    @property
    def subjects(self) -> tuple[str, ...]:
        """The names of the labels that are subjects, in order."""
        return tuple(label.name for label in self.labels if label.kind == "subject")

    def told(
        self,
        chances: NDArray[np.float32],
        picture: NDArray[np.float32],
        sentences: Mapping[str, NDArray[np.float32]],
    ) -> Subjects:
        """What is sure enough to be told.

        Args:
            chances: probability of each label, float32 [labels].
            picture: its embedding, float32 [D].
            sentences: embedding of the sentence of each of ``words``, float32 [D].
        """
        shown = {
            label.name: float(chance)
            for label, chance in zip(self.labels, chances, strict=True)
            if label.kind == "subject" and label.told(float(chance))
        }
        for name, word in self.words.items():
            sure = self.likeness.sureness(picture, sentences[name])
            if self.likeness.threshold is not None and sure >= self.likeness.threshold:
                shown[name] = sure
                if word.sounds:
                    shown[word.sounds] = max(sure, shown.get(word.sounds, 0.0))
        surest = sorted(shown, key=lambda name: (-shown[name], name))
        return Subjects(
            {name: shown[name] for name in surest},
            self._likeliest("style", chances),
            self._likeliest("period", chances),
        )

    def _likeliest(self, kind: Kind, chances: NDArray[np.float32]) -> str:
        """The likeliest label of a kind; empty where it is not sure enough."""
        known = [
            (float(chance), label) for label, chance in zip(self.labels, chances, strict=True) if label.kind == kind
        ]
        if not known:
            return ""
        chance, label = max(known, key=lambda each: each[0])
        return label.name if label.told(chance) else ""

"""What the composer knows of real music: ``composer.json`` of a bundle."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import BundleError

SCHEMA = 1
DEGREES = 7
FAMILIES = ("major", "minor")


@dataclass(frozen=True)
class Rhythm:
    """Onsets of one bar, in slots of the tables' grid, and how often scores use it."""

    onsets: tuple[int, ...]
    count: float


@dataclass(frozen=True)
class ComposerTables:
    """Probabilities estimated from scores.

    Attributes:
        chords: for each family (``"major"``, ``"minor"``) the probability that a triad on one scale degree is
            followed by another, float64 [7, 7], rows sum to 1.
        steps: for each family the probability of a melodic step after another, in scale steps from -n to n,
            float64 [2n + 1, 2n + 1], rows sum to 1.
        rhythms: for each number of beats in a bar the commonest rhythms.
        grid: slots in a beat.
    """

    chords: dict[str, NDArray[np.float64]]
    steps: dict[str, NDArray[np.float64]]
    rhythms: dict[int, tuple[Rhythm, ...]]
    grid: int

    @property
    def largest_step(self) -> int:
        """The largest melodic step of the tables, in scale steps."""
        return len(self.steps["major"]) // 2

    @classmethod
    def read(cls, path: Path) -> ComposerTables:
        """Reads tables.

        Raises:
            BundleError: the file is missing, is no JSON, or does not hold these tables.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["schema"] != SCHEMA:
                raise ValueError(f"its schema is {document['schema']}, not {SCHEMA}")
            return cls(
                {family: probabilities(document["chords"][family], DEGREES) for family in FAMILIES},
                {family: probabilities(document["steps"][family]) for family in FAMILIES},
                {int(beats): rhythms(rows) for beats, rows in document["rhythms"].items()},
                int(document["rhythm_grid"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BundleError(
                f"The composer's tables {path} cannot be used ({error}): restore the bundle they came with."
            ) from error


def probabilities(rows: Any, size: int | None = None) -> NDArray[np.float64]:
    """A square matrix of probabilities with each row scaled to sum exactly 1; ValueError when it is not one."""
    matrix = np.asarray(rows, np.float64)
    square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1] and size in (None, len(matrix))
    if not square or not np.all(np.isfinite(matrix)) or matrix.min() < 0 or matrix.sum(1).min() <= 0:
        raise ValueError("a table is not a square of probabilities")
    return np.asarray(matrix / matrix.sum(1, keepdims=True))


def rhythms(rows: Any) -> tuple[Rhythm, ...]:
    """Rhythms from their JSON rows; ValueError when there is none with an onset."""
    found = tuple(Rhythm(tuple(int(slot) for slot in row["onsets"]), float(row["count"])) for row in rows)
    if not any(rhythm.onsets for rhythm in found):
        raise ValueError("a table holds no rhythm")
    return found

"""What the report of an evaluation holds: tables of numbers, figures, examples with their sounds."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from a2m_edge import __version__
from a2m_edge.errors import OutputError

SCHEMA = 1
"""Version of the JSON's form."""


class Interval(Protocol):
    """A number and how sure it is, such as ``training.evaluation.statistics.distances.Estimate``."""

    @property
    def value(self) -> float:
        """The number."""

    @property
    def low(self) -> float | None:
        """Lower end of the interval, or None where there is none."""

    @property
    def high(self) -> float | None:
        """Upper end of the interval, or None where there is none."""


@dataclass(frozen=True)
class Missing:
    """Stands where there is no number, and says why."""

    reason: str


Value = float | np.floating[Any] | np.integer[Any] | Interval | Missing | None
"""What a cell holds; None is a number that is missing for a reason that the row's or the column's note gives."""


@dataclass(frozen=True)
class Column:
    """What is measured.

    Attributes:
        name: heading.
        unit: of the numbers, or nothing.
        better: ``higher`` or ``lower``; nothing where neither is.
        reconstruction: the measure compares a sound with the very recording it was made from, so that it tells how
            well something known is rebuilt, and nothing of how well something new is made.
        note: how it is measured.
        decimals: digits after the point; as many as suit the numbers when None.
    """

    name: str
    unit: str = ""
    better: Literal["higher", "lower", ""] = ""
    reconstruction: bool = False
    note: str = ""
    decimals: int | None = None


@dataclass(frozen=True)
class Row:
    """What is compared.

    Attributes:
        name: of the row.
        values: one for each column.
        note: what the row is.
        reference: it is shown for orientation, such as recordings or silence, and is never called the best.
    """

    name: str
    values: Sequence[Value]
    note: str = ""
    reference: bool = False


@dataclass(frozen=True)
class Table:
    """Rows, each with one value for each column."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """A drawing: the bytes of a PNG. The note tells those who cannot see it what it shows."""

    title: str
    png: bytes
    note: str = ""


@dataclass(frozen=True)
class Sound:
    """A sound: float32 [N, C] in [-1, 1], N >= 1, at ``rate`` Hz."""

    name: str
    samples: NDArray[np.float32]
    rate: int


@dataclass(frozen=True)
class Example:
    """A work, what was said of it, and how it sounds.

    Attributes:
        title: of the work.
        comment: words about it; shown as they are.
        picture: bytes of a PNG or JPEG, or None.
        sounds: to be compared.
        note: anything else, such as what was felt.
    """

    title: str
    comment: str
    picture: bytes | None
    sounds: Sequence[Sound]
    note: str = ""


@dataclass(frozen=True)
class Report:
    """All that an evaluation found.

    Attributes:
        title: of the page.
        facts: what was evaluated and how, by name.
    """

    title: str
    facts: Mapping[str, str] = field(default_factory=dict)
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    examples: Sequence[Example] = ()


def as_json(report: Report) -> str:
    """The report's numbers, definitions and facts as JSON.

    Raises:
        OutputError: a number is not finite.
    """
    check(report)
    return json.dumps(_readable(_plain(report)), indent=1, allow_nan=False) + "\n"


def number(value: Value) -> float | None:
    """The number of a cell alone, or None where it is missing."""
    if value is None or isinstance(value, Missing):
        return None
    return float(value) if isinstance(value, (int, float, np.number)) else float(value.value)


def ends(value: Value) -> tuple[float, float] | None:
    """The ends of a cell's interval, or None where there is none."""
    low, high = getattr(value, "low", None), getattr(value, "high", None)
    return None if low is None or high is None else (float(low), float(high))


def best_rows(table: Table, column: int) -> frozenset[int]:
    """The rows whose number is the best of a column: none without a direction, or with less than two to compare."""
    better = table.columns[column].better
    found = {
        index: value
        for index, row in enumerate(table.rows)
        if not row.reference and (value := number(row.values[column])) is not None
    }
    if not better or len(found) < 2:
        return frozenset()
    best = max(found.values()) if better == "higher" else min(found.values())
    return frozenset(index for index, value in found.items() if value == best)


def check(report: Report) -> None:
    """Refuses a report that cannot be written.

    Raises:
        OutputError: a number is not finite.
        ValueError: a row has not as many values as its table has columns.
    """
    for table in report.tables:
        for row in table.rows:
            if len(row.values) != len(table.columns):
                raise ValueError(f"{table.title}, {row.name}: {len(row.values)} values, {len(table.columns)} columns")
            for column, value in zip(table.columns, row.values, strict=True):
                if not all(map(math.isfinite, _numbers(value))):
                    raise OutputError(
                        f"the report cannot be written: {column.name} of {row.name} in {table.title} is not a finite "
                        f"number; measure it again, or leave it out with its reason"
                    )


def _numbers(value: Value) -> Iterator[float]:
    alone = number(value)
    if alone is not None:
        yield alone
    yield from ends(value) or ()


def _plain(report: Report) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "program": f"a2m-edge {__version__}",
        "title": report.title,
        "facts": dict(report.facts),
        "tables": [
            {
                "title": table.title,
                "note": table.note,
                "columns": [
                    {
                        "name": column.name,
                        "unit": column.unit,
                        "better": column.better or None,
                        "reconstruction": column.reconstruction,
                        "note": column.note,
                    }
                    for column in table.columns
                ],
                "rows": [
                    {
                        "name": row.name,
                        "note": row.note,
                        "reference": row.reference,
                        "values": [_cell(value) for value in row.values],
                    }
                    for row in table.rows
                ],
            }
            for table in report.tables
        ],
        "figures": [{"title": figure.title, "note": figure.note} for figure in report.figures],
        "examples": [
            {
                "title": example.title,
                "comment": example.comment,
                "note": example.note,
                "sounds": [
                    {"name": sound.name, "seconds": len(sound.samples) / sound.rate, "sample_rate": sound.rate}
                    for sound in example.sounds
                ],
            }
            for example in report.examples
        ],
    }


def _cell(value: Value) -> dict[str, Any]:
    interval = ends(value)
    cell: dict[str, Any] = {"value": number(value), "low": None, "high": None}
    if interval is not None:
        cell["low"], cell["high"] = interval
    if isinstance(value, Missing):
        cell["missing"] = value.reason
    return cell


def _readable(value: Any) -> Any:
    """The same without halves of surrogate pairs, which are no text."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_readable(key): _readable(each) for key, each in value.items()}
    return [_readable(each) for each in value] if isinstance(value, list) else value

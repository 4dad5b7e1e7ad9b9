"""Tables of works: CSV, JSON Lines and Parquet, row by row; a bad row is a row with a problem, not the end."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from a2m_edge.addresses import shown
from a2m_edge.collection.table_text import clean, csv_rows, read_text, unguarded
from a2m_edge.errors import CollectionError, MissingExtraError, Remark, first_line
from a2m_edge.strict_json import StrictJsonError, parse

COLUMNS = ("image", "comment", "seconds", "seed", "id")
"""What is understood, in whatever case; other columns are carried to the index."""


@dataclass(frozen=True)
class TableRow:
    """A row as it was found.

    Attributes:
        number: of the row, counted from 1; in files of text its line.
        image, comment, seconds, seed, id: None where the row says nothing.
        carried: its other columns.
        problem: why it cannot be used, or None.
    """

    number: int
    image: str | None = None
    comment: str | None = None
    seconds: float | None = None
    seed: int | None = None
    id: str | None = None
    carried: dict[str, str] = field(default_factory=dict)
    problem: str | None = None


def read_csv(path: Path, remark: Remark) -> Iterator[TableRow]:
    """Rows of a CSV file with a line of names, as spreadsheets write it: see ``csv_rows``.

    Raises:
        CollectionError: it cannot be read, or has neither a column image nor a column comment.
    """
    rows = csv_rows(_text_of(path, remark), COLUMNS)
    head = next(rows, None)
    if head is not None and head.fault:
        raise CollectionError(
            f"cannot read the names of columns in {path}: {head.fault} in line {head.line}; check its quotation marks"
        )
    names = [] if head is None else [clean(name) for name in head.cells]
    _check_columns(names, path)
    names = [name or f"column {number}" for number, name in enumerate(names, 1)]
    for row in rows:
        count = max((number for number, cell in enumerate(row.cells, 1) if cell.strip()), default=0)
        if row.fault:
            fault = f"line {row.line} of the table cannot be read: {row.fault}; check its quotation marks"
            yield TableRow(row.line, problem=fault)
        elif count > len(names):
            yield TableRow(row.line, problem=f"line {row.line} has {count} cells for {len(names)} columns")
        else:
            cells = [unguarded(cell) for cell in row.cells]
            yield _row(row.line, f"line {row.line}", dict(zip(names, cells, strict=False)))


def read_jsonl(path: Path, remark: Remark) -> Iterator[TableRow]:
    """Rows of a JSON Lines file: an object a line.

    Raises:
        CollectionError: it cannot be read.
    """
    for number, line in enumerate(_text_of(path, remark).split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = parse(line.encode())
        except StrictJsonError as error:
            yield TableRow(number, problem=f"line {number} of the table cannot be read: {error}")
            continue
        if isinstance(value, dict):
            yield _row(number, f"line {number}", value)
        else:
            yield TableRow(number, problem=f"line {number} of the table is no object of columns")


def read_parquet(path: Path, remark: Remark) -> Iterator[TableRow]:
    """Rows of a Parquet file.

    Raises:
        CollectionError: it cannot be read, or has neither a column image nor a column comment.
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise MissingExtraError("pyarrow, which Parquet tables need,", "parquet") from error
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            _check_columns(file.schema_arrow.names, path)
            for batch in file.iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    number += 1
                    yield _row(number, f"row {number}", row)
    except (OSError, pyarrow.ArrowException) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise CollectionError(f"cannot read {path}: {reason}; check the file") from error


def _row(number: int, place: str, cells: Mapping[str, Any]) -> TableRow:
    """A row from its cells, which may be of any type that JSON or Parquet has."""
    known: dict[str, Any] = {}
    carried = {}
    for name, cell in cells.items():
        column = clean(name).casefold()
        if column in COLUMNS:
            known[column] = None if _blank(cell) else cell
        elif not _blank(cell) or cell == "":
            carried[name] = _text(cell)
    values: dict[str, Any] = {}
    problem = None
    for column, cell in known.items():
        if cell is None:
            continue
        try:
            values[column] = _READ[column](cell)
        except (ValueError, TypeError, OverflowError):
            words = shown(_text(cell))[:40]
            problem = f"{column} in {place} of the table is {words!r}; write {_WANTED[column]}"
    return TableRow(number, carried=carried, problem=problem, **values)


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    try:
        return json.dumps(cell, ensure_ascii=False)
    except (TypeError, ValueError):  # dates and bytes of Parquet
        return str(cell)


def _blank(cell: Any) -> bool:
    """Whether a cell says nothing; a number that is none is how tables of floating point write that."""
    return cell is None or (isinstance(cell, str) and not clean(cell)) or (isinstance(cell, float) and cell != cell)


def _words(cell: Any) -> str:
    if isinstance(cell, str):
        return clean(cell)
    return str(_whole(cell))


def _name(cell: Any) -> str:
    """A name; tables in which another one is missing write the number 12 as 12.0."""
    words = _words(cell)
    return words[:-2] if words.endswith(".0") and words[:-2].isdecimal() else words


def _number(cell: Any) -> float:
    if isinstance(cell, bool):
        raise TypeError
    number = float(clean(cell).replace(",", ".") if isinstance(cell, str) else cell)
    if not math.isfinite(number):
        raise ValueError
    return number


def _whole(cell: Any) -> int:
    if isinstance(cell, bool):
        raise TypeError
    if isinstance(cell, str):
        try:
            return int(clean(cell))
        except ValueError:
            cell = _number(cell)
    if cell != int(cell):
        raise ValueError
    return int(cell)


_READ = {"image": _words, "comment": _words, "id": _name, "seconds": _number, "seed": _whole}
_WANTED = {
    "image": "a path or an address",
    "comment": "words",
    "id": "a name",
    "seconds": "a number, such as 30",
    "seed": "a whole number, such as 0",
}


def _check_columns(names: Iterable[str], path: Path) -> None:
    found = [name.strip().casefold() for name in names]
    if not {"image", "comment"} & set(found):
        raise CollectionError(f"{path} has no column image and no column comment: give its first line these names")
    twice = {name for name in found if found.count(name) > 1}
    if twice & set(COLUMNS):
        raise CollectionError(f"{path} has the column {sorted(twice & set(COLUMNS))[0]} twice: rename one of them")


def _text_of(path: Path, remark: Remark) -> str:
    text, guessed = read_text(path)
    if guessed is not None:
        remark(guessed)
    return text

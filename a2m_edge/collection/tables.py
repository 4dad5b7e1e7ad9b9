"""Tables of works: CSV, JSON Lines and Parquet, row by row; a bad row is a row with a problem, not the end."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from a2m_edge.errors import CollectionError, MissingExtraError
from a2m_edge.strict_json import StrictJsonError, parse

COLUMNS = ("image", "comment", "seconds", "seed", "id")
"""What is understood, in whatever case; other columns are carried to the index."""

_LONGEST_CELL = 1 << 20


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


def read_csv(path: Path) -> Iterator[TableRow]:
    """Rows of a CSV file in UTF-8 with a line of names, its cells parted by comma, semicolon or tab (RFC 4180).

    Raises:
        CollectionError: it cannot be read, or has neither a column image nor a column comment.
    """
    csv.field_size_limit(_LONGEST_CELL)
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            head = stream.readline()
            stream.seek(0)
            reader = csv.reader(stream, delimiter=max(",;\t", key=head.count), strict=True)
            names = [name.strip() for name in next(reader, [])]
            _check_columns(names, path)
            last = reader.line_num
            for cells in reader:
                number, last = last + 1, reader.line_num
                if len(cells) > len(names):
                    yield TableRow(number, problem=f"line {number} has {len(cells)} cells for {len(names)} columns")
                elif any(cell.strip() for cell in cells):
                    yield _row(number, f"line {number}", dict(zip(names, cells, strict=False)))
    except (OSError, UnicodeError, csv.Error) as error:
        raise _refused(path, error) from error


def read_jsonl(path: Path) -> Iterator[TableRow]:
    """Rows of a JSON Lines file: an object a line.

    Raises:
        CollectionError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                if not line.strip():
                    continue
                try:
                    value = parse(line.removeprefix(b"\xef\xbb\xbf"))
                except StrictJsonError as error:
                    yield TableRow(number, problem=f"line {number} of the table cannot be read: {error}")
                    continue
                if isinstance(value, dict):
                    yield _row(number, f"line {number}", value)
                else:
                    yield TableRow(number, problem=f"line {number} of the table is no object of columns")
    except OSError as error:
        raise _refused(path, error) from error


def read_parquet(path: Path) -> Iterator[TableRow]:
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
        raise _refused(path, error) from error


def _row(number: int, place: str, cells: Mapping[str, Any]) -> TableRow:
    """A row from its cells, which may be of any type that JSON or Parquet has."""
    known: dict[str, Any] = {}
    carried = {}
    for name, cell in cells.items():
        column = name.strip().casefold()
        if column in COLUMNS:
            known[column] = None if cell is None or (isinstance(cell, str) and not cell.strip()) else cell
        elif cell is not None:
            carried[name] = _text(cell)
    values: dict[str, Any] = {}
    problem = None
    for column, cell in known.items():
        if cell is None:
            continue
        try:
            values[column] = _READ[column](cell)
        except (ValueError, TypeError, OverflowError):
            shown = _text(cell)[:40]
            problem = f"{column} in {place} of the table is {shown!r}; write {_WANTED[column]}"
    return TableRow(number, carried=carried, problem=problem, **values)


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    try:
        return json.dumps(cell, ensure_ascii=False)
    except (TypeError, ValueError):  # dates and bytes of Parquet
        return str(cell)


def _words(cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int) and not isinstance(cell, bool):
        return str(cell)
    raise TypeError


def _number(cell: Any) -> float:
    if isinstance(cell, bool):
        raise TypeError
    number = float(cell.strip().replace(",", ".") if isinstance(cell, str) else cell)
    if not math.isfinite(number):
        raise ValueError
    return number


def _whole(cell: Any) -> int:
    if isinstance(cell, str):
        return int(cell.strip())
    if isinstance(cell, bool) or cell != int(cell):
        raise ValueError
    return int(cell)


_READ = {"image": _words, "comment": _words, "id": _words, "seconds": _number, "seed": _whole}
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


def _refused(path: Path, error: Exception) -> CollectionError:
    if isinstance(error, UnicodeError):
        return CollectionError(f"cannot read {path}: it is not UTF-8 text; save it as UTF-8")
    reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
    return CollectionError(f"cannot read {path}: {reason}; check the file")

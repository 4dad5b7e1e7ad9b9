"""Text of tables as spreadsheets write it: its encoding, the sign between its cells, and its rows one by one."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from a2m_edge.errors import CollectionError

_LONGEST_CELL = 1 << 20
_DELIMITERS = ",;\t|"
_WIDE = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True)
class TextRow:
    """A row of a table.

    Attributes:
        line: in which it begins, counted from 1.
        cells: as they are written, without their quotation marks.
        fault: what is wrong with its quotation marks, or None.
    """

    line: int
    cells: list[str]
    fault: str | None = None


def read_text(path: Path) -> tuple[str, str | None]:
    """A file as text: UTF-8, UTF-16 (Excel's "Unicode text"), and lines that are neither in Windows-1252 ("CSV").

    Returns:
        The text, and a remark where its encoding had to be guessed.

    Raises:
        CollectionError: it cannot be read, or is no text.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CollectionError(f"cannot read {path}: {error.strerror}; check the file") from error
    # Without a mark: the names of columns are ASCII, every other byte of which is 0 in UTF-16.
    wide = next((name for mark, name in _WIDE.items() if content.startswith(mark)), None)
    if wide is None and len(content) >= 2 and content[:2].count(0) == 1:
        wide = "utf-16-le" if content[1] == 0 else "utf-16-be"
    if wide is not None:
        try:
            return content.decode(wide), None
        except UnicodeDecodeError as error:
            raise CollectionError(f"cannot read {path}: it is damaged UTF-16; save it as UTF-8") from error
    lines, guessed = [], []
    for number, line in enumerate(content.split(b"\n"), 1):
        try:
            lines.append(line.decode())
        except UnicodeDecodeError:
            lines.append(line.decode("windows-1252", "replace"))
            guessed.append(number)
    text = "\n".join(lines).removeprefix("\ufeff")
    if not guessed:
        return text, None
    others = f" and {len(guessed) - 1:,} more" if len(guessed) > 1 else ""
    return text, (
        f"line {guessed[0]}{others} of {path} were no UTF-8 and were read as Windows-1252: if accents are wrong, save "
        f"it as UTF-8"
    )


def csv_rows(text: str, columns: tuple[str, ...]) -> Iterator[TextRow]:
    """Rows of comma-separated text (RFC 4180), that of the names first; ones without content are left out.

    The sign between cells is what Excel's line ``sep=;`` says, or that of comma, semicolon, tab and ``|`` by which the
    first row has most of the known names. A row whose quotation marks are wrong is a row with a fault: reading goes on
    in the next line.

    Args:
        text: of the table.
        columns: known names, in small letters.
    """
    lines = list(io.StringIO(text, newline=""))
    at, delimiter = 0, ""
    if lines and (told := re.fullmatch(r'sep=([^"\s\w]|\t)\s*', lines[0], re.IGNORECASE)):
        at, delimiter = 1, told[1]
    while at < len(lines) and not lines[at].strip(" ,;|\t\r\n"):
        at += 1

    def reader(start: int, delimiter: str, strict: bool) -> Any:
        return csv.reader((lines[number] for number in range(start, len(lines))), delimiter=delimiter, strict=strict)

    def known(sign: str) -> tuple[int, int]:
        """How many cells of the first row are names that are known, and how many cells it has."""
        try:
            cells = next(reader(at, sign, strict=False))
        except csv.Error:
            return 0, 0
        return len({clean(cell).casefold() for cell in cells} & {*columns}), len(cells)

    csv.field_size_limit(_LONGEST_CELL)
    if at < len(lines) and not delimiter:
        delimiter = max(_DELIMITERS, key=known)
    while at < len(lines):
        rows = reader(at, delimiter, strict=True)
        try:
            row, count = TextRow(at + 1, next(rows)), rows.line_num
        except csv.Error as error:
            row, count = TextRow(at + 1, [], str(error)), 1
        at += count
        if row.fault or any(cell.strip() for cell in row.cells):
            yield row


def clean(cell: str) -> str:
    """A cell without the spaces round it, and without marks that cannot be seen but are copied along with paths."""
    return cell.strip().strip("\u200b\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069\ufeff").strip()


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe goes before what begins like one.

    Source of the signs: OWASP, "CSV Injection".
    """
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def unguarded(cell: str) -> str:
    """The cell that ``guarded`` was given."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell

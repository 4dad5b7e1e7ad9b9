"""Tables and facts as files: written whole or not at all, and known by their hash."""

from __future__ import annotations

import codecs
import csv
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from a2m_edge.errors import DataError
from a2m_edge.output import written_aside


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Writes a CSV file in UTF-8, row by row.

    Raises:
        OutputError: that cannot be done.
    """
    with written_aside(path) as stream:
        writer = csv.writer(codecs.getwriter("utf-8")(stream))
        writer.writerow(columns)
        writer.writerows(rows)


def write_facts(path: Path, facts: Mapping[str, Any]) -> None:
    """Writes a JSON object.

    Raises:
        OutputError: that cannot be done.
    """
    with written_aside(path) as stream:
        stream.write((json.dumps(facts, indent=1) + "\n").encode())


def table_sha256(path: Path) -> str:
    """The SHA-256 of a table, in hexadecimal.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"the table {path} cannot be read: {error.strerror}") from error

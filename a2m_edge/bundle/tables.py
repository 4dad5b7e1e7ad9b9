"""Tables that a bundle holds beside its graphs, as one file of JSON each."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, TypeVar

from a2m_edge.errors import BundleError
from a2m_edge.strict_json import decode, parse


class Tables(Protocol):
    """What can be read from such a file: a dataclass that knows what makes sense."""

    def check(self) -> None:
        """Refuses what makes no sense.

        Raises:
            ValueError: naming the first fault.
        """


TablesKind = TypeVar("TablesKind", bound=Tables)


def tables_from_json(kind: type[TablesKind], text: str | bytes) -> TablesKind:
    """Tables of a kind from their text.

    Raises:
        ValueError: it is damaged, or of another kind.
    """
    tables = decode(kind, parse(text))
    tables.check()
    return tables


def read_tables(kind: type[TablesKind], path: Path, of: str) -> TablesKind:
    """Tables of a kind from a file of a bundle.

    Args:
        of: what they are, for the error: ``"subjects"``.

    Raises:
        BundleError: the file is missing, damaged, or of another kind.
    """
    try:
        return tables_from_json(kind, path.read_bytes())
    except (OSError, ValueError) as error:
        raise BundleError(f"the {of} {path} cannot be used ({error}): restore their bundle") from error

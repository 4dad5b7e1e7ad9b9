"""JSON as museums write it: lists and single values, ``id`` and ``@id``, types with a prefix; never an error."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin, urlsplit

from a2m_edge.collection.iiif.fetching import is_address


def objects(value: object) -> list[dict[str, Any]]:
    """The objects of a list; one that stands alone is a list of one (JSON-LD 1.1, 4.3), a text is one with that id."""
    listed = value if isinstance(value, list) else [value]
    return [{"id": each} if isinstance(each, str) else each for each in listed if isinstance(each, dict | str)]


def text(value: object) -> str:
    """A text, or nothing for anything else."""
    return value if isinstance(value, str) else ""


def identity(value: dict[str, Any]) -> str:
    """The id of an object, or nothing."""
    return text(value.get("id")) or text(value.get("@id"))


def kind(value: dict[str, Any]) -> str:
    """The type of an object without a prefix: ``Image`` for ``dctypes:Image``; of several the first, or nothing."""
    found = value.get("type", value.get("@type"))
    listed = found if isinstance(found, list) else [found]
    return next((each.rpartition(":")[2] for each in listed if isinstance(each, str)), "")


def contexts(value: dict[str, Any]) -> list[str]:
    """The addresses in ``@context``."""
    found = value.get("@context")
    return [each for each in (found if isinstance(found, list) else [found]) if isinstance(each, str)]


def absolute(address: object, place: str) -> str | None:
    """An id as an http(s) address; None for what is none, such as a path on this computer.

    Args:
        address: as it stands.
        place: of the document, to which it may be relative.
    """
    if not isinstance(address, str) or not address.strip():
        return None
    try:
        joined = urljoin(place, address.strip()) if is_address(place) else address.strip()
        urlsplit(joined)
    except ValueError:
        return None
    return joined if joined.lower().startswith(("http://", "https://")) and joined.isprintable() else None


def pixels(value: object) -> int | None:
    """A number of pixels, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value < 2**53:  # false for NaN
        return None
    return int(value)

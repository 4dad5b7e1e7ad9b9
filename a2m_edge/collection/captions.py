"""What stands beside a work: its title, who made it and when, and who must be named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from a2m_edge.collection.items import image_name, readable

_TITLES = ("title", "name", "label")
_MAKERS = ("artist", "creator", "maker", "painter", "author")
_DATES = ("date", "year", "dated")
_CREDITS = ("attribution", "credit", "credit_line", "museum")


@dataclass(frozen=True)
class Caption:
    """The words beside a work, each on one line and writable as UTF-8; nothing where nothing is known.

    Attributes:
        title: of the work.
        byline: who made it, and when.
        credit: who must be named with it.
    """

    title: str
    byline: str
    credit: str


def caption(item: str, image: str | None, carried: Mapping[str, str]) -> Caption:
    """The caption of an item, from the columns that it carries, whatever case their names have.

    Args:
        item: its id, which is the title where nothing better is known.
        image: path or address of its picture, or None; a file name makes a title.
        carried: further columns of its source.
    """
    known = {name.strip().casefold(): readable(" ".join(text.split())) for name, text in carried.items()}

    def first(names: tuple[str, ...]) -> str:
        return next((known[name] for name in names if known.get(name)), "")

    byline = ", ".join(part for part in (first(_MAKERS), first(_DATES)) if part)
    return Caption(first(_TITLES) or _from_name(image) or item, byline, first(_CREDITS))


def _from_name(image: str | None) -> str:
    """A file's name as a title: ``calm_sea-2.jpg`` becomes ``Calm sea 2``."""
    try:
        name = readable(image_name(image)) if image else ""
    except ValueError:  # an address that is none
        return ""
    words = " ".join(name.replace("_", " ").replace("-", " ").split())
    return words[:1].upper() + words[1:]

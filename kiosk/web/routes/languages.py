"""The languages of the pages."""

from __future__ import annotations

from pathlib import Path

LANGUAGES: tuple[str, ...] = tuple(sorted(file.stem for file in Path(__file__).parents[1].glob("static/texts/*.json")))
"""ISO 639-1; the files of texts are the list."""

_LONGEST_HEADER = 1000


def preferred_language(header: str, otherwise: str) -> str:
    """The language of ours that a visitor likes best.

    Args:
        header: ``Accept-Language`` (RFC 9110, 12.5.4), whatever it holds.
        otherwise: where none of ours is liked.
    """
    best, liking = otherwise, 0.0
    for part in header[:_LONGEST_HEADER].split(","):
        tag, _, parameter = part.strip().partition(";")
        language = tag.strip().lower().split("-")[0]
        weight = _weight(parameter)
        if weight > liking and language in LANGUAGES:  # of equals the first one wins
            best, liking = language, weight
    return best


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        weight = float(value) if name.strip().lower() == "q" else 0.0
    except ValueError:
        return 0.0
    return weight if 0.0 <= weight <= 1.0 else 0.0

"""The languages of the pages, and which of them somebody who asks for another one is shown."""

from __future__ import annotations

import json
from pathlib import Path

_FILES = sorted(Path(__file__).parents[1].glob("static/texts/*.json"), key=lambda file: file.stem)

LANGUAGES: tuple[str, ...] = tuple(file.stem for file in _FILES)
"""Language tags (BCP 47); the files of texts are the list."""

DIRECTIONS: dict[str, str] = {file.stem: json.loads(file.read_text(encoding="utf-8"))["direction"] for file in _FILES}
"""By language: how its lines run, ``"ltr"`` or ``"rtl"``."""

_BY_LOWER_CASE = {language.lower(): language for language in LANGUAGES}
_TRADITIONAL = {"tw", "hk", "mo"}
"""Where Chinese is written in traditional characters, unless a tag names its script."""

_LONGEST_HEADER = 1000


def known_language(tag: str) -> str | None:
    """The language of ours that a tag asks for, such as ``"pt"`` for ``"pt-BR"``; None where it asks for none.

    A tag is shortened from its end until it is one of ours (RFC 4647, 3.4). Chinese without a script is in the one
    that its region writes: ``"zh-TW"`` asks for ``"zh-Hant"``, ``"zh-SG"`` for ``"zh"``.

    Args:
        tag: a language tag (BCP 47) in any case, whatever it holds.
    """
    parts = tag.strip().lower().split("-")
    # What follows a single letter is an extension, or private.
    parts = parts[: next((place for place, part in enumerate(parts) if len(part) < 2), len(parts))]
    if parts[:1] == ["zh"]:
        script = next(
            (part for part in parts if len(part) == 4), "hant" if _TRADITIONAL.intersection(parts) else "hans"
        )
        parts = ["zh", script]
    while parts:
        if (found := _BY_LOWER_CASE.get("-".join(parts))) is not None:
            return found
        parts.pop()
    return None


def preferred_language(header: str, otherwise: str) -> str:
    """The language of ours that a visitor likes best.

    Args:
        header: ``Accept-Language`` (RFC 9110, 12.5.4), whatever it holds.
        otherwise: tag of the language for who likes none of ours.
    """
    best, liking = known_language(otherwise) or "en", 0.0
    for part in header[:_LONGEST_HEADER].split(","):
        tag, _, parameter = part.strip().partition(";")
        weight = _weight(parameter)
        if weight > liking and (language := known_language(tag)) is not None:  # of equals the first one wins
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

"""Causes told in words, in every language that has a file in ``sentences/``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from a2m_edge.explanation.causes import Cause, Effect

_FILES = resources.files(__package__) / "sentences"

LANGUAGES: tuple[str, ...] = tuple(
    sorted(file.name.removesuffix(".json") for file in _FILES.iterdir() if file.name.endswith(".json"))
)
"""Language tags (BCP 47); the files are the list."""


def sentence(cause: Cause, language: str = "en") -> str:
    """A cause and its effects as one sentence, such as ``"Dark tones: lower notes, softer."``

    Every phrase stands by itself, so that none has to agree with another in gender, number or case.

    Args:
        cause: what is told.
        language: one of ``LANGUAGES``.

    Raises:
        KeyError: the language, the kind or the means has no words.
    """
    words = _words(language)
    if not cause.effects:
        return str(words["cause"][cause.kind])
    # Instruments are a list of their own, which reads best at the end.
    ordered = sorted(cause.effects, key=lambda effect: effect.means == "players")
    told = words["comma"].join(_effect(effect, words) for effect in ordered)
    whole: str = words["sentence"].format(cause=_named(cause, words, language), effects=told)
    return whole[0].upper() + whole[1:]


def sentences(causes: Iterable[Cause], language: str = "en") -> list[str]:
    """A sentence for each cause."""
    return [sentence(cause, language) for cause in causes]


def _named(cause: Cause, words: Mapping[str, Any], language: str) -> str:
    if cause.kind == "painted":
        return _listed([words["painted"][trait] for trait in cause.what], words)
    pattern: str = words["cause"][cause.kind]
    if cause.kind == "shown":
        (subject,) = cause.what
        # A curator's own subjects are named as the curator names them.
        return pattern.format(subject=_subjects()[language].get(subject, subject))
    return pattern.format(felt=words["felt"][cause.what[0]]) if cause.what else pattern


def _effect(effect: Effect, words: Mapping[str, Any]) -> str:
    pattern: str = words["effect"][f"{effect.direction} {effect.means}"]
    # A bundle may have instruments of its own, whose names are then the only words for them.
    names = [words[effect.means].get(name, name) for name in effect.names]
    return pattern.format(name=_listed(names, words)) if names else pattern


def _listed(parts: Sequence[str], words: Mapping[str, Any]) -> str:
    """Parts with commas between them, and the word for "and" before the last."""
    *others, last = parts
    if not others:
        return last
    first = str(words["list"]).join(others)
    return str(words["both"].format(first=first, second=last))


@cache
def _words(language: str) -> Mapping[str, Any]:
    if language not in LANGUAGES:
        raise KeyError(language)
    words: Mapping[str, Any] = json.loads((_FILES / f"{language}.json").read_text(encoding="utf-8"))
    return words


@cache
def _subjects() -> Mapping[str, Mapping[str, str]]:
    """By language: what each subject is called."""
    file = resources.files("a2m_edge.impression") / "subject_names.json"
    names: Mapping[str, Mapping[str, str]] = json.loads(file.read_text(encoding="utf-8"))
    return names

"""What a IIIF document says in words: language maps, facts about the work, and who must be named."""

from __future__ import annotations

import html.parser
import json
from typing import Any

from a2m_edge.collection.items import readable

LONGEST_TEXT = 1000
"""Letters; what is longer is cut."""

_FACTS = {
    "artist": ("artist", "creator", "maker", "painter", "author", "photographer", "artists", "creators"),
    "date": ("date", "date created", "created", "year", "dated", "creation date"),
}
"""Names, in English, under which museums tell who made a work and when."""


def label(value: object) -> str:
    """The text of a language map (3.0, 4.1) for a reader of English: English, no language, else the first one."""
    texts = _language_map(value)
    for wanted in ("en", "none", "@none"):
        for language, lines in texts.items():
            if lines and (language.lower() == wanted or language.lower().startswith(f"{wanted}-")):
                return "; ".join(lines)
    return next(("; ".join(lines) for lines in texts.values() if lines), "")


def languages(value: object) -> str:
    """A language map as JSON, where it has more than one language; otherwise nothing."""
    texts = {language: lines for language, lines in _language_map(value).items() if lines}
    return json.dumps(texts, ensure_ascii=False) if len(texts) > 1 else ""


def credit(resource: dict[str, Any]) -> str:
    """The statement that must be shown with a work (``requiredStatement``), without markup."""
    statement = resource.get("requiredStatement")
    return label(statement.get("value")) if isinstance(statement, dict) else ""


def known_facts(metadata: object) -> dict[str, str]:
    """The artist and the date, where the metadata tell them under a known name."""
    found: dict[str, str] = {}
    for entry in metadata if isinstance(metadata, list) else []:
        name = label(entry.get("label")).casefold() if isinstance(entry, dict) else ""
        for fact, names in _FACTS.items():
            if name in names and fact not in found and (text := label(entry.get("value"))):
                found[fact] = text
    return found


def _language_map(value: object) -> dict[str, list[str]]:
    """Languages and their lines, cleaned; a bare text, which is no language map, counts as one of no language.

    Presentation 2 (4.3) has texts, objects with ``@value`` and ``@language``, and lists of both.
    """
    texts: dict[str, list[str]] = {}
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, dict) and "@value" in each:
            language = each.get("@language")
            each = {language if isinstance(language, str) and language else "none": each["@value"]}
        elif isinstance(each, str):
            each = {"none": each}
        for language, lines in each.items() if isinstance(each, dict) else []:
            cleaned = [found for line in _listed(lines) if isinstance(line, str) and (found := _clean(line))]
            texts.setdefault(readable(str(language)), []).extend(cleaned)
    return texts


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _clean(text: str) -> str:
    """One line without markup, of a bearable length."""
    if text.startswith("<"):  # only then it is HTML (3.0, 4.3)
        words = _Words()
        words.feed(text)
        words.close()
        text = " ".join(words.found)
    line = readable(" ".join(text.split()))
    return line if len(line) <= LONGEST_TEXT else f"{line[: LONGEST_TEXT - 1]}…"


class _Words(html.parser.HTMLParser):
    """Gathers the text between tags."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        """Keeps a piece of text."""
        self.found.append(data)

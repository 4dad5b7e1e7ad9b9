"""A visitor's words, made safe to show and to understand."""

from __future__ import annotations

import unicodedata

from a2m_edge.errors import CommentError

MAXIMUM_CHARACTERS = 10_000
"""Code points, as they were typed: longer texts are refused. How much of a shorter one is heard is for the text encoder
to say."""

_JOINERS = "\u200c\u200d"
"""Invisible characters that emoji, Persian and Indic scripts need; all other format characters go."""


_STRAIGHT = str.maketrans("\u2018\u2019\u201b\u201c\u201d\u201f", "'''\"\"\"")
"""Phones type curly quotes; the texts that encoders learn from have straight ones."""

_STRIPPED = frozenset({"Cc", "Cf", "Cs"})
_UNSEEN = frozenset({"Zs", "Cf", "Mn", "Me"})


def clean_comment(text: str) -> str:
    """Normalises a comment to what it means on screen.

    Compatibility forms are unified (NFKC); control characters, bidirectional overrides and lone surrogates
    are removed; runs of whitespace become one space; curly quotes become straight. Emoji and every script pass,
    new ones too.

    Returns:
        The cleaned text, not empty; cleaning it again changes nothing.

    Raises:
        CommentError: there is nothing to see in it, or it has more than ``MAXIMUM_CHARACTERS``.
    """
    if len(text) > MAXIMUM_CHARACTERS:
        raise CommentError(
            f"the comment has {len(text):,} characters, at most {MAXIMUM_CHARACTERS:,} are read; shorten it"
        )
    # Compatibility forms grow, one sign to eighteen at most: what has grown beyond the limit is cut, and not refused.
    cleaned = _without_invisible(unicodedata.normalize("NFKC", _without_invisible(text))).translate(_STRAIGHT)
    cleaned = cleaned[:MAXIMUM_CHARACTERS].rstrip()
    if all(unicodedata.category(character) in _UNSEEN for character in cleaned):
        raise CommentError("the comment is empty; say in a few words what you feel, or leave it out")
    return cleaned


def _without_invisible(text: str) -> str:
    kept = (
        " " if character.isspace() else character
        for character in text
        if character.isspace() or character in _JOINERS or unicodedata.category(character) not in _STRIPPED
    )
    return " ".join("".join(kept).split())

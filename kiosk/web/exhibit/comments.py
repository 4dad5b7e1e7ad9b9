"""What visitors write, on its way from the pages to the music process: cleaned, short, and not too often.

Nothing of it is kept, and no error holds a word of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import regex

from a2m_edge.errors import CommentError
from a2m_edge.perception.comments import clean_comment
from kiosk.shared.settings import WebSettings
from kiosk.web.access.rates import Allowance, visitors_rates

LONGEST_COMMENT = 280
"""Characters of a comment as it was typed: see ``characters``."""

MOST_SIGNS = 10 * LONGEST_COMMENT
"""Code points of a comment. The longest character in use, an emoji of two people with a skin tone each, takes ten
(Unicode's emoji-zwj-sequences.txt); without a bound, one character could be a letter below ten thousand accents."""

_CHARACTER = regex.compile(r"\X")


class TooLongError(CommentError):
    """A comment has more characters than are taken."""


class PiledError(CommentError):
    """A comment has few characters, which are made of more signs than any writing needs."""


def characters(text: str) -> int:
    """How many characters a person sees in a text: its extended grapheme clusters (Unicode Standard Annex 29).

    The page counts the same with ``Intl.Segmenter``. A flag, a family and a letter below its accents are one each.
    """
    return sum(1 for _ in _CHARACTER.finditer(text))


class CommentDesk:
    """Takes comments from visitors.

    Args:
        settings: how often one visitor and the whole room may write.
        clock: seconds that never go back.
    """

    def __init__(self, settings: WebSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._allowance = Allowance(*visitors_rates(settings), clock)

    def take(self, text: str, visitor: str) -> str:
        """Cleans what a visitor wrote and counts it.

        Args:
            text: of any length and content.
            visitor: tells visitors apart.

        Returns:
            what the music process may be given: see ``a2m_edge.perception.comments.clean_comment``.

        Raises:
            CommentError: there is nothing to see in it; it was not counted against the visitor, as with the next two.
            TooLongError: it has more than ``LONGEST_COMMENT`` characters.
            PiledError: it is made of more than ``MOST_SIGNS`` code points.
            TooOftenError: this visitor, or the whole room, must wait a little.
        """
        if characters(text[:MOST_SIGNS]) > LONGEST_COMMENT:
            raise TooLongError(f"the comment has more than {LONGEST_COMMENT} characters; shorten it")
        if len(text) > MOST_SIGNS:
            raise PiledError(
                f"the comment piles {len(text):,} signs on few characters, at most {MOST_SIGNS:,} are taken; leave some"
                " of its accents out"
            )
        cleaned = clean_comment(text)
        self._allowance.take(visitor)
        return cleaned

"""What visitors write, on its way from the pages to the music process: cleaned, short, and not too often.

Nothing of it is kept, and no error holds a word of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from a2m_edge.errors import CommentError
from a2m_edge.perception.comments import clean_comment
from kiosk.shared.settings import WebSettings
from kiosk.web.access.rates import Allowance, Rate

LONGEST_COMMENT = 280
"""Characters of a comment after it was cleaned."""


class CommentDesk:
    """Takes comments from visitors.

    Args:
        settings: how often one visitor and the whole room may write.
        clock: seconds that never go back.
    """

    def __init__(self, settings: WebSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._allowance = Allowance(
            Rate(settings.comment_burst, settings.comment_pause),
            Rate(settings.room_burst, 1.0 / settings.room_rate),
            clock,
        )

    def take(self, text: str, visitor: str) -> str:
        """Cleans what a visitor wrote and counts it.

        Args:
            text: of any length and content.
            visitor: tells visitors apart.

        Returns:
            what the music process may be given: see ``a2m_edge.perception.comments.clean_comment``.

        Raises:
            CommentError: there is nothing to see in it, or it is too long; it was not counted.
            TooOftenError: this visitor, or the whole room, must wait a little.
        """
        cleaned = clean_comment(text)
        if len(cleaned) > LONGEST_COMMENT:
            raise CommentError(
                f"the comment has {len(cleaned):,} characters, at most {LONGEST_COMMENT} are taken; shorten it"
            )
        self._allowance.take(visitor)
        return cleaned

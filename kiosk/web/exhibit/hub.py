"""News, mel columns and sound for everybody who is connected, at the pace of what is played."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from kiosk.web.exhibit.exhibit import Exhibit, ExhibitState
from kiosk.web.exhibit.listening import Listening, Piece

_PERIOD = 0.05
"""Seconds from one look at the exhibit to the next."""

_SILENCE = 2.0
"""Seconds after which news are repeated, so that a page can tell a quiet exhibit from a lost connection."""

_PIECES = 40
"""Pieces that wait for one client, two seconds: one that is further behind loses the oldest."""

_RESERVED = 8

_logger = logging.getLogger(__name__)


class Outbox:
    """What waits to be sent to one client: the newest news, and a bounded number of pieces."""

    def __init__(self) -> None:
        self.dropped = 0
        self._news: str | None = None
        self._pieces: deque[bytes] = deque()
        self._filled = asyncio.Event()

    def tell(self, news: str) -> None:
        """Puts news in the place of those that were not sent yet."""
        self._news = news
        self._filled.set()

    def offer(self, piece: bytes) -> None:
        """Adds a piece; where too many wait, the oldest is dropped."""
        if len(self._pieces) >= _PIECES:
            self._pieces.popleft()
            self.dropped += 1
        self._pieces.append(piece)
        self._filled.set()

    async def next(self) -> str | bytes:
        """Waits for the next message: news first."""
        await self._filled.wait()
        if self._news is not None:
            message: str | bytes = self._news
            self._news = None
        else:
            message = self._pieces.popleft()
        if self._news is None and not self._pieces:
            self._filled.clear()
        return message


class Hub:
    """Looks at the exhibit some twenty times a second and hands on what is new.

    Args:
        exhibit: what is looked at.
        most: how many pages may look on, and how many may listen.
    """

    def __init__(self, exhibit: Exhibit, most: int) -> None:
        self.beat = time.monotonic()
        self._exhibit = exhibit
        self._most = most
        self._listening = Listening(exhibit.audio)
        self._watchers: set[Outbox] = set()
        self._listeners: set[Outbox] = set()
        self._dropped = 0
        self._news = ""
        self._told = 0.0

    @property
    def counts(self) -> dict[str, int]:
        """Pages that look on, pages that listen, and pieces that were dropped for those who were too slow."""
        there = self._watchers | self._listeners
        return {
            "watchers": len(self._watchers),
            "listeners": len(self._listeners),
            "dropped_pieces": self._dropped + sum(outbox.dropped for outbox in there),
        }

    @contextmanager
    def watching(self, always: bool) -> Iterator[Outbox | None]:
        """Registers a page that gets news and mel columns; None where there are too many.

        Args:
            always: whether it may take one of the places that are reserved for the exhibit's own screen.
        """
        with self._joined(self._watchers, always) as outbox:
            if outbox is not None and self._news:
                outbox.tell(self._news)
            yield outbox

    @contextmanager
    def listening(self, always: bool) -> Iterator[Outbox | None]:
        """Registers a page that gets the sound; None where there are too many. ``always`` as in ``watching``."""
        with self._joined(self._listeners, always) as outbox:
            yield outbox

    async def run(self) -> None:
        """Hands on until it is cancelled."""
        try:
            while True:
                await asyncio.sleep(_PERIOD)
                try:
                    self._hand_on()
                except Exception as error:  # the pages go on, whatever the exhibit answers at the moment
                    _logger.error("the pages cannot look at the exhibit", exc_info=error)
                    await asyncio.sleep(1.0)
                self.beat = time.monotonic()
        finally:
            self._listening.close()

    def _hand_on(self) -> None:
        news, now = news_of(self._exhibit.state()), time.monotonic()
        if news != self._news or now - self._told > _SILENCE:
            self._news, self._told = news, now
            for outbox in self._watchers:
                outbox.tell(news)
        piece = self._next_piece()
        for outbox in self._watchers if piece.columns else ():
            outbox.offer(piece.columns)
        for outbox in self._listeners if piece.sound else ():
            outbox.offer(piece.sound)

    def _next_piece(self) -> Piece:
        self._listening.follow(self._exhibit.played_ring)
        if not self._watchers and not self._listeners:
            self._listening.skip()
            return Piece()
        return self._listening.next_piece()

    @contextmanager
    def _joined(self, circle: set[Outbox], always: bool) -> Iterator[Outbox | None]:
        if len(circle) >= self._most + (_RESERVED if always else 0):
            yield None
            return
        outbox = Outbox()
        circle.add(outbox)
        try:
            yield outbox
        finally:
            circle.discard(outbox)
            self._dropped += outbox.dropped


def news_of(state: ExhibitState) -> str:
    """What visitors' pages are told: JSON."""
    felt = state.felt
    return json.dumps(
        {
            "artwork": state.artwork,
            "look": state.look,
            "paused": state.controls.paused,
            "muted": state.controls.muted,
            "sounding": state.sounding,
            "felt": felt
            and {
                "word": felt.word,
                "valence": round(felt.valence, 4),
                "arousal": round(felt.arousal, 4),
                "instruments": felt.instruments,
                "mode": felt.mode,
                "tempo": felt.tempo,
                "cause": felt.cause,
                "received": felt.received,
                "understood": felt.understood,
            },
        }
    )

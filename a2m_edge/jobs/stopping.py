"""Ctrl-C and SIGTERM while many jobs are done: the first ends the run after those in hand, the second at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Self


class Stopping:
    """Hears both signals for as long as its block lasts; in a thread that is not the main one, none.

    Args:
        say: tells the user a sentence.

    Attributes:
        number: of the signal that came first, or None.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.number: int | None = None
        self._say = say

    def __enter__(self) -> Self:
        self._before = {}
        if threading.current_thread() is threading.main_thread():  # no other may hear signals
            self._before = {number: signal.signal(number, self._heard) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def begun(self) -> bool:
        """Whether either signal came."""
        return self.number is not None

    def _heard(self, number: int, _frame: FrameType | None) -> None:
        if self.number is not None:
            raise KeyboardInterrupt
        self.number = number
        self._say("stopping after the works in hand; press Ctrl-C again to stop at once")

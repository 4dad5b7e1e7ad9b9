"""When a process that ended may be started again."""

from __future__ import annotations

from collections import deque

FIRST_PAUSE = 5.0
"""Seconds of the first pause after too many restarts; it doubles with each further one."""


class Restarts:
    """Allows at most ``limit`` restarts in any ``window`` seconds; beyond it, the pauses grow.

    Args:
        limit: at least 1.
        window: seconds.
        longest: seconds of the longest pause, where ``window`` does not demand a longer one.
    """

    def __init__(self, limit: int, window: float, longest: float) -> None:
        self._limit = limit
        self._window = window
        self._longest = longest
        self._starts: deque[float] = deque(maxlen=limit)
        self._pause = min(FIRST_PAUSE, self._longest)
        self.count = 0

    def pause(self, now: float) -> float:
        """Seconds from ``now`` until the next restart is allowed; 0 while there were few."""
        if len(self._starts) < self._limit or now - self._starts[0] >= self._window:
            return 0.0
        pause = max(self._pause, self._starts[0] + self._window - now)
        self._pause = min(self._pause * 2.0, self._longest)
        return pause

    def restarted(self, now: float, *, wished: bool = False) -> None:
        """Counts a restart at ``now``; one that somebody wished for does not use up what is allowed."""
        self.count += 1
        if not wished:
            self._starts.append(now)

    def went_well(self) -> None:
        """The process did its work for a whole window: what was before is forgotten."""
        self._starts.clear()
        self._pause = min(FIRST_PAUSE, self._longest)

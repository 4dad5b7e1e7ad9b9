"""How often something may happen: token buckets, one for each who asks and one for all together."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from a2m_edge.errors import A2MError
from kiosk.shared.settings import WebSettings

_REMEMBERED = 1024
"""Askers whose buckets are kept. A forgotten one starts afresh; the bucket of all together holds whoever it is."""


class TooOftenError(A2MError):
    """Somebody asks more often than is allowed.

    Args:
        wait: seconds after which it may be tried again.
    """

    def __init__(self, wait: float) -> None:
        super().__init__(f"that was too often: try again in {wait:.0f} s")
        self.wait = wait


@dataclass(frozen=True)
class Rate:
    """What a token bucket allows.

    Attributes:
        burst: how many at once, at least 1.
        pause: seconds in which one more is earned, above 0.
    """

    burst: int
    pause: float


def visitors_rates(settings: WebSettings) -> tuple[Rate, Rate]:
    """How often one visitor may write or speak, and the whole room."""
    return (
        Rate(settings.comment_burst, settings.comment_pause),
        Rate(settings.room_burst, 1.0 / settings.room_rate),
    )


class TokenBucket:
    """Allows ``rate.burst`` at once and then one every ``rate.pause`` seconds.

    Args:
        rate: what is allowed.
        now: the moment in seconds at which it begins, full.
    """

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._tokens = float(rate.burst)
        self._counted = now

    def wait(self, now: float) -> float:
        """Seconds until one more is allowed, 0 when it is now. ``now`` is never before that of the last call."""
        earned = max(0.0, now - self._counted) / self._rate.pause
        self._tokens, self._counted = min(self._rate.burst, self._tokens + earned), now
        return max(0.0, (1.0 - self._tokens) * self._rate.pause)

    def take(self) -> None:
        """Uses one up; call it only where ``wait`` is 0."""
        self._tokens -= 1.0


class Allowance:
    """A bucket for each who asks, and one for all of them together.

    Args:
        each: what one asker may do.
        all_together: what all of them may do together.
        clock: seconds that never go back.
    """

    def __init__(self, each: Rate, all_together: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._each = each
        self._clock = clock
        self._together = TokenBucket(all_together, clock())
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, asker: str) -> None:
        """Counts one more of ``asker``.

        Raises:
            TooOftenError: they, or all together, must wait; nothing was counted.
        """
        now = self._clock()
        bucket = self._buckets.pop(asker, None) or TokenBucket(self._each, now)
        self._buckets[asker] = bucket  # last in order: the one who asked longest ago is forgotten first
        if len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        wait = max(bucket.wait(now), self._together.wait(now))
        if wait > 0.0:
            raise TooOftenError(wait)
        bucket.take()
        self._together.take()

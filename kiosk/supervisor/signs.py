"""Watchdog signals and status for systemd, sent only while samples are being played."""

from __future__ import annotations

from collections.abc import Sequence

from kiosk.shared.counters import Counter
from kiosk.shared.messages import PartState, Sounding
from kiosk.supervisor.notify import Notifier

FIRST_SOUND = 0.25
"""Seconds that must have been played before the service counts as started."""

STATUS_PAUSE = 5.0
"""Least seconds between two changes of the line that ``systemctl status`` shows."""


class SignsOfLife:
    """Tells systemd that the service has started, lives, and how it is.

    Args:
        notifier: reaches systemd.
        played: counts the samples that were played.
        sample_rate: of those samples (Hz).
    """

    def __init__(self, notifier: Notifier, played: Counter, sample_rate: int) -> None:
        self._notifier = notifier
        self._played = played
        self._first = round(FIRST_SOUND * sample_rate)
        self._interval = notifier.interval
        self._ready = False
        self._played_before = 0
        self._next_sign = 0.0
        self._status = ""
        self._next_status = 0.0

    def tell(self, now: float, sounding: Sounding, parts: Sequence[PartState]) -> None:
        """Tells what there is to tell at ``now`` (``time.monotonic()``); to be called again and again."""
        played = self._played.value
        if not self._ready and played >= self._first:
            self._ready = True
            self._notifier.ready()
        if self._ready and self._interval is not None and now >= self._next_sign and played > self._played_before:
            self._played_before, self._next_sign = played, now + self._interval
            self._notifier.alive()
        status = _status(sounding, parts)
        if status != self._status and now >= self._next_status:
            self._status, self._next_status = status, now + STATUS_PAUSE
            self._notifier.status(status)

    def ending(self) -> None:
        """Tells that the service is ending."""
        self._notifier.stopping()


def _status(sounding: Sounding, parts: Sequence[PartState]) -> str:
    playing = {"live": "live sound", "bed": "the bed is played", "silence": "no sound"}[sounding]
    faults = [f"{part.name}: {part.sentence}" for part in parts if not part.ok]
    restarts = [f"{part.name} {part.restarts}" for part in parts if part.restarts]
    return "; ".join([playing, *faults, *([f"restarts: {', '.join(restarts)}"] if restarts else [])])

"""Log lines to standard error: few enough for a journal that must last for months."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable

from a2m_edge.errors import printable

BURST, PAUSE = 30, 10.0
"""Lines of one source and level that may follow each other at once; seconds in which another one is earned."""

_PRIORITIES = ((logging.ERROR, "<3>"), (logging.WARNING, "<4>"), (logging.INFO, "<6>"), (logging.NOTSET, "<7>"))


def log_to_stderr(process: str) -> None:
    """Sends the log of this process to standard error, each line bounded in length and all in rate.

    Args:
        process: its name, which begins each line.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line(process, _reaches_journal()))
    handler.addFilter(RateLimit())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)


class RateLimit(logging.Filter):
    """Lets ``burst`` lines of a source and level through at once and then one every ``pause`` seconds.

    What was left out is counted and told with the next line of that source and level.

    Args:
        burst, pause: see above.
        clock: seconds that never go back.
    """

    def __init__(self, burst: int = BURST, pause: float = PAUSE, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._burst = burst
        self._pause = pause
        self._clock = clock
        self._sources: dict[tuple[str, int], tuple[float, float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is let through."""
        now, source = self._clock(), (record.name, record.levelno)
        left, counted, kept_back = self._sources.get(source, (float(self._burst), now, 0))
        left = min(self._burst, left + (now - counted) / self._pause)
        if left < 1.0:
            self._sources[source] = (left, now, kept_back + 1)
            return False
        self._sources[source] = (left - 1.0, now, 0)
        record.kept_back = kept_back
        return True


class _Line(logging.Formatter):
    """``<4>camera: sentence``, on one line; the number is a priority for journald (sd-daemon(3))."""

    def __init__(self, process: str, journal: bool) -> None:
        super().__init__()
        self._process = process
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        text = printable(record.getMessage())[:1000]
        if record.exc_info and record.exc_info[1] is not None:
            text += f" ({where(record.exc_info[1])})"
        if kept_back := getattr(record, "kept_back", 0):
            text += f" ({kept_back} earlier lines were left out)"
        if self._journal:
            priority = next(prefix for level, prefix in _PRIORITIES if record.levelno >= level)
            return f"{priority}{self._process}: {text}"
        return f"{time.strftime('%H:%M:%S')} {record.levelname} {self._process}: {text}"


def _reaches_journal() -> bool:
    """Whether standard error is the stream to journald that ``JOURNAL_STREAM`` names (systemd.exec(5))."""
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def where(error: BaseException) -> str:
    """The kind of an error and the place it came from, without its message: that could quote a visitor."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" in {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    return type(error).__name__ + place

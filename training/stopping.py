"""Stopping a training between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from training import parallel


@dataclass
class Stop:
    """Whether Ctrl-C or SIGTERM has come."""

    asked: bool = False

    def ask(self, number: int, _: object) -> None:
        """What the signals do."""
        # torchrun may send several signals, and kills in the end; a person who repeats Ctrl-C means it.
        if self.asked and number == signal.SIGINT and parallel.count() == 1:
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """Inside the block Ctrl-C and SIGTERM are noted, and left to whoever asks for them between two steps.

    A second Ctrl-C interrupts at once, except under ``torchrun``.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # no other thread may say what a signal does
        return
    before = {number: signal.signal(number, stop.ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

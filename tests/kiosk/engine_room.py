"""A real engine process with all its links; the test is what plays its ring."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import numpy as np

from kiosk.channel import open_channel
from kiosk.entry import enter
from kiosk.links import EngineLinks, close_handed_over
from kiosk.messages import EngineState, Felt
from kiosk.progress import Controls, Progress
from kiosk.ring import AudioRing
from kiosk.settings import EngineSettings

PATIENCE = 60.0
"""Seconds after which a test gives up; nothing should ever need them."""


class EngineRoom:
    """The engine process.

    Args:
        settings: of the engine.
        sample_rate: of its sound (Hz).
        ring: which it fills; None makes one.
    """

    def __init__(self, settings: EngineSettings, sample_rate: int, ring: AudioRing | None = None) -> None:
        self.ring = ring or AudioRing.create(round((settings.lead + 2.0) * sample_rate))
        self.progress, self.controls = Progress(), Controls()
        self.felt: list[Felt] = []
        self.states: list[EngineState] = []
        self._settings = settings
        self._owns_ring = ring is None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.kill()
        self.inbox.close()
        if self._owns_ring:
            self.ring.close()
            self.ring.unlink()

    def start(self) -> None:
        """Starts the process, as the supervisor does."""
        self.inbox, inbox = open_channel(50)
        outbox, self._outbox = open_channel(50)
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        links = EngineLinks(inbox, outbox, self.ring.name, self.progress, self.controls)
        arguments = ("engine", os.getpid(), "kiosk.engine:run_engine", self._settings, links)
        self.process = multiprocessing.get_context("spawn").Process(target=enter, args=arguments)
        self.process.start()
        close_handed_over(links)

    def kill(self) -> None:
        """Ends the process as a crash would."""
        self.process.kill()
        self.process.join()

    def listen(self) -> None:
        """Takes in what the engine has said."""
        while (message := self._outbox.get(0)) is not None:
            (self.felt if isinstance(message, Felt) else self.states).append(message)

    def until(self, condition: Callable[[], bool], playing: bool = False) -> np.ndarray:
        """Waits for something that must come; plays meanwhile, if asked, as fast as there is sound: what it played."""
        deadline = time.monotonic() + PATIENCE
        played = [np.zeros(0, np.float32)]
        while not condition():
            self.listen()
            assert time.monotonic() < deadline, f"waited too long; it said {self.felt[-2:]} and {self.states[-2:]}"
            if playing and self.ring.available:
                played.append(self.ring.read(self.ring.available))
            else:
                time.sleep(0.002)
        return np.concatenate(played)

    def play(self, count: int) -> np.ndarray:
        """The next samples, once they are made."""
        played: list[np.ndarray] = []
        left = count
        while left:
            self.until(lambda: self.ring.available > 0)
            played.append(self.ring.read(min(left, self.ring.available)))
            left -= len(played[-1])
        return np.concatenate(played)

"""A room with a real speaker process, and something that plays into its ring in the engine's place."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import soundfile

from kiosk.channel import open_channel
from kiosk.entry import enter
from kiosk.links import SpeakerLinks, close_handed_over
from kiosk.messages import SpeakerState
from kiosk.progress import Controls, Progress
from kiosk.ring import AudioRing
from kiosk.settings import SpeakerSettings
from tests.kiosk.sound_server import DEVICE

ROOT = Path(__file__).resolve().parents[2]
RATE = 22050
LEAD = 0.4
PATIENCE = 60.0
"""Seconds after which a test gives up; nothing should ever need them."""


SETTINGS = SpeakerSettings(device=DEVICE, volume=1.0, priming=0.3)
CLOCK = SpeakerSettings(device="none", volume=1.0, priming=0.3)


def music(begin: int, count: int) -> np.ndarray:
    """Samples that never repeat within an hour, from the place ``begin`` of a stream on."""
    seconds = np.arange(begin, begin + count) / RATE
    swaying = 0.3 * np.sin(2 * np.pi * 220.0 * seconds + 5.0 * np.sin(2 * np.pi * 0.0371 * seconds))
    return (swaying + 0.1 * np.sin(2 * np.pi * (700.0 + 0.01 * seconds) * seconds)).astype(np.float32)


def bed() -> np.ndarray:
    """A second of a tone that closes into a loop."""
    return (0.2 * np.sin(2 * np.pi * 110.0 * np.arange(RATE) / RATE)).astype(np.float32)


STEEPEST = float(np.abs(np.diff(music(0, 10 * RATE))).max() + np.abs(np.diff(bed())).max())
"""The largest step from a sample to the next while music and bed sound together; a cut steps up to 0.6."""


def play_into(name: str) -> None:
    """What the stand-in for the engine does: keeps ``LEAD`` seconds of music in the ring."""
    ring = AudioRing.attach(name)
    ring.begin()
    position = 0
    while True:
        if ring.available < LEAD * RATE:
            position += ring.write(music(position, 2048))
        else:
            time.sleep(0.01)


class SpeakerRoom:
    """The speaker process with all its links.

    Args:
        folder: for the bed.
        settings: of the speaker.
        environment: for the process.
    """

    def __init__(self, folder: Path, settings: SpeakerSettings, environment: dict[str, str] | None = None) -> None:
        self.live = AudioRing.create(2 * RATE)
        self.played = AudioRing.create(20 * RATE, broadcast=True)
        self.progress, self.controls = Progress(), Controls(settings.volume)
        self.states: list[SpeakerState] = []
        self._bed = folder / "bed.wav"
        soundfile.write(self._bed, bed(), RATE, "FLOAT")
        self._settings, self._environment = settings, environment or {}
        self._played: list[np.ndarray] = []
        self._made: list[np.ndarray] = []
        self._positions = [0, 0]
        self._over = threading.Event()
        self._listener = threading.Thread(target=self._listen)
        self._engine: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start_speaker()
        self._listener.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.process.kill()
        self.process.join()
        self.kill_engine()
        self._over.set()
        self._listener.join()
        for ring in (self.live, self.played):
            ring.close()
            ring.unlink()

    def start_speaker(self) -> None:
        """Starts the process, as the supervisor does."""
        outbox, self._inbox = open_channel(50)
        links = SpeakerLinks(outbox, self.live.name, self.played.name, self._bed, RATE, self.progress, self.controls)
        before = {name: os.environ.get(name) for name in self._environment}
        os.environ.update(self._environment)
        try:
            arguments = ("speaker", os.getpid(), "kiosk.speaker:run_speaker", self._settings, links)
            self.process = multiprocessing.get_context("spawn").Process(target=enter, args=arguments)
            self.process.start()
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
        close_handed_over(links)

    def start_engine(self) -> None:
        """Starts the stand-in for the engine: a process that can be killed."""
        code = "import sys; from tests.kiosk.speaker_room import play_into; play_into(sys.argv[1])"
        self._engine = subprocess.Popen([sys.executable, "-c", code, self.live.name], cwd=ROOT)

    def kill_engine(self) -> None:
        """Ends it as a crash would."""
        if self._engine is not None:
            self._engine.send_signal(signal.SIGKILL)
            self._engine.wait()
            self._engine = None

    def wait(self, seconds: float) -> None:
        """Lets so many seconds of sound be played."""
        goal = self.played.written + round(seconds * RATE)
        self.until(lambda: self.played.written >= goal)

    def until(self, condition: Callable[[], bool]) -> None:
        """Waits for something that must come."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"waited too long; the last states were {self.states[-3:]}"
            time.sleep(0.005)

    def until_state(self, condition: Callable[[SpeakerState], bool]) -> None:
        """Waits for the last state to be such."""
        self.until(lambda: bool(self.states) and condition(self.states[-1]))

    @property
    def everything(self) -> np.ndarray:
        """All that was played."""
        return np.concatenate([np.zeros(0, np.float32), *self._played])

    @property
    def made(self) -> np.ndarray:
        """All that the engine's ring ever held."""
        return np.concatenate([np.zeros(0, np.float32), *self._made])

    def _listen(self) -> None:
        while not self._over.is_set():
            for place, (ring, pieces) in enumerate(((self.played, self._played), (self.live, self._made))):
                heard = ring.latest(self._positions[place], RATE)
                assert heard.lost == 0
                self._positions[place] = heard.position
                pieces.append(heard.samples)
            while (state := self._inbox.get(0)) is not None:
                self.states.append(state)
            self._over.wait(0.02)


def longest_silence(samples: np.ndarray, window: float = 0.02) -> float:
    """Seconds of the longest run of windows in which hardly anything sounds."""
    length = round(window * RATE)
    loud = np.abs(samples[: len(samples) // length * length]).reshape(-1, length).max(1) > 0.01
    edges = np.flatnonzero(np.concatenate([[True], loud, [True]]))
    return float((np.diff(edges) - 1).max() * window)


def places(recording: np.ndarray, samples: np.ndarray) -> list[int]:
    """Where the recording goes on like the samples, to the bit."""
    key = samples[:200]
    starts = np.flatnonzero(recording[: len(recording) - len(key) + 1] == key[0])
    return [int(start) for start in starts if np.array_equal(recording[start : start + len(key)], key)]


def check_contained(recording: np.ndarray, samples: np.ndarray) -> None:
    """All of the samples are in the recording, once, in one piece, to the bit."""
    found = places(recording, samples)
    assert len(found) == 1, f"found at {found}"
    np.testing.assert_array_equal(recording[found[0] :][: len(samples)], samples)


def steady(samples: np.ndarray) -> np.ndarray:
    """What follows on the fade-in."""
    return samples[np.flatnonzero(np.abs(samples) > 0.01)[0] + RATE :]


def check_music(room: SpeakerRoom, heard: np.ndarray) -> None:
    """What was heard is in one piece what the stand-in for the engine has made."""
    check_contained(music(0, room.live.taken), heard)

"""Takes what visitors say, one after the other, without holding up the pages."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from a2m_edge.errors import A2MError
from kiosk.shared.settings import WebSettings
from kiosk.web.access.gate import LARGEST_SPEECH
from kiosk.web.access.rates import Allowance, Rate
from kiosk.web.speech.log_mel import RATE
from kiosk.web.speech.recogniser import Recogniser
from kiosk.web.speech.whisper_files import require_speech

LONGEST_SPEECH = LARGEST_SPEECH // (2 * RATE)
"""Seconds that are taken at once."""

_MOST_WAITING = 4  # a second each
_STEP_BACK = 10  # nice value: everything else comes first


class BusyError(A2MError):
    """Others are speaking."""


class NotSpeechError(A2MError):
    """What was sent is no sound of the right form, or too long."""


class SpeechDesk:
    """Writes down what visitors say. Whisper runs on a thread of its own, below everything else of the exhibit.

    Args:
        settings: how often one visitor and the whole room may speak: as often as they may write.
        recogniser: makes what writes down; it is called on the desk's thread.
        clock: seconds that never go back.

    Raises:
        MissingExtraError: the extra ``speech`` is not installed.
    """

    def __init__(
        self,
        settings: WebSettings,
        recogniser: Callable[[], Recogniser] = Recogniser,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        require_speech()
        self._allowance = Allowance(
            Rate(settings.comment_burst, settings.comment_pause),
            Rate(settings.room_burst, 1.0 / settings.room_rate),
            clock,
        )
        self._waiting = 0
        self._worker = ThreadPoolExecutor(1, "speech", _step_back)
        self._recogniser: Future[Recogniser] = self._worker.submit(recogniser)

    async def write_down(self, sound: bytes, language: str, visitor: str) -> str:
        """The words in a visitor's speech.

        Args:
            sound: 16-bit samples at ``RATE``, one channel, little-endian.
            language: that is expected (BCP 47).
            visitor: tells visitors apart.

        Returns:
            the text, empty where nothing was understood.

        Raises:
            NotSpeechError: the sound has half a sample, or more than ``LONGEST_SPEECH``.
            BusyError: too many others are waiting.
            TooOftenError: this visitor, or the whole room, must wait a little.
            MissingExtraError, DeviceError: see ``Recogniser``.
        """
        if len(sound) % 2 or len(sound) > LARGEST_SPEECH:
            raise NotSpeechError(f"this is no speech of at most {LONGEST_SPEECH} s, as 16-bit samples")
        if self._waiting >= _MOST_WAITING:
            raise BusyError("others are speaking: try again in a moment")
        self._allowance.take(visitor)
        self._waiting += 1
        try:
            return await asyncio.wrap_future(self._worker.submit(self._listen, sound, language))
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Ends it; what waits is dropped."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _listen(self, sound: bytes, language: str) -> str:
        samples = np.frombuffer(sound, "<i2").astype(np.float32) / np.float32(32768.0)
        return self._recogniser.result().write_down(samples, language)


def _step_back() -> None:
    # On Linux a nice value is a thread's own, and the threads that it starts inherit it (setpriority(2)).
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + _STEP_BACK)

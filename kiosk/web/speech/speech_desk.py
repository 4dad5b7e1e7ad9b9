"""Takes what visitors say, one after the other, without holding up the pages."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from a2m_edge.errors import A2MError, DeviceError
from kiosk.shared.settings import WebSettings
from kiosk.web.access.gate import LARGEST_SPEECH
from kiosk.web.access.rates import Allowance, visitors_rates
from kiosk.web.speech.log_mel import RATE
from kiosk.web.speech.recogniser import Recogniser
from kiosk.web.speech.whisper_files import require_speech

LONGEST_SPEECH = LARGEST_SPEECH // (2 * RATE)
"""Seconds that are taken at once."""

_MOST_WAITING = 4
_PATIENCE = 20.0  # seconds after which the page that asked has given up
_STEP_BACK = 10  # nice value: everything else comes first

_log = logging.getLogger(__name__)


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
        self._allowance = Allowance(*visitors_rates(settings), clock)
        self._waiting = 0
        self._worker = ThreadPoolExecutor(1, "speech", _step_back)
        self._recogniser: Future[Recogniser] = self._worker.submit(recogniser)
        self._recogniser.add_done_callback(_tell_failure)

    @property
    def works(self) -> bool:
        """Whether it is loading, or has been loaded; not where that failed, which stands in the log."""
        return not self._recogniser.done() or self._recogniser.exception() is None

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
            BusyError: too many others are waiting, or one waited too long.
            TooOftenError: this visitor, or the whole room, must wait a little.
            DeviceError: see ``Recogniser``.
        """
        if len(sound) % 2 or len(sound) > LARGEST_SPEECH:
            raise NotSpeechError(f"this is no speech of at most {LONGEST_SPEECH} s, as 16-bit samples")
        if self._waiting >= _MOST_WAITING:
            raise BusyError("others are speaking: try again in a moment")
        self._allowance.take(visitor)
        self._waiting += 1
        try:
            return await asyncio.wrap_future(
                self._worker.submit(self._listen, sound, language, time.monotonic() + _PATIENCE)
            )
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Takes nothing more; what waits is dropped, and what is being written down is the last."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _listen(self, sound: bytes, language: str, until: float) -> str:
        if time.monotonic() > until:
            raise BusyError("others were speaking: nobody waits for the words any more")
        samples = np.frombuffer(sound, "<i2").astype(np.float32) / np.float32(32768.0)
        return self._recogniser.result().write_down(samples, language)


def _step_back() -> None:
    # On Linux a nice value is a thread's own, and the threads that it starts inherit it (setpriority(2)).
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + _STEP_BACK)


def _tell_failure(recogniser: Future[Recogniser]) -> None:
    error = None if recogniser.cancelled() else recogniser.exception()
    if error is not None:
        _log.error("nobody can speak: %s", error if isinstance(error, DeviceError) else type(error).__name__)

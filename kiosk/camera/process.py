"""The camera process: from frames to artworks.

It reads as the source gives, looks at a few frames a second, and sends an artwork on when another one hangs there. A
read may block forever; nothing but this process is then hurt, and the supervisor replaces it. Frames stay in memory.
"""

from __future__ import annotations

import logging
import time
from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import DeviceError
from kiosk.camera.blindness import SENTENCES, blindness
from kiosk.camera.capture import Source, choose_source
from kiosk.camera.watching import Sight, Watch
from kiosk.shared.links import CameraLinks
from kiosk.shared.messages import CameraState, LiveView
from kiosk.shared.settings import CameraSettings

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
"""Seconds before a lost camera is opened again; pauses double from the first to the longest."""

STEADY_SECONDS = 5.0
"""Seconds of frames after which a camera counts as well again."""

LONGEST_SETTLING = 4.0
"""Seconds beyond ``settings.settle`` that the exposure is waited for."""

BLIND_SECONDS = 10.0
"""Seconds without anything in the frames after which the camera counts as blind: a visitor's hand is gone by then."""

_STEADY_LIGHT = 0.03  # relative change of the brightness within half a second
_VIEW_SIDE, _VIEW_QUALITY = 640, 70
_TICK = 0.1  # seconds between two looks at the controls while nothing else happens
_log = logging.getLogger(__name__)


def run_camera(settings: CameraSettings, links: CameraLinks) -> None:
    """The whole camera process; ends when the controls say so or the supervisor is gone.

    Raises:
        DeviceError: the settings name nothing that can be a camera.
    """
    cv2.setNumThreads(1)  # the other core belongs to the music
    source = choose_source(settings)
    try:
        _CameraProcess(settings, links, source).run()
    finally:
        source.close()


class _CameraProcess:
    """A source, what watches it, and what was said about it."""

    def __init__(self, settings: CameraSettings, links: CameraLinks, source: Source) -> None:
        self._settings, self._links, self._source = settings, links, source
        self._watch = Watch(settings)
        self._state: CameraState | None = None
        self._next_look = self._next_view = 0.0
        self._blind_since: float | None = None
        self._has_seen = False  # anything since it began

    def run(self) -> None:
        """Opens the source, plays it, and opens it again when it is lost."""
        pause = FIRST_PAUSE
        while self._going:
            try:
                self._source.open()
            except DeviceError as error:
                self._say(False, str(error))
            else:
                begun = time.monotonic()
                self._play(begun)
                self._source.close()
                if time.monotonic() - begun >= STEADY_SECONDS:
                    pause = FIRST_PAUSE
                if self._going:
                    self._say(False, f"the camera {self._source.name} sends no pictures any more: it is opened again")
            self._wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    @property
    def _going(self) -> bool:
        return not (self._links.controls.stopping or self._links.outbox.closed)

    def _play(self, begun: float) -> None:
        """Until the source ends or the process shall."""
        settling = _Settling(self._settings.settle) if self._source.live else None
        while self._going and self._source.grab():
            self._links.progress.frames_captured.add()
            now = time.monotonic()
            if now < self._next_look:
                continue
            frame = self._source.retrieve()
            if frame is None:
                continue
            frame = _turned(frame, self._settings.rotate)
            self._next_look = max(self._next_look + 1 / self._settings.rate, now)
            if settling is not None:
                if not settling.done(frame, now):
                    self._tell_frames(frame)
                    self._show(frame, Sight(None, "the camera finds its exposure"), now)
                    continue
                settling = None
            self._links.progress.frames_looked.add()
            if self._is_blind(frame, now):
                continue
            self._tell_frames(frame)
            sight = self._watch.look(frame, now, self._links.controls.held)
            if sight.seen is not None:
                self._links.outbox.put(sight.seen)
                self._links.progress.artworks_seen.add()
            self._show(frame, sight, now)

    def _is_blind(self, frame: NDArray[np.uint8], now: float) -> bool:
        """Whether there is nothing in the frame: the watch is not asked then, so that what it holds stays.

        It is a fault at the start and when it lasts, but not while the exhibit rests, as it does at night.
        """
        blind = blindness(frame)
        if blind is None:
            self._blind_since, self._has_seen = None, True
            return False
        self._links.progress.blind_frames.add()
        sentence = f"the camera {self._source.name} {SENTENCES[blind]}"
        if self._blind_since is None:
            self._blind_since = now
        lasts = not self._has_seen or now - self._blind_since >= BLIND_SECONDS
        if self._links.controls.paused or not lasts:
            self._tell_frames(frame)
        else:
            self._say(False, sentence)
        self._show(frame, Sight(None, sentence), now)
        return True

    def _tell_frames(self, frame: NDArray[np.uint8]) -> None:
        turning = f", turned by {self._settings.rotate} degrees" if self._settings.rotate else ""
        self._say(True, f"the camera gives {frame.shape[1]} x {frame.shape[0]} pixels{turning}")

    def _show(self, frame: NDArray[np.uint8], sight: Sight, now: float) -> None:
        """Sends a live view when it is time for one."""
        if now < self._next_view:
            return
        self._next_view = now + 1 / self._settings.view_rate
        scale = _VIEW_SIDE / max(frame.shape[:2])
        if scale < 1:
            size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
            frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        done, jpeg = cv2.imencode(
            ".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _VIEW_QUALITY]
        )
        if done:
            self._links.outbox.put(LiveView(jpeg.tobytes(), sight.outline, sight.state))

    def _say(self, ok: bool, sentence: str) -> None:
        """Tells the state of the camera when it is another one."""
        state = CameraState(self._source.name, ok, sentence)
        if state == self._state:
            return
        if not ok:
            _log.warning("%s", sentence)
        elif self._state is not None and not self._state.ok:
            _log.warning("the camera %s gives pictures again", self._source.name)
        self._state = state
        self._links.outbox.put(state)

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while self._going and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _TICK))


def _turned(frame: NDArray[np.uint8], degrees: int) -> NDArray[np.uint8]:
    """A frame [H, W, 3] turned clockwise by 0, 90, 180 or 270 degrees."""
    return np.ascontiguousarray(np.rot90(frame, -degrees // 90)) if degrees else frame


class _Settling:
    """Waits for a camera's automatic exposure.

    Args:
        seconds: that are waited in any case.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began: float | None = None
        self._lights: deque[tuple[float, float]] = deque()

    def done(self, frame: NDArray[np.uint8], now: float) -> bool:
        """Whether the exposure has settled; is to be asked with each frame."""
        if self._began is None:
            self._began = now
        light = float(frame[::8, ::8].mean()) + 1
        self._lights.append((now, light))
        while now - self._lights[0][0] > 0.5:
            self._lights.popleft()
        waited = now - self._began
        if waited < self._seconds:
            return False
        lights = [each for _, each in self._lights]
        return max(lights) / min(lights) - 1 <= _STEADY_LIGHT or waited >= self._seconds + LONGEST_SETTLING

"""A small exhibit for tests of the pages: a real ring with real sound, real comments, and feelings by two words."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from fastapi import Response

from a2m_edge.audio import AudioFormat
from a2m_edge.errors import DeviceError
from kiosk.calibration import check_region
from kiosk.comments import CommentDesk
from kiosk.messages import Felt, LiveView, Outline, PartName, PartState
from kiosk.ring import AudioRing
from kiosk.settings import WebSettings
from kiosk.web.app import create_app
from kiosk.web.exhibit import ControlState, ExhibitState
from kiosk.web.server import Server, serve

CALM, LIVELY = 310.0, 620.0
"""Tones in Hz that are played before anybody wrote, and after somebody wrote of joy."""

_BLOCK = 441
_AHEAD = 0.02

Sound = Callable[[int], np.ndarray]
"""Gives the next samples, float32 [N]."""


class SmallExhibit:
    """Implements ``kiosk.web.exhibit.Exhibit`` within one process.

    Its sound is a tone whose pitch follows the feeling, written into a ring at the pace at which it would be played.

    Args:
        settings: of the pages.
        sound: what is played instead of the tone.
    """

    audio = AudioFormat()
    comment_language = "en"

    def __init__(self, settings: WebSettings, sound: Sound | None = None) -> None:
        self.felt = felt("contentment", 0.3, -0.5)
        self.controls = ControlState()
        self.region: Outline | None = None
        self.parts: tuple[PartState, ...] = (
            PartState("speaker", "Built-in Audio", True, "live sound leaves the device"),
            PartState("engine", "CPUExecutionProvider", True, "3.4 seconds of sound a second"),
            PartState("camera", "/dev/video0", True, "a work is in view"),
        )
        self.artworks = [picture(60)]
        self.view: LiveView | None = LiveView(
            jpeg(picture(120)), ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)), "still"
        )
        self.restarted: list[PartName] = []
        self.heard = 0
        self.counters = {"samples_played": 0}
        self.timings = {"text": 12.5, "fusion": 0.8}
        self.ring = AudioRing.create(8 * self.audio.sample_rate, broadcast=True)
        self._desk = CommentDesk(settings)
        self._sound = sound or self._tone
        self._phase = 0.0
        self._ending = threading.Event()
        self._player = threading.Thread(target=self._play, daemon=True)
        self._player.start()

    @property
    def played_ring(self) -> str:
        return self.ring.name

    def state(self) -> ExhibitState:
        return ExhibitState(
            healthy=all(part.ok for part in self.parts),
            sounding="live",
            felt=self.felt,
            artwork=len(self.artworks),
            parts=self.parts,
            controls=self.controls,
            region=self.region,
            counters=self.counters | {"samples_played": self.ring.written},
            timings=self.timings,
        )

    def artwork(self) -> bytes | None:
        return jpeg(self.artworks[-1]) if self.artworks else None

    def live_view(self) -> LiveView | None:
        return self.view

    def hear(self, text: str, visitor: str) -> float:
        if self.controls.paused:
            raise DeviceError("the exhibit rests: try again later")
        comment = self._desk.take(text, visitor)
        received = time.monotonic()
        self.heard += 1
        if "dance" in comment or "joy" in comment:
            self.felt = felt("excitement", 0.8, 0.7, cause="comment", received=received)
        else:
            self.felt = felt("sadness", -0.6, -0.4, cause="comment", received=received)
        return received

    def control(self, *, volume=None, muted=None, paused=None, held=None) -> None:
        now = self.controls
        self.controls = ControlState(
            now.volume if volume is None else volume,
            now.muted if muted is None else muted,
            now.paused if paused is None else paused,
            now.held if held is None else held,
        )

    def set_region(self, region: Outline | None) -> None:
        if region is not None:
            check_region(region)
        self.region = region

    def restart(self, part: PartName) -> None:
        self.restarted.append(part)

    def close(self) -> None:
        self._ending.set()
        self._player.join()
        self.ring.close()
        self.ring.unlink()

    def _play(self) -> None:
        rate, begun, played = self.audio.sample_rate, time.monotonic(), 0
        while not self._ending.is_set():
            while played < (time.monotonic() - begun + _AHEAD) * rate:
                self.ring.write(self._sound(_BLOCK))
                played += _BLOCK
            self._ending.wait(_AHEAD)

    def _tone(self, count: int) -> np.ndarray:
        pitch = LIVELY if self.felt.arousal > 0.5 else CALM
        phases = self._phase + 2 * np.pi * pitch / self.audio.sample_rate * np.arange(1, count + 1)
        self._phase = float(phases[-1] % (2 * np.pi))
        return np.asarray(0.4 * np.sin(phases), np.float32)


def felt(
    word, valence, arousal, *, cause="start", received=None, instruments=("cello", "harp"), mode="dorian", tempo=64.0
):
    """A feeling as the engine sends it."""
    return Felt(word, valence, arousal, (), tuple(instruments), mode, tempo, cause, received)


def picture(grey: int) -> np.ndarray:
    """A plain picture, uint8 [300, 400, 3]."""
    return np.full((300, 400, 3), grey, np.uint8)


def jpeg(image: np.ndarray) -> bytes:
    """An RGB picture as a JPEG."""
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


_RECORDER = """
registerProcessor("recorder", class extends AudioWorkletProcessor {
  process([[input]]) {
    if (input) this.port.postMessage(input.slice());
    return true;
  }
});
"""


async def _recorder() -> Response:
    return Response(_RECORDER, media_type="text/javascript")


@contextlib.contextmanager
def serving(exhibit: SmallExhibit, settings: WebSettings) -> Iterator[Server]:
    """Serves the pages of an exhibit, and beside them a recorder that browsers load onto their audio thread."""
    app = create_app(exhibit, settings)
    app.get("/recorder.js", include_in_schema=False)(_recorder)
    server = serve(app, settings)
    try:
        assert server.wait_until_ready()
        yield server
    finally:
        server.stop()

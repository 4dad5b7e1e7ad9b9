"""A camera that sees nothing, as behind a cap, is told of; dark paintings are no such thing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import kiosk.camera.process
from kiosk.camera.blindness import blindness
from kiosk.camera.capture import hung
from kiosk.camera.process import run_camera
from kiosk.shared.channel import open_channel
from kiosk.shared.counters import Controls, Progress
from kiosk.shared.links import CameraLinks
from kiosk.shared.messages import ArtworkSeen, CameraState, LiveView
from kiosk.shared.settings import CameraSettings
from tests.fixtures.exhibit.mjpeg_server import NetworkCamera
from tests.fixtures.places import EXAMPLES

LONG = 60.0
"""Seconds in which anything here happens, on a busy machine too."""

Frame = NDArray[np.uint8]


def covered(level: float, noise: float, seed: int = 0, size: tuple[int, int] = (640, 360)) -> Frame:
    """A frame of a covered lens: a level, the sensor's own pattern, and noise; RGB uint8."""
    rng = np.random.default_rng(seed)
    width, height = size
    pattern = rng.normal(0, noise / 3, (height, width, 1)) + np.linspace(0, 1.5, width)[None, :, None]
    frame = level + pattern + rng.normal(0, noise, (height, width, 3))
    return np.clip(frame, 0, 255).astype(np.uint8)


def compressed(frame: Frame, quality: int) -> Frame:
    """A frame as a network camera sends it."""
    done, data = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    assert decoded is not None
    return decoded.astype(np.uint8)


def with_the_hour(frame: Frame) -> Frame:
    """A frame into which a camera has written the hour."""
    frame = frame.copy()
    cv2.putText(frame, "2026-11-29 14:00:03  CAM 01", (12, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 2)
    return frame


def black_painting(level: float, contrast: float) -> Frame:
    """Nine squares of nearly one black on a lit wall, as Reinhardt painted them; it fills most of the frame."""
    frame = np.full((360, 640, 3), 90.0)
    blacks = np.random.default_rng(5).uniform(level, level + contrast, (3, 3, 3))
    frame[18:342, 120:520] = np.kron(blacks, np.ones((108, 134, 1)))[:, :400]
    return np.asarray(np.clip(frame + np.random.default_rng(6).normal(0, 2, frame.shape), 0, 255), np.uint8)


@pytest.mark.parametrize(
    ("frame", "found"),
    [
        (np.zeros((360, 640, 3), np.uint8), "black"),
        (np.full((360, 640, 3), 255, np.uint8), "white"),
        (np.full((360, 640, 3), (90, 20, 20), np.uint8), "even"),
        (covered(0, 0.5), "black"),
        (covered(3, 2), "black"),
        (covered(5, 10), "black"),
        (covered(5, 10, size=(160, 120)), "black"),
        (covered(16, 3), "black"),
        (covered(8, 6, size=(1920, 1080)), "black"),
        (compressed(covered(4, 8), 60), "black"),
        (with_the_hour(covered(2, 3)), "black"),
        (with_the_hour(np.zeros((720, 1280, 3), np.uint8)), "black"),
        (covered(250, 6), "white"),
        (covered(120, 4), "even"),
        (black_painting(2, 3), None),
        (black_painting(0, 0), None),  # its wall is seen
        (black_painting(2, 3)[60:300, 200:440], "black"),  # a part of it, in the light of no lamp
        (np.clip(black_painting(2, 3)[18:342, 120:520] * 5.0, 0, 255).astype(np.uint8), None),  # and in that of one
    ],
)
def test_nothing_is_told_from_little(frame, found):
    assert blindness(frame) == found


def test_a_scene_in_failing_light_is_seen_for_long():
    painting = hung(next(_examples()), 640, 360).astype(np.float32)
    rng = np.random.default_rng(3)
    for light in (1.0, 0.5, 0.2, 0.1, 0.05):
        dim = np.clip(painting * light + rng.normal(2, 3, painting.shape), 0, 255).astype(np.uint8)
        assert blindness(dim) is None, light
    assert blindness(np.clip(painting * 0.005 + rng.normal(2, 3, painting.shape), 0, 255).astype(np.uint8)) == "black"


@given(
    st.floats(0, 255), st.floats(0, 10), st.integers(0, 2**32 - 1), st.sampled_from([(160, 120), (640, 360), (64, 480)])
)
def test_noise_alone_is_never_a_picture(level, noise, seed, size):
    assert blindness(covered(level, noise, seed, size)) is not None


class Looked:
    """The camera process in a thread, which calls a camera blind sooner than it does, and what it says."""

    def __init__(self, source: str) -> None:
        sender, self._receiver = open_channel(8)
        self.progress, self.controls = Progress(), Controls()
        settings = CameraSettings(source=source, width=480, height=270, settle=0.1, stillness=0.3, rate=20.0)
        links = CameraLinks(sender, self.progress, self.controls)
        self._thread = threading.Thread(target=run_camera, args=(settings, links))
        self._thread.start()
        self.artworks = 0
        self.said = ""
        self.states: list[CameraState] = []

    def until(self, what: Callable[[], object]) -> None:
        """Listens until something is so; fails after a long time."""
        end = time.monotonic() + LONG
        while not what():
            assert time.monotonic() < end, f"states {self.states}, {self.artworks} artworks, said {self.said!r}"
            match self._receiver.get(0.05):
                case ArtworkSeen():
                    self.artworks += 1
                case LiveView() as view:
                    self.said = view.state
                case CameraState() as state:
                    self.states.append(state)

    def end(self) -> None:
        """Ends it."""
        self.controls.stopping = True
        self._thread.join()
        self._receiver.close()


@pytest.fixture
def looked(monkeypatch) -> Iterator[Callable[[str], Looked]]:
    monkeypatch.setattr(kiosk.camera.process, "BLIND_SECONDS", 1.0)
    threads = cv2.getNumThreads()
    started: list[Looked] = []

    def start(source: str) -> Looked:
        started.append(Looked(source))
        return started[-1]

    yield start
    for each in started:
        each.end()
    cv2.setNumThreads(threads)


@pytest.mark.realtime
def test_the_staff_hears_of_a_covered_lens_and_the_work_stays(looked):
    with NetworkCamera(covered(3, 4, size=(480, 270)), rate=30.0) as network:
        camera = looked(network.url)
        camera.until(lambda: camera.states and not camera.states[-1].ok)  # at the start at once
        assert "nothing but black: take the cap off its lens" in camera.states[-1].sentence
        assert camera.progress.blind_frames.value == camera.progress.frames_looked.value > 0

        network.show(hung(next(_examples()), 480, 270))
        camera.until(lambda: camera.states[-1].ok and camera.artworks == 1 and camera.said == "the artwork is seen")

        network.show(covered(3, 4, seed=1, size=(480, 270)))
        camera.until(lambda: "nothing but black" in camera.said)
        assert camera.states[-1].ok  # it may be a hand
        camera.until(lambda: not camera.states[-1].ok)

        network.show(hung(next(_examples()), 480, 270))
        camera.until(lambda: camera.states[-1].ok and camera.said == "the artwork is seen")
        assert camera.artworks == 1  # the same one: what was held stayed


@pytest.mark.realtime
def test_an_exhibit_that_rests_in_the_dark_is_well(looked):
    with NetworkCamera(hung(next(_examples()), 480, 270), rate=30.0) as network:
        camera = looked(network.url)
        camera.until(lambda: camera.artworks == 1)
        camera.controls.paused = True
        network.show(np.zeros((270, 480, 3), np.uint8))
        blind = camera.progress.blind_frames
        camera.until(lambda: blind.value >= 40)  # two seconds
        assert all(state.ok for state in camera.states)
        camera.controls.paused = False
        camera.until(lambda: not camera.states[-1].ok)


def _examples() -> Iterator[Frame]:
    for path in sorted(EXAMPLES.glob("*.jpg")):
        loaded = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
        assert loaded is not None
        yield loaded.astype(np.uint8)

"""The camera process with real sources: folders, video files, and a network camera that misbehaves."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from a2m_edge.errors import DeviceError
from kiosk.camera.capture import (
    DeviceSource,
    FileSource,
    FolderSource,
    NetworkSource,
    choose_source,
    hung,
    stable_path,
)
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

SMALL = {"width": 480, "height": 270, "settle": 0.2, "stillness": 0.4}


class CameraProcess:
    """A camera process and what it says."""

    def __init__(self, source, **options) -> None:
        settings = CameraSettings(source=str(source), **{**SMALL, **options})
        sender, self._receiver = open_channel(8)
        self.progress, self.controls = Progress(), Controls()
        links = CameraLinks(sender, self.progress, self.controls)
        self.process = multiprocessing.get_context("spawn").Process(target=run_camera, args=(settings, links))
        self.process.start()
        self.artworks: list[ArtworkSeen] = []
        self.views: list[LiveView] = []
        self.states: list[CameraState] = []

    def until(self, what: Callable[[], object]) -> None:
        """Listens until something is so; fails after a long time."""
        end = time.monotonic() + LONG
        while not what():
            assert time.monotonic() < end, (
                f"states {self.states}, {len(self.artworks)} artworks, {len(self.views)} views"
            )
            assert self.process.is_alive()
            message = self._receiver.get(0.05)
            match message:
                case ArtworkSeen():
                    self.artworks.append(message)
                case LiveView():
                    self.views.append(message)
                case CameraState():
                    self.states.append(message)

    @property
    def frames(self) -> int:
        """Frames that were captured."""
        return self.progress.frames_captured.value

    def more_frames(self, count: int = 10) -> None:
        """Waits for some more."""
        until = self.frames + count
        self.until(lambda: self.frames >= until)

    def end(self) -> None:
        """Ends it as the supervisor does at first."""
        self.controls.stopping = True
        self.process.join(10)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self._receiver.close()


@pytest.fixture
def camera() -> Iterator[Callable[..., CameraProcess]]:
    started: list[CameraProcess] = []

    def start(source, **options):
        started.append(CameraProcess(source, **options))
        return started[-1]

    yield start
    for each in started:
        each.end()


def picture(number: int, width: int = 480, height: int = 270) -> np.ndarray:
    """A frame in which one of the example pictures hangs, RGB."""
    path = sorted(EXAMPLES.glob("*.jpg"))[number]
    loaded = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    assert loaded is not None
    return hung(loaded.astype(np.uint8), width, height)


def looks_like(seen: np.ndarray, number: int) -> bool:
    """Whether a straightened picture is this example, and none of the others is nearer."""
    small = [cv2.resize(each, (16, 16), interpolation=cv2.INTER_AREA).astype(float) for each in _examples()]
    found = cv2.resize(seen, (16, 16), interpolation=cv2.INTER_AREA).astype(float)
    distances = [float(np.abs(found - each).mean()) for each in small]
    return int(np.argmin(distances)) == number


def _examples() -> list[np.ndarray]:
    loaded = [cv2.imread(str(path), cv2.IMREAD_COLOR_RGB) for path in sorted(EXAMPLES.glob("*.jpg"))]
    return [each for each in loaded if each is not None]


def test_a_folder_of_pictures_is_shown_one_after_the_other_again_and_again(camera, tmp_path):
    for number, name in enumerate(("b.jpg", "c.png", "a.JPG")):
        cv2.imwrite(str(tmp_path / name), _examples()[number][..., ::-1])
    (tmp_path / "bb broken.jpg").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("not shown")
    started = camera(tmp_path, picture_seconds=2.5, rate=15.0)
    started.until(lambda: len(started.artworks) >= 4)
    for seen, number in zip(started.artworks, (2, 0, 1, 2), strict=False):
        assert looks_like(seen.picture, number)
        assert seen.outline is not None
        assert seen.quality > 0.5
        assert max(seen.picture.shape) <= 480
    assert started.progress.artworks_seen.value >= 4
    assert started.states[0].ok
    assert started.states[0].device == str(tmp_path)


@pytest.mark.parametrize(("rotate", "turns"), [(90, 1), (180, 2), (270, 3)])
def test_a_camera_that_hangs_on_its_side_is_turned_upright(camera, rotate, turns):
    """The lens sees the room turned against the clock; what the staff sees, and the artwork, are upright."""
    upright = picture(0, 480, 270)
    with NetworkCamera(np.rot90(upright, turns), rate=30.0) as network:
        started = camera(network.url, rotate=rotate)
        started.until(lambda: started.artworks and started.views)
    assert looks_like(started.artworks[0].picture, 0)
    outline = np.array(started.artworks[0].outline)
    assert np.abs(outline - np.clip(outline, 0.02, 0.98)).max() == 0
    assert outline[0, 0] < outline[1, 0] and outline[0, 1] < outline[3, 1]  # its upper left corner is upper left
    view = cv2.imdecode(np.frombuffer(started.views[-1].jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert view is not None
    assert view.shape == upright.shape
    assert np.abs(view.astype(float) - upright).mean() < 8
    assert started.states[-1].sentence == f"the camera gives 480 x 270 pixels, turned by {rotate} degrees"


def test_a_region_lies_in_the_turned_frame(camera):
    upright = picture(1, 480, 270)
    region = ((0.3, 0.05), (0.7, 0.05), (0.7, 0.95), (0.3, 0.95))
    with NetworkCamera(np.rot90(upright), rate=30.0) as network:
        started = camera(network.url, rotate=90, search=False, region=region)
        started.until(lambda: started.artworks)
    assert looks_like(started.artworks[0].picture, 1)


def test_a_video_file_is_played_again_and_again(camera, tmp_path):
    path = tmp_path / "room.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20.0, (480, 270))
    for number in (0, 3):
        for _ in range(50):
            writer.write(picture(number)[..., ::-1])
    writer.release()
    started = camera(path, rate=10.0)
    begun = time.monotonic()
    started.until(lambda: len(started.artworks) >= 3)
    assert [looks_like(seen.picture, number) for seen, number in zip(started.artworks, (0, 3, 0), strict=False)] == [
        True
    ] * 3
    assert started.frames <= 20 * (time.monotonic() - begun) + 40  # at its own pace, not as fast as it can be read


def test_the_live_view_is_small_and_comes_at_a_bounded_rate(camera):
    with NetworkCamera(picture(1, 1280, 720), rate=30.0) as network:
        started = camera(network.url, view_rate=4.0)
        started.until(lambda: started.views)
        begun, before = time.monotonic(), len(started.views)
        started.until(lambda: time.monotonic() >= begun + 3)
        assert len(started.views) - before <= 4.0 * (time.monotonic() - begun) + 1
        view = cv2.imdecode(np.frombuffer(started.views[-1].jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert view is not None
        assert max(view.shape) <= 640
        assert len(started.views[-1].jpeg) < 200_000
        assert started.views[-1].state


def test_a_network_camera_that_misbehaves_is_outlived(camera):
    """It stalls, drips, sends noise and halves of pictures, hangs up and refuses; then it is well again."""
    with NetworkCamera(picture(0)) as network:
        started = camera(network.url)
        started.until(lambda: len(started.artworks) == 1)
        assert looks_like(started.artworks[0].picture, 0)
        for behaviour in ("garbage", "drop", "cut", "stall", "drip"):
            network.behaviour = behaviour
            if behaviour == "cut":
                started.more_frames(20)  # they can be read, after a fashion
            else:
                wrong = len(started.states)
                started.until(lambda wrong=wrong: any(not state.ok for state in started.states[wrong:]))
            network.behaviour = "play"
            right = len(started.states)
            if not started.states[-1].ok:
                started.until(lambda right=right: any(state.ok for state in started.states[right:]))
            started.more_frames()
        assert len(started.artworks) == 1, "trouble with the camera is no artwork"
        network.show(picture(3))
        started.until(lambda: len(started.artworks) == 2)
        assert looks_like(started.artworks[1].picture, 3)
        assert started.process.is_alive()


def test_a_camera_that_comes_late_is_waited_for(camera):
    with NetworkCamera(picture(2)) as network:
        network.behaviour = "drop"
        started = camera(network.url.replace("127.0.0.1", "visitor:secret@127.0.0.1"))
        started.until(lambda: started.states and network.connections >= 2)
        assert not started.states[0].ok
        network.behaviour = "play"
        started.until(lambda: started.artworks)
        assert started.states[-1].ok
        assert "secret" not in repr(started.states)


def test_the_staff_holds_the_last_work(camera):
    with NetworkCamera(picture(0)) as network:
        started = camera(network.url)
        started.until(lambda: started.artworks)
        started.controls.held = True
        network.show(picture(1))
        started.until(lambda: started.views and "staff" in started.views[-1].state)
        assert len(started.artworks) == 1
        started.controls.held = False
        started.until(lambda: len(started.artworks) == 2)


def test_the_process_ends_when_it_is_told_and_when_nobody_listens(camera):
    with NetworkCamera(picture(0)) as network:
        told, left = camera(network.url), camera(network.url)
        told.until(lambda: told.frames > 3)
        left.until(lambda: left.frames > 3)
        told.controls.stopping = True
        left._receiver.close()
        for each in (told, left):
            each.process.join(LONG)
            assert each.process.exitcode == 0


@pytest.mark.parametrize("source", ["no such file.mp4", "ftp://camera/stream", "/no/such/folder"])
def test_what_can_be_no_camera_is_refused_in_one_sentence(source):
    with pytest.raises(DeviceError) as caught:
        choose_source(CameraSettings(source=source))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("source", "kind"), [
    ("0", DeviceSource), ("/dev/video7", DeviceSource), ("rtsp://user:word@camera/1", NetworkSource),
    ("http://camera/video.mjpg", NetworkSource), (EXAMPLES, FolderSource), (EXAMPLES / "storm.jpg", FileSource),
])  # fmt: skip
def test_a_source_is_known_by_what_it_looks_like(source, kind):
    assert type(choose_source(CameraSettings(source=str(source)))) is kind


def test_a_missing_camera_and_an_unreadable_one_are_told_apart(tmp_path):
    nothing = tmp_path / "video0"
    with pytest.raises(DeviceError, match="plug it in"):
        DeviceSource(CameraSettings(source=str(nothing))).open()
    nothing.write_bytes(b"no camera")
    with pytest.raises(DeviceError, match="no pictures"):
        DeviceSource(CameraSettings(source=str(nothing))).open()
    if os.geteuid() != 0:  # root may read everything
        nothing.chmod(0)
        with pytest.raises(DeviceError, match="group video"):
            DeviceSource(CameraSettings(source=str(nothing))).open()


def test_a_camera_keeps_its_name_when_numbers_move(tmp_path):
    device, links = tmp_path / "video0", tmp_path / "by-id"
    device.touch()
    assert stable_path(device, (str(links),)) == device
    links.mkdir()
    link = links / "usb-Maker_Camera_1234-video-index0"
    link.symlink_to(device)
    assert stable_path(device, (str(links),)) == link
    (tmp_path / "video2").touch()
    link.unlink()
    link.symlink_to(tmp_path / "video2")  # plugged in again
    assert stable_path(device, (str(links),)) == device


def test_a_folder_passes_over_what_systems_leave_behind(tmp_path, caplog):
    cv2.imwrite(str(tmp_path / "b.png"), picture(1))
    for name in ("._b.png", "~$b.png", ".hidden.png"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7no picture")
    source = FolderSource(tmp_path, CameraSettings(rate=60.0, picture_seconds=0.001))
    with caplog.at_level("INFO"):
        source.open()
        assert all(source.grab() for _ in range(6))  # some rounds
    assert source.retrieve() is not None
    assert caplog.messages == []


def test_an_empty_folder_and_a_broken_video_say_what_to_do(tmp_path):
    with pytest.raises(DeviceError, match="put JPEG or PNG"):
        FolderSource(tmp_path, CameraSettings()).open()
    broken = tmp_path / "clip.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(DeviceError, match="MP4"):
        FileSource(broken).open()


def test_frames_pass_through_without_a_file(camera, tmp_path, monkeypatch):
    """What the process keeps open for writing are pipes and shared memory, and its folder stays empty."""
    monkeypatch.chdir(tmp_path)
    with NetworkCamera(picture(0)) as network:
        started = camera(network.url)
        started.until(lambda: started.artworks and len(started.views) > 3)
        process = Path(f"/proc/{started.process.pid}")
        written = []
        for each in (process / "fd").iterdir():
            details = (process / "fdinfo" / each.name).read_text()
            if int(details.split("flags:")[1].split()[0], 8) & os.O_ACCMODE != os.O_RDONLY:
                written.append(str(each.readlink()))
        own = {str(Path(f"/proc/self/fd/{number}").readlink()) for number in (1, 2)}  # where this test's output goes
        assert all(target.startswith(("pipe:", "socket:", "/dev/")) or target in own for target in written)
    assert list(tmp_path.iterdir()) == []

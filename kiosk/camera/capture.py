"""Where frames come from: a camera of this computer, a network camera, a video file, or a folder of pictures.

A source delivers frames at its own pace. ``grab`` waits for the next one and is cheap; ``retrieve`` gives the pixels of
the one that was grabbed. Reading every frame and looking at few keeps what is looked at from growing old in a queue.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import re
import socket
import time
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from a2m_edge.addresses import host_and_port, is_like_address, is_misread, misreading, shown, shown_place
from a2m_edge.errors import DeviceError, PictureError
from a2m_edge.perception.picture_formats import ENDINGS, is_hidden
from a2m_edge.perception.pictures import read_picture
from kiosk.shared.settings import CameraSettings

OPEN_SECONDS, READ_SECONDS = 6.0, 5.0
"""Longest waits for an answer of a network camera; those of a camera of this computer are its driver's."""

_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_PROBE_SECONDS = 2.0
_LINKS = ("/dev/v4l/by-id", "/dev/v4l/by-path")
_WALL, _BORDER, _MARGIN = 150, 12, 0.06  # grey value of a folder's wall; dark border and margin around its pictures
_log = logging.getLogger(__name__)


class Source(Protocol):
    """What delivers frames.

    Attributes:
        name: for the staff, without a password.
        live: whether its exposure must settle first.
    """

    name: str
    live: bool

    def open(self) -> None:
        """Begins, or begins again after ``close``.

        Raises:
            DeviceError: it cannot be used now, and what to do.
        """

    def grab(self) -> bool:
        """Waits for the next frame; False where none will come until it is opened again. May block forever."""

    def retrieve(self) -> NDArray[np.uint8] | None:
        """The frame that was grabbed, RGB uint8 [H, W, 3]; None where it is damaged."""

    def close(self) -> None:
        """Ends; may be called at any time."""


def choose_source(settings: CameraSettings) -> Source:
    """The source that the settings name; nothing is opened yet.

    Raises:
        DeviceError: there is no such file, folder or kind of address.
    """
    source = settings.source.strip()
    settings = dataclasses.replace(settings, source=source)
    if source.isdecimal():
        return DeviceSource(settings)
    if scheme := _SCHEME.match(source):
        if scheme[1].lower() in _PORTS:
            return NetworkSource(settings)
        raise DeviceError(f"the camera {shown(source)} has an unknown address: use rtsp:// or http://")
    if source.startswith("/dev/"):
        return DeviceSource(settings)
    try:
        path = Path(source).expanduser()
        if path.is_dir():
            return FolderSource(path, settings)
        if path.is_file():
            return FileSource(path)
    except (OSError, ValueError, RuntimeError):  # too long, a null byte, no such user's home
        pass
    if is_like_address(source):
        raise DeviceError(f"the camera's address {shown(source)} has no scheme: write rtsp:// or http:// before it")
    raise DeviceError(
        f"there is no camera {shown(source)}: give its number, its path in /dev, an rtsp:// or http:// address, a "
        "video file or a folder of pictures"
    )


class _Video:
    """A source that OpenCV reads."""

    def __init__(self) -> None:
        self._capture: cv2.VideoCapture | None = None

    def grab(self) -> bool:
        """See ``Source``."""
        return self._capture is not None and self._capture.grab()

    def retrieve(self) -> NDArray[np.uint8] | None:
        """See ``Source``."""
        if self._capture is None:
            return None
        try:
            done, frame = self._capture.retrieve()
        except cv2.error:  # what came was no picture
            return None
        if not done or frame is None or frame.size == 0:
            return None
        code = cv2.COLOR_GRAY2RGB if frame.ndim == 2 else cv2.COLOR_BGR2RGB
        return cv2.cvtColor(frame, code).astype(np.uint8, copy=False)

    def close(self) -> None:
        """See ``Source``."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None


class DeviceSource(_Video):
    """A camera of this computer, by number or path.

    Numbers move when cameras are plugged in again, so a camera that was opened by number is afterwards opened by the
    name that the system gives this very camera, where it has one.

    Args:
        settings: of the camera.
        links: folders of such names.
    """

    live = True

    def __init__(self, settings: CameraSettings, links: tuple[str, ...] = _LINKS) -> None:
        super().__init__()
        self._settings, self._links = settings, links
        source = settings.source
        self._path = Path(f"/dev/video{int(source)}" if source.isdecimal() else source)
        self.name = shown_place(self._path)

    def open(self) -> None:
        """See ``Source``."""
        self.close()
        path = self._path
        if not path.exists():
            raise DeviceError(
                f"there is no camera {shown_place(path)}: plug it in, or choose another one ({self._others()})"
            )
        if not os.access(path, os.R_OK | os.W_OK):
            raise DeviceError(f"the camera {path} may not be used: add this user to the group video")
        real = Path(os.path.realpath(path))
        number = re.fullmatch(r"/dev/video(\d+)", str(real))
        settings = self._settings
        capture = cv2.VideoCapture()
        asked = [
            (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),  # raw frames of this size do not fit through USB 2
            (cv2.CAP_PROP_FRAME_WIDTH, settings.width),
            (cv2.CAP_PROP_FRAME_HEIGHT, settings.height),
        ]
        opened = capture.open(int(number[1]) if number else str(real), cv2.CAP_V4L2)
        if not opened:
            raise DeviceError(f"the camera {path} gives no pictures: another program uses it, or it is no camera")
        for what, value in asked:
            capture.set(what, value)
        self._capture = capture
        self._path = stable_path(path, self._links)
        self.name = str(self._path)

    def _others(self) -> str:
        names = [str(link) for folder in self._links for link in sorted(Path(folder).glob("*-index0"))]
        return ", ".join(names) or "none is plugged in"


def stable_path(device: Path, links: tuple[str, ...] = _LINKS) -> Path:
    """The name of a device that stays its own when it is plugged in again; the device itself where it has none.

    Args:
        device: for example ``/dev/video0``.
        links: folders of links to devices, the best first.
    """
    real = os.path.realpath(device)
    for folder in links:
        for link in sorted(Path(folder).glob("*")):
            if os.path.realpath(link) == real:
                return link
    return device


class NetworkSource(_Video):
    """A camera that is reached by an RTSP or HTTP (MJPEG) address.

    Args:
        settings: of the camera.
    """

    live = True

    def __init__(self, settings: CameraSettings) -> None:
        super().__init__()
        scheme, _, rest = settings.source.partition("://")
        self._address = f"{scheme.lower()}://{rest}"  # FFmpeg knows schemes in small letters alone
        self.name = shown(self._address)

    def open(self) -> None:
        """See ``Source``."""
        self.close()
        if not self._address.isprintable():
            raise DeviceError(f"the camera's address {self.name} holds a line break or a tab: take it out")
        options = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            round(1000 * OPEN_SECONDS),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            round(1000 * READ_SECONDS),
            cv2.CAP_PROP_N_THREADS,  # more of them would each keep a frame back
            1,
        ]
        # Else FFmpeg would ask the network for a host that is called like the user.
        capture = None if is_misread(self._address) else cv2.VideoCapture(self._address, cv2.CAP_FFMPEG, options)
        if capture is None or not capture.isOpened():
            way_out = misreading(self._address) or "check its address, its power and the network"
            raise DeviceError(f"the camera {self.name} does not answer{self._cause()}: {way_out}")
        self._capture = capture

    def _cause(self) -> str:
        """Why the host of the camera cannot be reached, in brackets; nothing where it can, or nobody knows."""
        host, port = host_and_port(self._address)
        if not host:
            return " (there is no host in its address)"
        try:
            socket.create_connection((host, port or _PORTS[self._address.partition("://")[0]]), _PROBE_SECONDS).close()
        except TimeoutError:
            return " (nothing comes from its host)"
        except (ValueError, OverflowError):
            return " (host and port in its address cannot be such)"
        except OSError as error:
            return f" ({error.strerror or type(error).__name__})"
        return ""


class FileSource(_Video):
    """A video file, played again and again at its own pace.

    Args:
        path: of the file.
    """

    live = False

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self.name = str(path)
        self._pause = 0.04
        self._next = 0.0
        self._frames = 0

    def open(self) -> None:
        """See ``Source``."""
        self.close()
        capture = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        if not capture.isOpened():
            raise DeviceError(f"{self._path} is no video that can be read: save it as MP4 (H.264)")
        rate = capture.get(cv2.CAP_PROP_FPS)
        self._pause = 1 / rate if 1 <= rate <= 240 else 0.04
        self._next = time.monotonic()
        self._frames = 0
        self._capture = capture

    def grab(self) -> bool:
        """See ``Source``."""
        if not super().grab():
            if not self._frames:
                return False
            self.open()
            if not super().grab():
                return False
        self._frames += 1
        now = time.monotonic()
        self._next = max(self._next + self._pause, now - 1.0)  # late frames are hurried through, within reason
        time.sleep(max(0.0, self._next - now))
        return True


class FolderSource:
    """A folder of pictures, each hung on a grey wall for a while, in the order of their names, again and again.

    Args:
        folder: with the pictures.
        settings: size of the frames, and how long each picture is shown.
    """

    live = False

    def __init__(self, folder: Path, settings: CameraSettings) -> None:
        self._folder, self._settings = folder, settings
        self.name = str(folder)
        self._waiting: list[Path] = []
        self._frame: NDArray[np.uint8] | None = None
        self._change = 0.0

    def open(self) -> None:
        """See ``Source``."""
        self._change = -np.inf
        self._turn(time.monotonic())

    def grab(self) -> bool:
        """See ``Source``."""
        time.sleep(1 / self._settings.rate)
        now = time.monotonic()
        if now >= self._change:
            try:
                self._turn(now)
            except DeviceError:
                return False
        return self._frame is not None

    def retrieve(self) -> NDArray[np.uint8] | None:
        """See ``Source``."""
        return self._frame

    def close(self) -> None:
        """See ``Source``."""
        self._frame = None

    def _turn(self, now: float) -> None:
        """Hangs the next picture that can be read."""
        for _ in range(2):  # the rest of this round, and one more
            if not self._waiting:
                self._waiting = self._files()
            while self._waiting:
                path = self._waiting.pop(0)
                try:
                    self._frame = hung(read_picture(path, _log.info), self._settings.width, self._settings.height)
                except PictureError as error:
                    _log.warning("%s", error)
                    continue
                self._change = now + self._settings.picture_seconds
                return
        self._frame = None
        raise DeviceError(f"the folder {self._folder} holds no picture that can be read: put JPEG or PNG files into it")

    def _files(self) -> list[Path]:
        try:
            return sorted(
                path for path in self._folder.iterdir() if path.suffix.lower() in ENDINGS and not is_hidden(path.name)
            )
        except OSError as error:
            raise DeviceError(f"the folder {self._folder} cannot be read: {error.strerror or error}") from error


def hung(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """A frame of a camera before which a picture hangs on a wall: RGB uint8 [height, width, 3]."""
    room = 1 - 2 * _MARGIN
    scale = min((width * room - 2 * _BORDER) / picture.shape[1], (height * room - 2 * _BORDER) / picture.shape[0])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    seen: Any = cv2.resize(picture, size, interpolation=kind)
    seen = cv2.copyMakeBorder(seen, _BORDER, _BORDER, _BORDER, _BORDER, cv2.BORDER_CONSTANT, value=(20, 20, 20))
    wall = np.full((height, width, 3), _WALL, np.uint8)
    top, left = (height - seen.shape[0]) // 2, (width - seen.shape[1]) // 2
    wall[top : top + seen.shape[0], left : left + seen.shape[1]] = seen
    return wall

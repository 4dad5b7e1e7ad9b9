"""Small processes for the tests of the supervisor: each does one thing that a real one may do."""

from __future__ import annotations

import os
import sys
import time

from a2m_edge.errors import DeviceError
from kiosk.links import CameraLinks
from kiosk.messages import CameraState


def work(_: object, links: CameraLinks) -> None:
    """Gets something done all the time, and says in which process."""
    links.outbox.put(CameraState(str(os.getpid()), ok=True, sentence="it works"))
    while not links.controls.stopping:
        links.progress.frames_captured.add()
        time.sleep(0.01)


def stand_still(_: object, links: CameraLinks) -> None:
    """Gets something done once, and never again."""
    links.progress.frames_captured.add()
    time.sleep(600)


def never_begin(_: object, links: CameraLinks) -> None:
    """Gets nothing done."""
    time.sleep(600)


def fail(_: object, links: CameraLinks) -> None:
    """Gets something done and fails by a mistake that quotes what somebody wrote."""
    links.progress.frames_captured.add()
    time.sleep(0.05)
    raise KeyError("my secret words")


def refuse(_: object, links: CameraLinks) -> None:
    """Cannot begin."""
    raise DeviceError("there is no such device: plug it in")


def chatter(_: object, links: CameraLinks) -> None:
    """Writes to standard output and says how it sees its signals."""
    print("printed", flush=True)
    sys.stdout.flush()
    work(_, links)

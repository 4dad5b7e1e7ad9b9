"""``a2m-edge kiosk`` with the default bundle and a real sound system, on the evening on which everything happens."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Origin

from tests.fixtures.exhibit.exhibit import RunningExhibit, longest_silence
from tests.fixtures.exhibit.sound_server import DEVICE, SoundServer

pytestmark = pytest.mark.realtime

RATE = 22050
GENEROUS = "[web]\ncomment_burst = 100000\nroom_burst = 100000\nroom_rate = 1000.0\n"
"""Every comment reaches the music process; otherwise nearly all of a flood would be turned away at the door."""


@pytest.fixture
def server() -> Iterator[SoundServer]:
    with SoundServer(RATE) as server:
        yield server


@pytest.fixture
def exhibit(server: SoundServer, tmp_path: Path) -> Iterator[RunningExhibit]:
    with RunningExhibit(tmp_path, audio=DEVICE, options=GENEROUS, environment=server.environment) as exhibit:
        assert exhibit.until(exhibit.healthy), exhibit.log
        assert exhibit.until(lambda: exhibit.metric('a2m_sounding{source="live"}') == 1), exhibit.log
        yield exhibit
        exhibit.end()
        assert "Traceback" not in exhibit.log


def trouble(exhibit: RunningExhibit) -> dict[str, float]:
    return {name: exhibit.metric(f"a2m_{name}_total") for name in ("underruns", "missing_samples", "bed_samples")}


@pytest.mark.slow
def test_a_crowd_costs_no_sample(exhibit):
    """For a minute: 200 listeners, 50 comments a second, and 20 clients that begin a request and never end it."""
    before, end = trouble(exhibit), time.monotonic() + 60.0
    missed: list[int] = []
    sent = [0]

    async def listen() -> None:
        address = f"127.0.0.1:{exhibit.port}"
        origin = Origin(f"http://{address}")
        async with connect(f"ws://{address}/sound", origin=origin, compression=None, proxy=None) as sound:
            lost, position = 0, None
            while time.monotonic() < end:
                piece = await sound.recv()
                assert isinstance(piece, bytes)
                first = int(struct.unpack("<d", piece[:8])[0])
                lost += 0 if position is None else first - position
                position = first + (len(piece) - 8) // 2
            missed.append(lost)

    async def everybody() -> None:
        await asyncio.gather(*(listen() for _ in range(200)))

    def write() -> None:
        begun = time.monotonic()
        while time.monotonic() < end:
            status, _ = exhibit.ask("/api/comment", {"comment": f"this sea is wide, said visitor {sent[0]}"})
            assert status in (202, 429)
            sent[0] += 1
            time.sleep(max(0.0, begun + sent[0] / 50 - time.monotonic()))

    dawdlers = [socket.create_connection(("127.0.0.1", exhibit.port)) for _ in range(20)]
    for dawdler in dawdlers:
        dawdler.sendall(b"POST /api/comment HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Le")
    crowd = [threading.Thread(target=write), threading.Thread(target=asyncio.run, args=(everybody(),))]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    for dawdler in dawdlers:
        dawdler.close()
    print(f"{sent[0]} comments, {exhibit.metric('a2m_comments_felt_total'):.0f} of them felt")
    assert trouble(exhibit) == before
    assert missed == [0] * 200
    assert sent[0] > 2000
    assert exhibit.until(exhibit.healthy)


@pytest.mark.slow
def test_whatever_is_killed_the_room_hears_on(exhibit, server):
    recorder = server.record()
    took = {}
    for part in ("engine", "camera", "web"):
        time.sleep(3.0)
        before = exhibit.parts()[part]
        killed = time.monotonic()
        os.kill(before, signal.SIGKILL)
        assert exhibit.until(lambda part=part, before=before: exhibit.parts().get(part, before) != before)
        assert exhibit.until(lambda: exhibit.healthy() and exhibit.metric('a2m_sounding{source="live"}') == 1)
        took[part] = time.monotonic() - killed
    time.sleep(2.0)
    samples = recorder.stop()[:, 0]
    loud = np.flatnonzero(np.abs(samples) > 1e-4)
    silence = longest_silence(samples[loud[0] : loud[-1]], RATE)
    print(f"healed after {took} s; longest silence {1000 * silence:.0f} ms in {len(samples) / RATE:.0f} s")
    assert silence <= 0.25
    assert max(took.values()) <= 5.0
    assert re.findall(r"the (\w+) process ended \(signal 9\)", exhibit.log) == ["engine", "camera", "web"]


@pytest.mark.slow
def test_the_sound_server_goes_and_comes_back(exhibit, server):
    server.stop()
    assert exhibit.until(lambda: not exhibit.healthy())
    time.sleep(5.0)
    server.start()
    back = time.monotonic()
    recorder = server.record()
    assert exhibit.until(lambda: np.abs(recorder.samples[-RATE // 10 :]).max(initial=0.0) > 1e-3), exhibit.log
    took = time.monotonic() - back
    assert exhibit.until(exhibit.healthy)
    recorder.stop()
    print(f"heard again {took:.1f} s after the sound server was back")
    assert took <= 5.0
    assert "speaker process ended" not in exhibit.log

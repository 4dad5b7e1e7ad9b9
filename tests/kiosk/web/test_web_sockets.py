"""What pages hear and see live, and what happens to those who are slow, silent or rude."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from a2m_edge.sound.format import FORMATS
from a2m_edge.sound.mel import log_mel
from kiosk.shared.ring import AudioRing
from kiosk.shared.settings import WebSettings
from kiosk.web.access.hosts import visitors_origin
from kiosk.web.exhibit.listening import MEL_CEILING, MEL_FLOOR, Listening, MelColumns
from tests.fixtures.exhibit.pages import ABROAD, Pages, served

AUDIO = FORMATS["22k-mono"]


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    """An exhibit on this computer alone."""
    yield from served(WebSettings(port=0))


def sound_of(message: str | bytes) -> tuple[int, np.ndarray]:
    assert isinstance(message, bytes)
    return int(struct.unpack("<d", message[:8])[0]), np.frombuffer(message, "<i2", offset=8)


def columns_of(message: str | bytes) -> tuple[int, np.ndarray]:
    assert isinstance(message, bytes)
    return int(struct.unpack("<d", message[:8])[0]), np.frombuffer(message, np.uint8, offset=8).reshape(-1, 80)


def scaled(mel: np.ndarray) -> np.ndarray:
    return np.rint(np.clip((mel - MEL_FLOOR) / (MEL_CEILING - MEL_FLOOR), 0, 1) * 255)


def hub_counts(pages: Pages) -> dict[str, int]:
    text = pages.ask("GET", "/metrics").text
    return {
        line.split()[0].removeprefix("a2m_"): int(line.split()[1])
        for line in text.splitlines()
        if line.startswith(("a2m_watchers ", "a2m_listeners ", "a2m_dropped_pieces_total "))
    }


# --- what comes ---


def test_news_come_at_once_and_with_every_change(pages):
    with pages.socket("/live") as live:
        first = json.loads(live.recv(timeout=5))
        assert first["felt"]["word"] == "contentment"
        assert first["artwork"] == 1
        heard = pages.ask("POST", "/api/comment", json={"comment": "what joy"}).json()
        while True:
            message = live.recv(timeout=5)
            if isinstance(message, str) and json.loads(message)["felt"]["cause"] == "comment":
                break
        felt = json.loads(message)["felt"]
        assert felt["received"] == heard["received"]
        assert (felt["word"], felt["valence"], felt["arousal"]) == ("excitement", 0.8, 0.7)
        assert felt["instruments"] == ["cello", "harp"]


def test_a_quiet_exhibit_still_speaks(pages):
    with pages.socket("/live") as live:
        texts = 0
        while texts < 2:
            texts += 1 if isinstance(live.recv(timeout=5), str) else 0


def test_the_sound_is_that_of_the_ring_without_a_gap(pages):
    pieces: list[tuple[int, np.ndarray]] = []
    with pages.socket("/sound") as listening:
        while sum(len(samples) for _, samples in pieces) < 22050:
            pieces.append(sound_of(listening.recv(timeout=5)))
    for (begin, samples), (following, _) in itertools.pairwise(pieces):
        assert following == begin + len(samples)
    begin, received = pieces[0][0], np.concatenate([samples for _, samples in pieces])
    heard = pages.exhibit.ring.latest(begin, len(received))
    assert heard.lost == 0
    assert np.array_equal(received, np.rint(heard.samples[:, 0] * 32767))


def test_the_columns_are_those_of_the_sound_that_was_played(pages):
    pieces: list[tuple[int, np.ndarray]] = []
    with pages.socket("/live") as live:
        while sum(len(columns) for _, columns in pieces) < 60:
            message = live.recv(timeout=5)
            if isinstance(message, bytes):
                pieces.append(columns_of(message))
    first, columns = pieces[0][0], np.concatenate([each for _, each in pieces])
    begin = (first - 4) * AUDIO.hop
    count = (len(columns) + 8) * AUDIO.hop
    while pages.exhibit.ring.written < begin + count:
        time.sleep(0.02)
    heard = pages.exhibit.ring.latest(begin, count)
    whole = scaled(log_mel(heard.samples, AUDIO))[:, 4:-4].T
    assert np.abs(columns - whole).max() <= 1  # a rounding that tips over


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=12), st.integers(0, 10_000), st.integers(0, 2**32 - 1))
def test_columns_of_a_stream_do_not_depend_on_its_pieces(sizes, begin, seed):
    stream = np.random.default_rng(seed).standard_normal((sum(sizes), 1)).astype(np.float32) * 0.2
    columns = MelColumns(AUDIO)
    columns.jump(begin)
    made = [columns.add(piece) for piece in np.split(stream, np.cumsum(sizes)[:-1])]
    numbers = [first + index for first, each in made for index in range(len(each))]
    skipped = -begin % AUDIO.hop
    whole = scaled(log_mel(stream[skipped:], AUDIO)).T
    first = (begin + skipped) // AUDIO.hop
    assert numbers == list(range(first + 2, first + max(2, len(whole) - 2)))
    if numbers:
        assert np.abs(np.concatenate([each for _, each in made]) - whole[2:-2]).max() <= 1


def test_a_listener_that_was_held_up_goes_on_from_what_is_there():
    with AudioRing.create(4096, 1, broadcast=True) as ring:
        listening = Listening(AUDIO)
        listening.follow(ring.name)
        ring.write(np.zeros((1000, 1), np.float32))
        assert sound_of(listening.next_piece().sound)[0] == 0
        ring.write(np.full((20_000, 1), 0.5, np.float32))
        begin, samples = sound_of(listening.next_piece().sound)
        assert begin > 1000 + 20_000 - 4096 - 1
        assert set(samples.tolist()) == {round(0.5 * 32767)}
        listening.close()


def test_sound_beyond_full_scale_and_no_numbers_harm_nobody():
    with AudioRing.create(8192, 2, broadcast=True) as ring:
        listening = Listening(replace(AUDIO, channels=2))
        listening.follow(ring.name)
        ring.write(np.array([2.0, -3.0, np.nan, np.inf, -np.inf, 0.5] * 1000, np.float32).reshape(-1, 2))
        piece = listening.next_piece()
        assert sound_of(piece.sound)[1][:3].tolist() == [32767, -32767, 0]
        assert len(columns_of(piece.columns)[1]) == 7
        listening.close()


# --- who is rude, slow or silent ---


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["/live", "/sound"]), st.one_of(st.text(max_size=900), st.binary(max_size=1024)))
def test_a_page_that_speaks_is_shown_out(pages, path, message):
    with pages.socket(path) as socket_:
        try:
            socket_.send(message)
        except UnicodeEncodeError:
            return
        assert closed_with(socket_) == 1008


def test_a_message_that_is_too_long_is_not_read(pages):
    with pages.socket("/live") as live:
        live.send(b"x" * 1025)
        assert closed_with(live) == 1009


def closed_with(socket_) -> int:
    while True:
        try:
            socket_.recv(timeout=5)
        except ConnectionClosed as closed:
            assert closed.rcvd is not None
            return closed.rcvd.code


HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def upgraded(pages: Pages, path: str) -> socket.socket:
    raw = pages.raw()
    raw.sendall(HANDSHAKE.format(path=path, host=pages.host).encode())
    assert b" 101 " in raw.recv(64)
    return raw


def ended(raw: socket.socket) -> bool:
    """Whether the other side ends the connection, within the socket's timeout between two messages."""
    try:
        while raw.recv(65536):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_on_a_socket_leave_the_server_well(pages, noise):
    with upgraded(pages, "/live") as raw:
        raw.sendall(noise)
        raw.shutdown(socket.SHUT_WR)
        assert ended(raw)
    assert pages.ask("GET", "/healthz").status_code == 200


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_instead_of_a_request_leave_the_server_well(pages, noise):
    with pages.raw() as raw:
        raw.sendall(noise)
        raw.shutdown(socket.SHUT_WR)
        assert ended(raw)
    assert pages.ask("GET", "/healthz").status_code == 200


@pytest.mark.parametrize(
    "begun",
    [
        "",
        "G",
        "GET / HTTP/1.1\r\nHost: {host}\r\n",
        "POST /api/comment HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nContent-Length: 100\r\n\r\n{{",
    ],
)
def test_a_request_that_does_not_go_on_is_cut(pages, begun, monkeypatch):
    monkeypatch.setattr("kiosk.web.connections.REQUEST_SECONDS", 0.3)
    with pages.raw() as raw:
        raw.sendall(begun.format(host=pages.host).encode())
        assert ended(raw)


def test_a_request_that_drips_is_cut(pages, monkeypatch):
    monkeypatch.setattr("kiosk.web.connections.REQUEST_SECONDS", 0.5)
    with pages.raw() as raw:
        raw.settimeout(0.1)
        for _ in range(100):
            try:
                raw.sendall(b"X")
                raw.recv(1)
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                return
            break
        assert ended(raw)


def test_a_listener_that_does_not_read_loses_sound_is_cut_and_disturbs_nobody(monkeypatch):
    monkeypatch.setattr("kiosk.web.server._UNSENT_SECONDS", 3)
    monkeypatch.setattr("kiosk.web.server._UNSENT_BYTES", 4096)
    monkeypatch.setattr("kiosk.web.exhibit.hub._PIECES", 8)
    for pages in served(WebSettings(port=0)):
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", pages.server.port))
            deaf.sendall(HANDSHAKE.format(path="/sound", host=pages.host).encode())
            pieces = []
            with pages.socket("/sound") as listening:
                end = time.monotonic() + 20
                while hub_counts(pages)["dropped_pieces_total"] < 3 and time.monotonic() < end:
                    pieces += [sound_of(listening.recv(timeout=5)) for _ in range(10)]
                assert hub_counts(pages)["dropped_pieces_total"] >= 3
                while hub_counts(pages)["listeners"] > 1 and time.monotonic() < end:
                    pieces += [sound_of(listening.recv(timeout=5)) for _ in range(10)]
                assert hub_counts(pages)["listeners"] == 1
            for (begin, samples), (following, _) in itertools.pairwise(pieces):
                assert following == begin + len(samples)


def test_too_many_are_asked_to_come_later():
    for pages in served(WebSettings(port=0, listeners=1)):
        with contextlib.ExitStack() as there:
            for _ in range(9):  # eight places are the own screen's
                sound_of(there.enter_context(pages.socket("/sound")).recv(timeout=5))
            with pages.socket("/sound") as late:
                assert closed_with(late) == 1013
        with pages.socket("/sound") as next_one:
            sound_of(next_one.recv(timeout=5))


def test_one_address_cannot_take_all_connections(monkeypatch):
    monkeypatch.setattr("kiosk.web.connections.MOST_OF_ONE_ADDRESS", 5)
    own = visitors_origin(WebSettings(host="0.0.0.0"), "http", 1)  # noqa: S104
    if own is None:
        pytest.skip("this computer has no address but 127.0.0.1")
    for pages in served(ABROAD):
        address = (own.removeprefix("http://").rsplit(":", 1)[0], pages.server.port)
        taken = [socket.create_connection(address, timeout=5) for _ in range(5)]
        with socket.create_connection(address, timeout=5) as one_more:
            assert ended(one_more)
        assert pages.ask("GET", "/healthz").status_code == 200  # the own screen always gets one
        for each in taken:
            each.close()


# --- many ---


def listen_together(pages: Pages, count: int, seconds: float) -> tuple[list[int], list[float]]:
    """Opens that many listeners: samples that each one missed, and seconds that requests took meanwhile."""
    missed: list[int] = []

    async def listen(begin: asyncio.Event) -> None:
        async with connect_async(
            f"ws://{pages.host}/sound", origin=Origin(pages.origin), compression=None, proxy=None
        ) as sound:
            await begin.wait()
            end, lost, position = time.monotonic() + seconds, 0, None
            while time.monotonic() < end:
                first, samples = sound_of(await sound.recv())
                lost += 0 if position is None else first - position
                position = first + len(samples)
            missed.append(lost)

    async def all_together() -> None:
        begin = asyncio.Event()
        tasks = [asyncio.create_task(listen(begin)) for _ in range(count)]
        while hub_counts(pages)["listeners"] < count and not any(task.done() for task in tasks):
            await asyncio.sleep(0.05)
        begin.set()
        await asyncio.gather(*tasks)

    crowd = threading.Thread(target=asyncio.run, args=(all_together(),))
    crowd.start()
    took = []
    while crowd.is_alive():
        begun = time.monotonic()
        assert pages.ask("GET", "/api/visit").status_code == 200
        took.append(time.monotonic() - begun)
        time.sleep(0.1)
    crowd.join()
    return missed, took


def test_a_room_full_of_listeners_hears_every_sample(pages):
    missed, _ = listen_together(pages, 40, 2.0)
    assert missed == [0] * 40


@pytest.mark.slow
def test_two_hundred_listeners_hear_every_sample(pages):
    missed, took = listen_together(pages, 200, 30.0)
    middle, most = 1000 * np.quantile(took, (0.5, 0.99))
    print(f"answers meanwhile: median {middle:.0f} ms, 99 % within {most:.0f} ms")
    assert missed == [0] * 200

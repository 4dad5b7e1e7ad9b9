"""The pages' server: what visitors, staff and monitors get from it."""

from __future__ import annotations

import dataclasses
import json
import logging
import re
import time
from collections.abc import Iterator

import httpx
import pytest

from a2m_edge.errors import DeviceError
from kiosk.shared.messages import PartState, Steer
from kiosk.shared.settings import WebSettings
from kiosk.web.app import create_app
from kiosk.web.routes.languages import LANGUAGES
from kiosk.web.server import Server
from tests.fixtures.exhibit.pages import PIN, PIN_HASH, TOKEN, Pages, served
from tests.fixtures.exhibit.small_exhibit import DARK, felt


@pytest.fixture
def pages() -> Iterator[Pages]:
    """An exhibit on this computer alone."""
    yield from served(WebSettings(port=0, pin_hash=PIN_HASH))


def test_the_exhibit_s_own_screen_sees_everything(pages):
    visit = pages.ask("GET", "/api/visit").json()
    assert visit == {
        "language": "en",
        "screen_languages": [],
        "screen_seconds": 20.0,
        "comment_language": "en",
        "longest_comment": 280,
        "longest_speech": 0,
        "own_screen": True,
        "joinable": False,
        "sample_rate": 22050,
        "channels": 1,
        "hop": 256,
        "bands": 80,
    }
    picture = pages.ask("GET", "/api/artwork.jpg")
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.content.startswith(b"\xff\xd8")
    for page in ("/", "/staff", "/calibrate"):
        assert pages.ask("GET", page).headers["content-type"] == "text/html; charset=utf-8"


def test_it_says_why_in_every_language(pages):
    assert pages.ask("GET", "/api/why/en").json() == {"sentences": []}
    pages.exhibit.felt = felt("fear", -0.9, 0.7, why=(DARK,))
    answers = {language: pages.ask("GET", f"/api/why/{language}").json()["sentences"] for language in LANGUAGES}
    assert answers["en"] == ["Dark shades: lower notes."]
    assert answers["de"] == ["Dunkle Farbtöne: tiefere Töne."]
    assert len({sentences[0] for sentences in answers.values()}) == len(LANGUAGES)
    for unknown in ("xx", "..", "en.json", "EN"):
        assert pages.ask("GET", f"/api/why/{unknown}").status_code == 404


def test_everything_that_can_be_read_can_be_asked_for_its_head(pages):
    described = create_app(pages.exhibit, WebSettings()).openapi()["paths"]
    read = [path for path, methods in described.items() if "get" in methods]
    assert {"/healthz", "/metrics", "/api/visit", "/api/artwork.jpg", "/api/staff/state"} <= set(read)
    pages_and_files = ["/", "/staff", "/calibrate", "/static/js/visitors.js", "/static/texts/en.json", "/nothing"]
    for path in read + pages_and_files:
        whole = pages.ask("GET", path)
        with pages.raw() as raw:
            raw.sendall(f"HEAD {path} HTTP/1.1\r\nHost: {pages.host}\r\nConnection: close\r\n\r\n".encode())
            head, _, body = raw.makefile("rb").read().partition(b"\r\n\r\n")
        assert body == b"", path
        assert head.startswith(f"HTTP/1.1 {whole.status_code} ".encode()), path
        assert f"content-type: {whole.headers['content-type']}".encode() in head
        assert b"content-security-policy" in head
    assert pages.ask("HEAD", "/healthz").status_code == 200
    assert pages.ask("HEAD", "/api/comment").status_code == 405  # what is sent alone cannot be read


def test_a_comment_is_heard(pages):
    answer = pages.ask("POST", "/api/comment", json={"comment": "I want to dance"})
    assert answer.status_code == 202
    assert answer.json() == {"received": pages.exhibit.felt.received}
    assert pages.exhibit.felt.word == "excitement"


def test_the_longest_comment_in_the_longest_writing_is_heard(pages):
    two = "👩🏽\u200d❤\ufe0f\u200d💋\u200d👨🏿"
    body = json.dumps({"comment": two * 280}, ensure_ascii=True)
    assert len(body) > 23_000
    answer = pages.ask("POST", "/api/comment", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"comment": "   "}, 400, "comment"),
        ({"comment": "\u202e"}, 400, "comment"),
        ({"comment": "x" * 281}, 400, "too-long"),
        ({"comment": "xx" + "\u0301" * 2800}, 400, "piled"),
        ({"comment": ""}, 422, "form"),
        ({"comment": 7}, 422, "form"),
        ({"comment": "quartz", "more": 1}, 422, "form"),
        (["quartz"], 422, "form"),
    ],
)
def test_a_refusal_quotes_nothing(pages, body, status, error):
    answer = pages.ask("POST", "/api/comment", json=body)
    assert answer.status_code == status
    assert answer.json()["error"] == error
    assert set(answer.json()) == {"error", "sentence"}
    assert "quartz" not in answer.text
    assert "xx" not in answer.text


def test_a_visitor_who_writes_too_often_is_told_when_to_come_again(pages):
    statuses = [pages.ask("POST", "/api/comment", json={"comment": "joy"}).status_code for _ in range(4)]
    assert statuses == [202, 202, 202, 429]
    answer = pages.ask("POST", "/api/comment", json={"comment": "joy"})
    assert 1 <= int(answer.headers["retry-after"]) <= 11


def test_an_exhibit_that_rests_says_so(pages):
    pages.exhibit.control(Steer(paused=True))
    assert pages.ask("POST", "/api/comment", json={"comment": "joy"}).json()["error"] == "resting"


def test_words_reach_neither_log_nor_metrics_nor_health(pages, caplog, capfd):
    logging.getLogger().setLevel(logging.DEBUG)
    with caplog.at_level(logging.DEBUG):
        for body in (
            '{"comment": "chrysoprase"}',
            '{"comment": "chrysoprase',
            '{"comment": "chrysoprase\\ud800"}',
            "chrysoprase",
        ):
            pages.ask("POST", "/api/comment", content=body, headers={"Content-Type": "application/json"})
        pages.ask("GET", "/api/visit?comment=chrysoprase")
        seen = pages.ask("GET", "/metrics").text + pages.ask("GET", "/healthz").text
    assert pages.exhibit.heard == 1
    logged = [str(vars(record)) for record in caplog.records if not record.name.startswith("http")]  # our own client's
    everything = seen + "".join(logged) + "".join(capfd.readouterr())
    assert "chrysoprase" not in everything


def test_a_mistake_in_the_exhibit_is_no_trace_on_the_page_and_the_words_are_not_logged(pages, caplog):
    def broken(text: str, visitor: str) -> float:
        raise KeyError(text)

    pages.exhibit.hear = broken
    answer = pages.ask("POST", "/api/comment", json={"comment": "chrysoprase"})
    assert (answer.status_code, answer.json()["error"]) == (500, "failed")
    assert "content-security-policy" in answer.headers
    assert "KeyError" not in answer.text
    assert "a request to the page failed" in [record.message for record in caplog.records]
    assert not [record for record in caplog.records if "chrysoprase" in record.getMessage()]


# --- the staff ---


def sign_in(pages: Pages) -> None:
    assert pages.ask("POST", "/api/staff/session", json={"pin": PIN}).status_code == 204


def test_the_staff_page_is_closed_without_the_pin(pages):
    for method, path in (
        ("GET", "state"),
        ("GET", "view.jpg"),
        ("PUT", "controls"),
        ("PUT", "region"),
        ("POST", "restart"),
    ):
        answer = pages.ask(method, f"/api/staff/{path}", json={})
        assert (answer.status_code, answer.json()["error"]) == (401, "signed-out")
    assert pages.ask("POST", "/api/staff/session", json={"pin": "271829"}).json()["error"] == "pin"


def test_pins_are_not_to_be_guessed(pages):
    statuses = [pages.ask("POST", "/api/staff/session", json={"pin": str(n)}).status_code for n in range(7)]
    assert statuses == [403] * 5 + [429] * 2
    answer = pages.ask("POST", "/api/staff/session", json={"pin": PIN})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1


def test_without_a_pin_there_is_no_staff_page():
    for pages in served(WebSettings(port=0)):
        assert pages.ask("POST", "/api/staff/session", json={"pin": ""}).status_code == 422
        assert pages.ask("POST", "/api/staff/session", json={"pin": "None"}).json()["error"] == "no-pin"


def test_the_staff_sets_and_sees(pages):
    answer = pages.ask("POST", "/api/staff/session", json={"pin": PIN})
    assert {"httponly", "samesite=strict", "path=/api/staff"} <= {
        each.strip().lower() for each in answer.headers["set-cookie"].split(";")
    }
    assert pages.ask("PUT", "/api/staff/controls", json={"volume": 0.25, "muted": True}).status_code == 204
    assert pages.ask("PUT", "/api/staff/controls", json={"held": True, "paused": True}).status_code == 204
    state = pages.ask("GET", "/api/staff/state").json()
    assert state["little_to_see"] is False
    pages.exhibit.felt = dataclasses.replace(pages.exhibit.felt, little=True)
    assert pages.ask("GET", "/api/staff/state").json()["little_to_see"] is True
    assert state["controls"] == {"volume": 0.25, "muted": True, "paused": True, "held": True}
    assert [part["name"] for part in state["parts"]] == ["speaker", "engine", "camera"]
    assert state["view"] == {"outline": [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]], "sentence": "still"}
    assert state["timings"]["text"] == 12.5
    assert pages.ask("GET", "/api/staff/view.jpg").content.startswith(b"\xff\xd8")
    assert pages.ask("POST", "/api/staff/restart", json={"part": "engine"}).status_code == 202
    assert pages.exhibit.restarted == ["engine"]


@pytest.mark.parametrize(
    "wrong",
    [{"volume": 1.1}, {"volume": False}, {"volume": "loud"}, {"muted": 1}, {"muted": "yes"}, {"other": True}, []],
)
def test_the_staff_cannot_set_nonsense(pages, wrong):
    sign_in(pages)
    assert pages.ask("PUT", "/api/staff/controls", json=wrong).status_code == 422
    assert pages.ask("PUT", "/api/staff/controls", content='{"volume": NaN}').status_code == 422
    assert pages.exhibit.controls.volume == 1.0


def test_the_region_is_stored_and_forgotten(pages):
    sign_in(pages)
    corners = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]
    assert pages.ask("PUT", "/api/staff/region", json={"corners": corners}).status_code == 204
    assert pages.ask("GET", "/api/staff/state").json()["region"] == corners
    crossed = [corners[0], corners[2], corners[1], corners[3]]
    assert pages.ask("PUT", "/api/staff/region", json={"corners": crossed}).json()["error"] == "region"
    assert pages.ask("PUT", "/api/staff/region", json={"corners": None}).status_code == 204
    assert pages.exhibit.region is None


def test_signing_out_ends_the_session(pages):
    sign_in(pages)
    kept = "; ".join(f"{name}={value}" for name, value in pages.client.cookies.items())
    assert pages.ask("GET", "/api/staff/state").status_code == 200
    assert pages.ask("DELETE", "/api/staff/session").status_code == 204
    assert pages.ask("GET", "/api/staff/state").status_code == 401
    assert pages.ask("GET", "/api/staff/state", headers={"Cookie": kept}).status_code == 401


# --- numbers ---

LINE = re.compile(r'a2m_[a-z_]+(\{[a-z]+="[a-z0-9 _]+"\})? -?[0-9.e+-]+')


def test_metrics_are_in_prometheus_format(pages):
    answer = pages.ask("GET", "/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    declared = [line.split()[2] for line in lines if line.startswith("# TYPE ")]
    assert len(declared) == len(set(declared))
    values = [line for line in lines if not line.startswith("#")]
    assert all(LINE.fullmatch(line) for line in values)
    assert {re.split(r"[{ ]", line)[0] for line in values} == set(declared)
    assert 'a2m_part_ok{part="engine"} 1' in values
    assert 'a2m_stage_milliseconds{stage="text"} 12.5' in values
    assert answer.text.endswith("\n")


def test_health_says_when_something_needs_care(pages):
    assert pages.ask("GET", "/healthz").status_code == 200
    pages.exhibit.parts = (PartState("engine", "", False, "it is being replaced"),)
    answer = pages.ask("GET", "/healthz")
    assert (answer.status_code, answer.json()) == (503, {"healthy": False})


# --- the server itself ---


def test_a_port_that_is_taken_is_named(pages):
    settings = WebSettings(port=pages.server.port)
    with pytest.raises(DeviceError, match=f"port {pages.server.port}"):
        Server(create_app(pages.exhibit, settings), settings)


def test_a_host_in_the_network_leaves_the_own_screen_its_address():
    # 192.0.2.77 (RFC 5737) is no address of this computer: its network may come up later.
    for pages in served(WebSettings(host="192.0.2.77", port=0, token=TOKEN)):
        assert pages.ask("GET", "/api/visit").json()["own_screen"] is True


def test_the_server_beats_and_stops(pages):
    first = pages.server.beat
    end = time.monotonic() + 5
    while pages.server.beat == first and time.monotonic() < end:
        time.sleep(0.02)
    assert pages.server.beat > first
    with pages.socket("/live") as live:
        live.recv(timeout=5)
        pages.server.stop()
        assert not pages.server.alive
    with pytest.raises(httpx.TransportError):
        pages.ask("GET", "/")

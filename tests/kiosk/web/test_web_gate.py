"""Who may see the pages, and how they are protected."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus

import kiosk.web
from a2m_edge.errors import OptionError
from kiosk.shared.settings import WebSettings
from kiosk.web.app import create_app
from kiosk.web.server import Server
from tests.fixtures.exhibit.pages import ABROAD, NAME, TOKEN, Pages, served
from tests.fixtures.exhibit.small_exhibit import SmallExhibit

STATIC = Path(kiosk.web.__file__).parent / "static"


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    """An exhibit on this computer alone."""
    yield from served(WebSettings(port=0))


@pytest.fixture(scope="module")
def abroad() -> Iterator[Pages]:
    """An exhibit in the network, asked for as a phone does it."""
    yield from served(ABROAD, NAME)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{port}", "[::1]x", ""]
)
def test_a_foreign_host_is_refused(pages, host):
    host = host.format(port=pages.server.port)
    answer = pages.ask("GET", "/", headers={"Host": host})
    assert answer.status_code in (400, 421)
    if re.fullmatch(r"[a-z0-9.:]+", host):
        with pytest.raises(InvalidStatus) as refused, pages.socket("/live", host=host):
            pass
        assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "https://{host}", "http://{host}.evil.example"]
)
@pytest.mark.parametrize("path", ["/live", "/sound"])
def test_a_socket_from_another_page_is_refused_before_it_opens(pages, path, origin):
    given = None if origin is None else origin.format(host=pages.host)
    with pytest.raises(InvalidStatus) as refused, pages.socket(path, origin=given):
        pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example"])
def test_another_page_can_send_nothing(pages, origin):
    headers = {} if origin is None else {"Origin": origin}
    answer = httpx.post(f"{pages.origin}/api/comment", json={"comment": "joy"}, headers=headers)
    assert answer.status_code == 403
    assert pages.exhibit.heard == 0
    assert "access-control-allow-origin" not in answer.headers
    preflight = httpx.options(f"{pages.origin}/api/comment", headers={"Origin": "http://evil.example"})
    assert preflight.status_code == 405
    assert not [name for name in preflight.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "path", ["/", "/staff", "/api/visit", "/static/js/visitors.js", "/nothing", "/api/staff/state", "/metrics"]
)
def test_every_answer_is_protected(pages, path):
    headers = pages.ask("GET", path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers
    assert headers["cache-control"] in ("no-store", "no-cache")


def test_pages_hold_nothing_inline_and_ask_nobody_else():
    static = STATIC
    for page in static.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text), page
    for file in (each for each in static.rglob("*.*") if each.parent.name != "fonts"):
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        text = re.sub(r'url\(#glow\)|url\("\.\./fonts/[a-z-]+\.woff2"\)', "", text)
        assert not re.search(r"https?://|//cdn|@import|url\(", text), file


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/js/%00", "/static/js"]
)
def test_only_the_static_files_are_served(pages, path):
    with pages.raw() as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: {pages.host}\r\nConnection: close\r\n\r\n".encode())
        assert b" 404 " in raw.recv(100)


def test_bodies_are_limited(pages):
    large = json.dumps({"comment": "x" * 50_000})
    assert pages.ask("POST", "/api/comment", content=large).status_code == 413
    chunks = (b"x" * 1000 for _ in range(50))
    assert pages.ask("POST", "/api/comment", content=chunks).status_code == 413
    assert pages.ask("GET", "/api/visit").status_code == 200


def test_the_network_needs_a_token():
    settings = WebSettings(host="0.0.0.0", port=0)  # noqa: S104
    exhibit = SmallExhibit(settings)
    try:
        with pytest.raises(OptionError, match="pairing token"):
            Server(create_app(exhibit, settings), settings)
    finally:
        exhibit.close()


def test_nothing_is_shown_to_who_did_not_scan_the_code(abroad):
    for path in ("/api/visit", "/api/artwork.jpg", "/api/join.svg", "/api/staff/state"):
        assert abroad.ask("GET", path).json()["error"] == "unpaired"
    assert abroad.ask("POST", "/api/comment", json={"comment": "joy"}).status_code == 401
    for path in ("/live", "/sound"):
        with pytest.raises(InvalidStatus), abroad.socket(path):
            pass
    assert abroad.ask("GET", "/").status_code == 200  # an empty page, which says what to do
    assert abroad.exhibit.heard == 0


def test_the_code_beside_the_artwork_lets_in(abroad):
    assert abroad.ask("POST", "/api/pair", json={"token": "another token, as long"}).status_code == 403
    answer = abroad.ask("POST", "/api/pair", json={"token": TOKEN})
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie
    abroad.client.cookies.clear()
    cookies = {"Cookie": answer.headers["set-cookie"].split(";")[0]}
    visit = abroad.ask("GET", "/api/visit", headers=cookies).json()
    assert visit["own_screen"] is False
    assert visit["joinable"] is True
    assert abroad.ask("GET", "/api/join.svg", headers=cookies).headers["content-type"] == "image/svg+xml"
    with abroad.socket("/live", **cookies) as live:
        assert json.loads(live.recv(timeout=5))["felt"]["word"] == "contentment"


def test_a_phone_cannot_say_that_it_is_the_exhibit_s_own_screen(abroad):
    forged = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "127.0.0.1", "Forwarded": "for=127.0.0.1"}
    assert abroad.ask("GET", "/api/visit", headers=forged).status_code == 401
    assert abroad.ask("GET", "/api/visit", headers={"Cookie": "a2m_visitor=1"}).status_code == 401


def test_the_address_that_was_reached_is_a_name_of_ours(abroad):
    own = {"Host": f"127.0.0.1:{abroad.server.port}"}
    assert abroad.ask("GET", "/api/visit", headers=own).json()["own_screen"] is True
    # 127.0.0.2 is another address of this computer, but not the one that was reached
    assert abroad.ask("GET", "/api/visit", headers={"Host": f"127.0.0.2:{abroad.server.port}"}).status_code == 421


def test_another_token_ends_all_pairings():
    cookie = ""
    for token, status in ((TOKEN, 200), (TOKEN, 200), ("a new token of the day", 401)):
        for fresh in served(dataclasses.replace(ABROAD, token=token), NAME):
            if not cookie:
                cookie = fresh.ask("POST", "/api/pair", json={"token": TOKEN}).headers["set-cookie"].split(";")[0]
                fresh.client.cookies.clear()
            assert fresh.ask("GET", "/api/visit", headers={"Cookie": cookie}).status_code == status

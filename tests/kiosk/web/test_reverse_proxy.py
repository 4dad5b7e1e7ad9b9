"""The pages behind a reverse proxy that shows them under a path, which it takes off or passes on."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from kiosk.shared.settings import WebSettings
from kiosk.web.access.pairing import Pairing
from tests.fixtures.exhibit.browser import Visitor, visiting
from tests.fixtures.exhibit.pages import NAME, PIN, PIN_HASH, TOKEN, Pages, served
from tests.fixtures.exhibit.reverse_proxy import ReverseProxy

PREFIX = "/art/room-1"


class Shown:
    """An exhibit, and the proxy through which it is shown."""

    def __init__(self, pages: Pages, proxy: ReverseProxy) -> None:
        self.pages, self.proxy = pages, proxy
        self.host = f"{NAME}:{proxy.port}"
        self.origin = f"http://{self.host}"

    def ask(self, method: str, path: str, **more) -> httpx.Response:
        """Sends a request by the proxy."""
        headers = {"Host": self.host, "Origin": self.origin} | more.pop("headers", {})
        return httpx.request(method, f"http://127.0.0.1:{self.proxy.port}{path}", headers=headers, **more)

    def socket(self, path: str, origin: str, cookie: str) -> ClientConnection:
        """Opens a WebSocket by the proxy."""
        return connect(
            f"ws://{self.host}{path}",
            sock=socket.create_connection(("127.0.0.1", self.proxy.port), timeout=10),
            origin=Origin(origin),
            additional_headers={"Cookie": cookie},
            proxy=None,
        )

    def visit(self, browser: Browser, path: str) -> Visitor:
        """Opens a page in a browser by the proxy."""
        self.pages.origin = self.origin
        return Visitor(browser, self.pages, path)


@pytest.fixture(params=[True, False], ids=["path taken off", "path passed on"])
def shown(request) -> Iterator[Shown]:
    """Behind either kind of proxy."""
    with ReverseProxy(PREFIX, request.param) as proxy:
        names = (f"http://{NAME}:{proxy.port}",)
        for pages in served(WebSettings(port=0, token=TOKEN, pin_hash=PIN_HASH, names=names, prefix=PREFIX)):
            proxy.upstream = pages.server.port
            yield Shown(pages, proxy)


def paired(shown: Shown) -> dict[str, str]:
    answer = shown.ask("POST", f"{PREFIX}/api/pair", json={"token": TOKEN})
    assert answer.status_code == 204
    assert f"Path={PREFIX};" in answer.headers["set-cookie"]
    return {"Cookie": answer.headers["set-cookie"].split(";")[0]}


def test_everything_is_found_under_the_path(shown):
    for path in ("", "/", "/staff", "/calibrate"):
        page = shown.ask("GET", PREFIX + path)
        assert page.status_code == 200
        assert f'data-prefix="{PREFIX}"' in page.text
        assert f'href="{PREFIX}/static/css/base.css"' in page.text
        assert 'href="/' not in page.text.replace(f'href="{PREFIX}/', "")
        assert 'src="/' not in page.text.replace(f'src="{PREFIX}/', "")
        assert f"ws://{NAME}:{shown.proxy.port}" in page.headers["content-security-policy"]
    for path in ("/static/js/visitors.js", "/healthz", "/metrics"):
        assert shown.ask("GET", PREFIX + path).status_code == 200
        assert shown.ask("HEAD", PREFIX + path).status_code == 200
    assert shown.ask("GET", f"{PREFIX}/api/visit").status_code == 401
    assert shown.ask("GET", f"{PREFIX}/api/visit", headers=paired(shown)).json()["own_screen"] is False


def test_a_proxy_on_this_computer_is_not_the_exhibit_s_own_screen(shown):
    assert shown.pages.ask("GET", "/api/visit").json()["own_screen"] is True  # the screen itself asks directly
    for header in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"):  # a proxy that does not pass the Host on
        assert shown.pages.ask("GET", "/api/visit", headers={header: "192.0.2.7"}).status_code == 401


def test_visitors_behind_the_proxy_are_told_apart(shown):
    cookie = paired(shown)
    statuses = {}
    for visitor in ("192.0.2.7", "192.0.2.8"):
        shown.proxy.visitor = visitor
        answers = [
            shown.ask("POST", f"{PREFIX}/api/comment", json={"comment": "joy"}, headers=cookie) for _ in range(4)
        ]
        statuses[visitor] = [answer.status_code for answer in answers]
    assert list(statuses.values()) == 2 * [[202, 202, 202, 429]]
    # What a visitor says of itself comes before what the proxy says, and does not count.
    forged = {**cookie, "X-Forwarded-For": "198.51.100.1"}
    assert shown.ask("POST", f"{PREFIX}/api/comment", json={"comment": "joy"}, headers=forged).status_code == 429


def test_sockets_open_and_those_of_other_pages_are_refused(shown):
    cookie = paired(shown)["Cookie"]
    with shown.socket(f"{PREFIX}/live", shown.origin, cookie) as live:
        assert "contentment" in str(live.recv(timeout=10))
    with pytest.raises(InvalidStatus) as refused, shown.socket(f"{PREFIX}/live", "http://evil.example", cookie):
        pass
    assert refused.value.response.status_code == 403
    answer = shown.ask("POST", f"{PREFIX}/api/comment", json={"comment": "joy"}, headers={"Origin": "http://evil"})
    assert answer.status_code == 403


def test_where_a_request_is_sent_on_the_path_stays(shown):
    answer = shown.ask("GET", f"{PREFIX}/api/visit/?a=1", headers=paired(shown))
    assert (answer.status_code, answer.headers["location"]) == (307, f"{PREFIX}/api/visit?a=1")


def test_what_only_begins_like_the_path_is_another_one(shown):
    assert shown.pages.ask("GET", f"{PREFIX}x/healthz").status_code == 404
    assert shown.pages.ask("GET", f"{PREFIX}{PREFIX}/healthz").status_code == 404
    assert shown.pages.ask("GET", f"{PREFIX}/healthz").status_code == 200


@pytest.mark.parametrize(
    ("names", "prefix", "address"),
    [
        (("https://museum.example",), "/art", "https://museum.example/art/#pair="),
        (("https://museum.example:8443", "exhibit.lan"), "", "https://museum.example:8443/#pair="),
        (("exhibit.lan",), "/art", "http://exhibit.lan:8000/art/#pair="),
    ],
)
def test_the_code_leads_through_the_proxy(names, prefix, address):
    pairing = Pairing(WebSettings(token=TOKEN, names=names, prefix=prefix))
    code = pairing.join_address("http", 8000)
    assert code is not None
    assert code.startswith(address)


@pytest.mark.realtime
def test_a_visitor_and_the_staff_use_the_pages_through_the_proxy(browser, shown):
    visitor = shown.visit(browser, f"{PREFIX}/#pair={TOKEN.replace(' ', '%20').replace('&', '%26')}")
    page = visitor.page
    visitor.has("#word", "contentment")
    page.wait_for_selector("img.work.shown")
    visitor.listen()
    page.fill("#words", "I want to dance")
    page.keyboard.press("Enter")
    visitor.has("#answer", "The music is following your words.")
    page.select_option("#language", "de")
    visitor.has("#comment button[type=submit]", "Hören lassen")
    assert visitor.complaints == []

    page.goto(f"{shown.origin}{PREFIX}/staff")
    page.fill("#pin", PIN)
    page.keyboard.press("Enter")
    page.wait_for_selector("#view img", state="visible")
    page.click("[data-switch=muted]")
    page.wait_for_selector("[data-switch=muted][aria-pressed=true]")
    page.click("a[data-text='staff.calibrate']")
    page.wait_for_url(f"**{PREFIX}/calibrate")
    page.wait_for_selector("#view img", state="visible")
    visitor.close()  # and everything was asked of the proxy alone


@pytest.mark.realtime
def test_the_exhibit_s_own_screen_needs_no_proxy(browser, shown):
    with visiting(browser, shown.pages) as visitor:
        visitor.has("#word", "contentment")
        visitor.page.wait_for_selector("#code-picture", state="visible")

"""What every request passes before a page sees it: where it was sent, who sends it, and how much.

Written on the plain ASGI interface, so that a WebSocket is refused before it is accepted and a body before it is read.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kiosk.shared.settings import WebSettings
from kiosk.web.access.answers import refusal
from kiosk.web.access.hosts import Address, check_address
from kiosk.web.access.pairing import Pairing

LARGEST_BODY = 40_960
"""Bytes of a request's body: the longest comment (see ``kiosk.web.exhibit.comments``), its 2,800 signs escaped in the
longest way, 12 bytes each, and some room."""

LARGEST_SPEECH = 640_000
"""Bytes of what somebody said: 20 seconds of 16-bit samples, 16,000 a second."""

SPEECH = "/api/speech"
"""The path that takes so much."""

MOST_SPEECHES = 8
"""Of them that are taken in at once."""

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN = frozenset({"/", "/staff", "/calibrate", "/healthz", "/metrics", "/api/pair"})
"""What can be had without pairing: empty pages, numbers, and pairing itself."""

_FIXED_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_logger = logging.getLogger(__name__)


class Gate:
    """Middleware that refuses what is not for the pages and protects what is.

    Args:
        app: what is behind it.
        settings: under which names the pages are reached.
        pairing: who may see more than empty pages.
    """

    def __init__(self, app: ASGIApp, settings: WebSettings, pairing: Pairing) -> None:
        self._app = app
        self._settings = settings
        self._pairing = pairing
        self._speeches = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request, one WebSocket, or the server's start and end."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        scope = {**scope, "path": self._own_path(scope["path"])}
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._request(scope, receive, send)

    def _own_path(self, path: str) -> str:
        """A path without the prefix, which a reverse proxy may have taken off already."""
        prefix = self._settings.prefix
        return path[len(prefix) :] or "/" if prefix and f"{path}/".startswith(f"{prefix}/") else path

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        address = check_address(connection, self._settings)
        refused = address is None or self._wrong_origin(connection, address) or not self._may(connection, address)
        if refused:
            await receive()  # websocket.connect
            await send({"type": "websocket.close", "code": 1008})
            return
        scope["address"] = address
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            # The server would log it with its message, which could quote a visitor.
            _logger.error("a socket of the page failed", exc_info=error)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        address = check_address(connection, self._settings)
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _add_headers(message, scope, address, self._settings)
            await send(message)

        try:
            speech = self._settings.speech and scope["path"] == SPEECH and scope["method"] == "POST"
            refused = self._refused(connection, address)
            if refused is None and speech and self._speeches >= MOST_SPEECHES:
                refused = (503, "speech-busy")
            body = None if refused else await self._body(connection, receive, speech)
            if refused is None and body is None:
                refused = (413, "too-large")
            if refused is not None:
                await refusal(*refused)(scope, receive, send_guarded)
                return
            # HEAD is answered as GET is (RFC 9110, 9.3.2); the server leaves the body out by what it was asked itself.
            method = "GET" if scope["method"] == "HEAD" else scope["method"]
            within = {**scope, "method": method, "address": address}
            await self._app(within, _replay(body or b"", receive), send_guarded)
        except Exception as error:
            _logger.error("a request to the page failed", exc_info=error)
            if not started:
                await refusal(500, "failed")(scope, receive, send_guarded)

    async def _body(self, connection: HTTPConnection, receive: Receive, speech: bool) -> bytes | None:
        self._speeches += speech
        try:
            return await _whole_body(connection, receive, LARGEST_SPEECH if speech else LARGEST_BODY)
        finally:
            self._speeches -= speech

    def _refused(self, connection: HTTPConnection, address: Address | None) -> tuple[int, str] | None:
        if address is None:
            return 421, "host"
        if connection.scope["method"] not in _READING and self._wrong_origin(connection, address):
            return 403, "origin"
        if not self._may(connection, address):
            return 401, "unpaired"
        return None

    def _wrong_origin(self, connection: HTTPConnection, address: Address) -> bool:
        return connection.headers.getlist("origin") != [address.origin]

    def _may(self, connection: HTTPConnection, address: Address) -> bool:
        path = connection.scope["path"]
        return path in _OPEN or path.startswith("/static/") or self._pairing.admits(connection, address)


def _add_headers(message: Message, scope: Scope, address: Address | None, settings: WebSettings) -> None:
    headers = MutableHeaders(scope=message)
    if "location" in headers:  # of this server, whatever name and scheme a proxy shows it under
        target = urlsplit(headers["location"])
        headers["location"] = settings.prefix + target.path + (f"?{target.query}" if target.query else "")
    # Older Safari does not count ws: of the same host as 'self'.
    socket = "" if address is None else f" {address.origin.replace('http', 'ws', 1)}"
    headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
        f"connect-src 'self'{socket}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    microphone = "(self)" if settings.speech and scope["path"] == "/" else "()"
    headers["Permissions-Policy"] = f"camera=(), microphone={microphone}, geolocation=(), payment=(), usb=()"
    for name, value in _FIXED_HEADERS.items():
        headers[name] = value
    headers.setdefault("Cache-Control", "no-cache" if scope["path"].startswith("/static/") else "no-store")


async def _whole_body(connection: HTTPConnection, receive: Receive, largest: int) -> bytes | None:
    """The body of a request; None where it is too large or its sender is gone."""
    if int(connection.headers.get("content-length", "0") or "0") > largest:
        return None
    body = bytearray()
    more = True
    while more:
        message: dict[str, Any] = dict(await receive())
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > largest:
            return None
    return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives the body that was read, and then what comes after it."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed

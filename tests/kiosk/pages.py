"""Served pages and a client of them, for tests."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
from argon2 import PasswordHasher
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from kiosk.settings import WebSettings
from kiosk.web.server import Server
from tests.kiosk.small_exhibit import SmallExhibit, serving

PIN = "271828"
PIN_HASH = PasswordHasher(time_cost=1, memory_cost=1024).hash(PIN)
TOKEN = "sixteen letters & more"  # noqa: S105
NAME = "exhibit.test"
ABROAD = WebSettings(host="0.0.0.0", port=0, token=TOKEN, names=(NAME,))  # noqa: S104
"""An exhibit in the network, under a name by which phones ask for it."""


class Pages:
    """A served exhibit and a client of it.

    Args:
        server, exhibit: what is asked.
        host: the name under which it is asked.
    """

    def __init__(self, server: Server, exhibit: SmallExhibit, host: str = "127.0.0.1") -> None:
        self.server, self.exhibit, self.host = server, exhibit, f"{host}:{server.port}"
        self.origin = f"http://{self.host}"
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{server.port}", headers={"Host": self.host, "Origin": self.origin}
        )

    def ask(self, method: str, path: str, **more) -> httpx.Response:
        """Sends a request."""
        return self.client.request(method, path, **more)

    def raw(self) -> socket.socket:
        """A connection on which nothing has been said."""
        return socket.create_connection(("127.0.0.1", self.server.port), timeout=10)

    def socket(self, path: str, origin: str | None = "", host: str = "", **headers: str) -> ClientConnection:
        """Opens a WebSocket, from the page itself unless told otherwise."""
        return connect(
            f"ws://{host or self.host}{path}",
            sock=self.raw(),
            origin=None if origin is None else Origin(origin or self.origin),
            additional_headers=headers,
            compression=None,
            proxy=None,
        )


def served(settings: WebSettings, host: str = "127.0.0.1") -> Iterator[Pages]:
    """Serves a small exhibit."""
    exhibit = SmallExhibit(settings)
    try:
        with serving(exhibit, settings) as server:
            pages = Pages(server, exhibit, host)
            yield pages
            pages.client.close()
    finally:
        exhibit.close()

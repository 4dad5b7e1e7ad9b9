"""Connections that cannot be held open by doing nothing, and of which nobody can take too many."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 10.0
"""Time in which a request must have come whole, counted from its connection or its first byte."""

MOST_CONNECTIONS = 700
"""Open connections beyond which only this computer gets another one; below the 1024 files a process may open."""

MOST_OF_ONE_ADDRESS = 64
"""Open connections of one address in the network: a phone needs up to eight, a few phones may share an address."""


class GuardedConnection(H11Protocol):
    """Uvicorn's HTTP/1.1 connection, bounded in time and number."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins the connection, or cuts it at once where there are too many."""
        peer = transport.get_extra_info("peername")
        refused = not ipaddress.ip_address(peer[0]).is_loopback and self._too_many(peer[0])
        super().connection_made(transport)
        if refused:
            transport.abort()
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        """Takes bytes, and looks whether they are a whole request."""
        super().data_received(data)
        self._watch()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hands the connection over to a WebSocket."""
        super().handle_websocket_upgrade(event)
        self._forget_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the connection."""
        self._forget_deadline()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._forget_deadline()
        elif self._deadline is None and self.transport.get_protocol() is self:
            self._deadline = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_many(self, address: str) -> bool:
        open_ones: set[Any] = self.connections  # of HTTP and of WebSockets
        peers = [connection.client for connection in open_ones]
        same = sum(peer is not None and peer[0] == address for peer in peers)
        return len(peers) >= MOST_CONNECTIONS or same >= MOST_OF_ONE_ADDRESS

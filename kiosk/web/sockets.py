"""The two sockets of a page: what is felt and seen, and what is heard. A page has nothing to say on either."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AbstractContextManager

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from kiosk.web.access.hosts import Address
from kiosk.web.exhibit.hub import Hub, Outbox

_FULL, _UNEXPECTED = 1013, 1008
"""Close codes (RFC 6455 and its registry): try again later; policy violation."""


def sockets(hub: Hub) -> APIRouter:
    """The routes ``/live`` (news as text, mel columns as bytes) and ``/sound`` (samples); see ``Hub`` and ``Piece``."""
    router = APIRouter()

    @router.websocket("/live")
    async def live(socket: WebSocket) -> None:
        await _serve(socket, hub.watching(_own_screen(socket)))

    @router.websocket("/sound")
    async def sound(socket: WebSocket) -> None:
        await _serve(socket, hub.listening(_own_screen(socket)))

    return router


async def _serve(socket: WebSocket, joining: AbstractContextManager[Outbox | None]) -> None:
    await socket.accept()
    with joining as outbox:
        if outbox is None:
            await socket.close(_FULL)
            return
        sending = asyncio.create_task(_send(socket, outbox))
        try:
            message = await socket.receive()
            if message["type"] == "websocket.receive":
                await socket.close(_UNEXPECTED)
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending


async def _send(socket: WebSocket, outbox: Outbox) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # RuntimeError: closed from our side meanwhile
        while True:
            message = await outbox.next()
            if isinstance(message, str):
                await socket.send_text(message)
            else:
                await socket.send_bytes(message)


def _own_screen(socket: WebSocket) -> bool:
    address: Address = socket.scope["address"]
    return address.own_screen

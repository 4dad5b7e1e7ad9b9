"""Serving the pages from a thread of the web process."""

from __future__ import annotations

import ipaddress
import socket
import threading

import uvicorn
from fastapi import FastAPI

from a2m_edge.addresses import shown
from a2m_edge.errors import DeviceError, OptionError
from kiosk.shared.certificates import load_certificate
from kiosk.shared.settings import WebSettings
from kiosk.web.connections import GuardedConnection

_LARGEST_MESSAGE = 1024
"""Bytes of a message on a socket: pages have nothing to say there."""

_LARGEST_HEAD = 16384
_UNSENT_BYTES = 65536
_UNSENT_SECONDS = 20
"""What waits in the kernel for a client that does not read, and how long, before its connection is cut."""

_IP_FREEBIND, _IPV6_FREEBIND = 15, 78
"""Options of Linux that Python has no name for (ip(7), linux/in6.h): bind before the network is up."""


class Server:
    """The pages, served from a thread of their own.

    Args:
        app: made by ``kiosk.web.app.create_app``.
        settings: where to listen.

    Raises:
        OptionError: the host is open to the network and no pairing token is set, or it is no address of this computer;
            certificate and key cannot be used.
        DeviceError: the port is taken, or may not be used.
    """

    def __init__(self, app: FastAPI, settings: WebSettings) -> None:
        load_certificate(settings.certificate, settings.key)  # in its thread, the library would end with a traceback
        self._app = app
        self._sockets = open_sockets(settings)
        self.port: int = self._sockets[0].getsockname()[1]
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=GuardedConnection,
                ws="websockets-sansio",
                ws_max_size=_LARGEST_MESSAGE,
                ws_per_message_deflate=False,  # sound does not become smaller, and it takes time
                h11_max_incomplete_event_size=_LARGEST_HEAD,
                ssl_certfile=settings.certificate,
                ssl_keyfile=settings.key,
                access_log=False,
                log_config=None,
                log_level="error",
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(target=self._server.run, args=(self._sockets,), name="web", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it serves: false after ``stop``, and after a failure."""
        return self._thread.is_alive()

    @property
    def beat(self) -> float:
        """``time.monotonic()`` of its last look at the exhibit, some twenty times a second."""
        beat: float = self._app.state.hub.beat
        return beat

    def stop(self, seconds: float = 2.0) -> None:
        """Closes every connection and ends the thread, within about this time."""
        self._server.should_exit = True
        self._thread.join(seconds)
        for each in self._sockets:
            each.close()


def open_sockets(settings: WebSettings) -> list[socket.socket]:
    """Listening sockets for the host and, so that the exhibit's own screen always finds the pages, for 127.0.0.1.

    An address that this computer does not have yet, because its network is not up, is listened on all the same.

    Raises:
        OptionError, DeviceError: as ``Server``.
    """
    family, host = _resolve(settings.host)
    if settings.token is None and not ipaddress.ip_address(host).is_loopback:
        raise OptionError(
            f"listening on {settings.host} opens the pages to the network: set web.token, a pairing token of 16"
            " characters or more, or listen on 127.0.0.1"
        )
    opened = [_open(family, host, settings.port)]
    if host not in ("127.0.0.1", "0.0.0.0"):  # noqa: S104 - it is compared, not listened on
        try:
            opened.append(_open(socket.AF_INET, "127.0.0.1", opened[0].getsockname()[1]))
        except DeviceError:
            opened[0].close()
            raise
    return opened


def _resolve(host: str) -> tuple[socket.AddressFamily, str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise OptionError(f"{shown(host)!r} is no address of this computer: give one in numbers as web.host") from error
    family, _, _, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)  # IPv4 where there is a choice
    return family, str(address[0])


def _open(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Each connection inherits these two: what waits for a slow client stays small, and not for ever.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNSENT_BYTES)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNSENT_SECONDS * 1000)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
        else:
            listening.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise DeviceError(
            f"the pages cannot listen on {host} port {port} ({error.strerror or error}): end the program that uses it,"
            " or choose another web.port"
        ) from error
    return listening

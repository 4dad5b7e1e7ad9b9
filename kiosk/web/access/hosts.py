"""Under which names and from where the pages may be asked for."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from kiosk.shared.settings import WebSettings

_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::([0-9]{1,5}))?")
_OF_PROXIES = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
_STANDARD_PORT = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_PAGE_SCHEME = {"http": "http", "ws": "http", "https": "https", "wss": "https"}


@dataclass(frozen=True)
class Address:
    """Where a request was sent, as its checked ``Host`` header says it.

    Attributes:
        host: name and, where it was given, port.
        origin: what a page of this address names as its origin.
        own_screen: whether it comes from this computer, by no proxy, and asks for this computer by a loopback name.
        visitor: the network address that it comes from, as a proxy says it where it came through one.
    """

    host: str
    origin: str
    own_screen: bool
    visitor: str


def check_address(connection: HTTPConnection, settings: WebSettings) -> Address | None:
    """The address of a request, or None where its ``Host`` is none of ours.

    Ours are: the address that the connection really reached (and, on the loopback, its names), the host that is
    listened on, and ``settings.names``; with the port that the connection really reached. A name that somebody else
    points at this computer (DNS rebinding) is none of them. A name with its scheme is that of a reverse proxy, which
    must pass the ``Host`` on: the page's origin is as the name says, whatever the proxy asks for and by which port.
    """
    hosts = connection.headers.getlist("host")
    match = _HOST.fullmatch(hosts[0].lower()) if len(hosts) == 1 else None
    server = connection.scope.get("server")
    if match is None or server is None:
        return None
    host, name = match.group(0), match.group(1)
    peer = connection.client.host if connection.client is not None else ""
    if (origin := _proxied(host, settings.names)) is not None:
        return Address(host, origin, False, _forwarded(connection) or peer)
    port = int(match.group(2) or _STANDARD_PORT[connection.scope["scheme"]])
    reached = _literal(server[0])
    names = {reached, _literal(settings.host), *(each.lower() for each in settings.names)}
    if _is_loopback(server[0]):
        names |= _LOOPBACK_NAMES
    if not (name in names and port == server[1]) and not (match.group(2) and host in names):
        return None
    through = any(header in connection.headers for header in _OF_PROXIES)
    own_screen = _is_loopback(peer) and name in _LOOPBACK_NAMES and not through
    return Address(host, f"{_PAGE_SCHEME[connection.scope['scheme']]}://{host}", own_screen, peer)


def _proxied(host: str, names: tuple[str, ...]) -> str | None:
    """The origin of pages that a proxy shows under this host, or None where no name with a scheme means it."""
    for name in names:
        scheme, parted, shown = name.lower().partition("://")
        if parted and host in (shown, shown.removesuffix(f":{_STANDARD_PORT[scheme]}")):
            return f"{scheme}://{host}"
    return None


def _forwarded(connection: HTTPConnection) -> str | None:
    """The address that the nearest proxy says it was asked by; None where it says none."""
    last = ",".join(connection.headers.getlist("x-forwarded-for")).rpartition(",")[2].strip()
    try:
        return str(ipaddress.ip_address(last))
    except ValueError:
        return None


def visitors_origin(settings: WebSettings, scheme: str, port: int) -> str | None:
    """Scheme, name and port by which phones reach the pages; None while there is none.

    Args:
        settings: with names.
        scheme: ``http`` or ``https``, of the pages as they are served.
        port: on which they are.
    """
    if settings.names and "://" in settings.names[0]:
        return settings.names[0]
    host = _visitors_host(settings, port)
    return None if host is None else f"{scheme}://{host}"


def _visitors_host(settings: WebSettings, port: int) -> str | None:
    """The name and port by which phones reach the pages; None while there is none.

    It is the first of ``settings.names``, else the host that is listened on. Where every address is listened on, it is
    the address that this computer has in its network at this moment.
    """
    if settings.names:
        name = settings.names[0]
        match = _HOST.fullmatch(name.lower())
        return name if match is not None and match.group(2) else f"{name}:{port}"
    if _is_wildcard(settings.host):
        address = _address_in_network(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
        return None if address is None else f"{_literal(address)}:{port}"
    return None if _is_loopback(settings.host) else f"{_literal(settings.host)}:{port}"


def network_key(peer: str) -> str:
    """What tells visitors apart: the address, or its network of 64 bits in IPv6, where a phone has many."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return peer
    return peer if address.version == 4 else str(ipaddress.ip_network((int(address), 64), strict=False))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_wildcard(host: str) -> bool:
    return host in ("0.0.0.0", "::")  # noqa: S104 - it is compared, not listened on


def _literal(host: str) -> str:
    return f"[{host}]" if ":" in host else host.lower()


def _address_in_network(family: socket.AddressFamily) -> str | None:
    """The address of this computer on the way to another; nothing is sent (RFC 5737 and 3849 name the targets)."""
    target = "2001:db8::1" if family == socket.AF_INET6 else "192.0.2.1"
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((target, 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])

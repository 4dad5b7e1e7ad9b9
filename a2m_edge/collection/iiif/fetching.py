"""Fetching documents and pictures over http and https: politely, with limits, and never from anywhere else."""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import os
import random
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from a2m_edge.addresses import is_misread, scrubbed
from a2m_edge.collection.iiif.encodings import CutOffError, Decoder, EncodingError
from a2m_edge.errors import PictureError
from a2m_edge.version import __version__

USER_AGENT = f"a2m-edge/{__version__} (renders sound for works of art)"

_NO_PASSWORD = "an address needs a host, and holds no password; correct it"  # noqa: S105 - a sentence
_BLOCK = 64 * 2**10
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that another try may better (RFC 9110, 15; RFC 6585, 4); any other refusal is final."""


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for.

    Attributes:
        attempts: requests in all, at least 1.
        answer: seconds that it may say nothing.
        whole: seconds that one attempt may take, however slowly it speaks.
        pause: seconds before the second attempt; doubled before each further one.
        longest_pause: seconds; a server that asks for more is left alone.
    """

    attempts: int = 4
    answer: float = 20.0
    whole: float = 300.0
    pause: float = 1.0
    longest_pause: float = 60.0


PATIENT = Patience()


class FetchError(Exception):
    """Nothing came; the message is a clause that tells why and what to do.

    Args:
        reason: the clause.
        status: what the server answered (HTTP), or None where it did not.
    """

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class _PassingError(Exception):
    """This attempt failed, another may not.

    Args:
        error: what is told when it was the last one.
        after: seconds that the server asks to wait, or None.
    """

    def __init__(self, error: FetchError, after: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.after = after


def is_address(image: str) -> bool:
    """Whether a picture's or document's name is an address (``scheme://``) and not a path."""
    return _SCHEME.match(image) is not None


def fetch(address: str, *, most_bytes: int, accept: str = "*/*", patience: Patience = PATIENT) -> bytes:
    """The whole content at an http or https address.

    Redirects are followed within http and https. What may pass (no answer, a broken connection, 429, 5xx) is tried
    again after growing pauses with some chance in them, or when the server says. What is compressed nevertheless (gzip,
    deflate) is decoded. Proxies are taken from the environment, as usual.

    Raises:
        FetchError: it cannot be had, or is larger than ``most_bytes``, compressed or decoded.
    """
    request = _request(address, accept)
    for attempt in range(1, patience.attempts + 1):
        try:
            return _attempt(request, most_bytes, patience)
        except _PassingError as failure:
            pause = patience.pause * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)
            pause = max(pause, failure.after or 0.0)
            if attempt == patience.attempts or pause > patience.longest_pause:
                raise failure.error from None
            time.sleep(pause)
    raise AssertionError("patience has at least one attempt")


@contextlib.contextmanager
def in_memory(content: bytes, name: str) -> Iterator[Path]:
    """A path under which fetched bytes can be read as a file; they never touch the disk.

    A PictureError of the block that names this path names ``name`` instead.
    """
    # Kept by the kernel for this process alone: nothing is left behind, even by a process that is killed.
    descriptor = os.memfd_create("picture", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as stream:
            stream.write(content)
        path = Path(f"/proc/self/fd/{descriptor}")
        try:
            yield path
        except PictureError as error:
            raise PictureError(str(error).replace(str(path), name)) from None
    finally:
        os.close(descriptor)


def _request(address: str, accept: str) -> urllib.request.Request:
    try:
        parts = urlsplit(address)
        if parts.scheme.lower() not in ("http", "https"):
            raise FetchError("only http and https addresses are fetched; name one of those")
        if not parts.hostname or parts.username is not None or parts.password is not None:
            raise FetchError(_NO_PASSWORD)
        host = parts.hostname.encode("idna").decode("ascii")
        host = f"[{host}]" if ":" in host else host
        place = host if parts.port is None else f"{host}:{parts.port}"
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
        query = quote(parts.query, safe="/?%:@!$&'()*+,;=~-._")
        whole = urlunsplit((parts.scheme.lower(), place, path, query, ""))
    except (ValueError, UnicodeError):
        raise FetchError(_NO_PASSWORD if is_misread(address) else "it is no valid address; correct it") from None
    return urllib.request.Request(whole, headers={"User-Agent": USER_AGENT, "Accept": accept})  # noqa: S310


def _opener() -> urllib.request.OpenerDirector:
    """Knows http and https and nothing else: no redirect leads to a local file or to FTP."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _attempt(request: urllib.request.Request, most_bytes: int, patience: Patience) -> bytes:
    end = time.monotonic() + patience.whole
    try:
        with _opener().open(request, timeout=patience.answer) as answer:
            return _read(answer, most_bytes, end)
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(error.code, error.reason, error.headers.get("Retry-After")) from None
    except urllib.error.URLError as error:
        raise _failure(error.reason) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _failure(error) from None


def _read(answer: http.client.HTTPResponse, most_bytes: int, end: float) -> bytes:
    """The body without its Content-Encoding, never more than allowed in memory."""
    too_large = FetchError(f"it is larger than {most_bytes / 2**20:g} MiB; offer a smaller copy")
    if (answer.length or 0) > most_bytes:
        raise too_large
    blocks, received, size = [], 0, 0
    try:
        decoder = Decoder(answer.headers.get_all("Content-Encoding", []))
        while block := answer.read1(_BLOCK):
            received += len(block)
            for piece in decoder.pieces(block):
                blocks.append(piece)
                size += len(piece)
                if max(received, size) > most_bytes:
                    raise too_large
            if time.monotonic() > end:
                raise _PassingError(FetchError("the server speaks too slowly; try again later"))
        if answer.length:
            raise _PassingError(FetchError("the connection broke off; try again later"))
        decoder.finish()
    except CutOffError as error:
        raise _PassingError(FetchError(str(error))) from None
    except EncodingError as error:
        raise FetchError(str(error)) from None
    return b"".join(blocks)


def _refusal(status: int, phrase: str, after: str | None) -> Exception:
    said = f"the server answers {status} {_told(phrase)}".rstrip()
    if status in _AGAIN:
        return _PassingError(FetchError(f"{said}; try again later", status), retry_after(after))
    way_out = "ask its owner for access" if status in (401, 403, 407) else "check the address"
    return FetchError(f"{said.splitlines()[0]}; {way_out}", status)


def _failure(cause: object) -> Exception:
    """What an attempt that brought no answer means."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return FetchError(f"its certificate is not trusted ({cause.verify_message}); check the address")
    if isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN:
        return FetchError("there is no such host; check the address and the network")
    if isinstance(cause, TimeoutError):
        return _PassingError(FetchError("the server does not answer in time; try again later"))
    if isinstance(cause, OSError | http.client.HTTPException) and not isinstance(cause, http.client.InvalidURL):
        reason = getattr(cause, "strerror", None) or _told(cause) or type(cause).__name__
        return _PassingError(FetchError(f"the server cannot be reached ({reason}); check the address and the network"))
    return FetchError("it, or the address that it sends on to, is no valid address; check it")


def _told(cause: object) -> str:
    """What a library or a server says, without the password of a proxy, or of an address that it sends on to."""
    return scrubbed(str(cause), *urllib.request.getproxies().values())


def retry_after(after: str | None) -> float | None:
    """A Retry-After header: seconds, or a date (RFC 9110, 10.2.3); None where it says nothing sensible."""
    if after is None:
        return None
    if after.strip().isdecimal() and len(after) < 10:
        return float(after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(after).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None

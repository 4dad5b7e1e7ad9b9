"""A chat model behind an OpenAI-compatible endpoint, asked with patience and without showing its key to anybody."""

from __future__ import annotations

import http.client
import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from a2m_edge import __version__
from a2m_edge.addresses import scrubbed, shown
from a2m_edge.collection.iiif.fetching import retry_after
from a2m_edge.errors import A2MError, OptionError

KEY = "A2M_RATING_KEY"
"""The environment variable with the endpoint's key."""

_MOST_BYTES = 8 * 2**20
_AGAIN = frozenset({408, 409, 425, 429, *range(500, 600)} - {501, 505})
"""Answers that another try may better (RFC 9110, 15; RFC 6585, 4)."""


class EndpointError(A2MError):
    """A rating model cannot be reached, or does not answer as OpenAI's chat completions do."""


class _PassingError(Exception):
    """This attempt failed, another may not; ``after`` are the seconds that the server asks to wait, or None."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it could carry the key to somebody else."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True)
class Patience:
    """How long an endpoint is waited for.

    Attributes:
        attempts: requests for one answer in all, at least 1.
        answer: seconds that it may say nothing.
        pause: seconds before the second attempt; doubled before each further one.
        longest_pause: seconds; an endpoint that asks for more is left alone.
    """

    attempts: int = 6
    answer: float = 120.0
    pause: float = 1.0
    longest_pause: float = 60.0


class Endpoint:
    """Asks a model.

    Args:
        address: base of the API, such as ``http://127.0.0.1:8000/v1``.
        model: its name there.
        key: sent in the header ``Authorization`` and nowhere else; nothing where none is needed.
        temperature: of the answers; the endpoint's own when None.
        patience: with it.
        sleep: waits so many seconds; time itself when None.

    Attributes:
        shown: its whole address, as it may be printed.

    Raises:
        OptionError: the address is no http or https address, or the key has signs that a header cannot hold.
    """

    def __init__(
        self,
        address: str,
        model: str,
        key: str = "",
        temperature: float | None = None,
        patience: Patience | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self.model = model
        self._address = _completions(address)
        self.shown = shown(self._address)
        self._key = key.strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise OptionError(f"the key in {KEY} holds signs that no key has: set it again")
        self._temperature = temperature
        self._patience = patience or Patience()
        self._sleep = sleep or time.sleep
        self._opener = urllib.request.build_opener(_NoRedirect)

    def ask(self, messages: Sequence[dict[str, Any]]) -> str:
        """The text that the model answers to a conversation.

        What may pass (no answer in time, a broken connection, 429, 5xx) is tried again after growing pauses with some
        chance in them, or when the endpoint says.

        Raises:
            EndpointError: it cannot be reached, refuses key, model or request, answers in another form, or is still
                busy after the last attempt.
        """
        body: dict[str, Any] = {"model": self.model, "messages": list(messages)}
        if self._temperature is not None:
            body["temperature"] = self._temperature
        data = json.dumps(body).encode()
        patience = self._patience
        for attempt in range(1, patience.attempts + 1):
            try:
                return self._content(self._send(data))
            except _PassingError as failure:
                pause = patience.pause * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)
                pause = max(min(pause, patience.longest_pause), failure.after or 0.0)
                if attempt == patience.attempts or pause > patience.longest_pause:
                    raise EndpointError(
                        f"{self.shown} gave no answer in {attempt} attempts ({self._told(failure)}): try again "
                        f"later, or give a longer --timeout"
                    ) from None
                self._sleep(pause)
        raise AssertionError("patience has at least one attempt")

    def _send(self, data: bytes) -> bytes:
        headers = {"Content-Type": "application/json", "User-Agent": f"a2m-edge/{__version__}"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self._address, data, headers, method="POST")  # noqa: S310
        try:
            with self._opener.open(request, timeout=self._patience.answer) as answer:
                body: bytes = answer.read(_MOST_BYTES + 1)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error) from None
        except urllib.error.URLError as error:
            if isinstance(error.reason, TimeoutError | ConnectionResetError | BrokenPipeError):
                raise _PassingError(str(error.reason) or "no answer in time") from None
            raise EndpointError(
                f"cannot connect to {self.shown} ({self._told(error.reason)}): start the server, or correct --endpoint"
            ) from None
        except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
            raise _PassingError(str(error) or type(error).__name__) from None
        if len(body) > _MOST_BYTES:
            raise EndpointError(f"{self.shown} answered with more than {_MOST_BYTES >> 20} MiB: correct --endpoint")
        return body

    def _refusal(self, error: urllib.error.HTTPError) -> Exception:
        """What a status other than success means."""
        try:
            said = self._told(_message(error.read(_MOST_BYTES)))
        except (OSError, http.client.HTTPException):
            said = ""
        because = f" ({error.code}: {said})" if said else f" ({error.code})"
        if error.code in _AGAIN:
            return _PassingError(f"{error.code} {said}".strip(), retry_after(error.headers.get("Retry-After")))
        if error.code in (401, 403):
            key = "does not accept the key: correct" if self._key else "asks for a key: set"
            return EndpointError(f"{self.shown} {key} {KEY}{because}")
        if error.code == 404:
            return EndpointError(
                f"{self.shown} has no model {self.model!r}, or is no chat endpoint{because}: correct --model or "
                f"--endpoint"
            )
        if 300 <= error.code < 400:
            return EndpointError(f"{self.shown} sends on to another address{because}: give that one as --endpoint")
        return EndpointError(
            f"{self.shown} refuses the request{because}: correct --model, or give --no-pictures to one that cannot see"
        )

    def _content(self, body: bytes) -> str:
        try:
            content = json.loads(body)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError, RecursionError):
            raise EndpointError(
                f"{self.shown} does not answer in the form of OpenAI's chat completions: give the base of such an "
                f"API as --endpoint, which mostly ends in /v1"
            ) from None
        # A model that thought until its tokens ran out says nothing, which is an answer that cannot be used.
        return content if isinstance(content, str) else ""

    def _told(self, said: object) -> str:
        """What a server or the system says, in one short line and without the key, which some servers repeat."""
        line = " ".join(scrubbed(str(said), *urllib.request.getproxies().values()).split())[:300]
        return line.replace(self._key, "…") if self._key else line


def _completions(address: str) -> str:
    try:
        parts = urlsplit(address.strip())
        valid = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid or not address.isascii() or not address.strip().isprintable() or " " in address.strip():
        raise OptionError(f"{shown(address)!r} is no http or https address: give one such as http://127.0.0.1:8000/v1")
    if parts.username is not None or parts.password is not None:
        raise OptionError(f"an address holds no password: take it out, and set {KEY}")
    if parts.query or parts.fragment:
        raise OptionError("the address of an endpoint ends with its path: leave out what follows  ?  or  #")
    base = address.strip().rstrip("/")
    return base if base.endswith("/chat/completions") else f"{base}/chat/completions"


def _message(body: bytes) -> str:
    """The message of an error in OpenAI's form, or the beginning of whatever it is."""
    text = body[:5000].decode("utf-8", "replace")
    try:
        error = json.loads(body)["error"]
        return str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, LookupError, TypeError, RecursionError):
        return text

"""Who may see more than empty pages: this computer's own screen, and phones that scanned the code beside it.

The code holds the pairing token behind the ``#`` of the address, which browsers send to nobody. The page there hands
it over once, in the body of a request, and gets a cookie for it.
"""

from __future__ import annotations

import hashlib
import hmac
import io
from urllib.parse import quote

import segno
from fastapi import Response
from starlette.requests import HTTPConnection

from kiosk.shared.settings import WebSettings
from kiosk.web.access.hosts import Address, visitors_origin

_COOKIE = "a2m_visitor"
_SECONDS = 12 * 3600
"""How long a phone stays paired: a day at the museum."""


class Pairing:
    """Hands out and checks the passes of visitors.

    A pass is derived from the token alone, so that phones stay paired when the exhibit restarts and are not when its
    token changes.

    Args:
        settings: with the token, or without one where only this computer can come.
    """

    def __init__(self, settings: WebSettings) -> None:
        self._settings = settings
        self._token = None if settings.token is None else settings.token.encode()

    def admits(self, connection: HTTPConnection, address: Address) -> bool:
        """Whether a request may pass."""
        if address.own_screen:
            return True
        return self._token is not None and hmac.compare_digest(
            connection.cookies.get(_COOKIE, "").encode(), _pass(self._token)
        )

    def pair(self, token: str, response: Response, secure: bool) -> bool:
        """Gives a pass to who knows the token.

        Args:
            token: as it came.
            response: takes the cookie.
            secure: whether the page came over https.
        """
        if self._token is None or not hmac.compare_digest(token.encode(errors="replace"), self._token):
            return False
        response.set_cookie(
            _COOKIE,
            _pass(self._token).decode(),
            _SECONDS,
            path=self._settings.prefix or "/",
            secure=secure,
            httponly=True,
            samesite="strict",
        )
        return True

    def join_address(self, scheme: str, port: int) -> str | None:
        """What the code beside the artwork says; None while phones have no way here."""
        origin = visitors_origin(self._settings, scheme, port)
        if origin is None or self._settings.token is None:
            return None
        return f"{origin}{self._settings.prefix}/#pair={quote(self._settings.token, safe='')}"


def code_picture(address: str) -> bytes:
    """The address as a QR code, black on white with its quiet zone: an SVG document."""
    picture = io.BytesIO()
    code = segno.make(address, error="m", micro=False)
    code.save(picture, kind="svg", border=4, light="#fff", svgclass=None, lineclass=None)
    return picture.getvalue()


def _pass(token: bytes) -> bytes:
    return hmac.new(token, b"a2m-edge visitor", hashlib.sha256).hexdigest().encode()

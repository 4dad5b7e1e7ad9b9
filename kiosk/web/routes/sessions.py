"""Signing in with the staff's PIN."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from fastapi import Request, Response

from kiosk.web.access.answers import RefusedError
from kiosk.web.access.hosts import Address
from kiosk.web.access.rates import Allowance, Rate
from kiosk.web.routes.visitors import visitor_key

_COOKIE = "a2m_staff"
_PATH = "/api/staff"
_SESSIONS = 16
_IDLE = 3600.0
"""Seconds without a request after which a session ends."""

_EACH, _TOGETHER = Rate(5, 20.0), Rate(10, 10.0)
"""Attempts of one address, and of the whole network together."""


class StaffSessions:
    """Who has given the PIN; kept in memory, so a restart signs everybody out.

    Args:
        pin_hash: argon2 hash of the PIN; None lets nobody in.
        prefix: of the pages' paths.
    """

    def __init__(self, pin_hash: str | None, prefix: str = "") -> None:
        self._pin_hash = pin_hash
        self._path = prefix + _PATH
        self._hasher = PasswordHasher()
        self._one_at_a_time = asyncio.Lock()  # a hash takes 64 MiB and a core
        self._sessions: OrderedDict[str, float] = OrderedDict()
        # The network's attempts cannot lock out those who stand before the exhibit.
        self._at_screen = Allowance(_EACH, _EACH)
        self._in_network = Allowance(_EACH, _TOGETHER)

    async def sign_in(self, pin: str, request: Request, response: Response) -> None:
        """Begins a session.

        Args:
            pin: as it came.
            request: whose it is.
            response: takes the cookie.

        Raises:
            RefusedError: no PIN is set, or it is another one.
            TooOftenError: too many attempts.
        """
        if self._pin_hash is None:
            raise RefusedError(403, "no-pin")
        address: Address = request.scope["address"]
        (self._at_screen if address.own_screen else self._in_network).take(visitor_key(request))
        async with self._one_at_a_time:
            right = await asyncio.to_thread(self._verify, self._pin_hash, pin)
        if not right:
            raise RefusedError(403, "pin")
        session = secrets.token_urlsafe(32)
        self._sessions[session] = time.monotonic()
        if len(self._sessions) > _SESSIONS:
            self._sessions.popitem(last=False)
        secure = address.origin.startswith("https:")
        response.set_cookie(_COOKIE, session, path=self._path, secure=secure, httponly=True, samesite="strict")

    def check(self, request: Request) -> None:
        """Lets a request of a session pass.

        Raises:
            RefusedError: it belongs to none, or that one has ended.
        """
        session, now = request.cookies.get(_COOKIE, ""), time.monotonic()
        used = self._sessions.pop(session, None)
        if used is None or now - used > _IDLE:
            raise RefusedError(401, "signed-out")
        self._sessions[session] = now  # last in order: the one that is idle longest gives way

    def sign_out(self, request: Request, response: Response) -> None:
        """Ends the session of a request."""
        self._sessions.pop(request.cookies.get(_COOKIE, ""), None)
        response.delete_cookie(_COOKIE, path=self._path, httponly=True, samesite="strict")

    def _verify(self, pin_hash: str, pin: str) -> bool:
        try:
            return self._hasher.verify(pin_hash, pin.encode(errors="replace"))
        except (VerificationError, InvalidHashError):
            return False

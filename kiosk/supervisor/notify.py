"""Telling systemd how things stand (sd_notify(3)): datagrams to the socket that ``NOTIFY_SOCKET`` names."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping

_log = logging.getLogger(__name__)


class Notifier:
    """Speaks to systemd where it listens, and is silent elsewhere.

    Args:
        environment: holds ``NOTIFY_SOCKET`` and ``WATCHDOG_USEC`` under systemd; None takes the process's own.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._watchdog = environment.get("WATCHDOG_USEC", "") if self._address else ""
        self._failed = False

    @property
    def interval(self) -> float | None:
        """Seconds between two signs of life, half of what the watchdog allows (sd_watchdog_enabled(3)), or None."""
        return int(self._watchdog) / 2e6 if self._watchdog.isdecimal() and int(self._watchdog) > 0 else None

    def ready(self) -> None:
        """The service has started."""
        self._send("READY=1")

    def alive(self) -> None:
        """A sign of life for the watchdog."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The service is ending."""
        self._send("STOPPING=1")

    def status(self, sentence: str) -> None:
        """What ``systemctl status`` shows; one line."""
        self._send("STATUS=" + " ".join(sentence.split()))

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # A leading @ stands for the zero byte of a name that is in no file system.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as out:
                out.sendto(message.encode(), address)
        except OSError as error:
            if not self._failed:
                _log.warning("systemd cannot be told how the kiosk is: %s", error.strerror or error)
            self._failed = True

"""From settings to a kiosk that can run."""

from __future__ import annotations

import dataclasses
import secrets

from a2m_edge.bundle import open_bundle
from kiosk.config import Settings
from kiosk.shared.logs import log_to_stderr
from kiosk.supervisor.notify import Notifier
from kiosk.supervisor.supervisor import Supervisor

_DIGITS = 8
"""Of the PIN that is made for one calibration."""


def prepare(settings: Settings) -> Supervisor:
    """The supervisor of an exhibit.

    Raises:
        BundleError: the bundle is missing or damaged.
        OptionError: the calibration is damaged.
    """
    log_to_stderr("kiosk")
    return Supervisor(settings, open_bundle(settings.engine.bundle), Notifier())


def prepare_calibration(settings: Settings) -> tuple[Supervisor, str]:
    """The supervisor of a camera and its pages alone, and the PIN that opens them this once.

    Raises:
        BundleError, OptionError: as ``prepare``.
    """
    from argon2 import PasswordHasher

    log_to_stderr("kiosk")
    pin = "".join(secrets.choice("0123456789") for _ in range(_DIGITS))
    web = dataclasses.replace(settings.web, pin_hash=PasswordHasher().hash(pin))
    settings = settings.model_copy(update={"web": web})
    supervisor = Supervisor(settings, open_bundle(settings.engine.bundle), Notifier(), parts=("camera", "web"))
    return supervisor, pin

"""From settings to a kiosk that can run."""

from __future__ import annotations

import dataclasses
import logging
import secrets
import time

from a2m_edge.bundle import open_bundle
from kiosk.config import Settings
from kiosk.shared.certificates import load_certificate
from kiosk.shared.logs import log_to_stderr
from kiosk.supervisor.notify import Notifier
from kiosk.supervisor.supervisor import Supervisor
from kiosk.web.speech.whisper_files import require_speech

_DIGITS = 8
"""Of the PIN that is made for one calibration."""

_log = logging.getLogger(__name__)


def prepare(settings: Settings) -> Supervisor:
    """The supervisor of an exhibit.

    Raises:
        BundleError: the bundle is missing or damaged.
        OptionError: the calibration is damaged, or certificate and key cannot be used. One that has expired can: an
            exhibit that plays behind a browser's warning is better than none.
        MissingExtraError: visitors may speak, and what writes it down is not installed.
    """
    log_to_stderr("kiosk")
    _check_certificate(settings)
    if settings.web.speech:
        require_speech()
    return Supervisor(settings, open_bundle(settings.engine.bundle), Notifier())


def prepare_calibration(settings: Settings) -> tuple[Supervisor, str]:
    """The supervisor of a camera and its pages alone, and the PIN that opens them this once.

    Raises:
        BundleError, OptionError: as ``prepare``.
    """
    from argon2 import PasswordHasher

    log_to_stderr("kiosk")
    _check_certificate(settings)
    pin = "".join(secrets.choice("0123456789") for _ in range(_DIGITS))
    web = dataclasses.replace(settings.web, pin_hash=PasswordHasher().hash(pin), speech=False)
    settings = settings.model_copy(update={"web": web})
    supervisor = Supervisor(settings, open_bundle(settings.engine.bundle), Notifier(), parts=("camera", "web"))
    return supervisor, pin


def _check_certificate(settings: Settings) -> None:
    certificate = load_certificate(settings.web.certificate, settings.web.key)
    if certificate is not None and (remark := certificate.remark(time.time())) is not None:
        _log.warning("%s", remark)

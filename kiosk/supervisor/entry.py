"""The entry point of every process of the kiosk: prepares the process, runs it, and logs its errors."""

from __future__ import annotations

import ctypes
import importlib
import logging
import os
import signal
import sys

from a2m_edge.errors import A2MError
from kiosk.shared.logs import log_to_stderr, where
from kiosk.shared.memory import give_back_freed_memory

MENDABLE, MISTAKE = 2, 1
"""Exit statuses: after an error that the user can correct, and after a defect of the program."""

_DIE_WITH_PARENT, _SET_NAME = 1, 15  # PR_SET_PDEATHSIG and PR_SET_NAME of prctl(2)
_NICENESS = {"camera": 5, "web": 5}
"""Lower priority (nice value) for processes that do not make sound, so that sound comes first."""

_GIVING_BACK = ("camera", "web")
"""Processes that return freed memory to the system: they allocate large blocks only for occasional pictures. The music
process does so all the time, and returning each block nearly doubled its load (measured: 0.59 cores, not 0.33)."""

_WISHES = ("OPENCV_FFMPEG_DEBUG", "OPENCV_VIDEOIO_DEBUG", "GST_DEBUG")
"""Variables by which OpenCV and what it reads with are asked to write what they do to standard error."""

_log = logging.getLogger(__name__)


def enter(name: str, parent: int, target: str, settings: object, links: object) -> None:
    """Runs ``target(settings, links)``; to be used as the target of a ``multiprocessing.Process``.

    The process ignores SIGINT, which a terminal also sends to the supervisor; SIGTERM ends it at once, and it never
    outlives the supervisor. An error becomes one log line, which never holds a visitor's words.

    Args:
        name: of the process, for its log lines and, with the prefix ``a2m-``, for lists of processes.
        parent: process id of the supervisor.
        target: the function, as ``module:name``; only this process imports its module.
        settings, links: the arguments of the function.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    system = ctypes.CDLL(None)
    system.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    system.prctl(_SET_NAME, f"a2m-{name}".encode())
    if os.getppid() != parent:  # the supervisor ended before prctl was called
        return
    os.nice(_NICENESS.get(name, 0))
    if name in _GIVING_BACK:
        give_back_freed_memory()
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # The log's limits do not apply to libraries that write to standard error themselves.
    # And it would hold the camera's address, password and all: so nobody can wish for it.
    os.environ.update(OPENCV_LOG_LEVEL="OFF", OPENCV_FFMPEG_LOGLEVEL="-8")
    for wish in _WISHES:
        os.environ.pop(wish, None)
    log_to_stderr(name)
    module, function = target.split(":")
    try:
        getattr(importlib.import_module(module), function)(settings, links)
    except A2MError as error:
        _log.error("%s", error)
        sys.exit(MENDABLE)
    except Exception as error:
        _log.error("a mistake in the program: %s", where(error))
        sys.exit(MISTAKE)

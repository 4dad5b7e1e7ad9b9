"""What every process of the kiosk does first, and how it ends."""

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
"""Exit statuses: after an error that somebody can mend, and after a mistake in the program."""

_DIE_WITH_PARENT, _SET_NAME = 1, 15  # PR_SET_PDEATHSIG and PR_SET_NAME of prctl(2)
_NICENESS = {"camera": 5, "web": 5}
"""Of the processes that sound does not wait for: whatever they do, it comes first."""

_GIVING_BACK = ("camera", "web")
"""Processes that handle a picture now and then. Not the music process, which takes and frees large blocks all the
time: giving each of them back doubled its work (measured: 0.59 of a core instead of 0.33)."""

_log = logging.getLogger(__name__)


def enter(name: str, parent: int, target: str, settings: object, links: object) -> None:
    """Runs ``target(settings, links)`` as a process of the kiosk; the whole of it, to be the target of a process.

    Ctrl-C goes to every process of a terminal and is left to the supervisor; SIGTERM ends this process at once; it
    never outlives the supervisor. Errors become one line of the log, without the words that were worked on.

    Args:
        name: of the process, in its log lines and, after ``a2m-``, in lists of processes.
        parent: process id of the supervisor.
        target: the function, as ``module:name``; its module is imported in this process alone.
        settings, links: what it is given.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    system = ctypes.CDLL(None)
    system.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    system.prctl(_SET_NAME, f"a2m-{name}".encode())
    if os.getppid() != parent:  # it died before it could be told
        return
    os.nice(_NICENESS.get(name, 0))
    if name in _GIVING_BACK:
        give_back_freed_memory()
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # Libraries that write to standard error by themselves would pass by the limits of the log.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
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

"""Starts a process, watches its progress, and replaces it when it ends or makes no progress."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from types import ModuleType

from kiosk.shared.links import Links, close_handed_over
from kiosk.shared.messages import PartName
from kiosk.shared.settings import WatchSettings
from kiosk.supervisor.entry import MENDABLE, enter
from kiosk.supervisor.restarts import FIRST_PAUSE, Restarts

KILL_AFTER = 0.5
"""Seconds between SIGTERM and SIGKILL."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProcessPlan:
    """What a process runs, and how its progress is measured.

    Attributes:
        name: of the process.
        target: the function to run in it, as ``module:name``; its arguments are the results of ``prepare``.
        prepare: is called before each start and returns new settings and links.
        progress: returns a number that grows with the work done.
        unit: what ``progress`` counts, for the log: for example ``"frame"``.
        patience: seconds without progress after which the process is replaced.
        excused: returns whether the process need not make progress now.
    """

    name: PartName
    target: str
    prepare: Callable[[], tuple[object, Links]]
    progress: Callable[[], int]
    unit: str
    patience: float
    excused: Callable[[], bool] = lambda: False


class WatchedProcess:
    """Keeps one process running, restarting it as needed. It never blocks: ``step`` must be called regularly.

    Args:
        plan: what to run.
        settings: when to restart it.
    """

    def __init__(self, plan: ProcessPlan, settings: WatchSettings) -> None:
        self.plan = plan
        self._settings = settings
        self._restarts = Restarts(settings.restarts, settings.window, settings.longest_pause)
        self._process: SpawnProcess | None = None
        self._progress = 0  # value of ``plan.progress`` at ``_advanced``
        self._advanced = 0.0  # time of the last progress, or of the start
        self._working_since: float | None = None
        self._failed_at: float | None = None  # time of the last failure; None once the new process works
        self._kill_at: float | None = None
        self._next_start = 0.0
        self._wished = False
        self._refused = False
        self._fruitless = 0  # processes in a row that made no progress

    @property
    def restarts(self) -> int:
        """How often the process was restarted."""
        return self._restarts.count

    @property
    def working(self) -> bool:
        """Whether the process runs, has made progress since its start, and is not being ended."""
        return self._process is not None and self._working_since is not None and self._kill_at is None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.is_alive()

    @property
    def refused(self) -> bool:
        """Whether the first process ended before any progress, with an error that the user must correct."""
        return self._refused

    def step(self, now: float) -> None:
        """Does what is due: starts the process, checks its progress, kills it, or restarts it.

        Args:
            now: ``time.monotonic()``.
        """
        process = self._process
        if process is None:
            if now >= self._next_start:
                self._try_start(now)
        elif not process.is_alive():
            self._bury(process, now)
        elif self._kill_at is None:
            self._watch(process, now)
        elif now >= self._kill_at:
            process.kill()  # repeated: a process that waits for a device may take a while to die
            self._kill_at = now + KILL_AFTER

    def replace(self, now: float) -> None:
        """Restarts the process on request, without a pause; a pause before an earlier restart ends too."""
        self._next_start = now
        if self._process is not None and self._kill_at is None:
            self._wished = True
            self._end(self._process, now)

    def kill(self) -> None:
        """Kills the process; only a further ``step`` starts it again."""
        if self._process is not None:
            self._process.kill()

    def wait(self, seconds: float) -> None:
        """Waits at most ``seconds`` for the process to end."""
        if self._process is not None:
            self._process.join(seconds)

    def _try_start(self, now: float) -> None:
        try:
            self._start(now)
        except OSError as error:  # no memory, no more processes or files
            self._next_start = now + FIRST_PAUSE
            _log.error("the %s process cannot be started: %s", self.plan.name, error.strerror or error)

    def _start(self, now: float) -> None:
        settings, links = self.plan.prepare()
        # OpenBLAS reads it when the new process imports numpy, before our code runs there. Its second thread spins for
        # a while after each matrix product: measured, the music took 0.82 cores with it and 0.33 without.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        context = multiprocessing.get_context("spawn")
        process = context.Process(
            target=enter,
            args=(self.plan.name, os.getpid(), self.plan.target, settings, links),
            name=self.plan.name,
            daemon=True,
        )
        with _without_main():
            process.start()
        close_handed_over(links)
        self._process = process
        if self._failed_at is not None:
            self._restarts.restarted(now, wished=self._wished)
        self._progress, self._advanced = self.plan.progress(), now
        self._working_since, self._kill_at, self._wished = None, None, False

    def _watch(self, process: SpawnProcess, now: float) -> None:
        progress = self.plan.progress()
        if progress != self._progress:
            self._progress, self._advanced = progress, now
            if self._working_since is None:
                self._began(now)
            elif now - self._working_since >= self._settings.window:
                self._restarts.went_well()
        elif self.plan.excused():
            self._advanced = now
        else:
            patience = self.plan.patience if self._working_since is not None else self._start_patience()
            if now - self._advanced > patience:
                _log.warning(
                    "the %s process gave no %s for %.0f s: it is replaced", self.plan.name, self.plan.unit, patience
                )
                self._end(process, now)

    def _start_patience(self) -> float:
        """Seconds that a new process has until its first progress; longer after processes that made none.

        A process whose device is missing searches for it itself and needs the time.
        """
        shortest, longest = max(self._settings.start_patience, self.plan.patience), self._settings.longest_pause
        return max(shortest, min(longest, shortest * 2.0 ** min(self._fruitless, 16)))

    def _began(self, now: float) -> None:
        self._working_since = now
        self._fruitless = 0
        if self._failed_at is not None:
            _log.warning("the %s process works again after %.1f s", self.plan.name, now - self._failed_at)
            self._failed_at = None

    def _end(self, process: SpawnProcess, now: float) -> None:
        process.terminate()
        self._kill_at = now + KILL_AFTER
        if self._failed_at is None:
            self._failed_at = self._advanced if not self._wished else now

    def _bury(self, process: SpawnProcess, now: float) -> None:
        status = process.exitcode
        process.close()
        self._process = None
        if self._working_since is None:
            self._refused = status == MENDABLE and self.restarts == 0
            self._fruitless += 1
        expected = self._kill_at is not None
        if self._failed_at is None:
            self._failed_at = now
        pause = 0.0 if self._wished else self._restarts.pause(now)
        self._next_start = now + pause
        how = "was replaced" if expected else f"ended ({_ending(status)})"
        if pause > 0.0:
            _log.error(
                "the %s process %s and was restarted too often: the next attempt is in %.0f s",
                self.plan.name,
                how,
                pause,
            )
        elif not expected and not self._refused:
            _log.warning("the %s process %s: it is started again", self.plan.name, how)


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Prevents a spawned process from importing this process's main module.

    ``enter`` does not need it, and importing the command line would cost each process time and memory.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _ending(status: int | None) -> str:
    return f"signal {-status}" if status is not None and status < 0 else f"exit status {status}"

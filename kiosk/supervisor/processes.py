"""A process that is watched by what it gets done, and replaced when it ends or stands still."""

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
"""Seconds that a process has to end by itself after SIGTERM."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProcessPlan:
    """What a process is for, and how one sees that it does it.

    Attributes:
        name: of the process.
        target: is run in it with what ``prepare`` gave: a function, as ``module:name``.
        prepare: is called before each start and gives fresh settings and links.
        progress: a number that grows with the work done.
        unit: what it counts, for the log: ``"frame"``.
        patience: seconds without progress after which it is replaced.
        excused: whether it has good reason to make no progress now.
    """

    name: PartName
    target: str
    prepare: Callable[[], tuple[object, Links]]
    progress: Callable[[], int]
    unit: str
    patience: float
    excused: Callable[[], bool] = lambda: False


class WatchedProcess:
    """One process, from its first start to its last end. Nothing here waits: ``step`` is called again and again.

    Args:
        plan: what it is for.
        settings: how it is healed.
    """

    def __init__(self, plan: ProcessPlan, settings: WatchSettings) -> None:
        self.plan = plan
        self._settings = settings
        self._restarts = Restarts(settings.restarts, settings.window, settings.longest_pause)
        self._process: SpawnProcess | None = None
        self._progress = 0  # as it was at ``_advanced``
        self._advanced = 0.0  # when it last got something done, or was started
        self._working_since: float | None = None
        self._failed_at: float | None = None  # when the one before ended, until its successor works
        self._kill_at: float | None = None
        self._next_start = 0.0
        self._wished = False
        self._refused = False
        self._fruitless = 0  # processes in a row that got nothing done

    @property
    def restarts(self) -> int:
        """How often it was replaced."""
        return self._restarts.count

    @property
    def working(self) -> bool:
        """Whether it runs and has got something done since it was started."""
        return self._process is not None and self._working_since is not None and self._kill_at is None

    @property
    def alive(self) -> bool:
        """Whether there is a process."""
        return self._process is not None and self._process.is_alive()

    @property
    def refused(self) -> bool:
        """Whether its first process ended at once, with an error that somebody must mend."""
        return self._refused

    def step(self, now: float) -> None:
        """Looks after the process: starts it, notes its progress, ends it, starts it again.

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
            process.kill()  # again and again: a process that waits for a device may be late to die
            self._kill_at = now + KILL_AFTER

    def replace(self, now: float) -> None:
        """Ends the process at somebody's wish; a new one follows at once, and also one that was being waited for."""
        self._next_start = now
        if self._process is not None and self._kill_at is None:
            self._wished = True
            self._end(self._process, now)

    def kill(self) -> None:
        """Ends the process at once; it is not started again unless ``step`` is called."""
        if self._process is not None:
            self._process.kill()

    def wait(self, seconds: float) -> None:
        """Waits for the end of the process for at most so long."""
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
        # Read when numpy is loaded, which is before anything of the process itself. Its matrix library keeps a second
        # thread that turns idly for a while after each product: measured, 0.82 cores for the music instead of 0.33.
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
        """Grows while nothing comes of it: a process whose device is gone looks for it itself, and should."""
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
    """Keeps a process that is being spawned from importing this one's main module.

    ``enter`` is found without it, and the command line and all it knows would cost every process time and memory.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _ending(status: int | None) -> str:
    return f"signal {-status}" if status is not None and status < 0 else f"exit status {status}"

"""Jobs in processes of this machine: each does one after another, on one thread."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from a2m_edge.diagnostics import print_traceback, scrub_warnings
from a2m_edge.errors import A2MError, DeviceError
from a2m_edge.jobs.work import Answer, Job, Work, one_thread, portable

ATTEMPTS = 2
"""How often a job is tried whose process dies of it; the second time it is alone to blame."""

_TICK = 0.2
"""Seconds after which a wish to stop is noticed at the latest."""

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class ProcessRunner:
    """An ``Runner`` on this machine.

    A job waits until a process is free: so no more are in hand than there are processes.

    Attributes:
        workers: how many processes, at least 1.
    """

    workers: int

    def run(
        self, jobs: Iterable[Job], work: Work[Job, Answer], stopping: Callable[[], bool] = lambda: False
    ) -> Iterator[Answer]:
        """See ``Runner.run``."""
        waiting = deque(enumerate(jobs))
        pool = _Pool(work)
        tries: dict[int, int] = {}
        fault: A2MError | None = None
        try:
            for _ in range(min(self.workers, len(waiting))):
                pool.add()
            while True:
                held = fault is not None or stopping()
                for worker in pool.members:
                    if worker.ready and worker.task is None and waiting and not held:
                        pool.give(worker, waiting.popleft())
                busy = any(worker.task is not None for worker in pool.members)
                starting = any(not worker.ready for worker in pool.members) and bool(waiting) and not held
                if not busy and not starting:
                    break
                for news in pool.news():
                    match news:
                        case _Answered(answer):
                            yield answer
                        case _Failed(error):
                            fault = fault or error
                        case _Died((number, job), ending):
                            tries[number] = tries.get(number, 0) + 1
                            if tries[number] < ATTEMPTS:
                                waiting.appendleft((number, job))
                            else:
                                yield work.lost(job, ending)
                if waiting and len(pool.members) < self.workers and fault is None and not stopping():
                    pool.add()  # for one that died
            if fault is not None:
                raise fault
        finally:
            pool.end()


@dataclass
class _Worker:
    """A process, and the number and content of the job it has in hand."""

    process: BaseProcess
    connection: Connection
    task: tuple[int, Any] | None = None
    ready: bool = False


@dataclass(frozen=True)
class _Answered:
    answer: Any


@dataclass(frozen=True)
class _Failed:
    error: A2MError


@dataclass(frozen=True)
class _Died:
    """A process ended with a job in hand."""

    task: tuple[int, Any]
    ending: str


class _Pool:
    """The processes of a run."""

    def __init__(self, work: Work[Any, Any]) -> None:
        self.members: list[_Worker] = []
        self._work = work
        self._context = multiprocessing.get_context("spawn")

    def add(self) -> None:
        """Starts a process, which says when it is ready."""
        own, other = self._context.Pipe()
        process = self._context.Process(target=_live, args=(other, self._work), daemon=True)
        with _sheltered():
            process.start()
        other.close()
        self.members.append(_Worker(process, own))

    def give(self, worker: _Worker, task: tuple[int, Any]) -> None:
        """Hands a job to an idle process; where that died meanwhile, the next ``news`` tell."""
        worker.task = task
        with contextlib.suppress(OSError):
            worker.connection.send(task[1])

    def news(self) -> Iterator[_Answered | _Failed | _Died]:
        """What came within a moment."""
        heard = wait([worker.connection for worker in self.members], _TICK)
        for worker in [worker for worker in self.members if worker.connection in heard]:
            try:
                message = worker.connection.recv()
            except (EOFError, OSError):
                yield from self._buried(worker)
                continue
            match message:
                case None:
                    worker.ready = True
                case _Failed():
                    self.members.remove(worker)
                    yield message
                case _:
                    worker.task = None
                    yield message

    def end(self) -> None:
        """Ends all processes: idle ones at once, and what is still at work with them."""
        for worker in self.members:
            worker.process.kill()
        for worker in self.members:
            worker.process.join()
            worker.connection.close()
        self.members.clear()

    def _buried(self, worker: _Worker) -> Iterator[_Failed | _Died]:
        worker.process.join()
        worker.connection.close()
        self.members.remove(worker)
        ending = _ending(worker.process.exitcode)
        if not worker.ready:
            yield _Failed(DeviceError(f"a worker process ended before it was ready ({ending}): try fewer --workers"))
        elif worker.task is not None:
            yield _Died(worker.task, ending)


def _live(connection: Connection, work: Work[Any, Any]) -> None:
    """The life of a process: it says None when it is ready, and then what came of each job."""
    # Ctrl-C reaches every process of the terminal; the one that gives out the work decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # nothing is left at work when it is killed
    if parent is None or os.getppid() != parent.pid:
        return
    one_thread()
    scrub_warnings()
    try:
        work.start()
        connection.send(None)
        while True:
            connection.send(_Answered(work.do(connection.recv())))
    except A2MError as error:
        with contextlib.suppress(OSError):
            connection.send(_Failed(portable(error)))
    except (EOFError, OSError):  # nobody gives out work any more
        return
    except Exception as error:
        print_traceback(error)
        raise SystemExit(1) from None


def _ending(status: int | None) -> str:
    if status is not None and status < 0:
        name = signal.Signals(-status).name
        return f"{name}, perhaps for lack of memory" if name == "SIGKILL" else name
    return f"status {status}"


@contextlib.contextmanager
def _sheltered() -> Iterator[None]:
    """What a process is born with: Ctrl-C held back until it ignores it, and one thread for libraries."""
    # The tracker is started with the first process and would unblock the signal.
    resource_tracker.ensure_running()
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

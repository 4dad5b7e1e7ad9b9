"""Worker processes: each holds the models and renders one item after another, on one thread."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import pickle
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from a2m_edge.collection.index import Record
from a2m_edge.collection.items import Item
from a2m_edge.collection.worker import RenderOptions, load_models, render_item
from a2m_edge.errors import A2MError, DeviceError

ATTEMPTS = 2
"""How often an item is tried whose worker dies of it; the second time it is alone to blame."""

_TICK = 0.2
"""Seconds after which a wish to stop is noticed at the latest."""

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_PR_SET_PDEATHSIG = 1


@dataclass
class _Worker:
    """A process and what it has in hand."""

    process: BaseProcess
    connection: Connection
    item: Item | None = None
    ready: bool = False


def render_all(
    items: Iterable[Item], options: RenderOptions, workers: int, stopping: Callable[[], bool]
) -> Iterator[Record]:
    """Renders items in worker processes and yields what the index says about each, as they are done.

    An item waits here until a worker is free: so no more are in hand than there are workers. A worker that dies is
    replaced; its item is tried once more, and then listed as failed.

    Args:
        items: in the order in which they are begun.
        options: for all of them.
        workers: how many processes, at least 1.
        stopping: from when it is true nothing new is begun, and what is in hand is finished.

    Raises:
        A2MError: no further item could be rendered, for example because the disk is full. What is in hand is finished
            and yielded before.
    """
    waiting = deque(items)
    pool = _Pool(options)
    tries: dict[str, int] = {}
    fault: A2MError | None = None
    try:
        for _ in range(min(workers, len(waiting))):
            pool.add()
        while True:
            held = fault is not None or stopping()
            for worker in pool.members:
                if worker.ready and worker.item is None and waiting and not held:
                    pool.give(worker, waiting.popleft())
            busy = any(worker.item is not None for worker in pool.members)
            starting = any(not worker.ready for worker in pool.members) and bool(waiting) and not held
            if not busy and not starting:
                break
            for worker, answer in pool.answers():
                if isinstance(answer, Record):
                    yield answer
                elif isinstance(answer, A2MError):
                    fault = fault or answer
                elif answer is not None:  # the worker died with this item in hand
                    tries[answer.id] = tries.get(answer.id, 0) + 1
                    if tries[answer.id] < ATTEMPTS:
                        waiting.appendleft(answer)
                    else:
                        yield Record.begin(answer).failed(
                            f"the process that rendered it ended ({_ending(worker.process.exitcode)}) each time; "
                            f"try a smaller copy of the picture, or fewer --workers"
                        )
            if waiting and len(pool.members) < workers and fault is None and not stopping():
                pool.add()  # for one that died
        if fault is not None:
            raise fault
    finally:
        pool.end()


class _Pool:
    """The processes of a run."""

    def __init__(self, options: RenderOptions) -> None:
        self.members: list[_Worker] = []
        self._options = options
        self._context = multiprocessing.get_context("spawn")

    def add(self) -> None:
        """Starts a process, which says when it is ready."""
        own, other = self._context.Pipe()
        process = self._context.Process(target=_work, args=(other, self._options), daemon=True)
        with _sheltered():
            process.start()
        other.close()
        self.members.append(_Worker(process, own))

    def give(self, worker: _Worker, item: Item) -> None:
        """Hands an item to an idle worker; where that died meanwhile, the next ``answers`` tells."""
        worker.item = item
        with contextlib.suppress(OSError):
            worker.connection.send(item)

    def answers(self) -> Iterator[tuple[_Worker, Record | A2MError | Item | None]]:
        """What came within a moment: records, faults, and the items of workers that died."""
        heard = wait([worker.connection for worker in self.members], _TICK)
        for worker in [worker for worker in self.members if worker.connection in heard]:
            try:
                answer = worker.connection.recv()
            except (EOFError, OSError):
                yield worker, self._buried(worker)
                continue
            if answer is True:
                worker.ready = True
                continue
            worker.item = None
            if isinstance(answer, A2MError):
                self.members.remove(worker)
            yield worker, answer

    def end(self) -> None:
        """Ends all processes: idle ones at once, and what is still at work with them."""
        for worker in self.members:
            worker.process.kill()
        for worker in self.members:
            worker.process.join()
            worker.connection.close()
        self.members.clear()

    def _buried(self, worker: _Worker) -> Item | A2MError | None:
        worker.process.join()
        worker.connection.close()
        self.members.remove(worker)
        if not worker.ready:
            return DeviceError(
                f"a worker process ended before it was ready ({_ending(worker.process.exitcode)}): try fewer --workers"
            )
        return worker.item


def _work(connection: Connection, options: RenderOptions) -> None:
    """The life of a worker process."""
    # Ctrl-C reaches every process of the terminal; the one that gives out the work decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # nothing is left at work when it is killed
    if parent is None or os.getppid() != parent.pid:
        return
    import cv2

    cv2.setNumThreads(1)
    try:
        load_models(options)
        connection.send(True)
        while True:
            connection.send(render_item(connection.recv(), options))
    except A2MError as error:
        with contextlib.suppress(OSError):
            connection.send(_portable(error))
    except (EOFError, OSError):  # nobody gives out work any more
        return


def _portable(error: A2MError) -> A2MError:
    """The same error in a form that any pipe carries: some have constructors of their own."""
    same = A2MError.__new__(type(error))
    same.args = (str(error),)
    try:
        pickle.loads(pickle.dumps(same))  # noqa: S301 - its own bytes
    except TypeError:
        return A2MError(str(error))
    return same


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

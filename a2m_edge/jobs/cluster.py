"""Jobs on a Ray cluster, by Ray Data: the same work as in processes of one machine, and the same answers."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import signal
import socket
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from a2m_edge.addresses import scrubbed, shown
from a2m_edge.errors import A2MError, DeviceError, MissingExtraError, first_line
from a2m_edge.jobs.gate import Gate, closing_gate, may_begin
from a2m_edge.jobs.work import Answer, Job, Work, one_thread, portable

if TYPE_CHECKING:
    import ray.data

ATTEMPTS = 3
"""How often a job is begun that is not answered: a lost computer may cost one whose process was well."""

MOST_BLOCKS = 5000
"""Blocks of one round. With fewer jobs than that each job is a block of its own, and is answered as soon as it is
done; beyond, Ray's bookkeeping for each block would cost more than waiting for the others of a block."""

_PATIENCE = 10.0  # seconds in which a cluster must take a connection
_DONE, _FAULT, _LEFT = range(3)
"""What a row holds: an answer, an error that ends the run, or nothing because the run was stopping."""

_HANDLED = (signal.SIGINT, signal.SIGTERM)
_log = logging.getLogger(__name__)


def require_ray() -> None:
    """Refuses to go on where Ray is missing.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import ray.data  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError("Ray", "ray") from error


@dataclass(frozen=True)
class RayRunner:
    """An ``Runner`` on a cluster whose computers all have a2m-edge installed.

    The jobs go in rounds: what is not answered in one, because its process or its computer was lost, is tried in the
    next one. Where the cluster has GPUs and the work wants one, processes with a GPU each perform, and others prepare
    and finish at the same time; else one process does all three steps of a job.

    Attributes:
        address: of the cluster; ``"auto"`` for the one that this machine belongs to.
        workers: processes; None for one on each of the cluster's processors (or GPUs, where they perform).
    """

    address: str = field(repr=False)
    workers: int | None = None

    def run(
        self, jobs: Iterable[Job], work: Work[Job, Answer], stopping: Callable[[], bool] = lambda: False
    ) -> Iterator[Answer]:
        """See ``Runner.run``; raises ``DeviceError`` also when the cluster cannot be used."""
        waiting = dict(enumerate(jobs))
        if not waiting:
            return
        with _connected(self.address), closing_gate(stopping) as gate:
            fault: A2MError | None = None
            answered = 0
            for _ in range(ATTEMPTS):
                for number, kind, content in _rows(list(waiting.items()), work, gate, self.workers):
                    answered += kind != _LEFT
                    if kind == _DONE:
                        waiting.pop(number, None)
                        yield pickle.loads(content)  # noqa: S301 - from our own processes
                    elif kind == _FAULT:
                        fault = fault or pickle.loads(content)  # noqa: S301
                        gate.close()
                    if gate.closed and answered >= gate.begun:
                        break  # what was in hand is done; no need to see the others go by
                if fault is not None:
                    raise fault
                if gate.closed or not waiting:
                    return
                if gate.ready == 0:
                    raise DeviceError(
                        f"no process could begin on the Ray cluster at {shown(self.address)}: see that all its "
                        f"computers have the same Python and the same a2m-edge"
                    )
                _log.warning("%d jobs were lost with their processes and are tried again", len(waiting))
            for job in waiting.values():
                yield work.lost(job, "it was lost, or its computer was")


@contextlib.contextmanager
def _connected(address: str) -> Iterator[None]:
    import ray

    # Ray takes SIGTERM for itself when it connects; whoever runs us decides what that means.
    before = {number: signal.getsignal(number) for number in _HANDLED}
    try:
        _require_listener(address)
        with _quiet_core():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, ignore_reinit_error=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise DeviceError(
            f"no Ray cluster can be used at {shown(address)} ({_told(error, address)}): start one "
            f"by  ray start --head  or check the address"
        ) from error
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)
    try:
        if ray.cluster_resources().get("CPU", 0) < 1:
            raise DeviceError(
                f"the Ray cluster at {shown(address)} has no processor: add computers by  ray start --address"
            )
        yield
    finally:
        ray.shutdown()


def _told(error: Exception, address: str) -> str:
    """What Ray says, without what the address keeps secret, or the one that stands in the environment."""
    return scrubbed(first_line(error).rstrip("."), address, os.environ.get("RAY_ADDRESS", ""))


def _require_listener(address: str) -> None:
    """Looks whether anybody listens at ``host:port``, or where ``auto`` leads; Ray itself would try for minutes.

    Raises:
        OSError: nobody does.
    """
    if address == "auto":
        # Where Ray itself looks: this variable, and what it notes of the cluster that was started last.
        address = os.environ.get("RAY_ADDRESS", "")
        with contextlib.suppress(OSError):
            address = address or Path(tempfile.gettempdir(), "ray", "ray_current_cluster").read_text().strip()
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), _PATIENCE).close()


@contextlib.contextmanager
def _quiet_core() -> Iterator[None]:
    """Keeps from standard error what Ray's core writes there for those who develop it."""
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # and then it tells that, while it begins
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _rows(
    jobs: Sequence[tuple[int, Any]], work: Work[Any, Any], gate: Gate, workers: int | None
) -> Iterator[tuple[int, int, bytes]]:
    """One round: number, kind and content of what came of each job that was not lost."""
    import ray
    from ray.data import DataContext

    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # what is lost with a process is missing in the result, and tried again
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    rows = [{"number": number, "content": pickle.dumps(job)} for number, job in jobs]
    data = ray.data.from_items(rows, override_num_blocks=min(len(rows), MOST_BLOCKS))
    found = ray.cluster_resources()
    gpus = int(found.get("GPU", 0))
    if work.wants_gpu and gpus:
        actors = min(len(rows), workers or gpus)
        data = _actors(
            data.map_batches(_prepare, fn_args=(work, gate.keeper), batch_size=1, batch_format="pyarrow"),
            actors,
            (work, gate.keeper, _perform),
            num_gpus=1,
        ).map_batches(_finish, fn_args=(work, gate.keeper), batch_size=1, batch_format="pyarrow")
    else:
        data = _actors(data, min(len(rows), workers or int(found["CPU"])), (work, gate.keeper, _do), num_cpus=1)
    try:
        for batch in data.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            yield from zip(*(batch[name].to_pylist() for name in ("number", "kind", "content")), strict=True)
    except ray.exceptions.RayError as error:
        _log.warning("a round on the cluster ended early: %s", scrubbed(first_line(error)))


def _actors(data: ray.data.Dataset, count: int, arguments: tuple[Any, ...], **resources: float) -> ray.data.Dataset:
    from ray.data import ActorPoolStrategy
    from ray.util.annotations import RayDeprecationWarning

    with warnings.catch_warnings():
        # Ray means to take away the choice of retries. Its own would wait without end for a process that was on a lost
        # computer to begin again, though the others have time; and would try a deadly job for ever.
        warnings.simplefilter("ignore", RayDeprecationWarning)
        return data.map_batches(
            _Worker,
            fn_constructor_args=arguments,
            compute=ActorPoolStrategy(size=count, max_tasks_in_flight_per_actor=2),
            batch_size=1,
            batch_format="pyarrow",
            max_restarts=-1,
            max_task_retries=0,
            **resources,
        )


Step = Callable[[Work[Any, Any], Any], Any]


class _Worker:
    """A process of the cluster: it has loaded what the work needs, and does a step with each row that comes."""

    def __init__(self, work: Work[Any, Any], keeper: Any, step: Step) -> None:
        one_thread()
        self._work, self._keeper, self._step = work, keeper, step
        self._fault: A2MError | None = None
        try:
            work.start()
        except A2MError as error:
            self._fault = portable(error)
        keeper.note_ready.remote()

    def __call__(self, batch: Any) -> dict[str, Any]:
        return _stepped(batch, self._work, self._keeper, self._step, self._fault)


def _prepare(batch: Any, work: Work[Any, Any], keeper: Any) -> dict[str, Any]:
    one_thread()
    return _stepped(batch, work, keeper, lambda work, job: work.prepare(job), None)


def _finish(batch: Any, work: Work[Any, Any], keeper: Any) -> dict[str, Any]:
    one_thread()
    return _stepped(batch, work, keeper, lambda work, performed: work.finish(performed), None)


def _perform(work: Work[Any, Any], prepared: Any) -> Any:
    return work.perform(prepared)


def _do(work: Work[Any, Any], job: Any) -> Any:
    return work.do(job)


def _stepped(batch: Any, work: Work[Any, Any], keeper: Any, step: Step, fault: A2MError | None) -> dict[str, Any]:
    """A step done with each row; rows that an earlier step could do nothing with go through as they are."""
    numbers, kinds, contents = batch["number"].to_pylist(), [], []
    first = "kind" not in batch.column_names
    before = [_DONE] * len(numbers) if first else batch["kind"].to_pylist()
    for kind, content in zip(before, batch["content"].to_pylist(), strict=True):
        # Every job asks first, that of a process which could load nothing too: what begins is what is answered.
        if first and not may_begin(keeper):
            kind, content = _LEFT, b""
        elif kind == _DONE and fault is not None:
            kind, content = _FAULT, pickle.dumps(fault)
        elif kind == _DONE:
            try:
                content = pickle.dumps(step(work, pickle.loads(content)))  # noqa: S301
            except A2MError as error:
                kind, content = _FAULT, pickle.dumps(portable(error))
        kinds.append(kind)
        contents.append(content)
    return {
        "number": np.array(numbers, np.int64),
        "kind": np.array(kinds, np.int64),
        "content": np.array(contents, object),
    }

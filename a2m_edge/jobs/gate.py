"""The gate through which every job of a cluster goes: it can be closed at once for all computers."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from a2m_edge.errors import DeviceError

_TICK = 0.2
"""Seconds after which a wish to stop is noticed at the latest."""


class Gate:
    """Lets jobs begin until it is closed, and counts them. To be made while Ray is connected.

    Its counts raise ``DeviceError`` when this computer's own node of the cluster is lost.

    Attributes:
        keeper: the actor that processes of the cluster ask; see ``may_begin`` and ``note_ready``.
        closed: whether nothing new is begun any more.
    """

    def __init__(self) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        # Where this process is: then it is lost with it alone.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        # A connection that breaks for a moment, as some do when a computer is lost, is no reason to give up.
        lasting = {"max_restarts": -1, "max_task_retries": -1}
        self.keeper = ray.remote(_Keeper).options(num_cpus=0, scheduling_strategy=here, **lasting).remote()
        self.closed = False

    def close(self) -> None:
        """From now on nothing new is begun."""
        self.keeper.close.remote()
        self.closed = True  # after the order: whoever reads it may ask for ``begun`` and will get the last number

    @property
    def begun(self) -> int:
        """How many jobs have begun."""
        return self._count("begun")

    @property
    def ready(self) -> int:
        """How many processes have loaded what the work needs, or could tell why not."""
        return self._count("ready")

    def _count(self, name: str) -> int:
        import ray

        try:
            return int(ray.get(self.keeper.count.remote(name)))
        except ray.exceptions.RayError as error:
            raise DeviceError(
                "the Ray node of this computer was lost: start it again, and the same command goes on from here"
            ) from error


class _Keeper:
    def __init__(self) -> None:
        self._closed = False
        self._counts = {"begun": 0, "ready": 0}

    def close(self) -> None:
        self._closed = True

    def may_begin(self) -> bool:
        self._counts["begun"] += not self._closed
        return not self._closed

    def note_ready(self) -> None:
        self._counts["ready"] += 1

    def count(self, name: str) -> int:
        return self._counts[name]


def may_begin(keeper: Any) -> bool:
    """Whether a process of the cluster may begin a job, which is counted then."""
    import ray

    try:
        return bool(ray.get(keeper.may_begin.remote()))
    except ray.exceptions.RayError:  # whoever gave out the work is gone
        return False


@contextlib.contextmanager
def closing_gate(stopping: Callable[[], bool]) -> Iterator[Gate]:
    """A gate that closes within a moment of ``stopping``."""
    gate, ended = Gate(), threading.Event()

    def watch() -> None:
        while not ended.wait(_TICK):
            if gate.closed or stopping():
                gate.close()  # again and again: a keeper that began anew would not know

    thread = threading.Thread(target=watch, name="stopping", daemon=True)
    thread.start()
    try:
        yield gate
    finally:
        ended.set()
        thread.join()

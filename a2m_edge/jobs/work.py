"""What is done with each of many jobs, whoever does it, and the runners that do it."""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from a2m_edge.errors import A2MError

Job = TypeVar("Job")
Answer = TypeVar("Answer")


class Work(ABC, Generic[Job, Answer]):
    """What is done with a job; small, and the same in every process that it is pickled into.

    A job goes through ``prepare``, ``perform`` and ``finish``. A runner may call the three in different processes, so
    that processors prepare and finish while a GPU performs; what they hand on is pickled then. Only the process that
    performs calls ``start``.
    """

    wants_gpu = False
    """Whether ``perform`` is given a GPU where the runner has some."""

    def start(self) -> None:
        """Loads what every job needs, once in a process.

        Raises:
            A2MError: no job could be done here.
        """

    def prepare(self, job: Job) -> Any:
        """The first step, on a processor.

        Raises:
            A2MError: no further job could be done either. What is wrong with this job alone belongs in its answer.
        """
        return job

    @abstractmethod
    def perform(self, prepared: Any) -> Any:
        """The middle step, beside what ``start`` has loaded; raises as ``prepare`` does."""

    def finish(self, performed: Any) -> Answer:
        """The last step, on a processor; raises as ``prepare`` does."""
        answer: Answer = performed
        return answer

    @abstractmethod
    def lost(self, job: Job, ending: str) -> Answer:
        """What stands for a job that ended its process each time it was tried.

        Args:
            job: that was tried.
            ending: how the process ended, in a few words.
        """

    def do(self, job: Job) -> Answer:
        """All three steps."""
        return self.finish(self.perform(self.prepare(job)))


class Runner(Protocol):
    """Does many jobs."""

    def run(
        self, jobs: Iterable[Job], work: Work[Job, Answer], stopping: Callable[[], bool] = lambda: False
    ) -> Iterator[Answer]:
        """Does jobs, begun in their order, and yields the answer to each as it comes.

        A process that dies is replaced; its job is tried again, and in the end answered by ``Work.lost``.

        Args:
            jobs: independent of each other.
            work: what is done with each.
            stopping: from when it is true nothing new is begun, and what is in hand is finished.

        Raises:
            A2MError: no further job can be done, for example because the disk is full. What is in hand is finished and
                its answers are yielded before.
        """


def one_thread() -> None:
    """Keeps the libraries of this process to one thread: there is a process for each core."""
    import cv2

    cv2.setNumThreads(1)


def portable(error: A2MError) -> A2MError:
    """The same error in a form that any pipe carries: some have constructors of their own."""
    same = A2MError.__new__(type(error))
    same.args = (str(error),)
    try:
        pickle.loads(pickle.dumps(same))  # noqa: S301 - its own bytes
    except TypeError:
        return A2MError(str(error))
    return same

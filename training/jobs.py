"""Jobs whose answers are files: done by any runner, shown, stopped after those in hand, and gone on with later."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from a2m_edge.errors import DataError
from a2m_edge.jobs.stopping import Stopping
from a2m_edge.jobs.work import Runner, Work
from a2m_edge.output import require_seen

Job = TypeVar("Job")

Show = Callable[[Iterable[Path], str, int], Iterable[Path]]
"""Passes answers on, and shows how many of so many there are under a title."""


@dataclass(frozen=True)
class Lost:
    """Stands for the file of a job that ended its process each time it was tried.

    Attributes:
        name: of the job, in a few words.
        ending: how the process ended, in a few words.
    """

    name: str
    ending: str


def _unshown(answers: Iterable[Path], title: str, total: int) -> Iterable[Path]:
    return answers


def _unsaid(message: str) -> None:
    return None


@dataclass(frozen=True)
class JobRunner:
    """What does the jobs of a command.

    Attributes:
        runner: where they are done.
        show: shows how they go on.
        say: tells the user a sentence.
    """

    runner: Runner
    show: Show = _unshown
    say: Callable[[str], None] = _unsaid

    def run(self, jobs: Sequence[Job], work: Work[Job, Path | Lost], title: str) -> Iterator[Path]:
        """Does jobs and yields the file that each made, as they come.

        The first Ctrl-C, or SIGTERM, ends it after the jobs in hand, the second at once.

        Args:
            jobs: independent of each other.
            work: makes one file of each, whole or not at all.
            title: what is made, in a word or two.

        Raises:
            DataError: jobs were lost; the others are done.
            OutputError: the files lie on another computer.
            A2MError: no further job can be done; see ``Runner.run``.
            SystemExit: stopped by a signal.
            KeyboardInterrupt: at the second Ctrl-C.
        """
        lost: list[Lost] = []
        done = 0
        with Stopping(self.say) as stopping:

            def answers() -> Generator[Path, None, None]:
                for answer in self.runner.run(jobs, work, lambda: stopping.number is not None):
                    if isinstance(answer, Lost):
                        lost.append(answer)
                    else:
                        require_seen(answer, answer.parent)
                        yield answer

            with contextlib.closing(answers()) as found:
                for path in self.show(found, title, len(jobs)):
                    done += 1
                    yield path
        if stopping.number is not None:
            self.say(f"{title}: {len(jobs) - done:,} left: the same command goes on from here")
            raise SystemExit(128 + stopping.number)
        if lost:
            names = ", ".join(each.name for each in lost[:3]) + (", ..." if len(lost) > 3 else "")
            raise DataError(
                f"{len(lost):,} of {len(jobs):,} {title} ended their process each time they were tried ({names}: "
                f"{lost[0].ending}), the others are done: run the same command again with fewer --workers, or take "
                f"these out of the data"
            )

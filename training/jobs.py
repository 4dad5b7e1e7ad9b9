"""Runs jobs that each make a file: with a progress bar, an orderly stop on Ctrl-C, and resumption by a later run."""

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
"""Takes the files as they are made, a title and the number of jobs; yields the files on and shows the progress."""


@dataclass(frozen=True)
class Lost:
    """The result of a job whose process died at every attempt, in place of its file.

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
    """Runs the jobs of a command.

    Attributes:
        runner: where they run.
        show: shows their progress.
        say: shows the user a message.
    """

    runner: Runner
    show: Show = _unshown
    say: Callable[[str], None] = _unsaid

    def run(self, jobs: Sequence[Job], work: Work[Job, Path | Lost], title: str) -> Iterator[Path]:
        """Runs jobs and yields the file that each made, in the order in which they finish.

        The first Ctrl-C or SIGTERM stops it after the jobs that are running, the second one at once.

        Args:
            jobs: independent of each other.
            work: makes the file of one job; a file is either complete or absent.
            title: what is made, in one or two words.

        Raises:
            DataError: some jobs were lost; all others are done.
            OutputError: the files are on another computer.
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

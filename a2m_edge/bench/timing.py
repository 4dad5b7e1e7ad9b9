"""Times of one thing done again and again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LEAST_RUNS = 5


@dataclass(frozen=True)
class Times:
    """What repeated runs took.

    Attributes:
        median: milliseconds.
        mean: milliseconds; what a stream can keep up with, where runs differ.
        p95: milliseconds that 95 of 100 runs stay within.
        runs: how many there were.
    """

    median: float
    mean: float
    p95: float
    runs: int

    @classmethod
    def of(cls, seconds: list[float]) -> Times:
        """The times of runs, given in seconds."""
        return cls(
            float(np.median(seconds)) * 1e3,
            float(np.mean(seconds)) * 1e3,
            float(np.quantile(seconds, 0.95, method="higher")) * 1e3,
            len(seconds),
        )


def seconds_of(run: Callable[[], object]) -> float:
    """Runs something once."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def timed(run: Callable[[], object], seconds: float) -> Times:
    """Runs something for about so long, at least ``LEAST_RUNS`` times, after two runs that do not count."""
    for _ in range(2):
        run()
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while len(taken) < LEAST_RUNS or time.perf_counter() < end:
        taken.append(seconds_of(run))
    return Times.of(taken)

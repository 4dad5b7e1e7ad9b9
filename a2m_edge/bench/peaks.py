"""The most that this machine's processor multiplies and its memory moves: what every stage is held against.

Matrix products are numpy's, on the BLAS library that numpy brings: their size is chosen so that nothing but
multiplication takes time. Threads are set in the environment of a process of its own, since libraries read them once.
"""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import asdict, dataclass

import numpy as np

from a2m_edge.bench.children import run
from a2m_edge.bench.timing import seconds_of

SIZE = 1536
BLOCK = 96 * 2**20
REPEATS = 7


@dataclass(frozen=True)
class Peaks:
    """The best of several runs.

    Attributes:
        gemm: fp32 operations per second, 1e9; a multiplication with its addition counts as two.
        memory: bytes per second read and written by copying, 1e9.
    """

    gemm: float
    memory: float


def measure_peaks(threads: int) -> Peaks:
    """Measures both with so many threads; DeviceError where the machine has too little memory for it."""
    count = str(threads)
    environment = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), count)
    return Peaks(
        **json.loads(run("measures the machine", "-m", "a2m_edge.bench.peaks", count, environment=environment))
    )


def _gemm() -> float:
    left = np.random.default_rng(0).standard_normal((SIZE, SIZE), np.float32)
    out = np.empty_like(left)
    best = min(seconds_of(lambda: np.matmul(left, left, out=out)) for _ in range(REPEATS))
    return 2.0 * SIZE**3 / best / 1e9


def _memory(threads: int) -> float:
    """Each thread copies a block of its own, larger than any cache."""
    blocks = [(np.zeros(BLOCK // 8), np.ones(BLOCK // 8)) for _ in range(threads)]

    def copy() -> None:
        workers = [threading.Thread(target=np.copyto, args=block) for block in blocks]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    return 2.0 * BLOCK * threads / min(seconds_of(copy) for _ in range(REPEATS)) / 1e9


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(Peaks(_gemm(), _memory(int(sys.argv[1]))))))

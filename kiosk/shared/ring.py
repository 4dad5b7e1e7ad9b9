"""Ring buffers of sound in shared memory: one process writes, others read, and none ever waits for another.

There are no locks in the shared memory, so a process that is killed cannot leave one locked. Instead every counter has
one writer and only grows: the writer stores samples before it raises ``written``, and the reader copies samples before
it raises ``taken``. Two things make this safe in Python:

- No torn counters. They are aligned 64-bit words, which numpy loads and stores with one machine instruction; x86-64
  and AArch64 make such an access whole (Arm Architecture Reference Manual, B2.2.1; Intel SDM volume 3A, 9.1.1).
- No counter ahead of its samples. x86-64 keeps the order of stores, and that of loads; Arm does not, so ``_fence``
  stands between samples and counter.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import threading
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

_MAGIC = int.from_bytes(b"a2mring2", "little")

# Words of the header; what the writer and what the reader changes lie on cache lines of their own (64 bytes).
_KIND, _CAPACITY, _BROADCAST, _CHANNELS = 0, 1, 2, 3
_ANNOUNCED, _WRITTEN, _BEGAN, _STREAMS, _BROKE = 8, 9, 10, 11, 12
_TAKEN, _MISSING, _UNDERRUNS = 16, 17, 18
_HEADER_BYTES = 3 * 64

_FOLDER = Path("/dev/shm")  # noqa: S108  # where Linux shows shared memory
_LARGEST = 1 << 28
_MOST_CHANNELS = 64


@dataclass(frozen=True)
class Heard:
    """What ``AudioRing.latest`` returns to a listener.

    Attributes:
        samples: float32 [N, C], the samples that end at ``position``; N is 0 if nothing new was written.
        position: where the next call should begin.
        lost: number of samples that were overwritten before the listener read them.
    """

    samples: NDArray[np.float32]
    position: int
    lost: int


class AudioRing:
    """A ring buffer of float32 samples, written by one process and read by others.

    One sample holds a number for each channel.

    A ring is either a queue or a broadcast. A queue has one reader and keeps every sample until it was read; samples
    that do not fit are not written. A broadcast accepts every sample and overwrites the oldest ones. Any number of
    listeners read it, each from a position that it keeps itself; a listener that is too slow loses samples.

    The writer, the reader and each listener may run in different processes; each must use the ring from one thread at
    a time. Positions and counters count samples since the ring was created. They never decrease, even when one of the
    processes is replaced.
    """

    def __init__(self, name: str) -> None:
        """Not for callers: see ``create`` and ``attach``."""
        file = os.open(_FOLDER / Path(name).name, os.O_RDWR | os.O_CLOEXEC)
        try:
            size = os.fstat(file).st_size
            if size < _HEADER_BYTES:
                raise ValueError(f"{name} is no ring of sound")
            self._memory = mmap.mmap(file, size)
        finally:
            os.close(file)
        self.name = name
        self._owned: SharedMemory | None = None
        self._words = np.frombuffer(self._memory, np.uint64, _HEADER_BYTES // 8)
        self.capacity = int(self._words[_CAPACITY])
        self.broadcast = bool(self._words[_BROADCAST])
        self.channels = int(self._words[_CHANNELS])
        values = self.capacity * self.channels
        if int(self._words[_KIND]) != _MAGIC or size < _HEADER_BYTES + values * 4:
            raise ValueError(f"{name} is no ring of sound")
        flat = np.frombuffer(self._memory, np.float32, values, offset=_HEADER_BYTES)
        self._samples = flat.reshape(self.capacity, self.channels)

    @classmethod
    def create(cls, capacity: int, channels: int, *, broadcast: bool = False) -> Self:
        """A new ring, empty.

        It vanishes with ``unlink``; if this process is killed, Python's resource tracker, a process of its own,
        removes it.

        Args:
            capacity: samples that it holds.
            channels: numbers in a sample.
            broadcast: whether new samples overwrite the oldest ones.

        Raises:
            ValueError: the capacity is below 1 or above 2^28, or the channels are below 1 or above 64.
        """
        if not 1 <= capacity <= _LARGEST:
            raise ValueError(f"the capacity of a ring must be from 1 to {_LARGEST} samples, not {capacity}")
        if not 1 <= channels <= _MOST_CHANNELS:
            raise ValueError(f"the channels of a ring must be from 1 to {_MOST_CHANNELS}, not {channels}")
        memory = SharedMemory(create=True, size=_HEADER_BYTES + capacity * channels * 4)
        header = np.zeros(_HEADER_BYTES // 8, np.uint64)
        header[_KIND], header[_CAPACITY], header[_BROADCAST], header[_CHANNELS] = _MAGIC, capacity, broadcast, channels
        np.ndarray(header.shape, header.dtype, memory.buf)[:] = header
        memory.close()
        ring = cls(memory.name)
        ring._owned = memory
        return ring

    @classmethod
    def attach(cls, name: str) -> Self:
        """A ring that this process or another one has created.

        ``SharedMemory`` would attach to it too, but before Python 3.13 it lets the resource tracker of every process
        that attaches remove the memory.

        Raises:
            FileNotFoundError: there is no such ring.
            ValueError: what has this name is no ring.
        """
        return cls(name)

    @property
    def written(self) -> int:
        """Samples written so far: the position of the next one."""
        return int(self._words[_WRITTEN])

    @property
    def taken(self) -> int:
        """Samples that the reader has read or skipped so far: the position of the next one it reads."""
        return int(self._words[_TAKEN])

    @property
    def missing(self) -> int:
        """Number of samples that the reader asked for before they were written."""
        return int(self._words[_MISSING])

    @property
    def underruns(self) -> int:
        """How often the reader asked for more samples than were available."""
        return int(self._words[_UNDERRUNS])

    @property
    def began(self) -> int:
        """Position at which the newest stream begins; it does not continue the samples before it."""
        return int(self._words[_BEGAN])

    @property
    def streams(self) -> int:
        """Number of streams: how often ``begin`` was called."""
        return int(self._words[_STREAMS])

    @property
    def available(self) -> int:
        """Samples that the reader can take."""
        return max(0, self.written - self.taken)

    @property
    def space(self) -> int:
        """Samples that the writer can write now."""
        return self.capacity if self.broadcast else self.capacity - self.available

    @property
    def unbroken(self) -> int:
        """Number of samples that the reader can read before the next stream begins.

        Of several beginnings ahead of the reader only the first and the newest are remembered, so after the first the
        next one known is the newest.
        """
        taken, end = self.taken, self.written
        _fence()  # a stream that begins from now on begins at ``end`` or later
        breaks = (int(self._words[_BROKE]), self.began)
        return min([end, *(position for position in breaks if position > taken)]) - taken

    def begin(self) -> int:
        """Begins a new stream: what is written next does not continue what was written before.

        Every new writer must call it once, since the previous one may have been killed at any point.

        Returns:
            the position at which the stream begins.
        """
        began = self.written
        if int(self._words[_BROKE]) <= self.taken:  # else the reader has an earlier break before it still
            self._words[_BROKE] = began
        self._words[_BEGAN] = began
        self._words[_STREAMS] += np.uint64(1)
        return began

    def write(self, samples: NDArray[np.float32]) -> int:
        """Writes as many of the samples as fit.

        Args:
            samples: float32 [N, C].

        Returns:
            how many were written: N for a broadcast.
        """
        kept = len(samples) if self.broadcast else min(len(samples), self.space)
        step = max(1, self.capacity // 2)  # so that the other half is always there for listeners
        for first in range(0, kept, step):
            piece = samples[first : min(first + step, kept)]
            begin = self.written
            end = begin + len(piece)
            # Before the first sample is overwritten, so that a listener can tell; a writer that was killed may have
            # announced more, and left it half done.
            self._words[_ANNOUNCED] = max(end, int(self._words[_ANNOUNCED]))
            _fence()
            self._store(begin, piece)
            _fence()
            self._words[_WRITTEN] = end
        return kept

    def read(self, count: int) -> NDArray[np.float32]:
        """Reads the next samples of a queue; those that are not there yet are returned as zeros and counted.

        Returns:
            float32 [count, C], a copy.
        """
        taken = self.taken
        there = min(count, self.written - taken)
        _fence()
        samples = np.zeros((count, self.channels), np.float32)
        self._load(taken, samples[:there])
        if there < count:
            self._words[_MISSING] += np.uint64(count - there)
            self._words[_UNDERRUNS] += np.uint64(1)
        _fence()
        self._words[_TAKEN] = taken + there
        return samples

    def skip(self, count: int) -> None:
        """Drops the reader's next ``count`` samples, or all if fewer are available; none if ``count`` is below 1."""
        self._words[_TAKEN] = self.taken + max(0, min(count, self.available))

    def latest(self, position: int, count: int) -> Heard:
        """Copies samples from a position on; no reader or other listener is affected.

        If the samples at the position were already overwritten, the copy begins half a ring behind the writer instead,
        so that the listener is not too late again at once. If the position is ahead of the writer, no samples are
        returned.

        Args:
            position: of the first sample to copy; pass ``written`` to begin with the next sample to be written.
            count: largest number of samples to copy.
        """
        written = self.written
        _fence()
        begin = self._reachable(position, written)
        while True:
            samples = np.empty((max(0, min(count, written - begin)), self.channels), np.float32)
            self._load(begin, samples)
            _fence()
            # What was announced while the samples were copied may have been mixed into them.
            safe = self._reachable(begin, max(written, int(self._words[_ANNOUNCED])))
            if safe == begin:
                return Heard(samples, begin + len(samples), begin - position)
            written = self.written
            _fence()
            begin = min(safe, written)

    def close(self) -> None:
        """Detaches this process from the ring; other processes keep it."""
        del self._words, self._samples  # views: the memory is in use as long as they are
        self._memory.close()

    def unlink(self) -> None:
        """Removes the ring if this process created it; attached processes can use it until they close it."""
        if self._owned is not None:
            with contextlib.suppress(FileNotFoundError):
                self._owned.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self.unlink()

    def _reachable(self, position: int, end: int) -> int:
        """``position``, or half a ring before ``end`` if writing up to ``end`` overwrote that position."""
        return position if end - position <= self.capacity else end - self.capacity // 2

    def _store(self, position: int, samples: NDArray[np.float32]) -> None:
        first = position % self.capacity
        fitting = min(len(samples), self.capacity - first)
        self._samples[first : first + fitting] = samples[:fitting]
        self._samples[: len(samples) - fitting] = samples[fitting:]

    def _load(self, position: int, samples: NDArray[np.float32]) -> None:
        first = position % self.capacity
        fitting = min(len(samples), self.capacity - first)
        samples[:fitting] = self._samples[first : first + fitting]
        samples[fitting:] = self._samples[: len(samples) - fitting]


def _fence() -> None:
    """No load or store passes this point, on Arm either.

    Python has no fence. Two turns of a lock make one: what stands before cannot sink below the first release, what
    stands after cannot rise above the second acquisition, and those two keep their order. The lock is new, so that
    nobody can hold it.
    """
    lock = threading.Lock()
    with lock:
        pass
    with lock:
        pass

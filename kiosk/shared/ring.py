"""Rings of sound in shared memory: one process writes, others read, and nobody ever waits for anybody.

There are no locks in the shared memory, so a process that is killed can leave none locked. What keeps the two sides
apart is that every counter has one writer and only grows: the writer stores samples first and raises ``written``
afterwards, the reader copies samples first and raises ``taken`` afterwards. Two things make that hold in Python:

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
    """What a listener got.

    Attributes:
        samples: float32 [N, C], the samples before ``position``; none where nothing new was written.
        position: where to listen on.
        lost: samples that were overwritten before the listener came for them.
    """

    samples: NDArray[np.float32]
    position: int
    lost: int


class AudioRing:
    """Float32 samples on their way from one process to others.

    A sample here is one moment of all channels: a number for each of them.

    A queue keeps every sample until its one reader took it; what does not fit is not written. A broadcast never
    refuses a sample: any number of listeners come with a position of their own, and who is late has lost samples.

    Each of the three sides (writer, reader, listeners) may live in another process, and is used by one thread at a
    time. Positions and counters are whole numbers of samples since the ring was made; they never fall, whoever of
    the processes is replaced.
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
        """Samples that the reader took or dropped so far: the position of its next one."""
        return int(self._words[_TAKEN])

    @property
    def missing(self) -> int:
        """Samples that the reader asked for and that were not there."""
        return int(self._words[_MISSING])

    @property
    def underruns(self) -> int:
        """How often the reader asked for more than was there."""
        return int(self._words[_UNDERRUNS])

    @property
    def began(self) -> int:
        """Where the newest stream began: what was written before does not lead into it."""
        return int(self._words[_BEGAN])

    @property
    def streams(self) -> int:
        """How often a writer began anew."""
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
        """Samples that the reader can take before those of a writer that began anew follow on them.

        Of several beginnings ahead of the reader the first and the newest are remembered: who reads up to the first
        goes on at the newest.
        """
        taken, end = self.taken, self.written
        _fence()  # a stream that begins from now on begins at ``end`` or later
        breaks = (int(self._words[_BROKE]), self.began)
        return min([end, *(position for position in breaks if position > taken)]) - taken

    def begin(self) -> int:
        """The writer says that what it writes next does not follow on what was written before.

        To be called once by every new writer, since the one before may have been killed anywhere.

        Returns:
            the position where its stream begins.
        """
        began = self.written
        if int(self._words[_BROKE]) <= self.taken:  # else the reader has an earlier break before it still
            self._words[_BROKE] = began
        self._words[_BEGAN] = began
        self._words[_STREAMS] += np.uint64(1)
        return began

    def write(self, samples: NDArray[np.float32]) -> int:
        """Writes as many of the samples as there is room for.

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
        """Takes the next samples out of a queue; what is not there yet is silence, and is counted.

        Returns:
            float32 [count, C], the reader's own.
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
        """The reader drops its next samples, as many of them as there are; none if ``count`` is below 1."""
        self._words[_TAKEN] = self.taken + max(0, min(count, self.available))

    def latest(self, position: int, count: int) -> Heard:
        """What was written from a position on, without taking it from anybody.

        A listener whose position was overwritten is moved forward to half a ring behind the writer, so that it is
        not late again at once. One that is ahead of the writer waits for it.

        Args:
            position: of the first sample that is wanted; ``written`` begins with what comes next.
            count: most samples that are wanted.
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
        """Gives the memory back; the ring itself stays for the other processes."""
        del self._words, self._samples  # views: the memory is in use as long as they are
        self._memory.close()

    def unlink(self) -> None:
        """Removes the ring, for who created it; processes that are attached can go on until they close it."""
        if self._owned is not None:
            with contextlib.suppress(FileNotFoundError):
                self._owned.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self.unlink()

    def _reachable(self, position: int, end: int) -> int:
        """The position, or where a listener is moved to if what ends at ``end`` overwrote it."""
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

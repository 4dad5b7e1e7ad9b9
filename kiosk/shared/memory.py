"""Memory of processes that run for months: what is freed goes back to the system, and does not lie in pieces."""

from __future__ import annotations

import contextlib
import ctypes

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8  # M_MMAP_THRESHOLD and M_ARENA_MAX of mallopt(3)
_LARGE = 128 * 1024
_ARENAS = 2


def give_back_freed_memory() -> None:
    """Asks the C library to return large blocks when they are freed, for the life of this process.

    Left alone, glibc raises its bound of what is large with every picture that is freed, keeps a heap for each
    thread, and fills those with holes: a process grows for hours though nothing leaks. Other C libraries have no such
    knob, and nothing happens.
    """
    with contextlib.suppress(AttributeError):
        system = ctypes.CDLL(None)
        system.mallopt(_MMAP_THRESHOLD, _LARGE)
        system.mallopt(_ARENA_MAX, _ARENAS)

"""A one-way channel between two processes that neither can block and neither can break.

It is a pipe with one writer and one reader. There is no lock in shared memory, so a process that is killed in the
middle of a message can leave nothing locked behind; the other side sees that the channel has ended.
"""

from __future__ import annotations

import multiprocessing
import threading
from multiprocessing.connection import Connection
from typing import Any, Self


def open_channel(limit: int) -> tuple[Sender, Receiver]:
    """A new channel; each end may be handed to a process that is being started, and is then used there alone.

    Args:
        limit: how many messages of one kind (one class) may wait on each side, at least 1. When one more comes, the
            oldest of that kind is dropped: the new one is kept.
    """
    reading, writing = multiprocessing.Pipe(duplex=False)
    return Sender(writing, limit), Receiver(reading, limit)


class _End:
    """One end of a channel. It can be handed to a process that is being started, until it is first used."""

    def __init__(self, connection: Connection, limit: int) -> None:
        self._connection = connection
        self._waiting = Waiting(limit)
        self._thread: threading.Thread | None = None

    @property
    def dropped(self) -> int:
        """How many messages were dropped because newer ones of their kind came."""
        return self._waiting.dropped

    def __reduce__(self) -> tuple[type[Self], tuple[Connection, int]]:
        return type(self), (self._connection, self._waiting.limit)


class Sender(_End):
    """The end that is written; see ``open_channel``."""

    @property
    def closed(self) -> bool:
        """Whether the reader is gone; what is put then is dropped."""
        return self._waiting.ended

    def put(self, message: object) -> None:
        """Sends a message, or drops the oldest of its kind for it; returns at once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._send, name="sender", daemon=True)
            self._thread.start()
        self._waiting.add(message)

    def close(self) -> None:
        """Gives this end up; the reader sees the end of the channel."""
        self._waiting.end()
        self._connection.close()

    def _send(self) -> None:
        while (message := self._waiting.take(None)) is not None:
            try:
                self._connection.send(message)
            except (OSError, ValueError):  # the reader is gone, or this end was closed meanwhile
                break
        self._waiting.end()


class Receiver(_End):
    """The end that is read; see ``open_channel``."""

    def __init__(self, connection: Connection, limit: int) -> None:
        super().__init__(connection, limit)
        self._arrived: threading.Event | None = None

    @property
    def closed(self) -> bool:
        """Whether the writer is gone and every message has been read."""
        return self._waiting.ended and not self._waiting

    def get(self, timeout: float | None = None) -> Any:
        """The oldest message that waits, or None.

        Args:
            timeout: longest wait in seconds; 0 only looks, None waits without end.

        Returns:
            a message; None when none came in time or the writer is gone.
        """
        self._start()
        return self._waiting.take(timeout)

    def announce(self, arrived: threading.Event) -> None:
        """Sets ``arrived`` from now on whenever a message comes and when the writer is gone."""
        self._arrived = arrived
        self._start()

    def close(self) -> None:
        """Gives this end up; the writer sees the end of the channel."""
        self._waiting.end()
        if self._thread is None:  # else the reading thread closes it: closing under its feet would not wake it
            self._connection.close()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._receive, name="receiver", daemon=True)
            self._thread.start()

    def _receive(self) -> None:
        # Reading never pauses, so what waits is bounded here by count and not by the size of a pipe.
        try:
            while not self._waiting.ended:
                self._waiting.add(self._connection.recv())
                self._tell()
        except (EOFError, OSError):
            pass
        self._waiting.end()
        self._connection.close()
        self._tell()

    def _tell(self) -> None:
        if self._arrived is not None:
            self._arrived.set()


class Waiting:
    """Messages of one process in order, at most ``limit`` of each kind: the newest.

    Args:
        limit: at least 1.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError("a channel holds at least one message of a kind")
        self.limit = limit
        self.dropped = 0
        self.ended = False
        self._messages: list[object] = []
        self._change = threading.Condition()

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, message: object) -> None:
        """Puts a message at the end, in place of the oldest of its kind where there are too many."""
        with self._change:
            if self.ended:
                return
            same = [place for place, other in enumerate(self._messages) if type(other) is type(message)]
            if len(same) >= self.limit:
                del self._messages[same[0]]
                self.dropped += 1
            self._messages.append(message)
            self._change.notify()

    def take(self, timeout: float | None) -> Any:
        """The first message, which may be waited for as in ``Receiver.get``; or None."""
        with self._change:
            self._change.wait_for(lambda: bool(self._messages) or self.ended, timeout)
            return self._messages.pop(0) if self._messages else None

    def end(self) -> None:
        """No message is taken in any more, and nobody waits for one."""
        with self._change:
            self.ended = True
            self._change.notify_all()

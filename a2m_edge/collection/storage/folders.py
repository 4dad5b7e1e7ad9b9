"""Where the results of a run are kept: a folder, or storage that fsspec reaches (``s3://bucket/folder`` and so on).

Whoever renders writes here, from any process and any computer; the index is held by one process alone. A name is a
path below the place of the run, its parts joined by ``/``.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from a2m_edge.errors import A2MError, OutputError
from a2m_edge.ledger import claim, digest, identity, is_free, note
from a2m_edge.output import held, written_aside

SOUNDS = "sounds"
"""Where the sound files lie, below the place of the run."""

INDEX = "index.jsonl"

SYNC_SECONDS = 1.0


class IndexLog(Protocol):
    """The lines of the index, only ever added to."""

    def lines(self) -> Iterator[bytes]:
        """Every whole line, its end included, oldest first; to be read once, before anything is added."""

    def add(self, line: bytes) -> None:
        """Adds a line.

        Raises:
            OutputError: it cannot be written; the log ends as before.
        """

    def close(self) -> None:
        """Makes sure that everything is kept.

        Raises:
            OutputError: it could not be.
        """


class Storage(Protocol):
    """The place of a run."""

    @property
    def place(self) -> str:
        """As people write it."""

    @property
    def folder(self) -> Path | None:
        """The folder that this is, or None where it is none of this computer."""

    def held(self) -> AbstractContextManager[None]:
        """Prepares the place, and keeps it for this process as far as that can be done.

        Raises:
            OutputError: it cannot be used, or another run uses it.
        """

    def claim(
        self, names: Sequence[str], written: Mapping[str, tuple[int, str]], sources: Sequence[Path], force: bool
    ) -> None:
        """Makes sure that files may be written: each is missing, or what this program wrote.

        Args:
            names: of the files.
            written: size and SHA-256 of those that the index knows.
            sources: files of this computer that must stay even where ``force`` is set.
            force: whether what others wrote may be replaced.

        Raises:
            OptionError: a file is a source.
            OutputError: a file is there that this program did not write, or that was changed since.
        """

    def free_name(self, name: str, source: Path | None = None, force: bool = False) -> str:
        """``name``, or one beside it where the source, or without ``force`` somebody else's file, is called so.

        Raises:
            OutputError: the place cannot be read.
        """

    def log(self, source: Path | None = None) -> IndexLog:
        """Opens the index; one of another name where the source, or a file that is no index, is called so.

        Raises:
            OutputError: it cannot be read or written.
        """

    def write(self, name: str, content: bytes) -> None:
        """Writes a file whole or not at all, and not over one that this program did not write.

        Raises:
            OutputError: it cannot be written.
        """

    def has(self, name: str, size: int, sha256: str) -> bool:
        """Whether there is such a file of that content, as far as the place can tell without sending it back."""

    def made_folder(self) -> AbstractContextManager[Path]:
        """A folder of this computer: what is written below it is at the place when the block ends well.

        Raises:
            OutputError: something cannot be written there.
        """


class LocalStorage:
    """A folder.

    Args:
        folder: made where it is missing, when it is held.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def place(self) -> str:
        """See ``Storage``."""
        return str(self.folder)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """See ``Storage``: the folder, for this process alone."""
        with held(self.folder):
            self._make(self.folder / SOUNDS)
            try:
                yield
            except A2MError:
                self._clear_empty()
                raise

    def claim(
        self, names: Sequence[str], written: Mapping[str, tuple[int, str]], sources: Sequence[Path], force: bool
    ) -> None:
        """See ``Storage``."""
        for name, (size, sha256) in written.items():
            if self.has(name, size, sha256):
                note(self.folder / name, sha256)
        claim(*(self.folder / name for name in names), force=force, sources=sources)

    def free_name(self, name: str, source: Path | None = None, force: bool = False) -> str:
        """See ``Storage``."""
        path = self.folder / name
        return name if (force or is_free(path)) and not _same(path, source) else beside(name)

    def log(self, source: Path | None = None) -> IndexLog:
        """See ``Storage``."""
        for name in (INDEX, beside(INDEX)):
            path = self.folder / name
            with contextlib.suppress(FileNotFoundError), path.open("rb") as stream:
                if _same(path, source) or not is_index(stream):
                    continue
            return _FileLog(path)
        raise OutputError(f"{self.folder / INDEX} is no index of a2m-edge: name another folder")

    def write(self, name: str, content: bytes) -> None:
        """See ``Storage``; the cause of an ``OutputError`` is the OSError."""
        path = self.folder / name
        self._make(path.parent)
        with written_aside(path) as stream:
            stream.write(content)

    def has(self, name: str, size: int, sha256: str) -> bool:
        """See ``Storage``; the file is read where its size is right."""
        try:
            path = self.folder / name
            if path.stat().st_size != size:
                return False
            return digest(path) == sha256
        except (OSError, ValueError):
            return False

    @contextlib.contextmanager
    def made_folder(self) -> Iterator[Path]:
        """See ``Storage``: the folder itself."""
        yield self.folder

    def _clear_empty(self) -> None:
        """Leaves nothing behind of a run that was refused before it made anything."""
        with contextlib.suppress(OSError):
            (self.folder / SOUNDS).rmdir()
        for name in (INDEX, beside(INDEX)):
            with contextlib.suppress(OSError):
                if not (self.folder / name).stat().st_size:
                    (self.folder / name).unlink()

    @staticmethod
    def _make(folder: Path) -> None:
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot write {folder}: {error.strerror}") from error


class _FileLog:
    """An index in a file.

    A line is handed to the system at once: a process killed at any moment loses none. The disk is waited for once in
    ``SYNC_SECONDS``: a power cut loses as much at most. A last line that was torn by either is cut off first.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._stream = path.open("ab", buffering=0)
        except OSError as error:
            raise self._refused(error) from error
        self._end = 0
        self._synced = time.monotonic()

    def lines(self) -> Iterator[bytes]:
        """See ``IndexLog``."""
        try:
            with self._path.open("rb") as stream:
                for line in whole_lines(stream):
                    self._end += len(line)
                    yield line
            os.truncate(self._stream.fileno(), self._end)
        except OSError as error:
            raise self._refused(error) from error

    def add(self, line: bytes) -> None:
        """See ``IndexLog``."""
        try:
            written = 0
            while written < len(line):
                written += self._stream.write(line[written:])
            if time.monotonic() - self._synced > SYNC_SECONDS:
                os.fsync(self._stream.fileno())
                self._synced = time.monotonic()
        except OSError as error:
            os.truncate(self._stream.fileno(), self._end)
            raise self._refused(error) from error
        self._end += len(line)

    def close(self) -> None:
        """See ``IndexLog``."""
        try:
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise self._refused(error) from error
        finally:
            self._stream.close()

    def _refused(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write {self._path}: {error.strerror or error}; make room or choose another folder")


def beside(name: str) -> str:
    """The name that an index takes where somebody else's file has its own."""
    return f"a2m-edge-{name}"


def is_index(lines: Iterable[bytes]) -> bool:
    """Whether a file of these lines is an index of this program, or empty.

    Every line of an index has all the fields of a record; a table of works has not these two. Some may be damaged.
    """
    empty = True
    for line in lines:
        if line.endswith(b"\n") and b'"work": ' in line and b'"sha256": ' in line:
            return True
        empty = False
    return empty


def _same(path: Path, source: Path | None) -> bool:
    return source is not None and identity(path) is not None and identity(path) == identity(source)


def whole_lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines up to the first one that has no end."""
    for line in lines:
        if not line.endswith(b"\n"):
            return
        yield line

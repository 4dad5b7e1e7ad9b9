"""Writing results: whole or not at all, and never over what is not the program's own (see ``a2m_edge.ledger``)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn

from a2m_edge.errors import OutputError
from a2m_edge.ledger import begin_list, digest, end_list, note, require_free

_LOCK, _ASIDE = ".lock", ".part"
_ASIDE_NAME = re.compile(rf"\.[0-9a-f]{{16}}{re.escape(_ASIDE)}")


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[BinaryIO]:
    """A binary stream whose content appears at ``path`` when the block ends well, else nowhere.

    The content goes to a hidden file in the same folder, reaches the disk, and is then renamed: a reader sees
    the old file or the new one, never a part. What this program did not write is not replaced. A symbolic link stays
    and its target is replaced. A device or a pipe (``/dev/null``) is written directly, since a rename would take its
    place.

    Raises:
        OutputError: the folder is missing or may not be written, ``path`` is a folder or a file that this program did
            not write, or the disk is full.
    """
    with _aside(path, require_free, lambda target, aside: note(target, digest(aside))) as stream:
        yield stream


@contextlib.contextmanager
def written_within(path: Path) -> Iterator[BinaryIO]:
    """The same for a file within a folder that is the program's alone, such as a cache: nobody asks whose it was.

    Raises:
        OutputError: as of ``written_aside``, a stranger's file apart.
    """
    with _aside(path) as stream:
        yield stream


@contextlib.contextmanager
def _aside(
    path: Path, allow: Callable[[Path], None] | None = None, keep: Callable[[Path, Path], None] | None = None
) -> Iterator[BinaryIO]:
    """Asks ``allow`` about the file that is to be replaced, and tells ``keep`` of both before it is."""
    try:
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise OutputError(f"cannot write {path}: it is a folder; name a file in it")
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            with target.open("wb") as device:
                yield device
            return
        if not target.parent.is_dir():
            raise OutputError(f"cannot write {path}: there is no folder {path.parent}; create it first")
        if allow is not None:
            allow(target)
        aside = target.parent / f".{secrets.token_hex(8)}{_ASIDE}"
        try:
            with aside.open("xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            # Noted first: a power cut between the two leaves a note too many, and no file that seems a stranger's.
            if keep is not None:
                keep(target, aside)
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


def make_folder(folder: Path) -> None:
    """Makes a folder for results, and those above it, where it is missing.

    Raises:
        OutputError: that cannot be done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror}; choose another folder") from error
    begin_list(folder)


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """A folder for this process alone, made where it is missing, and rid of what killed processes were writing.

    Raises:
        OutputError: it cannot be written, or another process holds it.
    """
    make_folder(folder)
    try:
        lock = (folder / _LOCK).open("ab")
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror}; choose another folder") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OutputError(f"another run writes to {folder}: wait for it, or choose another folder") from None
        _clear(folder)
        try:
            yield
        finally:
            _clear(folder)
            end_list(folder)


def require_seen(path: Path, folder: Path) -> None:
    """Refuses a folder that the computer which wrote a file to it does not share with this one.

    Raises:
        OutputError: the file is not there.
    """
    if not path.exists():
        raise OutputError(
            f"{folder} is not one folder for all computers: {path.name} was written to another one; name a folder "
            f"that all of them share"
        )


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Lets SIGTERM end a command the way Ctrl-C does, so that nothing half-written stays behind."""

    def stop(number: int, _frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _clear(folder: Path) -> None:
    """Removes files that a killed process was writing."""
    for entry in folder.rglob(f".*{_ASIDE}"):
        if _ASIDE_NAME.fullmatch(entry.name):
            with contextlib.suppress(OSError):
                entry.unlink()

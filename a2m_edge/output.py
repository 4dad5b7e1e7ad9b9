"""Writing results: whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn

from a2m_edge.errors import OutputError

_LOCK, _ASIDE = ".lock", ".part"
_ASIDE_NAME = re.compile(rf"\.[0-9a-f]{{16}}{re.escape(_ASIDE)}")


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[BinaryIO]:
    """A binary stream whose content appears at ``path`` when the block ends well, else nowhere.

    The content goes to a hidden file in the same folder, reaches the disk, and is then renamed: a reader sees
    the old file or the new one, never a part. A symbolic link stays and its target is replaced. A device or a
    pipe (``/dev/null``) is written directly, since a rename would take its place.

    Raises:
        OutputError: the folder is missing or may not be written, ``path`` is a folder, or the disk is full.
    """
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
        aside = target.parent / f".{secrets.token_hex(8)}{_ASIDE}"
        try:
            with aside.open("xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


def make_folder(folder: Path) -> None:
    """Makes a folder, and those above it, where it is missing.

    Raises:
        OutputError: that cannot be done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror}; choose another folder") from error


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

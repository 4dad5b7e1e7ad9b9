"""Writing results: whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn

from a2m_edge.errors import OutputError


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
        aside = target.parent / f".{secrets.token_hex(8)}.part"
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

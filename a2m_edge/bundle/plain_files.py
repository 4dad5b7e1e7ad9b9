"""Reading files that may have been put there by somebody else: plain ones alone, and no more of them than is wanted."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from a2m_edge.bundle.manifest import FileRecord


class NotPlainError(Exception):
    """A path is a link, a folder, a pipe or a device; the message is a clause that names it."""


def read_plain_file(path: Path, most: int) -> bytes:
    """The first ``most`` bytes of a plain file, or all of them if there are fewer.

    Raises:
        NotPlainError: the path is something else.
        OSError: it cannot be read.
    """
    _plain_status(path)
    with path.open("rb") as stream:
        return stream.read(most)


def record_plain_file(path: Path, expected_size: int | None = None) -> FileRecord:
    """Size and hash of a plain file; of one whose size is not the expected one, the hash is left empty.

    Raises:
        NotPlainError, OSError: as ``read_plain_file``.
    """
    status = _plain_status(path)
    if expected_size is not None and status.st_size != expected_size:
        return FileRecord("", status.st_size)
    with path.open("rb") as stream:
        return FileRecord(hashlib.file_digest(stream, "sha256").hexdigest(), status.st_size)


def _plain_status(path: Path) -> os.stat_result:
    status = path.lstat()  # a link could lead out of the folder, a pipe would never end
    if not stat.S_ISREG(status.st_mode):
        raise NotPlainError(f"{path.name} is no plain file")
    return status

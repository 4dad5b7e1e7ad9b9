"""Reading files that may have been put there by somebody else: plain ones alone, and no more of them than is wanted."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from a2m_edge.bundle.manifest import FileRecord
from a2m_edge.errors import encodable

_CHUNK = 1 << 20


@contextlib.contextmanager
def utf8_path(path: Path) -> Iterator[str]:
    """A path as libraries take it that know no names but those in UTF-8; to be used while the block lasts.

    Where a folder's name is no UTF-8, it is opened and named by the number under which Linux shows it to the process
    (https://man7.org/linux/man-pages/man5/proc_pid_fd.5.html), and files beside ``path`` are found there too; so is
    the file, where its own name is none.

    Raises:
        OSError: folder or file cannot be opened.
    """
    if str(path) == encodable(str(path)):
        yield str(path)
        return
    plain = path.name == encodable(path.name)
    number = os.open(path.parent if plain else path, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{number}/{path.name}" if plain else f"/proc/self/fd/{number}"
    finally:
        os.close(number)


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


def line_ends_differ(path: Path, stated: FileRecord) -> bool:
    """Whether a plain file is the stated one but for its line ends: CRLF for each LF, or the other way round.

    Raises:
        NotPlainError, OSError: as ``read_plain_file``.
    """
    size = _plain_status(path).st_size
    if size == stated.size or max(size, stated.size) > 2 * min(size, stated.size):
        return False  # no line end makes that of the other, and what is far too large is not read
    with_lf, with_crlf = hashlib.sha256(), hashlib.sha256()
    with path.open("rb") as stream:
        held = b""
        while chunk := stream.read(_CHUNK):
            chunk = held + chunk
            held = b"\r" if chunk.endswith(b"\r") else b""  # its LF may come with the next chunk
            plain = chunk[: len(chunk) - len(held)].replace(b"\r\n", b"\n")
            with_lf.update(plain)
            with_crlf.update(plain.replace(b"\n", b"\r\n"))
    for digest in (with_lf, with_crlf):
        digest.update(held)
    return stated.sha256 in (with_lf.hexdigest(), with_crlf.hexdigest())


def _plain_status(path: Path) -> os.stat_result:
    status = path.lstat()  # a link could lead out of the folder, a pipe would never end
    if not stat.S_ISREG(status.st_mode):
        raise NotPlainError(f"{path.name} is no plain file")
    return status

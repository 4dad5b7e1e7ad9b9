"""What may be replaced: what this program wrote, as it wrote it, and nothing else.

Each folder that results go to holds a hidden list, ``.a2m-edge.sha256``, with the SHA-256 and the name of all that was
written there. A file whose content is on the list of its folder is the program's own; a file that was edited since, or
that came from elsewhere, is not. An output may also be a folder that takes its place as a whole, such as a bundle: its
hash is that of the hashes and names in it.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from a2m_edge.errors import OptionError, OutputError, printable

LEDGER = ".a2m-edge.sha256"
"""The list of a folder, with lines as ``sha256sum`` writes them; what is no ASCII in a name is percent-encoded."""

_LINE = re.compile(rb"^([0-9a-f]{64})  ", re.MULTILINE)


def claim(*outputs: Path, force: bool = False, sources: Iterable[Path | None] = ()) -> None:
    """Makes sure, before any work, that outputs may be written: each is missing, empty, or what this program wrote.

    Args:
        outputs: files, or folders that take their place as a whole.
        force: what stands there may be replaced, whosever it is: it is noted as if it were the program's own.
        sources: what the outputs are made from, which must stay even then.

    Raises:
        OptionError: an output is a source.
        OutputError: an output is there that this program did not write, or cannot be read.
    """
    kept = {identity(source) for source in sources if source is not None} - {None}
    foreign = []
    for output in outputs:
        if identity(output) in kept:
            raise OptionError(f"{printable(str(output))} is what is read; name another file to write")
        if not is_free(output):
            foreign.append(output)
    if foreign and not force:
        raise OutputError(_refusal(foreign))
    for output in foreign:
        note(output, digest(output))


def claim_below(folder: Path, *names: str, force: bool) -> None:
    """The same for files in a folder of results, whose further files are asked about as they are written.

    Args:
        folder: it need not be there.
        names: of files in it that are written late.
        force: whether any file below the folder may be replaced.

    Raises:
        OutputError: as of ``claim``.
    """
    claim(*(folder / name for name in names), force=force)
    if force:
        claim(*(path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != LEDGER), force=True)


def is_free(output: Path) -> bool:
    """Whether an output may be written: it is missing, a pipe or device, an empty folder, or the program's own.

    Raises:
        OutputError: it, or the list beside it, cannot be read.
    """
    target = Path(os.path.realpath(output))
    try:
        if not target.exists() or not (target.is_file() or target.is_dir()):
            return True
        if target.is_dir() and not any(target.iterdir()):
            return True
        return digest(target) in _ledger(target.parent).hashes()
    except OSError as error:
        raise OutputError(f"cannot read {printable(str(output))}: {error.strerror or error}") from error


def require_free(output: Path) -> None:
    """Refuses an output that may not be written, see ``is_free``.

    Raises:
        OutputError: this program did not write it, or it cannot be read.
    """
    if not is_free(output):
        raise OutputError(_refusal([output]))


def note(output: Path, content: str) -> None:
    """Adds an output to the list of its folder, on the disk before this returns.

    Args:
        output: as in ``claim``; it need not be there yet.
        content: its ``digest``.

    Raises:
        OutputError: the list cannot be written.
    """
    target = Path(os.path.realpath(output))
    try:
        ledger = _ledger(target.parent)
        if content not in ledger.hashes():
            ledger.add(content, target.name)
    except OSError as error:
        raise OutputError(
            f"cannot write {printable(str(target.parent / LEDGER))}: {error.strerror or error}"
        ) from error


def digest(output: Path) -> str:
    """SHA-256 in hexadecimal: of a file, or of the hashes and names of all that is below a folder.

    Raises:
        OSError: something cannot be read.
    """
    if not output.is_dir():
        with output.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    whole = hashlib.sha256()
    for path in sorted(output.rglob("*")):
        if not path.is_dir():
            whole.update(f"{digest(path)}  ".encode() + os.fsencode(path.relative_to(output)) + b"\n")
    return whole.hexdigest()


class _Ledger:
    """The list of a folder; what others add to it meanwhile is read too."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / LEDGER
        self._hashes: set[str] = set()
        self._read: tuple[int, int] = (0, 0)
        """Inode, and bytes that were read of it."""

    def hashes(self) -> set[str]:
        try:
            with self._file.open("rb") as stream:
                status = os.fstat(stream.fileno())
                inode, done = self._read
                if inode != status.st_ino or done > status.st_size:
                    self._hashes.clear()
                    done = 0
                stream.seek(done)
                whole, end, _ = stream.read().rpartition(b"\n")
        except FileNotFoundError:
            self._hashes.clear()
            self._read = (0, 0)
            return self._hashes
        self._hashes.update(found.decode() for found in _LINE.findall(whole + end))
        self._read = (status.st_ino, done + len(whole) + len(end))
        return self._hashes

    def add(self, content: str, name: str) -> None:
        with self._file.open("ab") as stream, _alone(stream.fileno()):
            torn = stream.tell() and not self._ends_whole()
            stream.write((b"\n" if torn else b"") + f"{content}  {quote(os.fsencode(name), safe=' ')}\n".encode())
            stream.flush()
            os.fsync(stream.fileno())

    def _ends_whole(self) -> bool:
        with self._file.open("rb") as stream:
            stream.seek(-1, os.SEEK_END)
            return stream.read() == b"\n"


@functools.lru_cache(maxsize=64)
def _ledger(folder: Path) -> _Ledger:
    return _Ledger(folder)


@contextlib.contextmanager
def _alone(descriptor: int) -> Iterator[None]:
    """Several processes may add lines; where the file system knows no locks, a mixed line is one that is not read."""
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield


def identity(path: Path) -> tuple[int, int] | None:
    """What a file has in common under all its names: device and inode; None for a missing one."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _refusal(foreign: list[Path]) -> str:
    others = "" if len(foreign) == 1 else f", and so are {len(foreign) - 1:,} others"
    return (
        f"{printable(str(foreign[0]))} is not what a2m-edge wrote there{others}: name another place, or move it away; "
        f"--force replaces it"
    )

"""What may be replaced: what this program wrote, as it wrote it, and nothing else.

Lists say what that is. A line holds the SHA-256 of an output and its path. A folder that is made for results has a
hidden list of its own, ``.a2m-edge.sha256``, which serves all that is below it and moves with it. Files that are
written elsewhere, beside what belongs to others, are on a list of the user: ``a2m-edge/written.sha256`` in
``XDG_STATE_HOME`` or ``~/.local/state`` (https://specifications.freedesktop.org/basedir-spec/); where that cannot be
written, on one in their folder. What was edited since, or came from elsewhere, is on none, and is somebody else's.

An output may also be a folder that takes its place as a whole, such as a bundle: its hash is that of all hashes and
names in it.
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
"""The list of a folder."""

_LINE = re.compile(r"(!?)([0-9a-f]{64})(?:,([0-9a-f]{64}))?  (\S+)")
"""A hash, that of the file which is being replaced, and the path, percent-encoded; ``!`` where it is a stranger's that
the user lets be replaced."""

_DEEPEST = 6
"""Folders up to which the list of a folder of results may lie above a file."""


def claim(*outputs: Path, force: bool = False, sources: Iterable[Path | None] = ()) -> None:
    """Makes sure, before any work, that outputs may be written: each is missing, empty, or what this program wrote.

    Args:
        outputs: files, or folders that take their place as a whole.
        force: what stands there may be replaced, whosever it is, as it is now.
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
        raise OutputError(refusal(str(foreign[0]), len(foreign) - 1))
    for output in foreign:
        with _told(output):
            _add(output, digest(output), let=True)


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
        OutputError: it, or a list, cannot be read.
    """
    target = Path(os.path.realpath(output))
    with _told(output):
        if not (target.is_file() or target.is_dir()) or (target.is_dir() and not any(target.iterdir())):
            return True
        known = [hashed for each in _lists(target.parent) for hashed in each.hashes(target)]
        return bool(known) and digest(target) in known


def require_free(output: Path) -> None:
    """Refuses an output that may not be written, see ``is_free``.

    Raises:
        OutputError: this program did not write it, or it cannot be read.
    """
    if not is_free(output):
        raise OutputError(refusal(str(output)))


def note(output: Path, content: str) -> None:
    """Puts an output on its list, on the disk before this returns.

    Args:
        output: as in ``claim``; it need not be there yet, and what it replaces counts as the program's own until it is.
        content: its ``digest``.

    Raises:
        OutputError: no list can be written.
    """
    with _told(output):
        _add(output, content)


def begin_list(folder: Path) -> None:
    """Begins the list of a folder of results, unless one of a folder above serves it.

    Raises:
        OutputError: it cannot be written.
    """
    place = Path(os.path.realpath(folder))
    with _told(folder):
        if not _above(place):
            (place / LEDGER).open("ab").close()
            _lists.cache_clear()


def end_list(folder: Path) -> None:
    """Takes the list of a folder away if nothing came onto it."""
    file = Path(os.path.realpath(folder)) / LEDGER
    with contextlib.suppress(OSError):
        if not file.stat().st_size:
            file.unlink()
            _lists.cache_clear()


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


def identity(path: Path) -> tuple[int, int] | None:
    """What a file has in common under all its names: device and inode; None for a missing one."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def refusal(place: str, others: int = 0) -> str:
    """The sentence about somebody else's file at a place, and so many more."""
    more = "" if not others else f", and so are {others:,} more"
    return (
        f"{printable(place)} is not as a2m-edge wrote it, or never was a2m-edge's{more}: name another place, or move "
        f"it away; --force replaces it"
    )


class _List:
    """A list; what others add to it meanwhile is read too."""

    def __init__(self, file: Path, base: Path | None) -> None:
        self._file, self._base = file, base
        self._found: dict[str, tuple[bool, set[str]]] = {}
        self._read = (0, 0)
        """Inode, and bytes that were read of it."""

    def hashes(self, output: Path) -> set[str]:
        """What may stand at a place."""
        self._refresh()
        return self._found.get(self._name(output), (False, set[str]()))[1]

    def add(self, output: Path, content: str, let: bool) -> None:
        self._refresh()
        name = self._name(output)
        before_let, before = self._found.get(name, (False, set[str]()))
        if before == {content} and before_let == let:
            return
        old = None if let or before_let or not output.exists() else digest(output)
        hashes = f"{content},{old}" if old in before and old != content else content
        if self._base is None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a+b") as stream, _alone(stream.fileno()):
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - 1))
            torn = stream.read() not in (b"", b"\n")
            stream.write(f"{chr(10) if torn else ''}{'!' if let else ''}{hashes}  {name}\n".encode())
            stream.flush()
            os.fsync(stream.fileno())

    def _name(self, output: Path) -> str:
        return quote(os.fsencode(output if self._base is None else os.path.relpath(output, self._base)))

    def _refresh(self) -> None:
        try:
            with self._file.open("rb") as stream:
                status = os.fstat(stream.fileno())
                inode, done = self._read
                if inode != status.st_ino or done > status.st_size:
                    self._found.clear()
                    done = 0
                stream.seek(done)
                whole = stream.read()
        except (FileNotFoundError, NotADirectoryError):
            self._found.clear()
            self._read = (0, 0)
            return
        whole = whole[: whole.rfind(b"\n") + 1]
        self._read = (status.st_ino, done + len(whole))
        for line in whole.decode("ascii", "replace").splitlines():
            if found := _LINE.fullmatch(line):
                let, new, old, name = found.groups()
                self._found[name] = (bool(let), {new, old} - {None})


@functools.lru_cache(maxsize=256)
def _lists(folder: Path) -> tuple[_List, ...]:
    """The lists that a file in a folder may be on; it is put on the first that can be written."""
    if own := _above(folder):
        return (_List(own / LEDGER, own),)
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    with contextlib.suppress(RuntimeError):  # a user without a home
        state = state if state.is_absolute() else Path.home() / ".local" / "state"
    users = [_List(state / "a2m-edge" / "written.sha256", None)] if state.is_absolute() else []
    return *users, _List(folder / LEDGER, folder)


def _above(folder: Path) -> Path | None:
    """The folder of results that a folder is, or lies in."""
    return next((each for each in (folder, *folder.parents[:_DEEPEST]) if (each / LEDGER).is_file()), None)


def _add(output: Path, content: str, let: bool = False) -> None:
    target = Path(os.path.realpath(output))
    first, *others = _lists(target.parent)
    try:
        first.add(target, content, let)
    except OSError:
        if not others:
            raise
        others[0].add(target, content, let)


@contextlib.contextmanager
def _told(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        name = error.filename if isinstance(error.filename, str) else str(output)
        raise OutputError(f"cannot use {printable(name)}: {error.strerror or error}; choose another folder") from error


@contextlib.contextmanager
def _alone(descriptor: int) -> Iterator[None]:
    """Several processes may add lines; where the file system knows no locks, a mixed line is one that is not read."""
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield

"""The folder of engines built on this machine: what was not built here is never loaded.

A plan of TensorRT is a program: whoever writes one into the cache runs code in the process that loads it. So every
engine has a record with the SHA-256 of each of its files, and the record carries an HMAC-SHA256 under a random
secret that never leaves the folder. A plan that was copied in or altered, or whose record or secret was, fails and
is built again. The folder belongs to the user alone: who can read the secret could forge a record, and that is
who could run the code anyway.

The folder is ``$XDG_CACHE_HOME/a2m-edge/engines`` or ``~/.cache/a2m-edge/engines``. Each engine is a folder in it;
its ``record.json`` is written last, so that an interrupted build leaves nothing that looks whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import logging
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from a2m_edge.bundle.manifest import FileRecord
from a2m_edge.bundle.plain_files import NotPlainError, read_plain_file, record_plain_file
from a2m_edge.errors import EngineCacheError, OutputError
from a2m_edge.inference.devices import Gpu
from a2m_edge.inference.shapes import Profile
from a2m_edge.output import written_within
from a2m_edge.strict_json import StrictJsonError, decode, encode, parse

LIMIT = 16 << 30
"""Bytes that all engines together may take; the ones that were not used for longest go first."""

RECORD = "record.json"
_DOMAIN = b"a2m-edge engine record 1\n"
_SECRET, _SECRET_BYTES = "secret", 32
_RECORD_LIMIT = 1 << 20
_MARGIN = 64 << 20
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EngineKey:
    """Everything an engine depends on: when any part changes, another engine is built.

    Attributes:
        graph: its name in the bundle.
        files: SHA-256 of the graph and of each file of its weights, by name.
        precision: of the graph.
        builder: what builds it, with its version: ``"TensorRT 11.4.0"``.
        gpu: the very GPU it is built and tuned on.
        profiles: the shapes it is built for.
        settings: of the builder.
    """

    graph: str
    files: dict[str, str]
    precision: str
    builder: str
    gpu: Gpu
    profiles: tuple[Profile, ...]
    settings: dict[str, str]

    @property
    def name(self) -> str:
        """The name of the engine's folder: the graph, and a hash of the whole key."""
        return f"{self.graph}-{hashlib.sha256(encode(self).encode()).hexdigest()[:32]}"


@dataclass(frozen=True)
class EngineRecord:
    """What is known of an engine.

    Attributes:
        key: what it was built from.
        files: hash and size of each of its files, by name.
        parity: how it compares with its graph on this machine; empty for what is no engine.
        seconds: how long the build took.
    """

    key: EngineKey
    files: dict[str, FileRecord]
    parity: dict[str, float]
    seconds: float


@dataclass(frozen=True)
class _Sealed:
    """The content of ``record.json``."""

    record: EngineRecord
    mac: str


def cache_folder() -> Path:
    """Where engines are kept for this user; it need not exist yet.

    Raises:
        EngineCacheError: the user has no home folder.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not base.startswith("/"):  # the specification ignores relative paths:
        # https://specifications.freedesktop.org/basedir-spec/latest/
        try:
            base = str(Path.home() / ".cache")
        except RuntimeError as error:
            raise EngineCacheError(
                "this user has no home folder to keep engines in: set XDG_CACHE_HOME to a folder of its own"
            ) from error
    return Path(base) / "a2m-edge" / "engines"


class EngineCache:
    """The engines of one user on one machine.

    Args:
        folder: where they are kept; None is ``cache_folder()``. It is created, for its user alone.
        limit: bytes that all engines together may take.

    Raises:
        EngineCacheError: the folder cannot be made or written, belongs to somebody else, or others may write to it.
    """

    def __init__(self, folder: Path | None = None, limit: int = LIMIT) -> None:
        self.folder = cache_folder() if folder is None else folder
        self._limit = limit
        with _told(self.folder):
            self.folder.parent.parent.mkdir(parents=True, exist_ok=True)
            for each in (self.folder.parent, self.folder):
                with contextlib.suppress(FileExistsError):
                    each.mkdir(mode=0o700)
                _require_private(each)

    def find(self, key: EngineKey) -> EngineRecord | None:
        """The record of an engine that was built here and is still what it was then; None when there is none.

        What is there and fails is named in a warning. Every file is read to its end.
        """
        path = self.path(key)
        try:
            record = self._opened(path / RECORD, key)
            for name, stated in record.files.items():
                if _fingerprint(path / name) != stated:
                    raise _AlteredError(f"{name} was altered")
            if {entry.name for entry in path.iterdir()} != {RECORD, *record.files}:
                raise _AlteredError("it holds other files than it states")
        except FileNotFoundError:
            return None
        except (_AlteredError, OSError) as error:
            _log.warning("the engine %s was not built here or was altered (%s): it is built again", path, error)
            return None
        with contextlib.suppress(OSError):
            os.utime(path / RECORD)  # when it was last used
        return record

    def read(self, record: EngineRecord, name: str) -> bytes:
        """The content of one of an engine's files, proven as it is in memory.

        Raises:
            EngineCacheError: the file was altered since its engine was found, or cannot be read.
        """
        path = self.path(record.key) / name
        with _told(path):
            content = path.read_bytes()
        if FileRecord(hashlib.sha256(content).hexdigest(), len(content)) != record.files.get(name):
            raise EngineCacheError(f"the engine {path} was altered while it was opened: start again to build it anew")
        return content

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes of this user from building meanwhile: they wait.

        One lock serves all engines, since two builds on one GPU would disturb each other's timings.

        Raises:
            EngineCacheError: the lock cannot be taken.
        """
        path = self.folder / "lock"
        with _told(path):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                _log.info("another process is building an engine: waiting for it")
                with _told(path):
                    fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def require_space(self, size: int) -> None:
        """Refuses to begin a build whose result would not fit.

        Raises:
            EngineCacheError: less than ``size`` bytes and a margin are free.
        """
        with _told(self.folder):
            free = shutil.disk_usage(self.folder).free
        if free < size + _MARGIN:
            raise EngineCacheError(
                f"the disk of {self.folder} has {free >> 20} MiB left and an engine may take "
                f"{(size + _MARGIN) >> 20}: make room, or set XDG_CACHE_HOME to a folder on another disk"
            )

    def prepare(self, key: EngineKey) -> Path:
        """An empty folder for an engine; whatever was there is gone. Needs the lock.

        Raises:
            EngineCacheError: it cannot be made.
        """
        path = self.path(key)
        with _told(path):
            _remove(path)
            path.mkdir(mode=0o700)
        return path

    def write(self, key: EngineKey, name: str, content: bytes) -> None:
        """Writes a file into a prepared folder.

        Raises:
            EngineCacheError: it cannot be written, for example because the disk is full.
        """
        with _told(self.path(key)), written_within(self.path(key) / name) as stream:
            stream.write(content)

    def seal(self, key: EngineKey, parity: Mapping[str, float], seconds: float) -> EngineRecord:
        """Records what stands in a prepared folder as built here. Needs the lock.

        Raises:
            EngineCacheError: the record cannot be written.
        """
        path = self.path(key)
        with _told(path):
            files = {entry.name: _fingerprint(entry) for entry in sorted(path.iterdir()) if entry.name != RECORD}
            record = EngineRecord(key, files, dict(parity), seconds)
            sealed = _Sealed(record, self._mac(record, self._secret()))
        self.write(key, RECORD, encode(sealed).encode())
        self._make_room(path)
        return record

    def path(self, key: EngineKey) -> Path:
        """The folder of an engine."""
        return self.folder / key.name

    def _opened(self, path: Path, key: EngineKey) -> EngineRecord:
        content = _read_plain(path, _RECORD_LIMIT)
        secret = self._known_secret()
        if secret is None:
            raise _AlteredError("the secret of the cache is missing or was changed")
        try:
            sealed = decode(_Sealed, parse(content))
        except StrictJsonError as error:
            raise _AlteredError(f"{RECORD} {error}") from error
        if not hmac.compare_digest(sealed.mac.encode(), self._mac(sealed.record, secret).encode()):
            raise _AlteredError(f"{RECORD} does not carry the mark of this cache")
        if sealed.record.key != key:
            raise _AlteredError(f"{RECORD} belongs to another engine")
        return sealed.record

    def _mac(self, record: EngineRecord, secret: bytes) -> str:
        return hmac.new(secret, _DOMAIN + encode(record).encode(), hashlib.sha256).hexdigest()

    def _known_secret(self) -> bytes | None:
        """The secret, when it is one: a file that its user alone can read."""
        path = self.folder / _SECRET
        try:
            status = path.lstat()
            content = _read_plain(path, _SECRET_BYTES)
        except (FileNotFoundError, _AlteredError):
            return None
        private = status.st_uid == os.geteuid() and not status.st_mode & 0o077
        return content if private and len(content) == _SECRET_BYTES else None

    def _secret(self) -> bytes:
        """The secret; a new one where there is none that can be trusted."""
        known = self._known_secret()
        if known is not None:
            return known
        path = self.folder / _SECRET
        if os.path.lexists(path):
            _log.warning(
                "%s is no secret of this user's own any more: a new one is made, and all engines with it", path
            )
            _remove(path)
        secret = secrets.token_bytes(_SECRET_BYTES)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(secret)
            stream.flush()
            os.fsync(stream.fileno())
        return secret

    def _make_room(self, keep: Path) -> None:
        """Drops the engines that were not used for longest until the rest is within the limit."""
        sizes, used = {}, {}
        for path in self.folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                with contextlib.suppress(FileNotFoundError):
                    sizes[path] = sum(entry.lstat().st_size for entry in path.iterdir())
                    used[path] = (path / RECORD).lstat().st_mtime_ns if (path / RECORD).exists() else 0
        for path in sorted(used, key=lambda each: used[each]):
            if sum(sizes.values()) <= self._limit:
                return
            if path != keep:
                _log.info("the engine %s goes, since all together may take %d MiB", path, self._limit >> 20)
                try:
                    _remove(path)
                except OSError as error:  # no reason to lose the engine that was just built
                    _log.warning("the engine %s cannot be removed: %s", path, error.strerror)
                del sizes[path]


class _AlteredError(Exception):
    """Something in the cache is not what it was when it was built here."""


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turns what goes wrong with a file of the cache into one sentence."""
    remedy = "make it writable, make room, or set XDG_CACHE_HOME to another folder"
    try:
        yield
    except OSError as error:
        raise EngineCacheError(f"the folder of engines {path} cannot be used ({error.strerror}): {remedy}") from error
    except OutputError as error:
        raise EngineCacheError(f"{error}: {remedy}") from error
    except _AlteredError as error:
        raise EngineCacheError(f"the folder of engines {path} was altered meanwhile ({error}): start again") from error


def _require_private(folder: Path) -> None:
    status = folder.lstat()  # a link could lead to a folder of somebody else
    if not stat.S_ISDIR(status.st_mode):
        raise EngineCacheError(f"{folder} is no folder, so no engines can be kept in it: move it away")
    if status.st_uid != os.geteuid():
        raise EngineCacheError(
            f"the folder of engines {folder} belongs to another user, who could put programs into it: set "
            f"XDG_CACHE_HOME to a folder of your own"
        )
    if status.st_mode & 0o022:
        raise EngineCacheError(
            f"others may write to the folder of engines {folder} and could put programs into it: "
            f"run  chmod 700 {folder}"
        )


def _read_plain(path: Path, limit: int) -> bytes:
    try:
        content = read_plain_file(path, limit + 1)
    except NotPlainError as error:
        raise _AlteredError(str(error)) from None
    if len(content) > limit:
        raise _AlteredError(f"{path.name} is too long")
    return content


def _fingerprint(path: Path) -> FileRecord:
    try:
        return record_plain_file(path)
    except NotPlainError as error:
        raise _AlteredError(str(error)) from None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

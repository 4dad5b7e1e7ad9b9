"""Results kept where fsspec reaches: object storage such as S3, or a server."""

from __future__ import annotations

import contextlib
import io
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from a2m_edge.addresses import is_misread, misreading, scrubbed, shown
from a2m_edge.collection.storage.folders import INDEX, SOUNDS, IndexLog, beside, is_index, whole_lines
from a2m_edge.errors import MissingExtraError, OptionError, OutputError
from a2m_edge.ledger import refusal

PARTS = "index-parts"
"""Where lines of the index wait to be joined: what is stored elsewhere cannot be added to."""

CLAIMED = ".a2m-edge.names"
"""The names that runs have written, or set out to write: what is stored elsewhere is not read back to know it."""

PART_SECONDS = 10.0
"""How long lines wait for others at most before they are stored: as much work may be done twice after a crash."""

_WHOLE_AT_ONCE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "oci", "memory"}
"""Schemes under which a reader sees an object whole or not at all; elsewhere a file is renamed when it is whole."""


class RemoteStorage:
    """A folder of some storage.

    Two runs at once into one place are not kept apart: there is no lock that all kinds of storage know.

    Args:
        place: its address, for example ``s3://bucket/folder``.

    Raises:
        OptionError: the scheme is unknown, what it needs is not installed, or the address is none.
        MissingExtraError: fsspec is not installed.
    """

    folder: Path | None = None

    def __init__(self, place: str) -> None:
        try:
            import fsspec
        except ModuleNotFoundError as error:
            raise MissingExtraError("fsspec", "ray") from error
        self._address = place.rstrip("/")
        self.place = shown(self._address)
        try:
            self._files, self._root = fsspec.core.url_to_fs(self._address)
        except Exception as error:  # every kind of storage raises its own; some connect at once
            raise OptionError(f"cannot write to {self.place}: {self._plain(error)}") from None
        self._at_once = place.split("://")[0] in _WHOLE_AT_ONCE

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Tries whether anything can be written, before the work begins."""
        probe = f".{secrets.token_hex(8)}"
        self.write(probe, b"")
        self.remove(probe)
        yield

    def claim(
        self, names: Sequence[str], written: Mapping[str, tuple[int, str]], sources: Sequence[Path], force: bool
    ) -> None:
        """See ``Storage``: a file of the index is known by its size, any other by its name."""
        claimed = self._claimed()
        sizes = self._sizes(names)
        foreign = [
            name
            for name in names
            if name in sizes and (sizes[name] != written[name][0] if name in written else name not in claimed)
        ]
        if foreign and not force:
            raise OutputError(refusal(f"{self.place}/{foreign[0]}", len(foreign) - 1))
        if not claimed.issuperset(names):
            self.write(CLAIMED, "".join(f"{name}\n" for name in sorted({*claimed, *names})).encode())

    def free_name(self, name: str, source: Path | None = None, force: bool = False) -> str:
        """See ``Storage``."""
        return name if force or name not in self._sizes([name]) or name in self._claimed() else beside(name)

    def log(self, source: Path | None = None) -> IndexLog:
        """See ``Storage``."""
        for name in (INDEX, beside(INDEX)):
            with contextlib.suppress(FileNotFoundError):
                if not is_index(io.BytesIO(self.read(name))):
                    continue
            return _PartsLog(self, name)
        raise OutputError(f"{self.place}/{INDEX} is no index of a2m-edge: name another place")

    def write(self, name: str, content: bytes) -> None:
        """See ``Storage``."""
        path = f"{self._root}/{name}"
        try:
            if self._at_once:
                self._files.pipe_file(path, content)
                return
            folder = path.rpartition("/")[0]
            aside = f"{folder}/.{secrets.token_hex(8)}.part"
            self._files.makedirs(folder, exist_ok=True)
            self._files.pipe_file(aside, content)
            with contextlib.suppress(FileNotFoundError):
                self._files.rm_file(path)  # some servers refuse to rename to a name that exists
            self._files.mv(aside, path)
        except Exception as error:  # every kind of storage raises its own
            raise self._refused(name, error) from error

    def read(self, name: str) -> bytes:
        """A whole file.

        Raises:
            FileNotFoundError: there is none.
            OutputError: it cannot be read.
        """
        try:
            content: bytes = self._files.cat_file(f"{self._root}/{name}")
        except FileNotFoundError:
            raise
        except Exception as error:
            raise self._refused(name, error) from error
        return content

    def remove(self, name: str) -> None:
        """Removes a file.

        Raises:
            OutputError: it cannot be removed.
        """
        try:
            self._files.rm_file(f"{self._root}/{name}")
        except Exception as error:
            raise self._refused(name, error) from error

    def names(self, folder: str) -> dict[str, int]:
        """Size of each file of a folder, by its name below it.

        Raises:
            OutputError: they cannot be listed.
        """
        try:
            self._files.invalidate_cache()
            found: dict[str, dict[str, Any]] = self._files.find(
                f"{self._root}/{folder}".rstrip("/"), maxdepth=1, detail=True
            )
        except FileNotFoundError:
            return {}
        except Exception as error:
            raise self._refused(folder, error) from error
        return {path.rpartition("/")[2]: int(facts["size"]) for path, facts in found.items()}

    def has(self, name: str, size: int, sha256: str) -> bool:
        """See ``Storage``; the size alone is compared, in one listing of all sounds as they were first asked for."""
        folder, _, own = name.rpartition("/")
        sizes = self._sounds if folder == SOUNDS else self.names(folder)
        return sizes.get(own) == size

    @contextlib.contextmanager
    def made_folder(self) -> Iterator[Path]:
        """See ``Storage``: a passing folder whose files are stored at the end."""
        with tempfile.TemporaryDirectory(prefix="a2m-edge-") as name:
            folder = Path(name)
            yield folder
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    self.write(path.relative_to(folder).as_posix(), path.read_bytes())

    def _claimed(self) -> set[str]:
        try:
            return set(self.read(CLAIMED).decode().splitlines())
        except (FileNotFoundError, UnicodeDecodeError):
            return set()

    def _sizes(self, names: Sequence[str]) -> dict[str, int]:
        """Size of each file that is there, by its name."""
        found = {}
        for folder in {name.rpartition("/")[0] for name in names}:
            for own, size in self.names(folder).items():
                found[f"{folder}/{own}" if folder else own] = size
        return {name: found[name] for name in names if name in found}

    @cached_property
    def _sounds(self) -> dict[str, int]:
        return self.names(SOUNDS)

    def _refused(self, name: str, error: Exception) -> OutputError:
        return OutputError(
            f"cannot use {self.place}/{name}: {self._plain(error)}; check the address, the permissions and the network"
        )

    def _plain(self, error: Exception) -> str:
        """An error as one line, without what the address keeps secret."""
        said = " ".join(scrubbed(str(error), self._address).split()) or type(error).__name__
        return f"{said}; {misreading(self._address)}" if is_misread(self._address) else said


class _PartsLog:
    """An index that is stored in parts, joined when the run ends; read again, the parts change nothing."""

    def __init__(self, storage: RemoteStorage, name: str) -> None:
        self._storage, self._name = storage, name
        self._begun = time.monotonic()
        self._waiting: list[bytes] = []
        self._parts = sorted(storage.names(PARTS))

    def lines(self) -> Iterator[bytes]:
        """See ``IndexLog``."""
        for name in (self._name, *(f"{PARTS}/{part}" for part in self._parts)):
            with contextlib.suppress(FileNotFoundError):
                yield from whole_lines(io.BytesIO(self._storage.read(name)))

    def add(self, line: bytes) -> None:
        """See ``IndexLog``; it is stored with the others that come within ``PART_SECONDS``."""
        if not self._waiting:
            self._begun = time.monotonic()
        self._waiting.append(line)
        if time.monotonic() - self._begun > PART_SECONDS:
            self._store()

    def close(self) -> None:
        """See ``IndexLog``."""
        if self._waiting:
            self._store()
        if not self._parts:
            return
        self._storage.write(self._name, b"".join(self.lines()))
        for part in self._parts:
            self._storage.remove(f"{PARTS}/{part}")
        self._parts.clear()

    def _store(self) -> None:
        last = int(self._parts[-1].partition(".")[0]) if self._parts else 0
        name = f"{last + 1:09}.jsonl"
        self._storage.write(f"{PARTS}/{name}", b"".join(self._waiting))
        self._parts.append(name)
        self._waiting.clear()

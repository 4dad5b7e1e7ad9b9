"""Pictures in folders, ``<art_style>/<painting>.jpg``, as the archive of WikiArt unpacks."""

from __future__ import annotations

import hashlib
import os
import unicodedata
import zlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath

from a2m_edge.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png")


class PictureFolder:
    """Finds pictures by the names that tables give them, however the names were written to the disk.

    Some names of WikiArt hold letters outside ASCII, and the tables hold them as UTF-8 that was once read as Latin-1
    and then made lower case (``eugã¨ne`` for Eugène). On a disk they are found in that form, in the right one, composed
    or not (NFC or NFD), or in bytes that are no UTF-8; all of these are found.

    Args:
        path: folder of the style folders.

    Raises:
        DataError: it is no folder, or holds no picture.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_dir():
            raise DataError(f"{path} is no folder: name the one that holds <art_style>/<painting>.jpg")

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[str]:
        """The names of all pictures, ``style/name.jpg``, in order; each is found by ``file``."""
        return iter(self._files)

    def digest(self) -> str:
        """SHA-256 of the names of all pictures, in hexadecimal."""
        return hashlib.sha256("\n".join(self).encode()).hexdigest()

    def find(self, style: str, painting: str) -> str:
        """The name of a painting's picture, empty where there is none."""
        return self._names.get(_composed(f"{style}/{painting}"), "")

    def file(self, name: str) -> Path:
        """Where a picture lies on the disk.

        Raises:
            DataError: there is none of that name.
        """
        found = self._files.get(name) or self._files.get(self._names.get(_composed(_stem(name)), ""))
        if found is None:
            raise DataError(f"{self.path} holds no {name}: fetch the pictures and their table again")
        return found

    def read(self, name: str) -> bytes:
        """The bytes of a picture's file; DataError if it cannot be read."""
        try:
            return self.file(name).read_bytes()
        except OSError as error:
            raise DataError(f"{self.path} holds no readable {name}: {error.strerror}") from error

    def checksum(self, name: str) -> int:
        """A number that changes with the picture's file: CRC-32 of its size and its time, so that nothing is read."""
        try:
            facts = self.file(name).stat()
        except OSError as error:
            raise DataError(f"{self.path} holds no readable {name}: {error.strerror}") from error
        return zlib.crc32(f"{facts.st_size} {facts.st_mtime_ns}".encode())

    @cached_property
    def _files(self) -> dict[str, Path]:
        try:
            styles = sorted((entry for entry in os.scandir(self.path) if entry.is_dir()), key=lambda entry: entry.name)
            found = {
                f"{_legible(style.name)}/{_legible(entry.name)}": Path(entry.path)
                for style in styles
                for entry in sorted(os.scandir(style.path), key=lambda entry: entry.name)
                if entry.name.lower().endswith(SUFFIXES) and not entry.name.startswith(".")
            }
        except OSError as error:
            raise DataError(f"the pictures {self.path} cannot be read: {error.strerror}") from error
        if not found:
            raise DataError(f"{self.path} holds no <art_style>/<painting>.jpg: name the folder of the style folders")
        return found

    @cached_property
    def _names(self) -> dict[str, str]:
        """Names by all that a table may call them; what is written alike goes before what was garbled."""
        found = {_composed(_stem(name)): name for name in self._files}
        for name in self._files:
            if not name.isascii():
                garbled = _composed(_stem(name)).encode().decode("latin-1").lower()
                style, _, _ = name.partition("/")
                found.setdefault(f"{style}/{_composed(garbled.partition('/')[2])}", name)
        return found


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _stem(name: str) -> str:
    path = PurePosixPath(name)
    return name.removesuffix(path.suffix)


def _legible(name: str) -> str:
    """A name of the disk as text that can be written as UTF-8: bytes that are none are taken for Latin-1."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name).decode("latin-1")
    return name

"""A bundle: the folder that holds everything a soundscape is made with.

``manifest.json`` states what the bundle is and lists every other file with its size and hash. Opening checks
all of it first: a bundle is either what its manifest says, or it is refused.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from a2m_edge.bundle.manifest import MANIFEST, FileRecord, Manifest
from a2m_edge.bundle.plain_files import NotPlainError, line_ends_differ, read_plain_file, record_plain_file
from a2m_edge.errors import BundleError
from a2m_edge.output import written_within
from a2m_edge.strict_json import StrictJsonError

DEFAULT_BUNDLE = Path(__file__).parent / "default"
"""The bundle that is installed with this package."""

_MANIFEST_LIMIT = 4 << 20


@dataclass(frozen=True)
class Bundle:
    """A bundle whose every file has been verified.

    Attributes:
        path: its folder.
        manifest: what it states about itself.
        hash: SHA-256 of ``manifest.json`` in hexadecimal, its lines ended by LF; since the manifest holds all other
            hashes, it names the whole content.
    """

    path: Path
    manifest: Manifest
    hash: str

    def file(self, name: str) -> Path:
        """The path of a file that the manifest lists.

        Raises:
            BundleError: it lists no such file.
        """
        if name not in self.manifest.files:
            raise BundleError(f"the bundle {self.manifest.name} has no file {name!r}")
        return self.path / name


def open_bundle(path: Path | None = None) -> Bundle:
    """Opens a bundle after proving all of it.

    Args:
        path: its folder; None is the bundle installed with this package.

    Raises:
        BundleError: a file is missing, altered, not listed, or no plain file inside the folder; the manifest
            is not valid or newer than this program.
    """
    folder = DEFAULT_BUNDLE if path is None else path
    try:
        if not folder.is_dir():
            raise BundleError(f"there is no bundle at {folder}: name a folder that holds a {MANIFEST}")
        text = _read_manifest(folder)
        manifest = Manifest.from_json(text)
        manifest.check_files()
        present = {entry.name for entry in folder.iterdir()}
        for name in sorted({*manifest.files, MANIFEST} - present):
            raise BundleError(f"the bundle {folder} is incomplete: {name} is missing; copy the bundle again")
        for name in sorted(present - {*manifest.files, MANIFEST}):
            raise BundleError(f"the bundle {folder} holds {name!r}, which it does not list: remove that file")
        for name, record in manifest.files.items():
            if _record(folder / name, expected_size=record.size) != record:
                raise BundleError(f"the bundle {folder} is damaged: {_altered(folder / name, record)}")
    except OSError as error:
        raise BundleError(f"the bundle {folder} cannot be read: {error.strerror or error}") from error
    # No string of JSON holds a bare line end: a manifest says the same, and hashes the same, with either kind.
    return Bundle(folder, manifest, hashlib.sha256(text.replace(b"\r\n", b"\n")).hexdigest())


def seal_bundle(folder: Path, manifest: Manifest) -> Bundle:
    """Lists every file of a folder with its hash, writes ``manifest.json`` beside them, and opens the result.

    Args:
        folder: holds every file of the bundle; an old ``manifest.json`` is replaced.
        manifest: all that is to be stated; its ``files`` are ignored.

    Raises:
        BundleError: the manifest makes no sense, or a file it needs is missing from the folder.
        OutputError: the manifest cannot be written.
    """
    try:
        names = sorted(entry.name for entry in folder.iterdir() if entry.name != MANIFEST)
        sealed = replace(manifest, files={name: _record(folder / name) for name in names})
    except OSError as error:
        raise BundleError(f"the folder {folder} cannot be sealed: {error.strerror or error}") from error
    sealed.check()
    sealed.check_files()
    try:
        text = sealed.to_json()
    except StrictJsonError as error:
        raise BundleError(f"the manifest cannot be written: {error}") from error
    with written_within(folder / MANIFEST) as stream:
        stream.write(text.encode())
    return open_bundle(folder)


def _read_manifest(folder: Path) -> bytes:
    path = folder / MANIFEST
    try:
        text = read_plain_file(path, _MANIFEST_LIMIT + 1)
    except FileNotFoundError:
        raise BundleError(f"{folder} is no bundle: it holds no {MANIFEST}") from None
    except NotPlainError as error:
        raise BundleError(f"the bundle {folder} is refused: {error}") from None
    if len(text) > _MANIFEST_LIMIT:
        raise BundleError(f"the bundle {folder} is refused: its {MANIFEST} is above {_MANIFEST_LIMIT >> 20} MiB")
    return text


def _record(path: Path, expected_size: int | None = None) -> FileRecord:
    try:
        return record_plain_file(path, expected_size)
    except NotPlainError as error:
        raise BundleError(f"the bundle {path.parent} is refused: {error}") from None


def _altered(path: Path, stated: FileRecord) -> str:
    """What was done to a file that is not what the manifest states, and the way out."""
    if line_ends_differ(path, stated):
        return (
            f"the line ends of {path.name} were changed, as git does where core.autocrlf is set, an editor, or FTP in "
            f"text mode; copy the bundle again byte for byte, or clone it again with  git clone -c core.autocrlf=false"
        )
    return f"{path.name} was altered; copy the bundle again"

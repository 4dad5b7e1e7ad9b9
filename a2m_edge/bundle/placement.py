"""A bundle takes its place when it is whole, and not before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from a2m_edge.bundle.manifest import MANIFEST
from a2m_edge.errors import ExportError, OutputError
from a2m_edge.ledger import claim, digest, note


def refuse(out: Path, *sources: Path | None, force: bool = False) -> None:
    """Refuses, before minutes of work, a place that may not take a bundle and sources that are not there.

    Args:
        out: the bundle's folder.
        sources: files that the bundle needs.
        force: whether a bundle may be replaced that was not exported there, or that was changed since.

    Raises:
        ExportError: a source is no file.
        OutputError: ``out`` is something else than a bundle that was exported there, or cannot be renamed, or its
            folder is missing.
    """
    for source in sources:
        if source is not None and not source.is_file():
            raise ExportError(f"there is no file {source}, which the bundle needs: name another")
    if out.name in ("", "..") or out.is_mount():
        raise OutputError(f"cannot write the bundle {out}: no other folder can take its place; name a folder in it")
    if not out.parent.is_dir():
        raise OutputError(f"cannot write the bundle {out}: there is no folder {out.parent}; create it first")
    if out.is_symlink() or (out.exists() and not (out / MANIFEST).is_file() and not _is_empty(out)):
        raise OutputError(f"{out} exists and is no bundle: name another folder, or remove it")
    claim(out, force=force)


def _is_empty(out: Path) -> bool:
    return out.is_dir() and not any(out.iterdir())


@contextmanager
def folder_beside(out: Path) -> Iterator[Path]:
    """A folder for what is on the way to ``out``, on the same disk; it vanishes with the block.

    Raises:
        OutputError: something could not be written in the block.
    """
    with _told(out), TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as aside:
        yield Path(aside)


@contextmanager
def placed_when_whole(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that takes its place when the block ends well, and vanishes when it does not.

    Raises:
        OutputError: something could not be written in the block, or ``out`` cannot be replaced.
    """
    with folder_beside(out) as aside:
        whole, old = aside / "whole", aside / "old"
        whole.mkdir()
        yield whole
        try:
            note(out, digest(whole))
            if out.exists():
                out.rename(old)
            whole.rename(out)
        except BaseException:  # Ctrl-C between the two as well
            if old.exists() and not out.exists():
                old.rename(out)
            raise


@contextmanager
def _told(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write the bundle {out}: {error.strerror or error}") from error

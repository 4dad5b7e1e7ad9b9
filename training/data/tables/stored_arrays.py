"""Reading ``.npz`` archives of arrays: whole, without code in them, or with one sentence about what is wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile
from zlib import error as ZlibError

import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import DataError

ARCHIVE_FAULTS = (OSError, EOFError, BadZipFile, KeyError, ZlibError, RuntimeError)
"""What reading a zip archive raises that is damaged or lacks a member; a RuntimeError where one is encrypted, or packed
in a way that is not known here (NotImplementedError)."""


@contextlib.contextmanager
def stored_arrays(path: Path, way_out: str) -> Iterator[Mapping[str, NDArray[Any]]]:
    """The arrays of an archive by their names, each read (and its CRC-32 checked) when it is asked for in the block.

    Args:
        path: of the archive.
        way_out: what a user can do where it is damaged.

    Raises:
        DataError: it cannot be read, or lacks an array that the block asks for.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            yield arrays
    except (*ARCHIVE_FAULTS, ValueError) as error:
        raise DataError(f"{path} is damaged ({error}): {way_out}") from error

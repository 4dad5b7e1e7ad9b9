"""Reading ``.npz`` archives of arrays: whole, without code in them, or with one sentence about what is wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import DataError


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
    except (OSError, EOFError, ValueError, KeyError, BadZipFile, NotImplementedError) as error:
        raise DataError(f"{path} is damaged ({error}): {way_out}") from error

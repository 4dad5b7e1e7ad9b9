"""What users write as the place of a run: a path, or an address."""

from __future__ import annotations

import functools
from pathlib import Path
from urllib.parse import unquote, urlsplit

from a2m_edge.addresses import is_like_address, shown, shown_place
from a2m_edge.collection.storage.folders import LocalStorage, Storage
from a2m_edge.collection.storage.remote import RemoteStorage
from a2m_edge.errors import OptionError


@functools.lru_cache(maxsize=4)
def open_storage(place: str) -> Storage:
    """The storage at a path, or at an address that begins with a scheme such as ``s3://``.

    Raises:
        OptionError: the scheme is unknown, or nothing can be written there.
        MissingExtraError: fsspec is not installed.
    """
    if is_remote(place):
        return RemoteStorage(place)
    return LocalStorage(local_path(place))


def is_remote(place: str) -> bool:
    """Whether a place is an address, and not a path of this computer."""
    return "://" in place and not place.startswith("file://")


def local_path(place: str) -> Path:
    """The path that a place without a foreign scheme means.

    Raises:
        OptionError: it is a ``file://`` address of another computer, or an address that has lost its scheme.
    """
    if not place.startswith("file://"):
        if is_like_address(place) and shown_place(place) != place:
            raise OptionError(f"{shown(place)} is no folder, and no address without a scheme such as s3://: write it")
        return Path(place)
    if not place.startswith(("file:///", "file://localhost/")):
        raise OptionError(f"{shown(place)} names another computer: write file:///path, or the path alone")
    return Path(unquote(urlsplit(place).path))

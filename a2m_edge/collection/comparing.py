"""Whether a picture is the one that a sound was made from."""

from __future__ import annotations

from pathlib import Path

from a2m_edge.collection.iiif.fetching import is_address
from a2m_edge.collection.index import Record, Stamp
from a2m_edge.collection.items import Item
from a2m_edge.ledger import digest
from a2m_edge.perception.pictures import MAXIMUM_BYTES

COMPARISONS = ("hash", "time")
"""``"hash"`` reads a picture and compares its content; ``"time"`` does so only where its size or time has changed.

Archives and copies of a fixed time may give another picture the size and time of the one before. Reading costs 0.7 ms a
MiB, a work of 10 s hundreds of milliseconds.
"""


def content_now(item: Item, previous: Record, compare: str) -> str | None:
    """SHA-256 of an item's picture as it is now, or what stands for it.

    A picture at an address is not fetched: it is taken to be what it was while its address stays the same.

    Args:
        item: the work.
        previous: what an earlier run says of it.
        compare: of ``COMPARISONS``.

    Returns:
        The hash; None for an item without a picture; an empty text, which no picture has, where it cannot be compared.

    Raises:
        OSError, ValueError: there is no such file, or it cannot be read.
    """
    if item.image is None:
        return None
    if is_address(item.image):
        return previous.input if previous.image == Record.begin(item).image else ""
    if compare == "time" and previous.stamp is not None and stamp_of(item) == previous.stamp:
        return previous.input
    return picture_hash(Path(item.image)) or ""


def picture_hash(path: Path) -> str | None:
    """SHA-256 of a picture file in hexadecimal; None for what no reader of pictures takes, as a pipe, which never ends.

    Raises:
        OSError, ValueError: there is no such file, or it cannot be read.
    """
    return digest(path) if path.is_file() and path.stat().st_size <= MAXIMUM_BYTES else None


def stamp_of(item: Item) -> Stamp | None:
    """Size and time of an item's picture file; None where there is none."""
    if item.image is None or is_address(item.image):
        return None
    try:
        status = Path(item.image).stat()
    except (OSError, ValueError):
        return None
    return Stamp(status.st_size, status.st_mtime_ns)

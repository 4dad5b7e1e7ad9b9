"""One work of a collection, and the names under which its results are kept."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import unquote

from a2m_edge.addresses import shown
from a2m_edge.collection.iiif.depictions import Depiction
from a2m_edge.errors import encodable

LONGEST_ID = 120
"""Letters of an id: with ending and ``.part`` it stays below the 255 bytes that file systems allow."""

_HASH_DIGITS = 8
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
"""Device names of Windows: a collection may be unpacked there."""


@dataclass(frozen=True)
class Item:
    """One work that is to be rendered.

    Attributes:
        id: the stem of its files: letters, digits, dot, hyphen and underscore of ASCII; no two items of a run
            have the same one, capital letters not told apart.
        image: path of the picture, or its http(s) address, or None. A path may hold bytes that are not UTF-8, as
            ``os.fsdecode`` gives them; use ``readable`` before it is printed or written, and for an address ``shown``,
            as it may hold a password.
        comment: words about it, or None.
        seconds: duration of the sound.
        seed: chooses among the pieces that picture and comment allow.
        carried: further columns of the source, carried to the index.
        problem: why it cannot be rendered, where the source already knows; it is then listed as failed.
        depiction: how its picture is had, where there is more to that than ``image``.
    """

    id: str
    image: str | None = field(repr=False)
    comment: str | None
    seconds: float
    seed: int
    carried: dict[str, str] = field(default_factory=dict, repr=False)
    problem: str | None = None
    depiction: Depiction | None = None


class Ids:
    """Gives ids, each once; the same names in the same order get the same ids."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def give(self, name: str, whole: str | None = None) -> str:
        """An id for a name.

        Args:
            name: what the id should look like: any text, lone surrogates and line ends included.
            whole: what tells this item from another of the same name, for example its path; ``name`` when left out.

        Returns:
            ``safe_id(name)``; where that is taken already, a hash of ``whole`` is appended to it.
        """
        wanted = safe_id(name)
        given, turn = wanted, 0
        while given.casefold() in self._taken:
            given = _with_hash(wanted, f"{name if whole is None else whole}\0{turn}" if turn else whole or name)
            turn += 1
        self._taken.add(given.casefold())
        return given


def safe_id(name: str) -> str:
    """A name that every file system, archive and URL takes, made from any text.

    Accents are dropped and other unsafe letters become underscores. Where more was lost than accents and
    spaces, a short hash of the whole name is appended, so that different names stay different.
    """
    plain = "".join(
        letter for letter in unicodedata.normalize("NFKD", name) if unicodedata.category(letter) not in ("Mn", "Mc")
    )
    safe = _UNSAFE.sub("_", plain).strip("._-")
    lost = _UNSAFE.search(plain.replace(" ", "_")) is not None or not safe or _RESERVED.fullmatch(safe) is not None
    if lost or len(safe) > LONGEST_ID:
        return _with_hash(safe, name)
    return safe


def image_name(image: str) -> str:
    """The name of a picture without its ending: the stem of a path, or of the last part of an address."""
    if _SCHEME.match(image):
        path = re.split(r"[?#]", shown(image).partition("://")[2])[0].partition("/")[2]
        return PurePosixPath(unquote(path)).stem
    return PurePosixPath(image).stem


def readable(text: str) -> str:
    r"""Text that can be printed on one line and written as UTF-8: bytes that are not UTF-8 as ``\xff``, control
    letters escaped likewise."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in encodable(text)
    )


def _with_hash(name: str, whole: str) -> str:
    digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
    stem = name[: LONGEST_ID - _HASH_DIGITS - 1].rstrip("._-")
    return f"{stem}-{digest}" if stem else f"item-{digest}"

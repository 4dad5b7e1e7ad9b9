"""The index of a run: one line of JSON for each work that was tried, only ever added to.

A line is added as soon as its sound is in place; how safe it is then, the storage of the run says. Works without a line
are rendered again.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from a2m_edge.addresses import keeps_secret, scrubbed, shown, without_secrets
from a2m_edge.collection.dwellings import Dwelling
from a2m_edge.collection.iiif.fetching import is_address
from a2m_edge.collection.items import Item, readable
from a2m_edge.collection.storage.folders import Storage
from a2m_edge.collection.table_text import guarded
from a2m_edge.errors import OutputError
from a2m_edge.strict_json import StrictJsonError, decode, parse
from a2m_edge.version import __version__

TABLE = "index.csv"
"""The index as a table, written when a run ends; another name is taken where this is somebody else's."""


CONTRASTS = ("paintings", "within")
"""What the pictures of a collection are compared with: with paintings as the bundle knows them, or among themselves."""


@dataclass(frozen=True)
class Stamp:
    """Size (bytes) and time of the last change (ns) of a picture file; pictures from an address have none."""

    size: int
    changed: int


@dataclass(frozen=True)
class Measured:
    """What the works of a collection are contrasted by, of one picture.

    Attributes:
        of: what was measured and by what, hashed: see ``look_hash``.
        valence, arousal: what the fusion tells of the picture alone, in [-1, 1].
        cues: how it is painted, in their own units; what cannot be measured is absent.
    """

    of: str
    valence: float
    arousal: float
    cues: dict[str, float]


@dataclass(frozen=True)
class Record:
    """One line of the index.

    Attributes:
        id, image, comment, seconds, seed: of the item; what is no UTF-8 is escaped, and what an address keeps secret is
            left out.
        work: what the sound depends on, hashed: see ``work_hash``; empty where the input could not be read.
        input: SHA-256 of the picture file, or None.
        stamp: of the picture file, or None.
        sound: its file, below the folder of the run; None where the item failed.
        sha256, size: of that file, size in bytes.
        feeling, valence, arousal, emotions: what was felt.
        instruments, room, theme, key, mode, tempo: the music; None or empty where the bundle plays no score.
        why: the causes of the music in English sentences, strongest first; empty where the bundle plays no score.
        gaze: where in the picture the music dwells, and when.
        loudness: LUFS; None for silence.
        little_to_see: whether there is little to see in the picture; None where there is none.
        contrast: what the picture was compared with, one of ``CONTRASTS``; None where there is none.
        contrast_tables: SHA-256 of what was known of the collection then; None where nothing was.
        measured: of the picture, where works are contrasted within their collection.
        notice: a remark, or None.
        timings: seconds for ``fetch``, ``render`` and ``write``.
        peak_mib: most memory that the worker has held so far.
        error: why the item failed, or None.
        carried: further columns of the source, without secrets of addresses.
    """

    id: str
    image: str | None
    comment: str | None
    seconds: float
    seed: int
    work: str = ""
    input: str | None = None
    stamp: Stamp | None = None
    sound: str | None = None
    sha256: str | None = None
    size: int = 0
    feeling: str | None = None
    valence: float | None = None
    arousal: float | None = None
    emotions: dict[str, float] = field(default_factory=dict)
    instruments: dict[str, str] = field(default_factory=dict)
    room: float | None = None
    theme: int | None = None
    key: str | None = None
    mode: str | None = None
    tempo: float | None = None
    why: tuple[str, ...] = ()
    gaze: tuple[Dwelling, ...] = ()
    loudness: float | None = None
    little_to_see: bool | None = None
    contrast: str | None = None
    contrast_tables: str | None = None
    measured: Measured | None = None
    notice: str | None = None
    timings: dict[str, float] = field(default_factory=dict)
    peak_mib: float | None = None
    error: str | None = None
    carried: dict[str, str] = field(default_factory=dict)

    @classmethod
    def begin(cls, item: Item) -> Record:
        """What is known of an item before it is rendered."""
        return cls(
            item.id,
            None if item.image is None else readable(shown(item.image) if is_address(item.image) else item.image),
            None if item.comment is None else _encodable(item.comment),
            item.seconds,
            item.seed,
            carried={_encodable(name): _encodable(_public(value)) for name, value in item.carried.items()},
        )

    def failed(self, reason: str) -> Record:
        """The same item with the reason why it failed."""
        return dataclasses.replace(self, error=readable(without_secrets(reason)))

    def line(self) -> bytes:
        """JSON in UTF-8, ended by the only newline in it."""
        return (json.dumps(dataclasses.asdict(self), ensure_ascii=False, allow_nan=False) + "\n").encode()


def work_hash(
    item: Item, picture: str | None, bundle: str, sound_format: str, contrast_tables: str | None = None
) -> str:
    """What a sound depends on, as SHA-256 in hexadecimal: while it stays, nothing need be rendered again.

    Args:
        item: comment, seconds and seed count, and which part of its picture is shown.
        picture: SHA-256 of the picture file, or None.
        bundle: hash of the bundle.
        sound_format: name of the format; the version of this program counts too.
        contrast_tables: hash of what is known of the collection, or None; it tells nothing of a work without a picture.
    """
    parts: list[object] = [__version__, picture, item.comment, item.seconds, item.seed, bundle, sound_format]
    parts += _shown_parts(item)
    if contrast_tables is not None and item.image is not None:
        parts.append({"contrast": contrast_tables})
    return _hash(parts)


def look_hash(item: Item, picture: str, bundle: str) -> str:
    """What a look at a picture depends on, as SHA-256 in hexadecimal; the arguments are those of ``work_hash``."""
    return _hash([__version__, picture, bundle, *_shown_parts(item)])


def _shown_parts(item: Item) -> list[object]:
    if item.depiction is None or not item.depiction.ways[0].parts:
        return []
    return [[dataclasses.astuple(part) for part in item.depiction.ways[0].parts]]


def _hash(parts: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class Index:
    """The index of a run, open for more lines. One process at a time may hold it.

    Args:
        storage: place of the run.
        source: file that the works come from, which must stay, or None.

    Attributes:
        latest: the last readable record of each id.
        unreadable: lines that are damaged and count as missing.

    Raises:
        OutputError: it cannot be read or written.
    """

    def __init__(self, storage: Storage, source: Path | None = None) -> None:
        self.latest: dict[str, Record] = {}
        self.unreadable = 0
        self._log = storage.log(source)
        for line in self._log.lines():
            try:
                record = decode(Record, parse(line))
            except StrictJsonError:
                self.unreadable += 1
            else:
                self.latest[record.id] = record

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._log.close()
        except OutputError:
            if kind is None:
                raise

    def add(self, record: Record) -> None:
        """Adds a line.

        Raises:
            OutputError: it cannot be written, for example because the disk is full; the index ends as before.
        """
        self._log.add(record.line())
        self.latest[record.id] = record


def write_table(storage: Storage, records: Iterable[Record], name: str = TABLE) -> None:
    """Writes the records as a table, in their order; carried columns come last, under their own names.

    Emotions are in one column each, named ``emotion: awe`` and so on, and all sentences of ``why`` in one; a carried
    column that is named like one of the index is called ``carried: …``. It begins with a byte order mark, without which
    Excel loses its accents, and no cell of it is a formula.

    Raises:
        OutputError: it cannot be written.
    """
    kept = list(records)
    plain = [each.name for each in dataclasses.fields(Record) if each.name not in _NESTED]
    emotions = list(dict.fromkeys(word for record in kept for word in record.emotions))
    roles = list(dict.fromkeys(role for record in kept for role in record.instruments))
    timings = list(dict.fromkeys(name for record in kept for name in record.timings))
    carried = list(dict.fromkeys(name for record in kept for name in record.carried))
    own = [*plain, *(f"emotion: {word}" for word in emotions), *roles, *(f"seconds to {name}" for name in timings)]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    names = [*own, *(f"carried: {name}" if name in own else name for name in carried)]
    writer.writerow([guarded(name) for name in names])
    for record in kept:
        cells = [
            *(_cell(getattr(record, name)) for name in plain),
            *(record.emotions.get(word) for word in emotions),
            *(record.instruments.get(role) for role in roles),
            *(record.timings.get(name) for name in timings),
            *(record.carried.get(name) for name in carried),
        ]
        writer.writerow([guarded(cell) if isinstance(cell, str) else cell for cell in cells])
    storage.write(name, text.getvalue().encode("utf-8-sig"))


def _cell(value: object) -> object:
    """What a cell of a plain column holds."""
    return " ".join(value) if isinstance(value, tuple) else value


def _public(text: str) -> str:
    """A column without the secrets of the addresses in it; one address may hold blanks."""
    return shown(text) if is_address(text) and keeps_secret(text) else scrubbed(text)


def _encodable(text: str) -> str:
    """Text that UTF-8 can hold; nothing else about it changes."""
    return text.encode("utf-8", "backslashreplace").decode()


_NESTED = ("stamp", "gaze", "measured", "emotions", "instruments", "timings", "carried")

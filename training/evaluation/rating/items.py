"""A rating study by a language model: what is rated, and in which order it is asked.

Art2Music (arXiv 2512.00120) closes with a small study in which a language model rates how well music, painting and
comment agree in feeling, and explains what matches and what does not. This one asks the same, and differs in that

- it is blinded: a question holds a painting, a comment and a description of music, and never says whose music it is;
- it has a control: each row's music is also shown with the works of others, and a rating counts only for what it is
  above that. A model that likes everything, or praises the painting whatever is played, is found out by it;
- the questions of all rows and of the control come in one shuffled order, each in a conversation of its own;
- means come with intervals, and answers that cannot be used are counted, not left out in silence;
- music is described in words (tags and score), as most models that can be asked do not hear.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from random import Random

from a2m_edge import strict_json
from a2m_edge.errors import DataError
from a2m_edge.output import make_folder, written_aside
from a2m_edge.perception.picture_formats import HeaderError, PictureFormat, read_header

ITEMS = "items.jsonl"
PICTURES = "pictures"

_ENDINGS: dict[PictureFormat, str] = {"JPEG": "jpg", "PNG": "png", "GIF": "gif", "WebP": "webp"}
"""What models that see take, and how such files end."""

_MOST_PICTURE_BYTES = 20 * 2**20


@dataclass(frozen=True)
class RatingItem:
    """A work and music that was made for it.

    Attributes:
        row: who made the music, such as ``ours``; no question ever says it.
        title: of the work.
        comment: words about it, or nothing.
        music: the music in words: tags and score. It must not say who made it.
        picture: bytes of a JPEG, PNG, GIF or WebP, or None.
    """

    row: str
    title: str
    comment: str
    music: str
    picture: bytes | None = None

    @property
    def work(self) -> str:
        """Tells works apart: a hash of title, comment and picture."""
        return _hash([self.title, self.comment, _picture_hash(self.picture)])


@dataclass(frozen=True)
class Question:
    """A work and a description of music that a model is asked about.

    Attributes:
        item: whose work is shown.
        music: the music that is described: the item's own, or that of another work of the same row.
        control: it is another work's.
        repeat: how often the same was asked before.
    """

    item: RatingItem
    music: str
    control: bool
    repeat: int

    def key(self, fingerprint: str) -> str:
        """Stands for the question in the file of answers.

        Args:
            fingerprint: of model and prompt; another one makes another question.
        """
        return _hash([fingerprint, self.item.row, self.item.work, self.music, self.control, self.repeat])


@dataclass(frozen=True)
class _Line:
    """An item in ``items.jsonl``; the picture is a path within the folder, with slashes, or null."""

    row: str
    title: str
    comment: str
    music: str
    picture: object


def write_items(folder: Path, items: Sequence[RatingItem]) -> None:
    """Writes ``items.jsonl`` and the pictures beside it, in ``pictures/`` by their hash; the list comes last.

    Raises:
        DataError: there are no items, or a picture is not one that models take.
        OutputError: they cannot be written.
    """
    if not items:
        raise DataError("there is nothing to rate: an evaluation without works makes no items")
    make_folder(folder / PICTURES)
    lines, written = [], set()
    for item in items:
        name = None
        if item.picture is not None:
            name = f"{PICTURES}/{_picture_hash(item.picture)}.{_ENDINGS[picture_format(item.picture, item.title)]}"
            if name not in written:
                with written_aside(folder / name) as stream:
                    stream.write(item.picture)
                written.add(name)
        line = {"row": item.row, "title": item.title, "comment": item.comment, "music": item.music, "picture": name}
        lines.append(json.dumps(line) + "\n")
    with written_aside(folder / ITEMS) as stream:
        stream.write("".join(lines).encode())


def read_items(folder: Path) -> list[RatingItem]:
    """The items of a folder that ``write_items`` wrote.

    Raises:
        DataError: the folder holds none, or a line or picture is missing, damaged or outside the folder.
    """
    path = folder / ITEMS
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DataError(
            f"{folder} holds nothing to rate ({error.strerror}: {ITEMS}): name the folder of items that  "
            f"a2m-edge evaluate  wrote"
        ) from error
    items = []
    for number, line in enumerate(lines, 1):
        try:
            read = strict_json.decode(_Line, strict_json.parse(line))
        except strict_json.StrictJsonError as error:
            raise DataError(f"line {number} of {path} is damaged ({error}): write the items again") from error
        if not (read.row and read.music.strip()):
            raise DataError(f"line {number} of {path} needs a row and a description of the music: write it again")
        picture = None if read.picture is None else _read_picture(folder, read.picture, f"line {number} of {path}")
        items.append(RatingItem(read.row, read.title, read.comment, read.music, picture))
    if not items:
        raise DataError(f"{path} is empty: there is nothing to rate")
    return items


def picture_format(picture: bytes, title: str) -> PictureFormat:
    """The format of a work's picture.

    Raises:
        DataError: it is not one that models take.
    """
    try:
        found = read_header(io.BytesIO(picture)).format
    except HeaderError as error:
        raise DataError(f"the picture of {title!r} is damaged ({error}): write the items again") from error
    if found not in _ENDINGS:
        raise DataError(f"the picture of {title!r} is {found}: models take {', '.join(_ENDINGS)}")
    return found


def questions(items: Sequence[RatingItem], repeats: int, seed: int) -> list[Question]:
    """All questions in the order in which they are asked: each item with its own music, and with another work's.

    Raises:
        DataError: in some row one work has more than half of the items, so that its music cannot all be shown with
            other works.
    """
    rows: dict[str, list[RatingItem]] = defaultdict(list)
    for item in items:
        rows[item.row].append(item)
    asked = []
    for row in sorted(rows):
        asked += [(item, item.music, False) for item in rows[row]]
        asked += [(item, other.music, True) for item, other in mismatched(rows[row], seed)]
    every = [Question(*each, repeat) for repeat in range(repeats) for each in asked]
    # Two items that are the same in all that is sent are one question.
    single = list({question.key(""): question for question in every}.values())
    Random(seed).shuffle(single)
    return single


def mismatched(items: Sequence[RatingItem], seed: int) -> list[tuple[RatingItem, RatingItem]]:
    """Each item of one row with another one, of another work: a derangement of the works, drawn by a seed.

    In a random order in which the items of a work stand together, each is given the one that stands as many places
    further on, around the end, as the largest work has items. None of these is of the same work, if no work has more
    than half of all items.

    Raises:
        DataError: one work has more than half of the items.
    """
    draw = Random(seed)
    works: dict[str, list[RatingItem]] = defaultdict(list)
    for item in items:
        works[item.work].append(item)
    step = max(Counter(item.work for item in items).values())
    if 2 * step > len(items):
        raise DataError(
            f"the row {items[0].row!r} cannot have a control: one work has {step} of its {len(items)} items; give "
            f"at least two works, and as many items of each"
        )
    order = sorted(works)
    draw.shuffle(order)
    row = [item for work in order for item in draw.sample(works[work], len(works[work]))]
    return [(item, row[(place + step) % len(row)]) for place, item in enumerate(row)]


def _read_picture(folder: Path, name: object, place: str) -> bytes:
    if not isinstance(name, str) or not name or PurePosixPath(name).is_absolute() or "\0" in name:
        raise DataError(f"{place} names no picture in the folder: write the items again")
    try:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise DataError(f"{place} names a picture outside the folder: write the items again")
        with path.open("rb") as stream:
            picture = stream.read(_MOST_PICTURE_BYTES + 1)
    except OSError as error:
        raise DataError(
            f"{place} names a picture that cannot be read ({error.strerror}): write the items again"
        ) from error
    if len(picture) > _MOST_PICTURE_BYTES:
        raise DataError(f"{place} names a picture above {_MOST_PICTURE_BYTES >> 20} MiB: give a smaller one")
    picture_format(picture, name)
    return picture


def _picture_hash(picture: bytes | None) -> str | None:
    return None if picture is None else hashlib.sha256(picture).hexdigest()


def _hash(parts: list[object]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

"""Where the works of a collection come from: a folder, a table, or a IIIF manifest or collection."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from urllib.parse import urlsplit
from urllib.request import url2pathname

from a2m_edge.addresses import is_like_address, shown, shown_place
from a2m_edge.collection.iiif.fetching import is_address
from a2m_edge.collection.iiif.manifests import iiif_items, iiif_title, is_iiif, read_iiif
from a2m_edge.collection.items import Ids, Item, image_name, readable
from a2m_edge.collection.sheet.page import FOLDER as THUMBNAILS
from a2m_edge.collection.tables import TableRow, read_csv, read_jsonl, read_parquet
from a2m_edge.errors import CollectionError, Remark
from a2m_edge.perception.picture_formats import ENDINGS, HeaderError, is_hidden, read_header

_UNREAD = frozenset({".jp2", ".psd", ".svg", ".pdf", ".tga", ".ico", ".dng"})
PICTURE_ENDINGS = ENDINGS | _UNREAD
"""Files that are taken for pictures by their name alone; such as cannot be read are listed with the reason."""

_TABLES: dict[str, Callable[[Path, Remark], Iterable[TableRow]]] = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".parquet": read_parquet,
}


@dataclass(frozen=True)
class Defaults:
    """What holds where a source says nothing.

    Attributes:
        seconds: duration of a sound.
        seed: of the music.
        comment: words about every work, or None.
    """

    seconds: float = 30.0
    seed: int = 0
    comment: str | None = None


@dataclass(frozen=True)
class Source:
    """The works of a collection.

    Attributes:
        title: a name for it.
        items: its works, each id once.
        passed_over: files of a folder that are no pictures.
        remarks: sentences about how it was read.
    """

    title: str
    items: list[Item]
    passed_over: int = 0
    remarks: tuple[str, ...] = ()


def open_collection(source: str, defaults: Defaults, output: Path | None = None) -> Source:
    """The works of a folder, of a table (CSV, TSV, JSON Lines, Parquet), or of a IIIF document by path or address.

    Args:
        source: path, or http(s) address of a IIIF manifest or collection.
        defaults: for what the source does not say.
        output: folder of the results, which is no part of the collection even where it lies inside it.

    Raises:
        CollectionError: the source is missing, unreadable, of no known form, or holds no work.
        MissingExtraError: a Parquet table needs pyarrow.
    """
    path, named = Path(source), readable(shown_place(source))
    own = Path(shown(source)).name if is_address(source) else path.name or path.resolve().name
    title, passed_over = readable(own), 0
    remarks: list[str] = []
    if is_address(source) or path.suffix.lower() == ".json":
        items, own_title = _iiif(source, defaults)
        title = own_title or title
    elif path.is_dir():
        items, passed_over = _folder(path, defaults, output)
    elif path.suffix.lower() in _TABLES:
        items = _rows(_TABLES[path.suffix.lower()](path, remarks.append), path, defaults)
    elif path.exists():
        raise CollectionError(
            f"{named} is no collection: name a folder, a table ({', '.join(_TABLES)}), or a IIIF manifest "
            f"(.json or its address); for one picture use  a2m-edge render"
        )
    else:
        raise CollectionError(f"there is no {named}: check the name")
    if not items:
        raise CollectionError(f"{named} holds no works: nothing in it is a picture or a row")
    return Source(title, items, passed_over, tuple(remarks))


def _iiif(source: str, defaults: Defaults) -> tuple[list[Item], str]:
    """Items of a IIIF document, and what it is called."""
    document = read_iiif(source)
    if not is_iiif(document):
        raise CollectionError(
            f"{readable(shown_place(source))} is no IIIF manifest or collection; for a table of your own use CSV or "
            f"JSON Lines"
        )
    items = iiif_items(document, source, seconds=defaults.seconds, seed=defaults.seed, comment=defaults.comment)
    return list(items), iiif_title(document)


def _rows(rows: Iterable[TableRow], table: Path, defaults: Defaults) -> list[Item]:
    """Items of a table; a picture's path is taken from the table's folder."""
    ids, items = Ids(), []
    for row in rows:
        image = row.image
        problem = row.problem
        if image is not None and (not is_address(image) or image.lower().startswith("file:")):
            image, foreign = _local_path(image, table.parent)
            problem = problem or foreign
        comment = row.comment if row.comment is not None else defaults.comment
        seconds = defaults.seconds if row.seconds is None else row.seconds
        seed = defaults.seed if row.seed is None else row.seed
        if problem is None and image is None and comment is None:
            problem = f"row {row.number} has neither an image nor a comment"
        own = row.id and shown_place(row.id)
        name = own or (image_name(image) if image else None) or (comment or "")[:40] or f"row-{row.number}"
        # Not the number of the row: a row that is added above must not change the ids of all below.
        whole = repr((own, row.image and shown_place(row.image), comment, seconds, seed))
        items.append(Item(ids.give(name, whole), image, comment, seconds, seed, row.carried, problem))
    return items


def _local_path(image: str, folder: Path) -> tuple[str, str | None]:
    """The file that a table means by a path, which may have been written on another system.

    As it stands it counts first; then with the separators of Windows, and with accents in one sign or in two, as
    systems differ about them.

    Returns:
        The path, and why it cannot be a file here, or None.
    """
    if image.lower().startswith("file:"):
        image = url2pathname(urlsplit(image).path)
    windows = PureWindowsPath(image)
    slashed = windows.as_posix() if "\\" in image else image
    forms = [image, slashed, *(unicodedata.normalize(form, slashed) for form in ("NFC", "NFD"))]
    for form in forms:
        try:
            if (folder / form).exists():
                return str(folder / form), None
        except (OSError, ValueError):
            continue
    if is_like_address(image) and shown(image) != image:
        sentence = f"{readable(shown(image))} is no file, and no address without http:// or https://: write it"
        return str(folder / shown(image)), sentence
    if windows.drive and not Path(image).is_absolute():
        return str(folder / image), (
            f"{readable(image)} is a path of another computer: copy the pictures beside the table, and write "
            f"{readable(windows.name)}"
        )
    return str(folder / slashed), None


def _folder(folder: Path, defaults: Defaults, output: Path | None) -> tuple[list[Item], int]:
    """Pictures of a folder and the folders in it, in the order of their names; hidden ones are left out.

    Links to folders are followed, except back to where they come from.
    """
    ids, items = Ids(), []
    passed_over = 0
    left_out = [] if output is None else [os.path.realpath(place) for place in (output, output / THUMBNAILS)]

    def item(path: Path, problem: str | None = None) -> None:
        place = str(path.relative_to(folder))
        name = ids.give(path.stem if problem is None else path.name, place)
        items.append(Item(name, str(path), defaults.comment, defaults.seconds, defaults.seed, {}, problem))

    def walk(place: Path, above: tuple[str, ...]) -> None:
        nonlocal passed_over
        real = os.path.realpath(place)
        if above and real in left_out:
            return
        if real in above:
            item(place, f"{place} leads back to {real}, a folder above it; remove the link")
            return
        try:
            entries = sorted(place.iterdir(), key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            if not above:
                raise CollectionError(f"cannot read {readable(str(place))}: {error.strerror}") from error
            item(place, f"cannot read the folder {place}: {error.strerror}; check its permissions")
            return
        for entry in entries:
            if is_hidden(entry.name):
                continue
            if entry.is_dir() and entry.suffix.lower() not in PICTURE_ENDINGS:
                walk(entry, (*above, real))
            elif _is_picture(entry):
                item(entry)
            else:
                passed_over += 1

    walk(folder, ())
    return items, passed_over


def _is_picture(path: Path) -> bool:
    """Whether a file is called a picture, or is one under another name."""
    if path.suffix.lower() in PICTURE_ENDINGS:
        return True
    try:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            read_header(stream)
    except (HeaderError, OSError, ValueError):
        return False
    return True

"""The official files in the form of ``shared/data``, which every command reads.

Paintings are split 80/10/10 by SHA-1 of artist and title, as ``training.data.tables.official`` does it. The encoder
and the fusion that come with this project were trained with another split: some of these test paintings were among
those they learned from, so their weights must not be evaluated on an imported folder. Train both on it first.
"""

from __future__ import annotations

import json
import re
import shutil
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from a2m_edge.errors import DataError, OutputError
from a2m_edge.impression.feeling import EMOTIONS
from a2m_edge.output import held, make_folder
from training.data.tables.captions import read_captions, split_of
from training.data.tables.companions import bring_companions, copy_file
from training.data.tables.feelings import Utterance
from training.data.tables.official import UtteranceTable, painting_identity
from training.data.tables.picture_packing import QUALITY, Packed, fingerprint, pack_pictures
from training.data.tables.table_files import table_sha256, write_facts, write_table
from training.data.tables.utterance_rows import UsableUtterances
from training.data.tables.wikiart import PictureFolder
from training.jobs import JobRunner

UTTERANCE_COLUMNS = ("art_style", "painting", "emotion", "utterance", "source", "image_file", "split")
PAINTING_COLUMNS = (
    "file",
    "style",
    "artist",
    "title",
    "year",
    "artemis_key",
    "split",
    "kind",
    "artist_dead_70",
    "crop",
    "crop_note",
    "name",
)
OTHER_SPLIT = (
    "the shipped encoder and fusion were trained with another split: train both on this folder first, for the shipped "
    "weights must not be evaluated on these paintings"
)

_FORM = 1
"""Goes up when the same files are to give other ones."""

_RECORD, _PARTS = "import.json", "parts"
_RESULTS = ("artemis.csv", "paintings.csv", "paintings.zip")
_YEAR = re.compile(r"-(\d{4})")


@dataclass(frozen=True)
class Official:
    """What is imported.

    Attributes:
        artemis: table of utterances, official or a mirror's; see ``UtteranceTable``. A mirror's splits are kept.
        wikiart: folder of the style folders.
        musiccaps: table of captions; None for that of the shared folder.
    """

    artemis: Path
    wikiart: Path
    musiccaps: Path | None = None


@dataclass
class _Scan:
    """What one reading of the table tells.

    Attributes:
        splits: of each painting, by ``_identity``.
        keys: a painting of the table for each picture.
        pictureless: paintings without a picture.
    """

    splits: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    pictureless: set[str] = field(default_factory=set)


def import_official(
    official: Official, shared: Path, out: Path, side: int, runner: JobRunner
) -> tuple[dict[str, Any], list[str]]:
    """Writes ``out/data`` from the official files, and brings along what else the commands need from ``shared``.

    The tables are read row by row. Pictures that were scaled are kept when it is stopped, and gone on from; a folder
    that is done is not done again, but what was missing in ``shared`` is looked for once more. All pictures of WikiArt
    are imported, with utterances or without. A picture that cannot be decoded is left out.

    Args:
        official: the files.
        shared: folder with ``data`` and ``weights``; nothing need be there.
        out: to write; empty, missing, or of an earlier call with the same files.
        side: pixels of the pictures' shorter sides.
        runner: scales pictures, on this computer.

    Returns:
        facts: numbers of ``utterances``, ``paintings``, ``paintings_without_picture``, ``pictures`` (by split), why
        pictures are ``unreadable`` (by file) and how many rows were ``dropped`` (by reason); and a sentence about each
        thing that is neither in ``shared`` nor in ``out``.

    Raises:
        DataError: a table or the folder cannot be read, or they do not belong together; or pictures were lost.
        OutputError: the folder holds something else, or cannot be written.
        SystemExit, KeyboardInterrupt: stopped by a signal; see ``JobRunner.run``.
    """
    pictures = PictureFolder(official.wikiart)
    table = UtteranceTable(official.artemis, pictures)
    if official.musiccaps:
        read_captions(official.musiccaps)
    plan = {
        "form": _FORM,
        "side": side,
        "quality": QUALITY,
        "artemis": table_sha256(official.artemis),
        "wikiart": {"pictures": len(pictures), "sha256_of_names_sizes_times": fingerprint(pictures)},
    }
    data = out / "data"
    _require_ours(out, data / _RECORD)
    with held(out):
        facts = _kept(data / _RECORD, plan)
        if facts is None:
            usable = UsableUtterances(table)
            scan = _scan(usable, official)
            make_folder(data)
            write_facts(data / _RECORD, plan)
            packed = pack_pictures(pictures, data / "paintings.zip", data / _PARTS, side, runner)
            if not packed.sizes:
                raise DataError(f"no picture of {official.wikiart} can be read: fetch WikiArt again")
            facts = _write_tables(data, usable, scan, packed)
            write_facts(data / _RECORD, plan | {"facts": facts})
        shutil.rmtree(data / _PARTS, ignore_errors=True)
        if official.musiccaps:
            copy_file(official.musiccaps, data / "musiccaps.csv")
        return facts, bring_companions(shared, out)


def _require_ours(out: Path, record: Path) -> None:
    """Refuses a folder that this did not begin; OutputError."""
    try:
        others = [entry.name for entry in out.iterdir() if entry.name != ".lock"] if out.exists() else []
    except OSError as error:
        raise OutputError(f"cannot write {out}: {error.strerror}; choose another folder") from error
    if others and not record.is_file():
        raise OutputError(f"{out} holds something else ({sorted(others)[0]}): choose an empty folder")


def _kept(record: Path, plan: dict[str, Any]) -> dict[str, Any] | None:
    """The facts about a folder that is done, None where there is something to do.

    Raises:
        OutputError: it was made otherwise.
    """
    if not record.exists():
        return None
    try:
        kept: dict[str, Any] = json.loads(record.read_bytes())
        facts: dict[str, Any] | None = kept.pop("facts", None)
    except (OSError, ValueError, AttributeError) as error:
        raise OutputError(f"{record} is damaged ({error}): choose another folder") from error
    other = [name for name in plan | kept if plan.get(name) != kept.get(name)]
    if other:
        raise OutputError(
            f"{record.parent.parent} was imported otherwise ({', '.join(other)}): choose another folder, or delete "
            f"{record.parent} to have it made again"
        )
    return facts if all((record.parent / name).is_file() for name in _RESULTS) else None


def _scan(usable: UsableUtterances, official: Official) -> _Scan:
    """Reads the table once; DataError where nothing is usable, nothing has a picture, or a painting has two splits."""
    found = _Scan()
    for one in usable:
        identity = _identity(one.picture or one.painting)
        split = found.splits.setdefault(identity, one.split)
        if split != one.split and usable.table.has_splits:
            raise DataError(
                f"{official.artemis} has the painting {identity} in two splits, {split} and {one.split}: mend its "
                f"column split, or take it out"
            )
        if one.picture:
            found.keys.setdefault(one.picture, one.painting)
        else:
            found.pictureless.add(one.painting)
    if not found.splits:
        why = ", ".join(f"{reason}: {number:,}" for reason, number in usable.dropped.most_common(3)) or "it has no rows"
        raise DataError(f"{official.artemis} holds no usable utterance ({why}): fetch ArtEmis again")
    if not found.keys:
        raise DataError(
            f"{official.wikiart} holds a picture of no painting in {official.artemis}: name the folder of WikiArt's "
            f"style folders"
        )
    return found


def _identity(painting: str) -> str:
    """What a painting is told by; see ``painting_identity``.

    By a picture's file where there is one: a table may write one name in two ways, and the file has one.
    """
    name = PurePosixPath(painting)
    stem = name.stem if name.suffix.lower() in (".jpg", ".jpeg", ".png") else name.name
    return unicodedata.normalize("NFC", painting_identity(stem))


def _write_tables(data: Path, usable: UsableUtterances, scan: _Scan, packed: Packed) -> dict[str, Any]:
    """Writes both tables and tells what is in them."""
    rows = 0

    def utterances() -> Iterable[tuple[str, ...]]:
        nonlocal rows
        for one in usable:
            rows += 1
            yield _utterance_row(one, usable.table.path.name, scan, packed)

    splits: Counter[str] = Counter()

    def paintings() -> Iterable[tuple[str, ...]]:
        for file, size in packed.sizes.items():
            row = _painting_row(file, size, scan)
            splits[row[PAINTING_COLUMNS.index("split")]] += 1
            yield row

    write_table(data / "paintings.csv", PAINTING_COLUMNS, paintings())
    write_table(data / "artemis.csv", UTTERANCE_COLUMNS, utterances())
    unreadable = {scan.keys[file] for file in packed.unreadable if file in scan.keys}
    return {
        "utterances": rows,
        "dropped": dict(usable.dropped.most_common()),
        "paintings": len(scan.pictureless) + len(set(scan.keys.values())),
        "paintings_without_picture": len(scan.pictureless | unreadable),
        "pictures": dict(splits),
        "unreadable": packed.unreadable,
    }


def _utterance_row(one: Utterance, source: str, scan: _Scan, packed: Packed) -> tuple[str, ...]:
    style, _, painting = one.painting.partition("/")
    picture = one.picture if one.picture in packed.sizes else ""
    split = scan.splits[_identity(one.picture or one.painting)]
    return style, painting, EMOTIONS[one.emotion], one.text, source, picture, split


def _painting_row(file: str, size: tuple[int, int], scan: _Scan) -> tuple[str, ...]:
    style, _, rest = file.partition("/")
    name, identity = PurePosixPath(rest).stem, _identity(file)
    artist, _, title = identity.partition("_")
    year = _YEAR.match(unicodedata.normalize("NFC", name)[len(identity) :])
    split = scan.splits.get(identity) or split_of(identity)
    key = scan.keys.get(file, "")
    kind, crop = ("artemis" if key else "named"), f"0,0,{size[0]},{size[1]}"
    return file, style, artist, title, year[1] if year else "", key, split, kind, "unknown", crop, "ok", name

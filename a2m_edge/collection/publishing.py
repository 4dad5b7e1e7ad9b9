"""What a run offers to people and to viewers, made from its index when the rendering is done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from a2m_edge.collection.captions import caption
from a2m_edge.collection.iiif.annotations import NO_CANVAS, CanvasSound, canvas_looks, checked_base, write_annotations
from a2m_edge.collection.iiif.depictions import picture_file
from a2m_edge.collection.iiif.fetching import PATIENT, Patience
from a2m_edge.collection.index import Record
from a2m_edge.collection.items import Item
from a2m_edge.collection.sheet.page import Entry, Failure, thumbnail_path, write_contact_sheet, write_thumbnail
from a2m_edge.errors import OptionError, OutputError, PictureError
from a2m_edge.perception.pictures import read_picture


def publish_contact_sheet(
    output: Path,
    items: Iterable[Item],
    records: Mapping[str, Record],
    *,
    title: str,
    made: str = "",
    patience: Patience = PATIENT,
) -> Path:
    """Writes the contact sheet of a run: its works in the order of its source, its failures at the end.

    A thumbnail that is missing, or older than the sound beside it, is made from the picture again; where that can no
    longer be read, the page does without. Whoever renders may write it at once, after the sound, by
    ``contact_sheet.write_thumbnail``.

    Args:
        output: folder of the run.
        items: the works of the source; one that has no record is left out.
        records: the last record of each id.
        title: of the page.
        made: how it was made, such as program and bundle.
        patience: with servers that pictures come from.

    Returns:
        The page's file.

    Raises:
        OutputError: it cannot be written.
    """
    entries, failures = [], []
    for item, record in _pairs(items, records):
        words = caption(item.id, item.image, record.carried)
        if record.error is not None or record.sound is None:
            failures.append(Failure(words.title, record.error or "it has no sound"))
            continue
        _ensure_thumbnail(output, item, record.sound, patience)
        tempo = "" if record.tempo is None else f"{record.tempo:.0f} beats a minute"
        entries.append(
            Entry(
                id=item.id,
                title=words.title,
                sound=record.sound,
                seconds=record.seconds,
                word=record.feeling or "something else",
                valence=record.valence or 0.0,
                arousal=record.arousal or 0.0,
                emotions=record.emotions,
                instruments=record.instruments,
                music=" · ".join(part for part in (record.key or "", tempo) if part),
                why=record.why,
                byline=words.byline,
                comment=record.comment,
                credit=words.credit,
                gaze=record.gaze,
            )
        )
    return write_contact_sheet(output, entries, failures, title=title, made=made)


def check_annotations(items: Iterable[Item], base: str) -> None:
    """Refuses, before anything is rendered, annotations that could not be written when all is done.

    Raises:
        OptionError: ``base`` is no address to serve from, or no item carries a ``canvas``.
    """
    checked_base(base)
    if not any(_canvas(item.carried) for item in items):
        raise OptionError(NO_CANVAS)


def publish_annotations(output: Path, items: Iterable[Item], records: Mapping[str, Record], base: str) -> Path:
    """Writes the IIIF annotations of a run: of each work that was rendered and carries its ``canvas``.

    Args:
        output: folder of the run.
        items: the works of the source.
        records: the last record of each id.
        base: the address under which ``output`` will be served.

    Returns:
        The file of the annotation collection.

    Raises:
        OptionError: ``base`` is no such address, or no work was rendered that has a canvas.
        OutputError: they cannot be written.
    """
    sounds = [
        CanvasSound(
            id=item.id,
            canvas=record.carried["canvas"],
            sound=record.sound,
            seconds=record.seconds,
            feeling=record.feeling or "something else",
            title=caption(item.id, item.image, record.carried).title,
            looks=canvas_looks(record.gaze, item.depiction),
        )
        for item, record in _pairs(items, records)
        if record.error is None and record.sound is not None and _canvas(record.carried)
    ]
    return write_annotations(output, base, sounds)


def _canvas(carried: Mapping[str, str]) -> bool:
    return carried.get("canvas", "").startswith(("http://", "https://"))


def _pairs(items: Iterable[Item], records: Mapping[str, Record]) -> Iterator[tuple[Item, Record]]:
    for item in items:
        record = records.get(item.id)
        if record is not None:
            yield item, record


def _ensure_thumbnail(output: Path, item: Item, sound: str, patience: Patience) -> None:
    path = thumbnail_path(output, item.id)
    with contextlib.suppress(OSError):
        if path.stat().st_mtime_ns >= (output / sound).stat().st_mtime_ns:
            return
    picture = None
    if item.image is not None:
        with contextlib.suppress(PictureError), picture_file(item.image, item.depiction, patience) as file:
            picture = read_picture(file.path, parts=file.parts)
    if picture is not None:
        write_thumbnail(output, item.id, picture)
        return
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot remove {path}: {error.strerror}; remove it by hand") from error

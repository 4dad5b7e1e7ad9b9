"""IIIF annotations that attach each sound to the canvas it was made for.

One annotation page for each work (Presentation 3.0, 5.5; W3C Web Annotation Data Model), with the whole sound and each
stretch of it that dwells on a part of the picture; and an annotation collection that leads through all of them. A
museum puts them and the sounds on its server and names each page in the ``annotations`` of its canvas; viewers then
offer the sound beside the picture.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from a2m_edge.addresses import keeps_secret, shown
from a2m_edge.collection.dwellings import Dwelling
from a2m_edge.collection.iiif.depictions import Depiction
from a2m_edge.errors import OptionError, OutputError
from a2m_edge.output import written_aside

CONTEXT = "http://iiif.io/api/presentation/3/context.json"

FOLDER = "annotations"
"""Where the pages lie, below the output and below the base address."""

MEDIA_TYPES = {".flac": "audio/flac", ".wav": "audio/wav", ".opus": "audio/ogg", ".mp3": "audio/mpeg"}
"""By the ending of a sound file; Opus is kept in Ogg (RFC 7845, 9)."""

NO_CANVAS = (
    "--iiif-annotations needs works that come from a IIIF manifest, and none of these has a canvas; leave it out"
)


@dataclass(frozen=True)
class CanvasSound:
    """A sound and the canvas it belongs to.

    Attributes:
        id: of the item: the stem of its page.
        canvas: the canvas' id, an http(s) address.
        sound: path of the sound file below the output, with slashes.
        seconds: duration of the sound, > 0.
        feeling: the word that was felt.
        title: of the work, or nothing.
        looks: stretches of the sound that dwell on a part of the picture.
    """

    id: str
    canvas: str
    sound: str
    seconds: float
    feeling: str
    title: str = ""
    looks: tuple[CanvasLook, ...] = ()


@dataclass(frozen=True)
class CanvasLook:
    """A stretch of a sound and the part of the canvas that it dwells on.

    Attributes:
        start, end: seconds.
        place: left, top, width and height, in units of the canvas; whole numbers, width and height at least 1.
        feeling: the word for what is felt there.
    """

    start: float
    end: float
    place: tuple[int, int, int, int]
    feeling: str


def canvas_looks(dwellings: Sequence[Dwelling], depiction: Depiction | None) -> tuple[CanvasLook, ...]:
    """The stretches of a sound on the canvas of its picture.

    Args:
        dwellings: on regions of the picture.
        depiction: of the picture; without the place on its canvas there are none.
    """
    if depiction is None or depiction.on_canvas is None:
        return ()
    left, top, width, height = depiction.on_canvas
    looks = []
    for each in dwellings:
        across, down, wide, tall = each.region
        place = (
            round(left + across * width),
            round(top + down * height),
            max(1, round(wide * width)),
            max(1, round(tall * height)),
        )
        looks.append(CanvasLook(each.start, each.end, place, each.feeling))
    return tuple(looks)


def checked_base(base: str) -> str:
    """The address under which the output will be served, without a slash at its end.

    Raises:
        OptionError: it is no http(s) address, or holds more than a place.
    """
    try:
        parts = urlsplit(base.strip())
        well = parts.scheme.lower() in ("http", "https") and bool(parts.hostname) and parts.port != 0
        well = well and not keeps_secret(base)
    except ValueError:
        well = False
        parts = urlsplit("")
    if not well or parts.query or parts.fragment or parts.username is not None or not base.strip().isprintable():
        raise OptionError(
            f"--iiif-annotations must be the address under which the output will be served, such as "
            f"https://museum.example/sounds, not {shown(base)!r}"
        )
    return quote(base.strip().rstrip("/"), safe="/%:@!$&'()*+,;=~[]-._")


def annotation_page(sound: CanvasSound, base: str, number: int, total: Sequence[CanvasSound]) -> dict[str, Any]:
    """The page of one sound, ready for JSON.

    Args:
        sound: what it attaches.
        base: as ``checked_base`` gives it.
        number: its place among all, from 0.
        total: all of them, in order.
    """
    address = _address(base, sound)
    page: dict[str, Any] = {
        "@context": CONTEXT,
        "id": address,
        "type": "AnnotationPage",
        "partOf": [{"id": _collection_address(base), "type": "AnnotationCollection"}],
    }
    if number > 0:
        page["prev"] = {"id": _address(base, total[number - 1]), "type": "AnnotationPage"}
    if number + 1 < len(total):
        page["next"] = {"id": _address(base, total[number + 1]), "type": "AnnotationPage"}
    file = f"{base}/{quote(sound.sound, safe='/')}"
    page["items"] = [_annotation(f"{address}#sound", sound, file, sound.seconds, sound.feeling, sound.canvas)]
    for count, look in enumerate(sound.looks, 1):
        # Media Fragments URI 1.0 (W3C): a time of the sound, a rectangle of the canvas.
        stretch = f"{file}#t={look.start:g},{look.end:g}"
        target = f"{sound.canvas.partition('#')[0]}#xywh={','.join(map(str, look.place))}"
        item = _annotation(f"{address}#look-{count}", sound, stretch, look.end - look.start, look.feeling, target)
        page["items"].append(item)
    return page


def _annotation(
    identity: str, sound: CanvasSound, body: str, seconds: float, feeling: str, target: str
) -> dict[str, Any]:
    """A sound, or a stretch of it, on a canvas, or a part of it."""
    return {
        "id": identity,
        "type": "Annotation",
        "motivation": "supplementing",
        "body": {
            "id": body,
            "type": "Sound",
            "format": MEDIA_TYPES[Path(sound.sound).suffix.lower()],
            "duration": round(seconds, 6),
            "label": {"en": [f"{sound.title}: {feeling}" if sound.title else feeling]},
        },
        "target": target,
    }


def annotation_collection(base: str, sounds: Sequence[CanvasSound]) -> dict[str, Any]:
    """The collection that leads to the first and last of all pages, ready for JSON."""
    return {
        "@context": CONTEXT,
        "id": _collection_address(base),
        "type": "AnnotationCollection",
        "label": {"en": ["Soundscapes of the works"]},
        "total": len(sounds),
        "first": {"id": _address(base, sounds[0]), "type": "AnnotationPage"},
        "last": {"id": _address(base, sounds[-1]), "type": "AnnotationPage"},
    }


def write_annotations(output: Path, base: str, sounds: Sequence[CanvasSound]) -> Path:
    """Writes all pages and then their collection below ``output``; what is there already of that name is replaced.

    A page whose content has not changed is left as it is, so that a web server and a backup see what is new.

    Args:
        output: folder of the run.
        base: the address under which ``output`` will be served.
        sounds: at least one, each id once.

    Returns:
        The collection's file.

    Raises:
        OptionError: ``base`` is no such address, or there is no sound that belongs to a canvas.
        OutputError: they cannot be written.
    """
    base = checked_base(base)
    if not sounds:
        raise OptionError(NO_CANVAS)
    folder = output / FOLDER
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror}") from error
    for number, sound in enumerate(sounds):
        _write(folder / f"{sound.id}.json", annotation_page(sound, base, number, sounds))
    # Last, so that whoever follows it finds all of them.
    whole = output / f"{FOLDER}.json"
    _write(whole, annotation_collection(base, sounds))
    return whole


def annotation_names(ids: Iterable[str]) -> list[str]:
    """The files of a run's annotations, as paths below its place."""
    return [f"{FOLDER}.json", *(f"{FOLDER}/{identity}.json" for identity in ids)]


def _address(base: str, sound: CanvasSound) -> str:
    return f"{base}/{FOLDER}/{quote(sound.id, safe='')}.json"


def _collection_address(base: str) -> str:
    return f"{base}/{FOLDER}.json"


def _write(path: Path, document: dict[str, Any]) -> None:
    content = (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
    if path.is_file() and path.read_bytes() == content:
        return
    with written_aside(path) as stream:
        stream.write(content)

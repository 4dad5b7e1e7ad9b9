"""Addresses of the IIIF Image API taken apart: the base, and the region, rotation and quality that follow it.

https://iiif.io/api/image/3.0/#21-image-request-uri-syntax; a service behind a query, as IIPImage has it
(``iipsrv.fcgi?IIIF=picture.tif``), has all of that after the query.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote, urldefrag

from a2m_edge.perception.parts import Part, Quality, Region

_NUMBER = r"-?\d{1,12}(?:\.\d{1,12})?"
_RECTANGLE = re.compile(rf"\s*({_NUMBER})\s*,\s*({_NUMBER})\s*,\s*({_NUMBER})\s*,\s*({_NUMBER})\s*")
_FRAGMENT = re.compile(r"(?:^|[#&?])xywh=(?:(pixel|percent|pct):)?([^&#]*)", re.IGNORECASE)
_SIZE = re.compile(r"\^?(max|full|pct:[\d.]+|!?\d*,\d*)")
_ROTATION = re.compile(r"\s*(!?)\s*(\d{1,6}(?:\.\d{1,12})?|\.\d{1,12})\s*")
_QUALITIES: dict[str, Quality] = {
    "default": "default",
    "native": "default",
    "color": "default",
    "colour": "default",
    "gray": "gray",
    "grey": "gray",
    "bitonal": "bitonal",
}
"""Those of all versions (3.0, 4.4; 1.1, 4.4), by what they show."""
_FILE = re.compile(rf"({'|'.join(_QUALITIES)})\.[a-z0-9]{{2,4}}")
_BEHIND_QUERY = re.compile(r"[?&]iiif=[^&]*$", re.IGNORECASE)


class ImageRequest(NamedTuple):
    """An address of a picture, taken apart.

    Attributes:
        service: the id of the service; what follows its addresses is still there, behind a question mark.
        part: what it asks for.
    """

    service: str
    part: Part


def image_request(address: str) -> ImageRequest | None:
    """What an address asks a service for; None where it is the address of something else."""
    plain = urldefrag(address).url
    path, mark, query = plain.partition("?")
    for whole, after in ((plain, ""), (path, mark + query)):
        pieces = whole.rsplit("/", 4)
        if len(pieces) != 5 or not pieces[0]:
            continue
        region, size, rotation, file = (unquote(piece) for piece in pieces[1:])
        if not (_SIZE.fullmatch(size) and (named := _FILE.fullmatch(file))):
            continue
        part = read_part(region, rotation, named[1])
        if part is not None:
            return ImageRequest(pieces[0] + after, part)
    return None


def is_information(address: str) -> bool:
    """Whether an address is that of an ``info.json``."""
    return urldefrag(address).url.partition("?")[0].endswith("/info.json") or bool(
        _BEHIND_QUERY.search(address) and address.endswith("/info.json")
    )


def read_part(region: str, rotation: str, quality: str) -> Part | None:
    """The part that the parameters of the Image API name; None where they are none."""
    turn = _ROTATION.fullmatch(rotation)
    known = _QUALITIES.get(quality)
    if turn is None or known is None:
        return None
    cut: Part | None = Part()
    if region == "square":
        cut = Part("square")
    elif region != "full":
        percent = region.startswith("pct:")
        rectangle = _rectangle(region.removeprefix("pct:"), (100.0, 100.0) if percent else None)
        cut = None if rectangle is None else Part(rectangle)
    if cut is None:
        return None
    return Part(cut.region, bool(turn[1]), float(turn[2]) % 360.0, known)


def fragment_region(fragment: str) -> Region | None:
    """The rectangle of a media fragment (https://www.w3.org/TR/media-frags/#naming-space), where it names one."""
    found = _FRAGMENT.search(unquote(fragment))
    if found is None:
        return None
    percent = (found[1] or "").lower() in ("percent", "pct")
    return _rectangle(found[2], (100.0, 100.0) if percent else None)


def service_base(address: str) -> tuple[str, str]:
    """The base of a service, and the query that follows its addresses, from its id as museums write that.

    A slash, ``/info.json`` or a whole image request at its end are no part of it.
    """
    plain = urldefrag(address).url
    path, mark, query = plain.partition("?")
    base, after = (plain, "") if _BEHIND_QUERY.search(plain) else (path, mark + query if query else "")
    while (shorter := base.rstrip("/").removesuffix("/info.json")) != base:
        base = shorter
    request = image_request(base)
    return (base if request is None else request.service), after


def _rectangle(numbers: str, of: tuple[float, float] | None) -> Region | None:
    found = _RECTANGLE.fullmatch(numbers)
    if found is None:
        return None
    left, top, width, height = map(float, found.groups())
    return Region(left, top, width, height, of) if width > 0 and height > 0 else None

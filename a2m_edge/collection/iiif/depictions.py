"""How a picture is had: the ways to it, one after another, and what is left to be done with what came."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from a2m_edge.addresses import shown
from a2m_edge.collection.iiif.fetching import PATIENT, FetchError, Patience, fetch, in_memory, is_address
from a2m_edge.collection.iiif.image_api import ImageService, Offer
from a2m_edge.collection.iiif.image_requests import image_request, is_information
from a2m_edge.errors import PictureError
from a2m_edge.perception.parts import Part, PartError
from a2m_edge.perception.picture_formats import MAXIMUM_PIXELS, HeaderError, read_header

MOST_PICTURE_BYTES = 128 * 2**20
"""Pictures that are larger are not fetched: they are kept in memory."""

_MOST_INFORMATION_BYTES = 2**20
_REFUSALS = frozenset({400, 403, 404, 501})
"""How servers refuse a size or part (Image API 3.0, 4.2 and 7.3 leave 400 and 501 to them; others answer 403, 404)."""


@dataclass(frozen=True)
class Way:
    """One way to a picture.

    Attributes:
        address: of a picture; or, where there is a service, what it is asked for first.
        parts: of what is kept there, or by the service, one after another: what is shown.
        service: the image service that sends it, or None.
    """

    address: str = field(repr=False)
    parts: tuple[Part, ...] = ()
    service: ImageService | None = None

    @classmethod
    def through(cls, service: ImageService, parts: tuple[Part, ...] = ()) -> Self:
        """The way through an image service."""
        try:
            offer = service.known_offer(parts)
        except PartError:  # told when it is fetched
            offer = None
        return cls(service.information if offer is None else offer.address, parts, service)


@dataclass(frozen=True)
class Depiction:
    """A picture that is fetched.

    Attributes:
        ways: to it, at least one; another is only tried where those before it failed.
        remarks: clauses for the user about what was understood.
        on_canvas: left, top, width and height of the part of a canvas that it is painted on, in the canvas' units; None
            where there is no canvas, or its size is not told.
    """

    ways: tuple[Way, ...]
    remarks: tuple[str, ...] = ()
    on_canvas: tuple[float, float, float, float] | None = None

    @classmethod
    def at(cls, address: str) -> Self:
        """The picture at an address; one that ends in ``/info.json`` stands for the picture that it describes."""
        if is_information(address):
            return cls((Way.through(ImageService.at(address)),))
        asked = image_request(address)
        own = Way(address)
        if asked is None:
            return cls((own,))
        return cls((own, Way.through(ImageService.at(asked.service), as_parts(asked.part))))


@dataclass(frozen=True)
class PictureFile:
    """A picture at hand.

    Attributes:
        path: of its file.
        name: path or address, for messages.
        parts: what of it is shown.
        remarks: sentences for the user.
    """

    path: Path
    name: str
    parts: tuple[Part, ...] = ()
    remarks: tuple[str, ...] = ()


def as_parts(part: Part) -> tuple[Part, ...]:
    """A part as a way has it: none where all is shown as it is."""
    return () if part == Part() else (part,)


@contextlib.contextmanager
def picture_file(image: str, depiction: Depiction | None = None, patience: Patience = PATIENT) -> Iterator[PictureFile]:
    """The file of a picture that is named by a path or by an http(s) address.

    What is fetched stays in memory, under a path of its own, as long as the block lasts. Where a service refuses a size
    or a part, its ``info.json`` is asked for what it offers; where it fails, the picture's other addresses are tried.

    Args:
        image: path or address.
        depiction: how that is had, where more is known than the address.
        patience: with servers.

    Raises:
        PictureError: the picture cannot be fetched; or the block's own, with the address for a name.
    """
    if not is_address(image):
        yield PictureFile(Path(image), image)
        return
    content, offer, remarks = _fetched(depiction or Depiction.at(image), patience)
    with in_memory(content, shown(offer.address)) as path:
        yield PictureFile(path, shown(offer.address), offer.parts, remarks)


def _fetched(depiction: Depiction, patience: Patience) -> tuple[bytes, Offer, tuple[str, ...]]:
    """The first picture that comes, what it is, and remarks.

    Raises:
        PictureError: none comes; the sentence names each cause.
    """
    failures: list[str] = []
    for way in depiction.ways:
        try:
            content, offer = _through(way, patience)
            if len(depiction.ways) > 1:
                _check(content, offer.address)
        except FetchError as error:
            failures.append(str(error))
            continue
        except PartError as error:
            failures.append(f"{shown(way.address)}: {error}")
            continue
        instead = (f"{shown(offer.address)} was taken instead of {failure}" for failure in failures)
        return content, offer, (*depiction.remarks, *instead)
    raise PictureError(f"cannot fetch {'; nor '.join(failures)}")


def _check(content: bytes, address: str) -> None:
    """Refuses what is no picture, such as a page that asks visitors to log in, or has too many pixels."""
    try:
        header = read_header(io.BytesIO(content))
    except HeaderError as error:
        raise FetchError(f"{shown(address)}: what is there cannot be read: {error}") from None
    if header.pixels > MAXIMUM_PIXELS:
        raise FetchError(
            f"{shown(address)}: it has more than {MAXIMUM_PIXELS // 10**6} megapixels; offer a smaller copy"
        )


def _through(way: Way, patience: Patience) -> tuple[bytes, Offer]:
    """What comes on one way; what a FetchError says begins with the address."""
    if way.service is None:
        return _content(way.address, patience), Offer(way.address, way.parts)
    refusal, tried = None, set()
    offer = way.service.known_offer(way.parts)
    if offer is not None:
        try:
            return _content(offer.address, patience), offer
        except FetchError as error:
            if error.status not in _REFUSALS:
                raise
            refusal = error
            tried.add(offer.address)
    try:
        told = _service(way.service, patience)
    except FetchError as error:
        raise refusal or error from None
    for offer in (told.offer(way.parts), told.whole(way.parts)):
        if offer.address in tried:
            continue
        tried.add(offer.address)
        try:
            return _content(offer.address, patience), offer
        except FetchError as error:
            refusal = refusal or error
            if error.status not in _REFUSALS:
                break
    raise refusal or FetchError(f"{shown(way.address)}: it offers no picture; ask its owner")


def _content(address: str, patience: Patience) -> bytes:
    accept = "image/jpeg,image/png,image/*;q=0.8"
    return _fetch(address, MOST_PICTURE_BYTES, accept, patience)


def _service(service: ImageService, patience: Patience) -> ImageService:
    """The service as its ``info.json`` describes it."""
    accept = "application/ld+json,application/json"
    content = _fetch(service.information, _MOST_INFORMATION_BYTES, accept, patience)
    try:
        told = ImageService.read(json.loads(content), f"{service.address}{service.query}")
    except (ValueError, RecursionError):
        told = None
    if told is None:
        raise FetchError(f"{shown(service.information)}: it is not one of the IIIF Image API 1 to 3; check the address")
    return told


def _fetch(address: str, most_bytes: int, accept: str, patience: Patience) -> bytes:
    try:
        return fetch(address, most_bytes=most_bytes, accept=accept, patience=patience)
    except FetchError as error:
        raise FetchError(f"{shown(address)}: {error}", error.status) from None

"""Works from IIIF Presentation 3 manifests and collections: one for each canvas that shows a picture.

https://iiif.io/api/presentation/3.0/
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

from a2m_edge.addresses import shown, shown_place
from a2m_edge.collection.iiif.fetching import PATIENT, FetchError, Patience, fetch, is_address
from a2m_edge.collection.iiif.image_api import ImageService
from a2m_edge.collection.iiif.texts import credit, known_facts, label, languages
from a2m_edge.collection.items import Ids, Item, image_name
from a2m_edge.errors import CollectionError

MOST_DOCUMENT_BYTES = 64 * 2**20
"""A manifest or a page of a collection above this size is refused."""

DEEPEST = 16
"""Collections within collections that are followed."""

MOST_DOCUMENTS = 100_000
"""Manifests and collections that one source may lead to."""

_ACCEPT = 'application/ld+json;profile="http://iiif.io/api/presentation/3/context.json",application/json;q=0.9'


class _UnusableError(Exception):
    """A part of a source that cannot be used; the message is a clause that tells why."""


def is_iiif(document: object) -> bool:
    """Whether a parsed JSON document is a IIIF manifest or collection, of whatever version."""
    if not isinstance(document, dict):
        return False
    contexts = document.get("@context")
    contexts = contexts if isinstance(contexts, list) else [contexts]
    return any(isinstance(each, str) and "iiif.io/api/presentation/" in each for each in contexts)


def read_iiif(source: str, patience: Patience = PATIENT) -> object:
    """The parsed JSON of a file or of an http(s) address.

    Raises:
        CollectionError: it cannot be read or fetched, is larger than ``MOST_DOCUMENT_BYTES``, or is no JSON.
    """
    try:
        return _document(source, patience)
    except _UnusableError as error:
        raise CollectionError(f"cannot read {shown_place(source)}: {error}") from None


def iiif_items(
    document: object,
    source: str,
    *,
    seconds: float,
    seed: int,
    comment: str | None = None,
    patience: Patience = PATIENT,
) -> Iterator[Item]:
    """The works of a manifest or collection, in its order; what a collection names is fetched, one after another.

    Each canvas that shows a picture is an item; it carries ``canvas``, ``manifest``, ``title`` and, where they are
    told, ``labels`` (the language map as JSON), ``manifest_title``, ``artist``, ``date``, ``rights`` and
    ``attribution``. A canvas without a picture that can be had, and a part of a collection that cannot be read, is an
    item with a ``problem``. A canvas or document that comes again, as in collections that hold each other, is
    passed over.

    Args:
        document: the parsed JSON, as of ``read_iiif``.
        source: where it came from; addresses within it that are relative are relative to this one.
        seconds, seed, comment: of every item.
        patience: with servers.

    Raises:
        CollectionError: the document itself is no manifest or collection of Presentation 3.
    """
    walk = _Walk(seconds, seed, comment, patience)
    try:
        whole = _checked(document, source)
    except _UnusableError as error:
        raise CollectionError(f"cannot read {shown_place(source)}: {error}") from None
    return walk.works(whole, source, 0)


def iiif_title(document: object) -> str:
    """What a manifest or collection is called, or nothing."""
    return label(document.get("label")) if isinstance(document, dict) else ""


@dataclass
class _Walk:
    """A way through documents that may lead back to themselves."""

    seconds: float
    seed: int
    comment: str | None
    patience: Patience
    ids: Ids = field(default_factory=Ids)
    documents: set[str] = field(default_factory=set)
    canvases: set[str] = field(default_factory=set)

    def works(self, document: dict[str, Any], place: str, depth: int) -> Iterator[Item]:
        """The works of a checked document that was found at an address or path."""
        address = _absolute(document.get("id"), place)
        if self._again(place) | (address is not None and address != urldefrag(place).url and self._again(address)):
            return
        if document["type"] == "Manifest":
            yield from self._manifest(document, address or place)
            return
        for number, part in enumerate(_objects(document.get("items"))):
            yield from self._part(part, address or place, number, depth + 1)

    def _again(self, address: str) -> bool:
        known = urldefrag(address).url
        if known in self.documents:
            return True
        self.documents.add(known)
        return False

    def _part(self, part: dict[str, Any], place: str, number: int, depth: int) -> Iterator[Item]:
        """A manifest or collection that a collection holds, or only names."""
        address = _absolute(part.get("id"), place)
        try:
            if address is None:
                raise _UnusableError("it has no http(s) address as its id")
            if urldefrag(address).url in self.documents:
                return
            if len(self.documents) >= MOST_DOCUMENTS:
                raise _UnusableError(f"more than {MOST_DOCUMENTS:,} documents are not followed; render them in parts")
            if depth > DEEPEST:
                raise _UnusableError(f"collections within collections are followed {DEEPEST} deep; render it by itself")
            embedded = isinstance(part.get("items"), list)
            whole = part if embedded else _document(address, self.patience)
            found = _checked(whole, address, nested=True)
        except _UnusableError as error:
            if address is not None:
                self.documents.add(urldefrag(address).url)
            carried = {"manifest": address or ""}
            title = label(part.get("label")) or (image_name(address) if address else "") or f"part {number + 1}"
            name = shown(address) if address else title
            yield self._problem(title, f"{place}\0{number}", carried, f"cannot read {name}: {error}")
            return
        yield from self.works(found, address, depth)

    def _manifest(self, manifest: dict[str, Any], address: str) -> Iterator[Item]:
        canvases = _objects(manifest.get("items"))
        title = label(manifest.get("label"))
        for number, canvas in enumerate(canvases):
            own = label(canvas.get("label"))
            carried = {
                "title": (own if len(canvases) > 1 else title) or own or title,
                "manifest": address,
                "manifest_title": title if len(canvases) > 1 else "",
                "labels": languages(canvas.get("label") if len(canvases) > 1 and own else manifest.get("label")),
                **known_facts(manifest.get("metadata")),
                **known_facts(canvas.get("metadata")),
                "rights": _text(canvas.get("rights")) or _text(manifest.get("rights")),
                "attribution": credit(canvas) or credit(manifest),
            }
            name = f"{title} {own}".strip() if len(canvases) > 1 else carried["title"]
            yield from self._canvas(canvas, address, name or f"canvas {number + 1}", carried)

    def _canvas(self, canvas: dict[str, Any], place: str, name: str, carried: dict[str, str]) -> Iterator[Item]:
        identity = _absolute(canvas.get("id"), place)
        if identity in self.canvases:
            return
        carried = {"canvas": identity or "", **carried}
        carried = {key: text for key, text in carried.items() if text}
        try:
            if identity is None:
                raise _UnusableError("the canvas has no http(s) address as its id")
            self.canvases.add(identity)
            image = _picture(canvas, place)
        except _UnusableError as error:
            yield self._problem(name, identity or f"{place}\0{name}", carried, str(error))
            return
        given = self.ids.give(name, identity)
        yield Item(given, image, self.comment, self.seconds, self.seed, carried)

    def _problem(self, name: str, whole: str, carried: dict[str, str], problem: str) -> Item:
        given = self.ids.give(name, whole)
        return Item(given, None, self.comment, self.seconds, self.seed, carried, problem)


def _document(source: str, patience: Patience) -> object:
    """The parsed JSON of a path or address, within the limits."""
    try:
        if is_address(source):
            content = fetch(source, most_bytes=MOST_DOCUMENT_BYTES, accept=_ACCEPT, patience=patience)
        else:
            with Path(source).open("rb") as stream:
                content = stream.read(MOST_DOCUMENT_BYTES + 1)
            if len(content) > MOST_DOCUMENT_BYTES:
                raise _UnusableError(f"it is larger than {MOST_DOCUMENT_BYTES // 2**20} MiB; render it in parts")
        document: object = json.loads(content.decode("utf-8-sig"))
    except FetchError as error:
        raise _UnusableError(str(error)) from None
    except (UnicodeError, RecursionError, json.JSONDecodeError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "not UTF-8 text, or nested too deep"
        raise _UnusableError(f"it is not JSON ({reason}); name a IIIF manifest or collection") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path, a number of thousands of digits
        raise _UnusableError(f"{getattr(error, 'strerror', None) or error}; check its name and content") from None
    return document


def _checked(document: object, source: str, *, nested: bool = False) -> dict[str, Any]:
    """A manifest or collection of Presentation 3; one inside another document needs no context of its own."""
    if not isinstance(document, dict):
        raise _UnusableError("it is no IIIF manifest or collection; check where it comes from")
    contexts = document.get("@context")
    contexts = contexts if isinstance(contexts, list) else [contexts]
    if any(isinstance(each, str) and "/presentation/2/" in each for each in contexts) or "sequences" in document:
        raise _UnusableError("it is of IIIF Presentation 2, and 3 is read; ask its owner for that, or convert it")
    known = any(isinstance(each, str) and "/presentation/3/" in each for each in contexts)
    if document.get("type") not in ("Manifest", "Collection") or not (known or (nested and contexts == [None])):
        raise _UnusableError("it is no manifest or collection of IIIF Presentation 3; check where it comes from")
    if not isinstance(document.get("items"), list):
        raise _UnusableError("it holds no list of items; ask its owner to correct it")
    return document


def _picture(canvas: dict[str, Any], place: str) -> str:
    """The address of the first picture that is painted onto a canvas, in the size that is needed."""
    bodies = list(_painted(canvas))
    for body in (body for body in bodies if body.get("type") == "Image"):
        services = body.get("service")
        for entry in services if isinstance(services, list) else [services]:
            service = ImageService.read(entry)
            base = _absolute(service.address, place) if service else None
            if service and base:
                described = replace(service, address=base).within(body.get("width"), body.get("height"))
                return described.known_picture()
        address = _absolute(body.get("id"), place)
        if address is None:
            raise _UnusableError("its picture has no http(s) address")
        return address
    kinds = ", ".join(sorted({_text(body.get("type")) for body in bodies} - {""}))
    raise _UnusableError("the canvas shows no picture" + (f", only {kinds}" if kinds else ""))


def _painted(canvas: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The bodies of the painting annotations of a canvas; of alternatives the first, which is the default."""
    for page in _objects(canvas.get("items")):
        for annotation in _objects(page.get("items")):
            motivation = annotation.get("motivation")
            if "painting" not in (motivation if isinstance(motivation, list) else [motivation]):
                continue
            body = annotation.get("body")
            for each in body if isinstance(body, list) else [body]:
                inner = each
                for _ in range(4):  # a choice of specific resources; deeper ones mean nothing
                    if isinstance(inner, dict) and inner.get("type") == "Choice":
                        inner = next(iter(_objects(inner.get("items"))), None)
                    elif isinstance(inner, dict) and inner.get("type") == "SpecificResource":
                        inner = inner.get("source")
                if isinstance(inner, dict):
                    yield inner


def _absolute(identity: object, place: str) -> str | None:
    """An id as an http(s) address; None for what is none, such as a path on this computer."""
    if not isinstance(identity, str) or not identity.strip():
        return None
    try:
        joined = urljoin(place, identity.strip()) if is_address(place) else identity.strip()
        urlsplit(joined)
    except ValueError:
        return None
    return joined if joined.lower().startswith(("http://", "https://")) and joined.isprintable() else None


def _objects(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""

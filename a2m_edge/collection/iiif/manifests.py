"""Works from IIIF manifests and collections of Presentation 2 and 3: one for each canvas that shows a picture.

https://iiif.io/api/presentation/3.0/; what is of version 2 is read as what it would be in 3.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag

from a2m_edge.addresses import shown, shown_place
from a2m_edge.collection.iiif.canvases import NoPictureError, canvas_picture
from a2m_edge.collection.iiif.fetching import PATIENT, FetchError, Patience, fetch, is_address
from a2m_edge.collection.iiif.json_ld import absolute, contexts, identity, kind, objects, text
from a2m_edge.collection.iiif.presentation2 import is_bare, is_second, modern
from a2m_edge.collection.iiif.texts import credit, known_facts, label, languages
from a2m_edge.collection.items import Ids, Item, image_name
from a2m_edge.errors import CollectionError

MOST_DOCUMENT_BYTES = 64 * 2**20
"""A manifest or a page of a collection above this size is refused."""

DEEPEST = 16
"""Collections within collections that are followed."""

MOST_DOCUMENTS = 100_000
"""Manifests, collections and annotation pages that one source may lead to."""

_ACCEPT = 'application/ld+json;profile="http://iiif.io/api/presentation/3/context.json",application/json;q=0.9'


class _UnusableError(Exception):
    """A part of a source that cannot be used; the message is a clause that tells why."""


def is_iiif(document: object) -> bool:
    """Whether a parsed JSON document is a IIIF manifest or collection, of whatever version."""
    if not isinstance(document, dict):
        return False
    return is_second(document) or any("iiif.io/api/presentation/" in each for each in contexts(document))


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
    told, ``labels`` (the language map as JSON), ``manifest_title``, ``artist``, ``date``, ``description``, ``rights``
    and ``attribution``. Annotation pages that a canvas only names are fetched, too. A canvas without a picture that
    can be had, and a part of a collection that cannot be read, is an item with a ``problem``. A canvas or document that
    comes again, as in collections that hold each other, is passed over.

    Args:
        document: the parsed JSON, as of ``read_iiif``.
        source: where it came from; addresses within it that are relative are relative to this one.
        seconds, seed, comment: of every item.
        patience: with servers.

    Raises:
        CollectionError: the document itself is no manifest or collection.
    """
    walk = _Walk(seconds, seed, comment, patience)
    try:
        whole = _checked(document)
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
    last_page: tuple[str, object] = ("", None)

    def works(self, document: dict[str, Any], place: str, depth: int) -> Iterator[Item]:
        """The works of a checked document that was found at an address or path."""
        address = absolute(identity(document), place)
        if self._again(place) | (address is not None and address != urldefrag(place).url and self._again(address)):
            return
        if kind(document) == "Manifest":
            yield from self._manifest(document, address or place)
            return
        waiting = [(document, address or place)]
        while waiting:  # a long collection of Presentation 2 comes in pages (2.1, 3.5)
            page, found = waiting.pop(0)
            for number, part in enumerate(objects(page.get("items"))):
                yield from self._part(part, found, number, depth + 1)
            for following in (each for name in ("first", "next") for each in objects(page.get(name))):
                try:
                    entered = self._entered(following, found, depth)
                except _UnusableError as error:
                    yield self._unread(following, found, -1, error)
                    continue
                if entered is not None and kind(entered[0]) == "Collection":
                    self._again(entered[1])
                    waiting.append(entered)

    def _again(self, address: str) -> bool:
        known = urldefrag(address).url
        if known in self.documents:
            return True
        self.documents.add(known)
        return False

    def _part(self, part: dict[str, Any], place: str, number: int, depth: int) -> Iterator[Item]:
        """A manifest or collection that a collection holds, or only names."""
        try:
            entered = self._entered(part, place, depth)
        except _UnusableError as error:
            yield self._unread(part, place, number, error)
            return
        if entered is not None:
            yield from self.works(*entered, depth)

    def _entered(self, part: dict[str, Any], place: str, depth: int) -> tuple[dict[str, Any], str] | None:
        """A part that was not read yet, checked, and its address; None where it was."""
        address = absolute(identity(part), place)
        if address is None:
            raise _UnusableError("it has no http(s) address as its id")
        if urldefrag(address).url in self.documents:
            return None
        self._check_number()
        if depth > DEEPEST:
            raise _UnusableError(f"collections within collections are followed {DEEPEST} deep; render it by itself")
        return _checked(_document(address, self.patience) if is_bare(part) else part, nested=True), address

    def _unread(self, part: dict[str, Any], place: str, number: int, error: _UnusableError) -> Item:
        """The work that stands for a part that cannot be read."""
        address = absolute(identity(part), place)
        if address is not None:
            self.documents.add(urldefrag(address).url)
        title = label(part.get("label")) or (image_name(address) if address else "") or f"part {number + 1}"
        carried = {"manifest": address or ""}
        return self._problem(
            title, f"{place}\0{number}", carried, f"cannot read {shown(address) if address else title}: {error}"
        )

    def _check_number(self) -> None:
        if len(self.documents) >= MOST_DOCUMENTS:
            raise _UnusableError(f"more than {MOST_DOCUMENTS:,} documents are not followed; render them in parts")

    def _page(self, address: str) -> object:
        """An annotation page; the last one is kept, since the canvases of a manifest may share it."""
        if self.last_page[0] != address:
            try:
                self._check_number()
                self.documents.add(f"page {urldefrag(address).url}")
                self.last_page = address, _document(address, self.patience)
            except _UnusableError as error:
                raise NoPictureError(f"cannot read {shown(address)}, which names its picture: {error}") from None
        return self.last_page[1]

    def _manifest(self, manifest: dict[str, Any], address: str) -> Iterator[Item]:
        canvases = objects(manifest.get("items"))
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
                "description": label(canvas.get("summary")) or label(manifest.get("summary")),
                "rights": label(text(canvas.get("rights"))) or label(text(manifest.get("rights"))),
                "attribution": credit(canvas) or credit(manifest),
            }
            name = f"{title} {own}".strip() if len(canvases) > 1 else carried["title"]
            yield from self._canvas(canvas, address, name or f"canvas {number + 1}", carried)

    def _canvas(self, canvas: dict[str, Any], place: str, name: str, carried: dict[str, str]) -> Iterator[Item]:
        address = absolute(identity(canvas), place)
        if address in self.canvases:
            return
        carried = {"canvas": address or "", **carried}
        carried = {key: words for key, words in carried.items() if words}
        try:
            if address is None:
                raise _UnusableError("the canvas has no http(s) address as its id")
            self.canvases.add(address)
            depiction = canvas_picture(canvas, place, self._page)
        except (_UnusableError, NoPictureError) as error:
            yield self._problem(name, address or f"{place}\0{name}", carried, str(error))
            return
        given = self.ids.give(name, address)
        image = depiction.ways[0].address
        yield Item(given, image, self.comment, self.seconds, self.seed, carried, depiction=depiction)

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


def _checked(document: object, *, nested: bool = False) -> dict[str, Any]:
    """A manifest or collection in the words of Presentation 3; one inside another document needs no context."""
    if not isinstance(document, dict):
        raise _UnusableError("it is no IIIF manifest or collection; check where it comes from")
    second = is_second(document)
    document = modern(document)
    known = second or any("/presentation/" in each for each in contexts(document))
    nameless = nested and document.get("@context") is None
    if kind(document) not in ("Manifest", "Collection") or not (known or nameless):
        raise _UnusableError("it is no manifest or collection of IIIF Presentation 2 or 3; check where it comes from")
    if not isinstance(document.get("items"), list):
        raise _UnusableError("it holds no list of items; ask its owner to correct it")
    return document

"""The body of a painting annotation becomes a picture and the ways to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from a2m_edge.collection.iiif.depictions import Depiction, Way, as_parts
from a2m_edge.collection.iiif.image_api import ImageService
from a2m_edge.collection.iiif.image_requests import ImageRequest, image_request, is_information
from a2m_edge.collection.iiif.json_ld import absolute, identity, kind, objects, pixels, text
from a2m_edge.collection.iiif.selectors import Selected, Selection, selected, style_turn
from a2m_edge.perception.parts import Part, Region
from a2m_edge.perception.picture_formats import ENDINGS

_DEEPEST = 6
"""Choices and specific resources within each other; deeper ones mean nothing."""


class Body:
    """What an annotation paints, freed of choices and specific resources.

    Args:
        value: the body, or an entry of it.
        annotation: it belongs to; its style sheet may turn the body.

    Attributes:
        resource: what is left, such as an image, or nothing.
        selections: which part of that is shown, one after another.
        remarks: clauses for the user.
    """

    def __init__(self, value: dict[str, Any], annotation: dict[str, Any]) -> None:
        found: list[Selected] = []
        self.resource = value
        for _ in range(_DEEPEST):
            turn = style_turn(self.resource, annotation)
            if turn is not None:
                found.append(Selected((Selection(turn),)))
            if kind(self.resource) == "Choice":
                self.resource = _chosen(self.resource)
            elif kind(self.resource) == "SpecificResource" and ("source" in self.resource or "full" in self.resource):
                found.append(selected(self.resource.get("selector")))
                self.resource = _source(self.resource)
            else:
                break
        # The innermost takes first.
        self.selections = tuple(each for taken in reversed(found) for each in taken.selections)
        self.remarks = tuple(each for taken in reversed(found) for each in taken.remarks)

    @property
    def kind(self) -> str:
        """The type of what is painted; an image of whatever name is ``Image``."""
        named = kind(self.resource)
        if ImageService.read(self.resource) is not None:
            return "Image"
        address = identity(self.resource)
        if named in ("", "SpecificResource") and image_request(address):
            return "Image"
        picture = text(self.resource.get("format")).startswith("image/") or _names_picture(address)
        return "Image" if not named and picture else named

    def depiction(self, place: str) -> Depiction | None:
        """The ways to an image: its services, and then its own address; None where it has neither.

        Args:
            place: of the document, to which addresses may be relative.
        """
        address = absolute(identity(self.resource), place)
        services = _services(self.resource, place)
        if address is None:
            return self._ways([self._through(each, None) for each in services])
        request = image_request(address)
        of_service = any(each.of_service for each in self.selections)
        named = bool(services)
        if not services and (of_service or request is not None or is_information(address)):
            services = [ImageService.at(address if request is None else request.service)]
        through = [self._through(each, request) for each in services]
        if is_information(address) or ImageService.read(self.resource) is not None:
            return self._ways(through)
        own = self._own(address, request, services)
        # A service that nobody named is the second choice, unless something is wanted that it alone has.
        return self._ways([*through, *own] if named or of_service else [*own, *through])

    def _ways(self, ways: list[Way]) -> Depiction | None:
        return Depiction(tuple(dict.fromkeys(ways)), self.remarks) if ways else None

    def _through(self, service: ImageService, request: ImageRequest | None) -> Way:
        """The way through a service: of its picture the part that the id names, and of that what is selected."""
        parts = () if request is None else as_parts(request.part)
        for each in self.selections:
            parts = as_parts(each.part) if each.of_service else (*parts, *as_parts(self._measured(each.part)))
        # The size of the picture that the id names is that of the whole one only where nothing is taken of it.
        whole = service if parts else service.within(self.resource.get("width"), self.resource.get("height"))
        return Way.through(whole, parts)

    def _own(self, address: str, request: ImageRequest | None, services: list[ImageService]) -> list[Way]:
        """The way to the body's own address, where what is selected can be found in what that shows."""
        named = Part() if request is None else request.part
        parts: tuple[Part, ...] = ()
        for each in self.selections:
            if not each.of_service:
                parts = (*parts, *as_parts(self._measured(each.part)))
            elif each.part == named:
                parts = ()
            elif named == Part():
                sizes = [(service.width, service.height) for service in services]
                known = next(((float(wide), float(tall)) for wide, tall in sizes if wide and tall), None)
                parts = as_parts(_measured(each.part, known or self._size()))
            else:
                return []
        return [Way(address, parts)]

    def _size(self) -> tuple[float, float] | None:
        """Width and height of the picture that the id names, where they are told."""
        width, height = pixels(self.resource.get("width")), pixels(self.resource.get("height"))
        return None if width is None or height is None else (float(width), float(height))

    def _measured(self, part: Part) -> Part:
        return _measured(part, self._size())


def _names_picture(address: str) -> bool:
    """Whether an address of which nothing is said ends as those of pictures do."""
    return address.partition("?")[0].lower().endswith(tuple(ENDINGS))


def _measured(part: Part, size: tuple[float, float] | None) -> Part:
    """A part in pixels as a share of a picture of that size, so that it is found in copies of another size."""
    if size is None or not isinstance(part.region, Region) or part.region.of is not None:
        return part
    return replace(part, region=replace(part.region, of=size))


def _services(resource: dict[str, Any], place: str) -> list[ImageService]:
    """The image services of a resource, which may be one itself."""
    found = []
    for entry in (resource, *objects(resource.get("service")), *objects(resource.get("services"))):
        address = absolute(identity(entry), place)
        service = ImageService.read(entry, address) if address is not None else None
        if service is not None:
            found.append(service)
    return found


def _chosen(choice: dict[str, Any]) -> dict[str, Any]:
    """The default of a choice: the first of its items (3.0, 5.6), or what Presentation 2 names; images come first."""
    offered = [each for name in ("default", "items", "item") for each in objects(choice.get(name))]
    offered = [each for each in offered if identity(each) != "rdf:nil"]
    pictures = [each for each in offered if kind(each) in ("Image", "SpecificResource", "Choice")]
    return next(iter((*pictures, *offered)), {})


def _source(specific: dict[str, Any]) -> dict[str, Any]:
    """What a specific resource is a part of; of a bare address nothing is said, and it is taken for an image."""
    source = specific.get("source", specific.get("full"))
    if isinstance(source, str):
        return {"id": source, "type": "Image"}
    return next(iter(objects(source)), {})

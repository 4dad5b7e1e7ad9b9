"""The picture of a canvas: of all that is painted onto it the one that covers most."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from a2m_edge.addresses import shown
from a2m_edge.collection.iiif.bodies import Body
from a2m_edge.collection.iiif.depictions import Depiction
from a2m_edge.collection.iiif.json_ld import absolute, identity, kind, objects, pixels
from a2m_edge.collection.iiif.presentation2 import modern
from a2m_edge.collection.iiif.selectors import Place, target_canvases, target_place


class NoPictureError(Exception):
    """A canvas has no picture that can be had; the message is a clause that tells why."""


@dataclass(frozen=True)
class _Painting:
    """A body that is painted onto a canvas.

    Attributes:
        body: what is painted.
        place: address of the document that says so.
        on_canvas: the part of the canvas that it covers.
    """

    body: Body
    place: str
    on_canvas: Place

    @property
    def share(self) -> float:
        """Area of the canvas that it covers."""
        return self.on_canvas[2] * self.on_canvas[3]


Fetch = Callable[[str], object]
"""From an address to the parsed JSON there.

Raises:
    NoPictureError: it cannot be had.
"""


def canvas_picture(canvas: dict[str, Any], place: str, fetch: Fetch) -> Depiction:
    """The largest picture that is painted onto a canvas; of two as large as each other the first.

    Args:
        canvas: of Presentation 3.
        place: address or path of its document.
        fetch: gives annotation pages and annotations that the canvas only names.

    Raises:
        NoPictureError: it shows no picture, or none with an address.
    """
    problems: list[str] = []
    paintings = list(_paintings(canvas, place, fetch, problems))
    pictures = [each for each in paintings if each.body.kind == "Image"]
    for number, painting in enumerate(sorted(pictures, key=lambda each: -each.share)):  # stable
        depiction = painting.body.depiction(painting.place)
        if depiction is None:
            problems.append("its picture has no http(s) address")
            continue
        if painting.share > 0 and all(map(math.isfinite, painting.on_canvas)):
            depiction = replace(depiction, on_canvas=painting.on_canvas)
        others = len(pictures) - 1
        if others and not number:
            left_out = f"the largest of {len(pictures)} pictures on its canvas was taken, and {others} left out"
        elif others:
            left_out = f"of {len(pictures)} pictures on its canvas the largest that has an address was taken"
        else:
            return depiction
        return replace(depiction, remarks=(*depiction.remarks, left_out))
    if problems:
        raise NoPictureError(problems[0])
    kinds = ", ".join(sorted({each.body.kind for each in paintings} - {""}))
    raise NoPictureError("the canvas shows no picture" + (f", only {kinds}" if kinds else ""))


def _paintings(canvas: dict[str, Any], place: str, fetch: Fetch, problems: list[str]) -> Iterator[_Painting]:
    """All bodies of painting annotations, in their order.

    Where some of the annotations say that they are for this canvas, those that are for others are passed over.
    """
    width, height = (float(pixels(canvas.get(name)) or math.inf) for name in ("width", "height"))
    painted = []
    for page in objects(canvas.get("items")):
        whole, page_place = _resolved(page, "items", place, fetch, problems)
        for annotation in map(modern, objects(whole.get("items"))):
            if kind(annotation) not in ("", "Annotation") or not (_motivated(annotation) or _only_named(annotation)):
                continue
            entire, annotation_place = _resolved(annotation, "body", page_place, fetch, problems)
            if _motivated(entire):
                painted.append((entire, annotation_place))
    own = absolute(identity(canvas), place)
    mine = [
        (each, found)
        for each, found in painted
        if own in {absolute(target, found) for target in target_canvases(each.get("target"))}
    ]
    for annotation, found in mine or painted:
        on_canvas = target_place(annotation.get("target"), width, height)
        for body in objects(annotation.get("body")):
            yield _Painting(Body(body, annotation), found, on_canvas)


def _motivated(annotation: dict[str, Any]) -> bool:
    motivations = annotation.get("motivation")
    motivations = motivations if isinstance(motivations, list) else [motivations]
    return any(each in ("painting", "sc:painting") for each in motivations)


def _only_named(annotation: dict[str, Any]) -> bool:
    return "motivation" not in annotation and "body" not in annotation


def _resolved(
    value: dict[str, Any], key: str, place: str, fetch: Fetch, problems: list[str]
) -> tuple[dict[str, Any], str]:
    """A page or annotation with what stands under ``key``, fetched where the document only names it.

    Returns:
        It, and the place to which the addresses in it are relative.
    """
    value = modern(value)
    if key in value:
        return value, place
    address = absolute(identity(value), place)
    if address is None:
        return value, place
    try:
        found = fetch(address)
    except NoPictureError as error:
        problems.append(str(error))
        return {}, place
    fetched = modern(found) if isinstance(found, dict) else {}
    if key not in fetched:
        problems.append(
            f"{shown(address)} is no annotation{' page' if key == 'items' else ''}; ask its owner to correct it"
        )
        return {}, place
    return fetched, address

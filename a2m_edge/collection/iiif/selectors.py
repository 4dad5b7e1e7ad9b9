"""Selectors, fragments and styles: which part of a picture an annotation shows, and on which part of its canvas.

W3C Web Annotation Data Model (https://www.w3.org/TR/annotation-model/#selectors), the Image API Selector of IIIF
(https://iiif.io/api/annex/openannotation/#iiif-image-api-selector), and rotation by style sheet
(https://iiif.io/api/cookbook/recipe/0040-image-rotation-service/ shows both).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from a2m_edge.collection.iiif.image_requests import fragment_region, read_part
from a2m_edge.collection.iiif.json_ld import identity, kind, objects, text
from a2m_edge.collection.items import readable
from a2m_edge.perception.parts import Part

_DEEPEST = 4
"""Selectors within selectors that mean something."""

_ROTATE = re.compile(r"rotate\(\s*(-?\d{1,6}(?:\.\d{1,6})?)\s*(deg|turn)\s*\)", re.IGNORECASE)


@dataclass(frozen=True)
class Selection:
    """What a selector takes.

    Attributes:
        part: of the picture.
        of_service: the part is one of what the image service has, whatever the picture's own address shows of that.
    """

    part: Part
    of_service: bool = False


@dataclass(frozen=True)
class Selected:
    """What the selectors of a resource take.

    Attributes:
        selections: one after another.
        remarks: clauses about what was not understood.
    """

    selections: tuple[Selection, ...] = ()
    remarks: tuple[str, ...] = ()


def selected(value: object) -> Selected:
    """What a ``selector`` takes of a picture; of several, which are alternatives, the first that is understood."""
    found = _alternatives(value)
    remarks: list[str] = []
    for each in found:
        selection = _selection(each)
        if selection is None:
            remarks.append(f"what its {_name(each)} selects is not understood, and the whole picture is taken")
            continue
        return Selected((selection, *_refinement(each, _DEEPEST)))
    return Selected((), tuple(remarks[:1]))


Place = tuple[float, float, float, float]
"""Left, top, width and height of a part of a canvas, in its units; infinite where that is not told."""


def target_place(target: object, width: float, height: float) -> Place:
    """The part of a canvas that a body is painted on.

    Args:
        target: of the annotation; of several the largest one counts.
        width, height: of the canvas, infinite where they are not told.

    """
    places = (_place(each, width, height) for each in objects(target))
    return max(places, key=lambda place: place[2] * place[3], default=(0.0, 0.0, width, height))


def target_canvases(target: object) -> set[str]:
    """The ids of the canvases that an annotation is about, as they stand."""
    return {_canvas_of(each).partition("#")[0] for each in objects(target)} - {""}


def style_turn(body: dict[str, Any], annotation: dict[str, Any]) -> Part | None:
    """The rotation that the style of a body gives it, where it gives one."""
    own = " ".join(text(body.get(name))[:1000] for name in ("style", "styleClass"))
    sheets = "\n".join(
        text(each.get("value")) or text(each.get("chars")) or identity(each)
        for each in objects(annotation.get("stylesheet"))
    )
    names = {re.escape(name) for name in own.split() if name.isprintable() and "(" not in name}
    rules = re.findall(rf"\.(?:{'|'.join(sorted(names))})\s*\{{([^{{}}]*)\}}", sheets[:100_000]) if names else []
    turn = next((found for each in (own, *rules) if (found := _ROTATE.search(each))), None)
    if turn is None:
        return None
    return Part(degrees=float(turn[1]) * (360.0 if turn[2].lower() == "turn" else 1.0) % 360.0)


def _alternatives(value: object) -> list[dict[str, Any]]:
    """Selectors, of a choice those that it offers."""
    found = []
    for each in objects(value):
        if kind(each) == "Choice":
            found += [inner for name in ("default", "items", "item") for inner in objects(each.get(name))]
        else:
            found.append(each)
    return found


def _selection(selector: dict[str, Any]) -> Selection | None:
    """What a selector takes; None where it is not understood."""
    if kind(selector) == "ImageApiSelector":
        words = {name: selector.get(name) for name in ("region", "rotation", "quality")}
        given = {name: str(word) for name, word in words.items() if isinstance(word, str | int | float) and word != ""}
        part = read_part(given.get("region", "full"), given.get("rotation", "0"), given.get("quality", "default"))
        return None if part is None else Selection(part, of_service=True)
    region = fragment_region(text(selector.get("value")) or text(selector.get("chars")))
    return None if region is None else Selection(Part(region))


def _refinement(selector: dict[str, Any], deepest: int) -> tuple[Selection, ...]:
    """What is taken of what a selector takes (``refinedBy``)."""
    for each in _alternatives(selector.get("refinedBy")) if deepest else []:
        selection = _selection(each)
        if selection is not None:
            return Selection(selection.part), *_refinement(each, deepest - 1)
    return ()


def _name(selector: dict[str, Any]) -> str:
    return readable((kind(selector) or "selector")[:40])


def _canvas_of(target: dict[str, Any]) -> str:
    source = next(iter(objects(target.get("source", target.get("full")))), None)
    return identity(source) if source is not None else identity(target)


def _place(target: dict[str, Any], width: float, height: float) -> Place:
    within = _alternatives(target.get("selector"))
    fragments = [text(each.get("value")) or text(each.get("chars")) for each in within] + [_canvas_of(target)]
    region = next((found for each in fragments if (found := fragment_region(each))), None)
    if region is None:
        return 0.0, 0.0, width, height
    if math.isinf(width) or math.isinf(height):
        return (0.0, 0.0, width, height) if region.of else (region.left, region.top, region.width, region.height)
    left, right = max(0.0, region.left), region.left + region.width
    top, bottom = max(0.0, region.top), region.top + region.height
    across, down = (width, height) if region.of is None else region.of
    wide, tall = max(0.0, min(right, across) - left), max(0.0, min(bottom, down) - top)
    return left / across * width, top / down * height, wide / across * width, tall / down * height

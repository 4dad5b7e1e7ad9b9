"""Documents of IIIF Presentation 2, as those of Presentation 3 that say the same.

https://iiif.io/api/presentation/2.1/; what became of each name: https://iiif.io/api/presentation/3.0/change-log/.
Labels, bodies and selectors are read in the words of either.
"""

from __future__ import annotations

from typing import Any

from a2m_edge.collection.iiif.json_ld import contexts, identity, kind, objects, text

_HELD = ("items", "sequences", "collections", "manifests", "members")
_SECOND = ("/presentation/2/", "/presentation/1/", "shared-canvas.org/ns/context")


def is_second(document: dict[str, Any]) -> bool:
    """Whether a document, or a part of one, is of Presentation 2 (or 1, which reads the same)."""
    if any(mark in each for each in contexts(document) for mark in _SECOND):
        return True
    named = document.get("@type")
    named = named if isinstance(named, list) else [named]
    return any(isinstance(each, str) and each.startswith(("sc:", "oa:")) for each in named) or "sequences" in document


def modern(document: dict[str, Any]) -> dict[str, Any]:
    """A manifest, collection, annotation list or annotation of Presentation 2 in the words of 3.

    Anything that has no such form stays as it is.
    """
    if not is_second(document):
        return document
    named = kind(document)
    if named == "Annotation" or "resource" in document:
        return _annotation(document)
    if named in ("AnnotationList", "AnnotationPage") or "resources" in document:
        return {
            "id": identity(document),
            "type": "AnnotationPage",
            "items": [_annotation(each) for each in objects(document.get("resources"))],
        }
    if named == "Manifest" or "sequences" in document:
        canvases = _canvases(document)
        listed = {} if canvases is None else {"items": [_canvas(each) for each in canvases]}
        return _described(document, "Manifest") | listed
    if named in ("Collection", "Layer"):
        return _collection(document)
    return document


def is_bare(part: dict[str, Any]) -> bool:
    """Whether a part of a collection, of either version, only names a document and holds nothing of it."""
    return not any(isinstance(part.get(name), list) for name in _HELD)


def _described(document: dict[str, Any], named: str) -> dict[str, Any]:
    """What is said about a resource in words."""
    licences = [identity(each) for each in objects(document.get("license"))]
    said = {
        "id": identity(document),
        "type": named,
        "label": document.get("label"),
        "metadata": document.get("metadata"),
        "summary": document.get("description"),
        "rights": next((each for each in licences if each), None),
    }
    if document.get("attribution"):
        said["requiredStatement"] = {"value": document["attribution"]}
    return {name: value for name, value in said.items() if value is not None}


def _collection(document: dict[str, Any]) -> dict[str, Any]:
    """A collection; its members stay as they are, or are named by what the list is called where they are bare."""
    items = []
    for name, named in (("collections", "Collection"), ("manifests", "Manifest"), ("members", "")):
        listed = objects(document.get(name))
        items += [_described(each, kind(each) or named) if is_bare(each) else each for each in listed]
    paged = {name: document[name] for name in ("first", "next") if name in document}
    return _described(document, "Collection") | {"items": items} | paged


def _canvases(manifest: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Those of the first sequence that is not only named (2.1, 5.2); None where all are."""
    sequences = objects(manifest.get("sequences"))
    held = (objects(each["canvases"]) for each in sequences if "canvases" in each)
    return next(held, None if sequences else [])


def _canvas(canvas: dict[str, Any]) -> dict[str, Any]:
    images = [_annotation(each) for each in objects(canvas.get("images"))]
    sizes = {name: canvas[name] for name in ("width", "height") if name in canvas}
    return _described(canvas, "Canvas") | sizes | {"items": [{"type": "AnnotationPage", "items": images}]}


def _annotation(annotation: dict[str, Any]) -> dict[str, Any]:
    """An annotation; one that is only named stays without a body."""
    motivations = annotation.get("motivation")
    motivations = motivations if isinstance(motivations, list) else [motivations]
    whole = {
        "id": identity(annotation),
        "type": kind(annotation) or "Annotation",
        "motivation": [text(each).rpartition(":")[2] for each in motivations],
        "body": annotation.get("resource", annotation.get("body")),
        "target": annotation.get("on", annotation.get("target")),
        "stylesheet": annotation.get("stylesheet"),
    }
    return {name: value for name, value in whole.items() if value is not None}

"""Which of the pictures on a canvas is taken, and what is fetched for that."""

from __future__ import annotations

from typing import Any

import pytest

from a2m_edge.collection.iiif import manifests
from a2m_edge.collection.iiif.manifests import iiif_items
from a2m_edge.collection.items import Item
from tests.fixtures.collection.iiif_server import CONTEXT, Museum, jpeg
from tests.fixtures.collection.quarters import QUICK, corners, fetched, quarters, remarks


@pytest.fixture
def museum():
    with Museum({}) as opened:
        opened.documents["/whole.jpg"] = jpeg(quarters())
        opened.documents["/scrap.jpg"] = jpeg(quarters(100, 100))
        yield opened


def picture(museum: Museum, name: str = "whole", **more: object) -> dict[str, Any]:
    return {"id": f"{museum.url}/{name}.jpg", "type": "Image", "format": "image/jpeg", **more}


def painted(body: object, target: object, **more: object) -> dict[str, Any]:
    return {"type": "Annotation", "motivation": "painting", "body": body, "target": target, **more}


def items_of(museum: Museum, *canvases: dict[str, Any]) -> list[Item]:
    document = {"@context": CONTEXT, "id": f"{museum.url}/m", "type": "Manifest", "items": list(canvases)}
    return list(iiif_items(document, f"{museum.url}/m", seconds=1.0, seed=0, patience=QUICK))


def canvas(museum: Museum, pages: object, number: int = 1, **more: object) -> dict[str, Any]:
    size = {"width": 800, "height": 600}
    return {"id": f"{museum.url}/c{number}", "type": "Canvas", "items": pages, **size, **more}


def page(*annotations: object, **more: object) -> dict[str, Any]:
    return {"type": "AnnotationPage", "items": list(annotations), **more}


def target(museum: Museum, form: str, region: str) -> object:
    """The same part of the canvas in all forms that it is written in."""
    whole = f"{museum.url}/c1"
    selector = {"type": "FragmentSelector", "value": f"xywh={region}"}
    return {
        "fragment": f"{whole}#xywh={region}",
        "list": [f"{whole}#xywh=0,0,1,1", f"{whole}#xywh={region}"],
        "specific": {"type": "SpecificResource", "source": whole, "selector": selector},
        "specific of an object": {
            "type": "SpecificResource",
            "source": {"id": whole, "type": "Canvas"},
            "selector": [{"type": "SvgSelector", "value": "<svg/>"}, selector],
        },
        "choice of selectors": {
            "@type": "oa:SpecificResource",
            "full": whole,
            "selector": {"@type": "oa:Choice", "default": selector, "item": {"@type": "oa:SvgSelector"}},
        },
    }[form]


FORMS = ("fragment", "list", "specific", "specific of an object", "choice of selectors")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("parts", "sized"),
    [
        (("0,0,100,100", "0,0,800,500"), True),
        (("0,0,100,100", "0,0,800,500"), False),
        (("percent:0,0,10,10", "percent:10,10,90,80"), True),
        (("0,0,400,400", "percent:10,10,90,80"), True),
        (("700,500,10000,10000", "pixel:0,0,400,400"), True),
    ],
)
def test_the_largest_picture_of_a_composite_is_taken(museum, form, parts, sized):
    scrap, whole = (target(museum, form, region) for region in parts)
    first = painted(picture(museum, "scrap", width=4000, height=4000), scrap)
    whole_canvas = canvas(museum, [page(first, painted(picture(museum), whole))])
    if not sized:
        del whole_canvas["width"]
    (item,) = items_of(museum, whole_canvas)
    assert item.image == f"{museum.url}/whole.jpg"
    assert remarks(item) == ("the largest of 2 pictures on its canvas was taken, and 1 left out",)


def test_of_two_as_large_as_each_other_the_first_is_taken(museum):
    here = f"{museum.url}/c1"
    two = [painted(picture(museum), here), painted(picture(museum, "scrap"), here)]
    third = page(painted(picture(museum, "scrap"), f"{here}#xywh=9,9,9,9"))
    (item,) = items_of(museum, canvas(museum, [page(*two), third]))
    assert item.image == f"{museum.url}/whole.jpg"
    assert "3 pictures" in remarks(item)[0]


def test_the_largest_without_an_address_gives_way(museum):
    here = f"{museum.url}/c1"
    nowhere = painted({"type": "Image", "id": "file:///etc/passwd"}, here)
    two = [nowhere, painted(picture(museum), f"{here}#xywh=0,0,9,9")]
    (item,) = items_of(museum, canvas(museum, [page(*two)]))
    assert item.image == f"{museum.url}/whole.jpg"
    assert "largest that has an address" in remarks(item)[0]


@pytest.mark.parametrize("ending", ["/whole.jpg", "/whole.JPG?size=1#x", "/image/full/full/max/0/default.jpg"])
@pytest.mark.parametrize("form", ["address", "object", "format"])
def test_a_body_of_which_nothing_is_said_may_be_a_picture(museum, ending, form):
    address = museum.url + ending
    body: object = address if form == "address" else {"id": address}
    if form == "format":
        body = {"id": f"{museum.url}/picture", "format": "image/png"}
    (item,) = items_of(museum, canvas(museum, [page(painted(body, f"{museum.url}/c1"))]))
    assert item.image == (address if form != "format" else f"{museum.url}/picture")


def test_what_is_no_picture_is_passed_over(museum):
    here = f"{museum.url}/c1"
    others = [
        painted({"type": "Sound", "id": f"{museum.url}/a.mp3"}, here),
        painted({"type": "Video", "id": f"{museum.url}/a.mp4", "format": "image/jpeg"}, here),
        painted({"type": "TextualBody", "value": "words"}, here),
        painted({"type": "Canvas", "id": f"{museum.url}/c9"}, here),
        painted(picture(museum, "scrap"), here, motivation="supplementing"),
        {"type": "Text", "motivation": "painting"},
    ]
    small = painted([picture(museum)], f"{here}#xywh=0,0,10,10", motivation=["tagging", "painting"])
    items = items_of(museum, canvas(museum, [page(*others, small)]), canvas(museum, [page(*others)], 2))
    assert items[0].image == f"{museum.url}/whole.jpg"
    assert remarks(items[0]) == ()
    assert items[1].problem == "the canvas shows no picture, only Canvas, Sound, TextualBody, Video"


@pytest.mark.parametrize(
    "names",
    [
        {"items": ["whole", "scrap"]},
        {"items": ["video", "whole", "scrap"]},
        {"default": ["whole"], "item": ["scrap"], "@type": "oa:Choice"},
        {"default": [], "item": ["whole"], "type": ["oa:Choice"]},
    ],
)
def test_of_alternatives_the_default_is_taken(museum, names):
    offered = {"video": {"type": "Video", "id": f"{museum.url}/a.mp4"}}
    offered |= {name: picture(museum, name) for name in ("whole", "scrap")}
    words = {key: value if "ype" in key else [offered[name] for name in value] for key, value in names.items()}
    body = {"type": "Choice"} | words if "@type" not in words else words
    (item,) = items_of(museum, canvas(museum, [page(painted(body, f"{museum.url}/c1"))]))
    assert item.image == f"{museum.url}/whole.jpg"
    assert corners(fetched(item)) == "RG/BY"


def test_a_page_that_is_only_named_is_fetched(museum):
    # What is relative in it is relative to it.
    museum.documents["/pages/1.json"] = page(painted(picture(museum) | {"id": "../whole.jpg"}, "../c1"))
    named = {"id": f"{museum.url}/pages/1.json", "type": "AnnotationPage"}
    for pages in ([named], named, [named["id"]], named["id"]):
        (item,) = items_of(museum, canvas(museum, pages))
        assert item.image == f"{museum.url}/whole.jpg"


def test_a_page_for_several_canvases_is_fetched_once_and_tells_them_apart(museum):
    names = ("whole", "scrap")
    both = [painted(picture(museum, name), f"{museum.url}/c{number}#xywh=0,0,9,9") for number, name in enumerate(names)]
    museum.documents["/page.json"] = page(*both)
    items = items_of(museum, *(canvas(museum, [f"{museum.url}/page.json"], number) for number in range(2)))
    assert [item.image for item in items] == [f"{museum.url}/{name}.jpg" for name in names]
    assert museum.asked["/page.json"] == 1


def test_an_annotation_that_is_only_named_is_fetched(museum):
    museum.documents["/a.json"] = painted(picture(museum), f"{museum.url}/c1")
    museum.documents["/old.json"] = {
        "@type": "oa:Annotation",
        "motivation": "sc:painting",
        "resource": {"@id": f"{museum.url}/whole.jpg", "@type": "dctypes:Image"},
        "on": f"{museum.url}/c2",
    }
    museum.documents["/list.json"] = {"@type": "sc:AnnotationList", "resources": [museum.documents["/old.json"]]}
    for number, pages in enumerate(([page("a.json")], [page("old.json")], ["list.json"]), 1):
        (item,) = items_of(museum, canvas(museum, pages, number))
        assert item.image == f"{museum.url}/whole.jpg"


def test_pages_that_give_nothing_are_told_and_never_asked_twice(museum):
    museum.documents |= {
        "/itself.json": {"id": f"{museum.url}/itself.json", "type": "AnnotationPage"},
        "/torn.json": b"{",
        "/list.json": [1],
        "/large.json": b" " * 200,
        "/elsewhere.json": lambda: (302, {"Location": "file:///etc/passwd"}, b""),
        "/loop.json": lambda: (302, {"Location": "/loop.json"}, b""),
        "/empty.json": page(),
    }
    names = ("itself", "torn", "list", "gone", "elsewhere", "loop", "empty")
    items = items_of(museum, *(canvas(museum, [f"{name}.json"], number) for number, name in enumerate(names)))
    problems = dict(zip(names, (item.problem or "" for item in items), strict=True))
    assert "is no annotation page" in problems["itself"]
    assert "not JSON" in problems["torn"]
    assert "is no annotation page" in problems["list"]
    assert "404" in problems["gone"] and f"{museum.url}/gone.json" in problems["gone"]
    assert problems["elsewhere"] and problems["loop"]
    assert problems["empty"] == "the canvas shows no picture"
    assert all(museum.asked[f"/{name}.json"] == 1 for name in names if name != "loop")
    for bad in ("file:///etc/passwd", "ftp://museum.example/p.json", "data:application/json,{}"):
        (item,) = items_of(museum, canvas(museum, [{"id": bad, "type": "AnnotationPage"}]))
        assert item.problem == "the canvas shows no picture"


def test_pages_are_within_the_limits_of_all_documents(museum, monkeypatch):
    museum.documents["/large.json"] = page(painted(picture(museum, label="x" * 500), f"{museum.url}/c1"))
    monkeypatch.setattr(manifests, "MOST_DOCUMENT_BYTES", 300)
    (item,) = items_of(museum, canvas(museum, ["large.json"]))
    assert "larger than" in (item.problem or "")
    monkeypatch.undo()
    monkeypatch.setattr(manifests, "MOST_DOCUMENTS", 3)
    museum.documents |= {f"/{number}.json": page(painted(picture(museum), [])) for number in range(5)}
    items = items_of(museum, *(canvas(museum, [f"{number}.json"], number) for number in range(5)))
    assert [item.problem is None for item in items] == [True, True, False, False, False]
    assert "more than 3 documents" in (items[-1].problem or "")
    assert museum.asked["/4.json"] == 0


def test_where_on_the_canvas_the_picture_is_painted_is_known(museum):
    def on_canvas(target: str, **more: Any) -> object:
        (item,) = items_of(museum, canvas(museum, [page(painted(picture(museum), f"{museum.url}/c1{target}"))], **more))
        assert item.depiction is not None
        return item.depiction.on_canvas

    assert on_canvas("") == (0, 0, 800, 600)
    assert on_canvas("#xywh=percent:50,25,50,50") == (400, 150, 400, 300)
    assert on_canvas("#xywh=700,500,400,400") == (700, 500, 100, 100)
    assert on_canvas("", width=None, height=None) is None

"""Which part of a picture, and which way up: from selectors, ids and styles, whatever the server can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from a2m_edge.collection.iiif.manifests import iiif_items
from a2m_edge.collection.items import Item
from a2m_edge.errors import PictureError
from tests.fixtures.collection.iiif_server import CONTEXT, Museum, jpeg
from tests.fixtures.collection.quarters import QUICK, corners, fetched, quarters, remarks

SECOND = "http://iiif.io/api/presentation/2/context.json"


@pytest.fixture(scope="module")
def opened():
    with Museum({"four": quarters(), "large": quarters(4000, 3000), "rough": rough()}) as museum:
        yield museum


@pytest.fixture
def museum(opened):
    opened.level, opened.features, opened.largest = 1, (), None
    opened.documents.clear()
    opened.asked.clear()
    return opened


def rough() -> np.ndarray:
    rng = np.random.default_rng(4)
    coarse = rng.integers(0, 255, (6, 8, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (400, 300), interpolation=cv2.INTER_CUBIC))


def item_of(museum: Museum, body: object, **more: object) -> Item:
    """The work of a manifest whose only canvas is painted with a body."""
    annotation = {"type": "Annotation", "motivation": "painting", "body": body, "target": f"{museum.url}/c", **more}
    canvas = {"id": f"{museum.url}/c", "type": "Canvas", "width": 800, "height": 600}
    canvas["items"] = [{"type": "AnnotationPage", "items": [annotation]}]
    document = {"@context": CONTEXT, "id": f"{museum.url}/m", "type": "Manifest", "items": [canvas]}
    (item,) = iiif_items(document, f"{museum.url}/m", seconds=1.0, seed=0, patience=QUICK)
    return item


def image(museum: Museum, request: str = "full/max/0/default.jpg", name: str = "four", **more: Any) -> dict[str, Any]:
    service = {"id": f"{museum.url}/image/{name}", "type": "ImageService3", "profile": f"level{museum.level}"}
    return {"id": f"{museum.url}/image/{name}/{request}", "type": "Image", "service": [service], **more}


def specific(source: object, selector: object, **more: object) -> dict[str, Any]:
    return {"type": "SpecificResource", "source": source, "selector": selector, **more}


def api(**parameters: object) -> dict[str, Any]:
    return {"type": "ImageApiSelector", **parameters}


def fragment(value: str, **more: object) -> dict[str, Any]:
    return {"type": "FragmentSelector", "conformsTo": "http://www.w3.org/TR/media-frags/", "value": value, **more}


CASES: dict[str, tuple[str, Callable[[Museum], object]]] = {
    "whole": ("RG/BY", lambda m: image(m)),
    "region": ("RG/RG", lambda m: specific(image(m), api(region="0,0,800,300"))),
    "region of numbers in percent": ("GG/YY", lambda m: specific(image(m), api(region="pct:50,0,50.0,100"))),
    "region beyond the edge": (
        "GG/YY",
        lambda m: specific(image(m, width=800), api(region="400,0,900,900")),
    ),
    "rotation that is a number": ("BR/YG", lambda m: specific(image(m), api(rotation=90))),
    "mirrored": ("GR/YB", lambda m: specific(image(m), api(rotation="!0"))),
    "mirrored and turned": ("YG/BR", lambda m: specific(image(m), api(region="full", rotation="!90", size="max"))),
    "turned askew": ("WW/WW", lambda m: specific(image(m), api(rotation="45"))),
    "region and rotation": ("YY/GG", lambda m: specific(image(m), api(region="400,0,400,600", rotation="180"))),
    "id with a region": ("BY/BY", lambda m: image(m, "0,300,800,300/max/0/default.jpg", width=800, height=300)),
    "id with percent and turn": ("BB/RR", lambda m: image(m, "pct:0,0,50,100/400,/180/color.png")),
    "id that is mirrored": ("GR/YB", lambda m: image(m, "full/full/!0/default.jpg")),
    "id escaped": ("GG/YY", lambda m: image(m, "pct%3A50%2C0%2C50%2C100/max/0/default.jpg")),
    "fragment": ("GG/YY", lambda m: specific(image(m), fragment("xywh=400,0,400,600"))),
    "fragment of a smaller copy": (
        "GG/YY",
        lambda m: specific(image(m, "full/400,/0/default.jpg", width=400, height=300), fragment("xywh=200,0,200,300")),
    ),
    "fragment in percent": ("BY/BY", lambda m: specific(image(m), fragment("xywh=percent:0,50,100,50"))),
    "fragment by another name": ("BY/BY", lambda m: specific(image(m), fragment("t=1&xywh=pct:0,50,100,50"))),
    "fragment of a region": (
        "BB/BB",
        lambda m: specific(
            image(m, "0,0,400,600/max/0/default.jpg", width=400, height=600), fragment("xywh=0,300,400,300")
        ),
    ),
    "fragment of what is turned": (
        "BR/BR",  # 600 x 800: blue and red above yellow and green
        lambda m: specific(image(m, "full/max/90/default.jpg", width=600, height=800), fragment("xywh=0,0,600,400")),
    ),
    "refined": (
        "YY/YY",
        lambda m: specific(
            image(m), fragment("xywh=percent:50,0,50,100", refinedBy=fragment("xywh=percent:0,50,100,50"))
        ),
    ),
    "one selector of several": (
        "RG/RG",
        lambda m: specific(image(m), [{"type": "PointSelector", "x": 1, "y": 2}, api(region="0,0,800,300")]),
    ),
    "within each other": (
        "YY/YY",
        lambda m: specific(
            specific(image(m), fragment("xywh=percent:50,0,50,100")), fragment("xywh=percent:0,50,100,50")
        ),
    ),
    "source that is an address": ("RG/RG", lambda m: specific(image(m)["id"], api(region="0,0,800,300"))),
    "source that is a service's id": (
        "RG/RG",
        lambda m: specific(f"{m.url}/image/four", api(region="0,0,800,300")),
    ),
    "source that is a service": (
        "GG/YY",
        lambda m: specific(image(m)["service"][0] | {"width": 800, "height": 600}, api(region="400,0,400,600")),
    ),
    "choice of parts": (
        "RG/RG",
        lambda m: {"type": "Choice", "items": [specific(image(m), api(region="0,0,800,300")), image(m)]},
    ),
    "Presentation 2": (
        "GY/RB",
        lambda m: {
            "@id": f"{m.url}/image/four/full/full/270/default.jpg",
            "@type": "oa:SpecificResource",
            "full": {
                "@id": f"{m.url}/image/four/full/full/0/default.jpg",
                "@type": "dctypes:Image",
                "service": {
                    "@context": "http://iiif.io/api/image/2/context.json",
                    "@id": f"{m.url}/image/four",
                    "profile": f"http://iiif.io/api/image/2/level{m.level}.json",
                },
            },
            "selector": {"@type": "iiif:ImageApiSelector", "rotation": "270"},
        },
    ),
}


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("case", CASES)
def test_the_part_that_is_named_is_heard_at_every_level(museum, case, level):
    museum.level = level
    expected, body = CASES[case]
    assert corners(fetched(item_of(museum, body(museum)))) == expected


def test_what_the_server_promises_is_left_to_it(museum):
    museum.level, museum.features = 2, ("mirroring", "gray")
    body = specific(image(museum), api(region="400,0,400,600", rotation="!90", quality="gray"))
    picture = fetched(item_of(museum, body))
    assert picture.shape == (400, 600, 3)
    assert museum.asked["/image/four/400,0,400,600/max/90/default.jpg"] == 0
    assert np.ptp(picture.astype(int), axis=2).max() <= 2  # the manifest had not said what the server can do beyond 2
    museum.asked.clear()
    body["source"]["service"] = [{"id": f"{museum.url}/image/four", "type": "ImageService3"}]
    assert np.abs(fetched(item_of(museum, body)).astype(int) - picture).max() <= 60  # greys are weighed differently
    assert museum.asked["/image/four/400,0,400,600/max/!90/gray.jpg"] == 1


def test_a_small_part_of_a_large_picture_keeps_its_pixels(museum):
    for level in (0, 1):
        museum.level = level
        body = specific(image(museum, name="large"), api(region="1900,1400,200,200"))
        picture = fetched(item_of(museum, body))
        assert picture.shape == (200, 200, 3)
        assert corners(picture) == "RG/BY"
    assert museum.asked.total() == 3  # info.json and the whole, and then the part alone


def test_a_large_part_is_shrunk_by_the_server(museum):
    picture = fetched(item_of(museum, specific(image(museum, name="large"), api(region="0,0,4000,1500"))))
    assert picture.shape == (384, 1024, 3)
    museum.largest = 500
    picture = fetched(item_of(museum, specific(image(museum, name="large"), api(region="0,0,4000,1500"))))
    assert picture.shape == (188, 500, 3)


def test_a_square_is_square(museum):
    for level in (0, 1, 2):
        museum.level = level
        for body in (image(museum, "square/max/0/default.jpg"), specific(image(museum), api(region="square"))):
            picture = fetched(item_of(museum, body))
            assert picture.shape == (600, 600, 3)
            assert corners(picture) == "RG/BY"


def test_a_part_is_taken_from_the_body_s_own_address_too(museum):
    museum.documents["/own.jpg"] = jpeg(quarters(400, 300))  # half the size of what the service would send
    body = image(museum, width=800, height=600) | {"id": f"{museum.url}/own.jpg"}
    gone = {"id": f"{museum.url}/gone", "type": "ImageService3", "profile": "level2"}
    body["service"] = [gone | {"width": 800, "height": 600}]
    for selector in (api(region="400,0,400,600", rotation="180"), fragment("xywh=percent:50,0,50,100")):
        item = item_of(museum, specific(body, selector))
        assert corners(fetched(item)) in ("YY/GG", "GG/YY")
        assert fetched(item).shape == (300, 200, 3)
        assert "/own.jpg was taken instead of" in remarks(item)[0]


@pytest.mark.parametrize(
    ("style", "sheet", "expected"),
    [
        ("turned", ".turned { transform: rotate(180deg); }", "YB/GR"),
        (
            "other turned",
            {"type": "CssStylesheet", "value": ".x{color:red} .turned{transform-origin:0;rotate(90deg)}"},
            "BR/YG",
        ),
        (
            "turned",
            {"@type": ["oa:CssStyle", "cnt:ContentAsText"], "chars": ".turned {transform: rotate(-90deg)}"},
            "GY/RB",
        ),
        ("transform: rotate(0.5turn)", None, "YB/GR"),
        ("turned", ".turned-not { transform: rotate(180deg); }", "RG/BY"),
        ("", {"id": "https://museum.example/sheet.css"}, "RG/BY"),
    ],
)
def test_a_style_turns_a_picture(museum, style, sheet, expected):
    name = "styleClass" if "(" not in style else "style"
    body = {"type": "SpecificResource", "source": image(museum), name: style}
    assert corners(fetched(item_of(museum, body, stylesheet=sheet))) == expected


@pytest.mark.parametrize(
    "selector",
    [
        {"type": "SvgSelector", "value": "<svg><path d='M0,0 L9,9'/></svg>"},
        fragment("xywh=nonsense"),
        fragment("xywh=0,0,0,10"),
        api(region="pct:one"),
        api(rotation="upside down"),
        api(region=["0,0,1,1"], quality="sepia"),
    ],
)
def test_what_is_not_understood_is_said(museum, selector):
    item = item_of(museum, specific(image(museum), selector))
    assert corners(fetched(item)) == "RG/BY"
    (remark,) = remarks(item)
    assert selector["type"] in remark and "whole picture" in remark


@pytest.mark.parametrize("region", ["900,0,100,100", "0,700,10,10", "pct:100,0,10,10"])
def test_a_part_outside_of_the_picture_is_an_error_in_one_sentence(museum, region):
    for level in (0, 1, 2):
        museum.level = level
        item = item_of(museum, specific(image(museum, width=800, height=600), api(region=region)))
        with pytest.raises(PictureError, match="outside of the picture") as caught:
            fetched(item)
        assert "\n" not in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(
    left=st.integers(0, 390),
    top=st.integers(0, 290),
    width=st.integers(10, 500),
    height=st.integers(10, 400),
    rotation=st.sampled_from(["0", "90", "180", "270", "!0", "!90", "!180", "!270"]),
)
def test_the_picture_is_the_same_whoever_cuts_and_turns_it(opened, left, top, width, height, rotation):
    opened.features, opened.largest = ("mirroring",), None
    pictures = []
    for level in (0, 2):
        opened.level = level
        service = [{"id": f"{opened.url}/image/rough", "type": "ImageService3"}]
        body = image(opened, name="rough") | {"service": service}
        pictures.append(
            fetched(item_of(opened, specific(body, api(region=f"{left},{top},{width},{height}", rotation=rotation))))
        )
    ours, theirs = pictures
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs).mean() < 6  # both are JPEG

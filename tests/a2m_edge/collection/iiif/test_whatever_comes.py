"""Whatever a document holds, it becomes works that can be written, or one sentence."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from a2m_edge.collection.iiif import depictions, manifests
from a2m_edge.collection.iiif.depictions import picture_file
from a2m_edge.collection.iiif.fetching import FetchError
from a2m_edge.collection.iiif.image_api import ImageService
from a2m_edge.collection.iiif.image_requests import fragment_region, image_request, service_base
from a2m_edge.collection.iiif.manifests import iiif_items, iiif_title, is_iiif
from a2m_edge.collection.items import Item
from a2m_edge.errors import CollectionError, PictureError
from tests.fixtures.collection.iiif_server import CONTEXT, IMAGE_CONTEXT
from tests.fixtures.collection.quarters import QUICK

HERE = "http://museum.example"
SERVICE = {"@context": IMAGE_CONTEXT, "id": f"{HERE}/i/info.json", "profile": ["level1", {"supports": ["mirroring"]}]}
BODY: dict[str, Any] = {
    "type": "Choice",
    "items": [
        {
            "type": "SpecificResource",
            "styleClass": "turned",
            "source": {
                "id": f"{HERE}/i/pct:0,0,50,50/max/!90/default.jpg",
                "type": "Image",
                "width": 900,
                "height": 2000,
                "service": [SERVICE | {"sizes": [{"width": 450, "height": 1000}], "maxArea": 10**6}],
            },
            "selector": [
                {"type": "ImageApiSelector", "region": "0,0,10,10", "rotation": "!90", "quality": "gray"},
                {"type": "FragmentSelector", "value": "xywh=percent:0,0,50,50", "refinedBy": {"value": "xywh=1,2,3,4"}},
            ],
        }
    ],
}
THIRD = {
    "@context": CONTEXT,
    "id": f"{HERE}/3",
    "type": "Manifest",
    "label": {"en": ["Works"]},
    "summary": {"none": ["<p>All"]},
    "rights": f"{HERE}/free",
    "items": [
        {
            "id": f"{HERE}/c/{number}",
            "type": "Canvas",
            "width": 900,
            "height": 2000,
            "label": {"en": ["Work"]},
            "metadata": [{"label": {"en": ["Date"]}, "value": {"none": ["1889"]}}],
            "items": [
                {"id": f"{HERE}/page", "type": "AnnotationPage"},
                {
                    "items": [
                        {
                            "motivation": ["painting"],
                            "body": BODY,
                            "target": f"{HERE}/c/{number}#xywh=percent:0,0,9,9",
                            "stylesheet": {"value": ".turned {transform: rotate(90deg)}"},
                        },
                        {"motivation": "painting", "body": BODY["items"][0]["source"], "target": {"source": "x"}},
                    ]
                },
            ],
        }
        for number in range(2)
    ],
}
SECOND = {
    "@context": "http://iiif.io/api/presentation/2/context.json",
    "@id": f"{HERE}/2",
    "@type": "sc:Manifest",
    "label": [{"@value": "Works", "@language": "en"}, "Werke"],
    "metadata": [{"label": "Artist", "value": {"@value": "I. A."}}],
    "attribution": "The Museum",
    "license": [f"{HERE}/free"],
    "sequences": [
        {
            "canvases": [
                {
                    "@id": f"{HERE}/c/{number}",
                    "label": "1r",
                    "images": [
                        {
                            "@type": "oa:Annotation",
                            "motivation": "sc:painting",
                            "on": {"full": f"{HERE}/c/{number}", "selector": {"@type": "oa:Choice", "default": {}}},
                            "resource": {
                                "@type": "oa:SpecificResource",
                                "full": {
                                    "@id": f"{HERE}/a.jpg",
                                    "@type": "dctypes:Image",
                                    "service": {
                                        "@id": f"{HERE}/i",
                                        "profile": "http://iiif.io/api/image/2/level0.json",
                                    },
                                },
                                "selector": {"@type": "iiif:ImageApiSelector", "region": "1,2,3,4", "rotation": 180},
                                "style": "rotate(10deg)",
                            },
                        }
                    ],
                }
                for number in range(2)
            ]
        }
    ],
}
COLLECTION = {
    "@context": "http://iiif.io/api/presentation/2/context.json",
    "@id": f"{HERE}/all",
    "@type": "sc:Collection",
    "label": "All",
    "manifests": [SECOND, {"@id": f"{HERE}/gone"}],
    "members": [THIRD, f"{HERE}/gone"],
    "next": f"{HERE}/next",
}
WHOLE = (THIRD, SECOND, COLLECTION, THIRD | {"type": "Collection", "items": [SECOND, THIRD, COLLECTION]})

JUNK: tuple[Any, ...] = (
    *(
        None,
        True,
        -1,
        0,
        1e400,
        float("nan"),
        10**400,
        "",
        " ",
        "Canvas",
        "http://[",
        "//",
        "\ud800",
        "a\nb",
        "file:///x",
    ),
    *([], [[]], {}, {"id": 3}, {"en": [None, 5]}, {"@value": {"@value": 1}}, [None, {"id": []}], "rdf:nil", "x" * 3000),
    *(
        "SpecificResource",
        "oa:Choice",
        "Image",
        "ImageService2",
        "xywh=0,0,1e9,1",
        "xywh=,,,",
        "0,0,0,0",
        "pct:0,0,1,1",
    ),
    *("!720", "9" * 400, "square", "level2", f"{HERE}/i/1,1,1,1/max/0/default.jpg", f"{HERE}/x?IIIF=/info.json/"),
    *("((((((((", ".a{" * 500, "rotate(999999deg)", IMAGE_CONTEXT, CONTEXT, 0.5, [0] * 300),
)


def places(part: Any) -> list[tuple[Any, Any]]:
    """Every place in a document at which something stands: a container and a key of it."""
    inner = list(part.items()) if isinstance(part, dict) else list(enumerate(part)) if isinstance(part, list) else []
    return [(part, key) for key, _ in inner] + [place for _, each in inner for place in places(each)]


def disturbed(document: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """A document with junk, and with parts of itself, where something else stood."""
    changed: dict[str, Any] = copy.deepcopy(document)
    for _ in range(chance.randint(1, 8)):
        found = places(changed)
        container, key = chance.choice(found)
        donor, other = chance.choice(found)
        what = chance.choice(JUNK) if chance.random() < 0.7 else donor[other]
        kind = chance.random()
        if kind < 0.1 and isinstance(container, dict):
            container.pop(key)
        elif kind < 0.2 and isinstance(container, dict):
            name = chance.choice(("id", "@id", "type", "@type", "items", "selector", "full", "next"))
            container[name] = copy.deepcopy(what)
        else:
            container[key] = copy.deepcopy(what)
    return changed


def offline(*_: object, **__: object) -> bytes:
    raise FetchError("the network is away")


def check(document: object) -> list[Item]:
    """Reads it without a network, and holds it against what is promised of works."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifests, "fetch", offline)
        patch.setattr(depictions, "fetch", offline)
        is_iiif(document)
        iiif_title(document)
        try:
            found = list(iiif_items(document, f"{HERE}/source.json", seconds=1.0, seed=0, patience=QUICK))
        except CollectionError as error:
            assert "\n" not in str(error)
            return []
        for item in found:
            if item.image is not None:
                # Even the address alone is a way that is tried and told.
                with pytest.raises(PictureError) as caught, picture_file(item.image, item.depiction, QUICK):
                    pass
                assert "\n" not in str(caught.value)
    assert len({item.id.casefold() for item in found}) == len(found)
    for item in found:
        assert (item.image is None) != (item.problem is None)
        assert item.depiction is None or all(
            way.address.lower().startswith(("http://", "https://")) for way in item.depiction.ways
        )
        json.dumps(item.carried, ensure_ascii=False).encode()
        assert all(text.isprintable() for text in item.carried.values())
        assert Path(item.id).name == item.id
    return found


@pytest.mark.parametrize("document", WHOLE)
def test_undisturbed_they_hold_works(document):
    assert sum(item.problem is None for item in check(document)) >= 2


@settings(max_examples=200, deadline=None)
@given(which=st.integers(0, len(WHOLE) - 1), seed=st.integers(0, 2**32))
def test_a_document_that_is_disturbed_becomes_works_or_a_sentence(which, seed):
    check(disturbed(WHOLE[which], random.Random(seed)))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(JUNK),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ("id", "@id", "type", "@type", "@context", "items", "body", "service", "label", "sequences")
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(document=anything)
def test_any_json_becomes_works_or_a_sentence(document):
    check(document)
    if isinstance(document, dict):
        check({"@context": CONTEXT, "type": "Manifest", "items": [document]} | document)


pieces = st.sampled_from(
    ["full", "square", "1,2,3,4", "pct:0,0,1,1", "max", "!9,9", "0", "!90", "default.jpg", "info.json"]
)
addresses = st.lists(pieces | st.text("/?#%.:,@&=", max_size=4) | st.text(max_size=5), max_size=8).map("/".join)


@settings(max_examples=200, deadline=None)
@given(address=addresses)
def test_any_address_is_taken_apart_or_left_alone(address):
    base, query = service_base(f"{HERE}/{address}")
    assert f"{base}{query}".startswith(HERE) or base.startswith(HERE[:6])
    assert service_base(base + query) == (base, query)  # what is a base stays one
    request = image_request(f"{HERE}/{address}")
    assert request is None or f"{HERE}/{address}".startswith(request.service.partition("?")[0])
    fragment_region(address)


@settings(max_examples=200, deadline=None)
@given(value=anything)
def test_any_json_is_a_service_or_none(value):
    service = ImageService.read(value, f"{HERE}/i")
    assert service is None or service.offer().address.startswith(f"{HERE}/i/full/")

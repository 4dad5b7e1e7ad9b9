"""Manifests and collections of Presentation 2, which many museums still serve, are read as those of 3 are."""

from __future__ import annotations

from typing import Any

import pytest

from a2m_edge.collection.iiif.manifests import iiif_items, iiif_title, is_iiif, read_iiif
from a2m_edge.collection.items import Item
from a2m_edge.collection.publishing import check_annotations
from a2m_edge.collection.sources import Defaults, open_collection
from tests.fixtures.collection.iiif_server import Museum
from tests.fixtures.collection.quarters import QUICK, corners, fetched, quarters

SECOND = "http://iiif.io/api/presentation/2/context.json"


@pytest.fixture
def museum():
    with Museum({"four": quarters()}) as opened:
        yield opened


def canvas(museum: Museum, number: int, label: object = "A leaf", **more: object) -> dict[str, Any]:
    """A canvas as the specification of version 2 has it."""
    return {
        "@id": f"{museum.url}/canvas/{number}",
        "@type": "sc:Canvas",
        "label": label,
        "width": 800,
        "height": 600,
        "images": [
            {
                "@type": "oa:Annotation",
                "motivation": "sc:painting",
                "resource": {
                    "@id": f"{museum.url}/image/four/full/full/0/default.jpg",
                    "@type": "dctypes:Image",
                    "service": {
                        "@context": "http://iiif.io/api/image/2/context.json",
                        "@id": f"{museum.url}/image/four",
                        "profile": "http://iiif.io/api/image/2/level1.json",
                    },
                },
                "on": f"{museum.url}/canvas/{number}",
            }
        ],
        "otherContent": [{"@id": f"{museum.url}/never.json", "@type": "sc:AnnotationList"}],
        **more,
    }


def manifest(museum: Museum, path: str, *canvases: dict[str, Any], **more: object) -> dict[str, Any]:
    """A manifest, which is also served."""
    document = {
        "@context": SECOND,
        "@id": museum.url + path,
        "@type": "sc:Manifest",
        "label": "A book",
        "sequences": [
            {"@type": "sc:Sequence", "canvases": list(canvases)},
            {"@id": f"{museum.url}/second", "@type": "sc:Sequence"},
        ],
        **more,
    }
    museum.documents[path] = document
    return document


def collection(museum: Museum, path: str, **lists: object) -> dict[str, Any]:
    """A collection, which is also served."""
    document = {"@context": SECOND, "@id": museum.url + path, "@type": "sc:Collection", "label": path, **lists}
    museum.documents[path] = document
    return document


def named(museum: Museum, path: str, kind: str = "sc:Manifest") -> dict[str, Any]:
    return {"@id": museum.url + path, "@type": kind, "label": path}


def from_museum(museum: Museum, path: str) -> list[Item]:
    source = museum.url + path
    return list(iiif_items(read_iiif(source, QUICK), source, seconds=1.0, seed=0, patience=QUICK))


def test_a_manifest_is_read_with_all_that_it_says(museum):
    german = [{"@value": "Buch", "@language": "de"}, {"@value": "Book", "@language": "en"}]
    first = canvas(museum, 1, {"@value": "1 recto"}, description="<p>A <b>ship</b></p>", attribution="The Ship Trust")
    metadata = [
        {"label": "Author", "value": ["I. A.", "U. N."]},
        {"label": [{"@value": "Jahr", "@language": "de"}, {"@value": "Date", "@language": "en"}], "value": "1850"},
        {"label": "Note", "value": 5},
    ]
    document = manifest(
        museum,
        "/m.json",
        first,
        canvas(museum, 2, ["2", "verso"]),
        label=german,
        metadata=metadata,
        attribution=[{"@value": "<span>The Museum</span>", "@language": "en"}],
        license=["http://creativecommons.org/publicdomain/mark/1.0/", "http://example.org/"],
        description="All of it",
    )
    assert is_iiif(document)
    assert iiif_title(document) == "Book"
    one, two = from_museum(museum, "/m.json")
    shared = {
        "manifest": f"{museum.url}/m.json",
        "manifest_title": "Book",
        "artist": "I. A.; U. N.",
        "date": "1850",
        "rights": "http://creativecommons.org/publicdomain/mark/1.0/",
    }
    assert one.carried == shared | {
        "canvas": f"{museum.url}/canvas/1",
        "title": "1 recto",
        "attribution": "The Ship Trust",
        "description": "A ship",
    }
    assert two.carried == shared | {
        "canvas": f"{museum.url}/canvas/2",
        "title": "2; verso",
        "attribution": "The Museum",
        "description": "All of it",
    }
    assert one.image == f"{museum.url}/image/four/info.json"
    assert corners(fetched(one)) == "RG/BY"
    check_annotations([one, two], "https://museum.example/sounds")  # nothing to complain of: both have their canvas
    assert museum.asked["/never.json"] == 0  # other content is not painted


def test_the_only_canvas_is_called_what_its_manifest_is_called(museum):
    document = manifest(museum, "/m.json", canvas(museum, 1), label={"@value": "Schiff", "@language": "de"})
    document["label"] = [document["label"], {"@value": "Ship", "@language": "en-GB"}]
    (item,) = from_museum(museum, "/m.json")
    assert item.carried["title"] == "Ship"
    assert item.carried["labels"] == '{"de": ["Schiff"], "en-GB": ["Ship"]}'


def test_collections_lead_to_manifests_of_both_versions(museum):
    manifest(museum, "/1.json", canvas(museum, 1))
    museum.manifest([museum.canvas("four", 2, {"en": ["New"]})], "/2.json")
    held = manifest(museum, "/3.json", canvas(museum, 3))
    del museum.documents["/3.json"], held["@context"]  # it is held by the collection itself
    manifest(museum, "/4.json", canvas(museum, 4))
    collection(museum, "/inner.json", members=[named(museum, "/4.json"), named(museum, "/top.json", "sc:Collection")])
    collection(
        museum,
        "/top.json",
        collections=[named(museum, "/inner.json", "sc:Collection")],
        manifests=[named(museum, "/1.json"), f"{museum.url}/2.json", held, named(museum, "/gone.json")],
    )
    museum.collection([museum.reference("/top.json", "Collection"), named(museum, "/1.json")], "/new.json")
    for path in ("/top.json", "/new.json"):
        museum.asked.clear()
        items = from_museum(museum, path)
        assert [item.carried.get("canvas", "")[-1:] for item in items] == ["4", "1", "2", "3", ""]
        assert "404" in (items[-1].problem or "")
        assert all(count == 1 for count in museum.asked.values())


def test_a_long_collection_comes_in_pages(museum):
    for number in range(40):
        manifest(museum, f"/m{number}.json", canvas(museum, number))
        following = {} if number == 39 else {"next": f"{museum.url}/p{number + 1}.json"}
        collection(museum, f"/p{number}.json", manifests=[named(museum, f"/m{number}.json")], **following)
    museum.documents["/p39.json"]["next"] = f"{museum.url}/p0.json"
    collection(museum, "/all.json", first=f"{museum.url}/p0.json", total=40)
    items = from_museum(museum, "/all.json")
    assert [item.carried["manifest"] for item in items] == [f"{museum.url}/m{number}.json" for number in range(40)]
    assert museum.asked["/p0.json"] == 1
    del museum.documents["/p2.json"]
    items = from_museum(museum, "/all.json")
    assert [item.problem is None for item in items] == [True, True, False]
    assert f"cannot read {museum.url}/p2.json" in (items[2].problem or "")


@pytest.mark.parametrize(
    "changes",
    [
        {"@context": "http://www.shared-canvas.org/ns/context.json"},
        {"@context": "http://iiif.io/api/presentation/1/context.json"},
        {"@context": ["http://example.org/", "https://iiif.io/api/presentation/2/context.json"]},
        {"@type": ["sc:Manifest", "x:Thing"]},
        {"@context": "http://iiif.io/api/presentation/3/context.json"},  # what it holds is of 2
        {"@type": "http://iiif.io/api/presentation/2#Manifest"},
    ],
)
def test_what_it_is_may_be_said_in_many_ways(museum, changes):
    document = manifest(museum, "/m.json", canvas(museum, 1)) | changes
    museum.documents["/m.json"] = document
    source = open_collection(f"{museum.url}/m.json", Defaults(1.0))
    assert source.title == "A book"
    assert [item.problem for item in source.items] == [None]


def test_a_choice_and_a_composite_are_those_of_version_3(museum):
    page = canvas(museum, 1)
    image = page["images"][0]["resource"]
    other = {"@id": f"{museum.url}/other.jpg", "@type": "dctypes:Image"}
    page["images"][0]["resource"] = {"@type": "oa:Choice", "default": image, "item": [other, "rdf:nil"]}
    scrap = {"@type": "oa:Annotation", "motivation": "sc:painting", "resource": other}
    page["images"].insert(0, scrap | {"on": f"{museum.url}/canvas/1#xywh=0,0,10,10"})
    manifest(museum, "/m.json", page)
    (item,) = from_museum(museum, "/m.json")
    assert item.image == f"{museum.url}/image/four/info.json"
    assert item.depiction is not None and "1 left out" in item.depiction.remarks[0]

"""How a picture is had: services as museums name them, and the body's own address where they fail."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from a2m_edge.collection.iiif.depictions import picture_file
from a2m_edge.collection.iiif.image_api import ImageService
from a2m_edge.collection.iiif.manifests import iiif_items
from a2m_edge.collection.items import Item
from a2m_edge.collection.publishing import publish_contact_sheet
from a2m_edge.collection.sheet.page import thumbnail_path
from a2m_edge.collection.worker import Prepared, RenderOptions, RenderWork
from a2m_edge.errors import PictureError
from a2m_edge.perception.pictures import read_picture
from tests.fixtures.collection.iiif_server import CONTEXT, IMAGE_CONTEXT, Museum, jpeg
from tests.fixtures.collection.quarters import QUICK, corners, fetched, quarters, remarks


@pytest.fixture
def museum():
    with Museum({"four": quarters()}) as opened:
        yield opened


def item_of(museum: Museum, services: object, address: str | None = None, **more: Any) -> Item:
    """The work of a manifest whose only canvas shows a picture with these services."""
    body = {"id": address, "type": "Image", "service": services, **more}
    annotation = {"type": "Annotation", "motivation": "painting", "body": body}
    canvas = {"id": f"{museum.url}/c", "type": "Canvas", "items": [{"type": "AnnotationPage", "items": [annotation]}]}
    document = {"@context": CONTEXT, "id": f"{museum.url}/m", "type": "Manifest", "items": [canvas]}
    (item,) = iiif_items(document, f"{museum.url}/m", seconds=1.0, seed=0, patience=QUICK)
    return item


SERVICE = {"type": "ImageService3", "profile": "level1"}


@pytest.mark.parametrize("size", [{}, {"width": 800, "height": 600}], ids=["unknown", "known"])
@pytest.mark.parametrize("ending", ["", "//", "/info.json", "/info.json/", "/info.json#x", "/full/full/0/native.jpg"])
def test_the_id_of_a_service_may_end_in_many_ways(museum, ending, size):
    item = item_of(museum, SERVICE | size | {"id": f"{museum.url}/image/four{ending}"})
    assert corners(fetched(item)) == "RG/BY"
    assert set(museum.asked) <= {"/image/four/info.json", "/image/four/full/max/0/default.jpg"}


@pytest.mark.parametrize(
    ("address", "information", "picture"),
    [
        ("/x?key=1", "/x/info.json?key=1", "/x/full/max/0/default.jpg?key=1"),
        ("/x/info.json?key=1", "/x/info.json?key=1", "/x/full/max/0/default.jpg?key=1"),
        ("/x/?", "/x/info.json", "/x/full/max/0/default.jpg"),
        ("/i.fcgi?IIIF=a/b.tif", "/i.fcgi?IIIF=a/b.tif/info.json", "/i.fcgi?IIIF=a/b.tif/full/max/0/default.jpg"),
        ("/i.fcgi?iiif=b.tif/info.json", "/i.fcgi?iiif=b.tif/info.json", "/i.fcgi?iiif=b.tif/full/max/0/default.jpg"),
    ],
)
def test_the_id_of_a_service_may_have_a_query(museum, address, information, picture):
    museum.documents[information] = {"@context": IMAGE_CONTEXT, "profile": "level0", "width": 800, "height": 600}
    museum.documents[picture] = jpeg(quarters())
    assert corners(fetched(item_of(museum, [SERVICE | {"id": museum.url + address}]))) == "RG/BY"
    assert set(museum.asked) <= {information, picture}


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ({"type": "ImageService3", "profile": "level1"}, 3),
        ({"@type": "ImageService2", "profile": "http://iiif.io/api/image/2/level1.json"}, 2),
        ({"@type": "iiif:ImageService1", "profile": "level1"}, 1),
        ({"profile": ["http://iiif.io/api/image/2/level1.json", {"supports": ["sizeByW"]}]}, 2),
        ({"profile": {"@id": "http://iiif.io/api/image/2/level1.json"}}, 2),
        ({"profile": "http://library.stanford.edu/iiif/image-api/1.1/compliance.html#level1"}, 1),
        ({"@context": "http://iiif.io/api/image/2/context.json", "profile": "x/level1"}, 2),
        ({"@context": ["http://example.org/", IMAGE_CONTEXT], "profile": "level1"}, 3),
        ({"type": ["Service", "x"], "profile": "level1"}, 3),
    ],
)
@pytest.mark.parametrize("key", ["id", "@id"])
def test_a_service_may_be_described_in_the_words_of_any_version(said, version, key):
    service = ImageService.read(said | {key: "https://museum.example/1", "width": 4000, "height": 3000})
    assert service is not None
    assert (service.version, service.level) == (version, 1)
    quality = "native" if version == 1 else "default"
    assert service.offer().address == f"https://museum.example/1/full/1024,/0/{quality}.jpg"


@pytest.mark.parametrize(
    "said",
    [
        {"type": "AuthCookieService1", "profile": "http://iiif.io/api/auth/1/login"},
        {"@context": "http://iiif.io/api/search/1/context.json", "profile": "http://iiif.io/api/search/1/search"},
        {"type": "AuthProbeService2", "service": [SERVICE | {"id": "https://museum.example/1"}]},
        {"type": "ImageService9"},
        {"type": "Text", "profile": "level2"},
        {},
    ],
)
def test_other_services_are_none_of_pictures(museum, said):
    assert ImageService.read(said | {"id": "https://museum.example/1"}) is None
    museum.documents["/own.jpg"] = jpeg(quarters())
    login = {"id": f"{museum.url}/login"} | said
    services = [login, SERVICE | {"id": f"{museum.url}/image/four", "service": [login]}]
    assert corners(fetched(item_of(museum, services, f"{museum.url}/own.jpg"))) == "RG/BY"
    assert "/login/info.json" not in museum.asked and "/own.jpg" not in museum.asked


FAILURES: dict[str, dict[str, object]] = {
    "gone": {},
    "broken": {"/s/info.json": lambda: (500, {}, b"")},
    "forbidden": {"/s/info.json": lambda: (401, {}, b"")},
    "not JSON": {"/s/info.json": b"<html>Please accept cookies</html>"},
    "nested": {"/s/info.json": b"[" * 50_000},
    "no service": {"/s/info.json": {"@context": "http://example.org/", "width": 1}},
    "tiles alone": {
        "/s/info.json": {
            "@context": IMAGE_CONTEXT,
            "profile": "level0",
            "width": 800,
            "height": 600,
            "tiles": [{"width": 256, "scaleFactors": [1, 2, 4]}],
        }
    },
    "a page for a picture": {
        "/s/info.json": {"@context": IMAGE_CONTEXT, "profile": "level1", "width": 800, "height": 600},
        "/s/full/max/0/default.jpg": b"<html>Please accept cookies</html>",
    },
    "a picture cut off": {
        "/s/info.json": {"@context": IMAGE_CONTEXT, "profile": "level1", "width": 800, "height": 600},
        "/s/full/max/0/default.jpg": lambda: (200, {"Content-Length": "1000000"}, jpeg(quarters())[:500]),
    },
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("known", [False, True])
def test_where_a_service_fails_the_body_s_own_address_is_taken(museum, failure, known):
    museum.documents |= FAILURES[failure] | {"/own.jpg": jpeg(quarters())}
    size = {"width": 800, "height": 600} if known else {}
    item = item_of(museum, SERVICE | size | {"id": f"{museum.url}/s"}, f"{museum.url}/own.jpg")
    assert corners(fetched(item)) == "RG/BY"
    (remark,) = remarks(item)
    assert remark.startswith(f"{museum.url}/own.jpg was taken instead of {museum.url}/s/")
    del museum.documents["/own.jpg"]
    with pytest.raises(PictureError) as caught:
        fetched(item)
    sentence = str(caught.value)
    assert f"cannot fetch {museum.url}/s/" in sentence
    assert f"nor {museum.url}/own.jpg: the server answers 404 Not Found" in sentence
    assert "\n" not in sentence


def test_a_service_on_a_host_that_is_away_is_no_loss(museum):
    museum.documents["/own.jpg"] = jpeg(quarters())
    item = item_of(museum, SERVICE | {"id": "http://127.0.0.1:9/s"}, f"{museum.url}/own.jpg")
    assert corners(fetched(item)) == "RG/BY"
    assert "cannot be reached" in remarks(item)[0]


def test_another_service_is_tried_before_the_body_s_own_address(museum):
    services = [SERVICE | {"id": f"{museum.url}/gone"}, SERVICE | {"id": f"{museum.url}/image/four"}]
    item = item_of(museum, services, "https://museum.invalid/own.jpg")
    assert corners(fetched(item)) == "RG/BY"
    assert len(remarks(item)) == 1


def test_a_server_that_cuts_less_than_it_says_is_asked_for_the_whole(museum):
    museum.level = 0
    own = f"{museum.url}/image/four/0,0,400,600/max/0/default.jpg"
    item = item_of(museum, SERVICE | {"id": f"{museum.url}/image/four"}, own)
    museum.documents["/image/four/info.json"] = {
        "@context": IMAGE_CONTEXT,
        "profile": "level2",
        "width": 800,
        "height": 600,
    }
    assert corners(fetched(item)) == "RR/BB"
    assert museum.asked["/image/four/full/max/0/default.jpg"] == 1


def test_a_picture_of_too_many_pixels_gives_way_to_a_smaller_one(museum):
    huge = jpeg(quarters(8, 8)).replace(b"\x00\x08\x00\x08\x03", b"\x7f\xff\x7f\xff\x03")  # as its header has it
    museum.documents["/image/four/full/max/0/default.jpg"] = huge
    item = item_of(museum, None, f"{museum.url}/image/four/full/max/0/default.jpg")
    museum.documents["/image/four/info.json"] = {
        "@context": IMAGE_CONTEXT,
        "profile": "level1",
        "width": 32767,
        "height": 32767,
    }
    museum.documents["/image/four/full/1024,/0/default.jpg"] = jpeg(quarters())
    assert corners(fetched(item)) == "RG/BY"
    assert "100 megapixels" in remarks(item)[0]


def test_no_way_leads_out_of_the_network(museum):
    for address in ("file:///etc/passwd", "/etc/passwd?x", "ftp://museum.example/x.jpg", "data:image/png;base64,AA"):
        item = item_of(museum, [{"id": address, "type": "ImageService3", "profile": "level1"}], address)
        assert item.image is None or item.image.startswith(museum.url)


def test_an_address_in_a_table_is_an_image_request_too(museum):
    asked = f"{museum.url}/image/four/full/500,400/0/default.jpg"  # a size that level 1 refuses
    with picture_file(asked, patience=QUICK) as file:
        assert corners(read_picture(file.path, parts=file.parts)) == "RG/BY"
        assert "instead of" in file.remarks[0]
    with picture_file(f"{museum.url}/image/four/info.json", patience=QUICK) as file:
        assert file.name == f"{museum.url}/image/four/full/max/0/default.jpg"


def test_the_index_and_the_page_have_the_very_part(museum, tmp_path):
    museum.documents["/own.jpg"] = jpeg(quarters())[:-2]  # its end is missing, and no pixel
    body = {"id": f"{museum.url}/own.jpg", "service": SERVICE | {"id": f"{museum.url}/gone"}, "type": "Image"}
    selector = {"type": "FragmentSelector", "value": "xywh=percent:50,0,50,100"}
    item = item_of(museum, None, type="SpecificResource", source=body, selector=selector)
    work = RenderWork(RenderOptions(str(tmp_path), "flac", None, "a bundle", thumbnails=True))
    prepared = work.prepare(item)
    assert isinstance(prepared, Prepared) and prepared.picture is not None
    assert corners(prepared.picture) == "GG/YY"
    notice = prepared.record.notice or ""
    assert f"{museum.url}/own.jpg was taken instead of {museum.url}/gone/info.json" in notice
    assert f"{museum.url}/own.jpg: the end of this JPEG is missing" in notice
    (tmp_path / "sound.flac").write_bytes(b"fLaC")
    records = {item.id: dataclasses.replace(prepared.record, sound="sound.flac")}
    publish_contact_sheet(tmp_path, [item], records, title="Works", patience=QUICK)
    assert corners(read_picture(thumbnail_path(tmp_path, item.id))) == "GG/YY"

"""Works from IIIF manifests and collections, over real HTTP from a small museum on loopback."""

from __future__ import annotations

import copy
import json
import math
import shutil
import subprocess
import threading
import time
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from a2m_edge.collection.iiif import manifests as iiif
from a2m_edge.collection.iiif.depictions import picture_file
from a2m_edge.collection.iiif.fetching import FetchError, Patience, fetch
from a2m_edge.collection.iiif.image_api import NEEDED_SIDE, ImageService
from a2m_edge.collection.iiif.manifests import iiif_items, iiif_title, is_iiif, read_iiif
from a2m_edge.errors import CollectionError, PictureError
from a2m_edge.perception.pictures import SHORTEST_SIDE, read_picture
from tests.fixtures.collection.iiif_server import CONTEXT, Answer, Museum, public_domain_museum

QUICK = Patience(attempts=3, answer=2.0, whole=2.0, pause=0.02, longest_pause=1.0)


def painting(width: int, height: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return cv2.resize(rng.integers(0, 255, (6, 8, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)


PICTURES = {"sea": painting(1500, 1000), "a b/ü": painting(300, 400, 1), "scroll": painting(4800, 300, 2)}


@pytest.fixture
def museum():
    with Museum(PICTURES) as opened:
        yield opened


def listed(document: object, source: str, **more: Any) -> list:
    return list(iiif_items(document, source, seconds=10.0, seed=7, patience=QUICK, **more))


def from_museum(museum: Museum, path: str) -> list:
    return listed(read_iiif(museum.url + path, QUICK), museum.url + path)


def size_of(image: str) -> tuple[int, int]:
    with picture_file(image, patience=QUICK) as file:
        height, width = read_picture(file.path).shape[:2]
    return width, height


def test_a_manifest_becomes_items_with_pictures_of_the_size_that_is_needed(museum):
    labels = {"en": ["Calm sea"], "fr": ["Mer calme"]}
    museum.manifest(
        [
            museum.canvas("sea", 1, labels, metadata=[{"label": {"en": ["Artist"]}, "value": {"en": ["I. A."]}}]),
            museum.canvas("a b/ü", 2, {"none": ["1\nrecto "]}),
            museum.canvas("scroll", 3, {"ja": ["巻物"]}),
        ],
        rights="http://creativecommons.org/publicdomain/mark/1.0/",
        requiredStatement={"label": {"en": ["Credit"]}, "value": {"en": ["<p>The <b>Museum</b></p>"]}},
    )
    items = from_museum(museum, "/manifest.json")
    assert [item.problem for item in items] == [None] * 3
    assert [(item.seconds, item.seed, item.comment) for item in items] == [(10.0, 7, None)] * 3
    assert len({item.id for item in items}) == 3
    sea, leaf, scroll = items
    assert sea.carried == {
        "canvas": f"{museum.url}/canvas/1",
        "title": "Calm sea",
        "manifest": f"{museum.url}/manifest.json",
        "manifest_title": "Works in the public domain",
        "labels": json.dumps(labels),
        "artist": "I. A.",
        "rights": "http://creativecommons.org/publicdomain/mark/1.0/",
        "attribution": "The Museum",
    }
    assert leaf.carried["title"] == "1 recto"
    assert scroll.carried["title"] == "巻物"
    assert size_of(sea.image) == (NEEDED_SIDE, 683)
    assert size_of(leaf.image) == (300, 400)  # never enlarged
    with picture_file(scroll.image, patience=QUICK) as file:
        stored = cv2.imread(str(file.path))
    assert stored is not None
    assert stored.shape[:2] == (SHORTEST_SIDE, 4096)
    assert museum.asked["/image/sea/info.json"] == 0  # the manifest said enough
    assert all("a2m-edge" in agent for agent in museum.agents)


def test_the_public_domain_pictures_come_through_the_image_api(shared):
    with public_domain_museum(shared / "data") as museum:
        items = from_museum(museum, "/manifest.json")
        assert len(items) == 126
        assert len({item.id.casefold() for item in items}) == 126
        for item in items:
            assert item.problem is None
            assert item.carried["title"] and item.carried["artist"] and item.carried["attribution"]
        for item, picture in list(zip(items, museum.pictures.values(), strict=True))[::9]:
            assert size_of(item.image) == picture.shape[1::-1]
        bedroom = items[0].carried
        assert (bedroom["title"], bedroom["artist"], bedroom["date"]) == ("The Bedroom", "Vincent van Gogh", "1889")


def test_a_manifest_may_be_a_file_and_begin_with_a_byte_order_mark(museum, tmp_path):
    document = museum.manifest([museum.canvas("sea", 1, {"en": ["Calm sea"]})])
    file = tmp_path / "manifest.json"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(document).encode())
    assert is_iiif(read_iiif(str(file)))
    assert iiif_title(read_iiif(str(file))) == "Works in the public domain"
    assert iiif_title([]) == ""
    (item,) = listed(read_iiif(str(file)), str(file))
    # The work of a manifest that holds it alone is called what the manifest is called.
    assert item.carried["title"] == "Works in the public domain"
    assert size_of(item.image) == (NEEDED_SIDE, 683)


def test_collections_nest_hold_each_other_and_lack_parts(museum):
    museum.manifest([museum.canvas("sea", 1, {"en": ["Sea"]})], "/1.json")
    second = museum.manifest([museum.canvas("scroll", 2, {"en": ["Scroll"]})], "/2.json", label={"en": ["Two"]})
    second.pop("@context")  # embedded, it needs none
    museum.documents.pop("/2.json")
    museum.documents["/old.json"] = {
        "@context": "http://iiif.io/api/presentation/2/context.json",
        "@type": "sc:Manifest",
        "sequences": [{"@id": f"{museum.url}/sequence", "@type": "sc:Sequence"}],
    }
    museum.documents["/torn.json"] = b'{"@context": "http'
    top = museum.reference("/top.json", "Collection")
    museum.collection([museum.reference("/1.json"), second, top], "/inner.json")
    museum.collection(
        [
            museum.reference("/1.json"),
            museum.reference("/inner.json", "Collection"),
            museum.reference("/gone.json"),
            museum.reference("/old.json"),
            museum.reference("/torn.json"),
            {"id": "file:///etc/passwd", "type": "Manifest", "label": {"en": ["Secrets"]}},
            museum.reference("/inner.json", "Collection"),
        ],
        "/top.json",
    )
    items = from_museum(museum, "/top.json")
    good = [item for item in items if item.problem is None]
    assert [item.carried["canvas"] for item in good] == [f"{museum.url}/canvas/1", f"{museum.url}/canvas/2"]
    gone, old, torn, secrets = [item for item in items if item.problem]
    assert "404" in gone.problem and f"{museum.url}/gone.json" in gone.problem
    assert "no list of items" in old.problem
    assert "not JSON" in torn.problem
    assert "no http(s) address" in secrets.problem
    assert len({item.id for item in items}) == len(items)
    assert museum.asked["/top.json"] == museum.asked["/1.json"] == museum.asked["/inner.json"] == 1


def test_a_collection_without_an_end_is_left_at_a_depth(museum, monkeypatch):
    monkeypatch.setattr(iiif, "DEEPEST", 3)
    for depth in range(6):
        museum.collection([museum.reference(f"/{depth + 1}.json", "Collection")], f"/{depth}.json")
    (item,) = from_museum(museum, "/0.json")
    assert "3 deep" in item.problem
    assert museum.asked["/4.json"] == 0


def test_what_can_be_known_about_a_canvas_without_a_usable_picture_is_told(museum):
    whole = museum.canvas("sea", 1, {"en": ["Sea"]})

    def changed(number: int, **body: object) -> dict[str, Any]:
        canvas: dict[str, Any] = copy.deepcopy(whole) | {"id": f"{museum.url}/canvas/{number}"}
        canvas["items"][0]["items"][0]["body"].update(body)
        return canvas

    def body(number: int, value: object) -> dict[str, Any]:
        canvas: dict[str, Any] = changed(number)
        canvas["items"][0]["items"][0]["body"] = value
        return canvas

    plain = {"type": "Image", "id": f"{museum.url}/image/sea/full/max/0/default.jpg"}
    choice = {
        "type": "Choice",
        "items": [{"type": "SpecificResource", "source": plain}, {"type": "Image", "id": "x:y"}],
    }
    museum.manifest(
        [
            changed(1, type="Video"),
            changed(2, service=[], id="file:///etc/passwd"),
            changed(
                3,
                service=[{"id": "/etc", "type": "ImageService3"}, {"id": 5}],
                id="../image/sea/full/max/0/default.jpg",
            ),
            changed(4, service={"type": "AuthCookieService1", "id": "https://museum.example/login"}),
            body(5, choice),
            body(6, "https://museum.example/picture"),
            {"id": f"{museum.url}/canvas/7", "type": "Canvas"},
            {"type": "Canvas", "label": "no language map"},
            changed(9, service=[{"@id": f"{museum.url}/image/sea", "@type": "ImageService2", "profile": "level0"}]),
        ]
    )
    items = from_museum(museum, "/manifest.json")
    video, file, relative, auth, chosen, lone, empty, nameless, level0 = items
    assert video.problem == "the canvas shows no picture, only Video"
    assert "no http(s) address" in file.problem
    # Relative addresses are resolved against the document's, as JSON-LD has it; none leads to this computer's files.
    assert relative.image == f"{museum.url}/etc/info.json"
    assert auth.image == chosen.image == plain["id"]
    assert lone.problem == empty.problem == "the canvas shows no picture"
    assert "no http(s) address as its id" in nameless.problem
    assert level0.image == f"{museum.url}/image/sea/info.json"
    assert size_of(level0.image) == (NEEDED_SIDE, 683)
    assert all(item.image is None for item in items if item.problem)


def test_a_picture_that_the_server_keeps_small_is_asked_for_as_its_own_word_has_it(museum):
    museum.largest = 500
    museum.manifest([museum.canvas("sea", 1, {"en": ["Sea"]})])
    (item,) = from_museum(museum, "/manifest.json")
    assert size_of(item.image) == (500, 333)
    assert museum.asked["/image/sea/info.json"] == 1
    with pytest.raises(PictureError, match=r"404 Not Found; check the address"):
        size_of(f"{museum.url}/image/none/full/100,/0/default.jpg")


LEVELS = {
    2: "http://iiif.io/api/image/2/level{}.json",
    3: "level{}",
}


@settings(max_examples=100, deadline=None)
@given(
    version=st.sampled_from([2, 3]),
    level=st.integers(0, 2),
    width=st.integers(1, 200_000),
    height=st.integers(1, 200_000),
    shares=st.lists(st.integers(0, 8), max_size=6),
    most=st.none() | st.integers(1, 5000),
)
def test_a_size_is_asked_for_only_where_the_specification_promises_it(version, level, width, height, shares, most):
    sizes = [{"width": max(1, width >> each), "height": max(1, height >> each)} for each in shares]
    limit: dict[str, int] = {} if most is None else {"maxWidth": most}
    profile = LEVELS[version].format(level)
    service = ImageService.read(
        {
            "@context": f"http://iiif.io/api/image/{version}/context.json",
            "@id": "https://museum.example/iiif/1/",
            "profile": [profile, limit] if version == 2 else profile,
            "width": width,
            "height": height,
            "sizes": sizes,
            **(limit if version == 3 else {}),
        }
    )
    assert service is not None
    start, end = "https://museum.example/iiif/1/full/", "/0/default.jpg"
    address = service.offer().address
    assert address.startswith(start) and address.endswith(end)
    size = address[len(start) : -len(end)]
    if size in ("max", "full"):
        assert size == ("max" if version == 3 else "full")
        return
    wide, _, tall = size.partition(",")
    assert 1 <= int(wide) <= width
    assert level > 0 or int(wide) in {each["width"] for each in sizes}
    if most is not None and level > 0:
        assert int(wide) <= most
        if not tall and int(wide) > 1:  # nothing is narrower
            assert math.floor(height * int(wide) / width) <= most
    if tall:
        assert {"width": int(wide), "height": int(tall)} in sizes
    elif level > 0 and most is None:
        assert int(wide) <= max(NEEDED_SIDE, math.ceil(SHORTEST_SIDE * width / height)) or int(wide) in {
            each["width"] for each in sizes
        }


def failing(times: int, answer: Answer, then: bytes = b"good"):
    left = iter(range(times))

    def make() -> Answer:
        return answer if next(left, None) is not None else (200, {}, then)

    return make


@pytest.mark.parametrize(
    "answer",
    [
        (503, {}, b""),
        (429, {"Retry-After": "0"}, b""),
        (500, {"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, b""),
        (200, {"Content-Length": "100"}, b"cut off"),
    ],
)
def test_what_may_pass_is_tried_again(museum, answer):
    museum.documents["/x"] = failing(2, answer)
    assert fetch(f"{museum.url}/x", most_bytes=100, patience=QUICK) == b"good"
    museum.documents["/y"] = failing(3, answer)
    with pytest.raises(FetchError, match=r"try again later"):
        fetch(f"{museum.url}/y", most_bytes=100, patience=QUICK)
    assert museum.asked == {"/x": 3, "/y": 3}


def test_a_server_that_asks_for_time_gets_it_within_reason(museum):
    museum.documents["/x"] = failing(1, (503, {"Retry-After": "1"}, b""))
    begun = time.monotonic()
    assert fetch(f"{museum.url}/x", most_bytes=100, patience=QUICK) == b"good"
    assert time.monotonic() - begun >= 1
    museum.documents["/y"] = failing(1, (503, {"Retry-After": "3600"}, b""))
    with pytest.raises(FetchError, match="503"):
        fetch(f"{museum.url}/y", most_bytes=100, patience=QUICK)
    assert museum.asked["/y"] == 1


@pytest.mark.parametrize(("status", "way_out"), [(404, "check the address"), (401, "ask its owner"), (410, "check")])
def test_a_plain_refusal_is_final(museum, status, way_out):
    museum.documents["/x"] = lambda: (status, {}, b"")
    with pytest.raises(FetchError, match=way_out) as caught:
        fetch(f"{museum.url}/x", most_bytes=100, patience=QUICK)
    assert caught.value.status == status
    assert museum.asked["/x"] == 1


def test_redirects_lead_to_http_alone_and_end(museum):
    museum.documents["/x"] = lambda: (302, {"Location": "/y"}, b"")
    museum.documents["/y"] = b"good"
    assert fetch(f"{museum.url}/x", most_bytes=100, patience=QUICK) == b"good"
    for place in ("file:///etc/passwd", "ftp://127.0.0.1/x", "data:text/plain,x"):
        museum.documents["/z"] = lambda place=place: (302, {"Location": place}, b"")
        with pytest.raises(FetchError):
            fetch(f"{museum.url}/z", most_bytes=10_000, patience=QUICK)
    museum.documents["/loop"] = lambda: (302, {"Location": "/loop"}, b"")
    with pytest.raises(FetchError) as caught:
        fetch(f"{museum.url}/loop", most_bytes=100, patience=QUICK)
    assert "\n" not in str(caught.value)


def test_too_much_too_slow_and_nobody_there(museum):
    museum.documents["/told"] = b"x" * 101
    museum.documents["/untold"] = lambda: (200, {"Content-Length": "", "Connection": "close"}, b"x" * 10_000_000)
    for path in ("/told", "/untold"):
        with pytest.raises(FetchError, match="larger than"):
            fetch(museum.url + path, most_bytes=100, patience=QUICK)
    museum.documents["/slow"] = lambda: (200, {"X-Slowly": "1"}, b"x" * 100_000)
    slow = Patience(attempts=1, answer=2.0, whole=0.2)
    with pytest.raises(FetchError, match="too slowly"):
        fetch(f"{museum.url}/slow", most_bytes=100_000, patience=slow)
    held = threading.Event()
    museum.documents["/silent"] = lambda: (held.wait(5), (200, {}, b""))[1]
    with pytest.raises(FetchError, match="in time"):
        fetch(f"{museum.url}/silent", most_bytes=100, patience=Patience(attempts=1, answer=0.2))
    held.set()
    with pytest.raises(FetchError, match="cannot be reached"):
        fetch("http://127.0.0.1:9/", most_bytes=100, patience=QUICK)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl, which makes a certificate, is not installed")
def test_a_certificate_must_be_trusted(tmp_path, monkeypatch):
    both, made = tmp_path / "both.pem", tmp_path / "certificate.pem"
    options = ["-nodes", "-days", "2", "-subj", "/CN=museum", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(both), "-out", str(made)]
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    subprocess.run([*new, *options, *files], check=True, capture_output=True)
    both.write_text(both.read_text() + made.read_text())
    with Museum(PICTURES, certificate=both) as museum:
        museum.documents["/x"] = b"good"
        with pytest.raises(FetchError, match="certificate is not trusted"):
            fetch(f"{museum.url}/x", most_bytes=100, patience=QUICK)
        monkeypatch.setenv("SSL_CERT_FILE", str(made))
        assert fetch(f"{museum.url}/x", most_bytes=100, patience=QUICK) == b"good"
        assert museum.asked == {"/x": 1}


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "ftp://museum.example/x",
        "http://",
        "http://[::1/",
        "http://user:word@127.0.0.1/",
        "http://127.0.0.1:99999/",
        f"http://{'a' * 70}.example/",
        "https://museum.example:x/",
    ],
)
def test_addresses_that_are_none_are_refused_by_name(address):
    with pytest.raises(PictureError, match="cannot fetch"), picture_file(address, patience=QUICK):
        pass


def test_a_fetched_picture_that_is_none_is_told_by_its_address(museum):
    museum.documents["/page.jpg"] = b"<html>not a picture</html>"
    with pytest.raises(PictureError) as caught, picture_file(f"{museum.url}/page.jpg", patience=QUICK) as file:
        read_picture(file.path)
    assert f"{museum.url}/page.jpg" in str(caught.value)
    assert "/proc" not in str(caught.value)
    assert not file.path.exists()


def test_a_path_is_itself(tmp_path):
    with picture_file(str(tmp_path / "a.jpg")) as file:
        assert file.path == tmp_path / "a.jpg"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "no IIIF manifest"),
        (b'{"type": "Manifest", "items": []}', "no manifest or collection"),
        (json.dumps({"@context": CONTEXT, "type": "Manifest"}).encode(), "no list of items"),
        (json.dumps({"@context": CONTEXT, "type": "Canvas", "items": []}).encode(), "no manifest or collection"),
        (b'{"@context": "http://iiif.io/api/presentation/2/context.json"}', "Presentation 2"),
    ],
)
def test_documents_that_are_none_are_refused(tmp_path, content, reason):
    file = tmp_path / "manifest.json"
    file.write_bytes(content)
    with pytest.raises(CollectionError, match=reason) as caught:
        listed(read_iiif(str(file)), str(file))
    assert str(file) in str(caught.value)


def test_a_document_that_is_not_there_or_too_large_is_refused(tmp_path, monkeypatch, museum):
    with pytest.raises(CollectionError, match="No such file"):
        read_iiif(str(tmp_path / "none.json"))
    with pytest.raises(CollectionError, match="directory"):
        read_iiif(str(tmp_path))
    with pytest.raises(CollectionError, match="404"):
        read_iiif(f"{museum.url}/none.json", QUICK)
    monkeypatch.setattr(iiif, "MOST_DOCUMENT_BYTES", 10)
    (tmp_path / "large.json").write_text("[1, 2, 3, 4, 5]")
    museum.documents["/large.json"] = b"[1, 2, 3, 4, 5]"
    for source in (str(tmp_path / "large.json"), f"{museum.url}/large.json"):
        with pytest.raises(CollectionError, match="larger"):
            read_iiif(source, QUICK)

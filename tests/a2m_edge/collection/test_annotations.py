"""Annotations that attach sounds to canvases, held against the structure that Presentation 3 demands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from a2m_edge.collection.dwellings import Dwelling, dwellings_of
from a2m_edge.collection.iiif.annotations import (
    MEDIA_TYPES,
    CanvasLook,
    CanvasSound,
    annotation_collection,
    annotation_page,
    canvas_looks,
    checked_base,
    write_annotations,
)
from a2m_edge.collection.iiif.depictions import Depiction, Way
from a2m_edge.collection.iiif.manifests import iiif_items
from a2m_edge.errors import OptionError, OutputError
from tests.fixtures.collection.annotation_checks import check_collection, check_page
from tests.fixtures.collection.iiif_server import public_domain_museum

BASE = "https://museum.example/sounds"


def sound(number: int, **more: Any) -> CanvasSound:
    content: dict[str, Any] = {
        "id": f"work_{number}",
        "canvas": f"https://museum.example/iiif/canvas/{number}",
        "sound": f"sounds/work_{number}.flac",
        "seconds": 10.0,
        "feeling": "awe",
        "title": f"Work {number}",
    }
    return CanvasSound(**(content | more))


@pytest.mark.parametrize(("ending", "kind"), MEDIA_TYPES.items())
def test_a_page_attaches_a_sound_to_its_canvas(ending, kind):
    one = sound(1, sound=f"sounds/work_1{ending}")
    annotation = check_page(annotation_page(one, BASE, 0, [one]))
    assert annotation["target"] == one.canvas
    assert annotation["body"]["id"] == f"{BASE}/sounds/work_1{ending}"
    assert annotation["body"]["format"] == kind
    assert annotation["body"]["duration"] == 10.0
    assert annotation["body"]["label"] == {"en": ["Work 1: awe"]}


def test_each_stretch_of_a_sound_is_tied_to_its_part_of_the_canvas():
    looks = (CanvasLook(9.289, 19.717, (10, 20, 300, 200), "fear"), CanvasLook(29.0, 40.5, (0, 0, 50, 60), "awe"))
    one = sound(1, looks=looks, canvas="https://museum.example/iiif/canvas/1")
    page = annotation_page(one, BASE, 0, [one])
    check_page(page)
    whole, first, second = page["items"]
    assert whole["target"] == one.canvas
    assert first["body"]["id"] == f"{BASE}/sounds/work_1.flac#t=9.289,19.717"
    assert first["target"] == "https://museum.example/iiif/canvas/1#xywh=10,20,300,200"
    assert first["body"]["label"] == {"en": ["Work 1: fear"]}
    assert first["body"]["duration"] == pytest.approx(10.428)
    assert len({each["id"] for each in (whole, first, second)}) == 3


def test_regions_of_a_picture_become_parts_of_the_canvas_that_it_is_painted_on():
    dwelling = Dwelling(9.0, 20.0, (0.5, 0.25, 0.5, 0.5), "awe")
    painted = Depiction((Way("https://m.example/a.jpg"),), on_canvas=(100.0, 50.0, 400.0, 200.0))
    assert canvas_looks([dwelling], painted) == (CanvasLook(9.0, 20.0, (300, 100, 200, 100), "awe"),)
    assert canvas_looks([dwelling], Depiction.at("https://m.example/a.jpg")) == ()
    assert canvas_looks([dwelling], None) == ()


def test_the_facts_of_a_render_become_dwellings():
    facts = {
        "regions": [{"region": [0.1, 0.2, 0.3, 0.4], "feeling": "awe", "valence": 0.1, "arousal": 0.2}],
        "stretches": [{"start": 0.0, "end": 9.0, "region": None}, {"start": 9.0, "end": 12.0, "region": 0}],
    }
    assert dwellings_of(facts) == (Dwelling(9.0, 12.0, (0.1, 0.2, 0.3, 0.4), "awe"),)
    assert dwellings_of(None) == ()


def test_pages_follow_one_another_from_the_collection(tmp_path):
    sounds = [sound(number) for number in range(5)]
    whole = write_annotations(tmp_path, f"{BASE}/", sounds)
    collection = json.loads(whole.read_text(encoding="utf-8"))
    check_collection(collection)
    assert collection["total"] == 5

    def opened(reference: dict[str, str]) -> dict[str, Any]:
        page: dict[str, Any] = json.loads((tmp_path / reference["id"].removeprefix(f"{BASE}/")).read_bytes())
        assert page["id"] == reference["id"]
        assert page["partOf"][0]["id"] == collection["id"]
        return page

    page, targets = opened(collection["first"]), []
    while True:
        targets.append(check_page(page)["target"])
        if "next" not in page:
            break
        before, page = page, opened(page["next"])
        assert page["prev"]["id"] == before["id"]
    assert page["id"] == collection["last"]["id"]
    assert targets == [each.canvas for each in sounds]


def test_what_has_not_changed_is_left_alone(tmp_path):
    sounds = [sound(number) for number in range(3)]
    write_annotations(tmp_path, BASE, sounds)
    before = {path.name: path.stat().st_ino for path in (tmp_path / "annotations").iterdir()}
    write_annotations(tmp_path, BASE, [*sounds[:2], sound(2, feeling="fear")])
    after = {path.name: path.stat().st_ino for path in (tmp_path / "annotations").iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"work_2.json"}
    assert sorted(after) == ["work_0.json", "work_1.json", "work_2.json"]  # nothing half-written beside them


@settings(max_examples=50, deadline=None)
@given(
    title=st.text(max_size=50).filter(lambda text: text.isprintable()),
    name=st.text("abc%#?& ü/", min_size=1, max_size=20),
    seconds=st.floats(0.1, 600),
)
def test_every_title_and_name_gives_a_page_that_holds(title, name, seconds):
    one = sound(1, title=title, sound=f"{name}x.opus", seconds=seconds)
    page = json.loads(json.dumps(annotation_page(one, BASE, 0, [one])))
    body = check_page(page)["body"]
    assert unquote(body["id"].removeprefix(f"{BASE}/")) == one.sound
    assert body["duration"] == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(
    "base",
    [
        "",
        "museum.example",
        "ftp://museum.example",
        "https://",
        "https://m.example/?x=1",
        "https://m.example/#x",
        "file:///srv",
        "https://user:word@m.example",
        "https://user:12/word@m.example",
        "https://m.example:x",
        "https://[m",
        "https://m.example/\nx",
    ],
)
def test_a_base_that_is_no_place_is_refused(tmp_path, base):
    with pytest.raises(OptionError, match="--iiif-annotations"):
        write_annotations(tmp_path, base, [sound(1)])
    assert list(tmp_path.iterdir()) == []


def test_bases_are_made_plain():
    assert checked_base("http://[::1]:8080/a b/") == "http://[::1]:8080/a%20b"
    assert checked_base("https://museum.example/m%C3%BCnchen") == "https://museum.example/m%C3%BCnchen"


def test_works_without_a_canvas_and_a_place_that_cannot_be_written_are_told(tmp_path):
    with pytest.raises(OptionError, match="IIIF manifest"):
        write_annotations(tmp_path, BASE, [])
    (tmp_path / "annotations").write_text("in the way")
    with pytest.raises(OutputError, match="annotations"):
        write_annotations(tmp_path, BASE, [sound(1)])
    with pytest.raises(OutputError):
        write_annotations(tmp_path / "none", BASE, [sound(1)])


def test_the_canvases_of_a_whole_manifest_get_their_sounds(shared, tmp_path):
    with public_domain_museum(shared / "data") as museum:
        document: Any = museum.documents["/manifest.json"]
        source = f"{museum.url}/manifest.json"
        items = list(iiif_items(document, source, seconds=10.0, seed=0))
        sounds = [
            CanvasSound(item.id, item.carried["canvas"], f"sounds/{item.id}.flac", 10.0, "awe", item.carried["title"])
            for item in items
        ]
        write_annotations(tmp_path, BASE, sounds)
        pages = [json.loads(path.read_bytes()) for path in (tmp_path / "annotations").iterdir()]
        targets = {check_page(page)["target"] for page in pages}
        assert targets == {canvas["id"] for canvas in document["items"]}
        check_collection(annotation_collection(BASE, sounds))
        assert all(Path(page["items"][0]["body"]["id"]).suffix == ".flac" for page in pages)

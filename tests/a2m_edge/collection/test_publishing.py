"""A run's records become a contact sheet and annotations."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from a2m_edge.collection.iiif.fetching import Patience
from a2m_edge.collection.iiif.manifests import iiif_items, read_iiif
from a2m_edge.collection.index import Record
from a2m_edge.collection.items import Item
from a2m_edge.collection.publishing import check_annotations, publish_annotations, publish_contact_sheet
from a2m_edge.collection.sheet.page import thumbnail_path
from a2m_edge.errors import OptionError, OutputError
from a2m_edge.perception.pictures import read_picture
from tests.fixtures.collection.iiif_server import Museum

QUICK = Patience(attempts=1, answer=2.0)
BASE = "https://museum.example/sounds"


def rendered(folder: Path, item: Item, **more: Any) -> Record:
    """What the index says of an item, and its sound file."""
    (folder / f"{item.id}.flac").write_bytes(b"fLaC")
    facts: dict[str, Any] = {
        "sound": f"{item.id}.flac",
        "feeling": "awe",
        "valence": 0.5,
        "arousal": -0.25,
        "emotions": {"awe": 0.7, "fear": 0.3},
        "instruments": {"bass": "cello", "melody": "flute"},
        "key": "E flat dorian",
        "tempo": 71.6,
    }
    return dataclasses.replace(Record.begin(item), **(facts | more))


def picture(path: Path, grey: int) -> str:
    cv2.imwrite(str(path), np.full((60, 80, 3), grey, np.uint8))
    return str(path)


def test_a_run_becomes_a_page(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    carried = {"Title": "Calm sea", "artist": "I. A.", "year": "1850"}
    sea = Item("sea", picture(tmp_path / "sea.png", 90), "so calm", 10.0, 0, carried)
    words = Item("words", None, "rain on a roof", 10.0, 0)
    gone = Item("gone", str(tmp_path / "gone.png"), None, 10.0, 0)
    torn = Item("torn", str(tmp_path / "torn_one.png"), None, 10.0, 0)
    waiting = Item("waiting", str(tmp_path / "waiting.png"), None, 10.0, 0)
    records = {item.id: rendered(out, item) for item in (sea, words)}
    records["gone"] = rendered(out, gone, instruments={}, key=None, tempo=None)
    records["torn"] = Record.begin(torn).failed("cannot read torn_one.png: it is cut off; copy it again")
    page = publish_contact_sheet(out, [sea, words, gone, torn, waiting], records, title="Works", made="made by hand")
    text = page.read_text(encoding="utf-8")
    for expected in ("Calm sea", "I. A., 1850", "E flat dorian · 72 beats a minute", "cello", "rain on a roof"):
        assert expected in text
    assert text.count('class="work ') == 3
    assert "<b>Torn one</b> · cannot read torn_one.png: it is cut off; copy it again" in text
    assert "aiting" not in text
    assert [path.name for path in (out / "thumbnails").iterdir()] == ["sea.jpg"]


def test_a_thumbnail_follows_its_picture(tmp_path):
    item = Item("a", picture(tmp_path / "a.png", 50), None, 10.0, 0)
    records = {"a": rendered(tmp_path, item)}
    publish_contact_sheet(tmp_path, [item], records, title="Works")
    thumbnail = thumbnail_path(tmp_path, "a")
    before = thumbnail.stat().st_ino
    publish_contact_sheet(tmp_path, [item], records, title="Works")
    assert thumbnail.stat().st_ino == before  # nothing changed: left alone
    picture(tmp_path / "a.png", 200)
    later = thumbnail.stat().st_mtime_ns + 1_000_000
    os.utime(tmp_path / "a.flac", ns=(later, later))  # rendered again
    publish_contact_sheet(tmp_path, [item], records, title="Works")
    assert read_picture(thumbnail).mean() == pytest.approx(200, abs=3)
    (tmp_path / "a.png").write_bytes(b"")
    later = thumbnail.stat().st_mtime_ns + 1_000_000
    os.utime(tmp_path / "a.flac", ns=(later, later))
    publish_contact_sheet(tmp_path, [item], records, title="Works")
    assert not thumbnail.exists()


def test_a_disk_that_takes_no_more_is_told_and_not_passed_over(tmp_path):
    item = Item("a", picture(tmp_path / "a.png", 50), None, 10.0, 0)
    (tmp_path / "thumbnails").write_text("in the way")
    with pytest.raises(OutputError):
        publish_contact_sheet(tmp_path, [item], {"a": rendered(tmp_path, item)}, title="Works")


def test_works_of_a_manifest_are_shown_and_attached_to_their_canvases(tmp_path):
    with Museum({"sea": np.full((90, 120, 3), 80, np.uint8), "land": np.full((90, 120, 3), 160, np.uint8)}) as museum:
        museum.manifest([museum.canvas("sea", 1, {"en": ["Sea"]}), museum.canvas("land", 2, {"en": ["Land"]})])
        source = f"{museum.url}/manifest.json"
        items = list(iiif_items(read_iiif(source, QUICK), source, seconds=10.0, seed=0, patience=QUICK))
        records = {item.id: rendered(tmp_path, item) for item in items}
        records[items[1].id] = Record.begin(items[1]).failed("the server answers 404")
        publish_contact_sheet(tmp_path, items, records, title="Works", patience=QUICK)
        assert read_picture(thumbnail_path(tmp_path, items[0].id)).shape == (90, 120, 3)
        publish_annotations(tmp_path, items, records, BASE)
        (path,) = (tmp_path / "annotations").iterdir()
        (annotation,) = json.loads(path.read_bytes())["items"]
        assert annotation["target"] == f"{museum.url}/canvas/1"
        assert annotation["body"]["id"] == f"{BASE}/{items[0].id}.flac"


def test_works_without_a_canvas_cannot_be_attached(tmp_path):
    item = Item("a", None, "calm", 10.0, 0, {"canvas": "file:///etc/passwd"})
    with pytest.raises(OptionError, match="IIIF manifest"):
        publish_annotations(tmp_path, [item], {"a": rendered(tmp_path, item)}, BASE)
    with pytest.raises(OptionError, match="leave it out"):
        check_annotations([item], BASE)
    with pytest.raises(OptionError, match="must be the address"):
        check_annotations([item], "museum.example")
    check_annotations([dataclasses.replace(item, carried={"canvas": "https://museum.example/1"})], BASE)

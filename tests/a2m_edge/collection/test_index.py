"""The index of a run: what was added is there, whatever happened in between."""

from __future__ import annotations

import csv
import dataclasses
import os
import resource
import signal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from a2m_edge.collection.iiif.depictions import Depiction, Way
from a2m_edge.collection.index import TABLE, Index, Record, Stamp, work_hash, write_table
from a2m_edge.collection.items import Item
from a2m_edge.collection.storage.folders import INDEX, LocalStorage
from a2m_edge.errors import OutputError
from a2m_edge.perception.parts import Part, Region

RECORD = Record(
    "sea",
    "a/sea.jpg",
    "so calm\nand wide",
    10.0,
    3,
    work="0" * 64,
    stamp=Stamp(12, 34),
    sound="sounds/sea.flac",
    feeling="awe",
    emotions={"awe": 0.75, "fear": 0.25},
    instruments={"bass": "cello"},
    why=("Dark shades: lower notes.", "Calm in the picture: slower."),
    timings={"render": 1.5},
    carried={"artist": "Turner", "id": "x-1"},
)


def test_what_was_added_is_read_again(tmp_path):
    other = dataclasses.replace(RECORD, id="storm", error="cut off")
    with Index(LocalStorage(tmp_path)) as index:
        index.add(RECORD)
        index.add(other)
        index.add(dataclasses.replace(RECORD, seed=4))
    with Index(LocalStorage(tmp_path)) as index:
        assert index.latest == {"sea": dataclasses.replace(RECORD, seed=4), "storm": other}
        assert index.unreadable == 0


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_torn_last_line_is_cut_off_wherever_it_was_torn(tmp_path, data):
    line = RECORD.line()
    cut = data.draw(st.integers(0, len(line) - 1))
    (tmp_path / INDEX).write_bytes(line + dataclasses.replace(RECORD, id="storm").line()[:cut])
    with Index(LocalStorage(tmp_path)) as index:
        assert list(index.latest) == ["sea"]
        index.add(dataclasses.replace(RECORD, id="field"))
    assert (tmp_path / INDEX).read_bytes() == line + dataclasses.replace(RECORD, id="field").line()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=60), max_size=5))
def test_damaged_lines_count_as_missing(tmp_path, damage):
    lines = [each.replace(b"\n", b"") + b"\n" for each in damage]
    (tmp_path / INDEX).write_bytes(b"".join(lines) + RECORD.line())
    with Index(LocalStorage(tmp_path)) as index:
        assert index.latest == {"sea": RECORD}
        assert index.unreadable == len(lines)


def test_a_full_disk_leaves_the_index_whole(tmp_path):
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with Index(LocalStorage(tmp_path)) as index:
            index.add(RECORD)
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(RECORD.line()) + 20, limits[1]))
            with pytest.raises(OutputError, match="make room"):
                index.add(dataclasses.replace(RECORD, id="storm"))
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            index.add(dataclasses.replace(RECORD, id="field"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    with Index(LocalStorage(tmp_path)) as index:
        assert list(index.latest) == ["sea", "field"]


def test_names_that_are_no_utf8_can_be_listed(tmp_path):
    item = Item("caf", os.fsdecode(b"caf\xe9\n.jpg"), None, 1.0, 0, {"folder": os.fsdecode(b"\xff")})
    with Index(LocalStorage(tmp_path)) as index:
        index.add(Record.begin(item).failed("cannot read " + os.fsdecode(b"caf\xe9\n.jpg")))
    with Index(LocalStorage(tmp_path)) as index:
        assert index.latest["caf"].image == "caf\\xe9\\n.jpg"
        assert index.latest["caf"].error == "cannot read caf\\xe9\\n.jpg"
    write_table(LocalStorage(tmp_path), index.latest.values())
    (tmp_path / TABLE).read_text(encoding="utf-8")


def test_the_table_has_a_column_for_everything(tmp_path):
    write_table(LocalStorage(tmp_path), [RECORD, Record("storm", None, "rage", 1.0, 0).failed("cut off")])
    with (tmp_path / TABLE).open(newline="", encoding="utf-8-sig") as stream:
        sea, storm = csv.DictReader(stream)
    assert (sea["feeling"], sea["emotion: awe"], sea["bass"], sea["artist"]) == ("awe", "0.75", "cello", "Turner")
    assert (sea["id"], sea["carried: id"], sea["seconds to render"]) == ("sea", "x-1", "1.5")
    assert (sea["why"], storm["why"]) == ("Dark shades: lower notes. Calm in the picture: slower.", "")
    assert (storm["error"], storm["feeling"], storm["emotion: awe"]) == ("cut off", "", "")


def test_a_work_changes_with_everything_that_its_sound_depends_on():
    item = Item("sea", "sea.jpg", "calm", 10.0, 0)
    whole, part, turned = (
        Depiction((Way("https://museum.example/sea.jpg", parts),))
        for parts in ((), (Part(Region(0, 0, 9, 9, (99, 99))),), (Part(degrees=90.0),))
    )
    hashes = [
        work_hash(item, "a", "b", "flac"),
        work_hash(dataclasses.replace(item, comment=None), "a", "b", "flac"),
        work_hash(dataclasses.replace(item, seconds=11.0), "a", "b", "flac"),
        work_hash(dataclasses.replace(item, seed=1), "a", "b", "flac"),
        work_hash(item, None, "b", "flac"),
        work_hash(item, "a", "c", "flac"),
        work_hash(item, "a", "b", "opus"),
        *(work_hash(dataclasses.replace(item, depiction=each), "a", "b", "flac") for each in (part, turned)),
    ]
    assert len(set(hashes)) == len(hashes)
    same = dataclasses.replace(item, id="other", image="moved.jpg", carried={"artist": "Turner"}, depiction=whole)
    assert work_hash(same, "a", "b", "flac") == hashes[0]

"""Where works come from: folders and tables, good and bad."""

from __future__ import annotations

import json
import os
import sys

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from a2m_edge.collection.sources import Defaults, open_collection
from a2m_edge.errors import CollectionError, MissingExtraError

DEFAULTS = Defaults(12.0, 3)


def table(tmp_path, text, name="works.csv"):
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return open_collection(str(path), DEFAULTS).items


def paint(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(".png", np.full((8, 8, 3), 90, np.uint8))
    assert done
    path.write_bytes(data.tobytes())


def test_a_folder_gives_its_pictures_in_the_order_of_their_names(tmp_path):
    for name in ("b/sea.png", "a.png", "c/deep/sea.jpg", "Sea.tif", ".hidden/x.png", "picture of no name", "out/t.png"):
        paint(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "old.heic").write_bytes(b"cannot be read")
    source = open_collection(str(tmp_path), DEFAULTS, tmp_path / "out")
    assert [os.path.relpath(item.image, tmp_path) for item in source.items if item.image] == [
        "Sea.tif",
        "a.png",
        "b/sea.png",
        "c/deep/sea.jpg",
        "old.heic",
        "picture of no name",
    ]
    assert len({item.id.casefold() for item in source.items}) == 6
    assert [item.id for item in source.items][:2] == ["Sea", "a"]
    assert all((item.seconds, item.seed, item.problem) == (12.0, 3, None) for item in source.items)
    assert source.passed_over == 1


LEFT_BEHIND = (
    "._sea.png",
    ".DS_Store",
    ".thumbs/sea.png",
    ".Trashes/501/sea.png",
    "~$sea.png",
    "Thumbs.db",
    "desktop.ini",
    "$RECYCLE.BIN/sea.png",
    "System Volume Information/sea.png",
    "__MACOSX/._sea.png",
    "__MACOSX/sea.png",
    "@eaDir/sea.jpg/SYNOPHOTO_THUMB_M.jpg",
)
"""What systems and programs leave behind in folders of pictures."""


def test_what_systems_leave_behind_is_no_work_and_not_spoken_of(tmp_path):
    for name in ("sea.png", "$5 print.png", "~sketch.png", "thumbs/wave.png", *LEFT_BEHIND):
        paint(tmp_path / name)
    source = open_collection(str(tmp_path), DEFAULTS)
    names = [os.path.relpath(item.image, tmp_path) for item in source.items if item.image]
    assert names == ["$5 print.png", "sea.png", "thumbs/wave.png", "~sketch.png"]
    assert source.passed_over == 0


def test_links_are_followed_but_not_in_circles(tmp_path):
    paint(tmp_path / "works" / "deep" / "sea.png")
    paint(tmp_path / "elsewhere" / "field.png")
    (tmp_path / "works" / "deep" / "back").symlink_to(tmp_path / "works")
    (tmp_path / "works" / "other").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "works" / "loop.jpg").symlink_to("loop.jpg")
    items = open_collection(str(tmp_path / "works"), DEFAULTS).items
    assert sorted(item.id for item in items) == ["back", "field", "loop", "sea"]
    (bad,) = (item for item in items if item.problem)
    assert "leads back to" in (bad.problem or "")


@pytest.mark.parametrize("parting", [",", ";", "\t"])
def test_a_table_says_what_it_wants_and_carries_the_rest(tmp_path, parting):
    lines = [
        ["ID", "Image", "comment", "Seconds", "seed", "artist"],
        ["x 1", "sea.png", "", "", "", "Turner"],
        ["", "https://museum.example/storm.jpg", '"wild, ""and"" dark"', "5", "7", ""],
        ["", "", "only words"],
    ]
    first, second, third = table(tmp_path, "\ufeff" + "\r\n".join(parting.join(cells) for cells in lines))
    assert (first.id, first.image, first.comment) == ("x_1", str(tmp_path / "sea.png"), None)
    assert (first.seconds, first.seed, first.carried) == (12.0, 3, {"artist": "Turner"})
    assert (second.id, second.image) == ("storm", "https://museum.example/storm.jpg")
    assert (second.comment, second.seconds, second.seed) == ('wild, "and" dark', 5.0, 7)
    assert (third.id, third.image, third.comment) == ("only_words", None, "only words")


def test_bad_rows_have_a_problem_and_good_ones_stay(tmp_path):
    items = table(
        tmp_path,
        "image,seconds,seed\na.png,long,\nb.png,inf,0\nc.png,,1.5\n ,5,\nd.png,5,0,too,many\n,,\ne.png,5,0\n",
    )
    assert [item.problem is None for item in items] == [False, False, False, False, False, True]
    problems = [item.problem or "" for item in items]
    assert "seconds in line 2 of the table is 'long'; write a number" in problems[0]
    assert "seed in line 4" in problems[2]
    assert "neither an image nor a comment" in problems[3]
    assert "5 cells for 3 columns" in problems[4]
    assert len({item.id for item in items}) == len(items)


def test_rows_that_are_added_change_no_ids(tmp_path):
    rows = ["a.png,calm", "b.png,calm", ",so calm"]
    ids = {(item.image, item.comment): item.id for item in table(tmp_path, "image,comment\n" + "\n".join(rows))}
    more = ["z.png,new", *rows, "a.png,wild"]
    again = {(item.image, item.comment): item.id for item in table(tmp_path, "image,comment\n" + "\n".join(more))}
    assert {key: again[key] for key in ids} == ids
    assert len(set(again.values())) == len(more)


def test_json_lines(tmp_path):
    rows = [
        {"image": "a.png", "seconds": 4, "year": 1840, "tags": ["sea", "sun"], "none": None},
        {"comment": "calm", "seed": 5, "id": 17},
        {"image": ["a.png"]},
    ]
    text = "\n".join([*(json.dumps(row) for row in rows), "[1, 2]", "{torn", "", '{"comment": "last"}'])
    items = table(tmp_path, text, "works.jsonl")
    assert (items[0].seconds, items[0].carried) == (4.0, {"year": "1840", "tags": '["sea", "sun"]'})
    assert (items[1].id, items[1].seed) == ("17", 5)
    assert [item.problem is None for item in items] == [True, True, False, False, False, True]


def test_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"image": ["a.png", None, None], "comment": [None, "calm", None], "seconds": [4.5, None, 1.0]}
    parquet.write_table(pyarrow.table({**columns, "year": [1840, 1841, 1842]}), tmp_path / "works.parquet")
    items = open_collection(str(tmp_path / "works.parquet"), DEFAULTS).items
    assert [(item.seconds, item.carried["year"]) for item in items] == [(4.5, "1840"), (12.0, "1841"), (1.0, "1842")]
    assert "neither" in (items[2].problem or "")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(CollectionError, match=r"bad\.parquet"):
        open_collection(str(tmp_path / "bad.parquet"), DEFAULTS)


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "works.parquet").write_bytes(b"PAR1")
    with pytest.raises(MissingExtraError, match=r"a2m-edge\[parquet\]"):
        open_collection(str(tmp_path / "works.parquet"), DEFAULTS)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.csv", None, "No such file"),
        ("none", None, "there is no"),
        ("empty.csv", b"", "no column image"),
        ("head.csv", b"image\n", "holds no works"),
        ("other.csv", b"name,year\na,1\n", "no column image and no column comment"),
        ("twice.csv", b"image,Image\na,b\n", "column image twice"),
        ("wide.csv", b"i\0m\0a\0g\0e\0\n\0a", "save it as UTF-8"),
        ("quote.csv", b'image,"a"b\na,b\n', "cannot read"),
        ("picture.png", b"x", "a2m-edge render"),
        ("list.json", b'{"a": 1}', "no IIIF"),
    ],
)
def test_what_is_no_collection_is_refused(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CollectionError, match=words):
        open_collection(str(tmp_path / name), DEFAULTS)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(CollectionError, match="holds no works"):
        open_collection(str(tmp_path), DEFAULTS)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from(["w.csv", "w.jsonl"]))
def test_any_bytes_are_works_or_an_error_of_one_sentence(tmp_path, content, name):
    (tmp_path / name).write_bytes(b"image,seconds\n" + content if name == "w.csv" else content)
    try:
        items = open_collection(str(tmp_path / name), DEFAULTS).items
    except CollectionError as error:
        assert "\n" not in str(error)
    else:
        assert len({item.id.casefold() for item in items}) == len(items)

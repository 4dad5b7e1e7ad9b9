"""Ids of a collection's works: safe, unique, the same every time."""

from __future__ import annotations

import hashlib
import os
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from a2m_edge.collection.items import LONGEST_ID, Ids, image_name, readable, safe_id

ANY_TEXT = st.text(st.characters(), max_size=300)
"""Lone surrogates included: names of files need not be UTF-8."""


@pytest.mark.parametrize(
    ("name", "expected"),
    [("calm_sea", "calm_sea"), ("Étude à Honfleur", "Etude_a_Honfleur"), ("a.b-c", "a.b-c"), (" _x_. ", "x")],
)
def test_ordinary_names_stay_readable(name, expected):
    assert safe_id(name) == expected


@pytest.mark.parametrize(
    "name", ["", ".", "..", "/", "\n", "a\nb", "海", "CON", "nul.txt", "x" * 500, os.fsdecode(b"\xff\xfe")]
)
def test_what_is_lost_is_made_up_for_by_a_hash(name):
    assert re.search(r"-[0-9a-f]{8}$", safe_id(name))


@settings(deadline=None)
@given(st.lists(ANY_TEXT, max_size=30))
def test_ids_are_safe_unique_and_the_same_every_time(names):
    first, again = Ids(), Ids()
    ids = [first.give(name) for name in names]
    assert ids == [again.give(name) for name in names]
    assert len({name.casefold() for name in ids}) == len(ids)
    for name in ids:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name)
        assert len(name) <= LONGEST_ID


@settings(deadline=None)
@given(ANY_TEXT)
def test_readable_text_is_utf8_on_one_line(text):
    shown = readable(text)
    assert shown.isprintable() or shown == ""
    shown.encode()


def test_the_same_name_twice_is_told_apart_by_the_whole_path():
    ids = Ids()
    assert ids.give("sea", "a/sea.jpg") == "sea"
    assert ids.give("Sea", "b/sea.jpg") == f"Sea-{hashlib.sha256(b'b/sea.jpg').hexdigest()[:8]}"


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("a/b/calm sea.jpg", "calm sea"),
        ("https://x.org/iiif/caf%C3%A9/full/max/0/default.jpg?x=1", "default"),
        ("x", "x"),
    ],
)
def test_pictures_are_named_after_their_files(image, name):
    assert image_name(image) == name


def test_bytes_that_are_no_utf8_are_shown_as_such():
    assert readable(os.fsdecode(b"caf\xe9\n.jpg")) == "caf\\xe9\\n.jpg"

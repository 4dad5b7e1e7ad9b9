"""Works contrasted with each other: a room of portraits still differs, and a run knows what that changes."""

from __future__ import annotations

import itertools
import json

import cv2
import numpy as np
import pytest

from a2m_edge.bundle import open_bundle
from a2m_edge.perception.pictures import read_picture
from tests.fixtures.collection.runs import assert_whole, records, run, sounds
from tests.fixtures.places import EXAMPLES, TINY_BUNDLE

BUNDLE = open_bundle().path


def hang(path, number):
    """The same landscape, a little lighter and of another hue each time."""
    landscape = read_picture(EXAMPLES / "field.jpg")[..., ::-1]
    picture = cv2.resize(np.ascontiguousarray(landscape), (160, 120), interpolation=cv2.INTER_AREA)
    picture = np.clip(picture * (0.7 + 0.08 * number), 0, 255).astype(np.uint8)
    turned = cv2.cvtColor(picture, cv2.COLOR_BGR2HSV)
    turned[..., 0] = (turned[..., 0].astype(int) + 3 * number) % 180
    assert cv2.imwrite(str(path), cv2.cvtColor(turned, cv2.COLOR_HSV2BGR))


@pytest.fixture
def room(tmp_path):
    """A table of six works that are much alike, and of one that is words alone."""
    for number in range(6):
        hang(tmp_path / f"work {number}.png", number)
    rows = ["image,comment", *(f"work {number}.png," for number in range(6)), ",a calm evening"]
    (tmp_path / "room.csv").write_text("\n".join(rows))
    return tmp_path


def rendered(room, output, *more):
    command = (room / "room.csv", "-o", room / output, "--seconds", 0.2, "--workers", 1, *more)
    return run(*command, bundle=BUNDLE)


def spread(found, name):
    values = [record[name] for record in found.values() if record["image"] is not None]
    return max(values) - min(values)


def test_a_room_of_works_that_are_alike_differs_and_keeps_its_order(room):
    rendered(room, "plain")
    assert "6 pictures are looked at before any work is rendered" in rendered(room, "within", "--contrast", "within")
    assert_whole(room / "within", 7)
    plain, within = records(room / "plain"), records(room / "within")
    for name in ("valence", "arousal", "tempo"):
        assert spread(within, name) > 1.2 * spread(plain, name), name
    assert len({record["mode"] for record in within.values()}) >= len({record["mode"] for record in plain.values()})
    shown = [name for name, record in plain.items() if record["image"] is not None]
    for name in ("valence", "arousal"):
        for one, other in itertools.combinations(shown, 2):
            assert (plain[one][name] - plain[other][name]) * (within[one][name] - within[other][name]) >= -1e-9
    assert {record["contrast"] for record in plain.values() if record["image"]} == {"paintings"}
    assert {record["contrast"] for record in within.values() if record["image"]} == {"within"}
    # Words alone are compared with nothing.
    assert within["a_calm_evening"]["contrast"] is None
    assert within["a_calm_evening"]["sha256"] == plain["a_calm_evening"]["sha256"]


def test_a_second_run_makes_nothing_anew_and_another_work_changes_all_pictures(room):
    arguments = ("--contrast", "within", "--contact-sheet")
    rendered(room, "out", *arguments)
    before, index = sounds(room / "out"), (room / "out" / "index.jsonl").read_bytes()
    again = rendered(room, "out", *arguments)
    assert "0 rendered, 7 as before" in again and "looked at" not in again and "made again" not in again
    assert (room / "out" / "index.jsonl").read_bytes() == index
    assert "contrasted with each other" in (room / "out" / "contact_sheet.html").read_text(encoding="utf-8")

    hang(room / "work 6.png", 9)
    with (room / "room.csv").open("a") as table:
        table.write("\nwork 6.png,")
    more = rendered(room, "out", *arguments)
    assert "1 picture is looked at" in more
    assert "6 works are made again, since works are contrasted with each other, and the collection has changed" in more
    assert "7 rendered, 1 as before" in more
    after = sounds(room / "out")
    assert after["a_calm_evening.flac"] == before["a_calm_evening.flac"]
    assert any(after[name] != before[name] for name in before)
    # The same as if they had all been there from the beginning.
    rendered(room, "fresh", *arguments)
    assert sounds(room / "fresh") == after


def test_the_option_itself_is_a_change_and_is_told(room):
    rendered(room, "out")
    before = sounds(room / "out")
    told = rendered(room, "out", "--contrast", "within")
    assert "6 works are made again, since works are contrasted with each other, and were with all paintings" in told
    told = rendered(room, "out")
    assert "6 works are made again, since works are contrasted with all paintings, and were with each other" in told
    assert sounds(room / "out") == before


def test_a_picture_that_cannot_be_read_is_listed_and_left_out_of_the_contrast(room):
    rendered(room, "out", "--contrast", "within")
    (room / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with (room / "room.csv").open("a") as table:
        table.write("\nbroken.png,")
    command = (room / "room.csv", "-o", room / "out", "--seconds", 0.2, "--contrast", "within", "--workers", 1)
    told = run(*command, bundle=BUNDLE, expected=1)
    assert "7 as before, 1 failed" in told and "made again" not in told
    assert json.loads((room / "out" / "index.jsonl").read_text().splitlines()[-1])["measured"] is None


@pytest.mark.parametrize(
    ("wish", "bundle", "words"),
    [
        ("rooms", BUNDLE, "--contrast is 'rooms': choose paintings or within"),
        ("within", TINY_BUNDLE, "tiny has no pictures.json: leave the option out"),
    ],
)
def test_what_cannot_be_contrasted_is_refused_in_a_sentence(room, wish, bundle, words):
    told = run(room / "room.csv", "-o", room / "out", "--contrast", wish, expected=2, bundle=bundle)
    assert words in told
    assert "Traceback" not in told
    assert not list((room / "out").glob("sounds/*"))

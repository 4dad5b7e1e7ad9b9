"""What a bundle knows of paintings as a whole: read strictly, and never out of order."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2m_edge.errors import BundleError
from a2m_edge.impression.cues import MIDDLE
from a2m_edge.impression.feeling import EMOTION_SIGNS, EMOTIONS, NEGATIVE_EMOTIONS, Feeling
from a2m_edge.perception.picture_tables import PictureTables, Spread, leaning

VALUES = st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=2, max_size=12).map(sorted).map(tuple)
TABLES = PictureTables(
    cues={"brightness": (0.0, 50.0, 100.0)},
    valence=Spread((-0.2, 0.0, 0.2), (-0.8, 0.1, 0.9)),
    arousal=Spread((-0.1, 0.1), (-0.6, 0.6)),
    word_shift=(0.0,) * 2 + (1.0,) + (0.0,) * 6,
)


def test_a_spread_gives_back_how_far_apart_people_are():
    assert [TABLES.valence(value) for value in (-0.2, -0.1, 0.0, 0.1, 0.2)] == pytest.approx(
        [-0.8, -0.35, 0.1, 0.5, 0.9]
    )
    assert TABLES.valence(1.0) == 1.0 and TABLES.valence(-1.0) == -1.0
    assert 0.9 < TABLES.valence(0.3) < TABLES.valence(0.5) < 1.0


def test_what_is_not_known_changes_nothing():
    feeling = Feeling.of(0.3, -0.2, "awe")
    told = PictureTables().seen(feeling)
    assert (told.valence, told.arousal, told.word) == (feeling.valence, feeling.arousal, "awe")
    assert (told.emotions == feeling.emotions).all()


def test_a_common_word_gives_way_to_one_that_is_nearly_as_likely():
    emotions = np.full(9, 0.05, np.float32)
    emotions[EMOTIONS.index("contentment")], emotions[EMOTIONS.index("fear")] = 0.4, 0.25
    told = TABLES.seen(Feeling(emotions, 0.0, 0.0))
    assert told.word == "fear"
    assert told.emotions.sum() == pytest.approx(1, abs=1e-5)


@given(told=VALUES, felt=VALUES, values=st.lists(st.floats(-1, 1), min_size=2, max_size=6))
def test_no_spread_changes_the_order(told, felt, values):
    size = min(len(told), len(felt))
    spread = Spread(told[:size], felt[:size])
    mapped = [spread(value) for value in sorted(values)]
    assert all(-1 <= value <= 1 for value in mapped)
    assert all(first <= second + 1e-9 for first, second in itertools.pairwise(mapped))


PAINTED = st.lists(
    st.tuples(st.floats(0, 100) | st.just(float("nan")), st.floats(-1, 1), st.floats(-1, 1)), min_size=1, max_size=30
)


@given(works=PAINTED)
def test_within_a_collection_the_order_of_works_is_kept(works):
    cues = [dataclasses.replace(MIDDLE, brightness=brightness) for brightness, _, _ in works]
    tables = TABLES.within(cues, [valence for _, valence, _ in works], [arousal for _, _, arousal in works])
    assert PictureTables.from_json(tables.to_json()) == tables
    for (light, valence, arousal), (lighter, better, livelier) in itertools.pairwise(sorted(works)):
        told, other = (tables.seen(Feeling.of(*each)) for each in ((valence, arousal), (better, livelier)))
        assert (told.valence - other.valence) * (valence - better) >= -1e-9
        assert (told.arousal - other.arousal) * (arousal - livelier) >= -1e-9
        one, next_one = (
            dataclasses.replace(MIDDLE, brightness=each).ranks(tables.cues).brightness for each in (light, lighter)
        )
        assert math.isnan(light) or math.isnan(lighter) or (one - next_one) * (light - lighter) >= -1e-9


def test_within_a_collection_works_that_are_alike_differ_more_and_the_more_there_are_the_more():
    def spread(count: int) -> float:
        light, told = np.linspace(40, 50, count).tolist(), np.linspace(0.02, 0.08, count).tolist()
        tables = TABLES.within([dataclasses.replace(MIDDLE, brightness=each) for each in light], told, told)
        ranks = [dataclasses.replace(MIDDLE, brightness=each).ranks(tables.cues).brightness for each in light]
        felt = [tables.seen(Feeling.of(each, each)) for each in told]
        assert felt[-1].arousal - felt[0].arousal > TABLES.arousal(0.08) - TABLES.arousal(0.02)
        assert felt[-1].valence - felt[0].valence > TABLES.valence(0.08) - TABLES.valence(0.02)
        return ranks[-1] - ranks[0]

    assert 0.1 < spread(2) < spread(6) < spread(40) <= 1


@pytest.mark.parametrize("count", [1, 7])
def test_one_work_and_works_that_are_equal_are_felt_as_among_all_paintings(count):
    cues = dataclasses.replace(MIDDLE, brightness=30.0)
    tables = TABLES.within([cues] * count, [0.13] * count, [-0.06] * count)
    assert cues.ranks(tables.cues).brightness == pytest.approx(cues.ranks(TABLES.cues).brightness, abs=1e-3)
    feeling = Feeling.of(0.13, -0.06, "awe")
    one, other = tables.seen(feeling), TABLES.seen(feeling)
    assert (one.valence, one.arousal) == pytest.approx((other.valence, other.arousal), abs=1e-3)


def test_tables_are_the_same_when_read_again(tmp_path):
    (tmp_path / "pictures.json").write_text(TABLES.to_json(), encoding="utf-8")
    assert PictureTables.read(tmp_path / "pictures.json") == TABLES


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": 2},
        {"cues": {"charm": [0.0, 1.0]}},
        {"cues": {"contrast": [1.0, 0.0]}},
        {"valence": {"told": [0.0, 1.0], "felt": [0.0]}},
        {"arousal": {"told": [0.0, 1.0], "felt": [0.0, 3.0]}},
        {"arousal": {"told": [0.5, 0.1], "felt": [0.0, 1.0]}},
        {"word_shift": ["much"]},
        {"word_shift": [0.5]},
        {"more": 1},
    ],
)
def test_tables_that_make_no_sense_are_refused(tmp_path, changes):
    file = tmp_path / "pictures.json"
    file.write_text(json.dumps(json.loads(TABLES.to_json()) | changes), encoding="utf-8")
    with pytest.raises(BundleError, match=r"pictures\.json cannot be used \("):
        PictureTables.read(file)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{" * 5000])
def test_a_file_that_is_no_table_is_refused(tmp_path, content):
    (tmp_path / "pictures.json").write_bytes(content)
    with pytest.raises(BundleError, match="cannot be used"):
        PictureTables.read(tmp_path / "pictures.json")


@given(
    weights=st.lists(st.floats(1e-6, 1), min_size=9, max_size=9),
    valence=st.floats(-1, 1),
)
def test_emotions_lean_to_the_valence_and_keep_the_order_of_each_sign(weights, valence):
    emotions = np.array(weights) / np.sum(weights)
    found = leaning(emotions, valence)
    assert found.sum() == pytest.approx(1, abs=1e-5)
    assert (found >= 0).all()
    before, after = float(EMOTION_SIGNS @ emotions), float(EMOTION_SIGNS @ found)
    assert min(before, valence) - 1e-4 <= after <= max(before, valence) + 1e-4
    for sign in (1, 0, -1):
        same = np.flatnonzero(sign == EMOTION_SIGNS)
        assert (np.diff(found[same][np.argsort(emotions[same])]) >= -1e-6).all()


def test_no_word_contradicts_what_is_felt():
    emotions = np.full(9, 0.05, np.float32)
    emotions[EMOTIONS.index("contentment")] = 0.6
    for told, negative in ((-0.2, True), (0.2, False)):
        word = TABLES.seen(Feeling(emotions, told, 0.0)).word
        assert (word in NEGATIVE_EMOTIONS) == negative

"""What visitors write: cleaned, short, and not too often."""

from __future__ import annotations

import tracemalloc
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2m_edge.errors import CommentError
from a2m_edge.perception.comments import clean_comment
from kiosk.shared.settings import WebSettings
from kiosk.web.access.rates import Allowance, Rate, TooOftenError
from kiosk.web.exhibit.comments import LONGEST_COMMENT, MOST_SIGNS, CommentDesk, PiledError, TooLongError, characters

ANYTHING = st.text(st.characters(), max_size=400)


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def desk(clock: Clock | None = None, **options: object) -> CommentDesk:
    return CommentDesk(WebSettings(**options), clock or Clock())  # type: ignore[arg-type]


def test_a_comment_is_cleaned():
    hidden = "\u202eﬁne\u0000 \u200f\u2066wild\u2069\u0007\n\n  day\ufeff\ud800"
    assert desk().take(hidden, "a") == "fine wild day"


@given(ANYTHING)
def test_what_is_taken_is_short_and_holds_nothing_invisible(text):
    try:
        taken = desk().take(text, "a")
    except CommentError:
        return
    assert len(taken) > 0
    assert characters(text) <= LONGEST_COMMENT
    assert clean_comment(taken) == taken
    assert not any(unicodedata.category(each) in ("Cc", "Cs") for each in taken)
    assert not any(
        unicodedata.bidirectional(each) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        for each in taken
    )


@pytest.mark.parametrize(
    "text", ["", "   \n\t", "\u202e\u200f", "\u200d", "x" * 281, "y" * 20_000, "a" + "\u0301" * 9999]
)
def test_nothing_and_too_much_are_refused_and_not_counted(text):
    taking = desk(comment_burst=1)
    for _ in range(5):
        with pytest.raises(CommentError):
            taking.take(text, "a")
    assert taking.take("a calm sea", "a") == "a calm sea"


ONE_EACH = {
    "letter": "y",
    "ellipsis, three signs once it is cleaned": "\u2026",
    "Arabic benediction, eighteen signs once it is cleaned": "\ufdfa",
    "fraction": "½",
    "letter below an accent": "e\u0301",
    "letter below and above many": "o\u0302\u0323\u031b",
    "flag": "🇫🇷",
    "flag of tags": "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "family": "👩\u200d👩\u200d👧\u200d👦",
    "skin tone": "👍🏾",
    "kiss of two skin tones": "👩🏽\u200d❤\ufe0f\u200d💋\u200d👨🏿",
    "key cap": "1\ufe0f\u20e3",
    "Korean syllable": "각",
    "Korean letters": "\u1100\u1161\u11a8",
    "Devanagari vowel": "की",
    "Devanagari conjunct": "क्षि",
    "Tamil vowel": "நி",
    "Thai vowel and tone": "ที่",
    "Hebrew points": "שָׁ",
    "line break": "\r\n",
    "lone surrogate": "\ud800",
    "sign outside the plane": "𝕏",
}
"""What a person sees as one character."""


@pytest.mark.parametrize("one", ONE_EACH.values(), ids=ONE_EACH.keys())
def test_280_characters_are_taken_whatever_they_are_made_of_and_281_are_not(one):
    assert characters(one) == 1
    words = "sea " + one * (LONGEST_COMMENT - 4)
    assert desk().take(words, "a").startswith("sea")
    with pytest.raises(TooLongError, match="more than 280 characters"):
        desk().take(words + one, "a")


def test_signs_are_not_piled_on_one_character_without_end():
    highest = "a" + "\u0300" * (MOST_SIGNS - 1)
    assert characters(highest) == 1
    assert desk().take(highest, "a").startswith("à")
    for piled in (highest + "\u0300", "sad" + "\u0489" * 10_000, "👩" + "\u200d👩" * 3000, "क" + "्क" * 2000):
        with pytest.raises(PiledError, match="at most 2,800 are taken"):
            desk().take(piled, "a")


def test_a_long_text_of_any_kind_is_refused_at_once():
    # Counting a row of regional letters takes a time that grows with its square: 0.02 s for 2,800 of them.
    with pytest.raises(TooLongError):
        desk().take("🇩" * 100_000, "a")


@given(ANYTHING.filter(lambda text: text.strip()))
def test_errors_hold_no_word_of_the_comment(text):
    taking = desk(comment_burst=1)
    secret = "velvet " + text
    for _ in range(2):
        try:
            taking.take(secret, "a")
        except (CommentError, TooOftenError) as error:
            assert "velvet" not in repr(error)
            assert "velvet" not in str(error)


def test_one_visitor_must_wait_and_others_need_not():
    clock = Clock()
    taking = desk(clock, comment_burst=2, comment_pause=10.0, room_burst=100)
    taking.take("one", "a")
    taking.take("two", "a")
    with pytest.raises(TooOftenError) as refused:
        taking.take("three", "a")
    assert refused.value.wait == pytest.approx(10.0)
    taking.take("hello", "b")
    clock.now += 9.9
    with pytest.raises(TooOftenError):
        taking.take("three", "a")
    clock.now += 0.2
    taking.take("three", "a")


def test_the_room_has_a_limit_of_its_own():
    clock = Clock()
    taking = desk(clock, room_burst=5, room_rate=0.5)
    for visitor in range(5):
        taking.take("hello", str(visitor))
    with pytest.raises(TooOftenError) as refused:
        taking.take("hello", "a new one")
    assert refused.value.wait == pytest.approx(2.0)


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 3)), max_size=300), st.integers(1, 5), st.floats(0.1, 5))
def test_no_order_of_asking_gets_more_than_the_rate(asked, burst, pause):
    clock = Clock()
    allowance = Allowance(Rate(burst, pause), Rate(3 * burst, pause / 2), clock)
    begun, taken = clock.now, dict.fromkeys(range(6), 0)
    for visitor, passed in asked:
        clock.now += passed
        try:
            allowance.take(str(visitor))
        except TooOftenError as error:
            assert error.wait > 0
            continue
        taken[visitor] += 1
    earned = (clock.now - begun) / pause
    assert all(count <= burst + earned + 1e-6 for count in taken.values())
    assert sum(taken.values()) <= 3 * burst + 2 * earned + 1e-6


def test_who_waits_as_long_as_told_is_let_in():
    clock = Clock()
    allowance = Allowance(Rate(1, 7.0), Rate(100, 0.1), clock)
    allowance.take("a")
    for _ in range(20):
        with pytest.raises(TooOftenError) as refused:
            allowance.take("a")
        clock.now += refused.value.wait + 1e-9
        allowance.take("a")


def test_a_crowd_of_strangers_fills_no_memory_and_opens_no_gate():
    allowance = Allowance(Rate(1, 60.0), Rate(50, 60.0), Clock())
    taken = 0
    tracemalloc.start()
    for stranger in range(20_000):
        try:
            allowance.take(f"10.0.{stranger // 256}.{stranger % 256}")
            taken += 1
        except TooOftenError:
            pass
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken == 50
    assert held < 1_000_000  # measured 0.28 MB; 4.4 MB where none is forgotten

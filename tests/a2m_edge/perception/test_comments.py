"""What a visitor may say, and what is left of it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2m_edge.errors import CommentError
from a2m_edge.perception.comments import MAXIMUM_CHARACTERS, clean_comment


@given(st.text(max_size=200))
def test_whatever_passes_is_visible_single_spaced_normal_and_stays_as_it_is(text):
    try:
        cleaned = clean_comment(text)
    except CommentError:
        return
    assert cleaned == " ".join(cleaned.split())
    assert unicodedata.is_normalized("NFKC", cleaned)
    assert not {unicodedata.category(character) for character in cleaned} & {"Cc", "Cs"}
    assert clean_comment(cleaned) == cleaned
    cleaned.encode()


@given(st.text(alphabet=st.characters(categories=["Cc", "Zs", "Zl", "Zp", "Cf", "Cs"]), max_size=50))
def test_nothing_to_see_is_no_comment(text):
    with pytest.raises(CommentError, match="empty"):
        clean_comment(text)


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("  so   calm\n\tand\u00a0wide ", "so calm and wide"),
        ("ﬁne ｗｉｄｅ ①", "fine wide 1"),
        ("I don\u2019t \u201cfeel\u201d it", 'I don\'t "feel" it'),
        ("e\u0301tonnant", "\u00e9tonnant"),
        ("שקט ועצוב", "שקט ועצוב"),
        ("sad\u202egniyrc\u202c", "sadgniyrc"),
        ("\x1b[31mred\x07", "[31mred"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("👩\u200d🎨 paints", "👩\u200d🎨 paints"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("broken\udc80byte", "brokenbyte"),
        ("!", "!"),
        ("🌊", "🌊"),
        ("\U0001fae9", "\U0001fae9"),
    ],
)
def test_a_comment_keeps_its_words(said, heard):
    assert clean_comment(said) == heard


def test_the_longest_comment_passes_and_a_longer_one_is_told_so():
    assert len(clean_comment("a" * MAXIMUM_CHARACTERS)) == MAXIMUM_CHARACTERS
    with pytest.raises(CommentError, match="10,001 characters"):
        clean_comment("a" * (MAXIMUM_CHARACTERS + 1))


@pytest.mark.parametrize("sign", ["\ufdfa", "\u2026", "\u3373", "\u00bd"])
def test_a_comment_that_grows_when_it_is_cleaned_is_not_refused_for_what_was_not_typed(sign):
    cleaned = clean_comment(sign * MAXIMUM_CHARACTERS)
    assert len(cleaned) <= MAXIMUM_CHARACTERS
    assert clean_comment(cleaned) == cleaned

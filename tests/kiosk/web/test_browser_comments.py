"""What the page counts of a comment while it is written, in a real browser: the same as the server."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import pytest

from kiosk.shared.settings import WebSettings
from kiosk.web.exhibit.comments import LONGEST_COMMENT, characters
from tests.fixtures.exhibit.browser import visiting
from tests.fixtures.exhibit.pages import Pages, served
from tests.kiosk.web.test_comments import ONE_EACH

pytestmark = pytest.mark.realtime

COUNT = """async (texts) => {
  const { characters } = await import("/static/js/characters.js");
  return JSON.parse(texts).map(characters);
}"""


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    """An exhibit that hears as much as is said."""
    yield from served(WebSettings(port=0, comment_burst=1000, room_burst=1000))


def mixtures(count: int, seed: int = 0) -> list[str]:
    """Texts of characters of every kind, in every order."""
    rng = random.Random(seed)
    return ["".join(rng.choices(list(ONE_EACH.values()), k=rng.randrange(1, 30))) for _ in range(count)]


def test_page_and_server_count_the_same(browser, pages):
    texts = [*ONE_EACH.values(), *mixtures(2000), "a" + "\u0301" * 5000]
    with visiting(browser, pages) as visitor:
        counted = visitor.page.evaluate(COUNT, json.dumps(texts))
    assert counted == [characters(text) for text in texts]


def test_a_browser_that_cannot_count_says_no_more_than_the_server(browser, pages):
    texts = [*ONE_EACH.values(), *mixtures(2000, seed=1)]
    with visiting(browser, pages) as visitor:
        visitor.context.add_init_script("delete Intl.Segmenter")
        visitor.page.reload()
        assert visitor.page.evaluate("typeof Intl.Segmenter") == "undefined"
        counted = visitor.page.evaluate(COUNT, json.dumps(texts))
    pairs = list(zip(texts, counted, map(characters, texts), strict=True))
    assert [text for text, page, server in pairs if page > server] == []
    assert all(page == 1 for _, page, _ in pairs[: len(ONE_EACH)])


@pytest.mark.parametrize("one", ["\u2026", "\ufdfa", "👩\u200d👩\u200d👧\u200d👦", "🇫🇷", "각", "e\u0301"])
def test_what_is_left_is_counted_as_it_is_seen(browser, pages, one):
    with visiting(browser, pages) as visitor:
        visitor.page.fill("#words", "sea " + one * (LONGEST_COMMENT - 7) + "  \n")
        assert visitor.text("#left") == "3 characters left"
        visitor.page.fill("#words", "sea " + one * (LONGEST_COMMENT - 4))
        assert visitor.text("#left") == "0 characters left"
        visitor.page.click("#comment button[type=submit]")
        visitor.has("#answer", "The music is following your words.")
        assert visitor.page.is_hidden("#left")


def test_what_is_too_long_or_piled_up_is_said_and_nothing_is_lost(browser, pages):
    long, piled = "x" * (LONGEST_COMMENT + 2), "sad" + "\u0301" * 5000
    visitor_complaints: list[str] = []
    with visiting(browser, pages) as visitor:
        for words, told in ((long, "at most 280 characters"), (piled, "piled on one another")):
            visitor.page.fill("#words", words)
            if words is long:
                assert visitor.text("#left") == "2 characters too many"
            visitor.page.click("#comment button[type=submit]")
            visitor.has("#answer", told)
            assert visitor.page.input_value("#words") == words
        # The browser itself complains of every answer that is a refusal.
        visitor_complaints, visitor.complaints = visitor.complaints, []
    assert all("400" in complaint for complaint in visitor_complaints)


def test_what_was_not_understood_is_said_in_the_visitor_s_language(browser, pages):
    for language, said in (
        ("en", "I did not understand."),
        ("de", "Das habe ich nicht verstanden."),
        ("ja", "わかりません"),
    ):
        with visiting(browser, pages, locale=language) as visitor:
            visitor.page.fill("#words", "Мне грустно")
            visitor.page.keyboard.press("Enter")
            visitor.has("#answer", said)
            assert visitor.page.locator("#answer.refused").count() == 0
            visitor.page.fill("#words", "I want to dance")
            visitor.page.keyboard.press("Enter")
            visitor.page.wait_for_function(
                "said => !document.querySelector('#answer').innerText.includes(said)", arg=said
            )

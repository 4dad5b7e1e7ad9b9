"""The pages in every language in a real browser: which way they run, that no text is cut, and with which letters."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from a2m_edge.explanation.causes import Cause, Effect
from kiosk.shared.settings import WebSettings
from kiosk.web.routes.languages import DIRECTIONS, LANGUAGES
from tests.fixtures.exhibit.browser import CHROMIUM, FLAGS, Visitor, visiting
from tests.fixtures.exhibit.layout import bare_fonts, drawn_by_the_system, faults
from tests.fixtures.exhibit.pages import ABROAD, NAME, PIN, PIN_HASH, Pages, served
from tests.fixtures.exhibit.small_exhibit import DARK, felt

SIZES = {"phone": (360, 740), "tablet": (768, 1024), "wide": (1440, 900)}
SEA = Cause(
    "shown",
    ("sea",),
    (Effect("figure", "more", 4.0, ("waves",)), Effect("players", "more", 2.0, ("harp", "choir"))),
    3.0,
)


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    """An exhibit with a PIN, at which something is felt and told."""
    for each in served(WebSettings(port=0, pin_hash=PIN_HASH)):
        each.exhibit.felt = felt("awe", 0.5, 0.4, why=(DARK, SEA))
        yield each


@pytest.fixture(scope="module")
def signed_in(pages) -> str:
    """The cookie of the staff."""
    cookie: str = pages.ask("POST", "/api/staff/session", json={"pin": PIN}).headers["set-cookie"]
    return cookie.split(";")[0]


@pytest.fixture(scope="module")
def bare_browser(browser, tmp_path_factory):
    """A browser on a computer without fonts."""
    fonts = {"FONTCONFIG_FILE": str(bare_fonts(tmp_path_factory.mktemp("bare")))}
    opened = browser.browser_type.launch(executable_path=CHROMIUM, args=FLAGS, env={**os.environ, **fonts})
    yield opened
    opened.close()


def look(visitor: Visitor) -> None:
    visitor.page.wait_for_selector("img.work.shown")
    visitor.page.wait_for_selector("#why", state="visible")
    visitor.page.click("#why summary")


@pytest.mark.parametrize("zoom", [1, 2])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["ar", "de", "ja"])
def test_no_word_is_cut(browser, pages, language, size, zoom):
    width, height = SIZES[size]
    options = {"viewport": {"width": width // zoom, "height": height // zoom}, "device_scale_factor": zoom}
    with visiting(browser, pages, locale=language, **options) as visitor:
        look(visitor)
        assert visitor.page.evaluate("getComputedStyle(document.body).direction") == DIRECTIONS[language]
        assert faults(visitor.page) == []


def test_no_language_cuts_a_feeling(browser, pages):
    feelings = ["amusement", "contentment", "excitement", "disgust", "something else"]
    with visiting(browser, pages, viewport={"width": 240, "height": 500}) as visitor:
        look(visitor)
        for language in LANGUAGES:
            visitor.page.select_option("#language", language)
            visitor.page.wait_for_function("language => document.documentElement.lang === language", arg=language)
            for word in feelings:
                visitor.page.evaluate(
                    """async word => {
                      const { text } = await import("/static/js/texts.js");
                      const element = document.querySelector("#word");
                      element.textContent = text(`emotion.${word}`);
                      element.style.setProperty(
                        "--letters", Math.max(...element.textContent.split(" ").map(({ length }) => length)));
                    }""",
                    word,
                )
                assert faults(visitor.page) == [], (language, word)


@pytest.mark.parametrize("zoom", [1, 2])
@pytest.mark.parametrize("size", SIZES)
def test_the_staff_s_pages_in_arabic_are_not_cut(browser, pages, signed_in, size, zoom):
    width, height = SIZES[size]
    options = {"viewport": {"width": width // zoom, "height": height // zoom}, "locale": "ar-EG"}
    pages.exhibit.counters["samples_lost"] = 12_345_678_901  # of a year
    visitor = Visitor(browser, pages, "/calibrate", **options)
    name, _, value = signed_in.partition("=")
    visitor.context.add_cookies([{"name": name, "value": value, "url": f"{pages.origin}/"}])
    for path in ("/calibrate", "/staff"):
        visitor.page.goto(pages.origin + path)
        visitor.page.wait_for_selector("#view img", state="visible")
        assert visitor.page.get_attribute("html", "dir") == "rtl"
        assert faults(visitor.page) == []
    visitor.close()


def test_what_has_a_place_keeps_it_in_arabic(browser, pages):
    lefts = {}
    for language in ("en", "ar"):
        with visiting(browser, pages, locale=language, viewport={"width": 360, "height": 740}) as visitor:
            look(visitor)
            centres = visitor.page.evaluate(
                "[...document.querySelectorAll('.end.left, .end.right, #plane .dot, #ribbon-switch')].map((each) => "
                "{ const { left, right } = each.getBoundingClientRect(); return (left + right) / 2; })"
            )
            lefts[language] = [centre > 180 for centre in centres]
            at = "getComputedStyle(document.querySelector('{}')).{}".format
            assert visitor.page.evaluate(at("h1", "textAlign")) == "start"
            mask = visitor.page.evaluate(at("#ribbon", "maskImage"))
            assert mask.startswith("linear-gradient(90deg"), "the newest sound is on the right"
    assert lefts["ar"] == lefts["en"]


def test_a_visitor_s_own_words_run_as_they_are_written(browser, pages):
    with visiting(browser, pages, locale="ar") as visitor:
        direction = "getComputedStyle(document.querySelector('#words')).direction"
        visitor.page.fill("#words", "It makes me feel small")
        assert visitor.page.evaluate(direction) == "ltr"
        visitor.page.fill("#words", "أشعر بالسكينة")
        assert visitor.page.evaluate(direction) == "rtl"
        visitor.page.select_option("#language", "en")
        visitor.has("h1", "The picture is listening")
        assert visitor.page.get_attribute("html", "dir") == "ltr"
        assert visitor.page.evaluate(direction) == "rtl"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_computer_without_fonts_shows_every_text(bare_browser, pages, language):
    fetched = []
    visitor = Visitor(bare_browser, pages, locale=language)
    visitor.page.on("request", lambda request: fetched.append(request.url))
    visitor.page.reload()
    look(visitor)
    assert drawn_by_the_system(visitor.page) == {}
    han = {"ja": "japanese", "zh": "chinese-simplified", "zh-Hant": "chinese-traditional"}
    own = {name: any(url.endswith(f"/{name}.woff2") for url in fetched) for name in han.values()}
    assert own == {name: han.get(language) == name for name in han.values()}
    visitor.close()


def test_a_phone_that_has_letters_fetches_none(browser, pages):
    fetched: list[str] = []
    with visiting(browser, pages, locale="de") as visitor:
        visitor.page.on("request", lambda request: fetched.append(request.url))
        visitor.page.reload()
        look(visitor)
        visitor.page.wait_for_timeout(500)
    assert fetched
    assert [url for url in fetched if url.endswith(".woff2")] == []


@pytest.mark.realtime
def test_the_exhibit_s_own_screen_greets_in_one_language_after_the_other(browser):
    settings = WebSettings(port=0, screen_languages=("de", "ar", "zh-TW"), screen_seconds=5.0)
    for pages in served(settings):
        with visiting(browser, pages, locale="en") as visitor:
            page = visitor.page
            page.clock.install()
            page.reload()
            shown = "() => document.documentElement.lang"
            for language in ("de", "ar", "zh-Hant", "de", "ar"):
                page.wait_for_function(f"language => ({shown})() === language", arg=language)
                assert page.get_attribute("html", "dir") == DIRECTIONS[language]
                visitor.has("#word", {"de": "Zufriedenheit", "ar": "رضا"}.get(language, ""))
                page.clock.fast_forward(5_100)
            page.wait_for_function(f"() => ({shown})() === 'zh-Hant'")
            page.keyboard.press("Tab")
            page.clock.fast_forward(30_000)
            page.wait_for_timeout(300)
            assert page.evaluate(shown) == "zh-Hant", "somebody reads it"
            page.clock.fast_forward(61_000)
            page.wait_for_function(f"() => ({shown})() === 'de'")  # the next visitor
            page.clock.fast_forward(5_100)
            page.wait_for_function(f"() => ({shown})() === 'ar'")


def test_a_phone_keeps_its_language(browser):
    for pages in served(
        WebSettings(host=ABROAD.host, port=0, token=ABROAD.token, names=(NAME,), screen_languages=("ar",)), NAME
    ):
        visitor = Visitor(browser, pages, locale="ko")
        visitor.page.wait_for_selector("#outside", state="visible")
        assert visitor.page.get_attribute("html", "lang") == "ko"
        visitor.close()

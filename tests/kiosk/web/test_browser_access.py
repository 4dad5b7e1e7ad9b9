"""Everybody can use the pages: axe-core finds nothing to complain of, and what is to be tapped is large enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from kiosk.shared.messages import PartState
from kiosk.shared.settings import WebSettings
from kiosk.web.routes.languages import LANGUAGES
from tests.fixtures.accessible_pages import SIZES, looked_at
from tests.fixtures.exhibit.browser import Visitor
from tests.fixtures.exhibit.pages import ABROAD, NAME, PIN, PIN_HASH, Pages, served
from tests.fixtures.exhibit.small_exhibit import DARK, felt

pytestmark = pytest.mark.realtime


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    """An exhibit with a PIN, one part of which needs care."""
    for each in served(WebSettings(port=0, pin_hash=PIN_HASH)):
        each.exhibit.parts += (PartState("web", "", False, "it is being replaced", 2),)
        each.exhibit.felt = felt("fear", -0.9, 0.7, why=(DARK,) * 5)
        yield each


@pytest.fixture(params=SIZES)
def size(request) -> dict[str, dict[str, int]]:
    """Options of a browser's context."""
    width, height = SIZES[request.param]
    return {"viewport": {"width": width, "height": height}}


def visit(visitor: Visitor) -> None:
    visitor.page.wait_for_selector("img.work.shown")


def write_too_much(visitor: Visitor) -> None:
    visit(visitor)
    visitor.page.fill("#words", "x" * 230)
    visitor.page.evaluate("document.querySelector('#idle').hidden = false")


def be_refused(visitor: Visitor) -> None:
    visit(visitor)
    visitor.page.click("#comment button[type=submit]")
    visitor.has("#answer", "Write a few words")


def be_lost(visitor: Visitor) -> None:
    visit(visitor)
    visitor.context.set_offline(True)
    visitor.has("#connection", "The connection is lost")


def ask_why(visitor: Visitor) -> None:
    visit(visitor)
    visitor.page.click("#why summary")
    visitor.has("#causes", "Dark shades: lower notes.")


def stand_before_the_pin(visitor: Visitor) -> None:
    visitor.page.wait_for_selector("#sign-in", state="visible")


def sign_in(visitor: Visitor) -> None:
    stand_before_the_pin(visitor)
    visitor.page.fill("#pin", PIN)
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_selector("#view img", state="visible")


@pytest.mark.parametrize(
    ("path", "reach"),
    [
        ("/", visit),
        ("/", write_too_much),
        ("/", be_refused),
        ("/", be_lost),
        ("/", ask_why),
        ("/staff", stand_before_the_pin),
        ("/staff", sign_in),
        ("/calibrate", sign_in),
    ],
)
def test_everybody_can_use_the_pages(browser, pages, axe, size, path, reach: Callable[[Visitor], None]):
    visitor = Visitor(browser, pages, path, **size)
    reach(visitor)
    looked_at(visitor.page, axe)
    visitor.close()


@pytest.mark.parametrize("width", [768, 1440])
def test_everybody_can_read_why_in_letters_of_twice_the_size(browser, pages, width):
    visitor = Visitor(browser, pages, "/", viewport={"width": width, "height": 900}, locale="de")
    tools = visitor.context.new_cdp_session(visitor.page)
    tools.send("Page.setFontSizes", {"fontSizes": {"standard": 32}})
    visit(visitor)
    visitor.page.click("#why summary")
    visitor.has("#causes", "Dunkle Farbtöne: tiefere Töne.")
    widths = visitor.page.evaluate(
        "[document.documentElement.scrollWidth, innerWidth, document.querySelector('#causes').offsetWidth, "
        "parseFloat(getComputedStyle(document.querySelector('#causes')).fontSize)]"
    )
    assert widths[0] == widths[1], "nothing lies beyond the side"
    assert widths[3] >= 32
    assert widths[2] >= 10 * widths[3], "no column of single words"
    visitor.close()


def test_everybody_can_use_every_language(browser, pages, axe):
    visitor = Visitor(browser, pages, "/", viewport={"width": 360, "height": 740})
    visit(visitor)
    for language in LANGUAGES:
        visitor.page.select_option("#language", language)
        visitor.page.wait_for_function("language => document.documentElement.lang === language", arg=language)
        looked_at(visitor.page, axe)
    visitor.close()


def test_everybody_can_read_where_the_code_is(browser, axe):
    for pages in served(ABROAD, NAME):
        visitor = Visitor(browser, pages, "/")
        visitor.page.wait_for_selector("#outside", state="visible")
        looked_at(visitor.page, axe)
        visitor.close()
    for pages in served(ABROAD):
        visitor = Visitor(browser, pages, "/")
        visitor.page.wait_for_selector("#code", state="visible")
        looked_at(visitor.page, axe)
        visitor.close()

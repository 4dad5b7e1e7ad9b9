"""Everybody can use the pages: axe-core finds nothing to complain of, and what is to be tapped is large enough."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from kiosk.messages import PartState
from kiosk.settings import WebSettings
from kiosk.web.languages import LANGUAGES
from tests.kiosk.browser import Visitor, chromium
from tests.kiosk.pages import ABROAD, NAME, PIN, PIN_HASH, Pages, served

pytestmark = pytest.mark.realtime

AXE = "axe-core@4.14.1"
SIZES = {"phone": (320, 640), "screen": (1280, 800)}
"""Pixels; 320 is the narrowest that WCAG asks for (1.4.10)."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def axe(tmp_path_factory) -> str:
    """The text of axe-core, fetched by npm."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: run  sudo apt install npm")
    folder: Path = tmp_path_factory.mktemp("axe")
    got = subprocess.run(["npm", "pack", "--silent", AXE], cwd=folder, capture_output=True, text=True, timeout=300)
    if got.returncode != 0:
        pytest.skip(f"npm could not fetch {AXE}: {got.stderr.strip()[-200:]}")
    shutil.unpack_archive(next(folder.glob("*.tgz")), folder)
    return (folder / "package" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    """An exhibit with a PIN, one part of which needs care."""
    for each in served(WebSettings(port=0, pin_hash=PIN_HASH)):
        each.exhibit.parts += (PartState("web", "", False, "it is being replaced", 2),)
        yield each


def looked_at(page: Page, axe: str) -> None:
    """Finds no violation of WCAG 2.2 AA nor of axe's best practices, and no target below 44 pixels."""
    page.wait_for_timeout(800)  # fades are over: a colour on its way has less contrast
    page.evaluate(axe)
    found = page.evaluate(
        "async () => (await axe.run(document, { runOnly: "
        "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })).violations"
        ".map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => [html, failureSummary])])"
    )
    assert found == [], json.dumps(found, indent=1, ensure_ascii=False)
    small = page.evaluate(
        "() => [...document.querySelectorAll('button, select, textarea, input, a')].filter((each) => {"
        "  const { width, height } = each.getBoundingClientRect();"
        "  return width > 0 && (width < 44 || height < 44);"
        "}).map((each) => each.outerHTML)"
    )
    assert small == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"


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

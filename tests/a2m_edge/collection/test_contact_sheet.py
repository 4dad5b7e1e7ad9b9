"""The contact sheet opens from disk in a real browser: seen, filtered, heard, and asking nobody for anything."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page

from a2m_edge.collection.dwellings import Dwelling
from a2m_edge.collection.sheet import page as contact_sheet
from a2m_edge.collection.sheet.page import (
    NAME,
    THUMBNAIL_SIDE,
    Failure,
    thumbnail_path,
    write_contact_sheet,
    write_thumbnail,
)
from a2m_edge.errors import OutputError
from a2m_edge.perception.pictures import read_picture
from tests.fixtures.accessible_pages import SIZES, looked_at
from tests.fixtures.collection.sheet_works import entry, furnish, write_sound
from tests.fixtures.exhibit.browser import chromium
from tests.fixtures.page_elements import Elements

NASTY = "</script><script>alert(1)</script>\"'&<b onload=alert(1)>\u202e"


def elements(path: Path) -> Elements:
    return Elements(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser."""
    with chromium() as opened_browser:
        yield opened_browser


@contextlib.contextmanager
def opened(browser: Browser, path: Path, **options: Any) -> Iterator[Page]:
    """The page, opened from disk; it complains of nothing and asks only for files below its folder."""
    complaints: list[str] = []
    asked: list[str] = []
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    try:
        yield page
    finally:
        context.close()
    assert complaints == []
    assert all(url.startswith(path.parent.as_uri()) for url in asked), asked


def until(page: Page, condition: str) -> None:
    """Waits for a condition; the page's policy forbids the evaluation that playwright's own waiting needs."""
    end = time.monotonic() + 60
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(50)


def test_the_page_names_nothing_that_is_not_beside_it(tmp_path):
    works = [entry(number, NASTY, comment=NASTY, credit=NASTY, byline=NASTY) for number in range(3)]
    write_thumbnail(tmp_path, works[0].id, np.zeros((30, 40, 3), np.uint8))
    path = write_contact_sheet(tmp_path, works, [Failure(NASTY, NASTY)], title=NASTY, made=NASTY)
    page = elements(path)
    addresses = [
        value for _, attributes in page.found for name, value in attributes.items() if name in ("src", "href", "srcset")
    ]
    assert set(addresses) == {"#plane", "#failed", "thumbnails/work_0.jpg"} | {work.sound for work in works}
    assert not [tag for tag, attributes in page.found if any(name.startswith("on") for name in attributes)]
    assert not [tag for tag, attributes in page.found if "style" in attributes]  # the policy forbids them
    assert [tag for tag, _ in page.found].count("script") == 1
    assert "b" in {tag for tag, _ in page.found}  # of the failure, not of the title
    assert "".join(page.words).count(NASTY) >= 8
    assert "http" not in path.read_text(encoding="utf-8").replace("http-equiv", "")


def test_thumbnails_are_small_and_never_enlarged(tmp_path):
    large = write_thumbnail(tmp_path, "large", np.full((900, 1600, 3), (200, 20, 20), np.uint8))
    small = write_thumbnail(tmp_path, "small", np.zeros((3, 5, 3), np.uint8))
    line = write_thumbnail(tmp_path, "line", np.zeros((1, 2000, 3), np.uint8))
    assert read_picture(large).shape == (THUMBNAIL_SIDE * 9 // 16, THUMBNAIL_SIDE, 3)
    assert read_picture(large)[50, 50].tolist() == pytest.approx([200, 20, 20], abs=6)
    assert read_picture(small).shape == (3, 5, 3)
    assert read_picture(line).shape == (1, THUMBNAIL_SIDE, 3)
    assert thumbnail_path(tmp_path, "small") == small


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(OutputError):
        write_contact_sheet(tmp_path / "none", [entry(0, "A")], title="Works")
    (tmp_path / "thumbnails").write_text("in the way")
    with pytest.raises(OutputError):
        write_thumbnail(tmp_path, "a", np.zeros((3, 5, 3), np.uint8))


def test_the_page_is_whole_or_not_there(tmp_path, monkeypatch):
    path = write_contact_sheet(tmp_path, [entry(0, "Before")], title="Works")

    def interrupted(_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(contact_sheet, "_failed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_contact_sheet(tmp_path, [entry(0, "After")], title="Works")
    assert "Before" in path.read_text(encoding="utf-8")
    assert [each.name for each in tmp_path.iterdir()] == [NAME]


@settings(max_examples=60, deadline=None)
@given(
    title=st.text(max_size=60),
    name=st.text("abc%#?&<>\" ü'", min_size=1, max_size=20),
    emotions=st.dictionaries(st.sampled_from(["awe", "fear", "joy"]), st.floats(-1, 1), max_size=3),
)
def test_every_title_and_name_is_shown_as_it_is(tmp_path_factory, title, name, emotions):
    folder = tmp_path_factory.mktemp("sheet")
    work = entry(0, title, sound=f"{name}.flac", emotions=emotions)
    page = elements(write_contact_sheet(folder, [work], title=title))
    expected = title.encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\r", "\n")
    assert expected in "".join(page.words)
    (link,) = [attributes["href"] for _, attributes in page.found if attributes.get("class") == "play"]
    assert link is not None and re.fullmatch(r"[A-Za-z0-9%._-]+", link)
    labels = [attributes["aria-label"] for tag, attributes in page.found if tag == "a" and "aria-label" in attributes]
    assert labels == [f"Play {expected}"]


@pytest.fixture(scope="module")
def sheet(tmp_path_factory) -> Path:
    """Six works with pictures and sounds, one of them without a picture, one without its sound."""
    folder = tmp_path_factory.mktemp("sheet")
    words = ("awe", "awe", "fear", "sadness", "awe", "something else")
    works = []
    for number, word in enumerate(words):
        work = entry(number, f"Work {number}", word=word, comment="Like rain on a roof")
        if number != 2:
            write_thumbnail(folder, work.id, np.full((300, 400, 3), 40 * number, np.uint8))
        if number != 3:
            write_sound(folder, work)
        works.append(work)
    return write_contact_sheet(folder, works, [Failure("torn.jpg", "it is cut off")], title="Six works")


def test_it_opens_from_disk_filters_finds_and_plays(browser, sheet):
    with opened(browser, sheet) as page:
        shown = page.locator(".work:visible h2")
        assert shown.all_inner_texts() == [f"Work {number}" for number in range(6)]
        until(page, "[...document.images].every(image => image.complete && image.naturalWidth === 400)")
        assert page.inner_text("#failed h2") == "One work could not be rendered"
        assert "Like rain on a roof" in page.locator(".hung").nth(2).inner_text()

        page.get_by_role("button", name="awe 3").click()
        assert shown.all_inner_texts() == ["Work 0", "Work 1", "Work 4"]
        assert page.inner_text("#count") == "3 of 6 works"
        page.fill("#search", "work 4")
        assert shown.all_inner_texts() == ["Work 4"]
        page.fill("#search", "no such work")
        assert shown.all_inner_texts() == []
        assert page.is_visible("#none")
        page.fill("#search", "")

        page.get_by_role("button", name="Play Work 4").focus()
        page.keyboard.press("Enter")
        until(page, "document.querySelector('#time').textContent.startsWith('0:01')")
        assert page.inner_text("#now-title") == "Work 4"
        page.get_by_role("button", name="Pause Work 4").press("Space")
        page.get_by_role("button", name="Play Work 4").wait_for()
        page.click("#after")  # around to the first of those that are shown
        until(page, "document.querySelector('#now-title').textContent === 'Work 0'")
        page.get_by_role("button", name="Pause Work 0").wait_for()
        assert page.locator(".playing").count() == 1
        page.keyboard.press("Escape")
        assert not page.is_visible("#bar")
        assert page.locator(".playing").count() == 0


@pytest.mark.parametrize("java_script", [True, False])
def test_it_says_why_to_who_asks(browser, sheet, java_script):
    with opened(browser, sheet, java_script_enabled=java_script) as page:
        work = page.locator(".work").first
        cause = work.get_by_text("Dark shades and cool colours: lower notes, with choir.")
        assert not cause.is_visible()
        work.get_by_text("Why it sounds like this").click()
        assert cause.is_visible()
        assert work.locator(".why li").count() == 2


def gazing(folder: Path) -> Path:
    """A sheet of one work whose sound dwells on its lower right corner from half a second on."""
    gaze = (Dwelling(0.5, 60.0, (0.6, 0.5, 0.4, 0.5), "fear"),)
    work = entry(0, "Storm", seconds=60.0, gaze=gaze)
    write_thumbnail(folder, work.id, np.full((240, 400, 3), 150, np.uint8))
    write_sound(folder, work)
    return write_contact_sheet(folder, [work], title="One work")


def test_the_place_at_which_the_music_looks_is_lit_while_it_plays(browser, tmp_path):
    with opened(browser, gazing(tmp_path)) as page:
        assert page.locator(".shade.cast").count() == 0
        page.get_by_role("button", name="Play Storm").click()
        until(page, "document.querySelectorAll('.shade.cast').length === 1")
        boxes = [page.locator(each).bounding_box() for each in (".hung img", ".shade.cast")]
        assert boxes[0] is not None and boxes[1] == pytest.approx(boxes[0], abs=1)
        light = page.evaluate("document.querySelector('.shade.cast').style.getPropertyValue('--x')")
        assert light == "80%"
        page.keyboard.press("Escape")
        until(page, "document.querySelectorAll('.shade.cast').length === 0")


def test_who_likes_no_motion_sees_no_light_move(browser, tmp_path):
    with opened(browser, gazing(tmp_path), reduced_motion="reduce") as page:
        page.get_by_role("button", name="Play Storm").click()
        until(page, "document.querySelectorAll('.shade.cast').length === 1")
        assert not page.locator(".shade.cast").is_visible()


def test_a_sound_that_is_gone_is_told(browser, sheet):
    context = browser.new_context()
    page = context.new_page()
    page.goto(sheet.as_uri())
    page.get_by_role("button", name="Play Work 3").click()
    until(page, "document.querySelector('#told-off').textContent.includes('cannot be played')")
    context.close()


def test_without_javascript_every_sound_has_its_link_and_no_button_does_nothing(browser, sheet):
    with opened(browser, sheet, java_script_enabled=False) as page:
        assert page.locator(".work:visible").count() == 6
        assert page.locator("button:visible").count() == 0
        assert page.locator(".play").first.get_attribute("href") == "work_0.flac"


@pytest.mark.parametrize("size", SIZES)
def test_everybody_can_use_it(browser, sheet, axe, size):
    width, height = SIZES[size]
    with opened(browser, sheet, viewport={"width": width, "height": height}) as page:
        page.get_by_role("button", name="awe 3").click()
        looked_at(page, axe)
        page.get_by_role("button", name="Play Work 0").click()
        page.get_by_role("button", name="Pause Work 0").wait_for()
        looked_at(page, axe)


@pytest.mark.slow
def test_thousands_of_works_stay_usable(browser, tmp_path):
    works = [entry(number, f"Work {number}") for number in range(5000)]
    write_thumbnail(tmp_path, works[0].id, np.zeros((300, 400, 3), np.uint8))
    data = thumbnail_path(tmp_path, works[0].id)
    for work in works[1:]:
        thumbnail_path(tmp_path, work.id).hardlink_to(data)
    path = write_contact_sheet(tmp_path, works, title="Five thousand works")
    assert path.stat().st_size < 5000 * 2600
    with opened(browser, path) as page:
        timing = "performance.getEntriesByType('navigation')[0].loadEventEnd"
        until(page, f"{timing} > 0")
        loaded = page.evaluate("performance.getEntriesByType('resource').length")
        assert loaded < 300  # pictures far below wait until they are near
        took = page.evaluate(
            "() => { const begun = performance.now();"
            " document.querySelectorAll('.filters button')[1].click(); document.body.offsetHeight;"
            " return performance.now() - begun; }"
        )
        print(f"loaded in {page.evaluate(timing):.0f} ms, filtered in {took:.0f} ms, {path.stat().st_size:,} bytes")
        assert took < 2000


def test_the_public_domain_pictures_hang(browser, shared, tmp_path):
    works = furnish(tmp_path, shared / "data", works=12)
    path = write_contact_sheet(tmp_path, works, title="Works in the public domain")
    with opened(browser, path) as page:
        until(page, "document.images[0].complete && document.images[0].naturalWidth > 200")
        assert page.locator(".work").count() == 12
        assert "Vincent van Gogh, 1889" in page.inner_text(".work")

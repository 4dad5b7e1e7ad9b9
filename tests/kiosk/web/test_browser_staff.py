"""The staff's pages in a real browser."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

from kiosk.shared.messages import LiveView, PartState
from kiosk.shared.settings import WebSettings
from tests.fixtures.exhibit.browser import Visitor, visiting
from tests.fixtures.exhibit.pages import PIN, PIN_HASH, Pages, served
from tests.fixtures.exhibit.small_exhibit import jpeg

pytestmark = pytest.mark.realtime

UNSIGNED = "401"
"""What the browser notes when it asks before the PIN was given."""


@pytest.fixture
def pages() -> Iterator[Pages]:
    """An exhibit with a PIN."""
    yield from served(WebSettings(port=0, pin_hash=PIN_HASH))


def signed_in(visitor: Visitor) -> None:
    visitor.page.wait_for_selector("#sign-in", state="visible")
    visitor.page.fill("#pin", PIN)
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_selector("#desk", state="visible")
    visitor.page.wait_for_selector("#view img", state="visible")
    visitor.complaints[:] = [each for each in visitor.complaints if UNSIGNED not in each]


def wait_for(visitor: Visitor, condition) -> None:
    """Waits until something is so in the exhibit."""
    for _ in range(600):
        if condition():
            return
        visitor.page.wait_for_timeout(50)
    raise AssertionError("it did not come to be")


def test_the_staff_sets_the_exhibit(browser, pages):
    with visiting(browser, pages, "/staff") as visitor:
        signed_in(visitor)
        page, exhibit = visitor.page, pages.exhibit
        visitor.has("#healthy", "All is well")
        assert not page.is_visible("#little")
        exhibit.felt = dataclasses.replace(exhibit.felt, little=True)
        visitor.has("#little", "There is little to see in the artwork. The music follows its light and colours.")
        page.get_by_role("button", name="Mute").click()
        wait_for(visitor, lambda: exhibit.controls.muted)
        page.wait_for_selector("[data-switch=muted][aria-pressed=true]")
        page.get_by_role("button", name="Mute").click()
        wait_for(visitor, lambda: not exhibit.controls.muted)
        page.get_by_role("button", name="Hold the artwork").click()
        page.get_by_role("button", name="Pause the exhibit").click()
        wait_for(visitor, lambda: exhibit.controls.held and exhibit.controls.paused)
        page.get_by_label("Volume").focus()
        page.keyboard.press("Home")
        wait_for(visitor, lambda: exhibit.controls.volume == 0.0)
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        wait_for(visitor, lambda: exhibit.controls.volume == 0.03)
        visitor.has("#volume-shown", "3 %")
        page.get_by_role("button", name="Restart: Music").click()
        wait_for(visitor, lambda: exhibit.restarted == ["engine"])


def test_the_staff_sees_where_the_music_looks(browser, pages):
    pages.exhibit.look = (0.5, 0.0, 0.5, 0.5)
    with visiting(browser, pages, "/staff") as visitor:
        signed_in(visitor)
        points = "document.querySelector('polygon.look').getAttribute('points')"
        visitor.page.wait_for_function(f"() => {points} !== ''")
        corners = [[float(each) for each in corner.split(",")] for corner in visitor.page.evaluate(points).split()]
        assert np.allclose(corners, [(0.5, 0.2), (0.8, 0.2), (0.8, 0.5), (0.5, 0.5)], atol=1e-5)
        pages.exhibit.look = None
        visitor.page.wait_for_function(f"() => {points} === ''")


def test_the_staff_sees_what_needs_care(browser, pages):
    with visiting(browser, pages, "/staff") as visitor:
        signed_in(visitor)
        pages.exhibit.parts = (PartState("camera", "/dev/video2", False, "no frame for 20 s: look at its cable", 4),)
        visitor.has("#healthy", "Something needs care")
        for said in ("Needs care", "look at its cable", "/dev/video2", "4"):
            visitor.has("#parts", said)
        visitor.has("#timings", "12.5")
        visitor.has("#counters", "samples played")
        pages.exhibit.view = None
        visitor.has("#view", "There is no picture from the camera.")
        visitor.complaints[:] = [each for each in visitor.complaints if "404" not in each]


def test_an_upright_view_is_shown_whole(browser, pages):
    """A camera that hangs on its side and is turned gives an upright picture, which must not need scrolling."""
    upright = np.zeros((640, 360, 3), np.uint8)
    pages.exhibit.view = LiveView(jpeg(upright), None, "still")
    for path in ("/staff", "/calibrate"):
        with visiting(browser, pages, path, viewport={"width": 1280, "height": 800}) as visitor:
            signed_in(visitor)
            visitor.page.wait_for_function("() => document.querySelector('#view img').naturalHeight === 640")
            visitor.page.wait_for_function("() => document.querySelector('#view').offsetHeight < 700")
            box, image = (visitor.page.locator(each).bounding_box() for each in ("#view svg", "#view img"))
            assert box is not None and image is not None
            assert image["height"] / image["width"] == pytest.approx(640 / 360, rel=0.01)
            assert box == pytest.approx(image, abs=1)  # what is drawn lies on it


def test_a_wrong_pin_opens_nothing(browser, pages):
    with visiting(browser, pages, "/staff") as visitor:
        for _ in range(5):
            visitor.page.fill("#pin", "111111")
            visitor.page.keyboard.press("Enter")
            visitor.has("#refused", "This is not the PIN.")
            visitor.page.wait_for_function("() => document.querySelector('#pin').value === ''")
        visitor.page.fill("#pin", PIN)
        visitor.page.keyboard.press("Enter")
        visitor.has("#refused", "Too many attempts")
        assert not visitor.page.is_visible("#desk")
        visitor.complaints[:] = [
            each for each in visitor.complaints if not any(s in each for s in ("401", "403", "429"))
        ]


def test_signing_out_closes_the_page(browser, pages):
    with visiting(browser, pages, "/staff") as visitor:
        signed_in(visitor)
        visitor.page.click("#sign-out")
        visitor.page.wait_for_selector("#sign-in", state="visible")
        assert not visitor.page.is_visible("#desk")
        visitor.complaints[:] = [each for each in visitor.complaints if UNSIGNED not in each]


def test_the_region_is_drawn_with_mouse_keys_and_taps(browser, pages):
    with visiting(browser, pages, "/calibrate", viewport={"width": 1100, "height": 1100}) as visitor:
        signed_in(visitor)
        page, exhibit = visitor.page, pages.exhibit
        corner = page.locator(".corner")
        box = page.locator("#view").bounding_box()
        assert box is not None
        # At first it is the outline that was found.
        page.get_by_role("button", name="Save").click()
        wait_for(visitor, lambda: exhibit.region is not None)
        assert exhibit.region == exhibit.view.outline

        corner.nth(0).hover()
        page.mouse.down()
        page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.05 * box["height"], steps=5)
        page.mouse.up()
        corner.nth(1).focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Shift+ArrowUp")
        corner.nth(2).click()
        page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + 0.95 * box["height"])
        page.get_by_role("button", name="Save").click()
        wait_for(visitor, lambda: exhibit.region[2][1] > 0.9)
        expected = [0.1, 0.05, 0.802, 0.18, 0.9, 0.95, 0.2, 0.8]
        assert [value for each in exhibit.region for value in each] == pytest.approx(expected, abs=0.004)
        said = "Upper right corner: 80.2 % from the left, 18.0 % from the top"
        assert page.get_by_role("button", name=said).count() == 1

        # Corners that cross each other are refused, and what was stored stays.
        stored = exhibit.region
        corner.nth(0).click()
        page.mouse.click(box["x"] + 0.95 * box["width"], box["y"] + 0.97 * box["height"])
        page.get_by_role("button", name="Save").click()
        visitor.has("#notice", "These corners are no quadrilateral")
        assert exhibit.region == stored
        page.get_by_role("button", name="Forget the region").click()
        wait_for(visitor, lambda: exhibit.region is None)
        visitor.complaints[:] = [each for each in visitor.complaints if "400" not in each]

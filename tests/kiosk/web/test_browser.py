"""The visitors' page in a real browser: seen, heard, written to, lost and found again."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from kiosk.shared.settings import WebSettings
from kiosk.web.app import create_app
from kiosk.web.routes.languages import LANGUAGES
from kiosk.web.server import Server
from tests.fixtures.exhibit.browser import Visitor, pitch, visiting
from tests.fixtures.exhibit.pages import ABROAD, NAME, TOKEN, Pages, served
from tests.fixtures.exhibit.small_exhibit import CALM, DARK, LIVELY, felt, picture

pytestmark = pytest.mark.realtime


@pytest.fixture
def pages() -> Iterator[Pages]:
    """An exhibit on this computer alone."""
    yield from served(WebSettings(port=0))


def test_a_comment_moves_the_point_and_changes_what_is_heard(browser, pages):
    with visiting(browser, pages) as visitor:
        visitor.has("#word", "contentment")
        assert visitor.point() == pytest.approx((0.3, -0.5))
        visitor.listen()
        before, rate = visitor.played(0.5)
        assert pitch(before, rate) == pytest.approx(CALM, abs=4)

        visitor.page.fill("#words", "I want to dance")
        visitor.page.click("#comment button[type=submit]")
        visitor.page.wait_for_function("() => document.querySelector('#answer').innerText !== ''")
        assert visitor.text("#answer") in ("Heard. Thank you.", "The music is following your words.")
        visitor.has("#answer", "The music is following your words.")
        assert visitor.page.input_value("#words") == ""
        visitor.has("#word", "excitement")
        visitor.page.wait_for_function("() => document.querySelector('#point').transform.baseVal[0].matrix.e > 0.795")
        assert visitor.point() == pytest.approx((0.8, 0.7), abs=0.02)  # upwards the point has more than twice as far
        assert "excitement" in (visitor.page.get_attribute("#plane", "aria-label") or "")

        visitor.page.wait_for_timeout(1500)  # what was on its way has been played
        after, rate = visitor.played(0.5)
        assert pitch(after, rate) == pytest.approx(LIVELY, abs=4)
        visitor.page.click("#listen")
        visitor.has("#listen", "Listen on this device")


def test_the_sound_on_the_device_is_whole(browser, pages):
    with visiting(browser, pages) as visitor:
        visitor.listen()
        visitor.page.wait_for_timeout(500)  # the fade at its beginning
        samples, rate = visitor.played(2.0)
        assert np.abs(samples).max() == pytest.approx(0.4, abs=0.01)
        # A sine is its own neighbours: x[n-1] + x[n+1] = 2 cos(w) x[n]. A gap, a click or a repeat is not.
        turn = 2 * np.cos(2 * np.pi * CALM / rate)
        error = samples[:-2] + samples[2:] - turn * samples[1:-1]
        assert np.abs(error).max() < 2e-3


def test_the_ribbon_shows_the_tone_that_is_played(browser, pages):
    with visiting(browser, pages) as visitor:
        visitor.page.wait_for_function("() => document.querySelector('#ribbon').dataset.newest > 0")
        visitor.page.wait_for_timeout(2000)
        light = np.array(
            visitor.page.eval_on_selector(
                "#ribbon",
                """canvas => {
                  const { width, height } = canvas;
                  const pixels = canvas.getContext("2d").getImageData(width - 60, 0, 20, height).data;
                  return Array.from({ length: height }, (_, y) => pixels[4 * (20 * y + 10) + 3]);
                }""",
            )
        )
        line = round(len(light) / 1.28)
        brightest = 1 - (np.argmax(light[:line]) + 0.5) / line
        mel = {hertz: hertz * 3 / 200 for hertz in (CALM, 1000.0)}
        top = mel[1000.0] + 27 * np.log(8) / np.log(6.4)
        assert brightest == pytest.approx(mel[CALM] / top, abs=0.02)


def test_the_ribbon_stands_still_when_told(browser, pages):
    with visiting(browser, pages) as visitor:
        visitor.page.wait_for_function("() => document.querySelector('#ribbon').dataset.newest > 0")
        look = "document.querySelector('#ribbon').toDataURL()"
        moving = visitor.page.evaluate(look)
        visitor.page.wait_for_function(f"before => {look} !== before", arg=moving)
        visitor.page.get_by_role("button", name="Still the picture of the sound").click()
        still = visitor.page.evaluate(look)
        visitor.page.wait_for_timeout(400)
        assert visitor.page.evaluate(look) == still
        visitor.page.get_by_role("button", name="Let the picture of the sound move").click()
        visitor.page.wait_for_function(f"before => {look} !== before", arg=still)


def test_who_likes_no_motion_gets_none(browser, pages):
    with visiting(browser, pages, reduced_motion="reduce") as visitor:
        visitor.page.wait_for_function("() => document.querySelector('#ribbon').dataset.newest > 0")
        assert visitor.page.get_attribute("#ribbon-switch", "aria-pressed") == "true"
        visitor.has("#word", "contentment")
        pages.exhibit.felt = felt("fear", -0.5, 0.5)
        visitor.page.wait_for_function("() => document.querySelector('#point').transform.baseVal[0].matrix.e < 0")
        assert visitor.point() == pytest.approx((-0.5, 0.5))  # at once, and not on the way


LOOK = (0.7, 0.0, 0.3, 0.5)
WORDS = "document.querySelector('#gaze').textContent"


def test_the_place_at_which_the_music_looks_is_lit_and_told(browser, pages):
    with visiting(browser, pages) as visitor:
        page = visitor.page
        page.wait_for_selector("img.work.shown")
        page.wait_for_function(f"() => {WORDS} === 'The music is of the whole picture'")
        pages.exhibit.look = LOOK
        page.wait_for_selector(".shade.cast")
        page.wait_for_function(f"() => {WORDS} === 'The music looks at the upper right of the picture'")
        boxes = [page.locator(each).bounding_box() for each in ("img.work.shown", ".shade.cast")]
        assert boxes[0] is not None and boxes[1] == pytest.approx(boxes[0], abs=1)
        light = "[...document.querySelectorAll('.shade.cast')].map(each => each.style.getPropertyValue('--x'))"
        assert page.evaluate(light) == ["85.00%"]
        page.evaluate("document.documentElement.dir = 'rtl'")  # a picture does not turn with the script
        page.set_viewport_size({"width": 900, "height": 1100})
        page.wait_for_timeout(300)
        boxes = [page.locator(each).bounding_box() for each in ("img.work.shown", ".shade.cast")]
        assert boxes[0] is not None and boxes[1] == pytest.approx(boxes[0], abs=1)
        pages.exhibit.look = (0.0, 0.7, 0.2, 0.3)
        page.wait_for_function(f"() => {light}[0] === '10.00%'")
        page.select_option("#language", "de")
        page.wait_for_function(f"() => {WORDS} === 'Die Musik blickt nach links unten im Bild'")
        pages.exhibit.look = None
        page.wait_for_function("() => document.querySelector('.shade.cast') === null")


def test_who_likes_no_motion_is_told_where_the_music_looks_and_sees_no_light(browser, pages):
    pages.exhibit.look = LOOK
    with visiting(browser, pages, reduced_motion="reduce") as visitor:
        visitor.page.wait_for_function(f"() => {WORDS} === 'The music looks at the upper right of the picture'")
        visitor.page.wait_for_selector(".shade.cast", state="attached")
        assert not visitor.page.is_visible(".shade.cast")


def test_a_new_artwork_replaces_the_old_one(browser, pages):
    pages.exhibit.artworks = []
    with visiting(browser, pages) as visitor:
        visitor.page.wait_for_selector("#artwork-none", state="visible")
        for number, grey in enumerate((40, 200), start=1):
            pages.exhibit.artworks.append(picture(grey))
            visitor.page.wait_for_function(
                "end => document.querySelector('img.work.shown')?.src.endsWith(end)", arg=f"/api/artwork.jpg?{number}"
            )
        assert visitor.page.get_by_alt_text("The artwork as the camera sees it").count() == 1
        assert not visitor.page.is_visible("#artwork-none")


def test_the_server_is_lost_and_found(browser):
    settings = WebSettings(port=0)
    for pages in served(settings):
        visitor = Visitor(browser, pages)  # and not ``visiting``: the page does complain of a server that is lost
        visitor.listen()
        pages.server.stop()
        visitor.has("#connection", "The connection is lost.")
        visitor.has("#listening", "The sound is on its way…")
        visitor.page.fill("#words", "I want to dance")
        visitor.page.click("#comment button[type=submit]")
        visitor.has("#answer", "Your words did not arrive.")
        assert visitor.page.input_value("#words") == "I want to dance"  # nothing is lost

        again = WebSettings(port=pages.server.port)
        pages.server = Server(create_app(pages.exhibit, again), again)
        visitor.has("#connection", "Connected again.")
        visitor.has("#listening", "You hear what the room hears.")
        samples, rate = visitor.played(0.3)
        assert pitch(samples, rate) == pytest.approx(CALM, abs=8)
        visitor.page.click("#comment button[type=submit]")
        visitor.has("#answer", "The music is following your words.")
        visitor.page.wait_for_function("() => document.querySelector('#connection').innerText === ''")
        assert all("ERR_CONNECTION_REFUSED" in each or "WebSocket" in each for each in visitor.complaints)
        visitor.close()
        pages.server.stop()


def test_the_page_speaks_the_visitor_s_language(browser, pages):
    with visiting(browser, pages, locale="fr-CA") as visitor:
        assert visitor.page.title() == "Le tableau écoute"
        visitor.has("#word", "sérénité")
        assert visitor.text("#comment-language") == "La musique comprend surtout une langue : anglais."
        names = visitor.page.locator("#language option").all_inner_texts()
        assert len(names) == len(LANGUAGES)
        assert {"Deutsch", "English", "Español", "Français", "Italiano", "日本語", "中文"} <= set(names)
        visitor.page.select_option("#language", "ja")
        visitor.has("h1", "絵が耳をすます")
        assert visitor.page.get_attribute("html", "lang") == "ja"
        visitor.page.reload()
        visitor.has("h1", "絵が耳をすます")
        # An example is shown in the visitor's language and sent in the one that the music understands.
        visitor.page.get_by_role("button", name="この光のなかで踊りたいです").click()
        assert visitor.page.input_value("#words") == "I want to dance in all this light"


def test_it_says_why_to_who_asks(browser, pages):
    with visiting(browser, pages) as visitor:
        visitor.has("#word", "contentment")
        assert not visitor.page.is_visible("#why"), "there is nothing to say yet"
        pages.exhibit.felt = felt("fear", -0.9, 0.7, why=(DARK,))
        visitor.page.get_by_text("Why does it sound like this?").click()
        assert visitor.page.locator("#causes li").all_inner_texts() == ["Dark shades: lower notes."]
        visitor.page.select_option("#language", "de")
        visitor.has("#causes", "Dunkle Farbtöne: tiefere Töne.")
        pages.exhibit.felt = felt("fear", -0.9, 0.71, why=(DARK, dataclasses.replace(DARK, what=("low warmth",))))
        visitor.has("#causes", "Kühle Farben: tiefere Töne.")
        assert visitor.page.get_attribute("#causes", "aria-live") == "polite"


def test_everything_can_be_done_with_the_keyboard(browser, pages):
    with visiting(browser, pages) as visitor:
        pages.exhibit.felt = felt("fear", -0.9, 0.7, why=(DARK,))
        visitor.page.wait_for_selector("#why", state="visible")
        reached = []
        for _ in range(10):
            visitor.page.keyboard.press("Tab")
            reached.append(visitor.page.evaluate("document.activeElement.id || document.activeElement.innerText"))
            outline = visitor.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline == "solid"
        assert reached[:5] == ["language", "Why does it sound like this?", "ribbon-switch", "words", "Let it be heard"]
        assert "listen" in reached
        visitor.page.focus("#words")
        visitor.page.keyboard.type("I want to dance")
        visitor.page.keyboard.press("Shift+Enter")
        visitor.page.keyboard.type("now")
        visitor.page.keyboard.press("Enter")
        visitor.has("#answer", "The music is following your words.")


def test_what_a_visitor_left_behind_is_cleared_from_a_shared_screen(browser, pages):
    with visiting(browser, pages) as visitor:
        page = visitor.page
        page.clock.install()
        page.reload()
        visitor.has("#word", "contentment")
        page.select_option("#language", "de")
        page.fill("#words", "my secret")
        page.evaluate("document.querySelector('#why').open = true")
        page.clock.fast_forward(91_000)
        page.wait_for_selector("#idle", state="visible")
        page.click("#stay")
        page.wait_for_selector("#idle", state="hidden")
        assert page.input_value("#words") == "my secret"
        page.clock.fast_forward(91_000)
        page.wait_for_selector("#idle", state="visible")
        page.clock.fast_forward(21_000)
        page.wait_for_selector("#idle", state="hidden")
        assert page.input_value("#words") == ""
        assert not page.evaluate("document.querySelector('#why').open")
        visitor.has("h1", "The picture is listening")


def scanned(shot: np.ndarray) -> str:
    """What a QR code says; like somebody with a phone, it is looked at from nearer and farther until it is read."""
    picture = cv2.imdecode(shot, cv2.IMREAD_COLOR)
    assert picture is not None
    for scale in (1.0, 2.0, 0.75, 1.5, 3.0):
        seen = cv2.resize(
            picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        )
        text, *_ = cv2.QRCodeDetector().detectAndDecode(seen)
        if text:
            return text
    return ""


def test_a_phone_joins_by_the_code_on_the_screen(browser):
    for pages in served(ABROAD):
        with visiting(browser, pages, device_scale_factor=2) as screen:
            screen.page.wait_for_function("() => document.querySelector('#code-picture').naturalWidth > 0")
            shot = np.frombuffer(screen.page.locator("#code-picture").screenshot(), np.uint8)
            address = scanned(shot)
        assert address == f"http://{NAME}:{pages.server.port}/#pair=sixteen%20letters%20%26%20more"
        path = address.removeprefix(f"http://{NAME}:{pages.server.port}")

        phone_pages = Pages(pages.server, pages.exhibit, NAME)
        small = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
        with visiting(browser, phone_pages, path, **small) as phone:
            phone.has("#word", "contentment")
            assert phone.page.url == f"http://{NAME}:{pages.server.port}/"  # the token is out of sight
            assert not phone.page.is_visible("#code")
            assert phone.page.evaluate("window.isSecureContext") is False  # plain http: no AudioWorklet
            phone.page.tap("#listen")
            phone.has("#listening", "You hear what the room hears.")
            samples, rate = phone.played(0.5)
            assert pitch(samples[-rate // 3 :], rate) == pytest.approx(CALM, abs=8)
            assert TOKEN not in phone.page.evaluate(
                "document.cookie + JSON.stringify({...localStorage, ...sessionStorage})"
            )
        phone_pages.client.close()


def test_a_phone_with_an_old_code_is_sent_back_to_the_artwork(browser):
    for pages in served(ABROAD, NAME):
        for path, said in (
            ("/", "Scan the code beside the artwork"),
            ("/#pair=of-yesterday-and-long", "no longer valid"),
        ):
            visitor = Visitor(browser, pages, path)
            visitor.has("#outside", said)
            assert not visitor.page.is_visible("#room")
            assert all(re.search("40[13]", each) for each in visitor.complaints)
            visitor.close()

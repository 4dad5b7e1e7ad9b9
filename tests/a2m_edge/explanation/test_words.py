"""Causes in words: every language has all of them, and says the same."""

from __future__ import annotations

import json
import re
from typing import get_args

import pytest

from a2m_edge.composer.depiction import DEPICTIONS
from a2m_edge.composer.patterns import BASSES, FIGURES
from a2m_edge.explanation.causes import Cause, Effect, Kind
from a2m_edge.explanation.words import LANGUAGES, sentence, sentences
from a2m_edge.impression.cues import Cues
from a2m_edge.impression.feeling import EMOTIONS, INSTRUMENTS
from a2m_edge.rendering.canvas import Canvas
from a2m_edge.rendering.panel import WHY_LEAST, WHY_WIDTH
from tests.fixtures.places import ROOT

FOLDER = ROOT / "a2m_edge" / "explanation" / "sentences"
MEANS = [
    *("mode", "family", "tempo", "loudness", "register", "density", "legato", "colour", "relief", "wide", "room"),
    *("melody", "thinned"),
]
FELT = [*EMOTIONS[:-1], *(f"{side} {of}" for side in ("low", "high") for of in ("valence", "arousal"))]
TRAITS = [f"{side} {cue}" for cue in Cues.names() for side in ("low", "high")]
SLOW = Effect("tempo", "less", 4.0)


def words(language: str) -> dict:
    found: dict = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return found


def leaves(tree: dict, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], str]:
    found: dict[tuple[str, ...], str] = {}
    for name, value in tree.items():
        found |= leaves(value, (*path, name)) if isinstance(value, dict) else {(*path, name): value}
    return found


def everything() -> list[Cause]:
    """Every phrase that there is, in some cause."""
    told = [Cause("painted", (trait,), (SLOW,), 4.0) for trait in TRAITS]
    told += [
        Cause("painted", ("low brightness",), (Effect(means, direction, 4.0),), 4.0)
        for means in MEANS
        for direction in ("more", "less")
    ]
    told += [
        Cause("painted", ("low warmth",), (Effect(means, "more", 2.0, (name,)),), 2.0)
        for means, names in (("players", INSTRUMENTS), ("figure", FIGURES), ("bass", BASSES))
        for name in names
    ]
    told += [Cause("shown", (subject,), (SLOW,), 4.0) for subject in DEPICTIONS]
    for kind in get_args(Kind):
        if kind in ("painted", "shown"):
            continue
        if kind.startswith("felt"):
            told += [Cause(kind, (word,), (SLOW,), 4.0) for word in FELT]
        else:
            told.append(Cause(kind, (), () if kind == "accord" else (SLOW,), 4.0))
    return list(dict.fromkeys(told))


def test_every_language_has_every_phrase_with_the_same_places():
    english = leaves(words("en"))
    for language in LANGUAGES:
        own = leaves(words(language))
        assert list(own) == list(english), language
        for path, phrase in own.items():
            assert phrase.strip(), (language, path)
            places = sorted(re.findall(r"{\w+}", phrase))
            assert places == sorted(re.findall(r"{\w+}", english[path])), (language, path)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_cause_is_a_sentence_of_its_own(language):
    causes = everything()
    told = sentences(causes, language)
    assert len(set(told)) == len(told), "no two causes read alike"
    for each in told:
        assert "{" not in each and each == each.strip() and each[0] == each[0].upper()
        assert not (language == "tr" and each[0] == "I"), "its capital i has a dot"
        assert each.endswith("。" if language in ("ja", "zh", "zh-Hant") else ".")
    if language != "en":
        assert not set(told) & set(sentences(causes, "en"))


def test_phrases_are_joined_as_each_language_joins_them():
    cause = Cause(
        "painted",
        ("low brightness", "low warmth"),
        (Effect("players", "more", 6.0, ("pad", "harp", "choir")), Effect("register", "less", 2.0)),
        8.0,
    )
    assert {language: sentence(cause, language) for language in LANGUAGES} == {
        "ar": "درجات لونية داكنة وألوان باردة: نغمات أغلظ، مع سنثسايزر وآلة الهارب وجوقة.",
        "de": "Dunkle Farbtöne und kühle Farben: tiefere Töne, dazu Synthesizer, Harfe und Chor.",
        "en": "Dark shades and cool colours: lower notes, with synthesizer, harp and choir.",
        "es": "Colores oscuros y colores fríos: notas más graves, con sintetizador, arpa y coro.",
        "fr": "Teintes sombres et couleurs froides\u00a0: notes plus graves, avec synthétiseur, harpe et chœur.",
        "it": "Tinte scure e colori freddi: note più gravi, con sintetizzatore, arpa e coro.",
        "ja": "暗い色調と寒色：より低い音、シンセサイザー、ハープと合唱の音色。",
        "ko": "어두운 색조 그리고 차가운 색: 더 낮은 음, 함께 울리는 신시사이저, 하프 그리고 합창.",
        "nl": "Donkere tinten en koele kleuren: lagere tonen, met synthesizer, harp en koor.",
        "pl": "Ciemne odcienie i chłodne barwy: niższe dźwięki, w brzmieniu także syntezator, harfa i chór.",
        "pt": "Tons escuros e cores frias: notas mais graves, com sintetizador, harpa e coro.",
        "ru": "Тёмные тона и холодные цвета: более низкие звуки, в звучании также синтезатор, арфа и хор.",
        "tr": "Koyu tonlar ve soğuk renkler: daha pes sesler, tınıda sentezleyici, arp ve koro.",
        "zh": "深暗的色调与冷色：音更低，加入合成器、竖琴与合唱。",
        "zh-Hant": "深暗的色調與冷色：音更低，加入合成器、豎琴與合唱。",
    }


def test_what_is_shown_is_told_by_what_it_sounds_like():
    told = (Effect("figure", "more", 4.0, ("waves",)), Effect("bass", "more", 2.0, ("swell",)))
    cause = Cause("shown", ("sea",), (*told, Effect("players", "more", 2.0, ("harp",))), 8.0)
    assert {language: sentence(cause, language) for language in LANGUAGES} == {
        "ar": "بحر في اللوحة: مصاحبة مثل الأمواج، خط جهير مثل تموّج البحر، مع آلة الهارب.",
        "de": "Meer im Bild: eine Begleitung wie Wellen, ein Bass wie die Dünung des Meeres, dazu Harfe.",
        "en": "Sea in the picture: an accompaniment like waves, a bass like a swell of the sea, with harp.",
        "es": "Mar en la imagen: un acompañamiento como olas, un bajo como un oleaje, con arpa.",
        "fr": "Mer dans l’image\u00a0: un accompagnement comme des vagues, une basse comme une houle, avec harpe.",
        "it": "Mare nell’immagine: un accompagnamento come onde, un basso come un moto di onde, con arpa.",
        "ja": "描かれた海：波のような伴奏、海のうねりのような低音、ハープの音色。",
        "ko": "그림 속 바다: 파도 같은 반주, 바다의 너울 같은 저음, 함께 울리는 하프.",
        "nl": "Zee op het schilderij: een begeleiding als golven, een bas als de deining van de zee, met harp.",
        "pl": "Morze na obrazie: akompaniament jak fale, bas jak falowanie morza, w brzmieniu także harfa.",
        "pt": "Mar no quadro: um acompanhamento como ondas, um baixo como a ondulação do mar, com harpa.",
        "ru": "Море на картине: аккомпанемент как волны, бас как морская зыбь, в звучании также арфа.",
        "tr": "Resimde deniz: dalgalar gibi bir eşlik, denizin kabarışı gibi bir bas, tınıda arp.",
        "zh": "画中的大海：波浪般的伴奏，涌浪般的低音，加入竖琴。",
        "zh-Hant": "畫中的大海：波浪般的伴奏，湧浪般的低音，加入豎琴。",
    }


def test_an_instrument_that_has_no_words_keeps_its_name():
    cause = Cause("words", (), (Effect("players", "more", 2.0, ("theremin",)),), 2.0)
    assert sentence(cause, "de").endswith("dazu theremin.")


def test_what_a_curator_named_keeps_its_name():
    assert sentence(Cause("shown", ("The Guildhall",), (SLOW,), 4.0), "fr").startswith("The Guildhall dans l’image")


def test_a_language_without_words_is_refused():
    with pytest.raises(KeyError):
        sentence(Cause("accord", (), (), 0.0), "xx")


def test_the_longest_sentence_fits_the_panel():
    canvas, english = Canvas(10, 10, (0, 0, 0)), words("en")

    def longest(kind: str, count: int = 1) -> tuple[str, ...]:
        return tuple(sorted(english[kind], key=lambda name: len(english[kind][name]))[-count:])

    players = Effect("players", "more", 8.0, longest("players", 4))
    told = (
        Effect("figure", "more", 4.0, longest("figure")),
        Effect("bass", "more", 4.0, longest("bass")),
        players,
    )
    causes = (
        Cause("painted", longest("painted", 2), told, 9.0),
        Cause("felt in both", longest("felt"), told, 9.0),
        Cause("shown", ("flowers",), told, 9.0),
    )
    for cause in causes:
        assert canvas.text_width(sentence(cause), WHY_LEAST) <= WHY_WIDTH, sentence(cause)

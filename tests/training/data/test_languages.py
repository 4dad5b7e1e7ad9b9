"""Texts in many languages: what is read, what is refused, and what comments are made of comments."""

from __future__ import annotations

import lzma
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from a2m_edge.errors import DataError
from tests.fixtures.training.encoders import write_data
from tests.fixtures.training.languages import write_languages
from training.data.languages.composed import ComposedComments
from training.data.languages.language_data import LanguageData
from training.data.languages.tables import (
    CONNECTIVE,
    LABELS,
    NEUTRAL,
    SCHEMES,
    Comment,
    read_comments,
    read_emotion_texts,
    read_translations,
)
from training.evaluation.languages.measures import COMMENTS as HELD
from training.evaluation.languages.measures import CONTRASTS, EVERYDAY

OTHERS = {"ca", "cs", "da", "el", "fi", "he", "hi", "hu", "nb", "ro", "sv"}
SPECIAL = {"insult", "irony", "mixed", "slang"}
LANGUAGES = {"en", "de", "fr", "es", "it", "pt", "nl", "pl", "ru", "tr", "ar", "zh", "zh-Hant", "ja", "ko", "uk"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_data(tmp_path)
    write_languages(tmp_path)
    return tmp_path


def test_what_is_read_is_what_was_written(data: Path) -> None:
    pairs = read_translations(data)
    assert {pair.language for pair in pairs} == {"de", "zh"}
    assert {pair.split for pair in pairs} <= {"train", "val", "test"}
    # All translations of a sentence are in one split.
    splits = {(pair.english, pair.split) for pair in pairs}
    assert len(splits) == len({pair.english for pair in pairs})
    texts = read_emotion_texts(data)
    assert {text.scheme for text in texts} == {"xed", "brighter"}
    for text in texts:
        assert {LABELS[label] for label in text.labels} <= set(SCHEMES[text.scheme])
    assert {text.split for text in texts if text.scheme == "brighter"} == {"train", "val", "test"}


def test_quotation_marks_are_words_like_others(data: Path) -> None:
    with lzma.open(data / "languages" / "parallel.tsv.xz", "at", encoding="utf-8") as table:
        table.write('de\tHe said "no\tEr sagte "nein\tx\n')
    assert read_translations(data)[-1].text == 'Er sagte "nein'


@pytest.mark.parametrize("name", ["parallel", "emotions"])
def test_a_table_that_is_missing_or_damaged_is_named(data: Path, name: str) -> None:
    table = data / "languages" / f"{name}.tsv.xz"
    whole = table.read_bytes()
    for content in (whole[:-20], b"no table", lzma.compress(b"one\ttwo\n1\t2\n"), lzma.compress(b"\xff\xfe\t\n"), None):
        table.unlink()
        if content is not None:
            table.write_bytes(content)
        with pytest.raises(DataError, match=rf"{name}\.tsv\.xz cannot be read .*: fetch it again"):
            LanguageData.read(data)
        table.write_bytes(whole)


def test_a_label_that_no_source_has_is_named(data: Path) -> None:
    with lzma.open(data / "languages" / "emotions.tsv.xz", "at", encoding="utf-8") as table:
        table.write("de\tso lala\tboredom\txed\n")
    with pytest.raises(DataError, match=r"unknown source or label 'xed'.*boredom"):
        read_emotion_texts(data)


def test_comments_of_every_language_say_what_visitors_say() -> None:
    comments = read_comments()
    assert {one.language for one in comments} == LANGUAGES | OTHERS
    kinds = {one.kind for one in comments}
    for language in LANGUAGES | OTHERS:
        own = [one for one in comments if one.language == language]
        assert {one.kind for one in own} >= (kinds if language in LANGUAGES else kinds - SPECIAL), language
        texts = Counter(one.text for one in own)
        assert [text for text, often in texts.items() if often > 1] == [], language
        for one in own:
            assert -1 <= one.valence <= 1, one
            assert -1 <= one.arousal <= 1, one
            if one.kind == CONNECTIVE:
                assert "{a}" in one.text and "{b}" in one.text, one
            else:
                assert "{" not in one.text, one
            if one.kind == NEUTRAL:
                assert one.valence == 0, one
        # Neither side is learned as the usual one.
        signs = [np.sign(one.valence) for one in own if abs(one.valence) > 0.15]
        assert 0.38 < np.mean([sign > 0 for sign in signs]) < 0.62, language


def test_the_comments_of_the_examination_are_not_learned() -> None:
    def written(comments: list[Comment]) -> set[tuple[str, str]]:
        return {(one.language, one.text.casefold().strip().rstrip(".!")) for one in comments}

    held = read_comments(HELD)
    assert {one.language for one in held} == LANGUAGES - {"uk"}
    assert written(held) & written(read_comments()) == set()
    for language in LANGUAGES - {"uk"}:
        own = [one for one in held if one.language == language]
        assert sum(one.kind in EVERYDAY for one in own) >= 60
        assert {one.kind for one in own} == {*EVERYDAY, *CONTRASTS, NEUTRAL}


def comment(kind: str, text: str, valence: float) -> Comment:
    return Comment("en", kind, text, valence, 0.5 * valence, 2 if valence > 0 else 7)


WRITTEN = [
    comment("plain", "I love it.", 0.8),
    comment("plain", "It makes me so very sad.", -0.7),
    comment("neutral", "a red boat", 0.0),
    comment("connective", "{a}, but {b}", 0.0),
    comment("emoji", "😊", 0.7),
    comment("emoji", "😢", -0.7),
]


def test_the_second_clause_wins_and_what_is_only_described_takes_nothing() -> None:
    composed, random = ComposedComments(WRITTEN), np.random.default_rng(0)
    drawn = [composed.draw(random) for _ in range(3000)]
    against = [one for one in drawn if ", but " in one.text]
    assert len(against) > 50
    for one in against:
        assert (one.valence > 0) == one.text.split(", but ")[1].startswith("I love"), one
        assert 0.2 < abs(one.valence) < 0.8
    beside = [one for one in drawn if "red boat" in one.text and len(one.text) > len("a red boat!!!")]
    assert beside
    assert {one.valence for one in beside} <= {0.8, -0.7}


def test_a_word_that_turns_the_feeling_is_never_left_out() -> None:
    composed = ComposedComments([comment("negation", "this does not make me sad", 0.4), *WRITTEN[3:4]])
    random = np.random.default_rng(2)
    assert {len(composed.draw(random).text.split()) for _ in range(500)} == {6}


def test_louder_and_careless_ways_of_writing_feel_the_same() -> None:
    composed, random = ComposedComments(WRITTEN), np.random.default_rng(1)
    drawn = [composed.draw(random) for _ in range(3000)]
    for one in drawn:
        assert one.text.strip() == one.text != "", one
        if "😊" in one.text:
            assert one.valence > 0, one
        if "😢" in one.text:
            assert one.valence < 0, one
    assert len({one.text for one in drawn}) > 40
    assert composed.draw(np.random.default_rng(5)) == composed.draw(np.random.default_rng(5))

"""What is understood of a comment, and what is said not to be: an unknown sign is never a feeling."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from a2m_edge.bundle import DEFAULT_BUNDLE
from a2m_edge.errors import CommentError
from a2m_edge.perception.comments import clean_comment
from a2m_edge.perception.understanding import Reader
from tests.fixtures.places import TINY_BUNDLE


def reader_of(bundle: Path, language: str = "en", context: int = 64) -> Reader:
    tokenizer = Tokenizer.from_file(str(bundle / "tokenizer.json"))
    tokenizer.enable_truncation(context)
    return Reader(tokenizer, language)


@pytest.fixture(scope="module")
def reader() -> Reader:
    """That of the built-in bundle."""
    return reader_of(DEFAULT_BUNDLE)


UNDERSTOOD = [
    "I feel calm.",
    "sad",
    "Joy",
    "Wow",
    "meh",
    "Ugh!",
    "omg creepy",
    "heartwarming",
    "Bittersweet, hauntingly ethereal.",
    "The colours remind me of my grandmother's kitchen",
    "I HATE THIS",
    "so gooood",
    "An avant-garde cliché",
    "El Greco's saints look like candles to me",
    "What would Hokusai say to the Tokyo skyline?",
    "its giving me schadenfreude but like in a good way",
    "I dunno. Seems pretty meh",
    "Hahaha",
    ":-(",
    ":)",
    "<3",
    "a b c",
]


@pytest.mark.parametrize("comment", UNDERSTOOD)
def test_english_is_heard_as_it_stands(reader, comment):
    assert reader.read(clean_comment(comment)).heard == comment


@pytest.mark.parametrize(
    "comment",
    [
        "😢",
        "😱😱",
        "❤️❤️",
        "👍🏾",
        "🇫🇷",
        "👩‍👩‍👧‍👦 👨‍👩‍👦",
        "???",
        "...",
        "123",
        "10/10",
        "我很难过。",
        "太美了，我很开心！",
        "とても楽しい！",
        "すごい",
        "아름다워요",
        "أنا حزين جدا",
        "عصبانی هستم",
        "אני עצוב",
        "Мне грустно и одиноко",
        "Φοβάμαι",
        "मुझे बहुत दुख है",
        "நான் மகிழ்ச்சியாக இருக்கிறேன்",
        "ฉันมีความสุข",
        "Ich habe Angst.",
        "Wie schön, ich bin glücklich!",
        "Das macht mich sehr traurig",
        "Je suis triste et seul.",
        "J'ai peur de ce qui vient dans la nuit",
        "¡Qué alegría, quiero bailar!",
        "Me siento muy triste y sola",
        "Che meraviglia, sono felice come un bambino",
        "Jestem bardzo smutny.",
        "Cudowne, jestem szczęśliwa!",
        "Estou com muita saudade da minha avó",
        "Çok mutluyum, içim ısındı",
        "Ik ben bang voor het donker",
        "Jag är så ledsen",
        "asdfghjkl",
        "qwrtzpsdfg xcvbnm kjhgf",
    ],
)
def test_what_is_no_english_is_not_understood(reader, comment):
    read = reader.read(clean_comment(comment))
    assert read.heard == ""
    assert not read.cut


@pytest.mark.parametrize(
    ("comment", "heard"),
    [
        ("I love this 😭", "I love this"),
        ("😭 I love this 😭😭", "I love this"),
        ("sad ❤️❤️ and 🌊 wide", "sad and wide"),
        ("I am sad 👩‍🎨", "I am sad"),
        ("It reminds me of 東京 in the rain", "It reminds me of in the rain"),
        ("my слеза falls slowly down", "my falls slowly down"),
        ("sad😢and我lonely", "sad and lonely"),
        ("☹", ""),
    ],
)
def test_signs_that_are_strange_are_left_out_and_the_rest_is_heard(reader, comment, heard):
    assert reader.read(clean_comment(comment)).heard == heard


def test_what_is_mostly_strange_is_not_understood(reader):
    assert reader.read("ok 我很难过").heard == ""
    assert reader.read("мой друг sad").heard == ""
    assert reader.read("so sad мой").heard == "so sad"


def test_what_is_too_long_is_heard_in_part(reader):
    read = reader.read("the sea is grey and wide " * 40 + "😢")
    assert read.cut
    assert read.heard.startswith("the sea is grey")
    assert len(read.heard) < 300


def test_an_encoder_of_other_languages_hears_them(reader):
    for language in ("de", "multi"):
        other = reader_of(DEFAULT_BUNDLE, language)
        assert other.read("Ich habe Angst.").heard == "Ich habe Angst."
        assert other.read("أنا حزين جدا").heard == "أنا حزين جدا"
        assert other.read("😢").heard == ""  # its tokenizer has no such sign


def test_a_tokenizer_without_unknown_signs_and_frequencies_judges_scripts_alone():
    reader = reader_of(TINY_BUNDLE, context=32)
    assert reader.read("🌊").heard == "🌊"
    assert reader.read("???").heard == ""
    assert reader.read("Ich habe Angst.").heard == "Ich habe Angst."
    assert reader.read("我很难过。").heard == ""
    assert reader.read("sad 我").heard == "sad"


MIXED = st.lists(st.sampled_from([*"abc.!?'😢❤🌊我мé", "sea", " ", " sad ", "️", "‍", "́", "Angst"]), max_size=40)


@given(st.one_of(st.text(max_size=120), MIXED.map("".join)))
def test_every_text_is_read_and_what_is_heard_is_heard_as_it_stands(reader, text):
    try:
        comment = clean_comment(text)
    except CommentError:
        return
    heard = reader.read(comment).heard
    assert set(heard) <= set(comment) | {" "}
    assert not any("\u0400" <= sign <= "\u9fff" and sign.isalpha() for sign in heard)
    assert heard == "" or reader.read(heard).heard == heard


@pytest.fixture(scope="module")
def reader_of_many() -> Reader:
    """Of a tokenizer of pieces for many languages, which knows some signs of each and some emoji."""
    pieces = [
        *["<s>", "<pad>", "</s>", "<unk>", "▁"],
        *"abcdefghijklmnopqrstuvwxyz",
        *"我很难过とても楽しいحزين",
        "😢",
        "❤",
    ]
    tokenizer = Tokenizer(models.Unigram([(piece, -2.0) for piece in dict.fromkeys(pieces)], unk_id=3))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.enable_truncation(64)
    return Reader(tokenizer, "mul")


@pytest.mark.parametrize("comment", ["I am sad", "我很难过", "とても楽しい", "حزين", "😢", "❤❤", "sad😢", "🦑 sad 😢"])
def test_an_encoder_of_many_languages_hears_words_and_emoji(reader_of_many, comment):
    assert reader_of_many.read(clean_comment(comment)).heard.replace(" ", "") == comment.replace("🦑", "").replace(
        " ", ""
    )


def test_one_unknown_sign_of_a_sentence_without_spaces_is_left_out(reader_of_many):
    assert reader_of_many.read("我很难龘过").heard == "我很难 过"
    assert reader_of_many.read("ฉันเศร้ามาก").heard == ""
    assert reader_of_many.read("???").heard == ""

"""Which pieces of a large vocabulary some languages need: those of their common words, and of texts at hand."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tokenizers import Tokenizer

from a2m_edge.errors import MissingExtraError
from training.models.texts.multilingual import EMOJI, SPECIAL, unigram_tokenizer
from training.models.texts.packed_e5 import PackedE5

WRITTEN = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "ru", "tr", "ar", "zh", "ja", "ko")
"""Languages of the exhibit, Chinese in both scripts."""

UNDERSTOOD = ("da", "sv", "nb", "fi", "cs", "uk", "el", "he", "hu", "ro", "hi", "ca")
"""Languages whose visitors may write, too."""

PIECES = 54_500
"""Of 250,000: an encoder of 34 MB has room for as many, and all emoji. With 56,000 texts of ``WRITTEN`` become 2 to 9 %
longer, and 14 signs in 20,000 sentences are unknown."""

_WORDS = {True: 120_000, False: 40_000}
_TEXTS = 20_000  # of a language; more of them tell the same, and take minutes
_LESS = 0.3  # what a language of UNDERSTOOD counts
_TRADITIONAL = 0.5
_WITHOUT_SPACES = ("zh", "ja", "ko")
_SELDOM, _SELDOM_OF_MANY = 3e-7, 2e-6


def needed_pieces(packed: PackedE5, texts: Mapping[str, Sequence[str]], size: int = PIECES) -> list[int]:
    """Ids of the pieces that common words and texts are made of, and of all signs that they are written with.

    How common words are is known by ``wordfreq`` (Speer 2022, doi 10.5281/zenodo.7199437); where there are texts of a
    language, they count as much.

    Args:
        packed: the whole model.
        texts: of some of the languages.
        size: how many pieces, special ones among them.

    Raises:
        MissingExtraError: wordfreq is not installed.
    """
    whole = unigram_tokenizer(packed.pieces, packed.scores)
    common: defaultdict[int, float] = defaultdict(float)
    for language in (*WRITTEN, *UNDERSTOOD):
        written = language in WRITTEN
        counted = _shares(_word_counts(whole, language, _WORDS[written]))
        if texts.get(language):
            some = texts[language][:: max(1, len(texts[language]) // _TEXTS)]
            read = _shares(_text_counts(whole, some))
            counted = {piece: (counted.get(piece, 0.0) + read.get(piece, 0.0)) / 2 for piece in {*counted, *read}}
        for piece, share in counted.items():
            common[piece] = max(common[piece], share if written else _LESS * share)
        if language == "zh":
            for piece, share in _traditional(packed.pieces, counted).items():
                common[piece] = max(common[piece], _TRADITIONAL * share)
    signs = {
        number for number, piece in enumerate(packed.pieces) if len(piece) == 1 and _is_needed(piece, common[number])
    }
    signs -= set(range(len(SPECIAL)))
    longer = [
        piece
        for piece in sorted(common, key=lambda piece: -common[piece])
        if piece not in signs and piece >= len(SPECIAL)
    ]
    return sorted(signs | set(longer[: max(0, size - len(SPECIAL) - len(signs))]))


def _word_counts(whole: Tokenizer, language: str, most: int) -> dict[int, float]:
    try:
        from wordfreq import get_frequency_dict
    except ModuleNotFoundError as error:
        raise MissingExtraError("wordfreq", "languages") from error
    frequencies = get_frequency_dict(language, wordlist="best")
    words = sorted(frequencies, key=lambda word: (-frequencies[word], word))[:most]
    counts: defaultdict[int, float] = defaultdict(float)
    for word, encoding in zip(words, whole.encode_batch(words, add_special_tokens=False), strict=True):
        for piece in encoding.ids:
            counts[piece] += frequencies[word]
    if language in _WITHOUT_SPACES:  # most words follow another one there
        following = [f"a{word}" for word in words]
        for word, encoding in zip(words, whole.encode_batch(following, add_special_tokens=False), strict=True):
            for piece in encoding.ids[1:]:
                counts[piece] += frequencies[word]
    return counts


def _text_counts(whole: Tokenizer, texts: Sequence[str]) -> Counter[int]:
    counts: Counter[int] = Counter()
    for encoding in whole.encode_batch(list(texts)):
        counts.update(encoding.ids)
    return counts


def _shares(counts: Mapping[int, float]) -> dict[int, float]:
    total = sum(counts.values()) or 1.0
    return {piece: count / total for piece, count in counts.items()}


def _traditional(pieces: Sequence[str], simplified: Mapping[int, float]) -> dict[int, float]:
    """Pieces in traditional signs, as common as their twins in simplified ones, which alone are counted."""
    from wordfreq.chinese import simplify_chinese

    known = {pieces[number]: share for number, share in simplified.items()}
    twins: Iterable[tuple[int, str, str]] = (
        (number, piece, simplify_chinese(piece)) for number, piece in enumerate(pieces) if not piece.isascii()
    )
    return {number: known[twin] for number, piece, twin in twins if twin != piece and twin in known}


def _is_needed(sign: str, share: float) -> bool:
    """Whether a single sign is kept, however seldom it is."""
    if sign.lower() != sign:
        return False
    if sign.isascii() or unicodedata.category(sign)[0] == "P":
        return True
    if any(first <= ord(sign) <= last for first, last in EMOJI):
        return True
    many = "\u4e00" <= sign <= "\u9fff" or "\uac00" <= sign <= "\ud7a3"
    return share > (_SELDOM_OF_MANY if many else _SELDOM)

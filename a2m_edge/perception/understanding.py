"""What a text encoder understands of a comment: one of a single language makes some feeling of every text, true or not.

Here alone is said what counts as understood. Of a comment in an encoder's own language everything is heard but signs
that its tokenizer does not know, such as emoji. A comment is not understood where most of its words are such signs or
in a foreign script, where it has no word and no emoticon, and where its words are those of another language.

The last is told by the vocabulary of a WordPiece tokenizer that was made of English and is ordered by how often each
word was seen. Seldom words are surprising, and more so those that it can only spell in small pieces. A word's surprise
is the logarithm of how much oftener words of its kind are seen in other languages than in English, and the sum of a
comment's words decides, as in a sequential test (Wald 1945, Annals of Mathematical Statistics 16:117). The numbers were
fitted to 70,000 texts in English and 69,000 in ten other languages; ``tools/measure_understanding.py`` measures them.
"""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from tokenizers import Tokenizer

LIMIT, LIMIT_ALONE = 5.0, 3.8
"""Surprise beyond which a comment is in another language, and of a comment of one word."""

_RARITY, _USUAL, _LEAST = 0.7, 8.0, -2.5
"""Of a whole word: its surprise grows with the logarithm of its rank, is 0 at rank exp(8), and not below the last."""

_PIECED, _PIECE = 6.0, 1.15
"""Of a word in pieces: its surprise, and what each letter takes off that its pieces have on average."""

_ACCENT = 2.0
"""Surprise of a word with a letter that English has not, beside the word's own."""

_INTERJECTION = re.compile(
    r"a+h+|a+w+|(ha){2,}h?|(he){2,}|o+h+|oo+|u+g+h+|u+h+|e+w+|y+a+y+|ya+s+|l+o+l+|lmao|omg|wtf|xd|meh|h+m+|m+|bl[ae]h"
    r"|wo+w+|who+a+|yu+m+|yuck|yikes|ick|phew|nah|g+r+|br+",
    re.IGNORECASE,
)
"""What people of every language write, and vocabularies lack."""

_SYMBOLS = "\u2190-\u2bff\U0001f000-\U0001faff"
_BORDER = re.compile(rf"(?<=\w)(?=[{_SYMBOLS}])|(?<=[{_SYMBOLS}\ufe0f])(?=\w)")
"""Between a word and a symbol or emoji that touches it: tokenizers would take both for one unknown word."""

_EMOTICON = re.compile(r"[:;=8][-~'^o]?[()\[\]/\\|*DP]|<3|\^_*\^|[T;]_+[T;]")


_WITHOUT_SPACES = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
"""Signs of Chinese and Japanese, whose words are written without spaces between them: of a sentence that a tokenizer
takes for one word, a single sign may be unknown."""


@dataclass(frozen=True)
class Understood:
    """What is made of a comment.

    Attributes:
        heard: what the encoder takes in: the comment without what is strange to it, and without an end that is too long
            for it. Empty where the comment is not understood.
        cut: whether its end was too long.
    """

    heard: str
    cut: bool = False


@dataclass(frozen=True)
class _Word:
    begin: int
    end: int
    tokens: tuple[str, ...]
    ids: tuple[int, ...]


class Reader:
    """Tells what the text encoder of a bundle understands.

    Args:
        tokenizer: its tokenizer, which cuts what is too long.
        language: of the comments that it was trained on (BCP 47), or ``mul`` for many. Only of an encoder for English
            it is known which scripts and languages are strange to it; of others, which signs their tokenizers lack.
    """

    def __init__(self, tokenizer: Tokenizer, language: str) -> None:
        self._tokenizer = tokenizer
        self._english = language == "en"
        in_pieces = type(tokenizer.model).__name__ == "WordPiece"
        self._unknown = tokenizer.token_to_id(getattr(tokenizer.model, "unk_token", None) or "<unk>")
        self._first = tokenizer.token_to_id("the") if in_pieces and self._english else None

    def read(self, comment: str) -> Understood:
        """What is understood of a cleaned comment."""
        comment = _BORDER.sub(" ", comment)
        strange, known = [], []
        for word in self._words(comment):
            text = comment[word.begin : word.end]
            if self._unknown in word.ids or (self._english and any(map(_is_foreign, text))):
                strange.append(word)
            elif any(map(str.isalpha, text)) or (self._first is None and any(map(_is_symbol, text))):
                known.append(word)
        unread = sum(any(map(str.isalpha, comment[word.begin : word.end])) for word in strange)
        if unread > len(known) or not (known or _EMOTICON.search(comment)):
            return Understood("")
        if self._is_surprising(comment, known):
            return Understood("")
        heard = _without(comment, strange)
        encoding = self._tokenizer.encode(heard)
        if not encoding.overflowing:
            return Understood(heard)
        return Understood(heard[: max(end for _, end in encoding.offsets)], cut=True)

    def _words(self, comment: str) -> Iterator[_Word]:
        """The words that the tokenizer finds, as far as it reads; where none are written apart, its pieces."""
        encoding = self._tokenizer.encode(comment)

        def word_of(index: int) -> tuple[int | None, int]:
            begin, end = encoding.offsets[index]
            # Pieces of bytes are no signs.
            apart = self._unknown is not None and _WITHOUT_SPACES.search(comment[begin:end])
            return encoding.word_ids[index], index if apart else -1

        for (word, _), group in itertools.groupby(range(len(encoding.ids)), word_of):
            if word is not None:  # special tokens belong to none
                at = list(group)
                yield _Word(
                    min(encoding.offsets[index][0] for index in at),
                    max(encoding.offsets[index][1] for index in at),
                    tuple(encoding.tokens[index] for index in at),
                    tuple(encoding.ids[index] for index in at),
                )

    def _is_surprising(self, comment: str, words: list[_Word]) -> bool:
        """Whether words in Latin script are those of another language than English."""
        if self._first is None:
            return False
        texts = ((word, comment[word.begin : word.end]) for word in words)
        surprises = [
            self._surprise(word) + (0.0 if text.isascii() else _ACCENT)
            for word, text in texts
            if not _INTERJECTION.fullmatch(text) and any(map(str.isalpha, text))
        ]
        return sum(surprises) > (LIMIT_ALONE if len(surprises) == 1 else LIMIT)

    def _surprise(self, word: _Word) -> float:
        if len(word.ids) > 1:
            letters = sum(len(token.removeprefix("##")) for token in word.tokens)
            return max(0.0, _PIECED - _PIECE * letters / len(word.tokens))
        rank = word.ids[0] - (self._first or 0) + 1
        return max(_LEAST, _RARITY * (math.log(max(1, rank)) - _USUAL))


def _is_foreign(sign: str) -> bool:
    """Whether a sign is a letter of another script than the Latin one."""
    return unicodedata.category(sign) in ("Ll", "Lo", "Lt", "Lu") and not unicodedata.name(sign, "").startswith(
        "LATIN "
    )


def _is_symbol(sign: str) -> bool:
    return unicodedata.category(sign) == "So"


def _without(comment: str, strange: list[_Word]) -> str:
    """The comment without some of its words, and without what hangs on them unseen."""
    kept, last = [], 0
    for word in strange:
        kept.append(comment[last : word.begin])
        last = word.end
        while last < len(comment) and unicodedata.category(comment[last]) in ("Cf", "Mc", "Me", "Mn"):
            last += 1
    return " ".join(" ".join([*kept, comment[last:]]).split()) if strange else comment

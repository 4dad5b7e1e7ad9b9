"""Comments made of comments: written louder or more carelessly, joined, with an emoji, or without any feeling."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from training.data.languages.tables import CONNECTIVE, NEUTRAL, Comment

JOINABLE = ("plain", "negation", "situation")
"""Kinds of whole sentences, of which two can be joined."""

TURNING = ("negation", "but", "irony", "idiom")
"""Kinds whose feeling may be another one without one of its words."""

SECOND = 0.85
"""How much of the feeling of "this, but that" is that of the second clause; the rest is of the first."""

WRITTEN_DIFFERENTLY = 0.45
JOINED = 0.25

_WITHOUT_SPACES = ("zh", "zh-Hant", "ja")
_ENDS = ".!?。！？…"


class ComposedComments:
    """Draws comments, of a language by the root of how many there are, and makes more of them than were written.

    Args:
        comments: what ``read_comments`` gives.
    """

    def __init__(self, comments: Sequence[Comment]) -> None:
        self._written: dict[str, list[Comment]] = defaultdict(list)
        self._connectives: dict[str, list[str]] = defaultdict(list)
        self._joinable: dict[str, list[Comment]] = defaultdict(list)
        self._neutral: dict[str, list[Comment]] = defaultdict(list)
        self._emoji = [one for one in comments if one.kind == "emoji" and not any(map(str.isalnum, one.text))]
        for one in comments:
            if one.kind == CONNECTIVE:
                self._connectives[one.language].append(one.text)
                continue
            self._written[one.language].append(one)
            if one.kind in JOINABLE and one.valence:
                self._joinable[one.language].append(one)
            if one.kind == NEUTRAL:
                self._neutral[one.language].append(one)
        self._languages = sorted(self._written)
        roots = np.sqrt([len(self._written[language]) for language in self._languages])
        self._chances = roots / roots.sum()

    def draw(self, random: np.random.Generator) -> Comment:
        """One comment, as written or made of others."""
        language = self._languages[int(random.choice(len(self._languages), p=self._chances))]
        if random.random() < JOINED and len(self._joinable[language]) > 1:
            return self._joined(language, random)
        one = self._pick(self._written[language], random)
        return self._carelessly(one, random) if random.random() < WRITTEN_DIFFERENTLY else one

    def _joined(self, language: str, random: np.random.Generator) -> Comment:
        first, second = (self._pick(self._joinable[language], random) for _ in range(2))
        way = random.random()
        if way < 0.2 and self._neutral[language]:
            # What is only described takes nothing from what is felt.
            plain = self._pick(self._neutral[language], random)
            pair = (plain, second) if random.random() < 0.5 else (second, plain)
            return replace(second, text=_in_a_row(language, *(each.text for each in pair)))
        if first.valence * second.valence < 0 and self._connectives[language]:
            pattern = self._connectives[language][int(random.integers(len(self._connectives[language])))]
            text = pattern.format(a=first.text.rstrip(_ENDS), b=second.text)
            return self._blend(first, second, text)
        if first.valence * second.valence > 0:
            return self._blend(first, second, _in_a_row(language, first.text, second.text), 0.5)
        return second

    def _carelessly(self, one: Comment, random: np.random.Generator) -> Comment:
        """The same feeling without its full stop, louder, with an emoji that agrees, misspelt, or without a word."""
        text, way = one.text, int(random.integers(5))
        if way == 0:
            text = text.rstrip(_ENDS) or text
        elif way == 1 and abs(one.valence) > 0.2:
            text = text.rstrip(_ENDS) + "!" * int(random.integers(1, 4))
        elif way == 2 and abs(one.valence) > 0.2:
            agreeing = [each for each in self._emoji if each.valence * one.valence > 0.1]
            if agreeing:
                text = f"{text} {self._pick(agreeing, random).text}"
        elif way == 3:
            text = _misspelt(text, random)
        elif one.kind not in TURNING:
            words = text.split(" ")
            if len(words) > 3:
                words[int(random.integers(len(words)))] = ""
            text = " ".join(filter(None, words))
        return replace(one, text=text)

    @staticmethod
    def _pick(comments: Sequence[Comment], random: np.random.Generator) -> Comment:
        return comments[int(random.integers(len(comments)))]

    @staticmethod
    def _blend(first: Comment, second: Comment, text: str, share: float = SECOND) -> Comment:
        return replace(
            second,
            text=text,
            valence=share * second.valence + (1 - share) * first.valence,
            arousal=share * second.arousal + (1 - share) * first.arousal,
        )


def _in_a_row(language: str, first: str, second: str) -> str:
    if language in _WITHOUT_SPACES:
        return f"{first if first[-1] in _ENDS else first + '。'}{second}"
    return f"{first if first[-1] in _ENDS else first + '.'} {second}"


def _misspelt(text: str, random: np.random.Generator) -> str:
    """Two neighbouring letters exchanged, or one left out."""
    places = [at for at in range(len(text) - 1) if text[at].isalpha() and text[at + 1].isalpha()]
    if len(places) < 6:
        return text
    at = places[int(random.integers(len(places)))]
    return text[:at] + (text[at + 1] + text[at] if random.random() < 0.5 else text[at]) + text[at + 2 :]

"""How open_clip's tokenizers clean a text first, as rules that a ``tokenizer.json`` can hold.

open_clip repairs a text with ftfy, unescapes HTML twice, unifies whitespace, and changes the case or drops the
punctuation (``open_clip.tokenizer``: ``basic_clean`` and the functions around it). Everything there that maps
characters to characters is repeated here, from the same tables: C1 controls, ligatures, full and half width, curly
quotes, terminal escapes, control characters, NFC, the characters of HTML 4 as entities or numbers.

Not repeated, because it takes a decision about the whole text: the repair of mojibake (text that was decoded with
the wrong encoding, ``ftfy.fix_encoding``). Also left as they are: entities of HTML 5 for characters that HTML 4 had
no name for, numbers of letters, and escapes within escapes deeper than two.
"""

from __future__ import annotations

import html
import re
import string
from collections.abc import Iterator
from html.entities import codepoint2name, html5
from typing import Literal

from ftfy.chardata import CONTROL_CHARS, LIGATURES, WIDTH_MAP
from tokenizers import Regex, normalizers

Cleaning = Literal["lower", "whitespace", "canonicalize"]
"""The names that open_clip gives to its ways of cleaning."""

_STRAIGHT = {"'": "\u02bc\u2018\u2019\u201a\u201b", '"': "\u201c\u201d\u201e\u201f"}
"""Quotes as ftfy straightens them (``ftfy.fixes.uncurl_quotes``)."""

_ESCAPED = [*string.punctuation, *map(chr, codepoint2name)]
"""Characters that texts hold as HTML entities: ASCII punctuation, and all that HTML 4 names."""


def cleaning(kind: Cleaning) -> list[normalizers.Normalizer]:
    """The rules in their order.

    Args:
        kind: ``"whitespace"`` keeps the case, ``"lower"`` does not, ``"canonicalize"`` drops ASCII punctuation too.
    """
    rules = [
        *_unescape(),
        *(normalizers.Replace(old, new) for old, new in _characters()),
        normalizers.Replace(Regex(r"\x1b\[[\d;]*[a-zA-Z]"), ""),  # colours of a terminal
        normalizers.Replace(Regex(f"[{_class(map(chr, CONTROL_CHARS))}]"), ""),
        normalizers.NFC(),
    ]
    if kind == "canonicalize":
        rules.append(normalizers.Replace("_", " "))
        rules.append(normalizers.Replace(Regex(f"[{_class(string.punctuation)}]"), ""))
    if kind != "whitespace":
        # Lowercase looks at one character at a time; Python knows the sigma at the end of a word.
        final = r"\p{Cased}\p{Case_Ignorable}*\KΣ(?!\p{Case_Ignorable}*\p{Cased})"
        rules += [normalizers.Replace(Regex(final), "ς"), normalizers.Lowercase()]
    return [*rules, normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]


def _characters() -> Iterator[tuple[str, str]]:
    """Single characters and what ftfy writes instead."""
    for code in range(0x80, 0xA0):  # what Windows-1252 has in the place of controls
        character = chr(code)
        intended = character.encode("latin-1").decode("sloppy-windows-1252")
        if intended != character:
            yield character, intended
    for table in (LIGATURES, WIDTH_MAP):
        for code, replacement in table.items():
            yield chr(code), replacement
    for straight, curly in _STRAIGHT.items():
        for character in curly:
            yield character, straight


def _unescape() -> Iterator[normalizers.Normalizer]:
    """``&amp;`` comes first and twice: texts are often escaped twice."""
    yield from [normalizers.Replace(Regex(_escapes("&")), "&")] * 2
    for character in _ESCAPED:
        if character != "&":
            yield normalizers.Replace(Regex(_escapes(character)), character)


def _escapes(character: str) -> str:
    """A pattern for all that ``ftfy.fixes.unescape_html`` and ``html.unescape`` turn into a character."""
    names = [name for name, value in html5.items() if value == character]
    capital = [name.upper() for name, value in html5.items() if value.upper() == character and name == name.lower()]
    names += [name for name in capital if name.endswith(";") and name not in html5]  # &EACUTE; is no HTML, but ftfy's
    bare = {name for name in names if name + ";" in names}
    patterns = [_bare(name) if name in bare else name for name in dict.fromkeys(names) if name[:-1] not in bare]
    # Numbers of C1 controls stand for characters of Windows-1252 (HTML 5, 13.2.5.80).
    for code in [code for code in (ord(character), *range(0x80, 0xA0)) if html.unescape(f"&#{code};") == character]:
        digits = "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in f"{code:x}")
        patterns += [f"#0*{code}(?![0-9]);?", f"#[xX]0*{digits}(?![0-9a-fA-F]);?"]
    return f"&(?:{'|'.join(sorted(patterns, key=len, reverse=True))})"


def _bare(name: str) -> str:
    """An entity whose semicolon may be left out, unless it begins another one (``&not``, but ``&notin;``)."""
    longer = [other[len(name) :] for other in html5 if other.startswith(name) and other.rstrip(";") != name]
    return f"{name}(?!{'|'.join(sorted(longer))});?" if longer else f"{name};?"


def _class(characters: Iterator[str] | str) -> str:
    return "".join(re.escape(character) for character in characters)

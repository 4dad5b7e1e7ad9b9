"""Sentences to test a text encoder and its tokenizer with, the same in every run."""

from __future__ import annotations

import unicodedata
from itertools import product

import numpy as np

_OPENINGS = (
    "I feel", "It makes me feel", "The painting leaves me", "Looking at this, I am", "There is something that makes me",
    "The colours make me feel", "The dark corner makes me", "Her face makes me feel", "The open sky leaves me",
    "The brush strokes make me feel",
)  # fmt: skip
_STATES = (
    "calm", "at peace", "sad", "lonely", "afraid", "disgusted", "angry", "amused", "in awe", "excited", "hopeful",
    "uneasy", "small", "warm and safe", "nostalgic", "confused", "full of joy", "content", "tense", "like crying",
)  # fmt: skip
_EMOTIONS = {
    "calm": "contentment", "at peace": "contentment", "content": "contentment", "warm and safe": "contentment",
    "amused": "amusement", "in awe": "awe", "excited": "excitement", "angry": "anger", "disgusted": "disgust",
    "afraid": "fear", "uneasy": "fear", "sad": "sadness", "lonely": "sadness", "like crying": "sadness",
}  # fmt: skip
"""The emotion that a state names, where it names one of ArtEmis."""

_REASONS = (
    "because the light is so soft", "because the man looks lost", "as if a storm were coming",
    "because of the way the waves crash on the rocks", "since the flowers are in full bloom",
)  # fmt: skip
_DIFFICULT = (
    "Je me sens triste devant cette mer.", "Ich fühle mich ruhig – fast zu ruhig …", "¡Qué alegría más grande!",
    "Мне грустно и одиноко.", "Αισθάνομαι γαλήνη.", "אני מרגיש שלווה", "أشعر بالهدوء والسلام",
    "我觉得很平静，也有一点难过。", "とても懐かしい気持ちになる", "마음이 편안해진다", "मुझे शांति महसूस होती है",
    "ฉันรู้สึกสงบ", "Tôi thấy bình yên", "😀😭🔥 wow!!!", "👩‍👩‍👧‍👦🏳️‍🌈 together", "❤️‍🔥", "🇫🇷🇯🇵",
    "½ sad ½ happy ²", "ﬁne, ﬂat, ﬀ", "ＦＵＬＬ　ｗｉｄｔｈ", "“curly” ‘quotes’ — don’t", "Z̷͕̈́a̶͎͠l̵̰̿g̴̬̈o̷͈͝",
    "e\u0301 = é", "İstanbul ıslak", "ẞ ß", "a\u200bb\u200dc\ufeffd", "tab\tnew\nline\r\nend",
    "&amp; &lt;b&gt; &quot;", "&amp;quot;so&nbsp;sad&amp;quot; &ltb&gt &#39;&#x2019;&#0146; &hellip;&mdash;",
    "caf&eacute; P&EACUTE;REZ &notin;&not;&notit; &Alpha;&rarr;&#X3B1; &nosuch; &;", "AT&T, rock&roll, R&B, this&that",
    "&#38;amp; &amp;lt;3 \uff06 ＜３", "it’s ‘single’ ‚low‛ “double” „low‟ o\u02bcclock ´x`",
    "ĳ Ĳ ŉ ǆ ǅ Ǆ ǉ ǌ ǳ ﬃ ﬄ ﬅ ﬆ ﬁ\u0301", "ｶﾞﾗｽ ﾊﾟﾝ ﾡﾢ ￡￦", "\x1b[36;44mblue\x1b[0m \x1b[x",
    "\x80 \x85 \x91x\x92 \x99\x9d",
    "a\x00b\x08c\x0bd\x1fe\x7ff\u206ag\ufff9h\ufffci", "a\u0085b\u2028c\u2029d\x0ce\u00a0f\u1680g\u202fh",
    "ΟΔΥΣΣΕΥΣ ΣΑΣ Σ ΑΣ' ΑΣ-Α ΑΣ'Α", "it'ſ ſo, IT'S WE'LL I'D 'TIS", "\u1fbc\u0301 x\u0345y", "Ⅷ ⅷ ① ⓐ Ⓐ 𝔄 𝟘 ٣",
    "<start_of_text> a <END_OF_TEXT>b", "\uac01 \u1100\u1161\u11a8 \u0344 \u212b \u2126 \u212a", "a_b__c-d/e\\f|g ~^`",
    "[CLS] [SEP] [PAD] [MASK] [UNK]", "", " ", "\u3000", "\u200b", ".", "?!",
    "#nofilter @home http://a.b/c?d=e", "\U0001f9ff\U000e0041", "x" * 300, "sad " * 400, "ä" * 500, "悲" * 500,
    "😭" * 300,
)  # fmt: skip


def utterances(count: int = 1000) -> list[str]:
    """What visitors may say: English sentences of 3 to some 15 words, all different."""
    sentences = [
        f"{opening} {state} {reason}".strip() + "."
        for opening, state, reason in product(_OPENINGS, _STATES, ("", *_REASONS))
    ]
    order = np.random.default_rng(0).permutation(len(sentences))
    return [sentences[index] for index in order[:count]]


def labelled_utterances(count: int = 600) -> list[tuple[str, str]]:
    """Sentences in which a visitor names an emotion, and the emotion as ArtEmis calls it; all different."""
    named = [
        (f"{opening} {state} {reason}".strip() + ".", emotion)
        for opening, (state, emotion), reason in product(_OPENINGS, _EMOTIONS.items(), ("", *_REASONS))
    ]
    order = np.random.default_rng(0).permutation(len(named))
    return [named[index] for index in order[:count]]


def difficult_texts(count: int = 1000) -> list[str]:
    """What visitors may type: the hard cases of every kind, random characters of all Unicode, and sentences."""
    generator = np.random.default_rng(0)
    texts = list(_DIFFICULT)
    assigned = [chr(code) for code in range(0x32000) if unicodedata.category(chr(code)) not in ("Cs", "Cn", "Co")]
    while len(texts) < count // 2:
        picked = generator.integers(len(assigned), size=generator.integers(1, 60))
        texts.append("".join(assigned[index] for index in picked))
    sentences = utterances(count - len(texts))
    return texts + sentences

"""Which characters the pages show in a language, and which blocks a packaged font holds besides."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXTS = ROOT / "kiosk" / "web" / "static" / "texts"
SENTENCES = ROOT / "a2m_edge" / "explanation" / "sentences"
SUBJECTS = ROOT / "a2m_edge" / "impression" / "subject_names.json"

NAMES = {
    "ja": "アラビア語 ドイツ語 英語 スペイン語 フランス語 イタリア語 日本語 韓国語 オランダ語"
    " ポーランド語 ポルトガル語 ロシア語 トルコ語 中国語 繁体中国語",
    "ko": "아랍어 독일어 영어 스페인어 프랑스어 이탈리아어 일본어 한국어 네덜란드어 폴란드어"
    " 포르투갈어 러시아어 튀르키예어 터키어 중국어 중국어(번체)",
    "zh": "阿拉伯语 德语 英语 西班牙语 法语 意大利语 日语 韩语 荷兰语 波兰语 葡萄牙语 俄语 土耳其语 中文 简体 繁体中文",
    "zh-Hant": "阿拉伯文 德文 英文 西班牙文 法文 義大利文 日文 韓文 荷蘭文 波蘭文"
    " 葡萄牙文 俄文 土耳其文 中文 簡體 繁體中文",
}
"""What browsers call the languages, where a font holds no whole alphabet: the page says which one the music
understands, and the switch names the page's own."""


def languages() -> tuple[str, ...]:
    """The languages of the pages (BCP 47)."""
    return tuple(sorted(file.stem for file in TEXTS.glob("*.json")))


@cache
def shown_in(language: str) -> frozenset[str]:
    """Every character of our own texts in a language: pages, explanations, subjects, and names of languages."""
    texts = [*_leaves(_read(TEXTS / f"{language}.json")), *_leaves(_read(SENTENCES / f"{language}.json"))]
    texts += [*_leaves(_read(SUBJECTS)[language]), NAMES.get(language, "")]
    letters = "".join(texts)
    # The pages set names with a capital, and write numbers into the texts.
    return frozenset(letters + letters.upper() + "0123456789−·+%,.:") - set("\n\t")


def _read(file: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _leaves(tree: object) -> list[str]:
    return [leaf for each in tree.values() for leaf in _leaves(each)] if isinstance(tree, dict) else [str(tree)]

"""How many English texts are said not to be understood, and how many in other languages are.

    python -m tools.measure_understanding ../shared/data

reads ``artemis.csv``, ``goemotions.tsv`` and ``languages/`` there, and prints a line for each language and source.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import itertools
import lzma
import random
from collections import defaultdict
from pathlib import Path

from a2m_edge.bundle import open_bundle
from a2m_edge.errors import CommentError
from a2m_edge.perception.comments import clean_comment
from a2m_edge.perception.encoders import Encoders

SHORT = 3
"""Words of a text that counts as short."""


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--texts", type=int, default=5000, help="of each language and source")
    parser.add_argument("--bundle", type=Path)
    arguments = parser.parse_args()
    encoders = Encoders(open_bundle(arguments.bundle), device="cpu")
    print(f"{'':24}{'texts':>8}{'not understood':>16}{f'up to {SHORT} words':>18}")
    for (language, source), texts in sorted(texts_of(arguments.data).items()):
        chosen = random.Random(0).sample(texts, min(arguments.texts, len(texts)))
        missed = [not encoders.read(text).heard for text in chosen]
        short = [miss for text, miss in zip(chosen, missed, strict=True) if len(text.split()) <= SHORT]
        share = f"{100 * sum(short) / len(short):17.2f} %" if len(short) >= 30 else " " * 19
        print(f"{language:4}{source:20}{len(chosen):8,}{100 * sum(missed) / len(missed):14.2f} %{share}")


def texts_of(data: Path) -> dict[tuple[str, str], list[str]]:
    """Cleaned texts by language and source, each once."""
    found: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)

    def add(language: str, source: str, text: str) -> None:
        with contextlib.suppress(CommentError):
            found[language, source][clean_comment(text)] = None

    with (data / "artemis.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            add("en", "ArtEmis", row["utterance"])
    for line in (data / "goemotions.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        add("en", "GoEmotions", line.split("\t")[1])
    with lzma.open(data / "languages" / "parallel.tsv.xz", "rt", encoding="utf-8") as lines:
        for line in itertools.islice(lines, 1, None):
            language, english, text, _ = line.rstrip("\n").split("\t")
            add("en", "everyday", english)
            add(language, "everyday", text)
    with lzma.open(data / "languages" / "emotions.tsv.xz", "rt", encoding="utf-8") as lines:
        for line in itertools.islice(lines, 1, None):
            language, text, *_ = line.rstrip("\n").split("\t")
            add(language, "subtitles, tweets", text)
    return {key: list(texts) for key, texts in found.items()}


if __name__ == "__main__":
    main()

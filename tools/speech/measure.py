"""Measures how well speech is written down, and how long it takes on one thread.

    python -m tools.speech.measure TABLE

The table (tab-separated: language, file, transcript) lists recordings that soundfile can read. What is told of each
language: sentences, the share of words that are right (1 - word error rate, never below 0), and seconds of work for a
second of speech. Each text is printed beside its transcript.
"""

from __future__ import annotations

import argparse
import csv
import re
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile
import soxr

from kiosk.web.speech.log_mel import RATE
from kiosk.web.speech.recogniser import Recogniser


def words_of(text: str) -> list[str]:
    """Words in small letters; of writings without spaces, signs."""
    return re.findall(r"[\u3040-\u30ff\u4e00-\u9fff]|[^\W_\u3040-\u30ff\u4e00-\u9fff]+", text.lower())


def distance(one: list[str], other: list[str]) -> int:
    """Words to insert, delete or replace (Levenshtein)."""
    row = list(range(len(other) + 1))
    for number, word in enumerate(one, 1):
        last, row[0] = row[0], number
        for place, its in enumerate(other, 1):
            last, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, last + (word != its))
    return row[-1]


def main() -> None:
    """Measures every recording of the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    table = parser.parse_args().table
    recogniser = Recogniser()
    told: dict[str, list[tuple[int, int, float, float]]] = defaultdict(list)
    with table.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE):
            samples, rate = soundfile.read(table.parent / row["file"], dtype="float32", always_2d=True)
            sound = soxr.resample(samples.mean(axis=1), rate, RATE).astype(np.float32)
            began = time.perf_counter()
            text = recogniser.write_down(sound, row["language"])
            spent = time.perf_counter() - began
            expected = words_of(row["transcript"])
            wrong = distance(expected, words_of(text))
            told[row["language"]].append((wrong, len(expected), spent, len(sound) / RATE))
            print(f"{row['language']}  {len(sound) / RATE:4.1f} s in {spent:4.2f} s  {text!r}  {row['transcript']!r}")
    for language, rows in sorted(told.items()):
        wrong, words, spent, seconds = (sum(column) for column in zip(*rows, strict=True))
        right = max(0.0, 1 - wrong / words) if words else float("nan")
        print(f"{language}: {len(rows)} sentences, {right:.0%} of {words} words, {spent / seconds:.2f} s a second")


if __name__ == "__main__":
    main()

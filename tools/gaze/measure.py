"""Measures where the music looks: how many regions, how long it takes, how often a comment leads, how an hour repeats.

    python -m tools.gaze.measure --shared ../shared

A comment leads where one region is nearer to it than every other by ``CLEAR``; the quantiles of that distance over
utterances of ArtEmis say what another value, or another bundle, would do. A bar is repeated where an earlier one of the
hour has the same notes at the same sixteenths.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from a2m_edge.bundle import open_bundle
from a2m_edge.bundle.manifest import COMPOSER
from a2m_edge.composer import Composer, ComposerTables
from a2m_edge.impression.gaze import NOWHERE
from a2m_edge.inference.agreement import cosines
from a2m_edge.perception.encoders import Encoders
from a2m_edge.perception.gaze import find_regions
from a2m_edge.perception.looking import CLEAR, Looks
from a2m_edge.score import Bar, Score
from tests.fixtures.exhibit.rooms import Paintings

HOUR = 3600.0
UTTERANCES = 6  # of each painting


def counts(paintings: Paintings, works: int) -> None:
    """Prints how many regions paintings have, and how long it takes to find them."""
    chance = np.random.default_rng(5)
    numbers, seconds = [], []
    for _ in range(works):
        picture = paintings[int(chance.integers(len(paintings)))]
        begun = time.process_time()
        numbers.append(len(find_regions(picture)))
        seconds.append(time.process_time() - begun)
    told = ", ".join(f"{np.percentile(numbers, share):.0f}" for share in (5, 50, 95))
    print(f"regions of {works} paintings, 5, 50 and 95 %: {told}; found in {1000 * np.median(seconds):.1f} ms")


def leads(encoders: Encoders, data: Path, works: int) -> None:
    """Prints how often an utterance about a painting names one of its regions."""
    said = defaultdict(list)
    with (data / "artemis.csv").open(newline="", encoding="utf-8") as table:
        for row in csv.DictReader(table):
            said[row["image_file"]].append(row["utterance"])
    paintings = Paintings(data)
    chance = np.random.default_rng(1)
    ahead: list[float] = []
    named = 0
    for number in chance.permutation(len(paintings)).tolist():
        utterances = said.get(paintings.name(number), [])[:UTTERANCES]
        if not utterances or works == 0:
            continue
        works -= 1
        picture = paintings[number]
        looks = Looks(encoders, encoders.see(picture), picture)
        if len(looks) < 2:
            continue
        seen = np.stack([encoders.see(picture, look.region).embedding for look in looks])
        for utterance in utterances:
            comment = encoders.comment(utterance)
            near = np.sort(cosines(seen, comment[None]))
            ahead.append(float(near[-1] - near[-2]))
            named += looks.named(comment) is not None
    told = ", ".join(f"{np.percentile(ahead, share):.3f}" for share in (5, 50, 75, 90, 95))
    print(f"{named} of {len(ahead)} utterances name a region (by {CLEAR}); ahead by, 5 to 95 %: {told}")


def hours(encoders: Encoders, tables: ComposerTables, paintings: Paintings, works: int) -> None:
    """Prints the share of bars that are repeated in an hour, without and with the gaze."""
    chance = np.random.default_rng(7)
    repeated: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(works):
        picture = paintings.pick(chance)
        looks = Looks(encoders, encoders.see(picture), picture)
        felt = encoders.feel(looks.sight, None)
        for reads in repeated:
            composer = Composer(
                tables,
                looks.sight.embedding,
                0,
                felt.feeling,
                felt.cues,
                felt.subjects,
                looks.gaze(None) if reads else NOWHERE,
            )
            score = Score()
            while score.seconds < HOUR:
                score.beats.append(composer.next_beat())
            bars = [_notes(bar) for bar in score.bars()]
            repeated[reads].append(1.0 - len(set(bars)) / len(bars))
    before, after = (f"{np.mean(repeated[reads]):.1%}" for reads in (False, True))
    print(f"bars repeated within an hour, {works} works: {before} of the whole alone, {after} with the gaze")


def _notes(bar: Bar) -> tuple[tuple[int, int, int], ...]:
    first = bar.beats[0]
    return tuple(
        sorted((note.role, note.pitch, round(4 * (note.start - first.start) / first.seconds)) for note in bar.notes)
    )


def look_times(encoders: Encoders, picture: NDArray[np.uint8]) -> None:
    """Prints what a live host pays in each idle moment after a new work."""
    looks, spent = Looks(encoders, encoders.see(picture), picture), []
    while True:
        begun = time.process_time()
        if not looks.look_ahead():
            break
        spent.append(1000 * (time.process_time() - begun))
    print(f"looking ahead: {spent[0]:.0f} ms for the regions, then {np.median(spent[1:]):.0f} ms for each of them")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--bundle", type=Path, help="folder of a bundle; else the default one")
    parser.add_argument("--works", type=int, default=200)
    parser.add_argument("--spoken", type=int, default=60, help="paintings of which utterances are compared")
    parser.add_argument("--hours", type=int, default=6)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    bundle = open_bundle(options.bundle)
    encoders, paintings = Encoders(bundle, "cpu", 1), Paintings(options.shared / "data")
    counts(paintings, options.works)
    look_times(encoders, paintings[0])
    leads(encoders, options.shared / "data", options.spoken)
    hours(encoders, ComposerTables.read(bundle.file(COMPOSER)), paintings, options.hours)


if __name__ == "__main__":
    main()

"""MusicCaps: captions of music, and which split each clip belongs to."""

from __future__ import annotations

import ast
import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from a2m_edge.errors import DataError, OptionError
from training.data.tables.feelings import SPLITS


@dataclass(frozen=True)
class Caption:
    """A row of MusicCaps.

    Attributes:
        clip: the clip's YouTube id.
        aspects: short phrases that describe the music.
        text: the caption.
        split: ``"train"``, ``"val"`` or ``"test"``.
    """

    clip: str
    aspects: tuple[str, ...]
    text: str
    split: str


def split_of(name: str) -> str:
    """A split by SHA-1 of a clip's name: 80 % train, 10 % val, 10 % test, the same on every machine."""
    share = int.from_bytes(hashlib.sha1(name.encode(), usedforsecurity=False).digest()[:4], "big") / 2**32
    return "train" if share < 0.8 else "val" if share < 0.9 else "test"


def choose_captions(every: Sequence[Caption], count: int | None, seed: int) -> list[Caption]:
    """``count`` captions in an order of the seed, or all of them.

    Raises:
        OptionError: a split has none among them; the fewest that have one of each are named.
        DataError: the table has none of a split, however many are taken.
    """
    order = [every[index] for index in np.random.default_rng(seed).permutation(len(every))]
    chosen = order[:count]
    first = {one.split: place for place, one in reversed(list(enumerate(order)))}
    for split in SPLITS:
        if split not in first:
            raise DataError(f"no clip of the MusicCaps table is of the split {split}: it is cut short; fetch it again")
    if count is not None and (without := [split for split in SPLITS if first[split] >= count]):
        raise OptionError(
            f"--captions {count} is too few: every split needs one, and {' and '.join(without)} would have none; give "
            f"{max(first.values()) + 1} or more"
        )
    return chosen


def read_captions(table: Path) -> list[Caption]:
    """The rows of ``musiccaps.csv``.

    Raises:
        DataError: the file is missing or lacks a column.
    """
    try:
        with table.open(encoding="utf-8", newline="") as rows:
            return [
                Caption(row["ytid"], tuple(ast.literal_eval(row["aspect_list"])), row["caption"], split_of(row["ytid"]))
                for row in csv.DictReader(rows)
            ]
    except FileNotFoundError as error:
        raise DataError(
            f"there is no {table}: name the MusicCaps table with --musiccaps, or the folder with data/ with --shared"
        ) from error
    except (OSError, KeyError, ValueError, SyntaxError) as error:
        raise DataError(f"{table} is not the MusicCaps table ({error}): download it again.") from error

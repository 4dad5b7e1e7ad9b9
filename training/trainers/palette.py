"""Who should play what is felt, and in how large a room: what a fusion's palette and room are learned from.

It is taken from what the fusion itself feels, by the archetypes of ``training.data.tables.caption_palette``, and, where
an utterance was matched with a caption of music (ArtiCaps), in part from that caption.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import DataError
from training.data.tables.caption_palette import caption_palette, palette_prior
from training.data.tables.captions import read_captions

MATCHED_SHARE = 0.3
"""Share of a matched caption in a palette: captions know many guitars and basses, archetypes sound apart."""

MatchedPalette = tuple[NDArray[np.float32], float]
"""Weights of who plays, float32 [roles, instruments], and the size of the room in [0, 1]."""

_prior = cache(palette_prior)


def palette_targets(
    feelings: NDArray[np.float32], matched: Sequence[MatchedPalette | None]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Who should play what is felt, and in how large a room.

    Args:
        feelings: valence and arousal in [-1, 1], float32 [rows, 2].
        matched: for each row what the caption says that it was matched with, if any.

    Returns:
        float32 [rows, roles, instruments], every row of instruments sums to 1; float32 [rows].
    """
    palettes, rooms = [], []
    for (valence, arousal), said in zip(np.round(feelings.astype(float), 2).tolist(), matched, strict=True):
        palette, room = _prior(valence, arousal)
        if said:
            palette = np.asarray((1 - MATCHED_SHARE) * palette + MATCHED_SHARE * said[0], np.float32)
            room = (1 - MATCHED_SHARE) * room + MATCHED_SHARE * said[1]
        palettes.append(palette)
        rooms.append(room)
    return np.stack(palettes), np.array(rooms, np.float32)


def read_matches(articaps: Path, musiccaps: Path) -> dict[str, MatchedPalette]:
    """What the caption says that each utterance of ``articaps.csv`` was matched with, by utterance.

    Raises:
        DataError: a table cannot be read.
    """
    captions = {caption.clip: caption_palette(caption.aspects, caption.text) for caption in read_captions(musiccaps)}
    try:
        with articaps.open(encoding="utf-8", newline="") as file:
            return {row["utterance"]: captions[row["clip"]] for row in csv.DictReader(file)}
    except (OSError, KeyError, csv.Error) as error:
        raise DataError(f"the pairs {articaps} cannot be read ({error!r}): run  a2m-edge data build") from error

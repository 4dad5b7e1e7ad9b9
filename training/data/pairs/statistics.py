"""What the pairs of ArtiCaps are like, in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a2m_edge.impression.feeling import EMOTIONS
from training.data.tables.captions import Caption
from training.data.tables.feelings import SPLITS
from training.data.tables.utterance_rows import UtteranceRows

BINS = 100
"""Of the histograms of similarity, from -1 to 1."""


def similarity_counts(similarity: NDArray[np.float32]) -> NDArray[np.int64]:
    """How many cosines fall in each of ``BINS`` equal bins from -1 to 1, int64 [BINS]."""
    bins = np.floor((similarity.astype(float) + 1) * BINS / 2).astype(int)
    return np.bincount(bins.clip(0, BINS - 1), minlength=BINS)


def pair_statistics(
    rows: UtteranceRows,
    captions: Sequence[Caption],
    caption_feelings: NDArray[np.float32],
    caption: NDArray[np.int32],
    similarity: NDArray[np.float32],
    random_caption: NDArray[np.int32],
    random_counts: NDArray[np.int64],
) -> dict[str, Any]:
    """Numbers of the pairs, as they are written to ``articaps.json``.

    Args:
        rows: of n utterances.
        captions, caption_feelings: and float32 [captions, 2].
        caption: of each utterance, int32 [n]; -1 where it has none. One has.
        similarity: cosine of each pair, float32 [n].
        random_caption: of the same split for each utterance, int32 [n].
        random_counts: ``similarity_counts`` of the random pairs.
    """
    paired = np.flatnonzero(caption >= 0)
    served = np.bincount(caption[paired], minlength=len(captions))
    homes = np.array([SPLITS.index(one.split) for one in captions])
    splits = {}
    for number, split in enumerate(SPLITS):
        here = paired[rows.split[paired] == number]
        splits[split] = {
            "utterances": int((rows.split == number).sum()),
            "captions": int((homes == number).sum()),
            "pairs": len(here),
            "paintings": len(np.unique(rows.painting[here])),
            "clips": len(np.unique(caption[here])),
        }
    levels = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
    quantiles = np.quantile(similarity[paired], levels)
    random_mean = float((random_counts * ((np.arange(BINS) + 0.5) * 2 / BINS - 1)).sum() / random_counts.sum())
    return {
        "pairs": len(paired),
        "paintings": len(np.unique(rows.painting[paired])),
        "clips": int((served > 0).sum()),
        "splits": splits,
        "emotions": {
            emotion: {
                "utterances": int((rows.emotion == number).sum()),
                "pairs": int((rows.emotion[paired] == number).sum()),
            }
            for number, emotion in enumerate(EMOTIONS)
        },
        "captions_by_utterances_served": {
            str(number): int(count) for number, count in enumerate(np.bincount(served)) if count
        },
        "most_to_leave_none_out": max(
            -(-facts["utterances"] // max(facts["captions"], 1)) for facts in splits.values()
        ),
        "similarity": {
            "mean": round(float(similarity[paired].mean()), 4),
            "mean_of_random_pairs": round(random_mean, 4),
            "quantiles": {f"{level:g}": round(float(value), 4) for level, value in zip(levels, quantiles, strict=True)},
            "bins_from_-1_to_1": similarity_counts(similarity[paired]).tolist(),
            "bins_of_random_pairs": random_counts.tolist(),
        },
        "feeling": {
            "pairs": _agreement(rows.feeling[paired], caption_feelings[caption[paired]]),
            "random_pairs": _agreement(rows.feeling, caption_feelings[random_caption]),
        },
    }


def _agreement(felt: NDArray[np.float32], meant: NDArray[np.float32]) -> dict[str, float | None]:
    """How the feelings of utterances and of their captions agree, each [n, 2]."""
    found: dict[str, float | None] = {}
    for column, name in enumerate(("valence", "arousal")):
        one, other = felt[:, column].astype(float), meant[:, column].astype(float)
        found[f"{name}_mean_distance"] = round(float(np.abs(one - other).mean()), 4)
        varied = len(one) > 1 and one.std() > 0 and other.std() > 0
        found[f"{name}_correlation"] = round(float(np.corrcoef(one, other)[0, 1]), 4) if varied else None
        told = (np.abs(one) > 0.1) & (np.abs(other) > 0.1)
        same = np.sign(one[told]) == np.sign(other[told])
        found[f"{name}_same_sign"] = round(float(same.mean()), 4) if told.any() else None
    return found

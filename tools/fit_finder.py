"""Fits the weights by which ``kiosk.camera.artwork`` judges quadrilaterals, on synthetic rooms.

    python -m tools.fit_finder --views 400

prints them. The rooms are others than those of the tests: their seeds begin with ``SEED``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from kiosk.camera.artwork import FEATURES, candidates, judge
from kiosk.camera.straight_edges import reduce_frame
from tests.fixtures.exhibit.rooms import CONDITIONS, Paintings, make_room, make_view, overlap

SEED = 20_000
RIGHT, WRONG = 0.9, 0.8
"""Overlap with the hung object from which on a quadrilateral is right, and below which it is wrong."""

CLEAN_EVERY = 2
EMPTY_EVERY = 6
PER_VIEW = 400


def observe(paintings: Paintings, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Features [N, F] and overlaps [N] of the candidates in one view."""
    rng = np.random.default_rng([SEED, number])
    condition = "clean" if number % CLEAN_EVERY else str(rng.choice(CONDITIONS))
    if number % EMPTY_EVERY == 0:
        view = make_room(paintings, rng, rng.uniform(0.6, 1.7), condition).empty()
    else:
        view = make_view(paintings, rng, condition)
    frame = reduce_frame(view.shot(rng))
    outlines, features = candidates(frame, 0.04)
    scale = np.array(frame.size[::-1]) / (view.room.camera.width, view.room.camera.height)
    truth = view.frame_outline * scale
    if number % EMPTY_EVERY == 0:
        overlaps = np.zeros(len(outlines))
    else:
        overlaps = np.array([overlap(outline, truth) for outline in outlines])
    hard = np.argsort(-judge(features))[: PER_VIEW // 2]
    others = rng.permutation(len(outlines))[: PER_VIEW // 2]
    right = np.flatnonzero(overlaps >= RIGHT)[:PER_VIEW]
    kept = np.unique(np.concatenate([hard, others, right]))
    return features[kept], overlaps[kept]


def fit(features: np.ndarray, right: np.ndarray, weight: np.ndarray, ridge: float = 1e-3) -> np.ndarray:
    """Logistic regression by Newton's method: F weights and the bias."""
    inputs = np.c_[features, np.ones(len(features))]
    scale = inputs.std(axis=0)
    scale[-1] = 1.0
    inputs = inputs / scale
    found = np.zeros(inputs.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-inputs @ found))
        slope = inputs.T @ (weight * (right - chance)) - ridge * found
        bend = (inputs * (weight * chance * (1 - chance))[:, None]).T @ inputs + ridge * np.eye(len(found))
        step = np.linalg.solve(bend, slope)
        found += step
        if np.abs(step).max() < 1e-6:
            break
    return np.asarray(found / scale)


def main() -> None:
    """Prints the weights and how often they choose rightly in the views they were fitted on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--views", type=int, default=400)
    options = parser.parse_args()
    paintings = Paintings(options.data)
    views = [observe(paintings, number) for number in range(options.views)]
    found = np.zeros(len(FEATURES) + 1)
    for _ in range(6):
        features, right, weight = [], [], []
        for each, overlaps in views:
            clear = (overlaps >= RIGHT) | (overlaps < WRONG)
            score = each @ found[:-1] + found[-1]
            # Every view counts the same, and in it those that come closest to being chosen count most.
            near = np.exp(np.clip(score - score[clear].max(initial=-50), -6, 0)) * clear
            good = overlaps >= RIGHT
            share = np.where(good, near / max((near * good).sum(), 1e-9), near / max((near * ~good).sum(), 1e-9))
            features.append(each)
            right.append(good)
            weight.append(share)
        found = fit(np.concatenate(features), np.concatenate(right), np.concatenate(weight))
    chosen = [overlaps[np.argmax(each @ found[:-1])] for each, overlaps in views if (overlaps > 0).any()]
    sure = [
        float((each @ found[:-1]).max() + found[-1])
        for each, overlaps in views
        if not (overlaps > 0).any() and len(each)
    ]
    print(f"chosen rightly: {np.mean(np.array(chosen) >= 0.85):.3f} of {len(chosen)}")
    print(f"convinced of nothing: {np.mean(np.array(sure) > 0):.3f} of {len(sure)}")
    for name, value in zip((*FEATURES, "bias"), found, strict=True):
        print(f"{name:18} {value:8.4f}")


if __name__ == "__main__":
    main()

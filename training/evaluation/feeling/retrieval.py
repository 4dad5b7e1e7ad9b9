"""Does a picture find the words that belong to it? Recall among the embeddings of held-out paintings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from a2m_edge.errors import DataError
from training.data.tables.feelings import Picture, read_paintings, read_utterances

Texts = Callable[[Sequence[str]], NDArray[np.float32]]
Pictures = Callable[[Sequence[Picture]], NDArray[np.float32]]
"""Texts and pictures to embeddings of length 1, float32 [n, D]."""


@dataclass(frozen=True)
class Recall:
    """How often a picture's own text is among the k nearest of all.

    Attributes:
        value: share of pictures, 0 to 1.
        low, high: 95 % interval by bootstrap over the pictures, the texts held fixed.
        chance: what a random order would give.
        k: how many nearest texts count.
        pictures, texts: how many there are.
    """

    value: float
    low: float
    high: float
    chance: float
    k: int
    pictures: int
    texts: int


@dataclass(frozen=True)
class Retrieval:
    """What ``measure_retrieval`` finds.

    Attributes:
        utterances: from each test painting that people spoke about to its utterances, among those of all.
        one_utterance: the same, with one utterance for each painting; the mean over draws.
        captions: from each of the test paintings to its caption ("a painting: title, by artist, style").
    """

    utterances: Recall
    one_utterance: Recall
    captions: Recall


def recall_at(
    images: NDArray[np.float32],
    texts: NDArray[np.float32],
    owner: NDArray[np.int64],
    k: int = 10,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Recall:
    """Recall of pictures' own texts.

    Args:
        images: float32 [pictures, D].
        texts: float32 [texts, D].
        owner: row of ``images`` that each text belongs to, int64 [texts]; every picture has one text or more.
        k: nearest texts that count. Of texts that are equally near, others' come first: who tells nothing apart
            finds nothing.
        draws, seed: of the bootstrap.

    Raises:
        ValueError: a picture has no text.
    """
    hits, chance = _hits(images, texts, owner, k)
    return _recall(hits.astype(np.float64), chance, k, len(texts), draws, seed)


def one_text_each(
    images: NDArray[np.float32],
    texts: NDArray[np.float32],
    owner: NDArray[np.int64],
    k: int = 10,
    *,
    repeats: int = 20,
    draws: int = 1000,
    seed: int = 0,
) -> Recall:
    """``recall_at`` with one text drawn for each picture, the mean over ``repeats`` draws."""
    generator = np.random.default_rng([31, seed])
    total = np.zeros(len(images))
    chance = 0.0
    for _ in range(repeats):
        mixed = generator.permutation(len(texts))
        _, first = np.unique(owner[mixed], return_index=True)
        chosen = mixed[first]
        hits, chance = _hits(images, texts[chosen], owner[chosen], k)
        total += hits
    return _recall(total / repeats, chance, k, len(images), draws, seed)


def measure_retrieval(
    texts: Texts, pictures: Pictures, shared: Path, *, count: int = 500, k: int = 10, seed: int = 0
) -> Retrieval:
    """Recall on the test split, for any pair of towers.

    Args:
        texts, pictures: the towers, for example ``encoder_towers`` or the methods of ``BundlePerception``.
        shared: folder of ``artemis.csv`` and ``paintings.csv``.
        count: paintings among which captions are looked for; the utterances are those of all test paintings that
            have a picture and an utterance, which are fewer.
        k: nearest texts that count.
        seed: of the paintings that are drawn, and of the bootstrap.

    Raises:
        DataError: a table is missing, or there are fewer test paintings.
    """
    paintings = [painting for painting in read_paintings(shared) if painting.split == "test"]
    if len(paintings) < count:
        raise DataError(f"there are {len(paintings)} test paintings in {shared / 'paintings.csv'}, {count} are needed")
    spoken = [one for one in read_utterances(shared) if one.split == "test" and one.picture]
    known = {painting.file: painting for painting in paintings}
    spoken = [one for one in spoken if one.picture in known]
    if not spoken:
        raise DataError(f"{shared / 'artemis.csv'} holds no utterance about a test painting with a picture")
    files = sorted({one.picture for one in spoken})
    place = {file: row for row, file in enumerate(files)}
    owner = np.array([place[one.picture] for one in spoken])
    images, words = pictures([known[file] for file in files]), texts([one.text for one in spoken])
    drawn = np.sort(np.random.default_rng([32, seed]).choice(len(paintings), count, replace=False))
    some = [paintings[row] for row in drawn]
    captions = texts([painting.caption for painting in some])
    return Retrieval(
        recall_at(images, words, owner, k, seed=seed),
        one_text_each(images, words, owner, k, seed=seed),
        recall_at(pictures(some), captions, np.arange(count), k, seed=seed),
    )


def _hits(
    images: NDArray[np.float32], texts: NDArray[np.float32], owner: NDArray[np.int64], k: int
) -> tuple[NDArray[np.bool_], float]:
    """Whether each picture finds a text of its own [pictures], and how likely a random order would."""
    own = owner[None, :] == np.arange(len(images))[:, None]
    count = own.sum(1)
    if not count.all():
        raise ValueError("every picture needs a text of its own")
    nearness = images @ texts.T
    best = np.where(own, nearness, -np.inf).max(1, keepdims=True)
    before = ((nearness >= best) & ~own).sum(1)
    # Without one of the picture's texts: k of the others fill all k places.
    others, total = len(texts) - count, len(texts)
    with np.errstate(invalid="ignore"):
        logarithm = gammaln(others + 1) - gammaln(others - k + 1) - gammaln(total + 1) + gammaln(total - k + 1)
    missed = np.where(others >= k, np.exp(logarithm), 0.0)
    return before < k, float(1 - missed.mean())


def _recall(hits: NDArray[np.float64], chance: float, k: int, texts: int, draws: int, seed: int) -> Recall:
    generator = np.random.default_rng([33, seed])
    means = [hits[generator.integers(len(hits), size=len(hits))].mean() for _ in range(draws)]
    low, high = (float(edge) for edge in np.quantile(means, [0.025, 0.975]))
    return Recall(float(hits.mean()), low, high, chance, k, len(hits), texts)

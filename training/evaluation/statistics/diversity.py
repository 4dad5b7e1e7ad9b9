"""Does another seed give another piece, and is the music new? Similarities of embeddings, each beside its measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import DataError
from a2m_edge.sound.mel import SILENCE
from training.evaluation.statistics.distances import Estimate, mean_with_interval

Vectors = NDArray[np.floating]


@dataclass(frozen=True)
class Diversity:
    """Mean cosine distances between soundscapes, each in [0, 2].

    Attributes:
        between_seeds: of the same work with different seeds: mean over works.
        between_works: of different works: what distance two unrelated soundscapes have.
        works, seeds: how many works, and soundscapes of all of them.
    """

    between_seeds: Estimate
    between_works: float
    works: int
    seeds: int


@dataclass(frozen=True)
class NearestTraining:
    """Cosine to the nearest training clip, mean over clips, in [-1, 1].

    Attributes:
        ours: of our soundscapes.
        held_out: of real music that was not trained on: how near music is that was certainly not copied.
        clips, held_out_clips, training_clips: how many.
    """

    ours: Estimate
    held_out: Estimate
    clips: int
    held_out_clips: int
    training_clips: int


def diversity(works: Sequence[Vectors], seed: int = 0) -> Diversity:
    """How different the soundscapes of one work are from seed to seed, beside those of different works.

    Args:
        works: for each work the vectors of its soundscapes, [seeds, D]: embeddings, or ``mel_statistics``. Two works
            and two seeds of each at least.
        seed: of the interval's draws (bootstrap over works).

    Raises:
        DataError: there are too few works or seeds.
        ValueError: a vector is zero or not finite.
    """
    if len(works) < 2 or min(len(work) for work in works) < 2:
        raise DataError("diversity needs two works at least, and two seeds of each: render more soundscapes")
    units = [_units(work) for work in works]
    within = [1.0 - float(_off_diagonal_mean(unit)) for unit in units]
    everything = np.concatenate(units)
    owner = np.repeat(np.arange(len(units)), [len(unit) for unit in units])
    apart = owner[:, None] != owner
    return Diversity(
        between_seeds=mean_with_interval(within, seed=seed),
        between_works=float(1.0 - (everything @ everything.T)[apart].mean()),
        works=len(works),
        seeds=len(everything),
    )


def mel_statistics(mel: NDArray[np.floating]) -> NDArray[np.float64]:
    """What a mel-spectrogram is like as a whole: mean above the floor and deviation of each band, float64 [2 bands].

    Args:
        mel: natural-log mels [bands, T] of ``a2m_edge.sound.mel.log_mel``.

    Raises:
        ValueError: there is no frame.
    """
    if mel.ndim != 2 or mel.shape[1] == 0:
        raise ValueError(f"a mel-spectrogram must be [bands, T] with frames, not {mel.shape}")
    above = mel.astype(np.float64) - SILENCE
    return np.concatenate([above.mean(1), above.std(1)])


def nearest_training(
    ours: Sequence[Vectors], held_out: Sequence[Vectors], training: Sequence[Vectors], seed: int = 0
) -> NearestTraining:
    """How near the nearest training clip is, for our soundscapes and for real music that was held out.

    A clip is the mean of its windows' embeddings. Only the difference of both figures tells: an embedding that
    calls all music alike calls everything near.

    Args:
        ours, held_out, training: embeddings of each clip, [windows, D].
        seed: of the intervals' draws (bootstrap over clips).

    Raises:
        DataError: one of the three is empty.
        ValueError: an embedding is zero or not finite.
    """
    if not (ours and held_out and training):
        raise DataError(
            "the nearest training clip needs our clips, held-out clips and training clips: none may be missing"
        )
    known = _units(_clip_means(training))
    figures = [
        mean_with_interval((_units(_clip_means(clips)) @ known.T).max(1), seed=seed) for clips in (ours, held_out)
    ]
    return NearestTraining(figures[0], figures[1], len(ours), len(held_out), len(training))


def _clip_means(clips: Sequence[Vectors]) -> NDArray[np.float64]:
    return np.stack([np.asarray(clip, np.float64).mean(0) for clip in clips])


def _units(vectors: Vectors) -> NDArray[np.float64]:
    """Rows of norm 1."""
    rows = np.asarray(vectors, np.float64)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (np.isfinite(norms).all() and (norms > 0).all()):
        raise ValueError("a vector is zero or not finite: it has no direction to compare")
    return np.asarray(rows / norms)


def _off_diagonal_mean(unit: NDArray[np.float64]) -> float:
    """Mean cosine between different rows."""
    count = len(unit)
    return float(((unit @ unit.T).sum() - count) / (count * (count - 1)))

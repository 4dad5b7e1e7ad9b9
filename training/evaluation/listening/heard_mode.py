"""Major or minor, heard in a transcription and compared with the mode that the composer chose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from training.evaluation.listening.transcription import Onset

MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
"""How well each semitone above the tonic fits a key (Krumhansl & Kessler 1982, Psychological Review 89:334)."""

PERMUTATIONS = 4000


@dataclass(frozen=True)
class HeardMode:
    """The key that fits the heard notes best.

    Attributes:
        mode: ``"major"`` or ``"minor"``.
        tonic: pitch class, 0 for C.
        margin: how much better its correlation is than that of the best key of the other mode, above 0.
    """

    mode: str
    tonic: int
    margin: float


@dataclass(frozen=True)
class ModeAgreement:
    """How often the heard mode is the intended one.

    Attributes:
        n: soundscapes.
        accuracy: share with the intended mode heard; a soundscape without a heard mode counts as wrong.
        chance: the share that pairing at random gives, from how often each mode is heard and intended.
        p: share of random pairings (and the true one) that agree at least as well, (1 + k) / (1 + permutations).
        unheard: soundscapes in which no mode was heard.
    """

    n: int
    accuracy: float
    chance: float
    p: float
    unheard: int


def heard_mode(onsets: Iterable[Onset]) -> HeardMode | None:
    """The mode of a transcription by the correlation of its pitch classes with the profiles of all 24 keys.

    Krumhansl & Schmuckler's algorithm (Krumhansl 1990, Cognitive Foundations of Musical Pitch), each note counted once,
    since a transcription's durations are less sure than its onsets.

    Args:
        onsets: seconds and MIDI pitch of each note, as ``Transcriber.onsets`` gives them.

    Returns:
        None where there is no note, or all notes fit both modes equally (all twelve as often, for example).
    """
    counts = np.bincount([pitch % 12 for _, pitch in onsets], minlength=12).astype(np.float64)
    if counts.max() == counts.min():
        return None
    best = []
    for profile in (MAJOR, MINOR):
        keys = np.stack([np.roll(profile, tonic) for tonic in range(12)])
        fits = [float(np.corrcoef(counts, key)[0, 1]) for key in keys]
        best.append((max(fits), int(np.argmax(fits))))
    (major, major_tonic), (minor, minor_tonic) = best
    if abs(major - minor) < 1e-9:
        return None
    if major > minor:
        return HeardMode("major", major_tonic, major - minor)
    return HeardMode("minor", minor_tonic, minor - major)


def mode_agreement(
    heard: Sequence[HeardMode | None], intended: Sequence[str], permutations: int = PERMUTATIONS, seed: int = 0
) -> ModeAgreement:
    """Compares heard modes with those that the composer chose.

    Args:
        heard: one for each soundscape.
        intended: ``"major"`` or ``"minor"`` for each, as ``Plan.family`` gives it.
        permutations: random pairings.
        seed: of the pairings.

    Raises:
        ValueError: the lists differ in length or are empty, or an intended mode has another name.
    """
    if len(heard) != len(intended) or not intended:
        raise ValueError(f"{len(heard)} heard modes cannot be compared with {len(intended)} intended ones")
    if not set(intended) <= {"major", "minor"}:
        raise ValueError("an intended mode must be major or minor")
    meant = np.array([mode == "major" for mode in intended], np.int64)
    found = np.array([-1 if mode is None else int(mode.mode == "major") for mode in heard])
    right = int((found == meant).sum())
    generator = np.random.default_rng(seed)
    orders = (generator.permutation(meant) for _ in range(permutations))
    exceeded = sum(int((found == order).sum() >= right) for order in orders)
    return ModeAgreement(
        n=len(meant),
        accuracy=right / len(meant),
        chance=float(sum((found == mode).mean() * (meant == mode).mean() for mode in (0, 1))),
        p=(1 + exceeded) / (1 + permutations),
        unheard=int((found < 0).sum()),
    )

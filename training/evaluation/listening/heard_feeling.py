"""Valence and arousal heard in the sound alone, by networks that no training here ever saw.

The scores are sums of z-scored tags. On 12.5 s of music with known labels (EMOPIA, VGMIDI, Emotify; 198 clips) the
AudioSet sums rank arousal with a Spearman correlation of 0.59 to 0.69 and valence with 0.37 to 0.41, the Jamendo sum
ranks valence with 0.31 to 0.33. So even a perfect soundscape is heard as meant only so far.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from a2m_edge import strict_json
from a2m_edge.errors import DataError
from training.evaluation.listening.sound_embedding import OnnxEmbedding
from training.evaluation.listening.sound_entry import EFFICIENTAT, JAMENDO

AUDIOSET_VALENCE = {"Happy music": 1, "Funny music": 1, "Sad music": -1, "Scary music": -1}
AUDIOSET_AROUSAL = {"Exciting music": 1, "Angry music": 1, "Tender music": -1, "Sad music": -1}
JAMENDO_VALENCE = {"happy": 1, "fun": 1, "positive": 1, "upbeat": 1, "sad": -1, "dark": -1, "melancholic": -1}

_AUDIOSET = tuple(dict.fromkeys([*AUDIOSET_VALENCE, *AUDIOSET_AROUSAL]))
_JAMENDO = tuple(JAMENDO_VALENCE)


@dataclass(frozen=True)
class Heard:
    """What both networks hear in one sound: logits, mean over the sound's windows.

    Attributes:
        audioset: of the mood tags in the order of ``AUDIOSET_VALENCE``, then ``AUDIOSET_AROUSAL``, float32 [7].
        jamendo: of the tags of ``JAMENDO_VALENCE``, float32 [7].
    """

    audioset: NDArray[np.float32]
    jamendo: NDArray[np.float32]


@dataclass(frozen=True)
class FeelingReference:
    """Mean and deviation of each tag over a set of sounds: what is heard is counted from there.

    Attributes:
        mean, deviation: float64 [14], AudioSet's tags before Jamendo's.
        n: sounds.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    n: int

    @classmethod
    def of(cls, heard: Sequence[Heard]) -> Self:
        """The reference that a set of sounds makes.

        Raises:
            DataError: there are fewer than two sounds, or they are all heard alike.
        """
        if len(heard) < 2:
            raise DataError(
                f"{len(heard)} sounds make no reference for what is heard: take two at least, better hundreds"
            )
        tags = _tags(heard)
        deviation = tags.std(0)
        if (deviation < 1e-6).any():
            raise DataError("the sounds of the reference are all heard alike: take sounds that differ")
        return cls(tags.mean(0), deviation, len(heard))


class FeelingListener:
    """EfficientAT (AudioSet tags) and MTG-Jamendo's mood network, both from ONNX files.

    Args:
        weights: the folder with ``efficientat_mn04.onnx``, ``efficientat_mn04_class_labels.csv``,
            ``jamendo_moodtheme.onnx`` and ``jamendo_moodtheme_tags.json``.

    Raises:
        DataError: a file is missing or is not what it should be.
    """

    def __init__(self, weights: Path) -> None:
        self._audioset = OnnxEmbedding(weights / "efficientat_mn04.onnx", replace(EFFICIENTAT, output="logits"))
        self._jamendo = OnnxEmbedding(weights / "jamendo_moodtheme.onnx", JAMENDO)
        labels, tags = weights / "efficientat_mn04_class_labels.csv", weights / "jamendo_moodtheme_tags.json"
        self._audioset_tags = _places(_AUDIOSET, _read_labels(labels), self._audioset.size, labels)
        self._jamendo_tags = _places(_JAMENDO, _read_tags(tags), self._jamendo.size, tags)

    def listen(self, samples: NDArray[np.float32], rate: int) -> Heard:
        """Raw scores of a sound; see ``feelings`` for what they mean.

        Args:
            samples: float32 [N, C], in [-1, 1]; half a second at least.
            rate: their sample rate in Hz.

        Raises:
            DataError: the sound is too short, not mono, or holds a sample that is no number.
        """
        return Heard(
            self._audioset(samples, rate).mean(0)[self._audioset_tags],
            self._jamendo(samples, rate).mean(0)[self._jamendo_tags],
        )


def feelings(heard: Sequence[Heard], reference: FeelingReference) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Valence and arousal of each sound by AudioSet's tags, float64 [n] each; 0 is the mean of the reference.

    Valence: Happy + Funny - Sad - Scary; arousal: Exciting + Angry - Tender - Sad; each a z-score in the reference.
    """
    scores = _scores(heard, reference)[:, : len(_AUDIOSET)]
    valence, arousal = (
        scores @ np.array([signs.get(tag, 0) for tag in _AUDIOSET], np.float64)
        for signs in (AUDIOSET_VALENCE, AUDIOSET_AROUSAL)
    )
    return valence, arousal


def second_valence(heard: Sequence[Heard], reference: FeelingReference) -> NDArray[np.float64]:
    """Valence of each sound by Jamendo's tags, a second opinion: float64 [n], 0 is the mean of the reference.

    happy + fun + positive + upbeat - sad - dark - melancholic; each a z-score in the reference.
    """
    signs = np.array([JAMENDO_VALENCE[tag] for tag in _JAMENDO], np.float64)
    return np.asarray(_scores(heard, reference)[:, len(_AUDIOSET) :] @ signs)


def _tags(heard: Sequence[Heard]) -> NDArray[np.float64]:
    return np.stack([np.concatenate([each.audioset, each.jamendo]) for each in heard]).astype(np.float64)


def _scores(heard: Sequence[Heard], reference: FeelingReference) -> NDArray[np.float64]:
    return np.asarray((_tags(heard) - reference.mean) / reference.deviation)


def _places(wanted: Sequence[str], names: Sequence[str], size: int, source: Path) -> list[int]:
    """Where the wanted tags stand among a network's answers."""
    missing = [tag for tag in wanted if tag not in names]
    if missing or len(names) != size:
        raise DataError(
            f"{source} does not belong to its network: it has {len(names)} of {size} names"
            + (f" and lacks {', '.join(missing)}" if missing else "")
            + ": fetch both files again"
        )
    return [names.index(tag) for tag in wanted]


def _read_labels(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            return [row["display_name"] for row in csv.DictReader(lines)]
    except (OSError, KeyError, UnicodeError, csv.Error) as error:
        raise DataError(f"{path} is no table of class names ({error}): fetch it again") from error


def _read_tags(path: Path) -> list[str]:
    try:
        tags = strict_json.parse(path.read_bytes())
    except (OSError, strict_json.StrictJsonError) as error:
        raise DataError(f"{path} is no list of tags ({error}): fetch it again") from error
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise DataError(f"{path} is no list of tags: fetch it again")
    return tags

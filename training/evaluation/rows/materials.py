"""What every row of the evaluation is made of: held-out pairs of painting, utterance and clip, and their feelings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from a2m_edge.bundle.plain_files import utf8_path
from a2m_edge.errors import DataError, OptionError
from a2m_edge.impression.feeling import EMOTION_SIGNS, EMOTIONS, Casting
from a2m_edge.score import Note
from a2m_edge.sound.format import AudioFormat
from training.data.recordings.realised import read_realisation
from training.data.tables.feelings import (
    EMOTION_AROUSAL,
    Picture,
    read_paintings,
    read_table,
    read_utterances,
)

BUILD = "run  a2m-edge data build"


@dataclass(frozen=True)
class Pair:
    """A painting, what somebody said about it, and the clip that was matched to that.

    Attributes:
        number: its place in the held-out set, 0-based.
        painting: key of the painting in ArtEmis.
        picture: the painting's picture in ``paintings.zip``.
        utterance: what one annotator wrote.
        emotion: what that annotator felt, index into ``EMOTIONS``.
        clip: name of the music clip.
        realisation: the clip's ``.npz``; its sound is the ``.flac`` of the same name.
    """

    number: int
    painting: str
    picture: Picture
    utterance: str
    emotion: int
    clip: str
    realisation: Path


@dataclass(frozen=True)
class Recorded:
    """The beginning of a clip.

    Attributes:
        samples: float32 [T * hop, C].
        mel: natural-log mel, float32 [bands, all frames of the clip]: T or more.
        notes: all its notes.
        casting: who plays, and in what room.
        palette: the same as the decoder is told it, float32 [P].
    """

    samples: NDArray[np.float32]
    mel: NDArray[np.float32]
    notes: tuple[Note, ...]
    casting: Casting
    palette: NDArray[np.float32]


@dataclass(frozen=True)
class Intended:
    """What a listener should feel, for each of n pairs.

    Attributes:
        painting: float64 [n, 2], mean valence and arousal of all that ArtEmis' annotators felt about the painting
            (``EMOTION_SIGNS``, ``EMOTION_AROUSAL``), the pair's own utterance among them.
        annotators: int64 [n], how many they were.
        comment: float64 [n, 2], valence and arousal of the emotion that goes with the pair's utterance.
    """

    painting: NDArray[np.float64]
    annotators: NDArray[np.int64]
    comment: NDArray[np.float64]


def read_pairs(data: Path, shared: Path, split: str) -> list[Pair]:
    """The pairs of a split that have a picture and a realised clip, in the order of the table.

    Args:
        data: folder of ``a2m-edge data build``: ``articaps.csv`` and ``realisations``. Where a clip was realised
            more than once, its first file counts.
        shared: folder of ``paintings.csv``.
        split: ``"train"``, ``"val"`` or ``"test"``.

    Raises:
        DataError: a table is missing or damaged, or there is no such pair.
    """
    folder = data / "realisations" / split
    realised: dict[str, Path] = {}
    for file in sorted(folder.glob("*.npz")):
        if file.with_suffix(".flac").is_file():
            realised.setdefault(file.stem.rsplit("_", 1)[0], file)
    paintings = {painting.file: painting for painting in read_paintings(shared)}
    table = data / "articaps.csv"
    if not table.is_file():
        raise DataError(f"there is no table of pairs {table}: {BUILD}")
    try:
        rows = [row for row in read_table(table) if row["split"] == split]
        pairs = [
            Pair(
                number,
                row["painting"],
                paintings[row["picture"]],
                row["utterance"],
                EMOTIONS.index(row["emotion"]),
                row["clip"],
                realised[row["clip"]],
            )
            for number, row in enumerate(row for row in rows if row["picture"] and row["clip"] in realised)
        ]
    except (KeyError, ValueError) as error:
        raise DataError(f"{table} is not a table of pairs ({error}): {BUILD}") from error
    if not pairs:
        raise DataError(f"no pair of {table} has a picture and a clip in {folder}: {BUILD}")
    return pairs


def held_out_pairs(pairs: Sequence[Pair], count: int, seed: int = 0) -> list[Pair]:
    """``count`` of the pairs, drawn so that no painting and no clip comes again while others are left.

    Raises:
        DataError: there are not so many.
        OptionError: ``count`` is below 2, so that no pair could have the conditions of another.
    """
    if count < 2:
        raise OptionError(f"at least 2 pairs are needed to evaluate a bundle, not {count}")
    if count > len(pairs):
        raise DataError(f"there are {len(pairs)} held-out pairs with a picture and a clip, {count} are needed: {BUILD}")
    left = [pairs[index] for index in np.random.default_rng([11, seed]).permutation(len(pairs))]
    paintings: Counter[str] = Counter()
    clips: Counter[str] = Counter()
    chosen: list[Pair] = []
    often = 1
    while len(chosen) < count:
        over = []
        for pair in left:
            if len(chosen) < count and paintings[pair.painting] < often and clips[pair.clip] < often:
                chosen.append(replace(pair, number=len(chosen)))
                paintings[pair.painting] += 1
                clips[pair.clip] += 1
            else:
                over.append(pair)
        left, often = over, often + 1
    return chosen


def partners(pairs: Sequence[Pair], seed: int = 0) -> list[Pair]:
    """Another pair for each, every one once, none of the same painting.

    Raises:
        DataError: the pairs show too few different paintings.
    """
    places: dict[str, list[int]] = {}
    for place in np.random.default_rng([12, seed]).permutation(len(pairs)):
        places.setdefault(pairs[place].painting, []).append(int(place))
    # Painting after painting in a circle: who looks as far on as the longest stretch looks at another painting.
    circle = [place for group in places.values() for place in group]
    longest = max(len(group) for group in places.values())
    if 2 * longest > len(pairs):
        raise DataError("half of the pairs show the same painting: take more, to exchange their conditions")
    other = {place: circle[(at + longest) % len(circle)] for at, place in enumerate(circle)}
    return [pairs[other[place]] for place in range(len(pairs))]


def recorded(realisation: Path, audio: AudioFormat, frames: int) -> Recorded:
    """The beginning of a clip, ``frames`` long, in a format.

    Raises:
        DataError: it is damaged, too short, or of another format.
    """
    stored = read_realisation(realisation)
    file = realisation.with_suffix(".flac")
    try:
        with utf8_path(file) as name:
            samples, rate = soundfile.read(name, frames * audio.hop, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise DataError(f"the recording {file} cannot be read ({error}): delete it and {BUILD}  again") from error
    same = (rate, samples.shape[1]) == (audio.sample_rate, audio.channels)
    if not same or stored.mel.ndim != 2 or stored.mel.shape[0] != audio.mel_bands:
        raise DataError(f"{file} is of another format than the bundle, whose sound has {audio}: build data of it")
    if len(samples) < frames * audio.hop or stored.mel.shape[1] < frames:
        raise DataError(f"{file} is shorter than {audio.seconds(frames):.1f} s: evaluate fewer seconds")
    return Recorded(
        samples,
        stored.mel.astype(np.float32),
        stored.notes,
        casting_of(stored.casting),
        stored.casting,
    )


def casting_of(palette: NDArray[np.float32], roles: int = 4) -> Casting:
    """The reverse of ``Casting.vector``: float32 [roles * instruments + 1]."""
    players = palette[:-1].reshape(roles, -1).argmax(1)
    return Casting(tuple(int(player) for player in players), float(palette[-1]))


def mean_mel(realisations: Sequence[Path], audio: AudioFormat, frames: int) -> NDArray[np.float32]:
    """The mean of the clips' log-mels, frame by frame from their beginning: float32 [bands, frames].

    Among all mels it has the least squared error when nothing is known of the clip.

    Raises:
        DataError: a file is damaged, or no clip is as long.
    """
    total = np.zeros((audio.mel_bands, frames))
    count = 0
    for file in realisations:
        mel = read_realisation(file).mel
        if mel.ndim == 2 and mel.shape[0] == audio.mel_bands and mel.shape[1] >= frames:
            total += mel[:, :frames]
            count += 1
    if not count:
        raise DataError(f"none of {len(realisations)} training clips is {audio.seconds(frames):.1f} s long: {BUILD}")
    return (total / count).astype(np.float32)


def intended(pairs: Sequence[Pair], shared: Path) -> Intended:
    """What listeners to the pairs' music should feel.

    Raises:
        DataError: ``artemis.csv`` in ``shared`` is missing, or does not know a painting of the pairs.
    """
    wanted = {pair.painting for pair in pairs}
    felt: dict[str, list[int]] = {painting: [] for painting in wanted}
    for utterance in read_utterances(shared):
        if utterance.painting in wanted:
            felt[utterance.painting].append(utterance.emotion)
    for painting, emotions in felt.items():
        if not emotions:
            raise DataError(f"{shared / 'artemis.csv'} does not know {painting}: {BUILD}  again from these tables")
    plane = np.stack([EMOTION_SIGNS, EMOTION_AROUSAL], 1).astype(np.float64)
    return Intended(
        np.array([plane[felt[pair.painting]].mean(0) for pair in pairs]),
        np.array([len(felt[pair.painting]) for pair in pairs]),
        plane[[pair.emotion for pair in pairs]],
    )

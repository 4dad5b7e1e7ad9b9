"""Notes, beats, bars, and the frames in which a mel decoder hears them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from a2m_edge.impression.gaze import Region


@dataclass(frozen=True, order=True)
class Note:
    """One sounding note.

    Attributes:
        start: seconds from the beginning of the stream.
        seconds: duration until the key is released, > 0.
        pitch: MIDI pitch number.
        velocity: loudness, in (0, 1].
        role: index into ``a2m_edge.impression.feeling.ROLES``.
    """

    start: float
    seconds: float
    pitch: int
    velocity: float
    role: int

    @property
    def end(self) -> float:
        """Seconds from the beginning of the stream at which the key is released."""
        return self.start + self.seconds


@dataclass(frozen=True)
class Beat:
    """One beat of the music: the unit in which the composer works and can be steered.

    Attributes:
        bar: number of its bar from the beginning, 0-based.
        number: its place in the bar, 0-based.
        start, seconds: when it begins and how long it lasts.
        tonic: pitch class of the key, 0 (C) to 11 (B).
        mode: name of the mode, for example ``"ionian"``.
        chord: the harmony in words, for example ``"IV"`` or ``"vi7"``.
        section: letter of the section it belongs to.
        notes: the notes that begin in this beat; they may last beyond it.
        region: of the picture, on which the music dwells; None where it is of the whole.
    """

    bar: int
    number: int
    start: float
    seconds: float
    tonic: int
    mode: str
    chord: str
    section: str
    notes: tuple[Note, ...]
    region: Region | None = None

    @property
    def tempo(self) -> float:
        """Beats per minute."""
        return 60.0 / self.seconds


@dataclass(frozen=True)
class Bar:
    """The beats of one bar, in order."""

    beats: tuple[Beat, ...]

    @property
    def notes(self) -> tuple[Note, ...]:
        """All notes that begin in this bar."""
        return tuple(note for beat in self.beats for note in beat.notes)


@dataclass(frozen=True)
class Stretch:
    """A stretch of time in which the music looks at one place.

    Attributes:
        start, end: seconds from the beginning of the stream.
        region: of the picture, on which it dwells; None where it is of the whole.
    """

    start: float
    end: float
    region: Region | None


def stretches(beats: Iterable[Beat], seconds: float) -> list[Stretch]:
    """Where the music looks, from the first beat to ``seconds``, in order; no two neighbours look at the same place."""
    found: list[Stretch] = []
    for beat in beats:
        end = min(beat.start + beat.seconds, seconds)
        if beat.start >= seconds:
            break
        if found and found[-1].region == beat.region:
            found[-1] = Stretch(found[-1].start, end, beat.region)
        else:
            found.append(Stretch(beat.start, end, beat.region))
    return found


def regions(stretches: Iterable[Stretch]) -> list[Region]:
    """The regions on which the music dwells, each once, in the order in which it comes to them."""
    return list(dict.fromkeys(each.region for each in stretches if each.region is not None))


@dataclass
class Score:
    """Music as far as it has been composed."""

    beats: list[Beat] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Where the last beat ends."""
        return self.beats[-1].start + self.beats[-1].seconds if self.beats else 0.0

    @property
    def notes(self) -> list[Note]:
        """All notes in order of their start."""
        return sorted(note for beat in self.beats for note in beat.notes)

    def bars(self) -> Iterator[Bar]:
        """The beats grouped by their bar."""
        group: list[Beat] = []
        for beat in self.beats:
            if group and beat.bar != group[0].bar:
                yield Bar(tuple(group))
                group = []
            group.append(beat)
        if group:
            yield Bar(tuple(group))


@dataclass(frozen=True)
class ScoreLayout:
    """How notes become features, fixed when a decoder is trained.

    A frame holds for each role two values a key: ``sounding``, the velocity while the key is held, and ``onset``,
    the velocity decaying from the attack by ``exp(-age / onset_decay)`` while the key is held. The trace gives
    every frame the age of its notes, so that a decoder needs little context to continue a long note.

    Attributes:
        roles: number of roles.
        lowest_pitch: MIDI pitch number of the first key.
        keys: number of keys.
        onset_decay: time constant of the onset trace in seconds.
    """

    roles: int = 4
    lowest_pitch: int = 21
    keys: int = 88
    onset_decay: float = 0.5

    @property
    def features(self) -> int:
        """Values in one frame: roles x (sounding, onset) x keys."""
        return self.roles * 2 * self.keys

    def frames(self, notes: Iterable[Note], first: int, count: int, frame_rate: float) -> NDArray[np.float32]:
        """The score frames ``first`` to ``first + count``.

        A note holds the frames from its rounded start to its rounded end, at least one. Each frame depends on
        the notes alone, never on where a window begins: windows joined together equal the whole.

        Args:
            notes: every note that sounds in these frames, in any order; others are passed over. Where two notes
                of a role hold the same key in the same frame, the later attack wins.
            first: number of the first frame; frames before the stream's beginning are empty.
            count: number of frames, T.
            frame_rate: frames per second.

        Returns:
            float32 [T, F] with F = ``features``, ordered role, (sounding, onset), key.

        Raises:
            ValueError: a note's pitch or role is outside the layout.
        """
        frames = np.zeros((count, self.roles, 2, self.keys), np.float32)
        for note in sorted(notes):
            attack = round(note.start * frame_rate)
            release = max(attack + 1, round(note.end * frame_rate))
            begin, end = max(attack, first), min(release, first + count)
            if begin >= end:
                continue
            key = note.pitch - self.lowest_pitch
            if not (0 <= key < self.keys and 0 <= note.role < self.roles):
                raise ValueError(f"{note} is outside {self}")
            age = (np.arange(begin, end) - attack) / frame_rate
            held = frames[begin - first : end - first, note.role, :, key]
            held[:, 0] = note.velocity
            held[:, 1] = note.velocity * np.exp(-age / self.onset_decay)
        return frames.reshape(count, self.features)

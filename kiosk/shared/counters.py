"""Numbers that all processes of the kiosk can read: what was done, and what the staff wants.

Each number lies in shared memory, has one writer, and fits one machine word: no lock is needed, so a process that is
killed can leave none behind.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from multiprocessing.sharedctypes import RawValue


class Counter:
    """A number that only grows. Only one process may add to it; every process may read it."""

    def __init__(self) -> None:
        self._cell = RawValue("Q", 0)

    @property
    def value(self) -> int:
        """The number now."""
        return int(self._cell.value)

    def add(self, count: int = 1) -> None:
        """Adds ``count``, which is not negative."""
        self._cell.value += count


@dataclass(frozen=True)
class Progress:
    """How far each process has come since the kiosk started; a restarted process goes on counting.

    Attributes:
        frames_captured: frames that the camera gave (written by the camera process).
        frames_looked: those among them that were looked at, a few a second (camera).
        blind_frames: those among these in which there was nothing, as behind a cap (camera).
        artworks_seen: artworks that were sent on (camera).
        chunks_made: chunks of sound that were written into the ring (music).
        pictures_felt, comments_felt: pictures and comments that changed the feeling (music).
        comments_missed: comments that were not understood (music).
        samples_played: samples that were played, the bed's and silent ones too (speaker).
        bed_samples: those among them that were the bed's (speaker).
        underruns: how often live sound was late (speaker).
        missing_samples: samples of live sound that were not there in time (speaker).
        web_turns: turns of the web server's event loop, a few a second (web).
    """

    frames_captured: Counter = field(default_factory=Counter)
    frames_looked: Counter = field(default_factory=Counter)
    blind_frames: Counter = field(default_factory=Counter)
    artworks_seen: Counter = field(default_factory=Counter)
    chunks_made: Counter = field(default_factory=Counter)
    pictures_felt: Counter = field(default_factory=Counter)
    comments_felt: Counter = field(default_factory=Counter)
    comments_missed: Counter = field(default_factory=Counter)
    samples_played: Counter = field(default_factory=Counter)
    bed_samples: Counter = field(default_factory=Counter)
    underruns: Counter = field(default_factory=Counter)
    missing_samples: Counter = field(default_factory=Counter)
    web_turns: Counter = field(default_factory=Counter)


class Controls:
    """What the staff wants. The supervisor alone writes; every process reads.

    Args:
        volume: at the start, in [0, 1].
    """

    def __init__(self, volume: float = 1.0) -> None:
        self._volume = RawValue("d", volume)
        self._muted = RawValue("b", 0)
        self._paused = RawValue("b", 0)
        self._held = RawValue("b", 0)
        self._stopping = RawValue("b", 0)

    @property
    def volume(self) -> float:
        """Loudness in [0, 1], a factor on the samples."""
        return float(self._volume.value)

    @volume.setter
    def volume(self, value: float) -> None:
        self._volume.value = value

    @property
    def muted(self) -> bool:
        """Whether the room is silent while the music goes on."""
        return bool(self._muted.value)

    @muted.setter
    def muted(self, value: bool) -> None:
        self._muted.value = value

    @property
    def paused(self) -> bool:
        """Whether the exhibit rests: the room is silent and the music waits where it is."""
        return bool(self._paused.value)

    @paused.setter
    def paused(self, value: bool) -> None:
        self._paused.value = value

    @property
    def held(self) -> bool:
        """Whether the artwork that was seen last stays, whatever the camera sees."""
        return bool(self._held.value)

    @held.setter
    def held(self, value: bool) -> None:
        self._held.value = value

    @property
    def stopping(self) -> bool:
        """Whether every process should end now: the speaker fades out first."""
        return bool(self._stopping.value)

    @stopping.setter
    def stopping(self, value: bool) -> None:
        self._stopping.value = value

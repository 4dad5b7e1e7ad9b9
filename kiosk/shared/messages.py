"""What the processes of the kiosk say to each other.

Pictures and comments travel in these messages and nowhere else: their ``repr`` leaves both out, so that no log line
and no error report can hold them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from a2m_edge.explanation import causes

Corner = tuple[float, float]
"""A point of the camera's frame: x and y, each from 0 (left, top) to 1 (right, bottom)."""

Outline = tuple[Corner, Corner, Corner, Corner]
"""A quadrilateral, clockwise from its upper left corner as the picture hangs."""

Box = tuple[float, float, float, float]
"""A rectangle of the artwork: left, top, width and height, in shares of its width and height."""

Cause = Literal["start", "picture", "comment"]
"""What a feeling came from."""

Sounding = Literal["live", "bed", "silence"]
"""What the room hears: live sound, the bundle's bed, or silence, as while its loudspeaker is lost or muted; where only
the pages play, what they hear."""

PartName = Literal["camera", "engine", "speaker", "web"]
"""The processes that the supervisor starts and watches, by the names that options, logs and metrics show: ``engine`` is
the music process."""


@dataclass(frozen=True, eq=False)
class See:
    """To the music process: look at this artwork.

    Attributes:
        picture: upright RGB, uint8 [H, W, 3].
    """

    picture: NDArray[np.uint8] = field(repr=False)


@dataclass(frozen=True)
class Hear:
    """To the music process: a visitor said this.

    Attributes:
        comment: cleaned text.
        received: ``time.monotonic()`` when the server had it (s).
    """

    comment: str = field(repr=False)
    received: float


@dataclass(frozen=True)
class Forget:
    """To the music process: the comment has had its time, let the artwork speak alone again."""


@dataclass(frozen=True)
class Felt:
    """From the music process: what is felt now, and from where on it is heard.

    Attributes:
        word: the likeliest emotion.
        valence, arousal: in [-1, 1].
        emotions: probabilities, in the order of the bundle's emotions.
        instruments: the names of those that play, lowest role first; empty where the bundle plays no score.
        mode: for example ``"minor"``; None where the bundle plays no score.
        tempo: beats a minute; None where the bundle plays no score.
        cause: what changed it.
        received: of the comment (see ``Hear``); None for another cause.
        understood: false after a comment that was not understood, so that the artwork is in charge.
        little: whether there is little to see in the artwork.
        changed_sample: position in the ring of the music of the first sample that differs; None before it is written.
        timings: milliseconds by stage.
        why: the causes of the music, strongest first; empty where it follows neither an artwork nor a visitor.
    """

    word: str
    valence: float
    arousal: float
    emotions: tuple[float, ...]
    instruments: tuple[str, ...]
    mode: str | None
    tempo: float | None
    cause: Cause
    received: float | None = None
    understood: bool = True
    little: bool = False
    changed_sample: int | None = None
    timings: dict[str, float] = field(default_factory=dict)
    why: tuple[causes.Cause, ...] = ()


@dataclass(frozen=True)
class Looking:
    """From the music process: where in the picture the music looks.

    Attributes:
        region: left, top, width and height in shares of the picture; None where the music is of the whole.
        heard: ``time.monotonic()`` at which the first sample of it is played.
    """

    region: Box | None
    heard: float


@dataclass(frozen=True, eq=False)
class ArtworkSeen:
    """From the camera: a work that is sharp, still, and not the one before.

    Attributes:
        picture: straightened, upright RGB, uint8 [H, W, 3].
        outline: where it hangs in the camera's frame; None where no outline was found.
        quality: how sure the finder is, in [0, 1].
    """

    picture: NDArray[np.uint8] = field(repr=False)
    outline: Outline | None
    quality: float


@dataclass(frozen=True, eq=False)
class LiveView:
    """From the camera, a few times a second: what it sees now. Only the newest is ever kept.

    Attributes:
        jpeg: the reduced frame.
        outline: the outline found in it, or None.
        state: one short sentence for the staff, for example ``"a visitor stands in front: the last work is held"``.
    """

    jpeg: bytes = field(repr=False)
    outline: Outline | None
    state: str


@dataclass(frozen=True)
class CameraState:
    """From the camera, whenever it changes.

    Attributes:
        device: which camera is used, without a password that its address may hold.
        ok: whether frames arrive and hold something.
        sentence: for the staff: what is so, or what to do.
    """

    device: str
    ok: bool
    sentence: str


@dataclass(frozen=True)
class SpeakerState:
    """From the speaker, whenever it changes.

    Attributes:
        device: name of the sound device, ``"none"`` for a web-only exhibit.
        ok: whether sound leaves it.
        sentence: for the staff: what is so, or what to do.
        source: what the room hears.
        latency: seconds from a sample's reading to its sounding, as the sound system states it.
    """

    device: str
    ok: bool
    sentence: str
    source: Sounding = "silence"
    latency: float = 0.0


@dataclass(frozen=True)
class MusicState:
    """From the music process, whenever it changes.

    Attributes:
        provider: where the graphs really run, for example ``"CPUExecutionProvider"``.
        ok: whether it makes sound.
        sentence: for the staff: what is so, or what to do.
    """

    provider: str
    ok: bool
    sentence: str


@dataclass(frozen=True)
class PartState:
    """To the pages: one process, as the staff sees it.

    Attributes:
        name: which process.
        device: the camera, the provider, or the sound device that is really used; empty before it is known.
        ok: whether it does its work.
        sentence: what is so, or what to do.
        restarts: how often it was replaced since the exhibit started.
        running: whether there is such a process that has begun to work; it may still be hindered.
    """

    name: PartName
    device: str
    ok: bool
    sentence: str
    restarts: int = 0
    running: bool = True


@dataclass(frozen=True)
class Health:
    """To the pages, whenever it changes: how all parts are.

    Attributes:
        parts: the processes, in a steady order.
        sounding: what the room hears now.
    """

    parts: tuple[PartState, ...]
    sounding: Sounding


@dataclass(frozen=True, eq=False)
class Shown:
    """To the pages: the artwork that the sound now follows.

    Attributes:
        number: one more with each artwork, from 1.
        picture: upright RGB, uint8 [H, W, 3].
    """

    number: int
    picture: NDArray[np.uint8] = field(repr=False)


@dataclass(frozen=True)
class Steer:
    """From the pages: the staff sets what is not None; see ``kiosk.shared.counters.Controls``."""

    volume: float | None = None
    muted: bool | None = None
    paused: bool | None = None
    held: bool | None = None


@dataclass(frozen=True)
class Calibrated:
    """From the pages: the region has been stored anew."""


@dataclass(frozen=True)
class Restart:
    """From the pages: the staff wants this process replaced."""

    part: PartName

"""The interface between the web server and the rest of the exhibit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from a2m_edge.sound.format import AudioFormat
from kiosk.shared.messages import Box, Felt, LiveView, Outline, PartName, PartState, Sounding, Steer


@dataclass(frozen=True)
class ControlState:
    """What the staff has set.

    Attributes:
        volume: in [0, 1].
        muted: the room is silent while the music continues.
        paused: no music is made or played.
        held: the current artwork is kept, whatever the camera sees.
    """

    volume: float = 1.0
    muted: bool = False
    paused: bool = False
    held: bool = False


@dataclass(frozen=True)
class ExhibitState:
    """What the pages show, at one moment; it holds neither pictures nor comments.

    Attributes:
        healthy: whether every process works.
        sounding: what the room hears: live sound, the bundle's bed, or silence.
        felt: the current feeling; None before the first one.
        artwork: number of the current artwork, counted from 1; 0 before the first one.
        look: the region of the artwork on which the music dwells that is heard now; None where it is of the whole.
        parts: the processes, always in the same order.
        controls: what the staff has set.
        region: the calibrated region, or None.
        counters: counters that only grow, by name (``snake_case``), for ``/metrics`` and the staff page.
        timings: the latest measured milliseconds by stage.
    """

    healthy: bool
    sounding: Sounding
    felt: Felt | None
    artwork: int
    parts: tuple[PartState, ...]
    controls: ControlState
    region: Outline | None = None
    look: Box | None = None
    counters: Mapping[str, int] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)


class Exhibit(Protocol):
    """What the web server needs from the rest of the exhibit.

    Every member is called from the web server's event loop, so it returns at once and never waits for a process.
    """

    @property
    def audio(self) -> AudioFormat:
        """The format of the sound that is played."""

    @property
    def comment_language(self) -> str:
        """The language that the bundle understands best (BCP 47)."""

    @property
    def played_ring(self) -> str:
        """Name of the ring in shared memory that gets a copy of everything played."""

    def state(self) -> ExhibitState:
        """The current state; called about twenty times a second."""

    def artwork(self) -> bytes | None:
        """The current artwork as a straightened JPEG, its longer side at most 1600 pixels; None before the first."""

    def live_view(self) -> LiveView | None:
        """The newest camera frame, for the staff only; None if there is none."""

    def hear(self, text: str, visitor: str) -> float:
        """Cleans a visitor's comment and sends it to the music process.

        Args:
            text: as received, of any length and content.
            visitor: a key that identifies the visitor, for the limits in ``kiosk.web.access.rates``.

        Returns:
            ``time.monotonic()`` of its receipt; ``Felt.received`` of the resulting feeling has the same value.

        Raises:
            CommentError: it has no visible characters, or is too long.
            TooOftenError: this visitor, or all visitors together, sent too many comments.
            DeviceError: the exhibit is paused, or its music process is not running.
        """

    def control(self, wanted: Steer) -> None:
        """Changes the controls that are not None; see ``ControlState``."""

    def set_region(self, region: Outline | None) -> None:
        """Stores the region in which the artwork hangs; None forgets it.

        Raises:
            OptionError: the region is not a convex quadrilateral.
            OutputError: it cannot be stored.
        """

    def restart(self, part: PartName) -> None:
        """Replaces a process by a new one."""

"""What the pages need from the exhibit: the web server's only door to everything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from a2m_edge.sound.format import AudioFormat
from kiosk.shared.messages import Felt, LiveView, Outline, PartName, PartState, Sounding


@dataclass(frozen=True)
class ControlState:
    """What the staff has set.

    Attributes:
        volume: in [0, 1].
        muted: the room is silent, the music goes on.
        paused: the exhibit rests.
        held: the artwork that was seen last stays.
    """

    volume: float = 1.0
    muted: bool = False
    paused: bool = False
    held: bool = False


@dataclass(frozen=True)
class ExhibitState:
    """All that the pages show, at one moment. No picture and no comment is in it.

    Attributes:
        healthy: whether every part does its work.
        sounding: what is played now: live sound, the bundle's bed, or silence.
        felt: what is felt now, None before the first feeling.
        artwork: number of the artwork that was seen last, one more with each; 0 before the first.
        parts: the processes, in a steady order.
        controls: what the staff has set.
        region: the calibrated region, None where there is none.
        counters: numbers that only grow, by name (``snake_case``), for ``/metrics`` and the staff page.
        timings: milliseconds by stage, the newest that were measured.
    """

    healthy: bool
    sounding: Sounding
    felt: Felt | None
    artwork: int
    parts: tuple[PartState, ...]
    controls: ControlState
    region: Outline | None = None
    counters: Mapping[str, int] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)


class Exhibit(Protocol):
    """What the pages are given of the rest of the exhibit.

    Every member is called from the web server's event loop: it answers at once and never waits for a process.
    """

    @property
    def audio(self) -> AudioFormat:
        """The format of the sound that is played."""

    @property
    def comment_language(self) -> str:
        """The language that the bundle understands best (ISO 639-1)."""

    @property
    def played_ring(self) -> str:
        """Name of the ring in shared memory into which everything goes that is played."""

    def state(self) -> ExhibitState:
        """What is so now. The server asks some twenty times a second."""

    def artwork(self) -> bytes | None:
        """The artwork that was seen last as a JPEG, straightened and at most 1600 pixels on its longer side."""

    def live_view(self) -> LiveView | None:
        """What the camera sees, for the staff alone."""

    def hear(self, text: str, visitor: str) -> float:
        """Takes what a visitor wrote, as it came, cleans it and gives it to the music process.

        Args:
            text: of any length and content.
            visitor: tells visitors apart for ``kiosk.web.access.rates``.

        Returns:
            ``time.monotonic()`` at which it was taken, as in ``Felt.received`` of the feeling that comes from it.

        Raises:
            CommentError: there is nothing to see in it, or it is too long.
            TooOftenError: this visitor, or the whole room, must wait a little.
            DeviceError: nobody listens now: the exhibit rests, or its music process is being replaced.
        """

    def control(
        self,
        *,
        volume: float | None = None,
        muted: bool | None = None,
        paused: bool | None = None,
        held: bool | None = None,
    ) -> None:
        """Sets what is not None; see ``ControlState``."""

    def set_region(self, region: Outline | None) -> None:
        """Stores the region in which the artwork hangs; None forgets it.

        Raises:
            OptionError: it is no quadrilateral.
            OutputError: it cannot be stored.
        """

    def restart(self, part: PartName) -> None:
        """Replaces a process by a new one."""

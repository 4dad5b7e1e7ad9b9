"""The web process's view of the exhibit, through its channels to and from the supervisor."""

from __future__ import annotations

import time
from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import DeviceError
from kiosk.shared.calibration import write_region
from kiosk.shared.links import WebLinks
from kiosk.shared.messages import (
    Box,
    Calibrated,
    Felt,
    Health,
    Hear,
    LiveView,
    Looking,
    Outline,
    PartName,
    Restart,
    Shown,
    Steer,
)
from kiosk.shared.settings import WebSettings
from kiosk.web.exhibit.comments import CommentDesk
from kiosk.web.exhibit.exhibit import ControlState, ExhibitState

_LONGEST_SIDE = 1600
_JPEG_QUALITY = 85


class LinkedExhibit:
    """Implements ``kiosk.web.exhibit.exhibit.Exhibit`` from the messages that the supervisor has sent so far.

    Args:
        settings: limits on how often visitors may comment.
        links: the web process's channels, counters and controls.
    """

    def __init__(self, settings: WebSettings, links: WebLinks) -> None:
        self.audio = links.audio
        self.comment_language = links.comment_language
        self.played_ring = links.played_ring
        self._links = links
        self._desk = CommentDesk(settings)
        self._health = Health((), "silence")
        self._felt: Felt | None = None
        self._timings: dict[str, float] = {}
        self._shown: Shown | None = None
        self._jpeg: bytes | None = None
        self._view: LiveView | None = None
        self._look: Box | None = None
        self._turns: deque[Looking] = deque()  # which are not heard yet
        self._region = links.region

    @property
    def ended(self) -> bool:
        """Whether the server should end: the exhibit is stopping, or its supervisor no longer runs."""
        return self._links.controls.stopping or self._links.inbox.closed

    def state(self) -> ExhibitState:
        """The current state."""
        self._take_news()
        controls, progress = self._links.controls, self._links.progress
        counters = {name: counter.value for name, counter in vars(progress).items() if name != "web_turns"}
        return ExhibitState(
            healthy=bool(self._health.parts) and all(part.ok for part in self._health.parts),
            sounding=self._health.sounding,
            felt=self._felt,
            artwork=0 if self._shown is None else self._shown.number,
            parts=self._health.parts,
            controls=ControlState(controls.volume, controls.muted, controls.paused, controls.held),
            region=self._region,
            look=self._look,
            counters=counters,
            timings=self._timings,
        )

    def artwork(self) -> bytes | None:
        """The current artwork as a JPEG, its longer side at most 1600 pixels; None before the first one."""
        self._take_news()
        if self._jpeg is None and self._shown is not None:
            self._jpeg = _jpeg(self._shown.picture)
        return self._jpeg

    def live_view(self) -> LiveView | None:
        """The newest camera frame, for the staff only; None if there is none."""
        self._take_news()
        return self._view

    def hear(self, text: str, visitor: str) -> float:
        """Sends a comment to the music process; see ``kiosk.web.exhibit.exhibit.Exhibit.hear``."""
        received = time.monotonic()
        self._take_news()
        if self._links.controls.paused:
            raise DeviceError("the exhibit rests: try again later")
        if not any(part.running for part in self._health.parts if part.name == "engine"):
            raise DeviceError("nobody listens at this moment: try again in a few seconds")
        self._links.outbox.put(Hear(self._desk.take(text, visitor), received))
        return received

    def control(self, wanted: Steer) -> None:
        """Changes the controls that are not None."""
        self._links.outbox.put(wanted)

    def set_region(self, region: Outline | None) -> None:
        """Stores the region in which the artwork hangs; None forgets it.

        Raises:
            OptionError: the region is not a convex quadrilateral.
            OutputError: it cannot be stored.
        """
        write_region(self._links.calibration, region, self._links.rotate)
        self._region = region
        self._links.outbox.put(Calibrated())

    def restart(self, part: PartName) -> None:
        """Replaces a process by a new one."""
        self._links.outbox.put(Restart(part))

    def _take_news(self) -> None:
        while (news := self._links.inbox.get(0)) is not None:
            match news:
                case Health():
                    self._health = news
                case Felt():
                    self._felt = news
                    self._timings |= news.timings
                case Shown():
                    self._shown, self._jpeg = news, None
                    self._look = None  # which was of the work before
                    self._turns.clear()
                case Looking():
                    self._turns.append(news)
                case LiveView():
                    self._view = news
        while self._turns and self._turns[0].heard <= time.monotonic():
            self._look = self._turns.popleft().region


def _jpeg(picture: NDArray[np.uint8]) -> bytes | None:
    scale = _LONGEST_SIDE / max(picture.shape[:2])
    if scale < 1.0:
        picture = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return data.tobytes() if done else None

"""Deciding when the camera sees another artwork: it must be sharp, still, and not the one before.

A work that is held is looked for in its own place first. While enough of it is seen there, nothing changes, whoever
stands before it. Where too little of it is seen, only a whole quadrilateral without a gap in its sides can replace it,
and only after it has not moved for a while: visitors hide a part of every outline they stand before, and they sway.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.camera.artwork import CENTRE, Finding, find_artwork, overlap, straighten
from kiosk.camera.fingerprint import Fingerprint, likeness, take_fingerprint
from kiosk.shared.messages import ArtworkSeen, Outline
from kiosk.shared.settings import CameraSettings

RECOGNISED = 0.6
"""Likeness from which on a work is seen as a whole; between it and ``1 - settings.difference`` it is partly hidden."""

UNCHANGED = 0.9
"""Likeness from which on the held work is remembered as it looks now: daylight changes slowly."""

LARGEST_GAP = 0.12
"""Share of a side that may lack an edge while nobody stands before the work."""

SEARCH_PAUSE = 0.25
"""Seconds between two searches while something is new."""

PATROL = 2.0
"""Seconds between two searches while the held work is seen: a larger one may have been hidden when it was chosen."""

DOUBT = 6.0
"""Seconds for which a whole outline must be still in the held work's place when its inside is only partly new."""

ELSEWHERE = 10.0
"""Seconds for which a work in another place, or a larger one, must be still."""

UNFRAMED = 3.0
"""Seconds without any convincing outline after which the region, or the centre, is taken for the artwork."""

LEAST_DETAIL = 0.12
"""Share of an artwork's parts that hold something: a bare wall, a patch of sun and a covered lens have none."""

_LARGER = 1.5  # times the area of the held work
_SAME_PLACE = 0.3  # overlap of two outlines
_STEADY = 0.8  # overlap of an outline with that of the search before
_MISSES = 2  # searches in a row that may miss an unmoved candidate which is likely: noise moves outlines now and then
_BORDERS = (1.0, 0.96, 1.04, 0.92, 1.08, 0.88, 1.12, 0.84, 1.16)  # sizes of an outline with and without its frame
_BLOCK = 8  # pixels of a motion block
_VIEW = 480  # pixels: longest side of the frame in which motion is looked for
_SHARPNESS_SIDE = 256


@dataclass(frozen=True)
class Sight:
    """What one frame showed.

    Attributes:
        outline: of the work that is held or watched, or None.
        state: one short sentence for the staff.
        seen: a work that is to be sent on, or None.
    """

    outline: Outline | None
    state: str
    seen: ArtworkSeen | None = None


@dataclass(frozen=True)
class _Held:
    """The work that was sent last."""

    outline: Outline
    framed: bool
    fingerprint: Fingerprint
    refreshed: float


@dataclass(frozen=True)
class _Candidate:
    """What may be a new work, or the held one ``again`` elsewhere: unmoved ``since`` it looked like ``anchor``."""

    outline: Outline
    framed: bool
    fingerprint: Fingerprint
    since: float
    anchor: NDArray[np.float32]
    quality: float
    again: bool
    missed: int = 0  # searches in a row that found something else, or nothing


class Watch:
    """Watches the frames of one camera.

    Args:
        settings: of the camera.
    """

    def __init__(self, settings: CameraSettings) -> None:
        self._settings = settings
        self._held: _Held | None = None
        self._candidate: _Candidate | None = None
        self._searched = -np.inf
        self._found_nothing_since: float | None = None

    def look(self, frame: NDArray[np.uint8], now: float, hold: bool = False) -> Sight:
        """Looks at a frame.

        Args:
            frame: RGB uint8 [H, W, 3].
            now: seconds on any clock that only goes forward.
            hold: whether the last work stays whatever is seen.
        """
        known = 0.0
        if self._held is not None:
            current = take_fingerprint(frame, self._held.outline)
            known = likeness(self._held.fingerprint, current)
            if known >= UNCHANGED and now - self._held.refreshed >= ELSEWHERE:
                self._held = replace(self._held, fingerprint=current, refreshed=now)
        recognised = known >= RECOGNISED
        if now - self._searched >= (PATROL if recognised and self._candidate is None else SEARCH_PAUSE):
            self._searched = now
            self._candidate = self._follow(self._propose(frame, now), frame, now, known)
        candidate = self._candidate
        if candidate is None:
            return self._unmoved(known)
        needed = self._patience(candidate, known)
        if needed is None:
            self._candidate = None
            return self._unmoved(known)
        if now - candidate.since < needed:
            if recognised:
                return self._unmoved(known)
            return Sight(candidate.outline, "something new is seen: it must be still for a moment")
        picture = straighten(frame, candidate.outline)
        if sharpness(picture) < self._settings.sharpness:
            return Sight(candidate.outline, "the picture is not sharp: focus or clean the lens")
        if hold:
            return Sight(candidate.outline, "another work is seen, and the staff holds the last one")
        if candidate.again:  # the camera was nudged, or the work hangs anew
            self._take(candidate, now)
            return Sight(candidate.outline, "the artwork is seen")
        self._take(candidate, now)
        outline = candidate.outline if candidate.framed else None
        return Sight(candidate.outline, "a new artwork is seen", ArtworkSeen(picture, outline, candidate.quality))

    def _take(self, candidate: _Candidate, now: float) -> None:
        self._held = _Held(candidate.outline, candidate.framed, candidate.fingerprint, now)
        self._candidate = None

    def _unmoved(self, known: float) -> Sight:
        """What is said while nothing new is in view."""
        if self._held is None:
            return Sight(None, "no artwork is seen yet")
        if known >= RECOGNISED:
            return Sight(self._held.outline, "the artwork is seen")
        if known > 1 - self._settings.difference:
            return Sight(self._held.outline, "the artwork is partly hidden: the last one is held")
        return Sight(self._held.outline, "no artwork is seen: the last one is held")

    def _propose(self, frame: NDArray[np.uint8], now: float) -> tuple[Outline, bool, float] | None:
        """An outline that may be a work's, whether it was found as a quadrilateral, and its quality."""
        region = self._settings.region
        if self._settings.search:
            last = self._candidate or self._held
            found = find_artwork(frame, self._settings.smallest, region, last.outline if last is not None else None)
            if found is not None and found.convincing:
                self._found_nothing_since = None
                return (found.outline, True, _quality(found)) if found.gap <= LARGEST_GAP else None
            if self._found_nothing_since is None:
                self._found_nothing_since = now
            if self._held is not None and self._held.framed:
                return None  # somebody hides the work, or it was taken away
            if now - self._found_nothing_since < UNFRAMED:
                return None
        return region or CENTRE, False, 0.5 if region else 0.25

    def _follow(
        self, proposed: tuple[Outline, bool, float] | None, frame: NDArray[np.uint8], now: float, known: float
    ) -> _Candidate | None:
        """The candidate that a proposal continues, or begins."""
        last = self._candidate
        if last is not None and _is_unmoved(last, frame):
            if proposed is not None and proposed[1] == last.framed and overlap(last.outline, proposed[0]) >= _STEADY:
                return replace(last, quality=max(last.quality, proposed[2]), missed=0)
            if last.missed < _MISSES and self._patience(last, known) == self._settings.stillness:
                return replace(last, missed=last.missed + 1)
        if proposed is None:
            return None
        outline, framed, quality = proposed
        fingerprint = take_fingerprint(frame, outline)
        if fingerprint.detail < LEAST_DETAIL:
            return None
        again = self._held is not None and _is_again(self._held.fingerprint, frame, outline)
        return _Candidate(outline, framed, fingerprint, now, _view(frame, outline), quality, again)

    def _patience(self, candidate: _Candidate, known: float) -> float | None:
        """For how many seconds a candidate must be still; None where it is no reason to change anything."""
        usual = self._settings.stillness
        held = self._held
        if held is None:
            return usual
        if candidate.framed and not held.framed:
            return max(usual, UNFRAMED)
        if known >= RECOGNISED:
            larger = _area(candidate.outline) >= _LARGER * _area(held.outline)
            return ELSEWHERE if larger and candidate.framed else None
        if candidate.again:
            return usual
        if candidate.framed and overlap(candidate.outline, held.outline) < _SAME_PLACE:
            return ELSEWHERE
        if max(known, likeness(held.fingerprint, candidate.fingerprint)) <= 1 - self._settings.difference:
            return usual
        return DOUBT if candidate.framed else 2 * ELSEWHERE


def _is_unmoved(candidate: _Candidate, frame: NDArray[np.uint8]) -> bool:
    """Whether a candidate and its surroundings still look as they did."""
    same = likeness(candidate.fingerprint, take_fingerprint(frame, candidate.outline)) >= RECOGNISED
    return same and not moved(candidate.anchor, _view(frame, candidate.outline))


def _is_again(known: Fingerprint, frame: NDArray[np.uint8], outline: Outline) -> bool:
    """Whether an outline encloses a known work, with its frame or without it: which of them is found can change."""
    corners = np.array(outline)
    centre = corners.mean(axis=0)
    for scale in _BORDERS:
        (a, b), (c, d), (e, f), (g, h) = (centre + scale * (corners - centre)).tolist()
        if likeness(known, take_fingerprint(frame, ((a, b), (c, d), (e, f), (g, h)))) >= RECOGNISED:
            return True
    return False


def sharpness(picture: NDArray[np.uint8]) -> float:
    """How much of its contrast a picture's steepest edges cross within one pixel, when it is 256 pixels long.

    The 99.5th percentile of the gradient by the range of grey values (2nd to 98th percentile): some 0.25 for a sharp
    picture and below 0.1 for one that is blurred by 8 of 500 pixels, whatever the light.
    """
    scale = _SHARPNESS_SIDE / max(picture.shape[:2])
    if scale < 1:
        size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 0.8)
    across = cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=1 / 8)
    low, high = np.percentile(grey, (2, 98))
    return float(np.percentile(cv2.magnitude(across, down), 99.5) / max(high - low, 4.0))


def moved(before: NDArray[np.float32], after: NDArray[np.float32]) -> bool:
    """Whether something moved between two grey views [H, W] of the same size, whose exposure may differ."""
    lift = np.float32(np.clip(200 / (np.percentile(before, 95) + 1), 1, 8))
    gain = np.float32(np.clip((before.mean() + 1) / (after.mean() + 1), 0.25, 4))
    change = cv2.absdiff(before * lift, after * (gain * lift))
    blocks = (max(1, change.shape[1] // _BLOCK), max(1, change.shape[0] // _BLOCK))
    means = cv2.resize(change, blocks, interpolation=cv2.INTER_AREA)
    bright = cv2.resize(before, blocks, interpolation=cv2.INTER_AREA) * lift
    return bool((means > 4.0 + 0.04 * bright + 2.0 * np.median(means)).any())


def _view(frame: NDArray[np.uint8], outline: Outline) -> NDArray[np.float32]:
    """The surroundings of an outline, grey float32 [H, W], in a reduced frame."""
    scale = min(1.0, _VIEW / max(frame.shape[:2]))
    x, y = np.array(outline).T
    height, width = frame.shape[:2]
    left, right = int(x.min() * width), max(int(np.ceil(x.max() * width)), int(x.min() * width) + 1)
    top, bottom = int(y.min() * height), max(int(np.ceil(y.max() * height)), int(y.min() * height) + 1)
    part = cv2.cvtColor(np.ascontiguousarray(frame[top:bottom, left:right]), cv2.COLOR_RGB2GRAY)
    size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def _area(outline: Outline) -> float:
    return float(cv2.contourArea(np.array(outline, np.float32)))


def _quality(found: Finding) -> float:
    return found.conviction * (1 - found.gap)

"""Where one looks (``Region``), what is seen there (``Look``), and all that one may look at (``Gaze``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from a2m_edge.impression.cues import MIDDLE, Cues
from a2m_edge.impression.feeling import Feeling
from a2m_edge.impression.subjects import NOTHING, Subjects


@dataclass(frozen=True)
class Region:
    """A rectangle of an upright picture, in shares of its width and height.

    Attributes:
        left, top: of its upper left corner, in [0, 1).
        width, height: in (0, 1], so that it ends within the picture.
    """

    left: float
    top: float
    width: float
    height: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, width and height."""
        return self.left, self.top, self.width, self.height


WHOLE = Region(0.0, 0.0, 1.0, 1.0)
"""All of a picture."""


@dataclass(frozen=True)
class Look:
    """What is seen in one region.

    Attributes:
        region: where.
        feeling: what is felt before this region alone.
        cues: how it is painted, as ranks among paintings.
        subjects: what it shows.
    """

    region: Region
    feeling: Feeling
    cues: Cues = MIDDLE
    subjects: Subjects = NOTHING


def nobody() -> None:
    """What a comment names where there is none."""
    return


@dataclass(frozen=True, eq=False)
class Gaze:
    """Where one may look in a picture.

    Attributes:
        looks: in the order of looking; empty where there is no picture, or nothing in it. How many there are, and what
            is seen in each, may be found out only when it is asked for.
        whole: what is seen of the whole picture, before any comment; None where there is no picture.
        named: tells which of the looks a comment names, None where it names none; may look at all of them.
    """

    looks: Sequence[Look] = ()
    whole: Look | None = None
    named: Callable[[], int | None] = nobody


NOWHERE = Gaze()
"""Without a picture."""

"""Where one looks (``Region``) and what is seen there (``Look``)."""

from __future__ import annotations

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

"""What a picture shows (``Subjects``): things that a listener would recognise in sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Subjects:
    """What a picture shows, and how and when such pictures were painted.

    Attributes:
        shown: how sure it is that each of these is shown, in (0, 1], surest first; what is not sure enough to be told
            is absent.
        style: the name of the manner it is painted in; empty where it is not sure enough.
        period: when it was painted; empty where it is not sure enough.
    """

    shown: Mapping[str, float] = field(default_factory=dict)
    style: str = ""
    period: str = ""

    def __contains__(self, subject: object) -> bool:
        """Whether it is told that the picture shows a subject."""
        return subject in self.shown

    def sureness(self, subject: str) -> float:
        """In [0, 1]; 0 where it is not told."""
        return self.shown.get(subject, 0.0)


NOTHING = Subjects()
"""Of a picture of which no subject is told."""

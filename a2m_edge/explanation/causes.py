"""What is told of a music: causes, and what each of them does to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["more", "less"]

Kind = Literal[
    "felt in the picture",
    "felt in the words",
    "felt in both",
    "painted",
    "shown",
    "words",
    "words lead",
    "picture leads",
    "accord",
]
"""Of the feeling: of a picture alone, of a comment alone, of both. ``"painted"`` is how the picture is painted,
``"shown"`` what it shows.
``"words"`` and ``"words lead"`` are a comment beside a picture, and one that outweighs it; ``"picture leads"`` is a
picture that outweighs a comment. ``"accord"`` is none that can be taken away: the picture alone and the comment alone
would bring the same."""


@dataclass(frozen=True)
class Effect:
    """What a cause does to the music.

    Attributes:
        means: an attribute of ``a2m_edge.composer.plan.Plan``; or ``"family"`` (major is more, minor less), ``"room"``,
            ``"players"``.
        direction: more or less of it than without the cause.
        units: how far, in just noticeable differences, above 0.
        names: what comes with it: the instruments of ``"players"``, the pattern of ``"figure"`` or ``"bass"``; empty
            for other means.
    """

    means: str
    direction: Direction
    units: float
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cause:
    """One reason why the music is as it is.

    Attributes:
        kind: which sort of cause.
        what: of the feeling, its word (which is its valence), or ``"low"`` or ``"high"`` with ``"valence"`` or
            ``"arousal"``; of a painting, one or two cues with their directions, such as ``"low brightness"``; of what
            is shown, the subject; else empty.
        effects: what would be different without it, strongest first; none for an accord.
        strength: sum of all effects that are noticed, in just noticeable differences.
    """

    kind: Kind
    what: tuple[str, ...]
    effects: tuple[Effect, ...]
    strength: float

"""Finding the strongest causes of a music: each is what changes it when it is taken away."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from a2m_edge.explanation.causes import Cause, Effect, Kind
from a2m_edge.explanation.effects import Music, effects, noticed
from a2m_edge.impression.cues import MIDDLE, Cues
from a2m_edge.impression.feeling import EMOTION_SIGNS, EMOTIONS
from a2m_edge.perception.encoders import Perception

MOST_CAUSES, MOST_EFFECTS = 5, 3
"""So many are told, each with so many effects, strongest first."""

_FAR = 0.15
"""Distance from the middle rank from which on a picture may be called dark or light, empty or full."""

_MOVED = 0.1
"""Distance from neutral from which on a feeling may be called by its word, or calm or lively."""

_SHARED = 0.25
"""Share of a joint effect that each of two cues must have by itself, so that they are told as one cause."""

_OUTWEIGHS = 1.25
"""How many times as strong one side must be to outweigh the other."""


@dataclass(frozen=True)
class Impression:
    """What is perceived, and what either side alone would be.

    Attributes:
        whole: of all that is seen and said.
        picture: of the picture alone; None where there is none.
        words: of the comment alone; None where there is none, or none that was understood.
    """

    whole: Perception
    picture: Perception | None
    words: Perception | None

    def without(self, cause: Cause) -> Perception:
        """What would be perceived if a cause were taken away.

        Raises:
            ValueError: nothing can be taken away; an accord is no single thing.
        """
        match cause.kind:
            case "felt in the picture" | "felt in the words" | "felt in both":
                return _unmoved(self.whole, "arousal" if cause.what[0].endswith(" arousal") else "valence")
            case "painted":
                return _unpainted(self.whole, (trait.split(" ", 1)[1] for trait in cause.what))
            case "shown":
                return _unseen(self.whole, cause.what[0])
            case "words" | "words lead" if self.picture is not None:
                return self.picture
            case "picture leads" if self.words is not None:
                return self.words
        raise ValueError(f"{cause.kind} cannot be taken away")


def causes_of(impression: Impression, music: Callable[[Perception], Music]) -> tuple[Cause, ...]:
    """The strongest causes, strongest first: at most ``MOST_CAUSES``, and fewer where fewer are noticed.

    Args:
        impression: what is perceived.
        music: what a perception brings.
    """
    played = music(impression.whole)

    def change(other: Perception) -> tuple[Effect, ...]:
        return effects(played, music(other))

    whole = impression.whole
    found = [*_felt(impression, change), *_painted(whole, change), *_shown(whole, change)]
    strongest = sorted(found, key=lambda cause: -cause.strength)
    sides = _sides(impression, change)
    kept = [*sides, *strongest[: MOST_CAUSES - len(sides)]]
    return tuple(sorted(kept, key=lambda cause: -cause.strength))


_Change = Callable[[Perception], tuple[Effect, ...]]
"""How the music differs from that of another perception."""


def _cause(kind: Kind, what: tuple[str, ...], found: tuple[Effect, ...]) -> Iterable[Cause]:
    """A cause, or none where nobody would notice it."""
    heard = noticed(found)
    if heard:
        yield Cause(kind, what, heard[:MOST_EFFECTS], _strength(heard))


def _felt(impression: Impression, change: _Change) -> Iterable[Cause]:
    """The feeling, of the picture, of the comment, or of both: how pleasant it is, and how lively."""
    kind: Kind = "felt in both"
    if impression.words is None:
        kind = "felt in the picture"
    elif impression.picture is None:
        kind = "felt in the words"
    feeling = impression.whole.feeling
    # The word names the valence, unless it is one of the other sign, or none.
    sign = EMOTION_SIGNS[EMOTIONS.index(feeling.word)]
    word = feeling.word if sign * feeling.valence > 0 else f"{_side(feeling.valence, 0.0)} valence"
    names = {"valence": word, "arousal": f"{_side(feeling.arousal, 0.0)} arousal"}
    for side, name in names.items():
        if abs(getattr(feeling, side)) >= _MOVED:
            yield from _cause(kind, (name,), change(_unmoved(impression.whole, side)))


def _sides(impression: Impression, change: _Change) -> list[Cause]:
    """The picture against the comment, where there are both."""
    if impression.picture is None or impression.words is None:
        return []
    words, picture = (noticed(change(other)) for other in (impression.picture, impression.words))
    if not words and not picture:
        return [Cause("accord", (), (), 0.0)]
    if _strength(picture) > _OUTWEIGHS * _strength(words):
        return list(_cause("picture leads", (), picture))
    return list(_cause("words lead" if _strength(words) > _OUTWEIGHS * _strength(picture) else "words", (), words))


def _painted(whole: Perception, change: _Change) -> Iterable[Cause]:
    """How the picture is painted: single cues, or two that push the same way."""
    ranks = dataclasses.asdict(whole.cues)
    telling = [name for name, rank in ranks.items() if abs(rank - 0.5) >= _FAR]
    alone = {name: change(_unpainted(whole, (name,))) for name in telling}
    left = sorted(telling, key=lambda name: -_strength(noticed(alone[name])))
    while left:
        first = left.pop(0)
        allied = [other for other in left if _allied(alone[first], alone[other])]
        pairs = ((other, change(_unpainted(whole, (first, other)))) for other in allied)
        joined = [(other, found) for other, found in pairs if _together(found, alone[first], alone[other])]
        partner, found = max(joined, key=lambda pair: _strength(noticed(pair[1])), default=(None, alone[first]))
        names = (first,) if partner is None else (first, partner)
        left = [name for name in left if name != partner]
        yield from _cause("painted", tuple(f"{_side(ranks[name], 0.5)} {name}" for name in names), found)


def _shown(whole: Perception, change: _Change) -> Iterable[Cause]:
    """What the picture shows: each subject that is heard."""
    for subject in whole.subjects.shown:
        yield from _cause("shown", (subject,), change(_unseen(whole, subject)))


def _allied(first: tuple[Effect, ...], other: tuple[Effect, ...]) -> bool:
    """Whether two cues push the strongest effect of the first the same way."""
    return bool(first) and any((each.means, each.direction) == (first[0].means, first[0].direction) for each in other)


def _together(joint: tuple[Effect, ...], *single: tuple[Effect, ...]) -> bool:
    """Whether each cue pushes the strongest effect of all of them, and its share is worth naming."""
    heard = noticed(joint)
    if not heard or _strength(heard) < max(_strength(noticed(each)) for each in single):
        return False
    strongest = heard[0]
    return all(
        any(
            (effect.means, effect.direction) == (strongest.means, strongest.direction)
            and effect.units >= _SHARED * strongest.units
            for effect in each
        )
        for each in single
    )


def _unmoved(whole: Perception, side: str) -> Perception:
    """The same with a feeling of which a side, ``"valence"`` or ``"arousal"``, is neutral."""
    felt = whole.feeling
    neutral = dataclasses.replace(felt, valence=0.0) if side == "valence" else dataclasses.replace(felt, arousal=0.0)
    return dataclasses.replace(whole, feeling=neutral)


def _unpainted(whole: Perception, names: Iterable[str]) -> Perception:
    """The same with some cues as in the middle of all pictures."""
    middle = {name: getattr(MIDDLE, name) for name in names}
    cues: Cues = dataclasses.replace(whole.cues, **middle)
    return dataclasses.replace(whole, cues=cues)


def _unseen(whole: Perception, subject: str) -> Perception:
    """The same without one thing that is shown."""
    shown = {name: sure for name, sure in whole.subjects.shown.items() if name != subject}
    return dataclasses.replace(whole, subjects=dataclasses.replace(whole.subjects, shown=shown))


def _side(value: float, middle: float) -> str:
    return "high" if value > middle else "low"


def _strength(found: tuple[Effect, ...]) -> float:
    return sum(effect.units for effect in found)

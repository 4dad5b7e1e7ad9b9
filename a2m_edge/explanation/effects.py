"""How far two intended musics differ, in units that a listener just notices."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from a2m_edge.composer.orchestration import players, tinted
from a2m_edge.composer.plan import MODES, Plan, plan
from a2m_edge.explanation.causes import Effect
from a2m_edge.impression.feeling import Casting, Palette
from a2m_edge.perception.encoders import Perception

NOTICEABLE = 1.0
"""Units from which on an effect is told."""

_FAMILY, _CHORDS, _PLAYER, _FIGURE, _BASS = 2.0, 2.0, 2.0, 4.0, 2.0
"""Units of what is either so or not: minor for major, beside the steps from mode to mode; chords that are spread, or
thin; an instrument that plays; a figure in the accompaniment, a pattern in the bass. The numbers are ours."""


@dataclass(frozen=True)
class Music:
    """What is intended: the plan, and who plays.

    Attributes:
        plan: the means.
        palette: how well each instrument suits each role, the way the picture is painted included.
        casting: the draw from it.
        instruments: names, in the palette's order.
    """

    plan: Plan
    palette: Palette
    casting: Casting
    instruments: tuple[str, ...]

    @classmethod
    def of(cls, perception: Perception, instruments: Sequence[str], signature: int) -> Self:
        """The music that a perception brings; none of it is played.

        Args:
            perception: what is felt and seen.
            instruments: names of the bundle's instruments.
            signature: of the theme, which chooses the players.
        """
        palette = tinted(perception.palette, instruments, perception.cues, perception.subjects)
        intended = plan(perception.feeling, perception.cues, perception.subjects)
        return cls(intended, palette, players(palette, signature), tuple(instruments))


_MEANS: dict[str, Callable[[Plan], float]] = {
    "mode": lambda plan: -2.0 * list(MODES).index(plan.mode),
    "tempo": lambda plan: math.log(plan.tempo, 1.05),
    "loudness": lambda plan: 20 * math.log10(plan.loudness),
    "register": lambda plan: plan.register / 2,
    "density": lambda plan: plan.density / 0.1,
    "legato": lambda plan: plan.legato / 0.1,
    "colour": lambda plan: plan.colour / 0.1,
    "relief": lambda plan: plan.relief / 0.2,
    "wide": lambda plan: _CHORDS * plan.wide,
    "melody": lambda plan: 20 * math.log10(plan.melody),
    "thinned": lambda plan: _CHORDS * plan.thinned,
}
"""Each means of a plan, counted in units: half a step from one mode to the next, since mode is heard before all else
(Eerola, Friberg & Bresin 2013, Frontiers in Psychology 4:487); 5 % of the tempo (twice what attentive listeners tell
apart: Drake & Botte 1993, Perception & Psychophysics 54:277); 1 dB, velocity taken as amplitude (Jesteadt,
Wier & Green 1977, Journal of the Acoustical Society of America 61:169); two semitones; a tenth of all onsets, of a
note's length, and of all chords; a fifth of the usual relief. Those without a source are ours."""


def effects(music: Music, without: Music) -> tuple[Effect, ...]:
    """How music differs from what it would be without a cause: all that differs, the strongest first."""
    changes = {name: value(music.plan) - value(without.plan) for name, value in _MEANS.items()}
    changes["room"] = (music.palette.room - without.palette.room) / 0.1
    families = (music.plan.family == "major") - (without.plan.family == "major")
    if families:  # a mode of the other family is told by the family's name
        changes["family"] = changes.pop("mode") + _FAMILY * families
    found = [
        Effect(means, "more" if change > 0 else "less", abs(change)) for means, change in changes.items() if change
    ]
    patterns = {
        "figure": (music.plan.figure, without.plan.figure, _FIGURE),
        "bass": (music.plan.bass, without.plan.bass, _BASS),
    }
    found += [
        Effect(means, "more", units, (now,)) for means, (now, then, units) in patterns.items() if now not in ("", then)
    ]
    brought = _brought(music, without)
    if brought:
        found.append(Effect("players", "more", _PLAYER * len(brought), brought))
    return tuple(sorted(found, key=lambda effect: -effect.units))


def noticed(found: Sequence[Effect]) -> tuple[Effect, ...]:
    """Those effects that a listener would notice."""
    return tuple(effect for effect in found if effect.units >= NOTICEABLE)


def _brought(music: Music, without: Music) -> tuple[str, ...]:
    """Instruments that play now and would not otherwise, since the cause makes them likelier.

    One that merely moved up because another became less likely is not brought by the cause.
    """
    before = set(without.casting.instruments)
    rising = music.palette.weights > without.palette.weights
    return tuple(
        dict.fromkeys(
            music.instruments[index]
            for role, index in enumerate(music.casting.instruments)
            if index not in before and bool(np.asarray(rising)[role, index])
        )
    )

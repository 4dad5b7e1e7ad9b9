"""How the music dwells on a region of a picture: which one comes next, and how it bends the plan of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np

from a2m_edge.composer.plan import MODES, Plan, plan
from a2m_edge.impression.cues import Cues
from a2m_edge.impression.feeling import Feeling
from a2m_edge.impression.gaze import Look
from a2m_edge.impression.subjects import Subjects

TOWARDS = 0.75
"""Share of the way from the whole to a region that feeling and cues go: the region is heard, and the picture stays."""

REMEMBERED = 0.5
"""How sure it stays, on a region, that what the whole picture shows is shown."""

TEMPO_RANGE = 0.12
"""Share by which a region's tempo may differ from the whole's."""

MODE_STEPS = 2
"""Steps in the order of ``MODES`` by which a region's mode may be darker or brighter than the whole's."""


def next_look(number: int, looks: int, chance: Sequence[int]) -> int | None:
    """Which look a phrase dwells on.

    The first round goes through the looks in their order; each later round in an order of its own, which never begins
    where the one before ended.

    Args:
        number: of the phrase among those that dwell, 0-based.
        looks: how many there are.
        chance: what seeds the later rounds.

    Returns:
        the number of the look, or None where there is none.
    """
    if looks == 0:
        return None
    turn, at = divmod(number, looks)
    if turn == 0 or looks < 3:
        return at
    order = _shuffled(turn, looks, chance)
    before = _shuffled(turn - 1, looks, chance)[-1] if turn > 1 else looks - 1
    if order[0] == before:
        order[:2] = order[1], order[0]
    return order[at]


def _shuffled(turn: int, looks: int, chance: Sequence[int]) -> list[int]:
    return [int(each) for each in np.random.default_rng([8, *chance, turn]).permutation(looks)]


def dwelling_plan(home: Plan, feeling: Feeling, cues: Cues, whole: Look, look: Look) -> Plan:
    """The plan while the music dwells on a region.

    It goes part of the way by which the region differs from the whole picture, both seen without a comment, so that
    what a comment has changed stays changed. Key and theme stay; tempo and mode stay within reach of the whole's: it is
    the same piece.

    Args:
        home: the plan of the whole.
        feeling, cues: of the whole, as they are now.
        whole: what is seen of the whole picture.
        look: what is seen of the region.
    """
    subjects = _joined(whole.subjects, look.subjects)
    bent = plan(_towards(feeling, whole, look), _coloured(cues, whole, look), subjects)
    modes = tuple(MODES)
    steps = modes.index(bent.mode) - modes.index(home.mode)
    mode = modes[modes.index(home.mode) + min(MODE_STEPS, max(-MODE_STEPS, steps))]
    tempo = min(home.tempo * (1 + TEMPO_RANGE), max(home.tempo * (1 - TEMPO_RANGE), bent.tempo))
    return replace(bent, mode=mode, tempo=tempo)


def _joined(whole: Subjects, look: Subjects) -> Subjects:
    """What a region shows, and more faintly what else the whole does."""
    shown = {name: REMEMBERED * sure for name, sure in whole.shown.items()} | dict(look.shown)
    return replace(look, shown=dict(sorted(shown.items(), key=lambda each: -each[1])))


def _towards(feeling: Feeling, whole: Look, look: Look) -> Feeling:
    valence, arousal = (
        float(np.clip(now + TOWARDS * (there - here), -1.0, 1.0))
        for now, here, there in (
            (feeling.valence, whole.feeling.valence, look.feeling.valence),
            (feeling.arousal, whole.feeling.arousal, look.feeling.arousal),
        )
    )
    return replace(feeling, valence=valence, arousal=arousal)


def _coloured(cues: Cues, whole: Look, look: Look) -> Cues:
    ranks = {}
    for name in (each.name for each in fields(Cues)):
        apart = getattr(look.cues, name) - getattr(whole.cues, name)
        ranks[name] = min(1.0, max(0.0, getattr(cues, name) + TOWARDS * apart))
    return Cues(**ranks)

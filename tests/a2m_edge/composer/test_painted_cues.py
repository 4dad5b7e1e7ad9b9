"""How a picture is painted colours the music: each cue by itself, and never more than what is felt."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2m_edge.bundle import DEFAULT_BUNDLE
from a2m_edge.bundle.manifest import COMPOSER
from a2m_edge.composer import Composer, ComposerTables
from a2m_edge.composer.orchestration import BRIGHTNESS, WARMTH, tinted
from a2m_edge.composer.plan import MODES, plan
from a2m_edge.impression.cues import MIDDLE, Cues
from a2m_edge.impression.feeling import INSTRUMENTS, ROLES, Feeling, Palette

NEUTRAL = Feeling.of(0.2, 0.0)
RANKS = st.floats(0, 1)
FEELINGS = st.tuples(st.floats(-1, 1), st.floats(-1, 1)).map(lambda point: Feeling.of(*point))


def only(**ranks: float) -> Cues:
    return dataclasses.replace(MIDDLE, **ranks)


@pytest.mark.parametrize(
    ("cue", "means", "rises"),
    [
        ("brightness", "register", True),
        ("contrast", "relief", True),
        ("colours", "colour", True),
        ("edges", "density", True),
        ("emptiness", "density", False),
        ("brushwork", "legato", False),
        ("saturation", "tempo", True),
        ("unrest", "tempo", True),
        ("unrest", "loudness", True),
    ],
)
def test_each_cue_moves_its_means(cue, means, rises):
    values = [getattr(plan(NEUTRAL, only(**{cue: rank})), means) for rank in np.linspace(0, 1, 11)]
    assert values == sorted(values, reverse=not rises)
    assert abs(values[-1] - values[0]) > 0.02 * abs(values[5])


def test_light_and_warm_pictures_lean_to_brighter_modes():
    order = list(MODES)
    dark, light = (
        order.index(plan(Feeling.of(0.1, 0.0), only(brightness=rank, warmth=rank, saturation=rank)).mode)
        for rank in (0.0, 1.0)
    )
    assert light < dark


def test_empty_pictures_have_wide_chords():
    tables = ComposerTables.read(DEFAULT_BUNDLE / COMPOSER)
    spans = []
    for emptiness in (0.2, 0.9):
        composer = Composer(tables, np.ones(384, np.float32), 0, NEUTRAL, only(emptiness=emptiness))
        chords = [[note.pitch for note in composer.next_beat().notes if note.role == 1] for _ in range(120)]
        spans.append(np.mean([max(chord) - min(chord) for chord in chords if len(chord) > 2]))
    assert spans[1] > spans[0] + 3


@given(feeling=FEELINGS, ranks=st.tuples(*(RANKS for _ in Cues.names())))
def test_any_feeling_and_picture_give_a_plan_that_can_be_played(feeling, ranks):
    found = plan(feeling, Cues(*ranks))
    assert found.mode in MODES
    assert 41.9 <= found.tempo <= 152.1
    assert 0 <= found.density <= 1 and 0.3 <= found.legato <= 1 and 0.05 <= found.colour <= 0.7
    assert 0 < found.loudness < 1 and -12 <= found.register <= 12 and 0.4 <= found.relief <= 1.6


@given(ranks=st.tuples(*(RANKS for _ in Cues.names())))
def test_feeling_leads(ranks):
    """Whatever the picture, fear is faster than calm, and grief in a darker mode than joy."""
    cues, order = Cues(*ranks), list(MODES)
    assert plan(Feeling.of(0.0, 0.9), cues).tempo > plan(Feeling.of(0.0, -0.9), cues).tempo + 20
    joy, grief = (order.index(plan(Feeling.of(valence, 0.0), cues).mode) for valence in (0.8, -0.8))
    assert joy < grief


# --- who plays --------------------------------------------------------------------------------------------------------

EVEN = Palette(np.full((len(ROLES), len(INSTRUMENTS)), 1 / len(INSTRUMENTS), np.float32), 0.5)
NAMES = tuple(INSTRUMENTS)


def test_every_instrument_has_a_place_in_the_tables():
    assert set(BRIGHTNESS) == set(WARMTH) == set(INSTRUMENTS)


def test_bright_pictures_lean_to_bright_instruments_and_warm_to_warm():
    for cue, table in (("brightness", BRIGHTNESS), ("warmth", WARMTH)):
        low, high = (tinted(EVEN, NAMES, only(**{cue: rank})).weights[0] for rank in (0.0, 1.0))
        values = np.array([table[name] for name in NAMES])
        assert high @ values > 0.3 > -0.3 > low @ values
        assert high.sum() == pytest.approx(1, abs=1e-5)


def test_the_middle_changes_nothing():
    assert np.allclose(tinted(EVEN, NAMES, MIDDLE).weights, EVEN.weights)
    assert plan(NEUTRAL) == plan(NEUTRAL, MIDDLE)

"""Score frames: what the decoder hears."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from a2m_edge.score import Note, ScoreLayout
from tests.fixtures.notes import any_notes

RATE = 22050 / 256
notes_strategy = any_notes(20, 8, 25)


@settings(deadline=None, max_examples=50)
@given(notes_strategy, st.integers(0, 400), st.integers(1, 60))
def test_windows_joined_together_equal_the_whole(notes: list[Note], first: int, size: int) -> None:
    layout = ScoreLayout()
    whole = layout.frames(notes, first, 3 * size, RATE)
    parts = [layout.frames(notes, first + index * size, size, RATE) for index in range(3)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


@settings(deadline=None, max_examples=50)
@given(notes_strategy)
def test_a_key_sounds_at_its_velocity_and_its_onset_trace_only_falls(notes: list[Note]) -> None:
    layout = ScoreLayout()
    frames = layout.frames(notes, 0, 400, RATE).reshape(400, 4, 2, 88)
    sounding, onset = frames[:, :, 0], frames[:, :, 1]
    assert np.all(onset <= sounding + 1e-6)
    assert np.all((sounding > 0) == (onset > 0))
    assert set(np.unique(sounding)) <= {np.float32(0), *(np.float32(note.velocity) for note in notes)}


def test_a_note_is_where_it_belongs() -> None:
    layout = ScoreLayout(onset_decay=0.5)
    frames = layout.frames([Note(1.0, 0.5, 60, 0.8, 2)], 0, 200, RATE).reshape(200, 4, 2, 88)
    attack, release = round(RATE), round(1.5 * RATE)
    held = frames[:, 2, 0, 60 - 21]
    assert held[attack - 1] == 0 and held[attack] == np.float32(0.8) and held[release - 1] > 0 and held[release] == 0
    assert frames[attack, 2, 1, 39] == np.float32(0.8)
    age = 20 / RATE
    assert frames[attack + 20, 2, 1, 39] == pytest.approx(0.8 * np.exp(-age / 0.5), rel=1e-5)
    assert np.count_nonzero(frames) == 2 * (release - attack)


def test_the_shortest_note_is_heard_for_a_frame() -> None:
    frames = ScoreLayout().frames([Note(0.0, 1e-4, 21, 1.0, 0)], 0, 4, RATE)
    assert np.count_nonzero(frames[0]) == 2 and np.count_nonzero(frames[1:]) == 0


@pytest.mark.parametrize(("pitch", "role"), [(20, 0), (109, 0), (60, 4), (60, -1)])
def test_a_note_outside_the_layout_is_refused(pitch: int, role: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        ScoreLayout().frames([Note(0.0, 1.0, pitch, 0.5, role)], 0, 10, RATE)

"""The music dwells on regions of the picture: each is heard, it stays the same piece, and the whole returns."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2m_edge.composer import Composer, ComposerTables
from a2m_edge.composer.dwelling import MODE_STEPS, TEMPO_RANGE, dwelling_plan, next_look
from a2m_edge.composer.form import DWELLINGS, PHRASES, SECTIONS, place_of
from a2m_edge.composer.plan import MODES, plan
from a2m_edge.impression.cues import MIDDLE, Cues
from a2m_edge.impression.feeling import Feeling
from a2m_edge.impression.gaze import NOWHERE, WHOLE, Gaze, Look, Region
from a2m_edge.impression.subjects import NOTHING, Subjects
from a2m_edge.perception.gaze import MOST
from a2m_edge.score import Beat, Stretch, regions, stretches
from tests.fixtures.places import TABLES

BRIGHT = Feeling.of(0.5, 0.1)
DARK = Look(Region(0.7, 0.6, 0.3, 0.4), Feeling.of(-0.6, -0.4), dataclasses.replace(MIDDLE, brightness=0.05, edges=0.2))
LIGHT = Look(Region(0.0, 0.0, 0.3, 0.3), Feeling.of(0.8, 0.4), dataclasses.replace(MIDDLE, brightness=0.9))
CYCLE = sum(sum(PHRASES[letter]) for letter in SECTIONS)

ranks = st.builds(Cues, *(st.floats(0, 1) for _ in dataclasses.fields(Cues)))
feelings = st.builds(Feeling.of, st.floats(-1, 1), st.floats(-1, 1))


def gaze(*looks: Look, named: int | None = None) -> Gaze:
    return Gaze(looks, Look(WHOLE, BRIGHT), lambda: named)


def composer(seen: Gaze = NOWHERE, *, seed: int = 0, artwork: int = 1) -> Composer:
    embedding = np.random.default_rng(artwork).standard_normal(64).astype(np.float32)
    return Composer(ComposerTables.read(TABLES), embedding, seed, BRIGHT, MIDDLE, gaze=seen)


def bars(music: Composer, count: int) -> list[list[Beat]]:
    return [[music.next_beat() for _ in range(music.theme.beats_in_bar)] for _ in range(count)]


def dwelt(played: Sequence[Sequence[Beat]]) -> list[Region | None]:
    return [bar[0].region for bar in played]


def test_the_theme_is_of_the_whole_and_each_further_phrase_of_the_next_region() -> None:
    played = dwelt(bars(composer(gaze(DARK, LIGHT)), 24))
    assert played == [None] * 4 + [DARK.region] * 4 + [None] * 4 + [LIGHT.region] * 4 + [DARK.region] * 8


def test_a_dark_corner_is_heard_and_the_whole_returns() -> None:
    seen, unseen = bars(composer(gaze(DARK)), 12), bars(composer(), 12)
    assert [beat.notes for bar in seen[:4] for beat in bar] == [beat.notes for bar in unseen[:4] for beat in bar]

    def heard(played: Sequence[Sequence[Beat]]) -> tuple[float, float, int]:
        notes = [note for bar in played for beat in bar for note in beat.notes]
        return float(np.mean([n.pitch for n in notes])), float(np.mean([n.velocity for n in notes])), len(notes)

    (pitch, loudness, count), (pitch_of_all, loudness_of_all, count_of_all) = heard(seen[4:8]), heard(unseen[4:8])
    assert pitch < pitch_of_all - 2 and loudness < loudness_of_all and count < count_of_all  # lower, softer, sparser
    darkness = list(MODES).index
    assert darkness(seen[5][0].mode) > darkness(unseen[5][0].mode)
    assert {bar[0].tonic for bar in seen} == {seen[0][0].tonic}
    assert [beat.mode for beat in seen[8]] == [beat.mode for beat in seen[0]]
    assert [beat.chord for bar in seen[8:12] for beat in bar] == [beat.chord for bar in seen[:4] for beat in bar]
    assert seen[11][-1].tempo == pytest.approx(seen[0][-1].tempo, rel=0.02)


def test_without_a_picture_all_is_as_it_was() -> None:
    looked = composer(Gaze((), Look(WHOLE, BRIGHT)))
    assert bars(looked, CYCLE) == bars(composer(), CYCLE)
    assert all(beat.region is None for bar in bars(composer(), 16) for beat in bar)


@given(feelings, ranks, feelings, ranks, feelings, ranks)
def test_a_region_bends_the_music_within_the_range_of_the_picture(
    now: Feeling, cues: Cues, whole: Feeling, painted: Cues, there: Feeling, look: Cues
) -> None:
    home = plan(now, cues)
    bent = dwelling_plan(home, now, cues, Look(WHOLE, whole, painted), Look(DARK.region, there, look))
    assert abs(bent.tempo / home.tempo - 1) <= TEMPO_RANGE + 1e-9
    order = list(MODES)
    assert abs(order.index(bent.mode) - order.index(home.mode)) <= MODE_STEPS
    assert 0 <= bent.density <= 1 and 0 < bent.loudness < 1 and 0.3 <= bent.legato <= 1


@given(feelings, ranks, feelings, ranks)
def test_a_region_like_the_whole_changes_nothing(now: Feeling, cues: Cues, whole: Feeling, painted: Cues) -> None:
    look = Look(DARK.region, whole, painted)
    home = plan(now, cues)
    assert dwelling_plan(home, now, cues, dataclasses.replace(look, region=WHOLE), look) == home


def test_what_a_comment_changed_stays_changed() -> None:
    """The bend is the same step from wherever a comment has taken the music."""
    sad = Feeling.of(-0.3, -0.2)
    bent = dwelling_plan(plan(sad), sad, MIDDLE, Look(WHOLE, BRIGHT), LIGHT)
    assert plan(sad).register < bent.register < plan(LIGHT.feeling, LIGHT.cues).register


def test_what_a_region_shows_is_heard_before_what_the_whole_does() -> None:
    sea, ship = Subjects({"sea": 0.9}), Subjects({"ship": 0.7})
    whole, there = Look(WHOLE, BRIGHT, MIDDLE, sea), Look(DARK.region, BRIGHT, MIDDLE, ship)
    home = plan(BRIGHT, MIDDLE, sea)
    bent = dwelling_plan(home, BRIGHT, MIDDLE, whole, there)
    assert bent.figure == plan(BRIGHT, MIDDLE, ship).figure != home.figure
    empty = dwelling_plan(home, BRIGHT, MIDDLE, whole, dataclasses.replace(there, subjects=NOTHING))
    assert empty.figure == home.figure and empty.figure_share < home.figure_share, "fainter, but the sea is still there"


def test_a_comment_leads_to_what_it_names_and_the_walk_goes_on() -> None:
    looks = [dataclasses.replace(DARK, region=Region(0.1 * each, 0.0, 0.1, 0.1)) for each in range(5)]
    places = [look.region for look in looks]
    music = composer(gaze(*looks))
    assert dwelt(bars(music, 6))[4:] == [places[0]] * 2
    music.steer(BRIGHT, MIDDLE, gaze=gaze(*looks, named=3))
    played = dwelt(bars(music, 18))
    assert played[:2] == [places[3]] * 2, "from the next bar on"
    assert played[2:6] == [None] * 4, "the theme is of the whole all the same"
    assert played[6:10] == [places[3]] * 4, "a whole phrase at least"
    assert played[10:18] == [places[2]] * 8, "and then on"


def test_what_a_comment_names_comes_first() -> None:
    looks = [dataclasses.replace(DARK, region=Region(0.1 * each, 0.0, 0.1, 0.1)) for each in range(5)]
    assert dwelt(bars(composer(gaze(*looks, named=4)), 8)) == [None] * 4 + [looks[4].region] * 4


def test_a_picture_with_fewer_regions_within_a_phrase_is_no_harm() -> None:
    music = composer(gaze(DARK, LIGHT))
    bars(music, 13)
    music.steer(BRIGHT, MIDDLE, gaze=gaze(DARK))
    assert dwelt(bars(music, 8))[-1] == DARK.region


def test_nothing_is_looked_at_before_the_music_comes_to_it() -> None:
    class Unseen(Sequence[Look]):
        def __init__(self) -> None:
            self.asked: list[int] = []

        def __len__(self) -> int:
            return 4

        def __getitem__(self, index):
            self.asked.append(index)
            return DARK

    looks = Unseen()
    music = composer(Gaze(looks, Look(WHOLE, BRIGHT)))
    bars(music, 4)
    assert looks.asked == []
    bars(music, 4)
    assert set(looks.asked) == {0}


@given(st.integers(1, 9), st.integers(0, 50))
def test_each_round_comes_to_every_region_once_and_never_twice_running(count: int, seed: int) -> None:
    walk = [next_look(number, count, [seed]) for number in range(6 * count)]
    assert walk[:count] == list(range(count))
    for turn in range(6):
        assert sorted(each for each in walk[turn * count : (turn + 1) * count] if each is not None) == list(
            range(count)
        )
    assert count == 1 or all(one != other for one, other in pairwise(walk))


def test_later_rounds_are_of_the_seed() -> None:
    walks = [[next_look(number, 8, [seed]) for number in range(32)] for seed in range(4)]
    assert len({tuple(walk) for walk in walks}) == 4
    assert next_look(3, 0, [0]) is None


def test_a_cycle_comes_to_as_many_regions_as_a_picture_has_at_most() -> None:
    numbers = [place_of(bar).dwelling for bar in range(3 * CYCLE)]
    told = [number for number in numbers if number is not None]
    assert told == sorted(told) and set(told) == set(range(3 * DWELLINGS))
    assert DWELLINGS == MOST


def test_stretches_join_beats_of_one_place() -> None:
    beats = [beat for bar in bars(composer(gaze(DARK, LIGHT)), 24) for beat in bar]
    found = stretches(beats, beats[-1].start + 0.1)
    assert [each.region for each in found] == [None, DARK.region, None, LIGHT.region, DARK.region]
    assert found[0].start == 0 and found[-1].end == pytest.approx(beats[-1].start + 0.1)
    assert all(one.end == pytest.approx(other.start) for one, other in pairwise(found))
    assert regions(found) == [DARK.region, LIGHT.region]
    assert stretches(beats, 0.01) == [Stretch(0.0, 0.01, None)]
    assert stretches([], 5.0) == []

"""The composer, heard as a listener with a score would hear it."""

from __future__ import annotations

import json
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from a2m_edge.composer import Composer, ComposerTables
from a2m_edge.composer.form import PHRASES, SECTIONS, place_of
from a2m_edge.composer.harmony import phrase_chords
from a2m_edge.composer.plan import MODES, plan
from a2m_edge.errors import BundleError
from a2m_edge.impression.feeling import Feeling
from a2m_edge.score import Beat, Score
from tests.fixtures.places import TABLES


@pytest.fixture(scope="module")
def tables() -> ComposerTables:
    return ComposerTables.read(TABLES)


def embedding(number: int) -> np.ndarray:
    return np.random.default_rng(number).standard_normal(64).astype(np.float32)


def play(composer: Composer, beats: int) -> list[Beat]:
    return [composer.next_beat() for _ in range(beats)]


feelings = st.builds(Feeling.of, st.floats(-1, 1), st.floats(-1, 1))


@settings(deadline=None, max_examples=30)
@given(feelings, st.integers(0, 1000), st.integers(0, 5))
def test_every_note_can_be_played_and_time_never_stops(feeling: Feeling, artwork: int, seed: int) -> None:
    beats = play(Composer(ComposerTables.read(TABLES), embedding(artwork), seed, feeling), 120)
    for beat, following in pairwise(beats):
        assert following.start == pytest.approx(beat.start + beat.seconds)
        assert (following.bar, following.number) in ((beat.bar, beat.number + 1), (beat.bar + 1, 0))
    for beat in beats:
        for note in beat.notes:
            assert 21 <= note.pitch <= 108 and 0 < note.velocity <= 1 and note.seconds > 0 and 0 <= note.role < 4
            assert beat.start - 1e-9 <= note.start < beat.start + beat.seconds


@settings(deadline=None, max_examples=30)
@given(feelings, st.integers(0, 1000))
def test_the_notes_belong_to_the_mode(feeling: Feeling, artwork: int) -> None:
    """All but the leading tone that a minor dominant borrows and passing tones of the bass."""
    beats = play(Composer(ComposerTables.read(TABLES), embedding(artwork), 1, feeling), 96)
    notes = [(note, beat) for beat in beats for note in beat.notes if note.role != 0]
    foreign = [note for note, beat in notes if (note.pitch - beat.tonic) % 12 not in {*MODES[beat.mode], 11}]
    assert not foreign


def test_the_same_history_gives_the_same_music_and_another_seed_another(tables: ComposerTables) -> None:
    def once(seed: int) -> list[Beat]:
        composer = Composer(tables, embedding(1), seed, Feeling.of(0.5, 0.2))
        first = play(composer, 37)
        composer.steer(Feeling.of(-0.6, 0.6))
        return first + play(composer, 60)

    assert once(3) == once(3)
    assert once(3) != once(4)


def test_steering_bends_the_next_beat_and_leaves_the_past(tables: ComposerTables) -> None:
    steered, straight = (Composer(tables, embedding(5), 0, Feeling.of(0.6, -0.6)) for _ in range(2))
    assert play(steered, 18) == play(straight, 18)
    steered.steer(Feeling.of(-0.7, 0.9))
    after, unbent = play(steered, 24), play(straight, 24)
    assert after[0].mode != unbent[0].mode and after[0].seconds < unbent[0].seconds
    assert after[0].tonic == unbent[0].tonic
    density = [sum(len(beat.notes) for beat in beats) / len(beats) for beats in (after, unbent)]
    assert density[0] > 1.5 * density[1]


def test_a_new_artwork_begins_its_own_form_at_the_next_beat(tables: ComposerTables) -> None:
    composer = Composer(tables, embedding(5), 0, Feeling.of(0.6, 0.0))
    last = play(composer, 6)[-1]
    composer.retheme(embedding(6))
    fresh = play(Composer(tables, embedding(6), 0, Feeling.of(0.6, 0.0)), 1)[0]
    beat = composer.next_beat()
    assert beat.number == 0 and beat.bar == last.bar + 1
    assert (beat.tonic, beat.chord, beat.section) == (fresh.tonic, fresh.chord, fresh.section)


def test_an_artwork_is_recognised_when_it_returns(tables: ComposerTables) -> None:
    """The first phrase keeps key, metre, chords and melodic contour under any seed."""
    first, again = (play(Composer(tables, embedding(9), seed, Feeling.of(0.4, 0.1)), 12) for seed in (1, 2))

    def identity(beats: list[Beat]) -> list[tuple[int, str]]:
        return [(beat.tonic, beat.chord.removesuffix("7")) for beat in beats]

    assert identity(first) == identity(again)
    melodies = [[note.pitch for beat in beats[:3] for note in beat.notes if note.role == 3] for beats in (first, again)]
    assert melodies[0] == melodies[1] and melodies[0]


def test_sections_go_to_neighbouring_keys_and_come_home(tables: ComposerTables) -> None:
    theme_tonic = Composer(tables, embedding(9), 0, Feeling.of(0.4, 0.1)).theme.tonic
    beats = play(Composer(tables, embedding(9), 0, Feeling.of(0.4, 0.1)), 4 * 64)
    above = {
        section: {(beat.tonic - theme_tonic) % 12 for beat in beats if beat.section == section} for section in "ABC"
    }
    assert above == {"A": {0}, "B": {7}, "C": {5}}
    scales = {beat.section: {(beat.tonic + tone) % 12 for tone in MODES[beat.mode]} for beat in beats}
    assert len(scales["A"] & scales["B"]) == len(scales["A"] & scales["C"]) == 6


def test_the_melody_enters_a_new_key_by_small_steps(tables: ComposerTables) -> None:
    leaps = []
    for artwork in range(12):
        beats = play(Composer(tables, embedding(artwork), 0, Feeling.of(0.4, 0.3)), 4 * 64)
        melody = [(beat.section, note.pitch) for beat in beats for note in beat.notes if note.role == 3]
        leaps += [abs(after - before) for (one, before), (other, after) in pairwise(melody) if one != other]
    assert len(leaps) > 20 and np.median(leaps) <= 3.0  # measured: 2; by steps of the old key 5


def test_bass_and_harmony_hold_where_a_phrase_ends(tables: ComposerTables) -> None:
    composer = Composer(tables, embedding(3), 0, Feeling.of(0.9, 0.6))
    assert composer.plan.legato < 0.7
    shares: dict[bool, list[float]] = {True: [], False: []}
    for beat in play(composer, 4 * 64):
        bar = composer.theme.beats_in_bar * beat.seconds
        last = place_of(beat.bar).last
        shares[last] += [note.seconds / bar for note in beat.notes if note.role == 0 and (last or beat.number == 0)]
    assert np.median(shares[True]) > 0.9 and np.median(shares[False]) < 0.7


def test_only_the_statement_keeps_its_chords(tables: ComposerTables) -> None:
    """Of the two eight-bar sections that begin the form, the first four bars return, the others are drawn anew."""
    changed = 0
    for artwork in range(8):
        beats = play(Composer(tables, embedding(artwork), 0, Feeling.of(0.4, 0.1)), 64)
        chords = [next(beat.chord for beat in beats if beat.bar == bar) for bar in range(16)]
        assert chords[:4] == chords[8:12]
        changed += chords[4:8] != chords[12:16]
    assert changed >= 4


@pytest.mark.parametrize("mode", MODES)
def test_no_chord_is_diminished(tables: ComposerTables, mode: str) -> None:
    points = [Feeling.of(v, a) for v in np.linspace(-1, 1, 9) for a in (-0.8, 0.0, 0.8)]
    feeling = next(point for point in points if plan(point).mode == mode)
    beats = [beat for artwork in range(6) for beat in play(Composer(tables, embedding(artwork), 0, feeling), 300)]
    assert not any("°" in beat.chord for beat in beats)


@pytest.mark.parametrize("valence", [-0.8, -0.4, 0.3, 0.8])
def test_phrases_end_with_a_cadence(tables: ComposerTables, valence: float) -> None:
    beats = play(Composer(tables, embedding(2), 0, Feeling.of(valence, 0.0)), 400)
    bars = list(Score(beats).bars())[:-1]
    for number, bar in enumerate(bars):
        place = place_of(number)
        if place.last:
            degree = bar.beats[0].chord.removesuffix("7").upper()
            assert degree == ("I" if place.closed else "V")
            melody = [note for note in bar.notes if note.role == 3]
            assert place.melody_rests or (melody and (melody[-1].pitch - bar.beats[0].tonic) % 12 in range(12))
            end = bar.beats[-1].start + bar.beats[-1].seconds
            assert all(note.end < end for note in melody), "the melody breathes before the next phrase"


def test_voices_move_by_small_steps(tables: ComposerTables) -> None:
    """Voice leading: from chord to chord the harmony's voices move less than two semitones on average."""
    moves = []
    for artwork in range(8):
        beats = play(Composer(tables, embedding(artwork), 0, Feeling.of(0.3, -0.3)), 200)
        chords = [sorted({note.pitch for note in bar.notes if note.role == 1}) for bar in Score(beats).bars()]
        for before, after in pairwise(chords):
            moves += [min(abs(pitch - old) for old in before) for pitch in after]
    assert np.mean(moves) < 2.0


def test_cues_follow_the_feeling() -> None:
    energies = [plan(Feeling.of(0.2, arousal)) for arousal in np.linspace(-1, 1, 21)]
    for cue in ("tempo", "density", "loudness", "register"):
        values = [getattr(one, cue) for one in energies]
        assert values == sorted(values) and values[-1] > values[0]
    legato = [plan(Feeling.of(0.0, arousal)).legato for arousal in np.linspace(-0.9, 0.9, 7)]
    assert legato == sorted(legato, reverse=True) and legato[0] > legato[-1]
    assert plan(Feeling.of(-0.8, 0.0)).legato > plan(Feeling.of(0.8, 0.0)).legato
    assert plan(Feeling.of(0.6, 0.1)).family == "major" and plan(Feeling.of(-0.6, 0.1)).family == "minor"


@pytest.mark.parametrize("valence", [0.8, -0.1, -0.4])
def test_a_mode_other_than_major_rests_on_its_tonic_every_second_bar(tables: ComposerTables, valence: float) -> None:
    wanted = plan(Feeling.of(valence, -0.5))
    assert wanted.mode in ("lydian", "dorian", "aeolian")
    for seed in range(20):
        chords = phrase_chords(8, True, wanted, tables, np.random.default_rng(seed))
        assert [chords[bar].degree for bar in (0, 2, 4, 7)] == [0, 0, 0, 0]
        assert not any(chord.seventh for chord in chords if chord.degree == 0)


def test_the_form_repeats_without_end() -> None:
    cycle = sum(sum(PHRASES[letter]) for letter in SECTIONS)
    assert place_of(0).section == "A" and place_of(10**9).section in SECTIONS
    for bar in range(cycle):
        now, later = place_of(bar), place_of(bar + 5 * cycle)
        assert (now.section, now.phrase, now.bar) == (later.section, later.phrase, later.bar)
        assert later.section_number == now.section_number + 5 * len(SECTIONS)


def test_music_does_not_repeat_itself_bar_for_bar(tables: ComposerTables) -> None:
    """Over ten minutes no phrase returns note for note, the theme's chords and contour aside."""
    composer = Composer(tables, embedding(3), 0, Feeling.of(0.3, 0.3))
    beats = list(islice(iter(composer.next_beat, None), 900))
    bars = list(Score(beats).bars())
    phrases = [
        tuple(
            (note.pitch, round(note.start - bar.beats[0].start, 3), note.role, round(note.velocity, 4))
            for bar in bars[index : index + 4]
            for note in bar.notes
        )
        for index in range(0, len(bars) - 4, 4)
    ]
    assert len(set(phrases)) == len(phrases)


@pytest.mark.parametrize(
    "damage",
    [
        lambda tables: tables.clear(),
        lambda tables: tables.update(schema=2),
        lambda tables: tables["chords"].update(major=[[1.0]]),
        lambda tables: tables["chords"].update(major=[[float("nan")] * 7] * 7),
        lambda tables: tables["chords"].update(minor=[[0.0] * 7] * 7),
        lambda tables: tables["steps"].update(major="no table"),
        lambda tables: tables["rhythms"].update({"4": []}),
        lambda tables: tables.update(rhythms=None),
    ],
)
def test_damaged_tables_are_refused(tmp_path: Path, damage: object) -> None:
    document = json.loads(TABLES.read_text())
    damage(document)  # type: ignore[operator]
    (tmp_path / "composer.json").write_text(json.dumps(document))
    with pytest.raises(BundleError, match="restore the bundle"):
        ComposerTables.read(tmp_path / "composer.json")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[1, 2]", b"{"])
def test_tables_that_are_no_tables_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "composer.json").write_bytes(content)
    with pytest.raises(BundleError):
        ComposerTables.read(tmp_path / "composer.json")

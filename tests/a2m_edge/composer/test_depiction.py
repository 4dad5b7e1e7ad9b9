"""What a picture shows is heard: every subject in the notes, none against the feeling."""

import json

import numpy as np
import pytest

from a2m_edge.composer import Composer, ComposerTables
from a2m_edge.composer.depiction import DEPICTIONS
from a2m_edge.composer.orchestration import tinted
from a2m_edge.composer.patterns import BASSES, FIGURES
from a2m_edge.composer.plan import FASTEST, MODES, SLOWEST, plan
from a2m_edge.impression.cues import MIDDLE
from a2m_edge.impression.feeling import INSTRUMENTS, ROLES, Feeling, Palette
from a2m_edge.impression.subjects import Subjects
from a2m_edge.score import Note
from tests.fixtures.places import ROOT, TINY_BUNDLE

TABLES = ComposerTables.read(TINY_BUNDLE / "composer.json")
EMBEDDING = np.random.default_rng(4).standard_normal(16).astype(np.float32)
CALM, GLAD, AFRAID = Feeling.of(0.3, -0.7), Feeling.of(0.7, 0.6), Feeling.of(-0.7, 0.5)
NAMES = ROOT / "a2m_edge" / "impression" / "subject_names.json"


def composed(feeling, *shown, sure=0.6, bars=12):
    """Notes of a piece of some bars."""
    composer = Composer(TABLES, EMBEDDING, 3, feeling, MIDDLE, Subjects(dict.fromkeys(shown, sure)))
    notes: list[Note] = []
    while (beat := composer.next_beat()).bar < bars:
        notes += beat.notes
    return notes


@pytest.fixture(scope="module")
def silent():
    """The pieces of a picture of which nothing is told."""
    return {feeling: composed(felt) for feeling, felt in (("calm", CALM), ("glad", GLAD), ("afraid", AFRAID))}


@pytest.mark.parametrize("subject", DEPICTIONS)
def test_every_subject_is_heard_in_the_notes_of_every_feeling(subject, silent):
    assert composed(CALM, subject) != silent["calm"]
    assert composed(GLAD, subject) != silent["glad"]
    assert composed(AFRAID, subject) != silent["afraid"]


@pytest.mark.parametrize("feeling", [CALM, GLAD, AFRAID])
def test_no_two_subjects_sound_alike(feeling):
    pieces = {subject: tuple(composed(feeling, subject, bars=8)) for subject in DEPICTIONS}
    assert len(set(pieces.values())) == len(pieces)


@pytest.mark.parametrize("subject", DEPICTIONS)
@pytest.mark.parametrize("valence", [-1.0, 0.0, 1.0])
def test_feeling_leads_and_every_note_stays_on_the_keys(subject, valence):
    feeling = Feeling.of(valence, valence)
    shown = plan(feeling, subjects=Subjects({subject: 1.0}))
    plain = plan(feeling)
    assert shown.mode == plain.mode
    assert SLOWEST <= shown.tempo <= FASTEST
    assert abs(np.log(shown.tempo / plain.tempo)) < 0.1
    assert abs(shown.loudness - plain.loudness) < 0.08
    assert all(21 <= note.pitch <= 108 and 0 < note.velocity <= 1 for note in composed(feeling, subject, sure=1.0))


def test_what_is_surer_is_stronger():
    leans = [plan(CALM, subjects=Subjects({"storm": sure})) for sure in (0.2, 0.4, 0.75)]
    assert leans[0].relief < leans[1].relief < leans[2].relief
    assert leans[0].figure_share < leans[1].figure_share < leans[2].figure_share == 1.0


def test_the_surest_subject_gives_the_figure_and_three_are_heard_at_most():
    both = plan(CALM, subjects=Subjects({"portrait": 0.9, "rain": 0.8, "church": 0.6, "horse": 0.5}))
    assert (both.figure, both.bass) == (DEPICTIONS["rain"].figure, DEPICTIONS["church"].bass)
    three = plan(CALM, subjects=Subjects({"portrait": 0.9, "rain": 0.8, "church": 0.6}))
    assert both == three


def test_a_word_without_means_changes_nothing():
    assert plan(GLAD, subjects=Subjects({"lighthouse": 0.9})) == plan(GLAD)


def test_solitude_leaves_the_melody_alone_and_a_portrait_lets_it_be_heard(silent):
    roles = [note.role for note in composed(CALM, "solitude", sure=1.0)]
    assert ROLES.index("figure") not in roles
    assert roles.count(ROLES.index("harmony")) < [note.role for note in silent["calm"]].count(ROLES.index("harmony"))
    melodies = [
        np.mean([note.velocity for note in piece if note.role == ROLES.index("melody")])
        for piece in (silent["calm"], composed(CALM, "portrait"))
    ]
    assert melodies[1] > 1.1 * melodies[0]


def test_death_tolls_low_and_birds_sing_high(silent):
    def mean(piece, role):
        return np.mean([note.pitch for note in piece if note.role == ROLES.index(role)])

    assert mean(composed(CALM, "death", sure=1.0), "bass") < mean(silent["calm"], "bass") - 4
    assert mean(composed(GLAD, "birds", sure=1.0), "figure") > mean(silent["glad"], "figure") + 8


def test_instruments_lean_to_what_is_shown():
    names = tuple(INSTRUMENTS)
    even = Palette(np.full((len(ROLES), len(names)), 1 / len(names), np.float32), 0.5)
    for subject, instrument in (("church", "organ"), ("birds", "flute"), ("child", "celesta"), ("forest", "horn")):
        leaning = tinted(even, names, MIDDLE, Subjects({subject: 0.8}))
        assert {names[place] for place in leaning.weights.argmax(1)} == {instrument}
        np.testing.assert_allclose(leaning.weights.sum(1), 1, rtol=1e-5)
        less = tinted(even, names, MIDDLE, Subjects({subject: 0.2}))
        place = names.index(instrument)
        assert 1 / len(names) < less.weights[0, place] < leaning.weights[0, place]


def test_what_is_shown_later_bends_the_music_from_the_next_beat_on():
    composer, straight = (Composer(TABLES, EMBEDDING, 3, CALM) for _ in range(2))
    before = [composer.next_beat() for _ in range(5)]
    assert before == [straight.next_beat() for _ in range(5)]
    composer.steer(CALM, MIDDLE, Subjects({"horse": 0.9}))
    assert [composer.next_beat() for _ in range(12)] != [straight.next_beat() for _ in range(12)]


def test_means_name_patterns_and_instruments_that_there_are_and_every_pattern_is_used():
    assert {means.figure for means in DEPICTIONS.values()} - {""} == set(FIGURES)
    assert {means.bass for means in DEPICTIONS.values()} - {""} == set(BASSES)
    assert {name for means in DEPICTIONS.values() for name in means.instruments} <= set(INSTRUMENTS)
    assert all(figure.beats > 0 and dict(figure.strokes).keys() for figure in FIGURES.values() if figure.strokes)


def test_every_subject_has_a_name_in_every_language_of_the_pages():
    names = json.loads(NAMES.read_text(encoding="utf-8"))
    assert set(names) == {file.stem for file in (ROOT / "kiosk" / "web" / "static" / "texts").glob("*.json")}
    for words in names.values():
        assert list(words) == list(DEPICTIONS)
        assert all(word.strip() for word in words.values())


def test_modes_are_left_alone_by_all_subjects_together():
    everything = Subjects(dict.fromkeys(DEPICTIONS, 1.0))
    for valence in np.linspace(-1, 1, 9):
        feeling = Feeling.of(float(valence), 0.2)
        assert plan(feeling, subjects=everything).mode == plan(feeling).mode
        assert plan(feeling, subjects=everything).mode in MODES

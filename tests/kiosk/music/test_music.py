"""The music process: what a visitor says is in the next sound that it makes, and nothing that is sent can stop it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from a2m_edge.bundle import Bundle
from a2m_edge.composer.plan import plan
from a2m_edge.explanation.causes import Cause
from a2m_edge.perception.gaze import find_regions
from a2m_edge.perception.pictures import read_picture
from a2m_edge.sound.format import FORMATS
from a2m_edge.soundscape import Soundscape
from kiosk.music.process import NEWS_SECONDS, OPENING, STEADY_SECONDS
from kiosk.shared.messages import Forget, Hear, See
from kiosk.shared.settings import MusicSettings
from tests.fixtures.exhibit.music_room import MusicRoom
from tests.fixtures.places import ROOT

pytestmark = pytest.mark.realtime

LEAD = 0.4
PICTURE = np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)
COMMENT, OTHER = "The waves make me feel at peace", "Terror! The storm will drown them all"


@pytest.fixture
def room(tiny_bundle: Bundle) -> Iterator[MusicRoom]:
    settings = MusicSettings(bundle=tiny_bundle.path, device="cpu", threads=1, lead=LEAD)
    with MusicRoom(settings, tiny_bundle.manifest.audio) as room:
        yield room


def twin(bundle: Bundle, seed: int = 0) -> Soundscape:
    """What it plays if nobody shows or says anything."""
    soundscape = Soundscape(bundle, seed=seed, device="cpu", threads=1)
    soundscape.hear(OPENING)
    return soundscape


def sound(soundscape: Soundscape, count: int) -> np.ndarray:
    frames = -(-count // soundscape.bundle.manifest.audio.hop)
    return np.concatenate([chunk.samples for chunk in soundscape.chunks(frames)])[:count]


SAME = 1e-4
"""Chunks of other lengths give the same sound but for rounding; measured: 1e-6 and below."""


def told(why: tuple[Cause, ...]) -> list[tuple]:
    return [(cause.kind, cause.what, [(each.means, each.direction) for each in cause.effects]) for cause in why]


def say(comment: str) -> Hear:
    return Hear(comment, time.monotonic())


def test_before_anything_was_seen_or_said_it_plays_something_calm(room, tiny_bundle):
    played = room.play(40_000)
    np.testing.assert_allclose(played, sound(twin(tiny_bundle), len(played)), atol=SAME)
    room.until(lambda: bool(room.felt))
    assert room.felt[0].cause == "start"
    assert room.felt[0].changed_sample == 0
    assert room.felt[0].why == (), "nobody said what the opening says"


def test_it_makes_as_much_ahead_as_it_was_told_and_then_rests(room, tiny_bundle):
    audio = tiny_bundle.manifest.audio
    lead, chunk = round(LEAD * audio.sample_rate), audio.frames(STEADY_SECONDS) * audio.hop
    for _ in range(3):
        room.until(lambda: room.ring.available > lead)
        time.sleep(0.3)
        assert lead < room.ring.available <= lead + chunk
        room.ring.skip(20_000)
    assert room.ring.streams == 1


def test_a_comment_is_heard_from_the_very_sample_on_that_is_told(room, tiny_bundle):
    before = room.play(30_000)
    room.inbox.put(say(OTHER))
    rest = room.until(lambda: any(felt.cause == "comment" for felt in room.felt), playing=True)
    played = np.concatenate([before, rest, room.play(20_000)])
    felt = room.felt[-1]
    straight = sound(twin(tiny_bundle), len(played))
    changed = felt.changed_sample
    assert 30_000 <= changed < len(played) - 10_000
    np.testing.assert_allclose(played[:changed], straight[:changed], atol=SAME)
    chunk = tiny_bundle.manifest.audio.frames(NEWS_SECONDS) * tiny_bundle.manifest.audio.hop
    assert np.abs(played[changed:][:chunk] - straight[changed:][:chunk]).max() > 1e-3
    # What is told is what the same soundscape feels.
    same = twin(tiny_bundle)
    feeling = same.hear(OTHER).feeling
    assert (felt.word, felt.valence, felt.arousal) == (feeling.word, feeling.valence, feeling.arousal)
    assert felt.emotions == tuple(feeling.emotions)
    assert same.casting is not None
    assert felt.instruments == tuple(tiny_bundle.manifest.instruments[each] for each in same.casting.instruments)
    assert (felt.mode, felt.tempo) == (plan(feeling).mode, plan(feeling).tempo)
    assert 0.0 < felt.timings["comment"] < felt.timings["comment to sound"]
    assert felt.timings["chunk"] > 0.0
    assert room.progress.comments_felt.value == 1


def test_a_picture_takes_the_place_of_the_opening_and_a_comment_joins_it(room, tiny_bundle):
    expected = Soundscape(tiny_bundle, device="cpu", threads=1)
    for message, perceive in (
        (See(PICTURE), lambda: expected.see(PICTURE)),
        (say(COMMENT), lambda: expected.hear(COMMENT)),
        (Forget(), lambda: expected.hear(None)),
    ):
        perception = perceive()
        count = len(room.felt)
        room.inbox.put(message)
        room.until(lambda count=count: len(room.felt) > count and room.felt[-1].cause != "start", playing=True)
        assert room.felt[-1].valence == pytest.approx(perception.feeling.valence, abs=1e-5)
        assert room.felt[-1].arousal == pytest.approx(perception.feeling.arousal, abs=1e-5)
        assert told(room.felt[-1].why) and told(room.felt[-1].why) == told(expected.why)
    # There is no opening where the picture came before the music had begun.
    assert [felt.cause for felt in room.felt if felt.cause != "start"] == ["picture", "comment", "picture"]


def test_where_there_is_little_to_see_the_staff_is_told_and_the_music_goes_on(room):
    for picture, little in ((PICTURE, False), (np.zeros((90, 120, 3), np.uint8), True)):
        count = len(room.felt)
        room.inbox.put(See(picture))
        room.until(lambda count=count: len(room.felt) > count and room.felt[-1].cause == "picture", playing=True)
        assert room.felt[-1].little is little


def test_another_view_of_the_same_work_changes_nothing(room):
    room.inbox.put(See(PICTURE))
    room.until(lambda: room.progress.pictures_felt.value == 1, playing=True)
    room.inbox.put(See(np.clip(PICTURE[2:, 1:] * 0.9, 0, 255).astype(np.uint8)))  # in another light, cut elsewhere
    room.inbox.put(say(COMMENT))
    room.until(lambda: any(felt.cause == "comment" for felt in room.felt), playing=True)
    room.inbox.put(See(np.zeros((90, 120, 3), np.uint8)))
    room.until(lambda: room.progress.pictures_felt.value == 2, playing=True)
    assert [felt.cause for felt in room.felt if felt.cause != "start"][:2] == ["picture", "comment"]


def test_where_the_music_looks_is_told_with_its_time_and_changes_no_sound(room, tiny_bundle):
    """It looks ahead while it has time; the music is that of one who never did."""
    picture = read_picture(ROOT / "examples" / "storm.jpg")
    room.inbox.put(See(picture))
    room.until(lambda: bool(room.felt), playing=True)
    begun = time.monotonic()
    room.until(lambda: bool(room.looks), playing=True)
    look = room.looks[0]
    assert look.region in [each.box for each in find_regions(picture)]
    assert begun <= look.heard <= time.monotonic() + LEAD + 1.0
    room.until(lambda: len(room.looks) > 1, playing=True)
    assert room.looks[1].region is None, "the whole returns"
    assert room.looks[1].heard >= look.heard


def test_what_is_forgotten_without_a_picture_leaves_the_opening(room, tiny_bundle):
    room.inbox.put(Forget())  # nothing to forget
    room.inbox.put(say(COMMENT))
    room.until(lambda: any(felt.cause == "comment" for felt in room.felt), playing=True)
    room.inbox.put(Forget())
    room.until(lambda: room.felt[-1].cause == "start", playing=True)
    assert room.felt[-1].valence == pytest.approx(twin(tiny_bundle).perception.feeling.valence, abs=1e-5)


def test_the_newest_of_many_wins_and_the_sound_goes_on(room):
    room.play(1000)
    for number in range(60):
        room.inbox.put(say(f"{COMMENT} {number}"))
        room.inbox.put(See(np.full((40, 40, 3), number, np.uint8)))
    last = say(OTHER)
    room.inbox.put(last)
    room.until(lambda: any(felt.received == last.received for felt in room.felt), playing=True)
    room.play(20_000)
    assert room.process.is_alive()
    heard = [felt.received for felt in room.felt if felt.cause == "comment"]
    assert heard == sorted(heard)
    assert heard[-1] == last.received


def test_a_flood_of_comments_does_not_make_the_answer_come_late(room, tiny_bundle):
    """What is made ahead is what stands between a comment and the ear."""
    audio = tiny_bundle.manifest.audio
    most = LEAD * audio.sample_rate + 2 * audio.frames(STEADY_SECONDS) * audio.hop
    room.play(5000)
    for number in range(80):
        room.inbox.put(say(f"{COMMENT} {number}"))
        time.sleep(0.01)
        assert room.ring.available <= most


@pytest.mark.parametrize(
    "nonsense",
    [
        say(""),
        say("\u200b\u202e\x07"),
        See(np.zeros((0, 0, 3), np.uint8)),
        See(np.zeros((40, 40), np.uint8)),
        See(np.zeros((40, 40, 4), np.uint8)),
        See(np.full((40, 40, 3), np.nan)),
        "no message at all",
    ],
)
def test_what_cannot_be_understood_is_left_out(room, nonsense):
    room.inbox.put(nonsense)
    room.play(5000)
    room.inbox.put(say(COMMENT))
    room.until(lambda: any(felt.cause == "comment" for felt in room.felt), playing=True)
    assert [felt.cause for felt in room.felt] == ["start", "comment"]
    assert room.process.is_alive()
    assert room.ring.streams == 1


def test_a_comment_that_is_not_understood_is_said_to_be_so_and_the_picture_stays_in_charge(room, tiny_bundle):
    twin_of = Soundscape(tiny_bundle, device="cpu", threads=1)
    room.inbox.put(say("我很难过。"))  # before any picture: the opening stays
    room.until(lambda: {felt.cause for felt in room.felt} == {"start", "comment"}, playing=True)
    assert [felt.understood for felt in room.felt if felt.cause == "comment"] == [False]
    assert room.felt[-1].valence == pytest.approx(twin(tiny_bundle).perception.feeling.valence, abs=1e-5)
    feeling = twin_of.see(PICTURE).feeling
    for message, understood in ((See(PICTURE), True), (say(COMMENT), True), (say("أنا حزين جدا"), False)):
        count = len(room.felt)
        room.inbox.put(message)
        room.until(lambda count=count: len(room.felt) > count, playing=True)
        assert room.felt[-1].understood == understood
    assert room.felt[-1].received is not None
    assert room.felt[-1].valence == pytest.approx(feeling.valence, abs=1e-5)
    assert (room.progress.comments_felt.value, room.progress.comments_missed.value) == (1, 2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (3000, 2), (1200, 1900)])
def test_pictures_of_every_shape_are_looked_at(room, shape):
    room.inbox.put(See(np.random.default_rng(1).integers(0, 255, (*shape, 3), np.uint8)))
    room.until(lambda: any(felt.cause == "picture" for felt in room.felt), playing=True)
    assert np.isfinite(room.play(5000)).all()


def test_while_the_exhibit_rests_nothing_is_made_but_all_is_understood(room):
    room.play(20_000)
    room.controls.paused = True
    time.sleep(0.5)
    made = room.progress.chunks_made.value
    room.ring.skip(100_000)
    room.inbox.put(say(COMMENT))
    room.until(lambda: any(felt.cause == "comment" for felt in room.felt))
    time.sleep(0.3)
    assert room.felt[-1].changed_sample is None
    assert room.felt[-1].why
    assert room.progress.chunks_made.value == made
    room.controls.paused = False
    room.play(5000)


def test_a_killed_music_process_leaves_a_ring_in_which_the_next_one_begins_another_piece(room, tiny_bundle):
    before = room.play(10_000)
    for turn in (2, 3):
        room.kill()
        room.play(room.ring.available)
        seed = room.progress.chunks_made.value
        room.start()
        played = room.play(8_000)
        np.testing.assert_allclose(played, sound(twin(tiny_bundle, seed), 8_000), atol=SAME)
        assert np.abs(played - before[:8_000]).max() > 0.01
        assert room.ring.streams == turn


def test_it_ends_with_the_exhibit_and_with_the_supervisor(room):
    room.play(1000)
    room.controls.stopping = True
    room.process.join()
    assert room.process.exitcode == 0
    room.controls.stopping = False
    room.start()
    room.play(1000)
    room.inbox.close()
    room.process.join()
    assert room.process.exitcode == 0


def test_it_tells_where_it_runs_and_how_much_time_it_has_left(room):
    room.until(lambda: len(room.states) > 1, playing=True)
    assert all(state.provider == "CPUExecutionProvider" for state in room.states)
    assert room.states[0].sentence == "live sound is made"
    told = room.states[1]
    assert re.search(r"\d\.\d seconds of it in one second of work" if told.ok else "hardly fast enough", told.sentence)


def test_a_bundle_of_clips_plays_and_follows_too(clip_bundle):
    settings = MusicSettings(bundle=clip_bundle.path, device="cpu", threads=1, lead=LEAD)
    with MusicRoom(settings, clip_bundle.manifest.audio) as room:
        calm = Soundscape(clip_bundle, device="cpu", threads=1)
        calm.hear(OPENING)
        played = room.play(40_000)
        np.testing.assert_allclose(played, sound(calm, len(played)), atol=SAME)
        room.inbox.put(say(OTHER))
        room.until(lambda: room.felt[-1].cause == "comment", playing=True)
        assert room.felt[-1].instruments == ()
        assert room.felt[-1].tempo is None


def test_a_bundle_that_is_none_ends_it_with_a_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    with MusicRoom(MusicSettings(bundle=tmp_path), FORMATS["22k-mono"]) as room:
        room.process.join()
        assert room.process.exitcode == 2
    said = capfd.readouterr().err
    assert "manifest.json" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_hours_of_music_need_no_more_memory_than_minutes(room):
    def resident() -> int:
        status = Path(f"/proc/{room.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    rate, sizes = 22050, []
    for turn in range(13):
        for number in range(5):
            room.inbox.put(say(f"{COMMENT} {number}"))
            room.inbox.put(See(np.random.default_rng(number).integers(0, 255, (600, 800, 3), np.uint8)))
            room.play(60 * rate)
        sizes.append(resident())
        print(turn, sizes[-1])
    assert sizes[-1] < 1.02 * sizes[1]

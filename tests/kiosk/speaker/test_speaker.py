"""The speaker process with a real sound server: what the room hears is what was made, and it hears it all the time."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from a2m_edge.sound.format import FORMATS
from kiosk.shared.messages import Hear, See
from kiosk.shared.settings import MusicSettings
from tests.fixtures.exhibit.music_room import MusicRoom
from tests.fixtures.exhibit.sound_server import SoundServer
from tests.fixtures.exhibit.speaker_room import (
    CLOCK,
    RATE,
    SETTINGS,
    STEEPEST,
    SpeakerRoom,
    bed,
    check_contained,
    check_music,
    longest_silence,
    music,
    places,
    steady,
)

pytestmark = pytest.mark.realtime


@pytest.fixture
def server() -> Iterator[SoundServer]:
    with SoundServer(RATE) as server:
        yield server


def check_recording(server: SoundServer, room: SpeakerRoom, seconds: float, disturb: Callable[[], None]) -> None:
    """The room hears, sample by sample and without a gap, what was put into the ring of the music."""
    recorder = server.record()
    room.until_state(lambda state: state.ok and state.source == "live")
    room.wait(2.0)
    first = room.played.written
    while room.played.written < first + seconds * room.audio.sample_rate:
        disturb()
        room.wait(min(10.0, seconds))
    last = room.played.written
    room.wait(0.5)
    recording = recorder.stop()
    played = room.everything[first:last]
    check_contained(room.made, played)
    if room.audio.channels == 1:  # every loudspeaker plays it
        np.testing.assert_array_equal(recording[:, 0], recording[:, 1])
    check_contained(recording[:, : room.audio.channels], played)
    assert (room.progress.underruns.value, room.progress.bed_samples.value, room.live.underruns) == (0, 0, 0)
    assert room.progress.samples_played.value == room.played.written


def test_the_room_hears_what_was_made_sample_by_sample(server, tmp_path):
    with SpeakerRoom(tmp_path, SETTINGS, server.environment) as room:
        room.start_music()
        check_recording(server, room, 9.0, lambda: None)
        check_music(room, room.everything[-RATE:])


def test_left_and_right_reach_their_loudspeakers_sample_by_sample(tmp_path):
    stereo = FORMATS["48k-stereo"]
    with (
        SoundServer(stereo.sample_rate) as server,
        SpeakerRoom(tmp_path, SETTINGS, server.environment, stereo) as room,
    ):
        room.start_music()
        check_recording(server, room, 4.0, lambda: None)
        check_music(room, room.everything[-stereo.sample_rate :])


@pytest.mark.slow
def test_ten_minutes_of_the_default_bundle_have_no_gap_no_repetition_and_no_click(server, tmp_path):
    """With somebody who says something every ten seconds, and a new picture each time."""
    words = itertools.cycle(["calm", "Terror! The storm will drown them all", "I miss her so much", "what a joy"])
    generator = np.random.default_rng(0)
    with (
        SpeakerRoom(tmp_path, SETTINGS, server.environment) as room,
        MusicRoom(MusicSettings(lead=0.5), room.audio, room.live) as music,
    ):

        def disturb() -> None:
            music.inbox.put(See(generator.integers(0, 255, (480, 640, 3), np.uint8)))
            music.inbox.put(Hear(next(words), time.monotonic()))
            music.listen()

        check_recording(server, room, 600.0, disturb)
        delays = [felt.timings["comment to sound"] for felt in music.felt if felt.received is not None]
        assert len(delays) > 50
        print(f"comment to sound: {np.percentile(delays, 50):.0f} ms, 95 of 100 within {np.percentile(delays, 95):.0f}")


def test_a_music_process_that_is_killed_is_covered_by_the_bed_without_a_click(server, tmp_path):
    recorder = server.record()
    with SpeakerRoom(tmp_path, SETTINGS, server.environment) as room:
        room.start_live()
        room.wait(1.0)
        room.kill_music()
        room.until_state(lambda state: state.source == "bed")
        room.wait(1.0)
        room.start_music()
        room.until_state(lambda state: state.source == "live")
        room.wait(1.0)
        heard = room.everything
        assert room.progress.underruns.value == 1
        missing, fades = room.progress.missing_samples.value, 2 * round(SETTINGS.crossfade * RATE)
        assert 0.9 * RATE < missing <= room.progress.bed_samples.value <= missing + fades
    recording = recorder.stop()[:, :1]
    sounding = heard[np.flatnonzero(np.abs(heard) > 0.1)[0] :][: -RATE // 2]
    check_contained(recording, sounding)
    assert len(sounding) > 2.5 * RATE
    assert np.abs(np.diff(sounding, axis=0)).max() < STEEPEST
    assert longest_silence(sounding) == 0.0
    assert places(sounding, np.tile(bed(), (2, 1))[RATE // 2 :]), "for a while the bed was alone"
    assert places(sounding, music(RATE // 2, RATE)), "the new process's music is heard as it was made"


def test_the_end_fades_out(server, tmp_path):
    recorder = server.record()
    with SpeakerRoom(tmp_path, SETTINGS, server.environment) as room:
        room.start_live()
        room.wait(0.8)
        room.process.terminate()
        room.process.join()
        assert room.process.exitcode == 0
    recording = recorder.stop()[:, 0]
    assert np.abs(recording).max() > 0.2
    assert np.abs(np.diff(recording)).max() < STEEPEST
    loud = np.flatnonzero(np.abs(recording) > 0.15)[-1]
    assert 0.2 * RATE < np.flatnonzero(recording)[-1] - loud < 0.6 * RATE


def test_the_end_of_the_exhibit_ends_the_speaker(tmp_path):
    with SpeakerRoom(tmp_path, CLOCK) as room:
        room.start_music()
        room.until_state(lambda state: state.source == "live")
        room.wait(0.6)
        room.controls.stopping = True
        room.process.join()
        assert room.process.exitcode == 0
        room.until(lambda: len(room.everything) == room.played.written)
        assert np.abs(room.everything[-20:]).max() < 1e-3


def test_without_a_device_the_clock_plays_everything_for_the_page(tmp_path):
    with SpeakerRoom(tmp_path, CLOCK) as room:
        room.start_music()
        room.until_state(lambda state: state.source == "live")
        room.wait(3.0)
        check_music(room, steady(room.everything))
        assert room.states[-1].device == "none"
        assert room.states[-1].ok


def test_nothing_plays_long_before_the_bed_begins(tmp_path):
    with SpeakerRoom(tmp_path, CLOCK) as room:
        room.until_state(lambda state: state.source == "bed")
        room.wait(1.0)
        assert np.flatnonzero(np.abs(room.everything) > 0.01)[0] < 1.5 * RATE

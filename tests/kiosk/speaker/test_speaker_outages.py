"""The speaker process when the sound system fails: the page hears on and on, and the room hears again by itself."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import numpy as np
import pytest

from kiosk.shared.settings import SpeakerSettings
from tests.fixtures.exhibit.sound_server import DEVICE, SoundServer
from tests.fixtures.exhibit.speaker_room import CLOCK, RATE, SETTINGS, STEEPEST, SpeakerRoom, check_music, steady

pytestmark = pytest.mark.realtime


@pytest.fixture
def server() -> Iterator[SoundServer]:
    with SoundServer(RATE) as server:
        yield server


def test_a_sound_server_that_goes_is_searched_until_it_comes_back(server, tmp_path):
    with SpeakerRoom(tmp_path, SETTINGS, server.environment) as room:
        room.start_live()
        room.wait(0.5)
        server.stop()
        room.until_state(lambda state: not state.ok)
        room.wait(1.5)
        assert "no sound device" in room.states[-1].sentence
        assert room.states[-1].source == "silence"
        assert room.states[-1].device == DEVICE
        server.start()
        recorder = server.record()
        room.until_state(lambda state: state.ok)
        room.wait(2.0)
        recording = recorder.stop()[:, 0]
        assert np.abs(recording).max() > 0.2
        assert np.abs(np.diff(recording)).max() < STEEPEST, "it joined the music without a click"
        # The page heard the music on and on.
        assert room.progress.underruns.value == 0
        check_music(room, steady(room.everything))


def test_a_sound_server_that_does_not_answer_does_not_stop_the_page(server, tmp_path):
    with SpeakerRoom(tmp_path, SETTINGS, server.environment) as room:
        room.start_live()
        server.send(signal.SIGSTOP)
        room.until_state(lambda state: not state.ok)
        assert "does not take any sound" in room.states[-1].sentence
        room.until_state(lambda state: "does not answer" in state.sentence)
        assert {state.source for state in room.states if not state.ok} == {"silence"}
        server.send(signal.SIGCONT)
        room.until_state(lambda state: state.ok)
        room.wait(0.5)
        assert room.progress.underruns.value == 0


def test_a_sound_server_that_never_answered_does_not_keep_the_page_silent(server, tmp_path):
    server.send(signal.SIGSTOP)
    with SpeakerRoom(tmp_path, SETTINGS, server.environment) as room:
        room.until_state(lambda state: "being opened" in state.sentence)
        room.until(lambda: np.abs(room.everything).max(initial=0.0) > 0.05)  # the page hears the bed
        assert {state.source for state in room.states} == {"silence"}
        server.send(signal.SIGCONT)
        room.until_state(lambda state: state.ok and state.source == "bed")


def test_a_device_that_is_not_there_is_named_and_the_page_hears_on(server, tmp_path):
    settings = SpeakerSettings(device="Bose in the attic", volume=1.0)
    with SpeakerRoom(tmp_path, settings, server.environment) as room:
        room.until(lambda: np.abs(room.everything).max(initial=0.0) > 0.05)
        state = room.states[-1]
        assert (state.ok, state.source) == (False, "silence")
        assert "'Bose in the attic'" in state.sentence and repr(DEVICE) in state.sentence


def test_a_speaker_that_is_killed_leaves_nothing_locked(tmp_path):
    with SpeakerRoom(tmp_path, CLOCK) as room:
        room.start_music()
        for _ in range(3):
            room.until_state(lambda state: state.source == "live")
            room.wait(0.3)
            room.process.kill()
            room.process.join()
            room.states.clear()
            room.start_speaker()
        room.until_state(lambda state: state.source == "live")
        assert room.played.streams == 4

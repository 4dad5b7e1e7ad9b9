"""Healing, routing and signs of life: with real processes, real pipes and a real socket where systemd would listen."""

from __future__ import annotations

import dataclasses
import logging
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.shared.channel import Receiver
from kiosk.shared.counters import Controls, Counter, Progress
from kiosk.shared.links import CameraLinks
from kiosk.shared.logs import RateLimit
from kiosk.shared.messages import (
    ArtworkSeen,
    CameraState,
    Felt,
    Forget,
    Health,
    Hear,
    LiveView,
    Looking,
    PartState,
    Restart,
    See,
    Shown,
    SpeakerState,
    Steer,
)
from kiosk.shared.settings import WatchSettings
from kiosk.supervisor.entry import MENDABLE
from kiosk.supervisor.mail import MESSAGES, Routes
from kiosk.supervisor.notify import Notifier
from kiosk.supervisor.processes import ProcessPlan, WatchedProcess
from kiosk.supervisor.restarts import Restarts
from kiosk.supervisor.signs import SignsOfLife
from tests.fixtures.places import ROOT

pytestmark = pytest.mark.realtime

LONG = 60.0
"""Seconds in which anything here happens, on a busy machine too."""

FELT = Felt("awe", 0.5, -0.2, (1.0,), ("harp",), "major", 72.0, "picture")


class Nursery:
    """Looks after one process as the supervisor does."""

    def __init__(self, target: str, *, patience: float = 20.0, excused: bool = False, **settings: Any) -> None:
        self.controls = Controls()
        self.progress = Progress()
        self.routes = Routes(self.controls, 60.0, lambda part: self.watched.replace(time.monotonic()))
        plan = ProcessPlan(
            "camera",
            f"tests.fixtures.exhibit.parts:{target}",
            lambda: (None, CameraLinks(self.routes.connect_sender("camera"), self.progress, self.controls)),
            lambda: self.progress.frames_captured.value,
            "frame",
            patience,
            lambda: excused,
        )
        self.watched = WatchedProcess(plan, WatchSettings(**settings))

    def until(self, condition: Callable[[], bool], seconds: float = LONG) -> bool:
        """Steps until the condition holds; whether it came to hold in time."""
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            now = time.monotonic()
            self.routes.deliver(now)
            self.watched.step(now)
            time.sleep(0.005)
        return condition()

    def worker(self) -> int:
        """The process id, as the process itself says it once it works."""
        assert self.until(lambda: self.watched.working and self.routes.state("camera") is not None)
        state = self.routes.state("camera")
        assert isinstance(state, CameraState)
        assert int(state.device) in children()
        return int(state.device)

    def end(self) -> None:
        self.controls.stopping = True
        self.watched.kill()
        self.watched.wait(LONG)


@pytest.fixture
def nursery() -> Iterator[Callable[..., Nursery]]:
    made: list[Nursery] = []

    def make(target: str, **options: Any) -> Nursery:
        made.append(Nursery(target, **options))
        return made[-1]

    yield make
    for each in made:
        each.end()


def children() -> set[int | None]:
    """Ids of the processes that this one has started and that run."""
    return {child.pid for child in multiprocessing.active_children()}


def gone(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_killed_process_is_started_again_and_goes_on_counting(nursery, caplog):
    camera = nursery("work")
    first = camera.worker()
    counted = camera.progress.frames_captured.value
    os.kill(first, signal.SIGKILL)
    assert camera.until(lambda: camera.watched.restarts == 1 and camera.watched.working)
    assert camera.worker() != first
    assert gone(first)
    assert camera.progress.frames_captured.value > counted
    levels = [(record.levelno, record.getMessage()) for record in caplog.records]
    assert (logging.WARNING, "the camera process ended (signal 9): it is started again") in levels
    assert any(
        level == logging.WARNING and re.fullmatch(r"the camera process works again after \d+\.\d s", text)
        for level, text in levels
    )


def test_a_process_that_hangs_is_ended_and_replaced(nursery, caplog):
    camera = nursery("work", patience=1.0)
    first = camera.worker()
    os.kill(first, signal.SIGSTOP)  # SIGTERM does not reach it now; SIGKILL does
    assert camera.until(lambda: camera.watched.restarts == 1 and camera.watched.working)
    assert gone(first)
    assert "the camera process gave no frame for 1 s: it is replaced" in caplog.messages


def test_a_process_that_stands_still_is_replaced_though_it_is_alive(nursery):
    camera = nursery("stand_still", patience=0.5)
    assert camera.until(lambda: camera.watched.restarts >= 2)


def test_a_process_that_has_an_excuse_is_left_alone(nursery):
    camera = nursery("stand_still", patience=0.1, excused=True)
    assert camera.until(lambda: camera.watched.working)
    assert not camera.until(lambda: camera.watched.restarts > 0, seconds=1.0)
    idle = nursery("never_begin", patience=0.1, start_patience=0.1, excused=True)
    assert not idle.until(lambda: idle.watched.restarts > 0, seconds=1.0)


def test_a_process_that_never_begins_is_given_longer_each_time(nursery, caplog):
    camera = nursery("never_begin", patience=0.2, start_patience=0.4, longest_pause=10.0)
    assert camera.until(lambda: camera.watched.restarts == 2)
    assert camera.until(lambda: len(re.findall("gave no frame", caplog.text)) == 3)
    waits = [float(record.args[2]) for record in caplog.records if "gave no" in record.msg]
    assert waits == pytest.approx([0.4, 0.8, 1.6])


def test_a_process_that_keeps_failing_is_restarted_so_often_and_then_given_time(nursery, caplog, capfd):
    camera = nursery("fail", restarts=3, window=60.0)
    assert camera.until(lambda: any(record.levelno == logging.ERROR for record in caplog.records))
    assert camera.watched.restarts == 3
    assert not camera.until(lambda: camera.watched.restarts > 3, seconds=1.0)
    assert re.search(
        r"the camera process ended \(exit status 1\) and was restarted too often: the next attempt is in \d+ s",
        caplog.text,
    )
    said = capfd.readouterr().err
    assert said.count("a mistake in the program: KeyError in ") == 4
    assert "parts.py" in said
    assert "Traceback" not in said
    assert "secret" not in said


def test_what_somebody_must_mend_before_the_first_start_is_told_apart_from_a_failure(nursery, capfd):
    camera = nursery("refuse")
    assert camera.until(lambda: camera.watched.refused)
    assert "ERROR camera: there is no such device: plug it in\n" in capfd.readouterr().err
    assert MENDABLE == 2


def test_staff_may_replace_a_process_at_any_time(nursery):
    camera = nursery("work", restarts=1)
    for restarts in range(1, 4):
        worker = camera.worker()
        camera.watched.replace(time.monotonic())
        assert camera.until(lambda restarts=restarts: camera.watched.restarts == restarts and camera.watched.working)
        assert gone(worker)


def test_what_a_process_prints_goes_to_standard_error_and_control_c_is_left_to_the_supervisor(nursery, capfd):
    camera = nursery("chatter")
    worker = camera.worker()
    os.kill(worker, signal.SIGINT)
    counted = camera.progress.frames_captured.value
    assert camera.until(lambda: camera.progress.frames_captured.value > counted + 5)
    assert worker in children()
    out, err = capfd.readouterr()
    assert out == ""
    assert "printed\n" in err


@given(
    limit=st.integers(1, 5),
    window=st.floats(1.0, 100.0),
    longest=st.floats(0.1, 500.0),
    lives=st.lists(st.floats(0.0, 60.0), min_size=1, max_size=60),
)
def test_never_more_restarts_in_a_window_than_allowed(limit, window, longest, lives):
    restarts = Restarts(limit, window, longest)
    now, starts, pauses = 0.0, [], []
    for life in lives:
        now += life
        pause = restarts.pause(now)
        now += pause
        restarts.restarted(now)
        starts.append(now)
        pauses.append(pause)
    assert pauses[:limit] == [0.0] * min(limit, len(pauses))  # healing is immediate
    for begin in starts:
        assert sum(begin <= start < begin + window - 1e-6 for start in starts) <= limit
    assert max(pauses) <= max(longest, window) + 1e-6


def test_pauses_double_until_a_process_does_well():
    restarts = Restarts(1, 1.0, 30.0)
    now, pauses = 0.0, []
    for _ in range(6):
        restarts.restarted(now)
        pauses.append(restarts.pause(now))
        now += pauses[-1]
    assert pauses == [5.0, 10.0, 20.0, 30.0, 30.0, 30.0]
    restarts.went_well()
    assert restarts.pause(now) == 0.0
    restarts.restarted(now)
    assert restarts.pause(now) == 5.0


class Company:
    """The supervisor's routes with the ends that the processes would hold, in this process."""

    def __init__(self, comment_seconds: float = 60.0) -> None:
        self.controls = Controls()
        self.replaced: list[str] = []
        self.routes = Routes(self.controls, comment_seconds, self.replaced.append)
        self.camera = self.routes.connect_sender("camera")
        self.speaker = self.routes.connect_sender("speaker")
        self.music_says = self.routes.connect_sender("engine")
        self.web_says = self.routes.connect_sender("web")
        self.music = self.routes.connect_receiver("engine", 0.0)
        self.web = self.routes.connect_receiver("web", 0.0)

    def say(self, sender, message: object, now: float = 0.0) -> None:
        """Says a message and delivers until it has passed the supervisor: messages of one process stay in order."""
        sender.put(message)
        sender.put(Restart("camera"))
        wanted, end = len(self.replaced) + 1, time.monotonic() + LONG
        while len(self.replaced) < wanted and time.monotonic() < end:
            self.routes.arrived.wait(0.1)
            self.routes.arrived.clear()
            self.routes.deliver(now)
        assert len(self.replaced) == wanted


def told(receiver: Receiver) -> object:
    message = receiver.get(LONG)
    assert message is not None
    return message


def shown(receiver: Receiver) -> int:
    """The brightness of the even picture that the music process is to see."""
    message = told(receiver)
    assert isinstance(message, See) and np.ptp(message.picture) == 0
    return int(message.picture[0, 0, 0])


def nothing_told(receiver: Receiver) -> bool:
    return receiver.get(0.2) is None


def artwork(grey: int) -> ArtworkSeen:
    return ArtworkSeen(np.full((4, 6, 3), grey, np.uint8), None, 0.9)


def test_an_artwork_reaches_the_music_and_the_pages():
    company = Company()
    company.say(company.camera, artwork(7))
    seen, shown = told(company.music), told(company.web)
    assert isinstance(seen, See) and isinstance(shown, Shown)
    assert seen.picture.shape == (4, 6, 3) and (seen.picture == 7).all()
    assert shown.number == 1 and (shown.picture == 7).all()
    company.say(company.camera, artwork(8))
    again = told(company.web)
    assert isinstance(again, Shown) and again.number == 2


def test_a_held_artwork_stays_and_the_newest_follows_when_it_is_let_go():
    company = Company()
    company.say(company.camera, artwork(1))
    assert isinstance(told(company.music), See)
    company.say(company.web_says, Steer(held=True))
    company.say(company.camera, artwork(2))
    company.say(company.camera, artwork(3))
    assert nothing_told(company.music)
    company.say(company.web_says, Steer(held=False))
    assert shown(company.music) == 3
    assert nothing_told(company.music)


def test_a_music_process_that_was_replaced_sees_the_artwork_and_hears_the_comment_again_until_its_time_is_over():
    company = Company(comment_seconds=100.0)
    company.say(company.camera, artwork(5))
    company.say(company.web_says, Hear("how still", 10.0), now=10.0)
    again = company.routes.connect_receiver("engine", 50.0)
    assert shown(again) == 5
    assert told(again) == Hear("how still", 50.0)
    company.routes.deliver(109.0)
    assert nothing_told(again)
    company.routes.deliver(110.0)
    assert told(again) == Forget()
    later = company.routes.connect_receiver("engine", 120.0)
    assert isinstance(told(later), See)
    assert nothing_told(later)


def test_a_web_server_that_was_replaced_is_told_what_is_so():
    company = Company()
    company.say(company.camera, artwork(5))
    company.say(company.music_says, FELT)
    company.say(company.speaker, SpeakerState("none", True, "it plays", "live"))
    parts = (PartState("camera", "0", True, "it works"), PartState("speaker", "none", True, "it works"))
    company.routes.publish(parts)
    company.routes.publish(parts)
    again = company.routes.connect_receiver("web", 0.0)
    news = [told(again) for _ in range(3)]
    assert [type(each) for each in news] == [Shown, Felt, Health]
    assert news[1:] == [FELT, Health(parts, "live")]
    assert nothing_told(again)  # the second time there was nothing new


def test_where_the_music_looks_is_told_until_another_artwork_comes():
    company = Company()
    looking = Looking((0.5, 0.5, 0.3, 0.2), 12.5)
    company.say(company.camera, artwork(5))
    company.say(company.music_says, looking)
    assert [told(company.web) for _ in range(2)][1] == looking
    again = company.routes.connect_receiver("web", 0.0)
    assert [type(told(again)) for _ in range(2)] == [Shown, Looking]
    company.say(company.camera, artwork(9))
    fresh = company.routes.connect_receiver("web", 0.0)
    assert isinstance(told(fresh), Shown)
    assert nothing_told(fresh)


def test_a_speaker_that_is_gone_plays_nothing_whatever_it_said_last():
    company = Company()
    company.say(company.speaker, SpeakerState("card", True, "it plays", "live"))
    plays = PartState("speaker", "card", True, "it plays")
    assert company.routes.publish((plays,)) == "live"
    assert company.routes.publish((dataclasses.replace(plays, ok=False, running=False),)) == "silence"
    assert company.routes.publish(()) == "silence"
    assert company.routes.publish((plays,)) == "live"
    company.speaker = company.routes.connect_sender("speaker")
    assert company.routes.publish((plays,)) == "silence"  # the new one has said nothing yet
    company.say(company.speaker, SpeakerState("card", False, "it is gone"))
    assert company.routes.publish((plays,)) == "silence"


def test_the_staff_steers_and_odd_values_are_bounded():
    company = Company()
    company.say(company.web_says, Steer(volume=0.25, muted=True, paused=True))
    controls = company.controls
    assert (controls.volume, controls.muted, controls.paused, controls.held) == (0.25, True, True, False)
    company.say(company.web_says, Steer(volume=7.0, muted=False))
    assert (controls.volume, controls.muted, controls.paused) == (1.0, False, True)


def test_a_flood_from_the_camera_leaves_the_newest_and_pushes_out_nothing_of_another_kind():
    company = Company()
    company.say(company.web_says, Hear("first words", 0.0))
    company.say(company.camera, artwork(9))
    for number in range(500):
        company.camera.put(LiveView(bytes([number % 256]) * 1000, None, str(number)))
    company.say(company.camera, LiveView(b"", None, "last"))
    time.sleep(0.5)  # the pages are read by nobody meanwhile
    news = [told(company.web)]
    while (message := company.web.get(0.2)) is not None:
        news.append(message)
    views = [each.state for each in news if isinstance(each, LiveView)]
    assert views[-1] == "last"
    assert len(views) <= MESSAGES
    assert sum(isinstance(each, Shown) for each in news) == 1
    assert told(company.music) == Hear("first words", 0.0)


def test_no_message_shows_words_or_pictures_in_a_log_line():
    for message in (
        Hear("my secret", 1.0),
        artwork(77),
        LiveView(b"M" * 9, None, "it works"),
        See(artwork(77).picture),
    ):
        assert "secret" not in repr(message)
        assert "77" not in repr(message)
        assert "M" * 9 not in repr(message)


@pytest.fixture
def systemd(tmp_path):
    """Who tells systemd, and a socket where systemd would listen: gives everything it was told so far."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)

        def heard() -> list[str]:
            messages = []
            while True:
                try:
                    messages.append(listening.recv(4096).decode())
                except BlockingIOError:
                    return messages

        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "4000000"})
        yield notifier, heard


def test_systemd_hears_of_life_only_while_samples_are_played(systemd):
    played = Counter()
    notifier, told_systemd = systemd
    life = SignsOfLife(notifier, played, 1000)
    parts = [PartState("camera", "0", False, "there is no camera: plug it in", 2)]
    life.tell(0.0, "silence", parts)
    played.add(249)
    life.tell(0.1, "bed", parts)
    assert told_systemd() == ["STATUS=no sound; camera: there is no camera: plug it in; restarts: camera 2"]
    played.add(1)
    life.tell(0.2, "bed", parts)
    assert told_systemd() == ["READY=1", "WATCHDOG=1"]
    for tick in range(100):  # ten seconds in which nothing is played
        life.tell(0.3 + tick / 10, "bed", parts)
    heard = told_systemd()
    assert "WATCHDOG=1" not in heard
    assert heard == ["STATUS=the bed is played; camera: there is no camera: plug it in; restarts: camera 2"]
    for tick in range(100):
        played.add(100)
        life.tell(10.3 + tick / 10, "bed", parts)
    assert told_systemd() == ["WATCHDOG=1"] * 5  # every two seconds: half of the four that are allowed
    life.ending()
    assert told_systemd() == ["STOPPING=1"]


def test_an_abstract_socket_is_reached_and_a_missing_one_is_told_once(caplog):
    name = f"a2m-kiosk-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        notifier = Notifier({"NOTIFY_SOCKET": f"@{name}"})
        assert notifier.interval is None
        notifier.status("two\nlines")
        assert listening.recv(100) == b"STATUS=two lines"
    for _ in range(3):
        notifier.ready()
    assert len(caplog.records) == 1
    Notifier({}).ready()


@pytest.mark.parametrize("journal", [True, False])
def test_lines_for_the_journal_have_a_priority_and_others_a_time(tmp_path, journal):
    code = (
        "import logging\n"
        "from kiosk.shared.logs import log_to_stderr\n"
        "log_to_stderr('camera')\n"
        "logging.getLogger('kiosk').warning('two\\nlines')\n"
        "try: raise ValueError('secret')\n"
        "except ValueError as error: logging.getLogger('kiosk').error('it failed', exc_info=error)\n"
    )
    with (tmp_path / "log").open("w+") as log:
        status = os.fstat(log.fileno())
        stream = f"{status.st_dev}:{status.st_ino + (0 if journal else 1)}"
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"JOURNAL_STREAM": stream}, stderr=log, check=True, cwd=ROOT
        )
        log.seek(0)
        first, second = log.read().splitlines()
    if journal:
        assert first == "<4>camera: two lines"
        assert second == "<3>camera: it failed (ValueError in <string>:5)"
    else:
        assert re.fullmatch(r"\d\d:\d\d:\d\d WARNING camera: two lines", first)
        assert re.fullmatch(r"\d\d:\d\d:\d\d ERROR camera: it failed \(ValueError in <string>:5\)", second)


def test_a_flood_of_log_lines_is_bounded_and_what_was_left_out_is_counted():
    now = 0.0
    limit = RateLimit(burst=3, pause=10.0, clock=lambda: now)
    record = logging.LogRecord("camera", logging.WARNING, "", 0, "it broke", None, None)
    assert [limit.filter(record) for _ in range(100)] == [True] * 3 + [False] * 97
    assert limit.filter(logging.LogRecord("camera", logging.ERROR, "", 0, "worse", None, None))
    now = 10.0
    assert limit.filter(record)
    assert vars(record)["kept_back"] == 97

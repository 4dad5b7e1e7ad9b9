"""The first process of the kiosk: it starts the others, joins them, watches them, and mends what breaks."""

from __future__ import annotations

import contextlib
import dataclasses
import resource
import signal
import time
from collections.abc import Iterator, Sequence
from types import FrameType

from a2m_edge.bundle import Bundle
from a2m_edge.bundle.manifest import BED
from kiosk.config import Settings
from kiosk.shared.calibration import read_region
from kiosk.shared.counters import Controls, Progress
from kiosk.shared.links import CameraLinks, MusicLinks, SpeakerLinks, WebLinks
from kiosk.shared.memory import give_back_freed_memory
from kiosk.shared.messages import MusicState, Outline, PartName, PartState
from kiosk.shared.ring import AudioRing
from kiosk.supervisor.entry import MENDABLE
from kiosk.supervisor.mail import Routes
from kiosk.supervisor.notify import Notifier
from kiosk.supervisor.processes import ProcessPlan, WatchedProcess
from kiosk.supervisor.signs import SignsOfLife

PARTS: tuple[PartName, ...] = ("speaker", "engine", "camera", "web")
"""The processes of an exhibit, in the order of their start: the first are those that the sound waits for."""

ENDING = 1.2
"""Seconds in which everything may end by itself after SIGTERM; the speaker fades out first."""

PLAYED_SECONDS = 8.0
"""Seconds of played sound that listeners of the page may lag behind."""

MUSIC_SLACK = 2.0
"""Seconds of room in the ring of the music beyond what it is to make ahead."""

_STEP = 0.05


class Supervisor:
    """Runs the kiosk.

    Args:
        settings: all options.
        bundle: the verified bundle that ``settings.engine`` names.
        notifier: tells systemd.
        parts: the processes to start.

    Raises:
        OptionError: the calibration is damaged.
    """

    def __init__(
        self, settings: Settings, bundle: Bundle, notifier: Notifier, parts: Sequence[PartName] = PARTS
    ) -> None:
        self._settings = settings
        self._bundle = bundle
        self._region()  # a damaged calibration is refused here, and not by one process after the other
        self._audio = bundle.manifest.audio
        self._progress = Progress()
        self._controls = Controls(settings.speaker.volume)
        self._routes = Routes(self._controls, settings.engine.comment_seconds, self._replace)
        self._life = SignsOfLife(notifier, self._progress.samples_played, self._audio.sample_rate)
        self._signal: int | None = None
        lead = settings.engine.lead + MUSIC_SLACK
        self._music_ring = AudioRing.create(round(lead * self._audio.sample_rate), self._audio.channels)
        self._played_ring = AudioRing.create(
            round(PLAYED_SECONDS * self._audio.sample_rate), self._audio.channels, broadcast=True
        )
        self._watched = {part: WatchedProcess(self._plan(part), settings.watch) for part in parts}

    def run(self) -> int:
        """Runs until SIGTERM or SIGINT; to be called once, in the main thread.

        Returns:
            the exit status: 0 after SIGTERM, 130 after SIGINT, 2 when a process could not even begin because of
            something that somebody must mend; its log line says what.
        """
        # What a crashed process held in memory, visitors' words too, must not reach the disk.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        give_back_freed_memory()
        with self._signals():
            try:
                while self._signal is None and not self._refused:
                    self._step(time.monotonic())
                    self._routes.arrived.wait(_STEP)
                    self._routes.arrived.clear()
            finally:
                self._end()
        return 130 if self._signal == signal.SIGINT else MENDABLE if self._refused else 0

    @property
    def _refused(self) -> bool:
        return any(watched.refused for watched in self._watched.values())

    def _step(self, now: float) -> None:
        self._routes.deliver(now)
        for watched in self._watched.values():
            watched.step(now)
        states = [self._state(watched) for watched in self._watched.values()]
        sounding = self._routes.publish(states)
        self._life.tell(now, sounding, states)

    def _end(self) -> None:
        self._life.ending()
        self._controls.stopping = True
        deadline = time.monotonic() + ENDING
        while time.monotonic() < deadline and any(watched.alive for watched in self._watched.values()):
            time.sleep(0.01)
        for watched in self._watched.values():
            watched.kill()
        for watched in self._watched.values():
            watched.wait(0.1)
        for ring in (self._music_ring, self._played_ring):
            ring.close()
            ring.unlink()

    def _replace(self, part: PartName) -> None:
        if part in self._watched:
            self._watched[part].replace(time.monotonic())

    def _plan(self, part: PartName) -> ProcessPlan:
        watch, progress = self._settings.watch, self._progress
        match part:
            case "camera":
                return ProcessPlan(
                    part,
                    "kiosk.camera.process:run_camera",
                    lambda: (dataclasses.replace(self._settings.camera, region=self._region()), self._camera_links()),
                    lambda: progress.frames_captured.value,
                    "frame",
                    watch.camera_patience,
                )
            case "engine":
                return ProcessPlan(
                    part,
                    "kiosk.music.process:run_music",
                    lambda: (self._settings.engine, self._music_links()),
                    lambda: progress.chunks_made.value,
                    "sound",
                    watch.engine_patience,
                    self._music_may_rest,
                )
            case "speaker":
                return ProcessPlan(
                    part,
                    "kiosk.speaker.process:run_speaker",
                    lambda: (self._settings.speaker, self._speaker_links()),
                    lambda: progress.samples_played.value,
                    "sample to play",
                    watch.speaker_patience,
                )
            case "web":
                return ProcessPlan(
                    part,
                    "kiosk.web.process:run_web",
                    lambda: (self._settings.web, self._web_links()),
                    lambda: progress.web_turns.value,
                    "sign of its event loop",
                    watch.web_patience,
                )

    def _music_may_rest(self) -> bool:
        """It makes nothing while the exhibit rests, and while enough is made ahead."""
        enough = self._settings.engine.lead / 2 * self._audio.sample_rate
        return self._controls.paused or self._music_ring.available >= enough

    def _camera_links(self) -> CameraLinks:
        return CameraLinks(self._routes.connect_sender("camera"), self._progress, self._controls)

    def _music_links(self) -> MusicLinks:
        return MusicLinks(
            inbox=self._routes.connect_receiver("engine", time.monotonic()),
            outbox=self._routes.connect_sender("engine"),
            ring=self._music_ring.name,
            progress=self._progress,
            controls=self._controls,
        )

    def _speaker_links(self) -> SpeakerLinks:
        return SpeakerLinks(
            outbox=self._routes.connect_sender("speaker"),
            music_ring=self._music_ring.name,
            played_ring=self._played_ring.name,
            bed=self._bundle.file(BED),
            audio=self._audio,
            progress=self._progress,
            controls=self._controls,
        )

    def _web_links(self) -> WebLinks:
        return WebLinks(
            inbox=self._routes.connect_receiver("web", time.monotonic()),
            outbox=self._routes.connect_sender("web"),
            played_ring=self._played_ring.name,
            audio=self._audio,
            comment_language=self._bundle.manifest.text.language,
            calibration=self._settings.camera.calibration,
            region=self._region(),
            rotate=self._settings.camera.rotate,
            progress=self._progress,
            controls=self._controls,
        )

    def _region(self) -> Outline | None:
        camera = self._settings.camera
        return read_region(camera.calibration, camera.rotate) or camera.region

    def _state(self, watched: WatchedProcess) -> PartState:
        part, state = watched.plan.name, self._routes.state(watched.plan.name)
        match state:
            case None:
                device = f"{self._settings.web.host}:{self._settings.web.port}" if part == "web" else ""
            case MusicState(provider):
                device = provider
            case _:
                device = state.device
        if not watched.working:
            sentence = "it is being started" if watched.restarts == 0 else "it is being started again"
            return PartState(part, device, False, sentence, watched.restarts, running=False)
        if state is None:
            return PartState(part, device, True, "it works", watched.restarts)
        return PartState(part, device, state.ok, state.sentence, watched.restarts)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def note(number: int, _frame: FrameType | None) -> None:
            self._signal = number

        before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

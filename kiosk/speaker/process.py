"""The speaker process: plays the exhibit's sound without a break; no other process opens a sound device."""

from __future__ import annotations

import logging
import signal
import threading
import time
from dataclasses import dataclass
from types import FrameType

import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import A2MError
from a2m_edge.sound.bed import read_bed
from a2m_edge.sound.format import AudioFormat
from kiosk.shared.links import SpeakerLinks
from kiosk.shared.messages import Sounding, SpeakerState
from kiosk.shared.ring import AudioRing
from kiosk.shared.settings import SpeakerSettings
from kiosk.speaker.audio_device import Output
from kiosk.speaker.bed import Bed
from kiosk.speaker.mixer import Mixer

NO_DEVICE = "none"
"""The device name of an exhibit whose sound only the pages play."""

STALL = 0.25
"""Seconds, beyond the requested latency, without a call from the device, after which the clock takes over."""

LOSS = 3.0
"""Seconds without a call of the device after which it is given up and opened anew."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 3.0
"""Seconds between attempts to open the device; they double."""

_STEP, _WATCH = 0.01, 0.025  # seconds between two turns while the clock plays, and while a device does
_FIRST_ATTEMPT = 1.5  # seconds that the first sound waits for the device
_STEADY = 10.0  # seconds after which an open device counts as found
_CLOSING = 0.4
_WHOLE_SECONDS = 1.0  # more than this is not caught up with: the process was stopped, or the computer slept

_log = logging.getLogger(__name__)


def run_speaker(settings: SpeakerSettings, links: SpeakerLinks) -> None:
    """Plays until ``stopping`` is set or SIGTERM comes, then fades out; to be called in a process's main thread.

    Raises:
        BundleError: the bed cannot be played.
    """
    speaker = _Speaker(settings, links)
    signal.signal(signal.SIGTERM, speaker.end)
    speaker.run()


class _Speaker:
    """Chooses what asks the mixer for sound: the sound device, or the clock while there is none."""

    def __init__(self, settings: SpeakerSettings, links: SpeakerLinks) -> None:
        bed = Bed(read_bed(links.bed, links.audio))
        self._links = links
        self._rings = AudioRing.attach(links.music_ring), AudioRing.attach(links.played_ring)
        live, played = self._rings
        played.begin()
        self._mixer = Mixer(live, played, bed, links.audio.sample_rate, settings, links.progress, links.controls)
        self._stage = _Stage(self._mixer)
        self._clock = _Clock(links.audio.sample_rate)
        self._keeper = None if settings.device == NO_DEVICE else _Keeper(settings, links.audio, self._stage)
        self._settings = settings
        self._terminated = False
        self._underflows = 0
        self._state: SpeakerState | None = None

    def end(self, _number: int, _frame: FrameType | None) -> None:
        """Takes SIGTERM."""
        self._terminated = True

    def run(self) -> None:
        if self._keeper is not None:
            self._keeper.start()
            deadline = time.monotonic() + _FIRST_ATTEMPT
            while not self._keeper.tried.wait(_STEP) and time.monotonic() < deadline and not self._terminated:
                pass
        while not self._mixer.ended:
            if self._terminated or self._links.controls.stopping:
                self._mixer.fade_out()
            self._drive(time.monotonic())
            self._report()
            time.sleep(_STEP if self._stage.driver is self._clock else _WATCH)
        if self._keeper is not None:
            if (held := self._keeper.held) is not None and self._stage.driver is held.driver:
                time.sleep(min(_CLOSING, held.output.latency))  # what was read last still has to sound
            self._keeper.stop(_CLOSING)
        self._stage.hand_to(None)  # from here on nobody renders, and the rings can go
        for ring in self._rings:
            ring.close()

    def _drive(self, now: float) -> None:
        """Lets exactly one of device and clock take the mixer's sound."""
        held = self._held(now)
        if held is not None and held.quiet_for(now) < STALL + self._settings.latency:
            if self._stage.driver is not held.driver:
                self._stage.hand_to(held.driver)
            return
        if self._stage.driver is not self._clock:
            # The page should not miss what the device did not ask for since it stopped; but more at once than this
            # could be more than is made ahead.
            was_heard = held is not None and self._stage.driver is held.driver
            self._clock.start(max(held.called_at, now - STALL) if held is not None and was_heard else now)
            self._stage.hand_to(self._clock)
        self._stage.render(self._clock, self._clock.due(now))

    def _held(self, now: float) -> _Held | None:
        """The open device, or None once it has failed."""
        if self._keeper is None:
            return None
        if self._keeper.failure is not None:
            raise self._keeper.failure
        held = self._keeper.held
        if held is None:
            return None
        if held.output.failure is not None:
            raise held.output.failure
        if held.output.ended or held.quiet_for(now) > LOSS:
            name = held.output.device.name
            what = "is gone" if held.output.ended else "does not answer"
            _log.warning("the sound device %r %s: it is searched for again", name, what)
            self._keeper.give_up(f"the sound device {name!r} {what}: check its plug, or the sound server")
            return None
        return held

    def _report(self) -> None:
        held = None if self._keeper is None else self._keeper.held
        if held is not None and held.output.underflows != self._underflows:
            self._underflows = held.output.underflows
            _log.warning("the sound device %r ran out of sound: this computer is too busy", held.output.device.name)
        state = self._present()
        if state == self._state:
            return
        before = self._state
        if (state.device, state.ok, state.sentence) != (before and (before.device, before.ok, before.sentence)):
            # To have found the device again is worth a warning, as it was to have lost it.
            lost = not state.ok or (before is not None and not before.ok)
            _log.log(logging.WARNING if lost else logging.INFO, "%s", state.sentence)
        if before is not None and {before.source, state.source} == {"live", "bed"}:
            _log.warning("%s", _CHANGES[state.source])
        self._state = state
        self._links.outbox.put(state)

    def _present(self) -> SpeakerState:
        """What the room hears: while no device takes the sound, that is silence, though the pages hear on."""
        sounding = self._mixer.sounding
        if self._keeper is None:
            return SpeakerState(NO_DEVICE, True, "the page alone plays the sound", sounding)
        held = self._keeper.held
        if held is None:
            return SpeakerState(self._settings.device, False, self._keeper.fault)
        name, latency = held.output.device.name, round(held.output.latency, 3)
        if self._stage.driver is not held.driver:
            return SpeakerState(name, False, f"the sound device {name!r} does not take any sound now")
        return SpeakerState(name, True, f"the sound device {name!r} plays", sounding, latency)


_CHANGES: dict[Sounding, str] = {
    "bed": "live sound is late: the bed is played",
    "live": "live sound is played again",
}


class _Stage:
    """Gives the mixer's sound to one driver at a time, so that no sample is played twice.

    The driver changes seldom; a sound device that comes in that moment gets silence and does not wait.
    """

    def __init__(self, mixer: Mixer) -> None:
        self.driver: object = None
        self._mixer = mixer
        self._lock = threading.Lock()

    def hand_to(self, driver: object) -> None:
        """Selects the driver that gets the sound from now on; with None, none does."""
        with self._lock:
            self.driver = driver

    def render(self, driver: object, count: int) -> NDArray[np.float32] | None:
        """The next samples if ``driver`` is the selected one; None if not, or while another is being selected."""
        if driver is not self.driver or not self._lock.acquire(blocking=False):
            return None
        try:
            return self._mixer.render(count) if driver is self.driver else None
        finally:
            self._lock.release()


class _Clock:
    """Tells how many samples are due, by the monotonic clock, without drift."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._origin = 0.0
        self._done = 0

    def start(self, now: float) -> None:
        self._origin, self._done = now, 0

    def due(self, now: float) -> int:
        """Number of samples from the last call, or the start, to ``now``."""
        count = int((now - self._origin) * self._rate) - self._done
        if count > _WHOLE_SECONDS * self._rate:
            self.start(now)
            return 0
        self._done += count
        return count


@dataclass(frozen=True)
class _Held:
    """An open device.

    Attributes:
        output: the device.
        driver: as which it renders.
        opened_at: ``time.monotonic()`` of its opening.
    """

    output: Output
    driver: object
    opened_at: float

    @property
    def called_at(self) -> float:
        """When it last asked for sound, or was opened."""
        return self.output.called_at or self.opened_at

    def quiet_for(self, now: float) -> float:
        """Seconds since it last asked for sound."""
        return now - self.called_at


class _Keeper(threading.Thread):
    """Opens the sound device, and opens it again whenever it was given up.

    A thread of its own, since a sound server that does not answer holds it up: meanwhile the clock plays for the page.

    Attributes:
        held: the open device, or None.
        fault: why there is none: a sentence.
        tried: is set after the first attempt.
        failure: a mistake of this program, else None.
    """

    def __init__(self, settings: SpeakerSettings, audio: AudioFormat, stage: _Stage) -> None:
        super().__init__(name="sound device", daemon=True)
        self.held: _Held | None = None
        self.fault = "the sound device is being opened"
        self.tried = threading.Event()
        self.failure: Exception | None = None
        self._settings = settings
        self._audio = audio
        self._stage = stage
        self._wanted = threading.Event()  # that what is held is given up
        self._stopping = False

    def give_up(self, fault: str) -> None:
        """Tells the thread to close the device and open it again."""
        self.fault, self.held = fault, None
        self._wanted.set()

    def stop(self, patience: float) -> None:
        """Closes the device for good, if that is done within ``patience`` seconds."""
        self._stopping = True
        self._wanted.set()
        self.join(patience)

    def run(self) -> None:
        """The thread."""
        pause = FIRST_PAUSE
        try:
            while not self._stopping:
                opened_at = time.monotonic()
                if self._keep():
                    steady = time.monotonic() - opened_at > _STEADY
                    pause = FIRST_PAUSE if steady else pause
                    if steady:
                        continue
                if not self._stopping:
                    self._wanted.wait(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
        except Exception as error:
            self.failure = error

    def _keep(self) -> bool:
        """Opens the device and holds it until it is given up; returns whether it could be opened."""
        driver = object()

        def render(count: int) -> NDArray[np.float32] | None:
            return self._stage.render(driver, count)

        try:
            output = Output(self._settings.device, self._audio, self._settings.latency, render)
        except A2MError as error:
            self.fault = str(error)
            self.tried.set()
            return False
        self.held = _Held(output, driver, time.monotonic())
        self.tried.set()
        self._wanted.wait()
        self._wanted.clear()
        self.held = None
        output.close()
        return True

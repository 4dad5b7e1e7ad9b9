"""Whether everything that an exhibit needs is there: one line each, and what to do where it is not."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from a2m_edge import __version__
from a2m_edge.addresses import shown_place
from a2m_edge.bundle import DEFAULT_BUNDLE, Bundle, open_bundle
from a2m_edge.bundle.manifest import BED
from a2m_edge.errors import A2MError, printable
from kiosk.camera.capture import choose_source
from kiosk.camera.process import LONGEST_SETTLING
from kiosk.config import Settings, is_loopback
from kiosk.shared.calibration import read_region
from kiosk.shared.certificates import load_certificate
from kiosk.shared.counters import Controls, Progress
from kiosk.shared.links import CameraLinks, SpeakerLinks
from kiosk.shared.messages import CameraState, SpeakerState
from kiosk.shared.ring import AudioRing
from kiosk.shared.settings import CameraSettings, WatchSettings
from kiosk.supervisor.mail import Routes
from kiosk.supervisor.processes import ProcessPlan, WatchedProcess

ENOUGH = 1.5
"""Seconds of sound to be made in one second of work: what is left is for pictures, comments and the pages."""

LEAST_MEMORY = 1 << 30
LEAST_SHARED = 64 << 20
LEAST_DISK = 50 << 20
"""Bytes that must be free."""

_TRIAL = 10.0
"""Seconds of sound that are made to measure the headroom."""

_HEARD = 2.0
"""Seconds that the loudspeaker plays."""

_PATIENCE = 15.0
"""Seconds that a camera or a loudspeaker has to begin."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what it is.
        ok: whether all is well.
        sentence: what was found, or what to do.
        soon: whether it is well today, and something is to be done before long.
    """

    name: str
    ok: bool
    sentence: str
    soon: bool = False

    def __str__(self) -> str:
        mark = "TO DO" if not self.ok else "SOON " if self.soon else "OK   "
        return f"{mark}  {self.name}: {printable(self.sentence)}"


def examine(settings: Settings) -> Iterator[Finding]:
    """Looks at everything an exhibit with these settings needs; each finding comes when it was made.

    The camera and the loudspeaker are tried by the very processes that use them in the exhibit; the loudspeaker plays
    the bundle's loop for some two seconds.
    """
    yield Finding("program", True, f"a2m-edge {__version__}")
    try:
        bundle = open_bundle(settings.engine.bundle)
    except A2MError as error:
        yield Finding("bundle", False, str(error))
    else:
        place = settings.engine.bundle or DEFAULT_BUNDLE
        megabytes = sum(record.size for record in bundle.manifest.files.values()) / 1e6
        yield Finding(
            "bundle", True, f"{bundle.manifest.name} {bundle.manifest.version}, {megabytes:.0f} MB, proven, in {place}"
        )
        yield from _or_error("provider", lambda: _provider(settings, bundle))
        yield from _or_error("headroom", lambda: _headroom(settings, bundle))
        yield from _or_error("speaker", lambda: _speaker(settings, bundle))
    yield from _or_error("camera", lambda: _camera(settings))
    yield from _or_error("pages", lambda: _pages(settings))
    if settings.web.speech:
        yield from _or_error("speech", _speech)
    yield _memory()
    yield _shared_memory()
    yield from _or_error("disk", lambda: _disk(settings.camera))
    yield _clock()


def _or_error(name: str, look: Callable[[], Finding]) -> Iterator[Finding]:
    try:
        yield look()
    except A2MError as error:
        yield Finding(name, False, str(error))


def _provider(settings: Settings, bundle: Bundle) -> Finding:
    from a2m_edge.inference.sessions import open_session

    wanted = settings.engine.device
    session = open_session(bundle, "vocoder", wanted, settings.engine.threads)
    cores = len(os.sched_getaffinity(0))
    return Finding("provider", True, f"{wanted} was asked for, {session.provider} is used; {cores} CPU cores")


def _headroom(settings: Settings, bundle: Bundle) -> Finding:
    from a2m_edge.soundscape import Soundscape

    soundscape = Soundscape(bundle, device=settings.engine.device, threads=settings.engine.threads)
    soundscape.hear("a quiet room")
    audio = bundle.manifest.audio
    for _ in soundscape.chunks(audio.frames(1.0)):  # the first chunk waits for memory and caches
        pass
    began = time.perf_counter()
    for _ in soundscape.chunks(audio.frames(_TRIAL)):
        pass
    ratio = _TRIAL / (time.perf_counter() - began)
    found = f"{ratio:.1f} s of sound are made in one second"
    if ratio >= ENOUGH:
        return Finding("headroom", True, found)
    return Finding(
        "headroom",
        False,
        f"{found}, and {ENOUGH:g} are needed: end other programs, use a GPU or a lighter bundle",
    )


def _camera(settings: Settings) -> Finding:
    camera = settings.camera
    if (region := read_region(camera.calibration, camera.rotate)) is None:
        region = camera.region
    choose_source(camera)  # what can be no camera is told as it is, and not waited for
    controls, progress = Controls(), Progress()
    routes = Routes(controls, 1.0, lambda _: None)
    plan = ProcessPlan(
        "camera",
        "kiosk.camera.process:run_camera",
        lambda: (settings.camera, CameraLinks(routes.connect_sender("camera"), progress, controls)),
        lambda: progress.frames_looked.value,  # those before have not found their exposure
        "frame",
        _PATIENCE,
    )
    settling = settings.camera.settle + LONGEST_SETTLING
    working = _try_process(plan, routes, controls, 1.0, _PATIENCE + settling)
    state = routes.state("camera")
    if working and not (isinstance(state, CameraState) and not state.ok):
        name = state.device if isinstance(state, CameraState) else shown_place(settings.camera.source)
        place = "with a region" if region is not None else "the artwork is searched for"
        turned = f", turned by {camera.rotate} degrees" if camera.rotate else ""
        return Finding("camera", True, f"{name} gives frames{turned}; {place}")
    if isinstance(state, CameraState):
        return Finding("camera", False, state.sentence)
    return Finding(
        "camera",
        False,
        f"no frame came from camera {shown_place(settings.camera.source)} in {_PATIENCE:.0f} s: check the cable, and"
        " end programs that use it (the exhibit itself, too)",
    )


def _speaker(settings: Settings, bundle: Bundle) -> Finding:
    controls, progress = Controls(settings.speaker.volume), Progress()
    routes = Routes(controls, 1.0, lambda _: None)
    audio = bundle.manifest.audio
    with (
        AudioRing.create(audio.sample_rate, audio.channels) as music_ring,
        AudioRing.create(audio.sample_rate, audio.channels, broadcast=True) as played_ring,
    ):
        plan = ProcessPlan(
            "speaker",
            "kiosk.speaker.process:run_speaker",
            lambda: (
                settings.speaker,
                SpeakerLinks(
                    outbox=routes.connect_sender("speaker"),
                    music_ring=music_ring.name,
                    played_ring=played_ring.name,
                    bed=bundle.file(BED),
                    audio=audio,
                    progress=progress,
                    controls=controls,
                ),
            ),
            lambda: progress.samples_played.value,
            "sample",
            _PATIENCE,
        )
        working = _try_process(plan, routes, controls, _HEARD)
    state = routes.state("speaker")
    if working and isinstance(state, SpeakerState) and state.ok:
        if settings.speaker.device == "none":
            return Finding("speaker", True, "none is wanted: the page alone plays")
        return Finding("speaker", True, f"{state.device} has played the loop: did you hear it?")
    if isinstance(state, SpeakerState):
        return Finding("speaker", False, state.sentence)
    return Finding("speaker", False, f"{settings.speaker.device} did not begin to play: see the lines above")


def _try_process(
    plan: ProcessPlan, routes: Routes, controls: Controls, seconds: float, patience: float = _PATIENCE
) -> bool:
    """Runs a process of the exhibit until it has worked for some seconds, or had its time; whether it worked."""
    watched = WatchedProcess(plan, WatchSettings(restarts=1))
    end = time.monotonic() + patience
    worked = False
    try:
        while (now := time.monotonic()) < end and watched.restarts == 0 and not watched.refused:
            watched.step(now)
            routes.deliver(now)
            if watched.working and not worked:
                worked, end = True, now + seconds
            time.sleep(0.02)
        return worked and watched.working
    finally:
        controls.stopping = True
        end = time.monotonic() + 1.0
        while watched.alive and time.monotonic() < end:
            time.sleep(0.01)
        watched.kill()
        watched.wait(1.0)
        routes.deliver(time.monotonic())


def _pages(settings: Settings) -> Finding:
    web = settings.web
    with contextlib.closing(socket.socket(socket.AF_INET6 if ":" in web.host else socket.AF_INET)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((web.host, web.port))
        except OSError as error:
            return Finding(
                "pages",
                False,
                f"{web.host} port {web.port} cannot be listened on ({error.strerror or error}): end the program that"
                " uses it (the exhibit itself?), or choose another one",
            )
    certificate = load_certificate(web.certificate, web.key)
    now = time.time()
    remark = None if certificate is None else certificate.remark(now)
    if certificate is not None and remark is not None and not certificate.valid(now):
        return Finding("pages", False, remark)
    proxied = [f"{name}{web.prefix}" for name in web.names if "://" in name]
    open_to = f"the network by {', '.join(proxied)}, with" if proxied else "the network, with"
    reach = "this computer alone" if is_loopback(web.host) and not proxied else f"{open_to} the pairing token"
    staff = "the staff's page has a PIN" if web.pin_hash else "there is no staff's page: a2m-edge kiosk pin makes one"
    found = f"{web.host} port {web.port} is free, for {reach}; {staff}"
    return Finding("pages", True, found if remark is None else f"{remark}; {found}", soon=remark is not None)


def _speech() -> Finding:
    """Listens to half a second of noise, which takes as long as a sentence of up to six seconds to its first word."""
    from kiosk.web.speech.log_mel import RATE
    from kiosk.web.speech.recogniser import Recogniser

    recogniser = Recogniser()
    began = time.perf_counter()
    recogniser.write_down(np.random.default_rng(0).normal(0.0, 0.01, RATE // 2).astype(np.float32))
    return Finding("speech", True, f"Whisper listens, and answers after about {time.perf_counter() - began:.1f} s")


def _memory() -> Finding:
    free = 1024 * next(
        int(line.split()[1])
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        if line.startswith("MemAvailable:")
    )
    found = f"{free / 2**30:.1f} GiB are free"
    if free >= LEAST_MEMORY:
        return Finding("memory", True, found)
    return Finding("memory", False, f"{found}, and 1 GiB is needed: end other programs")


def _shared_memory() -> Finding:
    place = Path("/dev/shm")  # noqa: S108  # where Linux keeps shared memory
    try:
        free = shutil.disk_usage(place).free if os.access(place, os.W_OK) else 0
    except OSError:
        free = 0
    if free >= LEAST_SHARED:
        return Finding("shared memory", True, f"{free / 2**20:.0f} MiB are free in {place}")
    return Finding(
        "shared memory", False, f"{place} has no 64 MiB that may be written: mount a tmpfs there, with the mode 1777"
    )


def _disk(camera: CameraSettings) -> Finding:
    read_region(camera.calibration, camera.rotate)
    folder = camera.calibration.resolve().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return Finding(
            "disk", False, f"the calibration cannot be kept in {folder}: create it, or let this user write there"
        )
    free = shutil.disk_usage(folder).free
    if free < LEAST_DISK:
        return Finding("disk", False, f"{folder} has {free / 2**20:.0f} MiB left, and 50 MiB are needed: make room")
    return Finding("disk", True, f"{free / 2**30:.1f} GiB are free for the calibration in {folder}")


def _clock() -> Finding:
    """A computer without a network and a battery begins in the past; the program's own files tell how late it is."""
    newest = max(file.stat().st_mtime for file in Path(__file__).parent.glob("*.py"))
    now = time.strftime("%Y-%m-%d %H:%M")
    if time.time() >= newest:
        return Finding("clock", True, f"it is {now}")
    return Finding("clock", False, f"it is {now}, before this program was installed: set it with  timedatectl set-time")

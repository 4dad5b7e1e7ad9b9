"""``a2m-edge kiosk`` as it runs in a museum: healing, ending, and keeping nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest

from tests.fixtures.exhibit.exhibit import LONG, PARTS, Listener, RunningExhibit, longest_silence, names
from tests.fixtures.places import PROGRAM, ROOT
from tools.measure_kiosk import growth, measure_start, soak

pytestmark = pytest.mark.realtime

WORDS = "the harbour remembers my grandmother zanzibar"
"""A comment that nothing else would ever say."""

SHARED_MEMORY = Path("/dev/shm")
PATIENT = "[watch]\n" + "".join(f"{part}_patience = 60.0\n" for part in PARTS) + "start_patience = 60.0\n"
"""Options for a busy machine, where nothing but a kill is to be healed."""


@pytest.fixture
def start(tmp_path, tiny_bundle):
    """Starts exhibits with the tiny bundle, and waits until every part works."""
    running: list[RunningExhibit] = []

    def start_exhibit(**options) -> RunningExhibit:
        folder = tmp_path / str(len(running))
        folder.mkdir()
        exhibit = RunningExhibit(folder, **({"bundle": tiny_bundle.path, "options": PATIENT} | options))
        running.append(exhibit)
        assert exhibit.until(exhibit.healthy), exhibit.log
        return exhibit

    yield start_exhibit
    for exhibit in running:
        with exhibit:
            pass


def assert_clean(exhibit: RunningExhibit, memory: set[str]) -> None:
    assert exhibit.until(lambda: not exhibit.orphans(), 10.0), exhibit.log
    assert exhibit.until(lambda: not memory & names(SHARED_MEMORY), 10.0)
    assert "Traceback" not in exhibit.log


def test_whatever_is_killed_is_replaced_and_the_sound_goes_on(start, tiny_bundle):
    exhibit: RunningExhibit = start()
    rate = tiny_bundle.manifest.audio.sample_rate
    assert exhibit.until(lambda: exhibit.metric("a2m_chunks_made_total") > 3)
    listener = Listener(exhibit)
    for part in ("engine", "camera", "web", "speaker"):
        before = exhibit.parts()
        assert set(before) == set(PARTS)
        os.kill(before[part], signal.SIGKILL)

        def replaced(part: str = part, before: int = before[part]) -> bool:
            listener.listen()
            return exhibit.parts().get(part, before) != before

        def works() -> bool:
            listener.listen()
            return exhibit.healthy()

        assert exhibit.until(replaced), exhibit.log
        assert exhibit.until(works), exhibit.log
        after = exhibit.parts()
        assert all(after[name] == before[name] for name in PARTS if name != part)  # and nobody else
        assert f"the {part} process ended (signal 9): it is started again" in exhibit.log
        assert exhibit.until(partial(exhibit.has_logged, f"the {part} process works again after"))
        assert exhibit.metric(f'a2m_restarts_total{{part="{part}"}}') == 1
    samples = listener.close()
    assert listener.lost == 0
    assert longest_silence(samples, rate) <= 0.25
    memory = exhibit.shared_memory()
    exhibit.end()
    assert exhibit.status == 0
    assert_clean(exhibit, memory)


def test_processes_that_hang_are_replaced(start):
    exhibit: RunningExhibit = start(
        options="[watch]\nweb_patience = 60.0\ncamera_patience = 4.0\nengine_patience = 4.0\n"
    )
    before = exhibit.parts()
    for part in ("camera", "engine"):
        os.kill(before[part], signal.SIGSTOP)
    assert exhibit.until(
        lambda: all(exhibit.parts().get(part, before[part]) != before[part] for part in ("camera", "engine"))
    ), exhibit.log
    assert exhibit.until(exhibit.healthy), exhibit.log
    assert re.search(r"the camera process gave no frame for 4 s: it is replaced", exhibit.log)
    assert re.search(r"the engine process gave no sound for 4 s: it is replaced", exhibit.log)


def test_control_c_ends_it_and_an_exhibit_that_hangs_ends_too(start):
    exhibit: RunningExhibit = start()
    memory = exhibit.shared_memory()
    assert exhibit.has_logged(f"open  http://127.0.0.1:{exhibit.port}  in a browser; Ctrl-C ends")
    os.kill(exhibit.parts()["engine"], signal.SIGSTOP)
    exhibit.end(signal.SIGINT)
    assert exhibit.status == 130
    assert_clean(exhibit, memory)


def test_nothing_is_left_when_its_first_process_is_killed(start):
    exhibit: RunningExhibit = start()
    memory = exhibit.shared_memory()
    assert memory & names(SHARED_MEMORY)
    exhibit.end(signal.SIGKILL)
    assert_clean(exhibit, memory)


def test_systemd_is_told_of_the_start_when_sound_is_played(start, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(LONG)
        exhibit = start(environment={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"})
        heard: list[str] = []
        while "WATCHDOG=1" not in heard:
            heard.append(systemd.recv(4096).decode())
        assert heard.index("READY=1") < heard.index("WATCHDOG=1")
        ring = exhibit.played()
        assert ring.written > 0
        ring.close()
        exhibit.end()
        while "STOPPING=1" not in heard:
            heard.append(systemd.recv(4096).decode())
    assert all(re.fullmatch(r"(READY|WATCHDOG|STOPPING)=1|STATUS=.{1,300}", message) for message in heard)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "{taken}"], "cannot listen on 127.0.0.1 port {taken}"),
        (["--bundle", "/nowhere"], "there is no bundle at /nowhere"),
        (["--host", "0.0.0.0"], "pairing token"),  # noqa: S104
        (["--config", "/nowhere/kiosk.toml"], "cannot be read"),
        (["--camera", "/nowhere/at/all"], "/nowhere/at/all"),
    ],
)
def test_what_somebody_must_mend_is_said_in_one_sentence(tmp_path, tiny_bundle, arguments, words):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [str(PROGRAM), "kiosk", "--audio", "none", "--camera", str(ROOT / "examples"), "--port", "0"]
        command += ["--bundle", str(tiny_bundle.path), *(argument.format(taken=port) for argument in arguments)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=LONG, check=False)
    assert done.returncode == 2, done.stderr
    assert words.format(taken=port) in done.stderr
    assert "Traceback" not in done.stderr
    assert sum(words.format(taken=port) in line for line in done.stderr.splitlines()) == 1


def test_a_region_is_calibrated_before_the_exhibit_opens(start):
    exhibit: RunningExhibit = start(command=("kiosk", "calibrate"), options="[camera]\nsearch = false\n")
    assert set(exhibit.parts()) == {"camera", "web"}
    pin = re.search(rf"open  http://127\.0\.0\.1:{exhibit.port}/calibrate  and give the PIN  (\d{{8}}) ;", exhibit.log)
    assert pin, exhibit.log
    assert exhibit.ask("/api/staff/session", {"pin": "00000000"})[0] == 403
    assert exhibit.ask("/api/staff/session", {"pin": pin.group(1)})[0] == 204
    assert exhibit.until(lambda: exhibit.ask("/api/staff/view.jpg")[0] == 200)
    camera = exhibit.parts()["camera"]
    assert exhibit.ask("/api/staff/region", {"corners": REGION}, "PUT")[0] == 204
    assert exhibit.until(lambda: exhibit.parts().get("camera", camera) != camera)  # which takes the region

    def outline() -> object:
        view = json.loads(exhibit.ask("/api/staff/state")[1])["view"]
        return None if view is None else view["outline"]

    assert exhibit.until(lambda: outline() == REGION), outline()
    assert exhibit.ask("/api/comment", {"comment": "nobody listens"})[0] == 503
    exhibit.end(signal.SIGINT)
    assert exhibit.status == 130


PIN = "24681357"
REGION = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]
_TRACED = "open,openat,openat2,creat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mknod,mknodat,truncate"
_IN_MEMORY = re.compile(r"(/dev/null|/dev/shm/.*|/dev/tty|/proc/.*|/sys/.*)( \(deleted\))?")


@pytest.fixture
def written_files(tmp_path):
    """A command that watches another one, and what it saw: every name under which a file was made or changed."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    trace = tmp_path / "trace"
    command = [strace, "-ff", "-qq", "--seccomp-bpf", "--decode-fds=path", "-e", "status=successful"]
    command += ["-e", "signal=none", "-s", "4096", "-e", f"trace={_TRACED}", "-o", str(trace)]
    if subprocess.run([*command, "/bin/true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("strace may not watch processes here")

    def written() -> set[str]:
        found = set()
        calls = [line for file in tmp_path.glob("trace.*") for line in file.read_text(errors="replace").splitlines()]
        for call in calls:
            name = call.partition("(")[0]
            if name in ("open", "openat", "openat2"):
                if not re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND|O_TMPFILE", call):
                    continue
                found.add(call.rpartition("= ")[2].partition("<")[2].removesuffix(">"))
            else:
                found.add(re.findall(r'"((?:[^"\\]|\\.)*)"', call)[-1])
        return {name for name in found if not _IN_MEMORY.fullmatch(name)}

    return command, written


def use_the_exhibit(exhibit: RunningExhibit, seconds: float) -> None:
    """Visitors write, look and listen for some seconds; the staff looks through the camera and calibrates it."""
    assert exhibit.ask("/api/staff/session", {"pin": PIN})[0] == 204
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end or number < 3:
        status, body = exhibit.ask("/api/comment", {"comment": f"{WORDS} {number}"})
        assert status in (202, 429, 503), body
        number += status == 202
        assert exhibit.ask("/api/artwork.jpg")[0] in (200, 404)
        assert exhibit.ask("/api/staff/view.jpg")[0] in (200, 404)
        assert exhibit.ask("/api/staff/state")[0] == 200
        time.sleep(0.2)
    assert exhibit.until(lambda: exhibit.metric("a2m_comments_felt_total") >= 1), exhibit.log
    assert exhibit.until(lambda: exhibit.metric("a2m_pictures_felt_total") >= 1), exhibit.log
    assert exhibit.until(lambda: exhibit.ask("/api/artwork.jpg")[0] == 200)
    assert exhibit.until(lambda: exhibit.ask("/api/staff/view.jpg")[0] == 200)


def keep_nothing(start, written_files, seconds: float, **options) -> None:
    from argon2 import PasswordHasher

    command, written = written_files
    exhibit: RunningExhibit = start(
        wrapper=command,
        options=f'{PATIENT}[web]\npin_hash = "{PasswordHasher().hash(PIN)}"\ncomment_burst = 1000\nroom_burst = 1000\n',
        environment={"PYTHONDONTWRITEBYTECODE": "1"},
        **options,
    )
    folder = Path(f"/proc/{exhibit.supervisor}/cwd").readlink()
    for process in (exhibit.supervisor, *exhibit.parts().values()):
        assert re.search(r"^Max core file size +0 +0 ", Path(f"/proc/{process}/limits").read_text(), re.MULTILINE)
    use_the_exhibit(exhibit, seconds)
    assert written() == set(), exhibit.log
    # The one file that it may write is seen, or nothing would be.
    assert exhibit.ask("/api/staff/region", {"corners": REGION}, "PUT")[0] == 204
    assert exhibit.until(lambda: exhibit.healthy() and "calibration.toml" in names(folder))
    use_the_exhibit(exhibit, 1.0)
    exhibit.end()
    assert exhibit.status == 0
    changed = written()
    assert {Path(name).parent for name in changed} == {folder}
    assert {re.sub(r"^\.[0-9a-f]{16}", "", Path(name).name) for name in changed} == {".part", "calibration.toml"}
    assert names(folder) == {"calibration.toml", "kiosk.toml", "log"}
    kept = (folder / "log").read_bytes() + (folder / "calibration.toml").read_bytes()
    for word in WORDS.split()[1:]:
        assert word.encode() not in kept.lower()
    assert b"\xff\xd8\xff" not in kept
    assert len(kept) < 20_000


def test_neither_pictures_nor_comments_reach_the_disk(start, written_files):
    keep_nothing(start, written_files, 2.0)


@pytest.mark.slow
def test_neither_pictures_nor_comments_reach_the_disk_in_a_minute_of_the_default_bundle(start, written_files):
    keep_nothing(start, written_files, 60.0, bundle=None)


@pytest.mark.slow
def test_the_default_bundle_starts_within_its_memory(tmp_path):
    start = measure_start(tmp_path)
    assert start.memory <= 700.0  # 372 measured


@pytest.mark.slow
def test_half_an_hour_beside_a_busy_program(tmp_path):
    samples = soak(tmp_path, 30.0)
    assert growth(samples) < 0.02
    first, last = samples[0], samples[-1]
    assert (last.underruns, last.bed, last.restarts) == (0.0, 0.0, 0.0)
    assert last.files <= first.files + 2  # a request may be under way

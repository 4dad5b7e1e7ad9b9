"""A whole exhibit for tests: ``a2m-edge kiosk`` as it is installed, looked at from outside."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import numpy as np

from kiosk.ring import AudioRing

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).with_name("a2m-edge")
PARTS = ("camera", "engine", "speaker", "web")

LONG = 60.0
"""Seconds in which anything here happens, on a busy machine too."""


class RunningExhibit:
    """``a2m-edge kiosk`` in a folder of its own.

    Args:
        folder: where it runs; holds its options, its log and its calibration.
        camera, audio, bundle: as on the command line; the folder of example pictures, the page alone, the built-in.
        options: further text of ``kiosk.toml``.
        wrapper: a command that starts it, for example strace with its options.
        environment: further variables.
        command: of ``a2m-edge``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        camera: Path | str = ROOT / "examples",
        audio: str = "none",
        bundle: Path | None = None,
        options: str = "",
        wrapper: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        command: Sequence[str] = ("kiosk",),
    ) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (folder / "kiosk.toml").write_text(options)
        self._log = folder / "log"
        line = [*wrapper, str(PROGRAM), *command, "--config", "kiosk.toml"]
        line += ["--camera", str(camera), "--port", str(self.port)]
        bundled = {} if bundle is None else {"A2M_KIOSK_ENGINE__BUNDLE": str(bundle)}
        given = {"A2M_KIOSK_SPEAKER__DEVICE": audio, "A2M_KIOSK_ENGINE__DEVICE": "cpu", **bundled}
        self.started = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                line,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | given | (environment or {}),
                start_new_session=True,
            )
        self._wrapped = bool(wrapper)
        self._seen: set[int] = set()
        self._browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.processes()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    @property
    def supervisor(self) -> int:
        """Process id of the kiosk's first process."""
        if not self._wrapped:
            return self._process.pid
        return next(iter(sorted(_children(self._process.pid))))

    @property
    def log(self) -> str:
        """What it has written to standard output and standard error."""
        return self._log.read_text(errors="replace")

    @property
    def status(self) -> int | None:
        """Exit status, None while it runs."""
        return self._process.poll()

    def processes(self) -> list[int]:
        """Every process that belongs to it, its helpers too."""
        found = [self._process.pid]
        for process in found:
            found += _children(process)
        self._seen.update(found)
        return found

    def parts(self) -> dict[str, int]:
        """Process ids by the names of the parts that run now."""
        found = {}
        for process in self.processes():
            with contextlib.suppress(OSError):
                name = Path(f"/proc/{process}/comm").read_text().strip()
                if name.startswith("a2m-") and name.removeprefix("a2m-") in PARTS:
                    found[name.removeprefix("a2m-")] = process
        return found

    def orphans(self) -> list[int]:
        """Processes that belonged to it, as far as ``processes`` saw them, and still live."""
        return [process for process in self._seen if _alive(process)]

    def ask(self, path: str, body: object = None, method: str | None = None) -> tuple[int, bytes]:
        """Asks the web server, with the cookies it gave before; status 0 where nobody answers.

        Args:
            path: with its leading slash.
            body: is sent as JSON.
            method: GET without a body and POST with one, where it is None.
        """
        address = f"http://127.0.0.1:{self.port}"
        request = urllib.request.Request(  # noqa: S310  # http, by the line above
            address + path,
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", "Origin": address},
            method=method,
        )
        try:
            with self._browser.open(request, timeout=5) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except (OSError, TimeoutError):
            return 0, b""

    def healthy(self) -> bool:
        """Whether every part works, as the web server says."""
        status, body = self.ask("/healthz")
        return status == 200 and json.loads(body)["healthy"] is True

    def metric(self, name: str) -> float:
        """A number of ``/metrics``, 0 while there is none."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.ask("/metrics")[1].decode(), re.MULTILINE)
        return float(found.group(1)) if found else 0.0

    def has_logged(self, text: str) -> bool:
        """Whether its log holds the text."""
        return text in self.log

    def until(self, condition: Callable[[], object], seconds: float = LONG) -> bool:
        """Waits until a condition holds; whether it came to hold in time."""
        end = time.monotonic() + seconds
        while not (holds := bool(condition())) and time.monotonic() < end:
            time.sleep(0.02)
        return holds

    def played(self) -> AudioRing:
        """The ring into which everything goes that is played; close it after use."""
        maps = Path(f"/proc/{self.supervisor}/maps").read_text()
        for name in sorted(set(re.findall(r"/dev/shm/(psm_\w+)", maps))):
            ring = AudioRing.attach(name)
            if ring.broadcast:
                return ring
            ring.close()
        raise LookupError("the exhibit has no ring of played sound yet")

    def shared_memory(self) -> set[str]:
        """Names of what it has in shared memory."""
        names: set[str] = set()
        for process in self.processes():
            with contextlib.suppress(OSError):
                names.update(re.findall(r"/dev/shm/(\w+)$", Path(f"/proc/{process}/maps").read_text(), re.MULTILINE))
        return names

    def memory(self) -> float:
        """Megabytes that all its processes use together; what they share is counted once."""
        kilobytes = 0
        for process in self.processes():
            with contextlib.suppress(OSError):
                rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
                kilobytes += int(re.findall(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)[0])
        return kilobytes / 1000

    def open_files(self) -> int:
        """How many files all its processes have open."""
        count = 0
        for process in self.processes():
            with contextlib.suppress(OSError):
                count += len(names(Path(f"/proc/{process}/fd")))
        return count

    def end(self, number: int = signal.SIGTERM) -> float:
        """Ends it by a signal; returns the seconds that took."""
        self.processes()
        began = time.monotonic()
        os.kill(self.supervisor, number)
        self._process.wait(LONG)
        return time.monotonic() - began


class Listener:
    """Writes down everything that an exhibit plays, while it is called often enough.

    Args:
        exhibit: whose played sound is listened to; it goes on being heard whatever process is replaced.
    """

    def __init__(self, exhibit: RunningExhibit) -> None:
        self._ring = exhibit.played()
        self._position = self._ring.written
        self._pieces: list[np.ndarray] = []
        self.lost = 0

    def listen(self) -> None:
        """Takes what is new."""
        heard = self._ring.latest(self._position, self._ring.capacity)
        self._position = heard.position
        self.lost += heard.lost
        self._pieces.append(heard.samples)

    def close(self) -> np.ndarray:
        """Ends, and gives all samples: float32 [N]."""
        self.listen()
        self._ring.close()
        return np.concatenate(self._pieces)


def longest_silence(samples: np.ndarray, sample_rate: int, level: float = 1e-4) -> float:
    """Seconds of the longest stretch in which no sample exceeds ``level``."""
    loud = np.flatnonzero(np.abs(samples) > level)
    edges = np.concatenate([[-1], loud, [len(samples)]])
    return float(np.diff(edges).max() - 1) / sample_rate


def names(folder: Path) -> set[str]:
    """The names of what a folder holds."""
    return {each.name for each in folder.iterdir()}


def _children(process: int) -> list[int]:
    found = []
    for thread in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in thread.read_text().split()]
    return found


def _alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False

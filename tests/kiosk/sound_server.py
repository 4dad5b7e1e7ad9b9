"""A PulseAudio of the test's own, without a sound card: what is played into its sink is recorded from the monitor."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pytest

PACKAGES = "pulseaudio libasound2-plugins libportaudio2"
SINK = "exhibit"
DEVICE = "pulse"
"""What PortAudio calls the device of ALSA that leads to the server."""

CHANNELS = 2


class SoundServer:
    """Starts, stops and kills the server; ``environment`` is what its clients need.

    The sink takes float samples at the rate they are played at, so that a recording can be compared sample by sample.
    """

    def __init__(self, sample_rate: int) -> None:
        for program in ("pulseaudio", "parec", "pactl"):
            if shutil.which(program) is None:
                pytest.skip(f"there is no {program}: sudo apt install {PACKAGES}")
        self.sample_rate = sample_rate
        self._folder = Path(tempfile.mkdtemp(prefix="a2m-sound-"))  # short: sockets have names of 107 letters at most
        self.environment = {"XDG_RUNTIME_DIR": str(self._folder), "XDG_CONFIG_HOME": str(self._folder)}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when clients can connect."""
        sink = f"sink_name={SINK} rate={self.sample_rate} channels={CHANNELS} format=float32le"
        self._process = subprocess.Popen(
            [
                *("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--log-level=error"),
                *("-L", "module-native-protocol-unix", "-L", f"module-null-sink {sink}"),
            ],
            env=self._everything(),
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 30
        while subprocess.run(["pactl", "info"], env=self._everything(), capture_output=True).returncode != 0:
            assert self._process.poll() is None, "the sound server ended"
            assert time.monotonic() < deadline, "the sound server does not answer"
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        """Sends the server a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        """Ends the server, as it may be."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def record(self) -> Recording:
        """Records what the room hears from now on."""
        command = ["parec", "--device", f"{SINK}.monitor", "--format=float32le", "--latency-msec=20"]
        shape = [f"--channels={CHANNELS}", f"--rate={self.sample_rate}"]
        return Recording(
            subprocess.Popen(
                [*command, *shape], env=self._everything(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _everything(self) -> dict[str, str]:
        return {**os.environ, **self.environment}


class Recording:
    """What a room hears; its thread reads until the recorder ends."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._pieces: list[bytes] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        while not self._pieces:  # the monitor runs
            time.sleep(0.01)

    @property
    def samples(self) -> np.ndarray:
        """All that was heard so far: float32 [N, channels]."""
        content = b"".join(self._pieces)
        return np.frombuffer(content[: len(content) // (4 * CHANNELS) * 4 * CHANNELS], "<f4").reshape(-1, CHANNELS)

    def stop(self) -> np.ndarray:
        """Ends the recorder; returns all that was heard."""
        self._process.terminate()
        self._process.wait()
        self._thread.join()
        return self.samples

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout:
            while piece := self._process.stdout.read1(65536):  # type: ignore[attr-defined]
                self._pieces.append(piece)

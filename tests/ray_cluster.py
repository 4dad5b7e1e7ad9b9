"""A Ray cluster of real node processes on this machine, started as anybody starts one."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

RAY = Path(sys.executable).with_name("ray")
STARTED = "Ray runtime started"
MEMORY = 100_000_000
"""Bytes of each node's object store."""


class RayCluster:
    """Starts a head node, and further nodes on demand; all are gone at the end.

    Args:
        processors: that the head node says it has.
        gpus: that it says it has; nothing checks.
    """

    def __init__(self, processors: int = 1, gpus: int = 0) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        # Short, since the names of sockets lie below it.
        self._folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
        self._hosts = 0
        self._nodes: list[subprocess.Popen[bytes]] = []
        port = self.address.partition(":")[2]
        self._start(
            "--head",
            f"--port={port}",
            f"--temp-dir={self._folder}",
            "--include-dashboard=false",
            cpus=processors,
            gpus=gpus,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for node in reversed(self._nodes):
            self._kill(node)
        shutil.rmtree(self._folder, ignore_errors=True)

    def add_node(self, processors: int = 1) -> None:
        """Starts another node."""
        self._start(f"--address={self.address}", cpus=processors)

    def kill_node(self) -> None:
        """Ends the node that came last as a power cut does: all its processes at once."""
        self._kill(self._nodes.pop())

    def _start(self, *arguments: str, cpus: int, gpus: int = 0) -> None:
        # Each is a computer with an address of its own: whoever gives out the work belongs to the first.
        self._hosts += 1
        log = self._folder / f"node-{len(self._nodes)}.log"
        options = [
            f"--node-ip-address=127.0.0.{self._hosts}",
            f"--num-cpus={cpus}",
            f"--num-gpus={gpus}",
            f"--object-store-memory={MEMORY}",
        ]
        with log.open("wb") as stream:
            node = subprocess.Popen(
                [str(RAY), "start", *arguments, *options, "--block", "--disable-usage-stats"],
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                # Ray lets everything else go before its workers; in a test nobody is to wait.
                env={**os.environ, "RAY_worker_niceness": "0"},
            )
        self._nodes.append(node)
        end = time.monotonic() + 120
        while STARTED not in log.read_text(errors="replace"):
            assert node.poll() is None and time.monotonic() < end, log.read_text(errors="replace")
            time.sleep(0.1)

    @staticmethod
    def _kill(node: subprocess.Popen[bytes]) -> None:
        # A node's processes are children of the one that was started; workers may have groups of their own.
        for process in _family(node.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        node.wait()


def _family(process: int) -> list[int]:
    found = [process]
    for each in found:
        for thread in Path(f"/proc/{each}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in thread.read_text().split()]
    return found

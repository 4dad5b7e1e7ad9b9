"""Processes of their own, for what a process can only show from its start or to its end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from time import perf_counter

from a2m_edge.errors import DeviceError

TELLING = """
import atexit, pathlib, runpy, sys
status = pathlib.Path("/proc/self/status")
atexit.register(lambda: print("", status.read_text().split("VmHWM:")[1].split()[0]))
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
"""Runs a module, then tells the most memory it had in KiB; what the kernel tells a parent counts the parent's own."""


def run(what: str, *arguments: str, environment: Mapping[str, str] | None = None, cores: int | None = None) -> str:
    """What a Python process with these arguments wrote.

    Args:
        what: it does, in words, for the message.
        arguments: of the interpreter.
        environment: beside this process' own.
        cores: that it may use; None for all.

    Raises:
        DeviceError: it failed.
    """
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | dict(environment or {}),
    )
    if cores is not None:
        os.sched_setaffinity(process.pid, sorted(os.sched_getaffinity(0))[:cores])
    told, said = process.communicate()
    if process.returncode:
        raise failed(what, said, process.returncode)
    return told


def peak_memory(what: str, module: str, *arguments: str, cores: int | None = None) -> float:
    """MiB that a module run as a program had at most; DeviceError where it failed."""
    return float(run(what, "-c", TELLING, module, *arguments, cores=cores).split()[-1]) / 1024


def seconds_to_first_byte(what: str, *arguments: str) -> float:
    """Seconds from the start of a Python process until it wrote something; DeviceError where it did not."""
    begin = perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    heard = os.read(process.stdout.fileno(), 1) if process.stdout else b""
    taken = perf_counter() - begin
    _, said = process.communicate()
    if not heard:
        raise failed(what, said.decode(errors="replace"), process.returncode)
    return taken


def failed(what: str, said: str, status: int) -> DeviceError:
    """What to tell of a process that failed."""
    last = (said.strip().splitlines() or [f"status {status}"])[-1]
    return DeviceError(f"a process that {what} failed ({last[:200]}): close other programs and try again")

"""Measures a stream under pressure.

    python -m tools.measure_pressure busy --minutes 10
    python -m tools.measure_pressure hours --hours 6

``busy``: does a ring of 400 ms ever run dry while other programs keep every core busy for 80 % of the time? What is
taken from the ring follows the clock, as a sound card's does. ``hours``: memory, and the processor's time for a second
of sound, from the first minute to the last hour of one stream; a comment changes it every minute.
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import numpy as np

from a2m_edge.bundle import open_bundle
from a2m_edge.soundscape import Soundscape

COMMENTS = (
    "The sea is so calm that I could sleep here.",
    "Terror! Everything burns.",
    "I weep, she is gone forever.",
    "What joy! I want to dance.",
)
BURN = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
share, parent = float(sys.argv[2]), os.getppid()
while os.getppid() == parent:
    end = time.perf_counter() + 0.05 * share
    while time.perf_counter() < end:
        pass
    time.sleep(0.05 * (1 - share))
"""


@contextmanager
def busy_cores(share: float) -> Iterator[None]:
    """Another program on each core, busy for this share of the time, each twentieth of a second."""
    burners = [
        subprocess.Popen([sys.executable, "-c", BURN, str(core), str(share)]) for core in os.sched_getaffinity(0)
    ]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def busy(bundle: Path | None, threads: int, minutes: float, chunk: int, ring: float, share: float) -> None:
    """Plays against the clock and tells how often the ring ran dry, and how full it was."""
    soundscape = Soundscape(open_bundle(bundle), device="cpu", threads=threads, score_seconds=30.0)
    soundscape.hear(COMMENTS[0])
    audio = soundscape.bundle.manifest.audio
    chunks = soundscape.chunks(None, chunk)
    length, said = audio.seconds(chunk), cycle(COMMENTS)
    made, taking = 0.0, []
    while made + length <= ring:  # primed, as an exhibit is before its first sound
        next(chunks)
        made += length
    dry = missing = 0.0
    left, steps = [], 0
    with busy_cores(share):
        begun = time.perf_counter()
        while (now := time.perf_counter() - begun) < 60 * minutes:
            if made - now < 0:
                dry, missing = dry + 1, missing + now - made
                made = now  # what was missing was silence, and the clock went on
            if made - now > ring - length:
                time.sleep(made - now - (ring - length))
                continue
            left.append(made - now)
            if steps % 100 == 99:
                soundscape.hear(next(said))
            before = time.perf_counter()
            next(chunks)
            taking.append(time.perf_counter() - before)
            made += length
            steps += 1
    print(
        f"{minutes:g} minutes, every core {share:.0%} busy, ring {1000 * ring:.0f} ms, chunks of {chunk} frames "
        f"({1000 * length:.0f} ms), {threads} threads, priority {os.nice(0)}:\n"
        f"  ran dry {dry:.0f} times, {1000 * missing:.0f} ms missing; before a chunk the ring held "
        f"{1000 * np.median(left):.0f} ms in the median, {1000 * min(left):.0f} ms at least\n"
        f"  a chunk took {1000 * np.median(taking):.1f} ms in the median, {1000 * np.quantile(taking, 0.99):.1f} ms in "
        f"one of a hundred, {1000 * max(taking):.1f} ms at most; {steps} chunks"
    )


def resident() -> float:
    """Megabytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def hours(bundle: Path | None, threads: int, count: float, chunk: int) -> None:
    """Plays as fast as it can and tells what each part of the stream cost."""
    soundscape = Soundscape(open_bundle(bundle), device="cpu", threads=threads, score_seconds=30.0)
    audio = soundscape.bundle.manifest.audio
    said, minute = cycle(COMMENTS), audio.frames(60.0)
    costs, memory, objects = [], [], []
    for number in range(round(60 * count)):
        before = time.process_time()
        soundscape.hear(next(said))
        for _ in soundscape.chunks(minute, chunk):
            pass
        costs.append((time.process_time() - before) / 60.0)
        memory.append(resident())
        if number % 30 in (0, 1, 9):
            gc.collect()
            objects.append(len(gc.get_objects()))
            print(f"minute {number + 1}: {memory[-1]:.1f} MB, {1000 * costs[-1]:.2f} ms a second", flush=True)
    last = costs[-60:]
    print(
        f"{count:g} hours of sound, {threads} threads: {1000 * np.median(costs):.2f} ms of the processor a second of "
        f"sound; first minute {1000 * costs[0]:.2f}, median of the last hour {1000 * np.median(last):.2f} "
        f"(ratio {np.median(last) / costs[0]:.3f})\n"
        f"memory: {memory[0]:.1f} MB after a minute, {memory[9]:.1f} after ten, {memory[-1]:.1f} at the end, "
        f"{max(memory):.1f} at most; Python's objects {objects[2]} after ten minutes, {objects[-1]} at the end"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["busy", "hours"])
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--hours", type=float, default=6.0)
    parser.add_argument("--chunk", type=int, help="mel frames; 8 in a busy room, 256 for hours")
    parser.add_argument("--ring", type=float, default=0.4, help="seconds")
    parser.add_argument("--share", type=float, default=0.8, help="of each core that others take")
    options = parser.parse_args()
    if options.what == "busy":
        busy(options.bundle, options.threads, options.minutes, options.chunk or 8, options.ring, options.share)
    else:
        hours(options.bundle, options.threads, options.hours, options.chunk or 256)


if __name__ == "__main__":
    main()

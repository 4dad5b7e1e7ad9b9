"""What an exhibit costs, measured on this machine:

    python -m tools.measure_kiosk start [--count 5] [--cold]
    python -m tools.measure_kiosk comments [--count 60]
    python -m tools.measure_kiosk soak [--minutes 30]

``start``: seconds from the command to the first sound and to the first live sound, and the memory of all processes.
``comments``: milliseconds from the moment the server has a comment to the first changed sample in the ring.
``soak``: memory, open files and underruns over a long time, with one core busy with other work.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.fixtures.exhibit.exhibit import RunningExhibit
from tests.fixtures.places import PROGRAM

PHRASES = (
    "so quiet that I can hear the snow",
    "this frightens me a little",
    "I want to dance",
    "it reminds me of my father",
    "the light is wonderful",
    "why is everyone so sad here",
)
OPTIONS = "[web]\ncomment_burst = 100000\nroom_burst = 100000\n"
_PERIOD = 5.0


@dataclass(frozen=True)
class Start:
    """Seconds from the command to the first sound, to the first live sound and to health, and megabytes of memory."""

    sound: float
    live: float
    healthy: float
    memory: float


def measure_start(folder: Path, **options: object) -> Start:
    """Starts an exhibit and listens to what is played; memory is that of ten seconds after it is healthy."""
    with RunningExhibit(folder, **options) as exhibit:  # type: ignore[arg-type]
        ring = None
        while ring is None:
            try:
                ring = exhibit.played()
            except (LookupError, OSError, ValueError):
                time.sleep(0.005)
        sound, position = 0.0, 0
        while not sound:
            heard = ring.latest(position, ring.capacity)
            position = heard.position
            if np.abs(heard.samples).max(initial=0.0) > 1e-4:
                sound = time.monotonic() - exhibit.started
            time.sleep(0.005)
        ring.close()
        assert exhibit.until(lambda: exhibit.metric('a2m_sounding{source="live"}') == 1), exhibit.log
        live = time.monotonic() - exhibit.started
        assert exhibit.until(exhibit.healthy), exhibit.log
        healthy = time.monotonic() - exhibit.started
        time.sleep(10.0)
        memory = exhibit.memory()
        exhibit.end()
        return Start(sound, live, healthy, memory)


def measure_comments(folder: Path, count: int, **options: object) -> list[float]:
    """Milliseconds from the server's taking of a comment to the first changed sample in the ring, for each of them."""
    found: list[float] = []
    with RunningExhibit(folder, options=OPTIONS, **options) as exhibit:  # type: ignore[arg-type]
        assert exhibit.until(exhibit.healthy), exhibit.log
        assert exhibit.until(lambda: exhibit.metric("a2m_pictures_felt_total") >= 1), exhibit.log
        generator = np.random.default_rng(0)
        for number in range(count):
            before = exhibit.metric("a2m_comments_felt_total")
            phrase = PHRASES[number % len(PHRASES)]
            assert exhibit.ask("/api/comment", {"comment": f"{phrase} {number}"})[0] == 202
            while exhibit.metric("a2m_comments_felt_total") <= before:
                time.sleep(0.02)
            time.sleep(0.6)
            found.append(exhibit.metric('a2m_stage_milliseconds{stage="comment to sound"}'))
            time.sleep(generator.uniform(0.0, 0.4))
        exhibit.end()
    return found


@dataclass(frozen=True)
class Sample:
    """How an exhibit was at one moment of a soak: minutes, megabytes, open files, and the counters of trouble."""

    minutes: float
    memory: float
    files: int
    underruns: float
    bed: float
    restarts: float


def soak(folder: Path, minutes: float, **options: object) -> list[Sample]:
    """Runs an exhibit with a comment every few seconds while another program keeps one core busy.

    Returns:
        samples from the end of the first minute on; underruns, bed samples and restarts are counted from there.
    """
    samples: list[Sample] = []
    busy = subprocess.Popen([sys.executable, "-c", "import os; os.sched_setaffinity(0, {0})\nwhile True: pass"])
    try:
        with RunningExhibit(folder, options=OPTIONS, **options) as exhibit:  # type: ignore[arg-type]
            assert exhibit.until(exhibit.healthy), exhibit.log
            time.sleep(60.0)
            began = time.monotonic()
            trouble = _trouble(exhibit)
            number = 0
            while (passed := (time.monotonic() - began) / 60) < minutes:
                assert exhibit.status is None, exhibit.log
                exhibit.ask("/api/comment", {"comment": f"{PHRASES[number % len(PHRASES)]} {number}"})
                exhibit.ask("/api/artwork.jpg")
                number += 1
                now = [after - before for after, before in zip(_trouble(exhibit), trouble, strict=True)]
                samples.append(Sample(passed, exhibit.memory(), exhibit.open_files(), *now))
                time.sleep(_PERIOD)
            exhibit.end()
    finally:
        busy.kill()
        busy.wait()
    return samples


def growth(samples: list[Sample]) -> float:
    """By what share the memory of the last tenth exceeds that of the first, each by its median."""
    memory = np.array([sample.memory for sample in samples])
    tenth = max(1, len(memory) // 10)
    return float(np.median(memory[-tenth:]) / np.median(memory[:tenth]) - 1.0)


def _trouble(exhibit: RunningExhibit) -> tuple[float, float, float]:
    restarts = sum(exhibit.metric(f'a2m_restarts_total{{part="{part}"}}') for part in ("camera", "engine", "speaker"))
    return exhibit.metric("a2m_underruns_total"), exhibit.metric("a2m_bed_samples_total"), restarts


def _drop_caches() -> None:
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("start", "comments", "soak"))
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--cold", action="store_true", help="empty the page cache before each start (needs root)")
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--audio", default="none")
    arguments = parser.parse_args()
    options = {"bundle": arguments.bundle, "audio": arguments.audio}
    print(f"{PROGRAM}, {len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.what == "start":
            for _ in range(arguments.count):
                if arguments.cold:
                    _drop_caches()
                print(measure_start(folder, **options))
        elif arguments.what == "comments":
            found = measure_comments(folder, arguments.count, **options)
            print(json.dumps([round(each) for each in found]))
            print("ms: median {:.0f}, p95 {:.0f}, most {:.0f}".format(*np.percentile(found, [50, 95]), max(found)))
        else:
            samples = soak(folder, arguments.minutes, **options)
            for sample in samples[:: max(1, len(samples) // 30)]:
                print(sample)
            print(samples[-1])
            print(f"memory grew by {growth(samples):.2%}")


if __name__ == "__main__":
    main()

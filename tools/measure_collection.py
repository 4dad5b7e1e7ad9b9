"""What a collection costs, measured on this machine:

    python -m tools.measure_collection scale [--works 1 10 100] [--workers 1 2] [--seconds 10] [--ray]
    python -m tools.measure_collection kills [--works 1000] [--kills 3]

``scale``: time, throughput and memory as a collection and the workers grow; with ``--ray`` also on a Ray cluster of as
many processors, which is started for it. ``kills``: a run that is killed in the middle and begun again, so many times,
against one that is left alone. The pictures are the first of ``paintings.zip`` in ``$A2M_SHARED/data``.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

from tests.fixtures.collection.ray_cluster import RayCluster
from tests.fixtures.collection.runs import sounds, wait_for_lines
from tests.fixtures.places import PROGRAM

SHARED = Path(os.environ.get("A2M_SHARED", "../shared"))


def unpack(folder: Path, count: int) -> Path:
    """So many paintings in a folder of their own."""
    place = folder / f"paintings-{count}"
    place.mkdir()
    with zipfile.ZipFile(SHARED / "data" / "paintings.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))[:count]
        for name in names:
            (place / Path(name).name).write_bytes(archive.read(name))
    assert len(list(place.iterdir())) == count, f"there are only {len(names)} paintings"
    return place


def command(pictures: Path, output: Path, seconds: float, *more: object) -> list[str]:
    """The command line of a run."""
    line = [PROGRAM, "render-collection", pictures, "-o", output, "--seconds", seconds, *more]
    return [str(each) for each in line]


def measure(pictures: Path, output: Path, seconds: float, *more: object) -> str:
    """One run as a row of a table: seconds, seconds of sound a second, seconds for a work, and memory."""
    begun = time.monotonic()
    subprocess.run(command(pictures, output, seconds, *more), check=True, stderr=subprocess.DEVNULL)
    took = time.monotonic() - begun
    with (output / "index.jsonl").open(encoding="utf-8") as stream:
        records = [json.loads(line) for line in stream]
    works = [record for record in records if record["error"] is None]
    render = np.median([record["timings"]["render"] for record in works])
    peak = [record["peak_mib"] for record in works]
    pace = len(works) * seconds / took
    return f"{took:,.1f} | {pace:.2f} | {took / len(works):.2f} | {render:.2f} | {peak[0]:.0f} | {max(peak):.0f}"


def scale(arguments: argparse.Namespace, folder: Path) -> None:
    """Prints a table."""
    print("| works | workers | runner | s | s of sound a second | s a work | of it model | first MiB | most MiB |")
    print("| ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    for count in arguments.works:
        pictures = unpack(folder, count)
        for workers in arguments.workers:
            output = folder / f"out-{count}-{workers}"
            row = measure(pictures, output, arguments.seconds, "--workers", workers)
            print(f"| {count:,} | {workers} | processes | {row} |", flush=True)
            if not arguments.ray:
                continue
            with RayCluster(processors=workers) as cluster:
                other = folder / f"ray-{count}-{workers}"
                row = measure(pictures, other, arguments.seconds, "--ray", cluster.address)
            print(f"| {count:,} | {workers} | Ray | {row} |", flush=True)
            assert sounds(other) == sounds(output), "Ray has given other sounds"


def kills(arguments: argparse.Namespace, folder: Path) -> None:
    """Prints what came of it."""
    count = arguments.works[-1]
    pictures = unpack(folder, count)
    line = command(pictures, folder / "killed", arguments.seconds)
    for turn in range(1, arguments.kills + 1):
        process = subprocess.Popen(line, stderr=subprocess.DEVNULL)
        wait_for_lines(folder / "killed", turn * count // (arguments.kills + 1), patience=3600)
        process.send_signal(signal.SIGKILL)
        process.wait()
        print(f"killed with {len(sounds(folder / 'killed')):,} sounds written", flush=True)
    done = subprocess.run(line, check=True, stderr=subprocess.PIPE, text=True)
    print(done.stderr.strip().splitlines()[-1])
    if arguments.against is None:
        undisturbed = folder / "undisturbed"
        subprocess.run(command(pictures, undisturbed, arguments.seconds), check=True, stderr=subprocess.DEVNULL)
    else:
        undisturbed = arguments.against
    with (folder / "killed" / "index.jsonl").open(encoding="utf-8") as stream:
        listed = {record["id"]: record["sha256"] for record in map(json.loads, stream)}
    written = {Path(name).stem: digest for name, digest in sounds(folder / "killed").items()}
    print(f"the index lists {len(listed):,} works; as the sounds are: {listed == written}")
    print(f"sounds equal to the undisturbed run's: {sounds(folder / 'killed') == sounds(undisturbed)}")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("scale", "kills"))
    parser.add_argument("--works", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--against", type=Path, help="output of an undisturbed run over the same pictures")
    arguments = parser.parse_args()
    print(f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        (scale if arguments.what == "scale" else kills)(arguments, Path(name))


if __name__ == "__main__":
    main()

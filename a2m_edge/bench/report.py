"""What a bench found: as JSON for machines, as a table for people, and beside what another bench found."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from a2m_edge.bench.latency import Latency
from a2m_edge.bench.peaks import Peaks
from a2m_edge.bench.stages import Stage
from a2m_edge.bundle import Bundle
from a2m_edge.errors import OptionError
from a2m_edge.terminal import Figures, Table

SCHEMA = 1


@dataclass(frozen=True)
class Bench:
    """What one number of threads gave.

    Attributes:
        threads: of one model.
        peaks: of the machine.
        stages: in the order of the data.
        latency: what somebody waits for.
    """

    threads: int
    peaks: Peaks
    stages: list[Stage]
    latency: Latency

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "threads": self.threads,
            "peaks": asdict(self.peaks),
            "stages": {stage.name: self._stage(stage) for stage in self.stages},
            "latency": asdict(self.latency),
        }

    def _stage(self, stage: Stage) -> dict[str, Any]:
        seconds = stage.times.mean / 1e3
        found: dict[str, Any] = {"times": asdict(stage.times), "real_time": stage.real_time}
        if stage.work is not None:
            rate, moved = stage.work.operations / seconds / 1e9, stage.work.bytes / seconds / 1e9
            found |= {
                "operations": stage.work.operations,
                "bytes": stage.work.bytes,
                "gemm_share": rate / self.peaks.gemm,
                "memory_share": moved / self.peaks.memory,
            }
            if stage.sound:
                found |= {
                    "operations_a_second": stage.work.operations / stage.sound,
                    "bytes_a_second": stage.work.bytes / stage.sound,
                }
        return found


def document(bundle: Bundle, benches: list[Bench], peers: Mapping[str, Any]) -> dict[str, Any]:
    """All that was found, for JSON."""
    import onnxruntime

    return {
        "schema": SCHEMA,
        "machine": {
            "processor": processor_name(),
            "python": platform.python_version(),
            "onnxruntime": onnxruntime.__version__,
        },
        "bundle": {"name": bundle.manifest.name, "version": bundle.manifest.version, "hash": bundle.hash},
        "benches": [bench.document() for bench in benches],
        "peers": dict(peers),
    }


def read_document(path: Path) -> dict[str, Any]:
    """What an earlier bench wrote.

    Raises:
        OptionError: the file is no such thing.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["schema"] != SCHEMA or not found["benches"]:
            raise ValueError("it was written by another version")
        list(_figures(found))
        if not all(
            found[part][name] for part, name in (("machine", "processor"), ("bundle", "name"), ("bundle", "hash"))
        ):
            raise ValueError("it does not say what was measured")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OptionError(f"{path} is not what  a2m-edge bench -o  wrote ({error}): make it again") from error
    return dict(found)


def stage_table(bench: Mapping[str, Any]) -> Table:
    """The stages of one number of threads."""
    peaks = bench["peaks"]
    figures = ("median\nms", "95 %\nms", "× real\ntime", "GFLOP/s\nof sound", "MB/s\nof sound")
    shares = ("% of\nGEMM", "% of\nmemory")
    title = f"{bench['threads']} thread(s): {peaks['gemm']:.0f} GFLOP/s, {peaks['memory']:.1f} GB/s at most"
    table = Table(title, ("stage", *map(Figures, figures + shares)))
    for name, stage in bench["stages"].items():
        table.add(
            name,
            f"{stage['times']['median']:.2f}",
            f"{stage['times']['p95']:.2f}",
            _number(stage["real_time"], "{:.1f}"),
            _number(stage.get("operations_a_second"), "{:.2f}", 1e9),
            _number(stage.get("bytes_a_second"), "{:.0f}", 1e6),
            _number(stage.get("gemm_share"), "{:.0f}", 0.01),
            _number(stage.get("memory_share"), "{:.0f}", 0.01),
        )
    return table


def latency_table(bench: Mapping[str, Any]) -> Table:
    """What somebody waits for, with one number of threads."""
    columns = ("what somebody waits for", Figures("median\nms"), Figures("95 %\nms"))
    table = Table(f"{bench['threads']} thread(s)", columns)
    names = {
        "first_chunk": "picture, models loaded, to first chunk",
        "comment": "comment to first changed chunk",
        "picture": "picture to first changed chunk",
        "cold_start": "start of the process to first chunk",
        "render": "a2m-edge render of 30 s",
    }
    for key, name in names.items():
        table.add(name, f"{bench['latency'][key]['median']:.1f}", f"{bench['latency'][key]['p95']:.1f}")
    table.add("peak memory of that render, MiB", f"{bench['latency']['peak_memory']:.0f}", "")
    return table


def comparison_table(ours: Mapping[str, Any], other: Mapping[str, Any]) -> Table:
    """Every median of two benches beside each other; above 1 the other took longer."""
    title = f"beside {other['bundle']['name']} {other['bundle']['hash']} on {other['machine']['processor']}"
    columns = (Figures("threads"), "what", Figures("now"), Figures("then"), Figures("then / now"))
    table = Table(title, columns)
    then = dict(_figures(other))
    if not any(key in then for key, _ in _figures(ours)):
        raise OptionError("the earlier bench had other numbers of threads: give  --threads  as it did")
    for key, now in _figures(ours):
        if key in then:
            table.add(str(key[0]), key[1], f"{now:.2f}", f"{then[key]:.2f}", f"{then[key] / now:.2f}")
    return table


def _figures(found: Mapping[str, Any]) -> Iterator[tuple[tuple[int, str], float]]:
    """Every median by threads and name."""
    for bench in found["benches"]:
        for name, stage in bench["stages"].items():
            yield (bench["threads"], name), float(stage["times"]["median"])
        for name, times in bench["latency"].items():
            yield (bench["threads"], name), float(times if name == "peak_memory" else times["median"])


def _number(value: float | None, form: str, unit: float = 1.0) -> str:
    return "" if value is None else form.format(value / unit)


def processor_name() -> str:
    """What the processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()

"""How long somebody waits: for the first sound, and for what they say or show to be heard; and what it takes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from a2m_edge.bench.children import peak_memory, seconds_to_first_byte
from a2m_edge.bench.stages import COMMENT, picture
from a2m_edge.bench.timing import Times, seconds_of
from a2m_edge.bundle import Bundle
from a2m_edge.soundscape import Soundscape

STEERS = 40
STARTS = 5
RENDER_SECONDS = 30
COMMENTS = (COMMENT, "Terror! Everything burns.", "I weep, she is gone forever.", "What joy! I want to dance.")


Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Latency:
    """What somebody waits for, in milliseconds but where said otherwise.

    Attributes:
        first_chunk: from models that are loaded and a picture to the first chunk.
        comment: from a comment to the first chunk that it changed.
        picture: from a picture to the first chunk that it changed.
        cold_start: from the start of a process to its first chunk; the files were read before.
        peak_memory: MiB, of a render of ``RENDER_SECONDS``.
        render: of that render as a command, its start included.
    """

    first_chunk: Times
    comment: Times
    picture: Times
    cold_start: Times
    peak_memory: float
    render: Times


def measure_latency(bundle: Bundle, threads: int) -> Latency:
    """Measures on the processor, with so many threads; the chunks are those of a stream.

    Raises:
        DeviceError: a process that was started for it failed.
    """
    models = Soundscape(bundle, device="cpu", threads=threads, score_seconds=30.0)
    shown = [picture(), picture()[::-1].copy()]
    models.see(shown[0])
    models.hear(COMMENT)
    next(models.chunks(None))
    first = [seconds_of(partial(_begin, models.again(number), shown[number % 2])) for number in range(STEERS)]
    playing = models.again(0)
    playing.see(shown[0])
    chunks = playing.chunks(None)
    said, seen = [], []
    for number in range(STEERS):
        next(chunks)
        said.append(seconds_of(partial(_said, playing, chunks, COMMENTS[number % len(COMMENTS)])))
        next(chunks)
        seen.append(seconds_of(partial(_seen, playing, chunks, shown[number % 2 - 1])))
    starting = ("-m", "a2m_edge.bench.first_sound", str(bundle.path), str(threads))
    starts = [seconds_to_first_byte("plays", *starting) for _ in range(STARTS)]
    renders = [_render(bundle, threads) for _ in range(STARTS)]
    return Latency(
        Times.of(first),
        Times.of(said),
        Times.of(seen),
        Times.of(starts),
        max(memory for _, memory in renders),
        Times.of([seconds for seconds, _ in renders]),
    )


def _begin(soundscape: Soundscape, view: Picture) -> None:
    soundscape.see(view)
    next(soundscape.chunks(None))


def _said(playing: Soundscape, chunks: Iterator[object], comment: str) -> None:
    playing.hear(comment)
    next(chunks)


def _seen(playing: Soundscape, chunks: Iterator[object], view: Picture) -> None:
    playing.see(view)
    next(chunks)


def _render(bundle: Bundle, threads: int) -> tuple[float, float]:
    """Seconds and peak MiB of  a2m-edge render  on so many cores."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--comment", COMMENT, "--seconds", str(RENDER_SECONDS), "--bundle", str(bundle.path)]
        options += ["--device", "cpu", "-o", str(Path(folder) / "sound.wav")]
        begin = time.perf_counter()
        memory = peak_memory("renders", "a2m_edge.cli", "render", *options, cores=threads)
        return time.perf_counter() - begin, memory

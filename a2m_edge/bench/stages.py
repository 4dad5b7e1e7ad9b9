"""The stages of a bundle, each timed alone on what it gets in a stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from a2m_edge.bench.graph_work import Work, measure_work
from a2m_edge.bench.timing import Times, timed
from a2m_edge.bundle import Bundle
from a2m_edge.bundle.manifest import COMPOSER, DecoderContext
from a2m_edge.composer import Composer, ComposerTables
from a2m_edge.impression.feeling import Feeling
from a2m_edge.inference.sessions import open_session
from a2m_edge.inference.shapes import Sizes, input_shapes, usual_sizes
from a2m_edge.rendering.render import RENDER_CHUNK_SECONDS
from a2m_edge.soundscape import Soundscape
from a2m_edge.synthesis.excitation import TAIL, excitation

SECONDS = 1.5
"""How long a stage is repeated."""

COMMENT = "The sea is so calm that I could sleep here."


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: of the stage.
        times: of one run.
        sound: seconds of sound that one run is for; 0 for what is done once for a picture or a comment.
        work: of one run; None where nothing is counted.
    """

    name: str
    times: Times
    sound: float
    work: Work | None

    @property
    def real_time(self) -> float | None:
        """How many seconds of sound it gives in a second; None for what gives none."""
        return self.sound / (self.times.mean / 1e3) if self.sound else None


def picture() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Some picture, uint8 [480, 640, 3]: what it shows changes no time."""
    return np.random.default_rng(0).integers(0, 256, (480, 640, 3)).astype(np.uint8)


def measure_stages(bundle: Bundle, threads: int, seconds: float = SECONDS) -> Iterator[Stage]:
    """Measures the graphs, what is between them, and the whole, on the processor, with so many threads."""
    audio = bundle.manifest.audio
    for graph in bundle.manifest.graphs:
        session = open_session(bundle, graph, "cpu", threads)
        inputs = stage_inputs(bundle, graph)
        sound = _sound(bundle, graph)
        yield Stage(graph, timed(partial(session.run, **inputs), seconds), sound, measure_work(bundle, graph, inputs))
    if isinstance(bundle.manifest.decoder, DecoderContext):
        yield _composer(bundle, seconds)
    if any(tensor.name == "excitation" for tensor in bundle.manifest.graphs["vocoder"].inputs):
        yield _partials(bundle, seconds)
    for name, frames in (("stream in chunks", audio.chunk_frames), ("offline", audio.frames(RENDER_CHUNK_SECONDS))):
        chunks = _playing(bundle, threads, frames)
        yield Stage(name, timed(partial(next, chunks), seconds), audio.seconds(frames), None)


def _playing(bundle: Bundle, threads: int, frames: int) -> Iterator[object]:
    soundscape = Soundscape(bundle, device="cpu", threads=threads, score_seconds=30.0)
    soundscape.see(picture())
    soundscape.hear(COMMENT)
    return soundscape.chunks(None, frames)


def _composer(bundle: Bundle, seconds: float) -> Stage:
    """A bar: it is planned as a whole with its first beat."""
    tables = ComposerTables.read(bundle.file(COMPOSER))
    composer = Composer(tables, np.ones(bundle.manifest.embedding_size, np.float32), 0, Feeling.of(0.2, 0.2))
    beats = composer.theme.beats_in_bar
    lasted: list[float] = []
    times = timed(lambda: lasted.extend(composer.next_beat().seconds for _ in range(beats)), seconds)
    return Stage("composer, a bar", times, beats * float(np.mean(lasted)), None)


def _partials(bundle: Bundle, seconds: float) -> Stage:
    """The notes' partials for a chunk with the vocoder's context, filtered to its mel."""
    audio, frames = bundle.manifest.audio, _usual(bundle, "vocoder")["frames"]
    playing = Soundscape(bundle, device="cpu")
    playing.hear(COMMENT)
    next(playing.chunks(8 * frames, 8 * frames))
    begin, end = 4 * frames, 5 * frames
    notes = [n for n in playing.score.notes if n.start < audio.seconds(end) and n.end > audio.seconds(begin) - TAIL]
    mel = np.full((audio.mel_bands, frames), -5.0, np.float32)
    return Stage(
        "partials",
        timed(partial(excitation, notes, mel, begin, audio), seconds),
        audio.seconds(audio.chunk_frames),
        None,
    )


def stage_inputs(bundle: Bundle, graph: str) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    """Random numbers in the shapes that a graph gets in a stream, and the token 1: what they are changes no time."""
    tensors = bundle.manifest.graphs[graph].inputs
    shapes = input_shapes(tensors, _usual(bundle, graph))
    random = np.random.default_rng(0)
    return {
        tensor.name: np.ones(shapes[tensor.name], tensor.dtype)
        if tensor.dtype.startswith("int")
        else random.standard_normal(shapes[tensor.name]).astype(tensor.dtype)
        for tensor in tensors
    }


def _usual(bundle: Bundle, graph: str) -> Sizes:
    """The sizes of a chunk in the middle of a stream."""
    return list(usual_sizes(bundle.manifest, graph))[-1]


def _sound(bundle: Bundle, graph: str) -> float:
    """Seconds of sound that one run of a graph is for, without its context."""
    manifest = bundle.manifest
    if graph == "mel_decoder":
        decoder = manifest.decoder
        frames = decoder.window if isinstance(decoder, DecoderContext) else decoder.frames
        return manifest.audio.seconds(frames * _usual(bundle, graph)["batch"])
    return manifest.audio.seconds(manifest.audio.chunk_frames) if graph == "vocoder" else 0.0

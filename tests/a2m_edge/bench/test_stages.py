"""The stages of the default bundle under pytest-benchmark; nothing here can fail for being slow.

pytest -m slow --benchmark-enable tests/benchmarks
"""

from __future__ import annotations

from functools import partial

import pytest

from a2m_edge.bench.stages import COMMENT, picture, stage_inputs
from a2m_edge.bundle import open_bundle
from a2m_edge.inference.sessions import open_session
from a2m_edge.soundscape import Soundscape

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("threads", [1, 2])]


@pytest.mark.parametrize("graph", ["image_encoder", "text_encoder", "fusion", "mel_decoder", "vocoder"])
def test_graph(benchmark, graph: str, threads: int) -> None:
    bundle = open_bundle(None)
    inputs = stage_inputs(bundle, graph)
    given = benchmark(partial(open_session(bundle, graph, "cpu", threads).run, **inputs))
    assert given.keys() == {tensor.name for tensor in bundle.manifest.graphs[graph].outputs}


def test_stream(benchmark, threads: int) -> None:
    soundscape = Soundscape(open_bundle(None), device="cpu", threads=threads, score_seconds=30.0)
    soundscape.see(picture())
    soundscape.hear(COMMENT)
    assert benchmark(partial(next, soundscape.chunks(None))).frames == open_bundle(None).manifest.audio.chunk_frames

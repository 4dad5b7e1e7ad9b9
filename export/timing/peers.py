"""What a bundle is measured beside, in the same run and by turns: PyTorch, the published configuration, other vocoders.

``a2m-edge bench --peer`` finds these by entry point.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from rich.table import Table

from a2m_edge.bench.children import peak_memory
from a2m_edge.bench.stages import COMMENT, picture
from a2m_edge.bundle import Bundle
from a2m_edge.errors import OptionError
from a2m_edge.inference.sessions import Session, open_session
from a2m_edge.soundscape import Soundscape
from export.graphs.export import Arrays, GraphPlan
from export.graphs.plans import graph_plans, vocoder_plan
from export.models import Models, load_models
from export.proof.parity import run_module
from export.timing.table import interleaved, random_models, work
from training.commands.options import CHECKPOINTS
from training.models.hifigan import CONFIGS

PUBLISHED_ENCODER = "ViT-H-14"
CLIP_SECONDS = 10.0
TURNS = 3
AS_TRAINED = ", as trained"
"""What follows the name of a model that computes its context too."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """What a peer came to, as ``a2m-edge bench`` wants it."""

    document: dict[str, Any]
    table: Table


def eager(bundle: Bundle, threads: int, progress: Progress) -> Found:
    """PyTorch, eager, with the weights of the bundle.

    The exported graphs compute no more than is played. So the decoder and the vocoder are there twice: by those very
    modules, and, "as trained", by the models of the checkpoints, which compute their context too.

    Raises:
        OptionError: the bundle is not made from the checkpoints that are here.
    """
    torch.set_num_threads(threads)
    models = load_models(*(CHECKPOINTS / part for part in ("encoder", "fusion", "decoder", "vocoder")))
    times: dict[str, tuple[float, float]] = {}
    whole = {"mel_decoder": models.decoder, "vocoder": models.vocoder}
    for plan in graph_plans(models):
        progress(f"PyTorch: {plan.name}")
        inputs, _ = work(models, plan)
        feeds = {tensor.name: array for tensor, array in zip(plan.inputs, inputs, strict=True)}
        session = _same_weights(bundle, plan, inputs, threads)
        rows = {plan.name: plan}
        if plan.name in whole:
            rows[f"{plan.name}{AS_TRAINED}"] = replace(plan, module=whole[plan.name])
        for name, peer in rows.items():
            times[name] = interleaved(partial(session.run, **feeds), partial(run_module, peer, inputs))
    for which in ("", AS_TRAINED):
        ours, theirs = np.sum([times[f"{graph}{which}"] for graph in whole], axis=0)
        times[f"a chunk of sound{which}"] = (float(ours), float(theirs))
    return _beside(f"ONNX Runtime beside PyTorch {torch.__version__}, {threads} threads", "PyTorch", times)


def vocoders(bundle: Bundle, threads: int, progress: Progress) -> Found:
    """HiFi-GAN V1, V2 and V3 in PyTorch, with random weights, by turns with the bundle's vocoder.

    In ONNX Runtime ``a2m-edge export-table`` shows them.

    Raises:
        OptionError: the bundle is not made from the checkpoints that are here.
    """
    torch.set_num_threads(threads)
    trained = load_models(*(CHECKPOINTS / part for part in ("encoder", "fusion", "decoder", "vocoder")))
    own = vocoder_plan(trained)
    inputs, _ = work(trained, own)
    session = _same_weights(bundle, own, inputs, threads)
    feeds = {tensor.name: array for tensor, array in zip(own.inputs, inputs, strict=True)}
    times = {}
    for size in CONFIGS:
        progress(f"HiFi-GAN {size.upper()}")
        models = random_models(trained, vocoder=size)
        plan = vocoder_plan(models)
        given, _ = work(models, plan)
        times[f"HiFi-GAN {size.upper()}"] = interleaved(partial(session.run, **feeds), partial(run_module, plan, given))
    return _beside(f"the bundle's vocoder beside others in PyTorch, a chunk, {threads} threads", "other", times)


def published(bundle: Bundle, threads: int, progress: Progress) -> Found:
    """The published configuration at full size in PyTorch, with random weights: a clip, its first sound, its memory."""
    torch.set_num_threads(threads)
    progress(f"the published configuration: {PUBLISHED_ENCODER} is made")
    clip = PublishedClip(random_models(None, encoder=PUBLISHED_ENCODER, vocoder="v1"))
    models = Soundscape(bundle, device="cpu", threads=threads)
    frames = round(CLIP_SECONDS * bundle.manifest.audio.frame_rate)
    rows: dict[str, list[list[float]]] = {"10 s of sound": [[], []], "first sound": [[], []]}
    for turn in range(TURNS + 1):
        progress(f"the published configuration: turn {turn} of {TURNS}")
        mine, theirs = list(_marks(models.again(turn), frames)), clip()
        if turn:  # the first warms up
            for name, ours in (("10 s of sound", mine[-1]), ("first sound", mine[0])):
                rows[name][0].append(ours)
                rows[name][1].append(theirs)
    times = {name: (median(ours), median(theirs)) for name, (ours, theirs) in rows.items()}
    progress("the published configuration: its memory")
    memory = [
        peak_memory("plays", "a2m_edge.bench.first_sound", str(bundle.path), str(threads), str(CLIP_SECONDS)),
        peak_memory("plays the published configuration", "export.timing.peers", str(threads)),
    ]
    found = _beside(f"beside the published configuration in PyTorch, {threads} threads", "published", times)
    found.document["peak_memory"] = memory
    found.table.add_row("peak memory, MiB", f"{memory[0]:.0f}", f"{memory[1]:.0f}", f"{memory[1] / memory[0]:.1f}")
    return found


class PublishedClip:
    """One clip of the published configuration: both encoders, fusion, decoder and vocoder, one after the other."""

    def __init__(self, models: Models) -> None:
        self._models = models
        size = models.encoder.image_preprocessing.size
        self._image = torch.rand(1, 3, size, size)
        self._tokens = models.encoder.tokens([COMMENT])

    @torch.no_grad()
    def __call__(self) -> float:
        """Seconds until its sound is there."""
        begin = perf_counter()
        models = self._models
        image, text = models.encoder.image.eval()(self._image), models.encoder.text.eval()(self._tokens)
        fused = models.fusion(image, text, torch.ones(1, 2))[0]
        models.vocoder(models.decoder(fused))
        return perf_counter() - begin


def _marks(soundscape: Soundscape, frames: int) -> Iterator[float]:
    """Seconds from a picture and a comment to each chunk."""
    begin = perf_counter()
    soundscape.see(picture())
    soundscape.hear(COMMENT)
    for _ in soundscape.chunks(frames):
        yield perf_counter() - begin


def _same_weights(bundle: Bundle, plan: GraphPlan, inputs: Arrays, threads: int) -> Session:
    """A session of the bundle that computes what the plan's model does."""
    graph = bundle.manifest.graphs.get(plan.name)
    if graph is not None and graph.inputs == plan.inputs:
        session = open_session(bundle, plan.name, "cpu", threads)
        feeds = {tensor.name: array for tensor, array in zip(plan.inputs, inputs, strict=True)}
        one = session.run(**feeds)[plan.outputs[0].name].ravel().astype(float)
        other = run_module(plan, inputs)[0].ravel().astype(float)
        if len(one) == len(other) and one @ other >= 0.99 * np.linalg.norm(one) * np.linalg.norm(other):
            return session
    raise OptionError(
        f"the bundle {bundle.manifest.name} was not made from the checkpoints in {CHECKPOINTS}, so PyTorch would play "
        "other weights: leave --peer out, or measure the built-in bundle"
    )


def _beside(title: str, other: str, times: dict[str, tuple[float, float]]) -> Found:
    table = Table(title=title)
    for column in ("", "bundle, ms", f"{other}, ms", "times"):
        table.add_column(column, justify="left" if not column else "right")
    for name, (ours, theirs) in times.items():
        table.add_row(name, f"{ours * 1e3:.1f}", f"{theirs * 1e3:.1f}", f"{theirs / ours:.2f}")
    return Found({name: {"bundle_ms": a * 1e3, "other_ms": b * 1e3} for name, (a, b) in times.items()}, table)


def _only_a_clip() -> None:
    torch.set_num_threads(int(sys.argv[-1]))
    PublishedClip(random_models(None, encoder=PUBLISHED_ENCODER, vocoder="v1"))()


if __name__ == "__main__":
    _only_a_clip()

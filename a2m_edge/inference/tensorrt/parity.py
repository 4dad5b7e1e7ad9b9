"""Does an engine compute what its graph computes? Measured on this machine, before the engine is first used."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from a2m_edge.bundle import Bundle
from a2m_edge.errors import DeviceError
from a2m_edge.inference.agreement import cosines, signal_to_noise
from a2m_edge.inference.executors import Arrays, Executor
from a2m_edge.inference.shapes import Profile, Shape
from a2m_edge.sound.mel import SILENCE

LIMITS = {"cosine": 0.9999, "difference": 1e-3, "signal_to_noise": 40.0}
"""The lowest cosine between embeddings, the largest absolute difference of samples, and the lowest ratio in dB."""

_SENTENCES = (
    "hello",
    "The gold of the water makes me calm, and a little sad.",
    "I do not know why this old man looks at me as if I had forgotten something that he will never forget; it is "
    "a picture of winter, of waiting, of a door that nobody opened, and the longer I stand here the colder I feel.",
)


@dataclass(frozen=True)
class Parity:
    """How far an engine is from its graph.

    Attributes:
        measure: ``"cosine"`` for embeddings and ``"difference"`` for sound in fp32, ``"signal_to_noise"`` in fp16.
        worst: of all cases.
        cases: how many shapes were compared.
    """

    measure: str
    worst: float
    cases: int

    @property
    def holds(self) -> bool:
        """Whether the engine may be used; a NaN never passes."""
        limit = LIMITS[self.measure]
        return self.worst <= limit if self.measure == "difference" else self.worst >= limit

    @property
    def numbers(self) -> dict[str, float]:
        """For the record of an engine."""
        return {self.measure: self.worst, "limit": LIMITS[self.measure], "cases": float(self.cases)}


def measure_parity(bundle: Bundle, graph: str, reference: Executor, engine: Executor, cases: list[Arrays]) -> Parity:
    """Runs an engine and the graph that it was built from on the same inputs.

    Args:
        bundle: the bundle of the graph.
        graph: its name.
        reference: runs the graph.
        engine: runs the engine.
        cases: inputs, at least one set.
    """
    if bundle.manifest.graphs[graph].precision == "fp16":
        measure = "signal_to_noise"
    else:
        measure = "difference" if graph == "vocoder" else "cosine"
    values = []
    for inputs in cases:
        expected, found = reference.run(inputs), engine.run(inputs)
        for name, array in expected.items():
            if found[name].shape != array.shape:
                values.append(math.nan)
            else:
                values.append(_MEASURES[measure](array, found[name]))
    worst = max(values) if measure == "difference" else min(values)
    return Parity(measure, math.nan if any(math.isnan(value) for value in values) else worst, len(cases))


def require_parity(graph: str, parity: Parity) -> None:
    """Refuses an engine that differs from its graph.

    Raises:
        DeviceError: with the measured number.
    """
    if not parity.holds:
        raise DeviceError(
            f"the engine of {graph} does not compute what its graph does ({parity.measure.replace('_', ' ')} "
            f"{parity.worst:.6g}, the limit is {LIMITS[parity.measure]}) and was not kept: use --device cuda, or "
            f"another version of TensorRT"
        )


def parity_cases(bundle: Bundle, graph: str, profiles: tuple[Profile, ...]) -> list[Arrays]:
    """Inputs at the ends and the middle of every profile, the same in every call."""
    shapes: list[Mapping[str, Shape]] = []
    for profile in profiles:
        shapes.extend(each for each in (profile.least, profile.usual, profile.most) if each not in shapes)
    generator = np.random.default_rng(0)
    return [dict(_inputs(bundle, graph, each, generator)) for each in shapes]


def _inputs(
    bundle: Bundle, graph: str, shapes: Mapping[str, Shape], generator: np.random.Generator
) -> Iterator[tuple[str, NDArray[np.generic]]]:
    for name, shape in shapes.items():
        if graph == "text_encoder":
            yield name, _tokens(bundle, shape)
        elif name == "mel":
            # Bands fall by some 6 nat towards the treble, as in music; the loudness wanders.
            slope = np.linspace(-3, -9, shape[1], dtype=np.float32)[:, None]
            yield name, np.clip(slope + generator.standard_normal(shape, np.float32), SILENCE, 2)
        else:
            yield name, generator.standard_normal(shape, np.float32)


def _tokens(bundle: Bundle, shape: Shape) -> NDArray[np.int64]:
    """Sentences as the tokenizer cuts them, [batch, length]: a row that is too short ends in padding."""
    batch, length = shape
    tokenizer = Tokenizer.from_buffer(bundle.file("tokenizer.json").read_bytes())
    tokenizer.no_padding()
    tokenizer.enable_truncation(max(length, 1))
    tokens = np.full(shape, bundle.manifest.text.pad_id, np.int64)
    for row in range(batch):
        # The first row is the longest sentence: a batch is as long as its longest text.
        ids = tokenizer.encode(_SENTENCES[-1 - row % len(_SENTENCES)]).ids[:length]
        tokens[row, : len(ids)] = ids
    return tokens


def _least_cosine(expected: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    return float(cosines(expected, found).min())


def _difference(expected: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    return float(np.abs(expected - found).max())


_MEASURES = {"cosine": _least_cosine, "difference": _difference, "signal_to_noise": signal_to_noise}

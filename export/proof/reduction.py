"""What a graph in less precision loses against the same graph in fp32, on inputs like those it will meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from a2m_edge.inference.agreement import cosines, signal_to_noise
from a2m_edge.perception.preprocessing import preprocess
from export.graphs.export import Arrays
from export.graphs.files import GraphFile
from export.graphs.half import open_as_on_gpu
from export.graphs.plans import fusion_plan
from export.models import Models
from export.proof.labelled import UTTERANCES, read_labelled_utterances, read_pictures
from export.proof.parity import Check, open_graph, run_module
from export.proof.pictures import pictures
from export.proof.pieces import pieces
from export.proof.utterances import labelled_utterances

COSINES = {"fp16": (0.9999, 0.999), "int8": (0.998, 0.99)}
"""Lowest mean and lowest single cosine between embeddings in fp32 and in less."""

LABELS = {"fp16": 0.02, "int8": 0.1}
"""Largest difference of a label's probability in fp32 and in less."""

MEL_L1 = {"fp16": 0.02, "int8": 0.05}
"""Largest mean difference of log-mels in nat; 0.05 nat are 0.4 dB, and the trained decoder is 0.53 nat from music."""

SIGNAL_TO_NOISE = 40.0
"""Lowest ratio in dB of a piece's sound to its error."""

ACCURACY = 0.01
"""Largest change of the share of emotions that are predicted as they were felt."""

ALIKE = 0.9
"""Lowest share of pictures with the same likeliest emotion, where there are no labels."""

_BATCH = 16
"""Texts of one length that are encoded at once."""

_Result = TypeVar("_Result")


def check_reductions(graphs: Mapping[str, GraphFile], models: Models, feelings: Path | None = None) -> list[Check]:
    """Measures each graph that is shipped in less than fp32.

    Encoders are judged by the cosine of their embeddings, and by whether the fusion gives the same emotions for
    them; the decoder by the L1 of its log-mel and the vocoder by the ratio of its sound to the error, both on music
    that is composed for three comments. Graphs in fp16 are computed as on a GPU.

    Args:
        graphs: exported graphs by name; those in fp32 are passed over.
        models: what they were exported from; it gives the emotions, and decodes the mel for the vocoder.
        feelings: a table of utterances and emotions, as ``read_labelled_utterances`` takes it: the accuracy is measured
            on that too.

    Raises:
        DataError: ``feelings`` cannot be used.
    """
    checks: list[Check] = []
    for name, graph in graphs.items():
        if graph.description.precision == "fp32":
            continue
        if name == "text_encoder":
            checks += _check_text_encoder(graph, models, feelings)
        elif name == "image_encoder":
            checks += _check_image_encoder(graph, models, feelings)
        elif name == "mel_decoder":
            checks += _check_decoder(graph, models)
        else:
            checks += _check_vocoder(graph, models)
    return [replace(check, remedy=f"choose --precision {check.graph}=fp32") for check in checks]


def _check_text_encoder(graph: GraphFile, models: Models, feelings: Path | None) -> list[Check]:
    named = [(text, emotion) for text, emotion in labelled_utterances() if emotion in models.emotions]
    felt = read_labelled_utterances(feelings, models.emotions)[:UTTERANCES] if feelings else []
    labelled = [*named, *((row.text, row.emotion) for row in felt)]
    tokenizer = models.bundle_tokenizer
    rows = [tokenizer.encode(text).ids for text, _ in labelled]
    full, less = _both(graph, lambda session: _embed_texts(session, rows))
    told = _told(models, text=full), _told(models, text=less)
    labels = _labels(models, [emotion for _, emotion in labelled])
    parts = {"sentences that name an emotion": slice(0, len(named))}
    if feelings:
        parts[f"utterances of {feelings.name}"] = slice(len(named), None)
    return [
        *_check_cosines(graph, full, less, "utterances"),
        *(_check_accuracy(graph, what, labels[part], told[0][part], told[1][part]) for what, part in parts.items()),
    ]


def _check_image_encoder(graph: GraphFile, models: Models, feelings: Path | None) -> list[Check]:
    felt = read_labelled_utterances(feelings, models.emotions) if feelings else []
    shown = read_pictures(feelings, felt) if feelings else {}
    settings = models.encoder.image_preprocessing
    ready = [preprocess(picture, settings)[None] for picture in shown.values() or pictures()]

    def see(session: Any) -> list[NDArray[np.float32]]:
        return [np.concatenate(part) for part in zip(*(session.run(None, {"image": x}) for x in ready), strict=True)]

    (full, *labelled), (less, *relabelled) = _both(graph, see)
    told = _told(models, image=full), _told(models, image=less)
    checks = _check_cosines(graph, full, less, "pictures")
    for one, other in zip(labelled, relabelled, strict=True):
        apart, limit = float(np.abs(one - other).max()), LABELS[graph.description.precision]
        what = f"difference of {graph.description.precision} to fp32, labels"
        checks.append(Check(graph.plan.name, what, f"{len(ready)} pictures", apart, limit))
    if not shown:
        alike = float((told[0] == told[1]).mean())
        what = f"share that is felt alike in {graph.description.precision} and fp32"
        return [*checks, Check(graph.plan.name, what, f"{len(ready)} pictures", alike, ALIKE, at_least=True)]
    place = {file: index for index, file in enumerate(shown)}
    rows = [row for row in felt if row.picture in place]
    seen = [place[row.picture] for row in rows]
    labels = _labels(models, [row.emotion for row in rows])
    what = f"utterances of {feelings.name}, of {len(shown)} pictures" if feelings else ""
    return [*checks, _check_accuracy(graph, what, labels, told[0][seen], told[1][seen])]


def _check_decoder(graph: GraphFile, models: Models) -> list[Check]:
    music = pieces(models)

    def decode(session: Any) -> NDArray[np.float32]:
        return np.concatenate([piece.joined(session.run(None, _feeds(graph, piece.inputs))[0]) for piece in music], 1)

    full, less = _both(graph, decode)
    what = f"L1 of {graph.description.precision} to fp32, nat"
    limit = MEL_L1[graph.description.precision]
    case = f"{len(music)} pieces, {full.shape[1]} frames"
    return [Check(graph.plan.name, what, case, float(np.abs(full - less).mean()), limit)]


def _check_vocoder(graph: GraphFile, models: Models) -> list[Check]:
    context, excited = models.cropped_vocoder.context, models.vocoder.excitation
    inputs = [piece.heard(models.audio, context, excited) for piece in pieces(models)]
    full, less = _both(graph, lambda session: [session.run(None, _feeds(graph, given))[0] for given in inputs])
    what = f"signal to noise of {graph.description.precision} to fp32, dB"
    least = min(signal_to_noise(one, other) for one, other in zip(full, less, strict=True))
    return [Check(graph.plan.name, what, f"{len(inputs)} pieces", least, SIGNAL_TO_NOISE, at_least=True)]


def _both(graph: GraphFile, run: Callable[[Any], _Result]) -> tuple[_Result, _Result]:
    """What the graph gives in fp32 and as it is shipped; one after the other, since both may not fit in memory."""
    full = run(open_graph(graph.full))
    return full, run((open_as_on_gpu if graph.description.precision == "fp16" else open_graph)(graph.shipped))


def _feeds(graph: GraphFile, inputs: Arrays) -> dict[str, NDArray[Any]]:
    return {tensor.name: array for tensor, array in zip(graph.plan.inputs, inputs, strict=True)}


def _embed_texts(session: Any, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    """The embeddings of tokenised texts, float32 [texts, D]; texts of one length go together."""
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    found: dict[int, NDArray[np.float32]] = {}
    for _, group in groupby(order, key=lambda index: len(rows[index])):
        same = list(group)
        for part in (same[first : first + _BATCH] for first in range(0, len(same), _BATCH)):
            tokens = np.array([rows[index] for index in part], np.int64)
            found.update(zip(part, session.run(None, {"tokens": tokens})[0], strict=True))
    return np.stack([found[index] for index in range(len(rows))])


def _told(models: Models, **embeddings: NDArray[np.float32]) -> NDArray[np.int64]:
    """The likeliest emotion of each row, from ``image`` or ``text`` alone: an index into the fusion's emotions."""
    absent = np.zeros_like(next(iter(embeddings.values())))
    sides = [embeddings.get(side, absent) for side in ("image", "text")]
    present = np.array([[side in embeddings for side in ("image", "text")]], np.float32).repeat(len(absent), 0)
    emotions = run_module(fusion_plan(models), (*sides, present))[1]
    return np.asarray(emotions.argmax(1), np.int64)


def _labels(models: Models, words: Sequence[str]) -> NDArray[np.int64]:
    return np.array([models.emotions.index(word) for word in words], np.int64)


def _check_cosines(graph: GraphFile, full: NDArray[np.float32], less: NDArray[np.float32], what: str) -> list[Check]:
    precision = graph.description.precision
    found = cosines(full, less)
    return [
        Check(
            graph.plan.name,
            f"cosine of {precision} to fp32, {name}",
            f"{len(found)} {what}",
            value,
            limit,
            at_least=True,
        )
        for name, value, limit in zip(
            ("mean", "least"), (float(found.mean()), float(found.min())), COSINES[precision], strict=True
        )
    ]


def _check_accuracy(
    graph: GraphFile, what: str, labels: NDArray[np.int64], full: NDArray[np.int64], less: NDArray[np.int64]
) -> Check:
    precision = graph.description.precision
    right, still = int((full == labels).sum()), int((less == labels).sum())
    count = len(labels)
    return Check(
        graph.plan.name,
        f"change of accuracy by {precision}, {what}",
        f"{count} rows ({right / count:.1%} in fp32, {still / count:.1%} in {precision})",
        abs(right - still) / count,
        ACCURACY,
    )

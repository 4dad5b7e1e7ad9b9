"""The shapes at which graphs are run: those of a stream, and the ranges that an engine is built for.

Every free axis of a graph's inputs has a name in the manifest: ``batch``, ``length`` (tokens), ``frames``, and
``excited`` (samples of an excitation).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from a2m_edge.bundle.manifest import DecoderContext, Manifest, Tensor
from a2m_edge.errors import BundleError

Shape = tuple[int, ...]
Sizes = Mapping[str, int]
"""A size for each named axis."""

LARGEST_BATCH = 8
"""Pictures or comments that one run of an encoder's engine takes at most."""

USUAL_TOKENS = 16
"""Tokens of a comment that a text encoder's engine is tuned for."""

LARGEST_CHUNK_SECONDS = 5.944
"""Sound without context that one run of the vocoder's engine makes at most: 512 frames of the format 22k-mono."""


@dataclass(frozen=True)
class Profile:
    """A range of shapes that an engine accepts, and the one it is tuned for.

    Attributes:
        least, usual, most: for each input its shape; ``least`` <= ``usual`` <= ``most`` in every axis.
    """

    least: dict[str, Shape]
    usual: dict[str, Shape]
    most: dict[str, Shape]

    def holds(self, shapes: Mapping[str, Shape]) -> bool:
        """Whether an engine of this profile can run on these shapes."""
        return shapes.keys() == self.usual.keys() and all(
            len(shape) == len(self.usual[name])
            and all(
                low <= size <= high for low, size, high in zip(self.least[name], shape, self.most[name], strict=True)
            )
            for name, shape in shapes.items()
        )


def input_shapes(inputs: Sequence[Tensor], sizes: Sizes) -> dict[str, Shape]:
    """The shape of each input when its named axes have these sizes.

    Raises:
        BundleError: an axis is not among ``sizes``.
    """
    for tensor in inputs:
        for axis in tensor.shape:
            if isinstance(axis, str) and axis not in sizes:
                raise BundleError(f"the axis {axis!r} of {tensor.name} has no known size: export the bundle again")
    return {
        tensor.name: tuple(axis if isinstance(axis, int) else sizes[axis] for axis in tensor.shape) for tensor in inputs
    }


def vocoder_sizes(manifest: Manifest, frames: int, batch: int = 1) -> Sizes:
    """The axes of the vocoder when it sounds this many frames: it hears its context as well."""
    heard = manifest.vocoder.left + frames + manifest.vocoder.right
    return {"batch": batch, "frames": heard, "excited": heard * manifest.audio.hop}


def usual_sizes(manifest: Manifest, graph: str) -> tuple[Sizes, ...]:
    """The sizes in which a graph is run while a soundscape plays: those that ``Session.warm_up`` is for.

    The last is the one that lasts.
    """
    if graph == "vocoder":
        return (vocoder_sizes(manifest, manifest.audio.chunk_frames),)
    if graph == "text_encoder":
        return ({"batch": 1, "length": _usual_tokens(manifest)},)
    decoder = manifest.decoder
    if graph == "mel_decoder" and isinstance(decoder, DecoderContext):
        return tuple({"batch": windows, "frames": decoder.span} for windows in _windows(manifest, decoder.window))
    return ({"batch": 1},)


def engine_profiles(manifest: Manifest, graph: str) -> tuple[Profile, ...]:
    """The profiles of a graph's engine, the narrowest first: the first that holds a shape is the fastest there.

    The vocoder has one profile for the chunk of a stream alone, and one for every other length.

    Raises:
        ValueError: there is no engine of this graph.
        BundleError: an axis of the graph has a name without a meaning.
    """
    inputs = manifest.graphs[graph].inputs
    if graph == "image_encoder":
        return (_profile(inputs, {"batch": 1}, {"batch": 1}, {"batch": LARGEST_BATCH}),)
    if graph == "text_encoder":
        context, usual = manifest.text.context_length, _usual_tokens(manifest)
        least = context if manifest.text.padded else 1
        return (
            _profile(
                inputs,
                {"batch": 1, "length": least},
                {"batch": 1, "length": usual},
                {"batch": LARGEST_BATCH, "length": context},
            ),
        )
    if graph == "vocoder":
        chunk = vocoder_sizes(manifest, manifest.audio.chunk_frames)
        return (
            _profile(inputs, chunk, chunk, chunk),
            _profile(
                inputs,
                vocoder_sizes(manifest, 1),
                chunk,
                vocoder_sizes(manifest, manifest.audio.frames(LARGEST_CHUNK_SECONDS)),
            ),
        )
    raise ValueError(f"there is no engine of {graph}")


def _windows(manifest: Manifest, window: int) -> list[int]:
    """How many windows the decoder is asked for at once while a stream plays; the commonest is the last."""
    counts, decoded = Counter[int](), 0
    for chunk in range(1, window + 2):  # after `window` chunks the grid of windows meets that of chunks again
        missing = chunk * manifest.audio.chunk_frames + manifest.vocoder.right - decoded
        windows = max(0, -(-missing // window))
        decoded += windows * window
        counts[windows] += windows > 0
    return [windows for windows, times in reversed(counts.most_common()) if times]


def _usual_tokens(manifest: Manifest) -> int:
    context = manifest.text.context_length
    return context if manifest.text.padded else min(USUAL_TOKENS, context)


def _profile(inputs: Sequence[Tensor], least: Sizes, usual: Sizes, most: Sizes) -> Profile:
    return Profile(input_shapes(inputs, least), input_shapes(inputs, usual), input_shapes(inputs, most))

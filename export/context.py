"""How much context a window of the mel decoder needs, measured on its weights with music as it will be played."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from a2m_edge.bundle import DecoderContext
from a2m_edge.composer import Composer, ComposerTables
from a2m_edge.errors import ExportError
from a2m_edge.feeling import Casting, Feeling
from export.graphs import graph_bytes
from export.models import Models
from export.parity import open_graph
from export.utterances import utterances

Decoder = Callable[[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]
"""fused [B, T, H], palette [B, T, P], score [B, T, F] -> mel [B, bands, T]."""

WINDOW = 64
"""Frames that one run of the decoder yields: 0.74 s at 22,050 Hz and a hop of 256."""

CANDIDATES = (0, 8, 16, 32, 48, 64, 96, 128, 192)
"""Frames of context to choose from, on either side."""

MARGIN = CANDIDATES[-1]
"""Frames of context that stand for all there is."""

LIMIT = 0.115
"""Largest mean difference between windowed and whole log-mel at any place in a window, in nat: 1 dB, the change of
level that is just heard. What is held against it is an upper bound: the left side's share and the right's, added."""

_PIECES, _WINDOWS = 4, 4


@dataclass(frozen=True)
class Piece:
    """What a decoder hears of one piece: fused [T, H], palette [T, P], score [T, F], all float32."""

    fused: NDArray[np.float32]
    palette: NDArray[np.float32]
    score: NDArray[np.float32]


@dataclass(frozen=True)
class Difference:
    """Between windowed and whole decoding, in nat.

    Attributes:
        left, right: frames of context on either side of a window.
        mean: over all bands and frames.
        edge: the mean at the place in the window where it is largest, which is one of its ends.
        max: of all values.
    """

    left: int
    right: int
    mean: float
    edge: float
    max: float


def compose_pieces(models: Models, composer: Path, fused: NDArray[np.float32], frames: int) -> list[Piece]:
    """Music composed for feelings from all over the plane, played by drawn instruments.

    Args:
        models: give the score layout and the audio format.
        composer: ``composer.json``.
        fused: float32 [pieces, H], one fused vector a piece.
        frames: length of each piece, T.
    """
    tables = ComposerTables.read(composer)
    generator = np.random.default_rng(0)
    pieces = []
    for number, vector in enumerate(fused):
        feeling = Feeling.of(*generator.uniform(-1, 1, 2))
        theme = generator.standard_normal(models.embedding_size, np.float32)
        player = Composer(tables, theme / np.linalg.norm(theme), number, feeling)
        beats = [player.next_beat()]
        while beats[-1].start < models.audio.seconds(frames):
            beats.append(player.next_beat())
        notes = [note for beat in beats for note in beat.notes]
        cast = generator.choice(len(models.instruments), len(models.roles), replace=False)
        palette = Casting(tuple(cast.tolist()), float(generator.random())).vector(len(models.instruments))
        pieces.append(
            Piece(
                np.repeat(vector[None], frames, 0),
                np.repeat(palette[None], frames, 0),
                models.score.frames(notes, 0, frames, models.audio.frame_rate),
            )
        )
    return pieces


def fused_vectors(models: Models, comments: Sequence[str]) -> NDArray[np.float32]:
    """What the fusion makes of comments alone: float32 [comments, H]."""
    with torch.no_grad():
        text = models.encoder.text(models.encoder.tokens(comments))
        present = torch.tensor([[0.0, 1.0]]).expand(len(comments), 2)
        fused: NDArray[np.float32] = models.fusion(torch.zeros_like(text), text, present)[0].numpy()
    return fused


def measure_context(
    decoder: Decoder, pieces: Sequence[Piece], window: int, contexts: Sequence[tuple[int, int]]
) -> list[Difference]:
    """Differences between windowed and whole decoding, for each (left, right) of ``contexts`` up to ``MARGIN``.

    The windows compared lie far enough from both ends of their piece, and are the same for every context.
    """
    wholes = [decoder(piece.fused[None], piece.palette[None], piece.score[None])[0] for piece in pieces]
    measured = []
    for left, right in contexts:
        differences = []
        for piece, whole in zip(pieces, wholes, strict=True):
            starts = range(MARGIN, len(piece.score) - MARGIN - window + 1, window)
            cut = [slice(start - left, start + window + right) for start in starts]
            mel = decoder(
                *(np.stack([values[part] for part in cut]) for values in (piece.fused, piece.palette, piece.score))
            )[:, :, left : left + window]
            expected = np.stack([whole[:, start : start + window] for start in starts])
            differences.append(np.abs(mel - expected))  # (windows, bands, window)
        every = np.stack(differences)
        edge = every.mean(axis=(0, 1, 2)).max()
        measured.append(Difference(left, right, float(every.mean()), float(edge), float(every.max())))
    return measured


def choose_context(
    models: Models, mel_decoder: onnx.ModelProto, composer: Path, window: int = WINDOW
) -> tuple[DecoderContext, dict[str, object]]:
    """The least context with which windowed decoding agrees with whole decoding; of equals the shortest look ahead.

    Args:
        models: what is exported; the encoder and the fusion give the vectors that condition the decoder.
        mel_decoder: the exported decoder.
        composer: ``composer.json``.
        window: frames that one run of the decoder yields.

    Returns:
        The context, and the curves it was read from, for the manifest.

    Raises:
        ExportError: even the most context that is tried leaves too large a difference.
    """
    session = open_graph(graph_bytes(mel_decoder))

    def decode(
        fused: NDArray[np.float32], palette: NDArray[np.float32], score: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        mel: NDArray[np.float32] = session.run(["mel"], {"fused": fused, "palette": palette, "score": score})[0]
        return mel

    frames = 2 * MARGIN + _WINDOWS * window
    pieces = compose_pieces(models, composer, fused_vectors(models, utterances(_PIECES)), frames)
    left = measure_context(decode, pieces, window, [(context, MARGIN) for context in CANDIDATES])
    right = measure_context(decode, pieces, window, [(MARGIN, context) for context in CANDIDATES])
    least = left[-1].edge + right[-1].edge
    pairs = [(before, after) for after in right for before in left if before.edge + after.edge <= LIMIT]
    if not pairs:
        raise ExportError(
            f"the mel decoder needs more than {MARGIN} frames of context: with them windows still differ by up to "
            f"{least:.3f} nat from whole decoding, the limit is {LIMIT}"
        )
    before, after = min(pairs, key=lambda pair: (pair[0].left + pair[1].right, pair[1].right))
    chosen = DecoderContext(window, before.left, after.right)
    record = {
        "window": window,
        "unit": "nat",
        "limit": LIMIT,
        "left": [_rounded(entry) for entry in left],
        "right": [_rounded(entry) for entry in right],
        "chosen": _rounded(measure_context(decode, pieces, window, [(chosen.left, chosen.right)])[0]),
    }
    return chosen, record


def _rounded(difference: Difference) -> dict[str, float]:
    return {name: float(f"{value:.3g}") for name, value in asdict(difference).items()}

"""How well a mel decoder predicts held-out music, decoded on windows as the runtime does it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict

import torch
from torch import Tensor
from torch.nn import functional

from a2m_edge.bundle import DecoderContext
from training.models.mel_decoder import MelDecoder

Clip = tuple[Tensor, Tensor, Tensor, Tensor]
"""fused (T, H), palette (T, P), score (T, F), mel (bands, T)."""

CONTEXTS = (0, 8, 16, 24, 32, 48, 64)
"""Frames of context on each side to choose from."""

TOLERANCE = 0.01
"""Share by which the chosen context's error may exceed the least one."""


def decode_windows(model: MelDecoder, fused: Tensor, palette: Tensor, score: Tensor, context: DecoderContext) -> Tensor:
    """Decodes a clip on the grid of windows: (T, H), (T, P), (T, F) to natural-log mel (bands, T).

    Before its beginning and after its end the clip is silent, in the same room.
    """
    frames = len(score)
    windows = -(-frames // context.window)
    after = windows * context.window - frames + context.right
    rows = torch.arange(windows)[:, None] * context.window + torch.arange(context.left + context.window + context.right)
    held = (0, 0, context.left, after)
    fused, palette = (functional.pad(part.T[None], held[2:], mode="replicate")[0].T for part in (fused, palette))
    mel = model(fused[rows], palette[rows], functional.pad(score, held)[rows])
    mel = mel[:, :, context.left : context.left + context.window]  # (windows, bands, window)
    return torch.cat(list(mel), 1)[:, :frames]


@torch.no_grad()
def relative_error(model: MelDecoder, clips: Iterable[Clip], context: DecoderContext) -> dict[str, float]:
    """The mean |log-mel difference| in nat, and its ratio to predicting each clip's own mean frame."""
    device = next(model.parameters()).device
    error = reference = 0.0
    count = 0
    for clip in clips:
        fused, palette, score, mel = (part.to(device) for part in clip)
        error += (decode_windows(model, fused, palette, score, context) - mel).abs().mean().item()
        reference += (mel - mel.mean(1, keepdim=True)).abs().mean().item()
        count += 1
    if count == 0:
        raise ValueError("there are no clips to measure a decoder on")
    return {"mel_l1": error / count, "mean_frame_l1": reference / count, "ratio": error / reference}


def choose_context(
    model: MelDecoder, clips: Callable[[], Iterable[Clip]], window: int
) -> tuple[DecoderContext, list[dict[str, float]]]:
    """The shortest context whose error on ``clips`` is within ``TOLERANCE`` of the least, and all that was measured.

    A longer context is not always better: a decoder hears best what is about as long as the windows it learned on.
    """
    table = []
    for frames in CONTEXTS:
        context = DecoderContext(window, frames, frames)
        table.append({**asdict(context), **relative_error(model, clips(), context)})
    least = min(row["mel_l1"] for row in table)
    row = next(row for row in table if row["mel_l1"] <= least * (1 + TOLERANCE))
    return DecoderContext(window, int(row["left"]), int(row["right"])), table

"""How well a mel decoder predicts held-out music, decoded on windows as the runtime does it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict

import torch

from a2m_edge.bundle.manifest import DecoderContext
from training.data.recordings.realised import Clip
from training.models.mel_decoder import MelDecoder, decode_windows

CONTEXTS = (0, 8, 16, 24, 32, 48, 64)
"""Frames of context to choose from, on either side."""

TOLERANCE = 0.02
"""Share by which the chosen context's error may exceed the least one: every frame of it costs time, and those to the
right delay what a visitor changes."""


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

    It is as long on both sides first, and then as short on the right as the tolerance leaves it: what is to come says
    less of a sound than what was. A longer context is not always better: a decoder is best at inputs about as long as
    the windows it learned on.
    """

    def measured(left: int, right: int) -> dict[str, float]:
        context = DecoderContext(window, left, right)
        return {**asdict(context), **relative_error(model, clips(), context)}

    table = [measured(frames, frames) for frames in CONTEXTS]
    enough = min(row["mel_l1"] for row in table) * (1 + TOLERANCE)
    left = next(int(row["left"]) for row in table if row["mel_l1"] <= enough)
    table += [measured(left, frames) for frames in CONTEXTS if frames < left]
    right = min(int(row["right"]) for row in table if row["left"] == left and row["mel_l1"] <= enough)
    return DecoderContext(window, left, right), table

"""The decoder that is exported tells what the whole one tells."""

from __future__ import annotations

import pytest
import torch

from training.models.cropped_decoder import CroppedDecoder
from training.models.mel_decoder import MelDecoder, MelDecoderConfig


def given(config: MelDecoderConfig, frames: int) -> tuple[torch.Tensor, ...]:
    score = torch.rand(2, frames, config.score_features)
    palette = torch.zeros(2, frames, config.palette_size)
    palette[:, :, [1, 17, 33, 49]] = 1.0
    return torch.randn(2, frames, config.fused_size), palette, torch.where(score > 0.95, score, 0.0)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize(("left", "right"), [(0, 0), (5, 2), (3, 7)])
@pytest.mark.parametrize("fading", [(), (0.0, 0.5)])
@torch.no_grad()
def test_it_tells_what_the_whole_decoder_tells(layers: int, left: int, right: int, fading: tuple[float, ...]) -> None:
    torch.manual_seed(0)
    config = MelDecoderConfig(
        fused_size=8, voice_channels=16, channels=12, hidden=16, layers=layers, fading=fading, left=left, right=right
    )
    decoder = MelDecoder(config).eval()
    torch.nn.init.normal_(decoder.shimmer.weight, std=0.1)
    cropped = CroppedDecoder(decoder)
    for frames in (1, 2, 9):
        inputs = given(config, left + frames + right)
        for whole, told in zip(decoder.describe(*inputs), cropped(*inputs), strict=True):
            expected = whole[:, :, left : left + frames]
            assert told.shape == expected.shape == (2, 80, frames)
            assert expected.std() > 0.01
            assert (told - expected).abs().max() <= 1e-5  # measured: 5e-7


@torch.no_grad()
def test_no_frame_but_context_is_refused() -> None:
    decoder = MelDecoder(MelDecoderConfig(hidden=8))
    with pytest.raises(RuntimeError):
        CroppedDecoder(decoder)(*given(decoder.config, decoder.config.left + decoder.config.right))

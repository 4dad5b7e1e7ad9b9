"""The mel decoder as it is exported: frames with their context are the input, the frames between the output.

The last layer of the LSTM is looked at in the window alone. What runs forward there needs no frame after the window,
and what runs backward none before it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.models.mel_decoder import MelDecoder


class CroppedDecoder(nn.Module):
    """Fused, palette and score of left + T + right frames to mel and shimmer of the T between, (B, bands, T) each.

    It shares a decoder's weights, and gives what that gives there.

    Attributes:
        left, right: frames of context that it is given, those of the decoder's config.
    """

    def __init__(self, decoder: MelDecoder) -> None:
        super().__init__()
        self.decoder = decoder
        config = decoder.config
        self.left, self.right = config.left, config.right
        inner, given = config.layers - 1, config.channels
        self.inner: nn.LSTM | None = None
        if inner:
            self.inner = nn.LSTM(given, config.hidden, inner, batch_first=True, bidirectional=True)
            names = [f"l{layer}{way}" for layer in range(inner) for way in ("", "_reverse")]
            _share(decoder.lstm, self.inner, dict(zip(names, names, strict=True)))
            given = 2 * config.hidden
        self.onward = nn.LSTM(given, config.hidden, batch_first=True)
        _share(decoder.lstm, self.onward, {"l0": f"l{inner}"})
        self.back = nn.LSTM(given, config.hidden, batch_first=True)
        _share(decoder.lstm, self.back, {"l0": f"l{inner}_reverse"})

    def forward(self, fused: Tensor, palette: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, H), (B, N, P), (B, N, F) to mel and shimmer (B, bands, T): N is T and the context, T at least 1."""
        frames = score.shape[1]
        # Without this, torch.export searches for minutes for what it may take for granted.
        torch._check(frames > self.left + self.right)
        heard, sketch = self.decoder.listen(fused, palette, score)
        remembered = heard if self.inner is None else self.inner(heard)[0]
        onward, _ = self.onward(remembered[:, : frames - self.right])
        back, _ = self.back(remembered[:, self.left :].flip(1))
        between = slice(self.left, frames - self.right)
        told = torch.cat([onward[:, self.left :], back.flip(1)[:, : frames - self.left - self.right]], 2)
        return self.decoder.tell(told, heard[:, between], None if sketch is None else sketch[:, between])


def _share(source: nn.LSTM, target: nn.LSTM, layers: dict[str, str]) -> None:
    """Gives layers of one LSTM, named ``l0`` or ``l0_reverse``, the weights of another's."""
    for own, other in layers.items():
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            setattr(target, f"{kind}_{own}", getattr(source, f"{kind}_{other}"))

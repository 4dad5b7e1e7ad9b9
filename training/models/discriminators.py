"""HiFi-GAN's discriminators (Kong, Kim & Bae 2020, arXiv 2010.05646), with the names of the public checkpoints.

Each gives for a waveform (B, 1, N) the scores of its parts (each flattened, (B, M)) and their inner features.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

SLOPE = 0.1
PERIODS = (2, 3, 5, 7, 11)

Verdict = tuple[list[Tensor], list[list[Tensor]]]
"""Scores and features of each part of a discriminator."""


def _judged(x: Tensor, convolutions: nn.ModuleList, last: nn.Module) -> tuple[Tensor, list[Tensor]]:
    """The scores (B, M), and what each convolution makes of the input."""
    features: list[Tensor] = []
    for convolution in convolutions:
        x = functional.leaky_relu(convolution(x), SLOPE)
        features.append(x)
    x = last(x)
    features.append(x)
    return x.flatten(1), features


class PeriodDiscriminator(nn.Module):
    """Sees a waveform folded into rows of ``period`` samples."""

    def __init__(self, period: int, channels: tuple[int, ...] = (32, 128, 512, 1024)) -> None:
        super().__init__()
        self.period = period
        norm = parametrizations.weight_norm
        sizes = (1, *channels)
        self.convs = nn.ModuleList(
            norm(nn.Conv2d(into, out, (5, 1), (3, 1), padding=(2, 0))) for into, out in pairwise(sizes)
        )
        self.convs.append(norm(nn.Conv2d(channels[-1], channels[-1], (5, 1), padding=(2, 0))))
        self.conv_post = norm(nn.Conv2d(channels[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        if rest := x.shape[-1] % self.period:
            x = functional.pad(x, (0, self.period - rest), mode="reflect")
        x = x.unflatten(-1, (-1, self.period))
        return _judged(x, self.convs, self.conv_post)


class ScaleDiscriminator(nn.Module):
    """Sees a waveform as it is; ``channels`` scales the width (the published one is 128)."""

    def __init__(self, channels: int = 128, spectral: bool = False) -> None:
        super().__init__()
        norm = parametrizations.spectral_norm if spectral else parametrizations.weight_norm
        wide = channels
        plan = (
            (1, wide, 15, 1, 1),
            (wide, wide, 41, 2, 4),
            (wide, 2 * wide, 41, 2, 16),
            (2 * wide, 4 * wide, 41, 4, 16),
            (4 * wide, 8 * wide, 41, 4, 16),
            (8 * wide, 8 * wide, 41, 1, 16),
            (8 * wide, 8 * wide, 5, 1, 1),
        )
        self.convs = nn.ModuleList(
            norm(nn.Conv1d(into, out, kernel, stride, padding=kernel // 2, groups=groups))
            for into, out, kernel, stride, groups in plan
        )
        self.conv_post = norm(nn.Conv1d(8 * wide, 1, 3, padding=1))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        return _judged(x, self.convs, self.conv_post)


class MultiPeriodDiscriminator(nn.Module):
    """One discriminator for each of ``periods``."""

    def __init__(self, periods: tuple[int, ...] = PERIODS, channels: tuple[int, ...] = (32, 128, 512, 1024)) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(PeriodDiscriminator(period, channels) for period in periods)

    def forward(self, x: Tensor) -> Verdict:
        verdicts = [discriminator(x) for discriminator in self.discriminators]
        return [score for score, _ in verdicts], [features for _, features in verdicts]


class MultiScaleDiscriminator(nn.Module):
    """Three discriminators at full, half and quarter rate, the first with spectral norm."""

    def __init__(self, channels: int = 128) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(ScaleDiscriminator(channels, spectral=scale == 0) for scale in range(3))
        self.pool = nn.AvgPool1d(4, 2, padding=2)

    def forward(self, x: Tensor) -> Verdict:
        scores: list[Tensor] = []
        features: list[list[Tensor]] = []
        for discriminator in self.discriminators:
            score, inner = discriminator(x)
            scores.append(score)
            features.append(inner)
            x = self.pool(x)
        return scores, features

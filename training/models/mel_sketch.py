"""A first sketch of a log-mel: every note as its instrument plays that key, the powers of all notes added."""

from __future__ import annotations

import torch
from torch import Tensor, nn

QUICKNESS = 5.0
"""Factor on the learned log-amplitudes. They are larger numbers than other weights and have to move farther."""

LOUDNESS = 4.0
"""The power of a note follows its velocity to this exponent: 40 dB for each factor of ten, as in FluidSynth."""

LOUDEST = 2.0
"""Natural logarithm of the largest amplitude that one note may have: real ones stay below 0."""

HEADROOM = 2.5
"""Nats by which amplitudes are raised while they are added: half precision then holds eight of the loudest notes, and
loses what is near the floor."""


class MelSketch(nn.Module):
    """A table of spectra, read by the score.

    A recurrent layer has to learn anew what all notes of an instrument have in common; and the sum of several notes,
    which is simple in powers, is not in logarithms. Here every key of every instrument has one spectrum for each way of
    fading, and a note is their sum.

    Args:
        instruments, keys, bands: sizes.
        fading: exponents of a note's onset trace (see ``a2m_edge.score.ScoreLayout``), one spectrum each: 0 is what
            stays while a key is held, 1 fades with the trace's time constant, 2 twice as fast.
    """

    def __init__(self, instruments: int, keys: int, bands: int, fading: tuple[float, ...]) -> None:
        super().__init__()
        ways = len(fading)
        self.spectra = nn.Parameter(torch.zeros(ways, instruments, keys, bands))
        self.timbres = nn.Parameter(torch.zeros(ways, instruments, 1, bands))
        self.pitches = nn.Parameter(torch.zeros(1, 1, keys, bands))
        self.floor = nn.Parameter(torch.zeros(bands))
        self.fading = fading

    @torch.no_grad()
    def begin_with(self, sample: Tensor) -> None:
        """Starts from frames of a training set (bands, n): every note like their mean, silence like their quietest."""
        self.timbres.copy_(sample.mean(1) / QUICKNESS)
        self.floor.copy_(sample.kthvalue(1 + sample.shape[1] // 50, dim=1).values / QUICKNESS)

    def forward(self, players: Tensor, score: Tensor) -> Tensor:
        """Sketches T frames.

        Args:
            players: (B, T, roles, instruments), one-hot.
            score: (B, T, roles, 2, keys), velocities while a key is held, and their onset traces.

        Returns:
            natural-log mel (B, T, bands).
        """
        held, trace = score[:, :, :, 0], score[:, :, :, 1]
        since = (trace / held.clamp(min=1e-3)).clamp(1e-4, 1.0)  # 1 at the attack, (B, T, roles, keys)
        loud = _power(held.clamp(min=0.0), LOUDNESS)
        power = torch.cat([loud * _power(since, 2 * way) for way in self.fading], -1)
        sounding = players.transpose(2, 3) @ power  # (B, T, instruments, ways * keys)
        amplitudes = (QUICKNESS * (self.spectra + self.timbres + self.pitches)).clamp(max=LOUDEST)
        spectra = torch.exp(2 * (amplitudes + HEADROOM))
        table = spectra.transpose(0, 1).flatten(0, 2)  # (instruments * ways * keys, bands)
        total = sounding.flatten(2) @ table + torch.exp(2 * (QUICKNESS * self.floor + HEADROOM))
        return 0.5 * torch.log(total) - HEADROOM


def _power(base: Tensor, exponent: float) -> Tensor:
    """``base`` to a power, by squaring as long as it is even: an exponential for every key and frame takes its time."""
    if exponent == 0:
        return torch.ones_like(base)
    if exponent == 1:
        return base
    if exponent % 2 == 0:
        half = _power(base, exponent / 2)
        return half * half
    return base**exponent

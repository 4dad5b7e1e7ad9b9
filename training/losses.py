"""The losses that models are trained on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from a2m_edge.sound.format import AudioFormat
from a2m_edge.sound.mel import FAINTEST_MEL, mel_filterbank

RESOLUTIONS = ((512, 128), (1024, 256), (2048, 512), (4096, 1024))
"""Windows and hops in samples of the multi-resolution STFT loss."""


SLOW = 9
"""Frames of the moving average of an error; what differs from it is shimmer."""


class LogMelSpectrogram(nn.Module):
    """Log-mel spectrograms that gradients pass through, equal to ``a2m_edge.sound.mel.log_mel``."""

    filterbank: Tensor
    window: Tensor

    def __init__(self, audio: AudioFormat) -> None:
        super().__init__()
        self.audio = audio
        self.register_buffer("filterbank", torch.tensor(mel_filterbank(audio)), persistent=False)
        self.register_buffer("window", torch.hann_window(audio.window), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Waveforms (B, N) to natural log-mels (B, bands, N // hop)."""
        pad = (self.audio.window - self.audio.hop) // 2
        padded = functional.pad(waveform.unsqueeze(1), (pad, pad), mode="reflect").squeeze(1)
        magnitude = _magnitude(padded, self.window, self.audio.hop, 1e-9)
        return torch.log((self.filterbank @ magnitude).clamp(min=FAINTEST_MEL))


def _magnitude(waveform: Tensor, window: Tensor, hop: int, floor: float) -> Tensor:
    """Magnitudes (B, size // 2 + 1, frames) of frames that lie wholly inside the waveforms (B, N).

    ``floor`` under the root keeps the gradient of silence finite.
    """
    size = window.shape[0]
    spectrum = torch.view_as_real(torch.stft(waveform, size, hop, window=window, center=False, return_complex=True))
    return torch.sqrt(spectrum.square().sum(-1) + floor)


class MultiResolutionSTFT(nn.Module):
    """Spectral convergence plus log-magnitude L1 at several windows (Yamamoto et al. 2020, arXiv 1910.11480)."""

    def __init__(self, resolutions: Sequence[tuple[int, int]] = RESOLUTIONS) -> None:
        super().__init__()
        self.hops = [hop for _, hop in resolutions]
        for number, (size, _) in enumerate(resolutions):
            self.register_buffer(f"window_{number}", torch.hann_window(size), persistent=False)

    def forward(self, generated: Tensor, real: Tensor) -> Tensor:
        """Waveforms (B, N) and (B, N) to the mean over the resolutions of both terms, a scalar."""
        total = generated.new_zeros(())
        for number, hop in enumerate(self.hops):
            window = self.get_buffer(f"window_{number}")
            guess, truth = _magnitude(generated, window, hop, 1e-7), _magnitude(real, window, hop, 1e-7)
            total = total + _share_off(guess, truth) + functional.l1_loss(guess.log(), truth.log())
        return total / len(self.hops)


def frequency_weighted_l1(predicted: Tensor, target: Tensor, low: float = 1.0, high: float = 1.5) -> Tensor:
    """L1 of mels (B, bands, T), both multiplied by weights that rise over the bands (arXiv 2512.00120)."""
    weights = torch.linspace(low, high, predicted.shape[1], device=predicted.device)[:, None]
    return functional.l1_loss(predicted * weights, target * weights)


def spectral_convergence(predicted: Tensor, target: Tensor) -> Tensor:
    """How far magnitudes are off (Arik et al. 2019, IEEE Signal Processing Letters 26:94, on mels).

    Args:
        predicted, target: natural-log mels of one shape.

    Returns:
        a scalar; 0 where they are equal.
    """
    return _share_off(predicted.exp(), target.exp())


def _share_off(guess: Tensor, truth: Tensor) -> Tensor:
    """The norm of the error of magnitudes against their own, a scalar."""
    share: Tensor = torch.linalg.vector_norm(truth - guess) / torch.linalg.vector_norm(truth)
    return share


def shimmer_loss(shimmer: Tensor, predicted: Tensor, target: Tensor) -> Tensor:
    """How badly standard deviations predict the quick part of an error: a Gaussian's negative log-likelihood.

    Args:
        shimmer: standard deviations in nat, (B, bands, T).
        predicted, target: mels of the same shape; no gradient reaches them.

    Returns:
        a scalar.
    """
    error = (target - predicted).detach()
    padded = functional.pad(error, (SLOW // 2, SLOW // 2), mode="replicate")
    quick = error - functional.avg_pool1d(padded, SLOW, stride=1)
    return (0.5 * (quick / shimmer).square() + shimmer.log()).mean()


def discriminator_loss(real: Sequence[Tensor], generated: Sequence[Tensor]) -> Tensor:
    """Least-squares loss of discriminators whose output should be 1 for the real and 0 for the generated, a scalar."""
    total = real[0].new_zeros(())
    for truth, guess in zip(real, generated, strict=True):
        total = total + (1 - truth).square().mean() + guess.square().mean()
    return total


def adversarial_loss(generated: Sequence[Tensor]) -> Tensor:
    """Least-squares loss of a generator for whose output discriminators should give 1, a scalar."""
    total = generated[0].new_zeros(())
    for guess in generated:
        total = total + (1 - guess).square().mean()
    return total


def feature_matching_loss(real: Sequence[Sequence[Tensor]], generated: Sequence[Sequence[Tensor]]) -> Tensor:
    """Twice the sum of the L1 between the discriminators' inner features (Kong et al. 2020, arXiv 2010.05646)."""
    total = real[0][0].new_zeros(())
    for truths, guesses in zip(real, generated, strict=True):
        for truth, guess in zip(truths, guesses, strict=True):
            total = total + functional.l1_loss(guess, truth.detach())
    return 2 * total


def chosen_mean(values: Tensor, chosen: Tensor) -> Tensor:
    """The mean of the values where ``chosen``, of the same shape, is 1 and not 0; 0 where none is."""
    mean: Tensor = (values * chosen).sum() / chosen.sum().clamp(min=1)
    return mean

"""The spectrogram that Whisper reads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from a2m_edge.sound.format import AudioFormat
from a2m_edge.sound.mel import hann_window, mel_filterbank

RATE = 16_000
"""Samples a second of what is spoken."""

SECONDS = 30
"""What Whisper reads at most."""

_FORMAT = AudioFormat(sample_rate=RATE, channels=1, hop=160, window=400, mel_bands=80, mel_low=0.0, mel_high=RATE / 2)
_FAINTEST = 1e-10
_RANGE = 8.0  # powers of ten below the loudest that are told apart


def whisper_log_mel(samples: NDArray[np.float32], seconds: int = SECONDS) -> NDArray[np.float32]:
    """The log-mel spectrogram of Radford et al. 2022 (arXiv 2212.04356), as their code computes it.

    80 bands on Slaney's scale, 10 ms apart, power in powers of ten, its loudest eight of them, moved to about [-1, 1].

    Args:
        samples: float32 [N] in [-1, 1] at ``RATE``; what is beyond ``seconds`` is left out.
        seconds: that are analysed, silence after what was said included.

    Returns:
        float32 [80, 100 * seconds].
    """
    whole = np.zeros(RATE * seconds, np.float32)
    whole[: len(samples)] = samples[: len(whole)]
    padded = np.pad(whole, _FORMAT.window // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, _FORMAT.window)[:: _FORMAT.hop]
    spectrum = np.fft.rfft(windows[: 100 * seconds] * hann_window(_FORMAT))
    power = np.square(np.abs(spectrum)).astype(np.float32)
    levels = np.log10(np.maximum(mel_filterbank(_FORMAT) @ power.T, _FAINTEST))
    scaled: NDArray[np.float32] = (np.maximum(levels, levels.max() - _RANGE) / 4.0 + 1.0).astype(np.float32)
    return scaled

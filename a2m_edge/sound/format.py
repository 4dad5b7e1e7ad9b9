"""The format of the sound, and a piece of a stream of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CHUNK_FRAMES = 32
"""Mel frames in a chunk of a stream: 372 ms of the default format."""


@dataclass(frozen=True)
class AudioFormat:
    """The sound that a decoder and a vocoder were trained on.

    Attributes:
        sample_rate: Hz.
        hop: samples from one mel frame to the next.
        window: samples of the Fourier window, at least ``hop``; the difference is even.
        mel_bands: number of mel bands.
        mel_low, mel_high: edges of the lowest and the highest band in Hz.
    """

    sample_rate: int = 22050
    hop: int = 256
    window: int = 1024
    mel_bands: int = 80
    mel_low: float = 0.0
    mel_high: float = 8000.0

    @property
    def frame_rate(self) -> float:
        """Mel frames per second (Hz)."""
        return self.sample_rate / self.hop

    def frames(self, seconds: float) -> int:
        """The whole number of frames nearest to a duration."""
        return round(seconds * self.frame_rate)

    def seconds(self, frames: int) -> float:
        """How long a number of frames lasts."""
        return frames / self.frame_rate


@dataclass(frozen=True)
class AudioChunk:
    """A piece of a stream.

    Attributes:
        samples: float32 [N], mono, in [-1, 1]; N = ``frames`` x hop.
        sample_rate: Hz.
        first_frame: number of its first mel frame, counted from the beginning of the stream.
        frames: how many mel frames it spans.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    first_frame: int
    frames: int

    @property
    def seconds(self) -> float:
        """How long the chunk lasts."""
        return len(self.samples) / self.sample_rate

"""The format of the sound, and a piece of a stream of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CHUNK_SECONDS = 0.37
"""How long a chunk of a stream lasts, about: 32 mel frames of the format ``22k-mono``."""


@dataclass(frozen=True)
class AudioFormat:
    """The sound that a decoder and a vocoder were trained on.

    Attributes:
        sample_rate: Hz.
        channels: 1 (mono) or 2 (left, right).
        hop: samples from one mel frame to the next.
        window: samples of the Fourier window, at least ``hop``; the difference is even.
        mel_bands: number of mel bands.
        mel_low, mel_high: edges of the lowest and the highest band in Hz.
    """

    sample_rate: int
    channels: int
    hop: int
    window: int
    mel_bands: int
    mel_low: float
    mel_high: float

    @property
    def frame_rate(self) -> float:
        """Mel frames per second (Hz)."""
        return self.sample_rate / self.hop

    @property
    def edge(self) -> int:
        """Mel frames that one Fourier window touches: so many at either end of a piece hang on what lies beyond it."""
        return -(-self.window // self.hop)

    @property
    def chunk_frames(self) -> int:
        """Mel frames in a chunk of a stream."""
        return max(1, self.frames(CHUNK_SECONDS))

    def frames(self, seconds: float) -> int:
        """The whole number of frames nearest to a duration."""
        return round(seconds * self.frame_rate)

    def seconds(self, frames: int) -> float:
        """How long a number of frames lasts."""
        return frames / self.frame_rate

    def faults(self) -> list[str]:
        """What makes no sense in this format, in words; empty for a good one."""
        sane = {
            "sample_rate is outside 8000 to 192000": 8000 <= self.sample_rate <= 192000,
            "channels is outside 1 to 2": 1 <= self.channels <= 2,
            "hop is outside 1 to 8192": 1 <= self.hop <= 8192,
            "window must exceed hop by an even number": (
                self.hop <= self.window <= 65536 and (self.window - self.hop) % 2 == 0
            ),
            "mel_bands is outside 1 to 1024": 1 <= self.mel_bands <= 1024,
            "the mel bands leave the spectrum": 0 <= self.mel_low < self.mel_high <= self.sample_rate / 2,
        }
        return [fault for fault, fine in sane.items() if not fine]

    def __str__(self) -> str:
        voices = "mono" if self.channels == 1 else "stereo"
        return (
            f"{self.sample_rate} Hz {voices}, {self.mel_bands} mel bands of {self.mel_low:g} to {self.mel_high:g} Hz "
            f"every {self.hop} samples under a window of {self.window}"
        )


FORMATS = {
    "22k-mono": AudioFormat(22050, 1, 256, 1024, 80, 0.0, 8000.0),
    "48k-stereo": AudioFormat(48000, 2, 512, 2048, 128, 0.0, 20000.0),
}
"""Formats by name. ``22k-mono`` is that of the public HiFi-GAN models (Kong et al. 2020, arXiv 2010.05646)."""


@dataclass(frozen=True)
class AudioChunk:
    """A piece of a stream.

    Attributes:
        samples: float32 [N, C], in [-1, 1]; N = ``frames`` x hop, C the channels of the format.
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

"""WAV files of 16 bits."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import OutputError
from a2m_edge.output import written_aside

_BLOCK_SAMPLES = 1 << 16
"""Samples quantised at once."""


def write_wav(target: Path | BinaryIO, samples: NDArray[np.float32], sample_rate: int) -> None:
    """Writes a 16-bit PCM WAV file.

    Triangular dither of two steps peak to peak (TPDF; Lipshitz, Wannamaker & Vanderkooy 1992, J. AES 40:355)
    keeps quiet passages free of distortion. It is seeded: the same samples give the same bytes.

    Args:
        target: a path, which appears whole or not at all, or a binary stream, which need not be seekable.
        samples: float32 [N, C] in [-1, 1]; values beyond are clipped.
        sample_rate: Hz.

    Raises:
        OutputError: the file cannot be written, or the reader of the stream is gone.
        ValueError: a sample is not finite.
    """
    if not np.isfinite(samples).all():
        raise ValueError("a sample is not finite")
    if isinstance(target, Path):
        with written_aside(target) as stream:
            _write_pcm(stream, samples, sample_rate)
        return
    try:
        _write_pcm(target, samples, sample_rate)
        target.flush()
    except OSError as error:
        raise OutputError(f"cannot write the sound: {error.strerror or error}") from error


def quantised(samples: NDArray[np.float32]) -> Iterator[NDArray[np.int16]]:
    """A sound [N, C] in 16 bits, block after block, with the seeded dither of ``write_wav``: int16 [n, C] each."""
    generator = np.random.default_rng(0)
    for begin in range(0, len(samples), _BLOCK_SAMPLES):
        block = samples[begin : begin + _BLOCK_SAMPLES]
        dither = generator.random((2, *block.shape), np.float32)
        steps = np.rint(block * np.float32(32767.0) + dither[0] - dither[1])
        yield np.clip(steps, -32768, 32767).astype(np.int16)


def _write_pcm(stream: BinaryIO, samples: NDArray[np.float32], sample_rate: int) -> None:
    with wave.open(stream, "wb") as writer:
        writer.setnchannels(samples.shape[1])
        writer.setsampwidth(2)
        writer.setframerate(sample_rate)
        writer.setnframes(len(samples))  # known beforehand, so that the header needs no seek
        for block in quantised(samples):
            writer.writeframesraw(block.astype("<i2").tobytes())

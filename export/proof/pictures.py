"""Pictures to test an image encoder with, the same in every run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def pictures(count: int = 32, size: int = 256) -> list[NDArray[np.uint8]]:
    """Clouds of colour, uint8 [size, size, 3]: their amplitudes fall with 1/f, as those of photographs and paintings.

    The spectrum is that of natural scenes (Field 1987, J. Opt. Soc. Am. A 4:2379).
    """
    generator = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    frequency[0, 0] = np.inf  # the mean is set below
    found = []
    for _ in range(count):
        spectrum = np.fft.rfft2(generator.standard_normal((3, size, size))) / frequency
        clouds = np.fft.irfft2(spectrum, (size, size))
        clouds /= clouds.std(axis=(1, 2), keepdims=True)
        # Colours of one picture hang together, and some pictures are darker and flatter than others.
        clouds = clouds.mean(0) + generator.uniform(0.2, 0.8) * clouds
        light = generator.uniform(90, 165, (3, 1, 1)) + generator.uniform(15, 50) * clouds
        found.append(np.ascontiguousarray(light.clip(0, 255).astype(np.uint8).transpose(1, 2, 0)))
    return found

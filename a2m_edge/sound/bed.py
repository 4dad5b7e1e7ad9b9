"""The bed of a bundle: its safe loop, which plays whenever live sound is late."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from a2m_edge.errors import BundleError
from a2m_edge.sound.format import AudioFormat


def read_bed(path: Path, audio: AudioFormat) -> NDArray[np.float32]:
    """Reads a bed, and refuses what is no safe loop: when it is needed nothing else plays.

    Args:
        path: a WAV file.
        audio: the format of the bundle's sound.

    Returns:
        float32 [N, C], N > 0, not silent.

    Raises:
        BundleError: it cannot be read, has another sample rate or other channels, or is silent.
    """
    try:
        # As bytes, since the library refuses a name that is no UTF-8.
        samples, rate = soundfile.read(os.fsencode(path), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise BundleError(f"the bed {path} cannot be read ({error.error_string}): it must be a WAV file") from error
    if (rate, samples.shape[1]) != (audio.sample_rate, audio.channels):
        raise BundleError(
            f"the bed {path} has {rate} Hz and {_counted(samples.shape[1])}, the bundle's sound {audio.sample_rate} Hz "
            f"and {_counted(audio.channels)}: convert it, and export the bundle with it"
        )
    if not np.isfinite(samples).all() or not samples.any():
        raise BundleError(f"the bed {path} is silent or holds what is no number: export the bundle with another one")
    return np.asarray(samples, np.float32)


def _counted(channels: int) -> str:
    return "1 channel" if channels == 1 else f"{channels} channels"

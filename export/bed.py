"""The safe loop of a bundle: calm music that the bundle itself plays, and that has no seam."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from a2m_edge.audio import AudioFormat, write_wav
from a2m_edge.bundle import Bundle
from a2m_edge.errors import ExportError
from a2m_edge.loudness import normalise_loudness

SECONDS, OVERLAP, LEAD_IN = 18.0, 2.0, 1.0
"""Length of the loop, of the crossfade that closes it, and of what is thrown away before it begins."""

COMMENT = "Calm and peaceful, a quiet place where I feel content and safe."
LOUDNESS = -26.0
"""LUFS: three below a render, so that a room that waits is quieter than one that answers."""


def render_bed(bundle: Bundle, path: Path) -> None:
    """Writes the loop that a bundle plays for a calm comment."""
    from a2m_edge.soundscape import Soundscape

    audio = bundle.manifest.audio
    soundscape = Soundscape(bundle, seed=0, device="cpu", threads=1)
    soundscape.hear(COMMENT)
    frames = audio.frames(LEAD_IN + SECONDS + OVERLAP)
    samples = np.concatenate([chunk.samples for chunk in soundscape.chunks(frames)])
    samples = samples[audio.frames(LEAD_IN) * audio.hop :]
    looped = loop(samples, audio.frames(OVERLAP) * audio.hop)
    write_wav(path, normalise_loudness(looped, audio.sample_rate, LOUDNESS), audio.sample_rate)


def require_bed(path: Path, audio: AudioFormat) -> None:
    """Refuses a file that is no safe loop: when it is needed nothing else plays.

    Args:
        path: a WAV file.
        audio: the format of the bundle's sound.

    Raises:
        ExportError: it cannot be read, has another sample rate or several channels, or is silent.
    """
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise ExportError(f"the bed {path} cannot be read ({error}): name a WAV file") from error
    if (rate, samples.shape[1]) != (audio.sample_rate, 1):
        raise ExportError(
            f"the bed {path} has {rate} Hz and {samples.shape[1]} channels, the bundle's sound {audio.sample_rate} Hz "
            f"and one: convert it"
        )
    if not np.isfinite(samples).all() or not samples.any():
        raise ExportError(f"the bed {path} is silent or holds what is no number: name another WAV file")


def write_silence(path: Path, audio: AudioFormat) -> None:
    """Writes one second of silence, which holds the bed's place until the bundle can play."""
    write_wav(path, np.zeros(audio.sample_rate, np.float32), audio.sample_rate)


def loop(samples: NDArray[np.float32], overlap: int) -> NDArray[np.float32]:
    """Folds the last ``overlap`` samples into the first ones, at equal power: its end runs on into its beginning.

    Args:
        samples: float32 [N], N >= 2 x ``overlap``.
        overlap: samples of the crossfade.

    Returns:
        float32 [N - overlap]; the sample that follows its last is, in the original too, its first.
    """
    angle = (np.arange(overlap, dtype=np.float32) + 0.5) / overlap * (np.pi / 2)
    looped = samples[: len(samples) - overlap].copy()
    looped[:overlap] = samples[:overlap] * np.sin(angle) + samples[len(samples) - overlap :] * np.cos(angle)
    return looped

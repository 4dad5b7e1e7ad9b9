"""The safe loop of a bundle: calm music that the bundle itself plays, and that has no seam."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from a2m_edge.bundle import Bundle
from a2m_edge.output import written_within
from a2m_edge.sound.format import AudioFormat
from a2m_edge.sound.loudness import normalise_loudness
from a2m_edge.sound.wav import write_wav

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
    with written_within(path) as stream:
        write_wav(stream, normalise_loudness(looped, audio.sample_rate, LOUDNESS), audio.sample_rate)


def write_silence(path: Path, audio: AudioFormat) -> None:
    """Writes one second of silence, which holds the bed's place until the bundle can play."""
    with written_within(path) as stream:
        write_wav(stream, np.zeros((audio.sample_rate, audio.channels), np.float32), audio.sample_rate)


def loop(samples: NDArray[np.float32], overlap: int) -> NDArray[np.float32]:
    """Folds the last ``overlap`` samples into the first ones, at equal power: its end runs on into its beginning.

    Args:
        samples: float32 [N, C], N >= 2 x ``overlap``.
        overlap: samples of the crossfade.

    Returns:
        float32 [N - overlap, C]; the sample that follows its last is, in the original too, its first.
    """
    angle = (np.arange(overlap, dtype=np.float32) + 0.5) / overlap * (np.pi / 2)
    angle = angle[:, None]
    looped = samples[: len(samples) - overlap].copy()
    looped[:overlap] = samples[:overlap] * np.sin(angle) + samples[len(samples) - overlap :] * np.cos(angle)
    return looped

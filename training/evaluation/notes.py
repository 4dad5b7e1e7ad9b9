"""Note accuracy of a bundle's soundscapes, beside FluidSynth's rendering of the same scores."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from a2m_edge.bundle import Bundle
from a2m_edge.errors import OptionError
from a2m_edge.soundscape import Soundscape
from training.data.realisation import perform
from training.evaluation.transcription import Transcriber, note_f1

PEAK = 0.5
"""Both sounds are brought to this peak, so that neither wins by its level."""


def note_accuracy(
    bundle: Bundle,
    works: Iterable[tuple[NDArray[np.uint8], str]],
    transcriber: Transcriber,
    soundfont: Path,
    seconds: float = 30.0,
) -> dict[str, float]:
    """Transcribes soundscapes and FluidSynth's rendering of their scores.

    Args:
        bundle: what plays.
        works: pictures (uint8 RGB [H, W, 3]) with comments; each is one soundscape.
        transcriber: hears both sounds.
        soundfont: for FluidSynth.
        seconds: length of each soundscape.

    Returns:
        ``f1`` of the bundle's sound, ``fluidsynth_f1``, their ``ratio``, and ``soundscapes``.

    Raises:
        DataError: FluidSynth is missing.
        OptionError: the bundle plays no score.
    """
    audio = bundle.manifest.audio
    frames = audio.frames(seconds)
    ours, theirs = [], []
    for seed, (picture, comment) in enumerate(works):
        soundscape = Soundscape(bundle, seed=seed, device="cpu")
        soundscape.see(picture)
        soundscape.hear(comment)
        samples = np.concatenate([chunk.samples for chunk in soundscape.chunks(frames, chunk_frames=256)])
        if soundscape.casting is None:
            raise OptionError(f"the bundle {bundle.manifest.name} plays no score, so that it has no notes to find")
        notes = [note for note in soundscape.score.notes if note.start < seconds - 0.25]
        played = perform(notes, soundscape.casting, seconds, audio.sample_rate, soundfont)
        wanted = [(note.start, note.pitch) for note in notes]
        ours.append(note_f1(wanted, transcriber.onsets(at_peak(samples))))
        theirs.append(note_f1(wanted, transcriber.onsets(at_peak(played))))
    return {
        "f1": float(np.mean(ours)),
        "fluidsynth_f1": float(np.mean(theirs)),
        "ratio": float(np.mean(ours) / np.mean(theirs)),
        "soundscapes": float(len(ours)),
    }


def at_peak(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The samples scaled to ``PEAK``."""
    return np.asarray(samples * (PEAK / max(float(np.abs(samples).max()), 1e-6)), np.float32)

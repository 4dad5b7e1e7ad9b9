"""Are the notes really there? Sound transcribed by Basic Pitch, compared with the score.

Basic Pitch (Bittner et al. 2022, arXiv 2203.09893): windows of 43,844 samples at 22,050 Hz, frames of 256 samples,
88 keys from A0. Neighbouring windows overlap by 30 frames, of which half is cut off at each end.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from a2m_edge.bundle.plain_files import utf8_path
from a2m_edge.errors import DataError
from a2m_edge.sound.mel import downmix

RATE, HOP, WINDOW, OVERLAP = 22_050, 256, 43_844, 30
STEP = WINDOW - OVERLAP * HOP
LOWEST_PITCH = 21
ONSET_LEVEL, NOTE_LEVEL = 0.5, 0.3
SHORTEST_FRAMES = 11
TOLERANCE = 0.05

Onset = tuple[float, int]
"""When a note begins in seconds, and its MIDI pitch."""


class Transcriber:
    """Basic Pitch's published network and a plain reading of its activations.

    Args:
        model: ``basic_pitch_nmp.onnx``.
        threads: for one run.

    Raises:
        DataError: the file is missing or no such network.
    """

    def __init__(self, model: Path, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            with utf8_path(model) as name:
                self._session = onnxruntime.InferenceSession(name, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime raises many types without a common base
            raise DataError(f"the transcriber {model} cannot be loaded: fetch it again") from error

    def onsets(self, samples: NDArray[np.float32]) -> list[Onset]:
        """The notes that begin in a sound [N, C] at 22,050 Hz, by time; its channels are heard together.

        A note begins where the onset map has a peak above 0.5, or the note map rises as sharply as that, and the
        note map then stays above 0.3 for most of 11 frames.
        """
        note, onset, times = self._activations(downmix(samples))
        if len(times) < 2 * SHORTEST_FRAMES:
            return []
        rise = np.zeros_like(note)
        rise[2:] = np.maximum(0.0, np.minimum(note[2:] - note[1:-1], note[2:] - note[:-2]))
        strength = np.maximum(onset, rise * (onset.max() / max(rise.max(), 1e-6)))
        peak = np.zeros(strength.shape, bool)
        middle = strength[1:-1]
        peak[1:-1] = (middle > strength[:-2]) & (middle >= strength[2:]) & (middle >= ONSET_LEVEL)
        found = []
        for frame, key in np.argwhere(peak):
            held = note[frame : frame + SHORTEST_FRAMES, key] > NOTE_LEVEL
            if held.sum() > SHORTEST_FRAMES // 2:
                found.append((float(times[frame]), int(key) + LOWEST_PITCH))
        return sorted(found)

    def _activations(
        self, samples: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
        """Note and onset maps [frames, 88] and the frames' times in seconds."""
        half = OVERLAP // 2
        starts = np.arange(0, max(1, len(samples)), STEP)
        padded = np.zeros(starts[-1] + WINDOW, np.float32)
        length = min(len(samples), len(padded) - half * HOP)
        padded[half * HOP : half * HOP + length] = samples[:length]
        maps: list[list[NDArray[np.float32]]] = [[], []]
        for start in starts:
            window = padded[None, start : start + WINDOW, None]
            names = ["StatefulPartitionedCall:1", "StatefulPartitionedCall:2"]
            for kept, result in zip(maps, self._session.run(names, {"serving_default_input_2:0": window}), strict=True):
                kept.append(result[0, half:-half])
        kept_frames = maps[0][0].shape[0]
        times = ((starts[:, None] + HOP * np.arange(kept_frames)) / RATE).ravel()
        inside = times < len(samples) / RATE
        return np.concatenate(maps[0])[inside], np.concatenate(maps[1])[inside], times[inside]


def note_f1(score: Iterable[Onset], heard: Iterable[Onset], tolerance: float = TOLERANCE) -> float:
    """Harmonic mean of precision and recall; a note counts with its exact pitch, its onset within the tolerance.

    Each note is matched at most once, pitch by pitch in order of time.
    """
    score, heard = sorted(score), sorted(heard)
    hits = 0
    for pitch in {pitch for _, pitch in score}:
        wanted = [time for time, other in score if other == pitch]
        given = [time for time, other in heard if other == pitch]
        first = 0
        for time in wanted:
            while first < len(given) and given[first] < time - tolerance:
                first += 1
            if first < len(given) and given[first] <= time + tolerance:
                hits += 1
                first += 1
    return 2 * hits / max(1, len(score) + len(heard))

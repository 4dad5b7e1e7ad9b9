"""What is measured of the sounds of each row; the sounds themselves are let go, but for the examples."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from a2m_edge.sound.format import AudioFormat
from a2m_edge.sound.loudness import normalise_loudness
from a2m_edge.sound.mel import log_mel
from a2m_edge.sound.resampling import resample
from training.evaluation.listening.heard_feeling import FeelingListener, Heard
from training.evaluation.listening.sound_embedding import SoundEmbedding
from training.evaluation.listening.spectral import log_spectral_distance, mel_cepstral_distortion, mel_cosine
from training.evaluation.listening.transcription import RATE, Onset, Transcriber, note_f1
from training.evaluation.rows.materials import Pair, recorded
from training.evaluation.rows.rows import RowSource, Sounding
from training.evaluation.statistics.diversity import mel_statistics

Embedded = NDArray[np.float32]

LAST_ONSET = 0.25
"""Seconds before the end from which on a note is too short to be found."""

SPECTRAL_CONVERGENCE_DEFINITION = (
    "Norm of the difference of both magnitude mels over the norm of the real one, mean over clips."
)


@dataclass(frozen=True)
class Ears:
    """All that listens to a sound.

    Attributes:
        embedding: for distances, diversity and novelty.
        feeling: hears valence and arousal.
        transcriber: finds notes.
    """

    embedding: SoundEmbedding
    feeling: FeelingListener
    transcriber: Transcriber

    def onsets(self, samples: NDArray[np.float32], rate: int) -> list[Onset]:
        """The notes that begin in a sound of any rate."""
        return self.transcriber.onsets(samples if rate == RATE else resample(samples, rate, RATE))


@dataclass
class RowMeasures:
    """What one row sounds like; lists hold one entry for each pair unless they say otherwise.

    Attributes:
        row: which.
        embeddings: float32 [windows, D] each.
        heard: raw scores of what is felt in the sound.
        onsets: that were heard.
        score: onsets of the notes that were to be played; empty where none are known.
        modes: of the music, as the composer chose them, or None.
        felt: valence and arousal that the row took the pair to express, or None.
        distortion, spectral_distance, cosine, mel_error, convergence: of the row's mel against the real clip's; empty
            where the row puts nothing in the place of the real clip.
        frame_error: mean |difference| in nat of the real clip from its own mean frame.
        level: RMS of the sound over that of the real clip, in dB; as the above.
        real_seconds: of all sounds.
        computing: seconds that all sounds took to make; 0 where nothing was computed.
        kept: the pairs that are shown as examples, at the row's own level.
    """

    row: RowSource
    embeddings: list[Embedded] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    onsets: list[list[Onset]] = field(default_factory=list)
    score: list[list[Onset]] = field(default_factory=list)
    modes: list[str | None] = field(default_factory=list)
    felt: list[tuple[float, float] | None] = field(default_factory=list)
    distortion: list[float] = field(default_factory=list)
    spectral_distance: list[float] = field(default_factory=list)
    cosine: list[float] = field(default_factory=list)
    mel_error: list[float] = field(default_factory=list)
    frame_error: list[float] = field(default_factory=list)
    convergence: list[float] = field(default_factory=list)
    level: list[float] = field(default_factory=list)
    real_seconds: float = 0.0
    computing: float = 0.0
    kept: dict[int, Sounding] = field(default_factory=dict)

    @property
    def f1(self) -> list[float]:
        """Note F1 of each pair whose notes are known."""
        return [note_f1(score, heard) for score, heard in zip(self.score, self.onsets, strict=True) if score]

    @property
    def times_real_time(self) -> float | None:
        """Seconds of sound for each second of computing, or None where nothing was computed."""
        return self.real_seconds / self.computing if self.computing > 0 else None


@dataclass
class RowMeter:
    """Measures rows, one sound at a time.

    Attributes:
        pairs: that the rows sound.
        audio: of the sounds.
        frames: of each.
        ears: listen to it at ``a2m_edge.sound.loudness.TARGET_LOUDNESS``, the same for all.
        shown: numbers of the pairs to keep.
        also: is told of every sounding, for what else is made of it.
    """

    pairs: Sequence[Pair]
    audio: AudioFormat
    frames: int
    ears: Ears
    shown: frozenset[int] = frozenset()
    also: Callable[[RowSource, Sounding, NDArray[np.float32]], None] | None = None

    def measure(self, row: RowSource, soundings: Iterable[Sounding]) -> RowMeasures:
        """Everything about a row.

        Raises:
            DataError: a clip is damaged, or a sound cannot be heard.
        """
        found = RowMeasures(row)
        rate, last = self.audio.sample_rate, self.audio.seconds(self.frames) - LAST_ONSET
        for sounding in soundings:
            even = normalise_loudness(sounding.samples, rate)
            found.embeddings.append(self.ears.embedding(even, rate))
            found.heard.append(self.ears.feeling.listen(even, rate))
            found.onsets.append([onset for onset in self.ears.onsets(even, rate) if onset[0] < last])
            found.score.append([(note.start, note.pitch) for note in sounding.notes if note.start < last])
            found.modes.append(sounding.mode)
            feeling = sounding.feeling
            found.felt.append(None if feeling is None else (feeling.valence, feeling.arousal))
            found.real_seconds += len(sounding.samples) / rate
            found.computing += sounding.seconds
            if sounding.mel is not None:
                self._compare(found, sounding, sounding.mel.astype(np.float64))
            if sounding.pair in self.shown:
                found.kept[sounding.pair] = sounding
            if self.also is not None:
                self.also(row, sounding, even)
        return found

    def _compare(self, found: RowMeasures, sounding: Sounding, mel: NDArray[np.float64]) -> None:
        clip = recorded(self.pairs[sounding.pair].realisation, self.audio, self.frames)
        real = clip.mel[:, : min(self.frames, mel.shape[1])].astype(np.float64)
        found.distortion.append(mel_cepstral_distortion(real, mel))
        found.spectral_distance.append(log_spectral_distance(real, mel))
        found.cosine.append(mel_cosine(real, mel))
        found.mel_error.append(float(np.abs(mel - real).mean()))
        found.frame_error.append(float(np.abs(real - real.mean(1, keepdims=True)).mean()))
        found.convergence.append(spectral_convergence(real, mel))
        found.level.append(level(sounding.samples) - level(clip.samples))


def spectral_convergence(real: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Of two natural-log mels of the same shape; see ``SPECTRAL_CONVERGENCE_DEFINITION``. 0 for equal ones.

    Arik et al. 2019, IEEE Signal Processing Letters 26:94, on mels in place of spectra.
    """
    truth = np.exp(real)
    return float(np.linalg.norm(truth - np.exp(other)) / np.linalg.norm(truth))


def level(samples: NDArray[np.floating]) -> float:
    """Root of the mean square in dB; -200 for silence."""
    return 10.0 * math.log10(max(float(np.square(samples, dtype=np.float64).mean()), 1e-20))


@dataclass
class WorkVectors:
    """What the soundscapes of each work are like, seed after seed: for ``diversity``.

    Attributes:
        embeddings: mean over the windows, float32 [D] for each seed of each work.
        statistics: ``mel_statistics``, float64 [2 bands], the same.
    """

    embeddings: list[list[NDArray[np.floating]]]
    statistics: list[list[NDArray[np.float64]]]

    @classmethod
    def of(cls, works: int) -> WorkVectors:
        """Of so many works, nothing heard yet."""
        return cls([[] for _ in range(works)], [[] for _ in range(works)])

    def hear(self, sounding: Sounding, ears: Ears, audio: AudioFormat) -> None:
        """Adds a soundscape of the work that its pair is the number of."""
        even = normalise_loudness(sounding.samples, audio.sample_rate)
        self.embeddings[sounding.pair].append(ears.embedding(even, audio.sample_rate).mean(0))
        self.statistics[sounding.pair].append(mel_statistics(log_mel(even, audio)))

"""How many notes a transcriber finds when FluidSynth plays the scores that a bundle composed: what is usual."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from a2m_edge.sound.format import AudioFormat
from a2m_edge.sound.loudness import normalise_loudness
from a2m_edge.sound.resampling import resample
from training.data.recordings.fluidsynth import SOUNDFONT
from training.data.recordings.realisation import perform
from training.evaluation.listening.sounds_measured import LAST_ONSET, RowMeasures
from training.evaluation.listening.transcription import RATE, Transcriber, note_f1
from training.evaluation.report.model import Column, Missing, Row, Table, Value
from training.evaluation.rows.rows import Sounding
from training.evaluation.statistics.distances import mean_with_interval

MOST_SOUNDSCAPES = 20


@dataclass
class FluidSynthNotes:
    """Transcribes FluidSynth's rendering of the first ``MOST_SOUNDSCAPES`` soundscapes' scores.

    Attributes:
        audio: of the soundscapes.
        transcriber: hears both.
        soundfont: for FluidSynth.
        f1: of each rendering.
        pairs: their numbers.
    """

    audio: AudioFormat
    transcriber: Transcriber
    soundfont: Path
    f1: list[float] = field(default_factory=list)
    pairs: list[int] = field(default_factory=list)

    @classmethod
    def found(
        cls, audio: AudioFormat, transcriber: Transcriber, soundfont: Path = SOUNDFONT
    ) -> FluidSynthNotes | Missing:
        """One, or why there is none."""
        if shutil.which("fluidsynth") is None or not soundfont.is_file():
            return Missing("FluidSynth or its soundfont is not installed")
        return cls(audio, transcriber, soundfont)

    def hear(self, sounding: Sounding) -> None:
        """Renders and transcribes a soundscape's score; passes over one without.

        Raises:
            DataError: FluidSynth fails.
        """
        rate, seconds = self.audio.sample_rate, len(sounding.samples) / self.audio.sample_rate
        wanted = [(note.start, note.pitch) for note in sounding.notes if note.start < seconds - LAST_ONSET]
        if sounding.casting is None or not wanted or len(self.f1) >= MOST_SOUNDSCAPES:
            return
        played = normalise_loudness(
            perform(sounding.notes, sounding.casting, seconds, self.audio, self.soundfont), rate
        )
        onsets = self.transcriber.onsets(played if rate == RATE else resample(played, rate, RATE))
        self.f1.append(note_f1(wanted, [onset for onset in onsets if onset[0] < seconds - LAST_ONSET]))
        self.pairs.append(sounding.pair)


def same_soundscapes(ours: RowMeasures, pairs: Sequence[int]) -> list[float]:
    """Note F1 of our own sound for the pairs of these numbers."""
    return [note_f1(ours.score[pair], ours.onsets[pair]) for pair in pairs]


def note_table(ours: RowMeasures, fluidsynth: FluidSynthNotes | Missing) -> Table:
    """Notes found in our sound and in FluidSynth's, of the same scores."""
    columns = [
        Column("Soundscapes"),
        Column(
            "Note F1", "", "higher", note="Notes found by Basic Pitch: pitch exact, onset within 50 ms.", decimals=3
        ),
    ]
    title = "Notes found in soundscapes of ours"
    if isinstance(fluidsynth, Missing) or not fluidsynth.f1:
        why = fluidsynth if isinstance(fluidsynth, Missing) else Missing("the bundle plays no score")
        own: Value = mean_with_interval(ours.f1) if ours.f1 else Missing("the bundle plays no score")
        return Table(title, columns, [Row("ours", [len(ours.f1), own]), Row("FluidSynth, the same scores", [why, why])])
    count = len(fluidsynth.f1)
    return Table(
        title,
        columns,
        [
            Row("ours", [count, mean_with_interval(same_soundscapes(ours, fluidsynth.pairs))]),
            Row("FluidSynth, the same scores", [count, mean_with_interval(fluidsynth.f1)], reference=True),
        ],
    )

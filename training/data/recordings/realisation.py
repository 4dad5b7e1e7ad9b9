"""Realisations: what a music caption asks for, composed, played and recorded together with its score.

MusicCaps' own audio cannot be shipped. So the composer writes music for each caption (its mood gives the feeling,
its named instruments the casting), FluidSynth plays it, and the pair of score and sound teaches the mel decoder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import mido
import numpy as np
import soundfile
from numpy.typing import NDArray

from a2m_edge.composer import Composer, ComposerTables
from a2m_edge.impression.feeling import INSTRUMENTS, ROLES, Casting, Feeling, Palette
from a2m_edge.jobs.work import Work
from a2m_edge.output import make_folder, written_aside
from a2m_edge.score import Note, Score
from a2m_edge.sound.format import AudioFormat
from a2m_edge.sound.mel import log_mel
from training.data.recordings.fluidsynth import SOUNDFONT, as_midi_file, render
from training.data.recordings.formats import state_format
from training.data.recordings.realised import write_realisation
from training.data.tables.caption_palette import caption_feeling, caption_palette
from training.data.tables.captions import Caption
from training.data.tables.table_files import write_facts
from training.jobs import JobRunner, Lost

GAIN = 2.5
"""From FluidSynth's level to ours. One factor for all clips: the decoder learns loudness from velocity alone."""

THEME_SIZE = 384


@dataclass(frozen=True)
class Recipe:
    """Everything that a realisation is made of.

    Attributes:
        clip: the caption's clip.
        split: the caption's split.
        feeling: (valence, arousal) that the music expresses, and from the middle of a steered clip on the second.
        casting: who plays each role, and the room.
        seed: of theme and music.
        lead: seconds of silence before the first beat.
        stop: seconds at which the composer stops; the rest is the music's fading.
        seconds: length of the clip.
    """

    clip: str
    split: str
    feeling: tuple[tuple[float, float], tuple[float, float]]
    casting: Casting
    seed: int
    lead: float
    stop: float
    seconds: float


def recipe_for(caption: Caption, take: int, seconds: float, seed: int) -> Recipe:
    """How to realise a caption; each take of the same caption is another piece.

    Two clips in five draw their casting from all instruments alike, so that every instrument is heard in every
    role; one in four is steered to another feeling midway; one in five stops early and fades.
    """
    number = int.from_bytes(
        hashlib.sha1(f"{seed}/{caption.clip}/{take}".encode(), usedforsecurity=False).digest()[:6], "big"
    )
    generator = np.random.default_rng(number)
    weights, room = caption_palette(caption.aspects, caption.text)
    casting = Palette(weights, room).cast(generator)
    if generator.random() < 0.4:
        anyone = generator.permutation(len(INSTRUMENTS))[: len(ROLES)]
        casting = Casting(tuple(int(player) for player in anyone), float(generator.random()))
    valence, arousal = caption_feeling(caption.aspects, caption.text)
    spread = generator.normal(0.0, 0.25, 2)
    first = (float(np.clip(valence + spread[0], -1, 1)), float(np.clip(arousal + spread[1], -1, 1)))
    second = (float(generator.uniform(-1, 1)), float(generator.uniform(-1, 1)))
    return Recipe(
        caption.clip,
        caption.split,
        (first, second if generator.random() < 0.25 else first),
        casting,
        number,
        float(generator.uniform(0.0, 0.4)),
        seconds * float(generator.uniform(0.55, 0.85)) if generator.random() < 0.2 else seconds,
        seconds,
    )


def compose(recipe: Recipe, tables: ComposerTables) -> Score:
    """The recipe's music, its first beat ``lead`` seconds after the beginning."""
    embedding = np.random.default_rng(recipe.seed).standard_normal(THEME_SIZE).astype(np.float32)
    composer = Composer(tables, embedding, recipe.seed, Feeling.of(*recipe.feeling[0]))
    score = Score()
    while score.seconds < recipe.stop - recipe.lead:
        if score.seconds > recipe.seconds / 2:
            composer.steer(Feeling.of(*recipe.feeling[1]))
        score.beats.append(composer.next_beat())
    return Score(
        [
            replace(
                beat,
                start=beat.start + recipe.lead,
                notes=tuple(replace(note, start=note.start + recipe.lead) for note in beat.notes),
            )
            for beat in score.beats
        ]
    )


def perform(
    notes: Iterable[Note], casting: Casting, seconds: float, audio: AudioFormat, soundfont: Path
) -> NDArray[np.float32]:
    """The notes as FluidSynth plays them in the casting's instruments and room.

    Returns:
        float32 [seconds x sample rate rounded, C], one fixed gain for all music.

    Raises:
        DataError: FluidSynth or its soundfont is missing.
    """
    programs = list(INSTRUMENTS.values())
    messages: list[tuple[float, mido.Message]] = []
    for role, instrument in enumerate(casting.instruments):
        messages.append((0.0, mido.Message("program_change", channel=role, program=programs[instrument])))
        depth = round(20 + 90 * casting.room)
        messages.append((0.0, mido.Message("control_change", channel=role, control=91, value=depth)))
    for note in notes:
        velocity = max(1, round(127 * note.velocity))
        key = {"channel": note.role, "note": note.pitch}
        messages.append((note.start, mido.Message("note_on", velocity=velocity, **key)))
        messages.append((note.end, mido.Message("note_off", **key)))
    midi, room = as_midi_file(messages), 0.2 + 0.7 * casting.room
    samples = render(midi, soundfont, audio.sample_rate, audio.channels, room) * GAIN
    length = round(seconds * audio.sample_rate)
    return np.pad(samples[:length], ((0, max(0, length - len(samples))), (0, 0))).astype(np.float32)


def brightness(samples: NDArray[np.float32], rate: int, arousal: float) -> NDArray[np.float32]:
    """Tilts the spectrum of a sound [N, C] above 500 Hz by up to +-5 dB at 8 kHz.

    Bright timbre goes with arousal (Eerola, Friberg & Bresin 2013). This is what the decoder can learn only from the
    fused embedding.
    """
    padded = len(samples) + rate  # the transform is a circle: without silence the end would click in the beginning
    frequency = np.fft.rfftfreq(padded, 1 / rate)
    octaves = np.clip(np.log2(np.maximum(frequency, 1.0) / 500.0) / 4.0, 0.0, 1.0)
    spectrum = np.fft.rfft(samples.T, padded) * 10 ** (5.0 * arousal * octaves / 20)
    return np.ascontiguousarray(np.fft.irfft(spectrum, padded)[:, : len(samples)].T, np.float32)


def record(
    place: Path,
    notes: Sequence[Note],
    casting: Casting,
    feeling: tuple[float, float],
    seconds: float,
    audio: AudioFormat,
    soundfont: Path,
) -> Path:
    """Plays notes and records them as ``place``, an ``.npz``, and a ``.flac`` of the same name.

    The archive holds ``mel`` float16 [bands, T], ``notes`` float32 [N, 5] (start, seconds, pitch, velocity, role),
    ``casting`` float32 [P] and ``feeling`` float32 [2] (valence, arousal). It is written last: where it is, both are.

    Raises:
        DataError: FluidSynth or its soundfont is missing.
        OutputError: a file cannot be written.
    """
    frames = audio.frames(seconds)
    samples = perform(notes, casting, audio.seconds(frames), audio, soundfont)
    samples = brightness(samples, audio.sample_rate, feeling[1])
    samples = np.tanh(samples) if np.abs(samples).max() > 0.95 else samples
    make_folder(place.parent)
    with written_aside(place.with_suffix(".flac")) as stream:
        soundfile.write(stream, samples, audio.sample_rate, format="FLAC", subtype="PCM_16")
    write_realisation(
        place,
        mel=log_mel(samples, audio),
        notes=notes,
        casting=casting.vector(len(INSTRUMENTS)),
        feeling=feeling,
    )
    return place


def realise(recipe: Recipe, out: Path, tables: ComposerTables, audio: AudioFormat, soundfont: Path) -> Path:
    """Composes, plays and records one recipe as ``out/<split>/<clip>_<seed>.npz`` and ``.flac``: see ``record``.

    Where the archive is, nothing is made again.

    Raises:
        DataError: FluidSynth or its soundfont is missing.
        OutputError: a file cannot be written.
    """
    place = realisation_file(recipe, out)
    if place.exists():
        return place
    notes = compose(recipe, tables).notes
    return record(place, notes, recipe.casting, recipe.feeling[0], recipe.seconds, audio, soundfont)


def realisation_file(recipe: Recipe, out: Path) -> Path:
    """Where the archive of a recipe is written below ``out``."""
    return out / recipe.split / f"{recipe.clip}_{recipe.seed}.npz"


@dataclass(frozen=True)
class RealisationWork(Work[Recipe, Path | Lost]):
    """Realises a recipe; the arguments are those of ``realise``, ``out`` an absolute path."""

    out: Path
    tables: ComposerTables
    audio: AudioFormat
    soundfont: Path

    def perform(self, prepared: Recipe) -> Path:
        """See ``realise``."""
        return realise(prepared, self.out, self.tables, self.audio, self.soundfont)

    def lost(self, job: Recipe, ending: str) -> Lost:
        """Names the clip."""
        return Lost(f"clip {job.clip}", ending)


def build_realisations(
    captions: Sequence[Caption],
    out: Path,
    *,
    audio: AudioFormat,
    tables: Path,
    runner: JobRunner,
    takes: int = 1,
    seconds: float = 30.0,
    seed: int = 0,
    soundfont: Path = SOUNDFONT,
) -> Iterator[Path]:
    """Realises every caption ``takes`` times and yields each file that is made; those that exist are passed over.

    Raises:
        DataError: FluidSynth or the soundfont is missing; ``out`` holds another format; or clips were lost, and all
            others are done.
        BundleError: ``tables`` cannot be read.
        OutputError: a file cannot be written.
        SystemExit, KeyboardInterrupt: stopped by a signal; see ``JobRunner.run``.
    """
    place = out.absolute()
    recipes = (recipe_for(caption, take, seconds, seed) for take in range(takes) for caption in captions)
    jobs = [recipe for recipe in recipes if not realisation_file(recipe, place).exists()]
    work = RealisationWork(place, ComposerTables.read(tables), audio, soundfont)
    state_format(place, audio)
    if jobs:
        yield from runner.run(jobs, work, "realisations")
    facts = {"takes": takes, "seconds": seconds, "seed": seed, "captions": len(captions), "soundfont": soundfont.name}
    make_folder(place)
    write_facts(place / "realisations.json", facts)

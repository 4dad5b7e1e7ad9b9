"""What the four roles play in one bar.

Every function here is pure: the same context and generator give the same notes. Times are in beats from the
beginning of the bar; velocities are in (0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from a2m_edge.composer.form import Place
from a2m_edge.composer.harmony import DOMINANT, Chord, opened, voicing
from a2m_edge.composer.patterns import BASSES, FIGURES, Pattern
from a2m_edge.composer.plan import Plan
from a2m_edge.composer.tables import ComposerTables
from a2m_edge.composer.theme import Theme

BASS, HARMONY, FIGURE, MELODY = range(4)
BASS_CENTRE, HARMONY_CENTRE, FIGURE_LOWEST, MELODY_CENTRE = 40, 57, 62, 72
LOWEST, HIGHEST = 27, 103
"""Pitches that patterns keep within: beyond, a piano knocks."""
HELD = 0.95
"""Share of the bar that bass and harmony hold at the end of a phrase."""
BROKEN = ((0, 1, 2, 3), (0, 2, 1, 2), (0, 1, 2, 1), (0, 2, 3, 1), (3, 2, 1, 0))


@dataclass(frozen=True)
class BarNote:
    """A note inside a bar: onset and length in beats, MIDI pitch, velocity, role."""

    onset: float
    beats: float
    pitch: int
    velocity: float
    role: int


@dataclass(frozen=True)
class Voices:
    """Where each part stands at a bar line, so that it can move from there by small steps.

    Attributes:
        bass: pitch of the last bass note, or None at the beginning.
        harmony: the last voicing, or None at the beginning.
        melody: pitch of the last melody note, or None at the beginning.
    """

    bass: int | None = None
    harmony: tuple[int, ...] | None = None
    melody: int | None = None


@dataclass(frozen=True)
class BarContext:
    """Everything that the parts of one bar need to know."""

    plan: Plan
    theme: Theme
    tables: ComposerTables
    place: Place
    chord: Chord
    next_chord: Chord
    voices: Voices

    @property
    def beats(self) -> int:
        """Beats in the bar."""
        return self.theme.beats_in_bar

    @property
    def tonic(self) -> int:
        """Pitch class of the section's key."""
        return self.theme.tonic_of(self.place.section)

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """Pitch classes of the bar's chord, root first."""
        return self.chord.pitch_classes(self.tonic, self.plan.scale)

    def pitch(self, step: int) -> int:
        """MIDI pitch of a scale step counted from the tonic of octave 0; the leading tone rises under V in minor."""
        octave, degree = divmod(step, 7)
        above = self.plan.scale[degree]
        if degree == 6 and self.chord.degree == DOMINANT and 11 in self.chord.intervals(self.plan.scale):
            above = 11
        return self.tonic + 12 * octave + above

    def velocity(self, share: float, onset: float, generator: np.random.Generator) -> float:
        """Loudness of a note: the plan's, the role's share, the phrase's arch, the beat's weight, a human's hand."""
        relief = self.plan.relief
        accent = 1.0 + relief * (0.08 if onset == 0 else 0.0 if onset == int(onset) else -0.07)
        arch = 0.99 + relief * (0.14 * self.place.arch - 0.07)
        hand = float(generator.normal(1.0, 0.03))
        return float(np.clip(self.plan.loudness * share * arch * accent * hand, 0.08, 1.0))


def nearest(pitch_class: int, centre: float) -> int:
    """The pitch of a pitch class that is nearest to ``centre``."""
    return round((centre - pitch_class) / 12) * 12 + pitch_class


def bass_part(context: BarContext, generator: np.random.Generator) -> tuple[list[BarNote], int]:
    """Root on the first beat; with rising density the fifth at mid-bar, then every beat and a step to the next root.

    Where the plan names a pattern, it has that in its place in most bars.
    """
    plan, beats = context.plan, context.beats
    centre = BASS_CENTRE + plan.register / 2
    root_class, _, fifth_class = context.pitch_classes[:3]
    before = context.voices.bass if context.voices.bass is not None else centre
    root = nearest(root_class, (before + 2 * centre) / 3)
    fifth = nearest(fifth_class, root + 2)
    pattern = BASSES.get(plan.bass)
    if pattern and not context.place.last and generator.random() < plan.bass_share:
        tones = sorted([root, fifth if fifth > root else fifth + 12])
        return patterned(pattern, tones, context, 0.92, BASS, generator), root
    if plan.density < 0.3 or context.place.last:
        line = [(0.0, root)]
    elif plan.density < 0.68:
        line = [(0.0, root), (float(beats // 2 if beats == 4 else 2), fifth)]
    else:
        line = [(float(beat), (root, fifth, root, fifth)[beat]) for beat in range(beats)]
    if plan.density >= 0.5 and not context.place.last and generator.random() < 0.5:
        target = nearest(context.next_chord.pitch_classes(context.tonic, plan.scale)[0], root)
        approach = [(context.tonic + tone) % 12 for tone in plan.scale]
        below = next((target - gap for gap in (1, 2) if (target - gap) % 12 in approach), target - 2)
        line = [note for note in line if note[0] <= beats - 1] + [(beats - 0.5, below)]
    notes = spread(line, context, 0.92, BASS, generator, ring=1.0)
    return notes, line[0][1]


def harmony_part(context: BarContext, generator: np.random.Generator) -> tuple[list[BarNote], tuple[int, ...]]:
    """The chord, voiced near the one before: held, in halves, on the beats or after them, by section and density."""
    plan, beats = context.plan, context.beats
    centre = HARMONY_CENTRE + plan.register * 0.7
    pitches = voicing(context.pitch_classes, centre, context.voices.harmony)
    manner = np.random.default_rng([3, context.theme.signature, context.place.section_number]).random()
    if plan.density < 0.35 or context.place.last:
        onsets = [0.0]
    elif plan.density < 0.62 or manner < 0.3:
        onsets = [0.0, float(beats // 2)] if beats == 4 else [0.0]
    elif manner < 0.65:
        onsets = [float(beat) for beat in range(beats)]
    else:
        onsets = [float(beat) for beat in range(1, beats)] if beats == 3 else [0.0, 1.5, 2.5]
    notes = []
    # Of two voices the root is the bass's: the outer ones are enough.
    sounding = (pitches[0], pitches[-1]) if plan.thinned else pitches
    for pitch in opened(sounding) if plan.wide else sounding:
        line = [(onset, pitch) for onset in onsets]
        notes += spread(line, context, 0.7, HARMONY, generator, ring=1.0)
    return notes, pitches


def figure_part(context: BarContext, generator: np.random.Generator) -> list[BarNote]:
    """Broken chords above the harmony; sparse bells when calm, running notes when excited.

    Where the plan names a pattern, it has that in its place in most bars.
    """
    plan, beats = context.plan, context.beats
    lowest = FIGURE_LOWEST + plan.register
    pattern = FIGURES.get(plan.figure)
    if pattern and generator.random() < plan.figure_share:
        tones = sorted(nearest(tone, lowest + 6) for tone in context.pitch_classes)
        return patterned(pattern, tones, context, 0.66, FIGURE, generator)
    pool = sorted(nearest(tone, lowest + 6) for tone in context.pitch_classes)
    pool = (pool + [pitch + 12 for pitch in pool])[:4] if len(pool) < 4 else pool[:4]
    choice = np.random.default_rng([4, context.theme.signature, context.place.section_number])
    order = BROKEN[int(choice.integers(len(BROKEN)))]
    if plan.density < 0.22:
        onsets = [float(beats) / 2] if context.place.bar % 2 else []
    else:
        slots = 1 if plan.density < 0.42 else 2 if plan.density < 0.85 or plan.tempo > 118 else 4
        places = np.arange(beats * slots) / slots
        played = generator.random(len(places)) > 0.32 * (1.0 - plan.density)
        onsets = [float(place) for place, play in zip(places, played, strict=True) if play]
        if context.place.last:
            onsets = [onset for onset in onsets if onset < beats / 2]
    line = [(onset, pool[order[index % 4]]) for index, onset in enumerate(onsets)]
    return spread(line, context, 0.66, FIGURE, generator, ring=1.6)


def patterned(
    pattern: Pattern, tones: list[int], context: BarContext, share: float, role: int, generator: np.random.Generator
) -> list[BarNote]:
    """A pattern on tones of the bar's chord, lowest first; at the end of a phrase half a bar of it, and a rest.

    Args:
        pattern: what is played.
        tones: pitches within an octave; those of other octaves follow from them.
        context: of the bar.
        share: loudness of the part.
        role: who plays.
        generator: of all chance.
    """
    played = context.beats / 2 if context.place.last else context.beats
    lowest = scale_step(context, tones[0])
    line = []
    for onset, tone in pattern.line(played, generator):
        octave, place = divmod(tone, len(tones))
        pitch = context.pitch(lowest + tone) if pattern.steps else tones[place] + 12 * octave
        line.append((onset, within(pitch + 12 * pattern.octaves)))
    return spread(line, context, share * pattern.loudness, role, generator, ring=pattern.ring)


def scale_step(context: BarContext, pitch: int) -> int:
    """The scale step whose pitch is nearest to ``pitch``."""
    first = (pitch - context.tonic) // 12 * 7
    return min(range(first - 2, first + 10), key=lambda step: abs(context.pitch(step) - pitch))


def within(pitch: int) -> int:
    """A pitch, by octaves into the keys of a piano that sound well (27 to 103)."""
    while pitch < LOWEST:
        pitch += 12
    while pitch > HIGHEST:
        pitch -= 12
    return pitch


def spread(
    line: list[tuple[float, int]],
    context: BarContext,
    share: float,
    role: int,
    generator: np.random.Generator,
    ring: float,
) -> list[BarNote]:
    """Notes of a line of (onset, pitch): each lasts to the next one, shortened by the articulation.

    Where a phrase ends, bass and harmony hold however short all else is played: the melody breathes, not the room.
    """
    held = context.place.last and role in (BASS, HARMONY)
    legato = max(context.plan.legato, HELD) if held else context.plan.legato
    later = [*sorted({onset for onset, _ in line}), float(context.beats)]
    ends = [later[later.index(onset) + 1] for onset, _ in line]
    return [
        BarNote(
            onset,
            max(0.2, (end - onset) * legato * ring),
            pitch,
            context.velocity(share, onset, generator),
            role,
        )
        for (onset, pitch), end in zip(line, ends, strict=True)
    ]

"""The melody: statement, answer, development and cadence of the artwork's theme."""

from __future__ import annotations

import numpy as np

from a2m_edge.composer.form import Place
from a2m_edge.composer.harmony import DOMINANT
from a2m_edge.composer.parts import MELODY, MELODY_CENTRE, BarContext, BarNote, scale_step, spread
from a2m_edge.composer.tables import Rhythm

STATEMENT, ANSWER, DEVELOPMENT, CADENCE = "statement", "answer", "development", "cadence"
WIDEST = 7


def manner_of(place: Place) -> str:
    """What the melody does in a bar: the second half of eight bars begins again with the statement."""
    if place.last:
        return CADENCE
    return (STATEMENT, ANSWER, DEVELOPMENT, DEVELOPMENT)[place.bar % 4]


def melody_part(context: BarContext, generator: np.random.Generator) -> tuple[list[BarNote], int]:
    """The bar's melody and the pitch it ends on.

    Statement and answer take rhythm and steps from the theme, so that they return with it; development draws
    its steps from the tables and its rhythm anew; a cadence rests on a chord tone and then breathes. Notes on
    strong beats are chord tones; the line turns back when it strays more than an octave from its middle.
    """
    centre = scale_step(context, MELODY_CENTRE + context.plan.register)
    last = centre if context.voices.melody is None else scale_step(context, context.voices.melody)
    if context.place.melody_rests:
        return [], context.pitch(centre)
    manner = manner_of(context.place)
    if manner == CADENCE:
        return cadence(context, last, generator)
    own = np.random.default_rng([5, context.theme.signature, ord(context.place.section)])
    rhythm_source = generator if manner == DEVELOPMENT else own
    rhythm = choose_rhythm(context, rhythm_source)
    if manner == DEVELOPMENT and generator.random() < 0.3 * (1.0 - context.plan.density):
        rhythm = Rhythm(rhythm.onsets[:1], 1.0)
    steps = theme_steps(context) if manner != DEVELOPMENT else drawn_steps(context, len(rhythm.onsets), generator)
    step = chord_step(context, round((2 * last + centre) / 3) if manner == STATEMENT else last)
    line = []
    for index, slot in enumerate(rhythm.onsets):
        onset = slot / context.tables.grid
        move = steps[index % len(steps)] if index else 0
        if abs(step + move - centre) > WIDEST:
            move = -move
        step += move
        if onset == 0 or onset == context.beats // 2:
            step = chord_step(context, step)
        line.append((onset, context.pitch(step)))
    return spread(line, context, context.plan.melody, MELODY, generator, ring=1.0), context.pitch(step)


def cadence(context: BarContext, last: int, generator: np.random.Generator) -> tuple[list[BarNote], int]:
    """One long note: the tonic where the phrase closes, else the nearest chord tone; then a rest."""
    step = round(last / 7) * 7 if context.place.closed else chord_step(context, last)
    length = context.beats * (0.55 + 0.2 * (1.0 - context.plan.density))
    velocity = context.velocity(0.9 * context.plan.melody, 0.0, generator)
    return [BarNote(0.0, length, context.pitch(step), velocity, MELODY)], context.pitch(step)


def choose_rhythm(context: BarContext, generator: np.random.Generator) -> Rhythm:
    """A rhythm of the tables, weighted by how often scores use it and how well it fits the density."""
    rhythms = [rhythm for rhythm in context.tables.rhythms[context.beats] if rhythm.onsets]
    wanted = 0.3 + 1.45 * context.plan.density
    fit = np.array([len(rhythm.onsets) / context.beats - wanted for rhythm in rhythms])
    weights = np.sqrt([rhythm.count for rhythm in rhythms]) * np.exp(-((fit / 0.3) ** 2)) + 1e-9
    return rhythms[int(generator.choice(len(rhythms), p=weights / weights.sum()))]


def theme_steps(context: BarContext) -> tuple[int, ...]:
    """The section's motif; C turns A's upside down."""
    first, second = context.theme.motifs
    return {"A": first, "B": second, "C": tuple(-step for step in first)}[context.place.section]


def drawn_steps(context: BarContext, count: int, generator: np.random.Generator) -> tuple[int, ...]:
    """Steps that follow one another as the tables say."""
    table, largest = context.tables.steps[context.plan.family], context.tables.largest_step
    steps, last = [0], 1
    for _ in range(count):
        last = int(generator.choice(len(table), p=table[last + largest])) - largest
        steps.append(last)
    return tuple(steps)


def chord_step(context: BarContext, step: int) -> int:
    """The nearest scale step that belongs to the bar's chord; of two as near, the lower."""
    tones = {(context.chord.degree + third) % 7 for third in (0, 2, 4)}
    if context.chord.degree == DOMINANT:
        tones.add((context.chord.degree + 6) % 7)
    return min(range(step - 3, step + 4), key=lambda near: (near % 7 not in tones, abs(near - step), near))

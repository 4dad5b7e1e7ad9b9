"""Beats without end, following a feeling that may change at any moment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from a2m_edge.composer.dwelling import dwelling_plan, next_look
from a2m_edge.composer.form import Place, place_of
from a2m_edge.composer.harmony import Chord, phrase_chords
from a2m_edge.composer.melody import melody_part
from a2m_edge.composer.parts import BarContext, BarNote, Voices, bass_part, figure_part, harmony_part
from a2m_edge.composer.plan import Plan, plan
from a2m_edge.composer.tables import ComposerTables
from a2m_edge.composer.theme import Theme
from a2m_edge.impression.cues import MIDDLE, Cues
from a2m_edge.impression.feeling import Feeling
from a2m_edge.impression.gaze import NOWHERE, Gaze, Look
from a2m_edge.impression.subjects import NOTHING, Subjects
from a2m_edge.score import Beat, Note

TEMPO_GLIDE = 0.4
"""Share of the way to a new tempo that is gone in each beat."""


class Composer:
    """Composes beat by beat.

    All that is drawn by chance depends only on the theme, the seed and the number of the bar or section, so the
    same theme, seed and history of feelings give the same music, and a bar can be planned again from its
    beginning when the feeling changes in its middle.

    The theme is stated for the whole picture; each other phrase dwells on one of its regions, which bends the plan
    (``a2m_edge.composer.dwelling``). Where a comment names a region, the music dwells on that one from the next bar on,
    once the theme is stated.

    Args:
        tables: probabilities estimated from scores.
        embedding: float32 [D], of the artwork or the comment: seeds the theme.
        seed: chooses among the many pieces that the same theme and feeling allow.
        feeling: what the music expresses until ``steer`` is called.
        cues: how the artwork is painted, as ranks among paintings.
        subjects: what the artwork shows.
        gaze: where one may look in it.
    """

    def __init__(
        self,
        tables: ComposerTables,
        embedding: NDArray[np.float32],
        seed: int,
        feeling: Feeling,
        cues: Cues = MIDDLE,
        subjects: Subjects = NOTHING,
        gaze: Gaze = NOWHERE,
    ) -> None:
        self.theme = Theme.of(embedding, tables)
        self._look: int | None = None  # on which the music dwells
        self._named: int | None = None  # by a comment, until a phrase has begun with it
        self.steer(feeling, cues, subjects, gaze)
        self._tables = tables
        self._seed = seed
        self._tempo = self.plan.tempo
        self._bar = 0
        self._form_begins = 0
        self._beat = 0
        self._seconds = 0.0
        self._at_bar_line = Voices()
        self._planned: tuple[Plan, Chord, list[BarNote], Voices] | None = None

    def steer(self, feeling: Feeling, cues: Cues = MIDDLE, subjects: Subjects = NOTHING, gaze: Gaze = NOWHERE) -> None:
        """Follows what is now felt and seen from the next beat on: notes already given out are never taken back."""
        self.plan = plan(feeling, cues, subjects)
        self._feeling, self._cues, self._gaze = feeling, cues, gaze
        self._plans: dict[int, Plan] = {}  # by look
        self._asks = True  # whether what is said now names a look has yet to be found out

    def retheme(self, embedding: NDArray[np.float32]) -> None:
        """Takes up the theme of another artwork: its first bar begins with the next beat. The same one plays on."""
        theme = Theme.of(embedding, self._tables)
        if theme == self.theme:
            return
        self.theme = theme
        if self._beat > 0:
            self._bar, self._beat = self._bar + 1, 0
        self._form_begins = self._bar
        self._at_bar_line, self._planned = Voices(), None

    def next_beat(self) -> Beat:
        """The next beat with the notes that begin in it; seconds count from the composer's beginning."""
        place = self._place(self._bar)
        if self._beat == 0:
            self._turn(place)
        look = self._dwelt_on()
        current = self._bent(look)
        if self._planned is None or self._planned[0] != current:
            chord = self._chord(self._bar, current)
            self._planned = (current, chord, *self._plan_bar(place, chord, current))
        _, chord, bar_notes, voices = self._planned
        self._tempo += (current.tempo - self._tempo) * TEMPO_GLIDE
        seconds = 60.0 / self._tempo
        notes = tuple(
            Note(
                self._seconds + (note.onset - self._beat) * seconds,
                note.beats * seconds,
                note.pitch,
                note.velocity,
                note.role,
            )
            for note in bar_notes
            if self._beat <= note.onset < self._beat + 1
        )
        beat = Beat(
            self._bar,
            self._beat,
            self._seconds,
            seconds,
            self.theme.tonic_of(place.section),
            current.mode,
            chord.name(current.scale),
            place.section,
            notes,
            None if look is None else look.region,
        )
        self._seconds += seconds
        self._beat += 1
        if self._beat == self.theme.beats_in_bar:
            self._bar, self._beat = self._bar + 1, 0
            self._at_bar_line, self._planned = voices, None
        return beat

    def _turn(self, place: Place) -> None:
        """Decides at a bar line where the music looks."""
        if place.dwelling is None:
            self._look = None
            return
        if self._asks:
            self._named, self._asks = self._gaze.named(), False
            self._look = self._look if self._named is None else self._named
        if place.bar == 0:
            ahead = next_look(place.dwelling, len(self._gaze.looks), [self._seed, self.theme.signature])
            self._look, self._named = (ahead if self._named is None else self._named), None

    def _dwelt_on(self) -> Look | None:
        """What is seen of the region on which the music dwells; None for the whole picture."""
        if self._look is None or self._look >= len(self._gaze.looks):  # the picture has changed within a phrase
            return None
        return self._gaze.looks[self._look]

    def _bent(self, look: Look | None) -> Plan:
        """The plan while the music dwells on a look."""
        if look is None or self._look is None or self._gaze.whole is None:
            return self.plan
        if self._look not in self._plans:
            self._plans[self._look] = dwelling_plan(self.plan, self._feeling, self._cues, self._gaze.whole, look)
        return self._plans[self._look]

    def _plan_bar(self, place: Place, chord: Chord, current: Plan) -> tuple[list[BarNote], Voices]:
        context = BarContext(
            current,
            self.theme,
            self._tables,
            place,
            chord,
            self._chord(self._bar + 1, current),
            self._at_bar_line,
        )
        generators = np.random.default_rng([self._seed, self.theme.signature, self._bar]).spawn(4)
        bass_notes, bass = bass_part(context, generators[0])
        harmony_notes, harmony = harmony_part(context, generators[1])
        figure_notes = figure_part(context, generators[2])
        melody_notes, melody = melody_part(context, generators[3])
        return bass_notes + harmony_notes + figure_notes + melody_notes, Voices(bass, harmony, melody)

    def _place(self, bar: int) -> Place:
        return place_of(bar - self._form_begins)

    def _chord(self, bar: int, current: Plan) -> Chord:
        """The statement of the theme keeps its chords when it returns; all else is drawn anew."""
        place = self._place(bar)
        if place.dwelling is None:
            source = [1, self.theme.signature, place.phrase]
        else:
            source = [2, self._seed, self.theme.signature, place.section_number, place.phrase]
        generator = np.random.default_rng(source)
        chords = phrase_chords(place.phrase_bars, place.closed, current, self._tables, generator)
        return chords[place.bar]

"""From a feeling to the means of music.

The cues and their order of strength (mode, tempo, register, dynamics, articulation, timbre) and the fact that
their effects add up follow Eerola, Friberg & Bresin 2013, Frontiers in Psychology 4:487. Mode follows
valence; tempo, density, dynamics and harmonic colour follow arousal; register and articulation follow both. The ranges
are ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from a2m_edge.composer.depiction import depicted
from a2m_edge.impression.cues import MIDDLE, Cues
from a2m_edge.impression.feeling import Feeling
from a2m_edge.impression.subjects import NOTHING, Subjects

MODES: dict[str, tuple[int, ...]] = {
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "ionian": (0, 2, 4, 5, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "aeolian": (0, 2, 3, 5, 7, 8, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
}
"""Semitones above the tonic of the seven degrees, brightest mode first."""

SLOWEST, FASTEST = 42.0, 152.0

_GAIN, _MOVEMENT = 1.6, 0.65
"""How steeply energy rises with arousal, and with movement in the picture: people's means over paintings seldom leave
-0.5 to 0.5, and the whole range of tempo is for them."""

_LIGHT = 0.4
"""Valence by which the lightest, warmest picture leans to brighter modes, twice as much as the middle one."""

_WIDE = 0.7
"""Rank of emptiness from which chords are spread out."""


@dataclass(frozen=True)
class Plan:
    """The means by which a feeling becomes music.

    Attributes:
        mode: a key of ``MODES``.
        tempo: beats per minute.
        density: how many of the possible onsets are played, in [0, 1].
        loudness: middle velocity, in (0, 1).
        register: semitones by which all parts lie above or below their usual place.
        legato: length of a note as a share of the time to the next one.
        colour: probability that a chord carries its seventh.
        relief: how far accents and the rise of a phrase stand out, 0.2 to 2; 1 is usual.
        wide: whether chords are spread out.
        figure, bass: keys of ``FIGURES`` and ``BASSES`` in ``a2m_edge.composer.patterns`` that take the place of what
            these parts play else; empty for none.
        figure_share, bass_share: share of the bars in which they do, in [0, 1].
        melody: loudness of the melody as a multiple of the usual one.
        thinned: whether the harmony is played in two voices.
    """

    mode: str
    tempo: float
    density: float
    loudness: float
    register: int
    legato: float
    colour: float
    relief: float = 1.0
    wide: bool = False
    figure: str = ""
    figure_share: float = 0.0
    bass: str = ""
    bass_share: float = 0.0
    melody: float = 1.0
    thinned: bool = False

    @property
    def family(self) -> str:
        """``"major"`` or ``"minor"``, by the third above the tonic."""
        return "major" if MODES[self.mode][2] == 4 else "minor"

    @property
    def scale(self) -> tuple[int, ...]:
        """Semitones of the mode's seven degrees above the tonic."""
        return MODES[self.mode]


def plan(feeling: Feeling, cues: Cues = MIDDLE, subjects: Subjects = NOTHING) -> Plan:
    """The plan for a feeling and a picture; every value but the mode changes steadily with each.

    Feeling leads, cues colour. What is painted in saturated colours, with many and leaning edges and no empty space,
    moves: saturation arouses (Valdez & Mehrabian 1994, Journal of Experimental Psychology: General 123:394), and so do
    complexity and oblique lines (Berlyne 1971, Aesthetics and Psychobiology). Light sounds high (Marks 1987; Spence
    2011), contrast loud and soft, many edges are many notes, fine strokes short ones, empty space is wide. Light, warm,
    saturated colours go with major, dark and cold ones with minor (Palmer et al. 2013, PNAS 110:8836). What is shown
    has figures and instruments of its own (``a2m_edge.composer.depiction``).

    Args:
        feeling: what is felt.
        cues: how the picture is painted, as ranks among paintings; the middle ones change nothing.
        subjects: what the picture shows.
    """
    shown = depicted(subjects)
    means = shown.means
    valence, arousal = feeling.valence, feeling.arousal
    movement = (cues.saturation + cues.edges + cues.unrest - cues.emptiness) / 2 - 0.5
    energy = 0.5 + 0.5 * math.tanh(_GAIN * arousal + _MOVEMENT * movement) / math.tanh(_GAIN + _MOVEMENT)
    light = (2 * cues.brightness + cues.warmth + cues.saturation) / 4 - 0.5
    return Plan(
        mode=mode_of(valence + _LIGHT * light, arousal),
        tempo=_clipped(SLOWEST * (FASTEST / SLOWEST) ** energy * math.exp(means.tempo), SLOWEST, FASTEST),
        density=_clipped(0.08 + 0.84 * energy + 0.12 * (cues.edges - cues.emptiness) + means.density, 0.0, 1.0),
        loudness=_clipped(0.38 + 0.40 * energy + means.loudness, 0.3, 0.9),
        register=round(2.0 * arousal + 5.0 * valence + 8.0 * (cues.brightness - 0.5) + means.register),
        legato=_clipped(0.8 - 0.22 * valence - 0.15 * arousal - 0.3 * (cues.brushwork - 0.5) + means.legato, 0.3, 1.0),
        colour=_clipped(0.35 - 0.3 * arousal + 0.35 * (cues.colours - 0.5), 0.05, 0.7),
        relief=_clipped(0.4 + 1.2 * cues.contrast + means.relief, 0.2, 2.0),
        wide=cues.emptiness > _WIDE,
        figure=means.figure,
        figure_share=shown.figure_share,
        bass=means.bass,
        bass_share=shown.bass_share,
        melody=math.exp(means.melody),
        thinned=means.thinned,
    )


def mode_of(valence: float, arousal: float) -> str:
    """The mode for a point of the plane: brighter with valence, its darkest and brightest by arousal too."""
    if valence >= 0.1:
        if valence >= 0.6 and arousal < 0.2:
            return "lydian"
        return "mixolydian" if valence < 0.35 else "ionian"
    if valence >= -0.15:
        return "dorian"
    return "phrygian" if valence < -0.35 and arousal > 0.15 else "aeolian"


def _clipped(value: float, least: float, most: float) -> float:
    return min(most, max(least, value))

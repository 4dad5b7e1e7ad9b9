"""From a feeling to the means of music.

The cues and their order of strength (mode, tempo, register, dynamics, articulation, timbre) and the fact that
their effects add up follow Eerola, Friberg & Bresin 2013, Frontiers in Psychology 4:487. Mode follows
valence; tempo, density, dynamics and harmonic colour follow arousal; register and articulation follow both. The ranges
are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from a2m_edge.feeling import Feeling

MODES: dict[str, tuple[int, ...]] = {
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "ionian": (0, 2, 4, 5, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "aeolian": (0, 2, 3, 5, 7, 8, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
}
"""Semitones above the tonic of the seven degrees, brightest mode first."""

SLOWEST, FASTEST = 46.0, 152.0


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
    """

    mode: str
    tempo: float
    density: float
    loudness: float
    register: int
    legato: float
    colour: float

    @property
    def family(self) -> str:
        """``"major"`` or ``"minor"``, by the third above the tonic."""
        return "major" if MODES[self.mode][2] == 4 else "minor"

    @property
    def scale(self) -> tuple[int, ...]:
        """Semitones of the mode's seven degrees above the tonic."""
        return MODES[self.mode]


def plan(feeling: Feeling) -> Plan:
    """The plan for a feeling; every value but the mode changes steadily with valence and arousal."""
    valence, arousal = feeling.valence, feeling.arousal
    energy = (arousal + 1) / 2
    return Plan(
        mode=mode_of(valence, arousal),
        tempo=SLOWEST * (FASTEST / SLOWEST) ** energy,
        density=min(1.0, max(0.0, 0.08 + 0.84 * energy)),
        loudness=0.38 + 0.40 * energy,
        register=round(2.0 * arousal + 5.0 * valence),
        legato=min(1.0, 0.8 - 0.22 * valence - 0.15 * arousal),
        colour=min(0.7, max(0.05, 0.35 - 0.3 * arousal)),
    )


def mode_of(valence: float, arousal: float) -> str:
    """The mode for a point of the plane: brighter with valence, its darkest and brightest by arousal too."""
    if valence >= 0.05:
        if valence >= 0.5 and arousal < -0.1:
            return "lydian"
        return "mixolydian" if valence < 0.4 and arousal > 0.4 else "ionian"
    if valence >= -0.2:
        return "dorian"
    return "phrygian" if valence < -0.5 and arousal > 0.3 else "aeolian"

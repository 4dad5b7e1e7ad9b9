"""How the way a picture is painted, and what it shows, colour who plays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from a2m_edge.composer.depiction import depicted
from a2m_edge.impression.cues import Cues
from a2m_edge.impression.feeling import Casting, Palette
from a2m_edge.impression.subjects import NOTHING, Subjects

BRIGHTNESS: dict[str, float] = {
    "piano": 0.1,
    "electric piano": 0.0,
    "celesta": 1.0,
    "vibraphone": 0.5,
    "marimba": -0.2,
    "organ": 0.2,
    "guitar": 0.1,
    "acoustic bass": -1.0,
    "cello": -0.5,
    "harp": 0.4,
    "strings": 0.0,
    "choir": -0.2,
    "horn": -0.6,
    "clarinet": -0.2,
    "flute": 0.7,
    "pad": -0.4,
}
"""How bright an instrument sounds, -1 to 1. Brightness of sound goes with brightness of what is seen (Marks 1987,
Journal of Experimental Psychology: Human Perception and Performance 13:384; Spence 2011, Attention, Perception &
Psychophysics 73:971)."""

WARMTH: dict[str, float] = {
    "piano": -0.1,
    "electric piano": 0.2,
    "celesta": -1.0,
    "vibraphone": -0.7,
    "marimba": 0.5,
    "organ": -0.2,
    "guitar": 0.7,
    "acoustic bass": 0.4,
    "cello": 0.9,
    "harp": -0.2,
    "strings": 0.5,
    "choir": -0.3,
    "horn": 0.8,
    "clarinet": 0.6,
    "flute": -0.5,
    "pad": -0.8,
}
"""How warm an instrument sounds, -1 to 1: strings, horn and wood are called warm, metal and glass cold (timbre and
temperature: Eitan & Rothschild 2011, Psychology of Music 39:449)."""

_STRENGTH = 1.6
"""Logarithm by which the brightest picture favours the brightest instrument: of the order of the palette's own odds."""


def tinted(palette: Palette, instruments: Sequence[str], cues: Cues, subjects: Subjects = NOTHING) -> Palette:
    """A palette that leans to instruments that sound as a picture looks, and to those that go with what it shows.

    A picture looks bright or dark, warm or cold.

    Args:
        palette: of the feeling.
        instruments: names, in the order of the palette's.
        cues: ranks among paintings; the middle ones change nothing.
        subjects: what the picture shows.
    """
    shown = depicted(subjects).means.instruments
    bright, warm = 2 * cues.brightness - 1, 2 * cues.warmth - 1
    leaning = [
        _STRENGTH * (bright * BRIGHTNESS.get(name, 0.0) + warm * WARMTH.get(name, 0.0)) + shown.get(name, 0.0)
        for name in instruments
    ]
    weights = palette.weights * np.exp(np.array(leaning, np.float32))
    return replace(palette, weights=weights / weights.sum(axis=1, keepdims=True))


def players(palette: Palette, signature: int) -> Casting:
    """Who plays: drawn from a tinted palette.

    Args:
        palette: of the feeling, tinted.
        signature: of the theme: an artwork has its own players, whatever the seed, and by them, too, it is known again.
    """
    return palette.cast(np.random.default_rng([6, signature]))

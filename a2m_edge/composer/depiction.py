"""What a picture shows, by the means of music.

Composers have painted in sounds for centuries, and listeners know the means: figures and rhythms that stand for a
thing (topics: Ratner 1980, *Classic Music*; Monelle 2006, *The Musical Topic: Hunt, Military and Pastoral*) or are like
it (word painting). Where a piece is the model, its name stands beside the entry. Feeling leads: what is shown changes
neither mode nor form, and tempo, loudness and density by little.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from a2m_edge.impression.subjects import Subjects

MOST = 3
"""Subjects that are heard at once."""

SUREST = 0.75
"""Sureness from which on a subject's means are at their full strength."""


@dataclass(frozen=True)
class Means:
    """How a subject is heard, at its full strength.

    Attributes:
        figure: a key of ``a2m_edge.composer.patterns.FIGURES``; empty leaves the figure as it is.
        bass: a key of ``BASSES``; likewise.
        instruments: names, and the logarithm by which each is favoured in every role.
        tempo: logarithm by which it is faster.
        density, loudness, legato, relief: added to those of ``a2m_edge.composer.plan.Plan``.
        register: semitones.
        melody: logarithm by which the melody is louder.
        thinned: the harmony is played in two voices.
    """

    figure: str = ""
    bass: str = ""
    instruments: Mapping[str, float] = field(default_factory=dict)
    tempo: float = 0.0
    density: float = 0.0
    loudness: float = 0.0
    legato: float = 0.0
    relief: float = 0.0
    register: float = 0.0
    melody: float = 0.0
    thinned: bool = False


DEPICTIONS: dict[str, Means] = {
    # Mendelssohn, The Hebrides: broken chords that rise and fall as waves do.
    "sea": Means("waves", "swell", instruments={"strings": 1.2, "harp": 1.0}, relief=0.25),
    # Smetana, Vltava: the river is a running figure of neighbours.
    "river": Means("ripples", instruments={"flute": 1.2, "harp": 0.8, "clarinet": 0.6}, legato=0.05),
    "lake": Means("mirror", instruments={"harp": 1.2, "pad": 0.8, "vibraphone": 0.6}, legato=0.08, loudness=-0.03),
    # The barcarole, 6/8: Mendelssohn, Venetian Boat Songs; Chopin, op. 60.
    "ship": Means("barcarole", "rocking", instruments={"horn": 0.8, "guitar": 0.8, "strings": 0.6}),
    # Debussy, Jardins sous la pluie: quick, light, repeated.
    "rain": Means("drops", instruments={"piano": 1.0, "marimba": 0.8, "celesta": 0.6}, density=0.06, legato=-0.08),
    # Tremolo, leaps and accents (McClelland 2017, Tempesta: Stormy Music in the Eighteenth Century).
    "storm": Means(
        "lashing",
        "rumble",
        instruments={"strings": 1.2, "horn": 0.8},
        tempo=0.06,
        density=0.08,
        loudness=0.06,
        relief=0.35,
        register=-2.0,
    ),
    # Scales that rise and fall, as Vivaldi's winds in The Four Seasons.
    "wind": Means("gusts", instruments={"flute": 1.2, "strings": 0.8}, relief=0.3),
    # Debussy, Des pas sur la neige: few notes, and cold ones.
    "snow": Means("flakes", instruments={"celesta": 1.4, "vibraphone": 0.8}, tempo=-0.04, density=-0.06, register=2.0),
    "sky": Means("drift", instruments={"pad": 1.0, "strings": 0.6, "choir": 0.5}, legato=0.1, register=2.0),
    # Horns mean the forest, by way of the hunt (Monelle 2006).
    "forest": Means("rustle", instruments={"horn": 1.4, "clarinet": 0.8}, legato=0.04),
    "garden": Means("turns", instruments={"harp": 0.8, "flute": 0.8, "guitar": 0.6}, register=1.0),
    "flowers": Means("petals", instruments={"celesta": 0.7, "harp": 0.8, "clarinet": 0.5}, loudness=-0.02),
    # Musette and pastorale: a drone of root and fifth beneath dotted compound time (Ratner 1980; Monelle 2006).
    "field": Means("pastorale", "drone", instruments={"clarinet": 1.0, "flute": 0.8}, tempo=-0.02),
    # Strauss, An Alpine Symphony: wide calls, and what comes back.
    "mountain": Means("echo", "drone", instruments={"horn": 1.4, "strings": 0.5}, tempo=-0.04, relief=0.2),
    "spring": Means("budding", instruments={"flute": 0.9, "guitar": 0.6}, tempo=0.04, register=2.0),
    # Vivaldi, Summer: the air stands and hums.
    "summer": Means("shimmer", "drone", instruments={"guitar": 0.8, "strings": 0.8}, legato=0.06),
    "autumn": Means("falling leaves", instruments={"cello": 1.0, "clarinet": 0.8}, tempo=-0.03, legato=0.05),
    # Vivaldi, Winter: shivering on repeated notes.
    "winter": Means("shiver", instruments={"celesta": 0.8, "strings": 0.8}, density=-0.03, register=1.0),
    "night": Means(
        "stars",
        instruments={"celesta": 1.2, "vibraphone": 1.0, "pad": 0.6},
        tempo=-0.05,
        density=-0.08,
        loudness=-0.04,
        legato=0.06,
    ),
    "sunset": Means("glow", instruments={"cello": 0.8, "horn": 0.8, "pad": 0.5}, tempo=-0.04, legato=0.08),
    # Short trills of a high flute, as birds are written from Vivaldi's Goldfinch to Beethoven's Pastoral.
    "birds": Means("birdsong", instruments={"flute": 1.6, "celesta": 0.5}, register=1.0),
    # The gallop of the noble horse (Monelle 2000, The Sense of Music; 2006).
    "horse": Means("gallop", "leaps", instruments={"horn": 1.0, "strings": 0.4}, tempo=0.06, density=0.05),
    # Flickering in no even order, as Wagner's Magic Fire.
    "fire": Means("flames", instruments={"piano": 0.6, "strings": 0.6, "flute": 0.5}, density=0.06, relief=0.2),
    "city": Means(
        "traffic", "pulse", instruments={"electric piano": 1.0, "acoustic bass": 0.8, "vibraphone": 0.5}, density=0.06
    ),
    "market": Means("cries", instruments={"marimba": 1.0, "guitar": 0.8, "clarinet": 0.5}, tempo=0.03, density=0.06),
    "crowd": Means("murmur", instruments={"choir": 1.0, "marimba": 0.5}, density=0.06, loudness=0.04),
    "feast": Means(
        "toast", "stamping", instruments={"guitar": 0.8, "horn": 0.6}, tempo=0.05, density=0.05, loudness=0.04
    ),
    # Dotted dance rhythms (Ratner 1980, on dances as topics).
    "dance": Means(
        "dotted", "leaps", instruments={"guitar": 0.6, "strings": 0.5}, tempo=0.05, density=0.04, relief=0.2
    ),
    # The brilliant style (Ratner 1980): quick and even, to show what an instrument can do.
    "music": Means("virtuoso", instruments={"harp": 0.8, "guitar": 0.8, "piano": 0.5}, melody=0.1),
    # Fanfare and march: the military topic (Ratner 1980; Monelle 2006).
    "battle": Means(
        "fanfare",
        "rumble",
        instruments={"horn": 1.4, "strings": 0.4},
        tempo=0.06,
        density=0.06,
        loudness=0.05,
        relief=0.3,
    ),
    "child": Means("music box", instruments={"celesta": 1.6, "vibraphone": 0.5}, register=4.0, loudness=-0.03),
    # The rocking of berceuses: Brahms, Wiegenlied; Chopin, op. 57.
    "mother": Means(
        "cradle",
        "rocking",
        instruments={"strings": 0.6, "harp": 0.6, "clarinet": 0.5},
        tempo=-0.05,
        density=-0.04,
        loudness=-0.03,
        legato=0.06,
    ),
    # The singing style (Ratner 1980): a melody, and what leaves it alone.
    "portrait": Means(instruments={"cello": 0.8, "clarinet": 0.6}, density=-0.05, melody=0.25),
    # Suspended seconds that fall: the sigh (Monelle 2000 on the pianto).
    "love": Means("sighs", instruments={"cello": 1.0, "strings": 0.6}, legato=0.1, melody=0.12),
    "solitude": Means("nothing", instruments={"clarinet": 0.8, "cello": 0.8}, density=-0.06, melody=0.1, thinned=True),
    # Schubert, Gretchen am Spinnrade: a wheel that turns as long as the hand works.
    "work": Means("spinning", "march", instruments={"marimba": 0.8, "guitar": 0.5}, density=0.04),
    "prayer": Means("halo", instruments={"choir": 1.4, "organ": 0.8}, tempo=-0.05, legato=0.1),
    # Organ, and bells on the first beat: Mussorgsky, The Great Gate of Kiev.
    "church": Means(
        "bells", "drone", instruments={"organ": 1.8, "choir": 1.2, "celesta": 0.4}, tempo=-0.04, legato=0.08
    ),
    "ruin": Means("fragments", instruments={"pad": 0.8, "cello": 0.6}, density=-0.08, relief=-0.1, thinned=True),
    "table": Means("tidbits", instruments={"guitar": 0.8, "marimba": 0.6, "piano": 0.5}, loudness=-0.02, legato=-0.06),
    # Motor rhythm: Honegger, Pacific 231.
    "machine": Means(
        "motor",
        "pulse",
        instruments={"marimba": 0.8, "piano": 0.8, "electric piano": 0.4},
        tempo=0.03,
        density=0.08,
        legato=-0.1,
    ),
    "dream": Means("haze", instruments={"vibraphone": 1.0, "pad": 1.0, "celesta": 0.6}, tempo=-0.06, legato=0.12),
    # A bell tolls low; slow and dark is the ombra (McClelland 2012, Ombra: Supernatural Music in the 18th Century).
    "death": Means(
        "knell",
        "toll",
        instruments={"organ": 0.6, "cello": 0.8, "choir": 0.6},
        tempo=-0.07,
        density=-0.06,
        register=-3.0,
    ),
}
"""The means of each subject, by its name in a bundle; what has none is told and not heard."""


@dataclass(frozen=True)
class Depicted:
    """The means of all that a picture shows, as strong as it is sure.

    Attributes:
        means: of all; figure and bass are those of the surest subject that has one.
        figure_share, bass_share: share of the bars in which they play, in [0, 1].
    """

    means: Means
    figure_share: float
    bass_share: float


def depicted(subjects: Subjects) -> Depicted:
    """How what is shown is heard: the ``MOST`` surest subjects that have means, added up."""
    heard = [(DEPICTIONS[name], strength(sure)) for name, sure in subjects.shown.items() if name in DEPICTIONS][:MOST]
    instruments: dict[str, float] = {}
    for means, strong in heard:
        for name, lean in means.instruments.items():
            instruments[name] = instruments.get(name, 0.0) + lean * strong
    figure = next(((means.figure, strong) for means, strong in heard if means.figure), ("", 0.0))
    bass = next(((means.bass, strong) for means, strong in heard if means.bass), ("", 0.0))
    amounts = ("tempo", "density", "loudness", "legato", "relief", "register", "melody")
    added = {name: sum(getattr(means, name) * strong for means, strong in heard) for name in amounts}
    thinned = any(means.thinned for means, _ in heard)
    means = Means(figure[0], bass[0], instruments, thinned=thinned, **added)
    return Depicted(means, _share(figure[1]), _share(bass[1]))


def strength(sureness: float) -> float:
    """How strong the means of a subject are, 0 to 1: half as strong where it is just told, as where it is sure."""
    return min(1.0, 0.5 + 0.5 * sureness / SUREST)


def _share(strong: float) -> float:
    return 0.0 if strong == 0.0 else 0.4 + 0.6 * strong

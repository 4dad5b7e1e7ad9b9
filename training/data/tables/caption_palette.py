"""What a music caption asks for: who plays each role, how large the room is, and how it feels.

The rules are plain tables, so that anyone can read why a caption sounds as it does. Instruments that a
caption names win; where it names none, the mood decides: archetypes (grief, carnival, storm, ...) stand at
points of the valence-arousal plane and a feeling takes a blend of those near it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from a2m_edge.impression.feeling import INSTRUMENTS, ROLES

_NAMES = tuple(INSTRUMENTS)

PLAYABLE: dict[str, tuple[str, ...]] = {
    "bass": ("acoustic bass", "cello", "piano", "organ", "pad", "marimba", "horn"),
    "harmony": (
        "piano", "electric piano", "strings", "choir", "organ", "pad", "guitar", "vibraphone", "harp",
    ),
    "figure": (
        "harp", "guitar", "piano", "marimba", "vibraphone", "celesta", "electric piano", "strings",
        "clarinet",
    ),
    "melody": (
        "flute", "clarinet", "horn", "piano", "cello", "vibraphone", "strings", "celesta", "marimba", "choir",
    ),
}  # fmt: skip
"""The instruments that can carry a role in its register and articulation."""


@dataclass(frozen=True)
class _Archetype:
    """A mood at a point of the plane: relative weights of instruments for each role, and its room."""

    valence: float
    arousal: float
    room: float
    bass: dict[str, float]
    harmony: dict[str, float]
    figure: dict[str, float]
    melody: dict[str, float]

    def weights(self) -> NDArray[np.float64]:
        """float64 [roles, instruments], rows sum to 1."""
        table = np.zeros((len(ROLES), len(_NAMES)))
        for role, row in zip((self.bass, self.harmony, self.figure, self.melody), table, strict=True):
            for name, weight in role.items():
                row[_NAMES.index(name)] = weight
        table /= table.sum(axis=1, keepdims=True)
        return table


ARCHETYPES: dict[str, _Archetype] = {
    "calm": _Archetype(
        0.6, -0.7, 0.4,
        bass={"acoustic bass": 8, "piano": 1, "cello": 1},
        harmony={"harp": 5, "electric piano": 3, "guitar": 2},
        figure={"harp": 5, "celesta": 3, "guitar": 2},
        melody={"flute": 9, "celesta": 1},
    ),
    "content": _Archetype(
        0.6, 0.0, 0.2,
        bass={"acoustic bass": 8, "piano": 2},
        harmony={"electric piano": 4, "guitar": 4, "piano": 2},
        figure={"guitar": 4, "celesta": 4, "marimba": 2},
        melody={"flute": 4, "marimba": 3, "celesta": 3},
    ),
    "carnival": _Archetype(
        0.7, 0.75, 0.08,
        bass={"piano": 5, "acoustic bass": 5},
        harmony={"piano": 6, "organ": 4},
        figure={"marimba": 5, "celesta": 3, "clarinet": 2},
        melody={"clarinet": 8, "piano": 2},
    ),
    "wonder": _Archetype(
        0.3, 0.35, 0.5,
        bass={"organ": 4, "piano": 3, "horn": 3},
        harmony={"organ": 5, "choir": 2, "piano": 3},
        figure={"celesta": 5, "harp": 3, "piano": 2},
        melody={"clarinet": 4, "vibraphone": 3, "horn": 3},
    ),
    "plain": _Archetype(
        0.0, -0.1, 0.45,
        bass={"acoustic bass": 6, "cello": 3, "piano": 1},
        harmony={"piano": 5, "electric piano": 3, "strings": 2},
        figure={"guitar": 4, "harp": 3, "piano": 3},
        melody={"flute": 4, "piano": 3, "horn": 3},
    ),
    "longing": _Archetype(
        -0.25, -0.6, 0.7,
        bass={"cello": 5, "acoustic bass": 5},
        harmony={"strings": 5, "electric piano": 3, "harp": 2},
        figure={"guitar": 4, "harp": 4, "strings": 2},
        melody={"flute": 5, "cello": 5},
    ),
    "grief": _Archetype(
        -0.75, -0.5, 0.92,
        bass={"cello": 9, "organ": 1},
        harmony={"strings": 7, "pad": 3},
        figure={"strings": 6, "piano": 3, "harp": 1},
        melody={"cello": 9, "flute": 1},
    ),
    "eerie": _Archetype(
        -0.6, 0.1, 0.85,
        bass={"pad": 6, "cello": 4},
        harmony={"choir": 6, "pad": 4},
        figure={"vibraphone": 5, "strings": 3, "piano": 2},
        melody={"strings": 4, "choir": 4, "cello": 2},
    ),
    "storm": _Archetype(
        -0.6, 0.8, 0.8,
        bass={"horn": 7, "pad": 2, "organ": 1},
        harmony={"choir": 8, "organ": 2},
        figure={"piano": 6, "marimba": 2, "vibraphone": 2},
        melody={"horn": 5, "strings": 3, "vibraphone": 2},
    ),
}  # fmt: skip

_NAMED: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"electric piano|e-piano|rhodes|wurlitzer|keyboards?", ("electric piano",)),
    (r"(?<!electric )(?<!e-)pianos?|pianist|harpsichord|keys", ("piano",)),
    (r"celest[ae]s?|music box|glockenspiel|chimes?|bells?|toy piano", ("celesta",)),
    (r"vibraphones?|vibes|steel ?drums?|handpan|hang drum", ("vibraphone",)),
    (r"marimbas?|xylophones?|kalimba|balafon|wooden percussions?", ("marimba",)),
    (r"organs?|harmonium|accordions?|shruti ?box|church", ("organ",)),
    (r"(?<!bass )(?:e-)?guitars?|guitarist|ukulele|banjo|mandolin|sitar|oud|rubab|lute|plucked strings?|strumming",
     ("guitar",)),
    (r"(?:e-|upright |double |acoustic |groovy |contra)?bass(?! drum)(?: line| guitar)?", ("acoustic bass",)),
    (r"cellos?|viola|low strings", ("cello",)),
    (r"harps?|harpist|koto|zither|guzheng|lyre|dulcimer|kora", ("harp",)),
    (r"violins?|fiddles?|strings?|string sections?|orchestra(?:l)?|philharmonic|symphon\w+", ("strings",)),
    (r"choirs?|choral|chants?|chanting|a ?cappella|vocal harmony|vocalisation|humming voices?", ("choir",)),
    (r"horns?|brass|trumpets?|trombones?|tuba|saxophones?|bugle|fanfare|orchestra(?:l)?", ("horn",)),
    (r"clarinets?|oboe|bassoon|saxophones?|harmonica|wood ?winds?|duduk", ("clarinet",)),
    (r"flutes?|flutist|piccolo|recorder|bansuri|whistl\w+|pan ?pipes?|shakuhachi|ocarina|wood ?winds?",
     ("flute",)),
    (r"pads?|synth(?:s|esi[sz]er)?|drones?|ambient|atmospheric|didgeridoo|theremin", ("pad",)),
)  # fmt: skip
_NAMED_PATTERNS = tuple((re.compile(rf"(?<![\w-])(?:{words})(?!\w)"), names) for words, names in _NAMED)
_DENIED = re.compile(r"\b(?:no|without(?: any)?|minus|lacks?|isn't any|there (?:is|are) no)\s+(?:other )?[\w-]+")

_ROLE_HINTS = {
    "bass": re.compile(r"(?<![\w-])(?:bass|bassline|low|drone|root)(?!\w)"),
    "harmony": re.compile(
        r"(?<!\w)(?:chords?|harmon\w+|accompan\w+|sustained|background|backing|pads?|strumm\w+)(?!\w)"
    ),
    "figure": re.compile(r"(?<!\w)(?:arpeggi\w+|pluck\w+|fingerpick\w+|rhythm\w*|ostinato|riffs?|picking)(?!\w)"),
    "melody": re.compile(r"(?<!\w)(?:melod\w+|lead|solo|theme|tune|main)(?!\w)"),
}

# Words of mood and tempo as captions use them, with our reading of (valence, arousal) in [-1, 1].
_MOOD: dict[str, tuple[float, float]] = {
    r"happ\w+|joy\w*|cheer\w+|merry|delight\w*|glad": (0.8, 0.45),
    r"fun|playful|funny|comical|silly|quirky|bouncy|perky|peppy|jolly": (0.65, 0.55),
    r"festive|carnival|party|celebrat\w+|circus|parade": (0.7, 0.75),
    r"energetic|spirited|lively|vivacious|vibrant|vigorous|animated|enthusiastic|youthful": (0.5, 0.75),
    r"exciting|excited|thrilling|adrenaline|exhilarat\w+|electrifying": (0.5, 0.85),
    r"groovy|dance\w*|danceable|funky|catchy|addictive|upbeat|buoyant|swing\w*": (0.5, 0.6),
    r"uplifting|inspiring|motivational|positive|hopeful|triumphant|victorious|heroic": (0.65, 0.45),
    r"epic|powerful|grand|majestic|cinematic|dramatic|anthemic": (0.15, 0.6),
    r"romantic|love|tender|warm|heartfelt|sensual|intimate|affection\w*": (0.5, -0.25),
    r"calm\w*|relax\w*|sooth\w+|peaceful|serene|tranquil|gentle|lullaby|meditat\w+|spa": (0.55, -0.75),
    r"mellow|soft\w*|easygoing|chill\w*|pleasant|smooth|laid ?back|dulcet|mellifluous": (0.45, -0.45),
    r"dreamy|ethereal|heavenly|angelic|floating|celestial|magical|wonder\w*": (0.4, -0.3),
    r"spiritual|devotional|sacred|religious|hymn|prayer|reverent\w*|gospel": (0.3, -0.1),
    r"ambient|atmospheric|spacious|hypnotic|trance|minimalist": (0.1, -0.45),
    r"nostalgi\w+|bittersweet|wistful|reflective|pensive|sentimental|poignant|yearning|longing":
        (-0.2, -0.45),
    r"sad\w*|melanchol\w+|sorrow\w*|mourn\w*|grie\w+|tragic|funeral|depress\w+|lament\w*|lonely|somber|sombre":
        (-0.75, -0.5),
    r"emotional|soulful|ballad": (-0.1, -0.15),
    r"passionate|intense|fervent": (0.0, 0.55),
    r"dark|ominous|sinister|grim|menacing|brooding|evil|doom": (-0.7, 0.2),
    r"eerie|haunting|spooky|creepy|scary|horror|ghost\w*|unsettling|disturbing|fear\w*": (-0.7, 0.15),
    r"suspense\w*|tense|tension|thriller|mysterious|mystery|anxious|nervous|uneasy": (-0.45, 0.35),
    r"mystical|weird|trippy|psychedelic|strange|experimental": (-0.1, 0.1),
    r"aggressive|angry|anger|furious|violent|harsh|brutal|rage|manic|chaotic|frantic": (-0.6, 0.9),
    r"heavy|metal|hard rock|distort\w+|screaming|growl\w*|hardcore": (-0.35, 0.75),
    r"loud|punchy|fast|uptempo|up-tempo|rapid|frenetic|medium fast|boomy": (0.0, 0.6),
    r"slow\w*|quiet|downtempo": (0.0, -0.55),
    r"major": (0.4, 0.0),
    r"minor": (-0.4, 0.0),
}  # fmt: skip
_MOOD_PATTERNS = tuple((re.compile(rf"(?<!\w)(?:{words})(?!\w)"), point) for words, point in _MOOD.items())

_ROOM: tuple[tuple[str, float], ...] = (
    (
        r"cathedral|church|reverb\w*|echo\w*|spacious|vast|hall|ethereal|cinematic|epic|huge|distant|cavern\w*",
        0.9,
    ),
    (r"atmospheric|ambient|dreamy|floating|orchestra\w*|choir|concert", 0.75),
    (r"dry|close|intimate|bedroom|home|coffee ?shop|small|tight|punchy|staccato|demo", 0.15),
)
_ROOM_PATTERNS = tuple((re.compile(rf"(?<!\w)(?:{words})(?!\w)"), size) for words, size in _ROOM)

_REACH = 0.25
"""Standard deviation of an archetype's pull in the plane: archetypes stand about 0.6 apart."""
_NAMED_SHARE = 0.8
"""Weight of named instruments against the mood's own in a role."""
_FLOOR = 0.002
"""Smallest weight of an instrument before a row is normalised: keeps the cross-entropy finite."""


def palette_prior(valence: float, arousal: float) -> tuple[NDArray[np.float32], float]:
    """Who would play a feeling that names no instrument.

    Args:
        valence: displeasure to pleasure, in [-1, 1].
        arousal: calm to excited, in [-1, 1].

    Returns:
        weights float32 [roles, instruments] (rows sum to 1), and the room's size in [0, 1].
    """
    moods = tuple(ARCHETYPES.values())
    away = np.array([(mood.valence - valence) ** 2 + (mood.arousal - arousal) ** 2 for mood in moods])
    pull = np.exp(-(away - away.min()) / (2 * _REACH**2))
    pull /= pull.sum()
    weights = np.tensordot(pull, np.stack([mood.weights() for mood in moods]), axes=1)
    return _normalised(weights), float(pull @ [mood.room for mood in moods])


def caption_feeling(aspects: Iterable[str], caption: str) -> tuple[float, float]:
    """How a caption says its music feels.

    The mean over the words of mood and tempo it holds, drawn gently to the middle when there are few.

    Args:
        aspects: short phrases, such as MusicCaps' ``aspect_list``; they count twice the caption's words.
        caption: one or more sentences; may be empty.

    Returns:
        (valence, arousal), each in [-1, 1]; (0, 0) where no word tells.
    """
    total, count = np.zeros(2), 0.0
    for text, weight in ((_phrases(aspects), 2.0), (_plain(caption), 1.0)):
        for pattern, point in _MOOD_PATTERNS:
            found = min(len(pattern.findall(text)), 3)
            total += weight * found * np.array(point)
            count += weight * found
    valence, arousal = total / (count + 0.7)
    # The mean of many words lies close to the middle; this gives the spread back that single words have.
    return float(np.tanh(1.4 * valence)), float(np.tanh(1.4 * arousal))


def caption_palette(aspects: Iterable[str], caption: str) -> tuple[NDArray[np.float32], float]:
    """Who plays a captioned music, and in how large a room.

    Args:
        aspects: short phrases, such as MusicCaps' ``aspect_list``.
        caption: one or more sentences; may be empty.

    Returns:
        weights float32 [roles, instruments] (rows sum to 1; an instrument the caption names takes most of the
        roles it can carry), and the room's size in [0, 1].
    """
    aspects = list(aspects)
    text = f"{_phrases(aspects)} | {_plain(caption)}"
    weights, room = palette_prior(*caption_feeling(aspects, caption))
    votes = _named_votes(text)
    for row, role, named in zip(weights, ROLES, votes, strict=True):
        playable = np.array([name in PLAYABLE[role] for name in _NAMES])
        named = np.where(playable, named, 0.0)
        if named.sum() > 0:
            row *= 1 - _NAMED_SHARE
            row += _NAMED_SHARE * named / named.sum()
    hints = [size for pattern, size in _ROOM_PATTERNS if pattern.search(text)]
    if hints:
        room = 0.4 * room + 0.6 * float(np.mean(hints))
    return _normalised(weights), float(room)


def _named_votes(text: str) -> NDArray[np.float64]:
    """How strongly each instrument is named for each role: float64 [roles, instruments].

    A phrase such as "sustained strings" speaks for one role; an instrument without such a hint for all.
    """
    votes = np.zeros((len(ROLES), len(_NAMES)))
    for phrase in re.split(r"[|.;,]|\band\b|\bwith\b|\bover\b|\bwhile\b", text):
        hinted = np.array([bool(_ROLE_HINTS[role].search(phrase)) for role in ROLES])
        strength = np.where(hinted, 4.0, 1.0)
        for pattern, names in _NAMED_PATTERNS:
            if pattern.search(phrase):
                for name in names:
                    votes[:, _NAMES.index(name)] += strength
    return votes


def _normalised(weights: NDArray[np.floating]) -> NDArray[np.float32]:
    floored: NDArray[np.float64] = np.maximum(weights, _FLOOR).astype(np.float64)
    floored /= floored.sum(axis=1, keepdims=True)
    return floored.astype(np.float32)


def _phrases(aspects: Iterable[str]) -> str:
    return " | ".join(_plain(aspect) for aspect in aspects)


def _plain(text: str) -> str:
    """Lower case, and without what is said to be absent ("no percussion")."""
    return _DENIED.sub(" ", text.lower())

"""The picture of a render: the painting, what it is felt to express, the score and the spectrogram."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from a2m_edge.impression.feeling import EMOTIONS, NEGATIVE_EMOTIONS, POSITIVE_EMOTIONS, ROLES, Feeling
from a2m_edge.rendering.canvas import Canvas, Colour, mix
from a2m_edge.score import Beat, Note, Stretch, regions, stretches
from a2m_edge.sound.format import AudioFormat
from a2m_edge.sound.mel import hertz_to_mel

WIDTH, HEIGHT = 1920, 1440

LONGEST_PANEL = 60.0
"""Seconds: of a longer render the beginning is shown."""

_GROUND: Colour = (22, 20, 25)
_SHEET: Colour = (30, 28, 34)
_LINE: Colour = (58, 54, 62)
_INK: Colour = (238, 230, 218)
_FADED: Colour = (158, 149, 146)
_WARM: Colour = (236, 172, 92)
_COOL: Colour = (122, 148, 232)
_NEUTRAL: Colour = (150, 146, 152)
_GAZE: Colour = (240, 222, 170)
_ROLE_COLOURS: tuple[Colour, ...] = ((92, 132, 214), (160, 120, 206), (84, 182, 164), (244, 176, 98))

_MARGIN = 64.0
_TOP, _MIDDLE = 190.0, 470.0  # the upper row: where it begins, how high it is
_WHY_TOP, _WHY_STEP = 712.0, 30.0
_ROLL_TOP, _ROLL_HEIGHT = 926.0, 248.0
_GAZE_TOP, _GAZE_HEIGHT = 1180.0, 18.0  # where the music looks, between score and spectrogram
_MEL_TOP, _MEL_BOTTOM = 1206.0, 1358.0
_LONE_MEL_TOP = 726.0  # of a spectrogram that stands without a score
_BADGE = 10.5  # radius of a region's number
_STRIP_GAP = 4.0  # between the spectrograms of two channels
_ROOMY = 100.0  # height of a spectrogram from which on every mark of its scale has room
_MARKS = ((500, "0.5"), (1000, "1"), (2000, "2"), (4000, "4 kHz"))
_FEW_MARKS = ((500, "0.5"), (2000, "2"), (8000, "8 kHz"))
_LEFT, _RIGHT = _MARGIN + 56.0, WIDTH - _MARGIN
_WHY_LEFT = _LEFT + 84.0

WHY_SIZE, WHY_LEAST, WHY_WIDTH = 20.0, 15.0, _RIGHT - _WHY_LEFT
"""Pixels of the letters of a cause, of those of a long one, and of the line that each has."""


@dataclass(frozen=True)
class Panel:
    """All that the picture shows.

    Attributes:
        title: the name of the painting, or of the render.
        painting: RGB uint8 [H, W, 3], or None where only a comment was given.
        comment: the visitor's words, or None.
        feeling: what is felt.
        instruments: name of the instrument of each role, in the order of ``ROLES``; empty where there is no score.
        beats: the score, at least as far as ``seconds``; None where no score was played: the spectrogram then takes
            its place.
        mels: natural-log mel-spectrogram of each channel, float32 [C, bands, T], of at most ``LONGEST_PANEL`` seconds.
        audio: format of the sound.
        seconds: duration of the whole render.
        facts: short remarks for the foot of the sheet, for example the tempo and the seed.
        why: the causes of the music in sentences, strongest first, at most five; empty where there are none.
    """

    title: str
    painting: NDArray[np.uint8] | None
    comment: str | None
    feeling: Feeling
    instruments: Sequence[str]
    beats: Sequence[Beat] | None
    mels: NDArray[np.float32]
    audio: AudioFormat
    seconds: float
    facts: Sequence[str]
    why: Sequence[str] = ()

    @property
    def shown(self) -> float:
        """Seconds that the score and the spectrogram show."""
        return min(self.seconds, LONGEST_PANEL)

    @property
    def stretches(self) -> list[Stretch]:
        """Where the music looks and when, as far as is shown; empty where it is never of a part of the picture."""
        found = stretches(self.beats or (), self.shown)
        return found if regions(found) else []


def draw_panel(panel: Panel) -> NDArray[np.uint8]:
    """Draws the picture, RGB uint8 [``HEIGHT``, ``WIDTH``, 3]."""
    canvas = Canvas(WIDTH, HEIGHT, _GROUND)
    _header(canvas, panel)
    edge = _painting(canvas, panel)
    _plane(canvas, panel.feeling, edge + 84, _TOP)
    _emotions(canvas, panel.feeling, edge + 84 + _MIDDLE + 76, _TOP)
    if panel.beats is None:
        _spectrogram(canvas, panel, _LONE_MEL_TOP)
    else:
        _why(canvas, panel.why)
        _score(canvas, panel, panel.beats)
        _gaze(canvas, panel)
        _spectrogram(canvas, panel, _MEL_TOP)
    _footer(canvas, panel)
    return canvas.finish()


def _header(canvas: Canvas, panel: Panel) -> None:
    word = panel.feeling.word
    canvas.text(_RIGHT, 104, word, 46, _emotion_colour(word), weight=300, align="right")
    room = _RIGHT - _MARGIN - canvas.text_width(word, 46, weight=300) - 80
    for line in canvas.wrapped(panel.title, 46, room, 1, weight=300):
        canvas.text(_MARGIN, 104, line, 46, _INK, weight=300)
    if panel.comment is not None and panel.painting is not None:
        for line in canvas.wrapped(f"“{panel.comment}”", 25, _RIGHT - _MARGIN, 1, face="italic", weight=300):
            canvas.text(_MARGIN, 150, line, 25, _FADED, face="italic", weight=300)


def _painting(canvas: Canvas, panel: Panel) -> float:
    """Hangs the painting, or sets the comment where there is none; returns the right edge in pixels."""
    widest = 740.0
    if panel.painting is None:
        canvas.rectangle(_MARGIN, _TOP, widest, _MIDDLE, _SHEET, radius=6)
        lines = canvas.wrapped(f"“{panel.comment or ''}”", 34, widest - 112, 7, face="italic", weight=300)
        first = _TOP + _MIDDLE / 2 - (len(lines) - 1) * 25 + 12
        for number, line in enumerate(lines):
            canvas.text(_MARGIN + 56, first + number * 50, line, 34, _INK, face="italic", weight=300)
        return _MARGIN + widest
    height, width = panel.painting.shape[:2]
    scale = min(widest / width, _MIDDLE / height)
    wide, tall = max(2.0, width * scale), max(2.0, height * scale)
    framed = wide if tall >= _MIDDLE and wide > 0.6 * widest else widest
    left, top = _MARGIN + (framed - wide) / 2, _TOP + (_MIDDLE - tall) / 2
    canvas.rectangle(_MARGIN, _TOP, framed, _MIDDLE, _SHEET, radius=6)
    canvas.paste(left, top, wide, tall, panel.painting)
    for number, region in enumerate(regions(panel.stretches), 1):
        x, y = left + region.left * wide, top + region.top * tall
        canvas.frame(x, y, region.width * wide, region.height * tall, _GAZE)
        _number(canvas, x + 14, y + 14, number)
    return _MARGIN + framed


def _plane(canvas: Canvas, feeling: Feeling, left: float, top: float) -> None:
    """Valence to the right, arousal upward (the circumplex of Russell 1980, JPSP 39:1161)."""
    side = _MIDDLE
    centre_x, centre_y, reach = left + side / 2, top + side / 2, side / 2 - 30
    canvas.rectangle(left, top, side, side, _SHEET, radius=6)
    for share in (1.0, 2 / 3, 1 / 3):
        canvas.circle(centre_x, centre_y, reach * share, mix(_SHEET, _LINE, 0.35 + 0.3 * share), 1)
    canvas.line(left + 30, centre_y, left + side - 30, centre_y, _LINE)
    canvas.line(centre_x, top + 30, centre_x, top + side - 30, _LINE)
    canvas.text(left + side - 14, centre_y - 9, "pleasant", 17, _FADED, align="right")
    canvas.text(left + 14, centre_y - 9, "unpleasant", 17, _FADED)
    canvas.text(centre_x, top + 21, "excited", 17, _FADED, align="centre")
    canvas.text(centre_x, top + side - 11, "calm", 17, _FADED, align="centre")
    x, y = centre_x + feeling.valence * reach, centre_y - feeling.arousal * reach
    colour = _emotion_colour(feeling.word)
    canvas.line(centre_x, centre_y, x, y, mix(_SHEET, colour, 0.5), 1.5)
    canvas.glow(x, y, 90, colour, 0.55)
    canvas.circle(x, y, 10, _GROUND)
    canvas.circle(x, y, 8, colour)
    place = f"{_signed(feeling.valence)}, {_signed(feeling.arousal)}"
    # Away from the line of valence, at whose ends words stand, and within the sheet.
    above = (feeling.arousal >= 0 and y > top + 70) or y > top + side - 90
    nearest, farthest = left + 70, left + side - 70
    canvas.text(min(max(x, nearest), farthest), y - 24 if above else y + 38, place, 18, _INK, align="centre")


def _emotions(canvas: Canvas, feeling: Feeling, left: float, top: float) -> None:
    """A bar for each of the nine words, pleasant ones first."""
    step = _MIDDLE / len(EMOTIONS)
    bars_left = left + 150
    longest = _RIGHT - bars_left - 56
    highest = max(float(feeling.emotions.max()), 1e-6)
    for number, (word, probability) in enumerate(zip(EMOTIONS, feeling.emotions.tolist(), strict=True)):
        middle = top + (number + 0.5) * step
        strongest = word == feeling.word
        ink, colour = (_INK if strongest else _FADED), _emotion_colour(word)
        canvas.text(left + 132, middle + 7, word, 20, ink, weight=500 if strongest else 400, align="right")
        canvas.rectangle(bars_left, middle - 9, longest, 18, _SHEET, radius=9)
        length = max(18.0, longest * probability / highest)
        canvas.rectangle(bars_left, middle - 9, length, 18, colour if strongest else mix(_GROUND, colour, 0.6), 9)
        canvas.text(_RIGHT, middle + 7, f"{100 * probability:.0f} %", 18, ink, align="right")


def _why(canvas: Canvas, sentences: Sequence[str]) -> None:
    """A line for each cause of the music."""
    if sentences:
        canvas.text(_LEFT, _WHY_TOP, "why", 19, _FADED)
    for number, sentence in enumerate(sentences):
        fitting = math.floor(WHY_SIZE * WHY_WIDTH / max(1.0, canvas.text_width(sentence, WHY_SIZE)))
        size = min(WHY_SIZE, max(WHY_LEAST, fitting))
        for line in canvas.wrapped(sentence, size, WHY_WIDTH, 1):
            canvas.text(_WHY_LEFT, _WHY_TOP + number * _WHY_STEP, line, size, _INK)


def _score(canvas: Canvas, panel: Panel, beats: Sequence[Beat]) -> None:
    """A piano roll: time to the right, pitch upward, a colour for each role, bars and chords."""
    notes = [note for beat in beats for note in beat.notes if note.start < panel.shown]
    canvas.rectangle(_LEFT, _ROLL_TOP, _RIGHT - _LEFT, _ROLL_HEIGHT, _SHEET, radius=4)
    low = min((note.pitch for note in notes), default=48) - 2
    high = max((note.pitch for note in notes), default=72) + 2
    key = _ROLL_HEIGHT / (high - low + 1)
    for octave in range(-(-low // 12), high // 12 + 1):
        y = _ROLL_TOP + (high - 12 * octave + 1) * key
        canvas.line(_LEFT, y, _RIGHT, y, mix(_SHEET, _LINE, 0.6))
        canvas.text(_LEFT - 10, y + 1, f"C{octave - 1}", 15, _FADED, align="right")
    _bars_and_chords(canvas, panel, beats)
    for note in sorted(notes, key=lambda note: (note.role, note.start)):
        _note(canvas, panel, note, _ROLL_TOP + (high - note.pitch) * key, key)
    _legend(canvas, panel.instruments)


def _bars_and_chords(canvas: Canvas, panel: Panel, beats: Sequence[Beat]) -> None:
    free = -math.inf  # chord names that would run into one another are left out
    chord = None
    for beat in beats:
        if beat.start >= panel.shown:
            break
        x = _time(panel, beat.start)
        if beat.number == 0:
            canvas.line(x, _ROLL_TOP, x, _ROLL_TOP + _ROLL_HEIGHT, _LINE)
        if beat.chord != chord and x >= free and x + canvas.text_width(beat.chord, 17) < _RIGHT:
            free = x + canvas.text(x + 2, _ROLL_TOP - 10, beat.chord, 17, _FADED) + 16
            chord = beat.chord


def _note(canvas: Canvas, panel: Panel, note: Note, y: float, key: float) -> None:
    end = _time(panel, min(note.end, panel.shown))
    begin = min(_time(panel, note.start), end - 2.5)
    height = min(max(key, 3.0), 9.0)
    top = y + (key - height) / 2
    colour = _ROLE_COLOURS[note.role % len(_ROLE_COLOURS)]
    body = mix(_SHEET, colour, 0.30 + 0.55 * note.velocity)
    width = max(end - begin - 1, 2.5)
    canvas.rectangle(begin, top, width, height, body, radius=height / 3)
    canvas.rectangle(begin, top, min(3.0, width), height, mix(body, colour, 0.8), radius=1)


def _gaze(canvas: Canvas, panel: Panel) -> None:
    """Where the music looks: a bar for each region, with its number in the painting; the whole has none."""
    places = regions(panel.stretches)
    for each in panel.stretches:
        if each.region is None:
            continue
        begin, end = _time(panel, each.start), _time(panel, each.end)
        middle = _GAZE_TOP + _GAZE_HEIGHT / 2
        canvas.rectangle(begin, middle - 2, max(end - begin - 2, 2.0), 4, mix(_GROUND, _GAZE, 0.55), radius=2)
        if end - begin > 2 * _BADGE:
            _number(canvas, begin + _BADGE, middle, places.index(each.region) + 1)


def _number(canvas: Canvas, x: float, y: float, number: int) -> None:
    canvas.circle(x, y, _BADGE, _GROUND)
    canvas.circle(x, y, _BADGE - 1.5, _GAZE)
    canvas.text(x, y + 5, str(number), 14, _GROUND, weight=600, align="centre")


def _legend(canvas: Canvas, instruments: Sequence[str]) -> None:
    x, y = _RIGHT, _ROLL_TOP - 46
    for role, (name, instrument) in reversed(list(enumerate(zip(ROLES, instruments, strict=True)))):
        x -= canvas.text(x, y, instrument, 19, _INK, align="right") + 8
        x -= canvas.text(x, y, name, 19, _FADED, align="right") + 12
        canvas.circle(x - 6, y - 6, 6, _ROLE_COLOURS[role % len(_ROLE_COLOURS)])
        x -= 44
    canvas.text(_LEFT, y, "score", 19, _FADED)


def _spectrogram(canvas: Canvas, panel: Panel, top: float) -> None:
    """The log-mel values within 70 dB of the highest, in the perceptually uniform colours of magma.

    Each channel has a strip of its own, the left one above the right one.
    """
    mels = panel.mels[..., : max(1, panel.audio.frames(panel.shown))]
    highest = float(np.quantile(mels, 0.999)) if mels.size else 0.0
    height = (_MEL_BOTTOM - top - _STRIP_GAP * (len(mels) - 1)) / len(mels)
    for number, mel in enumerate(mels):
        strip = top + number * (height + _STRIP_GAP)
        if mel.size:
            steps = np.clip((mel - highest) / (70 / 20 * math.log(10)) + 1, 0, 1) * 255
            coloured = cv2.applyColorMap(np.rint(steps[::-1]).astype(np.uint8), cv2.COLORMAP_MAGMA)
            rgb = np.asarray(coloured[..., ::-1], np.uint8)
            canvas.paste(_LEFT, strip, _RIGHT - _LEFT, height, np.ascontiguousarray(rgb))
        _frequencies(canvas, panel.audio, strip, height)


def _frequencies(canvas: Canvas, audio: AudioFormat, top: float, height: float) -> None:
    """The scale beside a spectrogram; fewer marks where there is little room."""
    for hertz, name in _MARKS if height > _ROOMY else _FEW_MARKS:
        if audio.mel_low < hertz < audio.mel_high:
            y = top + height * (1 - _mel_share(hertz, audio))
            canvas.line(_LEFT - 6, y, _LEFT - 1, y, _FADED)
            canvas.text(_LEFT - 10, y + 5, name, 15, _FADED, align="right")


def _footer(canvas: Canvas, panel: Panel) -> None:
    y = _MEL_BOTTOM
    step = next(step for step in (1, 2, 5, 10) if panel.shown / step <= 12)
    for second in range(0, int(panel.shown) + 1, step):
        x = _time(panel, second)
        canvas.line(x, y + 3, x, y + 8, _FADED)
        canvas.text(x, y + 25, f"{second // 60}:{second % 60:02d}", 15, _FADED, align="centre")
    facts = list(panel.facts)
    if panel.seconds > panel.shown:
        facts.append(f"the first {LONGEST_PANEL:.0f} of {panel.seconds:.0f} s")
    for line in canvas.wrapped("   ·   ".join(facts), 17, _RIGHT - _LEFT, 1):
        canvas.text(_LEFT, HEIGHT - 24, line, 17, _FADED)


def _time(panel: Panel, second: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * second / panel.shown


def _mel_share(hertz: float, audio: AudioFormat) -> float:
    """Where a frequency lies among the bands, 0 to 1."""
    mels = [hertz_to_mel(each) for each in (audio.mel_low, hertz, audio.mel_high)]
    return (mels[1] - mels[0]) / (mels[2] - mels[0])


def _emotion_colour(word: str) -> Colour:
    if word in POSITIVE_EMOTIONS:
        return _WARM
    return _COOL if word in NEGATIVE_EMOTIONS else _NEUTRAL


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")

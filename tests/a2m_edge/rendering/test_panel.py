"""The picture of a render shows what it is given, whatever that is."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from a2m_edge.impression.feeling import Feeling
from a2m_edge.impression.gaze import Region
from a2m_edge.rendering.canvas import Canvas
from a2m_edge.rendering.lettering import drawable, in_visual_order
from a2m_edge.rendering.panel import HEIGHT, WIDTH, Panel, draw_panel
from a2m_edge.score import Beat, Note
from a2m_edge.sound.format import FORMATS


def beats(count, seconds=0.5):
    for number in range(count):
        note = Note(number * seconds, seconds, 48 + 5 * (number % 4), 0.5 + 0.1 * (number % 4), number % 4)
        yield Beat(
            number // 4, number % 4, number * seconds, seconds, 9, "aeolian", f"{'iiV'[number % 3]}7", "A", (note,)
        )


def panel(**changes):
    audio = FORMATS["22k-mono"]
    content: dict[str, Any] = {
        "title": "Calm sea",
        "painting": np.full((300, 400, 3), (20, 200, 120), np.uint8),
        "comment": "a quiet grief",
        "feeling": Feeling.of(-0.5, -0.4, "sadness"),
        "instruments": ("acoustic bass", "electric piano", "vibraphone", "clarinet"),
        "beats": list(beats(20)),
        "mels": np.random.default_rng(0).uniform(-11, 1, (1, 80, audio.frames(10))).astype(np.float32),
        "audio": audio,
        "seconds": 10.0,
        "facts": ("A aeolian", "seed 0"),
        "why": ("Dark shades: lower notes.", "Calm in the picture: slower, fewer notes."),
    }
    return Panel(**(content | changes))


@pytest.fixture(scope="module")
def plain():
    return draw_panel(panel())


def test_it_shows_the_painting_and_repeats_exactly(plain):
    drawn = draw_panel(panel())
    assert drawn.shape == (HEIGHT, WIDTH, 3)
    assert drawn.dtype == np.uint8
    assert (drawn == (20, 200, 120)).all(axis=2).sum() > 200_000
    assert np.array_equal(drawn, plain)


@pytest.mark.parametrize(
    "changes",
    [
        {"painting": None, "comment": "I am afraid of the sea. " * 400},
        {"painting": None, "comment": "x" * 10_000},
        {"painting": None, "comment": "🌊"},
        {"painting": np.full((2, 4000, 3), 90, np.uint8), "comment": None},
        {"painting": np.full((4000, 2, 3), 90, np.uint8), "comment": "שקט ועצוב"},
        {"painting": np.full((1, 1, 3), 90, np.uint8), "title": ""},
        {"title": "a title without end " * 50, "comment": "word " * 500},
        {"feeling": Feeling.of(1, 1, "excitement")},
        {"feeling": Feeling.of(-1, -1, "something else")},
        {"beats": [], "mels": np.zeros((1, 80, 0), np.float32), "seconds": 0.1},
        {"seconds": 0.1, "beats": list(beats(1))},
        {"seconds": 600.0, "beats": list(beats(1200))},
        {"why": ()},
        {"why": ("a cause without end " * 50,) * 5},
        {"mels": np.full((1, 80, 800), math.log(1e-5), np.float32)},
        {"mels": np.full((2, 128, 900), -3.0, np.float32), "audio": FORMATS["48k-stereo"]},
        {"mels": np.zeros((2, 128, 0), np.float32), "audio": FORMATS["48k-stereo"], "beats": None, "instruments": ()},
        {"beats": None, "instruments": ()},
        {"beats": None, "instruments": (), "mels": np.zeros((1, 80, 0), np.float32), "seconds": 0.1},
        {"beats": None, "instruments": (), "seconds": 600.0, "painting": None},
    ],
)
def test_odd_content_is_drawn_and_makes_a_difference(plain, changes):
    drawn = draw_panel(panel(**changes))
    assert drawn.shape == (HEIGHT, WIDTH, 3)
    assert not np.array_equal(drawn, plain)


def test_every_part_of_the_content_is_seen(plain):
    for change in (
        {"title": "Storm"},
        {"comment": "a loud joy"},
        {"feeling": Feeling.of(-0.5, 0.4, "sadness")},
        {"feeling": Feeling.of(-0.5, -0.4, "fear")},
        {"instruments": ("cello", "electric piano", "vibraphone", "clarinet")},
        {"beats": list(beats(19))},
        {"facts": ("B aeolian", "seed 0")},
        {"why": ("Light shades: lower notes.", "Calm in the picture: slower, fewer notes.")},
        {"why": ("Dark shades: lower notes.", "Calm in the picture: faster, fewer notes.")},
    ):
        assert not np.array_equal(draw_panel(panel(**change)), plain)


def test_without_a_score_the_spectrogram_takes_its_place(plain):
    loud = np.zeros((1, 80, 861), np.float32)  # all of it in the brightest colour
    alone, beside = (draw_panel(panel(mels=loud, **changes)) for changes in ({"beats": None, "instruments": ()}, {}))
    bright = [(drawn == drawn[1260, 960]).all(axis=2).sum() for drawn in (alone, beside)]
    assert bright[0] > 2.5 * bright[1]
    assert np.array_equal(alone[:670], beside[:670]), "painting and feeling stay where they are"


def test_each_channel_has_a_spectrogram_of_its_own():
    audio = FORMATS["48k-stereo"]
    mels = np.full((2, 128, audio.frames(10)), -11.5, np.float32)
    mels[:, :64] = 0.0  # the lower half of the bands sounds
    both = draw_panel(panel(mels=mels, audio=audio))
    mels[1] = -11.5
    left = draw_panel(panel(mels=mels, audio=audio))
    changed = np.flatnonzero((both != left).any(axis=(1, 2)))
    assert changed.min() > 1274 and changed.max() < 1359, "the right channel is the lower one"
    assert len(changed) == pytest.approx(41, abs=3), "half of its strip"


def test_where_the_music_looks_is_seen_in_the_painting_and_on_the_axis_of_time(plain):
    corner = Region(0.5, 0.5, 0.25, 0.5)
    looking = [
        dataclasses.replace(beat, region=corner if beat.number + 4 * beat.bar >= 8 else None) for beat in beats(20)
    ]
    drawn = draw_panel(panel(beats=looking))
    changed = (drawn != plain).any(axis=2)
    rows, columns = np.nonzero(changed)
    above, below = rows < 700, rows >= 700
    assert rows[above].min() > 190 and columns[above].max() < 804, "the painting"
    assert np.ptp(rows[below]) < 24, "a line between score and spectrogram"
    assert columns[below].min() == pytest.approx(120 + (1856 - 120) * 0.4, abs=4), "from the eighth beat on"


def test_words_break_into_lines_that_fit():
    canvas = Canvas(100, 100, (0, 0, 0))
    text = "the light is going and nobody is coming home tonight"
    lines = canvas.wrapped(text, 20, 150, 10)
    assert " ".join(lines) == text
    assert len(lines) > 2
    assert all(canvas.text_width(line, 20) <= 150 for line in lines)
    cut = canvas.wrapped(text, 20, 150, 2)
    assert len(cut) == 2
    assert cut[1].endswith("…")
    assert canvas.text_width(cut[1], 20) <= 150
    assert "".join(canvas.wrapped("x" * 60, 20, 150, 10)) == "x" * 60
    assert canvas.wrapped("", 20, 150, 2) == []


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("calm sea, 1892", "calm sea, 1892"),
        ("אבג", "גבא"),
        ("אב 12 גד", "דג 12 בא"),
        ("see אב גד!", "see דג בא!"),
        ("(אב)", "(בא)"),
        ("א\u05b8ב", "בא\u05b8"),
    ],
)
def test_right_to_left_script_stands_as_it_is_read(written, seen):
    assert in_visual_order(written) == seen


def test_what_the_typeface_lacks_is_left_out():
    assert drawable("a 🌊 sea\u200d?") == "a sea?"
    assert drawable("悲しい Ω ж ♭") == "悲しい Ω ж ♭"

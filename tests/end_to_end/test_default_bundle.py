"""The bundle that is installed with the package, heard as its users hear it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from a2m_edge.bundle import Bundle, open_bundle
from a2m_edge.perception.encoders import Encoders
from a2m_edge.perception.pictures import read_picture
from a2m_edge.sound.mel import log_mel
from a2m_edge.soundscape import Soundscape
from tests.fixtures.places import EXAMPLES

NAMES = ("calm_sea", "storm", "field", "night_street", "grief", "carnival")


@lru_cache(maxsize=1)
def bundle() -> Bundle:
    return open_bundle()


def soundscape(name: str, comment: str | None = None, seed: int = 0) -> Soundscape:
    stream = Soundscape(bundle(), seed=seed, device="cpu")
    stream.see(read_picture(EXAMPLES / f"{name}.jpg"))
    if comment:
        stream.hear(comment)
    return stream


def play(stream: Soundscape, frames: int, chunk: int = 64) -> NDArray[np.float32]:
    chunks = [one.samples for one in stream.chunks(frames, chunk)]
    return np.concatenate(chunks) if chunks else np.zeros(0, np.float32)


def test_every_example_sounds_and_no_two_alike() -> None:
    sounds = {name: play(soundscape(name), 600) for name in NAMES}
    for sound in sounds.values():
        assert np.isfinite(sound).all()
        assert 0.02 < np.abs(sound).max() <= 1.0
        assert np.mean(np.abs(sound) > 0.99) < 1e-4
    mels = {name: log_mel(sound, bundle().manifest.audio) for name, sound in sounds.items()}
    for first in NAMES:
        for second in NAMES:
            if first < second:
                assert np.abs(mels[first] - mels[second]).mean() > 0.5, f"{first} and {second} sound alike"


@pytest.mark.parametrize("chunk", [1, 31, 32, 33, 200])
def test_a_stream_in_chunks_equals_the_whole(chunk: int) -> None:
    whole = play(soundscape("storm", "I am afraid"), 400, 400)
    chunked = play(soundscape("storm", "I am afraid"), 400 if chunk > 1 else 40, chunk)
    assert np.abs(whole[: len(chunked)] - chunked).max() <= 1e-4  # measured: 1.2e-7


@pytest.mark.parametrize("frames", [0, 1, 31, 32, 33])
def test_lengths_add_up_exactly(frames: int) -> None:
    chunks = list(soundscape("field").chunks(frames, 32))
    assert sum(len(one.samples) for one in chunks) == frames * bundle().manifest.audio.hop


def test_grief_and_joy_are_heard_in_the_music() -> None:
    grieving, joyful = (
        soundscape("field", "I weep, she is gone forever"),
        soundscape("field", "What joy! I want to dance"),
    )
    assert grieving.perception.feeling.valence < -0.3 < 0.3 < joyful.perception.feeling.valence
    for stream in (grieving, joyful):
        play(stream, 100)
    sad, happy = grieving.score.beats[-1], joyful.score.beats[-1]
    assert sad.mode in ("dorian", "aeolian", "phrygian") and happy.mode in ("ionian", "lydian", "mixolydian")
    assert sad.tempo < happy.tempo


def test_a_steered_stream_does_not_click() -> None:
    """Where the feeling changes, the sound's steps from sample to sample stay like those before and after."""
    stream = soundscape("calm_sea", "so calm")
    before = play(stream, 320)
    stream.hear("Terror! Everything burns")
    after = play(stream, 320)
    joint = np.concatenate([before[-2000:], after[:2000]])
    steps = np.abs(np.diff(joint, axis=0))
    assert steps[1990:2010].max() <= 1.5 * max(
        np.abs(np.diff(before, axis=0)).max(), np.abs(np.diff(after, axis=0)).max()
    )


def test_the_bed_loops_without_a_seam() -> None:
    import soundfile

    bed, rate = soundfile.read(bundle().file("bed.wav"), dtype="float32")
    assert rate == bundle().manifest.audio.sample_rate and len(bed) > 10 * rate
    assert 0.005 < np.sqrt(np.mean(bed**2)) < 0.3
    seam = abs(bed[0] - bed[-1])
    assert seam <= np.abs(np.diff(bed)).max()


def nothing_to_see() -> dict[str, NDArray[np.uint8]]:
    """Pictures that show nothing; the walls are none of those that were learned from."""
    walls = pytest.importorskip("training.data.labels.plain_pictures").plain_picture
    blank = {
        name: np.full((*size, 3), grey, np.uint8)
        for name, size, grey in (
            ("black", (300, 400), 0),
            ("white", (300, 400), 255),
            ("grey", (224, 224), 119),
            ("one pixel", (1, 1), 90),
            ("a line", (1, 500), 200),
        )
    }
    return blank | {f"wall {number}": walls(number, 320) for number in range(1000, 1030)}


def test_a_picture_that_shows_nothing_is_told_to_show_nothing() -> None:
    encoders = Encoders(bundle(), device="cpu")
    if encoders.subjects is None:
        pytest.skip("the default bundle does not tell what pictures show")
    told = {name: dict(encoders.see(picture).subjects.shown) for name, picture in nothing_to_see().items()}
    assert {name: shown for name, shown in told.items() if shown} == {}


def test_the_bundle_says_what_it_is() -> None:
    manifest = bundle().manifest
    assert "NC" in manifest.licence and "non-commercial" in bundle().file("MODEL_CARD.md").read_text()
    assert sum(record.size for record in manifest.files.values()) <= 96e6
    assert {"feeling", "decoder", "vocoder", "notes"} <= set(manifest.measured)


def test_what_is_not_understood_is_felt_neutrally_and_never_as_joy():
    soundscape = Soundscape(open_bundle(), device="cpu", threads=1)
    neutral = soundscape.hear("😢").feeling
    assert abs(neutral.valence) < 0.45 and abs(neutral.arousal) < 0.1  # measured 0.41, -0.01: art pleases
    assert neutral.emotions.max() < 0.35  # measured 0.29, contentment
    for comment in ("❤️❤️", "我很难过。", "Jestem bardzo smutny.", "???", "asdfghjkl", "太美了，我很开心！"):
        feeling = soundscape.hear(comment).feeling
        assert not soundscape.understands, comment
        assert (feeling.valence, feeling.arousal) == (neutral.valence, neutral.arousal), comment
    for comment, heard in (("I love this 😭", "I love this"), ("so sad😢", "so sad")):
        assert soundscape.hear(comment).feeling.valence == soundscape.hear(heard).feeling.valence
        assert soundscape.understands

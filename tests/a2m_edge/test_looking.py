"""A soundscape reads the picture: the same however it is played, and whoever looks ahead."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from a2m_edge.bundle import DEFAULT_BUNDLE, Bundle, open_bundle
from a2m_edge.bundle.manifest import COMPOSER
from a2m_edge.composer import Composer, ComposerTables
from a2m_edge.impression.gaze import NOWHERE, Gaze, Region
from a2m_edge.perception.encoders import Encoders
from a2m_edge.perception.looking import CLEAR, Looks
from a2m_edge.perception.pictures import read_picture
from a2m_edge.score import regions, stretches
from a2m_edge.soundscape import Soundscape
from tests.fixtures.places import ROOT

FRAMES = 1800  # some 21 seconds: beyond the statement of the theme


@pytest.fixture(scope="module")
def storm() -> NDArray[np.uint8]:
    return read_picture(Path(ROOT / "examples" / "storm.jpg"))


def start(bundle: Bundle, picture: NDArray[np.uint8]) -> Soundscape:
    soundscape = Soundscape(bundle, seed=3, device="cpu", threads=1)
    soundscape.see(picture)
    return soundscape


def play(soundscape: Soundscape, frames: int, chunk: int) -> NDArray[np.float32]:
    return np.concatenate([one.samples for one in soundscape.chunks(frames, chunk)])


def looked_at(soundscape: Soundscape) -> list[Region]:
    return regions(stretches(soundscape.score.beats, soundscape.score.seconds))


def test_live_and_offline_are_the_same_music(tiny_bundle, storm):
    """A host that looks ahead between short chunks, and one that makes all at once without."""
    offline, live = start(tiny_bundle, storm), start(tiny_bundle, storm)
    whole = play(offline, FRAMES, FRAMES)
    pieces = []
    for chunk in live.chunks(FRAMES, 32):
        pieces.append(chunk.samples)
        live.look_ahead()
    assert looked_at(offline)
    assert live.score.beats == offline.score.beats
    assert np.abs(whole - np.concatenate(pieces)).max() <= 1e-4


def test_a_render_of_a_few_seconds_looks_at_the_whole_alone(tiny_bundle, storm, monkeypatch):
    soundscape = start(tiny_bundle, storm)
    monkeypatch.setattr(Encoders, "see", lambda *_: pytest.fail("a region was looked at"))
    play(soundscape, 150, 50)
    assert looked_at(soundscape) == []


def test_each_region_is_looked_at_once(tiny_bundle, storm):
    soundscape = start(tiny_bundle, storm)
    for _ in range(20):
        if not soundscape.look_ahead():
            break
    assert not soundscape.look_ahead()
    gaze = soundscape.perception.gaze
    assert [look.region for look in gaze.looks] == [look.region for look in gaze.looks]
    assert all(one is other for one, other in zip(gaze.looks, gaze.looks, strict=True))
    assert gaze.whole is not None and gaze.whole.feeling.valence == soundscape.perception.feeling.valence


@pytest.mark.parametrize("picture", [np.zeros((40, 60, 3), np.uint8), np.full((1, 1, 3), 200, np.uint8)])
def test_a_blank_picture_plays_on_without_a_gaze(tiny_bundle, picture):
    soundscape = start(tiny_bundle, picture)
    assert np.isfinite(play(soundscape, FRAMES, 600)).all()
    assert looked_at(soundscape) == []
    while soundscape.look_ahead():
        assert len(soundscape.perception.gaze.looks) == 0


def test_a_comment_alone_looks_nowhere(tiny_bundle):
    soundscape = Soundscape(tiny_bundle, device="cpu", threads=1)
    assert not soundscape.look_ahead()
    soundscape.hear("calm")
    play(soundscape, 600, 200)
    assert not soundscape.look_ahead()
    assert looked_at(soundscape) == []


def test_a_bundle_of_clips_looks_at_nothing(clip_bundle, storm):
    soundscape = start(clip_bundle, storm)
    assert not soundscape.look_ahead()


def test_a_work_that_returns_keeps_its_looks(tiny_bundle, storm):
    other = storm[:, ::-1] // 2 + 60
    soundscape = start(tiny_bundle, storm)
    soundscape.look_ahead()  # finds the regions
    soundscape.look_ahead()
    first = soundscape.perception.gaze.looks
    seen = first[0]
    assert soundscape.see_another(other, 1e-6) is not None
    assert soundscape.perception.gaze.looks is not first
    assert soundscape.see_another(storm, 1e-6) is not None
    again = soundscape.perception.gaze.looks
    assert again is first and again[0] is seen
    assert [look.region for look in again]  # those that were not seen yet are now


def test_a_comment_keeps_the_gaze_of_the_picture(tiny_bundle, storm):
    soundscape = start(tiny_bundle, storm)
    looks = soundscape.perception.gaze.looks
    assert soundscape.hear("The waves make me feel at peace").gaze.looks is looks
    assert soundscape.hear(None).gaze.looks is looks
    soundscape.hear("calm")
    assert len(soundscape.see(None).gaze.looks) == 0


def test_a_comment_names_the_region_that_stands_clear(tiny_bundle, storm):
    """By embeddings of our own: the criterion itself, whatever a bundle makes of words."""
    encoders = Encoders(tiny_bundle, "cpu", 1)
    looks = Looks(encoders, encoders.see(storm), storm)
    seen = np.stack([encoders.see(storm, look.region).embedding for look in looks])
    centred = seen - seen.mean(axis=0)
    for index in range(len(looks)):
        towards = centred[index] / np.linalg.norm(centred[index])
        near = seen @ towards
        clear = near[index] - np.delete(near, index).max()
        assert looks.named(towards.astype(np.float32)) == (index if clear >= CLEAR else None)
    assert looks.named(np.zeros_like(seen[0])) is None


def test_an_hour_is_a_walk(tiny_bundle, storm):
    """Whatever the picture holds is come to, in more than one order."""
    soundscape = start(tiny_bundle, storm)
    list(islice(soundscape.chunks(chunk_frames=2000), 30))
    visits = [each.region for each in stretches(soundscape.score.beats, soundscape.score.seconds)]
    places = [look.region for look in soundscape.perception.gaze.looks]
    assert set(places) <= set(visits)
    order = [visit for visit in visits if visit is not None]
    count = len(places)
    assert order[:count] == places
    assert order[count : 2 * count] != places


def test_a_dark_corner_of_a_bright_picture_is_heard():
    """By the trained bundle: the phrase that dwells there lies lower than it would for the whole."""
    picture = read_picture(ROOT / "examples" / "field.jpg").copy()
    height, width = picture.shape[:2]
    corner = picture[round(0.66 * height) :, round(0.72 * width) :]
    corner[:] = (0.1 * corner).astype(np.uint8)
    bundle = open_bundle(DEFAULT_BUNDLE)
    encoders = Encoders(bundle, "cpu", 1)
    looks = Looks(encoders, encoders.see(picture), picture)
    first = looks[0]
    assert first.region.left > 0.6 and first.region.top > 0.5
    assert first.cues.brightness < looks.whole.cues.brightness - 0.3
    perception = encoders.feel(looks.sight, None)
    tables = ComposerTables.read(bundle.file(COMPOSER))

    def pitch(gaze: Gaze) -> float:
        """Mean pitch of the phrase after the theme, over pieces of eight seeds."""
        pitches = []
        for seed in range(8):
            composer = Composer(tables, looks.sight.embedding, seed, perception.feeling, perception.cues, gaze=gaze)
            beats = [composer.next_beat() for _ in range(8 * composer.theme.beats_in_bar)]
            assert beats[-1].region == (first.region if gaze.looks else None)
            pitches += [note.pitch for beat in beats if beat.bar >= 4 for note in beat.notes]
        return float(np.mean(pitches))

    assert pitch(looks.gaze(None)) < pitch(NOWHERE) - 2  # measured: 3.9

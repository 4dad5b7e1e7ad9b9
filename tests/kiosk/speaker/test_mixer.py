"""What is heard: live sound, the bed and silence pass into each other without a click, whatever the music does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from a2m_edge.bundle import Bundle
from a2m_edge.errors import BundleError
from a2m_edge.sound.bed import read_bed
from a2m_edge.sound.format import FORMATS
from kiosk.shared.counters import Controls, Progress
from kiosk.shared.ring import AudioRing
from kiosk.shared.settings import SpeakerSettings
from kiosk.speaker.bed import Bed
from kiosk.speaker.mixer import FADE_SECONDS, PATIENCE_SECONDS, SMOOTHING_SECONDS, Mixer

RATE = 8000
AUDIO = replace(FORMATS["22k-mono"], sample_rate=RATE, mel_high=4000.0)
SETTINGS = SpeakerSettings(priming=0.2, crossfade=0.05)
CROSSFADE, PRIMING = round(0.05 * RATE), round(0.2 * RATE)
LIVE_HERTZ, BED_HERTZ, LEVEL = 170.0, 110.0, 0.4


def tone(hertz: float, begin: int, count: int) -> np.ndarray:
    """A tone that goes on in one phase from call to call; on the right side it is softer and turned over."""
    left = LEVEL * np.sin(2 * np.pi * hertz * np.arange(begin, begin + count) / RATE)
    return np.stack([left, -0.5 * left], 1).astype(np.float32)


@dataclass
class Room:
    """A mixer with a real ring on both sides, and everything that was heard from it."""

    live: AudioRing
    played: AudioRing
    mixer: Mixer
    progress: Progress
    controls: Controls
    phase: int = 0
    heard: tuple[np.ndarray, ...] = ()

    def write(self, seconds: float) -> None:
        samples = tone(LIVE_HERTZ, self.phase, round(seconds * RATE))
        self.phase += self.live.write(samples)

    def begin(self) -> None:
        """A new music process: its tone is at another phase than the old one's."""
        self.live.begin()
        self.phase += round(0.5 * RATE / LIVE_HERTZ)

    def render(self, seconds: float, block: int = 100) -> np.ndarray:
        blocks = [self.mixer.render(block) for _ in range(round(seconds * RATE / block))]
        self.heard += tuple(blocks)
        return np.concatenate([np.zeros((0, 2), np.float32), *blocks])

    @property
    def everything(self) -> np.ndarray:
        return np.concatenate(self.heard)


@pytest.fixture
def room() -> Iterator[Room]:
    yield from make_room()


def make_room(controls: Controls | None = None) -> Iterator[Room]:
    with AudioRing.create(2 * RATE, 2) as live, AudioRing.create(60 * RATE, 2, broadcast=True) as played:
        controls, progress = controls or Controls(), Progress()
        bed = Bed(tone(BED_HERTZ, 0, RATE))  # a whole number of periods: it has no seam
        yield Room(live, played, Mixer(live, played, bed, RATE, SETTINGS, progress, controls), progress, controls)


def steepest(hertz: float) -> float:
    """The largest step from one sample to the next within a tone."""
    return LEVEL * 2 * np.pi * hertz / RATE


STEEPEST_FADE = LEVEL * (np.pi / 2) ** 2 * (1 / CROSSFADE + 1 / (FADE_SECONDS * RATE)) * 2
NO_CLICK = 1.5 * (steepest(LIVE_HERTZ) + steepest(BED_HERTZ)) + STEEPEST_FADE
"""More than tones and fades can step; a cut in the middle of them steps up to ``2 * LEVEL``."""


def test_the_bound_on_steps_would_find_a_cut():
    assert NO_CLICK < 0.7 * LEVEL


def test_live_sound_is_played_to_the_sample_once_it_has_faded_in(room):
    room.write(2.0)
    room.render(FADE_SECONDS)
    np.testing.assert_array_equal(room.render(0.5), tone(LIVE_HERTZ, round(FADE_SECONDS * RATE), RATE // 2))
    assert room.mixer.sounding == "live"
    assert room.live.underruns == 0
    assert room.progress.samples_played.value == RATE
    assert (room.progress.bed_samples.value, room.progress.underruns.value) == (0, 0)


def test_everything_that_is_played_goes_into_the_broadcast(room):
    room.write(1.0)
    room.render(2.0, 73)
    heard = room.played.latest(0, 10 * RATE)
    np.testing.assert_array_equal(heard.samples, room.everything)


def test_the_first_sound_waits_for_live_sound_and_then_for_nobody(room):
    before = room.render(PATIENCE_SECONDS - 0.05)
    assert not before.any()
    assert room.mixer.sounding == "silence"
    room.render(FADE_SECONDS + 0.2)
    assert room.mixer.sounding == "bed"
    assert np.abs(room.render(0.1)).max() > 0.9 * LEVEL
    assert np.abs(np.diff(room.everything, axis=0)).max() < NO_CLICK
    assert room.progress.missing_samples.value == 0, "nothing was late yet"


def test_live_sound_that_is_ready_in_time_is_heard_first(room):
    assert not room.render(0.3).any()
    room.write(1.5)
    room.render(FADE_SECONDS)
    assert room.mixer.sounding == "live"
    assert room.progress.bed_samples.value == 0


def test_a_speaker_that_joins_late_waits_for_nobody():
    with AudioRing.create(RATE, 2) as live, AudioRing.create(RATE, 2, broadcast=True) as played:
        live.write(tone(LIVE_HERTZ, 0, 100))
        mixer = Mixer(live, played, Bed(tone(BED_HERTZ, 0, RATE)), RATE, SETTINGS, Progress(), Controls())
        assert mixer.render(100).any()
        assert mixer.sounding == "bed"


def test_late_live_sound_fades_into_the_bed_and_back_within_the_crossfade(room):
    room.write(1.0)
    room.render(1.0 - 0.05 - 0.02)
    assert room.mixer.sounding == "live"
    rest = room.render(0.1)
    assert room.mixer.sounding == "bed"
    assert np.abs(rest).max() <= LEVEL * np.sqrt(2) * 1.01
    assert room.progress.underruns.value == 1
    room.render(0.5)
    room.write(1.0)
    after = room.render(0.1)
    assert room.mixer.sounding == "live"
    # From the end of the fade on it is live sound to the sample, and none was lost between.
    taken = room.live.taken
    tail = after[CROSSFADE + 100 :]
    np.testing.assert_array_equal(tail, tone(LIVE_HERTZ, taken - len(tail), len(tail)))
    assert np.abs(np.diff(room.everything, axis=0)).max() < NO_CLICK
    assert room.live.underruns == 0, "live sound never stops short"
    assert 0.5 * RATE < room.progress.missing_samples.value <= room.progress.bed_samples.value < 0.8 * RATE


def test_a_crossfade_keeps_the_power_even(room):
    """Two noises: the level in the middle of the fade is that of either."""
    noise = np.random.default_rng(0).normal(0, 0.1, (2, 40 * RATE, 2)).astype(np.float32)
    levels = []
    with AudioRing.create(2 * RATE, 2) as live, AudioRing.create(RATE, 2, broadcast=True) as played:
        mixer = Mixer(live, played, Bed(noise[0]), RATE, SETTINGS, Progress(), Controls())
        position = 0
        for _ in range(60):
            position += live.write(noise[1][position : position + RATE // 2])
            got = mixer.render(RATE)
            if position > RATE:
                change = RATE // 2 - CROSSFADE - round(0.01 * RATE)
                levels.append(np.square(got[change : change + CROSSFADE]).mean())
    assert 10 * abs(np.log10(np.mean(levels) / 0.01)) < 0.3


def test_a_new_music_process_is_never_joined_to_an_old_one(room):
    room.write(0.8)
    room.render(FADE_SECONDS)
    room.begin()
    room.write(1.0)
    room.render(0.3)  # the old one ends after 0.3 s
    room.render(0.2)
    assert room.mixer.sounding == "live"
    assert room.live.taken > room.live.began
    assert np.abs(np.diff(room.everything, axis=0)).max() < NO_CLICK
    assert 0 < room.progress.bed_samples.value <= 2 * CROSSFADE + 2 * 80


def test_two_beginnings_in_a_row_do_not_click(room):
    """A music process that dies again before anything of it was played."""
    room.write(0.875)
    room.render(0.5)
    room.begin()
    room.write(1.0)
    room.begin()
    room.write(1.0)
    room.render(2.0)
    assert room.live.taken > room.live.began
    assert np.abs(np.diff(room.everything, axis=0)).max() < NO_CLICK


def test_volume_and_mute_change_smoothly_and_within_10_ms(room):
    room.write(2.0)
    room.render(FADE_SECONDS + 0.1)
    room.controls.volume = 0.25
    room.render(SMOOTHING_SECONDS)
    begin = room.live.taken
    np.testing.assert_allclose(room.render(0.1), 0.25 * tone(LIVE_HERTZ, begin, round(0.1 * RATE)), atol=1e-6)
    room.controls.muted = True
    room.render(SMOOTHING_SECONDS)
    taken = room.live.taken
    assert not room.render(0.1).any()
    assert room.mixer.sounding == "silence"
    assert room.live.taken == taken + round(0.1 * RATE), "the music goes on while it is muted"
    room.controls.muted = False
    room.render(0.1)
    assert (
        np.abs(np.diff(room.everything, axis=0)).max()
        < steepest(LIVE_HERTZ) + LEVEL / (SMOOTHING_SECONDS * RATE) + 0.01
    )


@pytest.mark.parametrize(("wanted", "got"), [(7.0, 1.0), (-3.0, 0.0), (float("inf"), 1.0)])
def test_a_volume_out_of_range_is_brought_into_it(wanted, got):
    for room in make_room(Controls(wanted)):
        room.write(2.0)
        assert np.abs(room.render(1.0)).max() == pytest.approx(got * LEVEL, rel=1e-3)


def test_a_pause_fades_and_holds_the_music_where_it_is(room):
    room.write(2.0)
    room.render(FADE_SECONDS)
    room.controls.paused = True
    fading = room.render(FADE_SECONDS)
    assert fading[:100].any()
    taken = room.live.taken
    assert not room.render(5.0).any()
    assert room.live.taken == taken
    assert room.mixer.sounding == "silence"
    room.controls.paused = False
    room.render(FADE_SECONDS)
    assert room.mixer.sounding == "live"
    np.testing.assert_array_equal(room.render(0.05), tone(LIVE_HERTZ, taken + round(FADE_SECONDS * RATE), 400))
    assert room.progress.bed_samples.value == 0
    assert np.abs(np.diff(room.everything, axis=0)).max() < NO_CLICK


def test_the_end_fades_out_for_good(room):
    room.write(2.0)
    room.render(FADE_SECONDS)
    room.mixer.fade_out()
    assert not room.mixer.ended
    room.render(FADE_SECONDS)
    assert room.mixer.ended
    assert not room.render(1.0).any()
    assert np.abs(np.diff(room.everything, axis=0)).max() < NO_CLICK


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.floats(0.0, 1.0)),
        st.tuples(st.just("render"), st.floats(0.0, 1.0)),
        st.tuples(st.just("begin"), st.just(0.0)),
        st.tuples(st.just("pause"), st.just(0.0)),
        st.tuples(st.just("volume"), st.floats(0.0, 1.0)),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=50)
@given(steps=STEPS, block=st.integers(40, 700))
def test_no_order_of_events_makes_a_click_or_a_gap_or_loses_a_sample(steps, block):
    for room in make_room():
        for kind, value in steps:
            match kind:
                case "write":
                    room.write(value)
                case "render":
                    room.render(value, block)
                case "begin":
                    room.begin()
                case "pause":
                    room.controls.paused = not room.controls.paused
                case "volume":
                    room.controls.volume = value
        room.controls.paused = False
        room.controls.volume = 1.0
        room.render(PATIENCE_SECONDS + FADE_SECONDS + SMOOTHING_SECONDS + 0.2, block)
        heard = room.everything
        assert np.isfinite(heard).all()
        assert np.abs(np.diff(heard, axis=0)).max() < NO_CLICK + LEVEL / (SMOOTHING_SECONDS * RATE)
        assert room.live.underruns == 0
        np.testing.assert_array_equal(room.played.latest(0, 60 * RATE).samples[: len(heard)], heard[-60 * RATE :])
        assert room.progress.samples_played.value == room.played.written == len(heard)
        loud = np.abs(room.render(0.5, min(block, 100)))
        assert loud[-round(RATE / BED_HERTZ) :].max() > 0.5 * LEVEL, "something plays in the end"


def test_the_bed_goes_round_without_a_seam():
    bed = Bed(np.arange(14, dtype=np.float32).reshape(7, 2))
    turns = np.concatenate([bed.play(count) for count in (3, 0, 9, 2, 20)])
    np.testing.assert_array_equal(turns[:, 0], 2 * (np.arange(34) % 7))
    np.testing.assert_array_equal(turns[:, 1], turns[:, 0] + 1)


def test_the_beds_of_the_bundles_can_be_played(tiny_bundle: Bundle):
    audio = tiny_bundle.manifest.audio
    assert Bed(read_bed(tiny_bundle.file("bed.wav"), audio)).play(100).any()
    for other, words in ((replace(audio, sample_rate=8000), "8000 Hz"), (replace(audio, channels=2), "2 channels")):
        with pytest.raises(BundleError, match=words):
            read_bed(tiny_bundle.file("bed.wav"), other)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no sound at all" * 100])
def test_a_bed_that_is_no_sound_is_refused_in_one_sentence(tmp_path: Path, content: bytes):
    path = tmp_path / "bed.wav"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"bed.*cannot be read"):
        read_bed(path, AUDIO)
    with pytest.raises(BundleError, match=r"bed.*cannot be read"):
        read_bed(tmp_path / "none.wav", AUDIO)


@pytest.mark.parametrize("samples", [np.zeros((100, 1)), np.zeros((0, 1)), np.full((100, 1), np.nan)])
def test_a_silent_bed_is_refused(tmp_path: Path, samples: np.ndarray):
    soundfile.write(tmp_path / "bed.wav", samples, RATE, "FLOAT")
    with pytest.raises(BundleError, match="silent"):
        read_bed(tmp_path / "bed.wav", AUDIO)
    soundfile.write(tmp_path / "bed.wav", np.ones((100, 2)), RATE)
    with pytest.raises(BundleError, match="2 channels"):
        read_bed(tmp_path / "bed.wav", AUDIO)

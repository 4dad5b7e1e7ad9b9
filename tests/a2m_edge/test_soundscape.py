"""The stream that a host plays: chunks, steering, memory."""

from __future__ import annotations

import tracemalloc
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from a2m_edge.bundle import Bundle
from a2m_edge.errors import CommentError, OptionError
from a2m_edge.perception.encoders import Encoders
from a2m_edge.soundscape import Soundscape

SLOPE = np.broadcast_to(np.linspace(0, 255, 120)[None, :, None] * [1.0, 0.6, 0.2], (90, 120, 3)).astype(np.uint8)
PICTURE = np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)
OTHER = np.zeros((200, 60, 3), np.uint8)


def start(bundle: Bundle, seed: int = 0) -> Soundscape:
    soundscape = Soundscape(bundle, seed=seed, device="cpu", threads=1)
    soundscape.see(PICTURE)
    soundscape.hear("The waves make me feel at peace")
    return soundscape


def sound(bundle: Bundle, frames: int, chunk_frames: int) -> NDArray[np.float32]:
    chunks = list(start(bundle).chunks(frames, chunk_frames))
    return np.concatenate([chunk.samples for chunk in chunks]) if chunks else np.zeros(0, np.float32)


@pytest.mark.parametrize("chunk", [1, 7, 32, 100])
def test_chunk_lengths_add_up_exactly(tiny_bundle: Bundle, chunk: int) -> None:
    hop = tiny_bundle.manifest.audio.hop
    for frames in (0, 1, chunk - 1, chunk, chunk + 1):
        chunks = list(start(tiny_bundle).chunks(frames, chunk))
        assert sum(len(one.samples) for one in chunks) == frames * hop
        assert [one.first_frame for one in chunks] == list(range(0, frames, chunk))
        assert all(len(one.samples) == one.frames * hop for one in chunks)


@settings(deadline=None, max_examples=12)
@given(st.integers(1, 130))
def test_a_chunked_render_equals_a_whole_one(tiny_bundle: Bundle, chunk: int) -> None:
    whole, chunked = sound(tiny_bundle, 260, 260), sound(tiny_bundle, 260, chunk)
    assert np.abs(whole - chunked).max() <= 1e-4  # measured: 1e-6 and below
    assert np.abs(whole).max() > 1e-3


def test_the_beginning_of_a_stream_does_not_depend_on_its_length(tiny_bundle: Bundle) -> None:
    short, long = sound(tiny_bundle, 50, 50), sound(tiny_bundle, 300, 300)
    assert np.abs(short - long[: len(short)]).max() <= 1e-4


@pytest.mark.parametrize("chunk", [1, 2, 5, 32, 120])
def test_a_stream_begins_the_same_whatever_its_first_chunk(tiny_bundle: Bundle, chunk: int) -> None:
    first = next(start(tiny_bundle).chunks(200, chunk)).samples
    assert len(first) == chunk * tiny_bundle.manifest.audio.hop
    assert np.abs(first - sound(tiny_bundle, 200, 200)[: len(first)]).max() <= 1e-4  # measured: 1e-6 and below


def test_the_same_request_gives_the_same_samples_and_another_seed_others(tiny_bundle: Bundle) -> None:
    def once(seed: int) -> NDArray[np.float32]:
        return np.concatenate([chunk.samples for chunk in start(tiny_bundle, seed).chunks(400)])

    np.testing.assert_array_equal(once(1), once(1))
    assert np.abs(once(1) - once(2)).max() > 1e-3


def test_steering_bends_the_sound_from_the_next_chunk_on(tiny_bundle: Bundle) -> None:
    steered, straight = start(tiny_bundle), start(tiny_bundle)
    before, unbent = (next(stream.chunks(64)).samples for stream in (steered, straight))
    np.testing.assert_array_equal(before, unbent)
    played = len(steered.score.beats)
    past = list(steered.score.beats)
    steered.hear("Terror! The storm will drown them all")
    after = [np.concatenate([one.samples for one in stream.chunks(96)]) for stream in (steered, straight)]
    assert np.abs(after[0] - after[1]).max() > 1e-4
    assert steered.score.beats[:played] == past
    assert np.isfinite(after[0]).all()


@pytest.mark.parametrize("frames", [1, 8, 20, 33])
def test_a_change_is_heard_in_the_very_next_chunk_and_not_before(tiny_bundle: Bundle, frames: int) -> None:
    steered, straight = start(tiny_bundle), start(tiny_bundle)
    streams = [stream.chunks(chunk_frames=frames) for stream in (steered, straight)]
    for _ in range(7):
        before, unbent = (next(stream).samples for stream in streams)
        np.testing.assert_array_equal(before, unbent)
    steered.hear("Terror! The storm will drown them all")
    after, unbent = (np.concatenate([next(stream).samples for _ in range(-(-8 // frames))]) for stream in streams)
    assert np.abs(after - unbent).max() > 1e-3  # measured after 8 frames: 0.1


def test_to_perceive_the_same_again_changes_hardly_anything(tiny_bundle: Bundle) -> None:
    """The frames ahead are decoded anew, in windows that lie elsewhere: the notes and their places stay."""
    again, straight = start(tiny_bundle), start(tiny_bundle)
    streams = [stream.chunks(chunk_frames=8) for stream in (again, straight)]
    sounds = []
    for turn in range(30):
        if turn % 4 == 3:
            again.see(PICTURE)
        sounds.append([next(stream).samples for stream in streams])
    repeated, whole = np.concatenate(sounds, axis=1)
    assert 10 * np.log10(np.mean((repeated - whole) ** 2) / np.mean(whole**2)) < -20  # measured: -30; trained: -34
    assert again.score.beats == straight.score.beats


def test_a_new_picture_brings_its_own_theme(tiny_bundle: Bundle) -> None:
    soundscape = start(tiny_bundle)
    list(soundscape.chunks(64))
    theme = soundscape.theme
    soundscape.see(OTHER)
    assert soundscape.theme != theme
    assert soundscape.theme == _fresh(tiny_bundle, OTHER).theme
    soundscape.hear("another word changes no theme")
    assert soundscape.theme == _fresh(tiny_bundle, OTHER).theme


def test_a_work_that_returns_in_another_light_is_the_same_work(tiny_bundle: Bundle) -> None:
    encoders = Encoders(tiny_bundle, "cpu")
    work, dimmed, another = SLOPE, (SLOPE[1:, 2:] * 0.95).astype(np.uint8), 255 - SLOPE
    near, far = (1 - float(encoders.image(work) @ encoders.image(one)) for one in (dimmed, another))
    distance = (near + far) / 2
    assert 0 < near < distance, "in the tiny bundle too two lights are nearer than two works"
    soundscape = _fresh(tiny_bundle, work)
    first, theme = soundscape.perception, soundscape.theme
    assert soundscape.see_another(dimmed, distance) is None
    assert soundscape.see_another(another, distance) is not None
    assert soundscape.theme != theme
    again = soundscape.see_another(dimmed, distance)
    assert again is not None
    assert again.feeling.valence == first.feeling.valence
    assert soundscape.theme == theme
    other = _fresh(tiny_bundle, dimmed)
    assert other.perception.feeling.valence != first.feeling.valence, "by itself it would be felt a little differently"


def _fresh(bundle: Bundle, picture: NDArray[np.uint8]) -> Soundscape:
    soundscape = Soundscape(bundle, device="cpu", threads=1)
    soundscape.see(picture)
    return soundscape


def test_a_comment_that_is_not_understood_leaves_the_picture_in_charge(tiny_bundle: Bundle) -> None:
    alone, asked = (Soundscape(tiny_bundle, device="cpu", threads=1) for _ in range(2))
    fused = alone.see(PICTURE).fused
    asked.see(PICTURE)
    assert asked.understands
    for comment in ("我很难过。", "Мне грустно", "أنا حزين جدا"):
        np.testing.assert_array_equal(asked.hear(comment).fused, fused)
        assert not asked.understands
    one, other = (np.concatenate([chunk.samples for chunk in each.chunks(64)]) for each in (alone, asked))
    np.testing.assert_array_equal(one, other)
    # What is understood is felt again; what is not takes its place as if nobody spoke.
    assert not np.allclose(asked.hear("The waves make me feel at peace").fused, fused)
    assert asked.understands
    np.testing.assert_array_equal(asked.hear("我很难过。").fused, fused)
    np.testing.assert_array_equal(asked.hear(None).fused, fused)
    assert asked.understands


def test_picture_alone_and_comment_alone_both_play(tiny_bundle: Bundle) -> None:
    seen, heard = (Soundscape(tiny_bundle, device="cpu", threads=1) for _ in range(2))
    seen.see(PICTURE)
    heard.hear("calm")
    for soundscape in (seen, heard):
        samples = next(soundscape.chunks(40, 40)).samples
        assert np.isfinite(samples).all() and np.abs(samples).max() > 1e-3


def test_nothing_plays_before_anything_was_seen_or_heard(tiny_bundle: Bundle) -> None:
    soundscape = Soundscape(tiny_bundle, device="cpu", threads=1)
    with pytest.raises(OptionError, match="picture"):
        soundscape.chunks(10)
    soundscape.hear("calm")
    with pytest.raises(OptionError, match="must remain"):
        soundscape.hear(None)
    assert next(soundscape.chunks(8)).frames == 8, "a refused wish leaves the stream as it was"


@pytest.mark.parametrize("comment", ["", "   ", "\x00\x07"])
def test_a_comment_that_says_nothing_is_refused(tiny_bundle: Bundle, comment: str) -> None:
    soundscape = start(tiny_bundle)
    with pytest.raises(CommentError):
        soundscape.hear(comment)
    assert next(soundscape.chunks(8)).frames == 8


@pytest.mark.parametrize(("frames", "chunk"), [(-1, 32), (10, 0), (None, -5)])
def test_impossible_lengths_are_refused(tiny_bundle: Bundle, frames: int | None, chunk: int) -> None:
    with pytest.raises(OptionError):
        start(tiny_bundle).chunks(frames, chunk)


def test_a_negative_seed_is_refused(tiny_bundle: Bundle) -> None:
    with pytest.raises(OptionError, match="seed"):
        Soundscape(tiny_bundle, seed=-1)


def test_an_endless_stream_keeps_only_what_it_was_told_to_keep(tiny_bundle: Bundle) -> None:
    soundscape = Soundscape(tiny_bundle, device="cpu", threads=1, score_seconds=5.0)
    soundscape.see(PICTURE)
    for _ in islice(soundscape.chunks(chunk_frames=64), 40):
        pass
    beats = soundscape.score.beats
    assert beats[-1].start - beats[0].start <= 5.0 + beats[0].seconds
    assert beats[0].bar > 0


class TestClips:
    """A bundle whose decoder gives clips of 64 frames, of which 32 fade into the next."""

    @settings(deadline=None, max_examples=20)
    @given(st.lists(st.tuples(st.integers(0, 150), st.integers(1, 90)), max_size=4))
    def test_lengths_add_up_exactly(self, clip_bundle: Bundle, wishes: list[tuple[int, int]]) -> None:
        soundscape, hop, first = start(clip_bundle), clip_bundle.manifest.audio.hop, 0
        for frames, chunk in wishes:
            chunks = list(soundscape.chunks(frames, chunk))
            assert sum(len(one.samples) for one in chunks) == frames * hop
            assert [one.first_frame for one in chunks] == list(range(first, first + frames, chunk))
            first += frames

    @settings(deadline=None, max_examples=12)
    @given(st.integers(1, 150))
    def test_a_chunked_render_equals_a_whole_one(self, clip_bundle: Bundle, chunk: int) -> None:
        whole, chunked = sound(clip_bundle, 260, 260), sound(clip_bundle, 260, chunk)
        assert np.abs(whole - chunked).max() <= 1e-4  # measured: 7e-7 and below
        assert np.abs(whole).max() > 1e-3

    def test_seams_neither_click_nor_jump(self, clip_bundle: Bundle) -> None:
        """Beside the sound of the first clip before its seam; cut hard, its level would jump by 1.3 dB and more."""
        samples = sound(clip_bundle, 320, 320)
        hop = clip_bundle.manifest.audio.hop
        levels = 10 * np.log10((samples.reshape(-1, hop) ** 2).mean(1))
        jumps, steps = np.abs(np.diff(levels))[1:], np.abs(np.diff(samples, axis=0))
        assert jumps[30:].max() <= jumps[:29].max()
        assert steps[32 * hop :].max() <= steps[hop : 31 * hop].max()

    def test_a_comment_is_heard_after_the_context_and_alone_after_the_overlap(self, clip_bundle: Bundle) -> None:
        left, right = clip_bundle.manifest.vocoder.left, clip_bundle.manifest.vocoder.right
        straight, bent, otherwise = (start(clip_bundle) for _ in range(3))
        otherwise.hear("I weep, she is gone")
        before = [play(stream, 70) for stream in (straight, bent, otherwise)]
        np.testing.assert_array_equal(before[0], before[1])
        for stream in (bent, otherwise):
            stream.hear("Terror! The storm will drown them all")
        unbent, after, alike = (play(stream, 120).reshape(120, -1) for stream in (straight, bent, otherwise))
        assert np.abs(after - unbent)[: right + 16].max() > 1e-2, "half-way through the overlap it is heard"
        assert np.abs(after - alike)[: right + 16].max() > 1e-2
        assert np.abs(after - alike)[right + 32 + left :].max() <= 1e-4  # measured: 0

    def test_the_level_stays_between_the_two_while_one_fades_into_the_other(self, clip_bundle: Bundle) -> None:
        streams = [start(clip_bundle) for _ in range(3)]
        streams[2].hear("Terror! The storm will drown them all")
        for stream in streams:
            play(stream, 40)
        streams[1].hear("Terror! The storm will drown them all")
        old, bent, new = (
            10 * np.log10((play(stream, 80).reshape(-1, clip_bundle.manifest.audio.hop) ** 2).mean(1))
            for stream in streams
        )
        # Measured: at most 0.5 dB outside; the vocoder is not linear.
        assert (bent <= np.maximum(old, new) + 1.5).all()
        assert (bent >= np.minimum(old, new) - 1.5).all()

    def test_it_plays_no_score_whatever_the_seed(self, clip_bundle: Bundle) -> None:
        streams = [start(clip_bundle, seed) for seed in (0, 1)]
        np.testing.assert_array_equal(play(streams[0], 200), play(streams[1], 200))
        for stream in streams:
            assert stream.score.beats == []
            assert stream.theme is None
            assert stream.casting is None

    def test_an_endless_stream_needs_no_more_and_more_memory(self, clip_bundle: Bundle) -> None:
        soundscape = start(clip_bundle)
        chunks = soundscape.chunks()
        tracemalloc.start()
        try:
            held = []
            for _ in range(3):
                for _ in islice(chunks, 20):
                    pass
                held.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
        assert held[2] - held[1] < 50_000  # the mel of 640 frames alone would be 205,000 bytes


def play(soundscape: Soundscape, frames: int, chunk: int = 16) -> NDArray[np.float32]:
    return np.concatenate([one.samples for one in soundscape.chunks(frames, chunk)])


@pytest.mark.parametrize("name", ["tiny_bundle", "clip_bundle"])
def test_the_same_models_play_anew_as_if_nothing_had_been(name, request):
    bundle = request.getfixturevalue(name)
    picture = np.random.default_rng(3).integers(0, 256, (40, 50, 3), dtype=np.uint8)

    def sound(soundscape):
        soundscape.see(picture)
        return np.concatenate([chunk.samples for chunk in soundscape.chunks(150)])

    used = Soundscape(bundle, seed=1, device="cpu", threads=1)
    used.hear("a storm of rage")
    list(used.chunks(100))
    again = used.again(5)
    with pytest.raises(OptionError, match="nothing to feel yet"):
        _ = again.perception
    played = used.score.seconds
    assert np.array_equal(sound(again), sound(Soundscape(bundle, seed=5, device="cpu", threads=1)))
    assert used.score.seconds == played, "the first soundscape is left alone"
    with pytest.raises(OptionError, match="seed"):
        used.again(-1)


def test_an_artwork_has_its_own_players_whatever_the_seed(tiny_bundle):
    soundscape = Soundscape(tiny_bundle, device="cpu", threads=1)
    castings = []
    for number in range(6):
        picture = np.random.default_rng(number).integers(0, 256, (40, 60, 3), dtype=np.uint8)
        pair = []
        for seed in (0, 1):
            again = soundscape.again(seed)
            again.see(picture)
            pair.append(again.casting)
        assert pair[0] == pair[1]
        castings.append(pair[0])
    assert len(set(castings)) > 1

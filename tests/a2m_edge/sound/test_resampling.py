"""Resampling: pure, and the same however it is cut into portions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from a2m_edge.sound.resampling import Resampler, resample

RATES = st.sampled_from([(22050, 44100), (22050, 48000), (48000, 44100), (48000, 16000), (22050, 44099)])


class Source:
    """Noise without end, the same each time."""

    def __init__(self, channels):
        self._generator = np.random.default_rng(0)
        self._channels = channels
        self.taken = 0

    def __call__(self, count):
        self.taken += count
        return self._generator.normal(0, 0.3, (count, self._channels)).astype(np.float32)


@settings(deadline=None, max_examples=50)
@given(RATES, st.sampled_from([1, 2]), st.lists(st.integers(0, 500), min_size=1, max_size=12))
def test_a_stream_does_not_depend_on_the_portions(rates, channels, counts):
    source_rate, target_rate = rates
    expected = Resampler(source_rate, target_rate, channels, Source(channels)).take(sum(counts))
    parts = Resampler(source_rate, target_rate, channels, Source(channels))
    pieces = [parts.take(count) for count in counts]
    assert [piece is not None and piece.shape for piece in pieces] == [(count, channels) for count in counts]
    np.testing.assert_array_equal(np.concatenate([piece for piece in pieces if piece is not None]), expected)


@pytest.mark.parametrize("rates", [(22050, 48000), (48000, 44100), (44100, 48000)])
def test_a_stream_is_no_more_than_a_twentieth_of_a_second_ahead_of_what_was_asked_for(rates):
    source = Source(2)
    stream = Resampler(rates[0], rates[1], 2, source)
    ahead = []
    for number in range(1, 200):
        stream.take(rates[1] // 100)
        ahead.append(source.taken / rates[0] - number / 100)
    assert min(ahead) >= 0 and max(ahead) <= 0.055  # measured: 0.045 at most


def test_a_source_that_has_nothing_gives_nothing_and_goes_on_where_it_stopped():
    source, silent = Source(2), [False]
    stream = Resampler(22050, 48000, 2, lambda count: None if silent[0] else source(count))
    begin = stream.take(500)
    silent[0] = True
    assert stream.take(48000) is None
    silent[0] = False
    expected = Resampler(22050, 48000, 2, Source(2)).take(5000)
    np.testing.assert_array_equal(np.concatenate([begin, stream.take(4500)]), expected)


@pytest.mark.parametrize(("source", "target"), [(22050, 48000), (22050, 44100), (48000, 16000), (22050, 44099)])
def test_resampled_tones_stay_pure_and_in_their_channel(source, target):
    for hertz in (50.0, 1000.0, 0.42 * min(source, target)):
        times = np.arange(3 * source) / source
        sound = np.stack([np.sin(2 * np.pi * hertz * times), np.zeros(3 * source)], 1).astype(np.float32)
        left, right = resample(sound, source, target)[target : 2 * target].T
        places = np.arange(target) / target
        tones = np.stack([np.sin(2 * np.pi * hertz * places), np.cos(2 * np.pi * hertz * places)], 1)
        weights = np.linalg.lstsq(tones, left, rcond=None)[0]
        assert np.hypot(*weights) == pytest.approx(1.0, abs=0.001)
        assert 20 * np.log10(np.std(left - tones @ weights) / np.std(left)) < -100
        assert not right.any()


@pytest.mark.parametrize("rates", [(22050, 24000), (22050, 48000), (44100, 48000), (48000, 24000), (22050, 22050)])
def test_a_whole_sound_keeps_its_place_and_its_length(rates):
    source, target = rates
    for length in (0, 1, 100, source // 2 + 1):
        assert resample(np.zeros((length, 2), np.float32), *rates).shape == (round(length * target / source), 2)
    seconds = np.arange(source) / source
    tone = np.sin(2 * np.pi * 997 * seconds).astype(np.float32)[:, None]
    expected = np.sin(2 * np.pi * 997 * np.arange(target) / target)
    inner = slice(target // 50, -target // 50)
    np.testing.assert_allclose(resample(tone, source, target)[inner, 0], expected[inner], atol=2e-5)

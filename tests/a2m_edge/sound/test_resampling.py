"""Resampling: pure, and the same however it is cut into blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from a2m_edge.sound.resampling import Resampler, resample

RATES = st.sampled_from([(22050, 44100), (22050, 48000), (24000, 16000), (44100, 22050), (22050, 44099)])


@settings(deadline=None)
@given(RATES, st.lists(st.integers(0, 500), min_size=1, max_size=12))
def test_resampling_does_not_depend_on_the_blocks(rates, counts):
    whole, parts = Resampler(*rates), Resampler(*rates)
    source = np.random.default_rng(0).normal(0, 0.3, whole.needed(sum(counts))).astype(np.float32)
    expected = whole.convert(source, sum(counts))
    position, pieces = 0, []
    for count in counts:
        needed = parts.needed(count)
        pieces.append(parts.convert(source[position : position + needed], count))
        position += needed
    assert position == len(source)
    np.testing.assert_allclose(np.concatenate(pieces), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("source", "target", "decibels"),
    # measured: -95, -92, -108, -68 (the nearest of 2,048 phases)
    [(22050, 48000, -85), (22050, 44100, -85), (24000, 16000, -85), (22050, 44099, -60)],
)
def test_resampled_tones_stay_pure(source, target, decibels):
    for hertz in (50.0, 1000.0, 0.42 * min(source, target)):
        resampler = Resampler(source, target)
        seconds = np.arange(resampler.needed(target)) / source
        got = resampler.convert(np.sin(2 * np.pi * hertz * seconds).astype(np.float32), target)[1000:]
        times = np.arange(len(got)) / target
        tones = np.stack([np.sin(2 * np.pi * hertz * times), np.cos(2 * np.pi * hertz * times)], 1)
        weights = np.linalg.lstsq(tones, got, rcond=None)[0]
        assert np.hypot(*weights) == pytest.approx(1.0, abs=0.02)
        assert 20 * np.log10(np.std(got - tones @ weights) / np.std(got)) < decibels


@pytest.mark.parametrize("rates", [(22050, 24000), (22050, 48000), (44100, 48000), (48000, 24000), (22050, 22050)])
def test_a_whole_sound_keeps_its_place_and_its_length(rates):
    source, target = rates
    for length in (0, 1, 100, source // 2 + 1):
        assert resample(np.zeros(length, np.float32), source, target).shape == (round(length * target / source),)
    seconds = np.arange(source) / source
    tone = np.sin(2 * np.pi * 997 * seconds).astype(np.float32)
    expected = np.sin(2 * np.pi * 997 * np.arange(target) / target)
    inner = slice(target // 100, -target // 100)
    # Measured: 7e-5 at most. Allowed: 2e-4, 74 dB below the sound.
    np.testing.assert_allclose(resample(tone, source, target)[inner], expected[inner], atol=2e-4)

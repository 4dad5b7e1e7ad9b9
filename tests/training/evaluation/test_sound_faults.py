"""Faults are found in sounds that have them, and not in those that have none."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.listening.sound_faults import find_faults

RATE, FRAMES = 22050, 22050 / 256


def chord(seconds: float = 6.0) -> np.ndarray:
    """Three fading tones, and a little noise."""
    time = np.arange(round(seconds * RATE)) / RATE
    tones = sum(np.sin(2 * np.pi * pitch * time) * np.exp(-time / 4) for pitch in (220.0, 277.2, 331.1))
    return (0.1 * tones + 1e-3 * np.random.default_rng(0).standard_normal(len(time))).astype(np.float32)[:, None]


def test_a_clean_sound_has_no_faults() -> None:
    faults = find_faults(chord(), RATE, FRAMES)
    assert faults.clicks == 0
    assert faults.longest_silence == 0
    assert abs(faults.buzz) < 1.5
    assert 300 < faults.roll_off < 400
    assert -25 < faults.level < -15


def test_clicks_are_counted() -> None:
    sound = chord()
    sound[[20_000, 60_000, 100_000]] += 0.3
    assert find_faults(sound, RATE, FRAMES).clicks == pytest.approx(30, abs=0.1), "three in six seconds"


def test_a_hole_is_measured() -> None:
    sound = chord()
    sound[RATE : RATE + RATE // 2] = 0
    assert find_faults(sound, RATE, FRAMES).longest_silence == pytest.approx(0.5, abs=0.05)


def test_buzz_at_the_frame_rate_stands_out_and_at_another_rate_does_not() -> None:
    sound = chord()
    time = np.arange(len(sound)) / RATE
    for rate, least, most in ((FRAMES, 10, 60), (FRAMES * 1.07, -2, 2)):
        buzz = np.sin(2 * np.pi * rate * np.arange(12, 90) * time[:, None]).sum(1, keepdims=True)
        found = find_faults((sound + 5e-4 * buzz).astype(np.float32), RATE, FRAMES)
        assert least < found.buzz < most


def test_what_cannot_be_measured_is_refused() -> None:
    for sound in (np.zeros((3 * RATE, 2), np.float32), chord(1.0)):
        with pytest.raises(ValueError, match="two seconds"):
            find_faults(sound, RATE, FRAMES)

"""Whether a long sound returns to itself."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.composer.returns import returns


def test_a_repetition_is_found_wherever_it_begins() -> None:
    sound = np.random.default_rng(0).standard_normal((8, 600)).astype(np.float32)
    assert returns(sound, 50, 50).max() < 0.3
    sound[:, 437:487] = sound[:, 100:150]
    found = returns(sound, 50, 50)
    assert found[2] > 0.99
    assert (found[:2] < 0.3).all()


def test_two_passages_are_needed() -> None:
    with pytest.raises(ValueError, match="no two passages"):
        returns(np.zeros((8, 99), np.float32), 50, 50)

"""Shimmer: what a decoder cannot foretell moves as far as it says, the same in every cut of a stream."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from a2m_edge.synthesis.shimmer import LARGEST, normal_frames, shimmering
from training.losses import shimmer_loss


@settings(max_examples=40, deadline=None)
@given(first=some.integers(0, 10**6), cut=some.integers(1, 39), seed=some.integers(0, 2**63))
def test_pieces_joined_together_equal_the_whole(first: int, cut: int, seed: int) -> None:
    mel, shimmer = np.zeros((80, 40), np.float32), np.ones((80, 40), np.float32)
    whole = shimmering(mel, shimmer, first, seed)
    pieces = [
        shimmering(mel[:, :cut], shimmer[:, :cut], first, seed),
        shimmering(mel[:, cut:], shimmer[:, cut:], first + cut, seed),
    ]
    np.testing.assert_allclose(np.concatenate(pieces, 1), whole, atol=1e-6)


def test_it_moves_as_far_as_it_is_told_and_no_farther() -> None:
    mel, told = np.full((80, 5000), -4.0, np.float32), np.linspace(0, 1, 80, dtype=np.float32)
    moved = shimmering(mel, told[:, None] * np.ones_like(mel), 0, 1) - mel
    np.testing.assert_array_equal(moved[0], 0)
    np.testing.assert_allclose(moved.std(1), told, atol=0.06)
    assert np.abs(moved).max() <= LARGEST + 1e-3
    assert np.corrcoef(moved[40, :-1], moved[40, 1:])[0, 1] > 0.5
    assert 0.2 < np.corrcoef(moved[40], moved[41])[0, 1] < 0.6
    assert abs(np.corrcoef(moved[40, :-8], moved[40, 8:])[0, 1]) < 0.1


def test_every_seed_moves_in_its_own_way() -> None:
    mel = np.zeros((80, 500), np.float32)
    one, other = (shimmering(mel, np.ones_like(mel), 0, seed) for seed in (1, 2))
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.03


def test_the_numbers_behind_it_are_normal() -> None:
    drawn = normal_frames(0, 0, 5000, 80)
    assert np.isfinite(drawn).all()
    assert abs(float(drawn.mean())) < 0.01
    assert float(drawn.std()) == pytest.approx(1, abs=0.01)
    assert float((np.abs(drawn) > 1.96).mean()) == pytest.approx(0.05, abs=0.003)


def test_the_loss_is_least_where_the_shimmer_is_that_of_the_quick_error() -> None:
    generator = torch.Generator().manual_seed(0)
    slow = torch.linspace(0, 2, 400).expand(1, 80, 400)  # an error of the mel itself, no shimmer
    target = slow + 0.3 * torch.randn(1, 80, 400, generator=generator)
    losses = {told: shimmer_loss(torch.full_like(target, told), torch.zeros_like(target), target).item() for told in
              (0.1, 0.2, 0.28, 0.4, 0.8)}  # fmt: skip
    assert min(losses, key=losses.__getitem__) == 0.28

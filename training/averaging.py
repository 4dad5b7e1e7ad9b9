"""An exponential moving average of weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """Follows the trainable weights of models: ``average = d * average + (1 - d) * weights`` after every step.

    Averages of the weights a training goes through lie nearer to the optimum than its last ones (Polyak & Juditsky
    1992). The decay of the update after step n (from 0) is ``d = min(decay, (1 + n) / (10 + n))``, as in TensorFlow's
    ``ExponentialMovingAverage``, so that the random weights of the start are soon forgotten.

    Args:
        models: those of their parameters that are trainable now are followed; buffers are not.
        decay: at most; in [0, 1), and 0 switches the average off.
    """

    def __init__(self, models: Iterable[nn.Module], decay: float) -> None:
        trained = (parameter for model in models for parameter in model.parameters() if parameter.requires_grad)
        self._decay = decay
        # A model may be part of another.
        self._weights = list(dict.fromkeys(trained)) if decay else []
        self.averages = [weight.detach().clone() for weight in self._weights]

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Told after each step its number, from 0."""
        decay = min(self._decay, (1 + step) / (10 + step))
        for average, weight in zip(self.averages, self._weights, strict=True):
            average.lerp_(weight, 1.0 - decay)

    @torch.no_grad()
    def load(self, averages: list[Tensor]) -> None:
        """Takes what ``averages`` was.

        Raises:
            ValueError: these are averages of other weights.
        """
        for average, kept in zip(self.averages, averages, strict=True):
            average.copy_(kept)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Inside the block the models have the averages for weights."""
        self.swap()
        try:
            yield
        finally:
            self.swap()

    @torch.no_grad()
    def swap(self) -> None:
        """Exchanges weights and averages, in place: an LSTM on a GPU wants its weights where they are."""
        for average, weight in zip(self.averages, self._weights, strict=True):
            kept = weight.clone()
            weight.copy_(average)
            average.copy_(kept)

"""The projection of an image tower: pictures beside what is felt before them, and each work apart from the others.

Few pictures have utterances, so the projection is not learned in steps but computed. Most directions of an embedding of
texts hold what is said; in some texts hardly differ. What is felt before a picture is the ridge regression of its
utterances' mean embedding on its features, in the former. Alone it would put all works of one mood into one place, and
an exhibit could not tell whether another work hangs before it: so the latter hold what is shown, as the whitened
principal components of the features. And texts have many sides; valence and arousal are two that are lost among
them: each has one of the latter directions to itself, with a regression of its own. No part disturbs another, and texts
are compared with what is felt alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from a2m_edge.errors import OptionError
from a2m_edge.output import written_aside
from training.data.tables.feelings import Picture, Squares
from training.data.tables.stored_arrays import stored_arrays
from training.models.encoder_model import EncoderModel
from training.precision import half_precision

RIDGE = 30_000.0
"""Of the regression: the best of 1e4, 3e4 and 1e5 on held-out pictures. Features are standardised, so it is how many
pictures the regression doubts."""

SHOWN_DIRECTIONS = 1 / 3
"""Share of an embedding's directions that hold what is shown. A third, where texts differ least, holds 2 % of the
variance of utterances."""

SHOWN_SHARE, MOOD_SHARE = 0.8, 0.08
"""Shares of a picture's embedding, in squared length, that tell what is shown, and valence and arousal. What was said
has the rest; a fusion learns each part at its own length, but works are known again by what is shown."""


@dataclass(frozen=True)
class Mood:
    """One side of what people feel before pictures, as far as it is known.

    Attributes:
        rows: of the pictures, [n].
        feeling: how they were felt, float32 [n].
        weight: how much each counts, float32 [n], above 0.
    """

    rows: Sequence[int]
    feeling: Tensor
    weight: Tensor


class PictureProjection:
    """The last layer of an image tower, on features that are computed once: the trunk below stays as it is.

    Args:
        model: its image tower is a trunk and a head (timm).
        device: where to compute.

    Attributes:
        head: the layer, in the model.

    Raises:
        OptionError: the tower has no head of its own.
    """

    def __init__(self, model: EncoderModel, device: torch.device) -> None:
        visual = cast(Any, model.clip).visual
        if not (hasattr(visual, "trunk") and isinstance(getattr(visual, "head", None), nn.Module)):
            raise OptionError(
                f"the image tower of {model.config['name']} has no projection of its own that could be tuned: "
                "tune its text tower alone with 0 pictures in a step"
            )
        self.head: nn.Module = visual.head
        self._trunk: Any = visual.trunk
        # What a trunk sees is computed once, its moments may be set afterwards.
        self._standard: nn.Module = getattr(self._trunk, "standard", nn.Identity())
        self._preprocessing, self._device = model.image_preprocessing, device
        self._features = torch.zeros(0, 0)

    def look(self, collections: Sequence[tuple[Squares, Sequence[Picture]]], file: Path | None = None) -> None:
        """Sees all pictures of some collections; the rows of ``__call__`` are theirs, in this order.

        Args:
            collections: archives and the pictures that are taken from them.
            file: keeps what was seen, between runs; None sees anew each time, as do other pictures or another trunk.

        Raises:
            DataError: a picture or the file cannot be read.
        """
        known = self._known(collections)
        self._features = torch.from_numpy(_kept(file, known, lambda: self._seen(collections)))

    def features(self, rows: Sequence[int] | NDArray[np.int64]) -> Tensor:
        """What the trunk saw in these rows, not yet standardised where it does that: float32 [len(rows), features]."""
        return self._features[list(rows)].to(self._device)

    def standardised(self, rows: Sequence[int] | NDArray[np.int64]) -> Tensor:
        """What the trunk gives of the pictures in these rows: float32 [len(rows), features]."""
        given: Tensor = self._standard(self.features(rows))
        return given

    def __call__(self, rows: Sequence[int]) -> Tensor:
        """Embeddings of the pictures in these rows: float32 [len(rows), D], of length 1."""
        return F.normalize(self.head(self.standardised(rows)), dim=-1)

    @torch.no_grad()
    def align(
        self, rows: Sequence[int], said: Tensor, texts: Tensor, works: Sequence[int], moods: Sequence[Mood]
    ) -> None:
        """Computes the layer anew.

        Args:
            rows: of pictures of which something was said.
            said: float32 [len(rows), D], the mean embedding of what was said of each.
            texts: float32 [n, D], embeddings of many texts: they tell in which directions texts hardly differ.
            works: rows of pictures, with and without words: what is shown is told apart among them.
            moods: sides of a feeling, each of which gets a direction of its own.

        Raises:
            OptionError: there are no ``rows``, or the head is not one linear layer.
        """
        linear = [module for module in self.head.modules() if isinstance(module, nn.Linear)]
        if len(linear) != 1 or not len(rows):
            raise OptionError(
                "the projection of the pictures cannot be aligned: it must be one linear layer, and some pictures "
                "of the training split must have utterances"
            )
        known = self.features(works)
        if isinstance(self._standard, nn.BatchNorm1d):
            cast(Tensor, self._standard.running_mean).copy_(known.mean(0))
            cast(Tensor, self._standard.running_var).copy_(known.var(0))
        known = self._standard(known)
        seen = self.standardised(rows)
        size = said.shape[1]
        directions = _quiet_directions(texts, round(SHOWN_DIRECTIONS * size))
        felt, middle = regression(seen, said)
        felt -= felt @ directions @ directions.T
        feeling = torch.cat([self._side(mood) for mood in moods], 1)
        feeling /= ((known - middle) @ feeling).std(0)
        sides, directions = directions[:, : len(moods)], directions[:, len(moods) :]
        components = _whitening(known, directions.shape[1])
        shown = components @ directions[:, : components.shape[1]].T
        weight = torch.zeros_like(felt)
        shares = (felt, 1 - SHOWN_SHARE - MOOD_SHARE), (shown, SHOWN_SHARE), (feeling @ sides.T, MOOD_SHARE)
        for part, share in shares:
            spread = ((known - middle) @ part).square().sum(1).mean().sqrt()
            weight += share**0.5 * part / spread
        linear[0].weight.copy_(weight.T)
        if linear[0].bias is not None:
            linear[0].bias.copy_(-(middle @ weight))

    def _side(self, mood: Mood) -> Tensor:
        """The regression of one side of a feeling on what is seen: float32 [features, 1]."""
        return regression(self.standardised(mood.rows), mood.feeling[:, None], weight=mood.weight)[0]

    def _known(self, collections: Sequence[tuple[Squares, Sequence[Picture]]]) -> str:
        """SHA-256 of all that the features depend on."""
        known = hashlib.sha256(repr(self._preprocessing).encode())
        for name, weight in self._trunk.state_dict().items():
            if not name.startswith("standard."):
                known.update(weight.cpu().numpy().tobytes())
        for archive, pictures in collections:
            known.update(
                repr([(picture.file, picture.box, archive.checksum(picture)) for picture in pictures]).encode()
            )
        return known.hexdigest()

    @torch.no_grad()
    def _seen(self, collections: Sequence[tuple[Squares, Sequence[Picture]]], batch: int = 32) -> NDArray[np.float32]:
        """What the trunk sees, not yet standardised where it does that: float32 [n, features]."""
        see = getattr(self._trunk, "pooled", self._trunk)
        mean, std = (
            torch.tensor(side).view(1, 3, 1, 1) for side in (self._preprocessing.mean, self._preprocessing.std)
        )
        found = []
        for archive, pictures in collections:
            for first in range(0, len(pictures), batch):
                squares = np.stack([archive.square(picture) for picture in pictures[first : first + batch]])
                pixels = (torch.from_numpy(squares).permute(0, 3, 1, 2).float() / 255 - mean) / std
                with half_precision(self._device):
                    seen = see(pixels.to(self._device, memory_format=torch.channels_last))
                found.append(seen.float().cpu().numpy())
        return np.concatenate(found)


def regression(seen: Tensor, said: Tensor, ridge: float = RIDGE, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The ridge regression of what was said of pictures on what is seen in them, both about their means.

    Args:
        seen: float32 [n, features], standardised.
        said: float32 [n, D].
        ridge: how many pictures it doubts.
        weight: how much each picture counts, float32 [n]; None counts all alike.

    Returns:
        float32 [features, D], and the mean of what is seen, float32 [features].
    """
    counts = torch.ones(len(seen), device=seen.device) if weight is None else weight
    shares = (counts / counts.sum())[:, None]
    middle = (shares * seen).sum(0)
    root = counts.double().sqrt()[:, None]
    inputs, targets = root * (seen - middle).double(), root * (said - (shares * said).sum(0)).double()
    gram = inputs.T @ inputs + ridge * torch.eye(inputs.shape[1], dtype=torch.float64, device=inputs.device)
    return torch.linalg.solve(gram, inputs.T @ targets).float(), middle


def _quiet_directions(texts: Tensor, count: int) -> Tensor:
    """The directions in which embeddings of texts [n, D] differ least: float32 [D, count], orthonormal."""
    directions: Tensor = torch.linalg.eigh(torch.cov(texts.double().T))[1]
    return directions[:, :count].float()


def _whitening(seen: Tensor, count: int) -> Tensor:
    """Projects on the first principal components, each scaled to a deviation of 1: float32 [features, components].

    There are at most ``count``, and none that is nothing but rounding.
    """
    variances, components = torch.linalg.eigh(torch.cov(seen.double().T))
    kept = (variances > 1e-6 * variances[-1]).nonzero()[:, 0].flip(0)[:count]
    whitened: Tensor = components[:, kept] / variances[kept].sqrt()
    return whitened.float()


def _kept(file: Path | None, known: str, make: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
    """What was seen before, if it is known to be of the same pictures by the same trunk."""
    if file is not None and file.exists():
        with stored_arrays(file, "delete it, and the pictures are seen anew") as stored:
            if str(stored["known"]) == known:
                return np.asarray(stored["features"], np.float32)
    made = make()
    if file is not None:
        with written_aside(file) as stream:
            np.savez(stream, known=known, features=made)
    return made

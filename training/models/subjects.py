"""What a picture shows, and its style and period, told from the features of an image trunk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import torch
from torch import Tensor, nn

from a2m_edge.errors import CheckpointError
from a2m_edge.perception.subject_tables import SCHEMA, Kind, Label, Likeness, SubjectTables
from a2m_edge.strict_json import StrictJsonError, decode
from training.checkpoint import load_checkpoint, load_weights, save_checkpoint
from training.models.encoder_model import EncoderModel
from training.models.fingerprint import weights_hash

KINDS: tuple[Kind, ...] = ("subject", "style", "period")
"""The kinds of labels, in the order of the outputs."""


@dataclass(frozen=True)
class SubjectConfig:
    """What a head tells.

    Attributes:
        features: how many it is given.
        tables: its labels, all of a kind together in the order of ``KINDS``, and how words are compared with pictures.
        encoder: ``training.models.fingerprint.weights_hash`` of the encoder on whose trunk it was trained.
    """

    features: int
    tables: SubjectTables
    encoder: str

    def to_dict(self) -> dict[str, Any]:
        """As ``config.json`` of a checkpoint holds it."""
        return {
            "kind": "subjects",
            "features": self.features,
            "names": [label.name for label in self.tables.labels],
            "kinds": [label.kind for label in self.tables.labels],
            "thresholds": [label.threshold for label in self.tables.labels],
            "likeness": vars(self.tables.likeness),
            "encoder": self.encoder,
        }

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> Self:
        """The reverse of ``to_dict``.

        Raises:
            ValueError: a value is of another type or out of its range.
            KeyError: a value is missing.
        """
        columns = [config[name] for name in ("names", "kinds", "thresholds")]
        if not all(isinstance(column, list) and len(column) == len(columns[0]) > 0 for column in columns):
            raise ValueError("names, kinds and thresholds are no lists of one length")
        labels = tuple(
            decode(Label, {"name": name, "kind": kind, "threshold": threshold})
            for name, kind, threshold in zip(*columns, strict=True)
        )
        places = [KINDS.index(label.kind) for label in labels]
        if places != sorted(places):
            raise ValueError(f"its labels are not in the order {', '.join(KINDS)}")
        tables = SubjectTables(SCHEMA, labels, decode(Likeness, config["likeness"]))
        tables.check()
        features, encoder = config["features"], config["encoder"]
        if type(features) is not int or not 0 < features <= 65536:
            raise ValueError(f"features is {features!r}")
        if not isinstance(encoder, str):
            raise ValueError(f"encoder is {encoder!r}")
        return cls(features, tables, encoder)


class SubjectHead(nn.Module):
    """One linear layer, its results as probabilities.

    Args:
        config: what it tells.
    """

    def __init__(self, config: SubjectConfig) -> None:
        super().__init__()
        self.config = config
        kinds = [label.kind for label in config.tables.labels]
        self._counts = [kinds.count(kind) for kind in KINDS]
        self.linear = nn.Linear(config.features, len(kinds))

    def forward(self, features: Tensor) -> Tensor:
        """Features as the trunk gives them, float32 [batch, features] -> probabilities, float32 [batch, labels].

        Each subject has its own; those of the styles have the sum 1, and so have those of the periods.
        """
        subjects, styles, periods = self.linear(features).split(self._counts, 1)
        return torch.cat([subjects.sigmoid(), styles.softmax(1), periods.softmax(1)], 1)

    def save(self, folder: Path) -> None:
        """Writes a checkpoint with float16 weights."""
        save_checkpoint(folder, self, self.config.to_dict(), half=True)


class LabelledImageTower(nn.Module):
    """Pictures to embeddings and labels, by one pass through the trunk.

    float32 [batch, 3, size, size] -> float32 [batch, D], L2 norm 1, and float32 [batch, labels].

    Args:
        encoder: its image tower has a trunk and a head (``image_trunk``).
        subjects: trained on that trunk.
    """

    def __init__(self, encoder: EncoderModel, subjects: SubjectHead) -> None:
        super().__init__()
        self.trunk, self.head = image_trunk(encoder)
        self.subjects = subjects

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(image)
        return nn.functional.normalize(self.head(features), dim=-1), self.subjects(features)


def image_trunk(encoder: EncoderModel) -> tuple[nn.Module, nn.Module]:
    """The trunk of an encoder's image tower, which gives features, and its head, which makes an embedding of them.

    Raises:
        CheckpointError: the tower is not made of these two.
    """
    visual = cast(Any, encoder.clip).visual
    trunk, head = getattr(visual, "trunk", None), getattr(visual, "head", None)
    if not (isinstance(trunk, nn.Module) and isinstance(head, nn.Module)):
        raise CheckpointError(
            f"the image tower of {encoder.config.get('name', 'this encoder')} has no trunk whose features could tell "
            "subjects: name an encoder that has one, such as a2m-s"
        )
    return trunk, head


def require_trunk(subjects: SubjectHead, encoder: EncoderModel) -> None:
    """Refuses an encoder on whose features a head was not trained.

    Raises:
        CheckpointError: it was trained with another encoder.
    """
    image_trunk(encoder)
    found = weights_hash(encoder)
    if found != subjects.config.encoder:
        raise CheckpointError(
            f"the subjects were trained on the features of another encoder ({subjects.config.encoder[:12]}) than this "
            f"one ({found[:12]}): train them for it with  a2m-edge train subjects --encoder ENCODER  , or name the "
            f"encoder that they were trained with"
        )


def load_subjects(folder: Path) -> SubjectHead:
    """The head of a checkpoint, in eval mode, float32, on the CPU.

    Raises:
        CheckpointError: it is missing, damaged, or of another kind.
    """
    state, config = load_checkpoint(folder, "subjects")
    try:
        head = SubjectHead(SubjectConfig.from_dict(config))
    except (KeyError, ValueError, TypeError, StrictJsonError) as error:
        raise CheckpointError(
            f"{folder / 'config.json'} describes no subjects that can be told ({error}): train them again"
        ) from error
    load_weights(head, state, folder / "model.safetensors")
    return head.eval()

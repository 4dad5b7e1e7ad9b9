"""Gated residual fusion of a picture and a comment, with what is read off the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from a2m_edge.errors import CheckpointError
from a2m_edge.impression.feeling import EMOTIONS, INSTRUMENTS, ROLES
from training.checkpoint import load_checkpoint, load_weights, save_checkpoint
from training.models.encoder_model import EncoderModel
from training.models.fingerprint import weights_hash

_WEIGHING = 64
"""Width of the layer that weighs a comment."""


@dataclass(frozen=True)
class FusionConfig:
    """Sizes of a fusion.

    Attributes:
        embedding_size: D of both encoders.
        fused_size: H of the fused vector.
        hidden_size: width between them (512 in Art2Music).
        emotions, roles, instruments: what the heads tell, in their order.
        dropout: share of the inner values dropped in training; the formula is the same without it.
        encoder: ``training.models.fingerprint.weights_hash`` of the encoder on whose embeddings it was trained; empty
            where nothing says.
        weighs: whether it tells how much a comment says, and takes no more of it; the published one takes all.
    """

    embedding_size: int = 384
    fused_size: int = 256
    hidden_size: int = 512
    emotions: tuple[str, ...] = EMOTIONS
    roles: tuple[str, ...] = ROLES
    instruments: tuple[str, ...] = tuple(INSTRUMENTS)
    dropout: float = 0.3
    encoder: str = ""
    weighs: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As ``config.json`` of a checkpoint holds it."""
        return {"kind": "fusion"} | asdict(self)

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> Self:
        """The reverse of ``to_dict``.

        Raises:
            ValueError: a value is of another type or out of its range.
            KeyError: a value is missing.
        """
        sizes = {name: config[name] for name in ("embedding_size", "fused_size", "hidden_size")}
        words = {name: config[name] for name in ("emotions", "roles", "instruments")}
        for name, size in sizes.items():
            if type(size) is not int or not 0 < size <= 8192:
                raise ValueError(f"{name} is {size!r}")
        for name, entries in words.items():
            if not isinstance(entries, list | tuple) or not entries or not all(isinstance(e, str) for e in entries):
                raise ValueError(f"{name} is {entries!r}")
        dropout = config["dropout"]
        if not isinstance(dropout, int | float) or not 0 <= dropout < 1:
            raise ValueError(f"dropout is {dropout!r}")
        encoder = config.get("encoder", "")
        if not isinstance(encoder, str):
            raise ValueError(f"encoder is {encoder!r}")
        weighs = config.get("weighs", False)
        if not isinstance(weighs, bool):
            raise ValueError(f"weighs is {weighs!r}")
        return cls(
            embedding_size=sizes["embedding_size"],
            fused_size=sizes["fused_size"],
            hidden_size=sizes["hidden_size"],
            emotions=tuple(words["emotions"]),
            roles=tuple(words["roles"]),
            instruments=tuple(words["instruments"]),
            dropout=float(dropout),
            encoder=encoder,
            weighs=weighs,
        )


class Fusion(nn.Module):
    """Gated residual fusion (Art2Music, arXiv 2512.00120) and its heads.

    ``out = linear(relu(linear(concat(text, image))))``, ``gate = sigmoid(linear(out))``,
    ``fused = gate * out + (1 - gate) * linear(text)``. A side that is absent is replaced by a learned embedding.

    Where it weighs, a comment's own embedding says how much it says, from 0, a greeting, to 1; so much of the embedding
    is taken, and of the learned one of an absent comment the rest: what says nothing leaves the picture in charge.
    """

    def __init__(self, config: FusionConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or FusionConfig()
        size, hidden, fused = config.embedding_size, config.hidden_size, config.fused_size
        # Components of a normalised embedding are small: this makes them about 1.
        self.scale = size**0.5
        self.absent_image = nn.Parameter(torch.randn(size) / self.scale)
        self.absent_text = nn.Parameter(torch.randn(size) / self.scale)
        self.inner = nn.Sequential(nn.Linear(2 * size, hidden), nn.ReLU(), nn.Dropout(config.dropout))
        self.outer = nn.Linear(hidden, fused)
        self.gate = nn.Linear(fused, fused)
        self.residual = nn.Linear(size, fused)
        self.emotion_head = nn.Linear(fused, len(config.emotions))
        self.feeling_head = nn.Linear(fused, 2)
        self.palette_head = nn.Linear(fused, len(config.roles) * len(config.instruments))
        self.room_head = nn.Linear(fused, 1)
        if config.weighs:
            self.weight_head = nn.Sequential(nn.Linear(size, _WEIGHING), nn.ReLU(), nn.Linear(_WEIGHING, 1))

    def weigh(self, text_embedding: Tensor) -> Tensor:
        """How much comments say, as logits: float32 [batch, D] -> [batch, 1]."""
        logits: Tensor = self.weight_head(text_embedding * self.scale)
        return logits

    def fuse(self, image_embedding: Tensor, text_embedding: Tensor, present: Tensor) -> Tensor:
        """Arguments as in ``forward`` -> fused [batch, H]."""
        image = torch.where(present[:, :1] > 0.5, image_embedding, self.absent_image) * self.scale
        text = torch.where(present[:, 1:] > 0.5, text_embedding, self.absent_text)
        if self.config.weighs:
            weight = torch.sigmoid(self.weigh(text_embedding))
            text = self.absent_text + weight * (text - self.absent_text)
        text = text * self.scale
        out = self.outer(self.inner(torch.cat([text, image], dim=1)))
        gate = torch.sigmoid(self.gate(out))
        fused: Tensor = gate * out + (1 - gate) * self.residual(text)
        return fused

    def forward(
        self, image_embedding: Tensor, text_embedding: Tensor, present: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """What a picture and a comment are felt to express.

        Args:
            image_embedding: float32 [batch, D], L2 norm 1; ignored where it is not present.
            text_embedding: float32 [batch, D], L2 norm 1; ignored where it is not present.
            present: float32 [batch, 2]: 1 where there is a picture, a comment; else 0.

        Returns:
            fused [batch, H]; emotion logits [batch, emotions]; valence and arousal [batch, 2] in [-1, 1]; palette
            logits [batch, roles, instruments]; size of the room [batch, 1] in [0, 1].
        """
        fused = self.fuse(image_embedding, text_embedding, present)
        palette = self.palette_head(fused).unflatten(1, (len(self.config.roles), len(self.config.instruments)))
        return (
            fused,
            self.emotion_head(fused),
            torch.tanh(self.feeling_head(fused)),
            palette,
            torch.sigmoid(self.room_head(fused)),
        )

    def save(self, folder: Path, half: bool = False) -> None:
        """Writes a checkpoint; ``half`` stores float16 weights."""
        save_checkpoint(folder, self, self.config.to_dict(), half=half)


def require_encoder(fusion: Fusion, encoder: EncoderModel) -> None:
    """Refuses an encoder on whose embeddings a fusion was not trained; one that does not say takes any of its size.

    Raises:
        CheckpointError: the fusion was trained with another encoder.
    """
    found = weights_hash(encoder) if fusion.config.encoder else ""
    if found != fusion.config.encoder:
        raise CheckpointError(
            f"the fusion was trained on the embeddings of another encoder ({fusion.config.encoder[:12]}) than this one "
            f"({found[:12]}): train one for it with  a2m-edge train fusion --encoder ENCODER  , or name the encoder "
            f"that it was trained with"
        )


def load_fusion(folder: Path) -> Fusion:
    """The fusion of a checkpoint, in eval mode, float32, on the CPU.

    Raises:
        CheckpointError: it is missing, damaged, or of another kind.
    """
    state, config = load_checkpoint(folder, "fusion")
    try:
        fusion = Fusion(FusionConfig.from_dict(config))
    except (KeyError, ValueError) as error:
        raise CheckpointError(
            f"{folder / 'config.json'} describes no fusion that can be built ({error}): train it again"
        ) from error
    load_weights(fusion, state, folder / "model.safetensors")
    return fusion.eval()

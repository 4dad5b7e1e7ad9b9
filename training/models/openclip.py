"""What has to be known about open_clip to build its models, feed them, and leave out what embeddings do not need."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from types import ModuleType
from typing import Any, Literal, cast

from torch import nn
from torch.utils import serialization

from a2m_edge.bundle.manifest import ImagePreprocessing, Resize
from a2m_edge.errors import CheckpointError
from training.models.image_trunk import register_image_trunks
from training.torchvision_guard import import_open_clip

HUB_KEYS = ("hf_model_name", "hf_tokenizer_name")
"""Where a configuration of open_clip names what lies on the Hugging Face hub."""

_CONTEXT_LENGTH = 77
"""Of text towers whose configuration names none (``open_clip.tokenizer.DEFAULT_CONTEXT_LENGTH``)."""


@cache
def open_clip_module() -> ModuleType:
    """open_clip, with the image trunks of ``a2m-s`` known to timm.

    Raises:
        MissingExtraError: open_clip is not installed.
    """
    open_clip = import_open_clip()
    register_image_trunks()
    return open_clip


@contextmanager
def building() -> Iterator[None]:
    """While a model is built: no warnings, as that a model without weights has none (what fails is raised as well),
    and weights are read from where their file lies in memory, so that they are held once."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), cast(Any, serialization.config).patch("load.mmap", True):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def plain_architecture(architecture: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration without what embeddings do not need: names of folders, CoCa's decoder, tokens beside them."""
    plain = deepcopy(dict(architecture))
    plain.pop("multimodal_cfg", None)
    plain["vision_cfg"].pop("output_tokens", None)
    for key in (*HUB_KEYS, "output_tokens"):
        plain["text_cfg"].pop(key, None)
    plain["text_cfg"].setdefault("context_length", _CONTEXT_LENGTH)
    return plain


def for_embeddings(clip: nn.Module) -> nn.Module:
    """A model in evaluation mode whose towers give embeddings alone, and whose text tower takes every length."""
    model = cast(Any, clip)
    if hasattr(model, "text_decoder"):
        model.text_decoder = None  # CoCa's captions
    model.visual.output_tokens = model.text.output_tokens = False
    if getattr(model.text, "attn_mask", None) is not None:
        model.text.transformer.register_forward_pre_hook(_cut_mask, with_kwargs=True)
    return clip.eval()


def hears_padding(architecture: Mapping[str, Any], text_transformer: Mapping[str, Any] | None) -> bool:
    """Whether an embedding depends on the padding of its text.

    Hugging Face towers mask the padding. In open_clip's own towers no token attends to what follows it, and the
    embedding is read at the token that ends the text, so padding behind it changes nothing, unless the causal mask is
    left out (SigLIP, CLIPA, MobileCLIP-S), or the embedding is read at the last place (SigLIP, CLIPA) or at a class
    token behind the padding (CoCa), whose position depends on the length.
    """
    text = architecture["text_cfg"]
    if text_transformer is not None:
        return False
    return bool(text.get("no_causal_mask") or text.get("embed_cls") or text.get("pool_type") == "last")


def image_preprocessing(name: str, facts: Mapping[str, Any]) -> ImagePreprocessing:
    """The transform of ``open_clip.transform.PreprocessCfg`` as a bundle states it.

    Raises:
        CheckpointError: a bundle cannot express it.
    """
    sizes = facts["size"] if isinstance(facts["size"], Sequence) else [facts["size"]]
    means, stds, fill = facts["mean"], facts["std"], facts.get("fill_color", 0)
    fits = {
        f"{' x '.join(map(str, sizes))} pixels": len(set(sizes)) == 1 and isinstance(sizes[0], int),
        f"{facts['interpolation']!r} interpolation": facts["interpolation"] in ("bicubic", "bilinear"),
        f"{facts['resize_mode']!r} resizing": facts["resize_mode"] in ("shortest", "longest", "squash"),
        f"the mean {means} and the deviation {stds}": _is_colour(means) and _is_colour(stds) and min(stds) > 0,
        f"the fill colour {fill}": isinstance(fill, int) and 0 <= fill <= 255,
    }
    for what, fit in fits.items():
        if not fit:
            raise CheckpointError(
                f"the encoder {name} was trained on pictures of {what}, which a bundle cannot express: choose one with "
                "square pictures, bicubic or bilinear interpolation and a mean and deviation of each colour"
            )
    return ImagePreprocessing(
        size=sizes[0],
        resize=cast(Resize, facts["resize_mode"]),
        interpolation=cast(Literal["bicubic", "bilinear"], facts["interpolation"]),
        mean=cast(tuple[float, float, float], tuple(means)),
        std=cast(tuple[float, float, float], tuple(stds)),
        fill=fill,
    )


def _is_colour(values: Any) -> bool:
    """Whether there are three numbers, of red, green and blue."""
    return isinstance(values, Sequence) and len(values) == 3 and all(isinstance(value, int | float) for value in values)


def _cut_mask(_: nn.Module, inputs: tuple[Any, ...], options: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Cuts open_clip's causal mask, made for the whole context, to the length of the text."""
    mask, length = options["attn_mask"], inputs[0].shape[1]
    return inputs, {**options, "attn_mask": mask[..., :length, :length]}

"""Towers of a checkpoint for ``training.evaluation.feeling.retrieval``: what a bundle's own are compared with."""

from __future__ import annotations

from pathlib import Path

from training.data.embeddings.embed import embed_pictures, embed_texts
from training.data.embeddings.feeling_set import PAINTINGS
from training.data.tables.feelings import PictureArchive
from training.evaluation.feeling.retrieval import Pictures, Texts
from training.models.encoder_model import EncoderModel
from training.models.encoders import A2M_S, load_encoder

UNTUNED_WEIGHTS = "mobilenetv2_imagenet_timm.safetensors"


def untuned_towers(shared: Path, seed: int) -> tuple[Texts, Pictures]:
    """The towers that training starts from: public weights under projections drawn by a seed.

    Raises:
        CheckpointError: the weights are missing.
        MissingExtraError: the text tower's package is not installed.
    """
    import torch

    weights = shared / "weights" / UNTUNED_WEIGHTS
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = load_encoder(A2M_S, str(weights))
    return encoder_towers(encoder, shared / "data" / PAINTINGS)


def encoder_towers(encoder: EncoderModel, paintings: Path) -> tuple[Texts, Pictures]:
    """Both towers of a checkpoint as functions of texts, and of pictures of the archive ``paintings``."""
    archive = PictureArchive(paintings, encoder.image_preprocessing.size)
    return (
        lambda texts: embed_texts(encoder, texts),
        lambda pictures: embed_pictures(encoder, archive, pictures),
    )

"""Towers of a checkpoint for ``training.evaluation.feeling.retrieval``: what a bundle's own are compared with."""

from __future__ import annotations

from pathlib import Path

from training.data.embeddings.embed import embed_pictures, embed_texts
from training.data.embeddings.feeling_set import PAINTINGS
from training.data.tables.feelings import PictureArchive
from training.evaluation.feeling.retrieval import Pictures, Texts
from training.models.encoder_model import EncoderModel
from training.models.encoders import A2M_S, load_encoder


def untuned_towers(shared: Path, seed: int) -> tuple[Texts, Pictures]:
    """The towers that training starts from: public weights under projections drawn by a seed.

    Raises:
        MissingExtraError: a package with the weights is not installed.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = load_encoder(A2M_S)
    return encoder_towers(encoder, shared / "data" / PAINTINGS)


def encoder_towers(encoder: EncoderModel, paintings: Path) -> tuple[Texts, Pictures]:
    """Both towers of a checkpoint as functions of texts, and of pictures of the archive ``paintings``."""
    archive = PictureArchive.of(paintings, encoder.image_preprocessing)
    return (
        lambda texts: embed_texts(encoder, texts),
        lambda pictures: embed_pictures(encoder, archive, pictures),
    )

"""Fused embeddings of ArtiCaps' pairs: what conditions the decoder on the feeling of a painting and a comment."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch

from a2m_edge.errors import DataError
from a2m_edge.output import make_folder, written_aside
from training.data.embeddings.embed import embed_pictures, embed_texts
from training.data.tables.feelings import PictureArchive, read_paintings
from training.models.encoder_model import EncoderModel
from training.models.fusion import Fusion


@torch.inference_mode()
def build_conditions(pairs: Path, data: Path, encoder: EncoderModel, fusion: Fusion, out: Path) -> int:
    """Writes an ``.npz`` with ``clips`` (names), ``fused`` float32 [N, H] and ``feelings`` float32 [N, 2] (valence and
    arousal, as the fusion feels them), one row for each pair.

    Args:
        pairs: ``articaps.csv``.
        data: folder with ``paintings.zip`` and ``paintings.csv``; needed where a pair has a picture.
        encoder, fusion: trained models.
        out: the file to write.

    Returns:
        the number of pairs.

    Raises:
        DataError: the table is missing or lacks a column.
        OutputError: ``out`` cannot be written.
    """
    try:
        with pairs.open(encoding="utf-8", newline="") as rows:
            table = [(row["clip"], row["utterance"], row["picture"]) for row in csv.DictReader(rows)]
    except (OSError, KeyError) as error:
        raise DataError(f"{pairs} is not a table of pairs ({error}): run  a2m-edge data build") from error
    text = torch.from_numpy(embed_texts(encoder, [utterance for _, utterance, _ in table]))
    files = sorted({picture for _, _, picture in table if picture})
    paintings = {painting.file: painting for painting in read_paintings(data)} if files else {}
    archive = PictureArchive.of(data / "paintings.zip", encoder.image_preprocessing)
    embedded = embed_pictures(encoder, archive, [paintings[file] for file in files])
    place = {file: row for row, file in enumerate(files)}
    image = torch.zeros_like(text)
    present = torch.zeros(len(table), 2)
    present[:, 1] = 1.0
    for row, (_, _, picture) in enumerate(table):
        if picture:
            image[row] = torch.from_numpy(embedded[place[picture]])
            present[row, 0] = 1.0
    fused, _, feelings, *_ = fusion.eval()(image, text, present)
    make_folder(out.parent)
    with written_aside(out) as stream:
        np.savez(stream, clips=np.array([clip for clip, _, _ in table]), fused=fused.numpy(), feelings=feelings.numpy())
    return len(table)

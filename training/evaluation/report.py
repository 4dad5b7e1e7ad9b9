"""All quality figures of a bundle's weights in one run: what the model card states."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from a2m_edge.audio import AudioFormat
from a2m_edge.bundle import Bundle
from a2m_edge.errors import DataError
from training.data.clips import Clips, clip_files
from training.data.feelings import PictureArchive, read_paintings
from training.data.fluidsynth import SOUNDFONT
from training.data.realised import Realisations
from training.evaluation.decoder import relative_error
from training.evaluation.feeling import evaluate_feeling
from training.evaluation.notes import note_accuracy
from training.evaluation.transcription import Transcriber
from training.evaluation.vocoder import copy_synthesis
from training.models.encoders import load_encoder
from training.models.fusion import load_fusion
from training.models.hifigan import load_generator
from training.models.mel_decoder import MelDecoder, load_mel_decoder

Figures = dict[str, dict[str, float]]


def test_works(data: Path, pairs: Path, count: int) -> Iterator[tuple[NDArray[np.uint8], str]]:
    """``count`` pictures (uint8 RGB) of different test paintings, each with one utterance about it.

    Raises:
        DataError: the table is missing or has too few test paintings with pictures.
    """
    try:
        with pairs.open(encoding="utf-8", newline="") as rows:
            table = {row["picture"]: row["utterance"] for row in csv.DictReader(rows) if row["split"] == "test"}
    except (OSError, KeyError) as error:
        raise DataError(f"{pairs} is not a table of pairs ({error}): run  a2m-edge data build") from error
    files = sorted(file for file in table if file)
    if len(files) < count:
        raise DataError(f"{pairs} has {len(files)} test paintings with pictures, {count} are needed")
    archive = PictureArchive(data / "paintings.zip", 224)
    paintings = {picture.file: picture for picture in read_paintings(data)}
    for index in np.linspace(0, len(files) - 1, count).astype(int):
        yield np.asarray(archive.whole(paintings[files[index]])), table[files[index]]


@torch.inference_mode()
def evaluate_checkpoints(checkpoints: Path, shared: Path, data: Path, most: int = 40) -> Figures:
    """Figures of the models that need no bundle: feeling, decoder, vocoder, each on material it never saw.

    Args:
        checkpoints: folder with ``encoder``, ``fusion``, ``decoder`` and ``vocoder``.
        shared: folder with ``data``.
        data: folder of ``a2m-edge data build``; its test split is used.
        most: clips that decoder and vocoder are measured on, evenly spread over the split.

    Raises:
        CheckpointError, DataError: something is missing.
    """
    audio = AudioFormat()
    decoder = load_mel_decoder(checkpoints / "decoder")
    if not isinstance(decoder, MelDecoder):
        raise DataError("the decoder takes no score: its error against a score cannot be measured")
    config = decoder.config
    layout = config.layout
    conditions = data / "conditions.npz"
    realisations = Realisations(
        data / "realisations", "test", conditions if conditions.exists() else None, config.fused_size
    )
    files = clip_files(data / "realisations" / "test")
    chosen = sorted(set(np.linspace(0, len(files) - 1, most).astype(int).tolist()))
    realisations.items = [realisations.items[index] for index in chosen]
    held_out = Clips([files[index] for index in chosen], audio)
    return {
        "feeling": evaluate_feeling(
            load_encoder(checkpoints / "encoder"), load_fusion(checkpoints / "fusion"), shared / "data"
        ),
        "decoder": relative_error(decoder, realisations.clips(layout, audio), config.context),
        "vocoder": copy_synthesis(load_generator(checkpoints / "vocoder"), held_out.clips, audio),
    }


def evaluate_notes(bundle: Bundle, shared: Path, pairs: Path, soundscapes: int = 20) -> Figures:
    """Note accuracy of a bundle over soundscapes of test paintings; see ``note_accuracy``."""
    transcriber = Transcriber(shared / "weights" / "basic_pitch_nmp.onnx")
    works = test_works(shared / "data", pairs, soundscapes)
    return {"notes": note_accuracy(bundle, works, transcriber, SOUNDFONT)}

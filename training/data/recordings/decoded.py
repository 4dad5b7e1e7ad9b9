"""Realisations as a decoder gives them: mels to fine-tune a vocoder on, aligned with the true sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import torch

from a2m_edge.bundle.plain_files import utf8_path
from a2m_edge.errors import DataError
from a2m_edge.output import written_aside
from training.checkpoint import checkpoint_format
from training.data.recordings.formats import read_format, state_format
from training.data.recordings.realised import Realisations
from training.models.mel_decoder import MelDecoder, decode_windows, load_mel_decoder


@torch.inference_mode()
def write_decoded(checkpoint: Path, realisations: Path, fused: Path | None, out: Path, every: int) -> int:
    """Writes ``mel`` (decoded), ``notes`` and ``audio`` (true) of every so many-th realisation as ``out/*.npz``.

    The mels do not shimmer: the true sound shimmers in another way, and a vocoder would learn to pass it over.

    Args:
        checkpoint: a decoder.
        realisations: folder of one split, as ``training.data.recordings.realisation`` writes it.
        fused: as ``training.data.embeddings.conditions`` writes it; without it the decoder is given zeros.
        out: folder to write.
        every: take one realisation of so many.

    Returns:
        how many were written.

    Raises:
        CheckpointError, DataError: the decoder or the realisations cannot be read or differ in format, or the
            decoder takes no score.
        OutputError: ``out`` cannot be written.
    """
    model = load_mel_decoder(checkpoint)
    if not isinstance(model, MelDecoder):
        raise DataError(f"the decoder in {checkpoint} takes no score: there is nothing to decode")
    config, audio = model.config, read_format(realisations)
    trained = checkpoint_format(checkpoint, "decoder")
    if trained != audio:
        raise DataError(f"the decoder was trained on {trained}, {realisations} holds {audio}: decode its own format")
    layout = config.layout
    data = Realisations(realisations.parent, realisations.name, fused, config.fused_size)
    state_format(out, audio)
    written = 0
    for number, (vectors, palette, score, _) in enumerate(data.clips(layout, audio)):
        if number % every:
            continue
        file = data.files[number]
        mel = decode_windows(model, vectors, palette, score, config.context).numpy()
        with utf8_path(file.with_suffix(".flac")) as name:
            sound, _ = soundfile.read(name, dtype="float32", always_2d=True)
        with file.open("rb") as stream, np.load(stream) as stored:
            notes = stored["notes"]
        with written_aside(out / file.name) as arrays:
            np.savez(arrays, mel=mel.astype(np.float16), notes=notes, audio=sound.astype(np.float16))
        written += 1
    return written

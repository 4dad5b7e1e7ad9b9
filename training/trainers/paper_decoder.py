"""Trains the published decoder: one clip of fixed length for one embedding, no score."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from a2m_edge.errors import DataError
from a2m_edge.sound.mel import SILENCE
from training import parallel
from training.checkpoint import save_checkpoint
from training.data.recordings.formats import read_format
from training.data.recordings.realised import Realisations
from training.losses import frequency_weighted_l1
from training.models.mel_decoder import PaperDecoder, PaperDecoderConfig
from training.precision import half_precision
from training.trainer import RunOptions, choose_device, optimise, run_training


def train_paper_decoder(
    options: RunOptions,
    *,
    data: Path,
    fused: Path,
    config: PaperDecoderConfig | None = None,
    batch: int = 32,
    learning_rate: float = 1e-4,
    half: bool | None = None,
) -> None:
    """Trains a ``PaperDecoder`` as published: frequency-weighted L1, Adam 1e-4, batches of 32 pairs, no clipping.

    Args:
        options: see ``RunOptions``.
        data: folder of realisations or of imported recordings.
        fused: fused embeddings of the clips' pairs (see ``training.data.embeddings.conditions``).
        config: sizes; ``fused_size`` is taken from ``fused``, the bands from the data.
        batch: pairs in a step.
        learning_rate: of Adam.
        half: compute in bfloat16; None: on a GPU alone.

    Raises:
        DataError: there are no clips, nothing states their format, or no pair names one of them.
        OptionError: the batch is smaller than the number of processes.
    """
    parallel.need_rows(batch)
    torch.manual_seed(options.seed)
    device = choose_device(options.device)
    with np.load(fused) as stored:
        size = int(stored["fused"].shape[1])
    audio = read_format(data)
    config = replace(config or PaperDecoderConfig(), fused_size=size, mel_bands=audio.mel_bands)
    splits = {split: Realisations(data, split, fused, size, lent=False) for split in ("train", "val")}
    for split, clips in splits.items():
        paired = [number for number, pairs in enumerate(clips.pairs) if len(pairs)]
        clips.items = [clips.items[number] for number in paired]
        clips.pairs = [clips.pairs[number] for number in paired]
        if not clips.items:
            raise DataError(f"No pair of {fused} names a clip of {data / split}: build both from the same captions")
    model = PaperDecoder(config).to(device)
    optimiser = torch.optim.Adam(model.parameters(), learning_rate)

    def pairs(clips: Realisations, numbers: np.ndarray, choices: np.ndarray) -> tuple[Tensor, Tensor]:
        """Fused embeddings (B, H) and mels (B, bands, frames), cut or filled up with silence."""
        vectors, mels = [], []
        for number, choice in zip(numbers, choices, strict=True):
            item = clips.items[number]
            candidates = clips.pairs[number]
            vectors.append(candidates[choice % len(candidates)])
            mel = item.mel[:, : config.frames].astype(np.float32)
            missing = ((0, 0), (0, config.frames - mel.shape[1]))
            mels.append(np.pad(mel, missing, constant_values=SILENCE))
        return torch.from_numpy(np.stack(vectors)).to(device), torch.from_numpy(np.stack(mels)).to(device)

    def step(number: int) -> dict[str, float]:
        generator = np.random.default_rng([options.seed, number])
        chosen = generator.integers(len(splits["train"].items), size=batch)
        vectors, mels = pairs(splits["train"], chosen, generator.integers(1 << 30, size=batch))
        with half_precision(device, half):
            predicted = model(vectors[parallel.share(batch)])
        loss = frequency_weighted_l1(parallel.gather(predicted.float(), batch), mels)
        optimise(loss, optimiser, options.clip_or(0.0))
        return {"loss": loss.item()}

    def validate() -> dict[str, float]:
        chosen = np.arange(min(batch, len(splits["val"].items)))
        vectors, mels = pairs(splits["val"], chosen, np.zeros_like(chosen))
        return {"mel_l1": (model(vectors) - mels).abs().mean().item()}

    run_training(
        options,
        models={"decoder": model},
        optimisers={"decoder": optimiser},
        schedule=None,
        step=step,
        validate=validate,
        save=lambda folder: save_checkpoint(folder, model, config.document() | {"audio": asdict(audio)}),
    )

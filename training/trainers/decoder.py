"""Trains the mel decoder on realisations."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from a2m_edge.errors import DataError
from training import parallel
from training.checkpoint import checkpoint_format, save_checkpoint
from training.data.recordings.formats import read_format
from training.data.recordings.realised import Realisations
from training.losses import frequency_weighted_l1, shimmer_loss, spectral_convergence
from training.models.mel_decoder import MelDecoder, MelDecoderConfig, load_mel_decoder
from training.precision import half_precision
from training.progress import announce
from training.trainer import RunOptions, choose_device, optimise, run_training, warm_cosine
from training.trainers.decoder_error import choose_context, relative_error

LEARNING_RATE = 2e-3
LARGEST_GRADIENT = 1.0
EDGE, EDGE_WEIGHT = 16, 0.25
"""Frames at either end of a window that have too little context and are not played, and what they count."""
CONVERGENCE_WEIGHT = 0.5
"""Of the spectral convergence, which cares for what is loud, against the L1, which cares for every band alike. It is
one number for a batch, to which the edges of windows belong."""
SHIMMER_WEIGHT = 0.1
"""Of the shimmer's loss. A layer of its own learns it; so small, it takes little of the norm that gradients share."""


def edge_weights(frames: int) -> torch.Tensor:
    """What each frame of a window counts: the runtime plays the middle of its windows alone, float32 [frames]."""
    weights = torch.ones(frames)
    edge = min(EDGE, frames // 4)
    weights[:edge] = weights[frames - edge :] = EDGE_WEIGHT
    return weights / weights.mean()


def train_decoder(
    options: RunOptions,
    *,
    data: Path,
    fused: Path | None = None,
    start: Path | None = None,
    config: MelDecoderConfig | None = None,
    batch: int = 52,
    frames: int = 80,
    validation_clips: int = 40,
    learning_rate: float = LEARNING_RATE,
    half: bool | None = None,
) -> None:
    """Trains a ``MelDecoder`` with the frequency-weighted L1 and the spectral convergence on random windows.

    Args:
        options: see ``RunOptions``.
        data: folder of realisations.
        fused: fused embeddings of the clips' pairs; see ``Realisations``.
        start: a decoder checkpoint to begin with; its config is taken too.
        config: sizes of a new decoder; the bands are those of the data.
        batch, frames: windows in a batch and frames in a window.
        half: compute in bfloat16; None: on a GPU alone.
        validation_clips: how many clips of the split ``val`` are decoded at each validation.

    Raises:
        DataError: there are no realisations, nothing states their format, or ``start`` was trained on another one.
        CheckpointError: ``start`` is no decoder.
        OptionError: the batch is smaller than the number of processes.
    """
    parallel.need_rows(batch)
    torch.manual_seed(options.seed)
    device = choose_device(options.device)
    audio = read_format(data)
    if start is not None:
        model = load_mel_decoder(start)
        if not isinstance(model, MelDecoder):
            raise DataError(f"The decoder in {start} takes no score: train it with  --architecture paper")
        config = model.config
        trained = checkpoint_format(start, "decoder")
        if trained != audio:
            raise DataError(f"the decoder in {start} was trained on {trained}, {data} holds {audio}: leave --start out")
    else:
        config = replace(config or MelDecoderConfig(), mel_bands=audio.mel_bands)
        model = MelDecoder(config)
    layout = config.layout
    train = Realisations(data, "train", fused, config.fused_size)
    validation = Realisations(data, "val", fused, config.fused_size)
    validation.take_evenly(validation_clips)
    if start is None:
        sample = np.concatenate([item.mel[:, ::16] for item in train.items], axis=1).astype(np.float32)
        model.begin_with(torch.from_numpy(sample))
    model.to(device).train()
    optimiser = torch.optim.AdamW(model.parameters(), learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    clip = options.clip_or(LARGEST_GRADIENT)
    weights = edge_weights(frames).to(device)

    def step(number: int) -> dict[str, float]:
        generator = np.random.default_rng([options.seed, number])
        given = train.batch(batch, frames, layout, audio, generator)
        own = parallel.share(batch)
        with half_precision(device, half):
            described = model.describe(*(part[own].to(device) for part in given[:3]))
        predicted, shimmer = (parallel.gather(part.float(), batch) for part in described)
        target = given[3].to(device)
        loss = frequency_weighted_l1(predicted * weights, target * weights)
        convergence = spectral_convergence(predicted, target)
        unforeseen = shimmer_loss(shimmer, predicted, target)
        optimise(loss + CONVERGENCE_WEIGHT * convergence + SHIMMER_WEIGHT * unforeseen, optimiser, clip)
        return {"loss": loss.item(), "convergence": convergence.item(), "shimmer": unforeseen.item()}

    def save(folder: Path, table: list[dict[str, float]]) -> None:
        facts = {"audio": asdict(audio), "measured_contexts": table}
        save_checkpoint(folder, model, model.config.document() | facts)

    run_training(
        options,
        models={"decoder": model},
        optimisers={"decoder": optimiser},
        schedule=warm_cosine(),
        step=step,
        validate=lambda: relative_error(model, validation.clips(layout, audio), config.context),
        save=lambda folder: save(folder, []),
    )
    if not parallel.first():
        return
    context, table = choose_context(model.eval(), lambda: validation.clips(layout, audio), config.window)
    model.config = replace(config, left=context.left, right=context.right)
    save(options.out, table)
    announce(f"{context.left} frames before a window of {context.window} and {context.right} after it are enough")

"""Trains the mel decoder on realisations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from a2m_edge.audio import AudioFormat
from a2m_edge.errors import DataError
from a2m_edge.score import Note, ScoreLayout
from training.checkpoint import save_checkpoint
from training.evaluation.decoder import Clip, choose_context, relative_error
from training.losses import frequency_weighted_l1
from training.models.mel_decoder import MelDecoder, MelDecoderConfig, load_mel_decoder
from training.trainer import RunOptions, announce, choose_device, run_training, warm_cosine

LEARNING_RATE = 2e-3
LARGEST_GRADIENT = 1.0


@dataclass(frozen=True)
class Realisation:
    """One clip in memory: mel float16 [bands, T], its notes, casting float32 [P], and its clip's name."""

    clip: str
    mel: NDArray[np.float16]
    notes: tuple[Note, ...]
    casting: NDArray[np.float32]


class Realisations:
    """The realisations of one split, and windows of them.

    Args:
        folder: written by ``training.data.realisation``.
        split: ``"train"``, ``"val"`` or ``"test"``.
        fused: an ``.npz`` with ``clips`` (names) and ``fused`` float32 [N, H], any number for each clip; without
            it, and for clips it does not name, the fused embedding is zero.
        fused_size: H.

    Raises:
        DataError: there is nothing to read.
    """

    def __init__(self, folder: Path, split: str, fused: Path | None, fused_size: int) -> None:
        self.items = [
            read_realisation(path) for path in sorted((folder / split).glob("*.npz")) if ".part" not in path.name
        ]
        if not self.items:
            raise DataError(f"There are no realisations in {folder / split}: run  a2m-edge data build")
        self.fused_size = fused_size
        self.fused: dict[str, NDArray[np.float32]] = {}
        if fused is not None:
            with np.load(fused) as stored:
                clips, vectors = stored["clips"], stored["fused"]
            for clip in np.unique(clips):
                self.fused[str(clip)] = vectors[clips == clip]

    def window(
        self, number: int, first: int, count: int, layout: ScoreLayout, audio: AudioFormat, choice: int
    ) -> tuple[NDArray[np.float32], ...]:
        """fused [T, H], palette [T, P], score [T, F] and mel [bands, T] of a window; ``choice`` picks the pairing."""
        item = self.items[number]
        candidates = self.fused.get(item.clip)
        vector = np.zeros(self.fused_size, np.float32) if candidates is None else candidates[choice % len(candidates)]
        score = layout.frames(item.notes, first, count, audio.frame_rate)
        ones = np.ones((count, 1), np.float32)
        return ones * vector, ones * item.casting, score, item.mel[:, first : first + count].astype(np.float32)

    def clips(self, layout: ScoreLayout, audio: AudioFormat) -> Iterator[Clip]:
        """Every clip whole, with the first of its pairs: see ``training.evaluation.decoder``."""
        for number, item in enumerate(self.items):
            fused, palette, score, mel = self.window(number, 0, item.mel.shape[1], layout, audio, 0)
            yield torch.from_numpy(fused), torch.from_numpy(palette), torch.from_numpy(score), torch.from_numpy(mel)

    def batch(
        self, size: int, frames: int, layout: ScoreLayout, audio: AudioFormat, generator: np.random.Generator
    ) -> tuple[Tensor, ...]:
        """A batch of random windows: (B, T, H), (B, T, P), (B, T, F), (B, bands, T)."""
        windows = []
        for _ in range(size):
            number = int(generator.integers(len(self.items)))
            first = int(generator.integers(self.items[number].mel.shape[1] - frames + 1))
            windows.append(self.window(number, first, frames, layout, audio, int(generator.integers(1 << 30))))
        return tuple(torch.from_numpy(np.stack(parts)) for parts in zip(*windows, strict=True))


def read_realisation(path: Path) -> Realisation:
    """Reads one realisation.

    Raises:
        DataError: the file is damaged.
    """
    try:
        with path.open("rb") as file, np.load(file) as stored:
            notes = tuple(
                Note(float(start), float(seconds), int(pitch), float(velocity), int(role))
                for start, seconds, pitch, velocity, role in stored["notes"]
            )
            return Realisation(path.stem.rsplit("_", 1)[0], stored["mel"], notes, stored["casting"])
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise DataError(f"{path} is damaged ({error}): delete it and run  a2m-edge data build  again") from error


def train_decoder(
    options: RunOptions,
    *,
    data: Path,
    fused: Path | None = None,
    start: Path | None = None,
    config: MelDecoderConfig | None = None,
    batch: int = 44,
    frames: int = 96,
    validation_clips: int = 40,
    learning_rate: float = LEARNING_RATE,
) -> None:
    """Trains a ``MelDecoder`` with the frequency-weighted L1 on random windows.

    Args:
        options: see ``RunOptions``.
        data: folder of realisations.
        fused: fused embeddings of the clips' pairs; see ``Realisations``.
        start: a decoder checkpoint to begin with; its config is taken too.
        config: sizes of a new decoder.
        batch, frames: windows in a batch and frames in a window.
        validation_clips: how many clips of the split ``val`` are decoded at each validation.

    Raises:
        DataError: there are no realisations.
        CheckpointError: ``start`` is no decoder.
    """
    torch.manual_seed(options.seed)
    device = choose_device(options.device)
    audio = AudioFormat()
    if start is not None:
        model = load_mel_decoder(start)
        if not isinstance(model, MelDecoder):
            raise DataError(f"The decoder in {start} takes no score: train it with  --architecture paper")
        config = model.config
    else:
        config = config or MelDecoderConfig()
        model = MelDecoder(config)
    layout = ScoreLayout(config.roles, config.lowest_pitch, config.keys, config.onset_decay)
    train = Realisations(data, "train", fused, config.fused_size)
    validation = Realisations(data, "val", fused, config.fused_size)
    validation.items = validation.items[:validation_clips]
    if start is None:
        sample = np.concatenate([item.mel[:, ::16] for item in train.items], axis=1).astype(np.float32)
        model.mel_mean.copy_(torch.from_numpy(sample.mean(1)))
        model.mel_scale.copy_(torch.from_numpy(sample.std(1)))
    model.to(device).train()
    optimiser = torch.optim.AdamW(model.parameters(), learning_rate, betas=(0.9, 0.98), weight_decay=0.01)

    def step(number: int) -> dict[str, float]:
        generator = np.random.default_rng([options.seed, number])
        given = train.batch(batch, frames, layout, audio, generator)
        fused_batch, palette, score, mel = (part.to(device) for part in given)
        with torch.autocast(device.type, torch.bfloat16):  # a third less time on a CPU with AVX512-BF16: measured
            predicted = model(fused_batch, palette, score)
        loss = frequency_weighted_l1(predicted.float(), mel)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), LARGEST_GRADIENT)
        optimiser.step()
        return {"loss": loss.item()}

    def save(folder: Path, table: list[dict[str, float]]) -> None:
        save_checkpoint(folder, model, model.config.document() | {"measured_contexts": table})

    run_training(
        options,
        models={"decoder": model},
        optimisers={"decoder": optimiser},
        schedule=warm_cosine(),
        step=step,
        validate=lambda: relative_error(model, validation.clips(layout, audio), config.context),
        save=lambda folder: save(folder, []),
    )
    context, table = choose_context(model.eval(), lambda: validation.clips(layout, audio), config.window)
    model.config = replace(config, left=context.left, right=context.right)
    save(options.out, table)
    announce(f"{context.left} frames of context on each side of a window of {context.window} are enough")

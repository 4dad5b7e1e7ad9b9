"""Fine-tunes or trains a vocoder.

Two stages. ``reconstruction`` lowers the log-mel L1 together with a multi-resolution STFT loss: it is cheap, runs
well on a CPU, and is what turns a speech vocoder into one for music. ``adversarial`` is the published training with
both discriminators (Kong, Kim & Bae 2020, arXiv 2010.05646).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from a2m_edge.errors import OptionError
from a2m_edge.sound.format import AudioFormat
from training import parallel
from training.checkpoint import save_checkpoint
from training.data.recordings.clips import Clips, clip_files
from training.data.recordings.formats import one_format
from training.losses import (
    LogMelSpectrogram,
    MultiResolutionSTFT,
    adversarial_loss,
    discriminator_loss,
    feature_matching_loss,
)
from training.models.discriminators import MultiPeriodDiscriminator, MultiScaleDiscriminator
from training.models.vocoders.architectures import load_vocoder, vocoder_format, vocoder_sizes
from training.models.vocoders.interface import Vocoder
from training.precision import half_precision
from training.progress import announce
from training.trainer import RunOptions, choose_device, optimise, run_training, warm_cosine
from training.trainers.vocoder_error import copy_synthesis

STAGES = ("reconstruction", "adversarial")
STFT_WEIGHT = 0.25
"""Of the multi-resolution STFT loss against the log-mel L1, in the reconstruction stage."""
MEL_WEIGHT, FEATURE_WEIGHT = 45.0, 1.0
"""Of the log-mel L1 and of feature matching against the adversarial loss, as published (feature matching is
itself doubled)."""
SOURCE_RATE = 4.0
"""Learning rate of the filters of the excitation, which begin at zero, against that of all other weights."""
FINE_FROM = 0.5
"""Share of a half-precision run after which the last layers, the most audible ones, are computed in float32."""
LARGEST_GRADIENT = 5.0
"""Of the reconstruction stage; the published training lets gradients be of any size."""
VALIDATION_EXCERPTS, VALIDATION_SECONDS = 14, 2.0
"""How much of the held-out recordings is measured at each validation; at the end all of them are."""


def train_vocoder(
    options: RunOptions,
    *,
    data: Path | Sequence[Path],
    held_out: Path | Sequence[Path],
    start: Path | None = None,
    config: str = "v3",
    stage: str = "reconstruction",
    audio: AudioFormat | None = None,
    batch: int = 8,
    frames: int = 64,
    learning_rate: float = 1e-4,
    half: bool = False,
    excitation: bool = False,
    inverse_stft: bool = False,
) -> dict[str, float]:
    """Trains a vocoder and writes its checkpoint (plain weights) into ``options.out``.

    Args:
        options: see ``RunOptions``.
        data, held_out: recordings to learn from and to be measured on, see ``training.data.recordings.clips``.
        start: weights to begin with, anything that ``load_vocoder`` reads; None for random ones.
        config: size of a vocoder that begins with random weights, a key of ``vocoder_sizes``.
        stage: one of ``STAGES``.
        audio: format of recordings whose folders do not state it.
        batch, frames: windows in a step, and mel frames in a window.
        learning_rate: at its highest.
        half: compute in bfloat16: in the reconstruction stage most of the generator, and its last layers too until
            ``FINE_FROM`` of the run is done, which is worth it on a GPU or where the processor has bfloat16
            instructions; in the adversarial stage, on a GPU alone, the generator and the discriminators.
        excitation: give the vocoder the notes' partials as a second input; what it has learned so far stays.
        inverse_stft: put an inverse transform in the place of the last stage, if there is none; it begins to learn.

    Returns:
        ``copy_synthesis`` of all held-out recordings; nothing in a process that is not the first.

    Raises:
        OptionError: an unknown stage or size, a start of another format, or fewer windows than processes.
        CheckpointError, DataError, DeviceError: see what raises them.
    """
    if stage not in STAGES:
        raise OptionError(f"the stage of a vocoder training is one of {', '.join(STAGES)}, not {stage!r}")
    sizes = vocoder_sizes()
    if config not in sizes:
        raise OptionError(f"the size of a vocoder is one of {', '.join(sizes)}, not {config!r}")
    parallel.need_rows(batch)
    audio = one_format([*_places(data), *_places(held_out)], audio)
    torch.manual_seed(options.seed)
    device = choose_device(options.device)
    generator = load_vocoder(start) if start else sizes[config].untrained(config, audio)
    if start and vocoder_format(start) != audio:
        raise OptionError(
            f"the vocoder in {start} was trained on {vocoder_format(start)}, the recordings are {audio}: begin with "
            "one of their format, or leave --start out"
        )
    if excitation:
        generator = generator.with_excitation()
    if inverse_stft:
        generator = generator.with_inverse_stft()
    generator = generator.to(device)
    clips, kept = Clips(clip_files(data), audio), Clips(clip_files(held_out), audio)
    announce(f"{clips.seconds / 60:.1f} min to learn from, {kept.seconds / 60:.1f} min held out")

    def draw(number: int) -> tuple[Tensor, Tensor | None, Tensor]:
        mel, source, real = clips.batch(batch, frames, np.random.default_rng((options.seed, number)))
        heard = source[:, None].to(device) if generator.excitation else None
        return mel.to(device), heard, real.to(device)

    precision = _Precision(half)
    begin, largest = (_reconstruction, LARGEST_GRADIENT) if stage == "reconstruction" else (_adversarial, 0.0)
    clip = options.clip_or(largest)
    models, optimisers, update = begin(_Setup(generator, audio, learning_rate, clip, precision, draw))

    cosine = warm_cosine()

    def schedule(progress: float) -> float:
        precision.follow(progress)
        return cosine(progress)

    excerpts = kept.excerpts(VALIDATION_EXCERPTS, audio.frames(VALIDATION_SECONDS))

    def save(folder: Path) -> None:
        config = {"kind": "vocoder", **generator.document(), "audio": asdict(audio), "stage": stage}
        save_checkpoint(folder, generator, config)

    run_training(
        options,
        models=models,
        optimisers=optimisers,
        schedule=schedule,
        step=update,
        validate=lambda: copy_synthesis(generator, excerpts, audio),
        save=save,
    )
    if not parallel.first():
        return {}
    final = copy_synthesis(generator.eval(), kept.clips, audio)
    announce(f"held out: log-mel L1 {final['log_mel_l1']:.4f}, level {final['level_db']:+.2f} dB")
    return final


def _places(data: Path | Sequence[Path]) -> list[Path]:
    return [data] if isinstance(data, Path) else list(data)


Draw = Callable[[int], tuple[Tensor, Tensor | None, Tensor]]
"""The batch of a step: log-mels (B, bands, T), excitation (B, 1, hop * T) or None, audio (B, C, hop * T)."""
Update = Callable[[int], dict[str, float]]
Parts = tuple[dict[str, nn.Module], dict[str, torch.optim.Optimizer], Update]


class _Precision:
    """The precision in which a generator is computed while it learns."""

    def __init__(self, half: bool) -> None:
        self.half = half
        self._inner = self._last = torch.bfloat16 if half else torch.float32

    def follow(self, progress: float) -> None:
        """Told the progress of the run before each step."""
        if progress >= FINE_FROM:
            self._last = torch.float32

    def generate(self, generator: Vocoder, mel: Tensor, source: Tensor | None) -> Tensor:
        """Log-mel (B, bands, T) and, where it is an input, excitation (B, 1, hop * T) to float32 (B, C, hop * T)."""
        if mel.device.type == "cpu":
            return generator.forward_fast(mel, source, self._inner, self._last)
        with half_precision(mel.device, self._last is torch.bfloat16):
            waveform: Tensor = generator(mel, source)
        return waveform.float()


@dataclass(frozen=True)
class _Setup:
    """What both stages begin with.

    Attributes:
        generator: in training; on its device.
        audio: format of the recordings.
        learning_rate: at its highest.
        clip: largest norm of a step's gradients, 0 for any.
        precision: of the generator.
        draw: the batch of a step.
    """

    generator: Vocoder
    audio: AudioFormat
    learning_rate: float
    clip: float
    precision: _Precision
    draw: Draw


def _reconstruction(setup: _Setup) -> Parts:
    generator, learning_rate, clip, precision = setup.generator, setup.learning_rate, setup.clip, setup.precision
    device = next(generator.parameters()).device
    log_mel, spectra = LogMelSpectrogram(setup.audio).to(device), MultiResolutionSTFT().to(device)
    # Plain weights, no weight norm: cheaper, but at rates from 2e-4 on the start is forgotten in a few steps.
    new = list(generator.new_parameters())
    begun = [parameter for parameter in generator.parameters() if not any(parameter is each for each in new)]
    groups: list[dict[str, Any]] = [{"params": begun}]
    if new:
        groups.append({"params": new, "lr": SOURCE_RATE * learning_rate})
    optimiser = torch.optim.AdamW(groups, learning_rate, betas=(0.9, 0.99), weight_decay=0.0)
    generator.train()

    def update(number: int) -> dict[str, float]:
        mel, source, real = setup.draw(number)
        own = parallel.share(len(mel))
        share = precision.generate(generator, mel[own], None if source is None else source[own])
        generated = parallel.gather(share, len(mel))
        made, truth = generated.flatten(0, 1), real.flatten(0, 1)  # every channel by itself
        mel_loss = functional.l1_loss(log_mel(made), log_mel(truth))
        stft_loss = spectra(made, truth)
        optimise(mel_loss + STFT_WEIGHT * stft_loss, optimiser, clip)
        return {"log_mel_l1": mel_loss.item(), "stft": stft_loss.item()}

    return {"generator": generator}, {"generator": optimiser}, update


def _adversarial(setup: _Setup) -> Parts:
    generator, learning_rate, clip, precision = setup.generator, setup.learning_rate, setup.clip, setup.precision
    device = next(generator.parameters()).device
    log_mel = LogMelSpectrogram(setup.audio).to(device)
    judges = nn.ModuleDict({"period": MultiPeriodDiscriminator(), "scale": MultiScaleDiscriminator()}).to(device)
    optimisers: dict[str, torch.optim.Optimizer] = {
        "generator": torch.optim.AdamW(generator.parameters(), learning_rate, betas=(0.8, 0.99)),
        "judges": torch.optim.AdamW(judges.parameters(), learning_rate, betas=(0.8, 0.99)),
    }
    generator.train()

    def update(number: int) -> dict[str, float]:
        mel, source, real = setup.draw(number)
        rows, own = len(mel), parallel.share(len(mel))
        truth = real[own].flatten(0, 1)[:, None]  # every channel by itself
        with half_precision(device, precision.half):
            sound = generator(mel[own], None if source is None else source[own])
            generated = sound.flatten(0, 1)[:, None]
            verdicts = [(judge(truth)[0], judge(generated.detach())[0]) for judge in judges.values()]
        judged = torch.stack([discriminator_loss(*map(_exact, scores)) for scores in verdicts]).sum()
        judged = parallel.weigh(judged, rows)
        optimise(judged, optimisers["judges"], clip)
        mel_loss = functional.l1_loss(
            log_mel(parallel.gather(sound.float(), rows).flatten(0, 1)), log_mel(real.flatten(0, 1))
        )
        fooled, matched = torch.zeros((), device=device), torch.zeros((), device=device)
        for judge in judges.values():
            with half_precision(device, precision.half):
                scores, features = judge(generated)
                with torch.no_grad():
                    _, truths = judge(truth)
            fooled = fooled + adversarial_loss(_exact(scores))
            matched = matched + feature_matching_loss([*map(_exact, truths)], [*map(_exact, features)])
        fooled, matched = parallel.weigh(fooled, rows), parallel.weigh(matched, rows)
        optimise(fooled + FEATURE_WEIGHT * matched + MEL_WEIGHT * mel_loss, optimisers["generator"], clip)
        return {
            "log_mel_l1": mel_loss.item(),
            "adversarial": fooled.item(),
            "features": matched.item(),
            "discriminators": judged.item(),
        }

    return {"generator": generator, "judges": judges}, optimisers, update


def _exact(tensors: Sequence[Tensor]) -> list[Tensor]:
    """As float32, so that losses are."""
    return [tensor.float() for tensor in tensors]

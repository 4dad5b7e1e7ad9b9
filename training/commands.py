"""The researcher's commands: ``a2m-edge data ...`` and ``a2m-edge train ...``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from a2m_edge.errors import OptionError
from training.command_options import (
    CHECKPOINTS,
    CheckpointMinutes,
    Device,
    Minutes,
    Out,
    Resume,
    Seed,
    Shared,
    Start,
    Steps,
    need_torch,
)
from training.data_commands import register_data

if TYPE_CHECKING:
    from training.trainer import RunOptions


def register(app: typer.Typer) -> None:
    """Adds ``data`` and ``train`` to the command line."""
    data = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Build what the models are trained on.")
    register_data(data)
    train = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Train the models.")
    train.command("encoder")(encoder)
    train.command("fusion")(fusion)
    train.command("decoder")(decoder)
    train.command("vocoder")(vocoder)
    app.command("evaluate")(evaluate)
    app.add_typer(data, name="data")
    app.add_typer(train, name="train")


def options(
    out: Path,
    steps: int,
    minutes: float | None,
    resume: bool,
    seed: int,
    device: str,
    checkpoint_minutes: float,
    validate_every: int,
) -> RunOptions:
    """The options that all trainers share."""
    need_torch()
    from training.trainer import RunOptions

    return RunOptions(out, steps, resume, seed, device, checkpoint_minutes, minutes, validate_every)


def encoder(
    out: Out,
    steps: Steps = 4000,
    shared: Shared = Path("../shared"),
    start: Annotated[str, typer.Option(help="a2m-s, an OpenCLIP model[:tag], or a checkpoint folder.")] = "a2m-s",
    batch: Annotated[int, typer.Option(min=2, help="Texts in a step.")] = 64,
    pictures: Annotated[int, typer.Option(min=0, help="Pictures in a step; 0 tunes the text tower alone.")] = 24,
    minutes: Minutes = None,
    resume: Resume = False,
    seed: Seed = 0,
    device: Device = "auto",
    checkpoint_minutes: CheckpointMinutes = 5.0,
    validate_every: Annotated[int, typer.Option(min=1)] = 500,
) -> None:
    """Tune image and text encoder on what people feel before art."""
    run = options(out, steps, minutes, resume, seed, device, checkpoint_minutes, validate_every)
    from training.trainers.encoder import train_encoder

    weights = shared / "weights" / "mobilenetv2_imagenet_timm.safetensors"
    train_encoder(
        run,
        data=shared / "data",
        start=start,
        image_weights=weights if start == "a2m-s" else None,
        batch=batch,
        pictures=pictures,
    )


def fusion(
    out: Out,
    steps: Steps = 3000,
    shared: Shared = Path("../shared"),
    encoder_checkpoint: Annotated[Path, typer.Option("--encoder", help="Encoder checkpoint.")] = CHECKPOINTS
    / "encoder",
    pairs: Annotated[Path | None, typer.Option(help="articaps.csv, for who plays what.")] = None,
    embeddings: Annotated[Path | None, typer.Option(help="Folder of  a2m-edge data embed  with this encoder.")] = None,
    most: Annotated[int | None, typer.Option(min=1, help="Utterances to learn from at most.")] = None,
    batch: Annotated[int, typer.Option(min=2, help="Utterances in a step.")] = 256,
    minutes: Minutes = None,
    resume: Resume = False,
    seed: Seed = 0,
    device: Device = "auto",
    checkpoint_minutes: CheckpointMinutes = 5.0,
    validate_every: Annotated[int, typer.Option(min=1)] = 500,
) -> None:
    """Train fusion, feeling and palette on a finished encoder."""
    run = options(out, steps, minutes, resume, seed, device, checkpoint_minutes, validate_every)
    from training.trainers.fusion import train_fusion

    train_fusion(
        run,
        data=shared / "data",
        encoder=encoder_checkpoint,
        articaps=pairs,
        embeddings=embeddings,
        most=most,
        batch=batch,
    )


def decoder(
    data: Annotated[Path, typer.Option(help="Folder of realisations (or recordings, for the paper's).")],
    out: Out,
    steps: Steps = 20_000,
    architecture: Annotated[str, typer.Option(help="score, or paper: the published one.")] = "score",
    fused: Annotated[Path | None, typer.Option(help="Fused embeddings from  a2m-edge data condition.")] = None,
    start: Start = None,
    batch: Annotated[int, typer.Option(min=1, help="Windows in a step.")] = 44,
    frames: Annotated[int, typer.Option(min=2, help="Mel frames in a window.")] = 96,
    learning_rate: Annotated[float, typer.Option(min=1e-7, help="At the start of the schedule.")] = 2e-3,
    minutes: Minutes = None,
    resume: Resume = False,
    seed: Seed = 0,
    device: Device = "auto",
    checkpoint_minutes: CheckpointMinutes = 5.0,
    validate_every: Annotated[int, typer.Option(min=1)] = 500,
) -> None:
    """Train the mel decoder on realisations."""
    run = options(out, steps, minutes, resume, seed, device, checkpoint_minutes, validate_every)
    if architecture == "paper":
        from training.trainers.paper_decoder import train_paper_decoder

        if fused is None:
            raise OptionError("the paper's decoder hears nothing but fused embeddings: give --fused FILE.npz")
        train_paper_decoder(run, data=data, fused=fused)
        return
    if architecture != "score":
        raise OptionError(f"there is no decoder architecture {architecture!r}: choose score or paper")
    from training.trainers.decoder import train_decoder

    train_decoder(run, data=data, fused=fused, start=start, batch=batch, frames=frames, learning_rate=learning_rate)


def vocoder(
    data: Annotated[list[Path], typer.Option(help="Recordings to learn from; may be given several times.")],
    held_out: Annotated[list[Path], typer.Option(help="Recordings to measure on; may be given several times.")],
    out: Out,
    steps: Steps = 20_000,
    start: Start = None,
    config: Annotated[str, typer.Option(help="v1, v2 or v3, for a generator without --start.")] = "v3",
    stage: Annotated[str, typer.Option(help="reconstruction or adversarial.")] = "reconstruction",
    batch: Annotated[int, typer.Option(min=1, help="Windows in a step.")] = 8,
    frames: Annotated[int, typer.Option(min=8, help="Mel frames in a window.")] = 64,
    learning_rate: Annotated[float, typer.Option(min=1e-7, help="At the start of the schedule.")] = 1e-4,
    half_precision: Annotated[bool, typer.Option(help="bfloat16 autocast.")] = False,
    excitation: Annotated[bool, typer.Option(help="Let the generator hear the notes' partials.")] = False,
    minutes: Minutes = None,
    resume: Resume = False,
    seed: Seed = 0,
    device: Device = "auto",
    checkpoint_minutes: CheckpointMinutes = 5.0,
    validate_every: Annotated[int, typer.Option(min=1)] = 500,
) -> None:
    """Train or fine-tune HiFi-GAN."""
    run = options(out, steps, minutes, resume, seed, device, checkpoint_minutes, validate_every)
    from training.trainers.vocoder import train_vocoder

    result = train_vocoder(
        run,
        data=data,
        held_out=held_out,
        start=start,
        config=config,
        stage=stage,
        batch=batch,
        frames=frames,
        learning_rate=learning_rate,
        half_precision=half_precision,
        excitation=excitation,
    )
    typer.echo(", ".join(f"{name} {value:.4g}" for name, value in result.items()))


def evaluate(
    data: Annotated[Path, typer.Option(help="Folder of  a2m-edge data build.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="JSON file to write.")],
    bundle: Annotated[Path | None, typer.Argument(help="Folder of a bundle; the built-in one when left out.")] = None,
    checkpoints: Annotated[Path, typer.Option(help="Folder of the checkpoints behind it.")] = CHECKPOINTS,
    shared: Shared = Path("../shared"),
    soundscapes: Annotated[int, typer.Option(min=1, help="Soundscapes that are transcribed.")] = 20,
) -> None:
    """Measure weights and bundle on material they never saw: feeling, mel, sound, notes."""
    need_torch()
    import json

    from a2m_edge.bundle import open_bundle
    from training.evaluation.report import evaluate_checkpoints, evaluate_notes

    figures = evaluate_checkpoints(checkpoints, shared, data)
    figures |= evaluate_notes(open_bundle(bundle), shared, data / "articaps.csv", soundscapes)
    out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    for part, values in figures.items():
        typer.echo(f"{part}: " + ", ".join(f"{name} {value:.4g}" for name, value in values.items()))

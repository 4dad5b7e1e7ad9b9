"""The researcher's commands: ``a2m-edge data ...`` and ``a2m-edge train ...``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from a2m_edge.errors import MissingExtraError, OptionError

if TYPE_CHECKING:
    from training.trainer import RunOptions

CHECKPOINTS = Path(__file__).parent / "checkpoints"
TABLES = CHECKPOINTS / "composer.json"

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder of the run.")]
Steps = Annotated[int, typer.Option(min=1, help="Optimiser steps of the whole run.")]
Minutes = Annotated[float | None, typer.Option(help="End after this long, the learning rate annealed.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")]
Seed = Annotated[int, typer.Option(min=0, help="Of weights and order of the data.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
CheckpointMinutes = Annotated[float, typer.Option(min=0.1, help="Minutes between checkpoints.")]
Start = Annotated[Path | None, typer.Option(help="Checkpoint or weights to begin with.")]
Shared = Annotated[Path, typer.Option(envvar="A2M_SHARED", help="Folder with data/ and weights/.")]


def register(app: typer.Typer) -> None:
    """Adds ``data`` and ``train`` to the command line."""
    data = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Build what the models are trained on.")
    data.command("build")(build)
    data.command("tables")(tables)
    data.command("orchestrate")(orchestrate)
    data.command("condition")(condition)
    data.command("decode")(decode)
    train = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Train the models.")
    train.command("encoder")(encoder)
    train.command("fusion")(fusion)
    train.command("decoder")(decoder)
    train.command("vocoder")(vocoder)
    app.command("evaluate")(evaluate)
    app.add_typer(data, name="data")
    app.add_typer(train, name="train")


def need_torch() -> None:
    """Refuses to go on where the training extra is not installed.

    Raises:
        MissingExtraError: torch cannot be imported.
    """
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError("torch", "train") from error


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


def build(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    shared: Shared = Path("../shared"),
    captions: Annotated[int | None, typer.Option(min=1, help="Use only so many captions, chosen by the seed.")] = None,
    takes: Annotated[int, typer.Option(min=1, help="Realisations of each caption.")] = 1,
    seconds: Annotated[float, typer.Option(min=2.0, help="Length of a realisation.")] = 30.0,
    most: Annotated[int, typer.Option(min=1, help="Utterances that one caption may serve.")] = 40,
    pictured_only: Annotated[bool, typer.Option(help="Leave out utterances without a picture.")] = False,
    audio: Annotated[Path | None, typer.Option(help="Folder with <ytid>.wav: also keep MusicCaps' recordings.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; all cores by default.")] = None,
    seed: Seed = 0,
) -> None:
    """Build ArtiCaps pairs and the realisations that the decoder learns from.

    Writes articaps.csv, realisations/ and, with --audio, recordings/. What exists already is not made again.
    """
    need_torch()
    import numpy as np
    from rich.console import Console
    from rich.progress import track

    from a2m_edge.audio import AudioFormat
    from training.data.articaps import build_articaps
    from training.data.embeddings import embed_texts
    from training.data.realisation import build_realisations, read_captions
    from training.data.recordings import import_recordings
    from training.models.encoders import load_encoder

    console = Console(stderr=True)
    every = read_captions(shared / "data" / "musiccaps.csv")
    order = np.random.default_rng(seed).permutation(len(every))
    chosen = [every[index] for index in order[:captions]]
    if not (out / "articaps.csv").exists():
        with console.status("matching utterances with captions"):
            sentences = load_encoder("a2m-s")
            statistics = build_articaps(
                shared / "data",
                chosen,
                out,
                lambda texts: embed_texts(sentences, list(texts)),
                most=most,
                pictured_only=pictured_only,
            )
        console.print(f"{statistics['pairs']} pairs, {statistics['dropped']} utterances found no caption")
    made = build_realisations(
        chosen,
        out / "realisations",
        tables=TABLES,
        takes=takes,
        seconds=seconds,
        seed=seed,
        workers=workers or os.cpu_count() or 1,
    )
    for _ in track(made, "realisations", total=takes * len(chosen), console=console):
        pass
    if audio is not None:
        for _ in track(import_recordings(chosen, audio, out / "recordings", AudioFormat()), "recordings", len(chosen)):
            pass


def tables(
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")] = TABLES,
    shared: Shared = Path("../shared"),
) -> None:
    """Estimate the composer's tables from the CC0 OpenScore corpora."""
    need_torch()
    from training.data.score_tables import build_score_tables

    scores = shared / "data" / "scores"
    result = build_score_tables([scores / "lieder.zip", scores / "quartets.zip"], out)
    typer.echo(f"{out}: tables from {result['scores']} scores")


def orchestrate(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    shared: Shared = Path("../shared"),
    train_minutes: Annotated[float, typer.Option(min=0.5, help="Minutes of music to train on.")] = 110.0,
    held_out_minutes: Annotated[float, typer.Option(min=0.5, help="Minutes of music to measure on.")] = 6.0,
    seed: Seed = 0,
) -> None:
    """Render the CC0 scores, re-orchestrated over the palette: what the vocoder learns from."""
    need_torch()
    from training.data.orchestration import build_orchestrations

    build_orchestrations(
        shared / "data" / "scores", out, train_minutes=train_minutes, held_out_minutes=held_out_minutes, seed=seed
    )
    typer.echo(f"{out}: recordings in train/ and held_out/")


def condition(
    pairs: Annotated[Path, typer.Option(help="articaps.csv of a data folder.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write (.npz).")],
    shared: Shared = Path("../shared"),
    encoder_checkpoint: Annotated[Path, typer.Option("--encoder", help="Encoder checkpoint.")] = CHECKPOINTS
    / "encoder",
    fusion_checkpoint: Annotated[Path, typer.Option("--fusion", help="Fusion checkpoint.")] = CHECKPOINTS / "fusion",
) -> None:
    """Compute the fused embeddings of all pairs, for training the decoder on them."""
    need_torch()
    from training.data.conditions import build_conditions
    from training.models.encoders import load_encoder
    from training.models.fusion import load_fusion

    count = build_conditions(
        pairs, shared / "data", load_encoder(encoder_checkpoint), load_fusion(fusion_checkpoint), out
    )
    typer.echo(f"{out}: {count} fused embeddings")


def decode(
    data: Annotated[Path, typer.Option(help="Folder of  a2m-edge data build.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    decoder_checkpoint: Annotated[Path, typer.Option("--decoder", help="Decoder checkpoint.")] = CHECKPOINTS
    / "decoder",
    every: Annotated[int, typer.Option(min=1, help="Take one realisation of so many.")] = 8,
) -> None:
    """Decode realisations with a trained decoder, for the vocoder to learn from what it will be fed."""
    need_torch()
    from training.data.decoded import write_decoded

    count = write_decoded(decoder_checkpoint, data / "realisations" / "train", out, every)
    typer.echo(f"{out}: {count} decoded recordings")


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

    train_fusion(run, data=shared / "data", encoder=encoder_checkpoint, articaps=pairs, most=most, batch=batch)


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

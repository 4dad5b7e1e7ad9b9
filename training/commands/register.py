"""The researcher's commands: ``a2m-edge data ...``, ``a2m-edge train ...`` and ``a2m-edge evaluate ...``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from a2m_edge.errors import OptionError
from a2m_edge.ledger import claim, claim_below
from a2m_edge.options import Force
from training.commands.data import register_data
from training.commands.evaluation import register_evaluation
from training.commands.options import (
    CHECKPOINTS,
    Device,
    EncoderCheckpoint,
    Out,
    Run,
    Shared,
    Start,
    need_torch,
    number,
    trainer_command,
)


def register(app: typer.Typer) -> None:
    """Adds ``data``, ``train`` and ``evaluate`` to the command line."""
    data = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Build what the models are trained on.")
    register_data(data)
    train = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Train the models.")
    register_trainers(train)
    app.add_typer(data, name="data")
    app.add_typer(train, name="train")
    register_evaluation(app)


def register_trainers(app: typer.Typer) -> None:
    """Adds what  ``a2m-edge train``  and  ``python -m training``  offer."""
    app.command("languages")(languages)
    app.command("encoder")(encoder)
    app.command("subjects")(subjects)
    app.command("fusion")(fusion)
    app.command("decoder")(decoder)
    app.command("vocoder")(vocoder)


@trainer_command(steps=20000)
def languages(
    run: Run,
    shared: Shared = Path("../shared"),
    teacher: Annotated[str, typer.Option(help="An encoder that knows English: a checkpoint folder.")] = str(
        CHECKPOINTS / "encoder"
    ),
    start: Annotated[
        Path | None,
        typer.Option(help="An encoder of an earlier run to go on from.", show_default="multilingual-e5-small"),
    ] = None,
    pairs: Annotated[int, typer.Option(min=2, help="Sentences with their translations in a step.")] = 32,
    texts: Annotated[int, typer.Option(min=2, help="Texts with emotions in a step.")] = 32,
    comments: Annotated[int, typer.Option(min=2, help="Visitors' comments in a step.")] = 32,
    rate: Annotated[float, typer.Option(min=0.0, callback=number, help="Learning rate.")] = 5e-4,
    dropout: Annotated[
        float, typer.Option(min=0.0, max=0.9, callback=number, help="Share of its values that the tower drops.")
    ] = 0.1,
    half: Annotated[
        bool | None,
        typer.Option(help="Compute in bfloat16; slow without AVX-512 or AMX.", show_default="on a GPU alone"),
    ] = None,
) -> None:
    """Teach a text encoder many languages, from one that knows English and from texts with feelings."""
    options = run.options()
    from training.trainers.languages import train_languages

    train_languages(
        options,
        data=shared / "data",
        teacher=teacher,
        start=start,
        pairs=pairs,
        texts=texts,
        comments=comments,
        rate=rate,
        half=half,
        dropout=dropout,
    )


@trainer_command(steps=4000)
def encoder(
    run: Run,
    shared: Shared = Path("../shared"),
    start: Annotated[str, typer.Option(help="a2m-s, an OpenCLIP model[:tag], or a checkpoint folder.")] = "a2m-s",
    text_of: Annotated[
        Path | None, typer.Option(help="A finished encoder whose text tower is taken over, of the same make.")
    ] = None,
    batch: Annotated[int, typer.Option(min=2, help="Texts in a step.")] = 64,
    pictures: Annotated[int, typer.Option(min=0, help="Pictures in a step; 0 tunes the text tower alone.")] = 24,
    texts: Annotated[bool, typer.Option(help="Tune the text tower, not the pictures' projection alone.")] = True,
    dropout: Annotated[bool, typer.Option(help="Let the text tower drop values as it learns.")] = True,
    align: Annotated[
        bool | None,
        typer.Option(
            help="Begin with the regression of pictures onto their utterances; done unless --start is a folder.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Tune image and text encoder on what people feel before art."""
    options = run.options()
    from training.trainers.encoder import train_encoder

    train_encoder(
        options,
        data=shared / "data",
        start=start,
        text_of=text_of,
        batch=batch,
        pictures=pictures,
        texts=texts,
        dropout=dropout,
        align=align,
    )


def subjects(
    out: Out,
    shared: Shared = Path("../shared"),
    encoder_checkpoint: EncoderCheckpoint = CHECKPOINTS / "encoder",
    features: Annotated[
        Path | None,
        typer.Option(help="File (.npz) that keeps what the encoder's trunk saw, between runs.", show_default="none"),
    ] = None,
    device: Device = "auto",
    force: Force = False,
) -> None:
    """Learn what pictures show on the features of a finished encoder: subjects, style and period.

    Labels come from titles and utterances. The layer is fitted at once: there are no steps to resume. What takes long
    is to look at the pictures, and --features keeps that.
    """
    need_torch()
    from training.models.encoders import load_encoder, require_trained
    from training.trainer import RESULTS, choose_device
    from training.trainers.subjects import train_subjects

    claim_below(out, *RESULTS, force=force)
    if features is not None:
        claim(features, force=force)
    require_trained(encoder_checkpoint)
    head = train_subjects(
        out,
        data=shared / "data",
        encoder=load_encoder(encoder_checkpoint),
        features=features,
        device=choose_device(device),
        say=typer.echo,
    )
    labels = head.config.tables.labels
    told = sum(label.threshold is not None for label in labels)
    typer.echo(f"{out}: {len(labels)} labels, of which {told} are sure enough at times to be told")


@trainer_command(steps=1000)
def fusion(
    run: Run,
    shared: Shared = Path("../shared"),
    encoder_checkpoint: EncoderCheckpoint = CHECKPOINTS / "encoder",
    palette_of: Annotated[
        Path | None, typer.Option(help="A finished fusion: train only who plays and in how large a room.")
    ] = None,
    pictures_of: Annotated[
        Path | None,
        typer.Option(help="A finished fusion: train only what it makes of pictures, for another image tower."),
    ] = None,
    words_of: Annotated[
        Path | None,
        typer.Option(help="A finished fusion to begin with, of another text tower; it is held to what that one makes."),
    ] = None,
    words_encoder: Annotated[str | None, typer.Option(help="The encoder that --words-of was trained on.")] = None,
    comments: Annotated[bool, typer.Option(help="Learn from visitors' comments in many languages, too.")] = False,
    pairs: Annotated[Path | None, typer.Option(help="articaps.csv, for who plays what.")] = None,
    embeddings: Annotated[Path | None, typer.Option(help="Folder of  a2m-edge data embed  with this encoder.")] = None,
    most: Annotated[int | None, typer.Option(min=1, help="Utterances to learn from at most.")] = None,
    batch: Annotated[int, typer.Option(min=2, help="Utterances in a step.")] = 512,
    dropout: Annotated[
        float, typer.Option(min=0.0, max=0.99, callback=number, help="Share of inner values dropped.")
    ] = 0.3,
) -> None:
    """Train fusion, feeling and palette on a finished encoder."""
    options = run.options()
    from training.trainers.fusion import train_fusion

    train_fusion(
        options,
        data=shared / "data",
        encoder=encoder_checkpoint,
        palette_of=palette_of,
        pictures_of=pictures_of,
        words_of=words_of,
        words_encoder=words_encoder,
        comments=comments,
        articaps=pairs,
        embeddings=embeddings,
        most=most,
        batch=batch,
        dropout=dropout,
    )


@trainer_command(steps=20_000)
def decoder(
    run: Run,
    data: Annotated[Path, typer.Option(help="Folder of realisations (or recordings, for the paper's).")],
    architecture: Annotated[str, typer.Option(help="score, or paper: the published one.")] = "score",
    fused: Annotated[Path | None, typer.Option(help="Fused embeddings from  a2m-edge data condition.")] = None,
    start: Start = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Windows in a step.", show_default="52; 32 for the paper's")
    ] = None,
    frames: Annotated[
        int | None, typer.Option(min=2, help="Mel frames in a window.", show_default="80; 862 for the paper's")
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            min=1e-7, callback=number, help="At the start of the schedule.", show_default="2e-3; 1e-4 for the paper's"
        ),
    ] = None,
    layers: Annotated[
        int | None, typer.Option(min=1, help="Layers of the paper's decoder.", show_default="4, as published")
    ] = None,
    hidden: Annotated[
        int | None, typer.Option(min=1, help="Units of its LSTM each way.", show_default="512, as published")
    ] = None,
    half_precision: Annotated[
        bool | None, typer.Option(help="bfloat16 autocast.", show_default="on a GPU alone")
    ] = None,
) -> None:
    """Train the mel decoder on realisations."""
    options = run.options()
    if architecture not in ("score", "paper"):
        raise OptionError(f"there is no decoder architecture {architecture!r}: choose score or paper")
    recipe = _given(batch=batch, learning_rate=learning_rate)
    if architecture == "paper":
        from training.models.mel_decoder import PaperDecoderConfig
        from training.trainers.paper_decoder import train_paper_decoder

        if fused is None:
            raise OptionError("the paper's decoder hears nothing but fused embeddings: give --fused FILE.npz")
        if start is not None:
            raise OptionError("the paper's decoder begins with random weights: leave --start out")
        sizes = PaperDecoderConfig(**_given(frames=frames, layers=layers, hidden=hidden))
        train_paper_decoder(options, data=data, fused=fused, config=sizes, half=half_precision, **recipe)
        return
    if layers is not None or hidden is not None:
        raise OptionError(
            "--layers and --hidden are the paper's decoder's: add --architecture paper, or leave them out"
        )
    from training.trainers.decoder import train_decoder

    train_decoder(options, data=data, fused=fused, start=start, half=half_precision, **recipe, **_given(frames=frames))


def _given(**options: Any) -> dict[str, Any]:
    """The options that were given, for a trainer that knows its own defaults."""
    return {name: value for name, value in options.items() if value is not None}


@trainer_command(steps=20_000, average=0.998)
def vocoder(
    run: Run,
    data: Annotated[list[Path], typer.Option(help="Recordings to learn from; may be given several times.")],
    held_out: Annotated[list[Path], typer.Option(help="Recordings to measure on; may be given several times.")],
    start: Start = None,
    config: Annotated[str, typer.Option(help="v1, v2 or v3, for a generator without --start.")] = "v3",
    stage: Annotated[str, typer.Option(help="reconstruction or adversarial.")] = "reconstruction",
    sound_format: Annotated[
        str | None,
        typer.Option("--format", help="Of recordings that state none: 22k-mono, 48k-stereo, or a JSON file of one."),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Windows in a step.")] = 8,
    frames: Annotated[int, typer.Option(min=8, help="Mel frames in a window.")] = 64,
    learning_rate: Annotated[
        float, typer.Option(min=1e-7, callback=number, help="At the start of the schedule.")
    ] = 1e-4,
    half_precision: Annotated[bool, typer.Option(help="bfloat16 autocast.")] = False,
    excitation: Annotated[bool, typer.Option(help="Let the generator hear the notes' partials.")] = False,
    inverse_stft: Annotated[
        bool, typer.Option(help="Put an inverse Fourier transform in the place of the last stage: faster.")
    ] = False,
) -> None:
    """Train or fine-tune HiFi-GAN."""
    options = run.options()
    from training.data.recordings.formats import named_format
    from training.trainers.vocoder import train_vocoder

    result = train_vocoder(
        options,
        data=data,
        held_out=held_out,
        start=start,
        config=config,
        stage=stage,
        audio=None if sound_format is None else named_format(sound_format),
        batch=batch,
        frames=frames,
        learning_rate=learning_rate,
        half=half_precision,
        excitation=excitation,
        inverse_stft=inverse_stft,
    )
    if result:
        typer.echo(", ".join(f"{name} {value:.4g}" for name, value in result.items()))

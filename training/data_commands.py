"""The researcher's commands ``a2m-edge data ...``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.command_options import CHECKPOINTS, TABLES, Seed, Shared, need_torch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from training.jobs import JobRunner

Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes, each on one core; as many as there are cores when left out.")
]
RayAddress = Annotated[
    str | None,
    typer.Option("--ray", metavar="ADDRESS", help="Do it on a Ray cluster: its address, or auto for the one here."),
]


def register_data(data: typer.Typer) -> None:
    """Adds the commands of ``a2m-edge data``."""
    data.command("build")(build)
    data.command("embed")(embed)
    data.command("tables")(tables)
    data.command("orchestrate")(orchestrate)
    data.command("condition")(condition)
    data.command("decode")(decode)


def build(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    shared: Shared = Path("../shared"),
    captions: Annotated[int | None, typer.Option(min=1, help="Use only so many captions, chosen by the seed.")] = None,
    takes: Annotated[int, typer.Option(min=1, help="Realisations of each caption.")] = 1,
    seconds: Annotated[float, typer.Option(min=2.0, help="Length of a realisation.")] = 30.0,
    most: Annotated[int, typer.Option(min=1, help="Utterances that one caption may serve.")] = 40,
    pictured_only: Annotated[bool, typer.Option(help="Leave out utterances without a picture.")] = False,
    audio: Annotated[Path | None, typer.Option(help="Folder with <ytid>.wav: also keep MusicCaps' recordings.")] = None,
    workers: Workers = None,
    ray: RayAddress = None,
    seed: Seed = 0,
) -> None:
    """Build ArtiCaps pairs and the realisations that the decoder learns from.

    Writes articaps.csv, realisations/ and, with --audio, recordings/. What exists already is not made again.
    """
    need_torch()
    import numpy as np

    from a2m_edge.audio import AudioFormat
    from a2m_edge.output import held
    from training.data.articaps import build_articaps
    from training.data.embedding_shards import EmbeddingShards, TextBlock
    from training.data.realisation import build_realisations, read_captions
    from training.data.recordings import import_recordings

    runner = _runner(workers, ray)
    every = read_captions(shared / "data" / "musiccaps.csv")
    order = np.random.default_rng(seed).permutation(len(every))
    chosen = [every[index] for index in order[:captions]]
    with held(out):
        if not (out / "articaps.csv").exists():
            sentences = EmbeddingShards("a2m-s", out / "embeddings", runner)

            def sentence_embeddings(texts: Sequence[Sequence[str]]) -> Iterator[NDArray[np.float32]]:
                blocks = [TextBlock(tuple(block)) for block in texts]
                sentences.make(blocks, "blocks of texts")
                runner.say("matching utterances with captions")
                return (sentences.read(block) for block in blocks)

            statistics = build_articaps(
                shared / "data", chosen, out, sentence_embeddings, most=most, pictured_only=pictured_only
            )
            runner.say(f"{statistics['pairs']} pairs, {statistics['dropped']} utterances found no caption")
        realisations = build_realisations(
            chosen, out / "realisations", tables=TABLES, runner=runner, takes=takes, seconds=seconds, seed=seed
        )
        for _ in realisations:
            pass
        if audio is not None:
            for _ in import_recordings(chosen, audio, out / "recordings", AudioFormat(), runner):
                pass


def embed(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    shared: Shared = Path("../shared"),
    encoder_checkpoint: Annotated[Path, typer.Option("--encoder", help="Encoder checkpoint.")] = CHECKPOINTS
    / "encoder",
    workers: Workers = None,
    ray: RayAddress = None,
) -> None:
    """Embed all utterances, paintings and photographs, for  a2m-edge train fusion --embeddings.

    Writes feelings-<split>.npz, and the blocks they are put together from in embeddings/. What exists already is not
    made again, unless the encoder or the data have changed.
    """
    need_torch()
    from a2m_edge.output import held
    from training.data.feeling_embeddings import extract_feelings

    runner = _runner(workers, ray)
    with held(out):
        count = extract_feelings(encoder_checkpoint, shared / "data", out, runner)
    typer.echo(f"{out}: {count['utterances']} utterances and {count['pictures']} pictures")


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


def _runner(workers: int | None, ray: str | None) -> JobRunner:
    """What does the jobs of a command, with a bar on standard error."""
    from rich.console import Console
    from rich.progress import track

    from a2m_edge.jobs.engines import choose_engine
    from training.jobs import JobRunner

    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)

    def show(answers: Iterable[Path], title: str, total: int) -> Iterable[Path]:
        return track(answers, title, total, console=console)

    return JobRunner(choose_engine(workers, ray), show, console.print)

"""The researcher's commands ``a2m-edge data ...``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from a2m_edge.ledger import claim, claim_below
from a2m_edge.options import Force
from training.commands.importing import import_data
from training.commands.labels import label
from training.commands.options import (
    CHECKPOINTS,
    PICTURES,
    TABLES,
    EncoderCheckpoint,
    Seed,
    Shared,
    Workers,
    job_runner,
    need_torch,
    number,
    shown_on_a_bar,
)

RESULTS = ("articaps.csv", "articaps.json", "data-card.md", "similarity.png", "music-feelings.csv", "labeller.json")
"""What  a2m-edge data build  writes beside its recordings."""

Format = Annotated[
    str, typer.Option("--format", help="Sound format: 22k-mono, 48k-stereo, or a JSON file with the fields of one.")
]
RayAddress = Annotated[
    str | None,
    typer.Option("--ray", metavar="ADDRESS", help="Do it on a Ray cluster: its address, or auto for the one here."),
]


def register_data(data: typer.Typer) -> None:
    """Adds the commands of ``a2m-edge data``."""
    data.command("import")(import_data)
    data.command("build")(build)
    data.command("embed")(embed)
    data.command("label")(label)
    data.command("tables")(tables)
    data.command("orchestrate")(orchestrate)
    data.command("arrange")(arrange)
    data.command("condition")(condition)
    data.command("decode")(decode)
    data.command("pictures")(pictures)


def build(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    shared: Shared = Path("../shared"),
    captions: Annotated[int | None, typer.Option(min=1, help="Use only so many captions, chosen by the seed.")] = None,
    takes: Annotated[int, typer.Option(min=1, help="Realisations of each caption.")] = 1,
    seconds: Annotated[
        float, typer.Option(min=2.0, max=600.0, callback=number, help="Length of a realisation.")
    ] = 30.0,
    most: Annotated[int, typer.Option(min=1, help="Utterances that one caption may serve.")] = 40,
    pictured_only: Annotated[bool, typer.Option(help="Leave out utterances without a picture.")] = False,
    least_similarity: Annotated[
        float | None,
        typer.Option(
            min=-1.0, max=1.0, callback=number, help="Cosine below which an utterance and a caption are no pair."
        ),
    ] = None,
    artemis: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="ArtEmis, for example the official table; else --shared.")
    ] = None,
    wikiart: Annotated[
        Path | None, typer.Option(metavar="DIR", help="WikiArt's pictures, <art_style>/<painting>.jpg.")
    ] = None,
    musiccaps: Annotated[Path | None, typer.Option(metavar="FILE.csv", help="MusicCaps; else --shared.")] = None,
    audio: Annotated[Path | None, typer.Option(help="Folder with <ytid>.wav: also keep MusicCaps' recordings.")] = None,
    sound_format: Format = "22k-mono",
    workers: Workers = None,
    ray: RayAddress = None,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Build ArtiCaps pairs and the realisations that the decoder learns from.

    Writes articaps.csv with its facts in articaps.json, data-card.md with similarity.png, realisations/, what their
    notes suggest in music-feelings.csv and, with --audio, recordings/. What exists already is not made again; pairs
    that were made with other options are refused.
    """
    need_torch()
    import dataclasses

    from a2m_edge.output import held
    from training.data.embeddings.sentences import SentenceShards
    from training.data.embeddings.shards import EmbeddingShards
    from training.data.labels.music_labels import label_data
    from training.data.pairs.articaps import Options, Sources, build_articaps
    from training.data.pairs.data_card import music_facts, write_data_card
    from training.data.recordings.formats import named_format
    from training.data.recordings.musiccaps import import_recordings
    from training.data.recordings.realisation import build_realisations
    from training.data.tables.captions import choose_captions, read_captions

    claim_below(out, *RESULTS, force=force)
    recorded_format = named_format(sound_format)
    runner = job_runner(workers, ray)
    sources = Sources.of(shared / "data")
    sources = dataclasses.replace(
        sources,
        artemis=artemis or sources.artemis,
        musiccaps=musiccaps or sources.musiccaps,
        wikiart=wikiart,
    )
    chosen = choose_captions(read_captions(sources.musiccaps), captions, seed)
    with held(out):
        shards = EmbeddingShards("a2m-s", out / "embeddings", runner)
        facts = build_articaps(
            sources,
            chosen,
            out,
            SentenceShards(shards),
            encoder=shards.fingerprint.text,
            options=Options(most, pictured_only, least_similarity, seed),
            show=shown_on_a_bar,
        )
        runner.say(
            f"{facts['pairs']:,} pairs; {facts['dropped']:,} utterances are in none, {out / 'data-card.md'} says why"
        )
        write_data_card(out)
        realisations = build_realisations(
            chosen,
            out / "realisations",
            audio=recorded_format,
            tables=TABLES,
            runner=runner,
            takes=takes,
            seconds=seconds,
            seed=seed,
        )
        for _ in realisations:
            pass
        if audio is not None:
            for _ in import_recordings(chosen, audio, out / "recordings", recorded_format, runner):
                pass
        scores = shared / "data" / "scores"
        figures = None
        if scores.is_dir():
            runner.say("labelling the realisations")
            figures = label_data(out, scores)
        else:
            runner.say(f"{scores} has no labelled music: the realisations keep no labels")
        write_data_card(out, labeller_figures=figures, realisations=music_facts(out))


def embed(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    shared: Shared = Path("../shared"),
    encoder_checkpoint: EncoderCheckpoint = CHECKPOINTS / "encoder",
    workers: Workers = None,
    ray: RayAddress = None,
    force: Force = False,
) -> None:
    """Embed all utterances, paintings and photographs, for  a2m-edge train fusion --embeddings.

    Writes feelings-<split>.npz, and the blocks they are put together from in embeddings/. What exists already is not
    made again, unless the encoder or the data have changed.
    """
    need_torch()
    from a2m_edge.output import held
    from training.data.embeddings.feeling_embeddings import extract_feelings
    from training.models.encoders import require_trained

    claim_below(out, force=force)
    require_trained(encoder_checkpoint)
    runner = job_runner(workers, ray)
    with held(out):
        count = extract_feelings(encoder_checkpoint, shared / "data", out, runner)
    typer.echo(f"{out}: {count['utterances']} utterances and {count['pictures']} pictures")


def tables(
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")] = TABLES,
    shared: Shared = Path("../shared"),
    force: Force = False,
) -> None:
    """Estimate the composer's tables from the CC0 OpenScore corpora."""
    need_torch()
    from training.data.scores.score_tables import build_score_tables

    claim(out, force=force)
    scores = shared / "data" / "scores"
    result = build_score_tables([scores / "lieder.zip", scores / "quartets.zip"], out)
    typer.echo(f"{out}: tables from {result['scores']} scores")


def orchestrate(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    shared: Shared = Path("../shared"),
    train_minutes: Annotated[
        float, typer.Option(min=0.5, max=1e5, callback=number, help="Minutes of music to train on.")
    ] = 110.0,
    held_out_minutes: Annotated[
        float, typer.Option(min=0.5, max=1e5, callback=number, help="Minutes of music to measure on.")
    ] = 6.0,
    sound_format: Format = "22k-mono",
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Render the CC0 scores, re-orchestrated over the palette: what the vocoder learns from."""
    need_torch()
    from training.data.recordings.formats import named_format
    from training.data.recordings.orchestration import build_orchestrations

    claim_below(out, force=force)
    build_orchestrations(
        shared / "data" / "scores",
        out,
        audio=named_format(sound_format),
        train_minutes=train_minutes,
        held_out_minutes=held_out_minutes,
        seed=seed,
    )
    typer.echo(f"{out}: recordings in train/ and held_out/")


def arrange(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of realisations to add to.")],
    shared: Shared = Path("../shared"),
    hours: Annotated[float, typer.Option(min=0.001, max=1e4, callback=number, help="Hours of music.")] = 7.0,
    seconds: Annotated[float, typer.Option(min=2.0, max=600.0, callback=number, help="Length of an excerpt.")] = 30.0,
    sound_format: Format = "22k-mono",
    workers: Workers = None,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Arrange excerpts of the CC0 scores for the four roles: what the decoder learns beside realised captions.

    Writes realisations, and their recipes with source and licence in arrangements.csv. What exists already is not made
    again.
    """
    need_torch()
    from a2m_edge.output import held
    from training.data.recordings.arrangement import build_arrangements
    from training.data.recordings.arrangement_recipes import TABLE as ARRANGEMENTS
    from training.data.recordings.formats import named_format

    claim_below(out, ARRANGEMENTS, force=force)
    recorded_format = named_format(sound_format)
    # The folder of  a2m-edge data build  is held whole, for it clears what another run is writing in it.
    with held(out.absolute().parent if (out.absolute().parent / "articaps.csv").exists() else out):
        made = build_arrangements(
            shared / "data" / "scores",
            out,
            audio=recorded_format,
            runner=job_runner(workers),
            hours=hours,
            seconds=seconds,
            seed=seed,
        )
        count = sum(1 for _ in made)
    typer.echo(f"{out}: {count} arrangements made, their recipes in {ARRANGEMENTS}")


def condition(
    pairs: Annotated[Path, typer.Option(help="articaps.csv of a data folder.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write (.npz).")],
    shared: Shared = Path("../shared"),
    encoder_checkpoint: EncoderCheckpoint = CHECKPOINTS / "encoder",
    fusion_checkpoint: Annotated[Path, typer.Option("--fusion", help="Fusion checkpoint.")] = CHECKPOINTS / "fusion",
    force: Force = False,
) -> None:
    """Compute the fused embeddings of all pairs, for training the decoder on them."""
    need_torch()
    from training.data.embeddings.conditions import build_conditions
    from training.models.encoders import load_encoder, require_trained
    from training.models.fusion import load_fusion, require_encoder

    claim(out, force=force, sources=[pairs])
    require_trained(encoder_checkpoint)
    encoder, fusion = load_encoder(encoder_checkpoint), load_fusion(fusion_checkpoint)
    require_encoder(fusion, encoder)
    count = build_conditions(pairs, shared / "data", encoder, fusion, out)
    typer.echo(f"{out}: {count} fused embeddings")


def decode(
    data: Annotated[Path, typer.Option(help="Folder of  a2m-edge data build.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    decoder_checkpoint: Annotated[Path, typer.Option("--decoder", help="Decoder checkpoint.")] = CHECKPOINTS
    / "decoder",
    fused: Annotated[Path | None, typer.Option(help="Fused embeddings from  a2m-edge data condition.")] = None,
    every: Annotated[int, typer.Option(min=1, help="Take one realisation of so many.")] = 8,
    force: Force = False,
) -> None:
    """Decode realisations with a trained decoder, for the vocoder to learn from what it will be fed."""
    need_torch()
    from training.data.recordings.decoded import write_decoded

    claim_below(out, force=force)
    count = write_decoded(decoder_checkpoint, data / "realisations" / "train", fused, out, every)
    typer.echo(f"{out}: {count} decoded recordings")


def pictures(
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write (JSON).")] = PICTURES,
    shared: Shared = Path("../shared"),
    encoder_checkpoint: EncoderCheckpoint = CHECKPOINTS / "encoder",
    fusion_checkpoint: Annotated[Path, typer.Option("--fusion", help="Fusion checkpoint.")] = CHECKPOINTS / "fusion",
    force: Force = False,
) -> None:
    """Fit what a bundle knows of paintings as a whole: how they are painted, and how people's feelings are spread.

    Feelings of a picture alone come out of a regression too near to each other: the tables give back how far apart
    people's means are, and how the words are chosen. Of each cue they hold how it is spread over paintings.
    """
    need_torch()
    from a2m_edge.output import written_aside
    from training.data.embeddings.picture_tables import fit_picture_tables
    from training.models.encoders import load_encoder, require_trained
    from training.models.fusion import load_fusion, require_encoder

    claim(out, force=force)
    require_trained(encoder_checkpoint)
    encoder, fusion = load_encoder(encoder_checkpoint), load_fusion(fusion_checkpoint)
    require_encoder(fusion, encoder)
    fitted = fit_picture_tables(shared / "data", encoder, fusion, shown_on_a_bar)
    with written_aside(out) as stream:
        stream.write(fitted.to_json().encode())
    typer.echo(f"{out}: {len(fitted.cues)} cues, the spread of valence and arousal, {len(fitted.word_shift)} words")

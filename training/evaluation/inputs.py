"""What an evaluation needs: everything is looked for, and refused in one sentence, before the long work."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from a2m_edge.bundle import Bundle
from a2m_edge.errors import CheckpointError, DataError, OptionError, OutputError
from a2m_edge.ledger import claim
from a2m_edge.sound.format import AudioFormat
from training.data.embeddings.feeling_set import PAINTINGS
from training.data.tables.feelings import PictureArchive, read_paintings, read_utterances
from training.evaluation.examples import Tags
from training.evaluation.listening.fluidsynth_notes import FluidSynthNotes
from training.evaluation.listening.heard_feeling import FeelingListener
from training.evaluation.listening.identity import FEWEST, FramewiseListener
from training.evaluation.listening.sound_embedding import load_sound_embedding
from training.evaluation.listening.sounds_measured import Ears
from training.evaluation.listening.transcription import Transcriber
from training.evaluation.report.model import Missing
from training.evaluation.rows.baselines import PaperModel, PlainVocoder, checkpoint_fuse
from training.evaluation.rows.materials import Intended, Pair, held_out_pairs, intended, read_pairs, recorded
from training.evaluation.rows.rows import Rows
from training.models.encoders import load_encoder, require_trained
from training.models.fusion import load_fusion, require_encoder

PLAIN_VOCODER = "hifigan_v3_ljspeech.safetensors"
LEAST_CLIPS = 3

_WEIGHTS = (
    "basic_pitch_nmp.onnx",
    "efficientat_mn04.onnx",
    "efficientat_mn04_class_labels.csv",
    "jamendo_moodtheme.onnx",
    "jamendo_moodtheme_tags.json",
)


@dataclass(frozen=True)
class Settings:
    """What is evaluated, and how.

    Attributes:
        data: folder of ``a2m-edge data build``.
        shared: folder with ``data`` and ``weights``.
        clips: held-out pairs.
        seconds: length of each sound.
        seeds: soundscapes of each work for the diversity.
        identity: test paintings among which one is to be known again by its music; 0 leaves that out.
        identity_seconds: length of each piece for that.
        embedding: name or ONNX file, as ``load_sound_embedding`` takes it.
        paper: checkpoint of the published decoder, or None.
        encoder, fusion: checkpoints of the embeddings that it was trained on.
        plain_vocoder: of mels alone; None is the one in ``shared``.
        examples: works to show and hear.
        items: whether items for a rating study are made.
        cache: keeps the embeddings of the training pairs, or None.
        seed: of all that is drawn.
        device, threads: as in ``a2m_edge.inference.sessions.open_session``.
    """

    data: Path
    shared: Path
    clips: int = 200
    seconds: float = 12.0
    seeds: int = 3
    identity: int = 50
    identity_seconds: float = 20.0
    embedding: str | Path = "efficientat"
    paper: Path | None = None
    encoder: Path = Path("encoder")
    fusion: Path = Path("fusion")
    plain_vocoder: Path | None = None
    examples: int = 8
    items: bool = False
    cache: Path | None = None
    seed: int = 0
    device: str = "cpu"
    threads: int | None = None


@dataclass(frozen=True)
class Inputs:
    """All that an evaluation needs, read and found to be whole.

    Attributes:
        pairs: the held-out set.
        training: the training pairs.
        archive: the paintings.
        wanted: what listeners to the pairs should feel.
        ears: listen to every sound.
        vocoder: of mels alone.
        paper: the published configuration, or None where none is given.
        fluidsynth: plays our scores, or why it cannot.
        listener: describes pieces by which paintings are known again, or None where that is left out.
        tags: for the items of a rating study, or None where none are made.
    """

    pairs: list[Pair]
    training: list[Pair]
    archive: PictureArchive
    wanted: Intended
    ears: Ears
    vocoder: PlainVocoder
    paper: PaperModel | None
    fluidsynth: FluidSynthNotes | Missing
    listener: FramewiseListener | None
    tags: Tags | None


def check_output(page: Path, *others: Path, force: bool = False) -> None:
    """Refuses, before the long work, a page or another file that could not be written after it.

    Raises:
        OptionError: the page ends in ``.json``, which its numbers do, or two results have the same name.
        OutputError: a folder is missing or may not be written, or is where a file should be, or a file is there that
            this program did not write; ``force`` lets it be replaced.
    """
    beside = page.with_suffix(".json")
    if page == beside:
        raise OptionError(f"{page} is where the numbers go, beside the page: name the page, such as report.html")
    files = [page, beside, *others]
    if len({file.absolute() for file in files}) < len(files):
        raise OptionError(f"two results would be written to the same file: {', '.join(map(str, files))}")
    for file in files:
        if file.is_dir():
            raise OutputError(f"cannot write {file}: it is a folder; name a file in it")
        if not file.parent.is_dir():
            raise OutputError(f"cannot write {file}: there is no folder {file.parent}; create it first")
        if not os.access(file.parent, os.W_OK):
            raise OutputError(f"cannot write {file}: {file.parent} may not be written; choose another folder")
    claim(*files, force=force)


def gather(bundle: Bundle, settings: Settings) -> Inputs:
    """All that is needed.

    Raises:
        A2MError: data, weights or a checkpoint are missing or not what they should be, or an option is out of range.
    """
    if settings.clips < LEAST_CLIPS:
        raise OptionError(f"at least {LEAST_CLIPS} clips are needed to compare rows, not {settings.clips}")
    if settings.identity and settings.identity < FEWEST:
        raise OptionError(f"--identity is {settings.identity}: name {FEWEST} paintings or more, or 0 for none")
    if settings.threads is not None:
        import torch

        torch.set_num_threads(settings.threads)
    if not settings.data.is_dir():
        raise DataError(f"there is no folder {settings.data}: run  a2m-edge data build")
    tables, weights = settings.shared / "data", settings.shared / "weights"
    for file in (*(weights / name for name in _WEIGHTS), tables / PAINTINGS):
        if not file.is_file():
            raise DataError(f"there is no {file}: name the folder with data/ and weights/ by --shared")
    read_paintings(tables), read_utterances(tables)
    pairs = held_out_pairs(read_pairs(settings.data, tables, "test"), settings.clips, settings.seed)
    return Inputs(
        pairs,
        read_pairs(settings.data, tables, "train"),
        PictureArchive(tables / PAINTINGS, 1),
        intended(pairs, tables),
        Ears(
            load_sound_embedding(settings.embedding, weights),
            FeelingListener(weights),
            Transcriber(weights / "basic_pitch_nmp.onnx"),
        ),
        PlainVocoder(settings.plain_vocoder or weights / PLAIN_VOCODER, bundle.manifest.audio),
        _paper(settings, tables, bundle.manifest.audio),
        FluidSynthNotes.found(bundle.manifest.audio, Transcriber(weights / "basic_pitch_nmp.onnx")),
        FramewiseListener(weights) if settings.identity else None,
        Tags(weights) if settings.items else None,
    )


def _paper(settings: Settings, tables: Path, audio: AudioFormat) -> PaperModel | None:
    if settings.paper is None:
        return None
    require_trained(settings.encoder)
    encoder, fusion = load_encoder(settings.encoder), load_fusion(settings.fusion)
    require_encoder(fusion, encoder)
    return PaperModel(settings.paper, checkpoint_fuse(encoder, fusion, tables / PAINTINGS), audio)


def check_fit(rows: Rows, inputs: Inputs, settings: Settings) -> None:
    """Refuses what the first pair shows not to belong together.

    Raises:
        CheckpointError: the published decoder has other embeddings or other mels.
        DataError: the clips are too short, or of another format.
    """
    recorded(inputs.pairs[0].realisation, rows.audio, rows.frames)
    if inputs.paper is not None:
        bands = len(inputs.paper(inputs.pairs[0]))
        if bands != rows.audio.mel_bands:
            raise CheckpointError(
                f"{settings.paper} gives {bands} mel bands, and the bundle has {rows.audio.mel_bands}: train it again"
            )

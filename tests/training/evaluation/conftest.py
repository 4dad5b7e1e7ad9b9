"""A small world of pairs, and models to sound them, that several tests of the evaluation share."""

from __future__ import annotations

import csv
import dataclasses
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile
import torch

from a2m_edge.bundle import Bundle
from a2m_edge.composer import ComposerTables
from a2m_edge.impression.feeling import INSTRUMENTS
from a2m_edge.sound.format import FORMATS
from a2m_edge.sound.mel import log_mel
from a2m_edge.synthesis.excitation import partials
from tests.fixtures.places import TABLES
from tests.fixtures.training.encoders import write_data
from training.checkpoint import save_checkpoint
from training.data.embeddings.feeling_set import PAINTINGS
from training.data.recordings.formats import state_format
from training.data.recordings.realisation import compose, recipe_for
from training.data.recordings.realised import write_realisation
from training.data.tables.captions import Caption
from training.data.tables.feelings import PictureArchive
from training.evaluation.rows.materials import (
    Pair,
    held_out_pairs,
    read_pairs,
)
from training.evaluation.rows.rows import Rows
from training.models.hifigan import Generator, GeneratorConfig
from training.models.mel_decoder import PaperDecoder, PaperDecoderConfig

AUDIO = FORMATS["22k-mono"]
SECONDS = 1.0


FRAMES = AUDIO.frames(SECONDS)


@dataclass(frozen=True)
class World:
    """Folders as ``shared/data`` and ``a2m-edge data build`` have them, and what is read from them."""

    shared: Path
    data: Path
    test: list[Pair]
    train: list[Pair]
    archive: PictureArchive


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Six test paintings and twelve of training, each with its own clip: composed, and played by plain partials."""
    folder = tmp_path_factory.mktemp("world")
    shared, data = folder / "shared", folder / "data"
    shared.mkdir()
    write_data(shared)
    tables = ComposerTables.read(TABLES)
    with (shared / "artemis.csv").open(encoding="utf-8", newline="") as file:
        utterances = {row["image_file"]: row for row in csv.DictReader(file) if row["image_file"]}
    data.mkdir()
    with (data / "articaps.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["painting", "picture", "emotion", "utterance", "clip", "split"])
        for picture, row in utterances.items():
            clip = f"clip_{picture[:-4]}"  # YouTube's names may hold underscores too
            painting = f"{row['art_style']}/{row['painting']}"
            writer.writerow([painting, picture, row["emotion"], row["utterance"], clip, row["split"]])
            recipe = recipe_for(Caption(clip, ("piano",), "A piano.", row["split"]), 0, 2.0, 0)
            notes = compose(recipe, tables).notes
            samples = 0.1 * partials(notes, 0, AUDIO.frames(2.0) * AUDIO.hop, AUDIO.sample_rate)[:, None]
            place = data / "realisations" / row["split"] / f"{clip}_{recipe.seed}.npz"
            place.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(place.with_suffix(".flac"), samples, AUDIO.sample_rate, subtype="PCM_16")
            casting = recipe.casting.vector(len(INSTRUMENTS))
            write_realisation(place, mel=log_mel(samples, AUDIO), notes=notes, casting=casting, feeling=(0.0, 0.0))
        writer.writerow(["x", "", "awe", "without a picture", "clip_1", "train"])
        writer.writerow(["x", "1.png", "awe", "without a clip", "elsewhere", "train"])
    state_format(data / "realisations", AUDIO)
    archive = PictureArchive(shared / PAINTINGS, 1)
    return World(
        shared, data, held_out_pairs(read_pairs(data, shared, "test"), 6), read_pairs(data, shared, "train"), archive
    )


@pytest.fixture(scope="module")
def rows(tiny_bundle: Bundle, world: World) -> Rows:
    """Three of the pairs by the tiny bundle."""
    return Rows(tiny_bundle, world.test[:3], world.archive, SECONDS, threads=1)


@pytest.fixture(scope="module")
def vocoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A HiFi-GAN of mels alone that is very small."""
    torch.manual_seed(0)
    config = GeneratorConfig("2", (8, 8, 4), (16, 16, 8), 16, (3,), ((1, 2),))
    folder = tmp_path_factory.mktemp("vocoder")
    save_checkpoint(
        folder,
        Generator(config),
        {"kind": "vocoder", "generator": config.to_json(), "audio": dataclasses.asdict(AUDIO)},
    )
    return folder


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published decoder of 40 frames that is very small."""
    torch.manual_seed(0)
    config = PaperDecoderConfig(fused_size=6, frames=40, hidden=8, layers=1)
    folder = tmp_path_factory.mktemp("paper")
    save_checkpoint(folder, PaperDecoder(config), config.document() | {"audio": dataclasses.asdict(AUDIO)})
    return folder

"""The tables of paintings, fitted to a small world of our own: pictures whose brightness is what people feel."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from a2m_edge.errors import DataError
from a2m_edge.impression.feeling import EMOTIONS
from tests.fixtures.training.encoders import tiny_encoder
from training.data.embeddings.picture_tables import QUANTILES, fit_picture_tables
from training.models.fusion import Fusion, FusionConfig


def world(data: Path, paintings: int) -> Path:
    """Grey paintings, from black to white: dark ones are feared, middling ones are awe, light ones content."""
    rows, said = [], []
    with zipfile.ZipFile(data / "paintings.zip", "w") as archive:
        for number in range(paintings):
            share = number / (paintings - 1)
            split = "val" if number % 4 == 3 else "train"
            file, content = f"{number}.png", io.BytesIO()
            Image.new("RGB", (40, 40), (round(255 * share),) * 3).save(content, "PNG")
            archive.writestr(file, content.getvalue())
            rows.append([file, "Cubism", "Ada", f"work-{number}", "1912", "0,0,40,40", split])
            feared = round(5 * (1 - share))
            emotions = ["fear"] * feared + ["contentment"] * (5 - feared)
            said += [["Cubism", f"work-{number}", emotion, "so it is", file, split] for emotion in emotions]
    for name, header, lines in (
        ("paintings.csv", ["file", "style", "artist", "title", "year", "crop", "split"], rows),
        ("artemis.csv", ["art_style", "painting", "emotion", "utterance", "image_file", "split"], said),
    ):
        with (data / name).open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([header, *lines])
    return data


@pytest.fixture(scope="module")
def fusion() -> Fusion:
    encoder = tiny_encoder()
    return Fusion(FusionConfig(embedding_size=encoder.embedding_size, fused_size=8, hidden_size=8)).eval()


def test_cues_and_feelings_are_spread_over_the_training_paintings(tmp_path, fusion):
    tables = fit_picture_tables(world(tmp_path, 80), tiny_encoder(), fusion, lambda each, title, total: each)
    assert all(len(values) == QUANTILES for values in tables.cues.values())
    brightness = tables.cues["brightness"]
    assert brightness[0] == pytest.approx(0, abs=0.1)
    assert 95 < brightness[-1] < 100  # the lightest of all is one of val
    assert list(brightness) == sorted(brightness)
    assert len(tables.valence.told) == len(tables.valence.felt) == QUANTILES
    assert tables.valence.felt[0] < -0.8 and tables.valence.felt[-1] > 0.8, "as far apart as people are"
    assert np.ptp(tables.valence.told) < np.ptp(tables.valence.felt), "an untrained fusion tells hardly any difference"
    assert -0.75 < tables.arousal.felt[0] < -0.5 and 0.5 < tables.arousal.felt[-1] < 0.75
    assert len(tables.word_shift) == len(EMOTIONS)
    again = fit_picture_tables(tmp_path, tiny_encoder(), fusion, lambda each, title, total: each)
    assert again.to_json() == tables.to_json()


def test_too_few_paintings_are_named(tmp_path, fusion):
    with pytest.raises(DataError, match=rf"too few paintings: {QUANTILES} are needed"):
        fit_picture_tables(world(tmp_path, 20), tiny_encoder(), fusion, lambda each, title, total: each)

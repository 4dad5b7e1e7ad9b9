"""The data card and its picture, from the files of a build."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("matplotlib", reason="the training extra is not installed")

from a2m_edge.errors import DataError
from a2m_edge.impression.feeling import EMOTIONS
from tests.fixtures.training.official_tables import words, write_official
from training.data.pairs.articaps import Options, build_articaps
from training.data.pairs.data_card import music_facts, write_data_card
from training.data.tables.captions import read_captions


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """The pairs of small official files; a caption serves three utterances."""
    sources = write_official(tmp_path)
    with sources.artemis.open("a", encoding="utf-8") as file:
        file.write("Baroque,x_y,joy,Nice.,1\n")
    out = tmp_path / "out"
    build_articaps(sources, read_captions(sources.musiccaps), out, words, encoder="abc", options=Options(most=3))
    return out


def test_the_card_tells_what_is_in_the_pairs_what_was_dropped_and_why(built: Path) -> None:
    write_data_card(built, labeller_figures={"valence r": 0.51234}, realisations={"realisations in train": 48})
    card = (built / "data-card.md").read_text(encoding="utf-8")
    facts = json.loads((built / "articaps.json").read_text())
    assert f"{facts['pairs']:,} pairs" in card and f"Of 301 utterances {facts['dropped']} are left out" in card
    for reason, count in facts["dropped_by_reason"].items():
        assert f"| {reason} | {count} |" in card
    assert f"`--most {facts['most_to_leave_none_out']}` there would be room for all" in card
    assert all(f"| {emotion} | " in card for emotion in EMOTIONS)
    for name in ("artemis", "musiccaps", "lexicon"):
        assert facts["sources"][name]["sha256"][:16] in card
    for option in ("most | 3", "pictured only | no", "least similarity | none", "block | 2,048", "seed | 0"):
        assert f"| {option} |" in card
    assert "| valence r | 0.5123 |" in card and "| realisations in train | 48 |" in card
    assert "CC BY-SA 4.0" in card and "non-commercial research" in card
    served = card.split("## How much a caption serves")[1].split("##")[0]
    counts = [int(line.split("|")[2]) for line in served.strip().splitlines()[2:]]
    assert sum(counts) == facts["options"]["captions"], "every caption is counted once"
    tables = [block for block in card.split("\n\n") if block.startswith("| ")]
    assert len(tables) >= 9, "one for each part"
    for table in tables:
        assert len({line.count(" | ") for line in table.splitlines()}) == 1, "rows have as many cells as their header"


def test_the_card_says_what_there_is_not_and_is_the_same_each_time(built: Path) -> None:
    write_data_card(built)
    first = [(built / name).read_bytes() for name in ("data-card.md", "similarity.png")]
    assert b"No music labeller was fitted" in first[0] and b"No realisations were made" in first[0]
    write_data_card(built)
    assert first == [(built / name).read_bytes() for name in ("data-card.md", "similarity.png")]


def test_the_picture_shows_both_histograms(built: Path) -> None:
    write_data_card(built)
    picture = Image.open(io.BytesIO((built / "similarity.png").read_bytes())).convert("RGB")
    assert picture.width > 1000 and picture.height > 400
    colours = np.asarray(picture).reshape(-1, 3).astype(int)
    blue = (colours[:, 2] - colours[:, 0] > 40).mean()
    grey = ((np.ptp(colours, axis=1) < 4) & (abs(colours[:, 0] - 190) < 12)).mean()
    assert blue > 0.02 and grey > 0.01, "matched pairs are blue, random ones grey"


def test_music_is_counted_and_a_damaged_build_is_refused(built: Path) -> None:
    assert music_facts(built) == {}
    for place in ("realisations/train/a_1.npz", "realisations/val/b_2.npz", "recordings/test/c_0.npz"):
        (built / place).parent.mkdir(parents=True, exist_ok=True)
        (built / place).write_bytes(b"")
    (built / "realisations" / "realisations.json").write_text('{"takes": 2, "seconds": 30.0}')
    assert music_facts(built) == {
        "realisations: takes": 2,
        "realisations: seconds": 30.0,
        "realisations in train": 1,
        "realisations in val": 1,
        "recordings in test": 1,
    }
    (built / "realisations" / "realisations.json").write_text("[")
    with pytest.raises(DataError, match=r"realisations\.json is damaged"):
        music_facts(built)
    for damaged in ("", "{}", "[]", '{"options": 3}'):
        (built / "articaps.json").write_text(damaged)
        with pytest.raises(DataError, match="build it again"):
            write_data_card(built)

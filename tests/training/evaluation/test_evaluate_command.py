"""``a2m-edge evaluate``: one command, every row and column, one page and its numbers; and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

pytest.importorskip("torch", reason="the training extra is not installed")
pytest.importorskip("matplotlib", reason="matplotlib is not installed")

import torch

from a2m_edge.composer.plan import MODES
from tests.fixtures.places import CLIP_BUNDLE, TINY_BUNDLE
from tests.fixtures.programs import spoken
from tests.fixtures.training.encoders import tiny_encoder
from tests.fixtures.training.sound_entries import waveform_entry
from tests.training.evaluation.conftest import World
from training.checkpoint import save_checkpoint
from training.evaluation.listening.sounds_measured import level, spectral_convergence
from training.evaluation.rating.items import read_items
from training.models.fusion import Fusion, FusionConfig

"""Fixtures: folders of small tables and clips, and very small checkpoints."""

ROWS = (
    "real held-out music",
    "copy-synthesis",
    "ours, given the real score",
    "ours, given the real score, shuffled conditions",
    "ours",
    "ours, shuffled conditions",
    "the published configuration",
    "mean mel",
    "random training clip",
    "nearest training clip",
)
COLUMNS = (
    "N",
    "Seconds",
    "MCD",
    "LSD",
    "Mel cosine",
    "FAD",
    "KAD",
    "Note F1",
    "Feeling agreement, painting",
    "Feeling agreement, comment",
    "Diversity across seeds",
    "Nearest training clip",
    "× real time",
)


@pytest.fixture(scope="module")
def embedding(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that tells the logarithm of the energy of sixteen differences of every 100 samples of half a second."""
    path = tmp_path_factory.mktemp("embedding") / "energies.onnx"
    random = np.random.default_rng(0).normal(size=(100, 16)).astype(np.float32)
    shape = np.array([0, 40, 100])
    graph = helper.make_graph(
        [
            helper.make_node("Reshape", ["samples", "shape"], ["pieces"]),
            helper.make_node("MatMul", ["pieces", "mixing"], ["heard"]),
            helper.make_node("ReduceSumSquare", ["heard"], ["energy"], axes=[1], keepdims=0),
            helper.make_node("Add", ["energy", "floor"], ["above"]),
            helper.make_node("Log", ["above"], ["vector"]),
        ],
        "energies",
        [helper.make_tensor_value_info("samples", TensorProto.FLOAT, ["N", 4000])],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["N", 16])],
        [
            numpy_helper.from_array(shape, "shape"),
            numpy_helper.from_array(random, "mixing"),
            numpy_helper.from_array(np.array(1e-6, np.float32), "floor"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    entry = waveform_entry("energies", "vector", 0.5)
    path.with_suffix(".json").write_text(json.dumps(entry))
    return path


@pytest.fixture(scope="module")
def folder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shared folder of the small tables without weights."""
    place = tmp_path_factory.mktemp("shared")
    (place / "data").symlink_to(world.shared)
    return place


@pytest.fixture(scope="module")
def whole(world: World, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shared folder of the small tables and the real weights."""
    place = tmp_path_factory.mktemp("whole")
    (place / "data").symlink_to(world.shared)
    (place / "weights").symlink_to((shared / "weights").resolve())
    return place


@pytest.fixture
def command(monkeypatch, capsys) -> Callable[..., tuple[int, str]]:
    """Runs ``a2m-edge evaluate ...`` as the program does: its status, and what it says on both streams."""
    monkeypatch.setenv("COLUMNS", "200")
    return partial(spoken, capsys, "evaluate")


def table(report: dict[str, Any], title: str) -> dict[str, dict[str, dict[str, Any]]]:
    """A table of the JSON by row and column."""
    found = next(each for each in report["tables"] if each["title"].startswith(title))
    names = [column["name"] for column in found["columns"]]
    return {row["name"]: dict(zip(names, row["values"], strict=True)) for row in found["rows"]}


def test_the_command_writes_every_row_and_column_and_says_what_it_could_not_measure(
    command,
    world: World,
    whole: Path,
    embedding: Path,
    vocoder: Path,
    paper: Path,
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    encoder = tiny_encoder()
    encoder.save(tmp_path / "encoder")
    config = FusionConfig(embedding_size=encoder.embedding_size, fused_size=6, hidden_size=8)
    save_checkpoint(tmp_path / "fusion", Fusion(config), config.to_dict())
    page, figures, items = tmp_path / "report.html", tmp_path / "figures.json", tmp_path / "items"
    common = ["--data", world.data, "--shared", whole, "--clips", 4, "--seconds", 1, "--seeds", 2, "--threads", 1]
    common += ["--embedding", embedding, "--plain-vocoder", vocoder, "--examples", 1]
    common += ["--identity", 3, "--identity-seconds", 1]
    others = ["--encoder", tmp_path / "encoder", "--fusion", tmp_path / "fusion", "--paper", paper]
    status, said = command(
        TINY_BUNDLE,
        *common,
        *others,
        "-o",
        page,
        "--figures",
        figures,
        "--items",
        items,
        "--cache",
        tmp_path / "c.npz",
    )
    assert status == 0, said
    report = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    rows = table(report, "Every row")
    assert tuple(rows) == ROWS and all(tuple(row) == COLUMNS for row in rows.values())
    columns = {column["name"]: column for column in report["tables"][0]["columns"]}
    assert [name for name, column in columns.items() if column["reconstruction"]] == ["MCD", "LSD", "Mel cosine"]
    assert "6.1419" in columns["MCD"]["note"] and "no DTW" in columns["MCD"]["note"]
    assert "energies" in columns["FAD"]["note"] and "N = 4 sounds, 4 s" in columns["FAD"]["note"]
    for name, row in rows.items():
        assert row["N"]["value"] == 4 and row["Seconds"]["value"] == pytest.approx(4, rel=0.01)
        for column, cell in row.items():
            assert (cell["value"] is None) == bool(cell.get("missing")), (name, column)
        for distance in ("FAD", "KAD"):
            if name == "real held-out music":
                assert row[distance]["missing"] == "is the reference"
            else:
                assert row[distance]["low"] < row[distance]["high"]
    assert rows["ours"]["MCD"]["missing"] and rows["mean mel"]["MCD"]["value"] > 0
    assert rows["copy-synthesis"]["MCD"]["value"] > 0 and rows["the published configuration"]["LSD"]["value"] > 0
    assert rows["random training clip"]["Nearest training clip"]["value"] == pytest.approx(1.0)
    assert rows["ours"]["Nearest training clip"]["value"] < 1
    assert rows["ours"]["Diversity across seeds"]["value"] > 0
    assert rows["ours"]["× real time"]["value"] > 0 and rows["mean mel"]["× real time"]["missing"]
    assert rows["mean mel"]["Feeling agreement, painting"]["value"] == 0, "what never varies agrees with nothing"

    heard = table(report, "Feeling heard against the comment")
    assert set(heard) == {ROWS[0], *ROWS[4:7], *ROWS[8:]}
    assert all(0 < row[f"p ({score}, {side})"]["value"] <= 1 for row in heard.values() for score, side in SCORES)
    assert table(report, "Mode heard")["our notes themselves, without sound"]["N"]["value"] == 4
    felt = table(report, "What people felt")
    assert felt["always the commonest emotion"]["Nine emotions"]["value"] == pytest.approx(0.5)
    assert 0 <= felt["painting and comment"]["Calibration error"]["value"] <= 1
    many = table(report, "Valence of the painting")["those with 30 or more utterances"]["r"]
    assert many["value"] is None and many["missing"].startswith("cannot be measured: 0 test paintings")
    alone = table(report, "How far apart are pictures alone")
    assert "fewer than 3 test paintings" in alone["as the runtime plays them"]["Majority"]["missing"]
    played = table(report, "How are pictures alone played")["as the runtime plays them"]
    assert played["Paintings"]["value"] == 6 and 42 <= played["Tempo, 5 %"]["value"] <= played["Tempo, 95 %"]["value"]
    assert sum(played[mode.capitalize()]["value"] for mode in MODES) == pytest.approx(1)
    assert felt["painting alone, before the spread"]["Nine emotions"]["value"] is not None
    known = table(report, "Is a painting's music known again")
    assert known["ours"]["Paintings"]["value"] == 3 and 0 <= known["ours"]["Found again"]["value"] <= 1
    assert known["chance"]["Found again"]["value"] == pytest.approx(1 / 3)
    assert "at least 10 are needed" in table(report, "Does the music follow")["exchanges"]["Tempo moves"]["missing"]
    assert "at least 10 are needed" in table(report, "Does it follow")["exchanges"]["Moved"]["missing"]
    recall = table(report, "Which words")
    assert recall["chance"]["Recall@10: the captions"]["value"] == pytest.approx(1.0), "ten nearest of six"
    models = table(report, "Mel decoder")
    assert models["copy-synthesis"]["Log-mel L1"]["value"] > 0
    assert models["mean mel"]["Ratio"]["value"] > 0 and models["copy-synthesis"]["Level"]["value"] is not None

    html = page.read_text(encoding="utf-8")
    assert html.count("<audio ") == 4 and html.count("data:image/jpeg") == 1 and "http-equiv" in html
    assert [sound["name"] for sound in report["examples"][0]["sounds"]] == [ROWS[0], *ROWS[4:7]]
    assert sum(figure["title"].startswith("What was felt") for figure in report["figures"]) == 3
    assert sum(figure["title"].startswith("Mel-spectrograms") for figure in report["figures"]) == 1

    numbers = json.loads(figures.read_text())
    assert {"feeling", "decoder", "vocoder", "notes", "sound", "agreement", "mode", "retrieval"} <= set(numbers)
    assert all(isinstance(value, float) for part in numbers.values() for value in part.values())
    assert numbers["decoder"]["mel_l1"] == models[ROWS[2]]["Log-mel L1"]["value"]
    assert {"all_accuracy", "painting_valence_r", "commonest_accuracy"} <= set(numbers["feeling"])
    assert numbers["sound"]["ours_fad"] == rows["ours"]["FAD"]["value"]

    asked = read_items(items)
    assert sorted(item.row for item in asked) == ["ours"] * 4 + ["ours_shuffled"] * 4
    for item in asked:
        assert all(word in item.music for word in ("Instruments", "Pace", "Dynamics", "Mode", "tagger")), item.music
        assert "ours" not in item.music and item.picture is not None and item.picture[:2] == b"\xff\xd8"


SCORES = [(score, side) for score in ("Spearman", "CCC") for side in ("valence", "arousal")]


def test_what_is_missing_is_refused_in_one_sentence_before_anything_is_done(
    command,
    world: World,
    folder: Path,
    tmp_path: Path,
) -> None:
    page = tmp_path / "report.html"
    data, shared = ["--data", world.data], ["--shared", folder]
    for arguments, words in (
        ([*data, *shared, "-o", tmp_path / "report.json"], "beside the page"),
        ([*data, *shared, "-o", tmp_path / "nowhere" / "report.html"], "no folder"),
        ([*data, *shared, "-o", tmp_path], "is a folder"),
        ([*data, *shared, "-o", page, "--figures", tmp_path / "report.json"], "same file"),
        ([*data, *shared, "-o", page], "basic_pitch_nmp.onnx"),
        (["--data", tmp_path / "none", *shared, "-o", page], "data build"),
        ([*data, "--shared", tmp_path / "none", "-o", page], "--shared"),
    ):
        status, said = command(TINY_BUNDLE, *arguments)
        assert status == 2 and words in said and "Traceback" not in said, (arguments, said)
        assert said.count("\n") <= 2, said
    assert command(TINY_BUNDLE, *data, *shared, "-o", page, "--clips", 2)[0] == 2
    assert not page.exists() and not page.with_suffix(".json").exists()


def test_a_wrong_checkpoint_of_the_published_decoder_or_too_few_clips_are_refused(
    command,
    world: World,
    whole: Path,
    vocoder: Path,
    paper: Path,
    tmp_path: Path,
) -> None:
    page = tmp_path / "report.html"
    common = [TINY_BUNDLE, "--data", world.data, "--shared", whole, "--seconds", 1, "-o", page]
    common += ["--plain-vocoder", vocoder]
    empty = tmp_path / "empty"
    (empty / "realisations").mkdir(parents=True)
    (empty / "articaps.csv").write_bytes((world.data / "articaps.csv").read_bytes())
    torch.manual_seed(0)
    encoder = tiny_encoder()
    encoder.save(tmp_path / "encoder")
    config = FusionConfig(embedding_size=encoder.embedding_size, fused_size=7, hidden_size=8)
    save_checkpoint(tmp_path / "fusion", Fusion(config), config.to_dict())
    checkpoints = ["--encoder", tmp_path / "encoder", "--fusion", tmp_path / "fusion"]
    for arguments, words in (
        (["--clips", 40], "40 are needed"),
        (["--clips", 4, "--paper", vocoder, *checkpoints], "decoder"),
        (["--clips", 4, "--paper", tmp_path / "none", *checkpoints], "none"),
        (["--clips", 4, "--paper", paper, *checkpoints], "of 6 values, not of 7"),
        (["--clips", 4, "--data", empty], "no pair of"),
        (["--clips", 4, "--seconds", 30], "evaluate fewer seconds"),
        (["--clips", 4, "--identity", 2], "name 3 paintings or more, or 0 for none"),
        (["--clips", 4, "--embedding", tmp_path / "none.onnx"], "none"),
        (["--clips", 4, "--embedding", "hearing"], "efficientat"),
    ):
        status, said = command(*common, *arguments)
        assert status == 2 and words in said and "Traceback" not in said, (arguments, said)
    assert not page.exists() and not page.with_suffix(".json").exists()


@pytest.mark.slow
def test_without_the_published_decoder_its_row_stays_and_the_same_seed_gives_the_same_numbers(
    command, world: World, whole: Path, embedding: Path, vocoder: Path, tmp_path: Path
) -> None:
    common = ["--data", world.data, "--shared", whole, "--clips", 3, "--seconds", 1, "--seeds", 2, "--threads", 1]
    common += ["--embedding", embedding, "--plain-vocoder", vocoder, "--examples", 0, "--cache", tmp_path / "c.npz"]
    common += ["--identity", 0]
    runs = []
    for name in ("one", "two"):  # the second from the kept embeddings
        status, said = command(TINY_BUNDLE, *common, "-o", tmp_path / f"{name}.html")
        assert status == 0, said
        runs.append(table(json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8")), "Every row"))
    one, two = runs
    assert one["the published configuration"]["FAD"] == {
        "value": None,
        "low": None,
        "high": None,
        "missing": "no checkpoint of the published decoder was given",
    }
    for name in ROWS:
        for column in set(COLUMNS) - {"× real time"}:
            assert one[name][column] == two[name][column], (name, column)


@pytest.mark.slow
def test_a_bundle_that_plays_no_score_keeps_all_rows(
    command,
    world: World,
    whole: Path,
    embedding: Path,
    vocoder: Path,
    tmp_path: Path,
) -> None:
    page = tmp_path / "report.html"
    common = ["--data", world.data, "--shared", whole, "--clips", 3, "--seconds", 1, "--seeds", 1, "--threads", 1]
    status, said = command(
        CLIP_BUNDLE, *common, "--embedding", embedding, "--plain-vocoder", vocoder, "--examples", 0, "-o", page
    )
    assert status == 0, said
    report = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    rows = table(report, "Every row")
    assert tuple(rows) == ROWS
    assert rows[ROWS[2]]["MCD"]["missing"] == "the bundle plays no score"
    assert rows["ours"]["Note F1"]["missing"] and rows["ours"]["FAD"]["value"] is not None
    assert rows["ours"]["Diversity across seeds"]["missing"] == "one seed was rendered"
    assert table(report, "Mode heard")["ours"]["Mode as intended"]["missing"] == "the bundle plays no score"


def test_spectral_convergence_and_level_of_known_sounds() -> None:
    mel = np.random.default_rng(0).normal(-3, 1, (80, 20))
    assert spectral_convergence(mel, mel) == 0
    assert spectral_convergence(mel, mel + np.log(2)) == pytest.approx(1)  # twice as loud: off by itself
    assert spectral_convergence(mel, np.full_like(mel, -50.0)) == pytest.approx(1)  # silence misses all
    tone = np.sin(np.arange(22_050)).astype(np.float32)
    assert level(0.1 * tone) - level(tone) == pytest.approx(-20, abs=1e-4)  # measured: 4e-7
    assert level(np.zeros(10, np.float32)) == -200

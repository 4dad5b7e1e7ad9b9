"""An encoder that the fusion was not trained with, or of random weights, is refused; what is not here is told."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from a2m_edge.errors import CheckpointError
from tests.fixtures.places import CHECKPOINTS
from tests.fixtures.programs import spoken
from tests.fixtures.tiny_bundle.make import tiny_models
from tests.fixtures.training.encoders import tiny_encoder
from training import checkpoint
from training.models.encoders import load_encoder
from training.models.fingerprint import weights_hash
from training.models.fusion import Fusion, FusionConfig, load_fusion, require_encoder
from training.models.openclip import open_clip_module

UNTRAINED = "ViT-S-32"
"""A model for which OpenCLIP has no weights."""

committed = pytest.mark.skipif(
    not (CHECKPOINTS / "encoder").is_dir(), reason="the checkpoints of the default bundle are not here"
)


def fusion_of(encoder: str) -> Fusion:
    return Fusion(FusionConfig(embedding_size=16, encoder=encoder))


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two encoders of the same sizes, and a fusion that was trained with the first."""
    place = tmp_path_factory.mktemp("strangers")
    found = {name: place / name for name in ("first", "second", "fusion")}
    tiny_encoder(0).save(found["first"])
    tiny_encoder(1).save(found["second"])
    fusion_of(weights_hash(tiny_encoder(0))).save(found["fusion"])
    return found


def test_a_fusion_takes_the_encoder_that_it_names_and_no_other(strangers: dict[str, Path]) -> None:
    fusion = load_fusion(strangers["fusion"])
    require_encoder(fusion, load_encoder(strangers["first"]))
    with pytest.raises(CheckpointError, match=r"trained on the embeddings of another encoder .*train fusion --encoder"):
        require_encoder(fusion, load_encoder(strangers["second"]))
    one_weight = load_encoder(strangers["first"])
    with torch.no_grad():
        next(iter(one_weight.text.parameters())).view(-1)[0] += 1e-3
    with pytest.raises(CheckpointError, match="another encoder"):
        require_encoder(fusion, one_weight)
    require_encoder(fusion_of(""), one_weight)


def test_how_an_encoder_is_written_does_not_make_it_another(strangers: dict[str, Path], tmp_path: Path) -> None:
    encoder = load_encoder(strangers["first"])
    encoder.save(tmp_path / "again")
    config = tmp_path / "again" / "config.json"
    document = json.loads(config.read_text())
    config.write_text(json.dumps(document | {"name": "other"}))
    tokenizer = tmp_path / "again" / "tokenizer.json"
    tokenizer.write_text(json.dumps(json.loads(tokenizer.read_text())))
    assert weights_hash(load_encoder(tmp_path / "again")) == weights_hash(encoder)
    encoder.save(tmp_path / "half", half=True)
    halved = load_encoder(tmp_path / "half")
    halved.save(tmp_path / "half again", half=True)
    assert weights_hash(load_encoder(tmp_path / "half again")) == weights_hash(halved) != weights_hash(encoder)


@committed
def test_the_committed_fusion_names_the_committed_encoder() -> None:
    config = load_fusion(CHECKPOINTS / "fusion").config
    assert config.encoder == weights_hash(load_encoder(CHECKPOINTS / "encoder"))


@pytest.mark.parametrize("encoder", [None, 3, ["a"]])
def test_a_name_that_is_none_is_a_damaged_config(strangers: dict[str, Path], encoder: object, tmp_path: Path) -> None:
    shutil.copytree(strangers["fusion"], tmp_path / "fusion")
    config = tmp_path / "fusion" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"encoder": encoder}))
    with pytest.raises(CheckpointError, match="describes no fusion that can be built"):
        load_fusion(tmp_path / "fusion")


@committed
@pytest.mark.parametrize("command", ["export", "data condition", "train fusion"])
def test_every_command_refuses_a_stranger(command: str, strangers: dict[str, Path], tmp_path: Path, capsys) -> None:
    encoder, fusion, pairs = strangers["second"], strangers["fusion"], tmp_path / "pairs.csv"
    pairs.write_text("clip,utterance,picture\n")
    words: dict[str, list[object]] = {
        "export": ["--fusion", fusion],
        "data condition": ["--fusion", fusion, "--pairs", pairs],
        "train fusion": ["--palette-of", fusion, "--shared", tmp_path],
    }
    if command == "train fusion":
        from tests.fixtures.training.encoders import write_data

        (tmp_path / "data").mkdir()
        write_data(tmp_path / "data")
    out = tmp_path / "out"
    status, said = spoken(capsys, *command.split(), "-o", out, "--encoder", encoder, *words[command])
    assert status == 2
    assert "trained on the embeddings of another encoder" in said
    assert not (out / "manifest.json").exists()


@committed
def test_a_fusion_that_names_no_encoder_is_exported_with_a_remark(tmp_path: Path, capsys, monkeypatch) -> None:
    shutil.copytree(CHECKPOINTS / "fusion", tmp_path / "fusion")
    config = tmp_path / "fusion" / "config.json"
    document = json.loads(config.read_text())
    del document["encoder"]
    config.write_text(json.dumps(document))

    def begun(*_: object, **__: object) -> None:
        raise CheckpointError("the export begins here")

    monkeypatch.setattr("export.bundle_writer.export_bundle", begun)
    for fusion, remarked in ((tmp_path / "fusion", True), (CHECKPOINTS / "fusion", False)):
        _, said = spoken(capsys, "export", "-o", tmp_path / "bundle", "--fusion", fusion)
        assert "the export begins here" in said
        assert ("does not say which encoder" in said) == remarked


@pytest.mark.parametrize(
    ("encoder", "way_out"),
    [
        ("ViTamin-S", "write ViTamin-S:TAG, where TAG is one of datacomp1b"),
        ("ViT-B-32", "laion2b_s34b_b79k"),
        ("ViT-B-32:", "laion2b_s34b_b79k"),
        (UNTRAINED, "name a checkpoint folder"),
        ("a2m-s", "name a checkpoint folder"),
    ],
)
@pytest.mark.parametrize("command", ["export", "train fusion", "data embed"])
def test_random_weights_are_refused(command: str, encoder: str, way_out: str, tmp_path: Path, capsys) -> None:
    assert open_clip_module().list_pretrained_tags_by_model(UNTRAINED) == []
    status, said = spoken(capsys, *command.split(), "-o", tmp_path / "out", "--encoder", encoder)
    assert status == 2
    assert "random" in said
    assert way_out in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (("export", "-o", "bundle"), "encoder"),
        (("export", "-o", "bundle"), "fusion"),
        (("export", "-o", "bundle"), "decoder"),
        (("export", "-o", "bundle"), "vocoder"),
        (("train", "fusion", "-o", "run"), "encoder"),
        (("data", "embed", "-o", "feelings"), "encoder"),
        (("data", "condition", "-o", "fused.npz", "--pairs", "pairs.csv"), "fusion"),
        (("data", "decode", "-o", "decoded", "--data", "data"), "decoder"),
    ],
)
def test_an_installed_package_says_where_the_checkpoints_are(
    command: tuple[str, ...], kind: str, strangers: dict[str, Path], tmp_path: Path, monkeypatch, capsys
) -> None:
    """As in a wheel, which has a folder ``training/checkpoints`` without them."""
    monkeypatch.chdir(tmp_path)
    shipped = tmp_path / "checkpoints"
    shipped.mkdir()
    monkeypatch.setattr(checkpoint, "SHIPPED", shipped)
    from tests.fixtures.training.encoders import write_data

    (tmp_path / "data").mkdir()
    write_data(tmp_path / "data")
    others = {"encoder": strangers["first"], "fusion": strangers["fusion"]}
    given = [word for name, place in others.items() if name != kind for word in (f"--{name}", place)]
    if command[0] == "train" or command[1] in ("embed", "decode"):
        given = []
    status, said = spoken(capsys, *command, *given, f"--{kind}", shipped / kind, *shared(command, tmp_path))
    assert status == 2
    assert f"no checkpoints, and this needs that of the {kind}: clone the repository" in said
    assert "OpenCLIP" not in said


def shared(command: tuple[str, ...], folder: Path) -> list[object]:
    return [] if command[0] == "export" or command[1] == "decode" else ["--shared", folder]


def test_a_bundle_names_the_encoder_of_its_fusion() -> None:
    from export.bundle_writer import Label, _manifest

    models = tiny_models()
    named = Fusion(replace(models.fusion.config, encoder=weights_hash(models.encoder)))
    label = Label("tiny", "1", "none", "")
    assert _manifest(replace(models, fusion=named), label, {}).encoder == weights_hash(models.encoder)
    assert _manifest(models, label, {}).encoder == ""
    with pytest.raises(CheckpointError, match="another encoder"):
        replace(models, fusion=Fusion(replace(models.fusion.config, encoder="0" * 64)))

"""``a2m-edge export`` as a technician meets it: what it makes, and each way in which it refuses."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from a2m_edge.bundle import open_bundle
from a2m_edge.cli import main
from tests.fixtures.places import CHECKPOINTS
from tests.fixtures.training.vocoder_tones import with_old_weight_norm
from training.models.fusion import Fusion, FusionConfig
from training.models.hifigan import CONFIGS, Generator

pytestmark = pytest.mark.skipif(
    not (CHECKPOINTS / "encoder").is_dir(), reason="the checkpoints of the default bundle are not here"
)


def refused(capsys: pytest.CaptureFixture[str], folder: Path, *options: object) -> str:
    """The one sentence with which a command ends; nothing may be left in the folder."""
    before = sorted(folder.iterdir())
    with pytest.raises(SystemExit) as caught:
        main(["export", "-o", str(folder / "bundle"), *map(str, options)])
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert "Traceback" not in told
    assert sorted(folder.iterdir()) == before
    return " ".join(told.split())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--opset", 17), "graphs are exported with opset 18 to 23, not 17: choose one of these"),
        (("--opset", 99), "not 99"),
        (("--precision", "fp8"), "--precision is 'fp8': give fp32, fp16 or int8, or one of these for one graph"),
        (("--precision", "voice=int8"), "there is no graph 'voice' to give a precision"),
        (("--precision", "vocoder=int8"), "vocoder cannot be int8: int8 weights left its sound 32 dB above the error"),
        (("--encoder", "ViT-X-99"), "neither a checkpoint folder nor an OpenCLIP model named 'ViT-X-99'"),
        (("--encoder", CHECKPOINTS / "fusion"), "holds a checkpoint of kind 'fusion': give one of kind 'encoder'"),
        (("--fusion", CHECKPOINTS / "vocoder"), "holds a checkpoint of kind 'vocoder': give one of kind 'fusion'"),
        (("--decoder", "nowhere"), "there is no checkpoint in nowhere"),
        (("--vocoder", "generator.pth"), "there is no checkpoint generator.pth"),
        (("--bed", "silence.wav"), "there is no file silence.wav"),
        (("--feelings", "artemis.csv"), "there is no file artemis.csv"),
        (("--model-card", "card.md"), "the model card card.md cannot be read"),
        (("--measured", "figures.json"), "the file of figures figures.json cannot be read"),
    ],
)
def test_a_refusal_is_one_sentence_and_leaves_nothing(
    options: tuple[object, ...], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sentence in refused(capsys, tmp_path, *options)


def test_a_folder_that_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["export", "-o", str(tmp_path / "nowhere" / "bundle")])
    assert caught.value.code == 2
    assert "there is no folder" in capsys.readouterr().err


def test_models_that_were_not_trained_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    narrow = tmp_path / "narrow"
    Fusion(FusionConfig(embedding_size=128)).save(narrow)
    said = refused(capsys, tmp_path, "--fusion", narrow)
    assert "the encoder gives embeddings of 384 values, the fusion takes 128" in said
    thin = tmp_path / "thin"
    Fusion(FusionConfig(fused_size=64)).save(thin)
    assert "the fusion gives 64 values" in refused(capsys, tmp_path, "--fusion", thin)


def test_a_checkpoint_that_holds_more_than_weights_is_not_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"generator": Trap()}, tmp_path / "generator.pth")
    assert "holds more than weights" in refused(capsys, tmp_path, "--vocoder", tmp_path / "generator.pth")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.skipif(find_spec("tensorrt") is not None, reason="TensorRT is installed")
def test_without_tensorrt_no_engine_is_promised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, tmp_path, "--format", "tensorrt")
    assert "TensorRT is not installed: run pip install" in said


@pytest.mark.slow
def test_a_public_vocoder_becomes_part_of_a_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    generator = Generator(CONFIGS["v2"])
    state = with_old_weight_norm(generator)
    torch.save({"generator": state}, tmp_path / "g_02500000")
    bed = tmp_path / "bed.wav"
    shutil.copyfile(open_bundle().file("bed.wav"), bed)
    out = tmp_path / "bundle"
    with pytest.raises(SystemExit) as caught:
        main(["export", "-o", str(out), "--vocoder", str(tmp_path / "g_02500000"), "--bed", str(bed)])
    assert caught.value.code == 0
    manifest = open_bundle(out).manifest
    assert (manifest.name, manifest.licence) == ("bundle", "not stated")
    assert [tensor.name for tensor in manifest.graphs["vocoder"].inputs] == ["mel"]
    shown = capsys.readouterr().out
    assert "waveform" in shown
    assert json.loads((out / "manifest.json").read_text())["parity"]["vocoder"]

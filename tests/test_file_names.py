r"""Names that are no UTF-8: no command ends in a traceback over one, and what is named so is used.

Linux takes any bytes as a name, and Python holds those that are no UTF-8 as lone surrogates, which nothing can print or
write. They are shown as ``\xff``.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from a2m_edge.bundle import open_bundle
from a2m_edge.bundle.plain_files import utf8_path
from a2m_edge.collection.items import readable
from a2m_edge.collection.sources import Defaults, open_collection
from a2m_edge.errors import encodable, printable
from a2m_edge.sound.bed import read_bed
from tests.fixtures.collection.runs import command, paint, records
from tests.fixtures.command_line import Command, Parameter, every_command
from tests.fixtures.places import PROGRAM, TINY_BUNDLE
from tests.fixtures.programs import finished, spoken
from tests.fixtures.training.encoders import tiny_encoder, write_data
from training.models.encoders import load_encoder
from training.models.fingerprint import weights_hash
from training.models.fusion import load_fusion

NAME = os.fsdecode(b"caf\xe9 \xff")
SHOWN = r"caf\xe9 \xff"

NO_PATHS = {"comment", "ray", "iiif_annotations", "device", "audio", "host", "precision", "model", "endpoint"}
"""Texts that name no file."""

GIVEN = {
    ("render",): ("--comment", "calm", "--seconds", "0.1", "--bundle", str(TINY_BUNDLE)),
    ("render-collection",): ("--workers", "1", "--bundle", str(TINY_BUNDLE)),
    ("bench",): ("missing bundle",),
    ("doctor",): ("--camera", "missing camera", "--bundle", "missing bundle"),
    ("export",): ("--vocoder", "missing vocoder"),
}
"""What a command is given besides, so that it ends soon: its own parameters last."""


def paths() -> list[tuple[Command, Parameter]]:
    """Every parameter that may name a file."""
    return [
        (command, parameter)
        for command in every_command()
        for parameter in command.parameters
        if parameter.kind in (Path, str) and parameter.name not in NO_PATHS
    ]


def test_the_commands_of_every_room_are_tried():
    tried = {command.words for command, _ in paths()}
    assert tried >= {("render",), ("kiosk",), ("doctor",), ("export",), ("data", "build"), ("train", "fusion")}
    assert len(paths()) > 80


@pytest.fixture(scope="module")
def small_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint in the place of one that takes a second to load."""
    folder = tmp_path_factory.mktemp("encoder")
    tiny_encoder().save(folder)
    return folder


@pytest.mark.parametrize(
    ("command", "parameter"), paths(), ids=lambda each: " ".join(each.words) if isinstance(each, Command) else each.name
)
def test_no_command_stumbles_over_a_name(command, parameter, small_encoder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("A2M_SHARED", str(tmp_path / "no shared"))
    needed = [each for each in command.parameters if each.required and each != parameter]
    others = [word for each in needed for word in each.given(f"missing {each.name}")]
    besides = list(GIVEN.get(command.words, ()))
    if parameter.option in besides:
        place = besides.index(parameter.option)
        del besides[place : place + 2]
    elif parameter.option is None:
        besides = [word for word in besides if command.words != ("bench",)]
    if any(each.option == "--encoder" and each.kind is Path for each in command.parameters):
        besides += ["--encoder", str(small_encoder)] if parameter.option != "--encoder" else []
    status, said = spoken(capsys, *command.words, *besides, *others, *parameter.given(NAME))
    assert status in (0, 1, 2), said
    assert "Traceback" not in said
    said.encode()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of such a name, with a picture, a table and a bundle of such names."""
    place = tmp_path_factory.mktemp("names") / NAME
    place.mkdir()
    paint(place / f"{NAME}.png")
    (place / f"{NAME}.csv").write_text("image,comment\n,a storm\n")
    shutil.copytree(TINY_BUNDLE, place / f"{NAME} bundle")
    return place


@pytest.mark.parametrize(
    "environment",
    [{"LC_ALL": "C.UTF-8"}, {"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
    ids=["UTF-8", "C", "ASCII"],
)
def test_a_render_of_such_names_in_any_locale(place, environment, tmp_path):
    bundle, picture = place / f"{NAME} bundle", place / f"{NAME}.png"
    sound, panel = tmp_path / f"{NAME}.wav", tmp_path / f"{NAME}-panel.png"
    words = ["render", picture, "--bundle", bundle, "--seconds", "0.2", "-o", sound, "--picture", panel]
    done = finished([str(PROGRAM), *map(str, words)], environment=environment)
    assert done.stderr.startswith(f"{encodable(str(sound))}: ")
    assert json.loads(sound.with_suffix(".json").read_text("utf-8"))["picture"] == f"{SHOWN}.png"
    assert sound.stat().st_size > 4000
    assert panel.read_bytes().startswith(b"\x89PNG")


def test_a_render_that_names_no_output_takes_the_picture_s_name(place, tmp_path):
    words = ["render", place / f"{NAME}.png", "--bundle", TINY_BUNDLE, "--seconds", "0.1"]
    finished([str(PROGRAM), *map(str, words)], cwd=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"{NAME}.wav", f"{NAME}.json"}


def test_a_collection_of_such_names(place, tmp_path):
    output, bundle = tmp_path / NAME, place / f"{NAME} bundle"
    words = (place, "-o", output, "--seconds", "0.1", "--workers", "1", "--contact-sheet")
    assert encodable(str(output)) in finished(command(*words, bundle=bundle)).stderr
    assert {record["image"] for record in records(output).values()} == {f"{encodable(str(place))}/{SHOWN}.png"}
    assert len(list((output / "sounds").iterdir())) == 1
    assert (output / "contact_sheet.html").is_file()
    (item,) = open_collection(str(place / f"{NAME}.csv"), Defaults(1.0, 0, None), output).items
    assert item.comment == "a storm"


@pytest.mark.parametrize("command", [("bundle", "info"), ("bundle", "verify")])
def test_a_bundle_of_such_a_name_is_opened_and_run(place, command, capsys):
    assert spoken(capsys, *command, place / f"{NAME} bundle")[0] == 0
    status, said = spoken(capsys, *command, place / "missing")
    assert status == 2
    assert SHOWN in said


def test_a_bed_and_a_folder_camera_of_such_names_are_read(place):
    capture = pytest.importorskip("kiosk.camera.capture")
    settings = pytest.importorskip("kiosk.shared.settings")
    bundle = open_bundle(place / f"{NAME} bundle")
    assert read_bed(bundle.file("bed.wav"), bundle.manifest.audio).any()
    source = capture.FolderSource(place, settings.CameraSettings())
    source.open()
    assert source.grab()
    assert source.retrieve() is not None


def test_graphs_find_the_weights_beside_them(place):
    """A graph whose weights are in a file of their own is opened in a folder of such a name."""
    onnx = pytest.importorskip("onnx")
    import onnxruntime

    model = onnx.load(TINY_BUNDLE / "vocoder.onnx")
    path = place / "graph.onnx"
    with utf8_path(path) as name:
        onnx.save_model(model, name, save_as_external_data=True, location="weights.data", size_threshold=1024)
    assert (place / "weights.data").is_file()
    with utf8_path(path) as name:
        session = onnxruntime.InferenceSession(name, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].name == "mel"


def test_a_file_of_such_a_name_is_opened_by_libraries_that_know_text_alone(place):
    safetensors = pytest.importorskip("safetensors.numpy")
    file = place / f"{NAME}.safetensors"
    file.write_bytes(safetensors.save({"one": np.ones(3, np.float32)}))
    with utf8_path(file) as name:
        assert safetensors.load_file(name)["one"].sum() == 3


def test_a_training_in_a_folder_of_such_a_name(place, small_encoder, capsys):
    """From data, encoder and embeddings to a checkpoint, with TensorBoard's log and the state of the run."""
    shared, encoder, out = place / "shared", place / NAME, place / f"{NAME} fusion"
    (shared / "data").mkdir(parents=True)
    write_data(shared / "data")
    shutil.copytree(small_encoder, encoder)
    words = ("train", "fusion", "--steps", "1", "--batch", "4", "--shared", shared, "--encoder", encoder, "-o", out)
    assert spoken(capsys, *words) == (0, ANY)
    assert load_fusion(out).config.encoder == weights_hash(load_encoder(encoder))
    assert any(file.name.startswith("events") for file in (out / "log").iterdir())


def test_a_path_in_utf8_is_given_as_it_is(tmp_path):
    with utf8_path(tmp_path / "café") as name:
        assert name == str(tmp_path / "café")
    with pytest.raises(FileNotFoundError), utf8_path(tmp_path / NAME / "file"):
        pass


@given(st.text(st.characters() | st.characters(categories=["Cs"]), max_size=40))
@settings(max_examples=200, deadline=None)
def test_whatever_a_name_is_it_can_be_shown(text):
    assert printable(text).isprintable()
    assert readable(text).isprintable()
    for shown in (printable(text), readable(text), encodable(text)):
        shown.encode()
    if text.isascii() and text.isprintable():
        assert printable(text) == readable(text) == encodable(text) == text


@given(st.binary(max_size=30))
@settings(max_examples=200, deadline=None)
def test_whatever_the_bytes_of_a_name_are_those_that_are_utf8_stay(name):
    text = os.fsdecode(name)
    assert encodable(text) == name.decode("utf-8", "backslashreplace")

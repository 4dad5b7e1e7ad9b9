"""What a graph in less precision loses is measured, stated, and refused where it is too much."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper
from PIL import Image

from a2m_edge.bundle.manifest import Precision
from a2m_edge.errors import DataError, ExportError
from a2m_edge.impression.feeling import EMOTIONS
from a2m_edge.inference.agreement import signal_to_noise
from a2m_edge.sound.mel import SILENCE
from export.graphs.export import write_graph
from export.graphs.files import GraphFile, Precisions, export_graphs
from export.graphs.precision import reduce
from export.models import Models, load_models
from export.proof.labelled import LabelledUtterance, read_labelled_utterances, read_pictures
from export.proof.parity import Check, require
from export.proof.pictures import pictures
from export.proof.pieces import COMMENTS, FRAMES, pieces
from export.proof.reduction import ACCURACY, check_reductions
from export.proof.utterances import labelled_utterances
from tests.fixtures.places import CHECKPOINTS

HALF: dict[str, Precision] = dict.fromkeys(("image_encoder", "text_encoder", "mel_decoder", "vocoder"), "fp16")
INT8: dict[str, Precision] = {"text_encoder": "int8", "mel_decoder": "int8"}


@pytest.fixture(scope="module")
def full(graphs: dict[str, GraphFile]) -> dict[str, GraphFile]:
    """The tiny graphs, all of them shipped in fp32."""
    return {
        name: replace(graphs[name], shipped=graphs[name].full, description=graphs[name].full_description)
        for name in HALF
    }


def reduced(graphs: Mapping[str, GraphFile], folder: Path, precisions: Mapping[str, Precision]) -> dict[str, GraphFile]:
    """The same graphs, shipped in less precision."""
    found = {}
    for name, precision in precisions.items():
        graph, shipped = graphs[name], folder / f"{name}.onnx"
        write_graph(reduce(onnx.load(graph.full), graph.plan, precision), shipped)
        found[name] = replace(graph, shipped=shipped, description=replace(graph.description, precision=precision))
    return found


@pytest.fixture(scope="module")
def halves(full: dict[str, GraphFile], tmp_path_factory: pytest.TempPathFactory) -> dict[str, GraphFile]:
    return reduced(full, tmp_path_factory.mktemp("fp16"), HALF)


@pytest.fixture(scope="module")
def small(full: dict[str, GraphFile], tmp_path_factory: pytest.TempPathFactory) -> dict[str, GraphFile]:
    return reduced(full, tmp_path_factory.mktemp("int8"), INT8)


def table(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def measured(checks: Sequence[Check]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for check in checks:
        found.setdefault(check.graph, []).append(check.what)
    return found


def test_every_graph_in_fp16_states_its_loss(tiny: Models, halves: dict[str, GraphFile]) -> None:
    checks = check_reductions(halves, tiny)
    assert measured(checks) == {
        "image_encoder": [
            "cosine of fp16 to fp32, mean",
            "cosine of fp16 to fp32, least",
            "share that is felt alike in fp16 and fp32",
        ],
        "text_encoder": [
            "cosine of fp16 to fp32, mean",
            "cosine of fp16 to fp32, least",
            "change of accuracy by fp16, sentences that name an emotion",
        ],
        "mel_decoder": ["L1 of fp16 to fp32, nat"],
        "vocoder": ["signal to noise of fp16 to fp32, dB"],
    }
    require(checks)
    numbers = {check.what: float(check.measured) for check in checks}
    assert 40 < numbers["signal to noise of fp16 to fp32, dB"] < 120  # as on a GPU: on this CPU it would be 200
    assert 0 < numbers["L1 of fp16 to fp32, nat"] < 0.02


def test_graphs_in_int8_state_theirs_and_graphs_in_fp32_have_none(
    tiny: Models, full: dict[str, GraphFile], small: dict[str, GraphFile]
) -> None:
    checks = check_reductions({**full, "text_encoder": small["text_encoder"]}, tiny)
    assert {check.graph for check in checks} == {"text_encoder"}
    mean, least, accuracy = checks
    assert 0.998 < float(least.measured) < float(mean.measured) < 1
    assert 0 <= float(accuracy.measured) <= ACCURACY
    decoder = check_reductions({"mel_decoder": small["mel_decoder"]}, tiny)
    require([*checks, *decoder])
    assert 0 < float(decoder[0].measured) < 0.05


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("text_encoder", r"text_encoder: cosine of int8 to fp32, mean at 600 .* is 0\.[0-9]+, the limit is 0\.998"),
        ("mel_decoder", r"mel_decoder: L1 of int8 to fp32, nat at 3 pieces, 768 frames is [0-9.]+, the limit is 0\.05"),
    ],
    ids=["text_encoder", "mel_decoder"],
)
def test_too_great_a_loss_is_refused_with_its_number(
    name: str, number: str, tiny: Models, small: dict[str, GraphFile], tmp_path: Path
) -> None:
    model = onnx.load(small[name].shipped)
    for item in model.graph.initializer:
        if item.data_type == onnx.TensorProto.INT8:  # as if there were three bits
            coarse = np.rint(numpy_helper.to_array(item) / 40.0) * 40
            item.CopyFrom(numpy_helper.from_array(coarse.astype(np.int8), item.name))
    onnx.save(model, tmp_path / "coarse.onnx")
    coarse_graph = replace(small[name], shipped=tmp_path / "coarse.onnx")
    with pytest.raises(ExportError, match=f"{number}: choose --precision {name}=fp32"):
        require(check_reductions({name: coarse_graph}, tiny))


def test_the_accuracy_on_a_table_is_that_of_its_labels(
    tiny: Models, small: dict[str, GraphFile], tmp_path: Path
) -> None:
    sentences = [text for text, _ in labelled_utterances(40)]
    path = table(tmp_path / "felt.csv", [{"utterance": text, "emotion": "awe"} for text in sentences])
    checks = check_reductions({"text_encoder": small["text_encoder"]}, tiny, path)
    check = checks[-1]
    assert check.what == "change of accuracy by int8, utterances of felt.csv"
    assert check.case.startswith("40 rows (")
    shares = []
    for emotion in EMOTIONS:
        path = table(tmp_path / "felt.csv", [{"utterance": text, "emotion": emotion} for text in sentences])
        case = check_reductions({"text_encoder": small["text_encoder"]}, tiny, path)[-1].case
        shares.append(float(case.split("(")[1].split("%")[0]))
    assert sum(shares) == pytest.approx(100, abs=0.5)  # each sentence is told to be of one emotion


def test_pictures_beside_the_table_are_looked_at(tiny: Models, halves: dict[str, GraphFile], tmp_path: Path) -> None:
    rows = []
    with zipfile.ZipFile(tmp_path / "paintings.zip", "w") as archive:
        for number, picture in enumerate(pictures(5)):
            content = io.BytesIO()
            Image.fromarray(picture).save(content, "PNG")
            archive.writestr(f"{number}.png", content.getvalue())
            rows += [
                {"utterance": f"number {number}", "emotion": emotion, "image_file": f"{number}.png", "split": split}
                for emotion, split in (("awe", "test"), ("fear", "test"), ("fear", "train"))
            ]
    facts = {"artist": "", "title": "", "style": "", "crop": "0,0,200,100", "split": "test"}
    table(tmp_path / "paintings.csv", [{"file": f"{number}.png", **facts} for number in range(5)])
    path = table(tmp_path / "felt.csv", [*rows, {**rows[0], "image_file": "gone.png"}])
    checks = check_reductions({"image_encoder": halves["image_encoder"]}, tiny, path)
    require(checks)
    assert checks[0].case == "5 pictures"
    assert checks[2].what == "change of accuracy by fp16, utterances of felt.csv, of 5 pictures"
    assert checks[2].case.startswith("10 rows (")
    shown = read_pictures(path, read_labelled_utterances(path, EMOTIONS))
    assert {picture.shape for picture in shown.values()} == {(100, 200, 3)}


def test_rows_of_the_test_split_in_an_order_that_stays(tmp_path: Path) -> None:
    rows = [
        {"utterance": f"text {number}", "emotion": EMOTIONS[number % 9], "split": "test" if number % 3 else "train"}
        for number in range(60)
    ]
    path = table(tmp_path / "felt.csv", rows)
    felt = read_labelled_utterances(path, EMOTIONS)
    assert felt == read_labelled_utterances(path, EMOTIONS)
    wanted = [LabelledUtterance(row["utterance"], row["emotion"], "") for row in rows if row["split"] == "test"]
    assert felt != wanted
    assert sorted(felt, key=str) == sorted(wanted, key=str)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no utterance"),
        (b"utterance,emotion\n", "holds no utterance"),
        (b"utterance,emotion,split\nhello,awe,train\n", "holds no utterance"),
        (b"text,emotion\nhello,awe\n", "has no column utterance"),
        (b"utterance,felt\nhello,awe\n", "has no column emotion"),
        (b"utterance,emotion\nhello,joy\n", r"names the emotion 'joy', .* it tells amusement, awe"),
        (b"utterance,emotion\nhello\n", "names the emotion None"),
        (b"utterance,emotion\n\xff\xfe,awe\n", "cannot be read"),
    ],
)
def test_a_table_that_cannot_be_used(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "felt.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_labelled_utterances(path, EMOTIONS)


def test_a_table_that_is_not_there(tiny: Models, small: dict[str, GraphFile], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"felt\.csv cannot be read"):
        check_reductions({"text_encoder": small["text_encoder"]}, tiny, tmp_path / "felt.csv")


@given(st.floats(-60, 60), st.integers(0, 99))
def test_the_ratio_of_a_signal_to_its_error(decibel: float, seed: int) -> None:
    signal, error = np.random.default_rng(seed).standard_normal((2, 4000)).astype(np.float32)
    error *= np.float32(10 ** (-decibel / 20) * np.linalg.norm(signal) / np.linalg.norm(error))
    assert signal_to_noise(signal, signal + error) == pytest.approx(decibel, abs=0.05)


def test_the_ratio_at_its_ends() -> None:
    silence, sound = np.zeros(10, np.float32), np.ones(10, np.float32)
    assert signal_to_noise(sound, sound) == 200
    assert signal_to_noise(silence, silence) == 200
    assert signal_to_noise(silence, sound) == -200
    for wrong in (np.nan, np.inf):
        assert signal_to_noise(sound, np.full(10, wrong, np.float32)) == -200


def test_sentences_that_name_an_emotion() -> None:
    named = labelled_utterances()
    assert len({text for text, _ in named}) == 600
    assert {emotion for _, emotion in named} == set(EMOTIONS) - {"something else"}
    assert ("I feel calm.", "contentment") in labelled_utterances(10_000)


def test_pictures_have_the_spectrum_of_nature() -> None:
    seen = pictures()
    assert all(picture.shape == (256, 256, 3) and picture.dtype == np.uint8 for picture in seen)
    assert len({picture.tobytes() for picture in seen}) == 32
    grey = np.stack([picture.mean(2) for picture in seen])
    power = np.abs(np.fft.fft2(grey - grey.mean((1, 2), keepdims=True)))[:, :128, 0].mean(0)
    frequency = np.arange(4, 64)
    slope = np.polyfit(np.log(frequency), np.log(power[frequency]), 1)[0]
    assert slope == pytest.approx(-1, abs=0.15)


def test_pieces_are_music_as_the_models_decode_it(tiny: Models) -> None:
    music = pieces(tiny)
    assert len(music) == len(COMMENTS)
    for piece in music:
        assert piece.mel.shape == (80, FRAMES)
        assert len({(note.pitch, note.start) for note in piece.notes}) >= 5  # the slowest has two beats in this time
        mel, source = piece.heard(tiny.audio, 5, True)
        assert mel.shape == (1, 80, 5 + FRAMES + 5)
        assert np.all(mel[..., [0, 4, -5, -1]] == np.float32(SILENCE)) and np.all(mel[..., 5:-5] == piece.mel)
        assert source.shape == (1, 1, (5 + FRAMES + 5) * tiny.audio.hop)
        assert source.std() > 0
        assert len(piece.heard(tiny.audio, 5, False)) == 1
    again = pieces(tiny)
    assert all(np.array_equal(one.mel, other.mel) for one, other in zip(music, again, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("precisions", [HALF, INT8])
def test_the_default_models_on_artemis(shared: Path, tmp_path: Path, precisions: dict[str, Precision]) -> None:
    folders = [CHECKPOINTS / name for name in ("encoder", "fusion", "decoder", "vocoder")]
    missing = [folder.name for folder in folders if not folder.is_dir()]
    if missing:
        pytest.skip(f"there are no checkpoints {', '.join(missing)} in {CHECKPOINTS}")
    models = load_models(*folders)
    (tmp_path / "full").mkdir()
    graphs = export_graphs(models, tmp_path, tmp_path / "full", Precisions(named=precisions), only=list(precisions))
    checks = check_reductions(graphs, models, shared / "data" / "artemis.csv")
    require(checks)
    assert any("utterances of artemis.csv" in check.what and check.case.startswith("1000 rows") for check in checks)

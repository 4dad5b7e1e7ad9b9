"""What is measured of a feeling head: calibration, confusion, retrieval, and whether it follows what is exchanged."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

pytest.importorskip("torch", reason="the training extra is not installed")

import torch
from PIL import Image

from a2m_edge.bundle import Bundle
from a2m_edge.errors import DataError
from a2m_edge.impression.feeling import EMOTIONS
from a2m_edge.soundscape import Soundscape
from tests.fixtures.training.encoders import fake_feelings, write_data
from training.data.embeddings.feeling_set import PAINTINGS, FeelingSet
from training.data.tables.feelings import PictureArchive, read_paintings
from training.evaluation.feeling.pictures import confusion_picture, reliability_picture
from training.evaluation.feeling.retrieval import measure_retrieval, one_text_each, recall_at
from training.evaluation.feeling.sensitivity import (
    GRIEF,
    JOY,
    NEUTRAL,
    Written,
    grief_and_joy,
    measure_sensitivity,
    saddest_and_happiest,
    valence_of,
)
from training.evaluation.rows.perceiving import BundlePerception
from training.models.fusion import Fusion, FusionConfig
from training.trainers.feeling import confusion, fusion_predict, macro_f1, measure_feelings, reliability, score_feelings

Floats = NDArray[np.float32]
SADNESS, AMUSEMENT = EMOTIONS.index("sadness"), EMOTIONS.index("amusement")


# --- feeling ---------------------------------------------------------------------------------------------------


def test_who_says_seven_in_ten_and_is_right_so_often_is_calibrated_and_who_is_right_half_the_time_is_not() -> None:
    truth = np.zeros(1500, np.int64)
    chances = np.full((1500, 9), 0.3 / 8, np.float32)
    for right, error in ((0.7, 0.0), (0.5, 0.2)):
        told = chances.copy()
        told[np.arange(1500), (np.arange(1500) % 10 >= 10 * right).astype(int)] = 0.7
        found = reliability(truth, told)
        assert found.error == pytest.approx(error, abs=1e-6)
        assert found.count.tolist() == [100] * 15


@given(st.integers(1, 60), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_no_row_is_lost_and_no_error_exceeds_one(rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    chances = random.dirichlet(np.full(9, 0.3), rows).astype(np.float32)
    truth = random.integers(0, 9, rows)
    found = reliability(truth, chances)
    assert found.count.sum() == rows and found.count.max() - found.count.min() <= 1
    assert (np.diff(found.confidence) >= 0).all() and 0 <= found.error <= 1
    hits = float((chances.argmax(1) == truth).mean())
    assert np.average(found.accuracy, weights=found.count) == pytest.approx(hits)
    table = confusion(truth, chances.argmax(1))
    assert table.sum() == rows and table.trace() == round(hits * rows)
    assert table[truth[0], chances.argmax(1)[0]] > 0


def test_macro_f1_counts_every_emotion_that_was_felt_alike() -> None:
    truth, told = np.array([0, 0, 0, 0, 2, 2, 7]), np.array([0, 0, 0, 2, 2, 5, 0])
    # F1 of 0: 2 * 3 / (4 + 4); of 2: 2 * 1 / (2 + 2); of 7: 0; 5 was told once and never felt.
    assert macro_f1(confusion(truth, told)) == pytest.approx((6 / 8 + 2 / 4 + 0) / 3)


def test_the_scores_of_a_fusion_come_with_their_tables() -> None:
    torch.manual_seed(0)
    fusion = Fusion(FusionConfig(embedding_size=8, fused_size=16, hidden_size=32)).eval()
    feelings = fake_feelings()
    measures = measure_feelings(fusion_predict(fusion), feelings)
    assert measures.scores == score_feelings(fusion, feelings)
    assert all(type(value) is float and np.isfinite(value) for value in measures.scores.values())
    for which in ("both", "comment", "picture", "all"):
        rows = measures.scores[f"{which}_n"]
        assert measures.confusion[which].sum() == rows == measures.reliability[which].count.sum()
        assert measures.confusion[which].trace() / rows == pytest.approx(measures.scores[f"{which}_accuracy"])
        assert measures.reliability[which].error == measures.scores[f"{which}_calibration_error"]
    assert measures.scores["painting_n_30"] == 0 and "painting_valence_r_30" not in measures.scores


def test_paintings_that_many_spoke_about_are_counted_apart() -> None:
    feelings = fake_feelings(rows=200)
    picture = np.repeat(np.arange(20), 10)
    picture[:120] = np.repeat(np.arange(4), 30)  # four paintings of 30 utterances, eight of 10
    feelings = dataclasses.replace(feelings, picture=picture)
    seen, means = feelings.painting_valence()
    truth = dict(zip(seen.tolist(), means.tolist(), strict=True))
    of = {feelings.image[row].tobytes(): truth[row] for row in truth}

    def knows_the_four(images: Floats, texts: Floats, present: Floats) -> tuple[Floats, Floats]:
        told = np.array([of.get(image.tobytes(), 0.0) for image in images], np.float32)
        told[[row for row, image in enumerate(images) if image.tobytes() in strange]] *= -1
        return np.full((len(images), 9), 1 / 9, np.float32), np.stack([told, told], 1)

    strange = {feelings.image[row].tobytes() for row in truth if row >= 4}
    scores = measure_feelings(knows_the_four, feelings).scores
    assert (scores["painting_n"], scores["painting_n_30"]) == (12, 4)
    assert scores["painting_valence_r_30"] == pytest.approx(1.0)
    assert scores["painting_valence_r"] < 0.9


def test_the_pictures_are_png_and_show_the_counts() -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    table = np.diag(np.arange(1, 10))
    table[0, 8] = 5
    one = confusion_picture(table, "What was felt")
    assert one == confusion_picture(table, "What was felt") != confusion_picture(table.T.copy(), "What was felt")
    random = np.random.default_rng(0)
    lines = {"both": reliability(random.integers(0, 9, 90), random.dirichlet(np.ones(9), 90).astype(np.float32))}
    for png in (one, reliability_picture(lines, "Confidence")):
        with Image.open(io.BytesIO(png)) as picture:
            assert picture.format == "PNG" and min(picture.size) > 400
            assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 20


# --- retrieval -------------------------------------------------------------------------------------------------


def test_recall_of_who_knows_all_of_who_knows_nothing_and_of_chance() -> None:
    images = np.eye(60, dtype=np.float32)
    owner = np.repeat(np.arange(60), 3)
    assert recall_at(images, images[owner], owner, 1).value == 1.0
    assert recall_at(np.ones_like(images), np.ones((180, 60), np.float32), owner, 10).value == 0.0, "all alike"
    random = np.random.default_rng(0)
    found = []
    for _ in range(60):
        strangers, words = random.normal(size=(60, 24)), random.normal(size=(180, 24))
        found.append(recall_at(strangers.astype(np.float32), words.astype(np.float32), owner, 10, draws=2))
    chance = found[0].chance
    assert chance == pytest.approx(1 - np.prod([(177 - taken) / (180 - taken) for taken in range(10)]))
    assert np.mean([one.value for one in found]) == pytest.approx(chance, abs=0.03)  # measured: 0.003
    assert one_text_each(images, images[owner], owner, 10).chance == pytest.approx(10 / 60)
    with pytest.raises(ValueError, match="a text of its own"):
        recall_at(images, images[owner[3:]], owner[3:], 10)


@given(st.integers(1, 12), st.integers(1, 15), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_recall_is_that_of_a_sorted_list(pictures: int, k: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    owner = np.concatenate([np.arange(pictures), random.integers(0, pictures, 8)])
    images, texts = (random.normal(size=(n, 4)).astype(np.float32) for n in (pictures, len(owner)))
    found = recall_at(images, texts, owner, k, draws=50)
    nearest = np.argsort(-(images @ texts.T), axis=1)[:, :k]
    assert found.value == np.mean([(owner[row] == number).any() for number, row in enumerate(nearest)])
    assert 0 <= found.low <= found.value <= found.high <= 1 and 0 < found.chance <= 1
    assert found.chance == 1.0 or k < len(owner)


def test_retrieval_measures_utterances_and_captions_of_test_paintings(tmp_path: Path) -> None:
    write_data(tmp_path)
    paintings = [painting for painting in read_paintings(tmp_path) if painting.split == "test"]
    marks = {painting.file: row for row, painting in enumerate(paintings)}
    asked: list[str] = []

    def texts(words):
        asked.extend(words)
        return np.eye(64, dtype=np.float32)[[len(asked) % 64 for _ in words]]

    def pictures(some):
        return np.eye(64, dtype=np.float32)[[marks[picture.file] for picture in some]]

    found = measure_retrieval(texts, pictures, tmp_path, count=6)
    assert (found.utterances.pictures, found.utterances.texts) == (6, 18)
    assert (found.one_utterance.texts, found.captions.pictures, found.captions.texts) == (6, 6, 6)
    assert len(asked) == 24 and asked[-1].startswith("a painting: ")
    with pytest.raises(DataError, match="500 are needed"):
        measure_retrieval(texts, pictures, tmp_path)


# --- sensitivity -----------------------------------------------------------------------------------------------

WRITTEN = Written(*(np.full((n, 8), value, np.float32) for n, value in ((10, -0.5), (10, 0.5), (5, 0.0))))


def spoken_feelings() -> FeelingSet:
    """Thirty paintings of four utterances, sad and joyful in turn, with words for it."""
    feelings = fake_feelings(rows=120)
    emotion = np.where(np.arange(120) < 60, SADNESS, AMUSEMENT)
    words = [
        ("she weeps" if row % 2 else "a dark day") if row < 60 else ("pure joy" if row % 2 else "a dog")
        for row in range(120)
    ]
    side = np.where(emotion == SADNESS, -1.0, 1.0)[:, None]
    picture = np.arange(120) // 4
    image = np.tile(np.where(np.arange(30) < 15, -0.3, 0.3)[:, None], (1, 8))
    return dataclasses.replace(
        feelings,
        words=tuple(words),
        emotion=emotion,
        picture=picture,
        text=np.tile(0.5 * side, (1, 8)).astype(np.float32),
        image=image.astype(np.float32),
    )


def test_who_hears_the_comment_alone_follows_it_alone() -> None:
    swaps = {swap.key: swap for swap in measure_sensitivity(heard, spoken_feelings(), WRITTEN)}
    for key in ("comment_written", "comment_expressed", "comment_emotion"):
        assert swaps[key].moved == swaps[key].rising == 1.0
        assert swaps[key].mean_shift == pytest.approx(1.0) and len(swaps[key].shifts) == 200
        assert swaps[key].deviation == pytest.approx(0.5)
    for key in ("picture_alone", "picture_neutral"):
        assert swaps[key].moved == swaps[key].rising == 0.0 and swaps[key].choices == (3, 3)


def test_who_sees_the_picture_alone_follows_it_alone() -> None:
    swaps = {swap.key: swap for swap in measure_sensitivity(seen, spoken_feelings(), WRITTEN, trials=50)}
    assert all(swaps[key].mean_shift == pytest.approx(0.6) for key in ("picture_alone", "picture_neutral"))
    assert all(swaps[key].moved_alike == 1.0 for key in ("picture_alone", "picture_neutral"))
    assert all(swap.rising == 0.0 for key, swap in swaps.items() if key.startswith("comment"))
    assert all(type(value) is float for value in swaps["picture_alone"].figures().values())


def test_who_feels_the_reverse_never_moves_rightly() -> None:
    for swap in measure_sensitivity(lambda *given: -heard(*given), spoken_feelings(), WRITTEN, trials=20):
        assert swap.moved == swap.rising == 0.0


def heard(images: Floats, texts: Floats, present: Floats) -> Floats:
    return np.asarray(texts[:, 0] * present[:, 1])


def seen(images: Floats, texts: Floats, present: Floats) -> Floats:
    return np.asarray(images[:, 0] * present[:, 0])


def test_grief_and_joy_are_found_by_words_that_are_not_denied() -> None:
    words = {
        "She mourns her lost child": (SADNESS, "grief"),
        "the tears of a widow": (SADNESS, "grief"),
        "the sky is grey and empty": (SADNESS, ""),
        "there is no sorrow here": (SADNESS, ""),
        "a happy dance": (AMUSEMENT, "joy"),
        "he doesn't look happy": (AMUSEMENT, ""),
        "the man looks unhappy": (AMUSEMENT, ""),
        "tears of joy": (SADNESS, "grief"),
        "a funny hat": (AMUSEMENT, ""),
        "they smile at death": (AMUSEMENT, "joy"),
    }
    feelings = dataclasses.replace(
        fake_feelings(rows=len(words)),
        words=tuple(words),
        emotion=np.array([emotion for emotion, _ in words.values()]),
    )
    grief, joy = grief_and_joy(feelings)
    for kind, rows in (("grief", grief), ("joy", joy)):
        assert rows.tolist() == [row for row, (_, wanted) in enumerate(words.values()) if wanted == kind]


def test_a_split_without_enough_paintings_is_refused() -> None:
    feelings = spoken_feelings()
    with pytest.raises(DataError, match="at least 10"):
        saddest_and_happiest(dataclasses.replace(feelings, picture=np.where(np.arange(120) < 24, feelings.picture, -1)))
    with pytest.raises(DataError, match="no utterances of grief"):
        measure_sensitivity(heard, dataclasses.replace(feelings, words=("a dog",) * 120), WRITTEN)
    assert len(GRIEF) == len(JOY) == 10 and not {*GRIEF} & {*JOY} and len({*NEUTRAL}) == 5


# --- the bundle ------------------------------------------------------------------------------------------------


def test_a_bundle_is_measured_as_it_plays(tiny_bundle: Bundle, tmp_path: Path) -> None:
    write_data(tmp_path)
    perception = BundlePerception(tiny_bundle, threads=1)
    told: list[tuple[int, int]] = []
    feelings = perception.feelings(tmp_path, pictured=True, progress=lambda done, of: told.append((done, of)))
    assert len(feelings.words) == 18 and told[-1] == (18, 18) and (feelings.picture >= 0).all()
    assert len(perception.feelings(tmp_path).words) == 24
    images = feelings.image[feelings.picture]
    felt = perception.fuse(images, feelings.text, np.ones((18, 2), np.float32))
    archive = PictureArchive(tmp_path / PAINTINGS, 1)
    paintings = [painting for painting in read_paintings(tmp_path) if painting.split == "test"]
    soundscape = Soundscape(tiny_bundle, device="cpu", threads=1)
    for row in (0, 17):
        soundscape.see(np.asarray(archive.whole(paintings[feelings.picture[row]])))
        heard_now = soundscape.hear(feelings.words[row])
        np.testing.assert_allclose(felt.fused[row], heard_now.fused, atol=1e-5)  # measured: 0
        np.testing.assert_allclose(felt.emotions[row], heard_now.feeling.emotions, atol=1e-5)
        assert felt.feeling[row, 0] == pytest.approx(heard_now.feeling.valence, abs=1e-5)
    scores = measure_feelings(perception.predict, feelings).scores
    assert scores["both_n"] == 18
    valence = valence_of(perception.predict)(images, feelings.text, np.ones((18, 2), np.float32))
    np.testing.assert_array_equal(valence, felt.feeling[:, 0])

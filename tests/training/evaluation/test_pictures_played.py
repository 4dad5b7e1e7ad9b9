"""What is measured of pictures as they are played: how far apart, what steers them, and which is known again."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="the training extra is not installed")

from a2m_edge.bundle import Bundle, open_bundle, seal_bundle
from a2m_edge.composer.plan import MODES
from a2m_edge.errors import DataError
from a2m_edge.impression.feeling import EMOTIONS
from a2m_edge.perception.encoders import Encoders, Sight
from a2m_edge.perception.picture_tables import PictureTables, Spread
from a2m_edge.rendering.render import Request, render
from tests.fixtures.places import TINY_BUNDLE
from tests.fixtures.training.encoders import fake_feelings, write_data
from training.data.embeddings.feeling_set import PAINTINGS, FeelingSet
from training.data.tables.feelings import PictureArchive, read_paintings
from training.evaluation.feeling.pictures_alone import (
    PicturesAlone,
    measure_pictures_alone,
    music_of_pictures_table,
    pictures_alone_figures,
    pictures_alone_table,
)
from training.evaluation.feeling.sensitivity import Written
from training.evaluation.feeling.steering import Steering, measure_steering, steering_table
from training.evaluation.listening.identity import FramewiseListener, known_again, measure_identity
from training.evaluation.report.model import Missing, number
from training.evaluation.rows.perceiving import BundlePerception

SAD, AMUSED = EMOTIONS.index("sadness"), EMOTIONS.index("amusement")


@pytest.fixture(scope="module")
def spreading(tmp_path_factory) -> Bundle:
    """The tiny bundle with tables that spread what little it tells of pictures alone over the whole plane."""
    folder = tmp_path_factory.mktemp("bundles") / "spreading"
    shutil.copytree(TINY_BUNDLE, folder)
    tables = PictureTables(
        cues={"brightness": (0.0, 50.0, 100.0)},
        valence=Spread((-0.8, -0.3), (-1.0, 1.0)),
        arousal=Spread((0.7, 0.95), (-1.0, 1.0)),
    )
    (folder / "pictures.json").write_text(tables.to_json(), encoding="utf-8")
    return seal_bundle(folder, open_bundle(TINY_BUNDLE).manifest)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Small tables in which six people spoke of each picture: of dark ones sadly, of bright ones gladly."""
    folder = Path(tmp_path_factory.mktemp("data"))
    write_data(folder)
    with (folder / "artemis.csv").open("a", encoding="utf-8") as table:
        for number in range(24):
            split, word = ("train", "train", "val", "test")[number % 4], ("amusement", "sadness")[number // 4 % 2 == 0]
            table.writelines(f"Baroque,p{number},{word},the sun,x,{number}.png,{split}\n" for _ in range(3))
    return folder


def test_pictures_alone_are_measured_as_they_are_rendered(spreading: Bundle, data: Path) -> None:
    alone = measure_pictures_alone(BundlePerception(spreading, threads=1), data, 0)
    assert len(alone.people) == 6 and set(alone.people[:, 0]) == {-1.0, 1.0}
    assert set(alone.majority) == {frozenset({SAD}), frozenset({AMUSED})}
    figures = pictures_alone_figures(alone)
    assert figures["played_valence_deviation"] > 2 * figures["fused_valence_deviation"] > 0
    assert figures["played_valence_rank_r"] == pytest.approx(figures["fused_valence_rank_r"])
    assert figures["people_valence_deviation"] == pytest.approx(alone.people[:, 0].std())
    assert figures["always_majority"] == pytest.approx(0.5)
    # What a render of the first of them is like.
    archive = PictureArchive(data / PAINTINGS, 1)
    first = next(each for each in read_paintings(data) if each.split == "test")
    picture = np.asarray(archive.whole(first))
    made = render(Request(Path(first.file), None, 0.5), spreading, device="cpu", painting=picture)
    assert alone.played[0].tolist() == pytest.approx([made.feeling.valence, made.feeling.arousal], abs=1e-5)
    assert not isinstance(alone.plans, Missing) and alone.plans[0].mode == made.facts["mode"]
    assert sum(figures[f"mode_{mode}"] for mode in MODES) == pytest.approx(1)
    rows = {row.name: row for row in pictures_alone_table(alone).rows}
    assert number(rows["as the runtime plays them"].values[1]) == pytest.approx(figures["played_valence_deviation"])
    assert number(music_of_pictures_table(alone).rows[0].values[0]) == 6


def test_who_agrees_with_people_is_told_so() -> None:
    people = np.array([[-0.5, 0.1], [0.2, 0.3], [0.4, -0.2], [0.9, -0.4]])
    words = np.array([SAD, AMUSED, AMUSED, AMUSED])
    majority = (frozenset({SAD}), frozenset({AMUSED, SAD}), frozenset({AMUSED}), frozenset({SAD}))
    alone = PicturesAlone(people, majority, people**3, -people, words, np.full(4, SAD), Missing("plays no score"))
    figures = pictures_alone_figures(alone)
    assert (figures["played_valence_rank_r"], figures["fused_arousal_rank_r"]) == pytest.approx((1, -1))
    assert (figures["played_commonest"], figures["fused_commonest"]) == (0.75, 1)
    assert (figures["played_majority"], figures["fused_majority"], figures["always_majority"]) == (0.75, 0.75, 0.75)
    assert "tempo_5" not in figures and number(music_of_pictures_table(alone).rows[0].values[1]) is None


# --- steering ----------------------------------------------------------------------------------------------------


def spoken(perception: BundlePerception, pictures: int) -> FeelingSet:
    """Pictures of four utterances each, the first half sad."""
    feelings = fake_feelings(rows=4 * pictures)
    size = perception.bundle.manifest.embedding_size
    generator = np.random.default_rng(0)

    def units(count: int) -> np.ndarray:
        vectors = generator.normal(size=(count, size))
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)

    picture = np.arange(4 * pictures) // 4
    return FeelingSet(
        words=feelings.words,
        text=units(4 * pictures),
        emotion=np.where(picture < pictures // 2, SAD, AMUSED),
        feeling=feelings.feeling,
        picture=picture,
        image=units(pictures),
        photograph=np.zeros((0, size), np.float32),
        norms=np.zeros((0, 2), np.float32),
    )


def test_what_is_exchanged_moves_the_plan_and_what_stays_does_not(spreading: Bundle) -> None:
    perception = BundlePerception(spreading, threads=1)
    feelings = spoken(perception, 20)
    generator = np.random.default_rng(1)
    sights = noise_seen(perception, generator, 20)
    written = Written.embedded(perception.texts)
    steered = {each.key: each for each in _found(perception, feelings, sights, written)}
    assert set(steered) == {"comment_written", "picture_alone", "picture_neutral", "picture_any"}
    figures = {key: each.figures() for key, each in steered.items()}
    assert all(each["trials"] == 30 for each in figures.values())
    assert figures["picture_alone"]["tempo_moved"] > figures["picture_neutral"]["tempo_moved"] > 0
    assert figures["comment_written"]["tempo_moved"] > 0
    same = Written(written.neutral, written.neutral[:1].repeat(10, 0), written.neutral)
    still = _found(perception, feelings, sights[:1] * 20, Written(same.joy, same.joy, same.neutral))
    assert all(value == 0 for each in still for name, value in each.figures().items() if name != "trials")
    assert len(steering_table(list(steered.values())).rows) == 4


def test_steering_needs_paintings_and_a_score(spreading: Bundle, clip_bundle: Bundle) -> None:
    perception = BundlePerception(spreading, threads=1)
    written = Written.embedded(perception.texts)
    with pytest.raises(DataError, match="at least 10"):
        measure_steering(perception, spoken(perception, 8), [], written)
    clips = BundlePerception(clip_bundle, threads=1)
    sights = noise_seen(clips, np.random.default_rng(1), 12)
    found = measure_steering(clips, spoken(clips, 12), sights, Written.embedded(clips.texts), trials=2)
    assert isinstance(found, Missing) and number(steering_table(found).rows[0].values[0]) is None


def noise_seen(perception: BundlePerception, generator: np.random.Generator, count: int) -> list[Sight]:
    encoders = Encoders(perception.bundle, "cpu", 1)
    return [encoders.see(generator.integers(0, 40 + 10 * each, (24, 24, 3)).astype(np.uint8)) for each in range(count)]


def _found(perception: BundlePerception, feelings: FeelingSet, sights: list[Sight], written: Written) -> list[Steering]:
    found = measure_steering(perception, feelings, sights, written, trials=30)
    assert not isinstance(found, Missing)
    return found


# --- identity ----------------------------------------------------------------------------------------------------


def test_music_of_its_own_is_known_again_and_music_of_all_is_not() -> None:
    generator = np.random.default_rng(0)
    own = generator.normal(size=(50, 20))
    one, other = (own + 0.1 * generator.normal(size=own.shape) for _ in range(2))
    found = known_again(one, other, 20.0)
    assert found.found.value == 1 and found.apart > 20 and found.figures()["chance"] == 0.02
    strange = known_again(generator.normal(size=own.shape), generator.normal(size=own.shape), 20.0)
    assert strange.found.value < 0.15 and strange.apart < 0.5
    same = known_again(np.ones((5, 4)), np.ones((5, 4)), 20.0)
    assert (same.found.value, same.apart) == (0, 0)
    with pytest.raises(DataError, match="2 paintings are too few"):
        known_again(own[:2], own[:2], 20.0)


@given(st.floats(0.1, 100), st.floats(-50, 50))
def test_no_scale_of_what_is_heard_counts(scale: float, offset: float) -> None:
    generator = np.random.default_rng(2)
    one, other = generator.normal(size=(2, 12, 6))
    factors = np.array([scale, 1, 1, 1, 1, 1])
    plain, scaled = known_again(one, other, 1.0), known_again(one * factors + offset, other * factors + offset, 1.0)
    assert plain.found.value == scaled.found.value
    assert plain.apart == pytest.approx(scaled.apart, rel=1e-6)


def test_pieces_are_played_and_heard(shared: Path, tiny_bundle: Bundle, data: Path) -> None:
    listener = FramewiseListener(shared / "weights")
    pictures = [each for each in read_paintings(data) if each.split == "test"][:3]
    told: list[tuple[int, int]] = []
    archive = PictureArchive(data / PAINTINGS, 1)
    found = measure_identity(
        tiny_bundle, listener, pictures, archive, 1.0, 0, threads=1, progress=lambda done, of: told.append((done, of))
    )
    assert told[-1] == (6, 6) and found.paintings == 3 and found.seconds == 1.0
    assert 0 <= found.found.value <= 1 and found.apart >= 0
    noise = np.random.default_rng(0).normal(0, 0.1, (32_000 * 12, 2)).astype(np.float32)
    assert listener(noise, 32_000).shape == (768,)
    with pytest.raises(DataError, match="put it there"):
        FramewiseListener(data)

"""The rows of the evaluation: each plays every pair, the same each time, and plays what it says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="the training extra is not installed")

import torch

from a2m_edge.bundle import Bundle
from a2m_edge.errors import A2MError, CheckpointError, DataError, OptionError
from a2m_edge.impression.feeling import EMOTIONS, INSTRUMENTS
from a2m_edge.inference.sessions import open_session
from a2m_edge.sound.format import FORMATS
from a2m_edge.sound.mel import SILENCE
from a2m_edge.soundscape import Soundscape
from a2m_edge.synthesis.excitation import excitation
from tests.fixtures.training.encoders import tiny_encoder
from tests.training.evaluation.conftest import FRAMES, SECONDS, World
from training.checkpoint import save_checkpoint
from training.data.embeddings.feeling_set import PAINTINGS
from training.data.tables.feelings import Picture
from training.evaluation.rows.baselines import PaperModel, PlainVocoder, checkpoint_fuse, repeated
from training.evaluation.rows.materials import (
    Pair,
    casting_of,
    held_out_pairs,
    intended,
    mean_mel,
    partners,
    read_pairs,
    recorded,
)
from training.evaluation.rows.nearest import NearestTraining
from training.evaluation.rows.perceiving import BundlePerception
from training.evaluation.rows.rows import Rows, Sounding, all_rows
from training.evaluation.rows.stored_score import StoredScore
from training.models.fusion import Fusion, FusionConfig
from training.models.hifigan import Generator, GeneratorConfig
from training.models.mel_decoder import MelDecoder, MelDecoderConfig

AUDIO = FORMATS["22k-mono"]


# --- the held-out set ------------------------------------------------------------------------------------------


def test_pairs_have_a_picture_and_a_clip_of_their_own_split(world: World) -> None:
    assert len(world.test) == 6 and len(world.train) == 12
    assert [pair.number for pair in world.test] == list(range(6))
    assert len({pair.painting for pair in world.test}) == len({pair.clip for pair in world.test}) == 6
    for pair in world.test:
        assert pair.realisation.parent.name == "test" and pair.realisation.stem.startswith(f"{pair.clip}_")
        assert pair.picture.file == f"{pair.clip.removeprefix('clip_')}.png" and pair.picture.split == "test"
    again = held_out_pairs(read_pairs(world.data, world.shared, "test"), 6)
    assert again == world.test != held_out_pairs(read_pairs(world.data, world.shared, "test"), 6, seed=1)


def fake_pair(number: int, painting: int, clip: int) -> Pair:
    picture = Picture(f"{painting}.png", None, "", "test")
    return Pair(number, f"p{painting}", picture, f"utterance {number}", 0, f"c{clip}", Path(f"c{clip}_0.npz"))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=40), st.integers(0, 9), st.data())
@settings(max_examples=60, deadline=None)
def test_no_painting_comes_again_while_others_are_left(
    drawn: list[tuple[int, int]], seed: int, data: st.DataObject
) -> None:
    pairs = [fake_pair(number, *kinds) for number, kinds in enumerate(drawn)]
    count = data.draw(st.integers(2, len(pairs)))
    chosen = held_out_pairs(pairs, count, seed)
    assert len({pair.utterance for pair in chosen}) == count
    first = next((n for n, pair in enumerate(chosen) if pair.painting in {p.painting for p in chosen[:n]}), None)
    if first is not None:  # everything that is left shares its painting or its clip with what was taken
        taken, rest = chosen[:first], {pair.utterance for pair in chosen[:first]}
        for pair in pairs:
            if pair.utterance not in rest:
                assert pair.painting in {p.painting for p in taken} or pair.clip in {p.clip for p in taken}


@given(st.lists(st.integers(0, 4), min_size=2, max_size=40), st.integers(0, 99))
@settings(max_examples=100, deadline=None)
def test_everybody_gets_the_conditions_of_another_painting(paintings: list[int], seed: int) -> None:
    pairs = [fake_pair(number, painting, number) for number, painting in enumerate(paintings)]
    if 2 * max(paintings.count(painting) for painting in paintings) > len(paintings):
        with pytest.raises(DataError, match="same painting"):
            partners(pairs, seed)
        return
    others = partners(pairs, seed)
    assert sorted(pair.number for pair in others) == list(range(len(pairs)))
    assert all(pair.painting != other.painting for pair, other in zip(pairs, others, strict=True))
    assert others == partners(pairs, seed)


def test_what_should_be_felt_is_what_the_annotators_felt(world: World) -> None:
    wanted = intended(world.test, world.shared)
    assert wanted.painting.shape == wanted.comment.shape == (6, 2) and wanted.annotators.tolist() == [3] * 6
    for row, pair in enumerate(world.test):
        sign = {"sadness": -1.0, "amusement": 1.0}[EMOTIONS[pair.emotion]]
        assert wanted.painting[row, 0] == wanted.comment[row, 0] == sign
        assert wanted.comment[row, 1] == pytest.approx(-0.55 if sign < 0 else 0.5)
    stranger = dataclasses.replace(world.test[0], painting="Baroque/nobody")
    with pytest.raises(DataError, match="nobody"):
        intended([stranger], world.shared)


# --- what the bundle plays -------------------------------------------------------------------------------------


def test_written_music_is_played_as_a_soundscape_plays_its_own(tiny_bundle: Bundle) -> None:
    soundscape = Soundscape(tiny_bundle, seed=4, device="cpu", threads=1)
    perception = soundscape.hear("a quiet evening by the sea")
    sound = np.concatenate([chunk.samples for chunk in soundscape.chunks(100)])
    assert soundscape.casting is not None
    stored = StoredScore(tiny_bundle, threads=1)
    notes, palette = soundscape.score.notes, soundscape.casting.vector(len(INSTRUMENTS))
    _, mel = stored.decode(notes, palette, perception.fused, 100 + stored.context_frames, seed=4)
    again = stored.sound(mel, notes, 100)
    assert len(notes) > 5 and np.abs(sound).max() > 1e-3
    np.testing.assert_allclose(again, sound, atol=1e-5)  # measured: 3.3e-7
    assert casting_of(palette) == dataclasses.replace(soundscape.casting, room=float(palette[-1]))


def test_copy_synthesis_is_the_vocoder_on_the_whole_clip(tiny_bundle: Bundle, rows: Rows) -> None:
    vocoder = open_session(tiny_bundle, "vocoder", "cpu", 1)
    for pair, found in zip(rows.pairs, rows.copy_synthesis(), strict=True):
        clip = recorded(pair.realisation, AUDIO, FRAMES)
        left, right = tiny_bundle.manifest.vocoder.left, tiny_bundle.manifest.vocoder.right
        mel = np.pad(clip.mel, ((0, 0), (left, right)), constant_values=SILENCE)
        heard = excitation(clip.notes, mel, -left, AUDIO)
        whole = vocoder.run(mel=mel[None], excitation=heard[None, None])["waveform"][0].T
        np.testing.assert_allclose(found.samples, whole[: FRAMES * AUDIO.hop], atol=1e-5)  # measured: 9e-8
        assert found.mel is not None and found.mel.shape == (80, FRAMES) and found.seconds > 0


def test_ours_is_what_a_visitor_hears_and_the_shuffled_one_what_another_pair_would(
    tiny_bundle: Bundle, rows: Rows, world: World
) -> None:
    others = partners(rows.pairs)
    for shuffled in (False, True):
        for pair, other, found in zip(rows.pairs, others, rows.soundscape(shuffled), strict=True):
            meant = other if shuffled else pair
            soundscape = Soundscape(tiny_bundle, seed=pair.number, device="cpu", threads=1)
            soundscape.see(np.asarray(world.archive.whole(meant.picture)))
            perception = soundscape.hear(meant.utterance)
            sound = np.concatenate([chunk.samples for chunk in soundscape.chunks(FRAMES)])
            np.testing.assert_allclose(found.samples, sound, atol=1e-5)  # measured: 4.5e-7
            assert found.feeling is not None and found.feeling.valence == perception.feeling.valence
            assert found.casting == soundscape.casting and found.mel is None
            assert found.mode in {beat.mode for beat in soundscape.score.beats}
            assert found.notes == tuple(note for note in soundscape.score.notes if note.start < rows.seconds)


def test_the_reconstruction_follows_score_and_conditions(rows: Rows) -> None:
    plain, shuffled = list(rows.reconstruction()), list(rows.reconstruction(shuffled=True))
    for pair, one, other in zip(rows.pairs, plain, shuffled, strict=True):
        clip = recorded(pair.realisation, AUDIO, FRAMES)
        assert one.notes == other.notes == tuple(note for note in clip.notes if note.start < rows.seconds)
        assert one.mel is not None and other.mel is not None and one.mel.shape == (80, FRAMES)
        assert one.casting == other.casting == clip.casting
        assert one.feeling is not None and other.feeling is not None
        assert one.feeling.valence != other.feeling.valence and not np.array_equal(one.mel, other.mel)


def test_a_bundle_of_clips_has_no_reconstruction_and_plays_all_other_rows(clip_bundle: Bundle, world: World) -> None:
    rows = Rows(clip_bundle, world.test[:2], world.archive, SECONDS, threads=1)
    assert not rows.plays_scores
    with pytest.raises(OptionError, match="plays no score"):
        next(rows.reconstruction())
    for found in (*rows.soundscape(), *rows.copy_synthesis()):
        assert len(found.samples) == FRAMES * AUDIO.hop
    assert all(found.casting is None and found.mode is None and not found.notes for found in rows.soundscape())


# --- what it is compared with ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_row_plays_every_pair_the_same_each_time(rows: Rows, world: World, vocoder: Path, paper: Path) -> None:
    fuse = tiny_fuse(world)
    nearest = NearestTraining(BundlePerception(rows_bundle(rows), threads=1), world.archive, world.train)
    mean = mean_mel([pair.realisation for pair in world.train], AUDIO, FRAMES)
    plain = PlainVocoder(vocoder, AUDIO)
    table = all_rows(
        rows, training=world.train, nearest=nearest, mean=mean, vocoder=plain, paper=PaperModel(paper, fuse, AUDIO)
    )
    sounds: dict[str, list[Sounding]] = {}
    for row in table:
        assert row.play is not None, row.note
        sounds[row.key], again = list(row.play()), list(row.play())
        assert [found.pair for found in sounds[row.key]] == [0, 1, 2]
        for found, other in zip(sounds[row.key], again, strict=True):
            assert found.samples.shape == (FRAMES * AUDIO.hop, 1) and found.samples.dtype == np.float32
            assert np.isfinite(found.samples).all() and np.array_equal(found.samples, other.samples), row.key
            assert found.mel is None or (found.mel.shape[0] == 80 and found.mel.shape[1] in (FRAMES, 40))
    assert len(table) == len({row.key for row in table}) == len({row.title for row in table}) == 10
    without = all_rows(rows, training=world.train, nearest=nearest, mean=mean, vocoder=plain, paper=None)
    assert [row.key for row in without if row.play is None] == ["paper"]
    real = [recorded(pair.realisation, AUDIO, FRAMES) for pair in rows.pairs]
    assert all(np.array_equal(one.samples, clip.samples) for one, clip in zip(sounds["real"], real, strict=True))
    trained = [recorded(pair.realisation, AUDIO, FRAMES).samples for pair in world.train]
    for key in ("random_training", "nearest_training"):
        assert all(any(np.array_equal(one.samples, clip) for clip in trained) for one in sounds[key])
    assert len({one.samples.tobytes() for one in sounds["random_training"]}) == 3
    assert len({one.samples.tobytes() for one in sounds["mean_mel"]}) == 1
    assert len({one.samples.tobytes() for one in sounds["paper"]}) == 3


def test_progress_is_told_after_each_pair(tiny_bundle: Bundle, world: World) -> None:
    told: list[tuple[int, int]] = []
    rows = Rows(tiny_bundle, world.test[:3], world.archive, SECONDS, threads=1, progress=lambda *now: told.append(now))
    playing = rows.real()
    next(playing)
    assert told == []
    assert len(list(playing)) == 2 and told == [(1, 3), (2, 3), (3, 3)]


def test_the_mean_mel_is_the_mean(world: World) -> None:
    files = [pair.realisation for pair in world.train]
    expected = np.mean([recorded(file, AUDIO, FRAMES).mel[:, :FRAMES] for file in files], axis=0)
    np.testing.assert_allclose(mean_mel(files, AUDIO, FRAMES), expected, atol=1e-6)  # measured: 0
    with pytest.raises(DataError, match="none of 12"):
        mean_mel(files, AUDIO, 10_000)


def test_the_nearest_training_clip_is_that_of_the_same_words_and_picture(
    tiny_bundle: Bundle, world: World, tmp_path: Path
) -> None:
    perception, cache = BundlePerception(tiny_bundle, threads=1), tmp_path / "training.npz"
    nearest = NearestTraining(perception, world.archive, world.train, cache)
    assert [nearest(pair) for pair in world.train] == world.train
    kept = cache.stat().st_mtime_ns
    assert NearestTraining(perception, world.archive, world.train, cache)(world.train[5]) == world.train[5]
    assert cache.stat().st_mtime_ns == kept
    fewer = NearestTraining(perception, world.archive, world.train[:4], cache)
    assert fewer(world.train[2]) == world.train[2] and fewer(world.train[8]) in world.train[:4]
    cache.write_bytes(cache.read_bytes()[:-200])
    with pytest.raises(DataError, match="damaged"):
        NearestTraining(perception, world.archive, world.train, cache)


def test_the_plain_vocoder_sounds_pieces_as_the_whole(vocoder: Path) -> None:
    plain = PlainVocoder(vocoder, AUDIO)
    mel = np.random.default_rng(0).normal(-4, 1, (80, 1200)).astype(np.float32)
    with torch.inference_mode():
        whole = plain._vocoder(torch.from_numpy(mel)[None])[0].numpy().T
    np.testing.assert_allclose(plain(mel), whole, atol=1e-5)  # measured: 4e-9
    with pytest.raises(CheckpointError, match="was trained on 22050 Hz mono"):
        PlainVocoder(vocoder, dataclasses.replace(AUDIO, hop=512))
    both = PlainVocoder(vocoder, dataclasses.replace(AUDIO, channels=2))(mel[:, :20])
    np.testing.assert_array_equal(both[:, 0], both[:, 1])


def test_a_vocoder_of_notes_or_a_decoder_of_scores_is_refused(tmp_path: Path, paper: Path, world: World) -> None:
    config = GeneratorConfig("2", (8, 8, 4), (16, 16, 8), 16, (3,), ((1, 2),), excitation=True)
    save_checkpoint(tmp_path / "v", Generator(config), {"kind": "vocoder", "generator": config.to_json()})
    with pytest.raises(CheckpointError, match="hears the notes"):
        PlainVocoder(tmp_path / "v", AUDIO)
    small = MelDecoderConfig(fused_size=6, voice_channels=4, channels=4, hidden=4, layers=1)
    audio = {"audio": dataclasses.asdict(AUDIO)}
    save_checkpoint(tmp_path / "d", MelDecoder(small), small.document() | audio)
    with pytest.raises(CheckpointError, match="architecture paper"):
        PaperModel(tmp_path / "d", lambda pair: np.zeros(6, np.float32), AUDIO)
    with pytest.raises(CheckpointError, match="of 6 values, not of 7"):
        PaperModel(paper, lambda pair: np.zeros(7, np.float32), AUDIO)(world.test[0])


def test_a_clip_is_repeated_without_a_gap() -> None:
    clip = np.random.default_rng(0).normal(-4, 1, (80, 70)).astype(np.float32)
    long = repeated(clip, 300)
    assert long.shape == (80, 300) and np.array_equal(repeated(clip, 50), clip[:, :50])
    np.testing.assert_array_equal(long[:, :38], clip[:, :38])
    assert long.min() > clip.min() - 1.0 and np.isfinite(long).all()


# --- hostile data ----------------------------------------------------------------------------------------------


def test_data_that_cannot_be_evaluated_are_refused_in_one_sentence(
    tiny_bundle: Bundle, world: World, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="20 are needed"):
        held_out_pairs(world.test, 20)
    with pytest.raises(OptionError, match="at least 2"):
        held_out_pairs(world.test, 1)
    with pytest.raises(OptionError, match="longer than one frame"):
        Rows(tiny_bundle, world.test, world.archive, float("nan"))
    with pytest.raises(DataError, match="shorter than"):
        next(Rows(tiny_bundle, world.test, world.archive, 5.0, threads=1).real())
    with pytest.raises(DataError, match="data build"):
        read_pairs(tmp_path, world.shared, "test")


@pytest.mark.parametrize("damage", ["no column", "no such picture", "no such emotion", "nothing", "binary"])
def test_a_table_that_is_none_is_refused(world: World, tmp_path: Path, damage: str) -> None:
    (tmp_path / "realisations").symlink_to(world.data / "realisations")
    text = (world.data / "articaps.csv").read_text(encoding="utf-8")
    picture = world.test[0].picture.file
    changed = {
        "no column": text.replace("emotion,", "feeling,"),
        "no such picture": text.replace(f",{picture},", ",nowhere.png,"),
        "no such emotion": text.replace("amusement", "boredom").replace("sadness", "boredom"),
        "nothing": "",
        "binary": "\udcff\udcfe\x00",
    }[damage]
    (tmp_path / "articaps.csv").write_bytes(changed.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match="articaps"):
        read_pairs(tmp_path, world.shared, "test")


@pytest.mark.parametrize("damage", ["archive", "sound", "rate", "no sound"])
def test_a_damaged_clip_is_refused(world: World, tmp_path: Path, damage: str) -> None:
    source = world.test[0].realisation
    place = tmp_path / source.name
    place.write_bytes(source.read_bytes()[: -300 if damage == "archive" else None])
    sound = source.with_suffix(".flac").read_bytes()
    if damage != "no sound":
        place.with_suffix(".flac").write_bytes(sound[:20] if damage == "sound" else sound)
    if damage == "rate":
        soundfile.write(place.with_suffix(".flac"), np.zeros(100_000), 44_100)
    with pytest.raises(A2MError, match=str(tmp_path)):
        recorded(place, AUDIO, FRAMES)


def rows_bundle(rows: Rows) -> Bundle:
    return rows._models.bundle


def tiny_fuse(world: World):
    torch.manual_seed(0)
    encoder = tiny_encoder()
    fusion = Fusion(FusionConfig(embedding_size=encoder.embedding_size, fused_size=6, hidden_size=8))
    return checkpoint_fuse(encoder, fusion, world.shared / PAINTINGS)

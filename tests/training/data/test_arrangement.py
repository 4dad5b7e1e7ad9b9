"""Scores arranged for the four roles: who plays what, what the decoder is told of it, and whether it sounds so."""

from __future__ import annotations

import csv
import io
import itertools
import zipfile
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
import typer
from typer.testing import CliRunner

from a2m_edge.errors import DataError
from a2m_edge.impression.feeling import INSTRUMENTS, ROLES, Casting
from a2m_edge.score import Note, ScoreLayout
from a2m_edge.sound.format import FORMATS
from tests.fixtures.training.data_runs import HERE, needs_fluidsynth
from training.commands.data import register_data
from training.data.labels.music_labels import realisation_files
from training.data.pairs.data_card import music_facts
from training.data.recordings.arrangement import arrange, assign_roles, build_arrangements, feeling_of
from training.data.recordings.arrangement_recipes import Arrangement, ScoreRow, arranged_files, read_rows, recipes
from training.data.recordings.orchestration import HIGHEST, LOWEST
from training.data.recordings.realised import Realisations, read_realisation
from training.data.scores.midi import MidiPart, MidiScore, read_midi

BASS, HARMONY, FIGURE, MELODY = range(4)
AUDIO = FORMATS["22k-mono"]
ROWS = {
    corpus: [ScoreRow(corpus, f"{corpus}{number}", f"{corpus}/{corpus}{number}.mid", 60.0, 120.0, 0.2)]
    for number, corpus in enumerate(("lieder", "quartets"))
}
RECIPE = next(recipes(ROWS, 8.0, 0))

Row = tuple[float, float, int, int]


def score(*parts: tuple[int, list[Row]]) -> MidiScore:
    """Parts of (program, rows of start and end in seconds, pitch, velocity)."""
    made = [MidiPart("", program, np.array(rows, np.float64)) for program, rows in parts]
    return MidiScore(tuple(made), 4, 4, 60.0)


def midi(*parts: tuple[int, list[Row]]) -> bytes:
    """The same as a file."""
    file = mido.MidiFile(ticks_per_beat=500)
    for channel, (program, rows) in enumerate(parts):
        messages = [(0.0, mido.Message("program_change", channel=channel, program=program))]
        for start, end, pitch, velocity in rows:
            messages.append((start, mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)))
            messages.append((end, mido.Message("note_off", channel=channel, note=pitch)))
        track, now = mido.MidiTrack(), 0.0
        for at, message in sorted(messages, key=lambda item: item[0]):
            track.append(message.copy(time=round(1000 * (at - now))))
            now = at
        file.tracks.append(track)
    stream = io.BytesIO()
    file.save(file=stream)
    return stream.getvalue()


def pulse(pitch: int, every: float = 1.0, until: float = 60.0) -> list[Row]:
    """Short notes, far enough apart to be told from each other."""
    return [(float(at), float(at) + 0.4 * every, pitch, 80) for at in np.arange(0.0, until, every)]


QUARTET = ((40, pulse(60)), (40, pulse(70)), (41, pulse(57)), (42, pulse(62)))
"""The second violin lies above the first, and the cello above the viola."""


def test_a_quartet_plays_by_its_instruments_and_not_by_how_high_they_lie() -> None:
    for told in (score(*QUARTET), read_midi(midi(*QUARTET))):
        notes = assign_roles(told)
        assert {(note.pitch, note.role) for note in notes} == {(60, MELODY), (70, FIGURE), (57, HARMONY), (62, BASS)}
        assert notes == sorted(notes) and len(notes) == 240
    assert {note.role for note in assign_roles(score(*QUARTET, (42, pulse(40)))) if note.pitch == 40} == {BASS}


def test_the_keyboard_of_a_song_is_bass_harmony_and_figure() -> None:
    left = [(0.0, 1.0, 40, 80), (0.25, 0.5, 47, 80), (0.5, 0.75, 52, 80)]  # a broken chord: its lowest is the bass
    right = [(0.0, 0.5, 64, 80), (0.0, 0.5, 67, 80), (0.5, 1.0, 72, 80)]  # a chord, then a single note
    notes = assign_roles(score((52, [(0.0, 1.0, 76, 90)]), (52, [(0.0, 1.0, 55, 90)]), (0, sorted(left + right))))
    assert {note.pitch: note.role for note in notes} == {
        40: BASS,
        47: HARMONY,
        52: HARMONY,
        55: HARMONY,
        64: HARMONY,
        67: HARMONY,
        72: FIGURE,
        76: MELODY,
    }


@pytest.mark.parametrize(
    ("pitches", "roles"),
    [((60,), (3,)), ((70, 50), (3, 0)), ((50, 60, 70, 80), (0, 1, 2, 3)), ((48, 52, 60, 67, 72), (0, 1, 2, 2, 3))],
)
def test_other_parts_stand_in_the_order_of_their_pitch(pitches: tuple[int, ...], roles: tuple[int, ...]) -> None:
    notes = assign_roles(score(*((52, [(0.0, 1.0, pitch, 80)]) for pitch in pitches)))
    assert {note.pitch: note.role for note in notes} == dict(zip(pitches, roles, strict=True))


def test_an_arrangement_stays_in_register_and_strikes_no_key_that_is_held() -> None:
    generator = np.random.default_rng(0)
    written = sorted(
        Note(
            float(generator.uniform(0, 60)),
            float(generator.uniform(0.05, 4)),
            int(generator.integers(21, 109)),
            float(generator.uniform(0.1, 1.0)),
            int(generator.integers(4)),
        )
        for _ in range(4000)
    )
    layout = ScoreLayout()
    for recipe in itertools.islice(recipes(ROWS, 20.0, 0), 40):
        notes = arrange(recipe, written)
        assert notes == sorted(notes) == arrange(recipe, written) and len(notes) > 100
        assert all(LOWEST <= note.pitch <= HIGHEST and 0 < note.velocity <= 1 and note.seconds > 0 for note in notes)
        assert all(recipe.lead <= note.start < recipe.seconds for note in notes)
        layout.frames(notes, 0, 100, AUDIO.frame_rate)
        ends: dict[tuple[int, int], float] = {}
        for note in notes:
            key = (note.role, note.pitch)
            assert ends.get(key, 0.0) <= note.start + 1e-9
            ends[key] = note.end
        assert all(-1 <= value <= 1 for value in feeling_of(recipe, notes))


def test_a_key_struck_again_is_released_and_a_unison_is_one_note() -> None:
    recipe = replace(RECIPE, place=0.0, stretch=1.0, transposition=2, octaves=(0,) * 4, lead=0.25, shares=(1.0,) * 4)
    notes = arrange(
        recipe,
        [Note(0.0, 3.0, 60, 0.5, 1), Note(1.0, 1.0, 60, 0.5, 1), Note(1.01, 2.0, 60, 0.5, 1), Note(2.0, 9.0, 60, 1, 2)],
    )
    assert [(note.start, note.pitch, note.role) for note in notes] == [(0.25, 62, 1), (1.25, 62, 1), (2.25, 62, 2)]
    assert [note.seconds for note in notes] == pytest.approx([1.0, 2.01, 9.0])
    # Octaves above the keyboard are not taken, and what is outside even so is folded into it.
    high = arrange(replace(recipe, octaves=(1,) * 4), [Note(0.0, 1.0, 100, 0.5, 3), Note(1.0, 1.0, 104, 0.5, 3)])
    assert [note.pitch for note in high] == [102, 94]


def test_fast_dense_and_loud_is_aroused_and_major_is_pleasant() -> None:
    calm = replace(RECIPE, score=replace(RECIPE.score, tempo=50.0, margin=-0.3), stretch=1.5)
    wild = replace(RECIPE, score=replace(RECIPE.score, tempo=140.0, margin=0.3), stretch=0.8)
    few, many = ([Note(at, 0.1, 60, loud, 3) for at in np.arange(0, 8, step)] for step, loud in ((1, 0.3), (0.1, 0.8)))
    assert feeling_of(calm, few)[1] < -0.8 and feeling_of(wild, many)[1] > 0.8
    assert feeling_of(calm, few)[0] < -0.5 and feeling_of(wild, many)[0] > 0.5
    assert feeling_of(calm, [])[1] == -1.0  # a long rest


def test_the_same_seed_gives_the_same_recipes_and_every_instrument_has_its_turn() -> None:
    one, same, other = (list(itertools.islice(recipes(ROWS, 10.0, seed), 40)) for seed in (3, 3, 4))
    assert one == same and not {recipe.file for recipe in one} & {recipe.file for recipe in other}
    players = [player for recipe in one for player in recipe.casting.instruments]
    turns = np.bincount(players, minlength=len(INSTRUMENTS))
    assert turns.max() - turns.min() <= 1 and all(len(set(recipe.casting.instruments)) == 4 for recipe in one)
    with pytest.raises(DataError, match="no score of lieder lasts"):
        next(recipes(ROWS, 50.0, 0))


def test_no_source_of_the_corpora_is_in_two_splits(shared: Path) -> None:
    rows = read_rows(shared / "data" / "scores")
    chosen = list(itertools.islice(recipes(rows, 30.0, 0), 2000))
    splits: dict[tuple[str, str], set[str]] = {}
    for recipe in chosen:
        splits.setdefault((recipe.score.corpus, recipe.score.source), set()).add(recipe.file.split("/")[0])
    assert all(len(found) == 1 for found in splits.values())
    shares = [
        sum(recipe.file.startswith(f"{split}/") for recipe in chosen) / 2000 for split in ("train", "val", "test")
    ]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.04)
    assert len({recipe.file for recipe in chosen}) == 2000


def write_scores(scores: Path) -> None:
    """Both corpora, a piece in each: pulses of one note, so that every attack is heard alone."""
    scores.mkdir(parents=True)
    for corpus, parts in (("lieder", ((52, pulse(72)), (0, pulse(48)))), ("quartets", QUARTET)):
        row = ROWS[corpus][0]
        with zipfile.ZipFile(scores / f"{corpus}.zip", "w") as archive:
            archive.writestr(row.member, midi(*parts))
        (scores / f"{corpus}.csv").write_text(
            f"file,source_id,seconds,tempo_mean,mode_margin\n{row.member},{row.source},60.0,120.0,0.2\n"
        )


@needs_fluidsynth
def test_the_command_adds_realisations_that_sound_when_their_notes_say(tmp_path: Path) -> None:
    write_scores(tmp_path / "data" / "scores")
    out = tmp_path / "made" / "realisations"
    app = typer.Typer()
    register_data(app)
    options = ["-o", str(out), "--shared", str(tmp_path), "--hours", "0.0045", "--seconds", "8", "--workers", "1"]
    done = CliRunner().invoke(app, ["arrange", *options])
    assert done.exit_code == 0, done.output
    assert "2 arrangements made" in done.output
    with (out / "arrangements.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["corpus"] for row in rows] == ["lieder", "quartets"] and {row["licence"] for row in rows} == {"CC0-1.0"}
    for row in rows:
        stored = read_realisation(out / row["file"])
        assert stored.clip == f"{row['corpus']}-{row['source']}" and stored.mel.shape == (80, AUDIO.frames(8.0))
        players = stored.casting[:-1].reshape(len(ROLES), -1).argmax(1)
        assert [list(INSTRUMENTS)[player] for player in players] == [row[role] for role in ROLES]
        sound, rate = soundfile.read((out / row["file"]).with_suffix(".flac"))
        assert rate == AUDIO.sample_rate and len(sound) == AUDIO.frames(8.0) * AUDIO.hop
        starts = sorted({round(note.start, 3) for note in stored.notes})
        # The sound grows after each attack: slow instruments too, since four play together.
        rises = [
            np.square(sound[round(at * rate) :][: rate // 5]).mean()
            / np.square(sound[: round(at * rate)][-rate // 20 :]).mean()
            for at in starts[1:]
            if at < 7.7
        ]
        assert len(rises) >= 3 and min(rises) > 1.2
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.npz")}
    done = CliRunner().invoke(app, ["arrange", *options, "--seed", "0"])
    assert done.exit_code == 0 and "0 arrangements made" in done.output
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.npz")} == before
    # The decoder's material and the data card take them; the labeller, which asks what was meant, does not.
    assert realisation_files(out.parent) == []
    assert music_facts(out.parent)["of the realisations, arrangements of scores (CC0-1.0)"] == 2
    split = rows[0]["file"].split("/")[0]
    np.savez(
        tmp_path / "fused.npz",
        clips=np.array(["caption"] * 6),
        fused=np.eye(6, 4, dtype=np.float32),
        feelings=np.zeros((6, 2), np.float32),
    )
    assert Realisations(out, split, tmp_path / "fused.npz", 4).pairs[0].shape == (2, 4)


def test_the_table_keeps_the_recipes_of_other_seeds(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores")
    for seed in (0, 1, 0):
        with pytest.raises(DataError, match=r"no soundfont|not installed"):
            list(
                build_arrangements(
                    tmp_path / "scores",
                    tmp_path,
                    audio=AUDIO,
                    runner=HERE,
                    hours=0.0045,
                    seconds=8.0,
                    seed=seed,
                    soundfont=tmp_path / "none.sf2",
                )
            )
    assert len(arranged_files(tmp_path)) == 4
    (tmp_path / "arrangements.csv").write_text("name\nsomething\n")
    with pytest.raises(DataError, match="is damaged"):
        arranged_files(tmp_path)


def test_a_corpus_that_is_missing_or_damaged_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not the table of its scores"):
        read_rows(tmp_path)
    write_scores(tmp_path / "scores")
    (tmp_path / "scores" / "lieder.zip").write_bytes(b"no archive")
    with pytest.raises(DataError, match=r"lieder0\.mid in .* cannot be read"):
        list(build_arrangements(tmp_path / "scores", tmp_path, audio=AUDIO, runner=HERE, hours=0.001, seconds=8.0))


def test_a_recipe_tells_its_source_in_its_name() -> None:
    recipe = Arrangement(
        ROWS["lieder"][0], 7, 1.0, 1.0, 0, (0,) * 4, 0.5, (1.0,) * 4, Casting((0, 1, 2, 3), 0.5), 0.0, 8.0
    )
    assert recipe.file.endswith("/lieder-lieder0_7.npz") and recipe.row()["source"] == "lieder0"

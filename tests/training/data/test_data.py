"""What the models are trained on: pairs, realisations, recordings, tables."""

from __future__ import annotations

import io
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from a2m_edge.composer import ComposerTables
from a2m_edge.errors import DataError
from a2m_edge.impression.feeling import INSTRUMENTS, Casting
from a2m_edge.score import Note
from a2m_edge.sound.format import FORMATS
from a2m_edge.sound.mel import log_mel
from tests.fixtures.places import TABLES
from tests.fixtures.training.data_runs import HERE, needs_fluidsynth
from training.data.recordings.fluidsynth import SOUNDFONT
from training.data.recordings.musiccaps import import_recordings
from training.data.recordings.realisation import brightness, compose, perform, realise, recipe_for
from training.data.recordings.realised import read_realisation
from training.data.scores.midi import read_midi
from training.data.scores.score_tables import TableCounts
from training.data.tables.captions import Caption, read_captions, split_of
from training.evaluation.listening.transcription import Transcriber, note_f1

AUDIO = FORMATS["22k-mono"]
CAPTION = Caption("abc", ("slow tempo", "piano", "sad", "reverberant"), "A sad piano plays slowly.", "train")


def test_a_recipe_is_the_same_each_time_and_each_take_is_another() -> None:
    assert recipe_for(CAPTION, 0, 30.0, 0) == recipe_for(CAPTION, 0, 30.0, 0)
    assert recipe_for(CAPTION, 0, 30.0, 0).seed != recipe_for(CAPTION, 1, 30.0, 0).seed
    tables = ComposerTables.read(TABLES)
    recipe = recipe_for(CAPTION, 0, 10.0, 0)
    score = compose(recipe, tables)
    assert score.notes == compose(recipe, tables).notes
    assert score.notes[0].start >= recipe.lead and score.seconds >= recipe.stop


@needs_fluidsynth
def test_a_realisation_holds_the_sound_of_its_score(tmp_path: Path) -> None:
    recipe = recipe_for(CAPTION, 0, 6.0, 0)
    place = realise(recipe, tmp_path, ComposerTables.read(TABLES), AUDIO, SOUNDFONT)
    stored = read_realisation(place)
    sound, rate = soundfile.read(place.with_suffix(".flac"), dtype="float32", always_2d=True)
    frames = AUDIO.frames(6.0)
    assert rate == AUDIO.sample_rate and len(sound) == frames * AUDIO.hop and stored.mel.shape == (80, frames)
    assert stored.clip == "abc" and stored.notes and 0.02 < np.abs(sound).max() <= 1.0
    assert np.abs(log_mel(sound, AUDIO) - stored.mel)[stored.mel > -8].mean() < 0.05
    before = place.stat().st_mtime_ns
    assert realise(recipe, tmp_path, ComposerTables.read(TABLES), AUDIO, SOUNDFONT) == place
    assert place.stat().st_mtime_ns == before, "what exists is not made again"
    assert not list(tmp_path.rglob("*.part*"))


@pytest.mark.parametrize("arousal", [-1.0, 1.0])
def test_the_end_of_a_recording_is_not_heard_in_its_beginning(arousal: float) -> None:
    """Its music is cut off where it is loud."""
    sound = np.zeros((22050, 2), np.float32)
    sound[11025:] = 0.5
    tilted = brightness(sound, 22050, arousal)
    assert len(tilted) == len(sound)
    assert np.abs(tilted[:5000]).max() < 1e-4  # 0.08 and more where the filter is a circle
    assert tilted[15000:20000] == pytest.approx(0.5, abs=1e-3), "what is low stays as it is"


@needs_fluidsynth
def test_played_notes_begin_where_the_score_says(shared: Path) -> None:
    transcriber = Transcriber(shared / "weights" / "basic_pitch_nmp.onnx")
    notes = [Note(0.5 * number + 0.5, 0.4, 60 + 2 * number, 0.8, 3) for number in range(10)]
    piano = list(INSTRUMENTS).index("piano")
    sound = perform(notes, Casting((piano,) * 4, 0.1), 6.0, AUDIO, SOUNDFONT)
    wanted = [(note.start, note.pitch) for note in notes]
    assert note_f1(wanted, transcriber.onsets(sound)) > 0.9
    assert note_f1(wanted, transcriber.onsets(np.zeros_like(sound))) == 0.0
    with pytest.raises(DataError, match="transcriber"):
        Transcriber(shared / "data" / "README.md")


def test_note_f1_counts_each_note_once() -> None:
    score = [(0.0, 60), (0.5, 60), (1.0, 64)]
    assert note_f1(score, score) == 1.0
    assert note_f1(score, [(0.04, 60), (0.54, 60), (1.04, 64)]) == 1.0
    assert note_f1(score, [(0.06, 60), (0.56, 60), (1.06, 64)]) == 0.0
    assert note_f1(score, [(0.01, 60), (0.02, 60)]) == pytest.approx(2 / 5)
    assert note_f1([], []) == 0.0


def test_recordings_are_resampled_and_kept_in_their_split(tmp_path: Path) -> None:
    captions = [Caption(name, (), "", split_of(name)) for name in ("one", "two", "missing")]
    (tmp_path / "audio").mkdir()
    for name, rate in (("one", 44_100), ("two", 16_000)):
        time = np.arange(2 * rate) / rate
        soundfile.write(tmp_path / "audio" / f"{name}.wav", 0.3 * np.sin(2 * np.pi * 440 * time), rate)
    made = sorted(
        import_recordings(captions, tmp_path / "audio", tmp_path / "out", AUDIO, HERE), key=lambda path: path.name
    )
    assert [path.parent.name for path in made] == [split_of("one"), split_of("two")]
    mels = [read_realisation(path).mel.astype(np.float32) for path in made]
    assert all(abs(mel.shape[1] - AUDIO.frames(2.0)) <= 1 for mel in mels)
    assert np.abs(mels[0][:, 40:100].mean(1) - mels[1][:, 40:100].mean(1))[5:20].max() < 0.3
    with pytest.raises(DataError, match="ytid"):
        list(import_recordings(captions, tmp_path, tmp_path / "none", AUDIO, HERE))


@pytest.mark.parametrize("content", ["", "ytid,caption\n1,2\n", "ytid,aspect_list,caption\na,not a list,b\n"])
def test_a_table_that_is_not_musiccaps_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "table.csv").write_text(content)
    if content:
        with pytest.raises(DataError, match="MusicCaps"):
            read_captions(tmp_path / "table.csv")
    with pytest.raises(DataError, match="MusicCaps"):
        read_captions(tmp_path / "missing.csv")


def cadence(times: int) -> bytes:
    """I IV V I in C major, a chord each half bar, as a MIDI file."""
    file, track = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack()
    file.tracks.append(track)
    for _ in range(times):
        for chord in ((60, 64, 67), (60, 65, 69), (59, 62, 67), (60, 64, 67)):
            for pitch in chord:
                track.append(mido.Message("note_on", note=pitch, velocity=70))
            for number, pitch in enumerate(chord):
                track.append(mido.Message("note_off", note=pitch, time=960 if number == 0 else 0))
    content = io.BytesIO()
    file.save(file=content)
    return content.getvalue()


def test_tables_hear_the_chords_of_a_cadence() -> None:
    counts = TableCounts()
    counts.add(read_midi(cadence(16)))
    chords = np.array(counts.tables("a cadence", "CC0-1.0")["chords"]["major"])  # type: ignore[index]
    assert [int(chords[degree].argmax()) for degree in (0, 3, 4)] == [3, 4, 0]
    np.testing.assert_allclose(chords.sum(1), 1.0, atol=1e-3)


@pytest.mark.parametrize("content", [b"", b"MThd", b"RIFF0000WAVE", cadence(1)[:40]])
def test_what_is_no_midi_file_is_refused(content: bytes) -> None:
    with pytest.raises((ValueError, OSError, EOFError)):
        read_midi(content)

"""Statistics of music: what they say of scale exercises, random walks, loops and tunes, and the command's table."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import mido
import numpy as np
import pytest

from tests.fixtures.places import CLIP_BUNDLE
from tests.fixtures.programs import spoken
from tests.fixtures.terminals import WIDTHS, assert_whole, on_terminal
from training.commands.composer import CORPORA, markdown
from training.data.scores.midi import read_midi
from training.evaluation.composer.music_statistics import (
    BARS,
    HISTOGRAMS,
    SCALARS,
    Excerpt,
    chord_changes,
    compare,
    duration_histogram,
    excerpt_of_midi,
    interval_histogram,
    melodic_rest,
    scale_runs,
    self_similarity,
    turning,
)

MAJOR = (0, 2, 4, 5, 7, 9, 11)
QUARTERS = BARS * 4


def excerpt(pitches: list[int], *, length: float = 1.0) -> Excerpt:
    """A melody of quarter notes alone, in bars of four."""
    rows = np.array([(place, place + length, pitch, 80.0) for place, pitch in enumerate(pitches)], np.float64)
    return Excerpt(rows, rows, 4.0)


def scale() -> Excerpt:
    """Up and down two octaves for ever."""
    up = [60 + 12 * octave + step for octave in (0, 1) for step in MAJOR]
    return excerpt([(up + up[::-1])[place % 28] for place in range(QUARTERS)])


def walk(seed: int) -> Excerpt:
    """Steps drawn evenly, one without regard to the other."""
    steps = np.random.default_rng(seed).choice([-2, -1, 1, 2], QUARTERS)
    return excerpt((72 + np.clip(np.cumsum(steps), -20, 20)).tolist())


def tune(seed: int) -> Excerpt:
    """Leaps that are filled by turning back, over chords that change with each bar."""
    random = np.random.default_rng(seed)
    pitches: list[int] = []
    while len(pitches) < QUARTERS:
        root = int(random.choice([60, 65, 67, 69]))
        pitches += [root, root + 7, root + 4, root + 5] if random.random() < 0.5 else [root + 4, root, root + 7, root]
    return excerpt(pitches[:QUARTERS], length=0.8)


def midi(piece: Excerpt) -> bytes:
    """The piece as a file, behind eight empty bars."""
    file, track = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack()
    file.tracks.append(track)
    now = 0
    for start, end, pitch, velocity in piece.melody:
        first, last = round((start + 32) * 480), round((end + 32) * 480)
        track.append(mido.Message("note_on", note=int(pitch), velocity=int(velocity), time=first - now))
        track.append(mido.Message("note_off", note=int(pitch), time=last - first))
        now = last
    stream = io.BytesIO()
    file.save(file=stream)
    return stream.getvalue()


def test_a_scale_exercise_and_a_random_walk_are_told_from_a_tune() -> None:
    assert scale_runs(scale()) > 90
    assert scale_runs(tune(0)) < 10
    assert abs(np.mean([turning(walk(seed)) for seed in range(10)])) < 0.1
    assert turning(tune(0)) < -0.2


def test_a_loop_is_like_itself_and_a_walk_is_not() -> None:
    phrase = list(walk(3).melody[:32, 2].astype(int))
    assert self_similarity(excerpt(phrase * 4)) > 0.99
    assert self_similarity(walk(4)) < 0.4


def test_a_rest_parts_a_run() -> None:
    rows = [
        (place, place + 1, pitch, 80) for place, pitch in zip((0, 1, 2, 4, 5, 6), (60, 62, 64, 65, 67, 69), strict=True)
    ]
    notes = np.array(rows, np.float64)
    piece = Excerpt(notes, notes, 4.0)
    assert [steps.tolist() for steps in piece.steps] == [[2, 2], [2, 2]]
    assert scale_runs(piece) == 0


def test_rests_and_chords_are_measured() -> None:
    assert melodic_rest(excerpt([60] * QUARTERS)) == pytest.approx(0, abs=1e-9)
    assert melodic_rest(excerpt([60] * QUARTERS, length=0.25)) == pytest.approx(75)
    held = [place // 8 % 2 for place in range(QUARTERS)]
    rows = [(place, place + 1, 60 + tone + 7 * held[place], 80) for place in range(QUARTERS) for tone in (0, 4, 7)]
    notes = np.array(rows, np.float64)
    slow = chord_changes(Excerpt(notes, notes, 4.0))
    assert 20 < slow < 30, "one change in four half bars"


@pytest.mark.parametrize("piece", [scale(), walk(0), tune(1), excerpt([60] * QUARTERS)])
def test_histograms_are_shares_and_numbers_are_finite(piece: Excerpt) -> None:
    for histogram in HISTOGRAMS.values():
        shares = histogram(piece)
        assert shares.min() >= 0
        assert shares.sum() == pytest.approx(1)
    assert all(np.isfinite(scalar(piece)) for scalar in SCALARS.values())
    assert interval_histogram(excerpt([60] * QUARTERS))[12] == 1
    assert duration_histogram(excerpt([60] * QUARTERS))[5] == 1


def test_what_is_like_a_corpus_lies_within_its_spread_and_what_is_not_does_not() -> None:
    corpus = [tune(seed) for seed in range(40)]
    same = {row.name: row for row in compare([tune(seed) for seed in range(100, 120)], corpus)}
    other = {row.name: row for row in compare([scale()] * 3, corpus)}
    assert all(row.inside and row.within > 0.7 for row in same.values())
    assert not other["in scale runs, % of the intervals"].inside
    assert not other["melodic intervals, distance from the mean"].inside
    table = markdown(list(other.values()), 3, 40)
    assert "| **in scale runs, % of the intervals** |" in table
    with pytest.raises(ValueError, match="nothing to compare"):
        compare([], corpus)


def test_a_file_gives_its_bars_and_a_short_one_none() -> None:
    whole = excerpt_of_midi(read_midi(midi(tune(5))))
    assert whole is not None
    np.testing.assert_allclose(whole.melody[:, :3], tune(5).melody[:, :3], atol=2e-3)
    assert excerpt_of_midi(read_midi(midi(tune(5))), skip=20) is None


def test_the_command_writes_its_table_and_refuses_scores_that_are_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = tmp_path / "data" / "scores"
    scores.mkdir(parents=True)
    for number, name in enumerate(CORPORA):
        with zipfile.ZipFile(scores / f"{name}.zip", "w") as archive:
            for seed in range(3):
                archive.writestr(f"{seed}.mid", midi(tune(10 * number + seed)))
    out = tmp_path / "composer.md"
    arguments = ("evaluate", "composer", "--shared", tmp_path, "--pieces", 4)
    assert spoken(capsys, *arguments, "-o", out)[0] == 0
    lines = out.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("4 pieces composed, 6 scores")
    assert len(lines) == 4 + len(HISTOGRAMS) + len(SCALARS)
    plain = "\n".join(line.replace("|", "") for line in lines if not line.startswith("| --- "))
    for columns in WIDTHS:
        assert_whole(on_terminal(columns, *arguments), plain, columns)
    for damage in ((scores / "quartets.zip").read_bytes()[:50], None):
        (scores / "quartets.zip").unlink()
        if damage:
            (scores / "quartets.zip").write_bytes(damage)
        status, message = spoken(capsys, *arguments)
        assert status == 2
        assert "quartets.zip cannot be read" in message
    clips = CLIP_BUNDLE
    status, message = spoken(capsys, "evaluate", "composer", clips, "--shared", tmp_path)
    assert status == 2
    assert "composes nothing" in message

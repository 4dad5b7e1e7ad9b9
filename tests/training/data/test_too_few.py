"""Too few captions or utterances: the sentence names the true cause and the number that does."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from a2m_edge.errors import DataError, OptionError
from tests.fixtures.programs import spoken
from tests.fixtures.training.official_tables import words, write_official
from training.data.pairs.articaps import Options, Sources, build_articaps
from training.data.tables.captions import Caption, choose_captions, read_captions
from training.data.tables.feelings import SPLITS


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return write_official(tmp_path)


@pytest.mark.parametrize("seed", range(5))
def test_the_fewest_captions_that_do_are_named(sources: Sources, seed: int) -> None:
    every = read_captions(sources.musiccaps)
    for count in range(1, len(every) + 1):
        try:
            chosen = choose_captions(every, count, seed)
        except OptionError as error:
            found = re.search(
                r"--captions (\d+) is too few: .*(train|val|test) would have none; give (\d+)", str(error)
            )
            assert found is not None and int(found[1]) == count < int(found[3])
            fewest = int(found[3])
            continue
        assert len(chosen) == count and {one.split for one in chosen} == set(SPLITS)
        break
    assert count == fewest
    assert len(choose_captions(every, None, seed)) == len(choose_captions(every, 10**9, seed)) == len(every)


@pytest.mark.parametrize("captions", ["1", "2", "6"])
def test_the_command_says_that_the_number_is_too_small(captions: str, tmp_path: Path, capsys) -> None:
    (tmp_path / "data").mkdir()
    write_official(tmp_path / "data")
    out = tmp_path / "out"
    status, said = spoken(capsys, "data", "build", "-o", out, "--shared", tmp_path, "--captions", captions)
    assert status == 2
    assert f"--captions {captions} is too few" in said
    assert not out.exists()


@pytest.mark.parametrize("split", SPLITS)
def test_a_table_of_captions_without_a_split_is_cut_short(sources: Sources, split: str) -> None:
    every = [one for one in read_captions(sources.musiccaps) if one.split != split]
    for count in (None, 6):
        with pytest.raises(DataError, match=f"no clip of the MusicCaps table is of the split {split}"):
            choose_captions(every, count, 0)


def test_captions_whose_words_are_missing_leave_a_split_without_any(sources: Sources, tmp_path: Path) -> None:
    captions = [
        one if one.split != "val" else Caption(one.clip, one.aspects, "…", one.split)
        for one in read_captions(sources.musiccaps)
    ]
    with pytest.raises(DataError, match="no caption with words is of the split val"):
        build_articaps(sources, captions, tmp_path / "out", words)


def with_splits(sources: Sources, *splits: str) -> None:
    """The table with a column of splits, as a mirror has it."""
    with sources.artemis.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("art_style", "painting", "emotion", "utterance", "split", "image_file"))
        for number in range(12):
            split = splits[number % len(splits)]
            writer.writerow(("Baroque", f"a_{number}", "awe", f"A dark sea {number}.", split, ""))


def test_utterances_without_a_split_are_told_from_captions(sources: Sources, tmp_path: Path) -> None:
    with_splits(sources, "train", "test")
    with pytest.raises(DataError, match=r"holds no usable utterance of the split val \(no row is\): every split needs"):
        build_articaps(sources, read_captions(sources.musiccaps), tmp_path / "out", words)


@pytest.mark.parametrize("splits", [("train",), SPLITS])
def test_where_no_painting_has_a_picture_the_option_is_named(
    sources: Sources, splits: tuple[str, ...], tmp_path: Path
) -> None:
    with_splits(sources, *splits)
    said = r"the painting has no picture: 12\): leave --pictured-only out, or name the pictures with --wikiart"
    with pytest.raises(DataError, match=said):
        build_articaps(
            sources, read_captions(sources.musiccaps), tmp_path / "out", words, options=Options(pictured_only=True)
        )


def test_an_excerpt_longer_than_every_score_and_a_cosine_that_no_pair_has(sources: Sources, tmp_path: Path) -> None:
    from training.data.recordings.arrangement_recipes import ScoreRow, recipes

    rows = {"lieder": [ScoreRow("lieder", "1", "1.mid", 100.0, 90.0, 0.1)]}
    with pytest.raises(DataError, match="no score of lieder lasts 857 s: ask for fewer --seconds"):
        next(recipes(rows, 600.0, 0))
    with pytest.raises(
        DataError, match="no utterance of the split train found a caption: choose a lower --least-similarity"
    ):
        build_articaps(
            sources, read_captions(sources.musiccaps), tmp_path / "out", words, options=Options(least_similarity=1.0)
        )

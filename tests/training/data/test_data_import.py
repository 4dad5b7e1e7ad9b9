"""Official files come in by ``a2m-edge data import``, and the other commands' readers find them in their own form."""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

pytest.importorskip("torch", reason="the training extra is not installed")

from a2m_edge import cli
from a2m_edge.errors import DataError
from a2m_edge.impression.feeling import EMOTIONS
from a2m_edge.ledger import LEDGER
from tests.fixtures.training.encoders import TINY_SQUARE
from training.data.embeddings.encoder_data import EncoderData
from training.data.embeddings.feeling_set import FeelingTable
from training.data.pairs.articaps import Sources
from training.data.tables import picture_packing
from training.data.tables.captions import read_captions
from training.data.tables.feelings import SPLITS, PictureArchive, Utterance, read_paintings, read_utterances
from training.data.tables.importing import Official, import_official
from training.data.tables.official import UtteranceTable, painting_identity
from training.data.tables.picture_packing import scaled_jpeg
from training.data.tables.wikiart import PictureFolder
from training.jobs import JobRunner

GARBLED, PROPER = "eugã¨ne-grasset_joan-1894", "eugène-grasset_joan-1894"
PAINTINGS = 20
HEADER = "art_style,painting,emotion,utterance,repetition"


def picture(size: tuple[int, int] = (90, 60), colour: tuple[int, int, int] = (200, 30, 30), **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, "JPEG", **options)
    return stream.getvalue()


def write_official(folder: Path, paintings: int = PAINTINGS) -> Official:
    """Official files: a garbled name, a missing picture, two damaged ones, bad rows, and a picture without words."""
    wikiart = folder / "wikiart"
    rows = []
    for number in range(paintings):
        style, painting = f"Style_{number % 2}", f"artist-{number % 7}_work-{number}-{1800 + number}"
        (wikiart / style).mkdir(parents=True, exist_ok=True)
        (wikiart / style / f"{painting}.jpg").write_bytes(picture((150 + number, 100), (5 * number, 30, 30)))
        rows += [(style, painting, EMOTIONS[(number + turn) % 9], f'Words "{number}",\nin {turn}.') for turn in (0, 1)]
    first = wikiart / "Style_0"
    (first / f"{PROPER}.jpg").write_bytes(picture())
    (first / "nobody_wrote-of-this.jpg").write_bytes(picture((40, 50)))
    (first / "artist-0_cut-off.jpg").write_bytes(picture((400, 400), quality=95)[:900])
    (first / "artist-0_no-picture.jpg").write_bytes(b"<html>not found</html>")
    (first / "artist-0_work-0-1950.jpg").write_bytes(picture())  # the same work, another year, and no utterance
    rows += [("Style_0", name, "awe", "A word.") for name in (GARBLED, "artist-0_cut-off", "x_not-there")]
    rows += [("Style_0", "x_bad", "joy", "Nice."), ("Style_0", "x_bad", "awe", " ")]
    with (folder / "official.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER.split(","), *((*row, "5") for row in rows)])
    return Official(folder / "official.csv", wikiart)


def write_shared(folder: Path) -> Path:
    """What else the trainers read: one row of each."""
    data = folder / "shared" / "data"
    data.mkdir(parents=True)
    norms = "file,theme,category,source,valence_mean,valence_sd,arousal_mean,arousal_sd,width,height"
    (data / "oasis.csv").write_text(f"{norms}\np.jpg,Dog 1,Animal,x,5.5,1,3.1,1,48,40\n", encoding="utf-8")
    with zipfile.ZipFile(data / "oasis.zip", "w") as archive:
        archive.writestr("p.jpg", picture((48, 40)))
    (data / "goemotions.tsv").write_text("split\ttext\tlabels\tlabel_ids\tid\ntrain\ta\tjoy\t1\tx\n", encoding="utf-8")
    (data / "lexicon_warriner.csv").write_text("word,valence,arousal,dominance\nwords,3,6.5,3\n", encoding="utf-8")
    (data / "musiccaps.csv").write_text("ytid,aspect_list,caption\nold,['calm'],Old.\n", encoding="utf-8")
    weights = folder / "shared" / "weights" / "some"
    weights.mkdir(parents=True)
    (weights / "tower.bin").write_bytes(b"numbers")
    return folder / "shared"


def command(official: Official, out: Path, *more: object) -> list[str]:
    return ["data", "import", *map(str, ("--artemis", official.artemis, "--wikiart", official.wikiart)),
            *map(str, ("--workers", 1, "-o", out, *more))]  # fmt: skip


def ended(arguments: list[str]) -> int:
    """The status of a command."""
    with pytest.raises(SystemExit) as ending:
        cli.main(arguments)
    return int(ending.value.code or 0)


def content(folder: Path) -> dict[str, bytes]:
    found = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    found.pop(LEDGER, None)  # in the order in which things came to be
    return found


class Here:
    """Does jobs in this process, and stops at the one that is asked for."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.done = 0
        self._stop_after = stop_after

    def run(self, jobs: Iterable[Any], work: Any, stopping: Callable[[], bool] = lambda: False) -> Iterator[Any]:
        for job in jobs:
            if self.done == self._stop_after:
                raise KeyboardInterrupt
            self.done += 1
            yield work.do(job)


def test_imported_files_are_read_like_our_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    official, shared, out = write_official(tmp_path), write_shared(tmp_path), tmp_path / "imported"
    (tmp_path / "new.csv").write_text("ytid,aspect_list,caption\nnew,['sad'],New.\n", encoding="utf-8")
    arguments = command(official, out, "--shared", shared, "--musiccaps", tmp_path / "new.csv", "--side", 64)
    assert ended(arguments) == 0
    told = capsys.readouterr().out
    data = out / "data"

    read = EncoderData.read(data, TINY_SQUARE)
    assert len(read.utterances) == 2 * PAINTINGS + 3 and len(read.paintings) == PAINTINGS + 3
    assert len(read.texts) == len(read.photographs) == 1
    direct = {(one.painting, one.text): one for one in UtteranceTable(official.artemis) if isinstance(one, Utterance)}
    for one in read.utterances:
        before = direct[one.painting, one.text]
        assert (one.emotion, one.split) == (before.emotion, before.split)
    pictured = {one.painting: one.picture for one in read.utterances}
    assert pictured[f"Style_0/{GARBLED}"] == f"Style_0/{PROPER}.jpg"
    assert pictured["Style_0/artist-0_cut-off"] == pictured["Style_0/x_not-there"] == ""
    assert sum(not file for file in pictured.values()) == 2
    by_file = {painting.file: painting for painting in read.paintings}
    assert by_file["Style_1/artist-1_work-1-1801.jpg"].caption == "a painting: work 1, by artist 1, Style 1"
    assert by_file["Style_1/artist-1_work-1-1801.jpg"].box == (0, 0, 97, 64), "151 x 100 with a shorter side of 64"
    assert by_file["Style_0/nobody_wrote-of-this.jpg"].box == (0, 0, 40, 50), "a smaller picture keeps its size"
    square = read.painting_archive.square(by_file["Style_1/artist-1_work-1-1801.jpg"])
    assert np.abs(square.astype(int) - (5, 30, 30)).max() <= 6  # JPEG of one colour; 1 was measured

    count = 0
    for split in SPLITS:
        table = FeelingTable.read(data, split)
        count += len(table.words)
        assert {painting.split for painting in table.paintings} <= {split}
    assert count == len(read.utterances)
    assert [caption.clip for caption in read_captions(Sources.of(data).musiccaps)] == ["new"]
    assert (out / "weights" / "some" / "tower.bin").read_bytes() == b"numbers"
    assert not (data / "parts").exists()

    for sentence in (
        "43 utterances about 23 paintings; 23 pictures (",
        "2 paintings have no picture",
        "2 rows of",
        "unknown emotion: 1",
        "no words: 1",
        "2 pictures of",
        "there is no " + str(shared / "data" / "scores"),
        "must not be evaluated on these paintings",
    ):
        assert sentence in told
    unreadable = json.loads((data / "import.json").read_text())["facts"]["unreadable"]
    assert set(unreadable) == {"Style_0/artist-0_cut-off.jpg", "Style_0/artist-0_no-picture.jpg"}
    assert "it is not a JPEG" in unreadable["Style_0/artist-0_no-picture.jpg"]

    before_again = content(out)
    (shared / "data" / "scores").mkdir()
    (shared / "data" / "scores" / "vgmidi.csv").write_text("file\n")
    assert ended(arguments) == 0
    assert content(out) == before_again | {"data/scores/vgmidi.csv": b"file\n"}
    assert "scores" not in capsys.readouterr().out, "what came meanwhile is no longer missed"


def test_no_work_is_in_two_splits_whatever_its_year_its_folder_and_its_spelling(tmp_path: Path) -> None:
    official, out = write_official(tmp_path), tmp_path / "out"
    second = official.wikiart / "Style_1"
    (second / f"{PROPER.removesuffix('-1894')}.jpg").write_bytes(picture())
    for number in range(PAINTINGS):
        (second / f"artist-{number % 7}_work-{number}.jpg").write_bytes(picture())
    import_official(official, tmp_path / "none", out, 64, JobRunner(Here()))
    utterances, paintings = read_utterances(out / "data"), read_paintings(out / "data")
    homes: dict[str, set[str]] = {}
    for painting in paintings:
        homes.setdefault(painting_identity(painting.file.removesuffix(".jpg")), set()).add(painting.split)
    assert all(len(splits) == 1 for splits in homes.values())
    split = {painting.file: painting.split for painting in paintings}
    assert all(split[one.picture] == one.split for one in utterances if one.picture)
    assert set(split.values()) == set(SPLITS)
    assert split[f"Style_1/{PROPER.removesuffix('-1894')}.jpg"] == split[f"Style_0/{PROPER}.jpg"]


def test_a_table_with_splits_keeps_them_and_a_work_in_two_is_refused(tmp_path: Path) -> None:
    official, shared = write_official(tmp_path), write_shared(tmp_path)
    header = "art_style,painting,emotion,utterance,source,image_file,split\n"
    rows = [f"Style_{n % 2},artist-{n % 7}_work-{n}-{1800 + n},awe,Dark.,me,p.jpg,test\n" for n in range(6)]
    official.artemis.write_text(header + "".join(rows))
    import_official(official, shared, tmp_path / "out", 64, JobRunner(Here()))
    assert {one.split for one in read_utterances(tmp_path / "out" / "data")} == {"test"}
    split = {painting.file: painting.split for painting in read_paintings(tmp_path / "out" / "data")}
    assert split["Style_0/artist-0_work-0-1950.jpg"] == split["Style_0/artist-0_work-0-1800.jpg"] == "test"
    official.artemis.write_text(header + "".join(rows) + "Style_1,artist-0_work-0,awe,Dark.,me,p.jpg,train\n")
    with pytest.raises(DataError, match="artist-0_work-0 in two splits, test and train"):
        import_official(official, shared, tmp_path / "other", 64, JobRunner(Here()))


def test_a_stopped_import_goes_on_and_gives_the_same_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_packing, "BLOCK", 6)
    official, shared, out = write_official(tmp_path), write_shared(tmp_path), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        import_official(official, shared, out, 64, JobRunner(Here(stop_after=3)))
    assert len(list((out / "data" / "parts").iterdir())) == 3
    assert not (out / "data" / "artemis.csv").exists() and not (out / "data" / "paintings.zip").exists()
    rest = Here()
    facts, _ = import_official(official, shared, out, 64, JobRunner(rest))
    assert rest.done == 2, "of 25 pictures in blocks of 6, 18 were kept"
    assert import_official(official, shared, tmp_path / "whole", 64, JobRunner(Here()))[0] == facts
    assert content(out) == content(tmp_path / "whole")
    (out / "data" / "paintings.zip").unlink()
    import_official(official, shared, out, 64, JobRunner(Here()))
    assert content(out) == content(tmp_path / "whole"), "a result that was deleted is made again"


def no_table(official: Official, out: Path) -> list[object]:
    official.artemis.unlink()
    return []


def other_table(official: Official, out: Path) -> list[object]:
    official.artemis.write_text("painting,utterance\nx,y\n")
    return []


def unusable_table(official: Official, out: Path) -> list[object]:
    official.artemis.write_text(f"{HEADER}\nStyle_0,x,joy,Nice.,1\n")
    return []


def pictures_are_a_file(official: Official, out: Path) -> list[object]:
    return ["--wikiart", official.artemis]


def pictures_of_others(official: Official, out: Path) -> list[object]:
    official.artemis.write_text(f"{HEADER}\nNaive,x_y,awe,Nice.,1\n")
    return []


def no_captions(official: Official, out: Path) -> list[object]:
    return ["--musiccaps", official.artemis]


def something_else_is_there(official: Official, out: Path) -> list[object]:
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    return []


def out_is_a_file(official: Official, out: Path) -> list[object]:
    out.write_text("mine")
    return []


def made_with_another_side(official: Official, out: Path) -> list[object]:
    import_official(official, out.parent / "none", out, 80, JobRunner(Here()))
    return []


def record_is_damaged(official: Official, out: Path) -> list[object]:
    made_with_another_side(official, out)
    (out / "data" / "import.json").write_text("[")
    return []


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (no_table, "official.csv cannot be read: "),
        (other_table, "is not ArtEmis: it has no column art_style, emotion"),
        (unusable_table, "holds no usable utterance (unknown emotion: 1): fetch ArtEmis again"),
        (pictures_are_a_file, "official.csv is no folder: name the one that holds <art_style>/<painting>.jpg"),
        (pictures_of_others, "holds a picture of no painting in"),
        (no_captions, "is not the MusicCaps table"),
        (something_else_is_there, "holds something else (thesis.txt): choose an empty folder"),
        (out_is_a_file, "Not a directory; choose another folder"),
        (made_with_another_side, "was imported otherwise (side): choose another folder, or delete"),
        (record_is_damaged, "import.json is damaged"),
    ],
)
def test_what_cannot_be_imported_is_refused_in_a_sentence_and_nothing_is_written(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Official, Path], list[object]],
    sentence: str,
) -> None:
    official, out = write_official(tmp_path, 2), tmp_path / "out"
    more = spoil(official, out)
    before = content(out) if out.is_dir() else {}
    assert ended(command(official, out, "--side", 64, *more)) == 2
    told = capsys.readouterr().err.strip()
    assert sentence in told and told.startswith("a2m-edge: ") and "\n" not in told
    assert (content(out) if out.is_dir() else {}) | {".lock": b""} == before | {".lock": b""}


def test_a_disk_that_fails_ends_the_import_and_costs_no_picture(tmp_path: Path) -> None:
    official, out = write_official(tmp_path, 2), tmp_path / "out"
    gone = official.wikiart / "Style_0" / "nobody_wrote-of-this.jpg"
    gone.unlink()
    gone.mkdir()  # its name is there, and its content cannot be read
    with pytest.raises(DataError, match=r"nobody_wrote-of-this.jpg cannot be read"):
        import_official(official, tmp_path / "none", out, 64, JobRunner(Here()))
    assert not list((out / "data" / "parts").iterdir())


def test_missing_companions_are_named_with_the_commands_that_need_them(tmp_path: Path) -> None:
    official, out = write_official(tmp_path, 2), tmp_path / "out"
    _, missing = import_official(official, tmp_path / "none", out, 64, JobRunner(Here()))
    assert len(missing) == 7 and all("\n" not in sentence for sentence in missing)
    (goemotions,) = (sentence for sentence in missing if "goemotions" in sentence)
    assert "train encoder" in goemotions and str(out / "data" / "goemotions.tsv") in goemotions


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 700), st.integers(1, 700), st.integers(64, 300))
def test_the_shorter_side_is_what_was_asked_for_or_the_pictures_own(width: int, height: int, side: int) -> None:
    jpeg, size = scaled_jpeg(picture((width, height)), "sea.jpg", side)
    assert min(size) == min(side, width, height)
    assert abs(max(size) - max(width, height) * min(size) / min(width, height)) <= 0.5, "the shape is kept"
    with Image.open(io.BytesIO(jpeg)) as read:
        assert (read.format, read.mode, read.size) == ("JPEG", "RGB", size)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "I;16", "1"])
def test_pictures_of_any_mode_become_rgb_and_stand_upright(mode: str) -> None:
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter
    image = Image.new("RGB", (90, 60), (255, 255, 255)).convert(mode) if mode != "I;16" else Image.new(mode, (90, 60))
    image.save(stream, "JPEG" if mode == "CMYK" else "PNG", exif=exif)
    jpeg, size = scaled_jpeg(stream.getvalue(), "sea", 64)
    assert size == (60, 90)
    with Image.open(io.BytesIO(jpeg)) as read:
        assert read.mode == "RGB" and not read.getexif()


def test_names_that_are_no_utf8_reach_the_archive(tmp_path: Path) -> None:
    official, out = write_official(tmp_path, 2), tmp_path / "out"
    place = os.fsencode(official.wikiart / "Style_1") + b"/jos\xe9_latin.jpg"
    with open(place, "wb") as file:  # noqa: PTH123 - the name is no text
        file.write(picture())
    import_official(official, tmp_path / "none", out, 64, JobRunner(Here()))
    (found,) = (one for one in read_paintings(out / "data") if "latin" in one.file)
    assert found.file == "Style_1/josé_latin.jpg"
    assert PictureArchive(out / "data" / "paintings.zip", 16).square(found).shape == (16, 16, 3)
    assert len(PictureFolder(official.wikiart)) == 2 + 6

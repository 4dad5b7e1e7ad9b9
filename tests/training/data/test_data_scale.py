"""ArtiCaps from the official files: hostile tables, fair pairs, disjoint splits, options that are kept to, one card."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from a2m_edge.errors import DataError, OutputError
from a2m_edge.impression.feeling import EMOTIONS
from tests.fixtures.training.official_tables import HEADER, words, write_official
from training.data.pairs.articaps import COLUMNS, Options, Sources, build_articaps
from training.data.pairs.matching import Candidates, assign
from training.data.tables import utterance_rows
from training.data.tables.captions import Caption, read_captions, split_of
from training.data.tables.feelings import Picture, PictureArchive, Utterance
from training.data.tables.official import Unusable, UtteranceTable, painting_identity
from training.data.tables.wikiart import PictureFolder

GOOD = "Baroque,rembrandt_night-1642,awe,A great dark crowd.,5\n"


def directions(texts: Callable[[], Iterator[tuple[str, ...]]], blocks: int) -> Iterator[NDArray[np.float32]]:
    """A direction for each text: no two pairs are equally good."""
    for block in texts():
        drawn = np.stack([np.random.default_rng(zlib.crc32(text.encode())).standard_normal(32) for text in block])
        yield np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def read_pairs(out: Path) -> list[dict[str, str]]:
    with (out / "articaps.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def assert_disjoint(pairs: list[dict[str, str]]) -> None:
    """No painting (artist and title, whatever the style and the year) and no clip is in two splits."""
    assert {pair["split"] for pair in pairs} == {"train", "val", "test"}
    for name, side in (
        ("painting", lambda pair: painting_identity(pair["painting"])),
        ("clip", lambda pair: pair["clip"]),
    ):
        homes: dict[str, set[str]] = {}
        for pair in pairs:
            homes.setdefault(side(pair), set()).add(pair["split"])
        assert all(len(splits) == 1 for splits in homes.values()), f"a {name} is in two splits"


# --- the official table ----------------------------------------------------------------------------------------


def table(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "artemis.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_quotes_newlines_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    content = "\ufeff" + HEADER + 'Pop_Art,a_b-1960,fear,"He said ""no"",\nand left.",1\r\n\n' + GOOD
    one, other = UtteranceTable(table(tmp_path, content))
    assert isinstance(one, Utterance) and isinstance(other, Utterance)
    assert one.text == 'He said "no",\nand left.' and one.painting == "Pop_Art/a_b-1960"
    assert EMOTIONS[one.emotion] == "fear" and one.picture == ""
    assert other.split == split_of("rembrandt_night")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("Baroque,x_y,joy,Nice.,1", "unknown emotion"),
        ("Baroque,x_y,Awe,Nice.,1", "unknown emotion"),
        ("Baroque,x_y,awe,,1", "no words"),
        ("Baroque,x_y,awe,  ... ,1", "no words"),
        (",x_y,awe,Nice.,1", "no style or no painting"),
        ("Baroque,x_y,awe", "more or fewer columns than the header"),
        ("Baroque,x_y,awe,Nice, and blue,1", "more or fewer columns than the header"),
        (f"Baroque,x_y,awe,{'long ' * 500},1", "more than 2,000 characters"),
    ],
)
def test_a_malformed_row_is_dropped_with_its_reason_and_the_others_stay(tmp_path: Path, row: str, reason: str) -> None:
    found = list(UtteranceTable(table(tmp_path, f"{HEADER}{row}\n{GOOD}")))
    assert found[0] == Unusable(reason) and isinstance(found[1], Utterance) and len(found) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"art_style,painting,utterance\n", "no column emotion"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "artemis.csv"),
        (HEADER.encode() + b"Baroque,x_y,awe,caf\xe9,1\n", "cannot be read"),
        (HEADER.encode() + b'Baroque,x_y,awe,"' + b"never closed " * 20_000, "cannot be read"),
    ],
)
def test_a_file_that_is_no_artemis_is_refused_in_a_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(UtteranceTable(table(tmp_path, content)))


def test_a_folder_and_a_missing_file_are_no_tables(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.csv"):
        with pytest.raises(DataError, match="cannot be read"):
            UtteranceTable(path)


def test_a_mirror_keeps_its_splits_and_a_painting_in_two_of_them_is_refused(tmp_path: Path) -> None:
    sources = write_official(tmp_path)
    header = "art_style,painting,emotion,utterance,source,image_file,split\n"
    rows = [f"Baroque,x_y{number},awe,It is a {split} night.,me,p.jpg,{split}" for number, split in
            enumerate(("train", "val", "test", "dev"))]  # fmt: skip
    (tmp_path / "artemis.csv").write_text(header + "\n".join(rows))
    found = list(UtteranceTable(sources.artemis))
    assert [one.split for one in found if isinstance(one, Utterance)] == ["train", "val", "test"]
    assert found[-1] == Unusable("unknown split")
    rows[3] = "Cubism,x_y1-1900,awe,It is another night.,me,p.jpg,test"
    (tmp_path / "artemis.csv").write_text(header + "\n".join(rows))
    with pytest.raises(DataError, match="x_y1 in two splits, val and test"):
        build_articaps(sources, read_captions(sources.musiccaps), tmp_path / "out", words)


@pytest.mark.parametrize(
    ("painting", "identity"),
    [
        ("Baroque/rembrandt_night-watch-1642", "rembrandt_night-watch"),
        ("agnes-martin_untitled-1977-3", "agnes-martin_untitled"),
        ("van-gogh_chair-1882(1)", "van-gogh_chair"),
        ("gustave-dore_don-quixote-15", "gustave-dore_don-quixote-15"),
        ("fra-angelico_not_detected_244627", "fra-angelico_not_detected_244627"),
    ],
)
def test_a_painting_is_told_by_artist_and_title(painting: str, identity: str) -> None:
    assert painting_identity(painting) == identity


# --- WikiArt's folders -----------------------------------------------------------------------------------------


def jpeg(colour: tuple[int, int, int], size: tuple[int, int] = (90, 60)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, "JPEG")
    return stream.getvalue()


def test_pictures_are_found_however_their_names_were_written(tmp_path: Path) -> None:
    style = tmp_path / "Art_Nouveau"
    style.mkdir()
    garbled = "eugã¨ne-grasset_joan-1894"
    spellings: list[tuple[bytes, str]] = [
        (b"a.y.-jackson_maple-1914", "a.y.-jackson_maple-1914"),
        ("eugène-grasset_joan-1894".encode(), garbled),
        (b"andre\xcc\x81_nfd", "andré_nfd"),
        (b"jos\xe9_latin", "josé_latin"),
    ]
    for name, asked in spellings:
        place = os.fsencode(style) + b"/" + name + b".jpg"
        with open(place, "wb") as file:  # noqa: PTH123 - the name is no text
            file.write(jpeg((200, 30, 30)))
        folder = PictureFolder(tmp_path)
        found = folder.find("Art_Nouveau", asked)
        assert found and found.encode(), "the name can be written to a table"
        square = PictureArchive(tmp_path, 16).square(Picture(found, None, "", "train"))
        assert square.shape == (16, 16, 3) and abs(int(square[0, 0, 0]) - 200) < 6
        assert folder.file(f"Art_Nouveau/{asked}.jpg") == folder.file(found)
    assert len(PictureFolder(tmp_path)) == 4
    assert PictureFolder(tmp_path).find("Art_Nouveau", "../Art_Nouveau/jos") == ""


def test_a_picture_of_a_folder_has_a_checksum_that_changes_with_it(tmp_path: Path) -> None:
    (tmp_path / "Baroque").mkdir()
    file = tmp_path / "Baroque" / "rembrandt_night-watch-1642.jpg"
    file.write_bytes(jpeg((10, 20, 30)))
    (name,) = PictureFolder(tmp_path)
    picture = Picture(name, None, "", "train")
    archive = PictureArchive(tmp_path, 16)
    before = archive.checksum(picture)
    assert before == archive.checksum(picture)
    file.write_bytes(jpeg((10, 20, 30), (120, 60)))
    assert before != archive.checksum(picture)
    file.write_bytes(b"no picture")
    with pytest.raises(DataError, match="no readable Baroque/rembrandt"):
        archive.square(picture)
    for lost in (archive.square, archive.checksum):
        with pytest.raises(DataError, match="holds no Baroque/lost"):
            lost(Picture("Baroque/lost.jpg", None, "", "train"))


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="style folders"):
        len(PictureFolder(tmp_path))
    with pytest.raises(DataError, match="is no folder"):
        PictureFolder(tmp_path / "missing")


# --- who serves whom -------------------------------------------------------------------------------------------


def greedy(merit: NDArray[np.float32], most: int) -> NDArray[np.int64]:
    """All pairs best first, one by one: what ``assign`` must give where every caption is a candidate."""
    chosen = np.full(len(merit), -1, np.int64)
    served = np.zeros(merit.shape[1], np.int64)
    for flat in np.argsort(-merit, axis=None, kind="stable"):
        row, caption = divmod(int(flat), merit.shape[1])
        if chosen[row] < 0 and served[caption] < most:
            chosen[row], served[caption] = caption, served[caption] + 1
    return chosen


def served_by(merit: NDArray[np.float32], most: int) -> NDArray[np.int64]:
    order = np.argsort(-merit, axis=1, kind="stable")
    found = Candidates(order.astype(np.uint16), np.take_along_axis(merit, order, 1))
    place = assign(found, merit.shape[1], most)
    return np.where(place >= 0, np.take_along_axis(order, np.maximum(place, 0)[:, None], 1)[:, 0], -1)


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_pairs_are_made_best_first_whatever_order_utterances_come_in(
    rows: int, captions: int, most: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    merit = generator.random((rows, captions), np.float32)
    chosen = served_by(merit, most)
    np.testing.assert_array_equal(chosen, greedy(merit, most))
    assert (chosen >= 0).sum() == min(rows, captions * most)
    order = generator.permutation(rows)
    np.testing.assert_array_equal(served_by(merit[order], most), chosen[order])


def test_candidates_are_the_best_captions_and_feelings_count_when_texts_are_alike() -> None:
    generator = np.random.default_rng(0)
    texts, captions = (generator.standard_normal((rows, 8)).astype(np.float32) for rows in (1100, 50))
    texts, captions = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (texts, captions))
    feelings, meant = (generator.uniform(-1, 1, (rows, 2)).astype(np.float32) for rows in (1100, 50))
    found = Candidates.empty(1100, 50)
    found.fill(0, texts, feelings, captions, meant, least=0.0)
    similarity = texts @ captions.T
    merit = similarity - 0.25 * np.linalg.norm(feelings[:, None] - meant[None], axis=2)
    merit[similarity < 0] = -np.inf
    for row in (0, 511, 512, 1099):
        best = np.argsort(-merit[row])[:32]
        best = best[merit[row][best] > -np.inf]
        np.testing.assert_array_equal(found.captions[row, : len(best)], best)
        assert (found.merit[row, len(best) :] == -np.inf).all()
    alike = Candidates.empty(1, 2)
    ones, felt = np.ones((2, 1), np.float32), np.array([[0.9, 0.0], [0.0, 0.0]], np.float32)
    alike.fill(0, ones[:1], felt[1:], np.array([[0.55], [0.5]], np.float32), felt)
    assert alike.captions[0, 0] == 1, "the caption that feels alike goes before the one that reads a little more so"


# --- the whole build -------------------------------------------------------------------------------------------


def test_built_pairs_are_disjoint_by_painting_and_clip_and_every_utterance_is_accounted_for(tmp_path: Path) -> None:
    sources = write_official(tmp_path)
    with sources.artemis.open("a", encoding="utf-8") as file:
        file.write("Baroque,x_y,joy,Nice.,1\nBaroque,x_y\n")
    facts = build_articaps(sources, read_captions(sources.musiccaps), tmp_path / "out", words, options=Options(most=4))
    pairs = read_pairs(tmp_path / "out")
    assert_disjoint(pairs)
    assert tuple(pairs[0]) == COLUMNS and len(pairs) == facts["pairs"]
    served = [pair["clip"] for pair in pairs]
    assert max(served.count(clip) for clip in set(served)) <= 4
    assert facts["utterances"] == 302 == facts["pairs"] + facts["dropped"]
    assert sum(facts["dropped_by_reason"].values()) == facts["dropped"]
    assert facts["dropped_by_reason"]["unknown emotion"] == 1
    assert facts["dropped_by_reason"]["every caption it asked serves better matches"] > 0
    assert facts["most_to_leave_none_out"] > 4
    for split, numbers in facts["splits"].items():
        here = [pair for pair in pairs if pair["split"] == split]
        assert numbers["pairs"] == len(here) and numbers["clips"] == len({pair["clip"] for pair in here})
        assert numbers["paintings"] == len({painting_identity(pair["painting"]) for pair in here})
    assert sum(facts["similarity"]["bins_from_-1_to_1"]) == facts["pairs"]
    assert sum(facts["similarity"]["bins_of_random_pairs"]) == 300
    assert facts["similarity"]["mean"] == pytest.approx(
        np.mean([float(pair["similarity"]) for pair in pairs]), abs=1e-4
    )
    texts = {pair["utterance"] for pair in pairs}
    assert all('"' in text and "\n" in text for text in texts), "quotes and newlines are written as they were read"
    assert json.loads((tmp_path / "out" / "articaps.json").read_text()) == facts


def test_small_blocks_and_another_order_of_the_table_give_the_same_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = write_official(tmp_path)
    captions = read_captions(sources.musiccaps)
    build_articaps(sources, captions, tmp_path / "one", directions, options=Options(most=4))
    with sources.artemis.open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file))
    with sources.artemis.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *reversed(rows)])
    monkeypatch.setattr(utterance_rows, "BLOCK", 16)
    build_articaps(sources, captions, tmp_path / "other", directions, options=Options(most=4))
    one, other = (
        {(pair["painting"], pair["utterance"]): (pair["clip"], float(pair["similarity"])) for pair in read_pairs(out)}
        for out in (tmp_path / "one", tmp_path / "other")
    )
    assert one.keys() == other.keys() and all(one[key][0] == other[key][0] for key in one)
    assert max(abs(one[key][1] - other[key][1]) for key in one) <= 1.01e-4  # the last digit that is written


def test_pictures_of_a_folder_are_named_and_the_least_similarity_is_kept_to(tmp_path: Path) -> None:
    sources = write_official(tmp_path)
    for number in range(0, 300, 4):
        folder = tmp_path / "wikiart" / f"Style_{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"artist-{number % 7}_work-{number % 60}-{1800 + number % 3}.jpg").write_bytes(b"not looked into")
    facts = build_articaps(
        replace(sources, wikiart=tmp_path / "wikiart"),
        read_captions(sources.musiccaps),
        tmp_path / "out",
        words,
        options=Options(pictured_only=True, least_similarity=0.3),
    )
    pairs = read_pairs(tmp_path / "out")
    assert pairs and all((tmp_path / "wikiart" / pair["picture"]).is_file() for pair in pairs)
    assert min(float(pair["similarity"]) for pair in pairs) >= 0.3 - 5e-5  # four digits are written
    assert facts["dropped_by_reason"]["the painting has no picture"] > 100
    assert facts["dropped_by_reason"]["less similar than 0.3 to every caption"] > 0
    with pytest.raises(DataError, match="lower --least-similarity"):
        build_articaps(
            sources, read_captions(sources.musiccaps), tmp_path / "none", words, options=Options(least_similarity=1.0)
        )
    assert not (tmp_path / "none").exists(), "nothing is written where nothing is found"


def never(texts: object, blocks: int) -> Iterator[NDArray[np.float32]]:
    raise AssertionError("it is made already")


def test_the_same_options_keep_the_pairs_and_others_are_refused(tmp_path: Path) -> None:
    sources, out = write_official(tmp_path), tmp_path / "out"
    captions = read_captions(sources.musiccaps)
    made = build_articaps(sources, captions, out, words, encoder="one")
    before = hashlib.sha256((out / "articaps.csv").read_bytes()).digest()
    assert build_articaps(sources, captions, out, never, encoder="one") == made
    for named, changed in (
        ("most", lambda: build_articaps(sources, captions, out, never, encoder="one", options=Options(most=3))),
        ("sentence encoder", lambda: build_articaps(sources, captions, out, never, encoder="other")),
        ("captions, sha256 of clips", lambda: build_articaps(sources, captions[1:], out, never, encoder="one")),
    ):
        with pytest.raises(OutputError, match=rf"made otherwise \({named}\): choose another folder, or delete"):
            changed()
    with sources.artemis.open("a", encoding="utf-8") as file:
        file.write(GOOD)
    with pytest.raises(OutputError, match=r"\(artemis\)"):
        build_articaps(sources, captions, out, never, encoder="one")
    for damaged in (b"{}", b"[]", b"not json", b'{"pairs": 3}'):
        (out / "articaps.json").write_bytes(damaged)
        with pytest.raises(OutputError, match="does not say how it was made"):
            build_articaps(sources, captions, out, never, encoder="one")
    assert hashlib.sha256((out / "articaps.csv").read_bytes()).digest() == before


def test_a_build_that_ends_midway_leaves_no_pairs_and_a_table_that_changes_is_seen(tmp_path: Path) -> None:
    sources, out = write_official(tmp_path), tmp_path / "out"
    captions = read_captions(sources.musiccaps)

    def interrupted(texts: Callable[[], Iterator[tuple[str, ...]]], blocks: int) -> Iterator[NDArray[np.float32]]:
        yield next(words(texts, blocks))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_articaps(sources, captions, out, interrupted)
    assert not out.exists()
    build_articaps(sources, captions, tmp_path / "undisturbed", words)
    build_articaps(sources, captions, out, words)
    assert (out / "articaps.csv").read_bytes() == (tmp_path / "undisturbed" / "articaps.csv").read_bytes()

    def late(texts: Callable[[], Iterator[tuple[str, ...]]], blocks: int) -> Iterator[NDArray[np.float32]]:
        with sources.artemis.open("a", encoding="utf-8") as file:
            file.write(GOOD)
        return words(texts, blocks)

    with pytest.raises(DataError, match="changed while it was read"):
        build_articaps(sources, captions, tmp_path / "changed", late)
    assert not (tmp_path / "changed" / "articaps.csv").exists()


def test_captions_without_words_and_second_captions_of_a_clip_are_counted(tmp_path: Path) -> None:
    sources = write_official(tmp_path)
    captions = read_captions(sources.musiccaps)
    more = [Caption("mute", (), " ... ", split_of("mute")), replace(captions[0], text="Another music.")]
    facts = build_articaps(sources, [*captions, *more], tmp_path / "out", words)
    assert facts["captions_dropped_by_reason"] == {"no words": 1, "the clip has a caption already": 1}


@pytest.mark.slow
def test_the_shared_tables_give_pairs_of_disjoint_splits(shared: Path, tmp_path: Path) -> None:
    sources = Sources.of(shared / "data")
    captions = read_captions(sources.musiccaps)[::3]
    facts = build_articaps(sources, captions, tmp_path, words, options=Options(most=12, pictured_only=True))
    pairs = read_pairs(tmp_path)
    assert len(pairs) == facts["pairs"] > 5000
    assert_disjoint(pairs)
    assert max(map(int, facts["captions_by_utterances_served"])) <= 12
    feeling = facts["feeling"]
    assert feeling["pairs"]["valence_same_sign"] > feeling["random_pairs"]["valence_same_sign"] + 0.1
    assert facts["similarity"]["mean"] > facts["similarity"]["mean_of_random_pairs"]

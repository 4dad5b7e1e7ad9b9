"""Tables as the world writes them: what spreadsheets, data frames and other systems make of a table of works."""

from __future__ import annotations

import csv
import io
import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from a2m_edge.collection.index import Record, write_table
from a2m_edge.collection.items import Item
from a2m_edge.collection.sources import Defaults, Source, open_collection
from a2m_edge.collection.table_text import csv_rows, guarded, unguarded
from a2m_edge.errors import CollectionError
from tests.fixtures.collection.runs import paint

DEFAULTS = Defaults(12.0, 3)


def opened(tmp_path, content, name="works.csv") -> Source:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return open_collection(str(path), DEFAULTS)


def read(tmp_path, content, name="works.csv") -> list[Item]:
    return opened(tmp_path, content, name).items


def test_whole_numbers_with_a_point_are_whole_in_every_format(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [{"comment": "calm", "seed": 3.0, "id": 12.0}, {"comment": "wild", "seed": None, "id": None}]
    nan = float("nan")
    columns = {"comment": ["calm", "wild"], "seed": [3.0, nan], "id": [12.0, nan]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "works.parquet")
    for items in (
        read(tmp_path, "comment,seed,id\ncalm,3.0,12.0\nwild,,\n"),
        read(tmp_path, "comment;seed;id\ncalm;3,0;12\nwild;;\n"),
        read(tmp_path, "\n".join(json.dumps(row) for row in rows), "works.jsonl"),
        open_collection(str(tmp_path / "works.parquet"), DEFAULTS).items,
    ):
        assert [(item.id, item.seed, item.problem) for item in items] == [("12", 3, None), ("wild", 3, None)]


@pytest.mark.parametrize(
    ("seed", "bad"), [("1.5", True), ("1e3", False), ("-4.00", False), ("1e999", True), ("", False)]
)
def test_a_seed_is_a_whole_number(tmp_path, seed, bad):
    (item,) = read(tmp_path, f"comment,seed\ncalm,{seed}\n")
    assert (item.problem is not None) == bad


def test_a_large_seed_keeps_its_last_digit(tmp_path):
    (item,) = read(tmp_path, "comment,seed\ncalm,9007199254740993\n")
    assert item.seed == 9007199254740993


def test_blank_surplus_cells_say_nothing_and_others_are_named(tmp_path):
    items = read(tmp_path, "image,comment,,\n,calm,,,, \n,wild,,note,\n,still,,,,extra\n,,,,\n")
    assert [item.comment for item in items[:2]] == ["calm", "wild"]
    assert items[1].carried == {"column 3": "", "column 4": "note"}
    assert [item.problem for item in items] == [None, None, "line 4 has 6 cells for 4 columns"]


@pytest.mark.parametrize(
    ("bad", "line"),
    [
        ('sea.png,"the "big" sea"', 3),
        ('"sea.png ,calm', 3),
        ('sea.png,"never closed', 3),
        ('"a\nb" c,d', 3),
    ],
)
def test_one_bad_row_stays_one_bad_row_with_its_line(tmp_path, bad, line):
    items = read(tmp_path, f'comment,id\n"two\nlines",1\n{bad}\nwild,2\n"so, ""calm""",3\n')
    faults = [item.problem for item in items if item.problem]
    assert faults
    assert f"line {line + 1} of the table cannot be read" in faults[0]
    assert [item.comment for item in items if item.id in "123"] == ["two\nlines", "wild", 'so, "calm"']


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_the_sign_between_cells_is_found_outside_quotation_marks(tmp_path, sign):
    (item,) = read(tmp_path, f'"a,b;c,d;e,f\t|"{sign}comment{sign}id\nx{sign}calm{sign}7\n')
    assert (item.comment, item.id) == ("calm", "7")


@pytest.mark.parametrize("first", ["sep=;\r\n", "SEP=;\n", "\ufeffsep=;\n", ";;;\r\n\r\nsep;\n"])
def test_the_first_line_may_name_the_sign(tmp_path, first):
    text = first + 'comment;id\n"calm, still";7\n'
    if "sep;" in first:
        with pytest.raises(CollectionError, match="no column image"):
            read(tmp_path, text)
        return
    (item,) = read(tmp_path, text)
    assert (item.comment, item.id) == ("calm, still", "7")


@pytest.mark.parametrize(
    "written",
    [
        " sea.png ",
        "sea.png\u00a0",
        "\u202asea.png",
        ".\\sea.png",
        "deep\\..\\sea.png",
        "sea.png",
    ],
)
@pytest.mark.parametrize("name", ["works.csv", "works.jsonl"])
def test_a_path_is_read_as_other_systems_write_it(tmp_path, written, name):
    paint(tmp_path / "sea.png")
    (tmp_path / "deep").mkdir()
    text = json.dumps({" Image ": written}) if name == "works.jsonl" else f" Image ,comment\n{written},\n"
    (item,) = read(tmp_path, text, name)
    assert item.id == "sea"
    assert item.problem is None
    assert (tmp_path / (item.image or "")).resolve() == (tmp_path / "sea.png").resolve()


def test_accents_of_another_system_and_addresses_of_files_are_found(tmp_path):
    paint(tmp_path / "cafe\u0301.png")
    paint(tmp_path / "a b.png")
    paint(tmp_path / "odd\\name.png")
    address = (tmp_path / "a b.png").as_uri()
    items = read(tmp_path, f"image\ncaf\u00e9.png\n{address}\nodd\\name.png\n")
    assert [item.image for item in items] == [
        str(tmp_path / "cafe\u0301.png"),
        str(tmp_path / "a b.png"),
        str(tmp_path / "odd\\name.png"),
    ]


def test_a_path_of_another_computer_is_named_as_such(tmp_path):
    drive, share = read(tmp_path, "image\nC:\\Users\\eva\\sea.png\n\\\\server\\share\\storm.png\n")
    assert "C:\\Users" in (drive.problem or "").replace("\\\\", "\\")
    assert "path of another computer" in (share.problem or "")
    assert "write sea.png" in (drive.problem or "")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "windows-1252"])
@pytest.mark.parametrize("name", ["works.csv", "works.tsv", "works.jsonl"])
def test_accents_survive_every_encoding_that_spreadsheets_write(tmp_path, encoding, name):
    text = {
        "works.csv": "comment,artist\r\nmélancolie — “so”,Cézanne\r\n",
        "works.tsv": "comment\tartist\r\nmélancolie — “so”\tCézanne\r\n",
        "works.jsonl": '{"comment": "mélancolie — “so”", "artist": "Cézanne"}\r\n',
    }[name]
    source = opened(tmp_path, text.encode(encoding), name)
    (item,) = source.items
    assert (item.comment, item.carried) == ("mélancolie — “so”", {"artist": "Cézanne"})
    assert bool(source.remarks) == (encoding == "windows-1252")
    assert all("Windows-1252" in remark for remark in source.remarks)


def test_a_line_in_another_encoding_does_not_spoil_the_others(tmp_path):
    source = opened(tmp_path, "comment\nété\n".encode() + b"caf\xe9\n" + "hiver à\n".encode())
    assert [item.comment for item in source.items] == ["été", "café", "hiver à"]
    assert "line 3 " in source.remarks[0]


def test_line_ends_of_every_system(tmp_path):
    for end in ("\n", "\r\n", "\r"):
        assert [item.comment for item in read(tmp_path, end.join(["comment", "calm", "wild"]))] == ["calm", "wild"]


class Kept:
    """A place that keeps what is written."""

    def __init__(self):
        self.files = {}

    def write(self, name, content):
        self.files[name] = content


def test_the_index_opens_in_a_spreadsheet_with_accents_and_runs_no_formula(tmp_path):
    titles = ['=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)", "\t=1", "Cézanne", "'quoted'", "a=b"]
    place = Kept()
    records = [
        Record(str(number), None, title, 1.0, -5, valence=-0.25, carried={"=title": title})
        for number, title in enumerate(titles)
    ]
    write_table(place, records)  # type: ignore[arg-type]
    content = place.files["index.csv"]
    assert content.startswith(b"\xef\xbb\xbf")
    names, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert not [cell for cell in names if cell[:1] in {*"=+-@"}]
    texts = [(row[names.index("comment")], row[names.index("'=title")]) for row in rows]
    assert not [cell for pair in texts for cell in pair if cell[:1] in {*"=+-@\t\r"}]
    assert {row[names.index("valence")] for row in rows} == {"-0.25"}
    items = read(tmp_path, content)
    assert [item.comment for item in items] == [title.strip() for title in titles]


@given(st.text())
def test_a_guarded_cell_can_be_read_again(cell):
    assert unguarded(guarded(cell)) == cell or cell.startswith("'")
    assert guarded(cell)[:1] not in {*"=+-@\t\r"} or not cell


@settings(deadline=None, max_examples=200)
@given(st.lists(st.lists(st.text(max_size=8), min_size=2, max_size=2), max_size=5), st.sampled_from(",;\t|"))
def test_rows_that_were_written_are_read(rows, sign):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=sign, quoting=csv.QUOTE_ALL)
    writer.writerows([["image", "comment"], *rows])
    found = [row.cells for row in csv_rows(text.getvalue(), ("image", "comment"))]
    assert found == [["image", "comment"], *(row for row in rows if any(cell.strip() for cell in row))]


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet='",;\t|\n\ra =é\x00\u202a', max_size=60), st.sampled_from(["utf-8", "utf-16", "windows-1252"]))
def test_any_text_is_works_or_one_sentence(tmp_path, body, encoding):
    try:
        items = read(tmp_path, ("image,comment\n" + body).encode(encoding, "replace"))
    except CollectionError as error:
        assert "\n" not in str(error)
    else:
        assert len({item.id.casefold() for item in items}) == len(items)
        assert all("\n" not in (item.problem or "") for item in items)


def test_a_long_table_with_many_bad_rows_is_read_in_a_moment(tmp_path):
    random.seed(0)
    lines = ['bad "x" y,"z"w' if random.random() < 0.2 else f"calm {number}," for number in range(20_000)]
    items = read(tmp_path, "comment,id\n" + "\n".join(lines))
    assert len(items) == 20_000

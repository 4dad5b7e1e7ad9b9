"""The report of an evaluation: a page that a real browser shows, plays and prints, and its numbers as JSON."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page

from a2m_edge import strict_json
from a2m_edge.errors import OptionError, OutputError
from tests.fixtures.accessible_pages import SIZES, looked_at
from tests.fixtures.exhibit.browser import chromium
from tests.fixtures.page_elements import Elements
from training.evaluation.report import page as page_html
from training.evaluation.report.model import (
    Column,
    Example,
    Figure,
    Missing,
    Report,
    Row,
    Sound,
    Table,
    as_json,
    best_rows,
)
from training.evaluation.report.writing import write_report

NASTY = "</script><script>alert(1)</script>\"'&<b onload=alert(1)>"


@dataclass(frozen=True)
class Measured:
    """A number with its interval."""

    value: float
    low: float | None
    high: float | None


def picture(kind: str = ".jpg") -> bytes:
    """A small picture."""
    return cv2.imencode(kind, np.full((60, 90, 3), (40, 90, 200), np.uint8))[1].tobytes()


def tone(pitch: float, seconds: float = 1.5) -> Sound:
    """A sine."""
    times = np.arange(round(22_050 * seconds)) / 22_050
    return Sound(f"tone of {pitch:g} Hz", (0.2 * np.sin(2 * np.pi * pitch * times)).astype(np.float32)[:, None], 22_050)


def drawing() -> bytes:
    """A figure of matplotlib."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib.figure import Figure as Canvas

    canvas, file = Canvas(figsize=(4, 3)), io.BytesIO()
    canvas.add_subplot().plot([0, 1], [1, 0])
    canvas.savefig(file, format="png")
    return file.getvalue()


TABLE = Table(
    "Distance to music",
    [
        Column("distance", "dB", "lower", note="how far it is"),
        Column("cosine", better="higher", reconstruction=True, note="of the mel frames"),
        Column("works"),
    ],
    [
        Row("recordings", [Measured(0.1, 0.05, 0.2), Missing("they are what it is compared with"), 40], reference=True),
        Row("ours", [Measured(1.25, 1.0, 1.5), 0.9, 40], "the built-in bundle"),
        Row("paper", [2.5, 0.9, 40]),
        Row("silence", [7, None, 40]),
    ],
    "of the test split",
)


def whole_report(words: str = "calm") -> Report:
    """A report with everything in it."""
    return Report(
        "How it was measured",
        {"Bundle": "tiny", "Seed": "0"},
        [TABLE, Table("Agreement", [Column(f"measure {number}") for number in range(12)], [Row("ours", [0.5] * 12)])],
        [Figure("A line", drawing(), "It falls from 1 to 0.")],
        [
            Example("The Sea", words, picture(), [tone(330), tone(440)], "awe 0.6"),
            Example("A word alone", "", None, [tone(220)]),
        ],
    )


def written(report: Report, folder: Path) -> tuple[Elements, Any]:
    """The page and the numbers of a report."""
    write_report(report, folder / "report.html")
    numbers = strict_json.parse((folder / "report.json").read_bytes())
    return Elements((folder / "report.html").read_text(encoding="utf-8")), numbers


def test_the_numbers_are_beside_the_page_at_full_precision_and_without_media(tmp_path):
    third = Table("Thirds", [Column("a")], [Row("x", [1 / 3]), Row("y", [np.float32(0.5)]), Row("z", [np.int64(2)])])
    _, numbers = written(Report("R", {"Seed": "0"}, [TABLE, third], examples=whole_report().examples), tmp_path)
    cells = [row["values"] for row in numbers["tables"][0]["rows"]]
    assert cells[0][0] == {"value": 0.1, "low": 0.05, "high": 0.2}
    assert cells[0][1] == {"value": None, "low": None, "high": None, "missing": "they are what it is compared with"}
    assert cells[3] == [{"value": number, "low": None, "high": None} for number in (7.0, None, 40.0)]
    assert [row["values"][0]["value"] for row in numbers["tables"][1]["rows"]] == [1 / 3, 0.5, 2.0]
    assert [column["reconstruction"] for column in numbers["tables"][0]["columns"]] == [False, True, False]
    assert numbers["tables"][0]["columns"][0]["note"] == "how far it is"
    assert numbers["facts"] == {"Seed": "0"}
    assert numbers["examples"][0]["sounds"][0] == {"name": "tone of 330 Hz", "seconds": 1.5, "sample_rate": 22050}
    assert (tmp_path / "report.json").stat().st_size < 6000


def test_the_best_of_each_column_is_bold_and_what_is_missing_says_why(tmp_path):
    page, _ = written(Report("R", {}, [TABLE]), tmp_path)
    assert best_rows(TABLE, 0) == {1}  # not the recordings, which are for orientation
    assert best_rows(TABLE, 1) == {1, 2}
    assert best_rows(TABLE, 2) == frozenset()
    assert best_rows(Table("t", TABLE.columns, TABLE.rows[:2]), 0) == frozenset()  # alone, it is the best of nothing
    text = "".join(page.words)
    tags = [tag for tag, _ in page.found]
    assert tags.count("strong") == 3
    assert "they are what it is compared with" in text
    assert text.count("not measured") == 2 + 1  # two cells, and the legend
    assert "0.000" not in text
    assert "1.000 to 1.500" in text
    assert [attributes["scope"] for tag, attributes in page.found if tag == "th"] == ["col"] * 4 + ["row"] * 4
    assert tags.count("caption") == 1
    assert page.words.count("reconstruction") == 1  # in the heading, as a word
    assert "not how well something new is made" in text


@pytest.mark.parametrize("number", [math.nan, math.inf, np.float32("nan"), Measured(1.0, math.nan, 2.0)])
def test_what_is_no_number_is_refused_and_nothing_is_written(tmp_path, number):
    report = Report("R", {}, [Table("T", [Column("c")], [Row("r", [number])])])
    with pytest.raises(OutputError, match="c of r in T is not a finite number"):
        write_report(report, tmp_path / "report.html")
    with pytest.raises(OutputError):
        as_json(report)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("example", "told"),
    [
        (Example("A", "", b"no picture", []), "the picture of A is broken"),
        (Example("A", "", picture(".bmp"), []), "the picture of A is BMP, not PNG or JPEG"),
        (Example("A", "", None, [Sound("s", np.zeros((0, 1), np.float32), 22_050)]), "the sound s of A is empty"),
        (
            Example("A", "", None, [Sound("s", np.full((9, 1), np.nan, np.float32), 22_050)]),
            "the sound s of A is broken",
        ),
    ],
)
def test_a_report_is_whole_or_stays_as_it_was(tmp_path, example, told):
    path = tmp_path / "report.html"
    write_report(Report("Before"), path)
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    with pytest.raises(OutputError, match=told):
        write_report(Report("After", examples=[example]), path)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before
    (tmp_path / "report.json").unlink()
    (tmp_path / "report.json").mkdir()
    with pytest.raises(OutputError, match="it is a folder"):
        write_report(Report("After"), path)
    assert path.read_bytes() == before["report.html"]


def test_the_page_and_its_numbers_are_two_files(tmp_path):
    with pytest.raises(OptionError, match=r"report\.html"):
        write_report(Report("R"), tmp_path / "report.json")
    with pytest.raises(ValueError, match="2 values, 1 columns"):
        write_report(Report("R", {}, [Table("T", [Column("c")], [Row("r", [1, 2])])]), tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def worded(text: str) -> Report:
    """A report that says the same everywhere."""
    columns = [Column(text, text, "higher", note=text)]
    table = Table(text, columns, [Row(text, [Missing(text)], text), Row(text, [1])], text)
    return Report(text, {text: text}, [table], [], [Example(text, text, None, [], text)])


@settings(max_examples=40, deadline=None)
@given(text=st.text(min_size=1, max_size=60))
def test_all_words_are_shown_as_they_are(tmp_path_factory, text):
    page, numbers = written(worded(text), tmp_path_factory.mktemp("report"))
    readable = text.encode("utf-8", "replace").decode()
    assert numbers["examples"][0]["comment"] == readable
    lines = readable.replace("\r\n", "\n").replace("\r", "\n")
    assert "".join(page.words).replace("\r\n", "\n").replace("\r", "\n").count(lines) >= 12
    usual = Elements("".join(page_html.page(worded("w"))))
    assert [tag for tag, _ in page.found] == [tag for tag, _ in usual.found]  # no word became an element


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser."""
    with chromium() as opened:
        yield opened


def until(page: Page, condition: str) -> None:
    """Waits for a condition; the page's policy forbids the evaluation that playwright's own waiting needs."""
    end = time.monotonic() + 60
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(50)


def test_a_browser_shows_and_plays_it_and_asks_nobody(browser, tmp_path):
    write_report(whole_report(NASTY), tmp_path / "report.html")
    (tmp_path / "report.json").unlink()  # the page needs nothing beside it
    complaints: list[str] = []
    asked: list[str] = []
    context = browser.new_context(viewport={"width": 320, "height": 640})
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "report.html").as_uri())

    assert page.inner_text("blockquote") == NASTY
    until(page, "[...document.images].length === 2 && [...document.images].every((image) => image.naturalWidth > 0)")
    until(page, "[...document.querySelectorAll('audio')].every((sound) => sound.duration > 0)")
    lengths = page.evaluate("[...document.querySelectorAll('audio')].map((sound) => sound.duration)")
    assert lengths == pytest.approx([1.5] * 3, abs=0.01)  # measured: 1.5 each

    page.focus("audio")
    page.keyboard.press("Space")
    until(page, "document.querySelector('audio').currentTime > 0.2")
    page.evaluate("document.querySelectorAll('audio')[1].play()")
    until(page, "document.querySelector('audio').paused")  # one at a time

    assert page.evaluate("document.documentElement.scrollWidth") == 320
    page.evaluate("scrollTo(500, 0)")
    assert page.evaluate("scrollX") == 0
    wide = page.locator(".scroll").nth(1)
    assert wide.evaluate("box => box.scrollWidth > box.clientWidth")  # it scrolls inside its box
    wide.focus()
    page.keyboard.press("ArrowRight")
    until(page, "document.querySelectorAll('.scroll')[1].scrollLeft > 0")
    context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith(("data:", (tmp_path / "report.html").as_uri()))] == []


@pytest.mark.parametrize(
    ("size", "scheme"),
    [
        ("phone", "light"),
        pytest.param("phone", "dark", marks=pytest.mark.slow),
        pytest.param("screen", "light", marks=pytest.mark.slow),
        pytest.param("screen", "dark", marks=pytest.mark.slow),
    ],
)
def test_everybody_can_use_it(browser, axe, tmp_path, size, scheme):
    write_report(whole_report(), tmp_path / "report.html")
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    looked_at(page, axe)
    context.close()

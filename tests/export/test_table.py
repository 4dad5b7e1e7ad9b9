"""The table of what exports cost: every row is measured, and it takes its place in the page or is refused at once."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from a2m_edge.cli import main
from a2m_edge.errors import ExportError
from export import models
from export.proof.parity import Check, summary
from export.timing import table
from export.timing.table import (
    BEGIN,
    END,
    GraphMeasurement,
    Subject,
    around_table,
    interleaved,
    markdown,
    measure,
    replace_table,
)
from tests.fixtures.tiny_bundle.make import tiny_models


def test_the_text_around_the_table_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    replace_table(page, "| new |\n")
    assert page.read_text() == f"before\n{BEGIN}\n| new |\n{END}\nafter\n"
    assert around_table(page) == ("before\n", "\nafter\n")


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{END} {BEGIN}"])
def test_a_page_without_a_place_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    monkeypatch.setattr(models, "load_models", None)  # would fail
    with pytest.raises(SystemExit) as caught:
        main(["export-table", "-o", str(page)])
    assert caught.value.code == 2
    assert "has no place for a table" in " ".join(capsys.readouterr().err.split())
    assert page.read_text() == text


def test_a_page_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"page\.md cannot be read"):
        replace_table(tmp_path / "page.md", "")


@pytest.mark.slow
def test_a_row_for_each_precision_that_suits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_SHORTEST_RUN", 0.0)
    found = list(measure([Subject("tiny", tiny_models(), ("mel_decoder", "vocoder"))], threads=1))
    assert [(row.graph, row.precision) for row in found] == [
        ("mel_decoder", "fp32"),
        ("mel_decoder", "fp16"),
        ("mel_decoder", "int8"),
        ("vocoder", "fp32"),
        ("vocoder", "fp16"),
    ]
    assert all(row.runtime > 0 and row.torch > 0 and row.audio for row in found)
    assert found[0].megabytes > found[1].megabytes > found[2].megabytes
    assert found[0].agreement.startswith("difference ")
    assert found[1].agreement.startswith("L1, nat ")
    assert found[4].agreement.startswith("signal to noise, dB ")


def test_a_line_of_the_table() -> None:
    row = GraphMeasurement("a2m-s", "vocoder", "fp32", 6.04, "difference 3.58e-07", 0.05, 0.06, 0.4)
    text = markdown([row], 2)
    assert "2 threads" in text
    assert (
        "| a2m-s | vocoder | ONNX | fp32 | 6.0 | difference 3.58e-07 | 50.0 ms (8.0 × real time) "
        "| 60.0 ms (6.7 × real time) | 1.20 × |\n"
    ) in text
    assert "TensorRT: " in text


def test_two_things_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_SHORTEST_RUN", 0.0)
    runs: list[str] = []
    one, other = interleaved(lambda: runs.append("one"), lambda: runs.append("other"))
    assert one >= 0
    assert other >= 0
    assert runs == ["one", "other"] * 7


@pytest.mark.parametrize("at_least", [False, True])
@pytest.mark.parametrize("numbers", [(math.nan, 0.5), (0.5, math.nan)])
def test_what_is_no_number_is_the_worst(numbers: tuple[float, float], at_least: bool) -> None:
    checks = [Check("vocoder", "difference", "a case", number, 1.0, at_least) for number in numbers]
    assert math.isnan(summary(checks)["vocoder"]["difference"]["worst"])

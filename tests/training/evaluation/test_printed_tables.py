"""What evaluations print, on narrow and on wide terminals."""

from __future__ import annotations

import pytest

from tests.fixtures.terminals import WIDTHS, assert_whole, printed
from training.commands.evaluation import print_rows
from training.evaluation.report.model import Column, Missing, Row, Table

COLUMNS = ("FAD", "MCD", "KAD", "Note F1", "Feeling agreement, comment", "× real time")
TABLE = Table(
    "Held-out pairs, ten ways to sound them",
    [Column(name) for name in COLUMNS],
    [
        Row("mean of the training clips, by the vocoder", [12.345, 99.9, -0.33891, 0.6446, 0.54321, 123.45]),
        Row("ours, shuffled", [Missing("too few"), 99.9, None, 0.6417, 0.5, 14.8]),
    ],
)


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_table_is_told_whole(columns, capsys, monkeypatch):
    plain = printed(capsys, monkeypatch, lambda: print_rows(TABLE))
    shown = printed(capsys, monkeypatch, lambda: print_rows(TABLE), columns)
    assert_whole(shown, plain, columns)
    assert "99.9" not in shown  # the page has the other columns

"""What evaluations print, on narrow and on wide terminals."""

from __future__ import annotations

import pytest

from tests.fixtures.terminals import WIDTHS, assert_whole, printed
from training.commands.evaluation import print_rows
from training.evaluation.report.model import Column, Missing, Row, Table
from training.trainers.feeling import print_scores

COLUMNS = ("FAD", "MCD", "KAD", "Note F1", "Feeling agreement, comment", "× real time")
TABLE = Table(
    "Held-out pairs, ten ways to sound them",
    [Column(name) for name in COLUMNS],
    [
        Row("mean of the training clips, by the vocoder", [12.345, 99.9, -0.33891, 0.6446, 0.54321, 123.45]),
        Row("ours, shuffled", [Missing("too few"), 99.9, None, 0.6417, 0.5, 14.8]),
    ],
)
SCORES = {
    f"{which}_{score}": value
    for which in ("both", "comment", "picture", "all")
    for score, value in {
        "n": 123456.0,
        "accuracy": 0.6415,
        "macro_f1": 0.5289,
        "calibration_error": 0.04345,
        "sign_accuracy": 0.937,
    }.items()
} | {"commonest_accuracy": 0.2938, "painting_valence_r": 0.4768, "painting_n": 165.0, "painting_n_30": 1.0}


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize(
    "show", [lambda: print_rows(TABLE), lambda: print_scores(SCORES, "test")], ids=["rows", "feeling"]
)
def test_a_table_is_told_whole(show, columns, capsys, monkeypatch):
    plain = printed(capsys, monkeypatch, show)
    shown = printed(capsys, monkeypatch, show, columns)
    table = shown.partition("painting alone, valence")[0]
    assert_whole(table, plain.partition("painting alone, valence")[0], columns)
    assert "99.9" not in table  # the page has the other columns

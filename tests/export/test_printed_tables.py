"""What exports and comparisons print, on narrow and on wide terminals."""

from __future__ import annotations

import pytest

from a2m_edge.terminal import print_markdown, print_tables
from export.commands import print_checks
from export.proof.parity import Check
from export.timing.peers import beside
from export.timing.table import GraphMeasurement, markdown
from tests.fixtures.terminals import WIDTHS, assert_whole, printed

CHECKS = [
    Check("fusion", "difference of valence_arousal", "1", 2.384e-07, 1e-4),
    Check("text_encoder", "change of accuracy by int8, sentences that name an emotion", "1", 1.667e-3, 0.01),
    Check("image_encoder", "signal to noise of image_embedding by fp16, dB", "1", 61.25, 40.0, at_least=True),
]
TIMES = {"text_encoder, as trained": (0.0123, 1234.5678), "start of the process to first chunk": (1.5, 12.25)}
ROWS = [
    GraphMeasurement(
        "ViT-H-14 of random weights",
        "image_encoder",
        "int8",
        2345.6,
        "cosine 0.9993, accuracy 0.17 points lower, of sentences that name an emotion",
        1234.5678,
        2345.6789,
        None,
    )
    for _ in range(2)
]


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize(
    "show",
    [
        lambda: print_checks(CHECKS),
        lambda: print_tables(beside("PyTorch 2.13.0, eager, 2 threads, beside the bundle", "PyTorch", TIMES).table),
    ],
    ids=["checks", "peers"],
)
def test_a_table_is_told_whole(show, columns, capsys, monkeypatch):
    plain = printed(capsys, monkeypatch, show)
    assert plain
    assert_whole(printed(capsys, monkeypatch, show, columns), plain, columns)


@pytest.mark.parametrize("columns", WIDTHS)
def test_what_exports_cost_is_told_whole(columns, capsys, monkeypatch):
    text = markdown(ROWS, 2)
    plain = "\n".join(line.replace("|", "") for line in text.splitlines() if not line.startswith("| --- "))
    assert_whole(printed(capsys, monkeypatch, lambda: print_markdown(text), columns), plain, columns)

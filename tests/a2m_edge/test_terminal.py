"""Tables and help on narrow and on wide terminals, and where there is none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from a2m_edge.bench.report import comparison_table, latency_table, stage_table
from a2m_edge.bundle import DEFAULT_BUNDLE
from a2m_edge.cli import build_app
from a2m_edge.commands.engine_tables import print_engines
from a2m_edge.inference.devices import Gpu
from a2m_edge.inference.tensorrt.cache import EngineKey, EngineRecord
from a2m_edge.terminal import Figures, Table, print_line, print_markdown, print_tables
from tests.fixtures.places import PROGRAM, TINY_BUNDLE
from tests.fixtures.programs import finished
from tests.fixtures.terminals import WIDTHS, assert_whole, on_terminal, printed

LONG = "/srv/exhibits/" + "a-folder-with-a-long-name/" * 4 + "picture.jpg"


def bench(slow: float) -> dict[str, Any]:
    """A document of a bench whose figures have as many digits as a slow machine gives them."""
    times = {"median": 1234.56 * slow, "p95": 2345.67 * slow}
    work = {"operations_a_second": 12.34e9, "bytes_a_second": 4567e6, "gemm_share": 0.97, "memory_share": 0.99}
    names = ("fusion", "image_encoder", "mel_decoder", "text_encoder", "vocoder")
    stages: dict[str, Any] = {name: {"times": times, "real_time": 12.3, **work} for name in names}
    stages |= {name: {"times": times, "real_time": 345.6} for name in ("composer, a bar", "stream in chunks")}
    latency: dict[str, Any] = dict.fromkeys(("first_chunk", "comment", "picture", "cold_start", "render"), times)
    peaks = {"gemm": 1234.0, "memory": 123.4}
    one = {"threads": 16, "peaks": peaks, "stages": stages, "latency": latency | {"peak_memory": 4567.0}}
    return {
        "machine": {"processor": "Intel(R) Xeon(R) Platinum 8581C CPU @ 2.30GHz, of a very long name"},
        "bundle": {"name": "a2m-s", "hash": "ab" * 32},
        "benches": [one],
    }


def engines() -> None:
    """Prints a table of engines."""
    key = EngineKey("image_encoder", {}, "fp16", "TensorRT 11.4.0", Gpu("NVIDIA H200", "9.0", "ab" * 16, "13"), (), {})
    record = EngineRecord(key, {}, {"signal_to_noise": 61.2512, "limit": 40.0, "cases": 12.0}, 361.5)
    print_engines({"image_encoder": record, "text_encoder": record})


@pytest.mark.parametrize("command", ["info", "verify"])
@pytest.mark.parametrize("bundle", [TINY_BUNDLE, DEFAULT_BUNDLE])
def test_a_bundle_is_told_whole(bundle: object, command: str) -> None:
    arguments = ("bundle", command, bundle)
    plain = finished([str(PROGRAM), *map(str, arguments)], environment={"COLUMNS": "1000"}).stdout
    for columns in WIDTHS:
        assert_whole(on_terminal(columns, *arguments), plain, columns)


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_bench_is_told_whole_and_as_a_grid(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = bench(1.0), bench(1.5)
    tables = [stage_table(one["benches"][0]), latency_table(one["benches"][0]), comparison_table(one, other)]
    plain = printed(capsys, monkeypatch, lambda: print_tables(*tables))
    shown = printed(capsys, monkeypatch, lambda: print_tables(*tables), columns)
    assert_whole(shown, plain, columns)
    (line,) = [line for line in shown.splitlines() if line.startswith("image_encoder")]
    assert line.split() == ["image_encoder", "1234.56", "2345.67", "12.3", "12.34", "4567", "97", "99"]


@pytest.mark.parametrize("columns", WIDTHS)
def test_engines_are_told_whole(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = (printed(capsys, monkeypatch, engines, width) for width in (None, columns))
    plain, shown = (text.rpartition("They are kept in")[0] for text in told)
    assert "signal to noise" in plain
    assert_whole(shown, plain, columns)


@pytest.mark.parametrize("columns", [24, 40, *WIDTHS])
def test_a_table_with_too_many_columns_is_turned(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table("[bold]works[/] of \x1b[31mred", ("picture", "comment", *(Figures(f"figure\n{n}") for n in range(9))))
    table.add(LONG, "The waves make me feel at peace", *(f"{10**n:,}" for n in range(9)))
    table.add("b.jpg", "[red]calm", *["1"] * 9)
    plain = printed(capsys, monkeypatch, lambda: print_tables(table))
    assert "\x1b" not in plain
    assert LONG in plain  # nothing is broken in a file
    assert "[bold]works[/]" in plain and "[red]calm" in plain
    shown = printed(capsys, monkeypatch, lambda: print_tables(table), columns)
    assert_whole(shown, plain, columns)
    assert ("figure 8" in shown) == (columns < 200)  # beside its number rather than above it


def test_figures_stand_at_the_right_edge(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table("", ("name", Figures("of\nall"), "where"))
    table.add("a", "1", "here")
    table.add("b", "1,000", "there")
    lines = printed(capsys, monkeypatch, lambda: print_tables(table)).splitlines()
    ends = [line.index(number) + len(number) for line, number in zip(lines[3:5], ("1", "1,000"), strict=True)]
    assert len({*ends}) == 1
    with pytest.raises(ValueError, match="2 cells for 3 columns"):
        table.add("c", "2")


def test_markdown_is_drawn_on_a_terminal_and_goes_to_a_file_as_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"Words.\n\n| a | b |\n| --- | ---: |\n| {'one ' * 30}| 2 |\n| three | 44 |\n"
    assert printed(capsys, monkeypatch, lambda: print_markdown(text)) == f"{text}\n"
    shown = printed(capsys, monkeypatch, lambda: print_markdown(text), 80)
    assert_whole(shown, text.replace("|", "").replace("-", "").replace(":", ""), 80)
    assert "|" not in shown
    assert {line.rstrip()[-2:] for line in shown.splitlines() if line.startswith(("one", "three"))} >= {" 2", "44"}


@pytest.mark.parametrize("columns", [40, *WIDTHS])
def test_a_line_is_broken_between_words_and_its_names_never(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = f"TO DO  bundle: {'something is wrong, and ' * 4}the file is {LONG} of the bundle"
    print_line(line, indent=7)
    assert capsys.readouterr().out == f"{line}\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    print_line(line, indent=7)
    first, *rest = capsys.readouterr().out.splitlines()
    assert " ".join([first, *(each.removeprefix(7 * " ") for each in rest)]) == line
    assert all(each.startswith(7 * " ") and each[7] != " " for each in rest)
    assert [each for each in (first, *rest) if len(each) > columns and LONG not in each] == []


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words after ``a2m-edge`` that lead to each command and to each group of them."""
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))


@pytest.mark.parametrize("columns", WIDTHS)
def test_help_is_no_wider_than_the_terminal_and_cuts_nothing(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    command = get_command(build_app())
    paths = list(commands(command))
    assert len(paths) > 25
    for path in paths:
        command.main([*path, "--help"], prog_name="a2m-edge", standalone_mode=False)
        shown = capsys.readouterr().out
        assert [line for line in shown.splitlines() if len(line) > columns] == []
        listed = shown.partition("Commands:")[2]
        assert "..." not in listed and "…" not in listed, path

"""What the screen shows of engines."""

from __future__ import annotations

import sys

import pytest

from a2m_edge.commands import engine_tables
from a2m_edge.commands.engine_tables import prepare_engines, print_engines
from a2m_edge.inference.devices import Gpu
from a2m_edge.inference.tensorrt.cache import EngineKey, EngineRecord

GPU = Gpu("NVIDIA Test", "8.9", "ab" * 16, "13.0")


def record(graph: str, precision: str, parity: dict[str, float]) -> EngineRecord:
    return EngineRecord(EngineKey(graph, {}, precision, "TensorRT 11.4.0", GPU, (), {}), {}, parity, 61.5)


def test_the_table_states_parity_limit_and_time(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "160")
    print_engines(
        {
            "vocoder": record("vocoder", "fp32", {"difference": 2.5e-5, "limit": 1e-3, "cases": 4.0}),
            "image_encoder": record("image_encoder", "fp16", {"signal_to_noise": 61.25, "limit": 40.0, "cases": 2.0}),
        }
    )
    shown = " ".join(capsys.readouterr().out.split())
    assert "engines for NVIDIA Test, TensorRT 11.4.0" in shown
    for words in ("difference 2.5e-05 in 4 shapes", "0.001", "signal to noise 61.25 in 2 shapes", "40", "62 s"):
        assert words in shown
    assert str(tmp_path / "a2m-edge" / "engines") in "".join(shown.split())


def test_no_engines_no_table(capsys):
    print_engines({})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("watched", [True, False])
def test_a_bar_is_shown_where_somebody_watches(monkeypatch, tiny_bundle, watched, capsys):
    given = []

    def build(bundle, progress):
        given.append(progress)
        for share in (0.0, 0.5, 1.0) if progress else ():
            progress("vocoder", share)
        return {}

    monkeypatch.setattr(engine_tables, "build_engines", build)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: watched)
    assert prepare_engines(tiny_bundle) == {}
    assert (given[0] is not None) == watched
    shown = capsys.readouterr()
    assert shown.out == ""
    assert ("building the engine of vocoder" in shown.err) == watched

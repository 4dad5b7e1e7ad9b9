"""The rules of the house: which room may know which, and what must not be imported early."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("a2m_edge", "export", "training", "kiosk")
MAY_IMPORT = {
    "a2m_edge": {"a2m_edge"},
    "training": {"training", "a2m_edge"},
    "export": {"export", "training", "a2m_edge"},
    "kiosk": {"kiosk", "a2m_edge"},
}
RUNTIME = {
    "numpy",
    "cv2",
    "tokenizers",
    "soundfile",
    "typer",
    "rich",
    "onnxruntime",
    "tensorrt",
    "cuda",
    "pyarrow",
    "fsspec",
    "ray",
}
STOREYS = (
    {"errors"},
    {"output", "strict_json", "bed", "loudness", "resampling", "devices", "agreement"},
    {"audio"},
    {"manifest"},
    {"bundle"},
    {"profiles"},
    {"executors", "providers", "engine_cache", "engine_build", "engine_parity", "engine_executor"},
    {"engines", "provider_engines"},
    {"sessions"},
    {"feeling", "picture_header", "pictures", "preprocessing", "comments", "encoders"},
    {"score", "composer", "excitation", "shimmer"},
    {"mel_source"},
    {"synthesis"},
    {"soundscape"},
    {"lettering", "canvas", "panel", "render", "bundle_tables", "engine_tables", "jobs"},
    {"collection"},
    {"bench"},
    {"commands", "cli"},
)
"""The order of a2m_edge: a module imports from its own storey and those below."""
KIOSK_GROUND = {"settings", "messages", "channel", "progress", "links", "ring", "rates", "calibration", "logs"}
"""What the rooms of the kiosk share."""
KIOSK_ROOMS = (
    {"camera", "capture", "watching", "artwork", "straight_edges", "fingerprint"},
    {"engine"},
    {"speaker", "mixer", "bed", "audio_device"},
    {"comments"},
    {"web"},
)
"""Rooms of the kiosk that know nothing of each other; every other module of it joins them, and none knows those."""


def _sources(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def _imports(path: Path) -> Iterator[str]:
    """The full names of the modules that a file imports anywhere, function bodies included."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("room", ROOMS)
def test_arrows_between_rooms_point_one_way(room):
    for path in _sources(room):
        for module in _imports(path):
            top = module.split(".")[0]
            assert top not in ROOMS or top in MAY_IMPORT[room], f"{path.relative_to(ROOT)} imports {module}"


def test_the_runtime_imports_only_what_it_depends_on():
    for path in _sources("a2m_edge"):
        for module in _imports(path):
            top = module.split(".")[0]
            known = top in RUNTIME or top == "a2m_edge" or top in sys.stdlib_module_names
            assert known, f"{path.relative_to(ROOT)} imports {module}"


def test_torch_lives_in_training_and_export_alone():
    for path in _sources("kiosk"):
        assert not any(module.split(".")[0] == "torch" for module in _imports(path)), path


def test_storeys_of_the_runtime_rest_on_those_below():
    level = {name: number for number, names in enumerate(STOREYS) for name in names}
    for path in _sources("a2m_edge"):
        own = path.relative_to(ROOT / "a2m_edge").parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        assert own in level, f"give {own} a place in STOREYS"
        for module in _imports(path):
            parts = module.split(".")
            if parts[0] == "a2m_edge" and len(parts) > 1 and parts[1] in level:
                assert level[parts[1]] <= level[own], f"{path.relative_to(ROOT)} imports {module}"


def test_rooms_of_the_kiosk_know_nothing_of_each_other():
    rooms = {name: room for room in KIOSK_ROOMS for name in room}
    for path in _sources("kiosk"):
        own = path.relative_to(ROOT / "kiosk").parts[0].removesuffix(".py")
        if own not in rooms and own not in KIOSK_GROUND:
            continue
        for module in _imports(path):
            parts = module.split(".")
            if parts[0] == "kiosk" and len(parts) > 1:
                allowed = KIOSK_GROUND | rooms.get(own, set())
                assert parts[1] in allowed, f"{path.relative_to(ROOT)} imports {module}"


def test_the_cli_names_no_room():
    assert {module for module in _imports(ROOT / "a2m_edge" / "cli.py") if module.startswith("a2m_edge")} <= {
        "a2m_edge.__version__",
        "a2m_edge.errors.A2MError",
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["render", "--help"],
        ["render-collection", "--help"],
        ["train", "--help"],
        ["kiosk", "--help"],
    ],
)
def test_help_imports_nothing_heavy(arguments):
    heavy = ("numpy", "cv2", "onnxruntime", "torch", "tokenizers", "soundfile", "rich")
    code = (
        "import contextlib, sys\n"
        "from a2m_edge.cli import main\n"
        f"with contextlib.suppress(SystemExit): main({arguments!r})\n"
        f"print(*[name for name in {heavy!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr.split() == []
    assert done.stdout


def test_the_whole_runtime_imports_without_torch_and_the_other_rooms():
    code = (
        "import importlib, json, pkgutil, sys, a2m_edge\n"
        "for module in pkgutil.walk_packages(a2m_edge.__path__, 'a2m_edge.'): importlib.import_module(module.name)\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))\n"
    )
    loaded = set(json.loads(_python(code)))
    assert "a2m_edge" in loaded
    assert not loaded & {
        "torch",
        "training",
        "export",
        "kiosk",
        "onnx",
        "scipy",
        "PIL",
        "tensorrt",
        "cuda",
        "pyarrow",
        "fsspec",
        "ray",
    }


def test_the_runtime_depends_on_what_it_imports_and_onnxruntime_is_left_to_the_extras():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {dependency.split(">")[0] for dependency in project["dependencies"]}
    assert names == {"numpy", "opencv-python-headless", "tokenizers", "soundfile", "typer", "rich"}

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

from tests.fixtures.places import ROOT, files_of_the_repository

ROOMS = """
a2m_edge: addresses, diagnostics, errors, ledger, options, output, strict_json, terminal, version < sound < bundle
    < inference < impression, score < perception, composer < explanation, synthesis < soundscape < rendering, jobs
    < collection < bench < commands, cli
training: parallel, checkpoint, precision, progress, stopping, jobs, losses, averaging, torchvision_guard < trainer
    < models < data < trainers < evaluation < commands, __main__
training.data: tables, scores < languages, recordings < labels, pairs < embeddings
training.evaluation: statistics, report < rows, feeling < languages, subjects, listening, rating, composer
    < examples, numbers, inputs < evaluate
export: models, bed < graphs < proof < bundle_writer, timing < commands
kiosk: shared < camera | music | speaker | web < config < supervisor < doctor < commands
kiosk.web: access < exhibit, speech < routes < app, server, connections, sockets, process
"""
"""The rooms of each part, from the ground up. A room knows those below it (``<``) and those beside it (``,``), but
none behind a wall (``|``); a part knows itself and the parts that ``KNOWN`` names."""

KNOWN = {"a2m_edge": (), "training": ("a2m_edge",), "export": ("training", "a2m_edge"), "kiosk": ("a2m_edge",)}
MOST_FILES = 16
"""Files of a folder: beyond, it holds two subjects. ``__init__.py`` counts."""

RUNTIME = {
    "numpy",
    "cv2",
    "PIL",
    "tokenizers",
    "soundfile",
    "soxr",
    "typer",
    "rich",
    "onnxruntime",
    "tensorrt",
    "cuda",
    "pyarrow",
    "fsspec",
    "ray",
}


def rooms() -> dict[str, list[list[list[str]]]]:
    """``ROOMS`` by part: storeys, each a list of flats between walls, each a list of rooms."""
    joined = ROOMS.strip().replace("\n    ", " ").splitlines()
    return {
        part: [[flat.replace(",", " ").split() for flat in storey.split("|")] for storey in plan.split("<")]
        for part, _, plan in (line.partition(":") for line in joined)
    }


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


def _is_module(parts: list[str]) -> bool:
    place = ROOT.joinpath(*parts)
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("part", KNOWN)
def test_arrows_between_the_parts_point_one_way(part):
    for path in _sources(part):
        for module in _imports(path):
            top = module.split(".")[0]
            assert top not in KNOWN or top in (part, *KNOWN[part]), f"{path.relative_to(ROOT)} imports {module}"
            assert top not in ("tests", "tools"), f"{path.relative_to(ROOT)} imports {module}"


@pytest.mark.parametrize("part", rooms())
def test_every_room_rests_on_those_below_and_knows_none_behind_a_wall(part):
    place = {
        name: (number, flat)
        for number, storey in enumerate(rooms()[part])
        for flat, names in enumerate(storey)
        for name in names
    }
    folder = ROOT / part.replace(".", "/")
    for path in sorted(folder.rglob("*.py")):
        own = path.relative_to(folder).parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        assert own in place, f"give {part}.{own} a place in ROOMS"
        for module in _imports(path):
            other = module.removeprefix(f"{part}.").split(".")[0] if module.startswith(f"{part}.") else ""
            if other in place and other != own:
                (storey, flat), (level, wall) = place[own], place[other]
                fine = level < storey or (level == storey and wall == flat)
                assert fine, f"{path.relative_to(ROOT)} imports {module}"
    for name in place:
        assert (folder / name).is_dir() or (folder / f"{name}.py").is_file(), f"ROOMS name {part}.{name}: it is gone"


def test_no_file_waits_for_another_that_waits_for_it():
    arrows: dict[str, set[str]] = {}
    for path in (each for part in KNOWN for each in _sources(part)):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        arrows[name] = set()
        for module in _imports(path):
            parts = module.split(".")
            while parts and not _is_module(parts):
                parts.pop()
            arrows[name] |= {".".join(parts)} - {name, ""}
    done: set[str] = set()

    def walk(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"a circle: {' -> '.join((*trail[trail.index(name) :], name))}"
        if name not in done:
            for other in sorted(arrows.get(name, ())):
                walk(other, (*trail, name))
            done.add(name)

    for name in arrows:
        walk(name, ())


def test_no_folder_holds_more_than_one_can_overlook():
    files = files_of_the_repository()
    code = {file.parent for file in files if file.suffix in (".py", ".js")}
    counts = {folder: sum(file.parent == folder for file in files) for folder in code}
    assert {str(folder): count for folder, count in counts.items() if count > MOST_FILES} == {}


def test_the_runtime_imports_only_what_it_depends_on():
    for path in _sources("a2m_edge"):
        for module in _imports(path):
            top = module.split(".")[0]
            known = top in RUNTIME or top == "a2m_edge" or top in sys.stdlib_module_names
            assert known, f"{path.relative_to(ROOT)} imports {module}"


def test_torch_lives_in_training_and_export_alone():
    for path in _sources("kiosk"):
        assert not any(module.split(".")[0] == "torch" for module in _imports(path)), path


def test_the_cli_names_no_room():
    assert {module for module in _imports(ROOT / "a2m_edge" / "cli.py") if module.startswith("a2m_edge")} <= {
        "a2m_edge.version.__version__",
        "a2m_edge.diagnostics.print_traceback",
        "a2m_edge.diagnostics.scrub_warnings",
        "a2m_edge.errors.A2MError",
        "a2m_edge.errors.encodable",
        "a2m_edge.errors.printable",
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
    heavy = ("numpy", "cv2", "PIL", "onnxruntime", "torch", "tokenizers", "soundfile", "rich")
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
        "pillow_heif",
        "pillow_jxl",
        "tensorrt",
        "cuda",
        "pyarrow",
        "fsspec",
        "ray",
    }


def test_the_runtime_depends_on_what_it_imports_and_onnxruntime_is_left_to_the_extras():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {dependency.split(">")[0] for dependency in project["dependencies"]}
    assert names == {"numpy", "opencv-python-headless", "pillow", "tokenizers", "soundfile", "soxr", "typer", "rich"}

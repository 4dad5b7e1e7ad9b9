"""Names of code that stand in words: a docstring, a comment, a document, an entry point. Each of them exists."""

from __future__ import annotations

import ast
import re
import tokenize
import tomllib
from functools import cache
from pathlib import Path

import pytest

from tests.fixtures.places import ROOT, files_of_the_repository

ROOMS = ("a2m_edge", "export", "training", "kiosk", "tools", "tests")
TEXTS = (".py", ".md", ".toml", ".yml", ".yaml", ".js", ".html", ".service", ".in", "")
DOTTED = re.compile(rf"(?<![\w./@-])(?:{'|'.join(ROOMS)})(?:\.[A-Za-z_]\w*)+(?::[A-Za-z_]\w*)?(?![\w/*-])")
PATH = re.compile(rf"(?<![\w./@-])(?:{'|'.join((*ROOMS, 'docs', 'deploy', 'examples'))})/[\w./-]*\w")
GROUPS = {"a2m_edge.commands", "a2m_edge.bench_peers"}
"""Groups of entry points, which are no modules."""
FILES = {"toml", "npz", "md"}
"""Endings of what is the name of a file or a host, and no module."""


def texts() -> list[Path]:
    """Every text of the repository, as git knows them."""
    files = (ROOT / name for name in files_of_the_repository())
    return [file for file in files if file.suffix in TEXTS and "checkpoints" not in file.parts]


def words_of(file: Path) -> str:
    """The text of a document; of a program its strings and comments alone."""
    if file.suffix != ".py":
        return file.read_text(encoding="utf-8")
    with file.open("rb") as stream:
        kinds = ("STRING", "COMMENT", "FSTRING_MIDDLE")
        tokens = tokenize.tokenize(stream.readline)
        return "\n".join(token.string for token in tokens if tokenize.tok_name[token.type] in kinds)


@cache
def defined(file: Path) -> dict[str, set[str]]:
    """What a module defines or imports at its top, and what stands in each of its classes."""
    names: dict[str, set[str]] = {}

    def take(body: list[ast.stmt], into: dict[str, set[str]]) -> None:
        for node in body:
            match node:
                case ast.ClassDef():
                    inner: dict[str, set[str]] = {}
                    take(node.body, inner)
                    into[node.name] = set(inner)
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    into[node.name] = set()
                case ast.Assign():
                    for target in node.targets:
                        into.update({each.id: set() for each in ast.walk(target) if isinstance(each, ast.Name)})
                case ast.AnnAssign(target=ast.Name(id=name)):
                    into[name] = set()
                case ast.Import() | ast.ImportFrom():
                    into.update({(alias.asname or alias.name).split(".")[0]: set() for alias in node.names})
                case ast.If() | ast.Try():
                    take(node.body, into)

    take(ast.parse(file.read_text(encoding="utf-8")).body, names)
    return names


def exists(name: str) -> bool:
    """Whether a dotted name, perhaps with ``:function`` at its end, is a module or stands in one."""
    parts, place = name.replace(":", ".").split("."), ROOT
    while parts and (place / parts[0]).is_dir():
        place /= parts.pop(0)
    module = bool(parts) and (place / f"{parts[0]}.py").is_file()
    file = place / (f"{parts.pop(0)}.py" if module else "__init__.py")
    if not parts or parts == ["__path__"]:
        return True
    if not file.is_file():
        return False
    inside = defined(file)
    return parts[0] in inside and (len(parts) == 1 or (len(parts) == 2 and parts[1] in inside[parts[0]]))


def test_every_dotted_name_in_words_exists():
    missing = [
        f"{file.relative_to(ROOT)}: {found[0]}"
        for file in texts()
        if file != Path(__file__)
        for found in DOTTED.finditer(words_of(file))
        if found[0] not in GROUPS and found[0].split(".")[-1] not in FILES and not exists(found[0])
    ]
    assert missing == []


def test_every_path_in_words_exists():
    missing = [
        f"{file.relative_to(ROOT)}: {found[0]}"
        for file in texts()
        if file.suffix in (".md", ".toml", "", ".in", ".yml", ".yaml")
        for found in PATH.finditer(file.read_text(encoding="utf-8"))
        if not (ROOT / found[0]).exists()
    ]
    assert missing == []


def test_what_is_run_with_python_m_is_a_program():
    for file in texts():
        for found in re.finditer(
            r"python3? -m ((?:tools|export|training|tests)[\w.]*)", file.read_text(encoding="utf-8")
        ):
            module = ROOT / found[1].replace(".", "/")
            program = module / "__main__.py" if module.is_dir() else module.with_suffix(".py")
            assert program.is_file(), f"{file.relative_to(ROOT)}: {found[0]}"
            assert '__name__ == "__main__"' in program.read_text(encoding="utf-8") or program.stem == "__main__"


def test_entry_points_and_files_of_the_package_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    points = [project["project"]["scripts"], *project["project"]["entry-points"].values()]
    for point in (target for group in points for target in group.values()):
        assert exists(point), point
    for package, patterns in project["tool"]["setuptools"]["package-data"].items():
        for pattern in patterns:
            assert any((ROOT / package.replace(".", "/")).glob(pattern)), f"{package}: {pattern}"


@pytest.mark.parametrize(
    "name", ["a2m_edge.nothing", "a2m_edge.cli.nothing", "kiosk.commands:nothing", "export.nothing.x"]
)
def test_a_name_that_is_gone_is_noticed(name):
    assert DOTTED.search(f"see ``{name}``")
    assert not exists(name)

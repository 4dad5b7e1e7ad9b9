"""Line ends: git leaves those of this repository alone, and a bundle whose line ends were changed says so."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from a2m_edge.bundle import open_bundle, seal_bundle
from a2m_edge.bundle.manifest import FileRecord
from a2m_edge.bundle.plain_files import line_ends_differ, record_plain_file
from a2m_edge.errors import BundleError
from tests.fixtures.manifests import MANIFEST
from tests.fixtures.places import ROOT, TINY_BUNDLE

CHANGED = "the line ends of {} were changed, .* git clone -c core.autocrlf=false"


def git(*arguments: str | Path, place: Path) -> None:
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    people = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    subprocess.run(
        ["git", *people, *map(str, arguments)], cwd=place, check=True, capture_output=True, env=os.environ | alone
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository that holds the tiny bundle and nothing else."""
    repository = tmp_path / "repository"
    shutil.copytree(TINY_BUNDLE, repository / "bundle")
    git("init", "--quiet", place=repository)
    git("add", ".", place=repository)
    git("commit", "--quiet", "--message", "a bundle", place=repository)
    return repository


def cloned(repository: Path, setting: str) -> Path:
    clone = repository.with_name("clone")
    git("clone", "--quiet", "--config", setting, repository, clone, place=repository)
    return clone / "bundle"


@pytest.mark.parametrize("setting", ["core.autocrlf=true", "core.eol=crlf"])
def test_a_clone_of_this_repository_has_the_bundle_that_was_committed(repository, setting):
    shutil.copy(ROOT / ".gitattributes", repository)
    git("add", ".", place=repository)
    git("commit", "--quiet", "--message", "as it is", place=repository)
    assert open_bundle(cloned(repository, setting)).hash == open_bundle(TINY_BUNDLE).hash


def test_a_clone_whose_line_ends_git_changed_says_so(repository):
    with pytest.raises(BundleError, match=CHANGED.format(r"\S+\.(md|json)")):
        open_bundle(cloned(repository, "core.autocrlf=true"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sealed bundle whose files are lines of text."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    for name in MANIFEST.needed_files:
        (folder / name).write_bytes(f"{{\n  {name}\n\n}}\n".encode())
    seal_bundle(folder, MANIFEST)
    return folder


@pytest.mark.parametrize("name", MANIFEST.needed_files)
def test_every_file_of_a_bundle_tells_that_its_line_ends_were_changed(folder, name):
    path = folder / name
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    with pytest.raises(BundleError, match=CHANGED.format(re.escape(name))):
        open_bundle(folder)
    path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))
    open_bundle(folder)


@pytest.mark.parametrize("name", ["MODEL_CARD.md", "vocoder.onnx"])
def test_line_ends_that_were_taken_away_are_told_too(folder, name):
    path = folder / name
    path.write_bytes(b"\x08\x07\r\n\xff\r\n")
    seal_bundle(folder, MANIFEST)
    path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))
    with pytest.raises(BundleError, match=CHANGED.format(re.escape(name))):
        open_bundle(folder)


def test_what_else_was_done_to_a_file_is_not_put_down_to_line_ends(folder):
    path = folder / "tokenizer.json"
    for altered in (b"{\r\n  tokenizer.jsom\r\n\r\n}\r\n", b"", b"\r\n", path.read_bytes() + b"\n"):
        path.write_bytes(altered)
        with pytest.raises(BundleError, match=re.escape("tokenizer.json was altered; copy the bundle again")):
            open_bundle(folder)


def test_a_file_far_too_large_is_not_read_for_its_line_ends(folder):
    with (folder / "MODEL_CARD.md").open("r+b") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(BundleError, match=re.escape("MODEL_CARD.md was altered")):
        open_bundle(folder)


def test_a_manifest_says_and_hashes_the_same_with_other_line_ends(folder):
    before = open_bundle(folder)
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    after = open_bundle(folder)
    assert (after.hash, after.manifest) == (before.hash, before.manifest)


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"\0\xff"]), max_size=40), st.integers(1, 7))
@settings(max_examples=200, deadline=None)
def test_wherever_a_file_is_cut_into_pieces_its_line_ends_are_found(tmp_path_factory, parts, chunk):
    """Text whose lines end in LF alone is known again when it is given CRLF, and the other way round."""
    text = b"".join(parts).replace(b"\r", b"")
    path = tmp_path_factory.getbasetemp() / "file"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("a2m_edge.bundle.plain_files._CHUNK", chunk)
        for now, before in (text.replace(b"\n", b"\r\n"), text), (text, text.replace(b"\n", b"\r\n")):
            path.write_bytes(before)
            stated = record_plain_file(path)
            path.write_bytes(now)
            assert line_ends_differ(path, stated) == (b"\n" in text)
            assert not line_ends_differ(path, FileRecord("0" * 64, stated.size))

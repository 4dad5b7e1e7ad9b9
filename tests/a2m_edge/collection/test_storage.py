"""Results in storage that fsspec reaches: one that renames what is whole, and a real S3 server on loopback (moto)."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import Any

import fsspec
import pytest

from a2m_edge.collection.index import Index, Record
from a2m_edge.collection.storage.folders import LocalStorage
from a2m_edge.collection.storage.places import local_path, open_storage
from a2m_edge.collection.storage.remote import CLAIMED, PARTS, RemoteStorage
from a2m_edge.errors import OptionError, OutputError
from a2m_edge.ledger import LEDGER
from tests.fixtures.collection.runs import command, paint_works
from tests.fixtures.programs import ENVIRONMENT, finished


@dataclass(frozen=True)
class Shelf:
    """Storage that is empty at first.

    Attributes:
        address: of a place in it, as users write it.
        files: what fsspec reaches it by.
        root: the place as ``files`` knows it.
        told: variables that tell a program where it is.
    """

    address: str
    files: Any
    root: str
    told: dict[str, str]

    def names(self) -> set[str]:
        """What is there."""
        self.files.invalidate_cache()
        return {path.removeprefix(f"{self.root}/") for path in self.files.find(self.root)}

    def read(self, name: str) -> bytes:
        """A file of it."""
        content: bytes = self.files.cat_file(f"{self.root}/{name}")
        return content


@pytest.fixture(scope="module")
def server():
    """An S3 server on this machine."""
    moto = pytest.importorskip("moto.server", reason='no S3 server is installed: pip install "moto[s3,server]" s3fs')
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server.get_host_and_port()
    server.stop()


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.slow)])
def shelf(request, tmp_path, monkeypatch):
    """A folder that is reached as if it were far away, and a bucket of S3."""
    open_storage.cache_clear()
    if request.param == "local":
        root = str(tmp_path / "shelf")
        yield Shelf(f"local://{root}", fsspec.filesystem("local"), root, {})
        return
    host, port = request.getfixturevalue("server")
    told = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    files = fsspec.filesystem("s3", skip_instance_cache=True)
    files.mkdir("museum")
    yield Shelf("s3://museum/spring/songs", files, "museum/spring/songs", told)
    files.rm("museum", recursive=True)


@pytest.fixture(scope="module")
def works(tmp_path_factory):
    """Four small paintings."""
    return paint_works(tmp_path_factory.mktemp("works"), 4)


def run(shelf, *arguments, expected=0):
    return finished(command(*arguments), expected, shelf.told).stderr


def test_what_is_stored_elsewhere_are_the_very_files_of_a_folder(works, shelf, tmp_path):
    folder = tmp_path / "folder"
    arguments = (works, "--seconds", 2, "--workers", 1, "--contact-sheet")
    run(shelf, *arguments, "-o", folder)
    assert "4 rendered" in run(shelf, *arguments, "-o", shelf.address)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {".lock", LEDGER}
    assert shelf.names() - {CLAIMED} == names
    for name in names:
        if name.startswith(("sounds/", "thumbnails/")):
            assert shelf.read(name) == (folder / name).read_bytes()
    index = [json.loads(line) for line in shelf.read("index.jsonl").splitlines()]
    for record in index:
        assert record["sha256"] == hashlib.sha256(shelf.read(record["sound"])).hexdigest()
    shelf.files.rm_file(f"{shelf.root}/{index[2]['sound']}")
    assert "1 rendered, 3 as before" in run(shelf, *arguments, "-o", f"{shelf.address}/")
    assert shelf.names() - {CLAIMED} == names


def test_what_others_stored_is_not_replaced(works, shelf):
    arguments = (works, "--seconds", 1, "--workers", 1, "--contact-sheet", "-o", shelf.address)
    shelf.files.makedirs(f"{shelf.root}/sounds", exist_ok=True)
    for name in ("sounds/work_1.flac", "contact_sheet.html", "index.csv", "index.jsonl"):
        shelf.files.pipe_file(f"{shelf.root}/{name}", b"precious")
    said = run(shelf, *arguments, expected=2)
    assert "sounds/work_1.flac is not as a2m-edge wrote it, or never was a2m-edge's, and so are 1 more" in said
    assert shelf.read("contact_sheet.html") == b"precious"
    shelf.files.rm_file(f"{shelf.root}/sounds/work_1.flac")
    shelf.files.rm_file(f"{shelf.root}/contact_sheet.html")
    assert "4 rendered" in run(shelf, *arguments)
    assert shelf.read("index.csv") == shelf.read("index.jsonl") == b"precious"
    assert {"a2m-edge-index.csv", "a2m-edge-index.jsonl"} <= shelf.names()
    assert "4 as before" in run(shelf, *arguments)
    shelf.files.pipe_file(f"{shelf.root}/sounds/work_1.flac", b"shortened by hand")
    assert "sounds/work_1.flac is not" in run(shelf, *arguments, expected=2)
    assert "1 rendered, 3 as before" in run(shelf, *arguments, "--force")


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_from_what_was_stored(works, shelf):
    arguments = (works, "-o", shelf.address, "--seconds", 2, "--workers", 1)
    process = subprocess.Popen(
        command(*arguments), env=ENVIRONMENT | shelf.told, stderr=subprocess.DEVNULL, start_new_session=True
    )
    while not any(name.startswith("sounds/") for name in shelf.names()):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    run(shelf, *arguments)
    assert len([name for name in shelf.names() if name.startswith("sounds/") and name.endswith(".flac")]) == 4
    assert "0 rendered, 4 as before" in run(shelf, *arguments)


def test_lines_of_the_index_are_stored_in_parts_and_joined_at_the_end(shelf, monkeypatch):
    monkeypatch.setattr("a2m_edge.collection.storage.remote.PART_SECONDS", 0.0)
    storage = RemoteStorage(shelf.address)
    with Index(storage) as index:
        for number in range(3):
            index.add(Record(f"work-{number}", None, "so calm", 1.0, 0))
        assert len(storage.names(PARTS)) == 3
        killed = Index(RemoteStorage(shelf.address))  # as another process finds it, had this one been killed
        assert list(killed.latest) == ["work-0", "work-1", "work-2"]
    assert shelf.names() == {"index.jsonl"}
    assert list(Index(storage).latest) == ["work-0", "work-1", "work-2"]


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_rendered(works, shelf, tmp_path):
    (tmp_path / "file").write_text("no folder")
    wrong = f"local://{tmp_path}/file/songs" if shelf.address.startswith("local") else "s3://no-such-bucket/songs"
    message = run(shelf, works, "-o", wrong, expected=2)
    assert f"cannot use {wrong}" in message
    assert "check the address" in message


def test_an_unknown_scheme_and_another_computers_folder_are_refused(works):
    with pytest.raises(OptionError, match="nowhere"):
        open_storage("nowhere://folder")
    with pytest.raises(OptionError, match="names another computer"):
        local_path("file://elsewhere/folder")


def test_a_file_address_is_a_folder(tmp_path):
    storage = open_storage(f"file://{tmp_path}/a%20b")
    assert isinstance(storage, LocalStorage)
    with storage.held():
        storage.write("sounds/a.flac", b"sound")
    assert (tmp_path / "a b" / "sounds" / "a.flac").read_bytes() == b"sound"
    with pytest.raises(OutputError, match="cannot write"):
        storage.write("no/such/folder/a.flac", b"sound")


def test_where_a_write_can_be_seen_half_done_a_file_gets_its_name_when_it_is_whole(tmp_path):
    storage = RemoteStorage(f"local://{tmp_path}/songs")
    with storage.held():
        storage.write("sounds/a.flac", b"sound")
        storage.write("sounds/a.flac", b"another sound")
    assert [path.name for path in (tmp_path / "songs" / "sounds").iterdir()] == ["a.flac"]
    assert storage.has("sounds/a.flac", len(b"another sound"), "")
    assert not storage.has("sounds/b.flac", 1, "")

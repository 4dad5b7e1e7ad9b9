"""Results in storage that fsspec reaches: a real S3 server on loopback (moto), and a server that can only rename."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time

import pytest

from a2m_edge.collection.index import Index, Record
from a2m_edge.collection.places import local_path, open_storage
from a2m_edge.collection.remote_storage import PARTS, RemoteStorage
from a2m_edge.collection.storage import LocalStorage
from a2m_edge.errors import OptionError, OutputError
from tests.test_collection import ENVIRONMENT, command, paint

BUCKET = "museum"


@pytest.fixture(scope="module")
def s3():
    """A bucket on a server of this machine; gives what a program must be told to find it."""
    moto = pytest.importorskip("moto.server", reason="moto is not installed")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    told = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    yield told
    server.stop()


@pytest.fixture
def bucket(s3, monkeypatch):
    """The files of an empty bucket."""
    import s3fs

    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    open_storage.cache_clear()
    files = s3fs.S3FileSystem(skip_instance_cache=True)
    files.mkdir(BUCKET)
    yield files
    files.rm(BUCKET, recursive=True)


@pytest.fixture(scope="module")
def works(tmp_path_factory):
    """Four small paintings."""
    folder = tmp_path_factory.mktemp("works")
    for number in range(4):
        paint(folder / f"work {number}.png", number)
    return folder


def run(s3, *arguments, expected=0):
    done = subprocess.run(
        command(*arguments), check=False, capture_output=True, timeout=300, env=ENVIRONMENT | s3, text=True
    )
    assert done.returncode == expected, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def listed(files, place):
    files.invalidate_cache()
    return {path.removeprefix(f"{place}/") for path in files.find(place)}


def test_a_run_into_a_bucket_holds_the_very_files_of_a_folder(works, s3, bucket, tmp_path):
    place = f"{BUCKET}/spring/songs"
    arguments = (works, "--seconds", 2, "--workers", 1, "--contact-sheet")
    run(s3, *arguments, "-o", tmp_path)
    assert "4 rendered" in run(s3, *arguments, "-o", f"s3://{place}")
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} - {".lock"}
    assert listed(bucket, place) == names
    for name in names:
        if name.startswith(("sounds/", "thumbnails/")):
            assert bucket.cat_file(f"{place}/{name}") == (tmp_path / name).read_bytes()
    index = [json.loads(line) for line in bucket.cat_file(f"{place}/index.jsonl").splitlines()]
    for record in index:
        assert record["sha256"] == hashlib.sha256(bucket.cat_file(f"{place}/{record['sound']}")).hexdigest()
    bucket.rm_file(f"{place}/{index[2]['sound']}")
    assert "1 rendered, 3 as before" in run(s3, *arguments, "-o", f"s3://{place}/")
    assert listed(bucket, place) == names


def test_a_run_that_is_killed_goes_on_from_what_was_stored(works, s3, bucket):
    place = f"{BUCKET}/autumn"
    arguments = command(works, "-o", f"s3://{place}", "--seconds", 2, "--workers", 1)
    process = subprocess.Popen(arguments, env=ENVIRONMENT | s3, stderr=subprocess.DEVNULL, start_new_session=True)
    while not any(name.startswith("sounds/") for name in listed(bucket, place)):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    run(s3, works, "-o", f"s3://{place}", "--seconds", 2, "--workers", 1)
    assert len([name for name in listed(bucket, place) if name.startswith("sounds/")]) == 4
    assert "0 rendered, 4 as before" in run(s3, works, "-o", f"s3://{place}", "--seconds", 2, "--workers", 1)


def test_lines_of_the_index_are_stored_in_parts_and_joined_at_the_end(bucket, monkeypatch):
    monkeypatch.setattr("a2m_edge.collection.remote_storage.PART_SECONDS", 0.0)
    place = f"{BUCKET}/winter"
    storage = RemoteStorage(f"s3://{place}")
    with Index(storage) as index:
        for number in range(3):
            index.add(Record(f"work-{number}", None, "so calm", 1.0, 0))
        assert len(storage.names(PARTS)) == 3
        killed = Index(RemoteStorage(f"s3://{place}"))  # as another process finds it, had this one been killed
        assert list(killed.latest) == ["work-0", "work-1", "work-2"]
    assert listed(bucket, place) == {"index.jsonl"}
    assert list(Index(storage).latest) == ["work-0", "work-1", "work-2"]


def test_a_bucket_that_is_not_there_is_refused_before_anything_is_rendered(works, s3, bucket):
    message = run(s3, works, "-o", "s3://no-such-bucket/songs", expected=2)
    assert "cannot use s3://no-such-bucket/songs" in message
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

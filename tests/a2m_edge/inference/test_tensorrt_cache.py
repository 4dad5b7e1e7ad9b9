"""The folder of engines: what was not built here is found out, whatever way it came."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from a2m_edge.errors import EngineCacheError
from a2m_edge.inference.devices import Gpu
from a2m_edge.inference.shapes import Profile
from a2m_edge.inference.tensorrt.cache import RECORD, EngineCache, EngineKey, cache_folder

GPU = Gpu("NVIDIA Test", "8.9", "ab" * 16, "13.0")
RANGE = Profile({"mel": (1, 80, 1)}, {"mel": (1, 80, 58)}, {"mel": (1, 80, 538)})
KEY = EngineKey(
    "vocoder",
    {"vocoder.onnx": "1" * 64, "weights.bin": "2" * 64},
    "fp32",
    "TensorRT 11.4.0",
    GPU,
    (RANGE,),
    {"tf32": "0"},
)
PLAN = b"a plan, built here"
ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="only root can do this")


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "a2m-edge" / "engines")


def built(cache: EngineCache, key: EngineKey = KEY, plan: bytes = PLAN):
    with cache.locked():
        cache.prepare(key)
        cache.write(key, "engine.plan", plan)
        return cache.seal(key, {"difference": 1e-5}, 61.5)


def test_what_was_built_here_is_found_again(cache, caplog):
    with caplog.at_level(logging.INFO):
        assert cache.find(KEY) is None
        record = built(cache)
        again = EngineCache(cache.folder).find(KEY)
    assert again is not None
    assert again == record
    assert (again.key, again.parity, again.seconds) == (KEY, {"difference": 1e-5}, 61.5)
    assert cache.read(again, "engine.plan") == PLAN
    assert caplog.records == []


@pytest.mark.parametrize(
    "changed",
    [
        {"graph": "text_encoder"},
        {"files": {**KEY.files, "vocoder.onnx": "3" * 64}},
        {"files": {**KEY.files, "weights.bin": "3" * 64}},
        {"files": {"vocoder.onnx": "1" * 64}},
        {"precision": "fp16"},
        {"builder": "TensorRT 11.4.1"},
        {"gpu": replace(GPU, name="NVIDIA Other")},
        {"gpu": replace(GPU, capability="9.0")},
        {"gpu": replace(GPU, uuid="cd" * 16)},
        {"gpu": replace(GPU, cuda="13.1")},
        {"profiles": (replace(RANGE, usual={"mel": (1, 80, 59)}),)},
        {"profiles": (RANGE, RANGE)},
        {"settings": {"tf32": "1"}},
    ],
)
def test_another_key_is_another_engine(cache, changed):
    built(cache)
    assert cache.find(KEY) is not None
    assert cache.find(replace(KEY, **changed)) is None


def test_the_folder_is_for_its_user_alone(cache):
    built(cache)
    for path in (cache.folder.parent, cache.folder, cache.path(KEY)):
        assert path.stat().st_mode & 0o777 == 0o700
    assert (cache.folder / "secret").stat().st_mode & 0o777 == 0o600


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def edit_record(cache: EngineCache, change) -> None:
    path = cache.path(KEY) / RECORD
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def link_plan(cache: EngineCache) -> None:
    plan = cache.path(KEY) / "engine.plan"
    plan.rename(cache.folder / "elsewhere")
    plan.symlink_to(cache.folder / "elsewhere")


def replace_record_by_a_pipe(cache: EngineCache) -> None:
    (cache.path(KEY) / RECORD).unlink()
    os.mkfifo(cache.path(KEY) / RECORD)


def copy_from_another_user(cache: EngineCache) -> None:
    other = EngineCache(cache.folder.parent.parent / "other" / "engines")
    built(other, plan=b"a plan, built elsewhere")
    shutil.rmtree(cache.path(KEY))
    shutil.copytree(other.path(KEY), cache.path(KEY))


def rename_another_engine(cache: EngineCache) -> None:
    other = replace(KEY, precision="fp16")
    built(cache, other, b"a plan of another graph")
    shutil.rmtree(cache.path(KEY))
    cache.path(other).rename(cache.path(KEY))


TAMPERED = {
    "plan altered": lambda cache: flip(cache.path(KEY) / "engine.plan"),
    "plan longer": lambda cache: (cache.path(KEY) / "engine.plan").write_bytes(PLAN + b" and more"),
    "plan replaced by a link to itself": link_plan,
    "plan replaced by a folder": lambda cache: (
        (cache.path(KEY) / "engine.plan").unlink(),
        (cache.path(KEY) / "engine.plan").mkdir(),
    ),
    "a file added": lambda cache: (cache.path(KEY) / "more.plan").write_bytes(b""),
    "record altered": lambda cache: flip(cache.path(KEY) / RECORD),
    "record truncated": lambda cache: os.truncate(cache.path(KEY) / RECORD, 100),
    "record empty": lambda cache: os.truncate(cache.path(KEY) / RECORD, 0),
    "record endless": lambda cache: os.truncate(cache.path(KEY) / RECORD, 1 << 30),
    "record replaced by a pipe": replace_record_by_a_pipe,
    "parity altered": lambda cache: edit_record(cache, lambda v: v["record"]["parity"].update(difference=0.0)),
    "mark altered": lambda cache: edit_record(cache, lambda v: v.update(mac="0" * 64)),
    "mark in other letters": lambda cache: edit_record(cache, lambda v: v.update(mac="\u00e9")),
    "hash of the plan altered": lambda cache: edit_record(
        cache, lambda v: v["record"]["files"]["engine.plan"].update(sha256="0" * 64)
    ),
    "copied from another user": copy_from_another_user,
    "another engine under this name": rename_another_engine,
    "secret altered": lambda cache: flip(cache.folder / "secret"),
    "secret truncated": lambda cache: os.truncate(cache.folder / "secret", 16),
    "secret removed": lambda cache: (cache.folder / "secret").unlink(),
    "secret readable by others": lambda cache: (cache.folder / "secret").chmod(0o644),
    "secret replaced by a link": lambda cache: (
        (cache.folder / "secret").rename(cache.folder / "moved"),
        (cache.folder / "secret").symlink_to("moved"),
    ),
}


@pytest.mark.parametrize("way", TAMPERED)
def test_what_was_tampered_with_is_not_found_and_a_warning_says_so(cache, caplog, way):
    built(cache)
    TAMPERED[way](cache)
    with caplog.at_level(logging.WARNING):
        assert cache.find(KEY) is None
    assert any("not built here or was altered" in record.message for record in caplog.records)
    record = built(cache, plan=b"a new plan")  # and all is well after a new build
    assert cache.find(KEY) == record
    assert cache.read(record, "engine.plan") == b"a new plan"


def test_a_plan_that_changes_after_it_was_found_is_not_given_out(cache):
    record = built(cache)
    flip(cache.path(KEY) / "engine.plan")
    with pytest.raises(EngineCacheError, match="altered while it was opened"):
        cache.read(record, "engine.plan")


def test_an_interrupted_build_leaves_nothing_that_is_found(cache, caplog):
    with cache.locked():
        cache.prepare(KEY)
        cache.write(KEY, "engine.plan", PLAN)
    assert cache.find(KEY) is None
    assert caplog.records == []  # nobody tampered


def test_engines_built_before_the_secret_was_lost_are_refused_after_it_was_replaced(cache):
    other = replace(KEY, precision="fp16")
    built(cache)
    (cache.folder / "secret").unlink()
    built(cache, other)
    assert cache.find(other) is not None
    assert cache.find(KEY) is None


@given(content=st.binary(max_size=300))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_record_of_other_content_is_accepted(cache, content):
    record = built(cache)
    (cache.path(KEY) / RECORD).write_bytes(content)
    assert cache.find(KEY) is None
    assert built(cache) == record


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
@pytest.mark.parametrize("which", ["engines", "a2m-edge"])
def test_a_folder_that_others_may_write_to_is_refused(tmp_path, mode, which):
    folder = tmp_path / "a2m-edge" / "engines"
    folder.mkdir(parents=True, mode=0o700)
    target = folder if which == "engines" else folder.parent
    target.chmod(mode)
    with pytest.raises(EngineCacheError, match=rf"others may write.*chmod 700 {target}"):
        EngineCache(folder)


@needs_root
def test_a_folder_of_another_user_is_refused(tmp_path):
    folder = tmp_path / "a2m-edge" / "engines"
    folder.mkdir(parents=True, mode=0o700)
    os.chown(folder, 65534, 65534)
    with pytest.raises(EngineCacheError, match="belongs to another user"):
        EngineCache(folder)


def test_a_link_is_no_folder(tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "a2m-edge").mkdir(mode=0o700)
    (tmp_path / "a2m-edge" / "engines").symlink_to(tmp_path / "real")
    with pytest.raises(EngineCacheError, match="is no folder"):
        EngineCache(tmp_path / "a2m-edge" / "engines")


def test_a_place_that_cannot_be_written_is_named_with_the_way_out(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EngineCacheError, match=r"cannot be used \(Not a directory\).*XDG_CACHE_HOME"):
        EngineCache(tmp_path / "file" / "cache" / "a2m-edge" / "engines")


@pytest.mark.skipif(ROOT, reason="root may write everywhere")
def test_a_folder_without_permission_is_named_with_the_way_out(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(EngineCacheError, match="Permission denied"):
        EngineCache(tmp_path / "a2m-edge" / "engines")


@pytest.mark.parametrize(
    ("variable", "expected"),
    [("/some/cache", "/some/cache"), ("", "{home}/.cache"), ("relative/cache", "{home}/.cache")],
)
def test_the_place_follows_the_users_cache_folder(monkeypatch, tmp_path, variable, expected):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", variable)
    assert cache_folder() == Path(expected.format(home=tmp_path)) / "a2m-edge" / "engines"


@pytest.fixture
def small_disk(tmp_path: Path):
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", str(folder)]
    if not ROOT or shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_found_before_the_build_and_after_it(small_disk):
    cache = EngineCache(small_disk / "a2m-edge" / "engines")
    with pytest.raises(EngineCacheError, match=r"MiB left.*XDG_CACHE_HOME"):
        cache.require_space(1)
    with cache.locked():
        cache.prepare(KEY)
        with pytest.raises(EngineCacheError, match=r"No space left on device.*XDG_CACHE_HOME"):
            cache.write(KEY, "engine.plan", bytes(1 << 20))
    assert list(cache.path(KEY).iterdir()) == []
    assert cache.find(KEY) is None


COUNT_UNDER_LOCK = """
import sys
from pathlib import Path
from a2m_edge.inference.tensorrt.cache import EngineCache
cache, counter = EngineCache(Path(sys.argv[1])), Path(sys.argv[2])
for _ in range(200):
    with cache.locked():
        counter.write_text(str(int(counter.read_text()) + 1))
"""


def test_two_processes_never_build_at_once(cache, tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")
    command = [sys.executable, "-c", COUNT_UNDER_LOCK, str(cache.folder), str(counter)]
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert counter.read_text() == "400"


def test_the_lock_is_free_again_after_a_failed_build(cache):
    with contextlib.suppress(RuntimeError), cache.locked():
        raise RuntimeError
    with cache.locked():
        pass


def test_the_engines_that_were_not_used_for_longest_go_first(tmp_path):
    cache = EngineCache(tmp_path / "a2m-edge" / "engines", limit=40_000)
    keys = [replace(KEY, builder=f"TensorRT 11.{number}") for number in range(4)]
    for age, key in enumerate(keys[:3]):
        built(cache, key, bytes(12_000))
        os.utime(cache.path(key) / RECORD, (1000 + age, 1000 + age))
    cache.find(keys[0])  # used now: the second is the oldest
    built(cache, keys[3], bytes(12_000))
    assert [cache.find(key) is not None for key in keys] == [True, False, True, True]


def test_an_engine_above_the_limit_is_kept_while_it_is_the_newest(tmp_path):
    cache = EngineCache(tmp_path / "a2m-edge" / "engines", limit=1000)
    built(cache, plan=bytes(5000))
    assert cache.find(KEY) is not None


def test_an_old_engine_that_cannot_be_removed_costs_no_new_one(tmp_path, monkeypatch, caplog):
    cache = EngineCache(tmp_path / "a2m-edge" / "engines", limit=1000)
    old, new = (replace(KEY, builder=f"TensorRT 11.{number}") for number in range(2))
    built(cache, old, bytes(5000))
    remove = shutil.rmtree

    def refused(path, *arguments):
        if path == cache.path(old):
            raise PermissionError(1, "Operation not permitted")
        remove(path, *arguments)

    monkeypatch.setattr(shutil, "rmtree", refused)
    built(cache, new, bytes(5000))
    assert cache.find(new) is not None
    assert "cannot be removed: Operation not permitted" in caplog.text

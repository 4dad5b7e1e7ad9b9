"""A bundle takes its place when it is whole; until then, and whatever ends the work, the old one stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from a2m_edge.bundle.manifest import MANIFEST
from a2m_edge.bundle.placement import folder_beside, placed_when_whole, refuse
from a2m_edge.errors import OutputError


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where an old bundle stands."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / MANIFEST).write_text("old")
    return folder


def test_the_new_one_takes_the_place_of_the_old(out: Path) -> None:
    with placed_when_whole(out) as folder:
        (folder / MANIFEST).write_text("new")
        assert (out / MANIFEST).read_text() == "old"
    assert (out / MANIFEST).read_text() == "new"
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("name", ["bundle", "whole"])
def test_the_old_one_stays_where_a_rename_is_interrupted(
    out: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], name: str
) -> None:
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if self.name == name:
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises((KeyboardInterrupt, OutputError)), placed_when_whole(out) as folder:
        (folder / MANIFEST).write_text("new")
    assert (out / MANIFEST).read_text() == "old"
    assert list(out.parent.iterdir()) == [out]


def test_the_new_one_stays_where_the_interruption_comes_after_it(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        renamed = rename(self, target)
        if self.name == "whole":
            raise KeyboardInterrupt
        return renamed

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), placed_when_whole(out) as folder:
        (folder / MANIFEST).write_text("new")
    assert (out / MANIFEST).read_text() == "new"
    assert list(out.parent.iterdir()) == [out]


def test_a_command_that_is_ended_leaves_no_gigabytes_behind(out: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from a2m_edge.output import terminable; from a2m_edge.bundle.placement import folder_beside\n"
        "with terminable(), folder_beside(Path(sys.argv[1])) as aside:\n"
        "    (aside / 'weights').write_bytes(bytes(1000)); os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(out)], check=False)
    assert done.returncode == 128 + signal.SIGTERM
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("place", [".", "..", "bundle/..", "/"])
def test_a_folder_that_cannot_be_renamed_is_refused_at_once(
    out: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(out.parent)
    with pytest.raises(OutputError, match=r"no other folder can take its place; name a folder in it"):
        refuse(Path(place))


def test_an_empty_disk_is_refused_at_once(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a file system")
    try:
        with pytest.raises(OutputError, match="name a folder in it"):
            refuse(disk)
        refuse(disk / "bundle")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_an_empty_folder_may_be_taken(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refuse(tmp_path / "empty")
    with placed_when_whole(tmp_path / "empty") as folder:
        (folder / MANIFEST).write_text("new")
    assert (tmp_path / "empty" / MANIFEST).is_file()


def test_what_goes_wrong_in_the_block_is_one_sentence(out: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write the bundle .*No space left"), folder_beside(out):
        raise OSError(28, "No space left on device")
    assert list(out.parent.iterdir()) == [out]

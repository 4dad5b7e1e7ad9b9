"""What the hook before a commit asks of files, and that the texts of this repository are so."""

from __future__ import annotations

import pytest

from tests.test_names import texts
from tools.check_files import LARGEST, faults


def test_every_text_of_the_repository_is_as_the_hook_wants_it():
    assert [fault for file in texts() for fault in faults(file)] == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"one\ntwo", "must end with one line feed"),
        (b"one\n\n", "must end with one line feed"),
        (b"one\r\n", "ends of lines of another system"),
        (b"one \ntwo\n", "spaces at the end of a line"),
        (b"one\n<<<<<<< ours\ntwo\n", "marks of a conflict"),
        (b"\0" * (LARGEST + 1), r"2\.0 MiB, above 2: keep it out"),
    ],
)
def test_a_fault_is_told_with_its_file(tmp_path, content, words):
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(AssertionError, match=f"{file} .*{words}"):
        assert not faults(file), faults(file)[0]


@pytest.mark.parametrize("content", [b"", b"one\n", b"\0one", b"a title\n=======\n"])
def test_what_is_well_is_left_in_peace(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    assert faults(tmp_path / "file") == []

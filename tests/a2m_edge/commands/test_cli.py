"""The command line: what every command shares."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from a2m_edge import __version__

ROOM = """
import sys, time
import typer
from a2m_edge.errors import OptionError

def register(app: typer.Typer) -> None:
    @app.command()
    def fail() -> None:
        raise OptionError("seconds must be above 0,\\nnot \\x1b[31m-1")

    @app.command()
    def wait() -> None:
        print("ready", flush=True)
        time.sleep(60)

    @app.command()
    def sound() -> None:
        import numpy
        from a2m_edge.sound.wav import write_wav
        write_wav(sys.stdout.buffer, numpy.zeros(10**6, numpy.float32), 22050)

    @app.command()
    def mistake() -> None:
        raise KeyError("a mistake in the program")
"""


@pytest.fixture
def command(tmp_path: Path):
    """Starts a2m-edge where further rooms are installed: one that works, one that is gone, one that is broken."""
    information = tmp_path / "rooms-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: rooms\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[a2m_edge.commands]\nworks = room:register\ngone = no_such_room.commands:register\n"
        "broken = broken_room:register\n"
    )
    (tmp_path / "room.py").write_text(ROOM)
    (tmp_path / "broken_room.py").write_text("import a_library_that_is_not_installed\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}

    def start(*arguments: str, **options) -> subprocess.Popen:
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        program = Path(sys.executable).with_name("a2m-edge")
        return subprocess.Popen([program, *arguments], env=environment, text=True, **options)

    return start


def finish(process: subprocess.Popen) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_version(command):
    status, out, _ = finish(command("--version"))
    assert (status, out) == (0, f"a2m-edge {__version__}\n")
    assert version("a2m-edge") == __version__


def test_help_lists_the_rooms_that_are_there_and_names_the_broken_one(command):
    status, out, err = finish(command("--help"))
    assert status == 0
    for name in ("fail", "wait", "sound"):
        assert name in out
    assert err == "the commands of broken are left out: No module named 'a_library_that_is_not_installed'\n"


def test_an_error_that_the_user_can_mend_is_one_line_and_status_2(command):
    status, out, err = finish(command("fail"))
    assert (status, out) == (2, "")
    assert err.splitlines()[-1] == "a2m-edge: seconds must be above 0, not  [31m-1"
    assert "Traceback" not in err


@pytest.mark.parametrize("arguments", [["no-such-command"], ["--no-such-option"], ["fail", "too", "many"]])
def test_wrong_usage_is_status_2(command, arguments):
    status, _, err = finish(command(*arguments))
    assert status == 2
    assert "Error: " in err
    assert "Traceback" not in err


def test_without_a_command_the_help_is_shown(command):
    status, out, err = finish(command())
    assert status == 2
    assert "Commands:" in out + err


def test_control_c_ends_quietly_with_130(command):
    process = command("wait")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    status, out, err = finish(process)
    assert (status, out) == (130, "")
    assert "Traceback" not in err


@pytest.mark.parametrize("device", ["/dev/full", "closed pipe"])
def test_standard_output_that_takes_nothing_is_one_line_and_status_2(command, device):
    if device == "closed pipe":
        reading, writing = os.pipe()
        os.close(reading)
    else:
        writing = os.open(device, os.O_WRONLY)
    try:
        status, _, err = finish(command("sound", stdout=writing))
    finally:
        os.close(writing)
    assert status == 2
    assert err.splitlines()[-1].startswith("a2m-edge: cannot write the sound: ")
    assert len(err.splitlines()) == 2  # with the line about the broken room


def test_a_mistake_in_the_program_is_not_hidden(command):
    status, _, err = finish(command("mistake"))
    assert status == 1
    assert "KeyError" in err

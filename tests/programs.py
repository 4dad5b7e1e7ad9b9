"""Commands as users run them: to the end, or in a group of processes of their own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from a2m_edge import cli

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


def finished(
    command: Sequence[str],
    expected: int = 0,
    environment: dict[str, str] | None = None,
    patience: float = 300,
    **options: Any,
) -> subprocess.CompletedProcess[str]:
    """A command that ended with the expected status, and without a traceback."""
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        timeout=patience,
        env=ENVIRONMENT | (environment or {}),
        text=True,
        **options,
    )
    assert done.returncode == expected, done.stderr
    assert "Traceback" not in done.stderr
    return done


@contextlib.contextmanager
def running(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A command in a group of processes of its own, as a terminal makes it; nothing of it is left at the end."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        start_new_session=True,
        **options,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def spoken(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """``a2m-edge`` with these arguments, in this process: its status, and what it says on both streams."""
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, said.out + said.err

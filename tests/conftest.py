"""What the tests of several rooms share."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from a2m_edge.bundle import Bundle, open_bundle

ROOT = Path(__file__).resolve().parent.parent

if "PYTEST_XDIST_WORKER" in os.environ:
    # Several processes share the cores: threads of torch and numpy would only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in the background so, and every command that the tests interrupt would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the public data and weights that training starts from (A2M_SHARED, or ../shared)."""
    folder = Path(os.environ.get("A2M_SHARED", ROOT.parent / "shared"))
    if not (folder / "data" / "README.md").is_file():
        pytest.skip(f"there are no training data at {folder}: set A2M_SHARED to their folder")
    return folder


@pytest.fixture(scope="session")
def tiny_bundle() -> Bundle:
    """A complete bundle with very small random graphs."""
    return open_bundle(Path(__file__).parent / "tiny_bundle" / "bundle")


@pytest.fixture(scope="session")
def clip_bundle() -> Bundle:
    """The tiny bundle with a decoder that plays no score: clips of 64 frames, of which 32 fade into the next."""
    return open_bundle(Path(__file__).parent / "tiny_bundle" / "clip_bundle")

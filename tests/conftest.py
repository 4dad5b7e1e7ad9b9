"""What the tests of several rooms share."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from a2m_edge.bundle import Bundle, open_bundle
from tests.fixtures.accessible_pages import AXE
from tests.fixtures.places import CLIP_BUNDLE, SHARED, STEREO_BUNDLE, TINY_BUNDLE

if "PYTEST_XDIST_WORKER" in os.environ:
    # Several processes share the cores: threads of torch and numpy would only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# What the tests write is not noted on the list of whoever runs them.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="a2m-edge-state-")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in the background so, and every command that the tests interrupt would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the public data and weights that training starts from (A2M_SHARED, or ../shared)."""
    if not (SHARED / "data" / "README.md").is_file():
        pytest.skip(f"there are no training data at {SHARED}: set A2M_SHARED to their folder")
    return SHARED


@pytest.fixture(scope="session")
def tiny_bundle() -> Bundle:
    """A complete bundle with very small random graphs."""
    return open_bundle(TINY_BUNDLE)


@pytest.fixture(scope="session")
def stereo_bundle() -> Bundle:
    """The tiny bundle at 48 kHz in stereo: 128 bands up to 20 kHz, a frame every 512 samples."""
    return open_bundle(STEREO_BUNDLE)


@pytest.fixture(scope="session")
def clip_bundle() -> Bundle:
    """The tiny bundle with a decoder that plays no score: clips of 64 frames, of which 32 fade into the next."""
    return open_bundle(CLIP_BUNDLE)


@pytest.fixture(scope="session")
def axe(tmp_path_factory) -> str:
    """The text of axe-core, fetched by npm."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: run  sudo apt install npm")
    folder: Path = tmp_path_factory.mktemp("axe")
    got = subprocess.run(["npm", "pack", "--silent", AXE], cwd=folder, capture_output=True, text=True, timeout=300)
    if got.returncode != 0:
        pytest.skip(f"npm could not fetch {AXE}: {got.stderr.strip()[-200:]}")
    shutil.unpack_archive(next(folder.glob("*.tgz")), folder)
    return (folder / "package" / "axe.min.js").read_text(encoding="utf-8")

"""``import a2m_edge`` as another program uses it: light, typed, and the whole way from a picture to sound."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import assert_type

import numpy as np
import pytest

import a2m_edge
import a2m_edge.rendering.render as render_module
from a2m_edge import errors
from tests.fixtures.places import EXAMPLES, ROOT, TINY_BUNDLE

HOMES = {
    "open_bundle": "a2m_edge.bundle.opening",
    "Bundle": "a2m_edge.bundle.opening",
    "Soundscape": "a2m_edge.soundscape",
    "AudioChunk": "a2m_edge.sound.format",
    "read_picture": "a2m_edge.perception.pictures",
    "render": "a2m_edge.rendering.render",
    "Request": "a2m_edge.rendering.render",
    "write_render": "a2m_edge.rendering.render",
}
ERRORS = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}

PROGRAM = f"""
from pathlib import Path

import a2m_edge as package
from a2m_edge import *

bundle = package.open_bundle(Path({str(TINY_BUNDLE)!r}))
soundscape = Soundscape(bundle, seed=3)
reveal_type(bundle)
reveal_type(soundscape)
reveal_type([chunk for chunk in soundscape.chunks(8)])
reveal_type(package.render(package.Request(None, "calm"), bundle))
reveal_type(package.write_render)
reveal_type(package.MissingExtraError("a", "b").extra)
package.no_such_name
"""


def test_the_import_is_light_and_a_first_use_brings_the_rest() -> None:
    code = (
        "import json, os, sys, a2m_edge\n"
        "heavy = [{'numpy', 'cv2', 'onnxruntime', 'soundfile', 'tokenizers', 'rich', 'typer'} & {*sys.modules}]\n"
        "own = sorted(name for name in sys.modules if name.startswith('a2m_edge'))\n"
        "listed = dir(a2m_edge)\n"
        "after_dir = 'numpy' in sys.modules\n"
        "a2m_edge.Soundscape\n"
        "print(json.dumps([sorted(heavy[0]), own, listed, after_dir, 'numpy' in sys.modules,\n"
        "    os.environ['ORT_DISABLE_TELEMETRY']]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    heavy, own, listed, after_dir, after_use, telemetry = json.loads(done.stdout)
    assert heavy == []
    assert own == ["a2m_edge", "a2m_edge.addresses", "a2m_edge.errors", "a2m_edge.version"]
    assert {*listed} >= {*HOMES, *ERRORS, "__version__"}
    assert (after_dir, after_use, telemetry) == (False, True, "1")


@pytest.mark.parametrize("name", HOMES)
def test_a_name_is_the_object_of_its_home(name: str) -> None:
    assert getattr(a2m_edge, name) is getattr(importlib.import_module(HOMES[name]), name)


def test_the_package_offers_these_names_and_every_error() -> None:
    assert {*a2m_edge.__all__} == {*HOMES, *ERRORS, "__version__"}
    assert len(ERRORS) > 10
    assert all(getattr(a2m_edge, name) is getattr(errors, name) for name in ERRORS)


def test_render_is_the_function_whichever_module_was_imported() -> None:
    assert a2m_edge.render is render_module.render
    assert a2m_edge.rendering.render is render_module


def test_everything_can_be_imported_at_once() -> None:
    code = "from a2m_edge import *\nprint(*[name for name in globals() if name[0] != '_'])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert {*done.stdout.split()} == {*HOMES, *ERRORS}


def test_an_unknown_name_is_refused_as_python_does() -> None:
    with pytest.raises(AttributeError, match=r"^module 'a2m_edge' has no attribute 'no_such_name'$"):
        a2m_edge.no_such_name  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'no_such_name'"):
        from a2m_edge import no_such_name  # type: ignore[attr-defined]  # noqa: F401
    assert not hasattr(a2m_edge, "Render")


def test_a_picture_and_a_comment_become_sound() -> None:
    bundle = a2m_edge.open_bundle(TINY_BUNDLE)
    assert_type(bundle, a2m_edge.Bundle)
    soundscape = a2m_edge.Soundscape(bundle, seed=3, device="cpu", threads=1)
    with pytest.raises(a2m_edge.OptionError):
        soundscape.chunks(1)
    soundscape.see(np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8))
    soundscape.hear("The waves make me feel at peace")
    chunks = list(soundscape.chunks(100, 32))
    assert_type(chunks, list[a2m_edge.AudioChunk])
    assert [chunk.frames for chunk in chunks] == [32, 32, 32, 4]
    sound = np.concatenate([chunk.samples for chunk in chunks])
    assert sound.shape == (100 * bundle.manifest.audio.hop, bundle.manifest.audio.channels)
    assert sum(chunk.seconds for chunk in chunks) == pytest.approx(len(sound) / bundle.manifest.audio.sample_rate)
    assert np.abs(sound).max() > 1e-3


def test_a_render_is_written(tmp_path: Path) -> None:
    picture = sorted(EXAMPLES.glob("*.jpg"))[0]
    request = a2m_edge.Request(picture, "calm", seconds=0.5)
    a2m_edge.write_render(a2m_edge.render(request, a2m_edge.open_bundle(TINY_BUNDLE), device="cpu"), tmp_path / "a.wav")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.wav"]
    assert json.loads((tmp_path / "a.json").read_text())["picture"] == picture.name


@pytest.mark.slow
def test_a_type_checker_sees_every_name_of_the_package(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path}", str(program)]
    done = subprocess.run(command, cwd=tmp_path, env={"MYPYPATH": str(ROOT)}, capture_output=True, text=True)
    told = [line.split(": ", 2)[2] for line in done.stdout.splitlines() if line.startswith("program.py")]
    revealed = [line.removeprefix('Revealed type is "').removesuffix('"') for line in told]
    picture = "def (result: a2m_edge.rendering.render.Render, sound: pathlib.Path | typing.BinaryIO, "
    assert revealed == [
        "a2m_edge.bundle.opening.Bundle",
        "a2m_edge.soundscape.Soundscape",
        "list[a2m_edge.sound.format.AudioChunk]",
        "a2m_edge.rendering.render.Render",
        picture + "picture: pathlib.Path | None =)",
        "str",
        'Module has no attribute "no_such_name"  [attr-defined]',
    ]

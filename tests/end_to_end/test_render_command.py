"""``a2m-edge render`` and ``bundle`` as a user meets them: through the console script."""

import io
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile

PROGRAM = Path(sys.executable).with_name("a2m-edge")


@pytest.fixture(scope="module")
def painting(tmp_path_factory):
    path = tmp_path_factory.mktemp("paintings") / "Night street.jpg"
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    cv2.imwrite(str(path), cv2.resize(pixels, (320, 240), interpolation=cv2.INTER_CUBIC))
    return path


@pytest.fixture
def run(tmp_path, tiny_bundle):
    """Runs ``a2m-edge`` in an empty folder on one thread; ``render`` gets the tiny bundle unless it names one."""

    def run_program(*arguments, **options):
        command = [str(PROGRAM), *(str(argument) for argument in arguments)]
        if arguments[0] == "render" and "--bundle" not in command:
            command[2:2] = ["--bundle", str(tiny_bundle.path), "--device", "cpu"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        options = {"capture_output": True, "timeout": 300, "cwd": tmp_path, "env": environment} | options
        return subprocess.run(command, check=False, **options)

    return run_program


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def assert_refused(done, *words):
    message = done.stderr.decode()
    assert done.returncode == 2, message
    assert message.startswith("a2m-edge: ")
    assert message.count("\n") == 1
    assert "Traceback" not in message
    for word in words:
        assert word in message


def test_a_picture_and_a_comment_become_sound_facts_and_a_picture(run, painting, tmp_path):
    arguments = ("render", painting, "--comment", "🌧 so quiet, ולבד", "--seconds", 2.5, "--seed", 7)
    done = run(*arguments, "--picture", "night.png")
    assert done.returncode == 0, done.stderr
    assert done.stdout == b""
    assert names(tmp_path) == ["Night street.json", "Night street.wav", "night.png"]
    samples, rate = soundfile.read(tmp_path / "Night street.wav")
    assert (len(samples), rate) == (round(2.5 * 22050), 22050)
    assert 0.01 < np.abs(samples).max() < 0.9
    facts = json.loads((tmp_path / "Night street.json").read_text(encoding="utf-8"))
    assert facts["comment"] == "🌧 so quiet, ולבד"
    assert facts["comment_understood"] is True
    assert "the text encoder does not know all of the comment; it heard: 🌧 so quiet," in done.stderr.decode()
    assert facts["seed"] == 7

    first = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    assert run(*arguments, "--picture", "night.png").returncode == 0
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == first


def test_a_bundle_of_clips_renders_and_is_shown_and_verified(run, painting, clip_bundle, tmp_path):
    options = ("--bundle", clip_bundle.path, "--device", "cpu", "--picture", "night.png", "-o", "night.wav")
    done = run("render", painting, "--comment", "so quiet", "--seconds", 2.5, *options)
    assert done.returncode == 0, done.stderr
    assert names(tmp_path) == ["night.json", "night.png", "night.wav"]
    assert len(soundfile.read(tmp_path / "night.wav")[0]) == round(2.5 * 22050)
    assert json.loads((tmp_path / "night.json").read_text(encoding="utf-8"))["theme"] is None
    shown = run("bundle", "info", clip_bundle.path)
    assert shown.returncode == 0, shown.stderr
    assert "64 frames (0.7 s), of which the last 32 fade into the next" in shown.stdout.decode()
    assert "clarinet" not in shown.stdout.decode(), "no instrument is claimed that does not play"
    proven = run("bundle", "verify", clip_bundle.path, "--device", "cpu")
    assert proven.returncode == 0, proven.stderr
    assert "mel_decoder.onnx" in proven.stdout.decode()


def test_a_picture_alone_a_comment_alone_and_standard_output(run, painting, tmp_path):
    alone = run("render", painting, "--seconds", 1, "-o", "-")
    assert alone.returncode == 0, alone.stderr
    assert len(soundfile.read(io.BytesIO(alone.stdout))[0]) == 22050
    assert names(tmp_path) == []
    said = run("render", "--comment", "a quiet grief", "--seconds", 1)
    assert said.returncode == 0, said.stderr
    assert names(tmp_path) == ["soundscape.json", "soundscape.wav"]
    assert (tmp_path / "soundscape.wav").read_bytes() != alone.stdout


def test_a_long_comment_is_used_as_far_as_it_is_heard(run, tmp_path):
    done = run("render", "--comment", ("the sea is wide " * 700)[:10_000], "--seconds", 1)
    assert done.returncode == 0, done.stderr
    assert b"longer than the text encoder hears" in done.stderr
    assert (
        b"longer than the text encoder hears"
        in run("render", "--comment", "x " * 5_000, "--seconds", 1, "-o", "-").stderr
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), ["nothing to render"]),
        (("missing.jpg",), ["missing.jpg", "no such file"]),
        ((".",), ["folder"]),
        (("--comment", ""), ["comment is empty"]),
        (("--comment", " \x07\u202e\n"), ["comment is empty"]),
        (("--comment", "a" * 10_001), ["10,001 characters"]),
        (("--comment", "calm", "--seconds", "0"), ["--seconds", "0.1 to 600"]),
        (("--comment", "calm", "--seconds", "-3"), ["--seconds"]),
        (("--comment", "calm", "--seconds", "nan"), ["--seconds"]),
        (("--comment", "calm", "--seconds", "inf"), ["--seconds"]),
        (("--comment", "calm", "--seconds", "604800"), ["--seconds", "604800"]),
        (("--comment", "calm", "--seed", "-1"), ["--seed"]),
        (("--comment", "calm", "--device", "abacus"), ["abacus"]),
        (("--comment", "calm", "-o", "no/such/folder/a.wav"), ["no/such/folder", "create it first"]),
        (("--comment", "calm", "-o", "a.mp3"), ["a.mp3", ".wav"]),
        (("--comment", "calm", "--picture", "a.gif"), ["a.gif", ".png"]),
        (("--comment", "calm", "--bundle", "nowhere"), ["nowhere"]),
    ],
)
def test_bad_wishes_get_one_sentence(run, tmp_path, options, words):
    assert_refused(run("render", *options), *words)
    assert names(tmp_path) == []


def test_the_picture_is_never_overwritten(run, tmp_path):
    source = tmp_path / "work.png"
    cv2.imwrite(str(source), np.full((20, 20, 3), 90, np.uint8))
    before = source.read_bytes()
    assert_refused(run("render", source, "--seconds", 1, "--picture", source), "is what is read")
    assert names(tmp_path) == ["work.png"]
    assert source.read_bytes() == before


def test_pictures_that_lie_are_refused_without_a_word_from_a_library(run, painting, tmp_path):
    whole = painting.read_bytes()
    for name, data in (
        ("cut.jpg", whole[: len(whole) // 2]),
        ("empty.png", b""),
        ("huge.gif", b"GIF89a\xff\xff\xff\xff\0\0\0;"),
        ("letter.jpg", b"Dear museum,\n"),
    ):
        source = tmp_path / name
        source.write_bytes(data)
        assert_refused(run("render", source, "--seconds", 1), name)
        source.unlink()
    assert names(tmp_path) == []


def test_a_disk_without_room_leaves_nothing(run, painting, tmp_path):
    def little_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    done = run("render", painting, "--seconds", 3, "--picture", "a.png", preexec_fn=little_room)
    assert_refused(done, "cannot write")
    assert names(tmp_path) == []
    with Path("/dev/full").open("wb") as full:
        done = run("render", painting, "--seconds", 1, "-o", "-", capture_output=False, stdout=full, stderr=-1)
    assert_refused(done, "No space left")


def test_a_bundle_is_shown_and_verified(run, tiny_bundle, tmp_path):
    shown = run("bundle", "info", tiny_bundle.path)
    assert shown.returncode == 0, shown.stderr
    assert tiny_bundle.hash in shown.stdout.decode()
    proven = run("bundle", "verify", tiny_bundle.path, "--device", "cpu")
    assert proven.returncode == 0, proven.stderr
    assert "vocoder.onnx" in proven.stdout.decode()

    altered = tmp_path / "altered"
    shutil.copytree(tiny_bundle.path, altered)
    with (altered / "vocoder.onnx").open("r+b") as stream:
        stream.seek(1000)
        stream.write(b"\xff\x00\xff")
    assert_refused(run("bundle", "verify", altered), "vocoder.onnx", "altered")
    assert_refused(run("bundle", "info", altered), "vocoder.onnx")
    assert_refused(run("render", "--comment", "calm", "--bundle", altered), "vocoder.onnx")
    shutil.copy(tiny_bundle.file("vocoder.onnx"), altered)
    (altered / "notes.txt").write_text("extra")
    assert_refused(run("bundle", "verify", altered), "notes.txt")

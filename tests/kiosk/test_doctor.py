"""``a2m-edge doctor``: every line says OK, or what to do."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.fixtures.exhibit.certificates import Certificates
from tests.fixtures.exhibit.exhibit import LONG
from tests.fixtures.places import PROGRAM, ROOT

NAMES = [
    "program",
    "bundle",
    "provider",
    "headroom",
    "speaker",
    "camera",
    "pages",
    "memory",
    "shared memory",
    "disk",
    "clock",
]


@pytest.fixture
def doctor(tmp_path, tiny_bundle):
    """Runs the doctor in a folder of its own: gives the status and the lines by their names."""

    def run(*arguments: object, bundle: Path = tiny_bundle.path, options: str = "") -> tuple[int, dict[str, str]]:
        (tmp_path / "kiosk.toml").write_text(options)
        command = [str(PROGRAM), "doctor", "--config", "kiosk.toml", "--bundle", str(bundle), "--device", "cpu"]
        command += ["--audio", "none", "--camera", str(ROOT / "examples"), "--port", "0", *map(str, arguments)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=2 * LONG, check=False)
        assert "Traceback" not in done.stderr
        lines = dict(line.split(": ", 1) for line in done.stdout.splitlines())
        assert all(re.fullmatch(r"(OK   |SOON |TO DO)  [a-z ]+", name) for name in lines)
        return done.returncode, lines

    return run


def to_do(lines: dict[str, str]) -> dict[str, str]:
    return {name.removeprefix("TO DO  "): sentence for name, sentence in lines.items() if name.startswith("TO DO")}


def test_all_is_well(doctor):
    status, lines = doctor()
    assert to_do(lines) == {}
    assert status == 0
    assert [name.removeprefix("OK     ") for name in lines] == NAMES
    assert lines["OK     provider"].startswith("cpu was asked for, CPUExecutionProvider is used")
    assert re.match(r"\d+\.\d s of sound are made in one second", lines["OK     headroom"])


def test_everything_that_can_be_wrong_has_a_line_of_its_own(doctor, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        status, lines = doctor(
            "--port",
            taken.getsockname()[1],
            "--camera",
            tmp_path / "no_such_folder",
            options='[camera]\ncalibration = "no/such/calibration.toml"\n',
        )
    assert status == 1
    found = to_do(lines)
    assert set(found) == {"camera", "pages", "disk"}
    assert "no_such_folder" in found["camera"]
    assert "Address already in use" in found["pages"]
    assert "create it" in found["disk"]
    assert len(lines) == len(NAMES)  # and the rest was looked at all the same


def test_a_damaged_bundle_is_told_with_the_file(doctor, tiny_bundle, tmp_path):
    bundle = tmp_path / "bundle"
    shutil.copytree(tiny_bundle.path, bundle)
    (bundle / "bed.wav").write_bytes((bundle / "bed.wav").read_bytes()[:-2] + b"xx")
    status, lines = doctor(bundle=bundle)
    assert status == 1
    assert "bed.wav was altered" in to_do(lines)["bundle"]


def test_the_address_of_a_proxy_is_shown(doctor, tmp_path):
    options = '[web]\nnames = ["https://museum.example"]\nprefix = "/art"\ntoken = "sixteen letters or more"\n'
    _, lines = doctor(bundle=tmp_path / "none", options=options)
    assert "for the network by https://museum.example/art, with the pairing token" in lines["OK     pages"]


def test_the_camera_s_turning_is_shown_and_a_calibration_of_another_is_told(doctor, tmp_path):
    status, lines = doctor("--rotate", 90, bundle=tmp_path / "none")
    assert "turned by 90 degrees; the artwork is searched for" in lines["OK     camera"]
    (tmp_path / "calibration.toml").write_text("region = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]\n")
    status, lines = doctor("--rotate", 90, bundle=tmp_path / "none")
    assert status == 1
    for name in ("camera", "disk"):
        assert "turned by 0 degrees, and camera.rotate is 90: delete it and calibrate again" in to_do(lines)[name]


@pytest.mark.parametrize(
    ("grey", "sentence"), [(4, "nothing but black: take the cap off its lens"), (250, "nothing but white")]
)
def test_a_camera_that_sees_nothing_is_told(doctor, tmp_path, grey, sentence):
    film = tmp_path / "covered.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 20.0, (480, 270))
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(grey, 3, (270, 480, 3))
        writer.write(np.clip(noise, 0, 255).astype(np.uint8))
    writer.release()
    status, lines = doctor("--camera", film, bundle=tmp_path / "none")
    assert status == 1
    assert sentence in to_do(lines)["camera"]
    assert str(film) in to_do(lines)["camera"]


def test_a_damaged_calibration_is_told(doctor, tmp_path):
    (tmp_path / "calibration.toml").write_text("region = [[0, 0]]\n")
    status, lines = doctor()
    assert status == 1
    assert "calibration.toml is damaged" in to_do(lines)["disk"]


@pytest.mark.parametrize(
    ("ends", "with_key", "mark", "sentence"),
    [
        (timedelta(days=400), "another", "TO DO", "do not belong together"),
        (timedelta(days=-3), "its own", "TO DO", "expired on {day}: renew it"),
        (timedelta(days=20), "its own", "SOON ", "expires on {day}: renew it before; 127.0.0.1 port 0 is free"),
        (timedelta(days=400), "its own", "OK   ", "127.0.0.1 port 0 is free"),
    ],
)
def test_certificate_and_key_are_tried(doctor, tmp_path, ends, with_key, mark, sentence):
    folder = tmp_path / "certificates"
    folder.mkdir()
    made = Certificates(folder)
    day = datetime.now(UTC) + ends
    key, another = made.key("key.pem"), made.key("another.pem")
    certificate = made.certificate("certificate.pem", key, ends=f"{day:%Y%m%d}")
    used = key if with_key == "its own" else another
    options = f'[web]\ncertificate = "{certificate}"\nkey = "{used}"\n'
    _, lines = doctor(bundle=tmp_path / "none", options=options)  # without a bundle the long checks are left out
    assert sentence.format(day=f"{day:%Y-%m-%d}") in lines[f"{mark}  pages"]

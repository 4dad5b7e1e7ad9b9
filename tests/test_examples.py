"""The example pictures: repainted alike from their seeds, and all there for `make demo`."""

import csv
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from tests.fixtures.places import EXAMPLES


def _paint(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, EXAMPLES / "paint.py", *arguments], capture_output=True, text=True, check=False
    )


def _rows() -> list[dict[str, str]]:
    with (EXAMPLES / "examples.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_picture_is_painted_alike_twice(tmp_path: Path) -> None:
    files = []
    for folder in ("first", "second"):
        done = _paint("calm_sea", "--scale", "0.12", "--out", tmp_path / folder)
        assert done.returncode == 0, done.stderr
        files.append(tmp_path / folder / "calm_sea.jpg")
    picture = cv2.imread(str(files[0]))
    assert picture is not None
    assert picture.shape == (84, 120, 3)
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("arguments", [("mona_lisa",), ("storm", "--scale", "0"), ("storm", "--scale", "nan")])
def test_what_cannot_be_painted_is_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = _paint(*arguments, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_every_row_names_a_readable_picture_and_a_comment() -> None:
    rows = _rows()
    assert {row["picture"] for row in rows} == {file.name for file in EXAMPLES.glob("*.jpg")}
    for row in rows:
        picture = cv2.imread(str(EXAMPLES / row["picture"]))
        assert picture is not None, row["picture"]
        assert min(picture.shape[:2]) >= 700
        assert len(row["comment"].split()) >= 8


def test_the_pictures_stay_small_enough_to_ship() -> None:
    assert sum(file.stat().st_size for file in EXAMPLES.glob("*.jpg")) < 2_500_000

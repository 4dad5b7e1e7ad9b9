"""A museum's manifest, rendered by the command over real HTTP: sounds, page and annotations."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

from a2m_edge.perception.pictures import read_picture
from tests.fixtures.collection.annotation_checks import check_collection, check_page
from tests.fixtures.collection.iiif_server import Museum, public_domain_museum
from tests.fixtures.places import TINY_BUNDLE

BASE = "https://museum.example/sounds"


def run(source: str, output: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """The command, with one worker and very short sounds."""
    program = ["-c", "from a2m_edge.cli import main; main()"]
    command = [*program, "render-collection", source, "-o", str(output), "--seconds", "0.5"]
    options = ["--workers", "1", "--bundle", str(TINY_BUNDLE), "--contact-sheet", "--iiif-annotations", BASE, *more]
    return subprocess.run([sys.executable, *command, *options], capture_output=True, text=True, timeout=300)


def records(output: Path) -> dict[str, dict]:
    lines = (output / "index.jsonl").read_text(encoding="utf-8").splitlines()
    return {record["id"]: record for record in map(json.loads, lines)}


def check_run(output: Path, canvases: set[str]) -> None:
    """Each canvas has a sound that lasts as long as its annotation says; the page shows them all."""
    found = {record["carried"]["canvas"]: record for record in records(output).values() if record["error"] is None}
    assert set(found) == canvases
    pages = [json.loads(path.read_bytes()) for path in (output / "annotations").iterdir()]
    check_collection(json.loads((output / "annotations.json").read_bytes()))
    bodies = {annotation["target"]: annotation["body"] for annotation in map(check_page, pages)}
    assert set(bodies) == canvases
    text = (output / "contact_sheet.html").read_text(encoding="utf-8")
    for canvas, record in found.items():
        sound = output / bodies[canvas]["id"].removeprefix(f"{BASE}/")
        assert sound == output / record["sound"]
        assert soundfile.info(sound).duration == bodies[canvas]["duration"] == 0.5
        assert f'href="{record["sound"]}"' in text
        assert max(read_picture(output / "thumbnails" / f"{record['id']}.jpg").shape) <= 480


def test_a_manifest_with_a_picture_that_is_gone(tmp_path):
    rng = np.random.default_rng(0)
    pictures = {name: rng.integers(0, 255, (60, 80, 3), np.uint8) for name in ("sea", "land", "sky")}
    with Museum(pictures) as museum:
        names = enumerate(pictures)
        museum.manifest([museum.canvas(name, number, {"en": [name]}) for number, name in names])
        del museum.pictures["sky"]
        done = run(f"{museum.url}/manifest.json", tmp_path / "out")
        assert done.returncode == 1, done.stderr
        assert "404" in done.stderr
        check_run(tmp_path / "out", {f"{museum.url}/canvas/{number}" for number in range(2)})
        assert "One work could not be rendered" in (tmp_path / "out" / "contact_sheet.html").read_text("utf-8")

        museum.pictures = pictures | {"sky": pictures["sea"]}
        asked = museum.asked.total()
        done = run(f"{museum.url}/manifest.json", tmp_path / "out")
        assert done.returncode == 0, done.stderr
        check_run(tmp_path / "out", {f"{museum.url}/canvas/{number}" for number in range(3)})
        assert museum.asked.total() == asked + 2  # the manifest, and the picture that had been missing


def test_an_address_where_there_is_no_manifest_is_refused_before_anything_is_written(tmp_path):
    with Museum({}) as museum:
        done = run(f"{museum.url}/manifest.json", tmp_path / "out")
    assert done.returncode == 2
    assert "404" in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_public_domain_pictures_get_their_sounds(shared, tmp_path):
    with public_domain_museum(shared / "data") as museum:
        document = json.loads(json.dumps(museum.documents["/manifest.json"]))
        document["items"] = document["items"][:12]
        museum.documents["/twelve.json"] = document
        done = run(f"{museum.url}/twelve.json", tmp_path / "out")
        assert done.returncode == 0, done.stderr
        check_run(tmp_path / "out", {canvas["id"] for canvas in document["items"]})

"""Every door at which an address goes in, and every place where words come out: no user name, no password, no token."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest

from a2m_edge.collection.command import _conclude
from a2m_edge.collection.iiif.fetching import FetchError, Patience, fetch, is_address
from a2m_edge.collection.run import RunSettings, Summary, render_collection
from a2m_edge.collection.sources import Defaults, open_collection
from a2m_edge.collection.storage.places import is_remote, open_storage
from a2m_edge.collection.storage.remote import RemoteStorage
from a2m_edge.errors import DeviceError, OptionError, OutputError
from a2m_edge.jobs.cluster import RayRunner
from kiosk.camera.capture import choose_source
from kiosk.config import load_settings
from kiosk.shared.counters import Controls, Progress
from kiosk.shared.links import CameraLinks
from kiosk.shared.messages import CameraState
from kiosk.shared.settings import CameraSettings, WatchSettings
from kiosk.supervisor.mail import Routes
from kiosk.supervisor.processes import ProcessPlan, WatchedProcess
from tests.fixtures.collection.iiif_server import Museum
from tests.fixtures.collection.runs import paint
from tests.fixtures.exhibit.exhibit import LONG, RunningExhibit
from tests.fixtures.hostile_addresses import HOSTILE, SECRET, USER, leaks
from tests.fixtures.places import TINY_BUNDLE
from tests.fixtures.programs import spoken

QUICK = Patience(attempts=2, pause=0.0)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    """Without pauses between two requests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("random.uniform", lambda *_: 0.0)
    open_storage.cache_clear()


def told(text: str) -> str:
    """A text that holds no secret, for further checks."""
    assert leaks(text) == []
    return text


@pytest.mark.parametrize(
    "command",
    [
        ("render", ...),
        ("render", "sea.png", "-o", ...),
        ("render-collection", ..., "-o", "out"),
        ("render-collection", "works", "-o", ...),
        ("render-collection", "works", "-o", "out", "--iiif-annotations", ...),
        ("render-collection", "works", "-o", "out", "--workers", ...),
        ("bundle", "info", ...),
        ("kiosk", "--config", ...),
        ("kiosk", "--host", ...),
        ("doctor", ...),
        ("doctor", "--port", ...),
        ("kiosk", "calibrate", "--camera=x", ...),
        (...,),
    ],
    ids=lambda command: " ".join("ADDRESS" if part is ... else part for part in command),
)
def test_no_command_repeats_what_an_address_keeps_secret(command, capfd, tmp_path):
    (tmp_path / "works").mkdir()
    for place in ("sea.png", "works/sea.png"):
        paint(tmp_path / place)
    for address in random.Random(str(command)).sample(HOSTILE, 6):
        status, said = spoken(capfd, *(address if part is ... else part for part in command))
        assert status == 2, said
        told(said)
    for path in tmp_path.rglob("*"):
        told(str(path))


def test_no_word_about_kiosk_toml_repeats_it(tmp_path, monkeypatch):
    file = tmp_path / "kiosk.toml"
    for address in HOSTILE[::3]:
        quoted = json.dumps(address)
        for text in (
            f"[camera]\nsource = {quoted}\nwidth = 3",
            f"[camera]\nsource = {quoted}\nsource = {quoted}",
            f"[camera]\nsource = {address}",
            f"[camera]\nsource = [{quoted}]",
            f"[camera]\nregion = {quoted}",
            f"[camera]\n{quoted} = 1",
            f"{quoted} = 1",
            f"[{quoted}]\nsource = 1",
            f"[web]\nhost = {quoted}\ntoken = {quoted}",
            f'[web]\nhost = "0.0.0.0"\nnames = [{quoted}]\ntoken = {quoted}',
            f"[web]\nlanguage = {quoted}",
            f"[engine]\ndevice = {quoted}",
        ):
            file.write_text(text, encoding="utf-8")
            with pytest.raises(OptionError) as caught:
                load_settings(file)
            assert "\n" not in told(str(caught.value))
        if address.isprintable():
            monkeypatch.setenv("A2M_KIOSK_CAMERA__SOURCE", address)
            settings = load_settings(None, {"web": {"token": f"{SECRET}0123456789", "pin_hash": SECRET}})
            assert settings.camera.source == address
            told(f"{settings!r} {settings} {settings.camera!r}")
            monkeypatch.delenv("A2M_KIOSK_CAMERA__SOURCE")


@pytest.mark.parametrize("address", [address for address in HOSTILE if ":12/" not in address])  # a host to ask for
def test_a_camera_that_does_not_answer_is_told_without_its_password(address, capfd, caplog):
    with pytest.raises(DeviceError) as caught:
        choose_source(CameraSettings(source=address)).open()
    said = told(str(caught.value))
    assert "\n" not in said
    told("".join(capfd.readouterr()) + caplog.text)
    for letter in "/#?":
        if f"pa{letter}" in address and address.startswith("rtsp"):
            assert f'contains "{letter}", which must be written as %{ord(letter):02X}' in said
            assert "(Connection refused)" in said


@pytest.mark.realtime
def test_the_camera_process_says_nothing_of_it_even_when_opencv_is_asked_to(capfd, monkeypatch):
    for name, value in {"OPENCV_VIDEOIO_DEBUG": "1", "OPENCV_FFMPEG_DEBUG": "1", "OPENCV_LOG_LEVEL": "VERBOSE"}.items():
        monkeypatch.setenv(name, value)
    address = f"rtsp://{USER}:{SECRET}@127.0.0.1:9/x"
    controls, progress = Controls(), Progress()
    routes = Routes(controls, 1.0, lambda _: None)
    plan = ProcessPlan(
        "camera",
        "kiosk.camera.process:run_camera",
        lambda: (CameraSettings(source=address), CameraLinks(routes.connect_sender("camera"), progress, controls)),
        lambda: progress.frames_captured.value,
        "frame",
        LONG,
    )
    watched = WatchedProcess(plan, WatchSettings())
    end = time.monotonic() + LONG
    try:
        while (state := routes.state("camera")) is None and time.monotonic() < end:
            watched.step(time.monotonic())
            routes.deliver(time.monotonic())
            time.sleep(0.01)
    finally:
        watched.kill()
        watched.wait(5.0)
    assert isinstance(state, CameraState)
    assert "Connection refused" in told(repr(state))
    said = "".join(capfd.readouterr())
    assert "127.0.0.1:9" in said
    told(said)


@pytest.mark.realtime
def test_an_exhibit_tells_neither_staff_nor_numbers_nor_its_log(tmp_path):
    """It plays on without its camera; what processes are called with is for every user of the computer to see."""
    from argon2 import PasswordHasher

    options = f'[web]\npin_hash = "{PasswordHasher().hash("246813")}"\n'
    address = f"http://{USER}:pa#{SECRET}@127.0.0.1:9/x?token={SECRET}"
    with RunningExhibit(tmp_path, camera=address, bundle=TINY_BUNDLE, options=options) as exhibit:

        def camera() -> dict[str, object]:
            parts = json.loads(exhibit.ask("/api/staff/state")[1])["parts"]
            return next(part for part in parts if part["name"] == "camera")

        assert exhibit.until(lambda: exhibit.ask("/api/staff/session", {"pin": "246813"})[0] == 204), exhibit.log
        assert exhibit.until(lambda: "%23" in str(camera()["sentence"]) or "%23" in exhibit.log), exhibit.log
        for path in ("/api/staff/state", "/metrics", "/healthz", "/staff", "/"):
            told(exhibit.ask(path)[1].decode())
        for process in exhibit.processes():
            if process != exhibit.supervisor:
                told(Path(f"/proc/{process}/cmdline").read_bytes().decode())
        assert "%23" in told(exhibit.log)


class Here:
    """A runner that does everything in this process."""

    def run(self, jobs, work, stopping=lambda: False) -> Iterator:
        for job in jobs:
            if not stopping():
                yield work.do(job)


class Notes:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def planned(self, kept, items) -> None:
        self.said.append(f"{kept} {items!r}")

    def done(self, record) -> None:
        self.said.append(repr(record))

    def says(self, message) -> None:
        self.said.append(message)


def rendered(source: object, output: object, **settings) -> tuple[Summary, str]:
    """A run over a source, and all that it says."""
    notes = Notes()
    works = open_collection(str(source), Defaults(seconds=0.1))
    options = RunSettings(str(output), Here(), bundle=TINY_BUNDLE, contact_sheet=True, title=works.title, **settings)
    summary = render_collection(works.items, options, notes)
    return summary, "\n".join([*notes.said, repr(options), works.title])


def assert_silent(folder: Path) -> None:
    """Neither the names nor the contents of the files of a folder leak anything."""
    for path in folder.rglob("*"):
        told(str(path.relative_to(folder)))
        if path.is_file() and path.suffix not in (".flac", ".jpg"):
            told(path.read_text(encoding="utf-8"))


def test_the_works_of_a_table_are_listed_without_the_secrets_of_their_addresses(tmp_path, capsys):
    rng = np.random.default_rng(0)
    with Museum({"sea": rng.integers(0, 255, (60, 80, 3), np.uint8)}) as museum:
        picture = (museum.url, "/image/sea/full/max/0/default.jpg")
        for token in (SECRET, f"{SECRET}&{SECRET}"):
            museum.documents[f"{picture[1]}?token={token}"] = lambda: museum.answer(picture[1])
        rows = [{"image": address, "id": "", "page": ""} for address in HOSTILE]
        some = [address for address in HOSTILE[::3] if len(address.split()) == 1]  # where it ends can be seen
        rows += [{"image": "sea.png", "id": address, "page": f"see {address} and https://m/@me"} for address in some]
        rows += [{"image": "sea.png", "id": "", "page": address, "seconds": address} for address in HOSTILE]
        rows += [{"image": f"{picture[0]}{picture[1]}?token={SECRET}", "id": "tide"}]
        paint(tmp_path / "sea.png")
        table, output = tmp_path / "works.csv", tmp_path / "out"

        def write() -> None:
            with table.open("w", newline="", encoding="utf-8") as stream:
                writer = csv.DictWriter(stream, ["image", "id", "page", "seconds"], restval="")
                writer.writeheader()
                writer.writerows(rows)

        write()
        summary, said = rendered(table, output)
        told(said)
        assert (summary.rendered, len(summary.failed)) == (len(some) + 1, 2 * len(HOSTILE))
        with pytest.raises(BaseException):  # noqa: B017 - typer.Exit
            _conclude(summary, f"s3://{USER}:{SECRET}@bucket/x")
        told("".join(capsys.readouterr()))
        assert_silent(output)
        assert "https://m/@me" in (output / "index.csv").read_text(encoding="utf-8")
        rows[-1]["image"] = f"{picture[0]}{picture[1]}?token={SECRET}&{SECRET}"  # a new token is no new picture
        write()
        again, said = rendered(table, output)
        told(said)
        assert (again.rendered, again.kept) == (0, len(some) + 1)
        assert_silent(output)


def test_the_works_of_a_manifest_are_listed_without_the_secrets_of_their_addresses(tmp_path):
    rng = np.random.default_rng(0)
    with Museum({"sea": rng.integers(0, 255, (60, 80, 3), np.uint8)}) as museum:
        hostile = [address for address in HOSTILE if is_address(address)]  # anything else is a path on the server
        canvases = [museum.canvas("sea", number, {"en": [f"sea {number}"]}) for number in range(len(hostile) + 1)]
        for canvas, address in zip(canvases[1:], hostile, strict=True):
            canvas["id"] = address.replace("127.0.0.1:9", "museum.example")
            body = canvas["items"][0]["items"][0]["body"]
            body["id"] = address
            del body["service"]
        canvases[0]["id"] = f"https://{USER}:{SECRET}@museum.example/@me/1"
        manifest = museum.manifest(canvases, rights=f"https://{USER}:{SECRET}@museum.example/rights")
        parts = [{"id": address, "type": "Manifest"} for address in hostile]
        collection = museum.collection([*parts, manifest], "/collection.json")
    (tmp_path / "collection.json").write_text(json.dumps(collection))
    with Museum(museum.pictures):
        summary, said = rendered("collection.json", tmp_path / "out")
    told(said)
    assert summary.works > len(hostile)
    assert_silent(tmp_path / "out")


class Quoting(fsspec.spec.AbstractFileSystem):  # type: ignore[misc]
    """Storage that repeats in each error where it is, whole and in parts."""

    protocol = "dav"

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)

    @classmethod
    def _strip_protocol(cls, path):
        return path

    def _fail(self, path, *_, **__):
        raise OSError(f"no {path} for {path.split('@')[0].split('//')[-1]}: {path.rsplit('/')[-3:]} {path!r}")

    pipe_file = cat_file = rm_file = find = makedirs = _fail


def test_storage_that_repeats_its_address_is_not_repeated():
    fsspec.register_implementation("dav", Quoting, clobber=True)
    for address in [
        *filter(is_remote, HOSTILE),
        f"dav://{USER}:{SECRET}@host/songs",
        f"dav://{USER}:pa/{SECRET}@host",
        f"DAV://{SECRET}@h",
    ]:
        with pytest.raises((OptionError, OutputError)) as caught, RemoteStorage(address).held():
            raise OutputError("it can be used")
        told(str(caught.value))
    storage = RemoteStorage(f"dav://{USER}:pa/{SECRET}@host/songs")
    with pytest.raises(OutputError, match='contains "/", which must be written as %2F'):
        storage.write("a", b"")
    assert told(storage.place) == "dav://…@host/songs"


def test_songs_are_stored_under_an_address_that_keeps_its_secret(tmp_path):
    paint(tmp_path / "sea.png")
    (tmp_path / "works.csv").write_text("image\nsea.png\n")
    place = f"memory://{USER}:{SECRET}@shelf/songs"
    summary, said = rendered("works.csv", place)
    told(said)
    assert summary.rendered == 1
    assert rendered("works.csv", place)[0].kept == 1
    files = fsspec.filesystem("memory")
    for path in files.find("/"):
        if path.endswith((".csv", ".jsonl", ".html")):
            told(files.cat_file(path).decode())


def test_proxies_and_servers_that_send_on_are_told_without_secrets(monkeypatch):
    for proxy in (f"http://{USER}:{SECRET}@127.0.0.1:9", f"http:/{USER}:pa/{SECRET}@h", f"http://{USER}:p#{SECRET}@h"):
        monkeypatch.setenv("http_proxy", proxy)
        with pytest.raises(FetchError) as caught:
            fetch("http://museum.example/1.jpg", most_bytes=9, patience=QUICK)
        told(str(caught.value))
    monkeypatch.delenv("http_proxy")
    with Museum({}) as museum:
        for goal in (
            f"ftp://{USER}:{SECRET}@127.0.0.1:9/x",
            f"http://{USER}:{SECRET}/@127.0.0.1:9/x",
        ):
            museum.documents["/1"] = lambda goal=goal: (302, {"Location": goal}, b"")
            with pytest.raises(FetchError) as caught:
                fetch(f"{museum.url}/1", most_bytes=9, patience=QUICK)
            told(str(caught.value))


def test_a_cluster_and_a_model_are_told_without_secrets():
    from training.evaluation.rating.endpoint import Endpoint

    runner = RayRunner(f"{USER}:{SECRET}@127.0.0.1:9")
    told(repr(runner))
    pytest.importorskip("ray")
    with pytest.raises(DeviceError) as caught:
        list(runner.run([1], None))  # type: ignore[arg-type]
    told(str(caught.value))
    for address in HOSTILE:
        try:
            said = Endpoint(address, "model").shown
        except OptionError as error:
            said = str(error)
        told(said)


def test_what_nobody_foresaw_is_told_without_secrets():
    code = (
        "import logging, sys\n"
        "from a2m_edge.diagnostics import print_traceback, scrub_warnings\n"
        "scrub_warnings(*sys.argv[1:])\n"
        "for address in sys.argv[1:]:\n"
        "    logging.getLogger('aiohttp').warning('cannot open %s', address)\n"
        "    try: raise KeyError(address)\n"
        "    except KeyError as error: print_traceback(error, *sys.argv[1:])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *HOSTILE], capture_output=True, text=True, check=True)
    assert told(done.stdout + done.stderr).count("KeyError") == len(HOSTILE)
    assert done.stderr.count("cannot open") == len(HOSTILE)

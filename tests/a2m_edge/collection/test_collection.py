"""``a2m-edge render-collection`` as a user meets it: whole runs, hostile folders, interruptions."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile

from a2m_edge.sound.loudness import integrated_loudness
from tests.fixtures.collection.runs import (
    assert_whole,
    command,
    paint,
    paint_works,
    records,
    run,
    sounds,
    wait_for_lines,
)
from tests.fixtures.programs import running


def started(*arguments, **options):
    """A run in a group of processes of its own."""
    return running(command(*arguments), **options)


def children_of(process):
    """Ids of the workers of a run."""
    found = subprocess.run(
        ["pgrep", "-P", str(process.pid), "-f", "spawn_main"], check=False, capture_output=True, text=True
    )
    return found.stdout.split()


@pytest.fixture(scope="module")
def works(tmp_path_factory):
    """Six small paintings."""
    return paint_works(tmp_path_factory.mktemp("works"), 6)


@pytest.fixture(scope="module")
def undisturbed(works, tmp_path_factory):
    """What a run over them gives when nothing happens: hash of each sound by name."""
    output = tmp_path_factory.mktemp("undisturbed")
    run(works, "-o", output, "--seconds", 2, "--workers", 1)
    assert_whole(output, 6)
    return sounds(output)


def test_a_table_becomes_sounds_index_and_page(works, tmp_path):
    rows = ["image,comment,seconds,seed,id,artist", f"{works}/work 0.png,so calm,2.5,4,first,Turner", ",a storm,,,,"]
    (tmp_path / "works.csv").write_text("\n".join(rows))
    output = tmp_path / "out"
    arguments = (tmp_path / "works.csv", "-o", output, "--seconds", 1, "--format", "opus", "--contact-sheet")
    assert "2 works: 2 rendered" in run(*arguments, "--workers", 2)
    assert_whole(output, 2)
    first, second = records(output)["first"], records(output)["a_storm"]
    assert (first["seconds"], first["seed"], first["comment"]) == (2.5, 4, "so calm")
    assert first["carried"] == {"artist": "Turner"}
    assert second["image"] is None
    heard, rate = soundfile.read(output / first["sound"], dtype="float32", always_2d=True)
    assert len(heard) / rate == pytest.approx(2.5, abs=1e-3)
    assert integrated_loudness(heard, rate) == pytest.approx(-23, abs=0.5)
    assert (output / "contact_sheet.html").is_file()
    assert (output / "thumbnails" / "first.jpg").is_file()

    before = sounds(output)
    assert "0 rendered, 2 as before" in run(*arguments)
    (tmp_path / "works.csv").write_text("\n".join([rows[0], rows[1].replace("Turner", "J. M. W. Turner"), ",rain,,,,"]))
    assert "1 rendered, 1 as before" in run(*arguments), "what is only carried needs no new sound"
    assert records(output)["first"]["carried"] == {"artist": "J. M. W. Turner"}
    assert sounds(output).items() > before.items()


def test_only_what_changed_is_rendered_again(works, undisturbed, tmp_path):
    source, output = tmp_path / "works", tmp_path / "out"
    shutil.copytree(works, source)
    arguments = (source, "-o", output, "--seconds", 2, "--workers", 1)
    run(*arguments)
    assert sounds(output) == undisturbed
    paint(source / "work 3.png", 33)
    os.utime(source / "work 4.png")
    (output / "sounds" / "work_1.flac").write_bytes(b"altered")
    (output / "sounds" / "work_2.flac").unlink()
    assert "work_1.flac is not as a2m-edge wrote it" in run(*arguments, expected=2)
    assert (output / "sounds" / "work_1.flac").read_bytes() == b"altered"
    assert "3 rendered, 3 as before" in run(*arguments, "--force")
    again = sounds(output)
    assert {name for name in again if again[name] != undisturbed[name]} == {"work_3.flac"}
    assert "6 rendered, 0 as before" in run(*arguments, "--seed", 1), "the seed is another"


def exchanged(path, how):
    """Puts another picture of the same size and time in the place of a bitmap."""
    times, pixels = path.stat(), bytearray(path.read_bytes())
    pixels[-24 * 32 :] = bytes(reversed(pixels[-24 * 32 :]))
    if how == "written over":
        with path.open("r+b") as stream:
            stream.write(pixels)
    elif how == "another file":
        path.with_suffix(".new").write_bytes(pixels)
        path.with_suffix(".new").replace(path)
    elif how == "one bit":
        changed = bytearray(path.read_bytes())
        changed[-1] ^= 1
        path.write_bytes(changed)
    else:
        elsewhere = path.parent.parent / "elsewhere.bmp"
        elsewhere.write_bytes(pixels)
        path.unlink()
        path.symlink_to(elsewhere)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (times.st_size, times.st_mtime_ns)


def test_a_picture_exchanged_for_one_of_the_same_size_and_time_is_rendered_again(tmp_path):
    source, output = tmp_path / "works", tmp_path / "out"
    source.mkdir()
    ways = ("written over", "another file", "one bit", "a link")
    for number, name in enumerate([*ways, "untouched", "touched"]):
        paint(source / f"{name}.bmp", number)
    arguments = (source, "-o", output, "--seconds", 0.2, "--workers", 1)
    run(*arguments, "--compare", "hash")
    before, listed = sounds(output), records(output)
    for how in ways:
        exchanged(source / f"{how}.bmp", how)
    os.utime(source / "touched.bmp")
    assert "0 rendered, 6 as before" in run(*arguments, "--compare", "time")
    assert records(output)["touched"]["stamp"] != listed["touched"]["stamp"], "the next comparison need not read it"
    assert "4 rendered, 2 as before" in run(*arguments)
    after = sounds(output)
    assert {name for name in after if after[name] != before[name]} >= {
        f"{how.replace(' ', '_')}.flac" for how in ways if how != "one bit"
    }
    assert [records(output)[name]["input"] for name in ("untouched", "touched")] == [
        listed[name]["input"] for name in ("untouched", "touched")
    ]


HOSTILE_NAMES = (
    "line\nend.jpg",
    os.fsdecode(b"caf\xe9 \xff.png"),
    "tab\tquote\"'.png",
    "-o.png",
    "🌊.png",
    "x" * 240 + ".png",
)


def furnish(folder):
    """Forty bad files and twelve good ones; returns the names of the good."""
    whole = folder / "whole.png"
    paint(whole, 1, (60, 80))
    picture = whole.read_bytes()
    paint(folder / "whole.jpg", 2, (60, 80))
    photo = (folder / "whole.jpg").read_bytes()
    good = ["whole.png", "whole.jpg", *HOSTILE_NAMES]
    for name in HOSTILE_NAMES:
        (folder / name).write_bytes(picture if name.endswith("png") else photo)
    (folder / "really a photo.png").write_bytes(photo)
    (folder / "no ending").write_bytes(picture)
    (folder / "link.png").symlink_to("whole.png")
    paint(folder / "tiny.png", 3, (1, 1))
    good += ["really a photo.png", "no ending", "link.png", "tiny.png"]

    def bad(name, content):
        (folder / name).write_bytes(content)

    for share in (2, 3, 4, 5, 10):
        bad(f"cut png {share}.png", picture[: len(picture) // share])
        bad(f"cut jpg {share}.jpg", photo[: len(photo) // share])
    for length in (0, 1, 8, 20):
        bad(f"start {length}.png", picture[:length])
    huge = bytearray(picture)
    huge[16:24] = (60_000).to_bytes(4, "big") * 2
    bad("huge.png", huge)
    huge[16:24] = (2**31 - 1).to_bytes(4, "big") * 2
    bad("larger.png", huge)
    bad("bomb.gif", b"GIF89a\xff\xff\xff\xff\x00\x00\x00;")
    huge[16:24] = bytes(8)
    bad("nothing wide.png", huge)
    for name, content in {
        "text.jpg": b"this is no picture",
        "page.png": b"<html><body>404</body></html>",
        "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "book.pdf": b"%PDF-1.7\n",
        "phone.heic": b"\0\0\0\x18ftypheic",
        "new.avif": b"\0\0\0\x18ftypavif",
        "program.bmp": b"\x7fELF" + bytes(100),
        "archive.tif": b"PK\x03\x04" + bytes(100),
        "zeros.jpg": bytes(5000),
        "ones.webp": b"\xff" * 5000,
        "riff.webp": b"RIFF\x10\0\0\0WEBPVP8 ",
        "tif.tif": b"II*\0\xff\xff\xff\x7f",
        "bm.bmp": b"BM" + b"\xff" * 60,
        "ends.gif": b"GIF89a\x10\0\x10\0",
    }.items():
        bad(name, content)
    damaged = bytearray(picture)
    damaged[60:200] = bytes(140)
    bad("damaged.png", damaged)
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "lost.png").symlink_to("nowhere.png")
    (folder / "endless.jpg").symlink_to("/dev/zero")
    (folder / "circle").symlink_to(folder)
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(folder)  # addresses of sockets are short
        try:
            listener.bind("socket.png")
        finally:
            os.chdir(here)
    bad("locked.png", picture)
    (folder / "locked.png").chmod(0)
    if os.geteuid() == 0:  # to whom nothing is locked
        good.append("locked.png")
    return good


def test_a_hostile_folder_renders_every_good_file_and_explains_every_bad_one(tmp_path):
    folder, output = tmp_path / "works", tmp_path / "out"
    folder.mkdir()
    good = furnish(folder)
    bad = len(list(folder.iterdir())) - len(good)
    assert bad >= 39
    message = run(folder, "-o", output, "--seconds", 0.5, "--workers", 2, expected=1)
    listed = records(output)
    rendered = [each for each in listed.values() if each["error"] is None]
    failed = [each for each in listed.values() if each["error"] is not None]
    assert (len(rendered), len(failed)) == (len(good), bad), [each["image"] for each in rendered]
    assert_whole(output, len(good) + bad)
    for each in failed:
        assert each["image"].rsplit("/", 1)[1].split("\\")[0] in each["error"], each["error"]
        assert each["error"].isprintable()
        assert "; " in each["error"] or " or " in each["error"], "the way out is told"
    assert "and 2" in message or "and 1" in message, "a long list of failures is cut"
    assert {each["image"].rsplit("/", 1)[1] for each in rendered} >= {"line\\nend.jpg", "caf\\xe9 \\xff.png"}
    assert f"0 rendered, {len(good)} as before, {bad} failed" in run(folder, "-o", output, "--seconds", 0.5, expected=1)


def test_killed_three_times_it_resumes_and_gives_the_same_sounds(works, undisturbed, tmp_path):
    arguments = (works, "-o", tmp_path, "--seconds", 2, "--workers", 2)
    for lines in (1, 2, 4):
        with started(*arguments) as process:
            wait_for_lines(tmp_path, lines)
            os.kill(process.pid, signal.SIGKILL)  # alone: its workers must not go on without it
            process.wait()
    with (tmp_path / "index.jsonl").open("ab") as index:
        index.write(b'{"id": "torn')
    (tmp_path / "sounds" / ".0123456789abcdef.part").write_bytes(b"half")
    assert "6 works" in run(*arguments)
    assert_whole(tmp_path, 6)
    assert sounds(tmp_path) == undisturbed


def test_ctrl_c_ends_after_the_works_in_hand(works, undisturbed, tmp_path):
    with started(works, "-o", tmp_path, "--seconds", 2, "--workers", 2) as process:
        wait_for_lines(tmp_path, 1)
        os.killpg(process.pid, signal.SIGINT)  # what a terminal does: to all of them
        _, message = process.communicate(timeout=120)
    assert process.returncode == 130, message
    assert "Traceback" not in message
    assert "stopping after the works in hand" in message
    assert "left: the same command goes on from here" in message
    done = len(records(tmp_path))
    assert 1 <= done < 6
    assert_whole(tmp_path, done)
    assert f"{6 - done} rendered, {done} as before" in run(works, "-o", tmp_path, "--seconds", 2)
    assert sounds(tmp_path) == undisturbed


@pytest.mark.parametrize("wait", [0.05, 0.8])
def test_ctrl_c_twice_ends_at_once_whatever_the_run_is_doing(wait, works, tmp_path):
    with started(works, "-o", tmp_path, "--seconds", 300, "--workers", 2) as process:
        while not (tmp_path / "index.jsonl").exists():
            time.sleep(0.01)
        time.sleep(wait)
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.2)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        _, message = process.communicate(timeout=30)
    # A process that hears it while it is ending already ends by the signal itself.
    assert process.returncode in (130, -signal.SIGINT), message
    assert "Traceback" not in message
    assert not list((tmp_path / "sounds").iterdir())


def test_a_worker_that_is_killed_costs_nothing(works, undisturbed, tmp_path):
    with started(works, "-o", tmp_path, "--seconds", 2, "--workers", 2) as process:
        wait_for_lines(tmp_path, 1)
        os.kill(int(children_of(process)[0]), signal.SIGKILL)
        _, message = process.communicate(timeout=120)
    assert process.returncode == 0, message
    assert_whole(tmp_path, 6)
    assert sounds(tmp_path) == undisturbed


def test_a_work_whose_worker_dies_each_time_is_listed_as_failed(works, tmp_path):
    asked = []

    class Deadly(BaseHTTPRequestHandler):
        """Kills whoever asks, which is the only worker."""

        def do_GET(self):
            asked.append(self.path)
            for child in children_of(process):
                os.kill(int(child), signal.SIGKILL)

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Deadly) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        rows = f"image,seconds\nhttp://127.0.0.1:{server.server_port}/deadly.png,2\n{works}/work 1.png,1\n"
        (tmp_path / "works.csv").write_text(rows)
        with started(tmp_path / "works.csv", "-o", tmp_path / "out", "--workers", 1) as process:
            _, message = process.communicate(timeout=240)
        server.shutdown()
    assert process.returncode == 1, message
    assert asked == ["/deadly.png"] * 2
    assert_whole(tmp_path / "out", 2)
    listed = records(tmp_path / "out")
    assert "SIGKILL, perhaps for lack of memory" in listed["deadly"]["error"]
    assert listed["work_1"]["error"] is None


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 400 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_stops_the_run_which_goes_on_later(works, undisturbed, small_disk):
    output = small_disk / "out"
    message = run(works, "-o", output, "--seconds", 2, "--workers", 2, expected=2)
    (reason,) = (line for line in message.splitlines() if line.startswith("a2m-edge: "))
    assert "No space left on device" in reason
    assert "the same command goes on from there" in reason
    done = len(records(output))
    assert 1 <= done < 6
    assert not [path for path in output.rglob("*") if path.name.endswith(".part")]
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    assert f"{done} as before" in run(works, "-o", output, "--seconds", 2, "--workers", 2)
    assert_whole(output, 6)
    assert sounds(output) == undisturbed


def test_fail_fast_ends_at_the_first_failure(works, tmp_path):
    (tmp_path / "works").mkdir()
    (tmp_path / "works" / "a.png").write_bytes(b"no picture")
    for number in range(6):
        paint(tmp_path / "works" / f"b{number}.png", number)
    arguments = (tmp_path / "works", "-o", tmp_path / "out", "--seconds", 1, "--workers", 1, "--fail-fast")
    message = run(*arguments, expected=1)
    assert "1 failed" in message
    assert "left: the same command goes on from here" in message


def test_one_run_at_a_time(works, tmp_path):
    with started(works, "-o", tmp_path, "--seconds", 60, "--workers", 1):
        while not (tmp_path / "index.jsonl").exists():
            time.sleep(0.01)
        assert "another run writes to" in run(works, "-o", tmp_path, "--seconds", 60, expected=2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere",), "there is no nowhere"),
        ((".", "--format", "aiff"), "choose flac, wav, opus, mp3"),
        ((".", "--seconds", 0), "--seconds must be from"),
        ((".", "--seed", -1), "--seed"),
        ((".", "--workers", 0), "--workers"),
        ((".", "--iiif-annotations", "ftp://x"), "--iiif-annotations"),
        ((".", "--device", "abacus"), "abacus"),
        ((".", "--compare", "names"), "choose hash or time"),
    ],
)
def test_bad_wishes_get_one_sentence(arguments, words, works, tmp_path):
    message = run(*arguments, "-o", tmp_path / "out", expected=2, cwd=works)
    assert message.startswith("a2m-edge: ")
    assert message.count("\n") == 1
    assert words in message


def test_what_was_read_nevertheless_is_told_at_the_end_and_in_the_index(tmp_path):
    works = tmp_path / "works"
    works.mkdir()
    paint(works / "whole.jpg", 1)
    paint(works / "short.jpg", 2)
    (works / "short.jpg").write_bytes((works / "short.jpg").read_bytes().removesuffix(b"\xff\xd9"))
    said = run(works, "-o", tmp_path / "out", "--seconds", 0.1, "--workers", 1)
    notice = records(tmp_path / "out")["short"]["notice"]
    assert notice
    assert f"remark: {works / 'short.jpg'}: {notice}\n" in said
    assert said.count("remark: ") == 1


def test_a_picture_with_little_to_see_plays_and_is_remarked_upon(tmp_path):
    works = tmp_path / "works"
    works.mkdir()
    paint(works / "noise.png", 1)
    blank = np.full((60, 80, 3), 200, np.uint8)
    for name, picture in (("blank", blank), ("point", blank[:1, :1])):
        assert cv2.imwrite(str(works / f"{name}.png"), picture)
    said = run(works, "-o", tmp_path / "out", "--seconds", 0.1, "--workers", 1)
    assert_whole(tmp_path / "out", 3)
    found = records(tmp_path / "out")
    for name in ("blank", "point"):
        assert found[name]["little_to_see"] is True and found[name]["error"] is None
        assert f"remark: {works / name}.png: there is little to see in the picture" in said
    assert (found["noise"]["little_to_see"], found["noise"]["notice"]) == (False, None)

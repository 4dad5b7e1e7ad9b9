"""Nothing is replaced that the program did not write: what every command that writes has in common."""

from __future__ import annotations

import inspect
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from a2m_edge.cli import build_app, main
from a2m_edge.errors import OptionError, OutputError
from a2m_edge.ledger import LEDGER, begin_list, claim, claim_below, digest, is_free, note
from a2m_edge.output import make_folder, written_aside
from tests.fixtures.collection.runs import paint, paint_works
from tests.fixtures.places import ROOT, TINY_BUNDLE


@pytest.fixture(params=["list of the user", "list of the folder"])
def folder(request, tmp_path) -> Path:
    """An empty folder beside what belongs to others, or one that was made for results."""
    place: Path = tmp_path / "place"
    if request.param == "list of the folder":
        make_folder(place)
    else:
        place.mkdir()
    return place


def write(path: Path, content: bytes) -> None:
    with written_aside(path) as stream:
        stream.write(content)


def a2m_edge(*arguments: object) -> int:
    """The status with which a command ends in this process."""
    with pytest.raises(SystemExit) as ended:
        main([str(each) for each in arguments])
    return int(ended.value.code or 0)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file that is not hidden."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


# --- what is the program's own ----------------------------------------------------------------------------------------


def test_own_files_are_replaced_and_others_are_not(folder):
    own, other = folder / "own.json", folder / "other.json"
    write(own, b"first")
    write(own, b"second")
    assert own.read_bytes() == b"second"
    other.write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"other\.json is not as a2m-edge wrote it.*--force"):
        write(other, b"mine")
    assert other.read_bytes() == b"precious"
    assert not [path for path in folder.iterdir() if path.name.endswith(".part")]


@pytest.mark.parametrize(
    "edit",
    [
        lambda path: path.write_bytes(path.read_bytes() + b"\n"),
        lambda path: path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n")),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text(json.dumps(json.loads(path.read_bytes()), indent=8)),
        lambda path: path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes()),
    ],
    ids=["a line more", "other line ends", "emptied", "laid out anew", "a byte order mark"],
)
def test_what_was_edited_since_is_somebody_elses(folder, edit):
    path = folder / "facts.json"
    write(path, b'{"program": "a2m-edge 1",\n "word": "awe"}\n')
    edit(path)
    edited = path.read_bytes()
    with pytest.raises(OutputError):
        write(path, b"new")
    assert path.read_bytes() == edited


def test_what_was_touched_or_made_again_alike_is_still_the_programs(folder):
    path = folder / "a.wav"
    write(path, b"sound")
    os.utime(path, (1, 1))
    path.chmod(0o600)
    path.unlink()
    path.write_bytes(b"sound")
    write(path, b"another")


def test_a_stranger_under_the_name_of_what_was_deleted_or_renamed_is_safe(folder):
    path, kept = folder / "a.wav", folder / "kept.wav"
    write(path, b"sound")
    path.rename(kept)
    path.write_bytes(b"precious")
    with pytest.raises(OutputError):
        write(path, b"sound")
    with pytest.raises(OutputError):
        write(kept, b"another")
    assert kept.read_bytes() == b"sound"


def test_a_forced_file_is_replaced_once_as_it_was(folder):
    path = folder / "a.wav"
    path.write_bytes(b"precious")
    claim(path, force=True)
    assert path.read_bytes() == b"precious"
    write(path, b"sound")
    path.write_bytes(b"precious")  # brought back from a backup: it is as precious as it was
    with pytest.raises(OutputError):
        write(path, b"sound")
    claim(path, force=True)
    path.write_bytes(b"changed after the wish")
    with pytest.raises(OutputError):
        write(path, b"sound")


def test_a_source_stays_even_by_force(folder):
    source = folder / "work.png"
    source.write_bytes(b"painting")
    (folder / "link.png").symlink_to(source)
    os.link(source, folder / "twin.png")
    for name in ("work.png", "link.png", "twin.png"):
        with pytest.raises(OptionError, match="is what is read"):
            claim(folder / name, force=True, sources=[None, source])


def test_links_pipes_and_empty_folders(folder, tmp_path):
    target = tmp_path / "target.json"
    target.write_bytes(b"precious")
    (folder / "link.json").symlink_to(target)
    with pytest.raises(OutputError):
        write(folder / "link.json", b"mine")
    os.mkfifo(folder / "pipe")
    (folder / "empty").mkdir()
    claim(folder / "pipe", folder / "empty", folder / "missing", Path(os.devnull))
    (folder / "dangling").symlink_to(tmp_path / "nowhere")
    claim(folder / "dangling")


def test_a_folder_as_a_whole(folder):
    bundle = folder / "bundle"
    (bundle / "parts").mkdir(parents=True)
    (bundle / "parts" / "a").write_bytes(b"1")
    note(bundle, digest(bundle))
    claim(bundle)
    for name, content in (("parts/a", b"2"), ("b", b"more")):
        changed = folder / "changed"
        shutil.copytree(bundle, changed)
        note(changed, digest(changed))
        (changed / name).write_bytes(content)
        with pytest.raises(OutputError):
            claim(changed)
        shutil.rmtree(changed)


def test_a_folder_of_results_may_be_moved(tmp_path):
    place = tmp_path / "run"
    make_folder(place / "sounds")
    write(place / "sounds" / "a.flac", b"sound")
    place.rename(tmp_path / "elsewhere")
    write(tmp_path / "elsewhere" / "sounds" / "a.flac", b"another")


def test_one_list_serves_a_folder_of_results_and_all_below(tmp_path):
    make_folder(tmp_path / "run")
    make_folder(tmp_path / "run" / "deep" / "er")
    write(tmp_path / "run" / "deep" / "er" / "ä b.npz", b"1")
    write(tmp_path / "run" / "top.csv", b"2")
    assert [path.parent.name for path in tmp_path.rglob(LEDGER)] == ["run"]
    lines = (tmp_path / "run" / LEDGER).read_text(encoding="ascii").splitlines()
    assert [line.split("  ")[1] for line in lines] == ["deep/er/%C3%A4%20b.npz", "top.csv"]


def test_force_below_a_folder(tmp_path):
    place = tmp_path / "run"
    (place / "deep").mkdir(parents=True)
    for name in ("config.json", "deep/a.npz"):
        (place / name).write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"config\.json is not"):
        claim_below(place, "config.json", "state.pt", force=False)
    claim_below(place, "config.json", force=True)
    write(place / "deep" / "a.npz", b"mine")


def test_where_the_users_list_cannot_be_written_the_folder_has_one(tmp_path, monkeypatch):
    (tmp_path / "in the way").write_bytes(b"")
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "in the way"))
    write(place / "a.wav", b"1")
    write(place / "a.wav", b"2")
    assert (place / LEDGER).is_file()


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe\n", b"deadbeef  a.wav", b"a\n" * 3, b"\0" * 100, b"0" * 64])
def test_a_damaged_list_makes_nothing_the_programs_own(tmp_path, damage):
    make_folder(tmp_path)
    write(tmp_path / "a.wav", b"1")
    (tmp_path / LEDGER).write_bytes(damage)
    with pytest.raises(OutputError):
        write(tmp_path / "a.wav", b"2")
    write(tmp_path / "b.wav", b"1")  # and what comes after the damage is read again
    write(tmp_path / "b.wav", b"2")


def test_a_list_that_is_a_folder_is_told(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"1")
    (tmp_path / LEDGER).mkdir()
    with pytest.raises(OutputError):
        begin_list(tmp_path)


NAMES = ("a.json", "b.json", "c/a.json")


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["write", "edit", "delete", "swap", "force"]),
            st.sampled_from(NAMES),
            st.sampled_from([b"", b"1", b"2", b"precious"]),
        ),
        max_size=14,
    ),
    own_list=st.booleans(),
)
def test_no_order_of_events_loses_what_a_person_wrote(tmp_path_factory, steps, own_list):
    place = tmp_path_factory.mktemp("place")
    (place / "c").mkdir()
    if own_list:
        begin_list(place)
    ever: dict[str, set[bytes]] = {name: set() for name in NAMES}
    latest: dict[str, bytes | None] = dict.fromkeys(NAMES)
    """What the program wrote or was let replace under a name, and last."""
    for event, name, content in steps:
        path = place / name
        before = path.read_bytes() if path.exists() else None
        if event == "write":
            try:
                write(path, content)
            except OutputError:
                assert before is not None
                assert before != latest[name]
                assert path.read_bytes() == before
            else:
                assert before is None or before in ever[name]
                ever[name].add(content)
                latest[name] = content
        elif event == "edit":
            path.write_bytes(content)
        elif event == "delete":
            path.unlink(missing_ok=True)
        elif event == "swap" and before is not None:
            path.replace(place / NAMES[(NAMES.index(name) + 1) % len(NAMES)])
        elif event == "force" and before is not None:
            claim(path, force=True)
            ever[name].add(before)
            latest[name] = before


# --- the commands -----------------------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """The current folder, with a painting in it."""
    current: Path = tmp_path
    monkeypatch.chdir(current)
    paint(current / "sea.png")
    return current


RENDER = ("render", "sea.png", "--seconds", 0.1, "--bundle", TINY_BUNDLE, "--device", "cpu")


@pytest.mark.parametrize("name", ["sea.wav", "sea.json", "panel.png"])
def test_render_replaces_nobodys_file(place, name, capsys):
    (place / name).write_bytes(b"precious")
    before = contents(place)
    assert a2m_edge(*RENDER, "--picture", "panel.png") == 2
    said = capsys.readouterr().err
    assert f"{name} is not as a2m-edge wrote it" in said
    assert said.count("\n") == 1
    assert contents(place) == before
    assert a2m_edge(*RENDER, "--picture", "panel.png", "--force") == 0
    assert contents(place)[name] != b"precious"
    assert a2m_edge(*RENDER, "--picture", "panel.png") == 0


def test_render_never_replaces_the_painting(place):
    before = (place / "sea.png").read_bytes()
    assert a2m_edge(*RENDER, "--picture", "sea.png", "--force") == 2
    (place / "view.png").symlink_to("sea.png")
    assert a2m_edge(*RENDER, "--picture", "view.png", "--force") == 2
    assert (place / "sea.png").read_bytes() == before
    assert sorted(contents(place)) == ["sea.png", "view.png"]


def collection(*arguments: object) -> int:
    shared = ("--seconds", 0.1, "--workers", 1, "--bundle", TINY_BUNDLE)
    return a2m_edge("render-collection", *arguments, *shared)


@pytest.mark.parametrize("name", ["index.csv", "index.jsonl"])
def test_a_table_that_is_called_like_the_index_stays(place, name, capsys):
    row = "image,comment\nsea.png,calm\n" if name.endswith("csv") else '{"image": "sea.png", "comment": "calm"}'
    (place / name).write_text(row)
    assert collection(name, "-o", ".") == 0
    assert (place / name).read_text() == row
    made = contents(place)
    assert f"a2m-edge-{name}" in made
    assert "sounds/sea.flac" in made
    if name == "index.csv":
        assert "the table goes to a2m-edge-index.csv" in capsys.readouterr().err
    assert collection(name, "-o", ".", "--force") == 0
    assert "1 as before" in capsys.readouterr().err
    assert (place / name).read_text() == row


def test_an_index_of_our_own_that_is_the_source_stays(place, capsys):
    assert collection(".", "-o", "out") == 0
    for name in ("index.csv", "index.jsonl"):
        own = (place / "out" / name).read_bytes()
        assert collection(place / "out" / name, "-o", "out") in (0, 1)
        assert (place / "out" / name).read_bytes() == own
        assert (place / "out" / f"a2m-edge-{name}").exists()


@pytest.mark.parametrize(
    "name",
    [
        "sounds/sea.flac",
        "contact_sheet.html",
        "thumbnails/sea.jpg",
        "annotations.json",
        "annotations/sea.json",
    ],
)
def test_a_collection_replaces_nobodys_file_and_says_so_before_the_work(place, name, capsys):
    (place / "works.csv").write_text("id,image,canvas\nsea,sea.png,https://museum.example/1\n")
    out = place / "out"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_bytes(b"precious")
    run = ("works.csv", "-o", "out", "--contact-sheet", "--iiif-annotations", "https://sounds.example/")
    assert collection(*run) == 2
    said = capsys.readouterr().err
    assert f"{name} is not as a2m-edge wrote it" in said
    assert said.count("\n") == 1
    assert contents(out) == {name: b"precious"}
    assert collection(*run, "--force") == 0
    assert contents(out)[name] != b"precious"
    (out / name).write_bytes(b"edited")
    (place / "works.csv").write_text("id,image,canvas,seed\nsea,sea.png,https://museum.example/1,3\n")
    assert collection(*run) == 2
    assert (out / name).read_bytes() == b"edited"


def test_results_beside_the_paintings(place, capsys):
    paint_works(place, 2)
    assert collection(".", "-o", ".", "--contact-sheet") == 0
    assert "3 rendered" in capsys.readouterr().err
    assert collection(".", "-o", ".", "--contact-sheet") == 0
    assert "0 rendered, 3 as before" in capsys.readouterr().err


def test_a_sound_of_an_index_made_before_there_were_lists_is_the_programs(place, capsys):
    assert collection(".", "-o", "out") == 0
    (place / "out" / LEDGER).unlink()
    assert collection(".", "-o", "out", "--seed", 1) == 0
    assert "1 rendered" in capsys.readouterr().err
    assert "out/a2m-edge-index.csv" in {path.as_posix() for path in Path().rglob("*.csv")}, "of the table nobody knows"
    assert collection(".", "-o", "out", "--seed", 2, "--force") == 0
    assert ",2," in (place / "out" / "index.csv").read_text(encoding="utf-8")


WRITING = {"output", "out", "picture", "figures", "items", "cache"}
"""Options that name what is written."""


def commands(app: typer.Typer, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command by its words, with its function."""
    for command in app.registered_commands:
        callback = command.callback
        assert callback is not None
        yield (*above, command.name or callback.__name__), callback
    for group in app.registered_groups:
        assert group.typer_instance is not None
        yield from commands(group.typer_instance, (*above, str(group.name)))


def test_every_command_that_writes_takes_force():
    """All but  export-table , which writes between the marks of somebody's page, and nowhere else in it."""
    found = {words: set(inspect.signature(function).parameters) for words, function in commands(build_app())}
    writing = {words for words, parameters in found.items() if parameters & {"out", "output"}}
    assert {("render",), ("render-collection",), ("export",), ("bench",), ("train", "encoder")} <= writing
    without = {words for words in writing if "force" not in found[words]}
    assert without == {("export-table",)}


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("bench", TINY_BUNDLE, "--threads", 1, "-o", "sea.json"), "sea.json"),
        (("export", "-o", "run"), "run"),
        (("train", "fusion", "-o", "run"), "run/config.json"),
        (("train", "vocoder", "-o", "run", "--data", "d", "--held-out", "h"), "run/model.safetensors"),
        (("data", "build", "-o", "run"), "run/articaps.csv"),
        (("data", "tables", "-o", "tables.json"), "tables.json"),
        (("data", "condition", "-o", "fused.npz", "--pairs", "p.csv"), "fused.npz"),
        (("data", "label", "music", "-o", "run"), "run/labeller.json"),
        (("evaluate", TINY_BUNDLE, "--data", "d", "-o", "report.html"), "report.json"),
        (("evaluate", "composer", TINY_BUNDLE, "-o", "table.md"), "table.md"),
        (
            ("evaluate", "rate", "i", "-o", "run", "--endpoint", "http://127.0.0.1:9", "--model", "m"),
            "run/summary.json",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(map(str, value[:2])),
)
def test_every_command_asks_before_the_work(place, arguments, name, capsys):
    (place / name).parent.mkdir(exist_ok=True)
    if arguments[0] == "export":
        shutil.copytree(TINY_BUNDLE, place / name)
    else:
        (place / name).write_bytes(b"precious")
    before = contents(place)
    assert a2m_edge(*arguments) == 2
    said = capsys.readouterr().err
    assert f"{name} is not as a2m-edge wrote it" in said
    assert said.count("\n") == 1
    assert contents(place) == before


def test_the_committed_checkpoints_may_be_trained_anew():
    """The list beside them is kept up to date: a command that writes to them by default asks for no force."""
    folder = ROOT / "training" / "checkpoints"
    for path in (*folder.rglob("*.safetensors"), *folder.rglob("*.json")):
        assert is_free(path), f"{path.relative_to(ROOT)} was changed by hand: note it in {LEDGER}"

"""The kiosk's options: every one documented, every mistake told in one sentence with the way out."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2m_edge.errors import OptionError, OutputError
from kiosk.config import Settings, example_file, is_loopback, load_settings
from kiosk.shared.calibration import read_region, write_region
from tests.fixtures.places import ROOT

PROGRAM = Path(sys.executable).with_name("a2m-edge")


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Loads settings from the text of a file and from variables of the environment."""
    for name in [name for name in os.environ if name.startswith("A2M_KIOSK_")]:
        monkeypatch.delenv(name)

    def load_text(text: str | bytes = "", given=None, **environment: str) -> Settings:
        file = tmp_path / "kiosk.toml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return load_settings(file, given)

    return load_text


def test_nothing_given_means_the_defaults_and_only_this_computer_sees_the_pages(load):
    settings = load()
    assert settings == load_settings()
    assert (settings.web.host, settings.camera.source, settings.speaker.device) == ("127.0.0.1", "0", "default")


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(load):
    text = '[camera]\nsource = "file"\nwidth = 640\n[web]\nport = 1\n'
    given = {"camera": {"source": "command line", "height": None}}
    settings = load(text, given, A2M_KIOSK_CAMERA__SOURCE="environment", A2M_KIOSK_WEB__PORT="2")
    camera = settings.camera
    assert (camera.source, camera.width, camera.height, settings.web.port) == ("command line", 640, 720, 2)


def test_lists_can_stand_in_the_environment(load):
    settings = load(
        A2M_KIOSK_WEB__NAMES='["exhibit.lan", "10.0.0.2"]',
        A2M_KIOSK_CAMERA__REGION="[[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]",
    )
    assert settings.web.names == ("exhibit.lan", "10.0.0.2")
    assert settings.camera.region == ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ('[camera]\nsorce = "0"', "camera.source"),
        ("[camra]\nwidth = 640", "[camera]"),
        ("[web]\nprot = 80", "web.port"),
        ("[camera]\nport = 80", "web.port"),
        ("port = 80", "web.port"),
        ("[speaker]\nvolumes = 1", "speaker.volume"),
        ("[watch]\nrestart = 1", "watch.restarts"),
    ],
)
def test_an_unknown_option_is_refused_with_the_nearest_known_one(load, text, nearest):
    with pytest.raises(OptionError, match=rf"^there is no option .*: did you mean {re.escape(nearest)}\?$"):
        load(text)


def test_an_unknown_variable_of_the_environment_is_refused_too(load):
    with pytest.raises(OptionError, match=r"A2M_KIOSK_CAMERA__SORCE.*did you mean A2M_KIOSK_CAMERA__SOURCE\?"):
        load(A2M_KIOSK_CAMERA__SORCE="0")


def test_what_resembles_nothing_is_refused_with_the_place_to_look(load):
    with pytest.raises(OptionError, match=r"no option 'qqqqqq' in .*kiosk\.toml: see deploy/kiosk\.toml"):
        load("qqqqqq = 1")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[camera]\nwidth = 3", "camera.width .* 160"),
        ("[camera]\nwidth = nan", "camera.width"),
        ("[camera]\nrate = nan", "camera.rate"),
        ("[camera]\nrotate = 45", "camera.rotate .* multiple of 90"),
        ("[camera]\nrotate = 360", "camera.rotate .* 270"),
        ("[camera]\nrotate = -90", "camera.rotate .* 0"),
        ("[camera]\nrotate = true", "camera.rotate"),
        ('[camera]\nrotate = "left"', "camera.rotate"),
        ('[camera]\nsource = ""', "camera.source .* at least 1 character"),
        ("[camera]\nregion = [[0, 0], [1, 0], [1, 1], [0, 2]]", "camera.region"),
        ("[camera]\nregion = [[0, 0], [0, 1], [1, 1], [1, 0]]", "clockwise"),
        ("[camera]\nregion = [[0, 0], [1, 1], [1, 0], [0, 1]]", "clockwise"),
        ("[camera]\nregion = [[0, 0], [1, 0], [1, 1]]", "camera.region"),
        ('[engine]\ndevice = "gpu"', "engine.device .*'auto', 'cpu', 'cuda' or 'tensorrt'"),
        ("[engine]\nthreads = 0", "engine.threads .* 1"),
        ("[speaker]\nvolume = 1.5", "speaker.volume .* 1"),
        ("[speaker]\ncrossfade = 0.2", "speaker.crossfade .* 0.05"),
        ('[web]\nlanguage = "xx"', "web.language .* de, en"),
        ('[web]\nscreen_languages = ["de", "xx"]', "web.screen_languages .* 'xx', but in ar, de, en"),
        ("[web]\nscreen_seconds = 0", "web.screen_seconds .* 5"),
        ('[web]\ntoken = "short"', "web.token .* 16"),
        *(
            (f'[web]\nprefix = "{prefix}"', "web.prefix .* no path such as /art")
            for prefix in (
                "art",
                "/",
                "/art/",
                "//art",
                "/art?x",
                "/art#x",
                "/a b",
                "/../art",
                "/art/.",
                "/ärt",
                "/%61",
            )
        ),
        *((f'[web]\nprefix = "{prefix}"', "the pages do not use themselves") for prefix in ("/api", "/static/art")),
        ("[web]\nprefix = 3", "web.prefix"),
        ('[web]\nnames = ["https://museum.example/art"]', "web.names .* path belongs into web.prefix"),
        ('[web]\nnames = ["ftp://museum.example"]', "web.names .* neither a host name nor an address"),
        ('[web]\nnames = ["https://"]', "web.names"),
        ('[web]\nnames = ["https://museum.example"]', "opens the pages to the network: give web.token"),
        ("[web]\nport = " + "9" * 5000, "holds a number of too many digits: shorten it"),
        ("camera = 3", r"'camera' in .* is a section: write \[camera\]"),
        ("[camera", "is no TOML: "),
        (b"\xff\xfe", "UTF-16"),
        ("[web]\nport = 1".encode("utf-16"), "is UTF-16 .* save it anew with the encoding UTF-8"),
        ("[web]\nport = 1".encode("utf-16-le"), "is UTF-16"),
        ("\ufeff[web]\nport = 1".encode("utf-16-be"), "is UTF-16"),
        ("[web]\nport = 1".encode("utf-32"), "UTF-32"),
        ("\ufeff[web]\nport = 1".encode("utf-32-be"), "UTF-32"),
        ('[camera]\nsource = "Küche"'.encode("windows-1252"), r"no UTF-8 text \(line 2\), .* save it anew"),
        (b"\xef\xbb\xbf[web]\nlanguage = '\xa4'", r"no UTF-8 text \(line 2\)"),
        ("\ufeff\ufeff[web]\nport = 1", "is no TOML: "),
        ("x = " + "[" * 5000, "is no TOML: "),
    ],
)
def test_a_wrong_value_is_one_sentence_with_its_name(load, text, words):
    with pytest.raises(OptionError, match=words) as caught:
        load(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_file_that_was_saved_on_windows_is_read(load, mark, end):
    assert load(mark + end.join(["# Küche", "[web]", "port = 4711", ""]).encode()).web.port == 4711


def test_a_calibration_that_was_saved_on_windows_is_read(tmp_path):
    file = tmp_path / "calibration.toml"
    region = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))
    write_region(file, region, 0)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert read_region(file, 0) == region


@pytest.mark.parametrize("prefix", ["/art", "/art/room-1", "/a.b~c_D", "/apiary"])
def test_a_path_of_a_proxy_is_taken(load, prefix):
    assert load(f'[web]\nprefix = "{prefix}"').web.prefix == prefix


def test_a_secret_is_not_repeated_in_an_error(load):
    with pytest.raises(OptionError) as caught:
        load('[web]\ntoken = "hush"')
    assert "hush" not in str(caught.value)


def test_a_file_that_is_missing_or_huge_is_told_in_one_sentence(tmp_path, load):
    with pytest.raises(OptionError, match="cannot be read: No such file"):
        load_settings(tmp_path / "nowhere.toml")
    with pytest.raises(OptionError, match="above 1 MiB"):
        load("#" * (1 << 21))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "exhibit.lan"])  # noqa: S104
def test_the_network_needs_a_pairing_token(load, host):
    with pytest.raises(OptionError, match="pairing token"):
        load(f'[web]\nhost = "{host}"')
    assert load(f'[web]\nhost = "{host}"\ntoken = "0123456789abcdef"').web.host == host
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_this_computer_needs_none(load, host):
    assert load(f'[web]\nhost = "{host}"').web.host == host


def test_the_file_in_deploy_shows_every_option_with_its_default():
    text = (ROOT / "deploy" / "kiosk.toml").read_text(encoding="utf-8")
    assert text == example_file(), "write it anew:  a2m-edge kiosk options > deploy/kiosk.toml"
    assert load_settings(ROOT / "deploy" / "kiosk.toml") == load_settings()
    shown = tomllib.loads(re.sub(r"^#(?=\w+ = )", "", text, flags=re.MULTILINE))
    for name in Settings.model_fields:
        section = getattr(load_settings(), name)
        assert list(shown[name]) == [each.name for each in dataclasses.fields(section)]


def test_what_the_file_in_deploy_shows_can_be_uncommented(load):
    text = example_file().replace('"sixteen letters or more"', '"0123456789abcdef"')
    settings = load(re.sub(r"^#(?=\w+ = )", "", text, flags=re.MULTILINE))
    assert settings.web.token == "0123456789abcdef"  # noqa: S105
    examples = {
        "camera": {"region"},
        "engine": {"bundle", "threads"},
        "web": {"token", "pin_hash", "certificate", "key"},
    }
    for name in Settings.model_fields:
        mine, default = (dataclasses.asdict(getattr(each, name)) for each in (settings, load_settings()))
        assert {key for key in mine if mine[key] != default[key]} <= examples.get(name, set())


def test_the_sections_go_to_other_processes_without_the_library_that_read_them():
    settings = load_settings(None, {"camera": {"source": "7"}})
    code = (
        "import pickle, sys\n"
        "print(pickle.loads(sys.stdin.buffer.read()).source, 'pydantic' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(settings.camera), capture_output=True, cwd=ROOT
    )
    assert done.stdout.split() == [b"7", b"False", b"False"], done.stderr


OPTIONS = [
    (name, each.name) for name in Settings.model_fields for each in dataclasses.fields(getattr(load_settings(), name))
]

TOML_VALUES = st.recursive(
    st.one_of(
        st.text(max_size=20).map(lambda text: json.dumps(text).replace("\x7f", "\\u007f")),
        st.integers().map(str),
        st.floats().map(repr),
        st.sampled_from(
            ["true", "false", "1979-05-27", "1979-05-27T07:32:00Z", "07:32:00", "0xff", "1_000", "''", "-0.0"]
        ),
        st.sampled_from(
            [
                '"0"',
                '"/art"',
                '"https://a.b"',
                '"0.0.0.0"',
                '"en"',
                '"cpu"',
                "90",
                "0.5",
                "1e400",
                "9" * 400,
                "9" * 5000,
            ]
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda values: f"[{', '.join(values)}]"),
        st.dictionaries(st.sampled_from("abc"), inner, max_size=2).map(
            lambda values: "{" + ", ".join(f"{key} = {value}" for key, value in values.items()) + "}"
        ),
    ),
    max_leaves=9,
)
"""Values as they are written in TOML, right ones and others."""


def one_sentence_or_settings(folder: Path, content: bytes) -> None:
    """Loads a file of any content: what comes is a whole set of options, or one sentence of ours."""
    file = folder / "kiosk.toml"
    file.write_bytes(content)
    try:
        settings = load_settings(file)
    except OptionError as error:
        assert str(error)
        assert "\n" not in str(error)
        assert len(str(error)) < 2000
        return
    assert settings.web.token is not None or is_loopback(settings.web.host)
    assert settings.camera.rotate in (0, 90, 180, 270)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """One for all examples."""
    made: Path = tmp_path_factory.mktemp("options")
    return made


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))))
def test_a_file_of_any_content_is_options_or_one_sentence(folder, content):
    one_sentence_or_settings(folder, content)


@given(st.lists(st.tuples(st.sampled_from(OPTIONS), TOML_VALUES), max_size=4), st.sampled_from([b"", b"\xef\xbb\xbf"]))
def test_options_of_any_value_are_options_or_one_sentence(folder, given_values, mark):
    lines: dict[str, dict[str, str]] = {}
    for (section, name), value in given_values:
        lines.setdefault(section, {})[name] = value
    text = "\n".join(
        f"[{section}]\n" + "\n".join(f"{name} = {value}" for name, value in options.items())
        for section, options in lines.items()
    )
    one_sentence_or_settings(folder, mark + text.encode("utf-8", "replace"))


CORNER = st.tuples(st.floats(0, 1), st.floats(0, 1))


@given(st.tuples(CORNER, CORNER, CORNER, CORNER))
def test_a_region_is_kept_as_it_is_or_refused(tmp_path_factory, region):
    file = tmp_path_factory.mktemp("region") / "calibration.toml"
    try:
        write_region(file, region, 0)
    except OptionError:
        assert not file.exists()
        return
    kept = read_region(file, 0)
    assert kept is not None
    assert [value for corner in kept for value in corner] == pytest.approx(
        [value for corner in region for value in corner], abs=1e-6
    )


@pytest.mark.parametrize(("made", "now"), [(0, 90), (90, 0), (270, 90), (180, 0)])
def test_a_region_in_frames_that_were_turned_otherwise_is_refused(tmp_path, made, now):
    file = tmp_path / "calibration.toml"
    region = ((0.1, 0.2), (0.9, 0.2), (0.9, 0.8), (0.1, 0.8))
    write_region(file, region, made)
    assert read_region(file, made) == region
    with pytest.raises(OptionError, match=f"turned by {made} degrees, and camera.rotate is {now}: .* calibrate again"):
        read_region(file, now)


def test_a_region_that_says_nothing_of_turning_was_made_without(tmp_path):
    file = tmp_path / "calibration.toml"
    file.write_text("region = [[0.1, 0.2], [0.9, 0.2], [0.9, 0.8], [0.1, 0.8]]\n")
    assert read_region(file, 0) is not None
    with pytest.raises(OptionError, match="turned by 0 degrees"):
        read_region(file, 180)


def test_frames_are_turned_by_right_angles_alone(load):
    for degrees in (0, 90, 180, 270):
        assert load(f"[camera]\nrotate = {degrees}").camera.rotate == degrees
    assert load("", None, A2M_KIOSK_CAMERA__ROTATE="270").camera.rotate == 270
    assert load("", {"camera": {"rotate": 180}}).camera.rotate == 180


def test_a_region_is_forgotten_and_a_damaged_one_refused(tmp_path):
    file = tmp_path / "calibration.toml"
    assert read_region(file, 0) is None
    write_region(file, ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)), 0)
    write_region(file, None, 0)
    assert read_region(file, 0) is None
    for text in (
        b"",
        b"region = 3",
        b"region = [[0, 0]]",
        b"\xff",
        b"region = [[0,0],[1,0],[1,1],['a',1]]",
        b"x = " * 9,
        b"region = [[0.1,0.1],[0.9,0.1],[0.9,0.9],[0.1,0.9]]\nrotate = []",
        b"region = [[0.1,0.1],[0.9,0.1],[0.9,0.9],[0.1,0.9]]\nrotate = nan",
        b"region = [[0.1,0.1],[0.9,0.1],[0.9,0.9],[0.1,0.9]]\nrotate = 'left'",
    ):
        file.write_bytes(text)
        with pytest.raises(OptionError, match=r"is damaged: delete it and calibrate again"):
            read_region(file, 0)
    with pytest.raises(OutputError, match="there is no folder"):
        write_region(tmp_path / "nowhere" / "calibration.toml", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)), 0)


@pytest.mark.parametrize("command", [["kiosk"], ["kiosk", "calibrate"], ["doctor"]])
def test_a_wrong_option_ends_every_command_with_one_sentence(tmp_path, command):
    file = tmp_path / "kiosk.toml"
    file.write_text('[camera]\nsorce = "0"\n')
    done = subprocess.run([PROGRAM, *command, "--config", file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"a2m-edge: there is no option camera.sorce in {file}: did you mean camera.source?\n"


def test_options_before_the_command_are_not_taken_silently():
    done = subprocess.run([PROGRAM, "kiosk", "--camera", "1", "calibrate"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "a2m-edge: the options come after the command: a2m-edge kiosk calibrate --…\n"


def test_a_pin_becomes_a_hash_that_proves_it():
    from argon2 import PasswordHasher

    done = subprocess.run([PROGRAM, "kiosk", "pin"], input="24681357\n", capture_output=True, text=True, check=True)
    assert PasswordHasher().verify(done.stdout.strip(), "24681357")
    assert "24681357" not in done.stdout + done.stderr
    short = subprocess.run([PROGRAM, "kiosk", "pin"], input="123\n", capture_output=True, text=True, check=False)
    assert (short.returncode, short.stdout) == (2, "")
    assert short.stderr == "a2m-edge: the PIN must have 6 to 64 characters that can be typed\n"


def test_the_options_are_printed():
    done = subprocess.run([PROGRAM, "kiosk", "options"], capture_output=True, text=True, check=True)
    assert done.stdout == example_file()


@pytest.mark.parametrize(
    "content",
    [
        "[camera]\nsource = '0'\n",
        "# my own notes\nregion = [[0, 0], [1, 0], [1, 1], [0, 1]]\n",
        "# The corners of the artwork\nregion = [[0, 0], [1, 0], [1, 1], [0, 1]]  # measured by hand\n",
        "# The corners of the artwork\nregion = [[0, 0], [1, 0], [1, 1], [0, 1]]\nhung_by = 'Ada'\n",
        "no TOML",
    ],
)
def test_a_calibration_takes_the_place_of_a_calibration_alone(tmp_path, content):
    file = tmp_path / "kiosk.toml"
    file.write_text(content)
    for region in (((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)), None):
        with pytest.raises(OutputError, match=r"holds more than a calibration.*camera\.calibration"):
            write_region(file, region, 0)
    assert file.read_text() == content


def test_a_calibration_that_was_brought_back_from_a_backup_is_replaced(tmp_path):
    file, whole = tmp_path / "calibration.toml", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    before = "# The corners of the artwork in the camera's frame; written by  a2m-edge kiosk calibrate\nregion = "
    file.write_text(f"{before}[[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]\n")
    write_region(file, whole, 90)
    assert read_region(file, 90) == whole
    assert [path.name for path in tmp_path.iterdir()] == ["calibration.toml"]
    write_region(file, None, 90)
    assert read_region(file, 90) is None

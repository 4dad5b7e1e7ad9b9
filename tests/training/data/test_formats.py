"""The sound format of a data folder: stated once, the same for all of its recordings, and never guessed."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from a2m_edge.errors import DataError, OptionError
from a2m_edge.sound.format import FORMATS, AudioFormat
from training.data.recordings.formats import named_format, one_format, read_format, state_format

MONO, STEREO = FORMATS["22k-mono"], FORMATS["48k-stereo"]


def test_what_a_folder_states_holds_for_all_that_is_below_it(tmp_path: Path) -> None:
    state_format(tmp_path / "realisations", STEREO)
    (tmp_path / "realisations" / "train").mkdir()
    assert read_format(tmp_path / "realisations") == STEREO
    assert read_format(tmp_path / "realisations" / "train") == STEREO
    assert read_format(tmp_path / "realisations" / "train" / "clip_1.npz") == STEREO
    state_format(tmp_path / "realisations", STEREO)


def test_a_folder_holds_one_format(tmp_path: Path) -> None:
    state_format(tmp_path, MONO)
    with pytest.raises(DataError, match=r"another format \(22050 Hz mono.*name another folder"):
        state_format(tmp_path, STEREO)
    assert read_format(tmp_path) == MONO


def test_recordings_from_before_formats_were_stated_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    soundfile.write(tmp_path / "train" / "clip_1.flac", np.zeros((100, 1)), 22050)
    with pytest.raises(DataError, match="22050 Hz and 1 channels"):
        state_format(tmp_path, STEREO)
    with pytest.raises(DataError, match="nothing says of what format"):
        read_format(tmp_path)
    state_format(tmp_path, MONO)
    assert read_format(tmp_path / "train") == MONO


def test_folders_that_are_used_together_must_agree(tmp_path: Path) -> None:
    for name, audio in (("a", MONO), ("b", MONO), ("c", STEREO)):
        state_format(tmp_path / name, audio)
    assert one_format([tmp_path / "a", tmp_path / "b"]) == MONO
    with pytest.raises(DataError, match="give recordings of one format"):
        one_format([tmp_path / "a", tmp_path / "c"])


def test_a_format_has_a_name_or_a_file(tmp_path: Path) -> None:
    assert named_format("48k-stereo") == STEREO
    own = replace(STEREO, sample_rate=44100)
    (tmp_path / "own.json").write_text(json.dumps(asdict(own)))
    assert named_format(str(tmp_path / "own.json")) == own
    with pytest.raises(OptionError, match="choose 22k-mono, 48k-stereo"):
        named_format("8-track")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b'{"sample_rate": 22050}',
        json.dumps(asdict(MONO) | {"channels": 5}).encode(),
        json.dumps(asdict(MONO) | {"hop": "256"}).encode(),
        json.dumps(asdict(MONO) | {"mel_high": 90000.0}).encode(),
        json.dumps({**asdict(MONO), "more": 1}).encode(),
    ],
)
def test_a_damaged_statement_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "format.json").write_bytes(content)
    for act in (lambda: read_format(tmp_path), lambda: state_format(tmp_path, MONO)):
        with pytest.raises(DataError, match=r"format\.json states") as caught:
            act()
        assert "\n" not in str(caught.value)


def test_every_format_says_itself_in_json() -> None:
    for audio in FORMATS.values():
        assert AudioFormat(**json.loads(json.dumps(asdict(audio)))) == audio

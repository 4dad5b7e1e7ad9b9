"""A render is as long, as loud and as repeatable as promised, and is written whole or not at all."""

import dataclasses
import io
import json
import math
import os
from itertools import pairwise

import cv2
import numpy as np
import pyloudnorm
import pytest
import soundfile

from a2m_edge.errors import CommentError, OptionError, OutputError, PictureError
from a2m_edge.explanation.words import LANGUAGES
from a2m_edge.impression.feeling import EMOTIONS, ROLES
from a2m_edge.ledger import claim
from a2m_edge.rendering.render import Request, check_outputs, render, write_render
from a2m_edge.sound.loudness import true_peak
from tests.fixtures.places import ROOT


@pytest.fixture(scope="module")
def painting(tmp_path_factory):
    path = tmp_path_factory.mktemp("paintings") / "calm_sea.png"
    rows = np.linspace(40, 220, 120, dtype=np.uint8)[:, None, None]
    sea = np.broadcast_to(rows, (120, 160, 3)) // np.array([1, 2, 4], np.uint8)
    cv2.imwrite(str(path), cv2.circle(sea, (100, 40), 20, (40, 120, 240), -1))
    return path


@pytest.fixture(scope="module")
def result(painting, tiny_bundle):
    return render(Request(painting, "so calm", seconds=6.0), tiny_bundle, device="cpu")


@pytest.mark.parametrize("seconds", [0.1, 1.0, 1.2345])
def test_the_sound_is_exactly_as_long_as_asked(painting, tiny_bundle, seconds):
    shares: list[float] = []
    made = render(Request(painting, None, seconds), tiny_bundle, device="cpu", progress=shares.append)
    assert made.samples.shape == (round(seconds * 22050), 1)
    assert made.samples.dtype == np.float32
    assert np.isfinite(made.samples).all()
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_the_same_request_gives_the_same_samples_and_another_seed_others(painting, tiny_bundle, result):
    again = render(Request(painting, "so calm", seconds=6.0), tiny_bundle, device="cpu")
    assert np.array_equal(again.samples, result.samples)
    assert again.facts == result.facts
    for request in (
        Request(painting, "so calm", seconds=6.0, seed=1),
        Request(painting, "a storm of rage", seconds=6.0),
        Request(painting, None, seconds=6.0),
        Request(None, "so calm", seconds=6.0),
    ):
        other = render(request, tiny_bundle, device="cpu")
        assert not np.allclose(other.samples, result.samples, atol=1e-3)


def test_what_is_written_is_loud_as_promised_and_ends_gracefully(tmp_path, result):
    write_render(result, tmp_path / "calm.wav", tmp_path / "calm.png")
    samples, rate = soundfile.read(tmp_path / "calm.wav", always_2d=True)
    assert soundfile.info(tmp_path / "calm.wav").subtype == "PCM_16"
    assert rate == 22050
    assert samples.shape == (6 * 22050, 1)
    # Measured: within 0.02 LU. Allowed: 0.5.
    assert pyloudnorm.Meter(rate).integrated_loudness(samples) == pytest.approx(-23, abs=0.5)
    assert true_peak(samples.astype(np.float32), rate) <= -1
    middle = np.abs(samples[rate : 4 * rate]).max()
    assert np.abs(samples[:3]).max() < 0.05 * middle + 2 / 32768
    assert np.abs(samples[-3:]).max() < 0.05 * middle + 2 / 32768
    picture = cv2.imread(str(tmp_path / "calm.png"))
    assert picture is not None
    assert picture.shape == (1440, 1920, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["calm.json", "calm.png", "calm.wav"]


def test_the_json_tells_what_was_felt_and_how_it_was_made(tmp_path, result, tiny_bundle):
    write_render(result, tmp_path / "calm.wav")
    facts = json.loads((tmp_path / "calm.json").read_text(encoding="utf-8"))
    assert facts == result.facts
    assert list(facts["feeling"]["emotions"]) == list(EMOTIONS)
    assert sum(facts["feeling"]["emotions"].values()) == pytest.approx(1, abs=1e-3)
    assert facts["feeling"]["word"] in EMOTIONS
    assert list(facts["palette"]["instruments"]) == list(ROLES)
    assert set(facts["palette"]["instruments"].values()) <= set(tiny_bundle.manifest.instruments)
    assert facts["bundle"] == {"name": "tiny", "version": "1", "hash": tiny_bundle.hash}
    assert facts["seconds"] == 6.0
    assert facts["seed"] == 0
    assert facts["comment"] == "so calm"
    assert facts["picture"] == "calm_sea.png"
    assert facts["key"].endswith(facts["mode"])
    assert 40 < facts["tempo"] < 200
    assert facts["theme"]["beats_in_bar"] in (3, 4)
    assert facts["levels"]["loudness_lufs"] == pytest.approx(-23, abs=0.5)


def test_the_json_and_the_panel_tell_why(result):
    causes = result.facts["why"]
    assert 1 <= len(causes) <= 5
    assert list(result.panel.why) == [cause["text"]["en"] for cause in causes]
    for cause in causes:
        assert set(cause) == {"cause", "effects", "strength", "text"}
        assert set(cause["cause"]) == {"kind", "what"}
        assert set(cause["text"]) == set(LANGUAGES)
        for effect in cause["effects"]:
            assert set(effect) - {"names"} == {"means", "direction", "units"}
            assert effect["units"] >= 1


def test_a_bundle_without_a_score_claims_no_music_that_it_does_not_play(tmp_path, painting, clip_bundle):
    made = render(Request(painting, "so calm", seconds=2.5, seed=4), clip_bundle, device="cpu")
    assert made.samples.shape == (round(2.5 * 22050), 1)
    assert np.isfinite(made.samples).all() and np.abs(made.samples).max() > 0.01
    write_render(made, tmp_path / "calm.wav", tmp_path / "calm.png")
    facts = json.loads((tmp_path / "calm.json").read_text(encoding="utf-8"))
    for name in ("palette", "theme", "key", "mode", "tempo", "bars", "notes"):
        assert facts[name] is None
    assert facts["feeling"]["word"] in EMOTIONS
    assert facts["levels"]["loudness_lufs"] == pytest.approx(-23, abs=0.5)
    assert facts["seed"] == 4
    assert facts["why"] == [] and not made.panel.why
    assert made.panel.beats is None and not made.panel.instruments
    assert np.array_equal(
        made.samples, render(Request(painting, "so calm", seconds=2.5), clip_bundle, device="cpu").samples
    ), "one picture and comment give one clip, whatever the seed"


def test_the_facts_have_the_same_names_whether_or_not_there_is_a_score(result, clip_bundle):
    without = render(Request(None, "so calm", seconds=0.5), clip_bundle, device="cpu").facts
    assert list(without) == list(result.facts)


def test_the_notes_of_the_score_are_those_of_the_render(result):
    notes = [note for beat in result.panel.beats if beat.start < 6.0 for note in beat.notes]
    assert len(notes) == result.facts["notes"] > 0


def test_the_json_tells_where_the_music_looks_and_when(tiny_bundle):
    made = render(Request(ROOT / "examples" / "storm.jpg", None, seconds=25.0), tiny_bundle, device="cpu")
    gaze = json.loads(json.dumps(made.facts["gaze"]))
    assert gaze["regions"]
    for region in gaze["regions"]:
        left, top, width, height = region["region"]
        assert 0 <= left < left + width <= 1.001 and 0 <= top < top + height <= 1.001
        assert region["feeling"] in EMOTIONS and abs(region["valence"]) <= 1 and abs(region["arousal"]) <= 1
    times = gaze["stretches"]
    assert times[0]["start"] == 0.0 and times[0]["region"] is None
    assert times[1]["region"] == 0 and times[-1]["end"] == 25.0
    assert all(one["end"] == other["start"] for one, other in pairwise(times))


def test_a_short_render_and_a_comment_alone_look_nowhere(result, tiny_bundle):
    assert result.facts["gaze"] is None
    assert render(Request(None, "so calm", seconds=25.0), tiny_bundle, device="cpu").facts["gaze"] is None


def test_a_stream_gets_the_same_bytes_as_a_file(tmp_path, result):
    stream = io.BytesIO()
    write_render(result, stream)
    write_render(result, tmp_path / "calm.wav")
    assert stream.getvalue() == (tmp_path / "calm.wav").read_bytes()


def test_a_comment_that_is_too_long_is_heard_in_part_and_the_user_told(tiny_bundle):
    made = render(Request(None, "the sea is grey and wide " * 400, 0.5), tiny_bundle, device="cpu")
    assert made.notice is not None
    assert "longer than the text encoder hears" in made.notice
    assert len(made.facts["comment"]) < 400
    assert render(Request(None, "the sea", 0.5), tiny_bundle, device="cpu").notice is None


@pytest.mark.parametrize("size", [(1, 1), (300, 200)])
def test_where_there_is_little_to_see_it_is_told_and_the_music_plays(tmp_path, painting, tiny_bundle, size):
    cv2.imwrite(str(tmp_path / "black.png"), np.zeros((*size, 3), np.uint8))
    made = render(Request(tmp_path / "black.png", None, 1.0), tiny_bundle, device="cpu")
    assert made.facts["little_to_see"] is True
    assert made.notice == "there is little to see in the picture: the music follows its light and colours"
    assert "little to see" in made.panel.facts
    assert np.abs(made.samples).max() > 0
    seen = render(Request(painting, None, 0.5), tiny_bundle, device="cpu")
    assert (seen.facts["little_to_see"], seen.notice) == (False, None)
    assert "little to see" not in seen.panel.facts
    assert render(Request(None, "so calm", 0.5), tiny_bundle, device="cpu").facts["little_to_see"] is None


def test_a_comment_that_is_not_understood_is_told_everywhere(painting, tiny_bundle, result):
    silent = render(Request(painting, None, 0.5), tiny_bundle, device="cpu")
    assert silent.facts["comment_understood"] is None
    assert result.facts["comment_understood"] is True
    made = render(Request(painting, "我很难过。", 0.5), tiny_bundle, device="cpu")
    assert (made.facts["comment"], made.facts["comment_understood"]) == ("我很难过。", False)
    assert made.facts["feeling"] == silent.facts["feeling"]
    np.testing.assert_array_equal(made.samples, silent.samples)
    assert made.notice == (
        "the comment was not understood, so the music follows the picture alone: this bundle knows the language 'en'"
    )
    assert "comment not understood" in made.panel.facts
    alone = render(Request(None, "我很难过。", 0.5), tiny_bundle, device="cpu")
    assert alone.notice is not None and "so the music is neutral" in alone.notice


def test_a_comment_that_is_understood_but_for_some_signs_says_what_was_heard(tiny_bundle):
    made = render(Request(None, "so calm 海", 0.5), tiny_bundle, device="cpu")
    assert (made.facts["comment"], made.facts["comment_understood"]) == ("so calm 海", True)
    assert made.notice == "the text encoder does not know all of the comment; it heard: so calm"
    np.testing.assert_array_equal(made.samples, render(Request(None, "so calm", 0.5), tiny_bundle).samples)


def test_a_failure_leaves_nothing_and_keeps_what_was_there(tmp_path, result):
    (tmp_path / "calm.json").write_text("older")
    claim(tmp_path / "calm.json", force=True)
    broken = dataclasses.replace(result, samples=np.full((100, 1), np.nan, np.float32))
    with pytest.raises(ValueError, match="finite"):
        write_render(broken, tmp_path / "calm.wav", tmp_path / "calm.png")
    assert [path.name for path in tmp_path.iterdir()] == ["calm.json"]
    assert (tmp_path / "calm.json").read_text() == "older"
    with pytest.raises(OutputError):
        write_render(result, tmp_path / "missing" / "calm.wav", tmp_path / "calm.png")
    assert [path.name for path in tmp_path.iterdir()] == ["calm.json"]


@pytest.mark.parametrize("seconds", [0, -1, 0.09, 601, 604_800, math.nan, math.inf, -math.inf])
def test_a_duration_out_of_range_is_refused(tiny_bundle, seconds):
    with pytest.raises(OptionError, match=r"from 0\.1 to 600"):
        render(Request(None, "calm", seconds), tiny_bundle)


def test_what_cannot_be_rendered_is_refused(tmp_path, tiny_bundle):
    with pytest.raises(OptionError, match="nothing to render"):
        render(Request(None, None), tiny_bundle)
    with pytest.raises(OptionError, match="--seed"):
        render(Request(None, "calm", seed=-1), tiny_bundle)
    with pytest.raises(CommentError):
        render(Request(None, " \u202e "), tiny_bundle)
    with pytest.raises(PictureError):
        render(Request(tmp_path / "missing.jpg", None), tiny_bundle)


def test_outputs_are_checked_before_the_work(tmp_path, painting):
    check_outputs(tmp_path / "a.wav", tmp_path / "a.png", painting)
    check_outputs(None, None, None)
    (tmp_path / "folder.wav").mkdir()
    for sound, picture, error in (
        (tmp_path / "a.mp3", None, OptionError),
        (tmp_path / "a", None, OptionError),
        (None, tmp_path / "a.jpg", OptionError),
        (None, painting, OptionError),
        (tmp_path / "missing" / "a.wav", None, OutputError),
        (None, tmp_path / "missing" / "a.png", OutputError),
        (tmp_path / "folder.wav", None, OutputError),
    ):
        with pytest.raises(error):
            check_outputs(sound, picture, painting)
    link = tmp_path / "link.png"
    link.symlink_to(painting)
    with pytest.raises(OptionError, match="what is read"):
        check_outputs(None, link, painting)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="may not be written"):
            check_outputs(tmp_path / "a.wav", None, None)
    finally:
        tmp_path.chmod(0o700)

"""A bundle of 48 kHz in stereo goes through every door that sound leaves by, each side by itself."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from a2m_edge.bundle import Bundle
from a2m_edge.sound.files import SOUND_FORMATS
from a2m_edge.sound.format import FORMATS
from a2m_edge.sound.loudness import integrated_loudness, true_peak
from a2m_edge.soundscape import Soundscape
from kiosk.shared.settings import WebSettings
from tests.fixtures.exhibit.browser import chromium, pitch, visiting
from tests.fixtures.exhibit.exhibit import Listener, RunningExhibit, longest_silence
from tests.fixtures.exhibit.pages import served
from tests.fixtures.exhibit.small_exhibit import CALM
from tests.fixtures.exhibit.sound_server import DEVICE, SoundServer
from tests.fixtures.exhibit.speaker_room import check_contained
from tests.fixtures.places import EXAMPLES, PROGRAM, STEREO_BUNDLE

RATE, SECONDS = 48_000, 2.5


def finish(folder: Path, *arguments: object) -> str:
    """``a2m-edge`` in a folder, to its good end; what it printed."""
    command = [str(PROGRAM), *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def sides_differ(sound: np.ndarray) -> bool:
    """Whether both sides sound, and not alike."""
    left, right = np.abs(sound).max(0)
    return bool(left > 1e-3 and right > 1e-3 and np.abs(np.corrcoef(sound.T)[0, 1]) < 0.999)


def test_the_bundle_says_its_format(stereo_bundle: Bundle, tmp_path: Path) -> None:
    assert stereo_bundle.manifest.audio == FORMATS["48k-stereo"]
    shown = finish(tmp_path, "bundle", "info", STEREO_BUNDLE)
    assert "48000 Hz stereo" in " ".join(shown.split())
    assert "is whole" in finish(tmp_path, "bundle", "verify", STEREO_BUNDLE, "--device", "cpu")


def test_a_render_has_two_sides_at_the_level_of_a_museum(tmp_path: Path) -> None:
    options = ("--comment", "so quiet", "--seconds", SECONDS, "--bundle", STEREO_BUNDLE, "--device", "cpu")
    finish(tmp_path, "render", EXAMPLES / "storm.jpg", *options, "-o", "storm.wav", "--picture", "storm.png")
    sound, rate = soundfile.read(tmp_path / "storm.wav", dtype="float32")
    assert (rate, sound.shape) == (RATE, (round(SECONDS * RATE), 2))
    assert sides_differ(sound)
    assert integrated_loudness(sound, rate) == pytest.approx(-23.0, abs=0.1)
    assert true_peak(sound, rate) <= -1.0
    facts = json.loads((tmp_path / "storm.json").read_text())
    assert (facts["sample_rate"], facts["channels"]) == (RATE, 2)


@pytest.mark.parametrize("sizes", [[1] * 7, [8, 3, 40], [128]])
def test_chunks_equal_the_whole(stereo_bundle: Bundle, sizes: list[int]) -> None:
    def stream(chunks: list[int]) -> np.ndarray:
        soundscape = Soundscape(stereo_bundle, seed=4, device="cpu", threads=1)
        soundscape.hear("It smells of rain and I miss my father")
        return np.concatenate([next(soundscape.chunks(size, size)).samples for size in chunks])

    whole = stream([sum(sizes)])
    assert whole.shape == (sum(sizes) * 512, 2)
    np.testing.assert_allclose(stream(sizes), whole, atol=1e-4)  # measured: 2e-6


@pytest.mark.parametrize("kind", SOUND_FORMATS)
def test_a_collection_keeps_both_sides_in_every_format(kind: str, tmp_path: Path) -> None:
    options = ("-o", "sounds", "--format", kind, "--seconds", 1, "--bundle", STEREO_BUNDLE, "--workers", 1)
    (tmp_path / "works").mkdir()
    shutil.copy(EXAMPLES / "storm.jpg", tmp_path / "works")
    finish(tmp_path, "render-collection", "works", *options, "--contact-sheet")
    (file,) = (tmp_path / "sounds" / "sounds").iterdir()
    sound, rate = soundfile.read(file)
    assert (rate, sound.shape[1]) == (RATE, 2)
    assert sides_differ(sound)


@pytest.mark.realtime
def test_the_room_and_the_page_get_both_sides_sample_by_sample(tmp_path: Path) -> None:
    with (
        SoundServer(RATE) as server,
        RunningExhibit(tmp_path, audio=DEVICE, bundle=STEREO_BUNDLE, environment=server.environment) as exhibit,
    ):
        assert exhibit.until(exhibit.healthy), exhibit.log
        assert exhibit.until(lambda: exhibit.metric('a2m_sounding{source="live"}') == 1), exhibit.log
        state = json.loads(exhibit.ask("/api/visit")[1])
        assert (state["sample_rate"], state["channels"], state["hop"], state["bands"]) == (RATE, 2, 512, 128)
        recorder, listener = server.record(), Listener(exhibit)
        begun = exhibit.metric("a2m_samples_played_total")
        assert exhibit.until(lambda: exhibit.metric("a2m_samples_played_total") > begun + 3 * RATE)
        listener.listen()
        assert exhibit.until(lambda: exhibit.metric("a2m_samples_played_total") > begun + 4 * RATE)
        recording, played = recorder.stop(), listener.close()[RATE : 3 * RATE]
        check_contained(recording, played)
        assert sides_differ(played)
        assert longest_silence(played, RATE) < 0.05
        assert exhibit.metric("a2m_underruns_total") == 0
        exhibit.end()
        assert "Traceback" not in exhibit.log


@pytest.mark.realtime
@pytest.mark.parametrize("worklet", [True, False], ids=["audio thread", "page"])
def test_a_browser_plays_both_sides(worklet: bool) -> None:
    for pages in served(WebSettings(port=0), audio=FORMATS["48k-stereo"]):
        with chromium() as browser, visiting(browser, pages) as visitor:
            if not worklet:  # as on a phone over plain http
                visitor.page.evaluate("delete BaseAudioContext.prototype.audioWorklet")
            visitor.listen()
            sides, rate = visitor.played_sides(1.0)
            assert sides.shape[1] == 2
            assert pitch(sides[:, 0], rate) == pytest.approx(CALM, abs=4)
            loud = np.abs(sides).max(0)
            assert loud[1] == pytest.approx(0.5 * loud[0], rel=0.02)
            np.testing.assert_allclose(sides[:, 1], 0.5 * sides[:, 0], atol=2e-3)

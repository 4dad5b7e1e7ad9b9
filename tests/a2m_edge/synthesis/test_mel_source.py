"""Where frames come from: decoders of clips, crossfades, and bundles that mix the kinds."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from a2m_edge.bundle import Bundle, open_bundle, seal_bundle
from a2m_edge.bundle.manifest import ClipDecoder, DecoderContext
from a2m_edge.errors import BundleError, OptionError
from a2m_edge.inference.sessions import open_session
from a2m_edge.perception.encoders import Encoders, Perception
from a2m_edge.soundscape import Soundscape
from a2m_edge.synthesis.mel_source import MelSource, crossfaded, open_source

NOBODY = np.zeros(16, np.float32)
COMMENTS = ("The waves make me feel at peace", "Terror! The storm will drown them all", "I weep")


@pytest.fixture(scope="module")
def perceptions(clip_bundle: Bundle) -> list[Perception]:
    encoders = Encoders(clip_bundle, "cpu", 1)
    return [encoders.feel(None, encoders.comment(comment)) for comment in COMMENTS]


@pytest.fixture(scope="module")
def clips(clip_bundle: Bundle, perceptions: list[Perception]) -> list[NDArray[np.float32]]:
    """The clip of each perception, as the decoder gives it."""
    decoder = open_session(clip_bundle, "mel_decoder", "cpu", 1)
    return [decoder.run(fused=each.fused[None])["mel"][0] for each in perceptions]


def source(bundle: Bundle, perception: Perception) -> MelSource:
    stream = open_source(bundle, device="cpu", threads=1)
    stream.steer(NOBODY, perception)
    return stream


def power(mel: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(np.exp(2 * mel.astype(np.float64)).sum(0))


def mels(frames: int) -> st.SearchStrategy[NDArray[np.float32]]:
    """Log-mels of 3 bands, as different in level as they can be."""
    levels = st.lists(st.floats(-11.5, 3, width=32), min_size=3 * frames, max_size=3 * frames)
    return levels.map(lambda values: np.array(values, np.float32).reshape(3, frames))


@given(st.data(), st.integers(1, 8), st.integers(0, 5), st.integers(0, 5))
def test_a_crossfade_passes_evenly_from_one_level_to_the_other(data, overlap, old_rest, new_rest):
    old, new = data.draw(mels(overlap + old_rest)), data.draw(mels(overlap + new_rest))
    kept = new.copy()
    faded = crossfaded(old, new, overlap)
    np.testing.assert_array_equal(new, kept)
    assert faded.shape == new.shape and faded.dtype == np.float32
    np.testing.assert_array_equal(faded[:, overlap:], new[:, overlap:])
    begin, end, between = (power(mel[:, :overlap]) for mel in (old, new, faded))
    share = (between - begin)[begin != end] / (end - begin)[begin != end]
    rising = np.sin((np.arange(overlap) + 0.5) / overlap * np.pi / 2)[begin != end] ** 2
    far = np.abs(end - begin)[begin != end] > 1e-3 * (end + begin)[begin != end]  # else rounding decides
    np.testing.assert_allclose(share[far], rising[far], atol=2e-2)  # float32 under an exponential


@given(st.data(), st.integers(1, 8))
def test_a_crossfade_of_equals_changes_nothing(data, overlap):
    mel = data.draw(mels(overlap + 2))
    np.testing.assert_allclose(crossfaded(mel, mel, overlap), mel, atol=1e-5)


def test_a_crossfade_of_extreme_levels_stays_finite():
    silent, loud = np.full((2, 6), -80, np.float32), np.full((2, 6), 80, np.float32)
    for faded in (crossfaded(silent, loud, 4), crossfaded(loud, silent, 4)):
        assert np.isfinite(faded).all()


def test_clips_follow_one_another_and_fade_only_where_they_meet(clip_bundle, perceptions, clips):
    clip, mel = clips[0], source(clip_bundle, perceptions[0]).decode(160).mel
    np.testing.assert_allclose(mel[:, :32], clip[:, :32], atol=1e-6)
    joined = crossfaded(clip[:, 32:], clip, 32)[:, :32]
    for begin in (32, 64, 96, 128):
        np.testing.assert_allclose(mel[:, begin : begin + 32], joined, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 100), st.sampled_from([None, 0, 1, 2])), min_size=1, max_size=8))
def test_frames_do_not_depend_on_how_they_are_asked_for(clip_bundle, perceptions, wishes):
    """Whatever is asked for, and whenever something changes: one frame after the other gives the same."""
    whole, single = (source(clip_bundle, perceptions[0]) for _ in range(2))
    for frames, change in wishes:
        if change is not None:
            for stream in (whole, single):
                stream.steer(NOBODY, perceptions[change])
        together = whole.decode(frames).mel
        assert together.shape == (80, frames)
        np.testing.assert_array_equal(np.hstack([single.decode(1).mel for _ in range(frames)]), together)


def test_no_seam_is_rougher_than_the_clip_itself(clip_bundle, perceptions, clips):
    """The clips end some 17 dB louder than they begin: cut hard, every seam would be a step of 1.8 nats and more."""
    for perception, clip in zip(perceptions, clips, strict=True):
        mel = source(clip_bundle, perception).decode(320).mel
        assert np.abs(np.diff(mel)).max() <= np.abs(np.diff(clip)).max()


@pytest.mark.parametrize("played", [1, 20, 32, 33, 50, 64, 77])
def test_a_change_fades_in_from_the_next_frame_on(clip_bundle, perceptions, played):
    """Wherever in a clip or a seam it happens, and after the overlap nothing of what was before is left."""
    straight, bent, otherwise = (source(clip_bundle, perceptions[number]) for number in (0, 0, 2))
    for stream in (straight, bent, otherwise):
        stream.decode(played)
    for stream in (bent, otherwise):
        stream.steer(NOBODY, perceptions[1])
    before, after, alike = (stream.decode(96).mel for stream in (straight, bent, otherwise))
    change = np.abs(after - before).max(0)
    assert change[0] < 0.1, "it begins softly"
    assert (change[1:32] > 1e-4).all(), "it begins at once"
    assert (after[:, :32] != alike[:, :32]).any(0).all()
    np.testing.assert_array_equal(after[:, 32:], alike[:, 32:])


def test_a_change_goes_on_where_the_clip_was(clip_bundle, perceptions, clips):
    stream = source(clip_bundle, perceptions[0])
    stream.decode(10)
    stream.steer(NOBODY, perceptions[1])
    expected = crossfaded(clips[0][:, 10:], clips[1][:, 10:], 32)[:, :22]  # as far as the next seam
    np.testing.assert_allclose(stream.decode(22).mel, expected, atol=1e-6)


def test_seeing_the_same_again_and_again_does_not_begin_again(clip_bundle, perceptions):
    restless, calm = (source(clip_bundle, perceptions[0]) for _ in range(2))
    for _ in range(20):
        restless.steer(NOBODY, perceptions[0])
        moving, still = restless.decode(7).mel, calm.decode(7).mel
        assert np.abs(power(moving) / power(still) - 1).max() < 1.0, "within 3 dB all the time"
    restless.decode(64), calm.decode(64)
    np.testing.assert_allclose(restless.decode(64).mel, calm.decode(64).mel, atol=1e-5)


def test_nothing_is_decoded_before_something_is_perceived(tiny_bundle, clip_bundle):
    for bundle in (tiny_bundle, clip_bundle):
        with pytest.raises(OptionError, match="no music yet"):
            open_source(bundle, device="cpu", threads=1).decode(1)


class TestMixedBundles:
    @pytest.fixture
    def folder(self, tmp_path: Path, clip_bundle: Bundle) -> Path:
        return Path(shutil.copytree(clip_bundle.path, tmp_path / "bundle"))

    def rewrite(self, folder: Path, **changes: object) -> None:
        path = folder / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    def test_a_score_for_a_decoder_of_clips(self, folder):
        self.rewrite(folder, score={"lowest_pitch": 21, "keys": 88, "onset_decay": 0.5})
        with pytest.raises(BundleError, match="one of clips takes none"):
            open_bundle(folder)

    def test_a_decoder_of_windows_without_a_score(self, folder):
        self.rewrite(folder, decoder={"window": 32, "left": 8, "right": 8})
        with pytest.raises(BundleError, match="needs a score"):
            open_bundle(folder)

    @pytest.mark.parametrize(("frames", "overlap"), [(64, 0), (64, 33), (1, 1), (64, -1), (1 << 20, 8)])
    def test_clips_that_cannot_be_joined(self, folder, frames, overlap):
        self.rewrite(folder, decoder={"frames": frames, "overlap": overlap})
        with pytest.raises(BundleError, match="outside"):
            open_bundle(folder)

    def test_a_vocoder_that_hears_notes_nobody_plays(self, folder):
        graphs = json.loads((folder / "manifest.json").read_text())["graphs"]
        graphs["vocoder"]["inputs"].append({"name": "excitation", "dtype": "float32", "shape": ["batch", 1, "excited"]})
        self.rewrite(folder, graphs=graphs)
        with pytest.raises(BundleError, match="excitation of notes needs a score"):
            open_bundle(folder)

    def test_clips_of_another_length_than_stated(self, folder, clip_bundle):
        bundle = seal_bundle(folder, replace(clip_bundle.manifest, decoder=ClipDecoder(62, 8)))
        with pytest.raises(BundleError, match="no clips of 62 frames"):
            Soundscape(bundle, device="cpu")

    def test_windows_of_another_context_than_the_graph_crops(self, folder, tiny_bundle):
        shutil.rmtree(folder)
        shutil.copytree(tiny_bundle.path, folder)
        decoder = replace(tiny_bundle.manifest.decoder, right=tiny_bundle.manifest.decoder.right + 1)
        soundscape = Soundscape(seal_bundle(folder, replace(tiny_bundle.manifest, decoder=decoder)), device="cpu")
        soundscape.hear("calm")
        with pytest.raises(BundleError, match="tells 33 frames of 65, and the manifest states windows of 32"):
            next(soundscape.chunks(8, 8))

    def test_a_graph_of_the_other_kind(self, folder, clip_bundle, tiny_bundle):
        shutil.copy(tiny_bundle.file("mel_decoder.onnx"), folder)
        graphs = clip_bundle.manifest.graphs | {"mel_decoder": tiny_bundle.manifest.graphs["mel_decoder"]}
        bundle = seal_bundle(folder, replace(clip_bundle.manifest, graphs=graphs))
        with pytest.raises(BundleError, match="must make mel of fused: export it again"):
            Soundscape(bundle, device="cpu")

    def test_a_manifest_that_was_never_checked(self, clip_bundle):
        manifest = replace(clip_bundle.manifest, decoder=DecoderContext(32, 8, 8))
        with pytest.raises(BundleError, match="not both"):
            Soundscape(replace(clip_bundle, manifest=manifest), device="cpu")

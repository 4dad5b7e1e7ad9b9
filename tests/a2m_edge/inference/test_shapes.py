"""The shapes of a stream, as it really runs, and the ranges of engines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from a2m_edge.bundle.manifest import DecoderContext, Manifest, Tensor, VocoderContext
from a2m_edge.errors import BundleError
from a2m_edge.inference.sessions import Session
from a2m_edge.inference.shapes import (
    LARGEST_BATCH,
    LARGEST_CHUNK_SECONDS,
    engine_profiles,
    input_shapes,
    usual_sizes,
    vocoder_sizes,
)
from a2m_edge.inference.tensorrt.executor import fitting_profile
from a2m_edge.soundscape import Soundscape
from tests.fixtures.places import TINY_BUNDLE

MANIFEST = Manifest.from_json((TINY_BUNDLE / "manifest.json").read_bytes())


def heard_by(monkeypatch, bundle, graph):
    """The input shapes of every run of a graph, while a stream plays."""
    seen = []
    run = Session.run

    def noted(session, **inputs):
        if session.graph == graph:
            seen.append({name: array.shape for name, array in inputs.items()})
        return run(session, **inputs)

    monkeypatch.setattr(Session, "run", noted)
    soundscape = Soundscape(bundle, device="cpu")
    soundscape.see(np.full((64, 64, 3), 128, np.uint8))
    soundscape.hear("hello")
    for _ in soundscape.chunks(8 * bundle.manifest.audio.chunk_frames):
        pass
    return seen


@pytest.mark.parametrize("graph", ["vocoder", "mel_decoder", "image_encoder", "fusion"])
def test_the_usual_sizes_are_those_that_a_stream_has(tiny_bundle, monkeypatch, graph):
    seen = heard_by(monkeypatch, tiny_bundle, graph)
    stated = [
        input_shapes(tiny_bundle.manifest.graphs[graph].inputs, each)
        for each in usual_sizes(tiny_bundle.manifest, graph)
    ]
    assert all(shapes in stated for shapes in seen)
    assert all(shapes in seen for shapes in stated)
    assert seen[-1] == stated[-1]


@given(left=st.integers(0, 100), right=st.integers(0, 100), chunk=st.integers(1, 100))
@settings(deadline=None)
def test_the_vocoder_always_hears_its_whole_context(left, right, chunk):
    manifest = replace(MANIFEST, vocoder=VocoderContext(left, right))
    sizes = vocoder_sizes(manifest, chunk)
    assert sizes == {"batch": 1, "frames": left + chunk + right, "excited": 256 * (left + chunk + right)}


@given(window=st.integers(1, 200), right=st.integers(0, 100))
@settings(deadline=None)
def test_the_decoder_is_asked_for_every_number_of_windows_that_is_announced(window, right):
    manifest = replace(MANIFEST, decoder=DecoderContext(window, 3, 4), vocoder=VocoderContext(5, right))
    announced = {each["batch"] for each in usual_sizes(manifest, "mel_decoder")}
    decoded, asked = 0, set()
    for chunk in range(1, 500):
        windows = max(0, -(-(chunk * MANIFEST.audio.chunk_frames + right - decoded) // window))
        decoded += windows * window
        asked |= {windows} - {0}
    assert announced == asked


@given(left=st.integers(0, 200), right=st.integers(0, 200), context=st.integers(2, 512), padded=st.booleans())
@settings(deadline=None)
def test_profiles_are_ranges_that_hold_whatever_is_run(left, right, context, padded):
    text = replace(MANIFEST.text, context_length=context, padded=padded)
    manifest = replace(MANIFEST, vocoder=VocoderContext(left, right), text=text)
    for graph in ("image_encoder", "text_encoder", "vocoder"):
        profiles = engine_profiles(manifest, graph)
        for profile in profiles:
            for shapes in (profile.least, profile.usual, profile.most):
                assert profile.holds(shapes)
            for name, usual in profile.usual.items():
                stated = next(tensor.shape for tensor in manifest.graphs[graph].inputs if tensor.name == name)
                assert len(usual) == len(stated)
                ends = zip(profile.least[name], profile.most[name], stated, strict=True)
                assert all(low == high == size for low, high, size in ends if isinstance(size, int))
        for sizes in usual_sizes(manifest, graph):
            assert fitting_profile(profiles, input_shapes(manifest.graphs[graph].inputs, sizes)) is not None
    chunk = input_shapes(manifest.graphs["vocoder"].inputs, vocoder_sizes(manifest, manifest.audio.chunk_frames))
    assert fitting_profile(engine_profiles(manifest, "vocoder"), chunk) == 0


@given(frames=st.integers(0, 1000), batch=st.integers(0, 3))
@settings(deadline=None)
def test_the_vocoder_takes_any_length_up_to_a_limit_and_one_stream(frames, batch):
    profiles = engine_profiles(MANIFEST, "vocoder")
    shapes = input_shapes(MANIFEST.graphs["vocoder"].inputs, vocoder_sizes(MANIFEST, frames, batch))
    assert (fitting_profile(profiles, shapes) is not None) == (
        batch == 1 and 1 <= frames <= MANIFEST.audio.frames(LARGEST_CHUNK_SECONDS)
    )


@given(batch=st.integers(0, 20), length=st.integers(0, 100))
@settings(deadline=None)
def test_a_padded_text_encoder_takes_whole_contexts_alone(batch, length):
    padded = replace(MANIFEST, text=replace(MANIFEST.text, padded=True, context_length=64))
    (profile,) = engine_profiles(padded, "text_encoder")
    assert profile.holds({"tokens": (batch, length)}) == (length == 64 and 1 <= batch <= LARGEST_BATCH)


def test_other_inputs_and_other_dimensions_fit_no_profile():
    profiles = engine_profiles(MANIFEST, "image_encoder")
    image = profiles[0].usual["image"]
    assert fitting_profile(profiles, {"image": image}) == 0
    assert fitting_profile(profiles, {"picture": image}) is None
    assert fitting_profile(profiles, {"image": image[1:]}) is None
    assert fitting_profile(profiles, {"image": (*image, 1)}) is None
    assert fitting_profile(profiles, {}) is None


@pytest.mark.parametrize("graph", ["fusion", "mel_decoder"])
def test_there_are_no_engines_of_the_other_graphs(graph):
    with pytest.raises(ValueError, match="no engine"):
        engine_profiles(MANIFEST, graph)


def test_an_axis_without_a_meaning_is_refused():
    with pytest.raises(BundleError, match="the axis 'depth' of x"):
        input_shapes((Tensor("x", "float32", ("batch", "depth")),), {"batch": 1})

"""What an evaluation prints: each measure against cases whose answer is known without it."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import astuple
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.linalg import sqrtm
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from a2m_edge.errors import DataError
from a2m_edge.sound.format import FORMATS
from a2m_edge.sound.mel import SILENCE, log_mel
from training.data.recordings.fluidsynth import SOUNDFONT, as_midi_file, render
from training.evaluation.listening.heard_feeling import (
    FeelingListener,
    FeelingReference,
    Heard,
    feelings,
    second_valence,
)
from training.evaluation.listening.heard_mode import HeardMode, heard_mode, mode_agreement
from training.evaluation.listening.spectral import (
    MCD_CONSTANT,
    MCD_DEFINITION,
    log_spectral_distance,
    mel_cepstral_distortion,
    mel_cosine,
)
from training.evaluation.statistics.agreement import agreement, concordance
from training.evaluation.statistics.distances import (
    frechet_distance,
    kernel_distance,
    mean_with_interval,
    with_interval,
)
from training.evaluation.statistics.diversity import diversity, mel_statistics, nearest_training

MELS = arrays(np.float64, (20, 5), elements=st.floats(-11.0, 3.0))


def cloud(count: int, size: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, (count, size))


# Mel-spectrograms


@given(MELS, st.floats(-5, 5))
@settings(max_examples=30, deadline=None)
def test_level_is_no_cepstral_distortion_and_every_db_of_it_is_spectral_distance(mel: np.ndarray, nats: float) -> None:
    assert mel_cepstral_distortion(mel, mel) == 0
    assert mel_cepstral_distortion(mel, mel + nats) < 1e-9  # measured 7e-15
    decibels = abs(nats) * 20 / math.log(10)
    assert log_spectral_distance(mel, mel + nats) == pytest.approx(decibels, abs=1e-9)  # measured 7e-15


@pytest.mark.parametrize("coefficient", [1, 7, 13])
def test_one_nat_in_one_cepstral_coefficient_is_the_constant(coefficient: int) -> None:
    bands = 80
    wave = math.sqrt(2 / bands) * np.cos(math.pi * coefficient * (np.arange(bands) + 0.5) / bands)
    mel = np.zeros((bands, 3))
    found = mel_cepstral_distortion(mel, mel + wave[:, None])
    assert found == pytest.approx(6.1419, abs=5e-5)  # measured 6.14185
    assert f"{MCD_CONSTANT:.4f}" == "6.1419"
    assert "6.1419" in MCD_DEFINITION


def test_cepstra_above_the_thirteenth_do_not_count() -> None:
    wave = np.cos(math.pi * 14 * (np.arange(80) + 0.5) / 80)[:, None]
    assert mel_cepstral_distortion(np.zeros((80, 2)), np.repeat(wave, 2, 1)) < 1e-9  # measured 2e-14


def test_mels_are_cut_to_the_shorter_and_the_mean_is_over_frames() -> None:
    mel = cloud(20, 6, 0)
    longer = np.concatenate([mel, np.full((20, 4), 3.0)], 1)
    assert mel_cepstral_distortion(mel, longer) == 0
    changed = mel.copy()
    changed[:, 0] += np.arange(20)
    assert mel_cepstral_distortion(mel, changed) == pytest.approx(
        mel_cepstral_distortion(mel[:, :1], changed[:, :1]) / 6
    )


def test_mel_cosine_is_one_for_itself_and_zero_for_silence_and_other_bands() -> None:
    silence = np.full((20, 4), SILENCE, np.float32)
    low, high = silence.copy(), silence.copy()
    low[:10], high[10:] = 0, 0
    assert mel_cosine(low, low) == pytest.approx(1)
    assert mel_cosine(low, high) == pytest.approx(0, abs=1e-6)
    assert mel_cosine(low, silence) == mel_cosine(silence, silence) == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.zeros((20, 4)), np.zeros((21, 4))),
        (np.zeros((20, 4)), np.zeros((20, 0))),
        (np.zeros((20, 4)), np.full((20, 4), np.nan)),
        (np.zeros(20), np.zeros(20)),
    ],
)
def test_mels_that_cannot_be_compared_are_refused(one: np.ndarray, other: np.ndarray) -> None:
    for measure in (mel_cepstral_distortion, log_spectral_distance, mel_cosine):
        with pytest.raises(ValueError, match="mel"):
            measure(one, other)


# Clouds of embeddings


def with_moments(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Rows whose mean and unbiased covariance are exactly these (the covariance diagonal)."""
    size = len(mean)
    corners = np.concatenate([np.eye(size), -np.eye(size)])
    return np.asarray(mean + corners * deviation * math.sqrt((2 * size - 1) / 2))


def test_frechet_distance_of_known_gaussians() -> None:
    one = with_moments(np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.0, 0.5]))
    other = with_moments(np.array([3.0, 1.0, -2.0]), np.array([2.0, 2.0, 1.5]))
    # |m1 - m2|^2 + sum (s1 - s2)^2, for covariances that commute
    assert frechet_distance(one, other) == pytest.approx(9 + 16 + 1 + 0 + 1, rel=1e-9)  # measured 2e-16


def test_frechet_distance_equals_the_root_of_the_matrix_where_that_exists() -> None:
    one, other = cloud(60, 5, 0) @ cloud(5, 5, 1), cloud(40, 5, 2, 0.5) @ cloud(5, 5, 3)
    s1, s2 = np.cov(one.T), np.cov(other.T)
    step = one.mean(0) - other.mean(0)
    textbook = step @ step + np.trace(s1 + s2 - 2 * sqrtm(s1 @ s2).real)
    assert frechet_distance(one, other) == pytest.approx(textbook, rel=1e-8)  # measured 8e-15


def test_frechet_distance_stands_fewer_samples_than_dimensions() -> None:
    few = cloud(8, 100, 0)
    assert frechet_distance(few, few) < 1e-9  # measured 0
    assert frechet_distance(few, few[::-1] + 1.0) == pytest.approx(100.0, rel=1e-9)  # measured 2e-16
    assert frechet_distance(few, cloud(300, 100, 1)) == pytest.approx(frechet_distance(cloud(300, 100, 1), few))


def test_kernel_distance_is_near_zero_for_one_source_and_grows_with_the_shift() -> None:
    real = cloud(150, 16, 0)
    distances = [kernel_distance(real, cloud(150, 16, 1, shift)) for shift in (0.0, 0.3, 1.0)]
    assert abs(distances[0]) < 0.5  # measured -0.02, where a shift of 0.3 gives 2.8
    assert distances[0] + 1 < distances[1] < distances[2]
    fresh = [kernel_distance(cloud(40, 4, 2 * seed), cloud(40, 4, 2 * seed + 1)) for seed in range(60)]
    assert min(fresh) < 0 < max(fresh)  # unbiased: it is below zero as often as above
    assert abs(np.mean(fresh)) < 3 * np.std(fresh) / math.sqrt(60)


def test_kernel_distance_is_the_sum_over_pairs() -> None:
    real, other = cloud(7, 3, 0, 40.0), cloud(5, 3, 1, 40.5)
    width = 2 * np.median(pdist(real)) ** 2

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return math.exp(-float(((a - b) ** 2).sum()) / width)

    within = [
        np.mean([kernel(a, b) for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j])
        for rows in (real, other)
    ]
    across = np.mean([kernel(a, b) for a in real for b in other])
    assert kernel_distance(real, other) == pytest.approx(100 * (sum(within) - 2 * across), rel=1e-9)


def test_interval_holds_the_value_is_seeded_and_narrows_with_more_clips() -> None:
    def groups(clips: int, seed: int, shift: float = 0.0) -> list[np.ndarray]:
        return list(cloud(clips * 3, 6, seed, shift).reshape(clips, 3, 6))

    for distance in (frechet_distance, kernel_distance):
        few = with_interval(distance, groups(12, 0), groups(12, 1, 1.0), draws=40)
        assert few == with_interval(distance, groups(12, 0), groups(12, 1, 1.0), draws=40)
        many = with_interval(distance, groups(120, 0), groups(120, 1, 1.0), draws=40)
        assert few.low < few.value < few.high
        assert many.high - many.low < 0.6 * (few.high - few.low)  # clips times ten: by theory 0.32
        assert few.value == distance(np.concatenate(groups(12, 0)), np.concatenate(groups(12, 1, 1.0)))


def test_interval_is_over_clips_and_not_over_their_windows() -> None:
    centres, others = cloud(20, 4, 0), cloud(20, 4, 1)
    widths = []
    for windows in (1, 9):
        real, other = ([np.repeat(clip[None], windows, 0) for clip in clips] for clips in (centres, others))
        estimate = with_interval(frechet_distance, real, other)
        widths.append(estimate.high - estimate.low)
    assert (
        widths[1] > 0.7 * widths[0]
    )  # nine windows that say the same are no more evidence; measured 0.97; by windows it would be a third


def test_mean_with_interval_is_the_known_standard_error() -> None:
    values = cloud(400, 1, 0)[:, 0]
    estimate = mean_with_interval(values)
    assert estimate.value == pytest.approx(values.mean())
    width = 2 * 1.96 * values.std() / math.sqrt(400)
    assert estimate.high - estimate.low == pytest.approx(width, rel=0.1)  # measured -0.002


def test_too_few_sounds_are_refused_in_words() -> None:
    for distance in (frechet_distance, kernel_distance):
        with pytest.raises(DataError, match="take two at least"):
            distance(cloud(1, 3, 0), cloud(5, 3, 0))
        with pytest.raises(ValueError, match="same D"):
            distance(cloud(5, 3, 0), cloud(5, 4, 0))
        with pytest.raises(ValueError, match="finite"):
            distance(cloud(5, 3, 0), np.full((5, 3), np.inf))
    with pytest.raises(DataError, match="varies"):
        kernel_distance(np.ones((4, 3)), cloud(4, 3, 0))
    with pytest.raises(DataError, match="two clips"):
        with_interval(frechet_distance, [cloud(9, 3, 0)], [cloud(9, 3, 1)] * 3)
    with pytest.raises(DataError, match="no clip"):
        mean_with_interval([])


# Heard against meant


def test_perfect_agreement_is_one_and_opposite_is_minus_one() -> None:
    valence, arousal = cloud(2, 80, 0)
    same = agreement(3 * valence, 0.1 * arousal, valence, arousal, permutations=999)
    assert same.spearman == pytest.approx((1, 1))
    assert same.ccc == pytest.approx((1, 1))
    assert same.quadrant == 1
    assert (*same.p_spearman, *same.p_ccc, same.p_quadrant) == (0.001,) * 5  # 1 of 1000: no pairing does better
    against = agreement(-valence, -arousal, valence, arousal, permutations=999)
    assert against.spearman == pytest.approx((-1, -1))
    assert against.quadrant == 0
    assert against.p_spearman == pytest.approx((1, 1))
    assert against.p_quadrant == 1


def test_noise_is_no_agreement_and_its_p_is_even() -> None:
    p = []
    for seed in range(40):
        series = cloud(4, 30, seed)
        found = agreement(*series, permutations=199, seed=seed)
        assert found.spearman.valence == pytest.approx(spearmanr(series[0], series[2]).statistic)
        assert found.ccc.arousal == pytest.approx(np.corrcoef(series[1], series[3])[0, 1])
        p += [*found.p_spearman, *found.p_ccc]
    assert 0.4 < np.mean(p) < 0.6  # measured 0.53
    assert np.mean(np.array(p) <= 0.1) < 0.2  # measured 0.125


def test_quadrants_and_their_chance() -> None:
    meant = np.array([[1, 1, -1, -1], [1, -1, 1, -1]], float)
    found = agreement(*meant[:, [0, 1, 2, 2]], *meant, permutations=50)
    assert (found.quadrant, found.chance, found.n) == (0.75, 0.25, 4)
    always = agreement(np.ones(4), np.ones(4), *meant, permutations=50)
    assert (always.quadrant, always.chance, always.p_quadrant) == (0.25, 0.25, 1)
    moved = agreement(*(meant + 5), *meant, heard_centre=(5, 5), permutations=50)
    assert moved.quadrant == 1


def test_what_never_varies_follows_nothing() -> None:
    meant = cloud(2, 20, 0)
    flat = agreement(np.full(20, 0.1), np.full(20, 0.3), *meant, permutations=99)
    assert (*flat.spearman, *flat.ccc) == pytest.approx((0,) * 4)
    assert (*flat.p_spearman, *flat.p_ccc) == pytest.approx((1,) * 4)


@given(arrays(np.float64, 12, elements=st.floats(-3, 3)), st.floats(0.1, 3))
@settings(max_examples=30, deadline=None)
def test_concordance_is_one_only_for_identical_series(series: np.ndarray, offset: float) -> None:
    series[0], series[1] = -1, 1
    assert concordance(series, series) == pytest.approx(1)
    variance = series.var()
    assert concordance(series, series + offset) == pytest.approx(2 * variance / (2 * variance + offset**2))


@pytest.mark.parametrize("bad", [np.array([1.0, np.nan, 0.0]), np.ones(4), np.ones((3, 1))])
def test_series_that_cannot_be_compared_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"finite|shape|dimension|as many|match"):
        agreement(bad, bad, np.ones(3), np.arange(3.0))


# Major or minor


def scale(tonic: int, steps: tuple[int, ...]) -> list[tuple[float, int]]:
    """A scale that rests on its triad."""
    rows = [*steps, 0, steps[2], steps[4], 0, steps[2], steps[4], 12]
    return [(0.5 * place, 60 + tonic + step) for place, step in enumerate(rows)]


@given(st.integers(-24, 24))
@settings(max_examples=25, deadline=None)
def test_a_scale_is_heard_in_its_mode_and_key_at_any_pitch(tonic: int) -> None:
    major = heard_mode(scale(tonic, (0, 2, 4, 5, 7, 9, 11)))
    minor = heard_mode(scale(tonic, (0, 2, 3, 5, 7, 8, 10)))
    assert major is not None
    assert minor is not None
    assert (major.mode, major.tonic, minor.mode, minor.tonic) == ("major", tonic % 12, "minor", tonic % 12)
    assert major.margin > 0.1  # measured 0.23
    assert minor.margin > 0.1  # measured 0.30


def test_no_mode_is_heard_in_nothing_or_in_everything() -> None:
    assert heard_mode([]) is None
    assert heard_mode([(0.1 * pitch, pitch) for pitch in range(60, 72)]) is None


def test_mode_agreement_counts_what_was_not_heard_as_wrong() -> None:
    major, minor = HeardMode("major", 0, 0.1), HeardMode("minor", 9, 0.1)
    found = mode_agreement([major, minor, None, major], ["major", "minor", "minor", "minor"], permutations=200)
    assert (found.n, found.accuracy, found.unheard) == (4, 0.5, 1)
    assert found.chance == pytest.approx(0.5 * 0.25 + 0.25 * 0.75)
    assert found.p > 0.3
    sure = mode_agreement([major, minor] * 20, ["major", "minor"] * 20, permutations=999)
    assert (sure.accuracy, sure.chance, sure.p) == (1, 0.5, 0.001)
    with pytest.raises(ValueError, match="cannot be compared"):
        mode_agreement([], [])
    with pytest.raises(ValueError, match="major or minor"):
        mode_agreement([major], ["dorian"])


# Diversity and novelty


def test_diversity_tells_seeds_that_matter_from_seeds_that_do_not() -> None:
    frozen = [np.repeat(work[None], 3, 0) for work in np.eye(4)]
    found = diversity(frozen)
    assert astuple(found.between_seeds) == pytest.approx((0, 0, 0))
    assert found.between_works == pytest.approx(1)
    assert (found.works, found.seeds) == (4, 12)
    lively = diversity([np.eye(3), 2 * np.eye(3)])
    assert lively.between_seeds.value == pytest.approx(1)
    assert lively.between_works == pytest.approx(2 / 3)  # a third of the pairs of both works is the same vector
    with pytest.raises(DataError, match="two seeds"):
        diversity([np.eye(3), np.eye(3)[:1]])
    with pytest.raises(ValueError, match="direction"):
        diversity([np.zeros((2, 3)), np.eye(3)])


def test_mel_statistics_keep_the_colour_and_forget_the_order() -> None:
    mel = np.random.default_rng(0).normal(-4, 1, (20, 50))
    assert mel_statistics(mel) == pytest.approx(mel_statistics(mel[:, ::-1]))
    assert mel_statistics(np.full((20, 3), SILENCE)) == pytest.approx(0)
    assert mel_statistics(mel)[:20] == pytest.approx(mel.mean(1) - SILENCE)
    with pytest.raises(ValueError, match="frames"):
        mel_statistics(np.zeros((20, 0)))


def test_a_copy_of_a_training_clip_is_found() -> None:
    training = list(cloud(30, 64, 0).reshape(10, 3, 64))
    held_out = list(cloud(15, 64, 1).reshape(5, 3, 64))
    copied = nearest_training([2.0 * training[4]], held_out, training)
    assert copied.ours.value == pytest.approx(1)
    assert copied.held_out.value < 0.5  # measured 0.19
    assert (copied.clips, copied.held_out_clips, copied.training_clips) == (1, 5, 10)
    with pytest.raises(DataError, match="none may be missing"):
        nearest_training([], held_out, training)


# Valence and arousal heard


def heard(audioset: tuple[float, ...], jamendo: tuple[float, ...] = (0,) * 7) -> Heard:
    return Heard(np.array(audioset, np.float32), np.array(jamendo, np.float32))


def test_feelings_are_signed_sums_of_z_scores() -> None:
    # Happy, Funny, Sad, Scary, Exciting, Angry, Tender; then happy, fun, positive, upbeat, sad, dark, melancholic
    low, high = heard((0,) * 7, (0,) * 7), heard((2, 4, 6, 8, 10, 12, 14), (1, 2, 3, 4, 5, 6, 7))
    reference = FeelingReference.of([low, high])
    assert reference.n == 2
    assert reference.mean[:7] == pytest.approx([1, 2, 3, 4, 5, 6, 7])
    glad = heard((2, 4, 3, 4, 10, 6, 7))  # one deviation above in Happy, Funny, Exciting; at the mean elsewhere
    valence, arousal = feelings([glad, low, high], reference)
    assert valence == pytest.approx([2, 0, 0])
    assert arousal == pytest.approx([1, 0, 0])
    assert second_valence([low, high], reference) == pytest.approx([-1, 1])  # four tags for and three against


def test_a_reference_that_tells_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="two at least"):
        FeelingReference.of([heard((0,) * 7)])
    with pytest.raises(DataError, match="alike"):
        FeelingReference.of([heard((0,) * 7)] * 3)


def test_loud_fast_music_is_heard_as_more_excited_than_soft_slow_music(shared: Path) -> None:
    if shutil.which("fluidsynth") is None or not SOUNDFONT.is_file():
        pytest.skip("FluidSynth or its soundfont is not installed")

    def music(program: int, beat: float, velocity: int, chords: list[list[int]]) -> np.ndarray:
        timed: list[tuple[float, mido.Message]] = [(0.0, mido.Message("program_change", program=program))]
        for place, time in enumerate(np.arange(0.0, 8.0, beat)):
            for pitch in chords[place % len(chords)]:
                timed.append((time, mido.Message("note_on", note=pitch, velocity=velocity)))
                timed.append((time + 0.9 * beat, mido.Message("note_off", note=pitch)))
        samples = render(as_midi_file(timed), SOUNDFONT, 22_050, 1, 0.3)[: 8 * 22_050]
        return np.asarray(samples * (0.5 / np.abs(samples).max()), np.float32)

    minor, major = [[45, 57, 60, 64], [41, 53, 57, 60]], [[60, 64, 67, 72], [65, 69, 72, 77]]
    listener = FeelingListener(shared / "weights")
    fast = listener.listen(music(30, 0.14, 120, minor), 22_050)  # distorted guitar
    slow = listener.listen(music(0, 2.0, 40, minor), 22_050)  # piano
    happy = listener.listen(music(12, 0.2, 110, major), 22_050)  # marimba
    everything = [fast, slow, happy]
    valence, arousal = feelings(everything, FeelingReference.of(everything))
    second = second_valence(everything, FeelingReference.of(everything))
    assert arousal[0] > arousal[1]
    assert valence[2] > valence[1]
    assert second[2] > second[1]


def test_a_folder_without_the_listeners_networks_is_refused(shared: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no network"):
        FeelingListener(tmp_path)
    weights = shared / "weights"
    for name in ("efficientat_mn04.onnx", "jamendo_moodtheme.onnx", "efficientat_mn04_class_labels.csv"):
        (tmp_path / name).symlink_to(weights / name)
    tags = tmp_path / "jamendo_moodtheme_tags.json"
    for content, message in (
        ("{", "no list of tags"),
        ('{"happy": 1}', "no list of tags"),
        (json.dumps(["happy", "fun"]), "lacks positive"),
    ):
        tags.write_text(content)
        with pytest.raises(DataError, match=message):
            FeelingListener(tmp_path)


def test_measures_take_what_log_mel_makes() -> None:
    audio = FORMATS["22k-mono"]
    time = np.arange(audio.sample_rate) / audio.sample_rate
    low, high = ((0.3 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)[:, None] for hertz in (220, 1760))
    one, other = log_mel(low, audio), log_mel(high, audio)
    assert mel_cepstral_distortion(one, one) == 0
    assert mel_cepstral_distortion(one, other) > 50  # measured 212
    assert mel_cosine(one, other) < 0.5  # measured 0.20
    assert mel_statistics(one).shape == (160,)

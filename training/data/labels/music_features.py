"""What notes say about the feeling of music: features for a small linear model.

The cues are those whose effect on felt valence and arousal is best established: mode, tempo, register, dynamics and
articulation (Eerola, Friberg & Bresin 2013, Frontiers in Psychology 4:487; Gabrielsson & Lindström 2010), with
harmony and rhythm beside them. Key and mode follow Krumhansl & Kessler (1982), consonance Huron (1994). Many MIDI
files have no true tempo or beat, so pace is read from the onsets alone.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from a2m_edge.score import Note
from training.data.scores.score_tables import KEY_PROFILES, SCALES

TONAL_FEATURES = (
    "mode_margin",
    "local_mode_margin",
    "major_windows",
    "third_balance",
    "key_clarity",
    "foreign_tones",
    "pitch_class_entropy",
    "consonance",
    "harsh_intervals",
)
PACE_FEATURES = ("note_rate", "event_rate", "interval_between_onsets", "note_length", "short_notes")
"""These move when the same notes are played faster or slower; all others stay."""
REGISTER_FEATURES = ("pitch", "top_pitch", "bottom_pitch", "high_time", "low_time")
OTHER_FEATURES = (
    "pitch_spread",
    "pitch_range",
    "loudness",
    "loudness_spread",
    "loudness_steps",
    "connectedness",
    "staccato",
    "overlap",
    "silence",
    "chord_size",
    "rhythm_spread",
    "rhythm_contrast",
    "melodic_step",
    "melodic_leaps",
    "melodic_rise",
    "melodic_repeats",
)
FEATURES = (*TONAL_FEATURES, *PACE_FEATURES, *REGISTER_FEATURES, *OTHER_FEATURES)
"""Names of the features, in the order of the vector."""

TOGETHER = 0.03  # seconds within which onsets are one event: a chord as people play it
WINDOW_EVENTS = 32  # a window for the local key; counted in events, so that it does not depend on the pace
SHORT_NOTE = 0.2  # seconds
HIGH_PITCH, LOW_PITCH = 72, 48
LEAP = 5  # semitones, more than a major third
LONGEST_GAP = 4.0  # seconds; a longer one is a pause, not a rhythm

INTERVAL_CONSONANCE = np.array([0.0, -1.428, -0.582, 0.594, 0.386, 1.240, -0.453])
"""Consonance of interval classes 0-6: Huron (1994), Music Perception 11(3), table 2; a unison counts nothing."""

_KEYS = np.stack([np.roll(KEY_PROFILES[mode], tonic) for mode in ("major", "minor") for tonic in range(12)])
_KEYS = (_KEYS - _KEYS.mean(axis=1, keepdims=True)) / _KEYS.std(axis=1, keepdims=True) / 12
_IN_SCALE = {mode: np.isin(np.arange(12), scale) for mode, scale in SCALES.items()}


def note_array(notes: Iterable[Note]) -> NDArray[np.float64]:
    """Notes as ``music_features`` takes them, float64 [N, 4]: start and length in seconds, MIDI pitch, velocity."""
    rows = [(note.start, note.seconds, note.pitch, note.velocity) for note in notes]
    return np.array(rows, np.float64).reshape(-1, 4)


def music_features(notes: NDArray[np.floating]) -> NDArray[np.float64]:
    """The features of a piece.

    Rates and lengths are base-2 logarithms, so that playing the same notes at half the pace adds or subtracts 1.
    Where a piece has too few notes for a feature (an interval needs two), it is 0, or the value of the least pace.

    Args:
        notes: [N, 4 or more] in any order: start and length (> 0) in seconds, MIDI pitch, velocity in (0, 1].
            Further columns are passed over.

    Returns:
        float64 [len(FEATURES)], finite.

    Raises:
        ValueError: the array is of another shape, has no note, or holds what is not finite or not a length.
    """
    rows = np.asarray(notes, np.float64)
    if rows.ndim != 2 or rows.shape[1] < 4:
        raise ValueError(f"notes need the columns start, seconds, pitch and velocity, not the shape {rows.shape}")
    if not len(rows):
        raise ValueError("there are no notes")
    if not np.isfinite(rows[:, :4]).all() or (rows[:, 1] <= 0).any():
        raise ValueError("a note has a start, length, pitch or velocity that is no number, or no length above 0")
    rows = rows[np.lexsort((rows[:, 2], rows[:, 0])), :4]
    rows[:, 0] -= rows[0, 0]
    values = _tonal(rows) | _pace_and_touch(rows) | _register(rows) | _dynamics(rows) | _melody(rows)
    return np.array([values[name] for name in FEATURES])


def pitch_class_profile(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the sounding time of each pitch class, [12]."""
    time = np.bincount(rows[:, 2].astype(int) % 12, rows[:, 1], minlength=12)
    return np.asarray(time / time.sum(), np.float64)


def key_fit(profile: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation of a pitch-class profile [12] with the keys C to B, [2 (major, minor), 12]; 0 for a flat profile."""
    spread = profile.std()
    if spread < 1e-9:
        return np.zeros((2, 12))
    fit: NDArray[np.float64] = (_KEYS @ ((profile - profile.mean()) / spread)).reshape(2, 12)
    return fit


def mode_margin(profile: NDArray[np.float64]) -> float:
    """How much better the best major key fits than the best minor key, in [-2, 2]."""
    major, minor = key_fit(profile).max(axis=1)
    return float(major - minor)


def _tonal(rows: NDArray[np.float64]) -> dict[str, float]:
    profile = pitch_class_profile(rows)
    fit = key_fit(profile)
    mode, tonic = np.unravel_index(int(fit.argmax()), fit.shape)
    scale = np.roll(_IN_SCALE["minor" if mode else "major"], tonic)
    margins, weights = [], []
    for window in _windows(rows):
        margins.append(mode_margin(pitch_class_profile(window)))
        weights.append(window[:, 1].sum())
    consonance, harsh = _simultaneous(rows)
    heard = profile[profile > 0]
    return {
        "mode_margin": mode_margin(profile),
        "local_mode_margin": float(np.average(margins, weights=weights)),
        "major_windows": float(np.average(np.array(margins) > 0, weights=weights)),
        "third_balance": float(profile[(tonic + 4) % 12] - profile[(tonic + 3) % 12]),
        "key_clarity": float(fit.max()),
        "foreign_tones": float(profile[~scale].sum()),
        "pitch_class_entropy": float(-(heard * np.log2(heard)).sum()),
        "consonance": consonance,
        "harsh_intervals": harsh,
    }


def _windows(rows: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Successive stretches of ``WINDOW_EVENTS`` events; a last short one joins the one before."""
    event = _events(rows)
    last = max(1, (event[-1] + 1) // WINDOW_EVENTS) - 1
    number = np.minimum(event // WINDOW_EVENTS, last)
    return [rows[number == index] for index in range(last + 1)]


def _events(rows: NDArray[np.float64]) -> NDArray[np.int64]:
    """The number of each note's event, [N]: onsets that follow one another within ``TOGETHER`` are one."""
    return np.concatenate([[0], np.cumsum(np.diff(rows[:, 0]) > TOGETHER)]).astype(np.int64)


def _simultaneous(rows: NDArray[np.float64]) -> tuple[float, float]:
    """Mean consonance of the intervals between notes that sound together, and the share of harsh ones, by time."""
    interval, weight = [], []
    start, end, pitch = rows[:, 0], rows[:, 0] + rows[:, 1], rows[:, 2]
    # Each note is compared with its next neighbours: 12 reach through any chord that hands can play.
    for step in range(1, min(13, len(rows))):
        shared = np.minimum(end[:-step], end[step:]) - start[step:]
        apart = np.abs(pitch[step:] - pitch[:-step]).astype(int) % 12
        heard = (shared > 0) & (apart > 0)
        interval.append(np.minimum(apart, 12 - apart)[heard])
        weight.append(shared[heard])
    classes = np.concatenate([*interval, np.zeros(0, int)])
    if not len(classes):
        return 0.0, 0.0
    weights = np.concatenate(weight)
    return (
        float(np.average(INTERVAL_CONSONANCE[classes], weights=weights)),
        float(np.average(np.isin(classes, (1, 6)), weights=weights)),
    )


def _pace_and_touch(rows: NDArray[np.float64]) -> dict[str, float]:
    event = _events(rows)
    begins = rows[np.unique(event, return_index=True)[1], 0]
    ends = np.maximum.accumulate(rows[:, 0] + rows[:, 1])
    seconds = float(ends[-1])
    gaps = np.diff(begins)
    rhythm = gaps[gaps < LONGEST_GAP]
    # How long a note is held against the time to the next event; the notes of the last event have none.
    following = np.append(begins[1:], np.inf)[event]
    held = (rows[:, 1] / (following - rows[:, 0]))[np.isfinite(following)]
    rests = np.maximum(0.0, rows[1:, 0] - ends[:-1]).sum()
    return {
        "note_rate": float(np.log2(len(rows) / seconds)),
        "event_rate": float(np.log2(len(begins) / seconds)),
        "interval_between_onsets": float(np.log2(np.median(gaps))) if len(gaps) else float(np.log2(seconds)),
        "note_length": float(np.mean(np.log2(rows[:, 1]))),
        "short_notes": float(np.mean(rows[:, 1] < SHORT_NOTE)),
        "connectedness": float(np.mean(np.log2(np.clip(held, 0.05, 8.0)))) if len(held) else 0.0,
        "staccato": float(np.mean(held < 0.6)) if len(held) else 0.0,
        "overlap": float(np.log2(rows[:, 1].sum() / max(seconds - rests, 1e-9))),
        "silence": float(rests / seconds),
        "chord_size": float(len(rows) / len(begins)),
        "rhythm_spread": float(np.std(np.log2(rhythm))) if len(rhythm) else 0.0,
        "rhythm_contrast": _pairwise_variability(rhythm),
    }


def _pairwise_variability(gaps: NDArray[np.float64]) -> float:
    """nPVI / 100 of Grabe & Low (2002): mean difference of neighbouring intervals against their mean, in [0, 2]."""
    if len(gaps) < 2:
        return 0.0
    return float(np.mean(np.abs(np.diff(gaps)) / ((gaps[1:] + gaps[:-1]) / 2)))


def _register(rows: NDArray[np.float64]) -> dict[str, float]:
    pitch, weight = rows[:, 2], rows[:, 1]
    mean = np.average(pitch, weights=weight)
    low, high = np.percentile(pitch, (5, 95))
    event = _events(rows)
    bottom, top = np.full(event[-1] + 1, np.inf), np.full(event[-1] + 1, -np.inf)
    np.minimum.at(bottom, event, pitch)
    np.maximum.at(top, event, pitch)
    return {
        "pitch": float(mean),
        "top_pitch": float(np.percentile(top, 75)),
        "bottom_pitch": float(np.percentile(bottom, 25)),
        "high_time": float(np.average(pitch >= HIGH_PITCH, weights=weight)),
        "low_time": float(np.average(pitch < LOW_PITCH, weights=weight)),
        "pitch_spread": float(np.sqrt(np.average((pitch - mean) ** 2, weights=weight))),
        "pitch_range": float(high - low),
    }


def _dynamics(rows: NDArray[np.float64]) -> dict[str, float]:
    velocity = rows[:, 3]
    return {
        "loudness": float(velocity.mean()),
        "loudness_spread": float(velocity.std()),
        "loudness_steps": float(np.mean(np.abs(np.diff(velocity)))) if len(velocity) > 1 else 0.0,
    }


def _melody(rows: NDArray[np.float64]) -> dict[str, float]:
    """The highest note of each event where it is no deep accompaniment: at least the mean pitch of the piece."""
    event, pitch = _events(rows), rows[:, 2]
    top = np.full(event[-1] + 1, -np.inf)
    np.maximum.at(top, event, pitch)
    steps = np.diff(top[top >= pitch.mean() - 1e-9])
    if not len(steps):
        return {"melodic_step": 0.0, "melodic_leaps": 0.0, "melodic_rise": 0.0, "melodic_repeats": 0.0}
    return {
        "melodic_step": float(np.mean(np.minimum(np.abs(steps), 12))),
        "melodic_leaps": float(np.mean(np.abs(steps) >= LEAP)),
        "melodic_rise": float(np.mean(steps > 0) - np.mean(steps < 0)),
        "melodic_repeats": float(np.mean(steps == 0)),
    }

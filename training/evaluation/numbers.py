"""The figures of an evaluation as plain numbers, for a bundle's manifest."""

from __future__ import annotations

import math

import numpy as np

from training.evaluation.feeling.tables import Perceived, perception_numbers
from training.evaluation.listening.fluidsynth_notes import FluidSynthNotes, same_soundscapes
from training.evaluation.listening.identity import Identity
from training.evaluation.listening.reconstruction import reconstruction_figures
from training.evaluation.listening.sound_tables import AGREEING, Heard, mode_agreements
from training.evaluation.report.model import Missing
from training.evaluation.statistics.distances import frechet_distance, kernel_distance
from training.evaluation.statistics.diversity import nearest_training

Numbers = dict[str, dict[str, float]]


def all_numbers(
    heard: Heard, perceived: Perceived, fluidsynth: FluidSynthNotes | Missing, identity: Identity | Missing
) -> Numbers:
    """``{part: {name: number}}`` of all that could be measured, finite floats alone.

    ``feeling``, ``decoder``, ``vocoder`` and ``notes`` are what a bundle's manifest has always stated; the other parts
    are ``sound``, ``agreement``, ``mode``, ``diversity``, ``identity``, ``novelty``, ``speed``, ``pictures``,
    ``sensitivity``, ``steering`` and ``retrieval``.
    """
    numbers = perception_numbers(perceived)
    numbers |= _models(heard) | _notes(heard, fluidsynth)
    real = heard.measured["real"]
    numbers["sound"] = {"clips": float(len(real.embeddings)), "seconds": real.real_seconds}
    numbers["novelty"], numbers["speed"] = {}, {}
    for key, found in heard.measured.items():
        if key != "real":
            joined = np.concatenate(real.embeddings), np.concatenate(found.embeddings)
            numbers["sound"][f"{key}_fad"] = frechet_distance(*joined)
            numbers["sound"][f"{key}_kad"] = kernel_distance(*joined)
        for name, values in (("mcd", found.distortion), ("lsd", found.spectral_distance), ("cosine", found.cosine)):
            if values and key != "real":
                numbers["sound"][f"{key}_{name}"] = float(np.mean(values))
        if found.f1:
            numbers["sound"][f"{key}_note_f1"] = float(np.mean(found.f1))
        near = nearest_training(found.embeddings, real.embeddings, heard.training, heard.seed)
        numbers["novelty"][f"{key}_nearest_training"] = near.ours.value
        if found.times_real_time is not None:
            numbers["speed"][f"{key}_times_real_time"] = found.times_real_time
    numbers["agreement"] = _agreement(heard)
    numbers["mode"] = {
        f"{key}_{name}": float(getattr(one, name))
        for key, one in mode_agreements(heard).items()
        for name in ("n", "accuracy", "chance", "p")
    }
    if not isinstance(identity, Missing):
        numbers["identity"] = identity.figures()
    if heard.diversity is not None:
        embedded, statistics = heard.diversity
        numbers["diversity"] = {
            "between_seeds": embedded.between_seeds.value,
            "between_works": embedded.between_works,
            "mel_between_seeds": statistics.between_seeds.value,
            "mel_between_works": statistics.between_works,
            "works": float(embedded.works),
        }
    return {
        part: {name: value for name, value in sorted(values.items()) if math.isfinite(value)}
        for part, values in numbers.items()
        if values
    }


def _models(heard: Heard) -> Numbers:
    """The mel decoder on real scores, and the vocoder on real mels."""
    numbers: Numbers = {}
    if "reconstruction" in heard.measured:
        numbers["decoder"] = reconstruction_figures(heard.measured["reconstruction"])
        del numbers["decoder"]["level_db"]
    vocoder = reconstruction_figures(heard.measured["copy_synthesis"])
    numbers["vocoder"] = {"log_mel_l1": vocoder["mel_l1"], "level_db": vocoder["level_db"]}
    return numbers


def _notes(heard: Heard, fluidsynth: FluidSynthNotes | Missing) -> Numbers:
    ours = heard.measured["ours"]
    if isinstance(fluidsynth, Missing) or not fluidsynth.f1:
        return {"notes": {"f1": float(np.mean(ours.f1)), "soundscapes": float(len(ours.f1))}} if ours.f1 else {}
    own, theirs = float(np.mean(same_soundscapes(ours, fluidsynth.pairs))), float(np.mean(fluidsynth.f1))
    notes = {"f1": own, "fluidsynth_f1": theirs, "soundscapes": float(len(fluidsynth.f1))}
    return {"notes": notes | ({"ratio": own / theirs} if theirs > 0 else {})}


def _agreement(heard: Heard) -> dict[str, float]:
    numbers = {}
    for key in AGREEING:
        if key not in heard.measured:
            continue
        for target, meant in (("painting", heard.intended.painting), ("comment", heard.intended.comment)):
            one = heard.agreement(key, meant)
            for side in ("valence", "arousal"):
                numbers[f"{key}_{target}_{side}_spearman"] = float(getattr(one.spearman, side))
                numbers[f"{key}_{target}_{side}_p"] = float(getattr(one.p_spearman, side))
                numbers[f"{key}_{target}_{side}_ccc"] = float(getattr(one.ccc, side))
            numbers[f"{key}_{target}_quadrant"] = one.quadrant
            numbers[f"{key}_{target}_quadrant_chance"] = one.chance
    return numbers

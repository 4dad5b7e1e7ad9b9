"""The tables of what is heard: every row against the real music, and what each says of feeling, mode and novelty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from a2m_edge.composer.plan import MODES
from training.evaluation.listening.heard_feeling import FeelingReference, feelings, second_valence
from training.evaluation.listening.heard_mode import ModeAgreement, heard_mode, mode_agreement
from training.evaluation.listening.sounds_measured import Embedded, RowMeasures
from training.evaluation.listening.spectral import COSINE_DEFINITION, LSD_DEFINITION, MCD_DEFINITION
from training.evaluation.report.model import Column, Missing, Row, Table, Value
from training.evaluation.rows.materials import Intended
from training.evaluation.rows.rows import RowSource
from training.evaluation.statistics.agreement import Agreement, agreement
from training.evaluation.statistics.distances import (
    frechet_distance,
    kernel_distance,
    mean_with_interval,
    with_interval,
)
from training.evaluation.statistics.diversity import Diversity, nearest_training

Floats = NDArray[np.float64]
Feelings = NDArray[np.float64]
"""Valence and arousal, float64 [n, 2]."""

REFERENCES = ("real", "copy_synthesis", "random_training", "nearest_training")
"""Rows that are recordings, or made of one: shown for orientation."""

AGREEING = ("real", "ours", "ours_shuffled", "paper", "random_training", "nearest_training")
"""Rows whose feeling is compared with what was meant."""

_NEW_MUSIC = Missing("plays music of its own")
_NO_NOTES = Missing("its notes are not known")
_NOT_COMPUTED = Missing("not computed while it plays")
_NO_SEED = Missing("takes no seed")


@dataclass(frozen=True)
class Heard:
    """What all rows sound like, and what they are compared with.

    Attributes:
        rows: every row of the table, those that cannot be had too.
        measured: of those that can, by their key; ``real`` is among them.
        training: embeddings of the training clips.
        intended: what listeners should feel, pair after pair.
        diversity: of our soundscapes in the embedding, and in the mels' statistics; None where one seed was rendered.
        embedding: its name and the seconds of its windows.
        seed: of all draws.
    """

    rows: Sequence[RowSource]
    measured: Mapping[str, RowMeasures]
    training: Sequence[Embedded]
    intended: Intended
    diversity: tuple[Diversity, Diversity] | None
    embedding: tuple[str, float]
    seed: int

    @property
    def reference(self) -> FeelingReference:
        """The real clips: what is heard is counted from them."""
        return FeelingReference.of(self.measured["real"].heard)

    def plane(self, key: str) -> tuple[Floats, Floats]:
        """Valence and arousal heard in a row."""
        return feelings(self.measured[key].heard, self.reference)

    def agreement(self, key: str, meant: Feelings) -> Agreement:
        """How what is heard in a row follows what was meant."""
        return agreement(*self.plane(key), meant[:, 0], meant[:, 1], seed=self.seed)


def comparison_table(heard: Heard) -> Table:
    """Rows by columns: every way to make sound, and how far it is from the real music."""
    name, seconds = heard.embedding
    real = heard.measured["real"]
    clips, length = len(real.embeddings), real.real_seconds
    distance = (
        f"to the real held-out row in the embedding {name} (windows of {seconds:g} s); N = {clips} sounds, "
        f"{length:.0f} s a row; 95 % interval by bootstrap over sounds."
    )
    columns = [
        Column("N", note="Sounds of the row."),
        Column("Seconds", "s", note="Of sound in all."),
        Column("MCD", "dB", "lower", True, MCD_DEFINITION),
        Column("LSD", "dB", "lower", True, LSD_DEFINITION),
        Column("Mel cosine", "", "higher", True, COSINE_DEFINITION),
        Column("FAD", "", "lower", note=f"Fréchet audio distance {distance} It is biased upwards at small N."),
        Column("KAD", "", "lower", note=f"Kernel audio distance {distance} Unbiased: below 0 by chance is possible."),
        Column(
            "Note F1", "", "higher", note="Notes found by Basic Pitch (pitch exact, onset within 50 ms), per sound."
        ),
        Column(
            "Feeling agreement, painting",
            "",
            "higher",
            note="Mean of Spearman's correlations of heard valence and arousal with the painting's annotators; tests "
            "are in the table of its own.",
        ),
        Column("Feeling agreement, comment", "", "higher", note="The same with the emotion of the pair's own comment."),
        Column(
            "Diversity across seeds",
            "",
            "higher",
            note="Mean cosine distance of soundscapes of one work with different seeds, in the embedding.",
        ),
        Column(
            "Nearest training clip",
            "",
            "lower",
            note="Cosine to the nearest training clip in the embedding, mean over sounds. The real row, which nobody "
            "trained on, says what is usual.",
        ),
        Column("× real time", "×", "higher", note="Seconds of sound for each second of computing, models loaded."),
    ]
    rows = []
    for source in heard.rows:
        found = heard.measured.get(source.key)
        values: list[Value] = [Missing(source.note)] * len(columns) if found is None else _compared(heard, found)
        rows.append(Row(source.title, values, source.note, source.key in REFERENCES))
    return Table(
        "Every row against the real held-out music",
        columns,
        rows,
        "All sounds are brought to -23 LUFS before anything listens to them. Feeling is heard by networks that no "
        "training here saw.",
    )


def _compared(heard: Heard, found: RowMeasures) -> list[Value]:
    seed, key = heard.seed, found.row.key
    real = heard.measured["real"]
    values: list[Value] = [len(found.embeddings), found.real_seconds]
    if key == "real":
        values += [Missing("is the reference")] * 5
    else:
        for numbers in (found.distortion, found.spectral_distance, found.cosine):
            values.append(mean_with_interval(numbers, seed=seed) if numbers else _NEW_MUSIC)
        for measure in (frechet_distance, kernel_distance):
            values.append(with_interval(measure, real.embeddings, found.embeddings, seed=seed))
    values.append(mean_with_interval(found.f1, seed=seed) if found.f1 else _NO_NOTES)
    for meant in (heard.intended.painting, heard.intended.comment):
        ranks = heard.agreement(key, meant).spearman
        values.append((ranks.valence + ranks.arousal) / 2)
    if key == "ours":
        values.append(Missing("one seed was rendered") if heard.diversity is None else heard.diversity[0].between_seeds)
    else:
        values.append(Missing("as ours") if key == "ours_shuffled" else _NO_SEED)
    values.append(nearest_training(found.embeddings, real.embeddings, heard.training, seed).ours)
    fast = found.times_real_time
    values.append(_NOT_COMPUTED if fast is None else fast)
    return values


def agreement_table(heard: Heard, title: str, note: str, meant: Mapping[str, Feelings]) -> Table:
    """What is heard against what was meant.

    Args:
        heard: all rows.
        title, note: of the table.
        meant: for each row to compare, by its key, what was meant.
    """
    columns = [Column("N", note="Sounds.")]
    for score, words in (("Spearman", "Rank correlation."), ("CCC", "Lin's concordance of the z-scored series.")):
        for side in ("valence", "arousal"):
            columns.append(Column(f"{score}, {side}", "", "higher", note=words, decimals=3))
            columns.append(Column(f"p ({score}, {side})", note="One-sided permutation test.", decimals=4))
    columns += [
        Column("Quadrant", "", "higher", note="Share heard in the quadrant of valence and arousal meant.", decimals=3),
        Column("Quadrant by chance", note="Share that pairing at random gives.", decimals=3),
        Column("p (quadrant)", note="One-sided permutation test.", decimals=4),
        Column("Second opinion, valence", "", "higher", note="Spearman, valence by MTG-Jamendo's tags.", decimals=3),
        Column("p (second opinion)", note="One-sided permutation test.", decimals=4),
    ]
    rows = []
    for source in heard.rows:
        if source.key not in meant:
            continue
        if source.key not in heard.measured:
            rows.append(Row(source.title, [Missing(source.note)] * len(columns)))
            continue
        one = heard.agreement(source.key, meant[source.key])
        other = second_opinion(heard, source.key, meant[source.key])
        values: list[Value] = [one.n]
        for found, chance in ((one.spearman, one.p_spearman), (one.ccc, one.p_ccc)):
            values += [found.valence, chance.valence, found.arousal, chance.arousal]
        values += [one.quadrant, one.chance, one.p_quadrant, other.spearman.valence, other.p_spearman.valence]
        rows.append(Row(source.title, values, source.note, source.key in REFERENCES))
    return Table(title, columns, rows, note)


def second_opinion(heard: Heard, key: str, meant: Feelings) -> Agreement:
    """``Heard.agreement`` with valence as the second network hears it."""
    valence = second_valence(heard.measured[key].heard, heard.reference)
    return agreement(valence, heard.plane(key)[1], meant[:, 0], meant[:, 1], seed=heard.seed)


def felt_by_bundle(measured: Mapping[str, RowMeasures]) -> dict[str, Feelings]:
    """What the bundle itself took each pair to express, for the rows where it played."""
    wanted = {}
    for key in ("ours", "ours_shuffled"):
        felt = [each for each in measured[key].felt if each is not None]
        if felt and len(felt) == len(measured[key].felt):
            wanted[key] = np.array(felt, np.float64)
    return wanted


def mode_agreements(heard: Heard) -> dict[str, ModeAgreement]:
    """The mode heard in ``ours``, in ``ours_shuffled`` and in our ``score`` against the one that ``ours`` intended.

    Empty where the bundle plays no score.
    """
    ours, shuffled = heard.measured["ours"], heard.measured["ours_shuffled"]
    families = [None if mode is None else family(mode) for mode in ours.modes]
    intended = [name for name in families if name is not None]
    if len(intended) != len(families):
        return {}
    return {
        key: mode_agreement([heard_mode(onsets) for onsets in notes], intended, seed=heard.seed)
        for key, notes in (("ours", ours.onsets), ("ours_shuffled", shuffled.onsets), ("score", ours.score))
    }


def mode_table(found: Mapping[str, ModeAgreement]) -> Table:
    """Major or minor, heard in a transcription of the sound alone."""
    columns = [
        Column("N", note="Soundscapes."),
        Column("Mode as intended", "", "higher", note="Share; by the profiles of Krumhansl & Kessler.", decimals=3),
        Column("By chance", note="Share that pairing at random gives.", decimals=3),
        Column("p", note="One-sided permutation test.", decimals=4),
        Column("Unheard", note="Soundscapes in which no mode was heard; they count as wrong."),
    ]
    words = {
        "ours": ("ours", "", False),
        "ours_shuffled": (
            "ours, shuffled conditions",
            "against the mode that the pair's own conditions intended",
            False,
        ),
        "score": ("our notes themselves, without sound", "the most that a transcription could give", True),
    }
    rows = []
    for key, (name, note, reference) in words.items():
        one = found.get(key)
        values: list[Value] = (
            [Missing("the bundle plays no score")] * len(columns)
            if one is None
            else [one.n, one.accuracy, one.chance, one.p, one.unheard]
        )
        rows.append(Row(name, values, note, reference))
    return Table("Mode heard against the mode intended", columns, rows)


def family(mode: str) -> str:
    """``"major"`` or ``"minor"``, by the third of a mode."""
    return "major" if MODES[mode][2] == 4 else "minor"


def diversity_table(heard: Heard) -> Table:
    """How different seeds and works are, and how new the music is."""
    columns = [
        Column("Between seeds", "", "higher", note="Mean cosine distance of soundscapes of the same work.", decimals=4),
        Column("Between works", note="The same of different works: what two unrelated soundscapes have.", decimals=4),
        Column("Works"),
        Column("Soundscapes"),
    ]
    names = (f"in the embedding {heard.embedding[0]}", "in the mels' mean and deviation of each band")
    rows = []
    for place, name in enumerate(names):
        values: list[Value] = [Missing("one seed was rendered")] * len(columns)
        if heard.diversity is not None:
            one = heard.diversity[place]
            values = [one.between_seeds, one.between_works, one.works, one.seeds]
        rows.append(Row(name, values))
    return Table("Diversity of ours across seeds", columns, rows)

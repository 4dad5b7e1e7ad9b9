"""Mel decoder and vocoder alone, given what really was: how well known music is rebuilt."""

from __future__ import annotations

import numpy as np

from a2m_edge.errors import DataError
from training.evaluation.listening.sound_tables import Heard
from training.evaluation.listening.sounds_measured import SPECTRAL_CONVERGENCE_DEFINITION, RowMeasures
from training.evaluation.report.model import Column, Missing, Row, Table


def reconstruction_table(heard: Heard) -> Table:
    """The models alone, given what really was: mel decoder and vocoder."""
    columns = [
        Column("Log-mel L1", "nat", "lower", True, "Mean |difference| of the natural-log mels.", 4),
        Column("Own mean frame", "nat", "", True, "The same of each real clip from its own mean frame.", 4),
        Column("Ratio", "", "lower", True, "The first over the second.", 4),
        Column("Spectral convergence", "", "lower", True, SPECTRAL_CONVERGENCE_DEFINITION, 4),
        Column("Level", "dB", "", True, "RMS of the sound over that of the real clip.", 3),
        Column("N"),
    ]
    rows = []
    for key in ("copy_synthesis", "reconstruction", "reconstruction_shuffled", "paper", "mean_mel"):
        source = next(row for row in heard.rows if row.key == key)
        found = heard.measured.get(key)
        if found is None:
            rows.append(Row(source.title, [Missing(source.note)] * len(columns)))
            continue
        numbers = reconstruction_figures(found)
        rows.append(Row(source.title, [*numbers.values(), len(found.mel_error)], source.note))
    return Table("Mel decoder and vocoder on held-out music", columns, rows)


def reconstruction_figures(found: RowMeasures) -> dict[str, float]:
    """Means over a row's clips, in the order of the table's columns.

    Raises:
        DataError: the row puts nothing in the place of the real clip.
    """
    if not found.mel_error:
        raise DataError(f"the row {found.row.title} has no mel to compare with the real clip")
    error, frame = float(np.mean(found.mel_error)), float(np.mean(found.frame_error))
    return {
        "mel_l1": error,
        "mean_frame_l1": frame,
        "ratio": error / max(frame, 1e-9),
        "spectral_convergence": float(np.mean(found.convergence)),
        "level_db": float(np.mean(found.level)),
    }

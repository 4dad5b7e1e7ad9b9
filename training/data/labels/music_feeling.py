"""Valence and arousal of music from its notes: a small labeller, fitted on music that people labelled.

Two ridge regressions on ``music_features``. EMOPIA's clips and VGMIDI's phrases and pieces are standardised each by
itself, features and labels, since their loudness, length and raters differ; both sets then weigh the same.

Valence is absolute: the features are measured against those of the labelled music. Arousal is not: what the arousal of
one corpus says of another's, taken raw, is mostly how that corpus was recorded (``figures`` holds the share of pieces
called high: nearly all of VGMIDI after EMOPIA, few the other way). So arousal is a rank within the corpus that is
labelled: the features are standardised there, and the order of the scores is spread evenly over [-1, 1].
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import DataError
from training.data.labels.labelled_music import LabelledMusic, read_labelled_music
from training.data.labels.music_features import FEATURES, music_features

SCHEMA = 1
RIDGE = 100.0
"""Strength of the penalty, for rows of mean weight 1: between 30 and 300 no cross-validated AUC moves by 0.014."""
FARTHEST = 4.0  # standard deviations beyond which a feature says no more
FOLDS = 10
TRANSFERS = {"emopia": ("vgmidi_phrases", "vgmidi_pieces"), "vgmidi": ("emopia",)}
"""From which labelled music to which: a corpus is what its name begins with."""

Figures = dict[str, dict[str, float]]


@dataclass(frozen=True)
class MusicLabeller:
    """Labels music by its notes.

    Attributes:
        weights: of the standardised ``FEATURES`` for valence and arousal, float64 [len(FEATURES), 2].
        centre, spread: mean and standard deviation of the labelled music's features, float64 [len(FEATURES)].
        figures: how well it does on songs and series it was not fitted on; see ``cross_validated`` and ``transferred``.
    """

    weights: NDArray[np.float64]
    centre: NDArray[np.float64]
    spread: NDArray[np.float64]
    figures: Figures = field(default_factory=dict)

    @classmethod
    def fit(cls, scores: Path) -> MusicLabeller:
        """Fits on EMOPIA and VGMIDI and measures itself; takes half a minute, most of it for reading MIDI.

        Args:
            scores: folder with ``emopia.zip``, ``emopia.csv``, ``vgmidi.zip`` and ``vgmidi.csv``.

        Raises:
            DataError: one of them is missing, damaged, or not in the form that is documented.
        """
        sources = read_labelled_music(scores)
        fitted = fit_sources(sources)
        figures = cross_validated(sources) | transferred(sources)
        return cls(fitted.weights, fitted.centre, fitted.spread, figures)

    def valence(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Valence in [-1, 1] of pieces with these features, [N, len(FEATURES)] -> [N]; each piece for itself."""
        return np.clip(self.raw(features)[:, 0], -1.0, 1.0)

    def arousal(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rank of the arousal in [-1, 1] among these pieces, which are a whole corpus, [N, len(FEATURES)] -> [N]."""
        return ranked(_standard(features, *_moments(features)) @ self.weights[:, 1])

    def raw(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores of both without any ranking, [N, len(FEATURES)] -> [N, 2]; 0 is the mean of the labelled music."""
        return _standard(features, self.centre, self.spread) @ self.weights

    def label(self, music: Sequence[NDArray[np.floating]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Valence [N] and arousal [N] in [-1, 1] of the pieces of one corpus, within which the arousal is ranked.

        Args:
            music: notes of each piece, as ``music_features`` takes them.

        Raises:
            ValueError: a piece has no notes, or they are not in that form.
        """
        features = np.array([music_features(piece) for piece in music]).reshape(-1, len(FEATURES))
        return self.valence(features), self.arousal(features)

    def document(self) -> dict[str, Any]:
        """Everything as plain JSON values: what ``from_document`` reads."""
        rows = zip(FEATURES, self.centre.tolist(), self.spread.tolist(), self.weights.tolist(), strict=True)
        return {
            "schema": SCHEMA,
            "features": {
                name: {"centre": centre, "spread": spread, "valence": valence, "arousal": arousal}
                for name, centre, spread, (valence, arousal) in rows
            },
            "figures": self.figures,
        }

    @classmethod
    def from_document(cls, document: object) -> MusicLabeller:
        """The labeller that ``document`` describes.

        Raises:
            DataError: it is not in that form, or made for other features.
        """
        try:
            if not isinstance(document, Mapping) or document["schema"] != SCHEMA:
                raise ValueError("its schema is unknown")
            if tuple(document["features"]) != FEATURES:
                raise ValueError("it was made for other features")
            rows = [document["features"][name] for name in FEATURES]
            columns = ("centre", "spread", "valence", "arousal")
            values = np.array([[row[column] for column in columns] for row in rows], np.float64)
            if not np.isfinite(values).all() or (values[:, 1] <= 0).any():
                raise ValueError("a number is not finite or a spread not above 0")
            figures = {
                str(part): {str(name): float(value) for name, value in measured.items()}
                for part, measured in document["figures"].items()
            }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"this is no music labeller ({error}): make it again with  a2m-edge data label") from error
        return cls(values[:, 2:], values[:, 0], values[:, 1], figures)

    @classmethod
    def read(cls, path: Path) -> MusicLabeller:
        """The labeller of a JSON file; DataError where it cannot be read."""
        try:
            return cls.from_document(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(
                f"the labeller {path} cannot be read ({error}): make it with  a2m-edge data label"
            ) from error


def ranked(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The order of scores spread evenly over [-1, 1], [N] -> [N]: (2 rank - 1) / N - 1; equal scores share a rank."""
    from scipy.stats import rankdata

    if not len(scores):
        return np.zeros(0)
    # Scores that differ by rounding alone are equal: the same notes at another place give them.
    ranks = rankdata(np.round(scores, 9))
    return np.asarray((2.0 * ranks - 1.0) / len(scores) - 1.0, np.float64)


def fit_sources(sources: Sequence[LabelledMusic]) -> MusicLabeller:
    """Ridge regressions over standardised sources; the corpora EMOPIA and VGMIDI weigh the same in total."""
    corpora = [_corpus(source) for source in sources]
    rows = {corpus: sum(len(s.groups) for s in sources if _corpus(s) == corpus) for corpus in corpora}
    total, features, labels, weights = sum(rows.values()), [], [], []
    centre, variance = np.zeros(len(FEATURES)), np.zeros(len(FEATURES))
    for source, corpus in zip(sources, corpora, strict=True):
        share = len(source.groups) / rows[corpus] / len(rows)
        mean, spread = _moments(source.features)
        centre += share * mean
        variance += share * source.features.var(axis=0)
        features.append(_standard(source.features, mean, spread))
        labels.append(_standard(source.feelings, *_moments(source.feelings)))
        weights.append(np.full((len(source.groups), 1), total * share / len(source.groups)))
    x, y, weight = np.concatenate(features), np.concatenate(labels), np.concatenate(weights)
    solution = np.linalg.solve(x.T @ (weight * x) + RIDGE * np.eye(x.shape[1]), x.T @ (weight * y))
    deviation = np.asarray(np.where(variance > 1e-12, np.sqrt(variance), 1.0), np.float64)
    return MusicLabeller(np.asarray(solution, np.float64), centre, deviation)


def cross_validated(sources: Sequence[LabelledMusic]) -> Figures:
    """What the labeller says of songs and series that it was not fitted on, for each source.

    Ten folds, grouped by song (EMOPIA) and series (VGMIDI, phrases and pieces alike). The valence is absolute, the
    arousal ranked over the source. See ``agreement_figures``.
    """
    from sklearn.model_selection import GroupKFold

    groups = np.concatenate([np.char.add(f"{_corpus(source)}/", source.groups) for source in sources])
    owner = np.repeat(np.arange(len(sources)), [len(source.groups) for source in sources])
    first = np.concatenate([np.arange(len(source.groups)) for source in sources])
    said = [np.zeros_like(source.feelings) for source in sources]
    folds = GroupKFold(min(FOLDS, len(np.unique(groups))))
    for known, new in folds.split(groups, groups=groups):
        part = [_part(source, first[known[owner[known] == index]]) for index, source in enumerate(sources)]
        fitted = fit_sources(part)
        for index, source in enumerate(sources):
            here = first[new[owner[new] == index]]
            said[index][here, 0] = fitted.valence(source.features[here])
            standard = _standard(source.features[here], *_moments(part[index].features))
            said[index][here, 1] = standard @ fitted.weights[:, 1]
    return {
        source.name: agreement_figures(source.feelings, np.stack([one[:, 0], ranked(one[:, 1])], axis=1))
        | {"groups": float(len(np.unique(source.groups)))}
        for source, one in zip(sources, said, strict=True)
    }


def transferred(sources: Sequence[LabelledMusic]) -> Figures:
    """What a labeller fitted on one corpus alone says of the other.

    Once ``raw``, both measured against the corpus it was fitted on, and once ``ranked``: the arousal ranked within the
    corpus it is asked about, as ``MusicLabeller.label`` does it. See ``agreement_figures``.
    """
    figures: Figures = {}
    for corpus, targets in TRANSFERS.items():
        fitted = fit_sources([source for source in sources if _corpus(source) == corpus])
        for target in (source for source in sources if source.name in targets):
            raw = fitted.raw(target.features)
            label = np.stack([fitted.valence(target.features), fitted.arousal(target.features)], axis=1)
            figures[f"{corpus}_to_{target.name}_raw"] = agreement_figures(target.feelings, raw)
            figures[f"{corpus}_to_{target.name}_ranked"] = agreement_figures(target.feelings, label)
    return figures


def agreement_figures(true: NDArray[np.float64], said: NDArray[np.float64]) -> dict[str, float]:
    """Agreement of labels with what people said; both [N, 2] (valence, arousal), high where above 0.

    Returns:
        ``pieces``; for each of both ``spearman``, ``auc``, ``balanced_accuracy`` and the share that is high (``high``)
        and is called so (``called_high``); ``quadrant_accuracy``, and ``largest_quadrant``: what calling everything
        the commonest quadrant would reach. To four decimals.
    """
    from scipy.stats import spearmanr
    from sklearn.metrics import balanced_accuracy_score, roc_auc_score

    high, called = true > 0, said > 0
    quadrant = 2 * high[:, 0] + high[:, 1]
    figures = {"pieces": float(len(true))}
    for column, name in enumerate(("valence", "arousal")):
        figures[f"{name}_spearman"] = float(spearmanr(true[:, column], said[:, column]).statistic)
        figures[f"{name}_auc"] = float(roc_auc_score(high[:, column], said[:, column]))
        figures[f"{name}_balanced_accuracy"] = float(balanced_accuracy_score(high[:, column], called[:, column]))
        figures[f"{name}_high"] = float(high[:, column].mean())
        figures[f"{name}_called_high"] = float(called[:, column].mean())
    figures["quadrant_accuracy"] = float((high == called).all(axis=1).mean())
    figures["largest_quadrant"] = float(np.bincount(quadrant).max() / len(true))
    return {name: round(value, 4) for name, value in figures.items()}


def _corpus(source: LabelledMusic) -> str:
    return source.name.split("_")[0]


def _part(source: LabelledMusic, rows: NDArray[np.int64]) -> LabelledMusic:
    return LabelledMusic(source.name, source.features[rows], source.feelings[rows], source.groups[rows])


def _moments(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of columns; 1 where a column does not vary, for it then says nothing."""
    if not len(values):
        return np.zeros(values.shape[1]), np.ones(values.shape[1])
    spread = values.std(axis=0)
    return values.mean(axis=0), np.where(spread > 1e-6, spread, 1.0)


def _standard(
    values: NDArray[np.float64], centre: NDArray[np.float64], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.asarray(np.clip((values - centre) / spread, -FARTHEST, FARTHEST), np.float64)

"""Languages as tables of a report, and as numbers."""

from __future__ import annotations

import numpy as np

from training.evaluation.languages.measures import CONTRASTS, EVERYDAY, LanguageMeasures
from training.evaluation.report.model import Column, Missing, Row, Table, Value

_KINDS = (EVERYDAY[0], *CONTRASTS)


def sign_table(measures: LanguageMeasures | Missing) -> Table:
    """Whether comments are felt as pleasant or unpleasant as their writers meant them, by language and kind."""
    columns = [
        *(Column(kind, "", "higher", decimals=2) for kind in _KINDS),
        Column(
            "Without feeling: valence",
            "",
            "lower",
            note="How far such a comment moves what is felt before a picture, median.",
            decimals=2,
        ),
        Column("Without feeling: arousal", "", "lower", decimals=2),
    ]
    title = "Are comments understood?"
    if isinstance(measures, Missing):
        return Table(title, columns, [Row("ours", [measures] * len(columns))])
    rows = []
    for language, kinds in sorted(measures.signs.items()):
        values: list[Value] = [kinds.get(kind) for kind in _KINDS]
        rows.append(Row(language, [*values, *measures.moved.get(language, (None, None))]))
    return Table(
        title,
        columns,
        rows,
        "Share of held-out comments whose valence has the right sign; a guess is right in half. Written for this by "
        "others than wrote those that are learned from.",
    )


def translation_table(measures: LanguageMeasures | Missing) -> Table:
    """Whether a sentence and its translation are felt alike, and emotions in other people's texts told."""
    columns = [
        Column("Sentences"),
        Column("Found", "", "higher", note="The English sentence is the nearest to its translation.", decimals=2),
        Column("Valence apart", "", "lower", note="Median distance of what is felt.", decimals=2),
        Column("Arousal apart", "", "lower", decimals=2),
        Column("Same word", "", "higher", decimals=2),
        Column("Emotions, AUC", "", "higher", note="Mean over joy, anger, disgust, fear, sadness.", decimals=2),
    ]
    title = "Does a translation feel like its original?"
    if isinstance(measures, Missing):
        return Table(title, columns, [Row("ours", [measures] * len(columns))])
    rows = []
    for language in sorted({*measures.translated, *measures.labels}):
        one = measures.translated.get(language)
        values: list[Value] = [None] * 5
        if one is not None:
            values = [one.sentences, one.found, one.valence, one.arousal, one.word]
        rows.append(Row(language, [*values, measures.labels.get(language)]))
    return Table(title, columns, rows, "Held-out translations, and texts with emotions that others wrote.")


def language_numbers(measures: LanguageMeasures | Missing) -> dict[str, dict[str, float]]:
    """What is kept of a measurement, under ``languages``: ``sign_de``, ``negation_de``, ``found_de``, ``auc_de`` ..."""
    if isinstance(measures, Missing):
        return {}
    numbers: dict[str, float] = {}
    for language, kinds in measures.signs.items():
        numbers |= {f"{'sign' if kind == EVERYDAY[0] else kind}_{language}": value for kind, value in kinds.items()}
    for language, one in measures.translated.items():
        numbers |= {f"{name}_{language}": float(value) for name, value in vars(one).items()}
    numbers |= {f"auc_{language}": value for language, value in measures.labels.items() if not np.isnan(value)}
    for language, (valence, arousal) in measures.moved.items():
        numbers |= {f"moved_valence_{language}": valence, f"moved_arousal_{language}": arousal}
    for language, (some, none) in (measures.said or {}).items():
        numbers |= {f"said_{language}": some, f"said_without_{language}": none}
    return {"languages": numbers}

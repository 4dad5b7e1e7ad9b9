"""What a rating study found: means with intervals, and whether they stand above the control."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.evaluation.rating.run import Answer

SCORES: tuple[Literal["image", "comment", "overall"], ...] = ("image", "comment", "overall")
DRAWS = 10_000

DEFINITIONS = {
    "image, comment, overall": "mean rating from 1 (contradicts) to 5 (agrees throughout) of music with painting, "
    "with comment, and with both; the mean over works of the mean of each work's ratings",
    "low, high": "95 % interval of the mean, by bootstrap over works (percentiles)",
    "control": "the same music shown with the works of others of the same row",
    "above_control": "mean over works of overall with its own music less overall with another work's",
    "p": "two-sided permutation test of above_control: own and other music of each work exchanged at random; the "
    "share of draws at least as far from 0, the observed one counted among them",
    "unusable": "share of answers that held no rating, after asking once more; they are in no mean",
}


@dataclass(frozen=True)
class Mean:
    """A mean over works with its 95 % interval; low and high are None below two works."""

    value: float
    low: float | None
    high: float | None


def summarise(answers: Sequence[Answer], seed: int = 0) -> dict[str, Any]:
    """Figures of a study, as plain values for JSON; what there is no answer for is None.

    Returns:
        ``rows``: for each row its ``name``, number of ``works``, ``own`` and ``control`` (each with ``image``,
        ``comment``, ``overall``, the number of ``answers`` and the share that is ``unusable``), ``above_control`` and
        ``p``; the highest mean first. Then ``answers`` and ``unusable`` of all, and ``explanations``: of each row the
        three highest and three lowest ratings of its own music, with what matches and what does not.
    """
    rows: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        rows[answer.row].append(answer)
    found = [_row(name, rows[name], seed) for name in sorted(rows)]
    found.sort(key=lambda row: -(row["own"]["overall"] or {"value": 0.0})["value"])
    return {
        "rows": found,
        "answers": len(answers),
        "unusable": _unusable(answers),
        "explanations": [each for row in found for each in _explanations(rows[row["name"]])],
        "definitions": DEFINITIONS,
    }


def permutation_p(differences: NDArray[np.float64], seed: int = 0, draws: int = DRAWS) -> float:
    """Two-sided p of a mean difference of pairs, float64 [n], under random changes of sign, in (0, 1].

    The observed signs count as a draw (Phipson & Smyth 2010, Statistical Applications in Genetics and Molecular
    Biology 9:39), so that p is never 0.
    """
    signs = np.random.default_rng(seed).integers(0, 2, (draws, len(differences))) * 2 - 1
    drawn = np.abs(signs @ differences)
    # Sums of the same numbers in another order may differ in the last bits.
    return float((1 + np.sum(drawn >= abs(differences.sum()) - 1e-9)) / (1 + draws))


def bootstrap_mean(values: NDArray[np.float64], seed: int = 0, draws: int = DRAWS) -> Mean:
    """The mean of one value for each work, float64 [n], n >= 1, with a percentile interval over works."""
    if len(values) < 2:
        return Mean(float(values.mean()), None, None)
    chosen = np.random.default_rng(seed).integers(0, len(values), (draws, len(values)))
    low, high = np.percentile(values[chosen].mean(1), (2.5, 97.5))
    return Mean(float(values.mean()), float(low), float(high))


def _row(name: str, answers: Sequence[Answer], seed: int) -> dict[str, Any]:
    own = [answer for answer in answers if not answer.control]
    control = [answer for answer in answers if answer.control]
    ours, others = _by_work(own, "overall"), _by_work(control, "overall")
    both = sorted(ours.keys() & others.keys())
    differences = np.array([ours[work] - others[work] for work in both])
    return {
        "name": name,
        "works": len({answer.work for answer in answers}),
        "own": _side(own, seed),
        "control": _side(control, seed),
        "above_control": vars(bootstrap_mean(differences, seed)) if both else None,
        "p": permutation_p(differences, seed) if both else None,
    }


def _side(answers: Sequence[Answer], seed: int) -> dict[str, Any]:
    side: dict[str, Any] = {"answers": len(answers), "unusable": _unusable(answers)}
    for score in SCORES:
        values = _by_work(answers, score)
        ordered = np.array([values[work] for work in sorted(values)])
        side[score] = vars(bootstrap_mean(ordered, seed)) if values else None
    return side


def _by_work(answers: Sequence[Answer], score: Literal["image", "comment", "overall"]) -> dict[str, float]:
    """The mean of each work's ratings."""
    values: dict[str, list[int]] = defaultdict(list)
    for answer in answers:
        value = None if answer.rating is None else getattr(answer.rating, score)
        if value is not None:
            values[answer.work].append(value)
    return {work: float(np.mean(each)) for work, each in values.items()}


def _unusable(answers: Sequence[Answer]) -> float | None:
    return sum(answer.rating is None for answer in answers) / len(answers) if answers else None


def _explanations(answers: Sequence[Answer], most: int = 3) -> list[dict[str, Any]]:
    own = [(answer, answer.rating) for answer in answers if not answer.control and answer.rating is not None]
    own.sort(key=lambda each: (-each[1].overall, each[0].title, each[0].key))
    chosen = own if len(own) <= 2 * most else own[:most] + own[-most:]
    return [
        {
            "row": answer.row,
            "title": answer.title,
            "comment": answer.said,
            "overall": rating.overall,
            "matches": rating.matches,
            "mismatches": rating.mismatches,
        }
        for answer, rating in chosen
    ]

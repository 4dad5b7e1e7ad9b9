"""Pictures of how well feelings are told: where they are confused, and how far the confidence can be believed."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import MissingExtraError
from a2m_edge.impression.feeling import EMOTIONS
from training.trainers.feeling import Reliability

DOTS_PER_INCH = 110

_NAMES = {
    "both": "painting and comment",
    "comment": "comment alone",
    "picture": "painting alone",
    "all": "comment, and painting where there is one",
}


def confusion_picture(table: NDArray[np.int64], title: str) -> bytes:
    """A confusion table as a PNG: each row in shares of what was felt, with the counts written in.

    Args:
        table: int64 [9, 9], rows what was felt, columns what was told.
        title: stands above.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = _figure(7.6, 6.6)
    axes = figure.add_subplot()
    shares = table / np.maximum(table.sum(1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    for row in range(len(table)):
        for column in range(len(table)):
            colour = "white" if shares[row, column] > 0.55 else "black"
            axes.text(column, row, str(table[row, column]), ha="center", va="center", fontsize=8, color=colour)
    counts = [f"{word} ({count})" for word, count in zip(EMOTIONS, table.sum(1), strict=True)]
    axes.set_xticks(range(len(EMOTIONS)), EMOTIONS, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(EMOTIONS)), counts)
    axes.set(xlabel="told", ylabel="felt (utterances)", title=title)
    axes.tick_params(length=0)
    figure.colorbar(image, ax=axes, fraction=0.045, pad=0.03, label="share of what was felt")
    return _png(figure)


def reliability_picture(measured: Mapping[str, Reliability], title: str) -> bytes:
    """A reliability diagram as a PNG: accuracy over confidence, a line for each of what was given.

    Args:
        measured: by ``both``, ``comment``, ``picture`` or ``all``.
        title: stands above.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = _figure(6.2, 5.6)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.6", linestyle="--", linewidth=1, label="as sure as it is right")
    for (which, line), marker in zip(measured.items(), "osD^", strict=False):
        label = f"{_NAMES[which]}: error {line.error:.3f}"
        axes.plot(line.confidence, line.accuracy, marker=marker, markersize=4, linewidth=1.4, label=label)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence (probability of the likeliest emotion)", title=title)
    axes.set_ylabel("accuracy (share in which it was felt)")
    axes.set_aspect("equal")
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.legend(loc="upper left", fontsize=8, frameon=False)
    return _png(figure)


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtraError("matplotlib", "train") from error
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Any) -> bytes:
    content = io.BytesIO()
    # Tight, as the layout leaves labels at the edge; without its maker's name the same figures give the same bytes.
    figure.savefig(content, format="png", metadata={"Software": None}, bbox_inches="tight", pad_inches=0.1)
    return content.getvalue()

"""The report written: one page that needs no other file, and the same numbers as JSON beside it.

The page asks nobody for anything: style, script, pictures and sounds are within it, and its own policy lets nothing
else in. Without JavaScript it shows and plays the same.
"""

from __future__ import annotations

from pathlib import Path

from a2m_edge.errors import OptionError
from a2m_edge.output import written_aside
from training.evaluation.report.model import Report, as_json, check
from training.evaluation.report.page import page


def write_report(report: Report, path: Path) -> None:
    """Writes the page at ``path`` and ``path.with_suffix(".json")`` beside it; both, or neither.

    The JSON holds facts, definitions, every number at full precision and the names of figures and sounds, but no
    media. A number that is missing is null there, with the reason where one is known, and never 0.

    Raises:
        OptionError: ``path`` ends in ``.json``.
        OutputError: a number is not finite, a picture is no PNG or JPEG, a sound is empty or not finite, or the files
            cannot be written.
        ValueError: a row has not as many values as its table has columns.
    """
    beside = path.with_suffix(".json")
    if beside == path:
        raise OptionError(f"{path} is where the numbers go, beside the page: name the page, such as report.html")
    check(report)
    numbers = as_json(report)
    content = "".join(page(report)).encode("utf-8", "replace")
    # Everything is made before anything is written, and both files reach the disk before either has its name.
    with written_aside(beside) as machine, written_aside(path) as human:
        machine.write(numbers.encode())
        human.write(content)

"""What the commands read below ``--shared`` beside ArtEmis and WikiArt: brought from one such folder to another."""

from __future__ import annotations

import shutil
from pathlib import Path

from a2m_edge.errors import DataError
from a2m_edge.output import make_folder, written_aside

NEEDED = (
    ("data/goemotions.tsv", "train encoder"),
    ("data/lexicon_warriner.csv", "train encoder, train fusion, data build, data embed and evaluate"),
    ("data/oasis.csv", "train encoder, train fusion, data embed and evaluate"),
    ("data/oasis.zip", "train encoder, train fusion and data embed"),
    ("data/musiccaps.csv", "data build and train fusion"),
    ("data/scores", "data label, data tables, data orchestrate and data arrange"),
    ("weights", "train encoder and evaluate"),
)
"""What else the commands read there, and which of them do."""


def bring_companions(shared: Path, out: Path) -> list[str]:
    """Copies what is needed from one folder with ``data`` and ``weights`` to another; what is there stays.

    Returns:
        a sentence about each thing that is in neither.

    Raises:
        DataError: a file cannot be read.
        OutputError: a file cannot be written.
    """
    missing = []
    for name, commands in NEEDED:
        source, target = shared / name, out / name
        for file in [source] if source.is_file() else sorted(source.rglob("*")):
            if file.is_file() and not (target / file.relative_to(source)).exists():
                copy_file(file, target / file.relative_to(source))
        if not target.exists():
            missing.append(f"there is no {source}: put it at {target}, for it is needed by {commands}")
    return missing


def copy_file(source: Path, target: Path) -> None:
    """Copies a file, whole or not at all; raises as ``bring_companions`` does."""
    make_folder(target.parent)
    try:
        with source.open("rb") as stream, written_aside(target) as copy:
            shutil.copyfileobj(stream, copy)
    except OSError as error:
        raise DataError(f"{source} cannot be read: {error.strerror}") from error

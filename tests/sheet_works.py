"""Works for a contact sheet: pictures, feelings and short sounds, made from numbers.

    python -m tests.sheet_works FOLDER

writes a sheet of the pictures in ``public_domain_art.zip``, to be looked at.
"""

from __future__ import annotations

import csv
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import soundfile

from a2m_edge.collection.contact_sheet import Entry, Failure, write_contact_sheet, write_thumbnail
from a2m_edge.feeling import EMOTIONS, INSTRUMENTS, ROLES

RATE = 22_050


def entry(number: int, title: str, **more: object) -> Entry:
    """A work whose feeling follows from its number."""
    rng = np.random.default_rng(number)
    emotions = rng.dirichlet(np.full(len(EMOTIONS), 0.6))
    word = EMOTIONS[int(np.argmax(emotions))]
    side = 1 if word in EMOTIONS[:4] else -1
    content: dict[str, object] = {
        "id": f"work_{number}",
        "title": title,
        "sound": f"work_{number}.flac",
        "seconds": 2.0,
        "word": word,
        "valence": float(np.clip(side * 0.35 + rng.normal(0, 0.25), -1, 1)),
        "arousal": float(np.clip(rng.normal(0, 0.4), -1, 1)),
        "emotions": dict(zip(EMOTIONS, emotions.tolist(), strict=True)),
        "instruments": dict(zip(ROLES, rng.choice(list(INSTRUMENTS), 4, replace=False).tolist(), strict=True)),
        "music": f"{rng.choice(['C', 'D', 'E flat', 'G'])} {rng.choice(['dorian', 'ionian', 'aeolian'])} · "
        f"{rng.integers(48, 130)} beats a minute",
    }
    return Entry(**(content | more))  # type: ignore[arg-type]


def write_sound(folder: Path, work: Entry, hertz: float = 220.0) -> None:
    """A tone of the work's length, where its entry says."""
    time = np.arange(round(work.seconds * RATE)) / RATE
    soundfile.write(folder / work.sound, (0.2 * np.sin(2 * np.pi * hertz * time)).astype(np.float32), RATE)


def furnish(folder: Path, data: Path, works: int = 126) -> list[Entry]:
    """Thumbnails and sounds of the public-domain pictures, and their entries.

    Args:
        folder: in which they are written.
        data: of ``public_domain_art.zip`` and its table.
        works: how many.
    """
    with (data / "public_domain_art.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))[:works]
    entries = []
    with zipfile.ZipFile(data / "public_domain_art.zip") as archive:
        for number, row in enumerate(rows):
            decoded = cv2.imdecode(np.frombuffer(archive.read(row["pixel_file"]), np.uint8), cv2.IMREAD_COLOR)
            assert decoded is not None
            byline = ", ".join(part for part in (row["artist"], row["date"]) if part)
            work = entry(number, row["title"], byline=byline, credit=row["museum"])
            write_thumbnail(folder, work.id, np.asarray(decoded[..., ::-1], np.uint8))
            write_sound(folder, work, 110.0 * 2 ** (number % 24 / 12))
            entries.append(work)
    return entries


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(exist_ok=True)
    shown = furnish(target, Path(__file__).resolve().parents[2] / "shared" / "data")
    shown[5:5] = [entry(500, "A comment alone", comment="It makes me feel small and calm, like rain on a roof")]
    write_sound(target, shown[5])
    failures = [
        Failure("harbour_cut.jpg", "cannot read harbour_cut.jpg: this JPEG of 900 x 600 pixels is cut off or damaged")
    ]
    write_contact_sheet(target, shown, failures, title="Works in the public domain", made="Made by a2m-edge")

"""Renders every picture that ``examples.csv`` lists, with its comment, to ``out/``."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent
OUT = EXAMPLES.parent / "out"


def main() -> None:
    """Writes a WAV file, the facts about it, and a picture of it for each example, and says where they are."""
    OUT.mkdir(exist_ok=True)
    with (EXAMPLES / "examples.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        picture = EXAMPLES / row["picture"]
        sound = OUT / picture.with_suffix(".wav").name
        print(f"{picture.name}: {row['comment']}", flush=True)
        command = [Path(sys.executable).with_name("a2m-edge"), "render", picture, "--comment", row["comment"]]
        subprocess.run([*command, "--output", sound, "--picture", sound.with_suffix(".png")], check=True)
    print(f"\nListen to the {len(rows)} soundscapes in {OUT}; the .png beside each shows what it is made of.")


if __name__ == "__main__":
    main()

"""Measures the matching of ``a2m-edge data build`` at full size: time, peak memory, and the rate of the embedding.

    OMP_NUM_THREADS=1 python -m tools.measure_data_build --shared ../shared

The rows are generated: the official form, 450,000 utterances put together from halves of those of ``--shared``, so
that no two are alike, 80,000 paintings, and the 5,521 captions of MusicCaps. Their embeddings are not those of a
sentence encoder but random directions, written in shards as the encoder's are: encoding so many texts is another
matter, and its rate is measured on 20,000 of them. Each part runs in a process of its own, whose peak memory is the
kernel's VmHWM.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SIZE = 384
PAINTINGS = 80_000


def generate(artemis: Path, out: Path, rows: int) -> None:
    """Writes an official table of so many rows, none like another."""
    generator = np.random.default_rng(0)
    with artemis.open(encoding="utf-8", newline="") as file:
        known = [(row["emotion"], row["utterance"].split()) for row in csv.DictReader(file)]
    seen: set[int] = set()
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("art_style", "painting", "emotion", "utterance", "repetition"))
        while len(seen) < rows:
            (emotion, one), (_, other) = (known[index] for index in generator.integers(len(known), size=2))
            text = " ".join([*one[: -(-len(one) // 2)], *other[len(other) // 2 :]])
            if hash(text) in seen:
                continue
            painting = len(seen) * PAINTINGS // rows
            seen.add(hash(text))
            writer.writerow((f"Style_{painting % 27}", f"artist-{painting % 1100}_work-{painting}", emotion, text, 6))


class RandomShards:
    """Stands for ``SentenceShards``: random directions in files, named as blocks come."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, texts: Callable[[], Iterator[tuple[str, ...]]], blocks: int) -> Iterator[NDArray[np.float32]]:
        generator = np.random.default_rng(0)
        drawn = generator.standard_normal((4096, SIZE), dtype=np.float32)
        drawn += 1.0  # a cone, as sentences are: random pairs have a cosine of a half
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        for number, block in enumerate(texts()):
            # Components in another order are another direction, and cost less than to draw it.
            directions = drawn[generator.integers(len(drawn), size=len(block))][:, generator.permutation(SIZE)]
            np.savez(self._folder / f"{number}.npz", embeddings=directions)
        self.began = time.perf_counter(), time.process_time()
        for number, _ in enumerate(texts()):
            with np.load(self._folder / f"{number}.npz") as kept:
                yield kept["embeddings"]


def match(shared: Path, folder: Path) -> dict[str, object]:
    """Builds the pairs of the generated table in this process."""
    from training.data.pairs.articaps import Sources, build_articaps
    from training.data.tables.captions import read_captions

    base = _peak()
    data = shared / "data"
    captions = read_captions(data / "musiccaps.csv")
    (folder / "embeddings").mkdir()
    shards = RandomShards(folder / "embeddings")
    began = time.perf_counter(), time.process_time()
    sources = Sources(folder / "artemis.csv", data / "musiccaps.csv", data)
    found = build_articaps(sources, captions, folder, shards)
    ended = time.perf_counter(), time.process_time()
    return {
        "utterances": found["utterances"],
        "captions": found["options"]["captions"],
        "pairs": found["pairs"],
        "dropped": found["dropped_by_reason"],
        "seconds_with_generated_shards": round(ended[0] - began[0], 1),
        "processor_seconds_with_generated_shards": round(ended[1] - began[1], 1),
        "matching_seconds": round(ended[0] - shards.began[0], 1),
        "matching_processor_seconds": round(ended[1] - shards.began[1], 1),
        "peak_MiB": _peak(),
        "peak_MiB_before_anything": base,
        "articaps_csv_MB": round((folder / "articaps.csv").stat().st_size / 1e6, 1),
    }


def encode(shared: Path, folder: Path, texts: int) -> dict[str, object]:
    """Embeds some of the generated texts in this process, on one core."""
    import torch

    from training.data.embeddings.embed import embed_texts
    from training.models.encoders import load_encoder

    torch.set_num_threads(1)
    encoder = load_encoder("a2m-s")
    with (folder / "artemis.csv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        some = [next(rows)["utterance"] for _ in range(texts)]
    began = time.perf_counter(), time.process_time()
    for first in range(0, texts, 2048):
        embed_texts(encoder, some[first : first + 2048])
    wall, processor = time.perf_counter() - began[0], time.process_time() - began[1]
    return {
        "encoded_texts": texts,
        "encoding_seconds": round(wall, 1),
        "encoding_processor_seconds": round(processor, 1),
        "processor_milliseconds_a_text": round(1000 * processor / texts, 3),
        "encoder_peak_MiB": _peak(),
    }


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """Generates, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--rows", type=int, default=450_000)
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--part", choices=("match", "encode"))
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.part == "match":
        print(json.dumps(match(given.shared, given.folder)))
    elif given.part == "encode":
        print(json.dumps(encode(given.shared, given.folder, given.texts)))
    else:
        with tempfile.TemporaryDirectory() as folder:
            generate(given.shared / "data" / "artemis.csv", Path(folder) / "artemis.csv", given.rows)
            for part in ("match", "encode"):
                options = ("--part", part, "--folder", folder, "--shared", given.shared, "--texts", given.texts)
                command = [sys.executable, "-m", "tools.measure_data_build", *map(str, options)]
                found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
                for name, value in json.loads(found).items():
                    print(f"{name.replace('_', ' ')}: {value}")


if __name__ == "__main__":
    main()

"""Recipes of arrangements (``training.data.recordings.arrangement``), and the table that keeps them with the sound."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from a2m_edge.errors import DataError
from a2m_edge.impression.feeling import INSTRUMENTS, ROLES, Casting
from a2m_edge.output import written_aside
from training.data.recordings.orchestration import CORPORA, Deck
from training.data.tables.captions import split_of

TABLE = "arrangements.csv"
LICENCE = "CC0-1.0"


@dataclass(frozen=True)
class ScoreRow:
    """What a corpus' table says of a score; ``tempo`` in quarters per minute, ``margin`` above 0 where it is major."""

    corpus: str
    source: str
    member: str
    seconds: float
    tempo: float
    margin: float


@dataclass(frozen=True)
class Arrangement:
    """Everything that an arrangement is made of; numbers are rounded, so that the table holds them whole.

    Attributes:
        score: what it is taken from.
        number: of its generator, and in its file's name.
        place: seconds of the score, at its own tempo, at which the excerpt begins.
        stretch: how many times longer it takes than written.
        transposition: semitones, all parts alike.
        octaves: that each role would be moved by, where its register allows.
        level: mean velocity, in (0, 1].
        shares: each role's velocity beside the others.
        casting: who plays each role, and the room.
        lead: seconds of silence before the excerpt.
        seconds: length of the clip.
    """

    score: ScoreRow
    number: int
    place: float
    stretch: float
    transposition: int
    octaves: tuple[int, ...]
    level: float
    shares: tuple[float, ...]
    casting: Casting
    lead: float
    seconds: float

    @property
    def clip(self) -> str:
        """Corpus and score, in the place of a caption's clip."""
        return f"{self.score.corpus}-{Path(self.score.member).stem}"

    @property
    def file(self) -> str:
        """The archive's path below the realisations; all excerpts of a source are in one split."""
        return f"{split_of(f'{self.score.corpus}/{self.score.source}')}/{self.clip}_{self.number}.npz"

    def row(self) -> dict[str, object]:
        """The recipe as a row of the table."""
        players = [list(INSTRUMENTS)[player] for player in self.casting.instruments]
        return {
            "file": self.file,
            "corpus": self.score.corpus,
            "source": self.score.source,
            "score": self.score.member,
            "licence": LICENCE,
            "seconds": self.seconds,
            "place": self.place,
            "stretch": self.stretch,
            "transposition": self.transposition,
            "level": self.level,
            "lead": self.lead,
            "room": self.casting.room,
            **dict(zip(ROLES, players, strict=True)),
            **{f"{role}_octaves": octaves for role, octaves in zip(ROLES, self.octaves, strict=True)},
            **{f"{role}_share": share for role, share in zip(ROLES, self.shares, strict=True)},
        }


def read_rows(scores: Path) -> dict[str, list[ScoreRow]]:
    """The rows of ``lieder.csv`` and ``quartets.csv`` by corpus.

    Raises:
        DataError: a table is missing or lacks a column.
    """
    rows: dict[str, list[ScoreRow]] = {}
    for corpus in CORPORA:
        table = scores / f"{corpus}.csv"
        try:
            with table.open(encoding="utf-8", newline="") as stream:
                rows[corpus] = [
                    ScoreRow(
                        corpus,
                        row["source_id"],
                        row["file"],
                        float(row["seconds"]),
                        float(row["tempo_mean"]),
                        float(row["mode_margin"]),
                    )
                    for row in csv.DictReader(stream)
                ]
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise DataError(f"{table} is not the table of its scores ({error!r}): fetch the corpus again") from error
    return rows


def recipes(rows: Mapping[str, Sequence[ScoreRow]], seconds: float, seed: int) -> Iterator[Arrangement]:
    """Recipes without end, one of each corpus in turn: scores and instruments come again when all had their turn.

    Raises:
        DataError: a corpus has no score that fills ``seconds`` at every tempo.
    """
    generator = np.random.default_rng(seed)
    longest = 1 / 0.7  # seconds of the score in a second of the clip
    fitting = {corpus: [row for row in of if row.seconds >= longest * seconds] for corpus, of in rows.items()}
    for corpus, left in fitting.items():
        if not left:
            raise DataError(f"no score of {corpus} lasts {longest * seconds:.0f} s: ask for fewer --seconds")
    decks = {corpus: Deck(len(left), generator) for corpus, left in fitting.items()}
    players = Deck(len(INSTRUMENTS), generator)
    for take in itertools.count():
        for corpus, left in fitting.items():
            score = left[decks[corpus].deal(1)[0]]
            name = f"{seed}/{seconds}/{take}/{score.member}".encode()
            stretch = round(float(generator.uniform(0.7, 1.6)), 3)
            yield Arrangement(
                score,
                int.from_bytes(hashlib.sha1(name, usedforsecurity=False).digest()[:6], "big"),
                round(float(generator.uniform(0.0, score.seconds - seconds / stretch)), 2),
                stretch,
                int(generator.integers(-5, 7)),
                tuple(int(octaves) for octaves in generator.choice((-1, 0, 1), len(ROLES), p=(0.2, 0.6, 0.2))),
                round(float(generator.uniform(0.25, 0.65)), 3),
                tuple(round(float(share), 3) for share in generator.uniform(0.8, 1.2, len(ROLES))),
                Casting(tuple(players.deal(len(ROLES))), round(float(generator.random()), 3)),
                round(float(generator.uniform(0.0, 0.4)), 3),
                seconds,
            )


def arranged_files(folder: Path) -> set[str]:
    """Paths, below a folder of realisations, of those that are arrangements; none where no table tells.

    Raises:
        DataError: the table is damaged.
    """
    return {row["file"] for row in _read_table(folder / TABLE)}


def _read_table(table: Path) -> list[dict[str, str]]:
    if not table.exists():
        return []
    try:
        with table.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        if any(not row.get("file") for row in rows):
            raise ValueError("a row names no file")
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{table} is damaged ({error}): delete it and run  a2m-edge data arrange  again") from error
    return rows


def write_table(table: Path, chosen: Sequence[Arrangement]) -> None:
    """Adds recipes to the table: the rows of other seeds and lengths stay."""
    rows: dict[str, Mapping[str, object]] = {row["file"]: row for row in _read_table(table)}
    rows |= {recipe.file: recipe.row() for recipe in chosen}
    text = io.StringIO()
    writer = csv.DictWriter(text, list(chosen[0].row()), extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows.values())
    with written_aside(table) as stream:
        stream.write(text.getvalue().encode())

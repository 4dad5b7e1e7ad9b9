"""Is a painting's music known again? Of its pieces of two seeds, one is looked for by the other among all's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from a2m_edge.bundle import Bundle
from a2m_edge.errors import DataError
from a2m_edge.rendering.render import RENDER_CHUNK_SECONDS
from a2m_edge.sound.loudness import normalise_loudness
from a2m_edge.soundscape import Soundscape
from training.data.tables.feelings import Picture, PictureArchive
from training.evaluation.listening.sound_embedding import open_network
from training.evaluation.listening.sound_entry import EFFICIENTAT
from training.evaluation.listening.sound_front_end import features, windows
from training.evaluation.report.model import Column, Missing, Row, Table, Value
from training.evaluation.rows.perceiving import Progress
from training.evaluation.statistics.distances import Estimate, mean_with_interval

FEWEST = 3
"""Paintings below which finding one again says nothing."""

Listener = Callable[[NDArray[np.float32], int], NDArray[np.float32]]
"""A sound, float32 [N, C] at a rate in Hz, to a description of it as a whole: float32 [D]."""


class FramewiseListener:
    """Mean and deviation over a sound of what EfficientAT hears in each third of a second: float32 [768].

    Args:
        weights: folder of ``efficientat_mn04.onnx``.

    Raises:
        DataError: the network is missing, or cannot be loaded.
    """

    def __init__(self, weights: Path) -> None:
        model = weights / "efficientat_mn04.onnx"
        if not model.is_file():
            raise DataError(f"there is no network {model}: put it there")
        self._session = open_network(model, threads=1)

    def __call__(self, samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
        """The description of a sound, float32 [N, C] at a rate in Hz; DataError where it is too short."""
        heard = [
            self._session.run(["framewise"], {EFFICIENTAT.input: features(window, EFFICIENTAT)})[0][0]
            for window in windows(samples, rate, EFFICIENTAT)
        ]
        frames = np.concatenate(heard, axis=1)
        return np.concatenate([frames.mean(1), frames.std(1)]).astype(np.float32)


@dataclass(frozen=True)
class Identity:
    """How well paintings are told apart by their music.

    Attributes:
        found: share of pieces whose nearest piece of another seed is that of the same painting, with its interval
            (bootstrap over paintings).
        apart: variance between paintings over that within them (of two seeds), mean over the descriptions' numbers; 0
            would be no painting at all.
        paintings: how many; chance is one of them.
        seconds: of each piece.
    """

    found: Estimate
    apart: float
    paintings: int
    seconds: float

    def figures(self) -> dict[str, float]:
        """Everything as numbers."""
        return {
            "recall_1": self.found.value,
            "recall_1_low": self.found.low,
            "recall_1_high": self.found.high,
            "chance": 1.0 / self.paintings,
            "between_over_within": self.apart,
            "paintings": float(self.paintings),
            "seconds": self.seconds,
        }


def known_again(one: NDArray[np.floating], other: NDArray[np.floating], seconds: float, seed: int = 0) -> Identity:
    """Compares two pieces of each painting.

    Every number of the descriptions is standardised over all pieces, so that none outweighs the others; pieces are near
    by the cosine of what is left. The variance of the means of two pieces holds half of that within paintings, which
    is taken off.

    Args:
        one, other: descriptions of the pieces of one seed and of the other, [n, D], row by row of the same painting.
        seconds: of each piece.
        seed: of the interval's draws.

    Raises:
        DataError: there are fewer than ``FEWEST`` paintings.
    """
    if len(one) < FEWEST:
        raise DataError(f"{len(one)} paintings are too few to find one again: name {FEWEST} or more")
    pieces = np.stack([one, other]).astype(np.float64)
    deviation = pieces.std((0, 1))
    pieces = (pieces - pieces.mean((0, 1)))[..., deviation > 0] / deviation[deviation > 0]
    unit = pieces / np.maximum(np.linalg.norm(pieces, axis=2, keepdims=True), 1e-12)
    near = unit[0] @ unit[1].T
    own = near.diagonal()
    # Of others that are as near none may come before: what is the same for all paintings finds nothing.
    beaten = [(near >= own[:, None]).sum(1) == 1, (near >= own[None, :]).sum(0) == 1]
    within = ((pieces[0] - pieces[1]) ** 2).mean(0) / 2
    between = np.maximum(pieces.mean(0).var(0, ddof=1) - within / 2, 0.0)
    varies = within > 0
    apart = float(between[varies].sum() / within[varies].sum()) if varies.any() else 0.0
    return Identity(mean_with_interval(np.mean(beaten, axis=0), seed=seed), apart, len(one), seconds)


def measure_identity(
    bundle: Bundle,
    listener: Listener,
    pictures: Sequence[Picture],
    archive: PictureArchive,
    seconds: float,
    seed: int,
    *,
    device: str = "cpu",
    threads: int | None = None,
    progress: Progress | None = None,
) -> Identity:
    """Plays every picture alone with two seeds and looks for one by the other.

    Args:
        bundle: verified.
        listener: describes sounds.
        pictures: of an archive, ``FEWEST`` or more.
        archive: their pictures.
        seconds: of each piece.
        seed: of the music.
        device, threads: as in ``a2m_edge.inference.sessions.open_session``.
        progress: of the pieces.

    Raises:
        DataError: a picture cannot be read, or there are too few.
    """
    models = Soundscape(bundle, seed=seed, device=device, threads=threads)
    heard: list[NDArray[np.float32]] = []
    for sound in _pieces(models, pictures, archive, seconds, seed):
        heard.append(listener(sound, bundle.manifest.audio.sample_rate))
        if progress is not None:
            progress(len(heard), 2 * len(pictures))
    described = np.array(heard).reshape(len(pictures), 2, -1)
    return known_again(described[:, 0], described[:, 1], seconds, seed)


def identity_table(identity: Identity | Missing) -> Table:
    """Is a painting's music known again?"""
    columns = [
        Column("Paintings"),
        Column(
            "Found again",
            "",
            "higher",
            note="Share of pieces whose nearest piece of another seed is the same painting's (recall@1).",
            decimals=3,
        ),
        Column(
            "Between over within",
            "",
            "higher",
            note="Variance between paintings over that between two seeds of one.",
            decimals=3,
        ),
    ]
    if isinstance(identity, Missing):
        return Table("Is a painting's music known again?", columns, [Row("ours", [identity] * len(columns))])
    chance: list[Value] = [identity.paintings, 1.0 / identity.paintings, 0.0]
    return Table(
        "Is a painting's music known again?",
        columns,
        [
            Row("ours", [identity.paintings, identity.found, identity.apart]),
            Row("chance", chance, "music that knows no painting", reference=True),
        ],
        f"Pictures alone, two seeds, {identity.seconds:g} s each; heard by {EFFICIENTAT.name}: mean and deviation of "
        "what it hears in each third of a second, standardised, compared by their cosine.",
    )


def _pieces(
    models: Soundscape, pictures: Sequence[Picture], archive: PictureArchive, seconds: float, seed: int
) -> Iterator[NDArray[np.float32]]:
    """Both pieces of each picture in turn, equally loud."""
    audio = models.bundle.manifest.audio
    frames, chunk = audio.frames(seconds), max(1, audio.frames(RENDER_CHUNK_SECONDS))
    for picture in pictures:
        for number in (0, 1):
            playing = models.again(seed + number)
            playing.see(np.asarray(archive.whole(picture)))
            samples = np.concatenate([each.samples for each in playing.chunks(frames, chunk)])
            yield normalise_loudness(samples, audio.sample_rate)

"""The rows of the evaluation: every way to make sound for the same held-out pairs, the real music first."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from a2m_edge.bundle import Bundle
from a2m_edge.errors import OptionError
from a2m_edge.impression.feeling import Casting, Feeling
from a2m_edge.perception.encoders import Perception
from a2m_edge.rendering.render import RENDER_CHUNK_SECONDS
from a2m_edge.score import Beat, Note
from a2m_edge.sound.mel import log_mel
from a2m_edge.soundscape import Soundscape
from training.data.tables.feelings import PictureArchive
from training.evaluation.rows.baselines import PaperModel, PlainVocoder, repeated
from training.evaluation.rows.materials import Pair, Recorded, partners, recorded
from training.evaluation.rows.perceiving import Progress
from training.evaluation.rows.stored_score import StoredScore


@dataclass(frozen=True)
class Sounding:
    """What one row plays for one pair.

    Attributes:
        pair: number of the pair.
        samples: float32 [T * hop, C], at the row's own level.
        mel: what the row puts in the place of the real clip, to be compared frame by frame with its mel: natural-log
            mel, float32 [bands, T or less]; None where the row plays music of its own.
        notes: that were to be played in these samples.
        casting: who played them, or None where that is not known.
        mode: name of the mode that the music is in for the longest time, or None.
        feeling: what the row took the pair to express, or None.
        seconds: of computing; 0 where nothing was computed.
    """

    pair: int
    samples: NDArray[np.float32]
    mel: NDArray[np.float32] | None = None
    notes: tuple[Note, ...] = ()
    casting: Casting | None = None
    mode: str | None = None
    feeling: Feeling | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class RowSource:
    """A row of the table.

    Attributes:
        key: its name in code and JSON.
        title: its name for readers.
        play: sounds every pair in order, one at a time, the same each time; None where the row cannot be had.
        note: what it is, or why it cannot be had.
    """

    key: str
    title: str
    play: Callable[[], Iterator[Sounding]] | None
    note: str = ""


class Rows:
    """Sounds the pairs in every way that the evaluation compares.

    Args:
        bundle: a verified bundle; it runs through ONNX Runtime, as it ships.
        pairs: the held-out set, from ``held_out_pairs``.
        archive: the paintings.
        seconds: length of each sound.
        seed: of the music, the exchange of conditions, and what is drawn.
        device, threads: as in ``a2m_edge.inference.sessions.open_session``.
        progress: is told after each pair of each row.

    Raises:
        OptionError: ``seconds`` is not above 0.
        BundleError, DeviceError, MissingExtraError: the bundle cannot be used here.
    """

    def __init__(
        self,
        bundle: Bundle,
        pairs: Sequence[Pair],
        archive: PictureArchive,
        seconds: float = 10.0,
        *,
        seed: int = 0,
        device: str = "cpu",
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.audio = bundle.manifest.audio
        self.frames = self.audio.frames(seconds) if seconds > 0 else 0
        if self.frames < 1:
            raise OptionError(f"a sound must last longer than one frame to be evaluated, not {seconds:g} s")
        self.pairs = pairs
        self._chunk = max(1, self.audio.frames(RENDER_CHUNK_SECONDS))  # as a render plays
        self._archive, self._seed, self._progress = archive, seed, progress
        self._models = Soundscape(bundle, seed=seed, device=device, threads=threads)
        self._stored = StoredScore(bundle, device, threads)

    @property
    def seconds(self) -> float:
        """Length of each sound."""
        return self.audio.seconds(self.frames)

    @property
    def plays_scores(self) -> bool:
        """Whether the bundle plays a score, without which there is no ``reconstruction``."""
        return self._stored.plays_scores

    def real(self) -> Iterator[Sounding]:
        """The held-out clips themselves."""
        for pair in self._each():
            yield self._recording(pair, recorded(pair.realisation, self.audio, self.frames))

    def copy_synthesis(self) -> Iterator[Sounding]:
        """The bundle's vocoder on the real mels and notes; ``mel`` is that of its sound."""
        for pair in self._each():
            clip = recorded(pair.realisation, self.audio, self.frames)
            begin = time.perf_counter()
            samples = self._stored.sound(clip.mel, clip.notes, self.frames)
            seconds = time.perf_counter() - begin
            mel = log_mel(samples, self.audio)
            yield Sounding(pair.number, samples, mel, self._within(clip.notes), clip.casting, seconds=seconds)

    def reconstruction(self, shuffled: bool = False) -> Iterator[Sounding]:
        """The bundle plays the real scores in the real casting, for the picture and the utterance of the pair.

        Args:
            shuffled: for those of another pair.

        Raises:
            OptionError: the bundle plays no score.
        """
        others = partners(self.pairs, self._seed) if shuffled else self.pairs
        for pair in self._each():
            clip = recorded(pair.realisation, self.audio, self.frames)
            picture = self._pixels(others[pair.number])
            begin = time.perf_counter()
            perception = self._perceive(picture, others[pair.number].utterance)
            ahead, seed = self.frames + self._stored.context_frames, self._seed + pair.number
            mel, alive = self._stored.decode(clip.notes, clip.palette, perception.fused, ahead, seed)
            samples = self._stored.sound(alive, clip.notes, self.frames)
            seconds = time.perf_counter() - begin
            mel, notes = mel[:, : self.frames], self._within(clip.notes)
            yield Sounding(pair.number, samples, mel, notes, clip.casting, None, perception.feeling, seconds)

    def soundscape(self, shuffled: bool = False) -> Iterator[Sounding]:
        """What a visitor gets for the picture and the utterance: the bundle composes, decodes and sounds.

        ``seconds`` counts all from the picture's pixels and the words to the last sample, the models being loaded.

        Args:
            shuffled: for those of another pair; the music's seed stays the pair's.
        """
        others = partners(self.pairs, self._seed) if shuffled else self.pairs
        for pair in self._each():
            picture = self._pixels(others[pair.number])
            begin = time.perf_counter()
            soundscape = self._models.again(self._seed + pair.number)
            soundscape.see(picture)
            feeling = soundscape.hear(others[pair.number].utterance).feeling
            samples = np.concatenate([chunk.samples for chunk in soundscape.chunks(self.frames, self._chunk)])
            seconds = time.perf_counter() - begin
            notes, mode = self._within(soundscape.score.notes), self._mode(soundscape.score.beats)
            yield Sounding(pair.number, samples, None, notes, soundscape.casting, mode, feeling, seconds)

    def paper(self, model: PaperModel, vocoder: PlainVocoder) -> Iterator[Sounding]:
        """The published configuration; ``mel`` is its one clip, which is repeated where the sound is longer."""
        for pair in self._each():
            begin = time.perf_counter()
            clip = model(pair)
            samples = vocoder(repeated(clip, self.frames))
            seconds = time.perf_counter() - begin
            yield Sounding(pair.number, samples, clip[:, : self.frames], seconds=seconds)

    def mean_mel(self, mel: NDArray[np.float32], vocoder: PlainVocoder) -> Iterator[Sounding]:
        """The same mel for every pair, from ``training.evaluation.rows.materials.mean_mel``."""
        samples = vocoder(mel[:, : self.frames])
        for pair in self._each():
            yield Sounding(pair.number, samples, mel[:, : self.frames])

    def random_training(self, training: Sequence[Pair]) -> Iterator[Sounding]:
        """A clip of any training pair, none again while others are left."""
        clips = list({pair.clip: pair for pair in training}.values())
        order = np.random.default_rng([13, self._seed]).permutation(len(clips))
        for pair in self._each():
            clip = clips[order[pair.number % len(order)]].realisation
            yield self._recording(pair, recorded(clip, self.audio, self.frames))

    def nearest_training(self, nearest: Callable[[Pair], Pair]) -> Iterator[Sounding]:
        """The clip of the training pair of the likest picture and utterance; see ``NearestTraining``."""
        for pair in self._each():
            begin = time.perf_counter()
            clip = nearest(pair).realisation
            seconds = time.perf_counter() - begin
            yield self._recording(pair, recorded(clip, self.audio, self.frames), seconds)

    def _recording(self, pair: Pair, clip: Recorded, seconds: float = 0.0) -> Sounding:
        mel, notes = clip.mel[:, : self.frames], self._within(clip.notes)
        return Sounding(pair.number, clip.samples, mel, notes, clip.casting, seconds=seconds)

    def _each(self) -> Iterator[Pair]:
        for done, pair in enumerate(self.pairs):
            yield pair
            if self._progress is not None:
                self._progress(done + 1, len(self.pairs))

    def _pixels(self, pair: Pair) -> NDArray[np.uint8]:
        return np.asarray(self._archive.whole(pair.picture))

    def _perceive(self, picture: NDArray[np.uint8], utterance: str) -> Perception:
        soundscape = self._models.again(self._seed)
        soundscape.see(picture)
        return soundscape.hear(utterance)

    def _within(self, notes: Iterable[Note]) -> tuple[Note, ...]:
        return tuple(note for note in notes if note.start < self.seconds)

    def _mode(self, beats: Iterable[Beat]) -> str | None:
        lasting: Counter[str] = Counter()
        for beat in beats:
            lasting[beat.mode] += max(0, round(1000 * (min(beat.start + beat.seconds, self.seconds) - beat.start)))
        return lasting.most_common(1)[0][0] if lasting else None


def all_rows(
    rows: Rows,
    *,
    training: Sequence[Pair],
    nearest: Callable[[Pair], Pair],
    mean: NDArray[np.float32],
    vocoder: PlainVocoder,
    paper: PaperModel | None,
) -> list[RowSource]:
    """Every row in the order of the table.

    Args:
        rows: plays them.
        training: the training pairs.
        nearest: finds the nearest of them.
        mean: the training clips' mean mel.
        vocoder: sounds mels without notes.
        paper: the published configuration trained on the same pairs, or None where there is none.
    """
    scored = rows.plays_scores
    unscored = "" if scored else "the bundle plays no score"
    return [
        RowSource("real", "real held-out music", rows.real),
        RowSource(
            "copy_synthesis", "copy-synthesis", rows.copy_synthesis, "the bundle's vocoder on the real mel and notes"
        ),
        RowSource(
            "reconstruction",
            "ours, given the real score",
            rows.reconstruction if scored else None,
            unscored or "the bundle plays the clip's own notes and instruments",
        ),
        RowSource(
            "reconstruction_shuffled",
            "ours, given the real score, shuffled conditions",
            (lambda: rows.reconstruction(shuffled=True)) if scored else None,
            unscored or "as above, for the picture and the comment of another pair",
        ),
        RowSource("ours", "ours", rows.soundscape, "what a visitor hears for this picture and comment"),
        RowSource(
            "ours_shuffled",
            "ours, shuffled conditions",
            lambda: rows.soundscape(shuffled=True),
            "what a visitor hears for the picture and the comment of another pair",
        ),
        RowSource(
            "paper",
            "the published configuration",
            None if paper is None else lambda: rows.paper(paper, vocoder),
            "no checkpoint of the published decoder was given" if paper is None else "trained on the same pairs",
        ),
        RowSource(
            "mean_mel", "mean mel", lambda: rows.mean_mel(mean, vocoder), "the training clips' mean, frame by frame"
        ),
        RowSource("random_training", "random training clip", lambda: rows.random_training(training)),
        RowSource(
            "nearest_training",
            "nearest training clip",
            lambda: rows.nearest_training(nearest),
            "the clip of the training pair whose picture and comment are likest",
        ),
    ]

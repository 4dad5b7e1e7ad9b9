"""Where the log-mel frames of a stream come from: a score that is decoded in windows, or clips of fixed length."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from a2m_edge.bundle import Bundle
from a2m_edge.bundle.manifest import COMPOSER, ClipDecoder, DecoderContext, ScoreEncoding
from a2m_edge.composer import Composer, ComposerTables, Theme
from a2m_edge.composer.orchestration import players, tinted
from a2m_edge.errors import BundleError, OptionError
from a2m_edge.impression.feeling import Casting
from a2m_edge.inference.sessions import Session, open_session
from a2m_edge.perception.encoders import Perception
from a2m_edge.score import Note, Score, ScoreLayout
from a2m_edge.synthesis.shimmer import shimmering

GLIDE_SECONDS = 1.0
"""Time in which the fused embedding of a score moves to a new one."""

LARGEST_BATCH = 64
"""Windows decoded in one run; bounds the memory of an offline render."""


@dataclass(frozen=True)
class Passage:
    """The next frames of a stream.

    Attributes:
        mel: natural-log mel, float32 [bands, T].
        notes: what was composed for them; some may begin after them. Empty where nothing is composed.
    """

    mel: NDArray[np.float32]
    notes: tuple[Note, ...]


class MelSource(Protocol):
    """A stream of log-mel frames without end, which bends from the first frame that it has not given yet."""

    @property
    def score(self) -> Score:
        """The music as far as it has been composed; stays empty where nothing is composed."""

    @property
    def casting(self) -> Casting | None:
        """Who plays each role; None before the first perception, and where there are no roles."""

    @property
    def theme(self) -> Theme | None:
        """The theme of the music; None before the first perception, and where nothing is composed."""

    def steer(self, identity: NDArray[np.float32], perception: Perception) -> None:
        """Bends the stream; needed once before the first frame.

        Args:
            identity: embedding of the artwork, float32 [D]: the same one brings the same theme.
            perception: what is felt now.
        """

    def decode(self, frames: int) -> Passage:
        """The next frames: at least ``frames``, and no more beyond than the decoder must give at once.

        Raises:
            OptionError: nothing was perceived yet.
        """

    def again(self, seed: int) -> MelSource:
        """A new stream, of another seed, by the same decoder; nothing is perceived yet."""

    def take_back(self, frames: int) -> None:
        """Takes back frames that the last ``decode`` gave beyond those it was asked for; the next one gives them anew.

        What was composed for them stays.

        Args:
            frames: how many, at most all of those.
        """


def open_source(
    bundle: Bundle,
    *,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    score_seconds: float | None = None,
) -> MelSource:
    """The source that suits the bundle's decoder; arguments and errors are those of ``Soundscape``."""
    manifest = bundle.manifest
    match manifest.decoder, manifest.score:
        case DecoderContext() as context, ScoreEncoding() as encoding:
            return ScoreSource(bundle, context, encoding, seed, device, threads, score_seconds)
        case ClipDecoder() as clips, None:
            return ClipSource(bundle, clips, device, threads)
        case _:
            raise BundleError(f"the bundle {manifest.name} has a score or a decoder of windows, but not both")


class ScoreSource:
    """Frames that a decoder of windows makes of a composed score.

    What changes is heard at two speeds: instruments, room and fused embedding change with the next frame that is
    decoded; mode, tempo and notes change with the next beat that is composed. The decoder always runs on the same
    grid of windows, however many frames are asked for, until frames are taken back: there a new grid begins.

    Args:
        bundle: a verified bundle.
        context, encoding: its decoder and its score.
        seed, device, threads, score_seconds: as in ``a2m_edge.soundscape.Soundscape``.
    """

    def __init__(
        self,
        bundle: Bundle,
        context: DecoderContext,
        encoding: ScoreEncoding,
        seed: int,
        device: str,
        threads: int | None,
        score_seconds: float | None,
    ) -> None:
        manifest = bundle.manifest
        self._context = context
        self._layout = ScoreLayout(len(manifest.roles), encoding.lowest_pitch, encoding.keys, encoding.onset_decay)
        self._frame_rate = manifest.audio.frame_rate
        self._names = manifest.instruments
        self._instruments = len(manifest.instruments)
        self._score_seconds = score_seconds
        self._decoder = _open_decoder(bundle, ("fused", "palette", "score"), ("mel", "shimmer"), device, threads)
        self._tables = ComposerTables.read(bundle.file(COMPOSER))
        self._fused_size = manifest.fused_size
        self._palette_size = len(manifest.roles) * self._instruments + 1
        self._begin(seed)

    def again(self, seed: int) -> ScoreSource:
        """As ``MelSource.again``."""
        other = copy.copy(self)
        other._begin(seed)
        return other

    def _begin(self, seed: int) -> None:
        self.score = Score()
        self.casting: Casting | None = None
        self._seed = seed
        self._composer: Composer | None = None
        self._notes: list[Note] = []  # all that sound in the next window or its context
        self._decoded = 0  # frames given so far
        self._glide_start = 0
        self._glide_from = self._glide_to = np.zeros(self._fused_size, np.float32)
        self._palette = np.zeros(self._palette_size, np.float32)
        # What the last frames were decoded with: the left context, and as many as can be taken back.
        self._past_fused = np.zeros((self._context.left, self._fused_size), np.float32)
        self._past_palette = np.zeros((self._context.left, self._palette_size), np.float32)

    @property
    def theme(self) -> Theme | None:
        """The theme of the artwork; None before the first perception."""
        return None if self._composer is None else self._composer.theme

    def steer(self, identity: NDArray[np.float32], perception: Perception) -> None:
        """As ``MelSource.steer``."""
        if self._composer is None or self._decoded == 0:  # nothing was heard yet that would have to bend
            self._composer = Composer(
                self._tables,
                identity,
                self._seed,
                perception.feeling,
                perception.cues,
                perception.subjects,
                perception.gaze,
            )
            self._glide_from = perception.fused
        else:
            self._glide_from = self._fused(np.array([self._decoded]))[0]
            self._composer.retheme(identity)
            self._composer.steer(perception.feeling, perception.cues, perception.subjects, perception.gaze)
        self._glide_start, self._glide_to = self._decoded, perception.fused
        palette = tinted(perception.palette, self._names, perception.cues, perception.subjects)
        self.casting = players(palette, self._composer.theme.signature)
        self._palette = self.casting.vector(self._instruments)

    def decode(self, frames: int) -> Passage:
        """As ``MelSource.decode``; gives whole windows of the grid."""
        left, right = self._context.left, self._context.right
        length = -(-frames // self._context.window) * self._context.window
        begin = self._decoded
        first, last = begin - left, begin + length + right
        composed = self._compose(last)
        self._notes = [note for note in self._notes if note.end * self._frame_rate > first - 2]  # each is rounded
        self._notes += composed
        score = self._layout.frames(self._notes, first, last - first, self._frame_rate)
        fused_ahead = self._fused(np.arange(begin, last))
        palette_ahead = np.broadcast_to(self._palette, (len(fused_ahead), len(self._palette)))
        if begin == 0:  # before its first frame a stream was silent, but in the same room
            self._past_fused[:] = fused_ahead[0]
            self._past_palette[:] = self._palette
        fused = np.concatenate([self._past_fused[len(self._past_fused) - left :], fused_ahead])
        palette = np.concatenate([self._past_palette[len(self._past_palette) - left :], palette_ahead])
        mel = shimmering(*decode_grid(self._decoder, self._context, fused, palette, score), begin, self._seed)
        self._decoded = begin + length
        self._past_fused = fused[: left + length]
        self._past_palette = palette[: left + length]
        return Passage(mel, composed)

    def take_back(self, frames: int) -> None:
        """As ``MelSource.take_back``."""
        self._decoded -= frames
        self._past_fused = self._past_fused[: len(self._past_fused) - frames]
        self._past_palette = self._past_palette[: len(self._past_palette) - frames]

    def _fused(self, frames: NDArray[np.int64]) -> NDArray[np.float32]:
        """The fused embedding at frames not yet decoded: [T, H]."""
        glide = GLIDE_SECONDS * self._frame_rate
        share = np.clip((frames - self._glide_start) / glide, 0.0, 1.0)[:, None].astype(np.float32)
        return np.asarray(self._glide_from + share * (self._glide_to - self._glide_from))

    def _compose(self, last: int) -> tuple[Note, ...]:
        """Composes until every note that begins before frame ``last`` is known; returns the new notes."""
        if self._composer is None:
            raise OptionError("there is no music yet: give a picture, a comment, or both")
        composed: list[Note] = []
        while round(self.score.seconds * self._frame_rate) <= last:
            beat = self._composer.next_beat()
            self.score.beats.append(beat)
            composed += beat.notes
            if self._score_seconds is not None:
                while self.score.beats[0].start < beat.start - self._score_seconds:
                    del self.score.beats[0]
        return tuple(composed)


class ClipSource:
    """Frames of clips: what is perceived gives one clip of fixed length, which runs on into itself without end.

    The last frames of a clip fade into the first ones of the next. What changes fades in over as many frames, from
    the next frame on, at the place in the clip that the stream has reached: so it is heard soon, and a host that
    perceives the same scene again and again does not hear its beginning again and again.

    Args:
        bundle: a verified bundle.
        clips: its decoder.
        device, threads: as in ``a2m_edge.soundscape.Soundscape``.
    """

    def __init__(self, bundle: Bundle, clips: ClipDecoder, device: str, threads: int | None) -> None:
        self._clips = clips
        self._decoder = _open_decoder(bundle, ("fused",), ("mel",), device, threads)
        if bundle.manifest.graphs["mel_decoder"].outputs[0].shape[-1] != clips.frames:
            raise BundleError(
                f"mel_decoder of the bundle {bundle.manifest.name} gives no clips of {clips.frames} frames"
            )
        self._bands = bundle.manifest.audio.mel_bands
        self._begin()

    def again(self, seed: int) -> ClipSource:
        """As ``MelSource.again``; a clip knows no seed."""
        other = copy.copy(self)
        other._begin()
        return other

    def _begin(self) -> None:
        self.score = Score()
        self.casting: Casting | None = None
        self.theme: Theme | None = None
        self._perception: Perception | None = None
        self._clip: NDArray[np.float32] | None = None  # of the present perception, once it is needed
        # The rest of the present clip, faded in where it follows on another; once begun, at least an overlap long.
        self._ahead = np.zeros((self._bands, 0), np.float32)

    def steer(self, identity: NDArray[np.float32], perception: Perception) -> None:
        """As ``MelSource.steer``; there is no theme, so that the identity is heard in what is perceived alone."""
        self._perception, self._clip = perception, None

    def decode(self, frames: int) -> Passage:
        """As ``MelSource.decode``; gives exactly ``frames``."""
        clip, overlap = self._present_clip(), self._clips.overlap
        parts = []
        while frames > 0:
            if self._ahead.shape[1] == overlap:
                self._ahead = crossfaded(self._ahead, clip, overlap)
            given = min(frames, self._ahead.shape[1] - overlap)
            parts.append(self._ahead[:, :given])
            self._ahead = self._ahead[:, given:]
            frames -= given
        return Passage(np.concatenate(parts, axis=1), ())

    def take_back(self, frames: int) -> None:
        """As ``MelSource.take_back``: there are none."""

    def _present_clip(self) -> NDArray[np.float32]:
        """The clip of the present perception, float32 [bands, frames]; a new one takes over from the one before."""
        if self._perception is None:
            raise OptionError("there is no music yet: give a picture, a comment, or both")
        if self._clip is None:
            self._clip = self._decoder.run(fused=self._perception.fused[None])["mel"][0]
            left = self._ahead.shape[1]
            if left == 0:
                self._ahead = self._clip
            else:
                self._ahead = crossfaded(self._ahead, self._clip[:, -left:], self._clips.overlap)
        return self._clip


def decode_grid(
    decoder: Session,
    context: DecoderContext,
    fused: NDArray[np.float32],
    palette: NDArray[np.float32],
    score: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Decodes whole windows, one after the other.

    Args:
        decoder: a session on a decoder of windows.
        context: how it is run.
        fused, palette, score: float32 [T, H], [T, P], [T, F] with T = left context + n windows + right context.

    Returns:
        natural-log mel and its shimmer, float32 [bands, n * window] each.

    Raises:
        BundleError: the graph was made for another context.
    """
    starts = np.arange(0, len(score) - context.span + 1, context.window)
    parts: dict[str, list[NDArray[np.float32]]] = {"mel": [], "shimmer": []}
    for first in range(0, len(starts), LARGEST_BATCH):
        rows = starts[first : first + LARGEST_BATCH, None] + np.arange(context.span)
        told = decoder.run(fused=fused[rows], palette=palette[rows], score=score[rows])
        if told["mel"].shape[-1] != context.window:
            raise BundleError(
                f"mel_decoder tells {told['mel'].shape[-1]} frames of {context.span}, and the manifest states windows "
                f"of {context.window}: export the bundle again"
            )
        for name, windows in parts.items():
            windows += list(told[name])
    mel, shimmer = (np.concatenate(windows, axis=1) for windows in parts.values())
    return mel, shimmer


def _open_decoder(
    bundle: Bundle, inputs: tuple[str, ...], outputs: tuple[str, ...], device: str, threads: int | None
) -> Session:
    graph = bundle.manifest.graphs["mel_decoder"]
    told = tuple(tensor.name for tensor in graph.outputs)
    if {tensor.name for tensor in graph.inputs} != set(inputs) or told != outputs:
        raise BundleError(
            f"mel_decoder of the bundle {bundle.manifest.name} must make {' and '.join(outputs)} of "
            f"{', '.join(inputs)}: export it again"
        )
    return open_session(bundle, "mel_decoder", device, threads)


def crossfaded(old: NDArray[np.float32], new: NDArray[np.float32], overlap: int) -> NDArray[np.float32]:
    """Fades one log-mel into another along a raised cosine.

    The powers are mixed, not the amplitudes. Thus the level passes evenly from one to the other, whether or not
    both are loud in the same bands. (Measured on music through a public HiFi-GAN: within 0.6 dB of even on average;
    amplitudes at equal power swell by up to 2.5 dB, log-mels sink by up to 2.7 dB.)

    Args:
        old: natural-log mel, float32 [bands, at least ``overlap``]; what it has beyond is dropped.
        new: natural-log mel, float32 [bands, T], T >= ``overlap``.
        overlap: frames of the crossfade.

    Returns:
        float32 [bands, T]: ``new`` with its first ``overlap`` frames faded.
    """
    angle = (np.arange(overlap, dtype=np.float32) + 0.5) / overlap * (np.pi / 2)
    mixed = new.copy()
    falling, rising = old[:, :overlap] + np.log(np.cos(angle)), new[:, :overlap] + np.log(np.sin(angle))
    mixed[:, :overlap] = np.logaddexp(2 * falling, 2 * rising) / 2  # in nats: no power can overflow
    return mixed

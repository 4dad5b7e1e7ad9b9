"""The one object a host drives: it sees, it hears, and it plays without end."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from a2m_edge import excitation
from a2m_edge.audio import CHUNK_FRAMES, AudioChunk
from a2m_edge.bundle import COMPOSER, Bundle
from a2m_edge.comments import clean_comment
from a2m_edge.composer import Composer, ComposerTables, Theme
from a2m_edge.encoders import Encoders, Perception
from a2m_edge.errors import BundleError, OptionError
from a2m_edge.feeling import Casting
from a2m_edge.score import Note, Score, ScoreLayout
from a2m_edge.synthesis import Synthesis

GLIDE_SECONDS = 1.0
"""Time in which the fused embedding moves to a new one."""


class Soundscape:
    """Music for a picture, a comment, or both, that bends when either changes.

    What a visitor changes is heard at two speeds: instruments, room and fused embedding change with the first
    frame that is not yet decoded; mode, tempo and notes change with the next beat that is not yet composed.

    Args:
        bundle: a verified bundle.
        seed: chooses among the pieces that the same picture and comment allow.
        device, threads: as in ``a2m_edge.sessions.open_session``.
        score_seconds: how much of the past score is kept; None keeps all of it.

    Raises:
        OptionError: the seed is negative.
        BundleError, DeviceError, MissingExtraError: the bundle's models cannot be used here.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        seed: int = 0,
        device: str = "auto",
        threads: int | None = None,
        score_seconds: float | None = None,
    ) -> None:
        if seed < 0:
            raise OptionError(f"the seed must be 0 or above, not {seed}")
        manifest = bundle.manifest
        if manifest.score is None:
            raise BundleError(f"the decoder of the bundle {manifest.name} gives clips, which cannot be played yet")
        self.bundle = bundle
        self.score = Score()
        self._seed = seed
        self._audio = manifest.audio
        self._layout = ScoreLayout(
            len(manifest.roles), manifest.score.lowest_pitch, manifest.score.keys, manifest.score.onset_decay
        )
        self._score_seconds = score_seconds
        self._encoders = Encoders(bundle, device, threads)
        self._synthesis = Synthesis(bundle, device, threads)
        self._tables = ComposerTables.read(bundle.file(COMPOSER))
        self._image: NDArray[np.float32] | None = None
        self._text: NDArray[np.float32] | None = None
        self._perception: Perception | None = None
        self._casting: Casting | None = None
        self._composer: Composer | None = None
        self._notes: list[Note] = []
        self._decoded = 0  # frames whose mel exists
        self._played = 0  # frames whose sound was given out
        self._mel = np.zeros((manifest.audio.mel_bands, 0), np.float32)  # ends at frame _decoded
        self._past_fused = np.zeros((self._synthesis.decoder_left, manifest.fused_size), np.float32)
        palette_size = len(manifest.roles) * len(manifest.instruments) + 1
        self._past_palette = np.zeros((self._synthesis.decoder_left, palette_size), np.float32)
        self._glide_from = np.zeros(manifest.fused_size, np.float32)
        self._glide_start = 0

    def see(self, picture: NDArray[np.uint8] | None) -> Perception:
        """Looks at an upright RGB picture, uint8 [H, W, 3]; None forgets it.

        Returns:
            what is felt now.

        Raises:
            OptionError: neither a picture nor a comment would be left.
        """
        image = None if picture is None else self._encoders.image(picture)
        return self._perceive(image, self._text)

    def hear(self, comment: str | None) -> Perception:
        """Listens to a visitor's comment; None forgets it.

        Returns:
            what is felt now.

        Raises:
            CommentError: the comment holds nothing that can be understood.
            OptionError: neither a picture nor a comment would be left.
        """
        text = None if comment is None else self._encoders.comment(clean_comment(comment))
        return self._perceive(self._image, text)

    @property
    def perception(self) -> Perception:
        """What is felt now.

        Raises:
            OptionError: nothing was seen or heard yet.
        """
        if self._perception is None:
            raise OptionError("there is nothing to feel yet: give a picture, a comment, or both")
        return self._perception

    @property
    def casting(self) -> Casting:
        """Who plays each role now; OptionError before anything was seen or heard."""
        if self._casting is None:
            raise OptionError("there is nobody to play yet: give a picture, a comment, or both")
        return self._casting

    @property
    def theme(self) -> Theme:
        """The theme of the picture, or of the comment where there is no picture; OptionError before either."""
        return self._playing().theme

    def chunks(self, frames: int | None = None, chunk_frames: int = CHUNK_FRAMES) -> Iterator[AudioChunk]:
        """Plays on from where the last call ended.

        Args:
            frames: mel frames to play, of ``hop`` samples each; None plays without end.
            chunk_frames: frames in each chunk but the last.

        Yields:
            chunks whose lengths add up to exactly ``frames`` x hop samples.

        Raises:
            OptionError: nothing was seen or heard yet, or a number is out of range.
        """
        if chunk_frames < 1 or (frames is not None and frames < 0):
            raise OptionError("frames must be 0 or more and chunk_frames 1 or more")
        _ = self.perception
        return self._play(frames, chunk_frames)

    def _play(self, frames: int | None, chunk_frames: int) -> Iterator[AudioChunk]:
        left = frames
        while left is None or left > 0:
            size = chunk_frames if left is None else min(chunk_frames, left)
            first = self._played
            yield AudioChunk(self._sound(size), self._audio.sample_rate, first, size)
            left = None if left is None else left - size

    def _perceive(self, image: NDArray[np.float32] | None, text: NDArray[np.float32] | None) -> Perception:
        identity = image if image is not None else text
        if identity is None:
            raise OptionError("a picture or a comment must remain: there would be nothing to play")
        perception = self._encoders.feel(image, text)
        if self._composer is None or self._decoded == 0:  # nothing was heard yet that would have to bend
            self._composer = Composer(self._tables, identity, self._seed, perception.feeling)
            self._glide_from = perception.fused
        else:
            self._glide_from = self._fused(np.array([self._decoded]))[0]
            self._composer.retheme(identity)
            self._composer.steer(perception.feeling)
        self._glide_start = self._decoded
        self._image, self._text, self._perception = image, text, perception
        signature = self._composer.theme.signature
        self._casting = perception.palette.cast(np.random.default_rng([6, self._seed, signature]))
        return perception

    def _playing(self) -> Composer:
        if self._composer is None:
            raise OptionError("there is no music yet: give a picture, a comment, or both")
        return self._composer

    def _fused(self, frames: NDArray[np.int64]) -> NDArray[np.float32]:
        """The fused embedding at frames not yet decoded: [T, H]."""
        glide = GLIDE_SECONDS * self._audio.frame_rate
        share = np.clip((frames - self._glide_start) / glide, 0.0, 1.0)[:, None].astype(np.float32)
        return np.asarray(self._glide_from + share * (self.perception.fused - self._glide_from))

    def _sound(self, frames: int) -> NDArray[np.float32]:
        synthesis = self._synthesis
        first, last = self._played, self._played + frames
        missing = last + synthesis.vocoder_right - self._decoded
        if missing > 0:
            self._decode(-(-missing // synthesis.window))
        begin = max(0, first - synthesis.vocoder_left)
        mel_begin = self._decoded - self._mel.shape[1]
        mel = self._mel[:, begin - mel_begin : last + synthesis.vocoder_right - mel_begin]
        samples = synthesis.vocode(mel, self._notes, begin, first - begin, frames)
        self._played = last
        oldest = (last - synthesis.vocoder_left - synthesis.decoder_left) / self._audio.frame_rate - excitation.TAIL
        self._notes = [note for note in self._notes if note.end > oldest]
        keep = self._decoded - max(0, last - synthesis.vocoder_left)
        self._mel = self._mel[:, self._mel.shape[1] - keep :]
        return samples

    def _decode(self, windows: int) -> None:
        """Decodes the next windows of the grid."""
        synthesis = self._synthesis
        begin, end = self._decoded, self._decoded + windows * synthesis.window
        first, last = begin - synthesis.decoder_left, end + synthesis.decoder_right
        self._compose(last)
        score = self._layout.frames(self._notes, first, last - first, self._audio.frame_rate)
        fused_ahead = self._fused(np.arange(begin, last))
        vector = self.casting.vector(len(self.bundle.manifest.instruments))
        if begin == 0:  # before its first frame a stream was silent, but in the same room
            self._past_fused[:] = fused_ahead[0]
            self._past_palette[:] = vector
        fused = np.concatenate([self._past_fused, fused_ahead])
        palette = np.concatenate([self._past_palette, np.broadcast_to(vector, (len(fused_ahead), len(vector)))])
        mel = synthesis.decode(fused, palette, score)
        self._mel = np.concatenate([self._mel, mel], axis=1)
        self._decoded = end
        done = windows * synthesis.window
        self._past_fused = fused[done : done + synthesis.decoder_left]
        self._past_palette = palette[done : done + synthesis.decoder_left]

    def _compose(self, last: int) -> None:
        """Composes until every note that begins before frame ``last`` is known."""
        composer = self._playing()
        while round(self.score.seconds * self._audio.frame_rate) <= last:
            beat = composer.next_beat()
            self.score.beats.append(beat)
            self._notes.extend(beat.notes)
            if self._score_seconds is not None:
                while self.score.beats[0].start < beat.start - self._score_seconds:
                    del self.score.beats[0]

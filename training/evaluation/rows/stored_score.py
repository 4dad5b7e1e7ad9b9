"""Music that is already written, through a bundle's decoder and vocoder: by the very parts that play for a visitor."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from a2m_edge.bundle import Bundle
from a2m_edge.bundle.manifest import DecoderContext
from a2m_edge.errors import OptionError
from a2m_edge.inference.sessions import open_session
from a2m_edge.perception.encoders import Perception
from a2m_edge.score import Note, Score, ScoreLayout
from a2m_edge.sound.mel import SILENCE
from a2m_edge.synthesis.mel_source import Passage, decode_grid
from a2m_edge.synthesis.shimmer import shimmering
from a2m_edge.synthesis.vocoder import Synthesis


class StoredFrames:
    """A ``MelSource`` of frames that are known beforehand, and silence after them.

    Args:
        mel: natural-log mel, float32 [bands, T].
        notes: of the same music.
    """

    casting = None
    theme = None

    def __init__(self, mel: NDArray[np.float32], notes: Iterable[Note]) -> None:
        self.score = Score()
        self._mel, self._notes, self._given = mel, tuple(notes), 0

    def steer(self, identity: NDArray[np.float32], perception: Perception) -> None:
        """As ``MelSource.steer``: nothing bends what is written."""

    def decode(self, frames: int) -> Passage:
        """As ``MelSource.decode``; gives exactly ``frames``."""
        mel = self._mel[:, self._given : self._given + frames]
        notes = self._notes if self._given == 0 else ()
        self._given += frames
        missing = ((0, 0), (0, frames - mel.shape[1]))
        return Passage(np.pad(mel, missing, constant_values=SILENCE), notes)

    def again(self, seed: int) -> StoredFrames:
        """As ``MelSource.again``; there is one piece alone."""
        return StoredFrames(self._mel, self._notes)

    def take_back(self, frames: int) -> None:
        """As ``MelSource.take_back``."""
        self._given -= frames


class StoredScore:
    """Decodes and sounds written music by a bundle.

    Args:
        bundle: a verified bundle.
        device, threads: as in ``a2m_edge.inference.sessions.open_session``, whose errors are raised.
    """

    def __init__(self, bundle: Bundle, device: str = "cpu", threads: int | None = None) -> None:
        self._manifest = manifest = bundle.manifest
        self._context = manifest.decoder if isinstance(manifest.decoder, DecoderContext) else None
        self._decoder = open_session(bundle, "mel_decoder", device, threads)
        silence = StoredFrames(np.zeros((manifest.audio.mel_bands, 0), np.float32), ())
        self._synthesis = Synthesis(bundle, silence, device, threads)

    @property
    def plays_scores(self) -> bool:
        """Whether the bundle's decoder hears a score."""
        return self._context is not None

    def decode(
        self,
        notes: Iterable[Note],
        palette: NDArray[np.float32],
        fused: NDArray[np.float32],
        frames: int,
        seed: int,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The mel of a score, decoded on the grid of windows that a ``Soundscape`` has as well.

        Args:
            notes: all notes of the music.
            palette: who plays, float32 [P].
            fused: what is felt, float32 [H].
            frames: T.
            seed: of the soundscape.

        Returns:
            natural-log mel, float32 [bands, T]; and the same as it is sounded, with its shimmer.

        Raises:
            OptionError: the bundle plays no score.
        """
        context, encoding = self._context, self._manifest.score
        if context is None or encoding is None:
            raise OptionError(f"the bundle {self._manifest.name} plays no score: it cannot play the notes of a clip")
        roles = len(self._manifest.roles)
        layout = ScoreLayout(roles, encoding.lowest_pitch, encoding.keys, encoding.onset_decay)
        length = context.left + -(-frames // context.window) * context.window + context.right
        score = layout.frames(notes, -context.left, length, self._manifest.audio.frame_rate)
        felt, playing = (np.tile(vector, (length, 1)) for vector in (fused, palette))
        decoded = decode_grid(self._decoder, context, felt, playing, score)
        mel, shimmer = (part[:, :frames] for part in decoded)
        return mel, shimmering(mel, shimmer, 0, seed)

    def sound(self, mel: NDArray[np.float32], notes: Iterable[Note], frames: int) -> NDArray[np.float32]:
        """The sound of the first frames of a mel, by the bundle's vocoder, chunk after chunk.

        Args:
            mel: natural-log mel, float32 [bands, T]; frames beyond ``frames`` are heard as context, after the last
                one it is silent.
            notes: of the same music.
            frames: how many to sound.

        Returns:
            float32 [frames * hop, C].
        """
        synthesis = self._synthesis.again(StoredFrames(mel, notes))
        most = 4 * self._manifest.audio.chunk_frames
        sizes = [min(most, frames - first) for first in range(0, frames, most)]
        return np.concatenate([synthesis.sound(size) for size in sizes])

    @property
    def context_frames(self) -> int:
        """Frames after the last one that the vocoder still hears."""
        return self._manifest.vocoder.right

"""The sound that is played, cut into messages: samples for phones, and mel columns for the picture of the sound."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from a2m_edge.sound.format import AudioFormat
from a2m_edge.sound.mel import log_mel
from kiosk.shared.ring import AudioRing

MEL_FLOOR, MEL_CEILING = -11.5, 2.0
"""Log-mel values that become 0 and 255; the analysis gives ln(1e-5) = -11.51 for silence."""

_MOST_SECONDS = 0.5
"""Sound that is taken at once, so that one message stays small after a pause."""


@dataclass(frozen=True)
class Piece:
    """What was played since the last piece.

    Attributes:
        sound: position of the first sample in the ring (float64), then 16-bit samples, the channels by turns;
            little-endian. Empty where nothing new was played.
        columns: number of the first mel frame (float64, little-endian; frame n begins at sample n x hop), then a byte
            for each band of each frame, lowest first (see ``MEL_FLOOR``). Empty while no frame is complete.
    """

    sound: bytes = b""
    columns: bytes = b""


class Listening:
    """Follows the ring of what is played, without taking anything from anybody.

    Args:
        audio: the format of the sound.
    """

    def __init__(self, audio: AudioFormat) -> None:
        self._audio = audio
        self._columns = MelColumns(audio)
        self._ring: AudioRing | None = None
        self._position = 0

    def follow(self, ring: str) -> None:
        """Listens from now on to the ring of this name, from its newest sample; does nothing where it does already.

        Raises:
            FileNotFoundError: there is no such ring.
            ValueError: what has this name is no ring.
        """
        if self._ring is not None and self._ring.name == ring:
            return
        self.close()
        self._ring = AudioRing.attach(ring)
        self._position = self._ring.written
        self._columns.jump(self._position)

    def next_piece(self) -> Piece:
        """What was played since the last call; empty before ``follow``."""
        if self._ring is None:
            return Piece()
        heard = self._ring.latest(self._position, round(_MOST_SECONDS * self._audio.sample_rate))
        self._position = heard.position
        if len(heard.samples) == 0:
            return Piece()
        begin = heard.position - len(heard.samples)
        if heard.lost:
            self._columns.jump(begin)
        samples = np.clip(np.nan_to_num(heard.samples), -1.0, 1.0)
        sound = np.rint(samples * np.float32(32767.0)).astype("<i2")
        first, columns = self._columns.add(samples)
        return Piece(
            struct.pack("<d", begin) + sound.tobytes(),
            struct.pack("<d", first) + columns.tobytes() if len(columns) else b"",
        )

    def skip(self) -> None:
        """Leaves out what was played since the last call, while nobody listens."""
        if self._ring is not None:
            self._position = self._ring.written
            self._columns.jump(self._position)

    def close(self) -> None:
        """Lets the ring go."""
        if self._ring is not None:
            self._ring.close()
            self._ring = None


class MelColumns:
    """The log-mel spectrogram of a stream, frame by frame the same as ``log_mel`` of the whole of it.

    Args:
        audio: the format of the stream.
    """

    def __init__(self, audio: AudioFormat) -> None:
        self._audio = audio
        # ``log_mel`` mirrors the sound at its edges: that many frames there are not those of the stream.
        self._edge = -(-(audio.window - audio.hop) // (2 * audio.hop))
        self.jump(0)

    def jump(self, position: int) -> None:
        """What comes next begins at this position of the stream and follows on nothing."""
        self._begin = position
        self._waiting = np.zeros((0, self._audio.channels), np.float32)

    def add(self, samples: NDArray[np.float32]) -> tuple[int, NDArray[np.uint8]]:
        """Takes the next samples.

        Args:
            samples: float32 [N, C].

        Returns:
            the number of the first frame that they complete (frame n begins at sample n x hop), and those frames:
            uint8 [T, mel_bands], T may be 0.
        """
        hop = self._audio.hop
        self._waiting = np.concatenate([self._waiting, samples])
        misaligned = min(-self._begin % hop, len(self._waiting))
        self._waiting, self._begin = self._waiting[misaligned:], self._begin + misaligned
        first = self._begin // hop + self._edge
        frames = len(self._waiting) // hop - 2 * self._edge
        if frames < 1:
            return first, np.zeros((0, self._audio.mel_bands), np.uint8)
        mel = log_mel(self._waiting[: (frames + 2 * self._edge) * hop], self._audio)[:, self._edge : -self._edge]
        self._waiting, self._begin = self._waiting[frames * hop :], self._begin + frames * hop
        share = (mel.T - MEL_FLOOR) / (MEL_CEILING - MEL_FLOOR)
        return first, np.rint(np.clip(share, 0.0, 1.0) * 255).astype(np.uint8)

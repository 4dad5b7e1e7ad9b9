"""Log-mel frames to sound: the vocoder on chunks, with the context that makes them exact."""

from __future__ import annotations

import copy

import numpy as np
from numpy.typing import NDArray

from a2m_edge.bundle import Bundle
from a2m_edge.inference.sessions import open_session
from a2m_edge.score import Note
from a2m_edge.sound.mel import SILENCE
from a2m_edge.synthesis.excitation import TAIL, excitation
from a2m_edge.synthesis.mel_source import MelSource


class Synthesis:
    """The sound of a source's frames, chunk after chunk.

    The vocoder gets as much context as it hears, before the first frame of silence: so a stream of chunks equals the
    whole. Frames are taken from the source as late as that context allows.

    Args:
        bundle: a verified bundle.
        source: gives the frames, which nobody else may take.
        device, threads: as in ``a2m_edge.inference.sessions.open_session``, whose errors are raised.

    Attributes:
        played: frames whose sound was given out.
        provider: where the vocoder runs, which does most of the work.
    """

    def __init__(self, bundle: Bundle, source: MelSource, device: str = "auto", threads: int | None = None) -> None:
        manifest = bundle.manifest
        self._left, self._right = manifest.vocoder.left, manifest.vocoder.right
        self._audio = manifest.audio
        self._vocoder = open_session(bundle, "vocoder", device, threads)
        self.provider = self._vocoder.provider
        self._excited = any(tensor.name == "excitation" for tensor in manifest.graphs["vocoder"].inputs)
        self._begin(source)

    def again(self, source: MelSource) -> Synthesis:
        """The sound of another source of the same bundle, from its beginning, by the same vocoder."""
        other = copy.copy(self)
        other._begin(source)
        return other

    def _begin(self, source: MelSource) -> None:
        self.played = 0
        self._source = source
        self._notes: list[Note] = []  # all that sound or fade in the next frame or its context
        self._decoded = 0  # frames taken from the source
        self._mel = np.full((self._audio.mel_bands, self._left), SILENCE, np.float32)  # ends at frame _decoded

    def sound(self, frames: int) -> NDArray[np.float32]:
        """The sound of the next frames: float32 [frames * hop, C] in [-1, 1].

        Raises:
            OptionError: nothing was perceived yet.
        """
        first, last = self.played, self.played + frames
        self._take(last + self._right - self._decoded)
        mel = self._mel[:, : self._left + frames + self._right]  # from frame first - _left on
        inputs = {"mel": mel[None]}
        if self._excited:
            inputs["excitation"] = excitation(self._notes, mel, first - self._left, self._audio)[None, None]
        waveform = self._vocoder.run(**inputs)["waveform"][0]  # (C, frames * hop)
        self.played = last
        self._forget(last - self._left)
        return np.ascontiguousarray(waveform.T)

    def take_back(self) -> None:
        """Gives frames back to the source that no sound was made of yet: what changes now is heard in the next ones."""
        ahead = self._decoded - self.played - self._right
        if ahead > 0:
            self._source.take_back(ahead)
            self._decoded -= ahead
            self._mel = self._mel[:, : self._mel.shape[1] - ahead]

    def _take(self, frames: int) -> None:
        """Takes at least some frames more from the source."""
        if frames > 0:
            passage = self._source.decode(frames)
            self._mel = np.concatenate([self._mel, passage.mel], axis=1)
            self._decoded += passage.mel.shape[1]
            self._notes += passage.notes

    def _forget(self, before: int) -> None:
        """Drops what can only be heard before a frame."""
        self._mel = self._mel[:, self._mel.shape[1] - (self._decoded - before) :]
        oldest = self._audio.seconds(before) - TAIL
        self._notes = [note for note in self._notes if note.end > oldest]

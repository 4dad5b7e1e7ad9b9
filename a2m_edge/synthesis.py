"""Score frames to sound: the mel decoder on windows, the vocoder on chunks."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from a2m_edge.bundle import Bundle, ClipDecoder
from a2m_edge.errors import BundleError
from a2m_edge.excitation import excitation
from a2m_edge.score import Note
from a2m_edge.sessions import open_session

LARGEST_BATCH = 64
"""Windows decoded in one run; bounds the memory of an offline render."""


class Synthesis:
    """The mel decoder and the vocoder of a bundle.

    The decoder always runs on the same grid of windows, whatever the size of the chunks that are asked for, and
    the vocoder gets as much context as its receptive field: so a stream of chunks equals the whole.

    Args:
        bundle: a verified bundle.
        device, threads: as in ``a2m_edge.sessions.open_session``, whose errors are raised.
    """

    def __init__(self, bundle: Bundle, device: str = "auto", threads: int | None = None) -> None:
        manifest = bundle.manifest
        if isinstance(manifest.decoder, ClipDecoder):
            raise BundleError(f"the decoder of the bundle {manifest.name} gives clips, which cannot be played yet")
        self.window = manifest.decoder.window
        self.decoder_left, self.decoder_right = manifest.decoder.left, manifest.decoder.right
        self.vocoder_left, self.vocoder_right = manifest.vocoder.left, manifest.vocoder.right
        self._audio = manifest.audio
        self._decoder = open_session(bundle, "mel_decoder", device, threads)
        self._vocoder = open_session(bundle, "vocoder", device, threads)
        inputs = manifest.graphs["vocoder"].inputs
        self.hears_excitation = any(tensor.name == "excitation" for tensor in inputs)

    def decode(
        self, fused: NDArray[np.float32], palette: NDArray[np.float32], score: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Decodes whole windows of the grid.

        Args:
            fused, palette, score: float32 [T, H], [T, P], [T, F] with T = left context + n windows + right context.

        Returns:
            natural-log mel, float32 [bands, n * window].
        """
        span = self.decoder_left + self.window + self.decoder_right
        starts = np.arange(0, len(score) - span + 1, self.window)
        mels = []
        for first in range(0, len(starts), LARGEST_BATCH):
            rows = starts[first : first + LARGEST_BATCH, None] + np.arange(span)
            mel = self._decoder.run(fused=fused[rows], palette=palette[rows], score=score[rows])["mel"]
            mels.append(mel[:, :, self.decoder_left : self.decoder_left + self.window])
        windows = np.concatenate(mels)  # (n, bands, window)
        return np.ascontiguousarray(windows.transpose(1, 0, 2)).reshape(windows.shape[1], -1)

    def vocode(
        self, mel: NDArray[np.float32], notes: Iterable[Note], first: int, left: int, frames: int
    ) -> NDArray[np.float32]:
        """The sound of some frames.

        Args:
            mel: float32 [bands, left + frames + right context].
            notes: every note that sounds or fades in them.
            first: number of the first frame of ``mel``, counted from the beginning of the stream.
            left: frames of context before; less than ``vocoder_left`` only at the beginning of a stream.
            frames: frames to give.

        Returns:
            float32 [frames * hop] in [-1, 1].
        """
        inputs = {"mel": mel[None]}
        if self.hears_excitation:
            inputs["excitation"] = excitation(notes, mel, first, self._audio)[None, None]
        waveform = self._vocoder.run(**inputs)["waveform"][0, 0]
        return np.asarray(waveform[left * self._audio.hop : (left + frames) * self._audio.hop])

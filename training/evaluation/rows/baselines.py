"""Rows to compare with that no bundle plays: the published decoder, the mean mel, and a vocoder of mels alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from a2m_edge.errors import CheckpointError
from a2m_edge.sound.format import AudioFormat
from a2m_edge.synthesis.mel_source import crossfaded
from training.checkpoint import checkpoint_format
from training.data.embeddings.embed import embed_pictures, embed_texts
from training.data.tables.feelings import PictureArchive
from training.evaluation.rows.materials import Pair
from training.models.encoder_model import EncoderModel
from training.models.fusion import Fusion
from training.models.mel_decoder import PaperDecoder, load_mel_decoder
from training.models.vocoders.architectures import cropped_vocoder, load_vocoder, vocoder_format

Fuse = Callable[[Pair], NDArray[np.float32]]
"""The fused embedding of a pair's picture and utterance, float32 [H]."""

OVERLAP = 32
"""Frames in which a clip fades into its repetition."""

PIECE = 1024
"""Frames sounded at once."""

REACH = 16
"""Frames of input on each side, at the least: HiFi-GAN's receptive field is 14 at most."""


class PlainVocoder:
    """A vocoder whose only input is the mel.

    Args:
        path: as for ``training.models.vocoders.architectures.load_vocoder``.
        audio: the format that it must have.

    Raises:
        CheckpointError: it cannot be loaded, hears the notes as well, or has another format.
    """

    def __init__(self, path: Path, audio: AudioFormat) -> None:
        self._vocoder = load_vocoder(path)
        self._audio = audio
        self._reach = max(REACH, cropped_vocoder(self._vocoder, audio).context)
        if self._vocoder.excitation:
            raise CheckpointError(f"{path} hears the notes, which these rows have not: name a vocoder of mels alone")
        trained = vocoder_format(path)
        if replace(trained, channels=audio.channels) != audio:  # a mel is that of all channels together
            raise CheckpointError(f"{path} was trained on {trained}, the bundle's sound has {audio}")

    @torch.inference_mode()
    def __call__(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """Natural-log mel, float32 [bands, T], to its sound, float32 [T * hop, C]; mono fills every channel."""
        hop, pieces = self._audio.hop, []
        for first in range(0, mel.shape[1], PIECE):
            begin, last = max(0, first - self._reach), min(first + PIECE, mel.shape[1])
            piece = torch.from_numpy(np.ascontiguousarray(mel[:, begin : last + self._reach]))
            sound = self._vocoder(piece[None])[0].numpy().T
            pieces.append(sound[(first - begin) * hop : (last - begin) * hop])
        sound = np.concatenate(pieces)
        return np.repeat(sound, self._audio.channels, axis=1) if sound.shape[1] == 1 else sound


class PaperModel:
    """The published configuration: one clip of fixed length for the fused embedding of a pair.

    Args:
        decoder: folder of a ``PaperDecoder``.
        fuse: gives the embeddings that it was trained on.
        audio: the format whose mels it must give.

    Raises:
        CheckpointError: the folder holds no such decoder, or it was trained on another format.
    """

    def __init__(self, decoder: Path, fuse: Fuse, audio: AudioFormat) -> None:
        trained = checkpoint_format(decoder, "decoder")
        if replace(trained, channels=audio.channels) != audio:  # a mel is that of all channels together
            raise CheckpointError(f"{decoder} was trained on {trained}, the bundle's sound has {audio}")
        model = load_mel_decoder(decoder)
        if not isinstance(model, PaperDecoder):
            raise CheckpointError(
                f"{decoder} holds a decoder of scores, not the published one: "
                "train it by  a2m-edge train decoder --architecture paper"
            )
        self._model, self._fuse, self._decoder = model, fuse, decoder

    @torch.inference_mode()
    def __call__(self, pair: Pair) -> NDArray[np.float32]:
        """The clip of a pair: natural-log mel, float32 [bands, frames of the decoder].

        Raises:
            CheckpointError: the fused embedding has another size than the decoder was trained on.
        """
        fused = self._fuse(pair)
        if len(fused) != self._model.config.fused_size:
            raise CheckpointError(
                f"{self._decoder} was trained on embeddings of {self._model.config.fused_size} values, not of "
                f"{len(fused)}: name the encoder and the fusion that it was trained with"
            )
        mel: NDArray[np.float32] = self._model(torch.from_numpy(fused)[None])[0].numpy()
        return mel


def checkpoint_fuse(encoder: EncoderModel, fusion: Fusion, paintings: Path) -> Fuse:
    """Fuses by checkpoints, as ``training.data.embeddings.conditions`` does; ``paintings`` is ``paintings.zip``."""
    archive = PictureArchive.of(paintings, encoder.image_preprocessing)
    both = torch.ones(1, 2)

    @torch.inference_mode()
    def fuse(pair: Pair) -> NDArray[np.float32]:
        image = torch.from_numpy(embed_pictures(encoder, archive, [pair.picture]))
        text = torch.from_numpy(embed_texts(encoder, [pair.utterance]))
        fused: NDArray[np.float32] = fusion.eval().fuse(image, text, both)[0].numpy()
        return fused

    return fuse


def repeated(clip: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """``frames`` of a clip that fades into itself again and again, as the runtime plays clips: [bands, frames]."""
    mel = clip[:, :frames]
    while mel.shape[1] < frames:
        mel = np.concatenate([mel[:, :-OVERLAP], crossfaded(mel[:, -OVERLAP:], clip, OVERLAP)], axis=1)
    return mel[:, :frames]

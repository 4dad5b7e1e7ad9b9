"""What a vocoder is to those that train, export and measure one, whatever its architecture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from a2m_edge.errors import CheckpointError
from a2m_edge.sound.format import AudioFormat


class CroppedVocoder(nn.Module):
    """A vocoder as it is exported: mel (B, bands, context + T + context) to the waveform between, (B, C, hop * T).

    Where the vocoder takes one, its second input is the excitation (B, 1, hop * (context + T + context)).

    Attributes:
        context: frames of input on either side of the output.
        hop: samples for each frame.
    """

    context: int
    hop: int


class Vocoder(nn.Module, ABC):
    """Natural-log mel (B, bands, T) and, where ``excitation`` is true, an excitation (B, 1, hop * T) to waveform
    (B, C, hop * T) in [-1, 1].

    Attributes:
        architecture: its name in ``training.models.vocoders.architectures.ARCHITECTURES`` and in checkpoints.
    """

    architecture: str

    @property
    @abstractmethod
    def hop(self) -> int:
        """Samples for each mel frame."""

    @property
    @abstractmethod
    def mel_bands(self) -> int:
        """Channels of the input."""

    @property
    @abstractmethod
    def channels(self) -> int:
        """C, channels of the sound."""

    @property
    @abstractmethod
    def excitation(self) -> bool:
        """Whether the notes' partials are an input too (see ``a2m_edge.synthesis.excitation``)."""

    def fits(self, audio: AudioFormat) -> bool:
        """Whether its sizes are those of a sound format; what its sample rate is, its weights alone know."""
        return (self.hop, self.mel_bands, self.channels) == (audio.hop, audio.mel_bands, audio.channels)

    @abstractmethod
    def document(self) -> dict[str, Any]:
        """What ``config.json`` of a checkpoint needs to rebuild it: plain values, ``architecture`` among them."""

    def forward_fast(
        self, mel: Tensor, excitation: Tensor | None, dtype: torch.dtype, last_dtype: torch.dtype
    ) -> Tensor:
        """The same as ``forward``, in whatever way trains fastest on a CPU.

        Args:
            mel, excitation: as in ``forward``.
            dtype, last_dtype: in which the inner layers and the last ones may be computed.

        Returns:
            (B, C, hop * T) float32.
        """
        waveform: Tensor = self(mel, excitation)
        return waveform

    def new_parameters(self) -> Iterable[nn.Parameter]:
        """The parameters that begin at zero however much the others have learned, and so learn faster."""
        return ()

    def with_excitation(self) -> Vocoder:
        """A vocoder of the same weights that also takes an excitation; itself where it does already.

        Raises:
            CheckpointError: the architecture has no such input.
        """
        if self.excitation:
            return self
        raise CheckpointError(f"a vocoder of the architecture {self.architecture} takes no excitation: leave it out")

    def with_inverse_stft(self) -> Vocoder:
        """A vocoder that ends in an inverse Fourier transform; itself where it does already.

        Raises:
            CheckpointError: the architecture knows no such ending.
        """
        raise CheckpointError(
            f"a vocoder of the architecture {self.architecture} cannot be given an inverse transform: leave it out"
        )

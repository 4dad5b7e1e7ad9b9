"""The four trained models of a bundle, and the facts that they have to agree on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from a2m_edge.audio import AudioFormat
from a2m_edge.bundle import TextPreprocessing
from a2m_edge.errors import CheckpointError, ExportError
from a2m_edge.score import ScoreLayout
from a2m_edge.strict_json import StrictJsonError, decode
from training.checkpoint import load_checkpoint
from training.models.encoders import EncoderModel, load_encoder
from training.models.fusion import Fusion, load_fusion
from training.models.hifigan import Generator, load_generator
from training.models.mel_decoder import MelDecoder, load_mel_decoder

LANGUAGE = "en"
"""The language of the comments in ArtEmis, with which every text tower here is tuned (ISO 639-1)."""


@dataclass(frozen=True)
class Models:
    """Everything that becomes a graph, in evaluation mode on the CPU.

    Attributes:
        encoder, fusion, decoder, vocoder: the models.
        audio: what the decoder's frames and the vocoder's samples are.
    """

    encoder: EncoderModel
    fusion: Fusion
    decoder: MelDecoder
    vocoder: Generator
    audio: AudioFormat = field(default_factory=AudioFormat)

    def __post_init__(self) -> None:
        hop, bands = self.vocoder.config.hop, self.vocoder.config.mel_bands
        if (hop, bands) != (self.audio.hop, self.audio.mel_bands) or bands != self.decoder.config.mel_bands:
            raise ExportError(
                f"the vocoder makes {hop} samples from {bands} bands, the audio format says {self.audio.hop} and "
                f"{self.audio.mel_bands}, the decoder gives {self.decoder.config.mel_bands} bands: export models that "
                f"were trained on one audio format"
            )
        if self.encoder.embedding_size != self.embedding_size:
            raise ExportError(
                f"the encoder gives embeddings of {self.encoder.embedding_size} values, the fusion takes "
                f"{self.embedding_size}: export a fusion that was trained on this encoder"
            )
        given = (self.fusion.config.fused_size, len(self.roles), len(self.instruments))
        taken = (self.decoder.config.fused_size, self.decoder.config.roles, self.decoder.config.instruments)
        if given != taken:
            raise ExportError(
                f"the fusion gives {given[0]} values, {given[1]} roles and {given[2]} instruments, the decoder takes "
                f"{taken[0]}, {taken[1]} and {taken[2]}: export a decoder that was trained with this fusion"
            )

    @property
    def embedding_size(self) -> int:
        """D, of picture and comment."""
        return self.fusion.config.embedding_size

    @property
    def emotions(self) -> tuple[str, ...]:
        """The names behind the fusion's emotions, in order."""
        return self.fusion.config.emotions

    @property
    def roles(self) -> tuple[str, ...]:
        """The names behind the rows of the palette, in order."""
        return self.fusion.config.roles

    @property
    def instruments(self) -> tuple[str, ...]:
        """The names behind the columns of the palette, in order."""
        return self.fusion.config.instruments

    @property
    def fused_size(self) -> int:
        """H, of the fused vector."""
        return self.decoder.config.fused_size

    @property
    def score(self) -> ScoreLayout:
        """What the decoder's score frames are."""
        return self.decoder.config.layout

    @property
    def text(self) -> TextPreprocessing:
        """How a comment becomes tokens."""
        return TextPreprocessing(self.encoder.context_length, self.encoder.pad_id, LANGUAGE)

    @property
    def facts(self) -> dict[str, object]:
        """What the metadata of single graphs repeats, as JSON values."""
        return {
            "audio": asdict(self.audio),
            "score": asdict(self.score),
            "image": asdict(self.encoder.image_preprocessing),
            "text": asdict(self.text),
            "emotions": list(self.emotions),
            "roles": list(self.roles),
            "instruments": list(self.instruments),
        }


def load_models(encoder: Path, fusion: Path, decoder: Path, vocoder: Path) -> Models:
    """Loads four checkpoint folders.

    Raises:
        CheckpointError: a checkpoint is missing, damaged or of another kind.
        ExportError: they do not fit together, or the decoder is of an architecture that has no score.
    """
    decoding = load_mel_decoder(decoder)
    if not isinstance(decoding, MelDecoder):
        raise ExportError(f"the decoder in {decoder} takes no score: a bundle needs one of the score architecture")
    return Models(load_encoder(encoder), load_fusion(fusion), decoding, load_generator(vocoder), _audio_format(vocoder))


def _audio_format(vocoder: Path) -> AudioFormat:
    """What a vocoder was trained on; public checkpoints, which do not say, share the default format."""
    if not vocoder.is_dir():
        return AudioFormat()
    _, config = load_checkpoint(vocoder, "vocoder")
    try:
        return decode(AudioFormat, config.get("audio"))
    except StrictJsonError as error:
        raise CheckpointError(
            f"the vocoder in {vocoder} has no valid audio format ({error}): train it again"
        ) from error

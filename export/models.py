"""The trained models of a bundle, and the facts that they have to agree on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from tokenizers import Tokenizer

from a2m_edge.bundle.manifest import ClipDecoder, DecoderContext, ScoreEncoding, TextPreprocessing
from a2m_edge.errors import ExportError
from a2m_edge.perception.preprocessing import fit_tokenizer
from a2m_edge.sound.format import AudioFormat
from training.checkpoint import checkpoint_format
from training.models.encoder_model import EncoderModel
from training.models.encoders import load_encoder, require_trained
from training.models.fusion import Fusion, load_fusion, require_encoder
from training.models.mel_decoder import MelDecoder, MelDecoderConfig, PaperDecoder, load_mel_decoder
from training.models.subjects import SubjectHead, load_subjects, require_trunk
from training.models.vocoders.architectures import cropped_vocoder, load_vocoder, vocoder_format
from training.models.vocoders.interface import CroppedVocoder, Vocoder

CLIP_FADE = 1.0
"""Seconds in which one clip of a decoder without a score fades into the next."""


@dataclass(frozen=True)
class Models:
    """Everything that becomes a graph, in evaluation mode on the CPU.

    Attributes:
        encoder, fusion, decoder, vocoder: the models.
        decoder_format, vocoder_format: the sound that the decoder and the vocoder were trained on.
        subjects: tells what pictures show; None for a bundle that does not.
    """

    encoder: EncoderModel
    fusion: Fusion
    decoder: MelDecoder | PaperDecoder
    vocoder: Vocoder
    decoder_format: AudioFormat
    vocoder_format: AudioFormat
    subjects: SubjectHead | None = None

    def __post_init__(self) -> None:
        if self.decoder_format != self.vocoder_format:
            raise ExportError(
                f"the decoder was trained on {self.decoder_format}, the vocoder on {self.vocoder_format}: export "
                f"models that were trained on one sound format"
            )
        if not self.vocoder.fits(self.audio) or self.decoder.config.mel_bands != self.audio.mel_bands:
            raise ExportError(
                f"the decoder gives {self.decoder.config.mel_bands} bands, of which the vocoder takes "
                f"{self.vocoder.mel_bands} and makes {self.vocoder.hop} samples in {self.vocoder.channels} channels: "
                f"that is not the sound format they state ({self.audio}); train them again"
            )
        if self.encoder.embedding_size != self.embedding_size:
            raise ExportError(
                f"the encoder gives embeddings of {self.encoder.embedding_size} values, the fusion takes "
                f"{self.embedding_size}: export a fusion that was trained on this encoder"
            )
        require_encoder(self.fusion, self.encoder)
        if self.subjects is not None:
            require_trunk(self.subjects, self.encoder)
        given = (self.fusion.config.fused_size, len(self.roles), len(self.instruments))
        config = self.decoder.config
        if isinstance(config, MelDecoderConfig):
            taken = (config.fused_size, config.roles, config.instruments)
        else:
            taken = (config.fused_size, *given[1:])  # the palette is no input of it
        if given != taken:
            raise ExportError(
                f"the fusion gives {given[0]} values, {given[1]} roles and {given[2]} instruments, the decoder takes "
                f"{taken[0]}, {taken[1]} and {taken[2]}: export a decoder that was trained with this fusion"
            )
        if self.vocoder.excitation and isinstance(self.decoder, PaperDecoder):
            raise ExportError(
                "the vocoder hears the partials of notes, and a decoder of the paper architecture plays none: "
                "export a vocoder that hears mels alone"
            )

    @property
    def audio(self) -> AudioFormat:
        """What the decoder's frames and the vocoder's samples are."""
        return self.vocoder_format

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
    def score(self) -> ScoreEncoding | None:
        """What the decoder's score frames are; None where it takes no score."""
        config = self.decoder.config
        if not isinstance(config, MelDecoderConfig):
            return None
        return ScoreEncoding(config.lowest_pitch, config.keys, config.onset_decay)

    @property
    def decoding(self) -> DecoderContext | ClipDecoder:
        """How the runtime runs the decoder."""
        config = self.decoder.config
        if isinstance(config, MelDecoderConfig):
            return config.context
        return ClipDecoder(config.frames, max(1, min(config.frames // 2, self.audio.frames(CLIP_FADE))))

    @cached_property
    def cropped_vocoder(self) -> CroppedVocoder:
        """The vocoder as it is exported, which shares its weights."""
        return cropped_vocoder(self.vocoder, self.audio)

    @property
    def text(self) -> TextPreprocessing:
        """How a comment becomes tokens."""
        return self.encoder.text_preprocessing(self.encoder.language)

    @property
    def bundle_tokenizer(self) -> Tokenizer:
        """The tokenizer of a bundle: cuts at the context length, special tokens included; pads where padding counts."""
        tokenizer = Tokenizer.from_str(self.encoder.tokenizer.to_str())  # a copy
        fit_tokenizer(tokenizer, self.text)
        return tokenizer

    @property
    def facts(self) -> dict[str, object]:
        """What the metadata of single graphs repeats, as JSON values."""
        return {
            "audio": asdict(self.audio),
            "score": None if self.score is None else asdict(self.score),
            "decoder": asdict(self.decoding),
            "image": asdict(self.encoder.image_preprocessing),
            "text": asdict(self.text),
            "emotions": list(self.emotions),
            "roles": list(self.roles),
            "instruments": list(self.instruments),
        }


def load_models(
    encoder: str | Path, fusion: Path, decoder: Path, vocoder: Path, subjects: Path | None = None
) -> Models:
    """Loads the models of a bundle.

    Args:
        encoder: a checkpoint folder, or an OpenCLIP model as ``NAME`` or ``NAME:PRETRAINED``.
        fusion, decoder: checkpoint folders.
        vocoder: a checkpoint folder, or a public HiFi-GAN checkpoint.
        subjects: a checkpoint folder; None for a bundle that does not tell what pictures show.

    Raises:
        CheckpointError: a checkpoint is missing, damaged or of another kind; the encoder would have random weights, or
            is not the one that the fusion or the subjects were trained with.
        ExportError: they do not fit together.
    """
    require_trained(encoder)
    return Models(
        load_encoder(encoder),
        load_fusion(fusion),
        load_mel_decoder(decoder),
        load_vocoder(vocoder),
        checkpoint_format(decoder, "decoder"),
        vocoder_format(vocoder),
        None if subjects is None else load_subjects(subjects),
    )

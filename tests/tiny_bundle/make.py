"""Makes the bundle beside it: a few hundred kilobytes of seeded random weights, for tests of the runtime.

Run from the top of the repository after a change of the bundle's form:  python -m tests.tiny_bundle.make
"""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import nn

from a2m_edge.audio import write_wav
from export.bundle_writer import Companions, Label, export_bundle
from export.graph_files import Precisions
from export.models import Models
from export.utterances import utterances
from training.models.encoder_model import EncoderModel
from training.models.fusion import Fusion, FusionConfig
from training.models.hifigan import Generator, GeneratorConfig
from training.models.mel_decoder import MelDecoder, MelDecoderConfig

ROOT = Path(__file__).parents[2]
COMPOSER = ROOT / "training" / "checkpoints" / "composer.json"
TINY_BUNDLE = Path(__file__).with_name("bundle")
EMBEDDING, FUSED, CONTEXT = 16, 16, 32
PRECISIONS = Precisions(named={"text_encoder": "int8"})
LABEL = Label("tiny", "1", "Apache-2.0", "# tiny\n\nSeeded random weights, for tests: it makes noise, not music.\n")


class TinyImageTower(nn.Module):
    """(B, 3, 224, 224) to (B, D): four convolutions, and a grid of 7 x 7 that keeps where things are."""

    def __init__(self) -> None:
        super().__init__()
        channels = (3, 8, 8, 8, 4)
        self.convolutions = nn.Sequential(
            nn.AvgPool2d(2),
            *(layer for inner, outer in pairwise(channels) for layer in (nn.Conv2d(inner, outer, 3, 2, 1), nn.Tanh())),
        )
        self.out = nn.Linear(4 * 7 * 7, EMBEDDING)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.out(self.convolutions(image).flatten(1))
        return out


class TinyTextTower(nn.Module):
    """(B, L) to (B, D): the mean of the embeddings of what is no padding."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, EMBEDDING)
        self.out = nn.Linear(EMBEDDING, EMBEDDING)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        heard = (tokens != 0).unsqueeze(-1).float()  # (B, L, 1)
        words = torch.tanh(self.out(self.words(tokens))) * heard
        return words.sum(1) / heard.sum(1).clamp(min=1)


class TinyClip(nn.Module):
    """The two towers, named as in open_clip."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.visual = TinyImageTower()
        self.text = TinyTextTower(vocabulary)


def tiny_tokenizer() -> Tokenizer:
    """Byte-level BPE, so that every text has tokens; trained on sentences that visitors may say."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["[PAD]", "[CLS]", "[SEP]"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(utterances(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.enable_truncation(CONTEXT)
    return tokenizer


def tiny_models() -> Models:
    """Random models of the smallest sizes, the same in every run, whose sound is neither silent nor clipped."""
    torch.manual_seed(0)
    tokenizer = tiny_tokenizer()
    preprocessing = {
        "size": 224,
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    }
    architecture = {"embed_dim": EMBEDDING, "text_cfg": {"context_length": CONTEXT}}
    config = {"kind": "encoder", "architecture": architecture, "preprocessing": preprocessing, "pad_id": 0}
    encoder = EncoderModel(TinyClip(tokenizer.get_vocab_size()).eval(), tokenizer, config)
    fusion = Fusion(FusionConfig(embedding_size=EMBEDDING, fused_size=FUSED, hidden_size=32)).eval()
    sizes = MelDecoderConfig(fused_size=FUSED, voice_channels=16, channels=16, hidden=16, fading=(), left=16, right=16)
    decoder = MelDecoder(sizes).eval()
    torch.manual_seed(1)
    vocoder = Generator(GeneratorConfig("2", (8, 8, 4), (16, 16, 8), 32, (3,), ((1, 2),), excitation=True)).eval()
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.mul_(2.0)  # so that different pictures are felt differently
        nn.init.normal_(decoder.fused.weight, std=0.5)
        for name, bias in decoder.lstm.named_parameters():
            if name.startswith("bias_ih"):
                bias[16:32] = 2.0  # forget gates stay open: the decoder remembers, and needs context
        decoder.mel_mean.copy_(torch.linspace(-2.0, -7.0, 80))
        decoder.mel_scale.fill_(1.0)
        for parameter in vocoder.parameters():
            if parameter.dim() > 1:
                nn.init.kaiming_normal_(parameter, nonlinearity="linear")
            else:
                parameter.zero_()
        mel = torch.linspace(-2.0, -7.0, 80)[:, None] + torch.randn(1, 80, 200)
        vocoder.conv_post.weight.mul_(0.1 / vocoder(mel, torch.randn(1, 1, 200 * 256)).std())
    return Models(encoder, fusion, decoder, vocoder)


def write_bed(path: Path) -> None:
    """Two seconds of a soft chord; every partial has a whole number of periods, so the loop has no seam."""
    rate, seconds = 22050, 2
    time = np.arange(rate * seconds) / rate
    chord = sum(np.sin(2 * np.pi * hertz * time) for hertz in (110.0, 165.0, 220.0, 277.5))
    write_wav(path, np.asarray(0.02 * chord, np.float32), rate)


def make_tiny_bundle(out: Path) -> None:
    """Writes the bundle the way every bundle is written."""
    with tempfile.TemporaryDirectory() as folder:
        bed = Path(folder, "bed.wav")
        write_bed(bed)
        export_bundle(tiny_models(), out, LABEL, Companions(COMPOSER, bed), precisions=PRECISIONS)


if __name__ == "__main__":
    make_tiny_bundle(TINY_BUNDLE)

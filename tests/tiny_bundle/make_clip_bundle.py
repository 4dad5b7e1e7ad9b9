"""Makes ``clip_bundle`` beside it: the tiny bundle with a decoder of the ``paper`` architecture, which plays no score.

Run from the top of the repository after a change of the bundle's form:  python -m tests.tiny_bundle.make_clip_bundle
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from export.bundle_writer import Companions, Label, export_bundle
from export.models import Models
from tests.tiny_bundle.make import FUSED, PRECISIONS, tiny_models, write_bed
from training.models.hifigan import Generator, GeneratorConfig
from training.models.mel_decoder import PaperDecoder, PaperDecoderConfig

CLIP_BUNDLE = Path(__file__).with_name("clip_bundle")
FRAMES, SWELL = 64, 2.0
"""Length of a clip, and by how much its log-mel rises from its beginning to its end: some 17 dB."""
LABEL = Label("tiny clips", "1", "Apache-2.0", "# tiny clips\n\nSeeded random weights, for tests: it makes noise.\n")


def clip_models() -> Models:
    """The tiny models with a decoder whose clips end far louder than they begin, so that every seam is a test."""
    models = tiny_models()
    torch.manual_seed(1)
    decoder = PaperDecoder(PaperDecoderConfig(fused_size=FUSED, frames=FRAMES, hidden=8, layers=1)).eval()
    vocoder = Generator(GeneratorConfig("2", (8, 8, 4), (16, 16, 8), 16, (3,), ((1, 2),))).eval()
    with torch.no_grad():
        decoder.positions.add_(torch.linspace(-1, 1, FRAMES)[:, None] * torch.randn(FUSED))
        remembered, _ = decoder.lstm(torch.randn(64, 1, FUSED) + decoder.positions)  # (B, frames, 2 * hidden)
        way = (remembered[:, -4] - remembered[:, 3]).mean(0)
        nn.init.normal_(decoder.out.weight, std=1.0)
        decoder.out.weight -= torch.outer(decoder.out.weight @ way, way) / way.square().sum()
        decoder.out.weight += SWELL * way / way.square().sum()
        decoder.out.bias.copy_(torch.linspace(-2.0, -7.0, 80))
        for parameter in vocoder.parameters():
            if parameter.dim() > 1:
                nn.init.kaiming_normal_(parameter, nonlinearity="linear")
            else:
                parameter.zero_()
        mel = torch.linspace(-2.0, -7.0, 80)[:, None] + torch.randn(1, 80, 200)
        vocoder.conv_post.weight.mul_(0.1 / vocoder(mel).std())
    return replace(models, decoder=decoder, vocoder=vocoder)


def make_clip_bundle(out: Path) -> None:
    """Writes the bundle the way every bundle is written."""
    with tempfile.TemporaryDirectory() as folder:
        bed = Path(folder, "bed.wav")
        write_bed(bed)
        export_bundle(clip_models(), out, LABEL, Companions(None, bed), precisions=PRECISIONS)


if __name__ == "__main__":
    make_clip_bundle(CLIP_BUNDLE)

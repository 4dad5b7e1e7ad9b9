"""The generator that is exported gives what the whole one gives, and computes less."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from a2m_edge.sound.format import FORMATS
from training.models.cropped_generator import CroppedGenerator, Upsampling
from training.models.hifigan import CONFIGS, Generator, GeneratorConfig

EDGE = FORMATS["22k-mono"].edge

# Kernels as in V3, blocks as in V1 with reaches that differ: all that a plan of margins can go wrong with.
MIXED = GeneratorConfig("1", (8, 8, 4), (16, 16, 8), 32, (3, 11), ((1,), (2, 5)))
KINDS = {
    **{size: CONFIGS[size] for size in ("v1", "v2", "v3")},
    **{f"{size} excited": replace(CONFIGS[size], excitation=True) for size in ("v1", "v2", "v3")},
    "mixed": replace(MIXED, excitation=True),
    "v3 inverse": CONFIGS["v3"],
    "v3 excited inverse": replace(CONFIGS["v3"], excitation=True),
}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def loud(kind: str) -> Generator:
    """A generator of random weights whose sound is neither silent nor clipped."""
    torch.manual_seed(0)
    generator = Generator(KINDS[kind]).eval()
    if "inverse" in kind:
        generator = generator.with_inverse_stft()
    said: list[Tensor] = []
    listening = generator.conv_post.register_forward_hook(lambda layer, inputs, output: said.append(output))
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if parameter.dim() > 1:
                nn.init.kaiming_normal_(parameter, nonlinearity="linear")
            if name.startswith(("sources", "direct")):
                parameter.mul_(0.1)
        generator(*given(generator, 40))
        generator.conv_post.weight.mul_((1.0 if "inverse" in kind else 0.3) / said[0].std())
        if "inverse" in kind:
            nn.init.constant_(generator.conv_post.bias, -0.5)  # type: ignore[arg-type]
    listening.remove()
    return generator


def given(generator: Generator, frames: int) -> list[Tensor]:
    mel = torch.linspace(-2, -7, 80)[:, None] + torch.randn(2, 80, frames)
    source = torch.randn(2, 1, frames * generator.config.hop)
    return [mel, source] if generator.config.excitation else [mel]


# V1 takes seconds, and hears the notes besides where it is excited.
@pytest.mark.parametrize("kind", [pytest.param(kind, marks=[pytest.mark.slow] * (kind == "v1")) for kind in KINDS])
@torch.no_grad()
def test_it_gives_what_the_whole_generator_gives(kind: str) -> None:
    generator = loud(kind)
    cropped = CroppedGenerator(generator, EDGE)
    edge = cropped.context * generator.config.hop
    for frames in (1, 2, 9):
        inputs = given(generator, cropped.context + frames + cropped.context)
        expected, found = generator(*inputs)[..., edge:-edge], cropped(*inputs)
        assert found.shape == (2, 1, frames * generator.config.hop)
        assert 0.02 < expected.std() < 0.8
        assert (found - expected).abs().max() <= 1e-5  # measured: 6e-7


@torch.no_grad()
def test_too_short_a_mel_is_refused() -> None:
    cropped = CroppedGenerator(Generator(CONFIGS["v3"]), EDGE)
    with pytest.raises(RuntimeError):
        cropped(torch.zeros(1, 80, 2 * cropped.context))


def measured_reach(generator: Generator) -> tuple[int, int]:
    """How many frames of mel, and samples of the excitation, can change the sound on either side of them.

    Found by the gradient of one frame's samples, in float64 and with every weight set to the same positive value, so
    that no path can cancel another or fade below the smallest number.
    """
    probe = Generator(generator.config).double()
    with torch.no_grad():
        for parameter in probe.parameters():
            parameter.fill_(1.0 / parameter[0].numel() if parameter.dim() > 1 else 0.0)
    side, hop = 24, generator.config.hop
    mel = torch.zeros(1, 80, 2 * side + 1, dtype=torch.float64, requires_grad=True)
    source = torch.zeros(1, 1, (2 * side + 1) * hop, dtype=torch.float64, requires_grad=True)
    excited = generator.config.excitation
    probe(mel, source if excited else None)[..., side * hop : (side + 1) * hop].sum().backward()
    assert mel.grad is not None
    frames = torch.nonzero(mel.grad.abs().sum((0, 1)))[:, 0]
    if source.grad is None:
        return int((frames - side).abs().max()), 0
    samples = torch.nonzero(source.grad[0, 0])[:, 0]
    return int((frames - side).abs().max()), max(side * hop - int(samples.min()), int(samples.max()) - side * hop - hop)


@pytest.mark.parametrize("kind", ["v2", "v3 excited", "mixed", "v3 excited inverse"])
def test_its_context_is_the_reach_that_is_measured(kind: str) -> None:
    generator = loud(kind)
    context, (frames, samples) = CroppedGenerator(generator, EDGE).context, measured_reach(generator)
    assert frames <= context <= frames + 2
    assert samples <= (context - EDGE * bool(samples)) * generator.config.hop


@torch.no_grad()
def test_each_stage_computes_less_than_the_whole_context() -> None:
    cropped = CroppedGenerator(loud("v3 excited"), EDGE)
    columns = []
    for part in cropped.modules():
        if isinstance(part, Upsampling):
            part.register_forward_hook(lambda part, inputs, output: columns.append(output.shape[-1]))
    cropped(*given(loud("v3 excited"), 2 * cropped.context + 32))
    frames = [count / rate for count, rate in zip(sorted(columns), (8, 64, 256), strict=True)]
    assert frames[0] > frames[1] > frames[2]
    assert frames[0] < 46 and frames[1] < 34 and frames[2] < 32.5

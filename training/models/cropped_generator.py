"""The generator as it is exported: its input holds its whole context, and no layer computes what no output needs.

The farther a layer is from the sound, the more columns it has to compute on either side: counted in frames, the first
layers need most of the context and the last ones a fraction of a frame. So no layer is padded, and each gives just
what the next one needs. All are 2-D convolutions of height 1, which ONNX Runtime and oneDNN run faster than 1-D ones.

A margin is how many columns a layer gives, or gets, on either side of those of the wanted frames.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.models.hifigan import SLOPE, Generator, ResBlock1, ResBlock2, excite, spectrum_of
from training.models.vocoders.interface import CroppedVocoder


class CroppedGenerator(CroppedVocoder):
    """Log-mel (B, bands, context + T + context) to the waveform of the T frames in the middle, (B, C, hop * T).

    It shares a generator's weights, and gives what that gives there.

    Args:
        generator: whose weights it shares.
        edge: frames at either end of a piece of excitation that are not yet whole (``AudioFormat.edge``).

    Attributes:
        context: frames of input on either side, the fewest with which no padding of the generator changes the output.
        hop: samples for each frame.
    """

    def __init__(self, generator: Generator, edge: int) -> None:
        super().__init__()
        config = generator.config
        self.hop, self._channels = config.hop, config.channels
        margin = 0  # from the sound back to the mel
        self.direct = _Source(generator.direct[0], margin) if config.excitation else None
        self.waves = Upsampling.of_waves(generator.get_buffer("waves")) if config.inverse_stft else None
        if self.waves is not None:
            margin = self.waves.gets(margin)
        self.post = Convolution(generator.conv_post)
        margin += self.post.reach
        blocks = len(config.resblock_kernel_sizes)
        self.stages = nn.ModuleList()
        for number in reversed(range(len(generator.ups))):
            stage = _Stage(
                Upsampling.of_layer(generator.ups[number]),
                [_Block(block) for block in generator.resblocks[number * blocks : (number + 1) * blocks]],
                margin,
                generator.sources[number] if config.excitation else None,
            )
            self.stages.insert(0, stage)
            margin = stage.gets
        self.pre = Convolution(generator.conv_pre)
        margin += self.pre.reach
        heard = max((part.gets for part in self.modules() if isinstance(part, _Source)), default=0)
        # The excitation of a piece is not yet whole at its edges.
        self.context = max(margin, -(-heard // self.hop) + (edge if heard else 0))
        self._unheard = self.context - margin

    def forward(self, mel: Tensor, excitation: Tensor | None = None) -> Tensor:
        """(B, bands, N) and, where the config says so, the excitation (B, 1, hop * N), to (B, C, hop * T).

        N is T and the context on either side, T at least 1.
        """
        # Without these two, torch.export searches for minutes for what it may take for granted.
        torch._check(mel.shape[-1] > 2 * self.context)
        given = self.context * self.hop
        if excitation is not None:
            torch._check(excitation.shape[-1] == self.hop * mel.shape[-1])
            excitation = excitation.unsqueeze(2)
        x = self.pre(_cropped(mel, self._unheard).unsqueeze(2))
        for stage in self.stages:
            x = stage(x, excitation, given)
        # The slope before the last convolution is torch's default, as in the generator.
        x = self.post(functional.leaky_relu(x))
        if self.waves is not None:
            x = self._sounded(self.waves, x)
        if self.direct is not None and excitation is not None:
            x = x + self.direct(excitation, given)
        waveform: Tensor = x.squeeze(2).tanh()
        return waveform

    def _sounded(self, waves: Upsampling, columns: Tensor) -> Tensor:
        """Spectra (B, C * (size + 2), 1, N) to sound (B, C, 1, M), each channel by itself."""
        if self._channels == 1:
            return waves(spectrum_of(columns), 0)  # type: ignore[no-any-return]
        apart = columns.unflatten(1, (self._channels, -1)).flatten(0, 1)
        sound = waves(spectrum_of(apart), 0).squeeze(1)
        return sound.unflatten(0, (-1, self._channels))  # type: ignore[no-any-return]


class Convolution(nn.Module):
    """A convolution without padding: (B, C, 1, stride * N + 2 * reach) to (B, D, 1, N)."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        layer = cast("nn.Conv1d", layer)
        self.weight, self.bias = nn.Parameter(layer.weight.detach().unsqueeze(2)), layer.bias
        self.stride, self.dilation = layer.stride[0], layer.dilation[0]
        self.reach = int(layer.padding[0])  # the generator pads by just the reach of a kernel

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.weight, self.bias, (1, self.stride), dilation=(1, self.dilation))


class Upsampling(nn.Module):
    """A transposed convolution, whose padding crops: (B, C, 1, N) to (B, D, 1, rate * N - what is not needed)."""

    def __init__(self, weight: Tensor, bias: Tensor | None, rate: int, padding: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.detach().unsqueeze(2))
        self.bias = None if bias is None else nn.Parameter(bias.detach())
        self._rate, self._padding = rate, padding

    @classmethod
    def of_layer(cls, layer: nn.Module) -> Upsampling:
        layer = cast("nn.ConvTranspose1d", layer)
        return cls(layer.weight, layer.bias, layer.stride[0], int(layer.padding[0]))

    @classmethod
    def of_waves(cls, waves: Tensor) -> Upsampling:
        """The inverse transform of the generator."""
        size = waves.shape[-1]
        return cls(waves, None, size // 4, 3 * size // 8)

    def gets(self, margin: int) -> int:
        """The margin of its input that it needs to give ``margin``."""
        return -(-(margin + self._padding) // self._rate)

    def forward(self, x: Tensor, margin: int) -> Tensor:
        padding = self.gets(margin) * self._rate + self._padding - margin
        return functional.conv_transpose2d(x, self.weight, self.bias, (1, self._rate), (0, padding))


class _Source(nn.Module):
    """The filtered excitation, with ``margin`` columns on either side: (B, 1, 1, samples) to (B, C, 1, N)."""

    def __init__(self, layer: nn.Module, margin: int) -> None:
        super().__init__()
        self.filters = Convolution(layer)
        self.gets = margin * self.filters.stride + self.filters.reach

    def forward(self, excitation: Tensor, given: int) -> Tensor:
        """``given``: samples of the excitation on either side of the wanted ones."""
        filtered: Tensor = self.filters(_cropped(excitation, given - self.gets))
        return filtered


class _Block(nn.Module):
    """Residual convolutions, (B, C, 1, N) to (B, C, 1, N - 2 * reach)."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        if isinstance(block, ResBlock1):
            steps = [list(pair) for pair in zip(block.convs1, block.convs2, strict=True)]
        else:
            steps = [[layer] for layer in cast("ResBlock2", block).convs]
        self.steps = nn.ModuleList(nn.ModuleList(Convolution(layer) for layer in step) for step in steps)
        self.reach = sum(_reach(step) for step in self._each())

    def _each(self) -> Iterable[list[Convolution]]:
        return ([cast("Convolution", layer) for layer in cast("nn.ModuleList", step)] for step in self.steps)

    def forward(self, x: Tensor, activated: Tensor, unneeded: int) -> Tensor:
        """``activated``: x after its activation; ``unneeded``: columns on either side that are not looked at."""
        inner = _cropped(activated, unneeded)
        for step in self._each():
            for number, layer in enumerate(step):
                inner = layer(inner if number == 0 else functional.leaky_relu(inner, SLOPE))
            x = _cropped(x, unneeded + _reach(step)) + inner
            unneeded, inner = 0, functional.leaky_relu(x, SLOPE)
        return x


class _Stage(nn.Module):
    """An upsampling, what the excitation adds to it, and the mean of parallel blocks."""

    def __init__(self, upsampling: Upsampling, blocks: list[_Block], margin: int, source: nn.Module | None) -> None:
        super().__init__()
        self.upsampling, self.blocks = upsampling, nn.ModuleList(blocks)
        self._reach = max(block.reach for block in blocks)
        self._upsampled = margin + self._reach
        self.source = None if source is None else _Source(source, self._upsampled)
        self.gets = upsampling.gets(self._upsampled)

    def forward(self, x: Tensor, excitation: Tensor | None, given: int) -> Tensor:
        """(B, C, 1, N) to (B, D, 1, M) with the margins ``gets`` and that of the next layer."""
        x = self.upsampling(functional.leaky_relu(x, SLOPE), self._upsampled)
        if self.source is not None and excitation is not None:
            x = excite(x, self.source(excitation, given))
        activated = functional.leaky_relu(x, SLOPE)
        outputs = [block(x, activated, self._reach - cast("_Block", block).reach) for block in self.blocks]
        mean: Tensor = sum(outputs[1:], outputs[0]) / len(outputs)
        return mean


def _reach(step: list[Convolution]) -> int:
    return sum(layer.reach for layer in step)


def _cropped(x: Tensor, columns: int) -> Tensor:
    """Without so many columns at either end."""
    return x[..., columns:-columns] if columns else x

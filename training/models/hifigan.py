"""The HiFi-GAN generator (Kong, Kim & Bae 2020, arXiv 2010.05646), with the names of its public checkpoints.

A generator always holds plain weights. Checkpoints may hold weight norm in either of torch's spellings
(``weight_g`` and ``weight_v``, or ``parametrizations.weight.original0`` and ``original1``): it is folded on loading.

The last stage may be an inverse short-time Fourier transform (Kaneko et al. 2022, iSTFTNet, arXiv 2203.02395): the
layers before it then give the spectrum of a few samples at once, and none runs at the full rate.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from a2m_edge.errors import CheckpointError, OptionError
from a2m_edge.sound.format import AudioFormat
from training.checkpoint import load_checkpoint, load_weights, read_safetensors
from training.models.vocoders.interface import Vocoder

SLOPE = 0.1
QUIET = -5.0
"""Natural logarithm of the magnitudes that an untrained generator gives to its inverse transform."""


@dataclass(frozen=True)
class GeneratorConfig:
    """The sizes of a generator, named as in the public configuration files.

    Attributes:
        resblock: ``"1"`` (pairs of convolutions) or ``"2"`` (single ones).
        upsample_rates: their product is the hop in samples.
        upsample_kernel_sizes, upsample_initial_channel: channels halve at each upsampling.
        resblock_kernel_sizes, resblock_dilation_sizes: one parallel block for each kernel size.
        mel_bands: channels of the input.
        channels: channels of the sound.
        excitation: whether the notes' partials are an input too (see ``a2m_edge.synthesis.excitation``). The
            public models have none; their weights load into one that has it, which then begins as their sum with the
            partials.
        inverse_stft: size of the inverse transform that makes the samples, a multiple of 8, a quarter of it from one
            spectrum to the next; 0: the last convolution makes them, as in the public models.
    """

    resblock: str
    upsample_rates: tuple[int, ...]
    upsample_kernel_sizes: tuple[int, ...]
    upsample_initial_channel: int
    resblock_kernel_sizes: tuple[int, ...]
    resblock_dilation_sizes: tuple[tuple[int, ...], ...]
    mel_bands: int = 80
    excitation: bool = False
    inverse_stft: int = 0
    channels: int = 1

    @property
    def hop(self) -> int:
        """Samples for each mel frame."""
        return int(math.prod(self.upsample_rates)) * self.last_rate

    @property
    def last_rate(self) -> int:
        """Samples for each column of the last convolution."""
        return self.inverse_stft // 4 if self.inverse_stft else 1

    def for_format(self, audio: AudioFormat) -> GeneratorConfig:
        """These sizes for another sound: as many samples for a frame, bands and channels as the format has.

        Where a frame has more samples, the second upsampling makes them.

        Raises:
            OptionError: the hop is no multiple of this one's.
        """
        factor, rest = divmod(audio.hop, self.hop)
        if rest or factor < 1:
            raise OptionError(
                f"a vocoder of this size makes {self.hop} samples from a frame, or a multiple of that, but not the "
                f"{audio.hop} of the sound format: choose a format with another hop"
            )
        rates, kernels = list(self.upsample_rates), list(self.upsample_kernel_sizes)
        if factor > 1:
            rates[1] *= factor
            kernels[1] *= factor
        return replace(
            self,
            upsample_rates=tuple(rates),
            upsample_kernel_sizes=tuple(kernels),
            mel_bands=audio.mel_bands,
            channels=audio.channels,
        )

    def to_json(self) -> dict[str, Any]:
        """As plain values for ``config.json``."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> GeneratorConfig:
        """From what ``to_json`` gave, after a trip through a file.

        Raises:
            CheckpointError: a key is missing or unknown.
        """
        try:
            dilations = tuple(tuple(sizes) for sizes in values["resblock_dilation_sizes"])
            if values.get("inverse_stft", 0) % 8:
                raise ValueError(f"inverse_stft is {values['inverse_stft']}, no multiple of 8")
            listed = {name: tuple(value) for name, value in values.items() if isinstance(value, list | tuple)}
            return cls(**{**values, **listed, "resblock_dilation_sizes": dilations})
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"the configuration of a generator is damaged ({error})") from error


CONFIGS: dict[str, GeneratorConfig] = {
    "v1": GeneratorConfig("1", (8, 8, 2, 2), (16, 16, 4, 4), 512, (3, 7, 11), ((1, 3, 5),) * 3),
    "v2": GeneratorConfig("1", (8, 8, 2, 2), (16, 16, 4, 4), 128, (3, 7, 11), ((1, 3, 5),) * 3),
    "v3": GeneratorConfig("2", (8, 8, 4), (16, 16, 8), 256, (3, 5, 7), ((1, 2), (2, 6), (3, 12))),
}


def _sources(config: GeneratorConfig) -> list[nn.Conv1d]:
    """For each stage a bank of filters that brings the excitation to its rate, (B, 1, N) to (B, C, N / rate)."""
    banks = []
    for stage in range(len(config.upsample_rates)):
        rate = math.prod(config.upsample_rates[stage + 1 :]) * config.last_rate
        taps = max(64, 4 * rate) + rate % 2
        channels = config.upsample_initial_channel // 2 ** (stage + 1)
        bank = nn.Conv1d(1, channels, taps, rate, padding=(taps - rate) // 2)
        nn.init.zeros_(bank.weight)
        nn.init.zeros_(bank.bias)  # type: ignore[arg-type]
        banks.append(bank)
    return banks


def _direct() -> nn.Conv1d:
    """A filter of the excitation that begins as no filter at all, (B, 1, N) to (B, 1, N)."""
    filtered = nn.Conv1d(1, 1, 65, padding=32)
    nn.init.dirac_(filtered.weight)
    nn.init.zeros_(filtered.bias)  # type: ignore[arg-type]
    return filtered


def excite(x: Tensor, source: Tensor) -> Tensor:
    """Adds the filtered excitation, each channel of it also scaled by what was made of the mel: a filter that moves."""
    return x + source + x * source


def _waves(size: int) -> Tensor:
    """What each real, then each imaginary part of a spectrum sounds like: (size + 2, 1, size), windowed.

    Periodic Hann windows a quarter of their length apart add up to 2, which is divided out.
    """
    parts = torch.eye(size // 2 + 1, dtype=torch.float64)
    sounds = torch.fft.irfft(torch.cat([parts.to(torch.complex128), 1j * parts]), size)
    waves: Tensor = sounds * torch.hann_window(size, dtype=torch.float64) / 2
    return waves.unsqueeze(1).float()


def spectrum_of(columns: Tensor) -> Tensor:
    """Log-magnitudes and phases (B, size + 2, N) to real and imaginary parts (B, size + 2, N)."""
    magnitude, phase = columns.chunk(2, 1)
    magnitude = magnitude.exp()
    return torch.cat([magnitude * phase.cos(), magnitude * phase.sin()], 1)


def _inverse_stft(columns: Tensor, waves: Tensor) -> Tensor:
    """Log-magnitudes and phases (B, C * (size + 2), N) to samples (B, C, N * size / 4)."""
    size = waves.shape[-1]
    apart = columns.unflatten(1, (-1, size + 2)).flatten(0, 1)  # (B * C, size + 2, N)
    sound = functional.conv_transpose1d(spectrum_of(apart), waves, stride=size // 4, padding=3 * size // 8)
    waveform: Tensor = sound.unflatten(0, (len(columns), -1)).squeeze(2)
    return waveform


def _convolution(channels: int, kernel: int, dilation: int) -> nn.Conv1d:
    """A convolution that keeps the length."""
    padding = (kernel - 1) * dilation // 2
    return nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=padding)


def _wide(layer: nn.Module, x: Tensor, dtype: torch.dtype) -> Tensor:
    """Runs a 1-D convolution, transposed or not, on (B, C, 1, T), in ``dtype``."""
    convolution = cast("nn.Conv1d | nn.ConvTranspose1d", layer)
    weight, bias = convolution.weight.unsqueeze(2).to(dtype), cast("Tensor", convolution.bias).to(dtype)
    padding = (0, int(convolution.padding[0]))
    if isinstance(convolution, nn.ConvTranspose1d):
        return functional.conv_transpose2d(x.to(dtype), weight, bias, (1, convolution.stride[0]), padding)
    return functional.conv2d(x.to(dtype), weight, bias, padding=padding, dilation=(1, convolution.dilation[0]))


class ResBlock1(nn.Module):
    """Residual pairs of a dilated and a plain convolution, (B, C, T) to (B, C, T)."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(_convolution(channels, kernel, dilation) for dilation in dilations)
        self.convs2 = nn.ModuleList(_convolution(channels, kernel, 1) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            x = x + plain(functional.leaky_relu(dilated(functional.leaky_relu(x, SLOPE)), SLOPE))
        return x

    def forward_fast(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """See ``Generator.forward_fast``; (B, C, 1, T) to (B, C, 1, T)."""
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            inner = _wide(dilated, functional.leaky_relu(x, SLOPE), dtype)
            x = x + _wide(plain, functional.leaky_relu(inner, SLOPE), dtype)
        return x


class ResBlock2(nn.Module):
    """Residual dilated convolutions, (B, C, T) to (B, C, T)."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_convolution(channels, kernel, dilation) for dilation in dilations)

    def forward(self, x: Tensor) -> Tensor:
        for dilated in self.convs:
            x = x + dilated(functional.leaky_relu(x, SLOPE))
        return x

    def forward_fast(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """See ``Generator.forward_fast``; (B, C, 1, T) to (B, C, 1, T)."""
        for dilated in self.convs:
            x = x + _wide(dilated, functional.leaky_relu(x, SLOPE), dtype)
        return x


class Generator(Vocoder):
    """Log-mel (B, bands, T) to waveform (B, C, hop * T) in [-1, 1]."""

    architecture = "hifigan"

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        block = {"1": ResBlock1, "2": ResBlock2}[config.resblock]
        channels = config.upsample_initial_channel
        self.conv_pre = nn.Conv1d(config.mel_bands, channels, 7, padding=3)
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        for rate, kernel in zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True):
            padding = (kernel - rate) // 2
            self.ups.append(nn.ConvTranspose1d(channels, channels // 2, kernel, rate, padding=padding))
            channels //= 2
            for size, dilations in zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True):
                self.resblocks.append(block(channels, size, dilations))
        columns = config.inverse_stft + 2 if config.inverse_stft else 1
        self.conv_post = nn.Conv1d(channels, config.channels * columns, 7, padding=3)
        if config.inverse_stft:
            self.register_buffer("waves", _waves(config.inverse_stft), persistent=False)
        self.sources = nn.ModuleList(_sources(config) if config.excitation else [])
        self.direct = nn.ModuleList([_direct()] if config.excitation else [])
        for module in [*self.ups.modules(), *self.resblocks.modules(), self.conv_post]:
            if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
                nn.init.normal_(module.weight, 0.0, 0.01)
        if config.inverse_stft:
            by_channel = self.conv_post.bias.view(config.channels, columns)  # type: ignore[union-attr]
            nn.init.constant_(by_channel[:, : config.inverse_stft // 2 + 1], QUIET)

    @property
    def hop(self) -> int:
        return self.config.hop

    @property
    def channels(self) -> int:
        return self.config.channels

    @property
    def mel_bands(self) -> int:
        return self.config.mel_bands

    @property
    def excitation(self) -> bool:
        return self.config.excitation

    def document(self) -> dict[str, Any]:
        return {"architecture": self.architecture, "generator": self.config.to_json()}

    def forward(self, mel: Tensor, excitation: Tensor | None = None) -> Tensor:
        """(B, bands, T) and, where the config says so, the excitation (B, 1, hop * T), to (B, C, hop * T)."""
        x = self.conv_pre(mel)
        blocks = len(self.config.resblock_kernel_sizes)
        for stage, upsample in enumerate(self.ups):
            x = upsample(functional.leaky_relu(x, SLOPE))
            if excitation is not None:
                x = excite(x, self.sources[stage](excitation))
            outputs = self.resblocks[stage * blocks](x)
            for block in self.resblocks[stage * blocks + 1 : (stage + 1) * blocks]:
                outputs = outputs + block(x)
            x = outputs / blocks
        return self._finish(x, excitation)

    def _finish(self, x: Tensor, excitation: Tensor | None) -> Tensor:
        """The last layer: (B, D, N) to (B, C, N * last rate); the excitation is added to every channel as it is."""
        # The public checkpoints were trained with torch's default slope (0.01) before the last convolution.
        waveform: Tensor = self.conv_post(functional.leaky_relu(x))
        if self.config.inverse_stft:
            waveform = _inverse_stft(waveform, self.get_buffer("waves"))
        for filtered in self.direct:
            waveform = waveform if excitation is None else waveform + filtered(excitation)
        return torch.tanh(waveform)

    def forward_fast(
        self, mel: Tensor, excitation: Tensor | None, dtype: torch.dtype, last_dtype: torch.dtype
    ) -> Tensor:
        """The same as ``forward``, computed as 2-D convolutions over channels-last memory, for training on a CPU.

        oneDNN runs these two to four times as fast as 1-D convolutions of so few channels, backward above all.

        Args:
            mel, excitation: as in ``forward``.
            dtype: of the convolutions inside; the residual sums, the first and the last layer stay float32.
            last_dtype: of the last upsampling and its blocks, whose rounding is most audible: in bfloat16 it moves
                the log-mel of quiet music by 0.04 on average, in float32 (the rest in bfloat16) by 0.02.

        Returns:
            (B, C, hop * T) float32.
        """
        x = self.conv_pre(mel).unsqueeze(2).contiguous(memory_format=torch.channels_last)
        blocks = len(self.config.resblock_kernel_sizes)
        for stage, upsample in enumerate(self.ups):
            kind = last_dtype if stage == len(self.ups) - 1 else dtype
            x = _wide(upsample, functional.leaky_relu(x, SLOPE), kind).float()
            if excitation is not None:
                x = excite(x, self.sources[stage](excitation).unsqueeze(2))
            outputs = torch.zeros_like(x)
            for block in self.resblocks[stage * blocks : (stage + 1) * blocks]:
                outputs = outputs + cast("ResBlock1 | ResBlock2", block).forward_fast(x, kind)
            x = outputs / blocks
        return self._finish(x.squeeze(2).contiguous(), excitation)

    def new_parameters(self) -> Iterable[nn.Parameter]:
        """The filters of the excitation."""
        return self.sources.parameters()

    def with_excitation(self) -> Generator:
        """A generator of the same weights that also takes an excitation, and at first only adds it to its own sound."""
        if self.excitation:
            return self
        excited = Generator(replace(self.config, excitation=True))
        excited.load_state_dict(excited.state_dict() | self.state_dict())
        return excited.eval()

    def with_inverse_stft(self, size: int = 16) -> Generator:
        """A generator whose last stage, of rate ``size`` / 4, gave way to an inverse transform, which has to learn.

        A generator that has an inverse transform is given back as it is.

        Raises:
            CheckpointError: the last stage has another rate, or ``size`` is no multiple of 8.
        """
        config = self.config
        if config.inverse_stft:
            return self
        if size % 8 or config.upsample_rates[-1] != size // 4:
            raise CheckpointError(
                f"a generator with the upsampling rates {config.upsample_rates} has no last stage of {size // 4} that "
                "an inverse transform could take the place of: begin with another, v3 for example"
            )
        shorter = Generator(
            replace(
                config,
                upsample_rates=config.upsample_rates[:-1],
                upsample_kernel_sizes=config.upsample_kernel_sizes[:-1],
                inverse_stft=size,
            )
        )
        own = shorter.state_dict()
        known = {name: value for name, value in self.state_dict().items() if not name.startswith("conv_post")}
        shorter.load_state_dict(own | {name: value for name, value in known.items() if name in own})
        return shorter.eval()


def fold_weight_norm(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict with ``weight = g * v / |v|`` in the place of g and v; the norm is over all axes but the first."""
    spellings = (("weight_g", "weight_v"), ("parametrizations.weight.original0", "parametrizations.weight.original1"))
    folded: dict[str, Tensor] = {}
    for name, value in state.items():
        for length, direction in spellings:
            if name.endswith(direction):
                stem = name.removesuffix(direction)
                folded[stem + "weight"] = torch._weight_norm(value, state[stem + length], 0)
                break
            if name.endswith(length):
                break
        else:
            folded[name] = value
    return folded


def load_generator(path: Path) -> Generator:
    """Reads a generator, in eval mode, without weight norm.

    Args:
        path: a checkpoint folder of this project, a ``.safetensors`` file, or a public checkpoint (a file of
            ``torch.save`` with the key ``"generator"``). For files the size is found by the shapes of the weights.

    Raises:
        CheckpointError: missing, damaged, unsafe to load, or no generator of a known size.
    """
    if path.is_dir():
        state, config = load_checkpoint(path, "vocoder")
        generator = Generator(GeneratorConfig.from_json(config.get("generator", {})))
        load_weights(generator, fold_weight_norm(state), path)
        return generator.eval()
    state = fold_weight_norm(read_safetensors(path) if path.suffix == ".safetensors" else _read_public(path))
    shapes = {name: value.shape for name, value in state.items()}
    for size in CONFIGS.values():
        with torch.device("meta"):
            expected = Generator(size).state_dict()
        if {name: value.shape for name, value in expected.items()} == shapes:
            generator = Generator(size)
            generator.load_state_dict(state)
            return generator.eval()
    raise CheckpointError(f"{path} holds no HiFi-GAN generator of size {', '.join(CONFIGS)}")


def _read_public(path: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no checkpoint {path}") from error
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path} is damaged or holds more than weights: it was not loaded") from error
    state = content.get("generator") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise CheckpointError(f'{path} has no weights under the key "generator"')
    return {name: value.float() for name, value in cast("dict[str, Tensor]", state).items()}
